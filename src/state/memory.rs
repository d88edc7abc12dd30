//! The shelves without a disk: for replays, which keep nothing, and for tests.
//!
//! They keep the same promises as those in sled, proved by the same suite; what they hold ends with them.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::DONE_IDS_MAX;
use crate::domain::alert::AlertTransition;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, Checkpoints, Outbox, SavedState, Seen, SeenIds, StateError};

/// Ids already seen, in memory.
#[derive(Debug, Default)]
pub struct MemorySeenIds {
    position: Sequence,
    by_source: HashMap<Arc<str>, HashMap<Box<str>, Seen>>,
}

impl SeenIds for MemorySeenIds {
    fn position(&self) -> Sequence {
        self.position
    }

    fn find(&self, source: &str, id: &str) -> Result<Option<Seen>, StateError> {
        Ok(self.by_source.get(source).and_then(|ids| ids.get(id)).copied())
    }

    fn remember(&mut self, up_to: Sequence, entries: &[(Arc<str>, Box<str>, Seen)]) -> Result<(), StateError> {
        for (source, id, seen) in entries {
            let ids = self.by_source.entry(Arc::clone(source)).or_default();
            ids.insert(id.clone(), *seen);
        }
        self.position = up_to;
        Ok(())
    }
}

/// Saved states of the projection, in memory.
#[derive(Debug, Default)]
pub struct MemoryCheckpoints {
    head: Option<CheckpointHead>,
    parts: BTreeMap<u64, Vec<u64>>,
}

impl Checkpoints for MemoryCheckpoints {
    fn save(&mut self, head: &CheckpointHead, parts: Parts) -> Result<(), StateError> {
        self.parts.extend(parts);
        self.head = Some(head.clone());
        Ok(())
    }

    fn load(&self) -> Result<Option<SavedState>, StateError> {
        let parts = || self.parts.iter().map(|(part, words)| (*part, words.clone())).collect();
        Ok(self.head.clone().map(|head| (head, parts())))
    }

    fn clear(&mut self) -> Result<(), StateError> {
        self.head = None;
        self.parts.clear();
        Ok(())
    }
}

/// Transitions to deliver, in memory.
#[derive(Debug)]
pub struct MemoryOutbox {
    destinations: Vec<&'static str>,
    ids_max: usize,
    shelf: Mutex<OutboxShelf>,
}

#[derive(Debug, Default)]
struct OutboxShelf {
    position: Option<(Sequence, Instant)>,
    next_key: u64,
    ids: HashSet<String>,
    /// Each with the destinations that have it.
    pending: BTreeMap<u64, (AlertTransition, Vec<String>)>,
    /// Ids that are done, the earliest done first.
    done: VecDeque<String>,
}

impl MemoryOutbox {
    /// An empty outbox for these destinations.
    pub fn new(destinations: &[&'static str]) -> Self {
        Self::bounded(destinations, DONE_IDS_MAX)
    }

    /// As `new`, with another bound on the ids remembered.
    pub(super) fn bounded(destinations: &[&'static str], ids_max: usize) -> Self {
        Self {
            destinations: destinations.to_vec(),
            ids_max,
            shelf: Mutex::default(),
        }
    }

    fn inner(&self) -> MutexGuard<'_, OutboxShelf> {
        self.shelf.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self, destination: &str) -> Result<(), StateError> {
        if self.destinations.contains(&destination) {
            return Ok(());
        }
        Err(unknown_destination(destination))
    }
}

/// A destination that the outbox was not opened for: it would never get anything, or hold everything back.
pub(super) fn unknown_destination(name: &str) -> StateError {
    StateError::Store {
        operation: "outbox",
        reason: format!("`{name}` is not a destination: name it when opening"),
    }
}

impl Outbox for MemoryOutbox {
    fn position(&self) -> Result<Option<(Sequence, Instant)>, StateError> {
        Ok(self.inner().position)
    }

    fn put(&self, up_to: (Sequence, Instant), transitions: &[AlertTransition]) -> Result<(), StateError> {
        let mut inner = self.inner();
        for transition in transitions {
            if !inner.ids.insert(transition.id.clone()) {
                continue;
            }
            let key = inner.next_key;
            inner.next_key += 1;
            if self.destinations.is_empty() {
                inner.done.push_back(transition.id.clone());
            } else {
                inner.pending.insert(key, (transition.clone(), Vec::new()));
            }
        }
        while inner.ids.len() > self.ids_max
            && let Some(id) = inner.done.pop_front()
        {
            inner.ids.remove(&id);
        }
        inner.position = Some(up_to);
        Ok(())
    }

    fn pending(&self, destination: &str, count: usize) -> Result<Vec<(u64, AlertTransition)>, StateError> {
        self.check(destination)?;
        let inner = self.inner();
        let waiting = inner
            .pending
            .iter()
            .filter(|(_, (_, has_it))| !has_it.iter().any(|name| name == destination));
        Ok(waiting
            .take(count)
            .map(|(key, (transition, _))| (*key, transition.clone()))
            .collect())
    }

    fn done(&self, destination: &str, key: u64) -> Result<(), StateError> {
        self.check(destination)?;
        let mut inner = self.inner();
        let Some((transition, has_it)) = inner.pending.get_mut(&key) else {
            return Ok(());
        };
        has_it.push(destination.to_owned());
        if self
            .destinations
            .iter()
            .all(|name| has_it.iter().any(|has| has == name))
        {
            let id = transition.id.clone();
            inner.pending.remove(&key);
            inner.done.push_back(id);
        }
        Ok(())
    }
}
