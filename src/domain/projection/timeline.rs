//! Time: which clock evaluates when.
//!
//! Both clocks do the same at an instant, in this order: readings that change by themselves become dirty; facts are taken
//! in; dirty nodes are evaluated, children first; conditions are looked at; timers of alerts run out. They differ only in
//! which instants there are.

use super::rows::{Now, Run};
use super::span::Read;
use super::{ClockKind, Effects, Projection};
use crate::domain::fact::{Block, Entry, Fact};
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
        let at = block.recorded_at;
        let is_recorded = matches!(self.clock, ClockState::Recorded { .. });
        if is_recorded {
            self.run_until(at.plus_ms(-1), effects);
        }
        if !block.others.is_empty() {
            self.tell_waiting(effects);
        }
        let mut rest = Run {
            columns: &block.measurements,
            rows: 0..block.measurements.len(),
            first: block.first,
        };
        for (before, fact) in &block.others {
            let run = rest.split_before(*before as usize);
            self.apply_run(run, at, effects);
            self.apply_other(rest.first, fact, at, effects);
            rest.first = Sequence(rest.first.0 + 1);
        }
        self.apply_run(rest, at, effects);
        // The recorded clock: the whole block happens at its `recorded_at`.
        if is_recorded {
            self.happen_at(at, effects);
        }
    }

    fn apply_run(&mut self, run: Run<'_>, recorded_at: Instant, effects: &mut Effects) {
        match self.clock {
            _ if run.rows.is_empty() => {}
            ClockState::Event { .. } => self.pass_run(run, effects),
            ClockState::Recorded { .. } => {
                if self.take_together(&run, recorded_at) {
                    return;
                }
                let now = Now {
                    at: recorded_at,
                    follows: false,
                };
                self.take_run(&run, now);
            }
        }
    }

    fn apply_other(&mut self, sequence: Sequence, fact: &Fact, recorded_at: Instant, effects: &mut Effects) {
        let mut now = recorded_at;
        if let ClockState::Event { .. } = self.clock {
            let moves_to = match fact {
                Fact::MeasurementCorrected(correction) => Some(correction.observed_at),
                _ => None,
            };
            if moves_to > Some(self.observed_until) {
                self.sequence = sequence;
                return;
            }
            if let Some(to) = moves_to {
                self.pass(to, effects);
            }
            now = self.clock.at();
        }
        self.take_entry(sequence, &Entry::Other(fact), now);
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
        let when = Evaluation {
            at,
            last_before: at.plus_ms(-1),
            is_every_instant: false,
        };
        self.evaluate_at(when, std::iter::empty(), effects);
        self.clock = ClockState::Recorded { at };
    }

    /// What some leaves read is known already; everything else is evaluated.
    fn evaluate_at(&mut self, when: Evaluation, read: impl Iterator<Item = Read>, effects: &mut Effects) {
        let mut lists = std::mem::take(&mut self.lists);
        self.put_leaves(read, &mut lists);
        self.mark_due(when.at);
        self.evaluate_dirty(when, &mut lists);
        if self.options.with_readings {
            self.tell(&mut lists.changed, when.at, effects);
        }
        self.look_at_conditions(&lists.ruled, when.at);
        lists.clear();
        self.lists = lists;
        self.run_timers(when.at, effects);
    }

    /// Puts a node into the queue of readings that change by themselves. Where the change is put off, as freshness is by each
    /// measurement, the earlier entry stays until it comes: otherwise the queue would grow with every measurement.
    pub(super) fn queue(&mut self, node: u32, due_before: i64, due: i64) {
        if due < due_before {
            self.dues.push(Instant(due), node);
        }
    }

    /// The instant of the next reading that changes by itself; drops void entries and moves those that were put off.
    fn next_node_due(&mut self) -> Option<Instant> {
        while let Some((at, node)) = self.dues.first() {
            let due = self.nodes.get(node as usize).map_or(i64::MAX, |state| state.due);
            if due == at.0 {
                return Some(at);
            }
            self.dues.drop_first();
            // One that is due before has an entry of its own.
            if due > at.0 {
                self.queue(node, i64::MAX, due);
            }
        }
        None
    }

    /// Whether there is anything to evaluate at a step.
    pub(super) fn has_to_step(&mut self, at: Instant) -> bool {
        self.is_dirty() || self.next_node_due().is_some_and(|due| due <= at)
    }

    fn mark_due(&mut self, at: Instant) {
        while self.next_node_due().is_some_and(|due| due <= at) {
            let Some((_, node)) = self.dues.first() else { return };
            self.dues.drop_first();
            if let Some(state) = self.nodes.get_mut(node as usize) {
                state.due = i64::MAX;
            }
            self.mark(node);
        }
    }

    // ------------------------------------------------------------ event clock

    /// Takes measurements in up to the next step, makes the step, and goes on behind it.
    fn pass_run(&mut self, mut run: Run<'_>, effects: &mut Effects) {
        let until = self.observed_until;
        loop {
            while self.take_spans(&mut run, effects) {}
            if !run.rows.is_empty() {
                self.tell_waiting(effects);
            }
            let ClockState::Event { every_ms, started } = self.clock else {
                return;
            };
            let (at, next) = started.unwrap_or((Instant(i64::MIN), Instant(i64::MIN)));
            let is_next = |observed_at: &i64| *observed_at >= next.0 || *observed_at > until.0;
            let before = run.observed_at().iter().position(is_next).unwrap_or(run.rows.len());
            if before > 0 {
                let now = Now { at, follows: true };
                let part = run.split_before(run.rows.start + before);
                let at = self.take_run(&part, now);
                self.clock = ClockState::Event {
                    every_ms,
                    started: Some((at, next)),
                };
            }
            match run.observed_at().first() {
                None => return,
                Some(observed_at) if *observed_at > until.0 => {
                    self.sequence = run.split_before(run.rows.start + 1).first;
                }
                Some(observed_at) => self.pass(Instant(*observed_at), effects),
            }
        }
    }

    /// The event clock reaches `to`: everything is evaluated at every multiple of the step that it passes. Where nothing
    /// can have changed, steps are skipped: the result is the same. Facts do this themselves; it is for a history of which
    /// not every fact is taken. The recorded clock goes by [`Projection::advance`].
    pub fn pass(&mut self, to: Instant, effects: &mut Effects) {
        self.tell_waiting(effects);
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
            self.step((next, every_ms), std::iter::empty(), effects);
            next = next.plus_ms(every_ms);
        }
        self.clock = ClockState::Event {
            every_ms,
            started: Some((at.max(to), next)),
        };
    }

    pub(super) fn step(
        &mut self,
        (at, every_ms): (Instant, i64),
        read: impl Iterator<Item = Read>,
        effects: &mut Effects,
    ) {
        self.run_timers(at.plus_ms(-1), effects);
        let when = Evaluation {
            at,
            last_before: at.plus_ms(-every_ms),
            is_every_instant: true,
        };
        self.evaluate_at(when, read, effects);
    }

    /// The input of an event clock has ended: everything is evaluated once more, at the next multiple of the step.
    pub fn finish(&mut self, effects: &mut Effects) {
        self.tell_waiting(effects);
        if let ClockState::Event {
            every_ms,
            started: Some((_, next)),
        } = self.clock
        {
            self.step((next, every_ms), std::iter::empty(), effects);
            self.clock = ClockState::Event {
                every_ms,
                started: Some((next, next.plus_ms(every_ms))),
            };
        }
    }
}
