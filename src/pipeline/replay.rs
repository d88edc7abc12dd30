//! Replay: the live corridor without source and sink. The same `apply`; nothing to acknowledge, nobody to publish to.
//!
//! Blocks come from a journal's reader, or are drafted from reports of files by the same admission and the same ledger
//! that act for the daemon.

use std::sync::Arc;

use super::activation::{ActivationError, Activations};
use super::ledger::{Ledger, Taken};
use crate::domain::admit::Admission;
use crate::domain::catalog::Catalog;
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::{AdmitLimits, Rejection, Report};
use crate::domain::projection::{Effects, Projection};
use crate::ports::{BlockReader, JournalError, StateError};

/// Where a replay ends.
#[derive(Debug, Clone, Copy, Default)]
pub struct Until {
    /// Last fact to take.
    pub sequence: Option<Sequence>,
    /// Recorded clock: last instant. Facts recorded later are not taken, and the clock is moved to it at the end.
    pub at: Option<Instant>,
}

/// How a replay is going.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Facts taken.
    pub facts: u64,
}

/// Whose definitions a replay follows.
pub enum Following<'a> {
    /// Those of the projection, from the first fact to the last.
    One,
    /// Those that the journal names, each from its activation on.
    Journal(&'a mut Activations),
}

impl Following<'_> {
    pub(super) fn apply(
        &mut self,
        projection: &mut Projection,
        block: &Block,
        effects: &mut Effects,
    ) -> Result<(), ActivationError> {
        match self {
            Self::One => projection.apply(block, effects),
            Self::Journal(activations) => {
                activations.apply(projection, block, effects)?;
            }
        }
        Ok(())
    }
}

