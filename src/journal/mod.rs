//! ARCHIVE, the truth: an append-only journal in plain files, proved by checksums and a hash chain.
//!
//! Blocks enter one after the other and are durable when [`FileJournal`] says so; the same blocks leave, in order, bit for
//! bit, for any number of readers. [`stat`], [`verify`], [`export`], [`import`], [`backup()`], [`restore`]
//! and [`Trims`] look after it. Nothing here ever changes a block, judges
//! a measurement, or continues after a failed write. Why it is not a database: an embedded store promises more than a
//! log needs, and what it does to its tail after a loss of power is its own affair; here a test decides it.
//!
//! # The format, versions 1 to 3
//!
//! So that a stranger can write a reader. All numbers are little-endian; a *varint* is an unsigned LEB128 of at most 64
//! bits; *zigzag* maps 0, -1, 1, -2 to 0, 1, 2, 3; instants are milliseconds since 1970 in UTC.
//!
//! ## Files
//!
//! A journal is a folder of segments and a file `lock`, on which the writer holds an exclusive `flock`. A segment
//! is named by the sequence of its first fact, twenty decimal digits and `.seg`; the first is `00000000000000000001.seg`.
//! It holds whole blocks, one behind the other from its first byte on, then zeros (reserved room, and what was left when
//! the next block did not fit). Only the last segment is ever written to. The next segment is named by the sequence after
//! the last fact of the one before, so a missing one shows. A block larger than a segment has a segment of its own; a
//! segment that holds no fact yet grows instead of being followed, since the name would be the same.
//!
//! ## Blocks
//!
//! A block is one group commit: 88 bytes of header and a body. Its length is a multiple of 8.
//!
//! | offset | bytes | |
//! |---|---|---|
//! | 0 | 4 | magic: `FF 4B 50 4A` |
//! | 4 | 2 | format version: 1, or 2 or 3 where something in it needs that |
//! | 6 | 2 | 0 |
//! | 8 | 8 | sequence of the first fact; where there is none, of the next one |
//! | 16 | 4 | facts |
//! | 20 | 4 | facts that are plain measurements: the rows of the columns |
//! | 24 | 8 | `recorded_at`, signed; never before that of the block before |
//! | 32 | 4 | number of the first new series: those named before, counted |
//! | 36 | 4 | new series |
//! | 40 | 4 | bytes of the body |
//! | 44 | 4 | CRC32C (Castagnoli) of the body |
//! | 48 | 32 | BLAKE3 of the block before, header and body; zeros in the first block |
//! | 80 | 4 | 0 |
//! | 84 | 4 | CRC32C of the 84 bytes before |
//!
//! ## Bodies
//!
//! A body is these sections in this order, then zeros up to a multiple of 8:
//!
//! | section | form | content |
//! |---|---|---|
//! | positions | text | for every source that moved: its name, its position (varint) |
//! | new series | text | each: 1 if it has an instance, else 0; KPI, source; label and instance |
//! | series | column u32 | number of the series |
//! | observed | column i64 | `observed_at` |
//! | waited | column i64 | `recorded_at` of the block minus `received_at` |
//! | shape | column u8 | 0 number, 1 weighted, 2 ratio, 3 word, 4 not applicable, 5 weighted word |
//! | value | column f64 | value or numerator, else 0 |
//! | second | column f64 | weight or denominator, else 0 |
//! | words | text | empty without words; else the number of different words, the words; for every row with one its row, and the place of its word among the different ones, from 0 |
//! | extras | text | for every measurement that has any: its row, an extra |
//! | others | text | for every other fact: the row before which it stands, the fact |
//!
//! A section is one byte of encoding, then, unless it is empty, the length of its payload as a varint, and the payload.
//!
//! A *column* has a number for each row:
//!
//! | encoding | payload of a column |
//! |---|---|
//! | 0 empty | none, and no length: there are no rows |
//! | 1 constant | one word: every row has it |
//! | 2 small | a word a row |
//! | 3 pco | a standalone pco file (<https://github.com/pcodec/pcodec>) of the column's type |
//! | 4 decimal (version 3) | of `f64`: exponent, width, least, exceptions, whole numbers |
//! | 5 forward (version 3) | of `i64`: first, exceptions, steps |
//!
//! A word is a varint: of a whole number the zigzag difference to the row before (of the first row: to 0), of an `f64` its
//! 64 bits with the bytes in reverse order.
//!
//! *Decimal* says numbers as quotients: of a whole number, which is converted to an `f64` exactly, and a power of ten. The
//! exponent of ten is a byte, 0 to 15. The width is a byte, 4 or 8: the whole numbers are a standalone pco file of `u32` or
//! `u64`, how much each is above the least one, which stands before as a zigzag varint. Exceptions are their number as a varint
//! and each the rows between it and the exception before (the first: rows before it) as a varint and the 8 bytes of its `f64`;
//! the whole number of their row means nothing.
//!
//! *Forward* says instants as steps: the first is a zigzag varint, from which the first row goes on; the steps are a standalone
//! pco file of `u32`, and each row is its step above what it goes on from, mostly the row before. Exceptions are their number as
//! a varint and each a varint and a zigzag varint. The former is twice the rows between it and the exception before, and one
//! more if the next row goes on from it, else the next row goes on from what it would have gone on from itself; the latter is the
//! difference to that. The step of their row means nothing.
//!
//! A *text* section holds one run of numbers ("control") and one of UTF-8 ("text"):
//!
//! | encoding | payload of a text section |
//! |---|---|
//! | 0 empty | none, and no length: both runs are empty |
//! | 1 plain | length of control as a varint, control, text |
//! | 2 zstd | length of the plain payload as a varint, then it as one zstd frame |
//!
//! A name, label or other string is its length in bytes as a varint in control and its bytes in text; everything else is in
//! control. What a section lists goes on until both runs are used up. A *row* is a varint: the difference to the row before
//! in the same section (the first: to 0); rows of words and extras ascend, several facts may stand before one row, and those
//! behind the last row have the number of rows.
//!
//! The facts of a block have the sequences from its first on in this order: before each row the facts that stand before it,
//! then the row; last those behind the last row. Numbers of series count from 0 through the whole journal.
//!
//! An *extra* is a byte of flags (1 id, 2 labels, 4 note, 8 by), then what they announce in that order; labels are their
//! number and, each, name and value. A *fact* is a byte and its fields in the order of the table below; instants are zigzag
//! varints, numbers varints, an `f64` is a varint of its bits with the bytes in reverse order; a *place* is sequence, series
//! number, `observed_at`; a *value* is a byte of shape (as in the column), then its one or two `f64`, or its word, of a
//! weighted word both, or nothing; flags are a byte, 0 or 1:
//!
//! | byte | fact | fields |
//! |---|---|---|
//! | 1 | `MeasurementCorrected` | place, corrects, `observed_at`, `received_at`, value, extra |
//! | 2 | `MeasurementRetracted` | place, retracts, `received_at`, extra |
//! | 3 | `CatalogActivated` | fingerprint, number of files; each: name, text |
//! | 4 | `NoteAdded` | about, path, text, by |
//! | 5 | `AlertAcknowledged` | 1 and until, or 0; rule, path, by, reason |
//! | 6 | `SilenceSet` | 1 or 0 for a rule; from, until, id, on, by, reason; the rule |
//! | 7 | `HistoryTrimmed` | up to (sequence), hash (32 bytes) |
//! | 8 | `HistoryTrimmed` (version 2) | up to (sequence), hash (32 bytes), BLAKE3 of the base (32 bytes) |
//!
//! ## Trimmed journals
//!
//! Retention drops whole segments from the oldest on. What stands for them is a file named by the sequence of the first
//! fact kept, twenty decimal digits and `.base`; a journal that does not begin with sequence 1 begins with one. It holds:
//!
//! | bytes | |
//! |---|---|
//! | a block | at the last sequence dropped, recorded then: all new series so far, the positions of all sources, one `CatalogActivated` with the definitions that held; in its header the hash of the last block dropped |
//! | 4 | magic: `FF 4B 50 53` |
//! | 4 | CRC32C of the zstd frame |
//! | 8 | bytes of the frame's content |
//! | the rest | a zstd frame: for each part of the projection there its key, its number of words, the words; all of 64 bits |
//!
//! The first block kept continues that block in sequence, series and `recorded_at`, and by the hash in its header. Further
//! on a `HistoryTrimmed` of version 2 names the sequence, that hash, and the BLAKE3 of the whole base file, so that the
//! base is proved by the chain. The words of the state mean what the kpid that wrote them means; part `12 << 56` holds the
//! number of their form, and who does not know it begins with the block alone, which needs no state.
//!
//! The order of a trim: the base is made durable as `base.draft`, takes its name, the fact is appended, the old segments go
//! from the oldest on, each for sure before the next, and then the base before. So at any moment the segments from the
//! first on that is number 1 or has a base are a whole journal. Whoever opens it for writing finishes: a base that no
//! fact names goes, and what stands before a base that is named goes.
//!
//! ## Backups
//!
//! A backup is such a folder without `lock`, its segments cut behind their last block, and `backup.json`: see
//! [`crate::wire::manifest`]. It may begin earlier than the journal that it was made of.
//!
//! ## Reading after a crash
//!
//! Blocks are written one after the other, each only when the one before is durable. So what is not a whole block at the
//! end of the last segment, with no whole block of the same or a later sequence behind it, and lacks whole words (8 zero bytes
//! at a multiple of 8), is an interrupted write that was never acknowledged: the writer cuts it off when it opens the journal,
//! and a reader ends there. Anything else that does not fit is damage: [`crate::ports::JournalError::Damaged`] with the
//! sequences in doubt; so is a last block that lacks nothing, is one bit off, or ends with its file. A version that is not
//! known is never cut off.
//!
//! `tests/golden/read.py` was written from this page and reads the golden journals without kpid.
//!
//! A later format gets a version of its own; `block::decode_body` is the one place where old versions become today's
//! blocks. Blocks of all versions may stand in one segment.

mod archive;
mod backup;
mod base;
mod block;
mod bytes;
mod column;
mod end;
mod exchange;
mod facts;
mod file_journal;
mod files;
mod inspect;
mod memory;
mod reader;
mod recovery;
mod segment;
mod text;
mod torn;
mod trim;

#[cfg(test)]
mod tests;

pub use archive::FileArchive;
pub use backup::{Backup, BackupError, backup, restore};
pub use base::{Base, BaseState};
pub use block::decode_block;
pub use bytes::FormatError;
pub use end::{JournalEnd, end};
pub use exchange::{ExchangeError, ExportRange, Exported, Imported, Place, RecordForm, RecordSink, export, import};
pub use file_journal::{FileJournal, JournalOptions, SEGMENT_BYTES_DEFAULT};
pub use files::{DiskFiles, FileHandle, Files};
pub use inspect::{JournalStat, Progress, Trimmed, VerifyReport, stat, verify};
pub use memory::MemoryJournal;
pub use reader::open_reader;
pub use trim::{Held, TrimNeeds, TrimPlan, Trims};
