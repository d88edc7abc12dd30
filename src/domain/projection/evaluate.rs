//! Nodes and their evaluation: each dirty node once an instant, children before parents.

use std::sync::Arc;

use super::fetch::ROWS_AHEAD;
use super::instances::rules_of;
use super::node_state::NodeState;
use super::room::make_room;
use super::span::{Place, Read};
use super::{Effects, Projection};
use crate::domain::catalog::{self, Band, Bands, Catalog, NodePlace, Scorecard, Versioned, version_at};
use crate::domain::instant::Instant;
use crate::domain::reading::{Reading, ReadingChange};
use crate::domain::roll_up::{Child, Rolled, roll_up};
use crate::domain::series::Evaluation;

/// What comes of the evaluation of an instant, in no order.
#[derive(Debug, Default)]
pub(super) struct Lists {
    /// Nodes whose rules have to be looked at.
    pub ruled: Vec<u32>,
    /// Those of them of which something else is told than before.
    pub changed: Vec<u32>,
}

impl Lists {
    pub fn clear(&mut self) {
        self.ruled.clear();
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
                self.evaluate_node(&catalog, node, when, lists);
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

    fn evaluate_node(&mut self, catalog: &Catalog, node: u32, when: Evaluation, lists: &mut Lists) {
        let Some(before) = self.nodes.get(node as usize).copied() else {
            return;
        };
        let instance = before.instance;
        let Some(own) = self.instances.get(instance as usize) else {
            return;
        };
        let (index, base) = (own.scorecard, own.node_base);
        let shape = self.shapes.get(index).map(|shape| shape.nodes.as_slice());
        let (Some(shape), Some(scorecard)) = (
            shape.and_then(|nodes| nodes.get(node.wrapping_sub(base) as usize)),
            catalog.scorecards.get(index),
        ) else {
            return;
        };
        let (place, parent) = (shape.place, shape.parent);
        let due = next_after(&shape.changes, when.at);
        let after = match place {
            NodePlace::Kpi(kpi) => self.evaluate_leaf(scorecard, (node, kpi), when, (&before, due)),
            _ => self.evaluate_branch(scorecard, (node, place), when.at, (&before, due)),
        };
        self.queue(node, before.due, after.due);
        let is_named = self.note_changes_of(instance);
        self.put((node, parent.map(|parent| base + parent)), &after, is_named, lists);
    }

    /// Puts what leaves read in its place.
    pub(super) fn put_leaves(&mut self, read: impl Iterator<Item = Read>, lists: &mut Lists) {
        // Neighbours are mostly of one instance, of which it is noted once that it changes.
        let mut noted = None;
        for (place, state) in read {
            let is_named = match noted {
                Some((instance, is_named)) if instance == state.instance => is_named,
                _ => self.note_changes_of(state.instance),
            };
            noted = Some((state.instance, is_named));
            self.put(place, &state, is_named, lists);
        }
    }

    /// Puts what a node says now in its place; whether it is of an instance with a name is known.
    #[inline]
    fn put(&mut self, (node, parent): Place, after: &NodeState, is_named: bool, lists: &mut Lists) {
        // Mostly another child was before.
        let is_told_above = self.counts_in.is_empty()
            && parent.is_none_or(|parent| self.nodes.get(parent as usize).is_none_or(|parent| parent.is_dirty));
        let Some(state) = self.nodes.get_mut(node as usize) else {
            return;
        };
        let is_told = state.is_told;
        let is_other = self.options.with_readings && !(is_told && state.told() == after.told());
        let is_other_above = !(is_told_above || is_told && state.is_same_above(after));
        let named_before = is_named.then(|| (state.value(), state.score));
        *state = *after;
        if is_other {
            lists.changed.push(node);
        }
        if let Some(before) = named_before {
            self.note_instance_change(node, before, after);
        }
        if is_other_above {
            self.mark_above(node, parent);
        }
        // Of what goes by its status, nothing but what is drawn of an alert can be another: an alert that goes on goes on.
        if !after.is_quiet || self.alert_views.is_some() && self.alerting.has_any(node) {
            lists.ruled.push(node);
        }
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

    /// An instance is to be posted and saved. Tells whether it has a name.
    #[inline]
    fn note_changes_of(&mut self, instance: u32) -> bool {
        let Some(state) = self.instances.get_mut(instance as usize) else {
            return false;
        };
        state.is_unsaved = true;
        state.is_changed = true;
        state.name.is_some()
    }

    /// Keeps the ranking and the totals of instances.
    fn note_instance_change(&mut self, node: u32, (value_before, score_before): (f64, f64), after: &NodeState) {
        let (value, score) = (after.value(), after.score);
        if value_before.to_bits() != value.to_bits() {
            self.note_value(node, value_before, value);
        }
        let Some(state) = self.instances.get(after.instance as usize) else {
            return;
        };
        if node == state.node_base
            && score_before.to_bits() != score.to_bits()
            && let Some(ranking) = self.ranking.get_mut(state.scorecard)
        {
            ranking.replace(after.instance, score_before, score);
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
        let rolled = if let Some(children) = self.own_children(node) {
            Self::roll(scorecard, place, children)
        } else {
            let mut children = std::mem::take(&mut self.children);
            children.clear();
            self.gather_children(scorecard, (node, at), &mut children);
            let rolled = Self::roll(scorecard, place, children.iter().copied());
            self.children = children;
            rolled
        };
        before.after_rolled(rolled, bands_at(&scorecard.bands, at), due)
    }

    pub(super) fn roll<L: Copy>(
        scorecard: &Scorecard,
        place: NodePlace,
        children: impl Iterator<Item = Child<L>> + Clone,
    ) -> Rolled<L> {
        let kind = match place {
            NodePlace::Objective(index) => scorecard.objectives.get(index).map(|own| own.roll_up),
            NodePlace::Perspective(index) => scorecard.perspectives.get(index).map(|own| own.roll_up),
            _ => Some(scorecard.roll_up),
        };
        roll_up(kind.unwrap_or(catalog::RollUp::Mean), scorecard.min_coverage, children)
    }

    /// The children of a node where they stand, which mostly is all that there is to know: none of their weights changes with
    /// time, and nothing is included.
    fn own_children(&self, node: u32) -> Option<impl Iterator<Item = Child<u32>> + Clone> {
        let (instance, shape, local) = self.node_place(node)?;
        let base = self.instances.get(instance as usize)?.node_base;
        let shape_node = shape.nodes.get(local as usize)?;
        let weights = shape_node
            .weights
            .as_ref()
            .filter(|_| !self.included.contains_key(&node))?;
        let nodes = self.nodes.as_slice();
        let children = shape_node.children.iter().zip(weights);
        Some(children.filter_map(move |(child, weight)| {
            let child = base + child;
            Some(nodes.get(child as usize)?.child(child, *weight))
        }))
    }

    fn gather_children(&self, scorecard: &Scorecard, (node, at): (u32, Instant), children: &mut Vec<Child<u32>>) {
        let Some((instance, shape, local)) = self.node_place(node) else {
            return;
        };
        let Some(base) = self.instances.get(instance as usize).map(|state| state.node_base) else {
            return;
        };
        let Some(shape_node) = shape.nodes.get(local as usize) else {
            return;
        };
        let child_of = |(child, weight): (&u32, f64)| {
            let child = base + child;
            Some(self.nodes.get(child as usize)?.child(child, weight))
        };
        let own = shape_node.children.iter();
        match &shape_node.weights {
            Some(weights) => children.extend(own.zip(weights.iter().copied()).filter_map(child_of)),
            None => children.extend(own.filter_map(|child| {
                let place = shape.nodes.get(*child as usize)?.place;
                child_of((child, weight_of(scorecard, place, at)))
            })),
        }
        let included = self.included.get(&node).map(Vec::as_slice).unwrap_or_default().iter();
        let included = included.map(|included| {
            let number = included.node.unwrap_or(u32::MAX);
            let state = self.nodes.get(number as usize).copied();
            state.unwrap_or_else(NodeState::nobody).child(number, included.weight)
        });
        children.extend(included);
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

/// The weight of a node among its siblings, if it is the same at any instant.
pub(super) fn constant_weight_of(scorecard: &Scorecard, place: NodePlace) -> Option<f64> {
    let versions = match place {
        NodePlace::Scorecard => 1,
        NodePlace::Perspective(index) => scorecard.perspectives.get(index)?.weight.len(),
        NodePlace::Objective(index) => scorecard.objectives.get(index)?.weight.len(),
        NodePlace::Kpi(index) => scorecard.kpis.get(index)?.versions.len(),
    };
    (versions <= 1).then(|| weight_of(scorecard, place, Instant(0)))
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
