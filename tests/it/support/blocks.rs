//! Journals in memory: a stream cut into blocks by the ledger that acts for the daemon, and what a projection makes of
//! them.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a story that cannot be told is a broken test, which shall end loudly"
)]

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use kpid::domain::admit::Admission;
use kpid::domain::catalog::Catalog;
use kpid::domain::fact::{Block, Fact};
use kpid::domain::id::Sequence;
use kpid::domain::instant::{DAY_MS, Instant};
use kpid::domain::measurement::{AdmitLimits, Report};
use kpid::domain::projection::{ClockKind, Effects, Projection, ProjectionOptions};
use kpid::domain::series_names::SeriesNames;
use kpid::ingest::file::{FileForm, FileReports};
use kpid::journal::MemoryJournal;
use kpid::pipeline::ledger::{Ledger, LedgerLimits};
use kpid::ports::Journal;
use kpid::state::MemorySeenIds;

use super::replays::catalog_files;
use crate::reference::File;

/// How a stream is cut: for one block after the other, its lines, and by how much it is recorded later than what is in
/// it and before it; over again from the first when they are used up.
pub type Cuts = Vec<(usize, i64)>;

/// A catalog with the blocks of a journal.
pub struct Story {
    pub catalog: Arc<Catalog>,
    pub blocks: Vec<Block>,
}

/// Reads, admits and records a stream.
pub fn story(files: &[File], ndjson: &str, cuts: &Cuts) -> Story {
    story_with(files, ndjson, cuts, &[])
}

/// The same, with the activation of another catalog before the block of each number, or at the end where there are not so
/// many. What is taken in is judged by the first catalog all the way.
pub fn story_with(files: &[File], ndjson: &str, cuts: &Cuts, others: &[(usize, &Catalog)]) -> Story {
    let catalog = kpid::wire::catalog::parse(&catalog_files(files)).map(Arc::new).unwrap();
    let limits = LedgerLimits {
        dedup_window_ms: 100_000 * DAY_MS,
        series_max: u32::MAX,
    };
    let mut ledger = Ledger::new(Box::new(MemorySeenIds::default()), SeriesNames::default(), limits);
    let mut journal = MemoryJournal::default();
    let reports = reports(ndjson);
    // Some lines are refused for instants far away: most are of the stream's own time.
    let mut instants: Vec<Instant> = reports.iter().filter_map(|report| report.observed_at).collect();
    instants.sort_unstable();
    let begin = instants.get(instants.len() / 2).copied().unwrap_or(Instant::EARLIEST);
    let mut reports = reports.into_iter().peekable();
    let mut others = others.iter().peekable();
    for (number, (lines, delay_ms)) in cuts.iter().cycle().enumerate() {
        while let Some((_, other)) = others.next_if(|(before, _)| *before <= number) {
            journal.append(&activation(&journal, other, begin)).unwrap();
        }
        if reports.peek().is_none() {
            break;
        }
        let part: Vec<Report> = reports.by_ref().take(*lines).collect();
        let block = block(&catalog, &mut ledger, (&journal, *delay_ms), part);
        if !block.is_empty() {
            ledger.committed(&block).unwrap();
            journal.append(&block).unwrap();
        }
    }
    for (_, other) in others {
        journal.append(&activation(&journal, other, begin)).unwrap();
    }
    let mut reader = journal.read_from(Sequence(1)).unwrap();
    let blocks = std::iter::from_fn(|| reader.next_block().unwrap()).collect();
    Story { catalog, blocks }
}

/// A block which says that a catalog holds, a millisecond after the journal's end; in an empty journal at `begin`.
fn activation(journal: &MemoryJournal, catalog: &Catalog, begin: Instant) -> Block {
    let tail = journal.tail();
    let fact = Fact::CatalogActivated {
        fingerprint: catalog.fingerprint.clone(),
        files: catalog.files.clone(),
    };
    Block {
        first: tail.next,
        recorded_at: match tail.next {
            Sequence(1) => begin,
            _ => tail.recorded_at.plus_ms(1),
        },
        series_base: tail.series,
        others: vec![(0, fact)],
        ..Block::default()
    }
}

