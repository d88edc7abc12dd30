//! Checkpoints that leave milestones behind: when a state has been saved and one is due, the whole of it is kept as well.
//!
//! It runs where checkpoints are written, on a thread of its own, so that nothing waits for it but the next checkpoint.

use std::sync::Arc;

use tracing::warn;

use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, Checkpoints, Milestones, SavedState, StateError};

/// Saved states, of which some are kept for good.
pub struct SpreadCheckpoints<C> {
    latest: C,
    milestones: Arc<dyn Milestones>,
}

impl<C: Checkpoints> SpreadCheckpoints<C> {
    /// Over a store of the latest state.
    pub fn new(latest: C, milestones: Arc<dyn Milestones>) -> Self {
        Self { latest, milestones }
    }

    fn keep(&self) -> Result<(), StateError> {
        match self.latest.load()? {
            Some((head, parts)) => self.milestones.keep(&head, &parts),
            None => Ok(()),
        }
    }
}

impl<C: Checkpoints> Checkpoints for SpreadCheckpoints<C> {
    fn save(&mut self, head: &CheckpointHead, parts: Parts) -> Result<(), StateError> {
        self.latest.save(head, parts)?;
        if self.milestones.is_due(head.sequence)
            && let Err(error) = self.keep()
        {
            // The checkpoint is there: this costs time to those who ask about the past.
            warn!(%error, "milestone could not be kept");
        }
        Ok(())
    }

    fn load(&self) -> Result<Option<SavedState>, StateError> {
        self.latest.load()
    }

    fn clear(&mut self) -> Result<(), StateError> {
        self.latest.clear()
    }
}

#[cfg(test)]
mod tests {
    use super::super::promises::{head, noise, parts};
    use super::super::{MemoryCheckpoints, MilestoneFolder, MilestoneLimits};
    use super::*;

    #[test]
    fn a_milestone_is_the_whole_state_although_saves_bring_only_what_changed() {
        let home = tempfile::tempdir().unwrap();
        let limits = MilestoneLimits {
            facts_min: 10,
            count_max: 8,
            bytes_max: 1 << 20,
        };
        let milestones = Arc::new(MilestoneFolder::new(home.path(), None, limits));
        let shelf: Arc<dyn Milestones> = Arc::clone(&milestones) as Arc<dyn Milestones>;
        let mut checkpoints = SpreadCheckpoints::new(MemoryCheckpoints::default(), shelf);
        checkpoints
            .save(&head(4), parts([(1, noise(1, 9)), (2, vec![2])]))
            .unwrap();
        checkpoints.save(&head(12), parts([(1, vec![1])])).unwrap();
        checkpoints.clear().unwrap();
        checkpoints.save(&head(15), parts([(3, vec![3])])).unwrap();
        checkpoints.save(&head(30), parts([(4, vec![4])])).unwrap();
        assert_eq!(
            milestones.heads(),
            [head(12), head(30)],
            "others came too soon after one"
        );
        let before = Some((head(12), parts([(1, vec![1]), (2, vec![2])])));
        assert_eq!(milestones.load(head(12).sequence), before);
        let after = Some((head(30), parts([(3, vec![3]), (4, vec![4])])));
        assert_eq!(milestones.load(head(30).sequence), after);
    }
}
