//! Many steps of an event clock at once: a span.
//!
//! A run of measurements enters. What a KPI reads at a step depends on its own measurements and on nothing else, so each
//! KPI (a leaf) goes through all its measurements and steps of the span at one go, while its slices are at hand, and leaves
//! share the cores. Then the steps happen one after the other: what each leaf read is put in its place, and what is above,
//! alerts and readings follow as at any step. The outcome is that of one step after the other, to the last bit, on any
//! number of cores.
//!
//! Measured over ten million measurements of 1,000 KPIs, evaluated every hour, see the README for the whole replay.

mod leaves;

use std::sync::Arc;

use super::instances::{InstanceState, Placed, rules_of};
use super::node_state::NodeState;
use super::rows::Run;
use super::timeline::ClockState;
use super::{Effects, Projection};
use crate::domain::alert::Metric;
use crate::domain::catalog::{Catalog, NodePlace};
use crate::domain::fact::shape;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use leaves::{Common, Leaf, Share};

/// With fewer measurements a leaf than this, going from leaf to leaf costs more than it saves.
const ROWS_A_LEAF_MIN: usize = 4;
/// A span has at least so many steps; one step is the same either way.
const STEPS_MIN: usize = 2;
/// Over a gap without measurements steps are skipped; that is done elsewhere.
const GAP_STEPS_MAX: i64 = 64;
/// A step of a span.
#[derive(Debug, Clone, Copy)]
struct Step {
    at: Instant,
    /// Rows of the span before it.
    rows: usize,
}

/// The part of a run that is taken at once.
#[derive(Debug)]
struct Plan {
    every_ms: i64,
    steps: Vec<Step>,
    /// How many rows it has.
    rows: usize,
    /// Where the clock stands behind it, and the step that comes next.
    clock: (Instant, Instant),
}

/// A row of a span on its way to a leaf: what is plain in it, so that a leaf finds its rows beside each other.
#[derive(Debug, Clone, Copy, Default)]
struct Way {
    observed_at: i64,
    value: f64,
    row: u32,
}

/// Who takes the measurements of a journal series: its own series (behind the last one stands nobody), and the one over all
/// instances.
#[derive(Debug, Clone, Copy)]
struct Takers {
    own: u32,
    overall: u32,
}

/// It is not known yet who takes them; or there is no other taker.
const NOT_YET: u32 = u32::MAX;

/// What a leaf read: its node, the node above it, and its state.
pub(super) type Read = (u32, Option<u32>, NodeState);

/// What the leaves of a span read, and what it needs on the way; kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Desk {
    /// By journal series.
    takers: Vec<Takers>,
    ways: Vec<Way>,
    ends: Vec<u32>,
    /// Nodes of leaves, and the nodes above them.
    nodes: Vec<(u32, Option<u32>)>,
    /// By leaf, then step; `None` where a leaf is not evaluated.
    read: Vec<Option<NodeState>>,
    pending: Vec<bool>,
}

impl Desk {
    /// What leaves read at a step of so many.
    fn at(&self, step: usize, steps: usize) -> impl Iterator<Item = Read> {
        let states = self.read.iter().skip(step).step_by(steps.max(1));
        let read = self.nodes.iter().zip(states);
        read.filter_map(|((node, parent), state)| Some((*node, *parent, (*state)?)))
    }

    fn clear(&mut self, leaves: usize, steps: usize) {
        self.nodes.clear();
        self.read.clear();
        self.read.resize(leaves * steps, None);
        self.pending.clear();
        self.pending.resize(leaves, false);
    }

    fn pending(&self) -> impl Iterator<Item = u32> {
        let leaves = self.nodes.iter().zip(&self.pending);
        leaves.filter_map(|((node, _), is_pending)| is_pending.then_some(*node))
    }
}

impl Projection {
    /// Takes the beginning of a run as a span, if it is worth it. False when nothing was done.
    pub(super) fn take_span(&mut self, run: &mut Run<'_>, effects: &mut Effects) -> bool {
        let mut desk = std::mem::take(&mut self.desk);
        let plan = self.plan_span(run, &mut desk.takers);
        if let Some(plan) = &plan {
            let span = run.split_before(run.rows.start + plan.rows);
            self.take_planned(&span, plan, &mut desk, effects);
        }
        self.desk = desk;
        plan.is_some()
    }

