//! Saved states of the projection, in sled.
//!
//! A head and changed parts (words, by number) enter; the head and all parts leave, exactly as one save or an unbroken row
//! of saves left them, or nothing. A part is compressed (zstd level 1 over its little-endian bytes) and cut into chunks,
//! because sled must not see large values. Each part has two slots: a save writes the one that is not in use, in as many
//! batches as it needs to keep memory small, and only one batch behind them moves the index and the head (without a head the
//! index counts for nothing, and need not be one batch); then the slots of before are emptied. A crash in between leaves
//! chunks that nothing points to; the next save of that part removes them.
//!
//! | key | value |
//! |---|---|
//! | 1 | head: form, sequence, clock, fingerprint |
//! | 2, part | index: slot, chunks, words, first 8 bytes of BLAKE3 over the part's bytes |
//! | 3, part, slot, chunk | compressed bytes |

use std::collections::BTreeSet;
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex, PoisonError};

use super::bytes::{Reader, put_text};
use super::gathering::Gathering;
use super::outbox::SledOutbox;
use super::shelf::{Changes, Shelf, VALUE_LEN_MAX, first_word};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, Checkpoints, SavedState, StateError};

/// Name of the tree.
pub(super) const TREE: &str = "checkpoints";

pub(super) const HEAD_KEY: &[u8] = &[1];
pub(super) const INDEX: u8 = 2;
pub(super) const CHUNK: u8 = 3;

/// Form of the encoding; a head of another form is not read.
const FORM: u8 = 2;

/// Form of the projection's image: whoever changes what its words mean counts it up, so that states of before are not read.
pub(super) const IMAGE_FORM: u32 = FORM as u32;

/// Bytes after which a batch is written: sled holds a whole batch in memory, several times over.
const BATCH_LEN_MAX: usize = 4 << 20;
/// Entries after which a batch is written: until the last of them is in, sled keeps a copy of its node (several kilobytes)
/// for each.
const BATCH_COUNT_MAX: usize = 1_000;

/// Entries that were read and not gathered yet, some kilobytes each.
const ENTRIES_AHEAD_MAX: usize = 256;

/// zstd: level 1 halves the bytes at the speed of the disk; higher ones cost more time than they save.
const COMPRESSION_LEVEL: i32 = 1;

/// Saved states of the projection, on disk. Clones look at the same entries; only one of them may save.
#[derive(Clone)]
pub struct SledCheckpoints {
    shelf: Arc<Shelf>,
    /// What is decided up to a saved state is written before it: nobody decides it again.
    before: Option<SledOutbox>,
    /// What the scan that opened the shelf gathered, until it is asked for or outdated.
    gathered: Arc<Mutex<Option<SavedState>>>,
}

/// Where a part is, and what it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct PartIndex {
    pub(super) slot: u8,
    pub(super) chunks: u32,
    pub(super) words: u64,
    pub(super) check: u64,
}

impl SledCheckpoints {
    /// Opens the shelf; the scan that checks it reads the saved state too.
    pub(super) fn open(
        open: impl FnOnce(&mut dyn FnMut(&[u8], &[u8])) -> Result<Shelf, StateError>,
    ) -> Result<Self, StateError> {
        let (entries, coming) = sync_channel::<(Vec<u8>, Vec<u8>)>(ENTRIES_AHEAD_MAX);
        // Unpacking and proving takes twice as long as reading: both go on side by side.
        let (shelf, gathered) = std::thread::scope(|scope| {
            let gathering = scope.spawn(move || {
                let mut gathering = Gathering::default();
                for (key, value) in coming {
                    gathering.visit(&key, &value);
                }
                gathering.finish()
            });
            let shelf = open(&mut |key, value| {
                // Who gathers waits for entries until there are no more.
                let _ = entries.send((key.to_vec(), value.to_vec()));
            });
            drop(entries);
            (shelf, gathering.join())
        });
        let gathered = gathered.unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        Ok(Self {
            shelf: Arc::new(shelf?),
            before: None,
            gathered: Arc::new(Mutex::new(gathered)),
        })
    }

    /// A handle that writes this outbox before each save.
    pub(super) fn after(&self, outbox: SledOutbox) -> Self {
        Self {
            before: Some(outbox),
            ..self.clone()
        }
    }

