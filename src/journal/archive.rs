//! The journal as those see it who look something up: read from any sequence or instant on, beside the writer.
//!
//! Instants and sequences enter, blocks leave. It shares nothing with the writer but the durable end. Nothing here writes.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::block::Header;
use super::files::DiskFiles;
use super::reader::{End, FileReader};
use super::segment::{Depth, Look, START, Store, look};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::{Archive, BlockReader, JournalError};

/// The journal of a folder, for looking up.
#[derive(Clone)]
pub struct FileArchive {
    store: Store,
    end: Option<Arc<ArcSwap<End>>>,
}

impl FileArchive {
    /// The journal of a folder that another process may be writing.
    pub fn open(dir: &Path) -> Self {
        let store = Store {
            files: Arc::new(DiskFiles),
            dir: dir.to_owned(),
        };
        Self { store, end: None }
    }

    /// The journal of this process, up to its durable end.
    pub(super) fn beside(store: Store, end: Arc<ArcSwap<End>>) -> Self {
        Self { store, end: Some(end) }
    }

    /// The header that stands at a place of a segment, if a block does.
    fn header(&self, segment: Sequence) -> Result<Option<Header>, JournalError> {
        let mut window = self.store.window(segment)?;
        let limit = window.file_len()?;
        Ok(match look(&mut window, 0, limit, Depth::Header)? {
            Look::Block(header, _) => Some(header),
            Look::Blank | Look::Bad(_) => None,
        })
    }

    /// The sequence of the first block of a segment that was made durable at `at` or later; behind the segment where
    /// none was.
    fn first_in(&self, segment: Sequence, at: Instant) -> Result<Sequence, JournalError> {
        let mut window = self.store.window(segment)?;
        let limit = window.file_len()?;
        let (mut offset, mut next) = (0, segment);
        while let Look::Block(header, _) = look(&mut window, offset, limit, Depth::Header)? {
            if header.recorded_at >= at {
                return Ok(header.first);
            }
            next = header.next();
            offset += header.block_len() as u64;
        }
        Ok(next)
    }
}

impl Archive for FileArchive {
    fn first_since(&self, at: Instant) -> Result<Sequence, JournalError> {
        let segments = self.store.segments()?;
        // Instants never go back, so that the segments that began before `at` stand before all others.
        let (mut low, mut high) = (0, segments.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            let Some(segment) = segments.get(middle) else { break };
            if self.header(*segment)?.is_some_and(|header| header.recorded_at < at) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        match low.checked_sub(1).and_then(|last| segments.get(last)) {
            Some(segment) => self.first_in(*segment, at),
            None => Ok(START.next),
        }
    }

    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        Ok(Box::new(FileReader::new(self.store.clone(), self.end.clone(), from)?))
    }
}