fn reports(ndjson: &str) -> Vec<Report> {
    let mut input = tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap();
    input.write_all(ndjson.as_bytes()).unwrap();
    let lines = FileReports::open(input.path(), FileForm::default()).unwrap();
    lines.filter_map(|line| line.unwrap().1.ok()).collect()
}

fn block(
    catalog: &Catalog,
    ledger: &mut Ledger,
    (journal, delay_ms): (&MemoryJournal, i64),
    part: Vec<Report>,
) -> Block {
    let limits = AdmitLimits {
        future_ms_max: None,
        ..AdmitLimits::default()
    };
    let (source, received_at): (Arc<str>, _) = ("file".into(), Instant::EARLIEST);
    let admission = Admission {
        catalog,
        limits: &limits,
        received_at,
        default_source: &source,
    };
    let (first, mut now) = (journal.tail().next, journal.tail().recorded_at);
    let mut block = Block {
        first,
        recorded_at: now,
        series_base: ledger.series_count(),
        ..Block::default()
    };
    for (index, report) in part.into_iter().enumerate() {
        let observed_at = report.observed_at.filter(|_| report.retracts.is_none());
        // What is refused leaves no trace.
        let Ok(submission) = admission.admit(index, report) else {
            continue;
        };
        if ledger.draft(&mut block, index, submission).unwrap().is_ok() {
            now = now.max(observed_at.unwrap_or(now));
        }
    }
    block.recorded_at = now.plus_ms(delay_ms);
    block
}

/// How a projection of everything runs.
pub fn options(clock: ClockKind) -> ProjectionOptions {
    ProjectionOptions {
        clock,
        history_ms: None,
        with_readings: true,
    }
}

impl Story {
    /// An empty projection of its catalog.
    pub fn projection(&self, clock: ClockKind) -> Projection {
        Projection::new(Arc::clone(&self.catalog), options(clock))
    }

    /// When its last block was recorded.
    pub fn end(&self) -> Instant {
        self.blocks.last().map_or(Instant::EARLIEST, |block| block.recorded_at)
    }
}

/// Everything that was told, to the last bit: numbers are written so that they come back as they are.
#[derive(Debug, Default, Clone, PartialEq)]
pub struct Told {
    readings: Vec<String>,
    transitions: Vec<String>,
}

impl Told {
    /// Takes effects in.
    pub fn add(&mut self, effects: &Effects) {
        self.readings
            .extend(effects.readings.iter().map(|reading| format!("{reading:?}")));
        let transitions = effects.transitions.iter();
        self.transitions
            .extend(transitions.map(|transition| format!("{transition:?}")));
    }

    /// What was told after the part that is known already.
    pub fn after(&self, known: &Self) -> Self {
        Self {
            readings: self.readings[known.readings.len()..].to_vec(),
            transitions: self.transitions[known.transitions.len()..].to_vec(),
        }
    }

    /// `Ok` when both told the same; else the first difference.
    pub fn same(&self, other: &Self) -> Result<(), String> {
        same(&self.readings, &other.readings).and_then(|()| same(&self.transitions, &other.transitions))
    }
}

fn same(one: &[String], other: &[String]) -> Result<(), String> {
    let mut places = 0..one.len().max(other.len());
    places
        .find(|place| one.get(*place) != other.get(*place))
        .map_or(Ok(()), |place| {
            Err(format!(
                "line {place} differs:\n{:?}\n{:?}",
                one.get(place),
                other.get(place)
            ))
        })
}

/// The whole state of a projection, as a checkpoint would keep it.
pub fn image(projection: &mut Projection) -> BTreeMap<u64, Vec<u64>> {
    projection.forget_saved();
    projection.take_image(0).into_iter().collect()
}