    fn take_planned(&mut self, span: &Run<'_>, plan: &Plan, desk: &mut Desk, effects: &mut Effects) {
        let catalog = Arc::clone(&self.catalog);
        self.read_leaves(&catalog, span, plan, desk);
        let mut dues = std::mem::take(&mut self.dues);
        dues.retain(|node| !self.is_leaf(node));
        self.dues = dues;
        for (place, step) in plan.steps.iter().enumerate() {
            if let Some(last) = step.rows.checked_sub(1) {
                self.sequence = Sequence(span.first.0 + last as u64);
            }
            let mut read = desk.at(place, plan.steps.len()).peekable();
            // Without anything to evaluate there is no step, as elsewhere: what timers do is told with the next one.
            if read.peek().is_some() || self.has_to_step(step.at) {
                self.step((step.at, plan.every_ms), read, effects);
            }
        }
        self.queue_leaves();
        desk.pending().for_each(|node| self.mark(node));
        self.sequence = Sequence(span.first.0 + plan.rows as u64 - 1);
        self.clock = ClockState::Event {
            every_ms: plan.every_ms,
            started: Some(plan.clock),
        };
    }

    /// How much of a run can be a span, and its steps; `None` where it is not worth it, or leaves hang together.
    fn plan_span(&self, run: &Run<'_>, takers: &mut Vec<Takers>) -> Option<Plan> {
        let ClockState::Event {
            every_ms,
            started: Some((mut at, mut next)),
        } = self.clock
        else {
            return None;
        };
        let is_sparse = run.rows.len() < self.series.len().saturating_mul(ROWS_A_LEAF_MIN);
        if is_sparse
            || !run.columns.extras.is_empty()
            || self.options.history_ms.is_some()
            || self.leaves_hang_together()
        {
            return None;
        }
        takers.clear();
        takers.extend(self.placed.iter().map(|placed| self.takers(*placed)));
        let mut steps = Vec::new();
        let mut rows = 0;
        let series = run.columns.series.get(run.rows.clone())?;
        // What is mostly so is asked first: the measurement is of a known series, and before the next step.
        let before = |next: Instant| next.min(self.observed_until.plus_ms(1)).0;
        let mut limit = before(next);
        for (observed_at, series) in run.observed_at().iter().zip(series) {
            if takers.get(*series as usize).is_none_or(|takers| takers.own == NOT_YET) {
                break;
            }
            if *observed_at >= limit {
                let is_gap = *observed_at >= next.0 && (*observed_at - next.0) / every_ms >= GAP_STEPS_MAX;
                if is_gap || *observed_at > self.observed_until.0 {
                    break;
                }
                while next.0 <= *observed_at {
                    steps.push(Step { at: next, rows });
                    next = next.plus_ms(every_ms);
                }
                limit = before(next);
            }
            at = at.max(Instant(*observed_at));
            rows += 1;
        }
        let is_worth_it = steps.len() >= STEPS_MIN;
        is_worth_it.then_some(Plan {
            every_ms,
            steps,
            rows,
            clock: (at, next),
        })
    }

    /// A KPI is put together from others, or a rule looks at its age, which is not told by its reading.
    fn leaves_hang_together(&self) -> bool {
        self.totals.iter().any(Option::is_some) || self.catalog.rules.iter().any(|rule| rule.metric == Metric::Age)
    }

    fn is_leaf(&self, node: u32) -> bool {
        self.series_of(node).is_some()
    }

    /// Takes all measurements of a span in, and finds out what leaves read at each step.
    fn read_leaves(&mut self, catalog: &Catalog, span: &Run<'_>, plan: &Plan, desk: &mut Desk) {
        let observed_at = span.observed_at().iter().map(|at| Instant(*at));
        self.oldest_taken = observed_at.fold(self.oldest_taken, Instant::min);
        self.sort_rows(span, desk);
        for rank in [super::shape::KPI_RANK, super::shape::OVERALL_KPI_RANK] {
            self.dirty.get_mut(rank as usize).into_iter().for_each(Vec::clear);
        }
        let mut series = std::mem::take(&mut self.series);
        let leaves = self.leaves(catalog);
        desk.clear(leaves.len(), plan.steps.len());
        let nodes = leaves
            .iter()
            .map(|leaf| leaf.map_or((u32::MAX, None), |leaf| (leaf.node, leaf.parent)));
        desk.nodes.extend(nodes);
        let shapes = span.columns.shape.get(span.rows.clone()).unwrap_or_default();
        let common = Common {
            columns: span.columns,
            ways: &desk.ways,
            first: (span.rows.start, span.first),
            every_ms: plan.every_ms,
            steps: &plan.steps,
            names: &self.journal_series,
            is_plain: shapes.iter().all(|shape| *shape == shape::NUMBER),
        };
        common.read(Share {
            series: &mut series,
            leaves: &leaves,
            ends: &desk.ends,
            begin: 0,
            read: &mut desk.read,
            pending: &mut desk.pending,
        });
        drop(leaves);
        self.series = series;
    }