    /// What was gathered when the shelf was opened, once.
    fn take_gathered(&self) -> Option<SavedState> {
        self.gathered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    fn head(&self) -> Result<Option<CheckpointHead>, StateError> {
        match self.shelf.get(HEAD_KEY)? {
            None => Ok(None),
            Some(bytes) => decode_head(&bytes).map(Some).ok_or(UNREADABLE),
        }
    }

    fn index_of(&self, part: u64) -> Result<Option<PartIndex>, StateError> {
        match self.shelf.get(&index_key(part))? {
            None => Ok(None),
            Some(bytes) => PartIndex::decode(&bytes).map(Some).ok_or(UNREADABLE),
        }
    }

    /// Writes a part into its unused slot, and says where it is.
    fn write_part(
        &self,
        (part, words): (u64, &[u64]),
        packing: &mut Packer,
        changes: &mut Changes,
    ) -> Result<PartIndex, StateError> {
        let slot = self.index_of(part)?.map_or(0, |index| 1 - index.slot.min(1));
        let raw: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let packed = packing.compress(&raw).map_err(|error| compressing(&error))?;
        let mut chunks = 0;
        for chunk in packed.chunks(VALUE_LEN_MAX) {
            changes.put(chunk_key(part, slot, chunks), chunk.to_vec());
            chunks += 1;
            self.commit_when_large(changes)?;
        }
        self.remove_chunks(part, slot, chunks, changes)?;
        Ok(PartIndex {
            slot,
            chunks,
            words: words.len() as u64,
            check: first_word(&blake3::hash(&raw)),
        })
    }

    fn commit_when_large(&self, changes: &mut Changes) -> Result<(), StateError> {
        if changes.len() > BATCH_LEN_MAX || changes.count() > BATCH_COUNT_MAX {
            self.shelf.commit(&std::mem::take(changes))?;
        }
        Ok(())
    }

    /// Removes the chunks of a slot from number `from` on.
    fn remove_chunks(&self, part: u64, slot: u8, from: u32, changes: &mut Changes) -> Result<(), StateError> {
        let prefix = chunk_prefix(part, slot);
        for entry in self.shelf.entries(&prefix, &chunk_key(part, slot, from)) {
            changes.remove(entry?.0.to_vec());
        }
        Ok(())
    }

    fn read(&self) -> Result<Option<SavedState>, StateError> {
        let Some(head) = self.head()? else {
            return Ok(None);
        };
        let mut parts = Parts::default();
        for entry in self.shelf.entries(&[INDEX], &[INDEX]) {
            let (key, value) = entry?;
            let part = key
                .get(1..)
                .and_then(|rest| rest.try_into().ok())
                .map(u64::from_be_bytes);
            let (part, index) = part.zip(PartIndex::decode(&value)).ok_or(UNREADABLE)?;
            let raw = self.read_part(part, index)?;
            let (words, _) = raw.as_chunks::<8>();
            parts.put(part, |out| {
                out.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
            });
        }
        Ok(Some((head, parts)))
    }

    /// The bytes of a part's words.
    fn read_part(&self, part: u64, index: PartIndex) -> Result<Vec<u8>, StateError> {
        let mut packed = Vec::new();
        let mut chunks = 0;
        for entry in self
            .shelf
            .entries(&chunk_prefix(part, index.slot), &chunk_key(part, index.slot, 0))
        {
            packed.extend_from_slice(&entry?.1);
            chunks += 1;
        }
        let len = (index.words as usize).checked_mul(8).ok_or(UNREADABLE)?;
        let raw = zstd::bulk::decompress(&packed, len).map_err(|_| UNREADABLE)?;
        let whole = chunks == index.chunks && raw.len() == len && first_word(&blake3::hash(&raw)) == index.check;
        if !whole {
            return Err(UNREADABLE);
        }
        Ok(raw)
    }

    /// Removes everything, the head first: without it the rest is nothing.
    fn purge(&self) -> Result<(), StateError> {
        let mut changes = Changes::default();
        changes.remove(HEAD_KEY.to_vec());
        self.shelf.commit(&changes)?;
        let mut changes = Changes::default();
        for kind in [INDEX, CHUNK] {
            for entry in self.shelf.entries(&[kind], &[kind]) {
                changes.remove(entry?.0.to_vec());
                self.commit_when_large(&mut changes)?;
            }
        }
        self.shelf.commit(&changes)
    }
}

/// Compresses one part after the other in memory that it keeps: made anew for each of a hundred thousand, it would cost
/// more than the bytes.
type Packer = zstd::bulk::Compressor<'static>;

fn packer() -> Result<Packer, StateError> {
    Packer::new(COMPRESSION_LEVEL).map_err(|error| compressing(&error))
}

fn compressing(error: &std::io::Error) -> StateError {
    StateError::Store {
        operation: "compress",
        reason: error.to_string(),
    }
}

const UNREADABLE: StateError = StateError::Unreadable { what: "checkpoint" };

impl Checkpoints for SledCheckpoints {
    fn save(&mut self, head: &CheckpointHead, parts: Parts) -> Result<(), StateError> {
        self.take_gathered();
        if let Some(outbox) = &self.before {
            outbox.write()?;
        }
        let is_first = match self.head() {
            Ok(head) => head.is_none(),
            Err(StateError::Unreadable { .. }) => true,
            Err(error) => return Err(error),
        };
        if is_first {
            // What a clear that did not end left behind, or another form, must not become part of this state.
            self.purge()?;
        }
        let mut packer = packer()?;
        let mut changes = Changes::default();
        let mut last = Changes::default();
        // Of several entries of one part the last counts; the others would only fill its slot.
        let (mut taken, mut outdated) = (BTreeSet::new(), Vec::new());
        for (part, words) in parts.iter().rev().filter(|(part, _)| taken.insert(*part)) {
            outdated.extend(self.index_of(part)?.map(|old| (part, old.slot)));
            let index = self.write_part((part, words), &mut packer, &mut changes)?;
            last.put(index_key(part), index.encode());
            if is_first {
                // Before there is a head nothing counts: the index need not be written at once either.
                self.commit_when_large(&mut last)?;
            }
        }
        last.put(HEAD_KEY.to_vec(), encode_head(head));
        self.shelf.commit(&changes)?;
        self.shelf.commit(&last)?;
        let mut changes = Changes::default();
        for (part, slot) in outdated {
            self.remove_chunks(part, slot, 0, &mut changes)?;
            self.commit_when_large(&mut changes)?;
        }
        self.shelf.commit(&changes)
    }

