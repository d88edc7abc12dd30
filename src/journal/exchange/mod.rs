//! A journal to files that others read, and back: NDJSON and Parquet, one [`Record`] a fact.
//!
//! Blocks enter and files leave, or files enter and a journal leaves, with the same facts, sequences, series and instants.
//! Both stream: memory does not grow with the journal. What is imported becomes a journal as a whole or not at all.

mod columns;
mod draft;
mod export;
mod import;
mod parquet_file;
mod parquet_source;

use std::path::PathBuf;

pub use export::{ExportRange, Exported, Place, RecordForm, RecordSink, export};
pub use import::{Imported, import};
pub(super) use import::{has_journal, install, remove};

use crate::ports::JournalError;

/// Why an export or an import did not come to its end.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// What is written to failed.
    #[error("the export cannot be written: {0}: free space, or choose another --output")]
    Write(std::io::Error),
    /// A record has no form.
    #[error("the fact at sequence {sequence} cannot be told: {reason}")]
    Untellable {
        /// Which.
        sequence: u64,
        /// Why.
        reason: String,
    },
    /// A file that was to be read.
    #[error("{}: {source}: name files of `kpid journal export`", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A line or row that is not what an export writes.
    #[error("{}:{line}: {reason}: nothing was imported", path.display())]
    Broken {
        /// Which file.
        path: PathBuf,
        /// Line or row, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
    /// There is a journal already.
    #[error("there is a journal in {} already: import into an empty folder, or move this one away", .0.display())]
    NotEmpty(PathBuf),
    /// There is nothing to import.
    #[error("the files hold no fact: name files of `kpid journal export`, in their order")]
    Nothing,
}
