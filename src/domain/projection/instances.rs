//! Who is there: scorecards, their instances as they appear, the nodes of each, and where a journal series belongs.

use std::sync::Arc;

use super::node_state::NodeState;
use super::room::make_room;
use super::{Projection, Shape};
use crate::domain::alert::{AlertRule, Metric};
use crate::domain::catalog::{Aggregate, Catalog, Include, KpiDefinition, NodeKind, NodePlace, Scorecard};
use crate::domain::id::InstanceId;
use crate::domain::measurement::SeriesKey;
use crate::domain::series::{Rules, Series};

/// A scorecard, or one instance of it.
#[derive(Debug)]
pub(super) struct InstanceState {
    pub scorecard: usize,
    pub name: Option<InstanceId>,
    /// Number of its first node; the others follow in the order of the shape.
    pub node_base: u32,
    /// Number of its first series; the others follow in the order of the scorecard's KPIs.
    pub series_base: u32,
    /// Rules by node of the shape; shared by all instances to which the same rules apply.
    pub rules: Arc<Vec<Vec<u32>>>,
    /// Changed since the board was posted. Only scorecards are on it; instances are drawn when they are asked for.
    pub is_changed: bool,
    /// Changed since the last checkpoint.
    pub is_unsaved: bool,
}

/// What the instances of a scorecard have in common; found out once, because there may be a hundred thousand of them.
#[derive(Debug)]
pub(super) struct Common {
    /// Rules by node of the shape, as the latest instance has them.
    rules: Option<Arc<Vec<Vec<u32>>>>,
    /// No rule can tell one instance from another, so all have the same.
    is_uniform: bool,
    /// Nodes of other scorecards count in it.
    has_includes: bool,
    /// Nodes of some of its instances count elsewhere.
    is_included: bool,
}

impl Common {
    /// One a scorecard, in catalog order.
    pub fn of(catalog: &Catalog) -> Vec<Self> {
        let includes = |scorecard: &Scorecard| -> Vec<Include> {
            let own = scorecard.objectives.iter();
            own.flat_map(|objective| objective.include.iter().cloned()).collect()
        };
        let everywhere: Vec<Include> = catalog.scorecards.iter().flat_map(includes).collect();
        let common = |(index, scorecard): (usize, &Scorecard)| Self {
            rules: None,
            is_uniform: !catalog.rules.iter().any(|rule| rule.on.tells_instances_apart()),
            has_includes: !includes(scorecard).is_empty(),
            is_included: everywhere
                .iter()
                .any(|include| include.scorecard == index && include.instance.is_some()),
        };
        catalog.scorecards.iter().enumerate().map(common).collect()
    }
}

/// A node that counts in an objective, once it exists.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct IncludedNode {
    pub node: Option<u32>,
    pub weight: f64,
}

/// Whether it is known where the measurements of a journal series go. An instance appears with its first measurement, not
/// with the first mention of its name, so this is found out as late as that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Placed {
    NotYet,
    /// The catalog does not know the KPI, or knows it under another label.
    Nowhere,
    /// Node and series of the KPI, of the instance where there is one, and the instance.
    At {
        node: u32,
        series: u32,
        instance: u32,
    },
}

/// Where the measurements of a journal series go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SeriesPlace {
    /// Indices into the catalog.
    pub scorecard: usize,
    pub kpi: usize,
    /// Node and series of the KPI, of the instance where there is one.
    pub own: (u32, u32),
    /// Node and series of the KPI over all instances.
    pub overall: Option<(u32, u32)>,
}

impl Projection {
    /// Where a journal series goes, making its instance if it is new.
    pub(super) fn place(&mut self, key: &SeriesKey) -> Placed {
        self.find_place(key).unwrap_or(Placed::Nowhere)
    }

    fn find_place(&mut self, key: &SeriesKey) -> Option<Placed> {
        let (scorecard, kpi) = *self.catalog.kpis.get(&key.kpi)?;
        let each = self.catalog.scorecards.get(scorecard)?.each.as_deref();
        let instance = match (each, &key.each) {
            (None, _) => scorecard as u32,
            (Some(each), Some((label, name))) if each == &**label => self.instance(scorecard, name),
            _ => return None,
        };
        let (node, series) = self.node_and_series(instance, kpi)?;
        Some(Placed::At { node, series, instance })
    }

    /// Everything about the place of a node and its series.
    pub(super) fn series_place_at(&self, placed: Placed) -> Option<SeriesPlace> {
        let Placed::At { node, series, instance } = placed else {
            return None;
        };
        let instance = self.instances.get(instance as usize)?;
        let kpi = series.checked_sub(instance.series_base)?;
        let overall = self.instances.get(instance.scorecard)?;
        let local = node.checked_sub(instance.node_base)?;
        let overall = (overall.node_base + local, overall.series_base + kpi);
        Some(SeriesPlace {
            scorecard: instance.scorecard,
            kpi: kpi as usize,
            own: (node, series),
            overall: instance.name.as_ref().map(|_| overall),
        })
    }

