//! Reading a saved state while its shelf is scanned: the scan that opens a shelf sees every entry anyway, and a state may
//! be hundreds of megabytes, so that reading it a second time would double the time of a start.
//!
//! Entries enter in the order of their keys (head, index, chunks by part); the state leaves, or nothing where anything about it
//! does not fit: then it is read again in the ordinary way, which says what is wrong.

use std::collections::BTreeMap;

use zstd::stream::raw::{Decoder, InBuffer, Operation, OutBuffer};

use super::checkpoints::{CHUNK, HEAD_KEY, INDEX, PartIndex, decode_head};
use super::shelf::first_word;
use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, SavedState};

/// Bytes that are unpacked at a time.
const PORTION_LEN: usize = 1 << 17;

/// A saved state on its way.
#[derive(Default)]
pub(super) struct Gathering {
    head: Option<CheckpointHead>,
    indices: BTreeMap<u64, PartIndex>,
    current: Option<Part>,
    unpacker: Option<Unpacker>,
    parts: Parts,
    is_broken: bool,
}

/// The part whose chunks are coming.
struct Part {
    number: u64,
    index: PartIndex,
    chunks: u32,
    words: u64,
    /// Bytes of a word that is not whole yet.
    pending: Vec<u8>,
    hasher: blake3::Hasher,
}

/// Unpacks one part after the other in memory that it keeps.
struct Unpacker {
    decoder: Decoder<'static>,
    portion: Vec<u8>,
}

impl Gathering {
    /// Takes in an entry of the shelf.
    pub(super) fn visit(&mut self, key: &[u8], value: &[u8]) {
        if !self.is_broken {
            self.is_broken = self.take(key, value).is_none();
        }
    }

    fn take(&mut self, key: &[u8], value: &[u8]) -> Option<()> {
        if key == HEAD_KEY {
            self.head = Some(decode_head(value)?);
            return Some(());
        }
        let (kind, rest) = key.split_first()?;
        let (number, rest) = rest.split_first_chunk()?;
        let number = u64::from_be_bytes(*number);
        match *kind {
            INDEX => {
                self.indices.insert(number, PartIndex::decode(value)?);
            }
            CHUNK => self.take_chunk(number, *rest.first()?, value)?,
            _ => return None,
        }
        Some(())
    }

    fn take_chunk(&mut self, number: u64, slot: u8, value: &[u8]) -> Option<()> {
        // What a save that did not end left behind belongs to nothing.
        let Some(index) = self.indices.get(&number).filter(|index| index.slot == slot).copied() else {
            return Some(());
        };
        let unpacker = match &mut self.unpacker {
            Some(unpacker) => unpacker,
            none => none.insert(Unpacker::new()?),
        };
        let part = match &mut self.current {
            Some(part) if part.number == number => part,
            current => {
                current.take().is_none_or(|before| before.is_whole()).then_some(())?;
                unpacker.decoder.reinit().ok()?;
                self.parts.put(number, |_| ());
                current.insert(Part::new(number, index))
            }
        };
        part.chunks += 1;
        unpacker.unpack(value, |bytes| part.take(bytes, &mut self.parts))
    }

    /// The state, where all of it came and fits.
    pub(super) fn finish(self) -> Option<SavedState> {
        if self.is_broken {
            return None;
        }
        self.current.is_none_or(|last| last.is_whole()).then_some(())?;
        let is_whole = self.parts.len() == self.indices.len();
        self.head.filter(|_| is_whole).map(|head| (head, self.parts))
    }
}

impl Part {
    fn new(number: u64, index: PartIndex) -> Self {
        Self {
            number,
            index,
            chunks: 0,
            words: 0,
            pending: Vec::with_capacity(8),
            hasher: blake3::Hasher::new(),
        }
    }

    /// Adds bytes to what was put last.
    fn take(&mut self, bytes: &[u8], parts: &mut Parts) {
        self.hasher.update(bytes);
        let missing = if self.pending.is_empty() {
            0
        } else {
            (8 - self.pending.len()).min(bytes.len())
        };
        let (first, rest) = bytes.split_at(missing);
        self.pending.extend_from_slice(first);
        if let Ok(word) = <[u8; 8]>::try_from(self.pending.as_slice()) {
            self.append(&[word], parts);
            self.pending.clear();
        }
        let (words, rest) = rest.as_chunks::<8>();
        self.append(words, parts);
        self.pending.extend_from_slice(rest);
    }

    fn append(&mut self, words: &[[u8; 8]], parts: &mut Parts) {
        self.words += words.len() as u64;
        parts.append(words.iter().map(|word| u64::from_le_bytes(*word)));
    }

    fn is_whole(&self) -> bool {
        self.chunks == self.index.chunks
            && self.pending.is_empty()
            && self.words == self.index.words
            && first_word(&self.hasher.finalize()) == self.index.check
    }
}

impl Unpacker {
    fn new() -> Option<Self> {
        Some(Self {
            decoder: Decoder::new().ok()?,
            portion: vec![0; PORTION_LEN],
        })
    }

    /// Gives what some bytes of a part unpack to, in portions.
    fn unpack(&mut self, bytes: &[u8], mut take: impl FnMut(&[u8])) -> Option<()> {
        let mut packed = InBuffer::around(bytes);
        loop {
            let mut portion = OutBuffer::around(self.portion.as_mut_slice());
            self.decoder.run(&mut packed, &mut portion).ok()?;
            take(portion.as_slice());
            // A portion that is not full means that nothing is kept back.
            if packed.pos() == bytes.len() && portion.pos() < PORTION_LEN {
                return Some(());
            }
        }
    }
}
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_in_any_portions_are_the_same_words() {
        let bytes: Vec<u8> = (0..=255).collect();
        let expected: Vec<u64> = bytes
            .as_chunks()
            .0
            .iter()
            .map(|word| u64::from_le_bytes(*word))
            .collect();
        for len in [1, 3, 7, 8, 9, 64, 255] {
            let mut parts = Parts::default();
            parts.put(7, |_| ());
            let index = PartIndex {
                slot: 0,
                chunks: 0,
                words: expected.len() as u64,
                check: first_word(&blake3::hash(&bytes)),
            };
            let mut part = Part::new(7, index);
            bytes.chunks(len).for_each(|portion| part.take(portion, &mut parts));
            assert!(part.is_whole(), "portions of {len}");
            assert_eq!(parts.into_iter().collect::<Vec<_>>(), [(7, expected.clone())]);
        }
    }
}
