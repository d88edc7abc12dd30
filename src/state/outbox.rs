//! Transitions that are decided and not yet delivered, in sled.
//!
//! Transitions enter with the position that they rest on; each destination takes the pending ones in order and says when
//! it has one. What every known destination has becomes a tombstone that keeps its id, so that deciding it again after a
//! crash puts nothing. It never delivers anything itself, and never forgets a transition that is pending.
//!
//! What is put and done is written a moment later, all at one time. A crash takes back the last moment with its position:
//! the transitions of it are decided again, as long as no checkpoint is beyond them. So who saves one writes this first.
//!
//! | key | value |
//! |---|---|
//! | 0, `position` | sequence and instant |
//! | 1, key | done: 0 and id; pending: 1, names of the destinations that have it, transition |
//! | 2, id | key |

use std::collections::HashSet;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::bytes::{Reader, put_text};
use super::later::Later;
use super::rounds::Rounds;
use super::shelf::{Changes, Shelf};
use super::transition;
use super::{DONE_IDS_MAX, memory::unknown_destination};
use crate::domain::alert::AlertTransition;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::{Outbox, StateError};

/// Name of the tree.
pub(super) const TREE: &str = "outbox";

const POSITION_KEY: &[u8] = b"\0position";
const ENTRY: u8 = 1;
const ID: u8 = 2;

/// Transitions to deliver, on disk. Clones look at the same entries.
#[derive(Clone)]
pub struct SledOutbox {
    shared: Arc<Shared>,
    /// Ends with the last handle.
    _rounds: Option<Arc<Rounds>>,
}

struct Shared {
    shelf: Later,
    destinations: Vec<&'static str>,
    ids_max: usize,
    memory: Mutex<Memory>,
}

/// Derived from the entries when opening.
struct Memory {
    next_key: u64,
    /// Entries, pending or done: each has one id.
    ids: usize,
    /// No tombstone is before it.
    oldest: u64,
    /// By destination: nothing is pending for it before this key.
    first_pending: Vec<u64>,
}

/// An entry as it is kept.
enum Entry<'a> {
    Done { id: &'a str },
    Pending { has_it: Vec<&'a str>, transition: &'a [u8] },
}

