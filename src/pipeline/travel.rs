//! Travelling: the projection as it was known at an instant.
//!
//! An instant enters; the projection leaves to which the journal's facts recorded until then lead, and everything due until
//! then, under the definitions of that time: what the live one was at that instant, to the last bit. A traveller begins at
//! the nearest milestone, or where the journal begins with the same outcome, and goes forward only. It has a projection of
//! its own and reads durable blocks, so that nothing waits for it; where it comes through a long stretch without milestones
//! it leaves some, for those who come after. It never acknowledges, publishes or decides.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tracing::warn;

use super::activation::{ActivationError, Activations};
use super::beside;
use crate::domain::catalog::Catalog;
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::domain::projection::{Effects, Projection, ProjectionOptions};
use crate::ports::{Archive, BlockReader, CheckpointHead, Definitions, History, JournalError, Milestones, QueryError};

/// Facts after which a traveller looks whether a milestone is due: looking reads a folder.
const LOOK_EVERY_FACTS: u64 = 50_000;

/// What a traveller goes by.
#[derive(Clone)]
pub struct Roads {
    /// The journal.
    pub archive: Arc<dyn Archive>,
    /// Where to begin.
    pub milestones: Arc<dyn Milestones>,
    /// Makes catalogs of the files that the journal and milestones keep.
    pub definitions: Arc<dyn Definitions>,
    /// How the live projection runs.
    pub options: ProjectionOptions,
    /// Where the journal begins.
    pub beginning: Arc<dyn Beginning>,
}

/// The state with which a journal begins.
pub trait Beginning: Send + Sync {
    /// Where the journal was trimmed, and this version knows the form of the state that was kept: that state.
    fn kept(&self, options: ProjectionOptions) -> Option<Projection>;
}

/// A journal begins with its first fact.
pub struct FirstFact;

impl Beginning for FirstFact {
    fn kept(&self, _: ProjectionOptions) -> Option<Projection> {
        None
    }
}

/// Why there is no way to an instant.
#[derive(Debug, thiserror::Error)]
pub enum TravelError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// Nothing was known yet.
    #[error("nothing was known at {known_at}: {first}")]
    Nothing {
        /// The instant.
        known_at: Instant,
        /// When something was, in words.
        first: String,
    },
    /// The facts that are needed are not in the journal any more.
    #[error(
        "what was known then cannot be told any more: the journal begins at sequence {begins}, and no milestone of before is kept"
    )]
    Trimmed {
        /// First sequence that is there.
        begins: Sequence,
    },
    /// The question is of something that is not there.
    #[error("{0}")]
    Unknown(String),
    /// The question cannot be answered, in words that say what can.
    #[error("{0}")]
    Unanswerable(String),
    /// A state does not fit its own definitions: a broken invariant.
    #[error("a copy of what was known could not be made")]
    Broken,
    /// Whoever asked has gone away.
    #[error("nobody waits for the answer any more")]
    Stopped,
}

impl From<TravelError> for QueryError {
    fn from(error: TravelError) -> Self {
        match error {
            TravelError::Unknown(words) => Self::Unknown(words),
            TravelError::Stopped => Self::Closed,
            TravelError::Journal(error) => Self::Failed(error.to_string()),
            broken @ TravelError::Broken => Self::Failed(broken.to_string()),
            other => Self::Unanswerable(other.to_string()),
        }
    }
}

impl From<ActivationError> for TravelError {
    fn from(error: ActivationError) -> Self {
        match error {
            ActivationError::Journal(error) => Self::Journal(error),
            // Not met here: definitions that cannot be read are passed over.
            other @ ActivationError::Definitions { .. } => Self::Unanswerable(other.to_string()),
        }
    }
}

/// A projection on its way through the journal.
pub struct Traveller<'a> {
    roads: &'a Roads,
    is_stopped: &'a AtomicBool,
    projection: Projection,
    activations: Activations,
    reader: Box<dyn BlockReader>,
    /// The next block, once it was looked at.
    ahead: Option<Block>,
    looked_at: Sequence,
}

impl<'a> Traveller<'a> {
    /// Begins at the last milestone that stands at `not_after` or before it. `is_stopped` makes it give up.
    pub fn start(roads: &'a Roads, not_after: Instant, is_stopped: &'a AtomicBool) -> Result<Self, TravelError> {
        let heads = roads.milestones.heads();
        let before = heads.iter().rev().filter(|head| head.at <= not_after);
        let nearest = before.clone().find_map(|head| roads.begin_at(head));
        let (projection, reader) = match nearest {
            Some(begin) => begin,
            None => roads.begin(not_after)?,
        };
        let history: Arc<dyn History> = Arc::new(Shelf(Arc::clone(&roads.archive)));
        Ok(Self {
            looked_at: projection.sequence(),
            activations: Activations::new(Arc::clone(&roads.definitions), history),
            roads,
            is_stopped,
            projection,
            reader,
            ahead: None,
        })
    }

    /// Goes on until `to`: takes in what was recorded until then, and lets happen what is due.
    pub fn go(&mut self, to: Instant) -> Result<(), TravelError> {
        while let Some(block) = self.next()? {
            if block.recorded_at > to {
                self.ahead = Some(block);
                break;
            }
            self.take(&block)?;
        }
        self.projection.advance(to, &mut Effects::default());
        Ok(())
    }

    /// Goes on to the end of the journal, where the clock stays.
    pub fn go_to_end(&mut self) -> Result<(), TravelError> {
        while let Some(block) = self.next()? {
            self.take(&block)?;
        }
        Ok(())
    }

