//! THE DOORS: what the corridor needs from the world, and what each adapter must keep.
//!
//! One suite of tests proves the promises on every adapter of a door.

mod definitions;
mod past;
mod retention;
mod what_if;

use std::sync::Arc;

use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

pub use definitions::{Definitions, Reload, ReloadError, Reloaded};
pub use past::{Hindsight, Known, KnownQuery, KnownReadings, Milestones};
pub use retention::{Retention, RetentionError, TrimOutcome, TrimWish};
pub use what_if::{WhatIf, WhatIfAnswer, WhatIfError, WhatIfQuestion};

use crate::domain::alert::AlertTransition;
use crate::domain::board::{Board, Picture};
use crate::domain::fact::{Block, MeasurementPlace, SourcePosition};
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::RejectionReason;
use crate::domain::movers::Movers;
use crate::domain::parts::Parts;
use crate::domain::projection::{ExplainQuestion, Explained};
use crate::domain::reading::{Reading, ReadingChange};
use crate::domain::reports::Reports;

/// What the wall says. The only way in which time enters.
pub trait Clock: Send + Sync {
    /// Now; may jump in both directions.
    fn now(&self) -> Instant;
}

// ---------------------------------------------------------------- journal

/// The event log: the truth. One writer, any number of readers.
///
/// Promises: after `append` returned `Ok` the block survives `kill -9` and loss of power, as a whole; blocks are read back
/// in order, bit for bit; sequences have no gaps. After `append` returned `Err` nothing further is accepted.
pub trait Journal: Send {
    /// Where the next block goes.
    fn tail(&self) -> Tail;

    /// Makes a block durable. It must continue the tail: `first`, `series_base` equal to the tail's, `recorded_at` not before it.
    fn append(&mut self, block: &Block) -> Result<(), JournalError>;

    /// Whole blocks in order from the one that holds `from` on, up to the durable end at the moment of each read.
    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError>;
}

/// The journal for those who look something up in it, beside its writer.
///
/// Promises: it never holds up the writer; what is read was durable.
pub trait Archive: Send + Sync {
    /// Sequence of the first fact of the first block that was made durable at `at` or later, or of one before it; behind the
    /// last one where there is none.
    fn first_since(&self, at: Instant) -> Result<Sequence, JournalError>;

    /// Whole blocks in order from the one that holds `from` on.
    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError>;
}

/// Where a journal ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Tail {
    /// Sequence of the next fact.
    pub next: Sequence,
    /// `recorded_at` of the last block.
    pub recorded_at: Instant,
    /// Number of the next new series.
    pub series: u32,
}

/// Reads blocks in order.
pub trait BlockReader: Send {
    /// The next block, or `None` at the durable end (a later call may find more).
    fn next_block(&mut self) -> Result<Option<Block>, JournalError>;

    /// A block that nobody needs any more: its memory may be used for a later one.
    fn take_back(&mut self, _done: Block) {}
}

/// What may go wrong with a journal.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The disk said no. Nothing further is accepted; the process must end and start again.
    #[error("journal {operation} failed on {path}: {source}: check space, permissions and the disk, then start again")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On which file.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// Bytes that were durable do not fit any more: exit code 3.
    #[error("journal damaged at sequences {from} to {to} in {path}: {reason}: restore this segment from a backup")]
    Damaged {
        /// First sequence in doubt.
        from: Sequence,
        /// Last sequence in doubt.
        to: Sequence,
        /// Which file.
        path: String,
        /// What does not fit.
        reason: String,
    },
    /// What was asked for was dropped by retention, perhaps while it was read.
    #[error("the journal's history up to sequence {up_to} was trimmed: it can be told from sequence {} on", .up_to.0.saturating_add(1))]
    Trimmed {
        /// Last sequence dropped.
        up_to: Sequence,
    },
    /// Another process holds it.
    #[error("journal {path} is in use by another process: stop it, or use another `data_dir`")]
    Locked {
        /// The folder.
        path: String,
    },
    /// An earlier append failed.
    #[error("journal closed after a failed append: start again")]
    Poisoned,
    /// A block that does not continue the tail: a broken invariant of the caller.
    #[error("block does not continue the journal: {0}")]
    OutOfOrder(String),
}

