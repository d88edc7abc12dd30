//! Measurements taken out again: by a retraction, and by a correction before what is right is put in.
//!
//! A place enters. Slices keep what can be corrected one by one, so that a slice without one of them is made anew, not
//! subtracted from.

use super::{Rules, Series};
use crate::domain::instant::Instant;

impl Series {
    /// Takes a measurement out again, by its place: one fewer. False when its sample is not here: because it is before `oldest`
    /// and was only counted, or because this definition cannot read it (a number of a KPI that has words by now), and so it
    /// was never counted. Of what is before `oldest` nobody knows which of the two it was: it counts as the first.
    pub fn remove(&mut self, rules: Rules<'_>, (sequence, observed_at): (u64, Instant), oldest: Instant) -> bool {
        let was_here = self.take_out(rules, sequence, observed_at);
        let kept = || self.slices.iter().map(|(_, cell)| u64::from(cell.any)).sum::<u64>();
        if was_here || (observed_at < oldest && self.measured > kept()) {
            self.measured = self.measured.saturating_sub(1);
        }
        was_here
    }

    fn take_out(&mut self, rules: Rules<'_>, sequence: u64, observed_at: Instant) -> bool {
        let slice = rules.slice_of(observed_at.0);
        let correctable = self.rare.as_mut().map(|rare| &mut rare.correctable);
        let Some(entry) = correctable.and_then(|slices| slices.get_mut(&slice)) else {
            return false;
        };
        let Some(place) = entry.samples.iter().position(|sample| sample.sequence == sequence) else {
            return false;
        };
        entry.samples.remove(place);
        let mut cell = entry.rest.clone();
        entry
            .samples
            .iter()
            .for_each(|sample| cell.add(&rules.definition.aggregate, sample));
        self.reopen(slice);
        if cell.any == 0 {
            if let Some(rare) = &mut self.rare {
                rare.correctable.remove(&slice);
            }
            self.drop_slice(slice);
        } else {
            *self.cell(slice) = cell;
        }
        true
    }

    /// A slice has nothing in it any more. What is merged counts on a newest slice that stays: it is merged afresh.
    pub(super) fn drop_slice(&mut self, slice: i64) {
        self.slices.retain(|(other, _)| *other != slice);
        self.closed = None;
    }
}
