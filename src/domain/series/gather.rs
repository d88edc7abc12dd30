//! What a window sees of a series: its slices merged, in an order that depends on nothing but the window.
//!
//! A view enters, one cell leaves. Merging all slices at every evaluation would make a window of 168 slices 168 times as
//! dear as one. So a view has a turn, a slice at which windows of its length meet: what is before it (the front) is
//! merged from the turn backwards, what is behind it (the back) from the turn onwards, and then the two. While a window
//! slides, the back takes one slice more and the front gives one up, of which the merged rest is known: a few merges an
//! evaluation, whatever the length ("van Herk" for minima; here for anything that merges, without ever subtracting). At
//! the next turn the back becomes a front. The order of merging is the same afresh and again, and so is the result, to
//! the last bit.
//!
//! Measured over ten million measurements of 1,000 KPIs under windows of 168 slices, evaluated every hour: 58 % of a
//! replay's time went into merging all slices whenever a window moved.

use super::Series;
use crate::domain::aggregate::Cell;
use crate::domain::window::View;

/// What is merged already of the slices before the newest.
#[derive(Debug, Clone)]
pub(super) struct Closed {
    turn: i64,
    front: Front,
    /// Everything from the turn up to `until`; `None` when it must be merged afresh.
    back: Option<Back>,
}

/// Slices from the turn on, merged onwards.
#[derive(Debug, Clone)]
struct Back {
    cell: Cell,
    /// The first slice that is in it, or would be.
    oldest: i64,
    /// The first slice that is not in it.
    until: i64,
}

/// Slices before the turn, merged backwards from it.
#[derive(Debug, Clone, Default)]
struct Front {
    /// It is right for windows that begin here or later; `None` when it must be merged afresh.
    first: Option<i64>,
    /// The groups that no window has begun in yet, the one at the turn first.
    groups: Vec<Group>,
    /// Of the group in which windows begin now: (slice, everything from it up to the turn), the oldest slice last.
    spread: Vec<(i64, Cell)>,
}

/// Some neighbouring slices.
#[derive(Debug, Clone)]
struct Group {
    first: i64,
    until: i64,
    /// Everything behind the group, up to the turn.
    behind: Cell,
}

/// Slices in a group. With one cell a group and one a slice of a single group, a window of n slices keeps n / 16 + 16
/// cells instead of n, for one more merge an evaluation.
const GROUP_LEN: usize = 16;

/// Slices that are looked at one after the other before a search begins.
const GAPS_MAX: usize = 8;

/// Windows with fewer slices than this before the newest are merged as quickly as looked up.
const CLOSED_LEN_MIN: usize = 3;

/// What a window sees.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Sight {
    /// All of it.
    pub cell: Cell,
    /// The oldest slice with data.
    pub oldest: Option<i64>,
}

impl Series {
    /// Everything that the window sees.
    pub(super) fn gather(&self, view: &View) -> Cell {
        self.sight(view).cell
    }

    fn sight(&self, view: &View) -> Sight {
        let seen = self.seen(view.first, view.last);
        let (front, back) = seen.split_at(seen.partition_point(|(slice, _)| *slice < view.turn));
        let mut cell = self.start(view.first);
        for (_, other) in back {
            cell.merge(other);
        }
        if !front.is_empty() {
            let mut whole = Cell::default();
            front.iter().rev().for_each(|(_, other)| whole.merge(other));
            whole.merge(&cell);
            cell = whole;
        }
        Sight {
            cell,
            oldest: seen.first().map(|(slice, _)| *slice),
        }
    }

