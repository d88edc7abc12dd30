//! Reading a saved state while its shelf is scanned: the scan that opens a shelf sees every entry anyway, and a state may
//! be hundreds of megabytes, so that reading it a second time would double the time of a start.
//!
//! Entries enter in the order of their keys (head, index, chunks by part); the state leaves, or nothing where anything about it
//! does not fit: then it is read again in the ordinary way, which says what is wrong.

use std::collections::BTreeMap;
use std::io::{self, Write};

use zstd::stream::write::Decoder;

use super::checkpoints::{CHUNK, HEAD_KEY, INDEX, PartIndex, Saved, decode_head};
use super::shelf::first_word;
use crate::ports::CheckpointHead;

/// Words that are made room for at once. A part of more grows; an index that lies costs no more than this.
const ROOM_MAX: usize = 1 << 27;

/// A saved state on its way.
#[derive(Default)]
pub(super) struct Gathering {
    head: Option<CheckpointHead>,
    indices: BTreeMap<u64, PartIndex>,
    current: Option<Part>,
    parts: Vec<(u64, Vec<u64>)>,
    is_broken: bool,
}

/// The part whose chunks are coming.
struct Part {
    number: u64,
    index: PartIndex,
    chunks: u32,
    decoder: Decoder<'static, Words>,
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
        if self.current.as_ref().is_none_or(|part| part.number != number) {
            self.end_part()?;
            let decoder = Decoder::new(Words::with_room(index.words)).ok()?;
            self.current = Some(Part {
                number,
                index,
                chunks: 0,
                decoder,
            });
        }
        let part = self.current.as_mut()?;
        part.chunks += 1;
        part.decoder.write_all(value).ok()
    }

    fn end_part(&mut self) -> Option<()> {
        let Some(mut part) = self.current.take() else {
            return Some(());
        };
        part.decoder.flush().ok()?;
        let words = part.decoder.into_inner();
        let fits = part.chunks == part.index.chunks
            && words.pending.is_empty()
            && words.whole.len() as u64 == part.index.words
            && first_word(&words.hasher.finalize()) == part.index.check;
        fits.then(|| self.parts.push((part.number, words.whole)))
    }

    /// The state, where all of it came and fits.
    pub(super) fn finish(mut self) -> Option<Saved> {
        if self.is_broken {
            return None;
        }
        self.end_part()?;
        let is_whole = self.parts.len() == self.indices.len();
        self.head.filter(|_| is_whole).map(|head| (head, self.parts))
    }
}

/// Bytes as words, and their hash.
struct Words {
    hasher: blake3::Hasher,
    whole: Vec<u64>,
    /// Bytes of a word that is not whole yet.
    pending: Vec<u8>,
}

impl Words {
    fn with_room(len: u64) -> Self {
        let len = usize::try_from(len).unwrap_or(ROOM_MAX).min(ROOM_MAX);
        Self {
            hasher: blake3::Hasher::new(),
            whole: Vec::with_capacity(len),
            pending: Vec::with_capacity(8),
        }
    }

    fn push(&mut self, bytes: &[u8]) {
        let (words, rest) = bytes.as_chunks::<8>();
        self.whole.extend(words.iter().map(|word| u64::from_le_bytes(*word)));
        self.pending.extend_from_slice(rest);
    }
}

impl Write for Words {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.hasher.update(bytes);
        let missing = if self.pending.is_empty() {
            0
        } else {
            (8 - self.pending.len()).min(bytes.len())
        };
        let (first, rest) = bytes.split_at(missing);
        self.pending.extend_from_slice(first);
        if let Ok(word) = <[u8; 8]>::try_from(self.pending.as_slice()) {
            self.whole.push(u64::from_le_bytes(word));
            self.pending.clear();
        }
        self.push(rest);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
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
            let mut words = Words::with_room(3);
            bytes.chunks(len).for_each(|portion| words.write_all(portion).unwrap());
            assert_eq!((&words.whole, words.pending.len()), (&expected, 0), "portions of {len}");
            assert_eq!(words.hasher.finalize(), blake3::hash(&bytes));
        }
    }
}