impl SledOutbox {
    /// Opens the shelf for these destinations. Entries that wait for none of them any more are done.
    pub(super) fn open(shelf: Shelf, destinations: &[&'static str]) -> Result<Self, StateError> {
        Self::open_bounded(shelf, destinations, DONE_IDS_MAX)
    }

    /// As `open`, with another bound on the ids remembered.
    pub(super) fn open_bounded(
        shelf: Shelf,
        destinations: &[&'static str],
        ids_max: usize,
    ) -> Result<Self, StateError> {
        let mut memory = Memory {
            next_key: 0,
            ids: 0,
            oldest: 0,
            first_pending: vec![0; destinations.len()],
        };
        let mut settled = Changes::default();
        for found in shelf.entries(&[ENTRY], &[ENTRY]) {
            let (key, value) = found?;
            let number = number_of(&key)?;
            (memory.next_key, memory.ids) = (number + 1, memory.ids + 1);
            if let Entry::Pending { has_it, transition } = Entry::decode(&value)?
                && destinations.iter().all(|name| has_it.contains(name))
            {
                settled.put(key.to_vec(), tombstone(transition)?);
            }
        }
        shelf.commit(&settled)?;
        let shared = Shared {
            shelf: Later::new(shelf),
            destinations: destinations.to_vec(),
            ids_max,
            memory: Mutex::new(memory),
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

    /// Writes what was put and done so far.
    pub(super) fn write(&self) -> Result<(), StateError> {
        self.shared.shelf.write()
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.shared.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn destination(&self, name: &str) -> Result<usize, StateError> {
        let found = self.shared.destinations.iter().position(|known| *known == name);
        found.ok_or_else(|| unknown_destination(name))
    }

    /// The entry of a transition that is new.
    fn first_entry(&self, transition: &AlertTransition) -> Vec<u8> {
        if self.shared.destinations.is_empty() {
            return done_bytes(&transition.id);
        }
        pending_bytes(&[], &transition::encode(transition))
    }

    /// Removes the oldest tombstones, `excess` of them if there are so many; gives back how many and where it stopped.
    fn prune(&self, excess: usize, oldest: u64, changes: &mut Changes) -> Result<(usize, u64), StateError> {
        let (mut removed, mut stopped) = (0, oldest);
        if excess == 0 {
            return Ok((removed, stopped));
        }
        self.shared.shelf.visit(&[ENTRY], &entry_key(oldest), |key, value| {
            stopped = number_of(key)?;
            if removed == excess {
                return Ok(ControlFlow::Break(()));
            }
            if let Entry::Done { id } = Entry::decode(value)? {
                changes.remove(id_key(id));
                changes.remove(key.to_vec());
                removed += 1;
            }
            Ok(ControlFlow::Continue(()))
        })?;
        Ok((removed, stopped))
    }
}

impl Outbox for SledOutbox {
    fn position(&self) -> Result<Option<(Sequence, Instant)>, StateError> {
        let Some(bytes) = self.shared.shelf.get(POSITION_KEY)? else {
            return Ok(None);
        };
        let mut reader = Reader::new(&bytes);
        let position = reader.u64().map(Sequence).zip(reader.i64().map(Instant));
        position.map(Some).ok_or(UNREADABLE)
    }

    fn put(&self, up_to: (Sequence, Instant), transitions: &[AlertTransition]) -> Result<(), StateError> {
        let mut memory = self.memory();
        let mut changes = Changes::default();
        let mut next_key = memory.next_key;
        let mut added: HashSet<&str> = HashSet::new();
        for transition in transitions {
            let id = id_key(&transition.id);
            if self.shared.shelf.get(&id)?.is_some() || !added.insert(&transition.id) {
                continue;
            }
            changes.put_new(id, next_key.to_be_bytes().to_vec());
            changes.put_new(entry_key(next_key), self.first_entry(transition));
            next_key += 1;
        }
        let ids = memory.ids + added.len();
        let excess = ids.saturating_sub(self.shared.ids_max);
        let (removed, oldest) = self.prune(excess, memory.oldest, &mut changes)?;
        let position = [up_to.0.0.to_le_bytes(), up_to.1.0.to_le_bytes()].concat();
        changes.put(POSITION_KEY.to_vec(), position);
        self.shared.shelf.make(changes)?;
        (memory.next_key, memory.ids, memory.oldest) = (next_key, ids - removed, oldest);
        Ok(())
    }

    fn pending(&self, destination: &str, count: usize) -> Result<Vec<(u64, AlertTransition)>, StateError> {
        let index = self.destination(destination)?;
        let mut memory = self.memory();
        let from = memory.first_pending.get(index).copied().unwrap_or(0);
        let mut found = Vec::new();
        let mut first = None;
        self.shared.shelf.visit(&[ENTRY], &entry_key(from), |key, value| {
            let Entry::Pending { has_it, transition } = Entry::decode(value)? else {
                return Ok(ControlFlow::Continue(()));
            };
            if has_it.contains(&destination) {
                return Ok(ControlFlow::Continue(()));
            }
            let number = number_of(key)?;
            first = first.or(Some(number));
            if found.len() == count {
                return Ok(ControlFlow::Break(()));
            }
            found.push((number, transition::decode(transition).ok_or(UNREADABLE)?));
            Ok(ControlFlow::Continue(()))
        })?;
        let first = first.unwrap_or(memory.next_key);
        if let Some(slot) = memory.first_pending.get_mut(index) {
            *slot = first;
        }
        Ok(found)
    }

    fn done(&self, destination: &str, key: u64) -> Result<(), StateError> {
        self.destination(destination)?;
        let mut memory = self.memory();
        let Some(value) = self.shared.shelf.get(&entry_key(key))? else {
            return Ok(());
        };
        let Entry::Pending { mut has_it, transition } = Entry::decode(&value)? else {
            return Ok(());
        };
        if !has_it.contains(&destination) {
            has_it.push(destination);
        }
        let everywhere = self.shared.destinations.iter().all(|name| has_it.contains(name));
        let value = if everywhere {
            tombstone(transition)?
        } else {
            pending_bytes(&has_it, transition)
        };
        let mut changes = Changes::default();
        changes.put(entry_key(key), value);
        self.shared.shelf.make(changes)?;
        memory.oldest = memory.oldest.min(key);
        Ok(())
    }
}

const UNREADABLE: StateError = StateError::Unreadable { what: "outbox" };

impl<'a> Entry<'a> {
    fn decode(bytes: &'a [u8]) -> Result<Self, StateError> {
        Self::read(bytes).ok_or(UNREADABLE)
    }

    fn read(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        if reader.u8()? == 0 {
            return reader.text().map(|id| Self::Done { id });
        }
        let count = reader.u8()?;
        let has_it = (0..count).map(|_| reader.text()).collect::<Option<_>>()?;
        let transition = reader.rest();
        Some(Self::Pending { has_it, transition })
    }
}

fn pending_bytes(has_it: &[&str], transition: &[u8]) -> Vec<u8> {
    let mut out = vec![1, has_it.len() as u8];
    for name in has_it {
        put_text(&mut out, name);
    }
    out.extend(transition);
    out
}

fn done_bytes(id: &str) -> Vec<u8> {
    let mut out = vec![0];
    put_text(&mut out, id);
    out
}

/// What remains of a transition that every destination has.
fn tombstone(transition: &[u8]) -> Result<Vec<u8>, StateError> {
    let transition = transition::decode(transition).ok_or(UNREADABLE)?;
    Ok(done_bytes(&transition.id))
}

fn entry_key(key: u64) -> Vec<u8> {
    let mut bytes = vec![ENTRY];
    bytes.extend(key.to_be_bytes());
    bytes
}

fn id_key(id: &str) -> Vec<u8> {
    let mut key = vec![ID];
    key.extend(id.as_bytes());
    key
}

fn number_of(entry_key: &[u8]) -> Result<u64, StateError> {
    let number = entry_key.get(1..).and_then(|rest| rest.try_into().ok());
    number.map(u64::from_be_bytes).ok_or(UNREADABLE)
}
