//! Replays for the command line: a journal or files in, readings, alerts and scorecards out.
//!
//! It builds the corridor without its ends. Nothing is written but what the caller is told.

use std::path::PathBuf;
use std::sync::Arc;

use super::definitions::{JournalFolder, TomlDefinitions};
use super::trim::projection_of;
use crate::domain::alert::AlertView;
use crate::domain::board::Picture;
use crate::domain::catalog::{Catalog, CatalogFile};
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::{DAY_MS, Instant};
use crate::domain::measurement::{AdmitLimits, Rejection};
use crate::domain::movers::Movers;
use crate::domain::projection::{ClockKind, Effects, ExplainQuestion, Explained, Projection, ProjectionOptions};
use crate::domain::series_names::SeriesNames;
use crate::ingest::file::{FileError, FileForm, FileReports};
use crate::journal::{FileArchive, Trims};
use crate::pipeline::activation::{ActivationError, Activations};
use crate::pipeline::ahead::ReadAhead;
use crate::pipeline::ledger::{Ledger, LedgerLimits};
use crate::pipeline::lookup::{Limits, movers};
use crate::pipeline::replay::{FileReplay, Following, Until, replay_blocks};
use crate::ports::{JournalError, StateError};
use crate::state::MemorySeenIds;
use crate::wire::catalog::Problem;

/// What to replay.
#[derive(Debug, Clone)]
pub enum ReplayInput {
    /// The blocks of a journal's folder.
    Journal(PathBuf),
    /// Measurements of files, one file after the other.
    Files(Vec<PathBuf>, FileForm),
}

/// How to replay.
#[derive(Debug, Clone)]
pub struct ReplayRequest {
    /// What.
    pub input: ReplayInput,
    /// Under which definitions; those that the journal names last when `None`.
    pub catalog: Option<Vec<CatalogFile>>,
    /// By which clock.
    pub clock: ClockKind,
    /// Up to which instant, or with `known_at` the instant that is looked at.
    pub at: Option<Instant>,
    /// Journals: facts recorded later are not taken, and with the recorded clock what is due until then happens.
    pub known_at: Option<Instant>,
    /// Up to which fact.
    pub until: Option<Sequence>,
    /// Measurements older than this are only counted, ms; `None` keeps all.
    pub history_ms: Option<i64>,
    /// Tell changes of readings.
    pub with_readings: bool,
}

/// What a replay tells on its way.
pub enum Told<'a> {
    /// Readings and alerts, in order.
    Effects(Effects),
    /// The journal was trimmed up to here; true where the state there is the beginning, false where what was before is missing.
    Trimmed(Sequence, bool),
    /// A measurement of a file that was not taken: file, line or record, reason.
    Rejected(&'a std::path::Path, u64, &'a Rejection),
    /// Measurements so far.
    Progress(u64),
}

/// Where a replay ended.
pub struct ReplayOutcome {
    /// Definitions it ran under.
    pub catalog: Arc<Catalog>,
    /// What is known at the end.
    projection: Projection,
    /// An instant of the past at which it is looked at.
    past: Option<Instant>,
    /// Pending and firing alerts.
    pub alerts: Vec<AlertView>,
    /// Facts taken.
    pub facts: u64,
    /// Measurements not taken.
    pub rejected: u64,
}

impl ReplayOutcome {
    /// Every scorecard, and every instance of it behind it.
    pub fn names(&self) -> impl Iterator<Item = (&str, Option<&InstanceId>)> {
        self.catalog.scorecards.iter().flat_map(|scorecard| {
            let id = scorecard.id.as_str();
            let instances = self.projection.instance_names(id, "").map(Some);
            std::iter::once(None).chain(instances).map(move |name| (id, name))
        })
    }

    /// One scorecard, or one instance of it.
    pub fn picture(&self, name: (&str, Option<&InstanceId>)) -> Option<Picture> {
        self.picture_of(name, self.past)
    }

    /// The same of another instant than the replay's own, from what is known at its end.
    pub fn picture_of(
        &self,
        (scorecard, instance): (&str, Option<&InstanceId>),
        at: Option<Instant>,
    ) -> Option<Picture> {
        match at {
            None => self.projection.picture_now(scorecard, instance),
            Some(at) => self.projection.picture_at(scorecard, instance, at),
        }
    }
}

