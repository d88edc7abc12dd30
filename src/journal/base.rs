//! The base of a trimmed journal: what stands for the blocks that retention dropped.
//!
//! A block and a state enter, a file `<first kept sequence>.base` leaves, and back. The block stands at the sequence of the
//! last fact dropped: it names all series so far, the definitions that held and how far the sources were; its header keeps
//! the hash of the last block dropped, which the first block kept continues. The state is the projection at that place, as
//! a checkpoint has it. The file's BLAKE3 is named by the `HistoryTrimmed` in the journal, so that nobody can put another
//! one in its place. Nothing here decides what is dropped.

use std::io::ErrorKind;
use std::path::Path;

use super::block::{BlockEncoder, HEADER_LEN, Hash, decode_body, hash_of};
use super::bytes::{Cursor, FormatError};
use super::files::FileHandle;
use super::segment::{Chain, Depth, Look, START, Store, damaged, io_error, look};
use crate::domain::fact::{Block, Fact};
use crate::domain::id::Sequence;
use crate::domain::parts::Parts;
use crate::ports::JournalError;

/// First bytes of the state behind the block.
const STATE_MAGIC: [u8; 4] = *b"\xFFKPS";

/// zstd: halves a state at the speed of the disk.
const STATE_LEVEL: i32 = 1;

/// Parts of a saved projection, by key: see [`crate::ports::SavedState`].
pub type BaseState = Parts;

/// What stands for the blocks that were dropped.
#[derive(Debug, Clone, PartialEq)]
pub struct Base {
    /// Series, definitions and positions so far, at the sequence of the last fact dropped.
    pub block: Block,
    /// The projection there.
    pub state: BaseState,
    /// BLAKE3 of the file.
    pub hash: [u8; 32],
    /// BLAKE3 of the last block dropped.
    pub previous: [u8; 32],
}

/// What the first block of a journal that begins with a segment continues.
pub(super) fn chain_at(store: &Store, first: Sequence) -> Result<Chain, JournalError> {
    if first == START.next {
        return Ok(Chain::START);
    }
    let path = store.base_path(first);
    let mut window = super::segment::Window::new(open(store, first)?, path.clone());
    let limit = window.file_len()?;
    let Look::Block(header, _) = look(&mut window, 0, limit, Depth::Header)? else {
        return Err(unfit(&path, first, "the base has no whole block"));
    };
    if header.next() != first {
        return Err(unfit(&path, first, "the base is named otherwise"));
    }
    let mut chain = Chain::after(&header, &[]).map_err(|reason| unfit(&path, first, &reason.to_string()))?;
    chain.hash = Some(header.previous);
    Ok(chain)
}

/// The base with which a journal begins that does not begin with its first fact.
fn open(store: &Store, first: Sequence) -> Result<Box<dyn FileHandle>, JournalError> {
    let path = store.base_path(first);
    store.files.open_read(&path).map_err(|error| match error.kind() {
        ErrorKind::NotFound => {
            let range = (START.next, Sequence(first.0.saturating_sub(1)));
            damaged(range, &store.path(START.next), "the first segment is missing")
        }
        _ => io_error("open", &path)(error),
    })
}

/// Reads a base whole, with all its checksums.
pub(super) fn read_base(store: &Store, first: Sequence) -> Result<Base, JournalError> {
    let path = store.base_path(first);
    let file = open(store, first)?;
    let len = file.len().map_err(io_error("measure", &path))?;
    let mut bytes = vec![0; usize::try_from(len).unwrap_or_default()];
    let read = file.read_at(0, &mut bytes).map_err(io_error("read", &path))?;
    bytes.truncate(read);
    decode(&bytes).map_err(|reason| unfit(&path, first, &reason.to_string()))
}

fn unfit(path: &Path, first: Sequence, reason: &str) -> JournalError {
    damaged((START.next, Sequence(first.0.saturating_sub(1))), path, reason)
}

/// The bytes of a base.
pub(super) fn encode(block: &Block, previous: &Hash, state: &BaseState) -> Result<Vec<u8>, FormatError> {
    let mut bytes = Vec::new();
    BlockEncoder::new()?.encode(block, previous, &mut bytes)?;
    let words = state.iter().flat_map(|(key, words)| {
        let head = [key, words.len() as u64];
        head.into_iter().chain(words.iter().copied())
    });
    let plain: Vec<u8> = words.flat_map(u64::to_le_bytes).collect();
    let packed = zstd::bulk::compress(&plain, STATE_LEVEL).map_err(|_| FormatError::Unfit("zstd has no memory"))?;
    bytes.extend_from_slice(&STATE_MAGIC);
    bytes.extend_from_slice(&crc32c::crc32c(&packed).to_le_bytes());
    bytes.extend_from_slice(&(plain.len() as u64).to_le_bytes());
    bytes.extend_from_slice(&packed);
    Ok(bytes)
}

