//! Ids already seen: the latest in memory, all in sled, in runs.
//!
//! The journal position and entries of `(source, id)` enter; what is known of an id leaves. An entry's key is the first
//! 16 bytes of BLAKE3 over the length of the source, the source and the id. Keys of that kind lie all over a tree, so
//! that an entry of its own costs sled a node each; sorted runs of many, cut into chunks, cost it what they weigh.
//!
//! What is not saved yet, or only in small runs, is in memory; when that is much, it becomes one large run and leaves
//! memory but for filters. The position kept in sled is that of the last run, so after a crash it never claims more than
//! is there: what came later is filled in from the journal.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bytes::Reader;
use super::filter::{Filter, HashedKey};
use super::rounds::Rounds;
use super::runs::{Runs, SavedEntry, SavedSeen, Scan};
use super::shelf::{Changes, Shelf};
use crate::domain::fact::{MeasurementPlace, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::{Seen, SeenIds, StateError};

/// Name of the tree of runs.
pub(super) const TREE: &str = "seen_runs";
/// Name of the tree in which earlier versions kept an entry an id.
pub(super) const SINGLE_TREE: &str = "seen_ids";

/// Where both trees have their position.
pub(super) const POSITION_KEY: &[u8] = b"\0position";

/// Where it says up to which fact it was told of, so that a journal that lost its end is noticed. It moves without the ids
/// themselves, a moment after a block.
const REACHED_KEY: &[u8] = b"\0reached";

/// Ids of a large run: some megabytes of memory until there are that many.
const RUN_LEN: usize = 1 << 16;
/// Facts and blocks after which the position is saved, whatever else: what a crash may make a start read again.
const UNSAVED_FACTS_MAX: u64 = 1 << 18;
const UNSAVED_BLOCKS_MAX: u64 = 1 << 12;
/// Small runs that are put together into one, so that few ids do not become many runs.
const SMALL_RUNS_MAX: usize = 32;

/// Source, id and what is known of it.
type Entry = (Arc<str>, Box<str>, Seen);

/// Ids already seen, on disk. Clones look at the same entries.
#[derive(Clone)]
pub struct SledSeenIds {
    shared: Arc<Shared>,
    /// Ends with the last handle.
    _rounds: Option<Arc<Rounds>>,
}

struct Shared {
    runs: Shelf,
    /// What an earlier version left.
    single: Shelf,
    memory: Mutex<Memory>,
    /// Held by who notes how far it was told, so that it never goes back.
    noting: Mutex<()>,
}

struct Memory {
    position: Sequence,
    reached: Sequence,
    /// Of that, what is in sled.
    reached_saved: Sequence,
    /// Why nothing can be saved any more.
    failed: Option<StateError>,
    /// The position in sled, and blocks since then.
    saved: (Sequence, u64),
    /// What is in no large run.
    recent: HashMap<HashedKey, Seen>,
    /// Of these, what is in no run.
    unsaved: Vec<HashedKey>,
    /// What is in large runs, or in the tree of single entries.
    filter: Filter,
    runs: Runs,
}

impl SledSeenIds {
    /// Opens the shelves; the scan that checks them fills the filters too.
    pub(super) fn open(
        mut open: impl FnMut(&'static str, &mut dyn FnMut(&[u8], &[u8])) -> Result<Shelf, StateError>,
    ) -> Result<Self, StateError> {
        let mut filter = Filter::new();
        let single = open(SINGLE_TREE, &mut |key, _| {
            if let Ok(key) = key.try_into() {
                filter.insert(key);
            }
        })?;
        let mut scan = Scan::default();
        let shelf = open(TREE, &mut |key, value| scan.visit(key, value, &mut filter))?;
        let (runs, recent) = scan.settle(&shelf)?;
        let position = match sequence_in(&shelf, POSITION_KEY)? {
            Some(position) => position,
            None => sequence_in(&single, POSITION_KEY)?.unwrap_or(Sequence::ZERO),
        };
        let reached_saved = sequence_in(&shelf, REACHED_KEY)?.unwrap_or(Sequence::ZERO);
        let memory = Mutex::new(Memory {
            position,
            // A run moves the position alone.
            reached: reached_saved.max(position),
            reached_saved,
            failed: None,
            saved: (position, 0),
            recent,
            unsaved: Vec::new(),
            filter,
            runs,
        });
        let shared = Shared {
            runs: shelf,
            single,
            memory,
            noting: Mutex::default(),
        };
        Ok(Self {
            shared: Arc::new(shared),
            _rounds: None,
        })
    }

    /// A handle that keeps these rounds going.
    pub(super) fn with(&self, rounds: &Arc<Rounds>) -> Self {
        Self {
            shared: Arc::clone(&self.shared),
            _rounds: Some(Arc::clone(rounds)),
        }
    }

    /// The last fact that it was told of, whether or not what came up to there is still known.
    pub fn reached(&self) -> Sequence {
        self.shared.lock().reached
    }

    /// Small runs in sled.
    #[cfg(test)]
    pub(super) fn small_runs(&self) -> usize {
        self.shared.lock().runs.small_len()
    }

    /// Moves everything known so far, and the position, into sled.
    pub(super) fn save(&self) -> Result<(), StateError> {
        self.shared.save(&mut self.shared.lock())?;
        self.shared.save_reached()
    }

    /// Has sled know how far it was told; what goes wrong is told to who remembers next.
    pub(super) fn note_reached(&self) {
        if let Err(error) = self.shared.save_reached() {
            self.shared.lock().failed = Some(error);
        }
    }
}

fn sequence_in(shelf: &Shelf, key: &[u8]) -> Result<Option<Sequence>, StateError> {
    let Some(bytes) = shelf.get(key)? else {
        return Ok(None);
    };
    let found = Reader::new(&bytes).u64().map(|sequence| Some(Sequence(sequence)));
    found.ok_or(StateError::Unreadable { what: "position" })
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Without the lock, so that nobody who remembers waits for sled.
    fn save_reached(&self) -> Result<(), StateError> {
        let _turn = self.noting.lock().unwrap_or_else(PoisonError::into_inner);
        let memory = self.lock();
        let (reached, saved) = (memory.reached, memory.reached_saved);
        drop(memory);
        if reached == saved {
            return Ok(());
        }
        let mut changes = Changes::default();
        changes.put(REACHED_KEY.to_vec(), reached.0.to_le_bytes().to_vec());
        self.runs.commit(&changes)?;
        self.lock().reached_saved = reached;
        Ok(())
    }

    fn save(&self, memory: &mut Memory) -> Result<(), StateError> {
        if memory.saved.0 == memory.position && memory.unsaved.is_empty() {
            return Ok(());
        }
        let is_large = memory.recent.len() >= RUN_LEN;
        let of = |key: &HashedKey| memory.recent.get(key).map(|seen| (*key, encode(seen)));
        let is_whole = is_large || memory.runs.small_len() >= SMALL_RUNS_MAX;
        let mut entries: Vec<SavedEntry> = if is_whole {
            memory.recent.keys().filter_map(of).collect()
        } else {
            memory.unsaved.iter().filter_map(of).collect()
        };
        entries.sort_unstable_by_key(|(key, _)| *key);
        entries.dedup_by_key(|(key, _)| *key);
        if is_whole && !entries.is_empty() {
            memory.runs.replace(&self.runs, memory.position, &entries, is_large)?;
        } else {
            memory.runs.add(&self.runs, memory.position, &entries)?;
        }
        if is_large {
            for (key, _) in &entries {
                memory.filter.insert(key);
            }
            memory.recent.clear();
        }
        memory.unsaved.clear();
        memory.saved = (memory.position, 0);
        Ok(())
    }

    fn find(&self, memory: &Memory, key: &HashedKey) -> Result<Option<Seen>, StateError> {
        if let Some(seen) = memory.recent.get(key) {
            return Ok(Some(*seen));
        }
        if !memory.filter.may_contain(key) {
            return Ok(None);
        }
        let found = match memory.runs.find(&self.runs, key)? {
            Some(saved) => Some(decode(&saved)),
            None => self.single.get(key)?.map(|bytes| decode(&bytes)),
        };
        match found {
            None => Ok(None),
            Some(None) => Err(StateError::Unreadable { what: "seen id" }),
            Some(seen) => Ok(seen),
        }
    }
}

/// What is not saved when the last handle goes is saved then; where that fails, the journal has it.
impl Drop for Shared {
    fn drop(&mut self) {
        let saved = self.save(&mut self.lock());
        if let Err(error) = saved.and_then(|()| self.save_reached()) {
            tracing::warn!(%error, "ids were not saved: the next start reads more of the journal");
        }
    }
}

impl SeenIds for SledSeenIds {
    fn position(&self) -> Sequence {
        self.shared.lock().position
    }

    fn find(&self, source: &str, id: &str) -> Result<Option<Seen>, StateError> {
        self.shared.find(&self.shared.lock(), &key_of(source, id))
    }

    fn remember(&mut self, up_to: Sequence, entries: &[Entry]) -> Result<(), StateError> {
        let memory = &mut *self.shared.lock();
        if let Some(error) = &memory.failed {
            return Err(error.clone());
        }
        for (source, id, seen) in entries {
            let key = key_of(source, id);
            memory.recent.insert(key, *seen);
            memory.unsaved.push(key);
        }
        (memory.position, memory.reached) = (up_to, up_to);
        memory.saved.1 += 1;
        let facts = up_to.0.saturating_sub(memory.saved.0.0);
        let is_due = facts >= UNSAVED_FACTS_MAX || memory.saved.1 >= UNSAVED_BLOCKS_MAX;
        if is_due || memory.unsaved.len() >= RUN_LEN || memory.recent.len() >= RUN_LEN {
            self.shared.save(memory)?;
        }
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

fn encode(seen: &Seen) -> SavedSeen {
    let mut saved = [0; size_of::<SavedSeen>()];
    let fields = seen.place.sequence.0.to_le_bytes().into_iter();
    let fields = fields.chain(seen.place.series.0.to_le_bytes());
    let fields = fields.chain(seen.place.observed_at.0.to_le_bytes());
    let fields = fields.chain(seen.recorded_at.0.to_le_bytes());
    let fields = fields.chain(seen.content.to_le_bytes());
    let fields = fields.chain([u8::from(seen.retracted)]);
    for (byte, field) in saved.iter_mut().zip(fields) {
        *byte = field;
    }
    saved
}

pub(super) fn decode(bytes: &[u8]) -> Option<Seen> {
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
