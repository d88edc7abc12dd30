//! What readers see: pictures of a scorecard now, and as its measurements up to another instant show it.

use std::collections::HashMap;
use std::ops::Bound;
use std::sync::Arc;

use rayon::prelude::*;

use super::Projection;
use super::evaluate::weight_of;
use super::instances::rules_of;
use super::node_state::{NodeState, band_of, there};
use crate::domain::board::{
    INSTANCE_NAMES_MAX, IncludedView, NodeView, Picture, RANKED_MAX, RankedInstance, ScorecardBoard,
};
use crate::domain::catalog::{NodePlace, Scorecard, version_at};
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::instant::Instant;
use crate::domain::reading::{Reading, Trend};
use crate::domain::roll_up::Child;

/// Instant of a picture: now, from the readings as they are, or another, from the slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Now,
    /// Up to the end of the slice of each KPI.
    At(Instant),
    /// Up to the instant itself: only where nothing is known that was observed later.
    Exactly(Instant),
}

/// With fewer leaves a picture is drawn by one core alone.
const LEAVES_SHARED_MIN: usize = 256;

/// Nodes of a past moment, computed once each.
pub(super) type Past = HashMap<u32, NodeState>;

impl Projection {
    /// The number of a scorecard or of an instance of it.
    pub(super) fn instance_number(&self, scorecard: &str, name: Option<&InstanceId>) -> Option<u32> {
        let index = self
            .catalog
            .scorecards
            .iter()
            .position(|known| known.id.as_str() == scorecard)?;
        match name {
            None => Some(index as u32),
            Some(name) => self.instance_by_name.get(index)?.get(name).copied(),
        }
    }

    /// A scorecard as its measurements up to `at` show it, with what is known now. Rounded up to the end of each KPI's slice.
    pub fn picture_at(&self, scorecard: &str, instance: Option<&InstanceId>, at: Instant) -> Option<Picture> {
        self.picture(self.instance_number(scorecard, instance)?, Moment::At(at))
    }

    /// A scorecard as its measurements before `at` show it, where none is known that was observed later: not rounded up.
    pub fn picture_exactly(&self, scorecard: &str, instance: Option<&InstanceId>, at: Instant) -> Option<Picture> {
        self.picture(self.instance_number(scorecard, instance)?, Moment::Exactly(at))
    }

    /// Readings of a KPI at an instant, with what is known now.
    pub fn reading_at(&self, kpi: &KpiId, instance: Option<&InstanceId>, at: Instant) -> Option<Reading> {
        let (scorecard, index) = *self.catalog.kpis.get(kpi)?;
        let node = self.find_node(scorecard, instance, NodePlace::Kpi(index))?;
        let state = self.node_at(node, Moment::At(at), &mut Past::new());
        Some(self.reading_of(node, &state, at))
    }

    /// A scorecard, or an instance of it, as it is now.
    pub fn picture_now(&self, scorecard: &str, instance: Option<&InstanceId>) -> Option<Picture> {
        self.picture(self.instance_number(scorecard, instance)?, Moment::Now)
    }

    /// The instances of a scorecard whose names begin so, in order of their names.
    pub fn instance_names(&self, scorecard: &str, prefix: &str) -> impl Iterator<Item = &InstanceId> {
        let index = self.catalog.scorecards.iter();
        let index = index.clone().position(|known| known.id.as_str() == scorecard);
        let names = index.and_then(|index| self.instance_by_name.get(index));
        let from = (Bound::Included(prefix), Bound::Unbounded);
        let names = names.into_iter().flat_map(move |names| names.range::<str, _>(from));
        let prefix = prefix.to_owned();
        names
            .map(|(name, _)| name)
            .take_while(move |name| name.as_str().starts_with(&prefix))
    }