    /// Puts the rows of a span in the order of the series that take them in.
    fn sort_rows(&self, span: &Run<'_>, desk: &mut Desk) {
        let Desk { takers, ways, ends, .. } = desk;
        let columns = span.columns;
        let series = columns.series.get(span.rows.clone()).unwrap_or_default();
        ends.clear();
        // One place more for what nobody takes, and one for where it ends.
        ends.resize(self.series.len() + 2, 0);
        let mut count = |taker: u32| {
            if let Some(count) = ends.get_mut(taker as usize + 1) {
                *count += 1;
            }
        };
        for takers in series.iter().filter_map(|series| takers.get(*series as usize)) {
            count(takers.own);
            if takers.overall != NOT_YET {
                count(takers.overall);
            }
        }
        let mut sum = 0;
        for end in ends.iter_mut() {
            sum += *end;
            *end = sum;
        }
        // What stands there from before is overwritten.
        ways.resize(sum as usize, Way::default());
        // Each place moves on by one with each row, from where the rows of a series begin to where they end.
        let mut put = |taker: u32, way: Way| {
            if let Some(end) = ends.get_mut(taker as usize)
                && let Some(place) = ways.get_mut(*end as usize)
            {
                *place = way;
                *end += 1;
            }
        };
        let values = columns.value.get(span.rows.clone()).unwrap_or_default();
        let rows = series.iter().zip(span.observed_at()).zip(values).zip(0..);
        for (((series, observed_at), value), row) in rows {
            let Some(takers) = takers.get(*series as usize) else {
                continue;
            };
            let way = Way {
                observed_at: *observed_at,
                value: *value,
                row,
            };
            put(takers.own, way);
            if takers.overall != NOT_YET {
                put(takers.overall, way);
            }
        }
    }

    /// The series that take the measurements of a journal series in.
    fn takers(&self, placed: Placed) -> Takers {
        let nobody = Takers {
            own: self.series.len() as u32,
            overall: NOT_YET,
        };
        let Placed::At { series, instance, .. } = placed else {
            let is_known = placed == Placed::Nowhere;
            return if is_known {
                nobody
            } else {
                Takers { own: NOT_YET, ..nobody }
            };
        };
        let Some(own) = self.instances.get(instance as usize) else {
            return nobody;
        };
        let all = self.instances.get(own.scorecard).filter(|_| own.name.is_some());
        Takers {
            own: series,
            overall: all.map_or(NOT_YET, |all| series - own.series_base + all.series_base),
        }
    }

    /// By series.
    fn leaves<'a>(&'a self, catalog: &'a Catalog) -> Vec<Option<Leaf<'a>>> {
        let of_instance = |own: &'a InstanceState| {
            let scorecard = catalog.scorecards.get(own.scorecard);
            let kpis = scorecard.map_or(0, |scorecard| scorecard.kpis.len());
            (0..kpis).map(move |kpi| self.leaf(catalog, own, kpi))
        };
        self.instances.iter().flat_map(of_instance).collect()
    }

    fn leaf<'a>(&'a self, catalog: &'a Catalog, own: &InstanceState, kpi: usize) -> Option<Leaf<'a>> {
        let scorecard = catalog.scorecards.get(own.scorecard)?;
        let shape = self.shapes.get(own.scorecard)?;
        let local = shape.find(NodePlace::Kpi(kpi))?;
        let shape_node = shape.nodes.get(local as usize)?;
        let node = own.node_base + local;
        Some(Leaf {
            node,
            parent: shape_node.parent.map(|parent| own.node_base + parent),
            before: *self.nodes.get(node as usize)?,
            rules: rules_of(scorecard, kpi)?,
            fold: *self.folds.get(own.scorecard)?.get(kpi)?,
            bands: &scorecard.bands,
            changes: &shape_node.changes,
        })
    }

    /// Queues all leaves anew.
    fn queue_leaves(&mut self) {
        for node in 0..self.nodes.len() as u32 {
            let due = self.nodes.get(node as usize).map_or(i64::MAX, |state| state.due);
            if due != i64::MAX && self.is_leaf(node) {
                self.dues.push(Instant(due), node);
            }
        }
    }
}

#[cfg(test)]
mod tests;
