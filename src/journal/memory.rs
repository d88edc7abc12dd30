//! A journal in memory: the promises of the door without the disk, for tests and for the replay of files.
//!
//! Blocks enter and are handed out again as they are. It keeps nothing when the process ends.

use std::sync::{Arc, PoisonError, RwLock};

use super::segment::{START, continues};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::ports::{BlockReader, Journal, JournalError, Tail};

/// See the module.
#[derive(Debug)]
pub struct MemoryJournal {
    tail: Tail,
    blocks: Arc<RwLock<Vec<Arc<Block>>>>,
    poisoned: bool,
}

impl Default for MemoryJournal {
    fn default() -> Self {
        Self {
            tail: START,
            blocks: Arc::default(),
            poisoned: false,
        }
    }
}

impl Journal for MemoryJournal {
    fn tail(&self) -> Tail {
        self.tail
    }

    fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        self.tail = continues(self.tail, block).inspect_err(|_| self.poisoned = true)?;
        let mut blocks = self.blocks.write().unwrap_or_else(PoisonError::into_inner);
        blocks.push(Arc::new(block.clone()));
        Ok(())
    }

    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let next = blocks.partition_point(|block| block.first < from && block.first.plus(block.len()) <= from);
        drop(blocks);
        Ok(Box::new(MemoryReader {
            blocks: Arc::clone(&self.blocks),
            next,
        }))
    }
}

/// Hands out blocks in order.
#[derive(Debug)]
struct MemoryReader {
    blocks: Arc<RwLock<Vec<Arc<Block>>>>,
    next: usize,
}

impl BlockReader for MemoryReader {
    fn next_block(&mut self) -> Result<Option<Block>, JournalError> {
        let blocks = self.blocks.read().unwrap_or_else(PoisonError::into_inner);
        let block = blocks.get(self.next).map(|block| Block::clone(block));
        self.next += usize::from(block.is_some());
        Ok(block)
    }
}
