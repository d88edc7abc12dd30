//! The journal in files: one writer that makes blocks durable.
//!
//! Blocks enter, are encoded, written and synced; only then is the end that readers see moved. After the first error
//! nothing is written, synced or read any more: what an error of a sync leaves on the disk is unknown, and only opening
//! the journal again finds out. An fsync is never tried again.

use std::any::Any;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::archive::FileArchive;
use super::base::settle_trims;
use super::block::BlockEncoder;
use super::bytes::FormatError;
use super::files::{FileHandle, Files};
use super::reader::{End, FileReader};
use super::recovery::{Extent, Found, Walked, find};
use super::segment::{Chain, Store, continues, io_error};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::ports::{BlockReader, Journal, JournalError, Tail};

/// Default size of a segment: a backup or a repair handles it in a second, and a year of a busy house is a few thousand.
pub const SEGMENT_BYTES_DEFAULT: u64 = 64 << 20;

/// Zeros are written this far ahead of the blocks. Bytes that were only reserved cost a change of the file system's
/// books at their first sync, up to three times the price of a sync over bytes that were written before; a quarter of a
/// megabyte pays that once for many commits and is itself written in a fraction of a millisecond.
const WRITE_AHEAD: u64 = 256 << 10;

/// Choices for a journal in files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JournalOptions {
    /// Size of a segment, bytes. A larger block gets a segment of its own.
    pub segment_bytes: u64,
    /// Look at every block when opening, so that damage anywhere stops the start; otherwise only at the last two
    /// segments, and damage elsewhere shows when it is read. It costs a read of the whole journal.
    pub check_all: bool,
}

impl Default for JournalOptions {
    fn default() -> Self {
        Self {
            segment_bytes: SEGMENT_BYTES_DEFAULT,
            check_all: true,
        }
    }
}

/// A journal in a folder; see the room's docs for the format.
pub struct FileJournal {
    store: Store,
    segment_bytes: u64,
    chain: Chain,
    active: Option<Active>,
    end: Arc<ArcSwap<End>>,
    encoder: BlockEncoder,
    buffer: Vec<u8>,
    poisoned: bool,
    _lock: Box<dyn Any + Send>,
}

/// The segment that is written to.
struct Active {
    file: Box<dyn FileHandle>,
    path: PathBuf,
    first: Sequence,
    /// Where the next block goes.
    offset: u64,
    /// Room reserved for it.
    capacity: u64,
    /// Bytes before this were written at some time, with zeros at least.
    written: u64,
}

impl std::fmt::Debug for FileJournal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileJournal")
            .field("dir", &self.store.dir)
            .field("tail", &self.chain.tail)
            .finish_non_exhaustive()
    }
}

impl FileJournal {
    /// Opens the journal in a folder, which is made when it is missing: takes the lock, finds the end, cuts off an
    /// interrupted write, and makes sure that all it found is durable.
    pub fn open(dir: &Path, options: JournalOptions, files: Arc<dyn Files>) -> Result<Self, JournalError> {
        let dir = dir.to_owned();
        files.create_dir(&dir).map_err(io_error("create folder", &dir))?;
        let lock_path = dir.join("lock");
        let lock = files.lock(&lock_path).map_err(io_error("lock", &lock_path))?;
        let lock = lock.ok_or_else(|| JournalError::Locked {
            path: dir.display().to_string(),
        })?;
        let store = Store { files, dir };
        settle_trims(&store)?;
        let extent = if options.check_all { Extent::All } else { Extent::End };
        let Found { chain, last } = find(&store, extent, &mut |_, _, _| Ok(()))?;
        let active = match last {
            Some((first, walked)) => Some(settle(&store, first, &walked, chain.tail)?),
            None => None,
        };
        let encoder = BlockEncoder::new().map_err(|reason| encoder_error(&store.dir, reason))?;
        tracing::info!(dir = %store.dir.display(), next = chain.tail.next.0, series = chain.tail.series, "journal opened");
        let journal = Self {
            end: Arc::new(ArcSwap::from_pointee(End::of(
                active.as_ref().map(|active| (active.first, active.offset)),
            ))),
            store,
            segment_bytes: options.segment_bytes,
            chain,
            active,
            encoder,
            buffer: Vec::new(),
            poisoned: false,
            _lock: lock,
        };
        Ok(journal)
    }

    /// For those who look something up while this one writes.
    pub fn archive(&self) -> FileArchive {
        FileArchive::beside(self.store.clone(), Arc::clone(&self.end))
    }

    /// Hash of the last block, hexadecimal; zeros before the first.
    pub fn head_hash(&self) -> String {
        blake3::Hash::from_bytes(self.chain.hash.unwrap_or_default())
            .to_hex()
            .to_string()
    }

    fn try_append(&mut self, block: &Block) -> Result<(), JournalError> {
        let tail = continues(self.chain.tail, block)?;
        let previous = self.chain.hash.unwrap_or_default();
        let encoded = self.encoder.encode(block, &previous, &mut self.buffer);
        let hash = encoded.map_err(|reason| JournalError::OutOfOrder(reason.to_string()))?;
        let len = self.buffer.len() as u64;
        let active = match self.active.take() {
            Some(active) if active.has_room(len, block.first) => active,
            _ => begin_segment(&self.store, block.first, self.segment_bytes.max(len))?,
        };
        let active = self.active.insert(active);
        active.reserve(len, self.segment_bytes)?;
        active.write(&mut self.buffer)?;
        self.chain = Chain { tail, hash: Some(hash) };
        self.end.store(Arc::new(End::of(Some((active.first, active.offset)))));
        Ok(())
    }
}

