//! Slices that go, because nobody will see them again.
//!
//! An instant enters; what is left gives the same readings from then on.

use smallvec::SmallVec;

use super::gather::place_of;
use super::{Rules, Series};
use crate::domain::catalog::Window;
use crate::domain::instant::Instant;

/// A series that has so many slices is taken to go on until it has all that are seen of it.
const ROOM_FROM: usize = 32;
/// Nobody has room for so many before they are there.
const ROOM_MAX: usize = 4_096;

impl Series {
    /// Drops slices that ended before `oldest`, and tells the last one dropped; `all` windows keep their sum.
    pub fn trim(&mut self, rules: Rules<'_>, oldest: Instant) -> Option<i64> {
        let is_gone = |slice: i64| rules.window().slice_end(rules.calendar, slice) <= oldest;
        // Mostly nothing is: the oldest slice tells.
        if !self.slices.first().is_some_and(|(slice, _)| is_gone(*slice)) {
            return None;
        }
        let gone = self.slices.partition_point(|(slice, _)| is_gone(*slice));
        // No rolling window reaches back this far: what is merged for it stays right.
        if !matches!(rules.window(), Window::Rolling { .. }) {
            self.closed = None;
        }
        let last = self.slices.get(gone - 1).map(|(slice, _)| *slice);
        for (_, cell) in self.slices.drain(..gone) {
            if *rules.window() == Window::All {
                self.rare.get_or_insert_default().before.merge(&cell);
            }
        }
        if let Some(rare) = &mut self.rare {
            match self.slices.first() {
                Some((first, _)) => rare.correctable = rare.correctable.split_off(first),
                None => rare.correctable.clear(),
            }
        }
        last
    }

    /// Room for as many slices as [`Series::forget_unseen`] lets it become, where `begun` more make it many. Each time a little
    /// more means that all are copied to new memory, and that cores wait for each other to get it: a replay of ten million
    /// measurements of a thousand series takes 0.97 of its time.
    pub fn make_room_for(&mut self, rules: Rules<'_>, begun: usize) {
        let Window::Rolling { slices, .. } = *rules.window() else {
            return;
        };
        let room = kept_max(slices).saturating_add(kept_max(slices) / 4);
        let len = self.slices.len();
        if (ROOM_FROM..room).contains(&(len + begun)) && self.slices.capacity() < room && room < ROOM_MAX {
            // From the core's own memory: by itself it would grow where it is, which may be another one's.
            let mut slices = SmallVec::with_capacity(room);
            slices.append(&mut self.slices);
            self.slices = slices;
        }
    }

    /// Drops slices that no reading and no trend at `at` or later sees, once they are many. Those of rolling windows, without
    /// anything that looks further back; all others are kept.
    pub fn forget_unseen(&mut self, rules: Rules<'_>, at: Instant) {
        let Window::Rolling { slices, .. } = *rules.window() else {
            return;
        };
        if self.rare.is_some() {
            return;
        }
        if self.slices.len() < kept_max(slices) {
            return;
        }
        // What is merged is of slices that are seen.
        let first = rules.window().view(rules.calendar, at).first - slices;
        let gone = place_of(&self.slices, first);
        self.slices.drain(..gone);
    }
}

/// So many slices of a rolling window are kept at most. Reading and trend see twice the window; behind half of that more it is
/// worth it that the others move up.
fn kept_max(slices: i64) -> usize {
    let seen_max = usize::try_from(slices).unwrap_or(usize::MAX).saturating_mul(2);
    seen_max.saturating_add((seen_max / 2).max(16))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::Calendar;
    use crate::domain::catalog::KpiDefinition;
    use crate::domain::samples::{SLICE_MS, plain_kpi};

    #[test]
    fn many_slices_get_their_room_at_once_and_few_get_none() {
        let definition = KpiDefinition {
            window: Window::Rolling {
                slices: 40,
                slice_ms: SLICE_MS,
            },
            ..plain_kpi()
        };
        let rules = Rules {
            definition: &definition,
            calendar: &Calendar::utc(),
        };
        let mut series = Series::default();
        series.cell(0);
        series.make_room_for(rules, 7);
        assert_eq!(series.slices.capacity(), 1);
        series.make_room_for(rules, 50);
        let room = series.slices.capacity();
        for slice in 1..1_000 {
            series.cell(slice);
            if slice % 20 == 0 {
                series.make_room_for(rules, 20);
                series.forget_unseen(rules, Instant((slice + 1) * SLICE_MS));
            }
        }
        assert_eq!(series.slices.capacity(), room);
        assert!((80..120).contains(&series.len()), "{}", series.len());
    }
}