fn decode(bytes: &[u8]) -> Result<Base, FormatError> {
    let header = super::block::Header::parse(bytes.get(..HEADER_LEN).unwrap_or_default())?;
    let body = bytes.get(HEADER_LEN..header.block_len());
    let body = body.filter(|body| header.fits_body(body));
    let body = body.ok_or(FormatError::Unfit("the base's block is not whole"))?;
    let block = decode_body(&header, body)?;
    let mut cursor = Cursor::new(bytes.get(header.block_len()..).unwrap_or_default());
    if cursor.array()? != STATE_MAGIC {
        return Err(FormatError::Unfit("the base has no state"));
    }
    let crc = u32::from_le_bytes(cursor.array()?);
    let len = u64::from_le_bytes(cursor.array()?);
    let packed = cursor.rest();
    if crc32c::crc32c(packed) != crc {
        return Err(FormatError::Unfit("the checksum of the base's state does not fit"));
    }
    Ok(Base {
        block,
        state: state(packed, len)?,
        hash: hash_of(bytes),
        previous: header.previous,
    })
}

fn state(packed: &[u8], len: u64) -> Result<BaseState, FormatError> {
    let wrong = || FormatError::Unfit("the base's state is unreadable");
    let len = usize::try_from(len).map_err(|_| wrong())?;
    let plain = zstd::bulk::decompress(packed, len).map_err(|_| wrong())?;
    let mut words = plain.chunks_exact(8).map(|word| {
        let word: [u8; 8] = word.try_into().unwrap_or_default();
        u64::from_le_bytes(word)
    });
    let mut parts = Parts::default();
    while let Some(key) = words.next() {
        let len = usize::try_from(words.next().ok_or_else(wrong)?).map_err(|_| wrong())?;
        if len > words.len() {
            return Err(wrong());
        }
        parts.put(key, |out| out.extend(words.by_ref().take(len)));
    }
    Ok(parts)
}

/// Makes a base durable under its name, and says its hash. The blocks that it stands for are still there.
pub(super) fn write_base(store: &Store, base: (&Block, &BaseState), previous: &Hash) -> Result<Hash, JournalError> {
    let first = Sequence(base.0.last().0 + 1);
    let (path, draft) = (store.base_path(first), store.dir.join("base.draft"));
    let bytes = encode(base.0, previous, base.1).map_err(|reason| JournalError::OutOfOrder(reason.to_string()))?;
    if store.files.open_read(&draft).is_ok() {
        store.files.remove(&draft).map_err(io_error("remove", &draft))?;
    }
    let file = store.files.create(&draft).map_err(io_error("create", &draft))?;
    file.write_at(0, &bytes).map_err(io_error("write", &draft))?;
    file.sync_data().map_err(io_error("sync", &draft))?;
    store.files.rename(&draft, &path).map_err(io_error("rename", &draft))?;
    store.files.sync_dir(&store.dir).map_err(io_error("sync", &store.dir))?;
    Ok(hash_of(&bytes))
}

/// Removes segments and bases before the segment that a durable trim keeps first. One name after the other, each gone for
/// sure before the next: whatever is left after a crash begins with a whole part or with the base.
pub(super) fn drop_before(store: &Store, first: Sequence) -> Result<(), JournalError> {
    let listing = store.listing()?;
    let segments = listing
        .segments
        .iter()
        .filter(|old| **old < first)
        .map(|old| store.path(*old));
    let bases = listing.bases.iter().filter(|old| **old < first);
    for path in segments.chain(bases.map(|old| store.base_path(*old))) {
        store.files.remove(&path).map_err(io_error("remove", &path))?;
        store.files.sync_dir(&store.dir).map_err(io_error("sync", &store.dir))?;
        tracing::info!(path = %path.display(), "trimmed");
    }
    Ok(())
}

/// Finishes a trim that was interrupted: where the journal says that it holds, the rest of the old files goes; where it
/// does not, the base does. For whoever holds the lock.
pub(super) fn settle_trims(store: &Store) -> Result<(), JournalError> {
    let draft = store.dir.join("base.draft");
    if store.files.open_read(&draft).is_ok() {
        store.files.remove(&draft).map_err(io_error("remove", &draft))?;
    }
    let listing = store.listing()?;
    let Some(begin) = store.segments()?.first().copied() else {
        return Ok(());
    };
    for first in listing.bases.iter().copied().filter(|first| *first > begin) {
        let hash = read_base(store, first).ok().map(|base| base.hash);
        if hash.is_some() && listing.segments.contains(&first) && named_base(store, first)? == hash {
            return drop_before(store, first);
        }
        let path = store.base_path(first);
        store.files.remove(&path).map_err(io_error("remove", &path))?;
        store.files.sync_dir(&store.dir).map_err(io_error("sync", &store.dir))?;
    }
    if listing.segments.first().is_some_and(|oldest| *oldest < begin) || listing.bases.iter().any(|old| *old < begin) {
        return drop_before(store, begin);
    }
    Ok(())
}

/// The base that the journal's last trim of all before `first` names, if any does.
fn named_base(store: &Store, first: Sequence) -> Result<Option<Hash>, JournalError> {
    let mut reader = super::reader::FileReader::new(store.clone(), None, first)?;
    let mut found = None;
    while let Some(block) = crate::ports::BlockReader::next_block(&mut reader)? {
        found = trim_of(&block, first).or(found);
    }
    Ok(found)
}

/// The base that a block's trim of all before `first` names.
pub(super) fn trim_of(block: &Block, first: Sequence) -> Option<Hash> {
    block.others.iter().rev().find_map(|(_, fact)| match fact {
        Fact::HistoryTrimmed { up_to, base, .. } if up_to.0.saturating_add(1) == first.0 => *base,
        _ => None,
    })
}
