//! Slices that go, because nobody will see them again.
//!
//! An instant enters; what is left gives the same readings from then on.

use super::gather::place_of;
use super::{Rules, Series};
use crate::domain::catalog::Window;
use crate::domain::instant::Instant;

/// A series that has so many slices is taken to go on until it has all that are seen of it.
const ROOM_FROM: usize = 64;
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

    /// Drops slices that no reading and no trend at `at` or later sees, once they are many. Those of rolling windows, without
    /// anything that looks further back; all others are kept.
    pub fn forget_unseen(&mut self, rules: Rules<'_>, at: Instant) {
        let Window::Rolling { slices, .. } = *rules.window() else {
            return;
        };
        if self.rare.is_some() {
            return;
        }
        // Reading and trend see so many at most. Behind half of that more it is worth it that the others move up.
        let seen_max = usize::try_from(slices).unwrap_or(usize::MAX).saturating_mul(2);
        let kept_max = seen_max.saturating_add((seen_max / 2).max(16));
        // Room for all of them at once: each time a little more means that all are copied to new memory, which is dear.
        let room = kept_max.saturating_add(kept_max / 4);
        if (ROOM_FROM..room).contains(&self.slices.len()) && self.slices.capacity() < room && room < ROOM_MAX {
            self.slices.reserve_exact(room - self.slices.len());
        }
        if self.slices.len() < kept_max {
            return;
        }
        // What is merged is of slices that are seen.
        let first = rules.window().view(rules.calendar, at).first - slices;
        let gone = place_of(&self.slices, first);
        self.slices.drain(..gone);
    }
}
