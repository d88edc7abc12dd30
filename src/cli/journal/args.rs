//! The words of `kpid journal`.

use std::path::PathBuf;

use clap::{ArgGroup, Args, Subcommand, ValueEnum};

use crate::app::journal::Place;
use crate::cli::args::{Format, SettingsArgs, instant};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;

/// `kpid journal`
#[derive(Debug, Clone, Args)]
pub struct JournalArgs {
    /// What to do.
    #[command(subcommand)]
    pub command: JournalCommand,
}

/// What can be done to a journal.
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// How much is in it, from when to when, in which segments
    Stat(SurveyArgs),
    /// Read all of it and prove checksums and hash chain; damage gives exit code 3 and the sequences in doubt
    #[command(after_help = "A backup is a journal too: kpid journal verify --journal BACKUP")]
    Verify(SurveyArgs),
    /// Write its facts as NDJSON or Parquet, one record a fact
    #[command(after_help = "Examples:\n  \
        kpid journal export --from 2026-03-01T00:00:00Z > march.ndjson\n  \
        kpid journal export --format parquet --output facts.parquet\n  \
        duckdb -c \"select kpi, count(*), sum(value) from 'facts.parquet' group by kpi\"")]
    Export(ExportArgs),
    /// Make a journal of what `export` wrote; only where there is none yet
    Import(ImportArgs),
    /// Copy it to another folder, beside a running daemon too; into an earlier backup only what is new
    #[command(after_help = "The copy ends at a durable block, is proved, synced, and a journal by itself.")]
    Backup(BackupArgs),
    /// Put a backup where a journal is wanted and there is none
    Restore(RestoreArgs),
    /// Drop its beginning, as far as nothing needs it any more
    #[command(
        after_help = "Whole segments go, from the oldest on, and none that holds a measurement or an id that \
        projection.history, the longest window or journal.dedup_window still needs; why no more goes is said. The state \
        at the cut stays beside the journal, and the journal names it."
    )]
    Trim(TrimArgs),
    /// Give back the room reserved behind its blocks; for a journal that is to be kept and not run
    #[command(
        after_help = "Blocks are never merged or written anew: that would change the hash of every block behind \
        them, and with it the proof that nobody else did. The next start reserves room again."
    )]
    Compact(SurveyArgs),
}

/// Which journal.
#[derive(Debug, Clone, Default, Args)]
pub struct FolderArgs {
    /// Folder of the journal; default: `data_dir/journal` of the settings
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder that holds `journal` (setting `data_dir`, variable `KPID_DATA_DIR`)
    #[arg(long, value_name = "DIR", conflicts_with = "journal")]
    pub data_dir: Option<PathBuf>,
}

impl FolderArgs {
    /// Where the settings come from.
    pub fn settings(&self) -> SettingsArgs {
        SettingsArgs {
            config: self.config.clone(),
            data_dir: self.data_dir.clone(),
            catalog: None,
        }
    }
}

/// `stat`, `verify`, `compact`
#[derive(Debug, Clone, Args)]
pub struct SurveyArgs {
    /// Which journal.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Form of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum FormChoice {
    /// One JSON object a line
    Ndjson,
    /// Columns, for databases and data frames
    Parquet,
}

/// `export`
#[derive(Debug, Clone, Args)]
pub struct ExportArgs {
    /// Which journal.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Form of the export
    #[arg(long, value_enum, default_value_t = FormChoice::Ndjson)]
    pub format: FormChoice,
    /// File to write; `-` is stdout
    #[arg(long, short, value_name = "FILE", default_value = "-")]
    pub output: PathBuf,
    /// From this sequence on, or from what was recorded at this instant on
    #[arg(long, value_name = "SEQUENCE|INSTANT", value_parser = place)]
    pub from: Option<Place>,
    /// Up to this sequence, or up to what was recorded at this instant
    #[arg(long, value_name = "SEQUENCE|INSTANT", value_parser = place)]
    pub to: Option<Place>,
}

/// `import`
#[derive(Debug, Clone, Args)]
pub struct ImportArgs {
    /// What `kpid journal export` wrote, from the first fact on: NDJSON or Parquet, in this order
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,
    /// Which journal to make.
    #[command(flatten)]
    pub folder: FolderArgs,
}

/// `backup`
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Folder of the backup: a new one, or an earlier backup of the same journal
    #[arg(value_name = "TO")]
    pub to: PathBuf,
    /// Which journal.
    #[command(flatten)]
    pub folder: FolderArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `restore`
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Folder of the backup
    #[arg(value_name = "FROM")]
    pub from: PathBuf,
    /// Settings file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Where the journal goes, as `journal` in it (setting `data_dir`, variable `KPID_DATA_DIR`)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
}

/// `trim`
#[derive(Debug, Clone, Args)]
#[command(group = ArgGroup::new("wish").args(["before", "keep_bytes"]).required(true).multiple(true))]
pub struct TrimArgs {
    /// What was recorded before this
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub before: Option<Instant>,
    /// The oldest, until so many bytes of segments are left
    #[arg(long, value_name = "BYTES")]
    pub keep_bytes: Option<u64>,
    /// Address of the daemon that runs the journal; a token is taken from the variable `KPID_HTTP__TOKEN`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8484")]
    pub server: String,
    /// Trim the journal in this folder, which no daemon runs
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub journal: Option<PathBuf>,
    /// With --journal: settings file, for `projection.history` and `journal.dedup_window`
    #[arg(long, value_name = "FILE", requires = "journal")]
    pub config: Option<PathBuf>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Digits are a sequence, anything else is an instant.
fn place(text: &str) -> Result<Place, String> {
    if let Ok(sequence) = text.parse() {
        return Ok(Place::Sequence(Sequence(sequence)));
    }
    let wrong = |error: String| format!("{error}; or a sequence of the journal");
    instant(text).map(Place::Instant).map_err(wrong)
}
