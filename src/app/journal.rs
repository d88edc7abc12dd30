//! Looking after a journal that nobody runs, or beside the daemon: what the command line needs of the archive.
//!
//! Mostly names are passed on: adapters are named in this room and in no other.

use std::path::Path;

pub use super::trim::{give_room_back, trim_stopped};
pub use crate::journal::{
    Backup, BackupError, ExchangeError, ExportRange, Exported, Imported, JournalEnd, JournalStat, Place, Progress,
    RecordForm, end, export, import, restore, stat, verify,
};
pub use crate::pipeline::activation::ActivationError;
pub use crate::ports::{JournalError, TrimOutcome, TrimWish};

use super::clock::SystemClock;
use crate::ports::Clock;

/// Copies what is new in a journal into a backup; the manifest says when.
pub fn backup(from: &Path, to: &Path, progress: Progress<'_>) -> Result<Backup, BackupError> {
    crate::journal::backup(from, to, SystemClock.now(), progress)
}