    fn load(&self) -> Result<Option<SavedState>, StateError> {
        if let Some(saved) = self.take_gathered() {
            return Ok(Some(saved));
        }
        match self.read() {
            Err(StateError::Unreadable { what }) => {
                tracing::warn!(what, "saved state does not fit and is cleared");
                self.purge()?;
                Ok(None)
            }
            other => other,
        }
    }

    fn clear(&mut self) -> Result<(), StateError> {
        self.take_gathered();
        self.purge()
    }
}

impl PartIndex {
    fn encode(self) -> Vec<u8> {
        let mut out = vec![self.slot];
        out.extend(self.chunks.to_le_bytes());
        out.extend(self.words.to_le_bytes());
        out.extend(self.check.to_le_bytes());
        out
    }

    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut reader = Reader::new(bytes);
        let index = Self {
            slot: reader.u8()?,
            chunks: reader.u32()?,
            words: reader.u64()?,
            check: reader.u64()?,
        };
        reader.is_at_end().then_some(index)
    }
}

fn encode_head(head: &CheckpointHead) -> Vec<u8> {
    let mut out = vec![FORM];
    out.extend(head.sequence.0.to_le_bytes());
    out.extend(head.at.0.to_le_bytes());
    put_text(&mut out, &head.fingerprint);
    out
}

pub(super) fn decode_head(bytes: &[u8]) -> Option<CheckpointHead> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != FORM {
        return None;
    }
    let head = CheckpointHead {
        sequence: Sequence(reader.u64()?),
        at: Instant(reader.i64()?),
        fingerprint: reader.text()?.to_owned(),
    };
    reader.is_at_end().then_some(head)
}

fn index_key(part: u64) -> Vec<u8> {
    let mut key = vec![INDEX];
    key.extend(part.to_be_bytes());
    key
}

fn chunk_prefix(part: u64, slot: u8) -> Vec<u8> {
    let mut key = vec![CHUNK];
    key.extend(part.to_be_bytes());
    key.push(slot);
    key
}

fn chunk_key(part: u64, slot: u8, chunk: u32) -> Vec<u8> {
    let mut key = chunk_prefix(part, slot);
    key.extend(chunk.to_be_bytes());
    key
}

#[cfg(test)]
mod tests {
    use super::super::promises::parts;
    use super::*;

