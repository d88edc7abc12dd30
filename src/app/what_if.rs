//! What-if replays: one history under two catalogs, for the command line and for whoever asks the daemon.
//!
//! A request enters, what differs leaves. The daemon answers from a thread of its own that reads the journal beside the
//! writer: it shares nothing with the corridor, and has no way to take in or publish anything.

mod asked;

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::definitions::{JournalFolder, TomlDefinitions};
use super::replay::{FILE_LIMITS, ReplayError, ReplayInput, ReplayRequest, Told, parse, projection};
use crate::domain::catalog::{Catalog, CatalogFile};
use crate::domain::comparison::{Compared, Comparison, Sides};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::{AdmitLimits, Rejection};
use crate::domain::projection::ClockKind;
use crate::domain::series_names::SeriesNames;
use crate::ingest::file::FileReports;
use crate::journal::{Trims, open_reader};
use crate::pipeline::activation::Activations;
use crate::pipeline::ahead::ReadAhead;
use crate::pipeline::ledger::{Ledger, Taken};
use crate::pipeline::replay::{FileReplay, Following, Until};
use crate::pipeline::what_if::{FilesWhatIf, WhatIf};
use crate::state::MemorySeenIds;
use crate::wire::csv::FileForm;

pub(super) use asked::Asked;

/// What to compare.
#[derive(Debug, Clone)]
pub struct WhatIfRequest {
    /// The history, the clock, and the definitions of the base: those given, or else those that the journal names.
    pub replay: ReplayRequest,
    /// The other definitions.
    pub other: Vec<CatalogFile>,
    /// What happened before is folded and not counted.
    pub from: Option<Instant>,
}

/// What a comparison of two catalogs found.
#[derive(Debug)]
pub struct WhatIfOutcome {
    /// Definitions of both sides in the end.
    pub catalogs: Sides<Arc<Catalog>>,
    /// What differs.
    pub compared: Compared,
    /// Where the clock of the base stands in the end; `None` when nothing happened.
    pub at: Option<Instant>,
    /// The last fact; of files, of the side that took more.
    pub sequence: Sequence,
    /// Measurements of files that a side did not take.
    pub rejected: Sides<u64>,
}

/// Hears of what happens on the way, and may break off.
pub type Hearing<'a> = &'a mut dyn FnMut(Told<'_>) -> ControlFlow<()>;

/// Folds the history under both catalogs. `None` when `told` broke off.
pub fn what_if(request: &WhatIfRequest, told: Hearing<'_>) -> Result<Option<WhatIfOutcome>, ReplayError> {
    let other = parse(&request.other)?;
    match &request.replay.input {
        ReplayInput::Journal(folder) => of_journal(request, folder, &other, told),
        ReplayInput::Files(paths, form) => of_files(request, (paths, form), &other, told),
    }
}

/// Two projections, of which nothing is known yet. What they say is heard by the comparison alone.
fn begin(request: &WhatIfRequest, base: &Arc<Catalog>, other: &Arc<Catalog>) -> WhatIf {
    let replay = ReplayRequest {
        with_readings: true,
        ..request.replay.clone()
    };
    let mut projections = Sides {
        base: projection(&replay, base),
        other: projection(&replay, other),
    };
    if let Some(at) = replay.at.filter(|_| replay.clock != ClockKind::Recorded) {
        projections.base.look_no_further_than(at);
        projections.other.look_no_further_than(at);
    }
    WhatIf {
        projections,
        comparison: Comparison::new(request.from),
    }
}

fn of_journal(
    request: &WhatIfRequest,
    folder: &Path,
    other: &Arc<Catalog>,
    told: Hearing<'_>,
) -> Result<Option<WhatIfOutcome>, ReplayError> {
    if !folder.is_dir() {
        return Err(ReplayError::NoJournal(folder.display().to_string()));
    }
    let first = Trims::of(folder).first()?;
    if first > Sequence(1) && told(Told::Trimmed(Sequence(first.0 - 1), false)).is_break() {
        return Ok(None);
    }
    let base = match &request.replay.catalog {
        Some(files) => parse(files)?,
        None => Arc::new(Catalog::empty()),
    };
    let mut what_if = begin(request, &base, other);
    let mut activations = Activations::new(Arc::new(TomlDefinitions), Arc::new(JournalFolder(folder.to_owned())));
    let following = match &request.replay.catalog {
        Some(_) => Following::One,
        None => Following::Journal(&mut activations),
    };
    let until = Until {
        sequence: request.replay.until,
        at: request
            .replay
            .at
            .filter(|_| request.replay.clock == ClockKind::Recorded),
    };
    let mut reader = ReadAhead::new(open_reader(folder, Sequence(1))?);
    let walked = what_if.fold_blocks(&mut reader, following, until, &mut |progress| {
        told(Told::Progress(progress.facts))
    })?;
    if walked.is_break() {
        return Ok(None);
    }
    if what_if.projections.base.catalog().files.is_empty() {
        return Err(ReplayError::NoCatalog(folder.display().to_string()));
    }
    Ok(Some(outcome(what_if, Sides::default())))
}

fn of_files(
    request: &WhatIfRequest,
    (paths, form): (&[PathBuf], &FileForm),
    other: &Arc<Catalog>,
    told: Hearing<'_>,
) -> Result<Option<WhatIfOutcome>, ReplayError> {
    let files = request.replay.catalog.as_deref();
    let base = parse(files.ok_or_else(|| ReplayError::NoCatalog("a file".to_owned()))?)?;
    let replay = |catalog: &Arc<Catalog>| {
        let ledger = Ledger::new(Box::new(MemorySeenIds::default()), SeriesNames::default(), FILE_LIMITS);
        FileReplay::new(Arc::clone(catalog), AdmitLimits::default(), ledger)
    };
    let replays = Sides {
        base: replay(&base),
        other: replay(other),
    };
    let mut what_if = FilesWhatIf::new(begin(request, &base, other), replays);
    let (mut index, mut rejected) = (0, Sides::<u64>::default());
    for path in paths {
        for numbered in FileReports::open(path, form.clone())? {
            let (line, report) = numbered?;
            let verdicts = match report {
                Ok(report) if request.replay.at.is_some_and(|at| report.observed_at > Some(at)) => continue,
                Ok(report) => what_if.take(index, &report)?,
                Err((reason, detail)) => {
                    let verdict: Result<Taken, _> = Err(Rejection { index, reason, detail });
                    Sides {
                        base: verdict.clone(),
                        other: verdict,
                    }
                }
            };
            rejected.base += u64::from(verdicts.base.is_err());
            rejected.other += u64::from(verdicts.other.is_err());
            index += 1;
            let refused = verdicts.base.err().or(verdicts.other.err());
            let heard = refused.map(|rejection| told(Told::Rejected(path, line, &rejection)));
            let is_over = heard.is_some_and(|heard| heard.is_break());
            if is_over || told(Told::Progress(index as u64)).is_break() {
                return Ok(None);
            }
        }
    }
    Ok(Some(outcome(what_if.finish()?, rejected)))
}

fn outcome(what_if: WhatIf, rejected: Sides<u64>) -> WhatIfOutcome {
    let WhatIf {
        projections,
        comparison,
    } = what_if;
    let at = projections.base.at().max(projections.other.at());
    WhatIfOutcome {
        catalogs: Sides {
            base: Arc::clone(projections.base.catalog()),
            other: Arc::clone(projections.other.catalog()),
        },
        compared: comparison.finish(),
        at: Some(at).filter(|at| *at != Instant(i64::MIN)),
        sequence: projections.base.sequence().max(projections.other.sequence()),
        rejected,
    }
}
