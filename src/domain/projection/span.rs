//! Many steps of an event clock at once: a span.
//!
//! A run of measurements enters. What a KPI reads at a step depends on its own measurements and on nothing else, so each
//! KPI (a leaf) goes through all its measurements and steps of the span at one go, while its slices are at hand, and leaves
//! share the cores. Then the steps happen one after the other: what each leaf read is put in its place, and what is above,
//! alerts and readings follow as at any step. The outcome is that of one step after the other, to the last bit, on any
//! number of cores.
//!
//! A long run is a relay of spans: while one is sorted and read, the one before is told. Where nobody looks before the end, a
//! relay goes on from one run to the next: the last span waits, and is told while the next one is read.

mod leaves;
mod read;
mod share;
mod sorting;
mod together;

use std::sync::Arc;

use super::instances::rules_of;
use super::node_state::NodeState;
use super::rows::Run;
use super::shape::{KPI_RANK, OVERALL_KPI_RANK, Shape};
use super::timeline::ClockState;
use super::{Effects, Projection};
use crate::domain::alert::Metric;
use crate::domain::catalog::{Catalog, NodePlace};
use crate::domain::fact::shape;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use leaves::{Common, Leaf};
use read::LeafRead;
use share::Share;
use sorting::{NOT_YET, Sorted, Takers};

/// With fewer measurements a leaf than this, going from leaf to leaf costs more than it saves.
const ROWS_A_LEAF_MIN: usize = 4;
/// A span has at least so many steps; one step is the same either way.
const STEPS_MIN: usize = 2;
/// Over a gap without measurements steps are skipped; that is done elsewhere.
const GAP_STEPS_MAX: i64 = 64;
/// Rows of a span in a relay within a run: a leaf of a thousand has some hundred of them, which is worth waiting for its
/// memory. Tests see relays without millions of rows.
const ROWS_MAX: usize = if cfg!(test) { 1 << 9 } else { 1 << 17 };
/// Rows of a span in a relay that goes on from one run to the next, where one span of a run is enough: ten million take 0.95 s
/// of processor time instead of 1.07 with a quarter of it, and hardly less with twice as many, which need new memory.
const ROWS_MAX_TO_THE_END: usize = if cfg!(test) { 1 << 9 } else { 1 << 19 };

/// Rows of the first and the last span of a relay: nobody reads while the first is sorted, nor while the last is told.
const EDGE_ROWS: usize = ROWS_MAX / 4;
/// With fewer steps in so many rows, what is left at the end may be no span.
const EDGE_STEPS_MIN: usize = STEPS_MIN + 1;

/// A step of a span.
#[derive(Debug, Clone, Copy)]
struct Step {
    at: Instant,
    /// Rows of the span before it.
    rows: usize,
}

/// Where a clock stands, and the step that comes next.
type Clock = (Instant, Instant);

/// A span on its way.
#[derive(Debug)]
struct Span<'a> {
    run: Run<'a>,
    /// The earliest measurement.
    oldest: Instant,
    /// All rows are plain numbers.
    is_plain: bool,
    passed: Passed,
}

/// What is needed of a span once its leaves were read.
#[derive(Debug)]
struct Passed {
    steps: Vec<Step>,
    /// Sequence of its first row.
    first: Sequence,
    rows: usize,
    /// Behind it.
    clock: Clock,
}

/// A span that was read, while it waits to be told.
#[derive(Debug)]
struct Waiting {
    passed: Passed,
    nodes: Arc<[LeafPlace]>,
    /// By leaf, then step; nothing where a leaf is not evaluated.
    read: Vec<LeafRead>,
    /// How far each leaf has come; of the last span of a run.
    states: Vec<NodeState>,
}

/// A leaf's node, and the node above it.
pub(super) type Place = (u32, Option<u32>);

/// The same, and their instance.
type LeafPlace = (Place, u32);

/// What a leaf read at a step: its place, and its state.
pub(super) type Read = (Place, NodeState);

/// What spans need; but for what waits of no meaning between relays, kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Spans {
    /// By journal series.
    takers: Vec<Takers>,
    desk: Desk,
    waiting: Option<Waiting>,
}

/// Where spans are read.
#[derive(Debug, Default)]
struct Desk {
    /// Rows in order.
    sorted: Sorted,
    /// Room for what leaves read: one is filled while another one is told.
    rooms: Vec<Vec<LeafRead>>,
}

