//! Explaining from the slices: a node and everything below it at two instants, and what to look for in the journal.
//!
//! Both instants are computed from what is known now, so that a late measurement or a correction is on both sides and moves
//! nothing; the second may be now, as the board shows it. Nothing here changes the projection or reads a journal.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::instances::Placed;
use super::pictures::{Moment, Past};
use super::{NodeState, Projection, evaluate::weight_of, node_state::there};
use crate::domain::catalog::{KpiDefinition, NodeKind, NodePlace, RollUp, Scorecard, Target};
use crate::domain::explain::{Below, Both, Share, Tree, split};
use crate::domain::fact::SeriesNumber;
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;
use crate::domain::movers::{LeafSearch, NOTHING, Search};
use crate::domain::reading::Reading;

/// A node and two instants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExplainQuestion {
    /// `scorecard[@instance]/perspective/objective/kpi`, or any node above.
    pub path: String,
    /// The first instant.
    pub from: Instant,
    /// The second; now when absent.
    pub to: Option<Instant>,
}

/// A change and what it is made of.
#[derive(Debug, Clone, PartialEq)]
pub struct Explained {
    /// Whose change.
    pub path: Arc<str>,
    /// For people.
    pub title: Arc<str>,
    /// Its level.
    pub kind: NodeKind,
    /// The two instants.
    pub at: Both<Instant>,
    /// What is known: facts up to here.
    pub sequence: Sequence,
    /// What the node says at both.
    pub readings: Both<Reading>,
    /// Each leaf below it once, in the order of the tree.
    pub leaves: Vec<ExplainedLeaf>,
}

/// A KPI and its part in the change.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainedLeaf {
    /// Its path.
    pub path: Arc<str>,
    /// For people.
    pub title: Arc<str>,
    /// Of its value.
    pub unit: Arc<str>,
    /// Its part.
    pub share: Share,
    /// What it says at both instants.
    pub readings: Both<Reading>,
    /// What it aims at, at both.
    pub targets: Both<Option<Target>>,
}

impl Explained {
    /// The difference, where there is a score at both instants.
    pub fn change(&self) -> Option<f64> {
        let [then, now] = [self.readings[0].score, self.readings[1].score];
        then.zip(now).map(|(then, now)| now - then)
    }
}

/// What is gathered while a tree is built.
struct Walk {
    at: Both<Instant>,
    moments: Both<Moment>,
    past: Both<Past>,
    /// Leaves as often as they count, in order.
    leaves: Vec<u32>,
}

impl Projection {
    /// The change of a node between two instants, and the measurements to look for; `None` when there is no such node.
    pub fn explain(&self, question: &ExplainQuestion) -> Option<(Explained, Search)> {
        let node = self.node_of(&question.path)?;
        let now = question.to.map_or(Moment::Now, Moment::At);
        let mut walk = Walk {
            at: [question.from, question.to.unwrap_or_else(|| self.at())],
            moments: [Moment::At(question.from), now],
            past: [Past::new(), Past::new()],
            leaves: Vec::new(),
        };
        let tree = self.tree(node, [1.0, 1.0], &mut walk);
        let leaves = once_each(&walk.leaves, &split(&tree));
        let told: Vec<ExplainedLeaf> = leaves
            .iter()
            .map(|(leaf, share)| self.explained_leaf(*leaf, *share, &mut walk))
            .collect();
        let numbers: Vec<u32> = leaves.iter().map(|(leaf, _)| *leaf).collect();
        let search = self.search(&numbers, &told, &walk);
        let (_, shape, local) = self.node_place(node)?;
        let explained = Explained {
            path: self.path(node),
            title: self.title_of(node),
            kind: shape.nodes.get(local as usize)?.kind,
            // In a house where nothing has happened since, now is what it was then.
            at: [walk.at[0], walk.at[1].max(walk.at[0])],
            sequence: self.sequence(),
            readings: self.readings_of(node, &mut walk),
            leaves: told,
        };
        Some((explained, search))
    }

    /// Whether there is a node of this path.
    pub fn has_node(&self, path: &str) -> bool {
        self.node_of(path).is_some()
    }

    /// The node of a path.
    fn node_of(&self, path: &str) -> Option<u32> {
        let root = path.split('/').next()?;
        let (scorecard, instance) = match root.split_once('@') {
            None => (root, None),
            Some((scorecard, instance)) => (scorecard, Some(InstanceId::from_path(instance).ok()?)),
        };
        let suffix = path.get(root.len()..)?;
        let state = self
            .instances
            .get(self.instance_number(scorecard, instance.as_ref())? as usize)?;
        let nodes = &self.shapes.get(state.scorecard)?.nodes;
        let local = nodes.iter().position(|node| node.suffix == suffix)?;
        Some(state.node_base + local as u32)
    }

    fn tree(&self, node: u32, weights: Both<f64>, walk: &mut Walk) -> Tree {
        let states = self.states(node, walk);
        let scores = [there(states[0].score), there(states[1].score)];
        let below = self.below(node, walk).unwrap_or_else(|| {
            walk.leaves.push(node);
            Below::Leaf
        });
        Tree { scores, weights, below }
    }

