//! One sled tree under a digest.
//!
//! sled checks every message that it reads, but a file that lost a piece may open without complaint and with entries
//! missing. So each tree keeps the number of its entries and a sum of their hashes, moved in the same atomic batch as
//! the entries themselves; opening scans the tree and refuses one that does not fit. Keys and values enter and leave;
//! what they mean is the business of the room's other files.

use std::collections::BTreeMap;
use std::fs::File;
use std::ops::Bound;
use std::sync::{Arc, Mutex, PoisonError};

use sled::IVec;

use super::bytes::Reader;
use crate::ports::StateError;

/// Where the digest is kept. Other keys of a shelf must not begin with a 0 byte and have this length.
const DIGEST_KEY: &[u8] = b"\0digest";

/// Longest value. sled keeps whole nodes of about 16 values, and moves a node larger than a quarter segment (512 KiB)
/// into `blobs/`, which it never syncs and never gives back: 17 values of this size stay far below.
pub(super) const VALUE_LEN_MAX: usize = 12 * 1024;

/// A sled tree whose entries are counted and summed.
pub(super) struct Shelf {
    name: &'static str,
    tree: sled::Tree,
    digest: Mutex<Digest>,
    /// Held as long as anyone can write, so that no second process begins.
    _lock: Arc<File>,
}

/// Number of entries and the wrapping sum of their hashes: the order does not matter, so it moves with every change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Digest {
    count: u64,
    sum: u64,
}

/// Changes that become visible and durable together. Of several changes of one key the last counts.
#[derive(Default)]
pub(super) struct Changes {
    by_key: BTreeMap<Vec<u8>, Change>,
    len: usize,
}

struct Change {
    value: Option<Vec<u8>>,
    /// The caller knows that the shelf has no such key, which saves looking.
    is_new: bool,
}

/// What a change makes of a key.
#[derive(Clone, Copy)]
pub(super) enum Becomes<'a> {
    /// It has this value.
    Value(&'a [u8]),
    /// It is not there.
    Gone,
}

impl<'a> Becomes<'a> {
    /// The value, if it has one.
    pub(super) fn value(self) -> Option<&'a [u8]> {
        match self {
            Self::Value(value) => Some(value),
            Self::Gone => None,
        }
    }
}

impl Change {
    fn becomes(&self) -> Becomes<'_> {
        self.value.as_deref().map_or(Becomes::Gone, Becomes::Value)
    }
}

impl Changes {
    /// Inserts or replaces a value.
    pub(super) fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.change(key, Some(value), false);
    }

    /// Inserts a value under a key that the shelf does not have.
    pub(super) fn put_new(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.change(key, Some(value), true);
    }

    /// Removes a key, if it is there.
    pub(super) fn remove(&mut self, key: Vec<u8>) {
        self.change(key, None, false);
    }

    /// Bytes of keys and values, to bound a batch.
    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Keys, to bound a batch.
    pub(super) fn count(&self) -> usize {
        self.by_key.len()
    }

    /// Nothing is changed.
    pub(super) fn is_empty(&self) -> bool {
        self.by_key.is_empty()
    }

    /// What becomes of a key; `None` where it stays as it is.
    pub(super) fn get(&self, key: &[u8]) -> Option<Becomes<'_>> {
        self.by_key.get(key).map(Change::becomes)
    }

    /// Keys that change, from `from` on in their order, and what becomes of them.
    pub(super) fn range_from(&self, from: &[u8]) -> impl Iterator<Item = (&[u8], Becomes<'_>)> {
        let range = self.by_key.range::<[u8], _>((Bound::Included(from), Bound::Unbounded));
        range.map(|(key, change)| (key.as_slice(), change.becomes()))
    }

    /// Makes other changes after these.
    pub(super) fn absorb(&mut self, later: Self) {
        for (key, Change { value, is_new }) in later.by_key {
            self.change(key, value, is_new);
        }
    }

    fn change(&mut self, key: Vec<u8>, value: Option<Vec<u8>>, is_new: bool) {
        self.len += key.len() + value.as_ref().map_or(0, Vec::len);
        // A key that was new for the first change is new for the shelf, whatever follows in the same batch.
        let is_new = self.by_key.get(&key).map_or(is_new, |earlier| earlier.is_new);
        self.by_key.insert(key, Change { value, is_new });
    }
}

impl Shelf {
    /// Opens a tree and shows each of its entries to `visit`; refuses one that does not fit its digest.
    pub(super) fn open(
        (db, lock): (&sled::Db, &Arc<File>),
        name: &'static str,
        mut visit: impl FnMut(&[u8], &[u8]),
    ) -> Result<Self, StateError> {
        let tree = db.open_tree(name).map_err(|error| failed("open", &error))?;
        let mut found = Digest::default();
        let mut kept = Digest::default();
        for entry in &tree {
            let (key, value) = entry.map_err(|error| failed("scan", &error))?;
            if key.as_ref() == DIGEST_KEY {
                kept = Digest::decode(&value).ok_or(StateError::Unreadable { what: "digest" })?;
            } else {
                found.add(&key, &value);
                visit(&key, &value);
            }
        }
        if found != kept {
            return Err(StateError::Unreadable { what: name });
        }
        let (digest, lock) = (Mutex::new(kept), Arc::clone(lock));
        Ok(Self {
            name,
            tree,
            digest,
            _lock: lock,
        })
    }