/// What all spans of a relay have in common.
#[derive(Debug, Clone, Copy)]
struct Ground<'a> {
    takers: &'a [Takers],
    /// All of them are known.
    all_known: bool,
    every_ms: i64,
    /// How many there are.
    series: usize,
    /// What was observed later is not taken in.
    until: Instant,
    /// Rows of a span.
    rows_max: usize,
    /// Rows of its first and of its last span; 0 where these are like the others.
    edges: [usize; 2],
}

impl Projection {
    /// Takes the beginning of a run as spans, if it is worth it. False when nothing was done.
    pub(super) fn take_spans(&mut self, run: &mut Run<'_>, effects: &mut Effects) -> bool {
        let ClockState::Event {
            every_ms,
            started: Some(clock),
        } = self.clock
        else {
            return false;
        };
        let is_sparse = run.rows.len() < self.series.len().saturating_mul(ROWS_A_LEAF_MIN);
        let is_for_others = !run.columns.extras.is_empty() || self.options.history_ms.is_some();
        if is_sparse || is_for_others || self.leaves_hang_together() {
            return false;
        }
        let mut spans = std::mem::take(&mut self.spans);
        self.list_takers(&mut spans.takers);
        let Spans { takers, desk, waiting } = &mut spans;
        let edge = edge_of(run, every_ms, self.series.len());
        let ground = Ground {
            takers,
            all_known: takers.iter().all(|takers| takers.own != NOT_YET),
            every_ms,
            series: self.series.len(),
            until: self.observed_until,
            rows_max: if self.is_for_the_end {
                ROWS_MAX_TO_THE_END
            } else {
                ROWS_MAX
            },
            edges: [
                if waiting.is_some() { 0 } else { edge },
                if self.is_for_the_end { 0 } else { edge },
            ],
        };
        let rows_max = ground.first_rows(run);
        let first = ground.next(run, clock, rows_max);
        let is_one = first.is_some();
        if let Some(first) = first {
            *waiting = self.relay(&ground, (first, run), (desk, waiting.take()), effects);
        }
        self.spans = spans;
        if !is_one {
            self.tell_waiting(effects);
        }
        is_one
    }

    /// Tells the span that waits, if there is one: from here on somebody looks, or goes on in another way.
    pub fn tell_waiting(&mut self, effects: &mut Effects) {
        let (Some(waiting), ClockState::Event { every_ms, .. }) = (self.spans.waiting.take(), self.clock) else {
            return;
        };
        self.tell_span(&waiting, every_ms, effects);
        self.end_spans(&waiting, every_ms);
        self.spans.desk.rooms.push(waiting.read);
    }

    /// A KPI is put together from others, or a rule looks at its age, which is not told by its reading.
    fn leaves_hang_together(&self) -> bool {
        self.totals.iter().any(Option::is_some) || self.catalog.rules.iter().any(|rule| rule.metric == Metric::Age)
    }