    /// The board's part of every scorecard. What did not change since `before` is taken over by pointer. The work is the
    /// same with one instance and with a hundred thousand: an instance is drawn when somebody asks for it.
    pub fn boards(&mut self, before: &[ScorecardBoard]) -> Vec<ScorecardBoard> {
        // What another projection drew is of other definitions.
        let before = if self.is_posted { before } else { &[] };
        self.is_posted = true;
        (0..self.catalog.scorecards.len())
            .filter_map(|index| self.board(index, before.get(index)))
            .collect()
    }

    fn board(&mut self, scorecard: usize, before: Option<&ScorecardBoard>) -> Option<ScorecardBoard> {
        let state = self.instances.get_mut(scorecard)?;
        let is_changed = std::mem::take(&mut state.is_changed);
        let overall = match before {
            Some(before) if !is_changed => Arc::clone(&before.overall),
            _ => {
                self.remember_trends(scorecard);
                Arc::new(self.picture(scorecard as u32, Moment::Now)?)
            }
        };
        let names = self.instance_by_name.get(scorecard)?;
        let instance_names = match before {
            Some(before) if before.instance_count == names.len() => Arc::clone(&before.instance_names),
            _ if names.len() > INSTANCE_NAMES_MAX => Arc::default(),
            _ => Arc::new(names.keys().cloned().collect()),
        };
        Some(ScorecardBoard {
            overall,
            instance_count: names.len(),
            instance_names,
            worst_instances: self.ranked(scorecard, false),
            best_instances: self.ranked(scorecard, true),
        })
    }

    fn ranked(&self, scorecard: usize, is_best: bool) -> Vec<RankedInstance> {
        let Some(ranking) = self.ranking.get(scorecard) else {
            return Vec::new();
        };
        let named = |(score, number): (f64, u32)| {
            let instance = self.instances.get(number as usize)?;
            let status = self.nodes.get(instance.node_base as usize)?.status;
            Some(RankedInstance {
                name: instance.name.clone()?,
                score,
                status: self.band_name(instance.node_base, status, self.at()),
            })
        };
        let ranked = if is_best {
            ranking.best(RANKED_MAX)
        } else {
            ranking.worst(RANKED_MAX)
        };
        ranked.into_iter().filter_map(named).collect()
    }

    fn picture(&self, instance: u32, moment: Moment) -> Option<Picture> {
        let state = self.instances.get(instance as usize)?;
        let scorecard = self.catalog.scorecards.get(state.scorecard)?;
        let at = self.instant_of(moment);
        let nodes = self
            .shapes
            .get(state.scorecard)
            .map_or(0, |shape| shape.nodes.len() as u32);
        let (mut past, mut earlier) = (Past::new(), self.leaves_earlier(instance, moment));
        let mut view = |local| self.node_view(scorecard, state.node_base + local, moment, [&mut past, &mut earlier]);
        Some(Picture {
            scorecard: scorecard.id.clone(),
            instance: state.name.clone(),
            at,
            sequence: self.sequence,
            nodes: (0..nodes).filter_map(&mut view).collect(),
        })
    }

    fn node_view(
        &self,
        scorecard: &Scorecard,
        node: u32,
        moment: Moment,
        [past, earlier]: [&mut Past; 2],
    ) -> Option<NodeView> {
        let (_, shape, local) = self.node_place(node)?;
        let shape_node = shape.nodes.get(local as usize)?;
        let at = self.instant_of(moment);
        let state = self.node_at(node, moment, past);
        let kpi = match shape_node.place {
            NodePlace::Kpi(index) => scorecard.kpis.get(index),
            _ => None,
        };
        let title = match shape_node.place {
            NodePlace::Scorecard => scorecard.title.as_str(),
            NodePlace::Perspective(index) => scorecard.perspectives.get(index).map_or("", |own| &own.title),
            NodePlace::Objective(index) => scorecard.objectives.get(index).map_or("", |own| &own.title),
            NodePlace::Kpi(_) => kpi.map_or("", |kpi| &kpi.title),
        };
        Some(NodeView {
            path: self.path(node),
            kind: shape_node.kind,
            title: title.into(),
            weight: weight_of(scorecard, shape_node.place, at),
            reading: self.reading_of(node, &state, at),
            trend: self.trend(node, &state, moment, earlier),
            children: shape_node.children.clone(),
            unit: kpi.map_or("", |kpi| &kpi.unit).into(),
            target: kpi.and_then(|kpi| kpi.version(at)).and_then(|version| version.target),
            included: self.included_views(node, moment, past),
            note: self.notes.get(&node).cloned(),
        })
    }

