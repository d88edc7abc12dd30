//! `kpid replay`: rebuilds scorecards and alerts from a journal or from files. The same input prints the same bytes.

use std::io::{BufWriter, IsTerminal, Write};
use std::path::Path;

use serde::ser::{SerializeSeq, Serializer};

use super::args::{ClockChoice, Format, ReplayArgs};
use super::error::CliError;
use super::lines::LineWriter;
use super::output;
use super::progress::Progress;
use super::what_if;
use crate::app::files::FileError;
use crate::app::journal::JournalError;
use crate::app::replay::{ReplayError, ReplayInput, ReplayOutcome, ReplayRequest, Told, replay};
use crate::domain::board::Picture;
use crate::domain::id::Sequence;
use crate::domain::projection::ClockKind;
use crate::settings::{LoadOptions, Settings};
use crate::wire::csv::FileForm;
use crate::wire::scorecard::ScorecardBody;

/// Rejections that are said one by one; the rest is counted.
const SAID_MAX: u64 = 10;

/// Bytes of scorecards that are written together: a large one has a megabyte.
const PRINTED_AT_ONCE: usize = 1 << 18;

/// Replays, writes what was asked for, and prints the scorecards.
pub fn run(args: &ReplayArgs) -> Result<(), CliError> {
    let request = request(args)?;
    if let Some(other) = &args.diff {
        return what_if::run((args, other), request);
    }
    let mut lines = LineWriter::create(args.readings.as_deref(), args.alerts.as_deref())?;
    let mut said = Said::over(&request);
    // It is told by another thread than this one: both go there.
    let (writer, speaker) = (&mut lines, &mut said);
    let outcome = replay(&request, &mut move |told| match told {
        Told::Effects(effects) => writer.write(effects),
        Told::Rejected(path, line, rejection) => speaker.rejected(path, line, rejection),
        Told::Trimmed(up_to, is_whole) => output::say(&trimmed(up_to, is_whole)),
        Told::Progress(count) => speaker.progress(count),
    });
    said.end();
    let written = lines.finish();
    let outcome = outcome.map_err(error_of)?;
    written?;
    output::say(&format!(
        "{} measurements and other facts taken, {} rejected",
        outcome.facts, outcome.rejected
    ));
    let printed = print_scorecards(&outcome, args.format);
    // The process ends here: the system takes millions of small pieces back at once, they need not be freed one by one.
    std::mem::forget(outcome);
    printed
}

/// From where on a trimmed journal can speak.
pub(super) fn trimmed(up_to: Sequence, is_whole: bool) -> String {
    if is_whole {
        format!("the history up to sequence {up_to} was trimmed: the replay begins with the state that was kept of it")
    } else {
        format!(
            "the history up to sequence {up_to} was trimmed: under these definitions and this clock windows see only what came after it"
        )
    }
}

fn request(args: &ReplayArgs) -> Result<ReplayRequest, CliError> {
    let every_ms = i64::try_from(args.every.as_millis()).unwrap_or(i64::MAX);
    if every_ms <= 0 {
        return Err(CliError::wrong("--every must be at least 1ms"));
    }
    let clock = match args.clock {
        Some(ClockChoice::Recorded) if !args.input.is_empty() => {
            return Err(CliError::wrong(
                "--clock recorded needs --journal: files do not say when something was recorded",
            ));
        }
        Some(ClockChoice::Recorded) => ClockKind::Recorded,
        None if args.input.is_empty() => ClockKind::Recorded,
        Some(ClockChoice::Event) | None => ClockKind::Event { every_ms },
    };
    let settings = Settings::load(&LoadOptions::of_process(None, Vec::new()))?;
    let catalog = match (&args.catalog, &args.journal) {
        (Some(folder), _) => Some(
            Settings {
                catalog: vec![folder.clone()],
                ..settings.clone()
            }
            .catalog_files()?,
        ),
        (None, Some(_)) => None,
        (None, None) => Some(settings.catalog_files()?),
    };
    let input = match &args.journal {
        Some(folder) => ReplayInput::Journal(folder.clone()),
        None => ReplayInput::Files(args.input.clone(), form(args)?),
    };
    let history_ms = i64::try_from(settings.projection.history.as_millis()).unwrap_or(i64::MAX);
    Ok(ReplayRequest {
        input,
        catalog,
        clock,
        at: args.at,
        known_at: args.known_at,
        until: args.until,
        history_ms: (clock == ClockKind::Recorded).then_some(history_ms),
        with_readings: args.readings.is_some(),
    })
}

