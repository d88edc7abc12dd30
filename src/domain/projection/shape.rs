//! The shape of a scorecard: its nodes as a flat list, parents before children, the same for every instance.

use std::sync::Arc;

use super::evaluate::constant_weight_of;
use crate::domain::catalog::{Catalog, Include, NodeKind, NodePlace, Scorecard};
use crate::domain::instant::Instant;

/// The nodes of a scorecard.
#[derive(Debug)]
pub(super) struct Shape {
    /// Nodes in pre-order: the scorecard, a perspective, its objectives with their KPIs, the next perspective, ...
    pub nodes: Vec<ShapeNode>,
    /// Places of the KPIs among the nodes, in the order of the scorecard's KPIs.
    kpis: Vec<u32>,
}

/// One node of a shape.
#[derive(Debug)]
pub(super) struct ShapeNode {
    pub place: NodePlace,
    pub kind: NodeKind,
    /// Path behind the scorecard's name, with its leading `/`; empty for the scorecard.
    pub suffix: String,
    /// Path of the node of the scorecard itself, not of an instance of it.
    pub path: Arc<str>,
    pub parent: Option<u32>,
    pub children: Vec<u32>,
    /// The children's weights, unless one of them changes with time.
    pub weights: Option<Vec<f64>>,
    /// Greater than that of everything it is evaluated from.
    pub rank: u32,
    /// When its bands or its children's weights change by themselves, ascending.
    pub changes: Vec<Instant>,
}

impl Shape {
    pub fn of(catalog: &Catalog, scorecard: &Scorecard) -> Self {
        let mut shape = Self {
            nodes: Vec::new(),
            kpis: vec![u32::MAX; scorecard.kpis.len()],
        };
        let root = shape.push(NodePlace::Scorecard, NodeKind::Scorecard, String::new(), None);
        for (index, perspective) in scorecard.perspectives.iter().enumerate() {
            let suffix = format!("/{}", perspective.id);
            let node = shape.push(NodePlace::Perspective(index), NodeKind::Perspective, suffix, Some(root));
            shape.push_objectives(scorecard, index, node);
        }
        shape.rank(catalog, scorecard);
        shape.weigh(scorecard);
        for node in &mut shape.nodes {
            node.path = [scorecard.id.as_str(), &node.suffix].concat().into();
            node.changes = changes_of(scorecard, node.place);
        }
        shape
    }

    fn push_objectives(&mut self, scorecard: &Scorecard, perspective: usize, parent: u32) {
        let objectives = scorecard
            .objectives
            .iter()
            .enumerate()
            .filter(|(_, objective)| objective.perspective == perspective);
        for (index, objective) in objectives {
            let suffix = format!("{}/{}", self.suffix(parent), objective.id);
            let node = self.push(NodePlace::Objective(index), NodeKind::Objective, suffix, Some(parent));
            let kpis = scorecard
                .kpis
                .iter()
                .enumerate()
                .filter(|(_, kpi)| kpi.objective == index);
            for (kpi_index, kpi) in kpis {
                let suffix = format!("{}/{}", self.suffix(node), kpi.id);
                let kpi = self.push(NodePlace::Kpi(kpi_index), NodeKind::Kpi, suffix, Some(node));
                if let Some(place) = self.kpis.get_mut(kpi_index) {
                    *place = kpi;
                }
            }
        }
    }

    fn push(&mut self, place: NodePlace, kind: NodeKind, suffix: String, parent: Option<u32>) -> u32 {
        let node = self.nodes.len() as u32;
        self.nodes.push(ShapeNode {
            place,
            kind,
            suffix,
            path: Arc::default(),
            parent,
            children: Vec::new(),
            weights: None,
            rank: 0,
            changes: Vec::new(),
        });
        if let Some(parent) = parent.and_then(|parent| self.nodes.get_mut(parent as usize)) {
            parent.children.push(node);
        }
        node
    }

    fn suffix(&self, node: u32) -> String {
        self.nodes
            .get(node as usize)
            .map(|node| node.suffix.clone())
            .unwrap_or_default()
    }