/// Why a replay has no outcome.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The journal cannot be read, or is damaged.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// A file cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The catalog is wrong: one line a problem.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))]
    Catalog(Vec<Problem>),
    /// What was asked for was dropped by retention.
    #[error(
        "the journal's history up to sequence {up_to} (recorded until {recorded_at}) was trimmed: ask for a later instant or sequence"
    )]
    Trimmed {
        /// Last sequence dropped.
        up_to: Sequence,
        /// When it was recorded.
        recorded_at: Instant,
    },
    /// There is no such folder.
    #[error("there is no journal in `{0}`: name its folder with --journal")]
    NoJournal(String),
    /// There is no catalog.
    #[error("{0} names no catalog: give one with --catalog")]
    NoCatalog(String),
    /// Definitions in the journal cannot be read.
    #[error("{0}: replay with --catalog, or by the version of kpid that wrote it")]
    Definitions(ActivationError),
    /// The memory of ids failed.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Limits of a replay from files: there is no sender to protect from, and no instant of receipt from which on an id could
/// be forgotten.
pub(super) const FILE_LIMITS: LedgerLimits = LedgerLimits {
    dedup_window_ms: i64::MAX,
    series_max: u32::MAX,
};

/// Runs a replay to its end; `told` hears of everything in order.
pub fn replay(request: &ReplayRequest, told: &mut (dyn FnMut(Told<'_>) + Send)) -> Result<ReplayOutcome, ReplayError> {
    // By one of the threads that share the work: whoever stands outside falls asleep and is woken with every span.
    rayon::scope(|_| match &request.input {
        ReplayInput::Files(paths, form) => replay_files(request, paths, form, told),
        ReplayInput::Journal(folder) => replay_journal(request, folder, told),
    })
}

pub(super) fn parse(files: &[CatalogFile]) -> Result<Arc<Catalog>, ReplayError> {
    crate::wire::catalog::parse(files)
        .map(Arc::new)
        .map_err(ReplayError::Catalog)
}

pub(super) fn projection(request: &ReplayRequest, catalog: &Arc<Catalog>) -> Projection {
    let options = ProjectionOptions {
        clock: request.clock,
        history_ms: request.history_ms,
        with_readings: request.with_readings,
    };
    Projection::new(Arc::clone(catalog), options)
}

fn replay_files(
    request: &ReplayRequest,
    paths: &[PathBuf],
    form: &FileForm,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<ReplayOutcome, ReplayError> {
    let files = request
        .catalog
        .as_deref()
        .ok_or_else(|| ReplayError::NoCatalog("a file".to_owned()))?;
    let catalog = parse(files)?;
    let mut projection = projection(request, &catalog);
    let ledger = Ledger::new(Box::new(MemorySeenIds::default()), SeriesNames::default(), FILE_LIMITS);
    let mut replay = FileReplay::new(Arc::clone(&catalog), AdmitLimits::default(), ledger);
    let (mut index, mut rejected) = (0, 0);
    for path in paths {
        for numbered in FileReports::open(path, form.clone())? {
            let (line, report) = numbered?;
            let mut effects = Effects::default();
            let verdict = match report {
                Ok(report) if report.observed_at > request.at && request.at.is_some() => continue,
                Ok(report) => replay.take(index, report, &mut projection, &mut effects)?,
                Err((reason, detail)) => Err(Rejection { index, reason, detail }),
            };
            if let Err(rejection) = &verdict {
                rejected += 1;
                told(Told::Rejected(path, line, rejection));
            }
            index += 1;
            told(Told::Progress(index as u64));
            told(Told::Effects(effects));
        }
    }
    let mut effects = Effects::default();
    replay.flush(&mut projection, &mut effects)?;
    projection.finish(&mut effects);
    told(Told::Effects(effects));
    Ok(outcome(request, catalog, projection, rejected))
}

fn replay_journal(
    request: &ReplayRequest,
    folder: &std::path::Path,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<ReplayOutcome, ReplayError> {
    // Only the end is looked at.
    let is_forgetful = request.clock != ClockKind::Recorded && request.at.is_none();
    let (catalog, mut projection) = played(request, (folder, is_forgetful), told)?;
    let mut effects = Effects::default();
    projection.finish(&mut effects);
    told(Told::Effects(effects));
    Ok(outcome(request, catalog, projection, 0))
}

/// The change of a node as a journal has it, and what moved it; `None` when there is no such node.
pub fn explain(
    request: &ReplayRequest,
    folder: &std::path::Path,
    question: &ExplainQuestion,
) -> Result<Option<(Explained, Movers, Arc<Catalog>)>, ReplayError> {
    let (catalog, projection) = played(request, (folder, false), &mut |_| {})?;
    let Some((explained, search)) = projection.explain(question) else {
        return Ok(None);
    };
    let limits = Limits {
        max_future_ms: DAY_MS,
        facts_max: u64::MAX,
    };
    let movers = movers(&FileArchive::open(folder), &search, limits);
    Ok(Some((explained, movers, catalog)))
}

/// The projection at the end of a journal, or where the request ends it; it may have forgotten what no window sees any more.
fn played(
    request: &ReplayRequest,
    (folder, is_forgetful): (&std::path::Path, bool),
    told: &mut dyn FnMut(Told<'_>),
) -> Result<(Arc<Catalog>, Projection), ReplayError> {
    if !folder.is_dir() {
        return Err(ReplayError::NoJournal(folder.display().to_string()));
    }
    let is_recorded = request.clock == ClockKind::Recorded;
    let blocks = crate::journal::open_reader(folder, Sequence(1))?;
    // Blocks are read already while definitions are.
    let mut reader = if is_recorded || request.known_at.is_some() {
        ReadAhead::new(blocks)
    } else {
        ReadAhead::joined(blocks)
    };
    let catalog = match &request.catalog {
        Some(files) => parse(files)?,
        None => Arc::new(Catalog::empty()),
    };
    let mut projection = begin(request, folder, &catalog, told)?;
    if is_forgetful {
        projection.look_only_at_the_end();
    }
    let history = Arc::new(JournalFolder(folder.to_owned()));
    let mut activations = Activations::new(Arc::new(TomlDefinitions), history);
    let following = match &request.catalog {
        Some(_) => Following::One,
        None => Following::Journal(&mut activations),
    };
    if let Some(at) = request.at.filter(|_| !is_recorded) {
        projection.look_no_further_than(at);
    }
    let until = Until {
        sequence: request.until,
        at: request.known_at.or(request.at.filter(|_| is_recorded)),
    };
    replay_blocks(
        &mut reader,
        (&mut projection, following),
        until,
        &mut |effects, progress| {
            told(Told::Progress(progress.facts));
            told(Told::Effects(effects));
        },
    )?;
    // Its blocks are large, and giving memory back takes time: nobody need wait for it.
    rayon::spawn(move || drop(reader));
    let catalog = Arc::clone(projection.catalog());
    if catalog.files.is_empty() {
        return Err(ReplayError::NoCatalog(folder.display().to_string()));
    }
    Ok((catalog, projection))
}

/// The projection with which a replay of a journal begins: an empty one, or where it was trimmed the state at the cut.
/// Under other definitions and by another clock that state does not hold: then only what was kept is told, and that it is so.
fn begin(
    request: &ReplayRequest,
    folder: &std::path::Path,
    catalog: &Arc<Catalog>,
    told: &mut dyn FnMut(Told<'_>),
) -> Result<Projection, ReplayError> {
    let empty = projection(request, catalog);
    let Some(base) = Trims::of(folder).base()? else {
        return Ok(empty);
    };
    let (up_to, recorded_at) = (base.block.last(), base.block.recorded_at);
    let is_recorded = request.clock == ClockKind::Recorded;
    let is_before = request.until.is_some_and(|until| until < up_to)
        || is_recorded && request.at.is_some_and(|at| at < recorded_at);
    if is_before {
        return Err(ReplayError::Trimmed { up_to, recorded_at });
    }
    let begun = (is_recorded && request.catalog.is_none())
        .then(|| projection_of(&base, empty.options()))
        .flatten();
    told(Told::Trimmed(up_to, begun.is_some()));
    Ok(begun.map_or(empty, |(projection, _)| projection))
}

impl From<ActivationError> for ReplayError {
    fn from(error: ActivationError) -> Self {
        match error {
            ActivationError::Journal(error) => Self::Journal(error),
            other @ ActivationError::Definitions { .. } => Self::Definitions(other),
        }
    }
}

fn outcome(request: &ReplayRequest, catalog: Arc<Catalog>, projection: Projection, rejected: u64) -> ReplayOutcome {
    ReplayOutcome {
        catalog,
        alerts: projection.alerts(),
        facts: projection.sequence().0,
        rejected,
        projection,
        // An instant of the event clock is looked at through the slices, up to the end of each; so is one that is not that of
        // knowing.
        past: request
            .at
            .filter(|_| request.clock != ClockKind::Recorded || request.known_at.is_some()),
    }
}
