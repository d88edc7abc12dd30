//! Runs: sorted entries of seen ids in sled, some ten thousand in a large one.
//!
//! Sorted entries enter and are cut into chunks under consecutive keys, which is how sled writes most quickly; what is
//! kept under a key leaves. A run counts from the batch on that names it, and that moves the position and takes the names
//! off those that it replaces; chunks of others are removed when the shelf is opened again. Entries of small runs are
//! also in memory, with whoever asks for it here.
//!
//! | key | value |
//! |---|---|
//! | `l` or `c`, run (u64), chunk (u32), big-endian | entries of a large or small run: 16 bytes of key, 37 of value, by key |
//! | `r`, run (u64), big-endian | entries (u64) |
//! | 0, `position` | sequence (u64) |

use std::collections::{BTreeMap, HashMap};

use super::bytes::Reader;
use super::filter::{Filter, HashedKey};
use super::seen::{POSITION_KEY, decode};
use super::shelf::{Changes, Shelf};
use crate::domain::id::Sequence;
use crate::ports::{Seen, StateError};

/// What is known of an id, as bytes.
pub(super) type SavedSeen = [u8; 37];

/// An id and what is known of it.
pub(super) type SavedEntry = (HashedKey, SavedSeen);

const KEY_LEN: usize = size_of::<HashedKey>();
const ENTRY_LEN: usize = KEY_LEN + size_of::<SavedSeen>();
/// Entries of a chunk: well within a value of a shelf.
const CHUNK_LEN: usize = 200;
/// Chunks of one batch: sled needs many times their bytes while it writes them.
const BATCH_CHUNKS: usize = 8;

const SMALL: u8 = b'c';
const LARGE: u8 = b'l';
const RUN: u8 = b'r';

/// The runs there are.
#[derive(Default)]
pub(super) struct Runs {
    large: Vec<Run>,
    /// Small ones, with their numbers of chunks.
    small: Vec<(u64, u32)>,
    next: u64,
}

/// One large run.
struct Run {
    number: u64,
    /// The first key of each chunk.
    firsts: Vec<HashedKey>,
    filter: Filter,
}

/// What the scan of a shelf has found so far.
#[derive(Default)]
pub(super) struct Scan {
    by_number: BTreeMap<u64, Scanned>,
}

/// A run as the scan finds it.
#[derive(Default)]
struct Scanned {
    kind: u8,
    chunks: u32,
    len: u64,
    /// Of a large run: the first key of each chunk, and all keys.
    firsts: Vec<HashedKey>,
    filter: Option<Filter>,
    /// Of a small one.
    entries: Vec<(HashedKey, Option<Seen>)>,
    /// How many entries it has by its name; nothing where it does not count.
    named: Option<u64>,
}

impl Scan {
    /// Takes in an entry of the shelf, and shows the keys of large runs.
    pub(super) fn visit(&mut self, key: &[u8], value: &[u8], filter: &mut Filter) {
        let Some((kind, rest)) = key.split_first() else { return };
        let Some((number, rest)) = rest.split_first_chunk() else {
            return;
        };
        let run = self.by_number.entry(u64::from_be_bytes(*number));
        match (*kind, rest.try_into()) {
            (SMALL | LARGE, Ok(chunk)) => {
                let run = run.or_default();
                (run.kind, run.chunks) = (*kind, u32::from_be_bytes(chunk) + 1);
                run.take(value, filter);
            }
            (RUN, _) => run.or_default().named = Reader::new(value).u64(),
            _ => {}
        }
    }

    /// Ends it: the runs, and the entries of small ones. What belongs to no run is removed.
    pub(super) fn settle(self, tree: &Shelf) -> Result<(Runs, HashMap<HashedKey, Seen>), StateError> {
        let (mut runs, mut recent) = (Runs::default(), HashMap::new());
        for (number, run) in self.by_number {
            runs.next = number + 1;
            match run.named {
                None => remove(tree, (run.kind, number), run.chunks)?,
                Some(len) if len != run.len => return Err(StateError::Unreadable { what: "seen ids" }),
                Some(_) if run.kind == LARGE => runs.large.push(Run {
                    number,
                    firsts: run.firsts,
                    filter: run.filter.unwrap_or_else(Filter::new),
                }),
                Some(_) => {
                    runs.small.push((number, run.chunks));
                    for (key, seen) in run.entries {
                        recent.insert(key, seen.ok_or(StateError::Unreadable { what: "seen id" })?);
                    }
                }
            }
        }
        Ok((runs, recent))
    }
}

impl Scanned {
    fn take(&mut self, chunk: &[u8], filter: &mut Filter) {
        let entries = entries_of(chunk);
        if self.kind == SMALL {
            self.entries.extend(entries.map(|(key, saved)| (key, decode(saved))));
            self.len = self.entries.len() as u64;
            return;
        }
        let keys = self.filter.get_or_insert_with(Filter::new);
        for (place, (key, _)) in entries.enumerate() {
            if place == 0 {
                self.firsts.push(key);
            }
            filter.insert(&key);
            keys.insert(&key);
            self.len += 1;
        }
    }
}