    /// The same to the last bit, with what has not changed since the last time merged only once.
    #[inline]
    pub(super) fn gather_again(&mut self, view: &View) -> Sight {
        let to = self.known_until(view.last);
        let has_enough = |place: usize| self.slices.get(place).is_some_and(|(slice, _)| *slice >= view.first);
        let enough = to.checked_sub(CLOSED_LEN_MIN + 1).is_some_and(has_enough);
        let newest = to.checked_sub(1).and_then(|place| self.slices.get(place));
        let Some((newest, newest_cell)) = newest.filter(|(slice, _)| enough && *slice >= view.turn) else {
            return self.sight(view);
        };
        let known = self.closed.take().filter(|closed| closed.turn == view.turn);
        let mut closed = known.unwrap_or_else(|| Box::new(Closed::at(view.turn)));
        let start = || self.start(view.first);
        // What comes late comes mostly into the slice before the newest: that one is not in what is kept either.
        let last = to
            .checked_sub(2)
            .and_then(|place| Some((place, self.slices.get(place)?)));
        let last = last.filter(|(_, (slice, _))| *slice >= view.turn);
        let (mut cell, mut oldest) = if let Some((place, (slice, last))) = last {
            let back = closed.back_until((place, *slice), &self.slices, start);
            (back.cell.and(last).and(newest_cell), back.oldest)
        } else {
            let back = closed.back_until((to - 1, *newest), &self.slices, start);
            (back.cell.and(newest_cell), back.oldest)
        };
        if let Some((slice, front)) = closed.front.from(view, &self.slices) {
            (cell, oldest) = (front.and(&cell), *slice);
        }
        self.closed = Some(closed);
        Sight {
            cell,
            oldest: Some(oldest),
        }
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
        let from = place_of(&self.slices, first);
        self.slices.get(from..self.known_until(last)).unwrap_or_default()
    }

    /// How many slices there are up to this one.
    #[inline]
    pub(super) fn known_until(&self, last: i64) -> usize {
        match self.slices.last() {
            // Mostly nothing is ahead of the window: look at the end first.
            Some((newest, _)) if *newest <= last => self.slices.len(),
            _ => self.slices.partition_point(|(slice, _)| *slice <= last),
        }
    }

    /// Reads what is merged already, so that it is at hand.
    #[inline]
    pub fn see_closed(&self) -> usize {
        let until = |closed: &Closed| closed.back.as_ref().map_or(0, |back| back.until);
        self.closed
            .as_ref()
            .map_or(0, |closed| until(closed) as usize ^ closed.front.spread.len())
    }

    /// Reads what is merged before the turn.
    #[inline]
    pub fn see_front(&self) -> usize {
        let closed = self.closed.as_ref();
        let oldest = closed.and_then(|closed| closed.front.spread.last());
        oldest.map_or(0, |(slice, cell)| *slice as usize ^ cell.latest_at as usize)
    }

    /// A slice changes: what was merged of it is no longer right.
    pub(super) fn reopen(&mut self, slice: i64) {
        let Some(closed) = &mut self.closed else { return };
        if slice < closed.turn {
            closed.front.first = None;
        } else if closed.back.as_ref().is_some_and(|back| slice < back.until) {
            closed.back = None;
        }
    }
}

impl Closed {
    fn at(turn: i64) -> Self {
        Self {
            turn,
            front: Front::default(),
            back: None,
        }
    }

    /// The slices from the turn up to the newest one, which is not in it.
    #[inline]
    fn back_until(
        &mut self,
        (place, newest): (usize, i64),
        slices: &[(i64, Cell)],
        start: impl FnOnce() -> Cell,
    ) -> &Back {
        // An earlier instant is looked at.
        if self.back.as_ref().is_some_and(|back| back.until > newest) {
            self.back = None;
        }
        let turn = self.turn;
        let back = self.back.get_or_insert_with(|| Back {
            cell: start(),
            oldest: i64::MAX,
            until: turn,
        });
        let before = slices.get(..place).unwrap_or_default();
        let new = before
            .iter()
            .rev()
            .take_while(|(slice, _)| *slice >= back.until)
            .count();
        for (slice, other) in before.get(place - new..).unwrap_or_default() {
            back.cell.merge(other);
            back.oldest = back.oldest.min(*slice);
        }
        back.oldest = back.oldest.min(newest);
        back.until = newest;
        back
    }
}

impl Front {
    /// Everything that a window sees before the turn, with its oldest slice; `None` when there is nothing.
    #[inline]
    fn from(&mut self, view: &View, slices: &[(i64, Cell)]) -> Option<&(i64, Cell)> {
        if self.first.is_none_or(|first| view.first < first) {
            self.merge_groups(part(slices, view.first, view.turn));
        }
        self.first = Some(view.first);
        while self.spread.last().is_some_and(|(slice, _)| *slice < view.first) {
            self.spread.pop();
        }
        while self.spread.is_empty() {
            let group = self.groups.pop()?;
            let mut cell = group.behind;
            for (slice, other) in part(slices, group.first.max(view.first), group.until).iter().rev() {
                cell.merge(other);
                self.spread.push((*slice, cell.clone()));
            }
        }
        self.spread.last()
    }