/// Replays blocks into a projection; `told` sees what came of each, in order.
pub fn replay_blocks(
    reader: &mut dyn BlockReader,
    (projection, mut following): (&mut Projection, Following<'_>),
    until: Until,
    told: &mut dyn FnMut(Effects, Progress),
) -> Result<(), ActivationError> {
    let mut progress = Progress::default();
    let taken = loop {
        let block = match next_block(reader, until, projection.sequence()) {
            Ok(Some(block)) => block,
            end => break end.map(drop).map_err(ActivationError::from),
        };
        let mut effects = Effects::default();
        if let Err(error) = following.apply(projection, &block, &mut effects) {
            break Err(error);
        }
        progress.facts += block.len();
        reader.take_back(block);
        told(effects, progress);
    };
    // Where the journal ends in damage, too, all that came before is told.
    let mut rest = Effects::default();
    projection.tell_waiting(&mut rest);
    told(rest, progress);
    taken?;
    if let Some(at) = until.at {
        let mut effects = Effects::default();
        projection.advance(at, &mut effects);
        told(effects, progress);
    }
    Ok(())
}

/// The next block of a replay that has applied `applied`, cut where the replay ends; `None` at its end.
pub(super) fn next_block(
    reader: &mut dyn BlockReader,
    until: Until,
    applied: Sequence,
) -> Result<Option<Block>, JournalError> {
    while let Some(block) = reader.next_block()? {
        let is_over = until.at.is_some_and(|at| block.recorded_at > at);
        if is_over || until.sequence.is_some_and(|last| last < block.first) {
            return Ok(None);
        }
        if let Some(block) = cut(block, until.sequence).filter(|block| block.first > applied) {
            return Ok(Some(block));
        }
    }
    Ok(None)
}

/// The part of a block up to a sequence.
fn cut(mut block: Block, until: Option<Sequence>) -> Option<Block> {
    let Some(until) = until.filter(|until| *until < block.last()) else {
        return Some(block);
    };
    if until < block.first {
        return None;
    }
    // A fact beside the measurements has those before it, and the others of its kind before it.
    let facts = (until.0 - block.first.0 + 1) as usize;
    let before = block
        .others
        .iter()
        .zip(0..)
        .map(|((rows, _), others)| *rows as usize + others);
    let others = before.take_while(|before| *before < facts).count();
    block.others.truncate(others);
    block.measurements.truncate(facts - others);
    Some(block)
}

/// Reports of files on their way into a projection.
pub struct FileReplay {
    catalog: Arc<Catalog>,
    limits: AdmitLimits,
    ledger: Ledger,
    source: Arc<str>,
    block: Block,
    clock: Instant,
}

/// Measurements a drafted block holds. The outcome does not depend on it.
const BLOCK_LEN: u64 = 4_096;

/// What became of a report.
pub type FileVerdict = Result<Taken, Rejection>;

impl FileReplay {
    /// A replay of files under a catalog. The ledger is a fresh one.
    pub fn new(catalog: Arc<Catalog>, limits: AdmitLimits, ledger: Ledger) -> Self {
        let block = Block {
            first: Sequence(1),
            ..Block::default()
        };
        // A file has no arrival: nothing in it can be ahead of it.
        let limits = AdmitLimits {
            future_ms_max: None,
            ..limits
        };
        Self {
            catalog,
            limits,
            ledger,
            source: "file".into(),
            block,
            clock: Instant::EARLIEST,
        }
    }

    /// Takes one report; `index` is its place in the file.
    pub fn take(
        &mut self,
        index: usize,
        report: Report,
        projection: &mut Projection,
        effects: &mut Effects,
    ) -> Result<FileVerdict, StateError> {
        let received_at = report.observed_at.unwrap_or(self.clock);
        let admission = Admission {
            catalog: &self.catalog,
            limits: &self.limits,
            received_at,
            default_source: &self.source,
        };
        let submission = match admission.admit(index, report) {
            Ok(submission) => submission,
            Err(rejection) => return Ok(Err(rejection)),
        };
        // The event clock stands for `recorded_at`. What is not taken does not move it.
        let now = self.clock.max(received_at);
        self.block.recorded_at = now;
        let verdict = self.ledger.draft(&mut self.block, index, submission)?;
        if matches!(verdict, Ok(Taken::Recorded)) {
            self.clock = now;
        }
        self.block.recorded_at = self.clock;
        if self.block.len() >= BLOCK_LEN {
            self.flush(projection, effects)?;
        }
        Ok(verdict)
    }

    /// Applies what is drafted.
    pub fn flush(&mut self, projection: &mut Projection, effects: &mut Effects) -> Result<(), StateError> {
        let next = Block {
            first: self.block.first.plus(self.block.len()),
            series_base: self.ledger.series_count(),
            ..Block::default()
        };
        let block = std::mem::replace(&mut self.block, next);
        self.ledger.committed(&block)?;
        projection.apply(&block, effects);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::fact::{Entry, Fact, SeriesNumber};
    use crate::domain::id::KpiId;
    use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};
    use crate::domain::projection::{ClockKind, ProjectionOptions};
    use crate::domain::samples::{SLICE_MS, catalog, plain_kpi};

    /// Measurement 5, trim 6, measurements 7 and 8, trim 9.
    fn block() -> Block {
        let mut block = Block {
            first: Sequence(5),
            ..Block::default()
        };
        let trimmed = || Fact::HistoryTrimmed {
            up_to: Sequence(1),
            hash: [0; 32],
            base: None,
        };
        for value in [5.0, 7.0, 8.0] {
            let instants = (Instant(0), Instant(0));
            block.measurements.push(
                SeriesNumber(0),
                instants,
                &MeasuredValue::Number(value),
                Extra::default(),
            );
        }
        block.others = vec![(1, trimmed()), (3, trimmed())];
        block
    }

    fn kinds(block: &Block) -> Vec<Option<f64>> {
        let value = |entry: Entry<'_>| match entry {
            Entry::Measurement(row) => Some(row.value),
            Entry::Other(_) => None,
        };
        block.entries().map(|(_, entry)| value(entry)).collect()
    }

    #[test]
    fn a_block_is_cut_after_any_of_its_facts() {
        let whole = kinds(&block());
        assert_eq!(whole, [Some(5.0), None, Some(7.0), Some(8.0), None]);
        for (count, last) in (5..=9).enumerate() {
            let part = cut(block(), Some(Sequence(last))).unwrap();
            assert_eq!((part.last(), kinds(&part)), (Sequence(last), whole[..=count].to_vec()));
        }
    }

    #[test]
    fn a_block_beyond_the_end_is_left_out_and_one_before_it_stays_whole() {
        assert_eq!(cut(block(), Some(Sequence(4))), None);
        assert_eq!(cut(block(), Some(Sequence(10))), Some(block()));
        assert_eq!(cut(block(), None), Some(block()));
    }

    /// One block, then damage.
    struct Torn(Option<Block>);

    impl BlockReader for Torn {
        fn next_block(&mut self) -> Result<Option<Block>, JournalError> {
            self.0
                .take()
                .map_or(Err(JournalError::Poisoned), |block| Ok(Some(block)))
        }
    }

    #[test]
    fn all_that_came_before_damage_is_told() {
        let told = |looks_only_at_the_end: bool| {
            let mut whole = Block {
                first: Sequence(1),
                ..Block::default()
            };
            whole.new_series.push(SeriesKey {
                kpi: KpiId::parse("k").unwrap(),
                source: "s".into(),
                each: None,
            });
            for row in 0..200 {
                let columns = &mut whole.measurements;
                columns.extend_numbers(&[0], &[row * SLICE_MS / 20], Instant(0), &[row as f64]);
            }
            let options = ProjectionOptions {
                clock: ClockKind::Event { every_ms: SLICE_MS },
                history_ms: None,
                with_readings: true,
            };
            let mut projection = Projection::new(catalog(plain_kpi(), None), options);
            if looks_only_at_the_end {
                projection.look_only_at_the_end();
            }
            let mut readings = Vec::new();
            let ended = replay_blocks(
                &mut Torn(Some(whole)),
                (&mut projection, Following::One),
                Until::default(),
                &mut |effects, _| readings.extend(effects.readings),
            );
            assert!(ended.is_err());
            format!("{readings:?}")
        };
        assert!(told(false).len() > 1_000);
        assert_eq!(told(true), told(false));
    }
}
