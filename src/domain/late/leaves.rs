//! The KPIs below a scorecard, with the nodes in which each counts: its own, and those of other scorecards that are included.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::catalog::{Catalog, KpiDefinition, NodePlace, Scorecard};
use crate::domain::id::InstanceId;
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;

/// A KPI, of one instance or over all of them.
#[derive(Debug, Clone, PartialEq)]
struct Leaf {
    scorecard: usize,
    kpi: usize,
    instance: Option<InstanceId>,
}

/// The KPIs below a scorecard.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Leaves {
    all: Vec<Leaf>,
    /// Leaves of instances of other scorecards, which may not be there yet.
    included: Vec<usize>,
    /// By path of the scorecard's nodes: places of the leaves below, ascending.
    nodes: BTreeMap<Arc<str>, Vec<usize>>,
}

impl Leaves {
    /// Of a scorecard, or of one instance of it; `None` where it is not defined.
    pub fn of(catalog: &Catalog, scorecard: &str, instance: Option<&InstanceId>) -> Option<Self> {
        let index = catalog.scorecards.iter().position(|own| own.id.as_str() == scorecard)?;
        let definition = catalog.scorecards.get(index)?;
        let root = match instance {
            Some(instance) => format!("{scorecard}@{instance}"),
            None => scorecard.to_owned(),
        };
        let mut leaves = Self::default();
        let mut places = vec![(root.clone(), NodePlace::Scorecard)];
        for (number, perspective) in definition.perspectives.iter().enumerate() {
            places.push((format!("{root}/{}", perspective.id), NodePlace::Perspective(number)));
        }
        let above = |objective: usize| {
            let objective = definition.objectives.get(objective)?;
            let perspective = definition.perspectives.get(objective.perspective)?;
            Some(format!("{root}/{}/{}", perspective.id, objective.id))
        };
        for number in 0..definition.objectives.len() {
            places.extend(above(number).map(|path| (path, NodePlace::Objective(number))));
        }
        for (number, kpi) in definition.kpis.iter().enumerate() {
            let path = above(kpi.objective).map(|path| format!("{path}/{}", kpi.id));
            places.extend(path.map(|path| (path, NodePlace::Kpi(number))));
        }
        for (path, place) in places {
            let mut below = Vec::new();
            leaves.gather(catalog, (index, place, instance), &mut below);
            below.sort_unstable();
            below.dedup();
            leaves.nodes.insert(path.into(), below);
        }
        let own = (index, instance);
        let other = |leaf: &Leaf| leaf.instance.is_some() && (leaf.scorecard, leaf.instance.as_ref()) != own;
        let places = leaves.all.iter().enumerate().filter(|(_, leaf)| other(leaf));
        leaves.included = places.map(|(place, _)| place).collect();
        Some(leaves)
    }

    /// The leaves below a node. Includes never loop: the catalog has refused such.
    fn gather(
        &mut self,
        catalog: &Catalog,
        (scorecard, place, instance): (usize, NodePlace, Option<&InstanceId>),
        below: &mut Vec<usize>,
    ) {
        let Some(definition) = catalog.scorecards.get(scorecard) else {
            return;
        };
        let objectives = definition.objectives.iter().enumerate();
        let is_below = |objective: usize, perspective: usize| match place {
            NodePlace::Scorecard => true,
            NodePlace::Perspective(own) => own == perspective,
            NodePlace::Objective(own) => own == objective,
            NodePlace::Kpi(_) => false,
        };
        for (number, objective) in objectives.filter(|(number, own)| is_below(*number, own.perspective)) {
            let kpis = definition.kpis.iter().enumerate();
            for (kpi, _) in kpis.filter(|(_, kpi)| kpi.objective == number) {
                below.push(self.number(scorecard, kpi, instance));
            }
            for include in &objective.include {
                let other = (include.scorecard, include.node, include.instance.as_ref());
                self.gather(catalog, other, below);
            }
        }
        if let NodePlace::Kpi(kpi) = place {
            below.push(self.number(scorecard, kpi, instance));
        }
    }

    fn number(&mut self, scorecard: usize, kpi: usize, instance: Option<&InstanceId>) -> usize {
        let leaf = Leaf {
            scorecard,
            kpi,
            instance: instance.cloned(),
        };
        self.all.iter().position(|known| *known == leaf).unwrap_or_else(|| {
            self.all.push(leaf);
            self.all.len() - 1
        })
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// True where nothing is measured.
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// Paths of the nodes, each with the places of the leaves below it, ascending.
    pub(super) fn nodes(&self) -> impl Iterator<Item = (&Arc<str>, &Vec<usize>)> {
        self.nodes.iter()
    }

    fn definition<'a>(&self, catalog: &'a Catalog, leaf: usize) -> Option<(&'a Scorecard, &'a KpiDefinition)> {
        let leaf = self.all.get(leaf)?;
        let scorecard = catalog.scorecards.get(leaf.scorecard)?;
        Some((scorecard, scorecard.kpis.get(leaf.kpi)?))
    }

    /// The leaves in which a journal's series does not count, and which are there as soon as its instance is.
    pub(super) fn appearing(&self, catalog: &Catalog, key: &SeriesKey) -> Vec<usize> {
        let Some((scorecard, kpi, Some(name))) = Self::place_of(catalog, key) else {
            return Vec::new();
        };
        let appears = |place: &&usize| {
            let leaf = self.all.get(**place);
            leaf.is_some_and(|leaf| {
                leaf.scorecard == scorecard && leaf.kpi != kpi && leaf.instance.as_ref() == Some(name)
            })
        };
        self.included.iter().filter(appears).copied().collect()
    }

    /// Scorecard, KPI and instance of a journal's series; `None` where the catalog does not take it.
    fn place_of<'a>(catalog: &Catalog, key: &'a SeriesKey) -> Option<(usize, usize, Option<&'a InstanceId>)> {
        let &(scorecard, kpi) = catalog.kpis.get(&key.kpi)?;
        let each = catalog.scorecards.get(scorecard)?.each.as_deref();
        match (each, &key.each) {
            (None, _) => Some((scorecard, kpi, None)),
            (Some(each), Some((label, name))) if each == &**label => Some((scorecard, kpi, Some(name))),
            _ => None,
        }
    }

    /// The leaves in which a journal's series counts.
    pub(super) fn counting(&self, catalog: &Catalog, key: &SeriesKey) -> Vec<usize> {
        let Some((scorecard, kpi, name)) = Self::place_of(catalog, key) else {
            return Vec::new();
        };
        let leaves = self.all.iter().enumerate();
        let counts = leaves.filter(|(_, leaf)| {
            let is_own = (leaf.scorecard, leaf.kpi) == (scorecard, kpi);
            is_own && (leaf.instance.is_none() || leaf.instance.as_ref() == name)
        });
        counts.map(|(place, _)| place).collect()
    }

    /// The first slice that a leaf looks into at an instant.
    pub(super) fn first_slice(&self, catalog: &Catalog, leaf: usize, at: Instant) -> i64 {
        self.definition(catalog, leaf).map_or(i64::MAX, |(scorecard, kpi)| {
            kpi.window.view(&scorecard.calendar, at).first
        })
    }

    pub(super) fn slice_of(&self, catalog: &Catalog, leaf: usize, at: Instant) -> i64 {
        self.definition(catalog, leaf).map_or(i64::MIN, |(scorecard, kpi)| {
            kpi.window.slice_of(&scorecard.calendar, at)
        })
    }
}