    /// Whether nothing that is recorded later can belong to where it stands.
    pub fn is_settled(&self) -> bool {
        self.ahead.is_some()
    }

    /// What is known where it stands.
    pub fn projection(&mut self) -> &mut Projection {
        &mut self.projection
    }

    /// The journey is over.
    pub fn arrive(self) -> Projection {
        self.projection
    }

    /// Refuses an instant before the first fact.
    pub fn expect_knowledge(&self, known_at: Instant) -> Result<(), TravelError> {
        if self.projection.sequence() > Sequence::ZERO {
            return Ok(());
        }
        if let Some(base) = self.ahead.as_ref().filter(|block| block.first > Sequence(1)) {
            return Err(trimmed(base));
        }
        let first = self.ahead.as_ref().map(|block| block.recorded_at);
        Err(TravelError::Nothing {
            known_at,
            first: first.map_or_else(
                || "the journal is empty".to_owned(),
                |first| format!("the journal begins at {first}"),
            ),
        })
    }

    fn next(&mut self) -> Result<Option<Block>, TravelError> {
        if self.is_stopped.load(Ordering::Acquire) {
            return Err(TravelError::Stopped);
        }
        if let Some(block) = self.ahead.take() {
            return Ok(Some(block));
        }
        Ok(self.reader.next_block()?)
    }

    fn take(&mut self, block: &Block) -> Result<(), TravelError> {
        let next = self.projection.sequence().plus(1);
        if block.is_empty() || block.first < next {
            return Ok(());
        }
        if block.first > next {
            return Err(trimmed(block));
        }
        let effects = &mut Effects::default();
        match self.activations.apply(&mut self.projection, block, effects) {
            // As at a start: those before go on until the journal names others.
            Err(ActivationError::Definitions { at, problems }) => {
                warn!(sequence = at.0, ?problems, "definitions in the journal cannot be read");
                self.projection.apply(block, effects);
            }
            applied => {
                applied?;
            }
        }
        self.leave_milestone();
        Ok(())
    }

    fn leave_milestone(&mut self) {
        let sequence = self.projection.sequence();
        if sequence.0 - self.looked_at.0 < LOOK_EVERY_FACTS {
            return;
        }
        self.looked_at = sequence;
        if !self.roads.milestones.is_due(sequence) {
            return;
        }
        let catalog = Arc::clone(self.projection.catalog());
        let head = CheckpointHead {
            sequence,
            at: self.projection.at(),
            fingerprint: catalog.fingerprint.clone(),
        };
        let mut parts = self.projection.whole_image();
        parts.extend([beside::definitions(&catalog.files)]);
        if let Err(error) = self.roads.milestones.keep(&head, &parts) {
            warn!(%error, "milestone could not be kept");
        }
    }
}

/// What stands for the facts that went has the sequence of the last of them.
fn trimmed(base: &Block) -> TravelError {
    TravelError::Trimmed {
        begins: base.last().plus(1),
    }
}

impl Roads {
    /// The projection with which the journal begins, and the journal behind it.
    fn begin(&self, not_after: Instant) -> Result<(Projection, Box<dyn BlockReader>), JournalError> {
        let kept = self.beginning.kept(self.options);
        let projection = kept
            .filter(|kept| kept.at() <= not_after)
            .unwrap_or_else(|| Projection::new(Arc::new(Catalog::empty()), self.options));
        let reader = self.archive.read_from(projection.sequence().plus(1))?;
        Ok((projection, reader))
    }

    /// The projection of a milestone, and the journal behind it; `None` where it does not fit this version or this journal.
    fn begin_at(&self, head: &CheckpointHead) -> Option<(Projection, Box<dyn BlockReader>)> {
        let (_, parts) = self.milestones.load(head.sequence)?;
        let (parts, beside) = beside::split(parts);
        let catalog = self.definitions.parse(&beside.definitions).ok();
        let catalog = catalog.filter(|catalog| catalog.fingerprint == head.fingerprint);
        let projection = catalog.and_then(|catalog| Projection::from_image(catalog, self.options, &parts));
        let begin = projection
            .filter(|projection| projection.sequence() == head.sequence)
            .zip(self.behind(head));
        if begin.is_none() {
            warn!(
                sequence = head.sequence.0,
                "milestone does not fit the journal or this version, an earlier one is taken"
            );
        }
        begin
    }

    /// The journal behind a milestone: the block at whose end it stands must be there, and be recorded when it says.
    fn behind(&self, head: &CheckpointHead) -> Option<Box<dyn BlockReader>> {
        let mut reader = self.archive.read_from(head.sequence).ok()?;
        let block = reader.next_block().ok()??;
        let is_end = block.last() == head.sequence && block.recorded_at <= head.at;
        is_end.then_some(reader)
    }
}

/// The journal, for definitions that have to be folded anew.
pub(super) struct Shelf(pub Arc<dyn Archive>);

impl History for Shelf {
    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        self.0.read_from(from)
    }
}

/// No milestones: every journey begins where the journal does.
pub struct NoMilestones;

impl Milestones for NoMilestones {
    fn heads(&self) -> Vec<CheckpointHead> {
        Vec::new()
    }

    fn load(&self, _: Sequence) -> Option<crate::ports::SavedState> {
        None
    }

    fn is_due(&self, _: Sequence) -> bool {
        false
    }

    fn keep(&self, _: &CheckpointHead, _: &Parts) -> Result<(), crate::ports::StateError> {
        Ok(())
    }
}
