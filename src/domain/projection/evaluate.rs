//! Nodes and their evaluation: each dirty node once an instant, children before parents.

use std::sync::Arc;

use super::fetch::ROWS_AHEAD;
use super::instances::rules_of;
use super::node_state::NodeState;
use super::room::make_room;
use super::span::Read;
use super::{Effects, Projection};
use crate::domain::catalog::{self, Band, Bands, Catalog, NodePlace, Scorecard, Versioned, version_at};
use crate::domain::instant::Instant;
use crate::domain::reading::{Reading, ReadingChange};
use crate::domain::roll_up::{Child, Rolled, roll_up};
use crate::domain::series::Evaluation;

/// What comes of the evaluation of an instant, in no order.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Nodes that were evaluated.
    pub evaluated: Vec<u32>,
    /// Those of them of which something else is told than before.
    pub changed: Vec<u32>,
}

impl Lists {
    pub fn clear(&mut self) {
        self.evaluated.clear();
        self.changed.clear();
    }
}

impl Projection {
    /// A node will be evaluated at the next evaluation.
    pub(super) fn mark(&mut self, node: u32) {
        let Some(state) = self.nodes.get(node as usize) else {
            return;
        };
        // A checkpoint may come before the evaluation: what made the node dirty belongs into it.
        if let Some(instance) = self.instances.get_mut(state.instance as usize) {
            instance.is_unsaved = true;
        }
        if state.is_dirty {
            return;
        }
        let Some(rank) = self.rank(node) else { return };
        if let (Some(state), Some(nodes)) = (self.nodes.get_mut(node as usize), self.dirty.get_mut(rank)) {
            state.is_dirty = true;
            nodes.push(node);
        }
    }

    fn rank(&self, node: u32) -> Option<usize> {
        let (instance, shape, local) = self.node_place(node)?;
        let rank = shape.nodes.get(local as usize)?.rank;
        let is_instance = self.instances.get(instance as usize)?.name.is_some();
        let is_leaf = rank == super::shape::OVERALL_KPI_RANK;
        Some(if is_leaf && is_instance {
            super::shape::KPI_RANK
        } else {
            rank
        } as usize)
    }

    /// Whether anything waits for evaluation.
    pub(super) fn is_dirty(&self) -> bool {
        self.dirty.iter().any(|nodes| !nodes.is_empty())
    }

    /// Evaluates every dirty node once, children first.
    pub(super) fn evaluate_dirty(&mut self, when: Evaluation, lists: &mut Lists) {
        let catalog = Arc::clone(&self.catalog);
        for rank in 0..self.dirty.len() {
            let Some(mut nodes) = self.dirty.get_mut(rank).map(std::mem::take) else {
                continue;
            };
            // In the order in which they stand in memory.
            nodes.sort_unstable();
            let mut fetched = 0;
            for (place, &node) in nodes.iter().enumerate() {
                if place == fetched {
                    fetched = nodes.len().min(place + ROWS_AHEAD);
                    self.fetch_nodes(nodes.get(place..fetched).unwrap_or_default());
                }
                lists
                    .changed
                    .extend(self.evaluate_node(&catalog, node, when).then_some(node));
                lists.evaluated.push(node);
            }
            nodes.clear();
            // What became dirty meanwhile has a higher rank: the place is free, and its memory is used again.
            if let Some(place) = self.dirty.get_mut(rank).filter(|place| place.is_empty()) {
                *place = nodes;
            }
        }
    }

    /// Says what nodes read now.
    pub(super) fn tell(&self, changed: &mut [u32], at: Instant, effects: &mut Effects) {
        changed.sort_unstable();
        let change = |node: &u32| ReadingChange {
            at,
            path: self.path(*node),
            reading: self.reading(*node, at),
        };
        make_room(&mut effects.readings, changed.len());
        effects.readings.extend((*changed).iter().map(change));
    }