/// The journal from a sequence on, for whoever folds it anew while it is being written.
pub trait History: Send + Sync {
    /// Whole blocks in order from the one that holds `from` on.
    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError>;
}

// ---------------------------------------------------------------- state: all of it derivable

/// Ids already seen, so that the same `(source, id)` counts once and corrections find their target.
///
/// Promises: `find` sees everything remembered; after a crash `position` never claims more than is really there (what is
/// missing is filled in from the journal). Losing it all costs a pass over the journal.
pub trait SeenIds: Send {
    /// Facts up to here are included.
    fn position(&self) -> Sequence;

    /// What is known of an id.
    fn find(&self, source: &str, id: &str) -> Result<Option<Seen>, StateError>;

    /// Takes in what a block brought and moves the position. A later entry of the same id replaces the earlier.
    fn remember(&mut self, up_to: Sequence, entries: &[(Arc<str>, Box<str>, Seen)]) -> Result<(), StateError>;
}

/// What is known of an id.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// The measurement it stands for, as it is now.
    pub place: MeasurementPlace,
    /// When it was taken (for the deduplication window).
    pub recorded_at: Instant,
    /// First 8 bytes of a BLAKE3 over its content: another content under the same id is a conflict.
    pub content: u64,
    /// It was retracted.
    pub retracted: bool,
}

/// Saved states of the projection, to start from instead of from the beginning.
///
/// Promises: `load` gives back exactly what one `save` or an unbroken row of saves left, or `None`; never a mixture.
pub trait Checkpoints: Send {
    /// Saves changed parts and the head. Incremental: parts not named stay as they were; of several of one key the last counts.
    fn save(&mut self, head: &CheckpointHead, parts: Parts) -> Result<(), StateError>;

    /// The last state saved: its head and all its parts.
    fn load(&self) -> Result<Option<SavedState>, StateError>;

    /// Forgets everything, for example after a change of the catalog.
    fn clear(&mut self) -> Result<(), StateError>;
}

/// A saved state: its head, and its parts by key.
pub type SavedState = (CheckpointHead, Parts);

/// What a saved state reflects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointHead {
    /// Journal position.
    pub sequence: Sequence,
    /// Clock.
    pub at: Instant,
    /// Catalog under which it was made; another one makes it worthless.
    pub fingerprint: String,
}

/// Transitions that are decided and not yet delivered.
///
/// Promises: a transition put is pending until it is done; `put` of an id that is pending or done changes nothing.
/// `position` is saved together with what was put; a crash takes back both, but never what a saved state of the projection
/// includes.
pub trait Outbox: Send + Sync {
    /// Transitions that rest on facts up to here, decided up to this instant, were put.
    fn position(&self) -> Result<Option<(Sequence, Instant)>, StateError>;

    /// Puts transitions in order, and moves the position.
    fn put(&self, up_to: (Sequence, Instant), transitions: &[AlertTransition]) -> Result<(), StateError>;

    /// Pending transitions of a destination in order, at most `count`, each with its key.
    fn pending(&self, destination: &str, count: usize) -> Result<Vec<(u64, AlertTransition)>, StateError>;

    /// A destination has it.
    fn done(&self, destination: &str, key: u64) -> Result<(), StateError>;
}

/// What may go wrong with derived state. It is never worse than a rebuild.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StateError {
    /// The store failed.
    #[error("state store {operation} failed: {reason}")]
    Store {
        /// What was tried.
        operation: &'static str,
        /// What it said.
        reason: String,
    },
    /// A value could not be read back.
    #[error("state store holds an unreadable {what}: it will be rebuilt")]
    Unreadable {
        /// Which kind of value.
        what: &'static str,
    },
}

// ---------------------------------------------------------------- intake