    /// The value of a key.
    pub(super) fn get(&self, key: &[u8]) -> Result<Option<IVec>, StateError> {
        self.tree.get(key).map_err(|error| failed("read", &error))
    }

    /// Entries whose keys start with `prefix` and are not smaller than `from`, in the order of their keys.
    pub(super) fn entries(
        &self,
        prefix: &[u8],
        from: &[u8],
    ) -> impl Iterator<Item = Result<(IVec, IVec), StateError>> + use<> {
        let prefix = prefix.to_vec();
        self.tree
            .range(from..)
            .map(|entry| entry.map_err(|error| failed("read", &error)))
            .take_while(move |entry| entry.as_ref().map_or(true, |(key, _)| key.starts_with(&prefix)))
    }

    /// Makes all changes together: a crash leaves all of them or none.
    pub(super) fn commit(&self, changes: &Changes) -> Result<(), StateError> {
        let mut digest = self.digest.lock().unwrap_or_else(PoisonError::into_inner);
        let mut moved = *digest;
        let mut batch = sled::Batch::default();
        for (key, change) in &changes.by_key {
            if !change.is_new
                && let Some(old) = self.get(key)?
            {
                moved.take_off(key, &old);
            }
            let key = key.as_slice();
            match change.value.as_deref() {
                Some(value) => {
                    debug_assert!(
                        value.len() <= VALUE_LEN_MAX,
                        "a value of {} bytes in {}",
                        value.len(),
                        self.name
                    );
                    moved.add(key, value);
                    batch.insert(key, value);
                }
                None => batch.remove(key),
            }
        }
        batch.insert(DIGEST_KEY, moved.encode());
        self.tree.apply_batch(batch).map_err(|error| failed("write", &error))?;
        *digest = moved;
        Ok(())
    }
}

impl Digest {
    fn add(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_add(1);
        self.sum = self.sum.wrapping_add(entry_hash(key, value));
    }

    fn take_off(&mut self, key: &[u8], value: &[u8]) {
        self.count = self.count.wrapping_sub(1);
        self.sum = self.sum.wrapping_sub(entry_hash(key, value));
    }

    fn encode(self) -> Vec<u8> {
        [self.count.to_le_bytes(), self.sum.to_le_bytes()].concat()
    }

    fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let digest = Self {
            count: reader.u64()?,
            sum: reader.u64()?,
        };
        reader.is_at_end().then_some(digest)
    }
}

fn entry_hash(key: &[u8], value: &[u8]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key).update(value);
    first_word(&hasher.finalize())
}

/// The first 8 bytes of a hash.
pub(super) fn first_word(hash: &blake3::Hash) -> u64 {
    let (word, _) = hash.as_bytes().split_first_chunk().unwrap_or((&[0; 8], &[]));
    u64::from_le_bytes(*word)
}

/// sled's error in the words of the port.
pub(super) fn failed(operation: &'static str, error: &sled::Error) -> StateError {
    StateError::Store {
        operation,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(db: &sled::Db) -> Result<Shelf, StateError> {
        let lock = Arc::new(tempfile::tempfile().unwrap());
        Shelf::open((db, &lock), "things", |_, _| ())
    }

    fn memory() -> sled::Db {
        sled::Config::new().temporary(true).open().unwrap()
    }

    #[test]
    fn the_digest_follows_every_change() {
        let db = memory();
        let shelf = open(&db).unwrap();
        let mut changes = Changes::default();
        changes.put_new(b"a".to_vec(), b"1".to_vec());
        changes.put_new(b"a".to_vec(), b"2".to_vec());
        changes.put(b"b".to_vec(), b"3".to_vec());
        shelf.commit(&changes).unwrap();
        let mut changes = Changes::default();
        changes.put(b"a".to_vec(), b"4".to_vec());
        changes.remove(b"b".to_vec());
        changes.remove(b"never".to_vec());
        shelf.commit(&changes).unwrap();
        let again = open(&db).unwrap();
        assert_eq!(again.get(b"a").unwrap().unwrap().as_ref(), b"4");
        assert_eq!(again.get(b"b").unwrap(), None);
    }

    #[test]
    fn an_entry_that_went_missing_or_changed_is_noticed() {
        let db = memory();
        let mut changes = Changes::default();
        changes.put(b"a".to_vec(), b"1".to_vec());
        changes.put(b"b".to_vec(), b"2".to_vec());
        open(&db).unwrap().commit(&changes).unwrap();
        let tree = db.open_tree("things").unwrap();
        tree.remove("a").unwrap();
        assert!(open(&db).is_err());
        tree.insert("a", "x").unwrap();
        assert!(open(&db).is_err());
        tree.insert("a", "1").unwrap();
        assert!(open(&db).is_ok());
        tree.insert("c", "").unwrap();
        assert!(open(&db).is_err());
    }

    #[test]
    fn entries_end_with_their_prefix() {
        let db = memory();
        let shelf = open(&db).unwrap();
        let mut changes = Changes::default();
        for key in ["a1", "b1", "b2", "b3", "c1"] {
            changes.put(key.into(), vec![]);
        }
        shelf.commit(&changes).unwrap();
        let keys: Vec<_> = shelf.entries(b"b", b"b2").map(|entry| entry.unwrap().0).collect();
        assert_eq!(keys, ["b2", "b3"]);
    }
}