    fn included_views(&self, node: u32, moment: Moment, past: &mut Past) -> Vec<IncludedView> {
        let included = self.included.get(&node).map(Vec::as_slice).unwrap_or_default();
        let mut views = Vec::new();
        for (other, weight) in included
            .iter()
            .filter_map(|included| Some((included.node?, included.weight)))
        {
            let state = self.node_at(other, moment, past);
            let reading = self.reading_of(other, &state, self.instant_of(moment));
            let title = self.title_of(other);
            views.push(IncludedView {
                path: self.path(other),
                title,
                weight,
                score: reading.score,
                status: reading.status,
            });
        }
        views
    }

    pub(super) fn title_of(&self, node: u32) -> Arc<str> {
        let place = self
            .node_place(node)
            .and_then(|(_, shape, local)| Some(shape.nodes.get(local as usize)?.place));
        let title = self
            .scorecard_of(node)
            .zip(place)
            .and_then(|(scorecard, place)| match place {
                NodePlace::Scorecard => Some(&scorecard.title),
                NodePlace::Perspective(index) => scorecard.perspectives.get(index).map(|own| &own.title),
                NodePlace::Objective(index) => scorecard.objectives.get(index).map(|own| &own.title),
                NodePlace::Kpi(index) => scorecard.kpis.get(index).map(|own| &own.title),
            });
        title.map_or("", String::as_str).into()
    }

    /// Every leaf one window (or period) of its own earlier, rolled up; compared by score.
    fn trend(&self, node: u32, now: &NodeState, moment: Moment, earlier: &mut Past) -> Option<Trend> {
        let score = there(now.score)?;
        let then = self.node_earlier(node, moment, earlier);
        Some(Trend::between(there(then.score)?, score, there(then.value())))
    }

    fn node_earlier(&self, node: u32, moment: Moment, earlier: &mut Past) -> NodeState {
        let previous = |scorecard: &Scorecard, kpi: usize| self.previous(scorecard, kpi, moment);
        self.compute(node, self.instant_of(moment), earlier, &previous)
    }

    /// One window before the reading of a KPI that is shown, which a query looks up at the end of its slice.
    fn previous(&self, scorecard: &Scorecard, kpi: usize, moment: Moment) -> Option<Instant> {
        let shown = match moment {
            Moment::Now => self.at(),
            Moment::At(at) => slice_end(scorecard, kpi, at)?,
            Moment::Exactly(at) => at,
        };
        let window = &scorecard.kpis.get(kpi)?.window;
        window.previous(&scorecard.calendar, shown)
    }

    /// What the leaves of a scorecard or an instance of it read a window earlier, where there are so many of them that it is
    /// worth it that several cores look; else it is looked up one by one.
    fn leaves_earlier(&self, instance: u32, moment: Moment) -> Past {
        let leaves = self.instances.get(instance as usize).map(|own| {
            let kpis = 0..self
                .catalog
                .scorecards
                .get(own.scorecard)
                .map_or(0, |own| own.kpis.len());
            let leaf = |kpi| Some(own.node_base + self.shapes.get(own.scorecard)?.find(NodePlace::Kpi(kpi))?);
            kpis.filter_map(leaf).collect::<Vec<u32>>()
        });
        let leaves = leaves
            .filter(|leaves| leaves.len() >= LEAVES_SHARED_MIN)
            .unwrap_or_default();
        let read = leaves
            .par_iter()
            .map(|leaf| (*leaf, self.node_earlier(*leaf, moment, &mut Past::new())));
        read.collect()
    }

