//! Retention: dropping the journal's beginning, as far as nothing needs it any more.

use futures_util::future::BoxFuture;

use crate::domain::id::Sequence;
use crate::domain::instant::Instant;

/// What somebody wants to be dropped: whole segments, from the oldest on, for which any of these asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrimWish {
    /// What was recorded before this.
    pub before: Option<Instant>,
    /// The oldest, until the segments have no more bytes than this.
    pub keep_bytes: Option<u64>,
}

/// What came of a wish.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TrimOutcome {
    /// Last sequence dropped; `None` when nothing was.
    pub up_to: Option<Sequence>,
    /// Where the journal says so.
    pub sequence: Option<Sequence>,
    /// Segments dropped.
    pub segments: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// Why the next segment stays, which was wanted to go too.
    pub held: Option<&'static str>,
}

/// Why nothing was dropped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RetentionError {
    /// The state is still being restored.
    #[error("kpid is not ready yet: trim once /readyz says so")]
    NotReady,
    /// The journal, or what stands for its beginning, failed.
    #[error("nothing was trimmed: {0}")]
    Failed(String),
    /// The house is closing, or the journal failed.
    #[error("kpid is shutting down: trim after the next start")]
    Closed,
}

/// Drops the journal's beginning.
///
/// Promises: what windows, other definitions within `projection.history` or the recognition of ids may need stays, and the
/// outcome says so; what goes is first replaced by a state that is named by a fact in the journal.
pub trait Retention: Send + Sync {
    /// Drops as much of what is wanted as may go. Returns when it is gone.
    fn trim(&self, wish: TrimWish) -> BoxFuture<'_, Result<TrimOutcome, RetentionError>>;
}
