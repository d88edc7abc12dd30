//! `kpid journal`: looking after a journal. What is in it, the proof that all of it fits, exports, backups, retention.
//!
//! A folder enters, figures leave as a table or JSON; damage ends with exit code 3, the place and the sequences in doubt.
//! What only reads works beside a running daemon.

pub mod args;
mod exchange;
mod keep;

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::Format;
use super::error::CliError;
use super::output::{self, Cell, Style};
use super::progress::Progress;
use crate::app::journal::{self, JournalError, JournalStat};
use crate::settings::Settings;

pub use args::{FolderArgs, JournalArgs, JournalCommand, SurveyArgs};

/// Does what was asked for.
pub fn run(args: &JournalArgs) -> Result<(), CliError> {
    match &args.command {
        JournalCommand::Stat(args) => survey(args, journal::stat, ("journal", "reading")),
        JournalCommand::Verify(args) => survey(args, journal::verify, ("verified", "proving")),
        JournalCommand::Export(args) => exchange::export(args),
        JournalCommand::Import(args) => exchange::import(args),
        JournalCommand::Backup(args) => keep::backup(args),
        JournalCommand::Restore(args) => keep::restore(args),
        JournalCommand::Trim(args) => keep::trim(args),
        JournalCommand::Compact(args) => keep::compact(args),
    }
}

/// Prints the figures of a journal, after proving it when asked to.
fn survey(args: &SurveyArgs, stat: Survey, (title, doing): (&str, &'static str)) -> Result<(), CliError> {
    let folder = folder(&args.folder)?;
    let progress = Progress::of(doing);
    let stat = stat(&folder, &mut |done, total| progress.told(done, total));
    drop(progress);
    let stat = stat.map_err(refused)?;
    match args.format {
        Format::Json => output::print(&format!("{:#}\n", body(&folder, &stat))),
        Format::Table => output::print(&output::table(&rows(title, &folder, &stat), Style::of_stdout())),
    }
}

/// One of the two ways to walk over a journal.
type Survey = fn(&Path, journal::Progress<'_>) -> Result<JournalStat, JournalError>;

/// The folder named, or the one of the settings. One without a journal is a wrong argument, not an empty journal.
fn folder(place: &FolderArgs) -> Result<PathBuf, CliError> {
    let folder = if let Some(folder) = &place.journal {
        folder.clone()
    } else {
        Settings::load(&place.settings().load_options())?.journal_dir()
    };
    if folder.is_dir() {
        Ok(folder)
    } else {
        let shown = folder.display();
        Err(CliError::wrong(format!(
            "there is no journal in `{shown}`: name its folder with --journal"
        )))
    }
}

fn refused(error: JournalError) -> CliError {
    match error {
        JournalError::Damaged { .. } => CliError::Damaged(error.to_string()),
        other => CliError::failed(other.to_string()),
    }
}

fn body(folder: &Path, stat: &JournalStat) -> serde_json::Value {
    json!({
        "journal": folder.display().to_string(),
        "segments": stat.segments,
        "bytes": stat.bytes,
        "reserved_bytes": stat.reserved_bytes,
        "blocks": stat.blocks,
        "facts": stat.facts,
        "measurements": stat.measurements,
        "series": stat.series,
        "first": stat.first.map(|sequence| sequence.0),
        "last": stat.last.map(|sequence| sequence.0),
        "first_recorded_at": stat.first_recorded_at.map(|instant| instant.to_string()),
        "last_recorded_at": stat.last_recorded_at.map(|instant| instant.to_string()),
        "head_hash": stat.head_hash,
        "incomplete_bytes": stat.incomplete_bytes,
        "trimmed": stat.trimmed.as_ref().map(|trimmed| json!({
            "up_to": trimmed.up_to.0,
            "recorded_at": trimmed.recorded_at.to_string(),
            "named_at": trimmed.named_at.map(|sequence| sequence.0),
        })),
    })
}

fn rows(title: &str, folder: &Path, stat: &JournalStat) -> Vec<Vec<Cell>> {
    let range = |first: Option<String>, last: Option<String>| match (first, last) {
        (Some(first), Some(last)) => format!("{first} to {last}"),
        _ => "none".to_owned(),
    };
    let sequences = range(stat.first.map(|s| s.to_string()), stat.last.map(|s| s.to_string()));
    let recorded = range(
        stat.first_recorded_at.map(|at| at.to_string()),
        stat.last_recorded_at.map(|at| at.to_string()),
    );
    let per_fact = if stat.facts == 0 {
        0.0
    } else {
        stat.bytes as f64 / stat.facts as f64
    };
    let size = format!("{} in {} segments", output::bytes(stat.bytes), stat.segments);
    let mut lines = vec![
        (title, folder.display().to_string()),
        (
            "facts",
            format!("{}, of which {} measurements", stat.facts, stat.measurements),
        ),
        ("series", stat.series.to_string()),
        ("sequences", sequences),
        ("recorded", recorded),
        ("blocks", stat.blocks.to_string()),
        ("size", format!("{size}, {} bytes a fact", output::number(per_fact, 1))),
        ("head", stat.head_hash.clone()),
    ];
    if let Some(trimmed) = &stat.trimmed {
        let named = trimmed.named_at.map_or_else(String::new, |at| {
            format!("; proved from the trim on that sequence {at} names")
        });
        let words = format!(
            "up to sequence {}, recorded {}{named}",
            trimmed.up_to, trimmed.recorded_at
        );
        lines.push(("trimmed", words));
    }
    if stat.incomplete_bytes > 0 {
        let words = format!(
            "{} bytes behind the last block: a write was interrupted or is running",
            stat.incomplete_bytes
        );
        lines.push(("incomplete", words));
    }
    lines
        .into_iter()
        .map(|(name, text)| vec![Cell::text(name), Cell::text(text)])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::id::Sequence;
    use crate::domain::instant::Instant;

    fn sample() -> JournalStat {
        JournalStat {
            segments: 2,
            bytes: 3_000,
            blocks: 3,
            facts: 100,
            measurements: 98,
            series: 7,
            first: Some(Sequence(1)),
            last: Some(Sequence(100)),
            first_recorded_at: Some(Instant(0)),
            last_recorded_at: Some(Instant(1_000)),
            head_hash: "ab12".to_owned(),
            incomplete_bytes: 12,
            ..JournalStat::default()
        }
    }

    #[test]
    fn a_journal_is_told_in_lines_that_people_read() {
        let shown = output::table(&rows("journal", Path::new("data/journal"), &sample()), Style::PLAIN);
        let expected = "\
journal     data/journal
facts       100, of which 98 measurements
series      7
sequences   1 to 100
recorded    1970-01-01T00:00:00Z to 1970-01-01T00:00:01Z
blocks      3
size        2.9 KiB in 2 segments, 30 bytes a fact
head        ab12
incomplete  12 bytes behind the last block: a write was interrupted or is running
";
        assert_eq!(shown, expected, "\n{shown}");
        let body = body(Path::new("data/journal"), &sample());
        assert_eq!(
            (&body["last"], &body["last_recorded_at"]),
            (&json!(100), &json!("1970-01-01T00:00:01Z"))
        );
    }

    #[test]
    fn damage_has_an_exit_code_of_its_own() {
        let damaged = JournalError::Damaged {
            from: Sequence(4),
            to: Sequence(9),
            path: "x".to_owned(),
            reason: "checksum".to_owned(),
        };
        assert_eq!(refused(damaged).exit_code(), 3);
        assert_eq!(refused(JournalError::Poisoned).exit_code(), 1);
    }
}