    /// True when what is told of the node changed.
    fn evaluate_node(&mut self, catalog: &Catalog, node: u32, when: Evaluation) -> bool {
        let Some(before) = self.nodes.get(node as usize).copied() else {
            return false;
        };
        let instance = before.instance;
        let Some(own) = self.instances.get(instance as usize) else {
            return false;
        };
        let (index, base) = (own.scorecard, own.node_base);
        let shape = self.shapes.get(index).map(|shape| shape.nodes.as_slice());
        let (Some(shape), Some(scorecard)) = (
            shape.and_then(|nodes| nodes.get(node.wrapping_sub(base) as usize)),
            catalog.scorecards.get(index),
        ) else {
            return false;
        };
        let (place, parent) = (shape.place, shape.parent);
        let due = next_after(&shape.changes, when.at);
        let after = match place {
            NodePlace::Kpi(kpi) => self.evaluate_leaf(scorecard, (node, kpi), when, (&before, due)),
            _ => self.evaluate_branch(scorecard, (node, place), when.at, (&before, due)),
        };
        self.queue(node, before.due, after.due);
        self.put(node, parent.map(|parent| base + parent), after)
    }

    /// Puts what leaves read in its place.
    pub(super) fn put_leaves<'a>(&mut self, read: impl Iterator<Item = Read<'a>>, lists: &mut Lists) {
        for (node, parent, state) in read {
            lists.changed.extend(self.put(node, parent, *state).then_some(node));
            lists.evaluated.push(node);
        }
    }

    /// Puts what a node says now in its place. True when what is told of it changed.
    fn put(&mut self, node: u32, parent: Option<u32>, after: NodeState) -> bool {
        let Some(state) = self.nodes.get_mut(node as usize) else {
            return false;
        };
        let before = std::mem::replace(state, after);
        self.note_change(after.instance, node, &before, &after);
        if !after.is_same_above(&before) || !before.is_told {
            self.mark_above(node, parent);
        }
        after.told() != before.told() || !before.is_told
    }

    fn mark_above(&mut self, node: u32, parent: Option<u32>) {
        if let Some(parent) = parent {
            self.mark(parent);
        }
        if !self.counts_in.is_empty() {
            for owner in self.counts_in.get(&node).cloned().unwrap_or_default() {
                self.mark(owner);
            }
        }
    }

    /// Keeps the ranking and the totals of instances, and what is to be posted and saved.
    fn note_change(&mut self, instance: u32, node: u32, before: &NodeState, after: &NodeState) {
        let Some(state) = self.instances.get_mut(instance as usize) else {
            return;
        };
        state.is_unsaved = true;
        state.is_changed = true;
        if state.name.is_none() {
            return;
        }
        let (scorecard, is_root) = (state.scorecard, node == state.node_base);
        if before.value().to_bits() != after.value().to_bits() {
            self.note_value(node, before.value(), after.value());
        }
        if !is_root || before.score.to_bits() == after.score.to_bits() {
            return;
        }
        if let Some(ranking) = self.ranking.get_mut(scorecard) {
            ranking.replace(instance, before.score, after.score);
        }
    }

    /// `first`, `last` and `delta` over all instances are put together from the instances' values.
    fn note_value(&mut self, node: u32, before: f64, after: f64) {
        let Some(total) = self.total_above(node) else { return };
        total.replace(before, after);
        if let Some(overall) = self.overall_node(node) {
            self.mark(overall);
        }
    }

    /// What a KPI says after `before`; its definition changes by itself at `due`.
    fn evaluate_leaf(
        &mut self,
        scorecard: &Scorecard,
        (node, kpi): (u32, usize),
        when: Evaluation,
        (before, due): (&NodeState, i64),
    ) -> NodeState {
        let nothing = before.evaluated(due);
        let Some(rules) = rules_of(scorecard, kpi) else {
            return nothing;
        };
        let own = self.instances.get(before.instance as usize);
        let Some(place) = own.map(|own| own.series_base as usize + kpi) else {
            return nothing;
        };
        let across = self.across(node, scorecard, kpi, None);
        let oldest = self.oldest(when.at, rules);
        let Some(series) = self.series.get_mut(place) else {
            return nothing;
        };
        // Nothing is older than what was taken first: most replays need not look at the oldest slice of every series.
        let trimmed = (oldest > self.oldest_taken)
            .then(|| series.trim(rules, oldest))
            .flatten();
        let (reading, own_due) = series.evaluate(rules, when, across);
        if let Some(trimmed) = trimmed {
            self.forget_trimmed(node, trimmed);
        }
        let age_due = self.age_due(node, place, when.at);
        let dues = [own_due, age_due].into_iter().flatten();
        let due = dues.map(|due| due.0).fold(due, i64::min);
        before.after_leaf(reading, bands_at(&scorecard.bands, when.at), due)
    }

    fn evaluate_branch(
        &mut self,
        scorecard: &Scorecard,
        (node, place): (u32, NodePlace),
        at: Instant,
        (before, due): (&NodeState, i64),
    ) -> NodeState {
        let mut children = std::mem::take(&mut self.children);
        children.clear();
        self.gather_children(scorecard, (node, at), &mut children);
        let rolled = Self::roll(scorecard, place, &children);
        self.children = children;
        before.after_rolled(rolled, bands_at(&scorecard.bands, at), due)
    }

    pub(super) fn roll<L: Copy>(scorecard: &Scorecard, place: NodePlace, children: &[Child<L>]) -> Rolled<L> {
        let kind = match place {
            NodePlace::Objective(index) => scorecard.objectives.get(index).map(|own| own.roll_up),
            NodePlace::Perspective(index) => scorecard.perspectives.get(index).map(|own| own.roll_up),
            _ => Some(scorecard.roll_up),
        };
        roll_up(kind.unwrap_or(catalog::RollUp::Mean), scorecard.min_coverage, children)
    }

    fn gather_children(&self, scorecard: &Scorecard, (node, at): (u32, Instant), children: &mut Vec<Child<u32>>) {
        let Some((instance, shape, local)) = self.node_place(node) else {
            return;
        };
        let Some(base) = self.instances.get(instance as usize).map(|state| state.node_base) else {
            return;
        };
        let own = shape
            .nodes
            .get(local as usize)
            .map(|node| node.children.as_slice())
            .unwrap_or_default();
        let own = own.iter().filter_map(|child| {
            let place = shape.nodes.get(*child as usize)?.place;
            let child = base + child;
            Some(
                self.nodes
                    .get(child as usize)?
                    .child(child, weight_of(scorecard, place, at)),
            )
        });
        let included = self.included.get(&node).map(Vec::as_slice).unwrap_or_default().iter();
        let included = included.map(|included| {
            let number = included.node.unwrap_or(u32::MAX);
            let state = self.nodes.get(number as usize).copied();
            state.unwrap_or_else(NodeState::nobody).child(number, included.weight)
        });
        children.extend(own.chain(included));
    }

    /// The reading of a node as it is now, in full. `at` picks the bands' names.
    pub(super) fn reading(&self, node: u32, at: Instant) -> Reading {
        self.nodes
            .get(node as usize)
            .map_or_else(Reading::nothing, |state| self.reading_of(node, state, at))
    }

    pub(super) fn band_name(&self, node: u32, status: u8, at: Instant) -> Option<Arc<str>> {
        let bands = version_at(&self.scorecard_of(node)?.bands, at)?;
        bands.get(usize::from(status)).map(|band| Arc::clone(&band.name))
    }
}

/// The bands that hold just before `at`.
pub(super) fn bands_at(bands: &[Versioned<Bands>], at: Instant) -> &[Band] {
    version_at(bands, at).map(|bands| &**bands).unwrap_or_default()
}

/// The first of some instants that is still to come, as ms; `i64::MAX` after the last.
pub(super) fn next_after(changes: &[Instant], at: Instant) -> i64 {
    let next = changes.get(changes.partition_point(|change| *change <= at));
    next.map_or(i64::MAX, |change| change.0)
}

/// The weight of a node among its siblings, just before `at`.
pub(super) fn weight_of(scorecard: &Scorecard, place: NodePlace, at: Instant) -> f64 {
    let weight = match place {
        NodePlace::Scorecard => None,
        NodePlace::Perspective(index) => scorecard
            .perspectives
            .get(index)
            .and_then(|own| version_at(&own.weight, at).copied()),
        NodePlace::Objective(index) => scorecard
            .objectives
            .get(index)
            .and_then(|own| version_at(&own.weight, at).copied()),
        NodePlace::Kpi(index) => scorecard
            .kpis
            .get(index)
            .and_then(|own| own.version(at))
            .map(|version| version.weight),
    };
    weight.unwrap_or(1.0)
}
