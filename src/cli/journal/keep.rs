//! `kpid journal backup`, `restore`, `trim` and `compact`.

use serde_json::{Value, json};

use super::args::{BackupArgs, RestoreArgs, SurveyArgs, TrimArgs};
use super::{folder, refused};
use crate::app::journal::{self, ActivationError, Backup, BackupError, TrimWish};
use crate::cli::args::{Format, SettingsArgs};
use crate::cli::ask::Daemon;
use crate::cli::error::CliError;
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::settings::Settings;

/// Copies a journal.
pub(super) fn backup(args: &BackupArgs) -> Result<(), CliError> {
    let from = folder(&args.folder)?;
    let progress = Progress::of("backing up");
    let told = &mut |done, total| progress.told(done, total);
    let made = journal::backup(&from, &args.to, told);
    drop(progress);
    let made = made.map_err(error_of)?;
    let manifest = &made.manifest;
    match args.format {
        Format::Table => output::print(&words(&made, &args.to.display().to_string())),
        Format::Json => output::print(&format!(
            "{:#}\n",
            json!({
                "backup": args.to.display().to_string(),
                "first": manifest.first,
                "last": manifest.last,
                "head_hash": manifest.head_hash,
                "segments": manifest.segments.len(),
                "copied_segments": made.copied,
                "copied_bytes": made.bytes,
            })
        )),
    }
}

fn words(made: &Backup, to: &str) -> String {
    let (manifest, copied) = (&made.manifest, output::bytes(made.bytes));
    format!(
        "{to}: sequences {} to {} in {} segments, proved; copied now: {} segments, {copied}\nhead {}\n",
        manifest.first,
        manifest.last,
        manifest.segments.len(),
        made.copied,
        manifest.head_hash,
    )
}

/// Puts a backup in place.
pub(super) fn restore(args: &RestoreArgs) -> Result<(), CliError> {
    let settings = SettingsArgs {
        config: args.config.clone(),
        data_dir: args.data_dir.clone(),
        catalog: None,
    };
    let settings = Settings::load(&settings.load_options())?;
    let (journal, state) = (settings.journal_dir(), settings.state_dir());
    let progress = Progress::of("restoring");
    let told = &mut |done, total| progress.told(done, total);
    let restored = journal::restore(&args.from, (&journal, &state), told);
    drop(progress);
    let restored = restored.map_err(error_of)?;
    output::print(&format!(
        "{}: sequences {} to {}, proved; start it with `kpid serve`\nhead {}\n",
        journal.display(),
        restored.first,
        restored.last,
        restored.head_hash
    ))
}

fn error_of(error: BackupError) -> CliError {
    match error {
        BackupError::Journal(error) => refused(error),
        BackupError::NotEmpty(_) | BackupError::NoBackup { .. } | BackupError::Empty(_) => {
            CliError::wrong(error.to_string())
        }
        other => CliError::failed(other.to_string()),
    }
}

/// Drops the beginning of a journal: of the one that a daemon runs, or of one that nobody runs.
pub(super) fn trim(args: &TrimArgs) -> Result<(), CliError> {
    let answer = match &args.journal {
        None => Daemon::at(&args.server)?.post_json("/api/v1/journal/trim", &asked(args))?,
        Some(_) => trim_stopped(args)?,
    };
    match args.format {
        Format::Json => output::print(&format!("{answer:#}\n")),
        Format::Table => output::print(&told(&answer)),
    }
}

fn asked(args: &TrimArgs) -> Value {
    let mut body = serde_json::Map::new();
    if let Some(before) = args.before {
        body.insert("before".to_owned(), before.to_string().into());
    }
    if let Some(bytes) = args.keep_bytes {
        body.insert("keep_bytes".to_owned(), bytes.into());
    }
    body.into()
}

fn trim_stopped(args: &TrimArgs) -> Result<Value, CliError> {
    let settings = SettingsArgs {
        config: args.config.clone(),
        ..SettingsArgs::default()
    };
    let settings = Settings::load(&settings.load_options())?;
    let place = super::args::FolderArgs {
        journal: args.journal.clone(),
        ..super::args::FolderArgs::default()
    };
    let wish = TrimWish {
        before: args.before,
        keep_bytes: args.keep_bytes,
    };
    let outcome = journal::trim_stopped(&folder(&place)?, &settings, wish).map_err(|error| match error {
        ActivationError::Journal(error) => refused(error),
        other @ ActivationError::Definitions { .. } => CliError::failed(other.to_string()),
    })?;
    Ok(json!({
        "up_to": outcome.up_to.map(|sequence| sequence.0),
        "sequence": outcome.sequence.map(|sequence| sequence.0),
        "segments": outcome.segments,
        "bytes": outcome.bytes,
        "held": outcome.held,
    }))
}

/// What was dropped, and why no more.
fn told(answer: &Value) -> String {
    let number = |key: &str| answer.get(key).and_then(Value::as_u64);
    let mut words = match (number("up_to"), number("sequence")) {
        (Some(up_to), Some(sequence)) => format!(
            "trimmed up to sequence {up_to}: {} segments, {}; the journal says so at sequence {sequence}\n",
            number("segments").unwrap_or_default(),
            output::bytes(number("bytes").unwrap_or_default()),
        ),
        _ => "nothing was trimmed\n".to_owned(),
    };
    if let Some(held) = answer.get("held").and_then(Value::as_str) {
        words += "the next segment stays: ";
        words += held;
        words.push('\n');
    }
    words
}

/// Gives reserved room back.
pub(super) fn compact(args: &SurveyArgs) -> Result<(), CliError> {
    let folder = folder(&args.folder)?;
    let settings = Settings::load(&args.folder.settings().load_options())?;
    let bytes = journal::give_room_back(&folder, &settings).map_err(refused)?;
    match args.format {
        Format::Json => output::print(&format!("{:#}\n", json!({ "given_back_bytes": bytes }))),
        Format::Table => output::print(&format!(
            "{} given back; blocks are never written anew, so that their hashes go on proving them\n",
            output::bytes(bytes)
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_read_what_went_and_why_no_more() {
        let went = json!({"up_to": 7, "sequence": 12, "segments": 2, "bytes": 2048, "held": null});
        assert_eq!(
            told(&went),
            "trimmed up to sequence 7: 2 segments, 2 KiB; the journal says so at sequence 12\n"
        );
        let held = json!({"up_to": null, "sequence": null, "segments": 0, "bytes": 0, "held": "ids"});
        assert_eq!(told(&held), "nothing was trimmed\nthe next segment stays: ids\n");
    }
}