    fn shelf() -> SledCheckpoints {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let lock = Arc::new(tempfile::tempfile().unwrap());
        SledCheckpoints::open(|visit| Shelf::open((&db, &lock), TREE, visit)).unwrap()
    }

    #[test]
    fn what_the_scan_gathers_is_what_was_saved_and_is_given_once() {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let lock = Arc::new(tempfile::tempfile().unwrap());
        let open = || SledCheckpoints::open(|visit| Shelf::open((&db, &lock), TREE, visit)).unwrap();
        let saved = parts([(1, words(3)), (2, vec![7]), (9, Vec::new())]);
        open().save(&head(1), saved).unwrap();
        // A part saved twice is in its other slot, and a save that did not end left chunks in the first.
        let mut other = open();
        other.save(&head(2), parts([(1, words(5))])).unwrap();
        let mut changes = Changes::default();
        other
            .write_part((1, &words(7)), &mut packer().unwrap(), &mut changes)
            .unwrap();
        other.shelf.commit(&changes).unwrap();

        let expected = Some((head(2), parts([(1, words(5)), (2, vec![7]), (9, Vec::new())])));
        let mut opened = open();
        assert_eq!(*opened.gathered.lock().unwrap(), expected);
        assert_eq!(opened.load().unwrap(), expected);
        assert_eq!(*opened.gathered.lock().unwrap(), None);
        assert_eq!(opened.load().unwrap(), expected, "read again it is the same");
        opened = open();
        opened.save(&head(3), parts([(2, vec![8])])).unwrap();
        assert_eq!(
            opened.load().unwrap(),
            Some((head(3), parts([(1, words(5)), (2, vec![8]), (9, Vec::new())]))),
            "what was gathered before a save is outdated"
        );
    }

    fn head(number: u64) -> CheckpointHead {
        CheckpointHead {
            sequence: Sequence(number),
            at: Instant(1),
            fingerprint: String::new(),
        }
    }

    /// Words that need several chunks.
    fn words(seed: u64) -> Vec<u64> {
        (1..9_000)
            .map(|word: u64| word.wrapping_mul(seed).wrapping_mul(0x9e37_79b9_7f4a_7c15))
            .collect()
    }

    fn chunks(shelf: &SledCheckpoints) -> usize {
        shelf.shelf.entries(&[CHUNK], &[CHUNK]).count()
    }

    #[test]
    fn a_save_that_did_not_end_never_was() {
        let mut shelf = shelf();
        shelf.save(&head(1), parts([(1, words(3))])).unwrap();
        let before = chunks(&shelf);
        let mut changes = Changes::default();
        shelf
            .write_part(
                (1, &[words(5), words(7)].concat()),
                &mut packer().unwrap(),
                &mut changes,
            )
            .unwrap();
        shelf.shelf.commit(&changes).unwrap();
        assert_eq!(shelf.load().unwrap(), Some((head(1), parts([(1, words(3))]))));
        assert!(chunks(&shelf) > before);
        shelf.save(&head(2), parts([(1, words(9))])).unwrap();
        assert_eq!(shelf.load().unwrap(), Some((head(2), parts([(1, words(9))]))));
        assert_eq!(chunks(&shelf), before, "what the broken save left is gone");
    }

    #[test]
    fn a_clear_that_did_not_end_leaves_nothing_for_the_next_save() {
        let mut shelf = shelf();
        shelf.save(&head(1), parts([(1, words(3))])).unwrap();
        let mut changes = Changes::default();
        changes.remove(HEAD_KEY.to_vec());
        shelf.shelf.commit(&changes).unwrap();
        assert_eq!(shelf.load().unwrap(), None);
        shelf.save(&head(2), parts([(2, vec![2])])).unwrap();
        assert_eq!(shelf.load().unwrap(), Some((head(2), parts([(2, vec![2])]))));
    }

    #[test]
    fn a_part_that_does_not_fit_clears_the_whole() {
        for place in [chunk_key(1, 0, 1), index_key(1), HEAD_KEY.to_vec()] {
            let mut shelf = shelf();
            shelf.save(&head(1), parts([(1, words(3)), (2, vec![2])])).unwrap();
            let mut value = shelf.shelf.get(&place).unwrap().unwrap().to_vec();
            value[0] ^= 1;
            let mut changes = Changes::default();
            changes.put(place, value);
            shelf.shelf.commit(&changes).unwrap();
            assert_eq!(shelf.load().unwrap(), None);
            assert_eq!(chunks(&shelf), 0);
        }
    }
}
