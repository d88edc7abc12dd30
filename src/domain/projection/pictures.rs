//! What readers see: pictures of a scorecard now, and as its measurements up to another instant show it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::Projection;
use super::evaluate::weight_of;
use super::instances::rules_of;
use super::node_state::{NodeState, band_of, there};
use crate::domain::board::{INSTANCE_SHARDS, IncludedView, NodeView, Picture, ScorecardBoard, instance_shard};
use crate::domain::calendar::Calendar;
use crate::domain::catalog::{NodePlace, Scorecard, Window, version_at};
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::instant::Instant;
use crate::domain::reading::{Reading, Trend};
use crate::domain::roll_up::Child;

/// Instances that the board names as best and worst.
const RANKED_MAX: usize = 10;

/// Instant of a picture: now, from the readings as they are, or another, from the slices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    Now,
    At(Instant),
}

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
            Some(name) => self.instance_by_name.get(&(index, name.clone())).copied(),
        }
    }

    /// A scorecard as its measurements up to `at` show it, with what is known now. Rounded up to the end of each KPI's slice.
    pub fn picture_at(&self, scorecard: &str, instance: Option<&InstanceId>, at: Instant) -> Option<Picture> {
        self.picture(self.instance_number(scorecard, instance)?, Moment::At(at))
    }

    /// Readings of a KPI at an instant, with what is known now.
    pub fn reading_at(&self, kpi: &KpiId, instance: Option<&InstanceId>, at: Instant) -> Option<Reading> {
        let (scorecard, index) = *self.catalog.kpis.get(kpi)?;
        let node = self.find_node(scorecard, instance, NodePlace::Kpi(index))?;
        let state = self.node_at(node, Moment::At(at), &mut Past::new());
        Some(self.reading_of(node, &state, at))
    }

    /// The board's part of every scorecard. What did not change since `before` is taken over by pointer.
    pub fn boards(&mut self, before: &[ScorecardBoard]) -> Vec<ScorecardBoard> {
        let known = |index| before.get(index).cloned().or_else(|| self.fresh_board(index));
        let mut boards: Vec<ScorecardBoard> = (0..self.catalog.scorecards.len()).filter_map(known).collect();
        for instance in 0..self.instances.len() {
            let Some(state) = self.instances.get_mut(instance) else {
                continue;
            };
            let is_new = std::mem::take(&mut state.is_changed);
            let (scorecard, name) = (state.scorecard, state.name.clone());
            let is_old = before.get(scorecard).is_some();
            let Some(board) = boards.get_mut(scorecard).filter(|_| is_new || !is_old) else {
                continue;
            };
            let Some(picture) = self.picture(instance as u32, Moment::Now).map(Arc::new) else {
                continue;
            };
            match name {
                None => board.overall = picture,
                Some(name) => {
                    if let Some(shard) = board.instances.get_mut(instance_shard(&name)) {
                        let is_first = Arc::make_mut(shard).insert(name, picture).is_none();
                        board.instance_count += usize::from(is_first);
                    }
                }
            }
        }
        for (index, board) in boards.iter_mut().enumerate() {
            board.worst_instances = self.ranked(index, false);
            board.best_instances = self.ranked(index, true);
        }
        boards
    }

    fn fresh_board(&self, scorecard: usize) -> Option<ScorecardBoard> {
        let shards = self
            .catalog
            .scorecards
            .get(scorecard)
            .and_then(|own| own.each.as_ref())
            .map_or(0, |_| INSTANCE_SHARDS);
        Some(ScorecardBoard {
            overall: Arc::new(self.picture(scorecard as u32, Moment::Now)?),
            // Each shard is replaced as a whole when it changes, so all may begin as the same empty one.
            instances: std::iter::repeat_n(Arc::new(BTreeMap::new()), shards).collect(),
            instance_count: 0,
            worst_instances: Vec::new(),
            best_instances: Vec::new(),
        })
    }

    fn ranked(&self, scorecard: usize, is_best: bool) -> Vec<(InstanceId, f64)> {
        let Some(ranking) = self.ranking.get(scorecard) else {
            return Vec::new();
        };
        let named = |&(score, instance): &(u64, u32)| {
            let name = self.instances.get(instance as usize)?.name.clone()?;
            Some((name, f64::from_bits(score)))
        };
        if is_best {
            ranking.iter().rev().filter_map(named).take(RANKED_MAX).collect()
        } else {
            ranking.iter().filter_map(named).take(RANKED_MAX).collect()
        }
    }

    fn picture(&self, instance: u32, moment: Moment) -> Option<Picture> {
        let state = self.instances.get(instance as usize)?;
        let scorecard = self.catalog.scorecards.get(state.scorecard)?;
        let at = self.instant_of(moment);
        let nodes = self
            .shapes
            .get(state.scorecard)
            .map_or(0, |shape| shape.nodes.len() as u32);
        let (mut past, mut earlier) = (Past::new(), Past::new());
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
        Some(Trend::between(there(then.score)?, score, there(then.value)))
    }

    fn node_earlier(&self, node: u32, moment: Moment, earlier: &mut Past) -> NodeState {
        let previous = |scorecard: &Scorecard, kpi: usize| {
            let window = &scorecard.kpis.get(kpi)?.window;
            // One window before the reading that is shown, which a query looks up at the end of its slice.
            let shown = match moment {
                Moment::Now => self.at(),
                Moment::At(at) => round_up(window, &scorecard.calendar, at),
            };
            window.previous(&scorecard.calendar, shown)
        };
        self.compute(node, self.instant_of(moment), earlier, &previous)
    }

    fn instant_of(&self, moment: Moment) -> Instant {
        match moment {
            Moment::Now => self.at(),
            Moment::At(at) => at,
        }
    }

    /// A node at a moment.
    pub(super) fn node_at(&self, node: u32, moment: Moment, past: &mut Past) -> NodeState {
        match moment {
            Moment::Now => self
                .nodes
                .get(node as usize)
                .copied()
                .unwrap_or_else(|| NodeState::new(0, 0)),
            Moment::At(at) => {
                let rounded = |scorecard: &Scorecard, kpi: usize| {
                    Some(round_up(&scorecard.kpis.get(kpi)?.window, &scorecard.calendar, at))
                };
                self.compute(node, at, past, &rounded)
            }
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
            .unwrap_or_else(|| NodeState::new(0, 0));
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
        let mut state = NodeState::new(instance, local);
        if let NodePlace::Kpi(kpi) = shape_node.place {
            let instant = when(scorecard, kpi)?;
            let across = self.across(instance, scorecard, kpi, Some(instant));
            let series = self.series.get(own.series_base as usize + kpi)?;
            state.set_leaf(node, series.read(rules_of(scorecard, kpi)?, instant, across), bands);
            state.status = band_of(bands, there(state.score));
            return Some(state);
        }
        let mut children: Vec<Child<u32>> = Vec::new();
        for child in &shape_node.children {
            let weight = weight_of(scorecard, shape.nodes.get(*child as usize)?.place, at);
            children.push(self.compute(own.node_base + child, at, done, when).child(weight));
        }
        for included in self.included.get(&node).map(Vec::as_slice).unwrap_or_default() {
            let other = included.node.map(|other| self.compute(other, at, done, when));
            children.push(other.unwrap_or_else(|| NodeState::new(0, 0)).child(included.weight));
        }
        state.set_rolled(Self::roll(scorecard, shape_node.place, &children), bands);
        Some(state)
    }

    pub(super) fn reading_of(&self, node: u32, state: &NodeState, at: Instant) -> Reading {
        Reading {
            value: there(state.value),
            score: there(state.score),
            status: self.band_name(node, state.status, at),
            absence: state.absence,
            coverage: there(state.coverage),
            count: state.count,
            observed_at: (state.observed_at != i64::MIN).then_some(Instant(state.observed_at)),
            fresh: state.fresh,
            provisional: state.provisional,
            restated: state.restated,
            worst: there(state.worst_score).map(|score| (self.path(state.worst_leaf), score)),
            red: state.red,
        }
    }
}

/// The end of the slice that is running just before `at`.
fn round_up(window: &Window, calendar: &Calendar, at: Instant) -> Instant {
    window.slice_end(calendar, window.slice_of(calendar, at.plus_ms(-1)))
}