    /// The children of a node; `None` for a KPI.
    fn below(&self, node: u32, walk: &mut Walk) -> Option<Below> {
        let (instance, shape, local) = self.node_place(node)?;
        let base = self.instances.get(instance as usize)?.node_base;
        let scorecard = self.scorecard_of(node)?;
        let shape_node = shape.nodes.get(local as usize)?;
        let roll_up = match shape_node.place {
            NodePlace::Kpi(_) => return None,
            NodePlace::Objective(index) => scorecard.objectives.get(index)?.roll_up,
            NodePlace::Perspective(index) => scorecard.perspectives.get(index)?.roll_up,
            NodePlace::Scorecard => scorecard.roll_up,
        };
        let mut children = Vec::new();
        for child in &shape_node.children {
            let place = shape.nodes.get(*child as usize)?.place;
            let weights = walk.at.map(|at| weight_of(scorecard, place, at));
            children.push(self.tree(base + child, weights, walk));
        }
        let included = self.included.get(&node).map(Vec::as_slice).unwrap_or_default();
        for included in included {
            let weights = [included.weight; 2];
            children.push(match included.node {
                Some(other) => self.tree(other, weights, walk),
                // An instance that was never measured has no leaves and no score.
                None => Tree {
                    scores: [None, None],
                    weights,
                    below: Below::Branch(RollUp::Mean, Vec::new()),
                },
            });
        }
        Some(Below::Branch(roll_up, children))
    }

    fn states(&self, node: u32, walk: &mut Walk) -> Both<NodeState> {
        let [then, now] = &mut walk.past;
        [
            self.node_at(node, walk.moments[0], then),
            self.node_at(node, walk.moments[1], now),
        ]
    }

    fn readings_of(&self, node: u32, walk: &mut Walk) -> Both<Reading> {
        let [then, now] = self.states(node, walk);
        [
            self.reading_of(node, &then, walk.at[0]),
            self.reading_of(node, &now, walk.at[1]),
        ]
    }

    fn explained_leaf(&self, leaf: u32, share: Share, walk: &mut Walk) -> ExplainedLeaf {
        let kpi = self.kpi_of(leaf).map(|(_, kpi)| kpi);
        let target = |at| {
            kpi.and_then(|kpi: &KpiDefinition| kpi.version(at))
                .and_then(|version| version.target)
        };
        ExplainedLeaf {
            path: self.path(leaf),
            title: self.title_of(leaf),
            unit: kpi.map_or("", |kpi| &kpi.unit).into(),
            share,
            readings: self.readings_of(leaf, walk),
            targets: walk.at.map(target),
        }
    }

    fn kpi_of(&self, leaf: u32) -> Option<(&Scorecard, &KpiDefinition)> {
        let scorecard = self.scorecard_of(leaf)?;
        scorecard.kpis.get(self.kpi_index(leaf)?).map(|kpi| (scorecard, kpi))
    }

    fn kpi_index(&self, leaf: u32) -> Option<usize> {
        let (_, shape, local) = self.node_place(leaf)?;
        match shape.nodes.get(local as usize)?.place {
            NodePlace::Kpi(index) => Some(index),
            _ => None,
        }
    }

    /// What to look for in the journal: slices of each leaf, and the journal's series that count in them.
    fn search(&self, leaves: &[u32], told: &[ExplainedLeaf], walk: &Walk) -> Search {
        let searches = leaves.iter().zip(told).map(|(leaf, told)| {
            let [entered, left] = self.slices(*leaf, walk).unwrap_or([NOTHING, NOTHING]);
            let scorecard = self
                .node_place(*leaf)
                .and_then(|(instance, ..)| self.instances.get(instance as usize));
            LeafSearch {
                place: (
                    scorecard.map_or(usize::MAX, |state| state.scorecard),
                    self.kpi_index(*leaf).unwrap_or(usize::MAX),
                ),
                entered,
                left,
                earlier: told.readings[0].value,
            }
        });
        Search {
            catalog: Arc::clone(&self.catalog),
            leaves: searches.collect(),
            series: self.journal_series_of(leaves),
            until: self.sequence(),
        }
    }

    fn slices(&self, leaf: u32, walk: &Walk) -> Option<Both<RangeInclusive<i64>>> {
        let (scorecard, kpi) = self.kpi_of(leaf)?;
        let view = |moment: Moment| {
            let at = match moment {
                Moment::Now => self.at(),
                Moment::Exactly(at) => at,
                // What a past instant sees ends with its slice.
                Moment::At(at) => kpi.window.slice_end(
                    &scorecard.calendar,
                    kpi.window.slice_of(&scorecard.calendar, at.plus_ms(-1)),
                ),
            };
            let view = kpi.window.view(&scorecard.calendar, at);
            (view.first, view.last)
        };
        Some(LeafSearch::slices(walk.moments.map(view)))
    }

    /// The journal's series that count in these leaves.
    fn journal_series_of(&self, leaves: &[u32]) -> HashMap<SeriesNumber, (SeriesKey, Vec<usize>)> {
        let index: HashMap<u32, usize> = leaves.iter().enumerate().map(|(index, leaf)| (*leaf, index)).collect();
        let mut series = HashMap::new();
        for (number, (key, placed)) in self.journal_series.from(0).zip(&self.placed).enumerate() {
            let Placed::At { node, .. } = *placed else { continue };
            let nodes = [Some(node), self.overall_node(node)].into_iter().flatten();
            let counts: Vec<usize> = nodes.filter_map(|node| index.get(&node).copied()).collect();
            if !counts.is_empty() {
                series.insert(SeriesNumber(number as u32), (key.to_key(), counts));
            }
        }
        series
    }
}

/// Leaves that count in several places are told once, with all that they do.
fn once_each(leaves: &[u32], shares: &[Share]) -> Vec<(u32, Share)> {
    let mut index: HashMap<u32, usize> = HashMap::new();
    let mut told: Vec<(u32, Share)> = Vec::new();
    for (leaf, share) in leaves.iter().zip(shares) {
        let place = *index.entry(*leaf).or_insert(told.len());
        match told.get_mut(place) {
            Some((_, sum)) => sum.merge(share),
            None => told.push((*leaf, *share)),
        }
    }
    told
}

#[cfg(test)]
mod tests;
