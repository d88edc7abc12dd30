//! ARCHIVE, the truth (docs follow).

mod block;
mod bytes;
mod column;
mod facts;
mod file_journal;
mod files;
mod inspect;
mod memory;
mod reader;
mod recovery;
mod segment;
mod text;

pub use file_journal::{FileJournal, JournalOptions, SEGMENT_BYTES_DEFAULT};
pub use files::{DiskFiles, FileHandle, Files};
pub use inspect::{JournalStat, Progress, VerifyReport, stat, verify};
pub use memory::MemoryJournal;
pub use reader::open_reader;

#[cfg(test)]
mod tests;