    fn node_and_series(&self, instance: u32, kpi: usize) -> Option<(u32, u32)> {
        let state = self.instances.get(instance as usize)?;
        let local = self.shapes.get(state.scorecard)?.find(NodePlace::Kpi(kpi))?;
        Some((state.node_base + local, state.series_base + kpi as u32))
    }

    pub(super) fn instance(&mut self, scorecard: usize, name: &InstanceId) -> u32 {
        match self.instance_by_name.get(scorecard).and_then(|names| names.get(name)) {
            Some(instance) => *instance,
            None => self.add_instance(scorecard, Some(name.clone())),
        }
    }

    /// Adds a scorecard or an instance of one, with all its nodes and series.
    pub(super) fn add_instance(&mut self, scorecard: usize, name: Option<InstanceId>) -> u32 {
        let instance = self.instances.len() as u32;
        let (node_base, series_base) = (self.nodes.len() as u32, self.series.len() as u32);
        let Some(shape) = self.shapes.get(scorecard) else {
            return instance;
        };
        let kpis = self
            .catalog
            .scorecards
            .get(scorecard)
            .map_or(0, |scorecard| scorecard.kpis.len());
        make_room(&mut self.nodes, shape.nodes.len());
        make_room(&mut self.series, kpis);
        self.nodes
            .extend(shape.nodes.iter().map(|node| NodeState::new(instance, node.kind)));
        self.series.resize_with(self.series.len() + kpis, Series::default);
        let state = InstanceState {
            scorecard,
            rules: Arc::default(),
            node_base,
            series_base,
            is_changed: true,
            is_unsaved: true,
            name: name.clone(),
        };
        self.instances.push(state);
        let rules = self.rules_for(instance);
        if let Some(state) = self.instances.get_mut(instance as usize) {
            state.rules = rules;
        }
        if let (Some(name), Some(names)) = (name, self.instance_by_name.get_mut(scorecard)) {
            names.insert(name, instance);
            self.note_instance(scorecard);
        }
        self.link_includes(instance);
        (node_base..self.nodes.len() as u32).for_each(|node| self.mark(node));
        instance
    }

    /// Links what counts in the new instance's objectives, and the new instance's nodes where they count.
    fn link_includes(&mut self, instance: u32) {
        let catalog = Arc::clone(&self.catalog);
        let Some(state) = self.instances.get(instance as usize) else {
            return;
        };
        let (own_scorecard, own_base, own_name) = (state.scorecard, state.node_base, state.name.clone());
        let is_alone = |common: &Common| !common.has_includes && !common.is_included;
        if own_name.is_some() && self.common.get(own_scorecard).is_some_and(is_alone) {
            return;
        }
        let Some(definition) = catalog.scorecards.get(own_scorecard) else {
            return;
        };
        for (index, objective) in definition.objectives.iter().enumerate() {
            let Some(local) = self
                .shapes
                .get(own_scorecard)
                .and_then(|shape| shape.find(NodePlace::Objective(index)))
            else {
                continue;
            };
            let unlinked = |include: &Include| IncludedNode {
                node: None,
                weight: include.weight,
            };
            if !objective.include.is_empty() {
                self.included
                    .insert(own_base + local, objective.include.iter().map(unlinked).collect());
            }
        }
        self.link_objectives(&catalog, instance);
        // Only where an include names the new instance can an older one have waited for it.
        let new = (own_scorecard, own_name.as_ref());
        let mut includes = catalog
            .scorecards
            .iter()
            .flat_map(|other| &other.objectives)
            .flat_map(|own| &own.include);
        if includes.any(|include| (include.scorecard, include.instance.as_ref()) == new) {
            (0..instance).for_each(|other| self.link_objectives(&catalog, other));
        }
    }

    fn link_objectives(&mut self, catalog: &Catalog, owner: u32) {
        let Some(state) = self.instances.get(owner as usize) else {
            return;
        };
        let (scorecard, base) = (state.scorecard, state.node_base);
        let Some(definition) = catalog.scorecards.get(scorecard) else {
            return;
        };
        for (index, objective) in definition.objectives.iter().enumerate() {
            let Some(local) = self
                .shapes
                .get(scorecard)
                .and_then(|shape| shape.find(NodePlace::Objective(index)))
            else {
                continue;
            };
            let node = base + local;
            for (place, include) in objective.include.iter().enumerate() {
                let target = self.find_node(include.scorecard, include.instance.as_ref(), include.node);
                let slot = self
                    .included
                    .get_mut(&node)
                    .and_then(|included| included.get_mut(place));
                if let (Some(target), Some(slot @ IncludedNode { node: None, .. })) = (target, slot) {
                    slot.node = Some(target);
                    self.counts_in.entry(target).or_default().push(node);
                    self.mark(node);
                }
            }
        }
    }