    fn merge_groups(&mut self, slices: &[(i64, Cell)]) {
        self.spread.clear();
        self.groups.clear();
        let mut behind = Cell::default();
        for group in slices.rchunks(GROUP_LEN) {
            if let (Some((first, _)), Some((last, _))) = (group.first(), group.last()) {
                self.groups.push(Group {
                    first: *first,
                    until: *last + 1,
                    behind: behind.clone(),
                });
            }
            group.iter().rev().for_each(|(_, other)| behind.merge(other));
        }
    }
}

/// The slices `first .. until` of a series.
fn part(slices: &[(i64, Cell)], first: i64, until: i64) -> &[(i64, Cell)] {
    let (from, to) = (place_of(slices, first), place_of(slices, until));
    slices.get(from..to).unwrap_or_default()
}

/// Where the first slice stands that is not before `first`. Slices mostly follow each other with few gaps, so that its
/// distance from the newest all but tells: a search through a long history would wait for memory at every step.
#[inline]
pub(super) fn place_of(slices: &[(i64, Cell)], first: i64) -> usize {
    let Some((newest, _)) = slices.last() else { return 0 };
    let behind = usize::try_from(newest.saturating_sub(first).saturating_add(1)).unwrap_or(0);
    let guess = slices.len().saturating_sub(behind);
    let rest = slices.get(guess..).unwrap_or_default();
    let near = rest.iter().take(GAPS_MAX).position(|(slice, _)| *slice >= first);
    guess + near.unwrap_or_else(|| rest.partition_point(|(slice, _)| *slice < first))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::aggregate::{Sample, SampleValue};
    use crate::domain::calendar::Calendar;
    use crate::domain::catalog::{Aggregate, Window};
    use crate::domain::instant::Instant;

    /// The same numbers in every run, in no order.
    fn mixed(step: u64) -> u64 {
        step.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33
    }

    fn views(now: i64) -> [View; 4] {
        let of = |window: Window, last: i64| window.view(&Calendar::utc(), Instant(last + 1));
        let rolling = |slices, last| of(Window::Rolling { slices, slice_ms: 1 }, last);
        // Seen alternately with the newest slice and without it, as evaluations and questions do.
        [
            rolling(40, now),
            rolling(40, now - 1),
            rolling(7, now),
            View {
                first: i64::MIN,
                turn: i64::MIN,
                last: now,
                ..of(Window::All, 0)
            },
        ]
    }

    /// Measurements come mostly in order, some late, some slices go, and for a while nothing comes; at each step one kind of
    /// window looks.
    fn story(aggregate: &Aggregate, value: impl Fn(u64) -> SampleValue) {
        for kind in 0..4 {
            let mut series = Series::default();
            for step in 0..3_000_u64 {
                let now = (step / 10) as i64;
                let late = if mixed(step).is_multiple_of(7) {
                    (mixed(step) % 60) as i64
                } else {
                    0
                };
                let sample = Sample {
                    sequence: step,
                    observed_at: now - late,
                    value: value(mixed(step)),
                };
                if now % 50 < 30 {
                    series.cell(now - late).add(aggregate, &sample);
                }
                if mixed(step).is_multiple_of(97) {
                    let gone = now - (mixed(step) % 13) as i64;
                    series.drop_slice(gone);
                }
                for view in [Some(kind), (kind == 0).then_some(1)].into_iter().flatten() {
                    let Some(view) = views(now).get(view).copied() else {
                        continue;
                    };
                    let (afresh, again) = (series.sight(&view), series.gather_again(&view));
                    assert_eq!(afresh, again, "{view:?} at step {step}");
                }
            }
        }
    }

    #[test]
    fn a_slice_that_comes_where_the_newest_was_retracted_is_seen() {
        let view = |last: i64| {
            let window = Window::Rolling {
                slices: 40,
                slice_ms: 1,
            };
            window.view(&Calendar::utc(), Instant(last + 1))
        };
        let mut series = Series::default();
        let measure = |series: &mut Series, slice: i64| {
            let sample = Sample {
                sequence: slice as u64,
                observed_at: slice,
                value: SampleValue::Number(1.0),
            };
            series.cell(slice).add(&Aggregate::Sum, &sample);
        };
        (80..90).for_each(|slice| measure(&mut series, slice));
        measure(&mut series, 100);
        assert_eq!(series.gather_again(&view(100)).cell.count, 11);
        series.drop_slice(100);
        measure(&mut series, 95);
        measure(&mut series, 102);
        assert_eq!(series.gather_again(&view(102)).cell.count, 12);
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
