//! When a reading changes by itself: a window moves, a version takes over, a value ages, a held one ends, a period closes.
//!
//! An evaluation and its reading enter, the next instant leaves at which the outcome can be another one without a fact.

use super::{Evaluated, Rules, Series};
use crate::domain::catalog::{Aggregate, KpiDefinition, Missing, Window};
use crate::domain::instant::Instant;

impl Series {
    /// The first instant after the evaluation at which the reading can change by itself.
    #[inline]
    pub fn next_change(&self, rules: Rules<'_>, evaluated: &Evaluated) -> Option<Instant> {
        let Evaluated {
            when,
            view,
            oldest,
            observed_at,
            fresh,
            provisional,
        } = *evaluated;
        let (definition, window, at) = (rules.definition, rules.window(), when.at);
        let version = definition
            .versions
            .iter()
            .map(|version| version.from.plus_ms(1))
            .find(|from| *from > at);
        // A held value and a final reading outlive the measurements that gave them, even retracted ones.
        if self.measured == 0 && self.held().is_none() && self.settled().is_none() {
            return version;
        }
        let coming = self.slices.get(self.known_until(view.last)).map(|(slice, _)| *slice);
        let moves = window.next_change(rules.calendar, at, oldest, coming);
        let closes = view
            .period_end
            .filter(|_| provisional)
            .map(|end| end.plus_ms(definition.allowed_lateness_ms));
        let flows = (oldest.is_some() && is_flowing(definition)).then(|| {
            if when.is_every_instant {
                at.plus_ms(1)
            } else {
                window
                    .slice_end(rules.calendar, window.slice_of(rules.calendar, at))
                    .plus_ms(1)
            }
        });
        let mut next = i64::MAX;
        let mut consider = |change: Option<Instant>| match change {
            Some(change) if change > at => next = next.min(change.0),
            _ => {}
        };
        [moves, version, closes, flows].into_iter().for_each(&mut consider);
        consider(self.hold_ends(definition, observed_at));
        if let Some(every) = definition.version(at).and_then(|version| version.expected_every_ms) {
            consider(self.ages(rules, at, (fresh, every)));
            consider(self.freshens(rules, at));
        }
        (next != i64::MAX).then_some(Instant(next))
    }

    /// When a fresh reading will be fresh no more.
    #[inline]
    fn ages(&self, rules: Rules<'_>, at: Instant, (fresh, every): (bool, i64)) -> Option<Instant> {
        let latest = self.latest_before(rules, at)?;
        fresh.then(|| Instant(latest).plus_ms(every + 1))
    }

    /// When a measurement that came ahead of its slice is known: the window may be a complete period that will never see it,
    /// but the KPI is fresh from then on.
    #[inline]
    fn freshens(&self, rules: Rules<'_>, at: Instant) -> Option<Instant> {
        let (ahead, _) = self.slices.get(self.known_until(rules.slice_of(at.plus_ms(-1).0)))?;
        Some(rules.window().slice_start(rules.calendar, *ahead).plus_ms(1))
    }

    /// When a held value will be kept no more.
    #[inline]
    fn hold_ends(&self, definition: &KpiDefinition, observed_at: Option<Instant>) -> Option<Instant> {
        match (definition.missing, self.held(), observed_at) {
            (Missing::Hold(hold_ms), Some(held), None) => Some(held.evaluated_at.plus_ms(hold_ms + 1)),
            _ => None,
        }
    }
}

/// A rate over a running period changes with every instant, not only with data.
#[inline]
fn is_flowing(definition: &KpiDefinition) -> bool {
    let running = matches!(definition.window, Window::Period { complete: false, .. });
    running && matches!(definition.aggregate, Aggregate::Rate { .. })
}