    /// The node at a place of a scorecard or an instance of it, if it is there.
    pub(super) fn find_node(&self, scorecard: usize, instance: Option<&InstanceId>, place: NodePlace) -> Option<u32> {
        let instance = match instance {
            None => scorecard as u32,
            Some(name) => *self.instance_by_name.get(scorecard)?.get(name)?,
        };
        let base = self.instances.get(instance as usize)?.node_base;
        Some(base + self.shapes.get(scorecard)?.find(place)?)
    }

    /// Which rules apply to which node of a new scorecard or instance. Instances of one scorecard mostly have the same,
    /// and share them.
    fn rules_for(&mut self, instance: u32) -> Arc<Vec<Vec<u32>>> {
        let Some(state) = self.instances.get(instance as usize) else {
            return Arc::default();
        };
        let (scorecard, is_instance) = (state.scorecard, state.name.is_some());
        let common = self.common.get(scorecard).filter(|_| is_instance);
        let before = common.and_then(|common| Some((common.is_uniform, Arc::clone(common.rules.as_ref()?))));
        if let Some((true, rules)) = before {
            return rules;
        }
        let found = self.rules_of_nodes(instance, scorecard);
        let rules = match before {
            Some((_, before)) if *before == found => before,
            _ => Arc::new(found),
        };
        if let Some(common) = self.common.get_mut(scorecard).filter(|_| is_instance) {
            common.rules = Some(Arc::clone(&rules));
        }
        rules
    }

    fn rules_of_nodes(&self, instance: u32, scorecard: usize) -> Vec<Vec<u32>> {
        let root = self.root_path(instance);
        let applies = |rule: &AlertRule, path: &str, kind: NodeKind| {
            let fits = rule.kinds.is_empty() || rule.kinds.contains(&kind);
            let has_metric = kind == NodeKind::Kpi || !matches!(rule.metric, Metric::Value | Metric::Age);
            fits && has_metric && rule.on.matches(path)
        };
        let rules_of = |node: &super::shape::ShapeNode| {
            let path = format!("{root}{}", node.suffix);
            let rules = self.catalog.rules.iter().enumerate();
            rules
                .filter(|(_, rule)| applies(rule, &path, node.kind))
                .map(|(index, _)| index as u32)
                .collect()
        };
        let nodes = self.shapes.get(scorecard).map(|shape| shape.nodes.as_slice());
        nodes.unwrap_or_default().iter().map(rules_of).collect()
    }

    /// `scorecard` or `scorecard@instance`
    pub(super) fn root_path(&self, instance: u32) -> String {
        self.path_of(instance, "")
    }

    /// The path of a node.
    pub(super) fn path(&self, node: u32) -> Arc<str> {
        let Some((instance, shape, local)) = self.node_place(node) else {
            return "".into();
        };
        let Some(own) = shape.nodes.get(local as usize) else {
            return "".into();
        };
        if self
            .instances
            .get(instance as usize)
            .is_some_and(|state| state.name.is_none())
        {
            return Arc::clone(&own.path);
        }
        self.path_of(instance, &own.suffix).into()
    }

    fn path_of(&self, instance: u32, suffix: &str) -> String {
        let Some(state) = self.instances.get(instance as usize) else {
            return String::new();
        };
        let scorecard = self.catalog.scorecards.get(state.scorecard);
        let scorecard = scorecard.map_or("", |scorecard| scorecard.id.as_str());
        match &state.name {
            None => [scorecard, suffix].concat(),
            Some(name) => [scorecard, "@", &name.in_path(), suffix].concat(),
        }
    }

    /// Instance, shape and place in the shape of a node.
    pub(super) fn node_place(&self, node: u32) -> Option<(u32, &Shape, u32)> {
        let state = self.nodes.get(node as usize)?;
        let instance = self.instances.get(state.instance as usize)?;
        let local = node.checked_sub(instance.node_base)?;
        Some((state.instance, self.shapes.get(instance.scorecard)?, local))
    }

    /// The definition of a node's scorecard.
    pub(super) fn scorecard_of(&self, node: u32) -> Option<&Scorecard> {
        let state = self.nodes.get(node as usize)?;
        self.catalog
            .scorecards
            .get(self.instances.get(state.instance as usize)?.scorecard)
    }

    /// Whether a KPI over all instances is put together from theirs.
    pub(super) fn is_across(&self, instance: u32, definition: &KpiDefinition) -> bool {
        let Some(state) = self.instances.get(instance as usize) else {
            return false;
        };
        let each = self
            .catalog
            .scorecards
            .get(state.scorecard)
            .and_then(|scorecard| scorecard.each.as_ref());
        let ends = matches!(
            definition.aggregate,
            Aggregate::First | Aggregate::Last | Aggregate::Delta
        );
        state.name.is_none() && each.is_some() && ends
    }
}

/// The rules of a KPI for its series.
pub(super) fn rules_of(scorecard: &Scorecard, kpi: usize) -> Option<Rules<'_>> {
    Some(Rules {
        definition: scorecard.kpis.get(kpi)?,
        calendar: &scorecard.calendar,
    })
}