    fn instant_of(&self, moment: Moment) -> Instant {
        match moment {
            Moment::Now => self.at(),
            Moment::At(at) | Moment::Exactly(at) => at,
        }
    }

    /// A node at a moment.
    pub(super) fn node_at(&self, node: u32, moment: Moment, past: &mut Past) -> NodeState {
        match moment {
            Moment::Now => self.nodes.get(node as usize).copied().unwrap_or_else(NodeState::nobody),
            Moment::At(at) => {
                let round_up = |scorecard: &Scorecard, kpi: usize| slice_end(scorecard, kpi, at);
                self.compute(node, at, past, &round_up)
            }
            Moment::Exactly(at) => self.compute(node, at, past, &|_: &Scorecard, _: usize| Some(at)),
        }
    }

    /// A node computed from the slices: leaves at the instant that `when` gives for each, rolled up with weights of `at`.
    fn compute(
        &self,
        node: u32,
        at: Instant,
        done: &mut Past,
        when: &dyn Fn(&Scorecard, usize) -> Option<Instant>,
    ) -> NodeState {
        if let Some(state) = done.get(&node) {
            return *state;
        }
        let state = self
            .compute_fresh(node, at, done, when)
            .unwrap_or_else(NodeState::nobody);
        done.insert(node, state);
        state
    }

    fn compute_fresh(
        &self,
        node: u32,
        at: Instant,
        done: &mut Past,
        when: &dyn Fn(&Scorecard, usize) -> Option<Instant>,
    ) -> Option<NodeState> {
        let (instance, shape, local) = self.node_place(node)?;
        let own = self.instances.get(instance as usize)?;
        let scorecard = self.scorecard_of(node)?;
        let shape_node = shape.nodes.get(local as usize)?;
        let bands = version_at(&scorecard.bands, at)
            .map(|bands| &**bands)
            .unwrap_or_default();
        let mut state = NodeState::new(instance, shape_node.kind);
        if let NodePlace::Kpi(kpi) = shape_node.place {
            let instant = when(scorecard, kpi)?;
            let across = self.across(node, scorecard, kpi, Some(instant));
            let series = self.series.get(own.series_base as usize + kpi)?;
            state.set_leaf(series.read(rules_of(scorecard, kpi)?, instant, across), bands);
            state.status = band_of(bands, there(state.score));
            return Some(state);
        }
        let mut children: Vec<Child<u32>> = Vec::new();
        for child in &shape_node.children {
            let weight = weight_of(scorecard, shape.nodes.get(*child as usize)?.place, at);
            let child = own.node_base + child;
            children.push(self.compute(child, at, done, when).child(child, weight));
        }
        for included in self.included.get(&node).map(Vec::as_slice).unwrap_or_default() {
            let other = included.node.map(|other| self.compute(other, at, done, when));
            let number = included.node.unwrap_or(u32::MAX);
            children.push(other.unwrap_or_else(NodeState::nobody).child(number, included.weight));
        }
        state.set_rolled(Self::roll(scorecard, shape_node.place, children.iter().copied()), bands);
        Some(state)
    }

    pub(super) fn reading_of(&self, node: u32, state: &NodeState, at: Instant) -> Reading {
        let (count, observed_at) = state.measured();
        Reading {
            value: there(state.value()),
            score: there(state.score),
            status: self.band_name(node, state.status, at),
            absence: state.absence,
            coverage: there(state.coverage),
            count: u64::from(count),
            observed_at,
            fresh: state.fresh,
            provisional: state.provisional,
            restated: state.restated,
            worst: state.worst(node).map(|(leaf, score)| (self.path(leaf), score)),
            red: state.red(),
        }
    }
}

/// The end of the slice of a KPI that an instant is in.
pub(super) fn slice_end(scorecard: &Scorecard, kpi: usize, at: Instant) -> Option<Instant> {
    let window = scorecard.kpis.get(kpi)?.window;
    let slice = window.slice_of(&scorecard.calendar, at.plus_ms(-1));
    Some(window.slice_end(&scorecard.calendar, slice))
}
