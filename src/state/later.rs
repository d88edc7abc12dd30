//! A shelf whose changes are written together, a moment after they were made.
//!
//! sled pays for each batch with a write that its threads wait for, on the disk for which the journal waits too: a batch an
//! alert cost more than the alert. So changes are visible at once and wait in memory; somebody has them written every now and
//! then, all at one time. A crash takes back the last of them, never some of an earlier moment without the others.

use std::iter::Peekable;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sled::IVec;

use super::shelf::{Becomes, Changes, Shelf};
use crate::ports::StateError;

/// Bytes that wait at most: sled needs many times the bytes of a batch while it writes it.
const WAITING_LEN_MAX: usize = 256 << 10;

/// A shelf with changes that wait.
pub(super) struct Later {
    shelf: Shelf,
    waiting: Mutex<Waiting>,
    /// Held by who writes, so that batches stay in order.
    writing: Mutex<()>,
}

#[derive(Default)]
struct Waiting {
    /// Made since the last write began.
    fresh: Changes,
    /// Being written; what is fresh is later.
    on_the_way: Arc<Changes>,
    /// Why nothing can be written any more.
    failed: Option<StateError>,
}

impl Later {
    /// Nothing waits yet.
    pub(super) fn new(shelf: Shelf) -> Self {
        Self {
            shelf,
            waiting: Mutex::default(),
            writing: Mutex::default(),
        }
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StateError> {
        let waiting = self.waiting();
        match waiting.fresh.get(key).or_else(|| waiting.on_the_way.get(key)) {
            Some(becomes) => Ok(becomes.value().map(IVec::from)),
            None => self.shelf.get(key),
        }
    }

    /// Shows entries whose keys start with `prefix` and are not smaller than `from`, in the order of their keys, until
    /// `see` has enough. It must not ask for others meanwhile.
    pub(super) fn visit(
        &self,
        prefix: &[u8],
        from: &[u8],
        mut see: impl FnMut(&[u8], &[u8]) -> Result<ControlFlow<()>, StateError>,
    ) -> Result<(), StateError> {
        let waiting = self.waiting();
        let mut written = self.shelf.entries(prefix, from).peekable();
        let mut on_the_way = waiting.on_the_way.range_from(from).peekable();
        let mut fresh = waiting.fresh.range_from(from).peekable();
        loop {
            let first_written = match written.peek() {
                Some(Ok((key, _))) => Some(key.clone()),
                Some(Err(_)) => return written.next().map_or(Ok(()), |entry| entry.map(drop)),
                None => None,
            };
            let keys = [
                first_written.as_deref(),
                on_the_way.peek().map(|(key, _)| *key),
                fresh.peek().map(|(key, _)| *key),
            ];
            let Some(key) = keys.into_iter().flatten().min().filter(|key| key.starts_with(prefix)) else {
                return Ok(());
            };
            let below = written.next_if(|entry| entry.as_ref().is_ok_and(|(found, _)| found == key));
            // Each source moves past the key; the latest one counts.
            let value = [next_of(&mut fresh, key), next_of(&mut on_the_way, key)];
            let below = below.and_then(Result::ok).map(|(_, value)| value);
            let value = match value.into_iter().flatten().next() {
                Some(becomes) => becomes.value(),
                None => below.as_deref(),
            };
            if let Some(value) = value
                && see(key, value)?.is_break()
            {
                return Ok(());
            }
        }
    }

    /// Makes changes, visible from now on. Writes them itself when too much waits.
    pub(super) fn make(&self, changes: Changes) -> Result<(), StateError> {
        let mut waiting = self.waiting();
        if let Some(error) = &waiting.failed {
            return Err(error.clone());
        }
        waiting.fresh.absorb(changes);
        let is_much = waiting.fresh.len() > WAITING_LEN_MAX;
        drop(waiting);
        if is_much { self.write() } else { Ok(()) }
    }

    /// Writes all that waits. What could not be written is an error of every change from then on.
    pub(super) fn write(&self) -> Result<(), StateError> {
        let _turn = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        let mut waiting = self.waiting();
        if let Some(error) = &waiting.failed {
            return Err(error.clone());
        }
        if waiting.fresh.is_empty() {
            return Ok(());
        }
        waiting.on_the_way = Arc::new(std::mem::take(&mut waiting.fresh));
        let on_the_way = Arc::clone(&waiting.on_the_way);
        drop(waiting);
        let written = self.shelf.commit(&on_the_way);
        let mut waiting = self.waiting();
        match &written {
            Ok(()) => waiting.on_the_way = Arc::default(),
            Err(error) => waiting.failed = Some(error.clone()),
        }
        written
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What becomes of the key, where it is the next one there.
fn next_of<'c>(
    changes: &mut Peekable<impl Iterator<Item = (&'c [u8], Becomes<'c>)>>,
    key: &[u8],
) -> Option<Becomes<'c>> {
    changes.next_if(|(found, _)| *found == key).map(|(_, becomes)| becomes)
}

/// What waits when the last handle goes is written then; where that fails, the journal has it.
impl Drop for Later {
    fn drop(&mut self) {
        if let Err(error) = self.write() {
            tracing::warn!(%error, "the last changes were not written: the next start decides them again");
        }
    }
}