/// The way in. A front door decodes, submits, and answers its sender with the receipt.
pub trait Intake: Send + Sync {
    /// Judges a batch and waits until what was taken is durable. Back-pressure is the waiting.
    fn submit(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, IntakeError>>;

    /// The last position of a source that is in the journal, for sources that resume.
    fn source_position(&self, source: &str) -> Option<u64>;
}

/// What one request, message or chunk of a file brought.
#[derive(Debug, Clone)]
pub struct Batch {
    /// One entry a measurement, in the sender's order: decoded, or why not.
    pub reports: Reports,
    /// `http`, `nats` or `file`: the source of measurements that name none.
    pub transport: &'static str,
    /// Position to keep beside the batch, for sources that resume. A batch at or before the known position of its source
    /// is answered as taken and changes nothing.
    pub position: Option<SourcePosition>,
    /// Position of the batch that the same source submitted before this one, for sources that resume; else 0. A batch
    /// behind one that was refused is refused too: taking it would pass over the other for good.
    pub follows: u64,
}

/// What became of a batch.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Receipt {
    /// Taken and durable.
    pub accepted: u64,
    /// Taken earlier already.
    pub duplicates: u64,
    /// Not taken, by index.
    pub rejected: Vec<crate::domain::measurement::Rejection>,
    /// Last sequence of the journal when it was answered.
    pub sequence: Sequence,
}

/// Why a batch got no receipt. None of it was acknowledged; the sender should send it again.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    /// The state is still being restored from the journal.
    #[error("kpid is not ready yet, it replays its journal: send it again once /readyz says so")]
    NotReady,
    /// The house is closing, or the journal failed.
    #[error("kpid is shutting down: send it again later")]
    Closed,
    /// The disk is nearly full; what is there is safe, and reads go on.
    #[error("the disk of the journal is nearly full (see journal.min_free_bytes): free space, then send it again")]
    NoRoom,
}

/// Whether more may be written. Asked before measurements are let in, before a block is drafted, and before a checkpoint.
///
/// Promises: the answer is of this moment; after `true`, a block of usual size and a segment for it fit on the disk.
pub trait Room: Send + Sync {
    /// False when taking more in could fill the disk.
    fn is_there(&self) -> bool;
}

/// Where refused input goes besides the answer to its sender; never blocks.
pub trait RejectionSink: Send + Sync {
    /// Passes on one refused measurement with its original bytes.
    fn reject(&self, reason: RejectionReason, detail: &str, transport: &'static str, original: &[u8]);
}

// ---------------------------------------------------------------- out

/// Delivers alert transitions to one destination.
///
/// Promises: `Ok` only when the destination has it; delivering the same transition again is recognised and is `Ok`.
pub trait Publisher: Send + Sync {
    /// Name of the destination, a key of the outbox: `nats`, ...
    fn destination(&self) -> &'static str;

    /// Delivers one transition.
    fn publish<'a>(&'a self, transition: &'a AlertTransition) -> BoxFuture<'a, Result<Delivery, PublishError>>;

    /// Keeps the latest reading of a node (a lost one is made good by the next).
    fn keep_readings<'a>(&'a self, changes: &'a [ReadingChange]) -> BoxFuture<'a, Result<(), PublishError>>;
}

/// How a transition was delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// For the first time.
    New,
    /// It was there already.
    Duplicate,
}

/// Why it was not delivered; it stays in the outbox and is tried again.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{destination} did not take it: {reason}")]
pub struct PublishError {
    /// Where to.
    pub destination: &'static str,
    /// What was said.
    pub reason: String,
}

// ---------------------------------------------------------------- seeing

/// What windows show: the board, the past, what happens.
pub trait Views: Send + Sync {
    /// The board as it is now.
    fn board(&self) -> Arc<Board>;

    /// Readings of one KPI at given instants, computed from what is known now.
    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<Vec<(Instant, Reading)>, QueryError>>;