    /// Leaves read one span after the other, each while the one before is told. They begin where the one that waits has come, if
    /// one does. The last span is told at once, or waits where nobody looks.
    fn relay<'a>(
        &mut self,
        ground: &Ground<'_>,
        (first, run): (Span<'a>, &mut Run<'a>),
        (desk, mut before): (&mut Desk, Option<Waiting>),
        effects: &mut Effects,
    ) -> Option<Waiting> {
        let (catalog, shapes) = (Arc::clone(&self.catalog), Arc::clone(&self.shapes));
        let mut leaves = self.leaves(&catalog, &shapes);
        debug_assert_eq!(leaves.len(), self.series.len(), "series and leaves stand side by side");
        for (leaf, state) in leaves.iter_mut().zip(before.iter().flat_map(|before| &before.states)) {
            leaf.state = *state;
        }
        let forgets = self.is_for_the_end;
        let place = |leaf: &Leaf<'_>| ((leaf.node, leaf.parent), leaf.state.instance);
        let nodes: Arc<[LeafPlace]> = leaves.iter().map(place).collect();
        self.leave_leaves_alone();
        let names = std::mem::take(&mut self.journal_series);
        let mut series = std::mem::take(&mut self.series);
        let mut next = Some(first);
        while let Some(span) = next.take() {
            self.oldest_taken = self.oldest_taken.min(span.oldest);
            let mut read = desk.rooms.pop().unwrap_or_default();
            // What stands there from before is overwritten.
            read.resize(leaves.len() * span.passed.steps.len(), LeafRead::default());
            let take_in = || {
                desk.sorted.sort(&span.run, span.oldest, ground.takers, ground.series);
                let common = Common {
                    columns: span.run.columns,
                    rows: &desk.sorted.rows,
                    oldest: span.oldest.0,
                    first: (span.run.rows.start, span.run.first),
                    every_ms: ground.every_ms,
                    steps: &span.passed.steps,
                    names: &names,
                    is_plain: span.is_plain,
                    forgets,
                };
                common.read(Share::of_all(&mut series, &mut leaves, &desk.sorted.ends, &mut read));
            };
            let tell = || {
                if let Some(before) = &before {
                    self.tell_span(before, ground.every_ms, effects);
                }
            };
            // Of these two it is the reading that others can share: whoever is free takes the telling first.
            rayon::join(take_in, tell);
            next = ground.next(run, span.passed.clock, ground.next_rows(run));
            let told = before.replace(Waiting {
                passed: span.passed,
                nodes: Arc::clone(&nodes),
                read,
                states: Vec::new(),
            });
            desk.rooms.extend(told.map(|told| told.read));
        }
        (self.series, self.journal_series) = (series, names);
        let waiting = Waiting {
            states: leaves.iter().map(|leaf| leaf.state).collect(),
            ..before?
        };
        self.pass_to(&waiting.passed, ground.every_ms);
        if forgets {
            return Some(waiting);
        }
        self.tell_span(&waiting, ground.every_ms, effects);
        self.end_spans(&waiting, ground.every_ms);
        desk.rooms.push(waiting.read);
        None
    }

    /// All measurements of a span were taken in.
    fn pass_to(&mut self, last: &Passed, every_ms: i64) {
        self.sequence = Sequence(last.first.0 + last.rows as u64 - 1);
        self.clock = ClockState::Event {
            every_ms,
            started: Some(last.clock),
        };
    }

    /// Nothing but spans evaluates leaves from here on: they wait for nothing, and nothing is due.
    fn leave_leaves_alone(&mut self) {
        for rank in [KPI_RANK, OVERALL_KPI_RANK] {
            self.dirty.get_mut(rank as usize).into_iter().for_each(Vec::clear);
        }
        let mut dues = std::mem::take(&mut self.dues);
        dues.retain(|node| self.series_of(node).is_none());
        self.dues = dues;
    }

    /// Lets the steps of a span happen, with what its leaves read.
    fn tell_span(
        &mut self,
        Waiting {
            passed, nodes, read, ..
        }: &Waiting,
        every_ms: i64,
        effects: &mut Effects,
    ) {
        for (place, step) in passed.steps.iter().enumerate() {
            // The last one before the step, also where that is the last one before the span.
            self.sequence = Sequence((passed.first.0 + step.rows as u64).saturating_sub(1));
            let states = || read.iter().skip(place).step_by(passed.steps.len());
            // Without anything to evaluate there is no step, as elsewhere: what timers do is told with the next one.
            if states().any(LeafRead::is_read) || self.has_to_step(step.at) {
                let read = nodes.iter().zip(states());
                let read = read.filter_map(|((place, instance), read)| Some((*place, read.state(*instance)?)));
                self.step((step.at, every_ms), read, effects);
            }
        }
    }

    /// Leaves are evaluated as ever again.
    fn end_spans(&mut self, last: &Waiting, every_ms: i64) {
        for (((node, _), _), state) in last.nodes.iter().zip(&last.states) {
            // What was told does not say it: while spans follow each other nobody goes by it.
            if let Some(told) = self.nodes.get_mut(*node as usize) {
                told.due = state.due;
            }
            if state.due != i64::MAX {
                self.dues.push(Instant(state.due), *node);
            }
            if state.is_dirty {
                self.mark(*node);
            }
        }
        self.pass_to(&last.passed, every_ms);
    }

    /// One for each series, in their order.
    fn leaves<'a>(&self, catalog: &'a Catalog, shapes: &'a [Shape]) -> Vec<Leaf<'a>> {
        let mut leaves = Vec::with_capacity(self.series.len());
        for own in &self.instances {
            let (scorecard, shape) = (catalog.scorecards.get(own.scorecard), shapes.get(own.scorecard));
            let Some((scorecard, shape)) = scorecard.zip(shape) else {
                continue;
            };
            leaves.extend((0..scorecard.kpis.len()).filter_map(|kpi| {
                let local = shape.find(NodePlace::Kpi(kpi))?;
                let shape_node = shape.nodes.get(local as usize)?;
                let node = own.node_base + local;
                Some(Leaf {
                    node,
                    parent: shape_node.parent.map(|parent| own.node_base + parent),
                    state: *self.nodes.get(node as usize)?,
                    rules: rules_of(scorecard, kpi)?,
                    fold: *self.folds.get(own.scorecard)?.get(kpi)?,
                    bands: &scorecard.bands,
                    changes: &shape_node.changes,
                    goes_by_status: self.goes_by_status(own, local),
                })
            }));
        }
        leaves
    }
}

