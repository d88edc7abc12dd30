//! Export: the facts of a journal as lines or columns.

use std::io::Write;
use std::path::Path;

use super::ExchangeError;
use super::parquet_file::ParquetSink;
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::journal::inspect::Progress;
use crate::journal::open_reader;
use crate::journal::trim::Trims;
use crate::wire::record::{Record, Recorder, line};

/// Where a range begins or ends, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At this fact.
    Sequence(Sequence),
    /// At what was recorded at this instant.
    Instant(Instant),
}

/// Which facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ExportRange {
    /// From here on.
    pub from: Option<Place>,
    /// Up to here.
    pub to: Option<Place>,
}

/// In which form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordForm {
    /// One JSON object a line.
    Ndjson,
    /// Columns, compressed by zstd.
    Parquet,
}

/// What was exported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exported {
    /// Facts.
    pub facts: u64,
    /// Sequence of the first.
    pub first: Option<Sequence>,
    /// Sequence of the last.
    pub last: Option<Sequence>,
    /// Last sequence that retention dropped, where it was asked for too.
    pub trimmed: Option<Sequence>,
}

/// Takes records in order.
pub trait RecordSink {
    /// The next one.
    fn take(&mut self, record: &Record<'_>) -> Result<(), ExchangeError>;

    /// There are no more: everything is written.
    fn finish(self: Box<Self>) -> Result<(), ExchangeError>;
}

impl RecordForm {
    /// A sink that writes in this form.
    pub fn sink(self, out: Box<dyn Write + Send>) -> Result<Box<dyn RecordSink>, ExchangeError> {
        Ok(match self {
            Self::Ndjson => Box::new(LineSink(out)),
            Self::Parquet => Box::new(ParquetSink::new(out)?),
        })
    }
}

/// One JSON object a line.
struct LineSink(Box<dyn Write + Send>);

impl RecordSink for LineSink {
    fn take(&mut self, record: &Record<'_>) -> Result<(), ExchangeError> {
        let mut line = line(record).map_err(|error| untellable(record, &error))?;
        line.push('\n');
        self.0.write_all(line.as_bytes()).map_err(ExchangeError::Write)
    }

    fn finish(mut self: Box<Self>) -> Result<(), ExchangeError> {
        self.0.flush().map_err(ExchangeError::Write)
    }
}

pub(super) fn untellable(record: &Record<'_>, reason: &impl ToString) -> ExchangeError {
    ExchangeError::Untellable {
        sequence: record.sequence.unwrap_or(record.block),
        reason: reason.to_string(),
    }
}

impl From<serde_json::Error> for ExchangeError {
    fn from(error: serde_json::Error) -> Self {
        Self::Untellable {
            sequence: 0,
            reason: error.to_string(),
        }
    }
}

/// Tells the facts of the journal in a folder, beside a daemon if need be. `progress` hears of facts done and in all.
pub fn export(
    dir: &Path,
    range: ExportRange,
    sink: &mut dyn RecordSink,
    progress: Progress<'_>,
) -> Result<Exported, ExchangeError> {
    let end = last_of(dir)?;
    let first = Trims::of(dir).first()?;
    let mut exported = Exported::default();
    if first > Sequence(1) && range.from.is_none_or(|from| begins_before(from, first)) {
        exported.trimmed = Some(Sequence(first.0 - 1));
    }
    let mut recorder = Recorder::default();
    // Series are named where they are first used, so that all blocks are read, whatever is told.
    let mut reader = open_reader(dir, Sequence(1))?;
    while let Some(block) = reader.next_block()? {
        if block.first < first {
            // The base of a trim stands for facts that are gone; it is none itself.
            recorder.learn(&block);
            continue;
        }
        let Some(wanted) = range.of(&block) else { break };
        recorder.tell(&block, wanted, &mut |record| {
            if let Some(sequence) = record.sequence.map(Sequence) {
                exported.facts += 1;
                exported.first.get_or_insert(sequence);
                exported.last = Some(sequence);
            }
            sink.take(record)
        })?;
        progress(block.last().0, end);
    }
    progress(end, end);
    Ok(exported)
}

fn begins_before(from: Place, first: Sequence) -> bool {
    match from {
        Place::Sequence(sequence) => sequence < first,
        // What was trimmed may have been recorded then.
        Place::Instant(_) => true,
    }
}

/// The last sequence there is now, as far as it is cheap to find out: that of the last segment's name at least.
fn last_of(dir: &Path) -> Result<u64, ExchangeError> {
    let archive = crate::journal::FileArchive::open(dir);
    let end = crate::ports::Archive::first_since(&archive, Instant(i64::MAX))?;
    Ok(end.0.saturating_sub(1).max(1))
}

impl ExportRange {
    /// The sequences that are wanted of a block; `None` when neither it nor anything behind it is.
    fn of(&self, block: &Block) -> Option<(Sequence, Sequence)> {
        const NONE: (Sequence, Sequence) = (Sequence(u64::MAX), Sequence(0));
        let to = match self.to {
            Some(Place::Sequence(to)) if block.first > to => return None,
            Some(Place::Sequence(to)) => to,
            Some(Place::Instant(to)) if block.recorded_at > to => return None,
            None | Some(Place::Instant(_)) => Sequence(u64::MAX),
        };
        Some(match self.from {
            Some(Place::Sequence(from)) => (from, to),
            Some(Place::Instant(from)) if block.recorded_at < from => NONE,
            None | Some(Place::Instant(_)) => (Sequence::ZERO, to),
        })
    }
}