fn form(args: &ReplayArgs) -> Result<FileForm, CliError> {
    let words = args.form.words(None);
    FileForm::new(&words).map_err(|error| CliError::wrong(error.to_string()))
}

/// The exit code of a replay that has no outcome.
pub(super) fn error_of(error: ReplayError) -> CliError {
    match error {
        ReplayError::Catalog(problems) => CliError::Wrong(problems.iter().map(ToString::to_string).collect()),
        ReplayError::NoCatalog(_)
        | ReplayError::NoJournal(_)
        | ReplayError::File(FileError::Columns { .. } | FileError::Array { .. }) => CliError::wrong(error.to_string()),
        ReplayError::Journal(damaged @ JournalError::Damaged { .. }) => CliError::Damaged(damaged.to_string()),
        other => CliError::failed(other.to_string()),
    }
}

/// What is said on stderr on the way.
pub(super) struct Said {
    rejected: u64,
    progress: Progress,
}

impl Said {
    /// Nothing was said yet of a replay.
    pub(super) fn over(request: &ReplayRequest) -> Self {
        let total = match (&request.input, request.until) {
            (ReplayInput::Files(..), _) => None,
            (_, Some(until)) => Some(until.0),
            // Looking for the end takes some 30 ms, for a bar that only a terminal shows.
            (ReplayInput::Journal(folder), None) if std::io::stderr().is_terminal() => {
                let end = crate::app::journal::end(folder).ok();
                end.map(|end| end.tail.next.0.saturating_sub(1))
            }
            (ReplayInput::Journal(_), None) => None,
        };
        Self {
            rejected: 0,
            progress: Progress::over(total),
        }
    }

    pub(super) fn rejected(&mut self, path: &Path, line: u64, rejection: &crate::domain::measurement::Rejection) {
        self.rejected += 1;
        if self.rejected <= SAID_MAX {
            let reason = rejection.reason.word();
            self.progress
                .say(&format!("{}:{line}: {reason}: {}", path.display(), rejection.detail));
        }
    }

    pub(super) fn progress(&self, count: u64) {
        self.progress.reached(count);
    }

    pub(super) fn end(&self) {
        self.progress.finish();
        if self.rejected > SAID_MAX {
            output::say(&format!("... and {} more rejections", self.rejected - SAID_MAX));
        }
    }
}

/// Prints one after the other: there may be a hundred thousand instances.
fn print_scorecards(outcome: &ReplayOutcome, format: Format) -> Result<(), CliError> {
    let fingerprint = outcome.catalog.fingerprint.as_str();
    let failed = |error: serde_json::Error| CliError::failed(error.to_string());
    let body = |picture: Picture| ScorecardBody::new(&picture, fingerprint).into_value().map_err(failed);
    let mut stdout = BufWriter::with_capacity(PRINTED_AT_ONCE, std::io::stdout().lock());
    match format {
        Format::Json => {
            let mut serializer = serde_json::Serializer::pretty(&mut stdout);
            let mut list = serializer.serialize_seq(None).map_err(std::io::Error::from)?;
            for picture in outcome.pictures() {
                let body = body(picture)?;
                list.serialize_element(&body).map_err(std::io::Error::from)?;
                // It is thousands of small pieces: nobody need wait until they are given back.
                rayon::spawn(move || drop(body));
            }
            list.end().map_err(std::io::Error::from)?;
            writeln!(stdout)?;
        }
        Format::Table => {
            let style = output::Style::of_stdout();
            for (index, picture) in outcome.pictures().enumerate() {
                let space = if index == 0 { "" } else { "\n" };
                write!(stdout, "{space}{}", super::scorecard::tree(&body(picture)?, style))?;
            }
        }
    }
    stdout.flush()?;
    Ok(())
}
