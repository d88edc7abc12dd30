//! The doctor: which guarantees hold here, and what to do about those that do not.
//!
//! Settings enter, a [`Report`] leaves: one line for each thing that a promise of kpid rests on. What is found is gathered in
//! `disk`, `machine`, `archive` and `nats`; what it means is decided in `judge`, which touches nothing. The only thing ever written is
//! one temporary file in the data folder, which is removed again; the journal is read as any reader reads it, beside a daemon if
//! need be.

mod archive;
mod disk;
mod judge;
mod machine;
mod nats;

use std::time::Duration;

use super::clock::SystemClock;
use crate::ports::Clock;
use crate::settings::{LoadOptions, Settings};
use crate::wire::catalog;

/// How something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// The guarantee holds.
    Ok,
    /// It holds less far than one may think, or soon no more.
    Warning,
    /// It does not hold.
    Problem,
}

impl Level {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Problem => "problem",
        }
    }
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What: `file system`, `journal`, ...
    pub area: &'static str,
    /// How it is.
    pub level: Level,
    /// What was found, and what then holds, in a sentence.
    pub says: String,
    /// What to do about it; empty where it is as it should be.
    pub remedy: String,
}

impl Check {
    fn ok(area: &'static str, says: impl Into<String>) -> Self {
        Self::new(area, Level::Ok, says, "")
    }

    fn warning(area: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(area, Level::Warning, says, remedy)
    }

    fn problem(area: &'static str, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self::new(area, Level::Problem, says, remedy)
    }

    fn new(area: &'static str, level: Level, says: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            area,
            level,
            says: says.into(),
            remedy: remedy.into(),
        }
    }
}

/// What the worst finding means for whoever asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Nothing is a problem.
    Well,
    /// Something is.
    Ill,
    /// Settings or catalog are wrong.
    WrongConfiguration,
    /// The journal is damaged.
    DamagedJournal,
}

/// Everything that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// In the order in which a measurement meets them.
    pub checks: Vec<Check>,
    /// What it comes to.
    pub verdict: Verdict,
}

/// Looks at everything. It takes some seconds: the disk is measured, and servers that do not answer are waited for.
pub fn examine(options: &LoadOptions) -> Report {
    let (settings, problems) = Settings::inspect(options);
    let problems = lines(&problems);
    let mut checks = judge::settings(&problems, &settings.warnings);
    let definitions = definitions(&settings);
    checks.push(judge::catalog(&definitions));
    if !problems.is_empty() {
        // What they name is a stand-in: looking at it would tell of a house that is not meant.
        return report(checks, Verdict::WrongConfiguration);
    }
    let before = (SystemClock.now(), std::time::Instant::now());
    let archive = archive::look(&settings);
    checks.extend(judge::disk(&disk::look(&settings), &settings.journal));
    let is_damaged = archive.is_damaged();
    let now = SystemClock.now();
    let machine = machine::look(now.since(before.0) - millis(before.1.elapsed()));
    checks.extend(judge::journal(&archive));
    checks.push(judge::state(&archive));
    checks.extend(judge::limits(&machine, &settings, archive.series()));
    checks.extend(judge::clocks(&machine, now, archive.recorded_at()));
    checks.extend(judge::nats(&nats::look(&settings.nats), &settings.nats));
    let answer = machine::ask_daemon(settings.http.listen);
    checks.push(judge::daemon(answer.as_ref(), archive.is_held()));
    let verdict = match (is_damaged, definitions.is_err()) {
        (true, _) => Verdict::DamagedJournal,
        (false, true) => Verdict::WrongConfiguration,
        (false, false) => Verdict::Well,
    };
    report(checks, verdict)
}

fn report(checks: Vec<Check>, verdict: Verdict) -> Report {
    let is_ill = checks.iter().any(|check| check.level == Level::Problem);
    let verdict = verdict.max(if is_ill { Verdict::Ill } else { Verdict::Well });
    Report { checks, verdict }
}

/// How many scorecards, KPIs and rules there are, or everything that is wrong with them.
type Definitions = Result<(usize, usize, usize), Vec<String>>;

fn definitions(settings: &Settings) -> Definitions {
    let files = settings.catalog_files().map_err(|problems| lines(&problems))?;
    let catalog = catalog::parse(&files).map_err(|problems| lines(&problems))?;
    Ok((catalog.scorecards.len(), catalog.kpis.len(), catalog.rules.len()))
}

fn lines(problems: &[impl ToString]) -> Vec<String> {
    problems.iter().map(ToString::to_string).collect()
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}
