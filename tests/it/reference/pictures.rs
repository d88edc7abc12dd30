//! What readers see of a node beside the line that is printed: how many measurements, how fresh, whether the period is
//! final, the lowest leaf, the red ones, and what became of it since one window ago.

use std::collections::BTreeMap;

use super::ReadingLine;
use super::definition::Catalog;
use super::tree::{Memory, Moment, Node};

/// All nodes at one instant, by path, and the instances of each scorecard that has any.
#[derive(Debug)]
pub struct Picture {
    pub nodes: BTreeMap<String, Shown>,
    /// By id of the scorecard: scored instances, (score, path), lowest first.
    pub ranked: BTreeMap<String, Vec<(f64, String)>>,
}

/// What is shown of a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Shown {
    pub line: ReadingLine,
    pub count: u64,
    pub observed_at: Option<i64>,
    pub fresh: bool,
    pub provisional: bool,
    pub restated: bool,
    /// The lowest scored leaf under it, of equal ones the first.
    pub worst: Option<(String, f64)>,
    /// Leaves under it in the lowest band.
    pub red: u32,
    pub trend: Option<Trend>,
}

/// Since one window, or one period, ago.
#[derive(Debug, Clone, PartialEq)]
pub struct Trend {
    pub previous: f64,
    pub previous_value: Option<f64>,
    pub change: f64,
    /// `better`, `worse` or `same`, by score.
    pub direction: &'static str,
}

/// What is shown at a moment, given the same moment one window before. `memory` knows what was restated up to now.
pub fn picture(now: &Moment<'_>, before: &Moment<'_>, memory: &Memory) -> Picture {
    let earlier: BTreeMap<String, Node> = before
        .nodes()
        .into_iter()
        .map(|node| (node.line.path.clone(), node))
        .collect();
    let nodes = now.nodes().into_iter();
    let nodes: BTreeMap<String, Shown> = nodes
        .map(|node| (node.line.path.clone(), shown(&node, &earlier, memory)))
        .collect();
    Picture {
        ranked: ranked(now.catalog, &nodes),
        nodes,
    }
}

fn shown(node: &Node, earlier: &BTreeMap<String, Node>, memory: &Memory) -> Shown {
    let lowest = node
        .scored
        .iter()
        .map(|(_, score, _)| *score)
        .fold(f64::INFINITY, f64::min);
    let worst = node.scored.iter().find(|(_, score, _)| *score == lowest);
    let leaf = node.leaf.as_ref();
    let settled = memory.settled.get(&node.line.path).filter(|settled| settled.restated);
    Shown {
        line: node.line.clone(),
        count: leaf.map_or(0, |leaf| leaf.count),
        observed_at: leaf.and_then(|leaf| leaf.observed_at),
        fresh: leaf.is_none_or(|leaf| leaf.fresh),
        provisional: node.provisional,
        restated: settled.is_some_and(|settled| leaf.and_then(|leaf| leaf.final_period) == Some(settled.period_end)),
        worst: worst.map(|(path, score, _)| (path.clone(), *score)),
        red: node.scored.iter().filter(|(.., is_lowest)| *is_lowest).count() as u32,
        trend: earlier.get(&node.line.path).and_then(|before| trend(node, before)),
    }
}

/// The difference of two scores; nothing where there was none then or is none now.
fn trend(now: &Node, before: &Node) -> Option<Trend> {
    let (score, previous) = (now.line.score?, before.line.score?);
    Some(Trend {
        previous,
        previous_value: before.line.value,
        change: score - previous,
        direction: match score.total_cmp(&previous) {
            std::cmp::Ordering::Greater => "better",
            std::cmp::Ordering::Less => "worse",
            std::cmp::Ordering::Equal => "same",
        },
    })
}

fn ranked(catalog: &Catalog, nodes: &BTreeMap<String, Shown>) -> BTreeMap<String, Vec<(f64, String)>> {
    let of_each = catalog.scorecards.iter().filter(|scorecard| scorecard.each.is_some());
    let instances = |id: &str| {
        let start = format!("{id}@");
        let roots = nodes
            .iter()
            .filter(|(path, _)| path.starts_with(&start) && !path.contains('/'));
        let mut scored: Vec<(f64, String)> = roots
            .filter_map(|(path, shown)| Some((shown.line.score?, path.clone())))
            .collect();
        scored.sort_by(|one, other| one.0.total_cmp(&other.0));
        scored
    };
    of_each
        .map(|scorecard| (scorecard.id.clone(), instances(&scorecard.id)))
        .collect()
}
