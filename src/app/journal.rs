//! Looking after a journal that nobody runs, or beside the daemon: what the command line needs of the archive.
//!
//! Only names are passed on: adapters are named in this room and in no other.

pub use crate::journal::{JournalEnd, JournalStat, Progress, end, stat, verify};
pub use crate::ports::JournalError;
