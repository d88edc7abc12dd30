//! Activation: the journal says that other definitions hold from here on.
//!
//! Blocks enter; those with a `CatalogActivated` change the projection's catalog before the rest of them is applied. What
//! the new definitions read otherwise is folded anew from the journal, up to the fact before: by whoever prepared it
//! beside the running projection, and the remainder here. Live and in replays alike; nothing is acknowledged or published.

use std::sync::Arc;

use super::ahead::ReadAhead;
use crate::domain::catalog::{Catalog, CatalogFile};
use crate::domain::fact::{Block, Fact};
use crate::domain::id::Sequence;
use crate::domain::projection::{Effects, Projection, Refold};
use crate::ports::{BlockReader, Definitions, History, JournalError};

/// Why definitions could not take over.
#[derive(Debug, thiserror::Error)]
pub enum ActivationError {
    /// The journal cannot be read.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// This version of kpid does not take a catalog that the journal holds.
    #[error("the catalog that the journal names at sequence {} cannot be read: {}", .at.0, .problems.join("; "))]
    Definitions {
        /// The activation.
        at: Sequence,
        /// One line for everything that is wrong.
        problems: Vec<String>,
    },
}

/// What activations need.
pub struct Activations {
    definitions: Arc<dyn Definitions>,
    history: Arc<dyn History>,
    prepared: Option<Refold>,
}

impl Activations {
    /// Nothing is prepared.
    pub fn new(definitions: Arc<dyn Definitions>, history: Arc<dyn History>) -> Self {
        Self {
            definitions,
            history,
            prepared: None,
        }
    }

    /// Keeps what was folded beside the projection, for the activation that is about to come.
    pub fn prepare(&mut self, refold: Refold) {
        self.prepared = Some(refold);
    }

    /// Applies a block, letting the definitions take over that it names. True when they did.
    pub fn apply(
        &mut self,
        projection: &mut Projection,
        block: &Block,
        effects: &mut Effects,
    ) -> Result<bool, ActivationError> {
        let named = activated(block).filter(|(_, fingerprint, _)| *fingerprint != projection.catalog().fingerprint);
        if let Some((sequence, fingerprint, files)) = named {
            let refold = self.refold(projection, fingerprint, files, sequence)?;
            projection.succeed(refold, (sequence, block.recorded_at), effects);
        }
        projection.apply(block, effects);
        Ok(named.is_some())
    }

    /// The journal up to the activation, folded under the new definitions.
    fn refold(
        &mut self,
        projection: &Projection,
        fingerprint: &str,
        files: &[CatalogFile],
        until: Sequence,
    ) -> Result<Refold, ActivationError> {
        let prepared = self.prepared.take();
        let prepared = prepared.filter(|refold| refold.leads(projection.catalog(), fingerprint));
        let mut refold = if let Some(refold) = prepared {
            refold
        } else {
            let catalog = self.parse(files, until)?;
            Refold::new(projection.catalog(), catalog, projection.options())
        };
        catch_up(&*self.history, &mut refold, Some(until), &mut |_| {})?;
        Ok(refold)
    }

    fn parse(&self, files: &[CatalogFile], at: Sequence) -> Result<Arc<Catalog>, ActivationError> {
        let refused = |problems| ActivationError::Definitions { at, problems };
        self.definitions.parse(files).map_err(refused)
    }
}

/// Folds the journal's blocks from where `refold` stands to the one that holds `until`, or to the journal's end. `told`
/// hears of the last sequence folded.
pub fn catch_up(
    history: &dyn History,
    refold: &mut Refold,
    until: Option<Sequence>,
    told: &mut dyn FnMut(Sequence),
) -> Result<(), JournalError> {
    if !refold.needs_history() {
        return Ok(());
    }
    let mut reader = ReadAhead::new(history.read_from(refold.sequence().plus(1))?);
    while let Some(block) = reader.next_block()? {
        if until.is_some_and(|until| block.last() >= until) {
            break;
        }
        if block.first > refold.sequence() {
            refold.fold(&block);
            told(refold.sequence());
        }
    }
    Ok(())
}

/// The last activation of a block: its sequence, fingerprint and files.
fn activated(block: &Block) -> Option<(Sequence, &str, &[CatalogFile])> {
    // Mostly there is none, and the columns need not be walked.
    if block.others.is_empty() {
        return None;
    }
    let activation = |(sequence, entry)| match entry {
        crate::domain::fact::Entry::Other(Fact::CatalogActivated { fingerprint, files }) => {
            Some((sequence, fingerprint.as_str(), files.as_slice()))
        }
        _ => None,
    };
    block.entries().filter_map(activation).last()
}