    /// The node at a place.
    pub fn find(&self, place: NodePlace) -> Option<u32> {
        if let NodePlace::Kpi(kpi) = place {
            return self.kpis.get(kpi).copied();
        }
        self.nodes
            .iter()
            .position(|node| node.place == place)
            .map(|node| node as u32)
    }

    fn weigh(&mut self, scorecard: &Scorecard) {
        let of_children = |node: &ShapeNode| -> Option<Vec<f64>> {
            let places = node.children.iter().map(|child| self.nodes.get(*child as usize));
            places
                .map(|child| constant_weight_of(scorecard, child?.place))
                .collect()
        };
        let weights: Vec<_> = self.nodes.iter().map(of_children).collect();
        for (node, weights) in self.nodes.iter_mut().zip(weights) {
            node.weights = weights;
        }
    }

    fn rank(&mut self, catalog: &Catalog, scorecard: &Scorecard) {
        for index in (0..self.nodes.len()).rev() {
            let Some(place) = self.nodes.get(index).map(|node| node.place) else {
                continue;
            };
            let rank = rank_of(catalog, scorecard, place);
            if let Some(node) = self.nodes.get_mut(index) {
                node.rank = rank;
            }
        }
    }
}

/// The instants at which a version of bands or weights takes over: just after its `from`.
fn changes_of(scorecard: &Scorecard, place: NodePlace) -> Vec<Instant> {
    let bands = scorecard.bands.iter().map(|version| version.from);
    let own: Vec<Instant> = match place {
        NodePlace::Scorecard => {
            let children = scorecard.perspectives.iter();
            children
                .flat_map(|child| &child.weight)
                .map(|version| version.from)
                .collect()
        }
        NodePlace::Perspective(index) => {
            let children = scorecard
                .objectives
                .iter()
                .filter(|objective| objective.perspective == index);
            children
                .flat_map(|child| &child.weight)
                .map(|version| version.from)
                .collect()
        }
        NodePlace::Objective(index) => {
            let children = scorecard.kpis.iter().filter(|kpi| kpi.objective == index);
            children
                .flat_map(|child| &child.versions)
                .map(|version| version.from)
                .collect()
        }
        NodePlace::Kpi(_) => Vec::new(),
    };
    let after = bands.chain(own).map(|from| from.plus_ms(1));
    // What holds from the beginning of time never takes over.
    let mut changes: Vec<Instant> = after.filter(|change| change.0 > i64::MIN + 1).collect();
    changes.sort_unstable();
    changes.dedup();
    changes
}

/// Rank of a KPI: instances' KPIs come before those over all instances, which may be put together from them.
pub(super) const KPI_RANK: u32 = 0;
/// Rank of a KPI over all instances.
pub(super) const OVERALL_KPI_RANK: u32 = 1;

/// One more than the highest child's. The catalog has no loops, so this ends.
fn rank_of(catalog: &Catalog, scorecard: &Scorecard, place: NodePlace) -> u32 {
    let rank_of_included = |include: &Include| {
        catalog
            .scorecards
            .get(include.scorecard)
            .map_or(0, |other| rank_of(catalog, other, include.node))
    };
    let children: u32 = match place {
        NodePlace::Kpi(_) => return OVERALL_KPI_RANK,
        NodePlace::Objective(index) => {
            let includes = scorecard
                .objectives
                .get(index)
                .map(|objective| objective.include.as_slice())
                .unwrap_or_default();
            includes
                .iter()
                .map(rank_of_included)
                .max()
                .unwrap_or(0)
                .max(OVERALL_KPI_RANK)
        }
        NodePlace::Perspective(index) => {
            let own = scorecard
                .objectives
                .iter()
                .enumerate()
                .filter(|(_, objective)| objective.perspective == index);
            own.map(|(objective, _)| rank_of(catalog, scorecard, NodePlace::Objective(objective)))
                .max()
                .unwrap_or(0)
        }
        NodePlace::Scorecard => {
            let own = 0..scorecard.perspectives.len();
            own.map(|perspective| rank_of(catalog, scorecard, NodePlace::Perspective(perspective)))
                .max()
                .unwrap_or(0)
        }
    };
    children + 1
}
