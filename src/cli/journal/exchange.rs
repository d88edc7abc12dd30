//! `kpid journal export` and `import`: facts to files that others read, and back.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use super::args::{ExportArgs, FormChoice, ImportArgs};
use super::{folder, refused};
use crate::app::journal::{self, ExchangeError, ExportRange, Exported, RecordForm};
use crate::cli::error::CliError;
use crate::cli::output;
use crate::cli::progress::Progress;
use crate::settings::Settings;

/// Writes the facts of a journal.
pub(super) fn export(args: &ExportArgs) -> Result<(), CliError> {
    let folder = folder(&args.folder)?;
    let form = match args.format {
        FormChoice::Ndjson => RecordForm::Ndjson,
        FormChoice::Parquet => RecordForm::Parquet,
    };
    let range = ExportRange {
        from: args.from,
        to: args.to,
    };
    let is_stdout = args.output == Path::new("-");
    let out: Box<dyn Write + Send> = if is_stdout {
        Box::new(BufWriter::with_capacity(1 << 16, std::io::stdout()))
    } else {
        Box::new(BufWriter::with_capacity(1 << 18, create(&args.output)?))
    };
    let exported = write(&folder, (form, range), out).map_err(|error| {
        if !is_stdout {
            // Half an export is taken for a whole one sooner or later.
            let _ = std::fs::remove_file(&args.output);
        }
        error_of(error)
    })?;
    said(&exported);
    Ok(())
}

fn create(path: &Path) -> Result<File, CliError> {
    let shown = path.display();
    File::create(path).map_err(|error| CliError::failed(format!("{shown} cannot be created: {error}")))
}

fn write(
    folder: &Path,
    (form, range): (RecordForm, ExportRange),
    out: Box<dyn Write + Send>,
) -> Result<Exported, ExchangeError> {
    let progress = Progress::of("exporting");
    let mut sink = form.sink(out)?;
    let told = &mut |done, total| progress.told(done, total);
    let exported = journal::export(folder, range, &mut *sink, told)?;
    sink.finish()?;
    Ok(exported)
}

fn said(exported: &Exported) {
    if let Some(up_to) = exported.trimmed {
        output::say(&format!(
            "the history up to sequence {up_to} was trimmed: the export begins behind it, and cannot be imported"
        ));
    }
    match exported.first.zip(exported.last) {
        Some((first, last)) => output::say(&format!("{} facts, sequences {first} to {last}", exported.facts)),
        None => output::say("no fact is in that range"),
    }
}

/// Makes a journal of exported files.
pub(super) fn import(args: &ImportArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.folder.settings().load_options())?;
    let folder = args.folder.journal.clone().unwrap_or_else(|| settings.journal_dir());
    let progress = Progress::of("importing");
    let told = &mut |done, total| progress.told(done, total);
    let imported = journal::import(&folder, &args.files, settings.journal.segment_bytes, told);
    drop(progress);
    let imported = imported.map_err(error_of)?;
    output::say(&format!(
        "{} facts imported into {}, head {}",
        imported.facts,
        folder.display(),
        imported.head_hash
    ));
    Ok(())
}

fn error_of(error: ExchangeError) -> CliError {
    match error {
        ExchangeError::Journal(error) => refused(error),
        ExchangeError::Write(error) if error.kind() == std::io::ErrorKind::BrokenPipe => CliError::PipeClosed,
        ExchangeError::NotEmpty(_) | ExchangeError::Nothing | ExchangeError::Read { .. } => {
            CliError::wrong(error.to_string())
        }
        other => CliError::failed(other.to_string()),
    }
}
