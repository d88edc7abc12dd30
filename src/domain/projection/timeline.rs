//! Time: which clock evaluates when.
//!
//! Both clocks do the same at an instant, in this order: readings that change by themselves become dirty; facts are taken
//! in; dirty nodes are evaluated, children first; conditions are looked at; timers of alerts run out. They differ only in
//! which instants there are.

use std::cmp::Reverse;

use super::fetch::ROWS_AHEAD;
use super::{ClockKind, Effects, Projection};
use crate::domain::fact::{Block, Entry, Fact, Row};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::series::Evaluation;

/// Where a clock stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClockState {
    /// The instant of the last evaluation or block.
    Recorded { at: Instant },
    /// The greatest `observed_at` so far, and the next evaluation instant; `None` before the first measurement.
    Event {
        every_ms: i64,
        started: Option<(Instant, Instant)>,
    },
}

impl ClockState {
    pub fn new(kind: ClockKind) -> Self {
        match kind {
            ClockKind::Recorded => Self::Recorded { at: Instant(i64::MIN) },
            ClockKind::Event { every_ms } => Self::Event {
                every_ms,
                started: None,
            },
        }
    }

    pub fn at(&self) -> Instant {
        match self {
            Self::Recorded { at } => *at,
            Self::Event { started, .. } => started.map_or(Instant(i64::MIN), |(at, _)| at),
        }
    }
}

impl Projection {
    /// Folds one block in. The one way in which facts enter, live and in replay.
    pub fn apply(&mut self, block: &Block, effects: &mut Effects) {
        self.learn_series(block.series_base, &block.new_series);
        match self.clock {
            ClockState::Event { .. } => {
                for (sequence, entry) in block.entries() {
                    self.apply_entry(sequence, &entry, effects);
                }
            }
            ClockState::Recorded { .. } => self.apply_at_once(block, effects),
        }
    }

    /// The recorded clock: the whole block at its `recorded_at`.
    fn apply_at_once(&mut self, block: &Block, effects: &mut Effects) {
        let at = block.recorded_at;
        self.run_until(at.plus_ms(-1), effects);
        let rows = &block.measurements.series;
        let mut fetched = 0;
        for (row, (sequence, entry)) in block.entries().enumerate() {
            if row == fetched {
                let end = rows.len().min(row + ROWS_AHEAD);
                self.fetch(rows.get(row..end).unwrap_or_default());
                fetched = end;
            }
            self.take_entry(sequence, &entry, at);
        }
        self.happen_at(at, effects);
    }

    pub(super) fn take_entry(&mut self, sequence: Sequence, entry: &Entry<'_>, now: Instant) {
        match entry {
            Entry::Measurement(row) => self.take_row(sequence, row, now),
            Entry::Other(fact) => self.take_fact(fact, now),
        }
        self.sequence = sequence;
    }

    /// The recorded clock moves on without facts: everything due until `to` (included) happens at its own instant. An event
    /// clock stands still: only measurements move it.
    pub fn advance(&mut self, to: Instant, effects: &mut Effects) {
        if let ClockState::Event { .. } = self.clock {
            return;
        }
        self.run_until(to, effects);
        if let ClockState::Recorded { at } = &mut self.clock {
            *at = (*at).max(to);
        }
    }

    /// The next instant at which something is due by itself.
    pub fn next_due(&mut self) -> Option<Instant> {
        [self.next_node_due(), self.alerting.next_timer()]
            .into_iter()
            .flatten()
            .min()
    }

    fn run_until(&mut self, to: Instant, effects: &mut Effects) {
        while let Some(due) = self.next_due().filter(|due| *due <= to) {
            self.happen_at(due, effects);
        }
    }

    /// Everything that happens at one instant of the recorded clock, after its facts were taken in.
    fn happen_at(&mut self, at: Instant, effects: &mut Effects) {
        // A reading that changes by itself changes at its own due instant, so it held until just before.
        self.evaluate_at(
            Evaluation {
                at,
                last_before: at.plus_ms(-1),
                is_every_instant: false,
            },
            effects,
        );
        self.clock = ClockState::Recorded { at };
    }

