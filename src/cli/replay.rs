//! `kpid replay`: rebuilds scorecards and alerts from a journal or from files. The same input prints the same bytes.

use std::io::{IsTerminal, Write};
use std::path::Path;

use rayon::prelude::*;
use serde::ser::{Serialize, SerializeSeq, Serializer};

use super::args::{ClockChoice, Format, ReplayArgs};
use super::error::CliError;
use super::lines::LineWriter;
use super::output;
use super::progress::Progress;
use super::what_if;
use crate::app::files::FileError;
use crate::app::journal::JournalError;
use crate::app::replay::{ReplayError, ReplayInput, ReplayOutcome, ReplayRequest, Told, replay};
use crate::domain::catalog::Scorecard;
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::projection::ClockKind;
use crate::settings::{LoadOptions, Settings};
use crate::wire::csv::FileForm;
use crate::wire::scorecard::ScorecardBody;
use crate::wire::sorted;

/// Rejections that are said one by one; the rest is counted.
const SAID_MAX: u64 = 10;

/// Nodes of the scorecards that are drawn by one core at once, almost a kilobyte each; a single scorecard may have more.
const PIECE_NODES: usize = 512;

/// Pieces that are drawn while those before them are written.
const PIECES_AHEAD: usize = 32;

/// A scorecard, or an instance of it.
type Name<'a> = (&'a str, Option<&'a InstanceId>);

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

/// Prints one after the other. There may be a hundred thousand instances: all cores draw what comes next while the pieces
/// before it are written.
fn print_scorecards(outcome: &ReplayOutcome, format: Format) -> Result<(), CliError> {
    let names: Vec<Name<'_>> = outcome.names().collect();
    let style = output::Style::of_stdout();
    let draw = |names: &[Name<'_>]| match format {
        Format::Json => drawn_json(outcome, names),
        Format::Table => drawn_tables(outcome, names, style),
    };
    let (begin, between, end) = match format {
        Format::Json => ("[", ",", "\n]\n"),
        Format::Table => ("", "\n", ""),
    };
    let mut stdout = std::io::stdout();
    stdout.write_all(begin.as_bytes())?;
    let mut before = "";
    let mut write = |drawn: &[Vec<u8>]| -> std::io::Result<()> {
        for piece in drawn {
            stdout.write_all(std::mem::replace(&mut before, between).as_bytes())?;
            stdout.write_all(piece)?;
        }
        Ok(())
    };
    let nodes = |name: &Name<'_>| outcome.catalog.scorecard(name.0).map_or(0, Scorecard::node_count);
    let mut drawn: Vec<Vec<u8>> = Vec::new();
    for pieces in pieces(&names, nodes).chunks(PIECES_AHEAD) {
        let next = || {
            pieces
                .par_iter()
                .map(|names| draw(names))
                .collect::<serde_json::Result<_>>()
        };
        let (written, next) = rayon::join(|| write(&drawn), next);
        written?;
        drawn = next.map_err(|error| CliError::failed(error.to_string()))?;
    }
    write(&drawn)?;
    stdout.write_all(end.as_bytes())?;
    stdout.flush()?;
    Ok(())
}

/// Cuts names into pieces of some nodes, at least one name each.
fn pieces<N>(mut names: &[N], nodes: impl Fn(&N) -> usize) -> Vec<&[N]> {
    let mut pieces = Vec::new();
    while !names.is_empty() {
        let mut sum = 0;
        let fit = names.iter().take_while(|name| {
            let is_room = sum < PIECE_NODES;
            sum += nodes(name);
            is_room
        });
        let (piece, rest) = names.split_at(fit.count());
        pieces.push(piece);
        names = rest;
    }
    pieces
}

/// Elements of a list, without what is around them.
fn drawn_json(outcome: &ReplayOutcome, names: &[Name<'_>]) -> serde_json::Result<Vec<u8>> {
    let mut list = sorted::to_vec(&Drawn { outcome, names })?;
    list.truncate(list.len().saturating_sub("\n]".len()));
    list.drain(.."[".len().min(list.len()));
    Ok(list)
}

/// Scorecards as a list, each drawn when its turn comes.
struct Drawn<'a> {
    outcome: &'a ReplayOutcome,
    names: &'a [Name<'a>],
}

impl Serialize for Drawn<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fingerprint = self.outcome.catalog.fingerprint.as_str();
        let mut list = serializer.serialize_seq(Some(self.names.len()))?;
        for picture in self.names.iter().filter_map(|&name| self.outcome.picture(name)) {
            list.serialize_element(&ScorecardBody::new(&picture, fingerprint))?;
        }
        list.end()
    }
}

fn drawn_tables(outcome: &ReplayOutcome, names: &[Name<'_>], style: output::Style) -> serde_json::Result<Vec<u8>> {
    let fingerprint = outcome.catalog.fingerprint.as_str();
    let pictures = names.iter().filter_map(|&name| outcome.picture(name));
    let tables = pictures.map(|picture| {
        let body = serde_json::to_value(ScorecardBody::new(&picture, fingerprint))?;
        Ok(super::scorecard::tree(&body, style))
    });
    Ok(tables.collect::<serde_json::Result<Vec<_>>>()?.join("\n").into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_scorecards_are_drawn_alone_and_small_ones_together() {
        let lens = |nodes: &[usize]| -> Vec<usize> {
            let pieces = pieces(nodes, |nodes| *nodes);
            assert_eq!(pieces.concat(), nodes);
            pieces.iter().map(|piece| piece.len()).collect()
        };
        assert_eq!(lens(&[]), [0; 0]);
        assert_eq!(lens(&[1_044; 3]), [1; 3]);
        assert_eq!(lens(&[17; 100]), [31, 31, 31, 7]);
        assert_eq!(lens(&[1, PIECE_NODES, 1, 0]), [2, 2]);
    }
}
