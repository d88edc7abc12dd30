//! What if: one history, folded under two sets of definitions side by side.
//!
//! Blocks of a journal, or reports of files, enter once and go into two projections; a [`Comparison`] hears of both after each
//! portion, so that nothing is kept of what came in. Both clocks pass the same instants, whatever one of the sides refuses.
//! Nothing is published or written: neither side is given a way to.

use std::ops::ControlFlow;

use super::activation::ActivationError;
use super::ledger::Taken;
use super::replay::{FileReplay, FileVerdict, Following, Progress, Until, next_block};
use crate::domain::comparison::{Comparison, Side, Sides};
use crate::domain::measurement::Report;
use crate::domain::projection::{Effects, Projection};
use crate::ports::{BlockReader, StateError};

/// Two projections over one history.
pub struct WhatIf {
    /// The projection of each side.
    pub projections: Sides<Projection>,
    /// What differs so far.
    pub comparison: Comparison,
}

impl WhatIf {
    /// Folds the blocks of a journal. The base follows as told, the other side stays with its definitions. `told` hears of
    /// the progress and may break off; then the outcome is that of the part folded.
    pub fn fold_blocks(
        &mut self,
        reader: &mut dyn BlockReader,
        mut following: Following<'_>,
        until: Until,
        told: &mut dyn FnMut(Progress) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, ActivationError> {
        let mut progress = Progress::default();
        while let Some(block) = next_block(reader, until, self.projections.base.sequence())? {
            let mut effects = Sides::<Effects>::default();
            let before = self.projections.base.catalog().fingerprint.clone();
            following.apply(&mut self.projections.base, &block, &mut effects.base)?;
            self.projections.other.apply(&block, &mut effects.other);
            let succeeded = self.projections.base.catalog().fingerprint != before;
            self.comparison.take(effects);
            if succeeded {
                self.comparison.succeeded(Side::Base, &self.projections.base);
            }
            progress.facts += block.len();
            if told(progress).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        self.end(until);
        Ok(ControlFlow::Continue(()))
    }

    /// The history has ended: clocks move to where they were asked to.
    fn end(&mut self, until: Until) {
        let mut effects = Sides::<Effects>::default();
        for side in [Side::Base, Side::Other] {
            let (projection, effects) = (self.projections.of_mut(side), effects.of_mut(side));
            if let Some(at) = until.at {
                projection.advance(at, effects);
            }
            projection.finish(effects);
        }
        self.comparison.take(effects);
    }
}

/// Reports of files on their way into both projections.
pub struct FilesWhatIf {
    /// Where they go.
    pub what_if: WhatIf,
    /// By whose definitions each side takes them.
    pub replays: Sides<FileReplay>,
    effects: Sides<Effects>,
    waiting: u64,
}

/// Reports between two comparisons: effects of so many are held. The outcome does not depend on it.
const PORTION_LEN: u64 = 4_096;

impl FilesWhatIf {
    /// Nothing was taken yet.
    pub fn new(what_if: WhatIf, replays: Sides<FileReplay>) -> Self {
        Self {
            what_if,
            replays,
            effects: Sides::default(),
            waiting: 0,
        }
    }

    /// Takes one report on both sides; `index` is its place in the files. The clock of a side that does not take it moves
    /// all the same where the other one does: both look at one history.
    pub fn take(&mut self, index: usize, report: &Report) -> Result<Sides<FileVerdict>, StateError> {
        let verdicts = Sides {
            base: self.take_on(Side::Base, index, report.clone())?,
            other: self.take_on(Side::Other, index, report.clone())?,
        };
        let is_taken = |side| matches!(verdicts.of(side), Ok(Taken::Recorded));
        for (side, across) in [(Side::Base, Side::Other), (Side::Other, Side::Base)] {
            if let Some(at) = report.observed_at.filter(|_| is_taken(across) && !is_taken(side)) {
                let projection = self.what_if.projections.of_mut(side);
                let effects = self.effects.of_mut(side);
                self.replays.of_mut(side).flush(projection, effects)?;
                projection.pass(at, effects);
            }
        }
        self.waiting += 1;
        if self.waiting >= PORTION_LEN {
            self.compare()?;
        }
        Ok(verdicts)
    }

    fn take_on(&mut self, side: Side, index: usize, report: Report) -> Result<FileVerdict, StateError> {
        let projection = self.what_if.projections.of_mut(side);
        let effects = self.effects.of_mut(side);
        self.replays.of_mut(side).take(index, report, projection, effects)
    }

    /// Brings both sides to the same instant, and compares.
    fn compare(&mut self) -> Result<(), StateError> {
        for side in [Side::Base, Side::Other] {
            let projection = self.what_if.projections.of_mut(side);
            self.replays.of_mut(side).flush(projection, self.effects.of_mut(side))?;
        }
        self.what_if.comparison.take(std::mem::take(&mut self.effects));
        self.waiting = 0;
        Ok(())
    }

    /// The files have ended.
    pub fn finish(mut self) -> Result<WhatIf, StateError> {
        self.compare()?;
        self.what_if.end(Until::default());
        Ok(self.what_if)
    }
}
