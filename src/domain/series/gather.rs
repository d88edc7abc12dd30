//! What a window sees of a series: its slices merged in their order.
//!
//! A range of slices enters, one cell leaves. Live and in replays a window is looked at many times while only its newest
//! slice changes, so the slices before that one are merged once and kept. The order of merging is always the same, and
//! so is the result, to the last bit.

use super::Series;
use crate::domain::aggregate::Cell;

/// All slices in `first .. until`, merged in their order.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    first: i64,
    until: i64,
    cell: Cell,
}

/// Windows with fewer slices than this before the newest are merged as quickly as looked up.
const CLOSED_LEN_MIN: usize = 3;

impl Series {
    /// Everything that the window sees, merged in slice order.
    pub(super) fn gather(&self, first: i64, last: i64) -> Cell {
        let mut cell = self.start(first);
        self.seen(first, last).iter().for_each(|(_, other)| cell.merge(other));
        cell
    }

    /// The same to the last bit, with the slices before the newest merged only when they have changed.
    pub(super) fn gather_again(&mut self, first: i64, last: i64) -> Cell {
        let newest = self.seen(first, last).split_last();
        let Some(((until, newest), before)) = newest.filter(|(_, before)| before.len() >= CLOSED_LEN_MIN) else {
            return self.gather(first, last);
        };
        let until = *until;
        let known = self
            .closed
            .as_ref()
            .filter(|closed| (closed.first, closed.until) == (first, until));
        if let Some(closed) = known {
            let mut cell = closed.cell.clone();
            cell.merge(newest);
            return cell;
        }
        let mut cell = self.start(first);
        for (_, other) in before {
            cell.merge(other);
        }
        let closed = Closed {
            first,
            until,
            cell: cell.clone(),
        };
        cell.merge(newest);
        self.closed = Some(Box::new(closed));
        cell
    }

    /// What comes before the first slice that a window sees.
    fn start(&self, first: i64) -> Cell {
        match &self.rare {
            Some(rare) if first == i64::MIN => rare.before.clone(),
            _ => Cell::default(),
        }
    }

    /// The slices that a window sees.
    pub(super) fn seen(&self, first: i64, last: i64) -> &[(i64, Cell)] {
        let from = self.slices.partition_point(|(slice, _)| *slice < first);
        self.slices.get(from..self.known_until(last)).unwrap_or_default()
    }

    /// How many slices there are up to this one.
    pub(super) fn known_until(&self, last: i64) -> usize {
        match self.slices.last() {
            // Mostly nothing is ahead of the window: look at the end first.
            Some((newest, _)) if *newest <= last => self.slices.len(),
            _ => self.slices.partition_point(|(slice, _)| *slice <= last),
        }
    }

    /// A slice changes: what was merged of it is no longer right.
    pub(super) fn reopen(&mut self, slice: i64) {
        if self.closed.as_ref().is_some_and(|closed| slice < closed.until) {
            self.closed = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::aggregate::{Sample, SampleValue};
    use crate::domain::catalog::Aggregate;

    /// The same numbers in every run, in no order.
    fn mixed(step: u64) -> u64 {
        step.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
    }

    /// Measurements come mostly in order, some late, and some slices go; at each step a window looks.
    fn story(aggregate: &Aggregate, value: impl Fn(u64) -> SampleValue) {
        let mut series = Series::default();
        for step in 0..2_000_u64 {
            let now = (step / 10) as i64;
            let late = if mixed(step).is_multiple_of(7) {
                (mixed(step) % 30) as i64
            } else {
                0
            };
            let sample = Sample {
                sequence: step,
                observed_at: now - late,
                value: value(mixed(step)),
            };
            series.cell(now - late).add(aggregate, &sample);
            if mixed(step).is_multiple_of(97) {
                series.slices.retain(|(slice, _)| *slice != now - 3);
                series.reopen(now - 3);
            }
            let first = if step % 3 == 0 { i64::MIN } else { now - 20 };
            for last in [now, now - 1] {
                let (afresh, again) = (series.gather(first, last), series.gather_again(first, last));
                assert_eq!(afresh, again, "slices {first}..={last} at step {step}");
            }
        }
    }

    #[test]
    fn a_window_that_is_looked_at_again_shows_the_same_to_the_last_bit() {
        let number = |mixed| SampleValue::Number(mixed as f64 / 7.0);
        for aggregate in [
            Aggregate::Mean,
            Aggregate::Stddev,
            Aggregate::Last,
            Aggregate::Percentile(99.0),
        ] {
            story(&aggregate, number);
        }
        story(&Aggregate::Ratio { scale_by: 100.0 }, |mixed| {
            SampleValue::Pair(mixed as f64 / 3.0, 0.1)
        });
    }
}
