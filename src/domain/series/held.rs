//! What `hold` keeps, for queries about the past: the last value that the window had before it ran empty.
//!
//! Live, the value of the last evaluation that had one is kept. Of the past no evaluations are known, but nodes are
//! evaluated whenever they change, so the last instant with a value follows from the slices: values end where the last
//! slice leaves the window, or where a slice enters that takes the value away. Nothing is kept here.

use super::gather::Seen;
use super::{Across, Held, Rules, Series};
use crate::domain::catalog::Missing;
use crate::domain::instant::Instant;

impl Series {
    /// What an evaluation at `at` would keep over its empty window.
    pub(super) fn held_at(&self, rules: Rules<'_>, at: Instant, seen: Seen) -> Option<Held> {
        let Missing::Hold(hold_ms) = rules.definition.missing else {
            return None;
        };
        if seen.latest_at.is_some() {
            return None;
        }
        let (window, calendar) = (rules.window(), rules.calendar);
        let is_held = |then: &Instant| *then < at && at.since(*then) <= hold_ms;
        let ends = self.slices.iter().flat_map(|(slice, _)| {
            let leaves = window.last_sight(calendar, *slice);
            [leaves, window.slice_start(calendar, *slice)]
        });
        let mut ends: Vec<Instant> = ends.filter(is_held).collect();
        ends.sort_unstable();
        ends.iter().rev().find_map(|then| self.value_at(rules, *then))
    }

    fn value_at(&self, rules: Rules<'_>, at: Instant) -> Option<Held> {
        let view = rules.window().view(rules.calendar, at);
        let seen = self.see(rules, &view, Across::Own);
        Some(Held {
            value: seen.value?,
            evaluated_at: at,
            is_current: false,
        })
    }
}
