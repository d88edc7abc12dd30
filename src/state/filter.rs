//! A filter in front of the disk: which ids were certainly never seen.
//!
//! Nearly every id that is looked up is new. Hashed keys enter; "certainly not there" or "perhaps there" leaves, for about
//! 12 bits of memory a key. It grows by layers, each twice as large as the one before, so that it needs no size in advance
//! and is never filled again; a counting or removable filter would cost more for removals that never happen.

/// A key of the shelf of seen ids: it is a hash already, so its halves serve as hash functions.
pub(super) type HashedKey = [u8; 16];

/// Bits a key and bits set a key: about 0.4 % of absent keys look present.
const BITS_PER_KEY: u64 = 12;
const PROBES: u64 = 6;
/// Keys of the first layer (96 KiB).
const FIRST_LAYER_KEYS: u64 = 1 << 16;

/// Bloom filters, the last of which takes new keys.
pub(super) struct Filter {
    layers: Vec<Layer>,
}

struct Layer {
    words: Vec<u64>,
    keys: u64,
    keys_max: u64,
}

impl Filter {
    /// An empty filter.
    pub(super) fn new() -> Self {
        let layers = vec![Layer::new(FIRST_LAYER_KEYS)];
        Self { layers }
    }

    /// False when the key was certainly never inserted.
    pub(super) fn may_contain(&self, key: &HashedKey) -> bool {
        self.layers.iter().any(|layer| layer.may_contain(key))
    }

    /// Takes a key in.
    pub(super) fn insert(&mut self, key: &HashedKey) {
        if self.may_contain(key) {
            return;
        }
        let full = self.layers.last().filter(|layer| layer.keys >= layer.keys_max);
        if let Some(keys_max) = full.map(|layer| layer.keys_max) {
            self.layers.push(Layer::new(2 * keys_max));
        }
        if let Some(layer) = self.layers.last_mut() {
            layer.insert(key);
        }
    }
}

impl Layer {
    fn new(keys_max: u64) -> Self {
        let words = vec![0; (keys_max * BITS_PER_KEY / 64) as usize];
        Self {
            words,
            keys: 0,
            keys_max,
        }
    }

    /// Which word and which bit in it, for each probe (Kirsch and Mitzenmacher: two hashes are enough).
    fn places(&self, key: &HashedKey) -> impl Iterator<Item = (usize, u64)> + use<> {
        let (first, second) = (half(key, 0), half(key, 8) | 1);
        let bits = self.words.len() as u64 * 64;
        (0..PROBES).map(move |probe| {
            let bit = first.wrapping_add(second.wrapping_mul(probe)) % bits;
            ((bit / 64) as usize, 1 << (bit % 64))
        })
    }

    fn may_contain(&self, key: &HashedKey) -> bool {
        self.places(key)
            .all(|(word, bit)| self.words.get(word).is_some_and(|word| word & bit != 0))
    }

    fn insert(&mut self, key: &HashedKey) {
        for (word, bit) in self.places(key) {
            if let Some(word) = self.words.get_mut(word) {
                *word |= bit;
            }
        }
        self.keys += 1;
    }
}

fn half(key: &HashedKey, from: usize) -> u64 {
    let bytes = key.get(from..).and_then(|rest| rest.first_chunk());
    bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(number: u32) -> HashedKey {
        *blake3::hash(&number.to_le_bytes()).as_bytes().first_chunk().unwrap()
    }

    #[test]
    fn what_was_inserted_is_never_denied_and_little_else_is_claimed() {
        let mut filter = Filter::new();
        for number in 0..200_000 {
            filter.insert(&key(number));
        }
        assert!((0..200_000).all(|number| filter.may_contain(&key(number))));
        let claimed = (200_000..300_000)
            .filter(|number| filter.may_contain(&key(*number)))
            .count();
        assert!(claimed < 2_000, "{claimed} of 100,000 absent keys look present");
    }
}