    fn evaluate_at(&mut self, when: Evaluation, effects: &mut Effects) {
        self.mark_due(when.at);
        let mut lists = std::mem::take(&mut self.lists);
        self.evaluate_dirty(when, &mut lists);
        if self.options.with_readings {
            self.tell(&lists.changed, when.at, effects);
        }
        self.look_at_conditions(&lists.evaluated, when.at);
        lists.clear();
        self.lists = lists;
        self.run_timers(when.at, effects);
    }

    /// Puts a node into the queue of readings that change by themselves. Where the change is put off, as freshness is by each
    /// measurement, the earlier entry stays until it comes: otherwise the queue would grow with every measurement.
    pub(super) fn queue(&mut self, node: u32, due_before: i64, due: i64) {
        if due < due_before {
            self.dues.push(Reverse((Instant(due), node)));
        }
    }

    /// The instant of the next reading that changes by itself; drops void entries and moves those that were put off.
    fn next_node_due(&mut self) -> Option<Instant> {
        while let Some(Reverse((at, node))) = self.dues.peek().copied() {
            let due = self.nodes.get(node as usize).map_or(i64::MAX, |state| state.due);
            if due == at.0 {
                return Some(at);
            }
            self.dues.pop();
            // One that is due before has an entry of its own.
            if due > at.0 {
                self.queue(node, i64::MAX, due);
            }
        }
        None
    }

    fn mark_due(&mut self, at: Instant) {
        while self.next_node_due().is_some_and(|due| due <= at) {
            if let Some(Reverse((_, node))) = self.dues.pop() {
                if let Some(state) = self.nodes.get_mut(node as usize) {
                    state.due = i64::MAX;
                }
                self.mark(node);
            }
        }
    }

    // ------------------------------------------------------------ event clock

    fn apply_entry(&mut self, sequence: Sequence, entry: &Entry<'_>, effects: &mut Effects) {
        let observed_at = observed_at(entry);
        if observed_at > Some(self.observed_until) {
            self.sequence = sequence;
            return;
        }
        if let Some(observed_at) = observed_at {
            self.pass(observed_at, effects);
        }
        self.take_entry(sequence, entry, self.clock.at());
    }

    /// The event clock reaches `to`: everything is evaluated at every multiple of the step that it passes. Where nothing
    /// can have changed, steps are skipped: the result is the same. Facts do this themselves; it is for a history of which
    /// not every fact is taken. The recorded clock goes by [`Projection::advance`].
    pub fn pass(&mut self, to: Instant, effects: &mut Effects) {
        let ClockState::Event { every_ms, started } = self.clock else {
            return;
        };
        let (at, mut next) = started.unwrap_or((to, to.next_multiple(every_ms)));
        while next <= to {
            if !self.is_dirty() {
                let due = self
                    .next_node_due()
                    .map_or(Instant(i64::MAX), |due| due.round_up(every_ms));
                if due > to {
                    next = to.next_multiple(every_ms);
                    break;
                }
                next = next.max(due);
            }
            self.step(next, every_ms, effects);
            next = next.plus_ms(every_ms);
        }
        self.clock = ClockState::Event {
            every_ms,
            started: Some((at.max(to), next)),
        };
    }

    fn step(&mut self, at: Instant, every_ms: i64, effects: &mut Effects) {
        self.run_timers(at.plus_ms(-1), effects);
        self.evaluate_at(
            Evaluation {
                at,
                last_before: at.plus_ms(-every_ms),
                is_every_instant: true,
            },
            effects,
        );
    }

    /// The input of an event clock has ended: everything is evaluated once more, at the next multiple of the step.
    pub fn finish(&mut self, effects: &mut Effects) {
        if let ClockState::Event {
            every_ms,
            started: Some((_, next)),
        } = self.clock
        {
            self.step(next, every_ms, effects);
            self.clock = ClockState::Event {
                every_ms,
                started: Some((next, next.plus_ms(every_ms))),
            };
        }
    }
}

/// The instant by which an entry moves the event clock.
fn observed_at(entry: &Entry<'_>) -> Option<Instant> {
    match entry {
        Entry::Measurement(Row { observed_at, .. }) => Some(*observed_at),
        Entry::Other(Fact::MeasurementCorrected(correction)) => Some(correction.observed_at),
        Entry::Other(_) => None,
    }
}
