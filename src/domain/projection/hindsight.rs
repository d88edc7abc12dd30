//! Hindsight: a projection of the past is copied, and told what became known only later.
//!
//! Facts enter beside their order and change slices; nothing is evaluated, no clock moves and nothing is told. What is asked
//! afterwards are pictures of instants, which are computed from the slices.

use std::sync::Arc;

use super::Projection;
use crate::domain::fact::Entry;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;
use crate::domain::parts::Parts;

impl Projection {
    /// All parts of the image, as if none had been taken.
    pub fn whole_image(&mut self) -> Parts {
        self.forget_saved();
        self.take_image(0)
    }

    /// A copy by way of the image, which is the same to the last bit. `None` only where an image does not fit its own
    /// catalog, which would be a broken invariant.
    pub fn twin(&mut self) -> Option<Self> {
        let parts = self.whole_image();
        Self::from_image(Arc::clone(self.catalog()), self.options(), &parts)
    }

    /// Takes facts in that became known later, each with the instant at which it was recorded. `names` are the journal's
    /// series up to the last that any of them is about.
    pub fn take_aside<'a>(
        &mut self,
        names: &[SeriesKey],
        facts: impl IntoIterator<Item = (Sequence, Entry<'a>, Instant)>,
    ) {
        self.learn_series(0, names);
        for (sequence, entry, recorded_at) in facts {
            self.take_entry(sequence, &entry, recorded_at);
        }
    }
}
