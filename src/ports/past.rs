//! THE DOORS to what was known: states of the past to begin from, and questions about them.
//!
//! What a question about the past costs is reading from the nearest milestone on; without any it is a replay from the
//! beginning, with the same answer.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use super::{CheckpointHead, PicturesQuery, QueryError, ReadingsQuery, SavedState, StateError};
use crate::domain::board::Picture;
use crate::domain::catalog::Catalog;
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::domain::reading::Reading;
use crate::domain::restatement::Restatement;

/// Whole past states of the projection, spread over the history.
///
/// Promises: `load` gives back exactly what `keep` was given, or nothing; what cannot be read is left out with a warning.
/// Losing all of them costs time and never an answer.
pub trait Milestones: Send + Sync {
    /// Heads of those there are, by ascending sequence.
    fn heads(&self) -> Vec<CheckpointHead>;

    /// The state at a sequence; `None` where it is gone or does not fit.
    fn load(&self, sequence: Sequence) -> Option<SavedState>;

    /// Whether a state at this sequence would be worth keeping.
    fn is_due(&self, sequence: Sequence) -> bool;

    /// Keeps a whole state. Others may go for it.
    fn keep(&self, head: &CheckpointHead, parts: &Parts) -> Result<(), StateError>;
}

/// Questions about what was known at an instant: answered from the journal, beside the corridor and never in its way.
pub trait Hindsight: Send + Sync {
    /// A scorecard as it was known.
    fn picture(&self, query: KnownQuery) -> BoxFuture<'_, Result<Known<Picture>, QueryError>>;

    /// Readings of one KPI, computed from what was known.
    fn readings(&self, query: ReadingsQuery, known_at: Instant) -> BoxFuture<'_, Result<KnownReadings, QueryError>>;

    /// What was published of a scorecard and is said otherwise now. Without instants in the query there is nothing to
    /// compare.
    fn restatement(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Restatement, QueryError>>;
}

/// A scorecard, as it was known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownQuery {
    /// Which scorecard.
    pub scorecard: String,
    /// Which instance.
    pub instance: Option<InstanceId>,
    /// The instant that is looked at; that of knowing when absent, as the board showed it.
    pub at: Option<Instant>,
    /// Facts recorded later count for nothing.
    pub known_at: Instant,
}

/// An answer, and the definitions that held then.
#[derive(Debug, Clone)]
pub struct Known<A> {
    /// What was known.
    pub answer: A,
    /// Definitions of that instant.
    pub catalog: Arc<Catalog>,
}

/// Readings with their instants, as they were known.
pub type KnownReadings = Known<Vec<(Instant, Reading)>>;
