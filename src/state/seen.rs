//! Ids already seen, in sled.
//!
//! The journal position and entries of `(source, id)` enter; what is known of an id leaves. An entry's key is the first
//! 16 bytes of BLAKE3 over the length of the source, the source and the id; its value has 37 bytes. The position moves in
//! the same atomic batch as the last entries of its block, so after a crash it never claims more than is there.

use std::sync::{Arc, Mutex, PoisonError};

use super::bytes::Reader;
use super::filter::{Filter, HashedKey};
use super::shelf::{Changes, Shelf};
use crate::domain::fact::{MeasurementPlace, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::{Seen, SeenIds, StateError};

/// Name of the tree.
pub(super) const TREE: &str = "seen_ids";

const POSITION_KEY: &[u8] = b"\0position";

/// Entries of one batch: sled needs a hundred times their bytes while it writes them. Only the last batch of a block
/// moves the position; after a crash the entries before it are taken in again, to the same effect.
const BATCH_ENTRIES_MAX: usize = 512;

/// Source, id and what is known of it.
type Entry = (Arc<str>, Box<str>, Seen);

/// Ids already seen, on disk. Clones look at the same entries.
#[derive(Clone)]
pub struct SledSeenIds {
    shared: Arc<Shared>,
}

struct Shared {
    shelf: Shelf,
    memory: Mutex<Memory>,
}

/// What would cost the disk otherwise.
struct Memory {
    position: Sequence,
    filter: Filter,
}

impl SledSeenIds {
    /// Opens the shelf; the scan that checks it fills the filter too.
    pub(super) fn open(
        open: impl FnOnce(&mut dyn FnMut(&[u8], &[u8])) -> Result<Shelf, StateError>,
    ) -> Result<Self, StateError> {
        let mut filter = Filter::new();
        let shelf = open(&mut |key, _| {
            if let Ok(key) = key.try_into() {
                filter.insert(key);
            }
        })?;
        let position = match shelf.get(POSITION_KEY)? {
            None => Sequence::ZERO,
            Some(bytes) => Sequence(
                Reader::new(&bytes)
                    .u64()
                    .ok_or(StateError::Unreadable { what: "position" })?,
            ),
        };
        let memory = Mutex::new(Memory { position, filter });
        let shared = Arc::new(Shared { shelf, memory });
        Ok(Self { shared })
    }
}

impl Shared {
    /// Commits entries together with what is in `changes` already.
    fn take_in(&self, memory: &mut Memory, entries: &[Entry], mut changes: Changes) -> Result<(), StateError> {
        let keys: Vec<HashedKey> = entries.iter().map(|(source, id, _)| key_of(source, id)).collect();
        for (key, (_, _, seen)) in keys.iter().zip(entries) {
            if memory.filter.may_contain(key) {
                changes.put(key.to_vec(), encode(seen));
            } else {
                changes.put_new(key.to_vec(), encode(seen));
            }
        }
        self.shelf.commit(changes)?;
        for key in &keys {
            memory.filter.insert(key);
        }
        Ok(())
    }
}

impl SeenIds for SledSeenIds {
    fn position(&self) -> Sequence {
        self.shared
            .memory
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .position
    }

    fn find(&self, source: &str, id: &str) -> Result<Option<Seen>, StateError> {
        let key = key_of(source, id);
        let memory = self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner);
        if !memory.filter.may_contain(&key) {
            return Ok(None);
        }
        match self.shared.shelf.get(&key)? {
            None => Ok(None),
            Some(bytes) => decode(&bytes)
                .map(Some)
                .ok_or(StateError::Unreadable { what: "seen id" }),
        }
    }

    fn remember(&mut self, up_to: Sequence, entries: &[Entry]) -> Result<(), StateError> {
        let mut memory = self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner);
        let mut rest = entries;
        while let Some((part, after)) = rest
            .split_at_checked(BATCH_ENTRIES_MAX)
            .filter(|(_, after)| !after.is_empty())
        {
            self.shared.take_in(&mut memory, part, Changes::default())?;
            rest = after;
        }
        let mut changes = Changes::default();
        changes.put(POSITION_KEY.to_vec(), up_to.0.to_le_bytes().to_vec());
        self.shared.take_in(&mut memory, rest, changes)?;
        memory.position = up_to;
        Ok(())
    }
}

fn key_of(source: &str, id: &str) -> HashedKey {
    let mut hasher = blake3::Hasher::new();
    // The length keeps (`a`, `bc`) apart from (`ab`, `c`), whatever characters a source uses.
    hasher.update(&(source.len() as u64).to_le_bytes());
    hasher.update(source.as_bytes()).update(id.as_bytes());
    let hash = hasher.finalize();
    let (key, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 16], &[]));
    *key
}

fn encode(seen: &Seen) -> Vec<u8> {
    let mut out = Vec::with_capacity(37);
    out.extend(seen.place.sequence.0.to_le_bytes());
    out.extend(seen.place.series.0.to_le_bytes());
    out.extend(seen.place.observed_at.0.to_le_bytes());
    out.extend(seen.recorded_at.0.to_le_bytes());
    out.extend(seen.content.to_le_bytes());
    out.push(u8::from(seen.retracted));
    out
}

fn decode(bytes: &[u8]) -> Option<Seen> {
    let mut reader = Reader::new(bytes);
    let place = MeasurementPlace {
        sequence: Sequence(reader.u64()?),
        series: SeriesNumber(reader.u32()?),
        observed_at: Instant(reader.i64()?),
    };
    let seen = Seen {
        place,
        recorded_at: Instant(reader.i64()?),
        content: reader.u64()?,
        retracted: reader.u8()? == 1,
    };
    reader.is_at_end().then_some(seen)
}