impl Journal for FileJournal {
    fn tail(&self) -> Tail {
        self.chain.tail
    }

    fn append(&mut self, block: &Block) -> Result<(), JournalError> {
        if self.poisoned {
            return Err(JournalError::Poisoned);
        }
        let result = self.try_append(block);
        if let Err(error) = &result {
            self.poisoned = true;
            tracing::error!(%error, first = block.first.0, facts = block.len(), "journal append failed");
        }
        result
    }

    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        if self.poisoned {
            Err(JournalError::Poisoned)
        } else {
            Ok(Box::new(FileReader::new(
                self.store.clone(),
                Some(Arc::clone(&self.end)),
                from,
            )?))
        }
    }
}

impl Active {
    /// A block goes here while it fits, and always while the segment holds no fact: the next segment's name would be the same.
    fn has_room(&self, len: u64, next: Sequence) -> bool {
        self.offset + len <= self.capacity || self.first == next
    }

    /// Makes room where a segment without facts is too small for the block.
    fn reserve(&mut self, len: u64, segment_bytes: u64) -> Result<(), JournalError> {
        if self.offset + len <= self.capacity {
            return Ok(());
        }
        self.capacity = segment_bytes.max(self.offset + len);
        self.file
            .allocate(self.capacity)
            .map_err(io_error("allocate", &self.path))?;
        self.file.sync_data().map_err(io_error("sync", &self.path))
    }

    /// Writes and syncs. The bytes may be followed by zeros, which are part of no block.
    fn write(&mut self, bytes: &mut Vec<u8>) -> Result<(), JournalError> {
        let end = self.offset + bytes.len() as u64;
        if end > self.written {
            self.written = end.next_multiple_of(WRITE_AHEAD).min(self.capacity).max(end);
            bytes.resize((self.written - self.offset) as usize, 0);
        }
        self.file
            .write_at(self.offset, bytes)
            .map_err(io_error("write", &self.path))?;
        self.file.sync_data().map_err(io_error("sync", &self.path))?;
        self.offset = end;
        Ok(())
    }
}

/// A new segment with its room reserved and its name durable, so that a block in it can be found after a loss of power.
fn begin_segment(store: &Store, first: Sequence, capacity: u64) -> Result<Active, JournalError> {
    let path = store.path(first);
    let file = store.files.create(&path).map_err(io_error("create", &path))?;
    file.allocate(capacity).map_err(io_error("allocate", &path))?;
    file.sync_data().map_err(io_error("sync", &path))?;
    store.files.sync_dir(&store.dir).map_err(io_error("sync", &store.dir))?;
    tracing::info!(path = %path.display(), "journal segment begun");
    Ok(Active {
        file,
        path,
        first,
        offset: 0,
        capacity,
        written: 0,
    })
}

/// Makes the last segment fit to be continued, and everything found in it durable.
fn settle(store: &Store, first: Sequence, walked: &Walked, tail: Tail) -> Result<Active, JournalError> {
    let path = store.path(first);
    let file = store.files.open(&path).map_err(io_error("open", &path))?;
    let capacity = file.len().map_err(io_error("measure", &path))?;
    if let Some(reason) = walked.torn {
        tracing::warn!(path = %path.display(), next = tail.next.0, cut_at = walked.end, %reason,
            "journal ends in an interrupted write that was never acknowledged: cut off");
        // Cutting and growing leaves zeros, so that no stale byte stands behind the next block.
        file.truncate(walked.end).map_err(io_error("truncate", &path))?;
        file.allocate(capacity).map_err(io_error("allocate", &path))?;
    }
    rewrite_last(file.as_ref(), &path, walked)?;
    file.sync_data().map_err(io_error("sync", &path))?;
    store.files.sync_dir(&store.dir).map_err(io_error("sync", &store.dir))?;
    Ok(Active {
        file,
        path,
        first,
        offset: walked.end,
        capacity,
        written: walked.end,
    })
}

/// Writes the last block once more as it is. It may be one whose sync failed before the process ended: such a block can
/// still be read while the system no longer means to write it, and a sync alone would then lie.
fn rewrite_last(file: &dyn FileHandle, path: &Path, walked: &Walked) -> Result<(), JournalError> {
    let Some(start) = walked.last_block else {
        return Ok(());
    };
    let mut bytes = vec![0; usize::try_from(walked.end - start).unwrap_or_default()];
    let read = file.read_at(start, &mut bytes).map_err(io_error("read", path))?;
    bytes.truncate(read);
    file.write_at(start, &bytes).map_err(io_error("write", path))
}

fn encoder_error(dir: &Path, reason: FormatError) -> JournalError {
    JournalError::Io {
        operation: "open",
        path: dir.display().to_string(),
        source: std::io::Error::other(reason),
    }
}