impl Ground<'_> {
    /// Rows of the first span.
    fn first_rows(&self, run: &Run<'_>) -> usize {
        let [edge, _] = self.edges;
        let is_long = edge > 0 && run.rows.len() > 2 * self.rows_max;
        if is_long { edge } else { self.next_rows(run) }
    }

    /// Rows of the next span. What would be left of a run is not worth a span of its own, but for the last one.
    fn next_rows(&self, run: &Run<'_>) -> usize {
        let [_, edge] = self.edges;
        match run.rows.len() {
            rows if rows >= 2 * self.rows_max => self.rows_max,
            rows if edge > 0 && rows > 2 * edge => rows - edge,
            rows => rows,
        }
    }

    /// Cuts the next span off a run; `None` where what is left is not worth it.
    fn next<'a>(&self, run: &mut Run<'a>, clock: Clock, rows_max: usize) -> Option<Span<'a>> {
        let is_worth_it = run.rows.len() >= self.series.saturating_mul(ROWS_A_LEAF_MIN);
        is_worth_it.then(|| self.cut(run, clock, rows_max))?
    }

    /// How many of the first measurements are of known series.
    fn known(&self, series: &[u32]) -> usize {
        let newest = series.iter().copied().fold(0, u32::max) as usize;
        // Mostly all are: nobody need look at each.
        if newest < self.takers.len() && self.all_known {
            return series.len();
        }
        let taker = |series: &u32| self.takers.get(*series as usize).map_or(NOT_YET, |takers| takers.own);
        series.iter().take_while(|series| taker(series) != NOT_YET).count()
    }

    /// Cuts off what of a run can be a span.
    fn cut<'a>(&self, run: &mut Run<'a>, (at, mut next): Clock, rows_max: usize) -> Option<Span<'a>> {
        let series = run.columns.series.get(run.rows.clone())?;
        let known = self.known(series.get(..rows_max).unwrap_or(series));
        let observed_at = run.observed_at().get(..known).unwrap_or_default();
        let (mut newest, mut oldest) = (at.0, i64::MAX);
        let (mut steps, mut rows, mut begin) = (Vec::new(), 0, 0);
        // Mostly many measurements come before the next step.
        while let Some(first) = observed_at.get(rows).copied() {
            if first >= next.0 && (first - next.0) / self.every_ms >= GAP_STEPS_MAX || first > self.until.0 {
                break;
            }
            while next.0 <= first {
                steps.push(Step { at: next, rows });
                next = next.plus_ms(self.every_ms);
            }
            let limit = next.min(self.until.plus_ms(1)).0;
            begin = rows;
            let rest = observed_at.get(rows..).unwrap_or_default();
            for before in rest.iter().take_while(|before| **before < limit) {
                oldest = oldest.min(*before);
                rows += 1;
            }
        }
        // The first one behind a step is newer than all before.
        let taken = observed_at.get(..rows).unwrap_or_default();
        newest = taken.iter().skip(begin).copied().fold(newest, i64::max);
        if steps.len() < STEPS_MIN {
            return None;
        }
        let run = run.split_before(run.rows.start + rows);
        Some(Span {
            is_plain: is_plain(&run),
            passed: Passed {
                steps,
                first: run.first,
                rows: run.rows.len(),
                clock: (Instant(newest), next),
            },
            run,
            oldest: Instant(oldest),
        })
    }
}

/// Rows of the first and the last span of a run, if so many have some steps.
fn edge_of(run: &Run<'_>, every_ms: i64, series: usize) -> usize {
    let (Some(first), Some(last)) = (run.observed_at().first(), run.observed_at().last()) else {
        return 0;
    };
    let steps = usize::try_from((last - first) / every_ms).unwrap_or(0);
    let has_steps = steps.saturating_mul(EDGE_ROWS) / run.rows.len() >= EDGE_STEPS_MIN;
    let is_worth_it = has_steps && series.saturating_mul(ROWS_A_LEAF_MIN) <= EDGE_ROWS;
    if is_worth_it { EDGE_ROWS } else { 0 }
}

/// Whether all rows are plain numbers.
fn is_plain(run: &Run<'_>) -> bool {
    run.columns.shape.are(run.rows.clone(), shape::NUMBER)
}

#[cfg(test)]
mod tests;