impl Runs {
    /// What is kept under a key in large runs, the latest.
    pub(super) fn find(&self, tree: &Shelf, key: &HashedKey) -> Result<Option<SavedSeen>, StateError> {
        let may_have = |run: &&Run| run.filter.may_contain(key);
        for run in self.large.iter().rev().filter(may_have) {
            let Some(chunk) = run.firsts.partition_point(|first| first <= key).checked_sub(1) else {
                continue;
            };
            let bytes = tree.get(&chunk_key((LARGE, run.number), chunk as u32))?;
            let bytes = bytes.ok_or(StateError::Unreadable { what: "seen ids" })?;
            let found = entries_of(&bytes).find(|(found, _)| found == key);
            if let Some(saved) = found.and_then(|(_, saved)| saved.try_into().ok()) {
                return Ok(Some(saved));
            }
        }
        Ok(None)
    }

    /// Small runs there are.
    pub(super) fn small_len(&self) -> usize {
        self.small.len()
    }

    /// Keeps a few sorted entries beside the small runs there are, and moves the position.
    pub(super) fn add(&mut self, tree: &Shelf, up_to: Sequence, entries: &[SavedEntry]) -> Result<(), StateError> {
        let mut last = Changes::default();
        put_position(&mut last, up_to);
        if entries.is_empty() {
            return tree.commit(&last);
        }
        let (number, chunks) = self.put((tree, SMALL), entries, last)?;
        self.small.push((number, chunks));
        Ok(())
    }

    /// Keeps sorted entries in the place of all small runs, and moves the position.
    pub(super) fn replace(
        &mut self,
        tree: &Shelf,
        up_to: Sequence,
        entries: &[SavedEntry],
        is_large: bool,
    ) -> Result<(), StateError> {
        let mut last = Changes::default();
        put_position(&mut last, up_to);
        for (number, _) in &self.small {
            last.remove(head_key(*number));
        }
        let kind = if is_large { LARGE } else { SMALL };
        let (number, chunks) = self.put((tree, kind), entries, last)?;
        for (number, chunks) in std::mem::take(&mut self.small) {
            remove(tree, (SMALL, number), chunks)?;
        }
        if !is_large {
            self.small.push((number, chunks));
            return Ok(());
        }
        self.large.push(Run {
            number,
            firsts: entries.iter().step_by(CHUNK_LEN).map(|(key, _)| *key).collect(),
            filter: filter_of(entries.iter().map(|(key, _)| key)),
        });
        Ok(())
    }

    /// Writes a run; with the last changes it counts. Gives its number and chunks.
    fn put(
        &mut self,
        (tree, kind): (&Shelf, u8),
        entries: &[SavedEntry],
        mut last: Changes,
    ) -> Result<(u64, u32), StateError> {
        let number = self.next;
        self.next += 1;
        let chunks = put_chunks(tree, (kind, number), entries)?;
        last.put_new(head_key(number), (entries.len() as u64).to_le_bytes().to_vec());
        tree.commit(&last)?;
        Ok((number, chunks))
    }
}

fn filter_of<'k>(keys: impl Iterator<Item = &'k HashedKey>) -> Filter {
    let mut filter = Filter::new();
    keys.for_each(|key| filter.insert(key));
    filter
}

/// The entries of a chunk.
fn entries_of(bytes: &[u8]) -> impl Iterator<Item = (HashedKey, &[u8])> {
    let entries = bytes.as_chunks::<ENTRY_LEN>().0.iter();
    entries.filter_map(|entry| entry.split_first_chunk::<KEY_LEN>().map(|(key, saved)| (*key, saved)))
}

/// Writes chunks that do not count yet, and says how many.
fn put_chunks(tree: &Shelf, run: (u8, u64), entries: &[SavedEntry]) -> Result<u32, StateError> {
    let mut chunk = 0;
    for part in entries.chunks(CHUNK_LEN * BATCH_CHUNKS) {
        let mut changes = Changes::default();
        for entries in part.chunks(CHUNK_LEN) {
            let mut value = Vec::with_capacity(entries.len() * ENTRY_LEN);
            for (key, saved) in entries {
                value.extend(key);
                value.extend(saved);
            }
            changes.put_new(chunk_key(run, chunk), value);
            chunk += 1;
        }
        tree.commit(&changes)?;
    }
    Ok(chunk)
}

/// Removes the chunks of a run that does not count any more.
fn remove(tree: &Shelf, run: (u8, u64), chunks: u32) -> Result<(), StateError> {
    let chunks: Vec<u32> = (0..chunks).collect();
    for part in chunks.chunks(BATCH_CHUNKS) {
        let mut changes = Changes::default();
        for chunk in part {
            changes.remove(chunk_key(run, *chunk));
        }
        tree.commit(&changes)?;
    }
    Ok(())
}

fn put_position(changes: &mut Changes, position: Sequence) {
    changes.put(POSITION_KEY.to_vec(), position.0.to_le_bytes().to_vec());
}

fn chunk_key((kind, number): (u8, u64), chunk: u32) -> Vec<u8> {
    let mut key = vec![kind];
    key.extend(number.to_be_bytes());
    key.extend(chunk.to_be_bytes());
    key
}

fn head_key(number: u64) -> Vec<u8> {
    let mut key = vec![RUN];
    key.extend(number.to_be_bytes());
    key
}
