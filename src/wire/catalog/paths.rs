//! Paths of a catalog's nodes: `scorecard/perspective/objective/kpi`.
//!
//! Scorecards enter, paths with kinds and places leave, parents before children, in file order.

use crate::domain::catalog::{Catalog, NodeKind, NodePlace, Scorecard};

/// Paths of all nodes, without instances; parents before children, scorecards in file order.
pub fn paths(catalog: &Catalog) -> Vec<String> {
    let nodes = catalog.scorecards.iter().flat_map(nodes);
    nodes.map(|node| node.path).collect()
}

/// A node and where it is.
pub(super) struct Node {
    /// Its whole path, without an instance.
    pub path: String,
    /// Its level.
    pub kind: NodeKind,
    /// Its indices.
    pub place: NodePlace,
}

/// All nodes of a scorecard, parents before children.
pub(super) fn nodes(scorecard: &Scorecard) -> Vec<Node> {
    let root = scorecard.id.to_string();
    let mut all = vec![node(root, NodeKind::Scorecard, NodePlace::Scorecard)];
    for (index, perspective) in scorecard.perspectives.iter().enumerate() {
        let path = format!("{}/{}", scorecard.id, perspective.id);
        all.push(node(path.clone(), NodeKind::Perspective, NodePlace::Perspective(index)));
        nodes_below(scorecard, index, &path, &mut all);
    }
    all
}

fn nodes_below(scorecard: &Scorecard, perspective: usize, above: &str, all: &mut Vec<Node>) {
    for (index, objective) in scorecard.objectives.iter().enumerate() {
        if objective.perspective != perspective {
            continue;
        }
        let path = format!("{above}/{}", objective.id);
        let own = scorecard
            .kpis
            .iter()
            .enumerate()
            .filter(|(_, kpi)| kpi.objective == index);
        let kpis: Vec<Node> = own
            .map(|(place, kpi)| node(format!("{path}/{}", kpi.id), NodeKind::Kpi, NodePlace::Kpi(place)))
            .collect();
        all.push(node(path, NodeKind::Objective, NodePlace::Objective(index)));
        all.extend(kpis);
    }
}

fn node(path: String, kind: NodeKind, place: NodePlace) -> Node {
    Node { path, kind, place }
}