    /// A scorecard as its measurements up to given instants show it, with what is known now: one picture an instant.
    fn pictures(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Vec<Picture>, QueryError>>;

    /// The change of a node between two instants, its leaves' shares, and the measurements that moved them.
    fn explain(&self, question: ExplainQuestion) -> BoxFuture<'_, Result<(Explained, Movers), QueryError>>;

    /// Scores of all objectives of a scorecard at given instants: a row an instant, a column an objective in catalog order.
    fn scores(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Vec<Vec<Option<f64>>>, QueryError>>;

    /// One instance of a scorecard as it is now. Instances are not on the board: there may be a hundred thousand of them.
    fn instance(&self, query: InstanceQuery) -> BoxFuture<'_, Result<Picture, QueryError>>;

    /// Who knows what was known.
    fn hindsight(&self) -> Arc<dyn Hindsight>;

    /// Everything that changes from now on.
    fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>>;

    /// Whether it is caught up, and the journal's end.
    fn house(&self) -> HouseState;
}

/// Readings of one KPI.
#[derive(Debug, Clone)]
pub struct ReadingsQuery {
    /// Which KPI.
    pub kpi: KpiId,
    /// Which instance, where the scorecard has `each`; the KPI over all instances when absent.
    pub instance: Option<InstanceId>,
    /// The instants, ascending.
    pub at: Vec<Instant>,
}

/// Pictures of one scorecard.
#[derive(Debug, Clone)]
pub struct PicturesQuery {
    /// Which scorecard.
    pub scorecard: String,
    /// Which instance.
    pub instance: Option<InstanceId>,
    /// The instants, ascending; each is rounded up to the end of the slice per KPI.
    pub at: Vec<Instant>,
}

/// One instance of a scorecard.
#[derive(Debug, Clone)]
pub struct InstanceQuery {
    /// Which scorecard.
    pub scorecard: String,
    /// Which instance.
    pub instance: InstanceId,
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// No such KPI, scorecard or instance.
    #[error("{0}")]
    Unknown(String),
    /// The house is closing.
    #[error("kpid is shutting down")]
    Closed,
    /// The past is asked for more often than it can be answered at one time.
    #[error("{0} questions about the past are being answered or wait already (past.waiting_max): ask again later")]
    Busy(usize),
    /// It cannot be answered, in words that say what can.
    #[error("{0}")]
    Unanswerable(String),
    /// The journal, or the memory of what was known, cannot be read.
    #[error("what was known could not be looked up: {0}")]
    Failed(String),
}

impl QueryError {
    /// There is no such instance. `each` is the scorecard's label, `alike` names that begin like this one.
    pub fn no_instance(scorecard: &str, instance: &InstanceId, each: Option<&str>, alike: &[&str]) -> Self {
        let remedy = match (each, alike) {
            (None, _) => "this scorecard has no instances: leave `instance` out".to_owned(),
            (Some(label), []) => format!("use a value that was measured under the label `{label}`"),
            (Some(label), names) => {
                let names = names.join(", ");
                format!("use a value that was measured under the label `{label}`, such as {names}")
            }
        };
        Self::Unknown(format!(
            "scorecard `{scorecard}` has no instance `{instance}`: {remedy}"
        ))
    }
}

/// Something that happened, for those who listen.
#[derive(Debug, Clone)]
pub enum Notice {
    /// Nodes changed at one evaluation (only those of scorecards, not more than 1,000 a notice).
    Readings(Vec<ReadingChange>),
    /// An alert did.
    Alert(Box<AlertTransition>),
}

/// How the house is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HouseState {
    /// Replay done and everything running.
    pub ready: bool,
    /// Why not ready, in words; empty when ready.
    pub waiting_for: String,
    /// First sequence that retention has kept.
    pub journal_first: Sequence,
    /// Last durable sequence.
    pub journal_end: Sequence,
    /// Sequence the projection has reached.
    pub applied: Sequence,
    /// `recorded_at` of the last block.
    pub recorded_at: Instant,
    /// Bytes of the journal on disk.
    pub journal_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Series known.
    pub series: u64,
    /// Where the journal is, for people.
    pub journal_path: String,
    /// NATS: `off`, `connected`, `disconnected`.
    pub nats: String,
}
