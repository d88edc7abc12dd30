//! KPIs and sources that occurred in a batch, and where each stands.
//!
//! A KPI and a source enter, their place leaves, the same for the same two. A KPI of up to 24 bytes stands in its slot as a
//! whole, so that finding it is one look at the memory: with slots, names and their texts in three places, half of the time
//! that it took to decode a plain measurement of a thousand KPIs went into waiting for these.
//!
//! Somebody who sends names that fall together makes entries twice, which costs what a report of its own would; nothing is
//! searched for long.

use std::sync::Arc;

use super::ReportName;

/// Names that occurred.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    list: Vec<ReportName>,
    places: Places,
    sources: Vec<Arc<str>>,
    source_places: Places,
}

impl Names {
    /// Where a KPI and a source stand in the list.
    #[inline]
    pub fn place_of(&mut self, kpi: &str, source: Option<&str>) -> u32 {
        let number = match source {
            None => 0,
            Some(source) => self.number_of(source),
        };
        let key = Key::of(kpi, number);
        let is_it = |place| self.list.get(place as usize).is_some_and(|name| *name.kpi == *kpi);
        let found = self.places.find(&key, is_it).filter(|_| number != MANY);
        found.unwrap_or_else(|| self.add(key, kpi, source))
    }

    /// How many there are.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// In the order of their places.
    pub fn into_list(self) -> Vec<ReportName> {
        self.list
    }

    /// The number of a source, from 1.
    fn number_of(&mut self, source: &str) -> u16 {
        let key = Key::of(source, 0);
        let is_it = |place| self.sources.get(place as usize).is_some_and(|found| **found == *source);
        let place = self.source_places.find(&key, is_it).unwrap_or_else(|| {
            let place = self.sources.len() as u32;
            if place + 1 < u32::from(MANY) {
                self.sources.push(source.into());
                self.source_places.keep(key, place);
            }
            place
        });
        u16::try_from(place + 1).unwrap_or(MANY)
    }

    #[cold]
    fn add(&mut self, key: Key, kpi: &str, source: Option<&str>) -> u32 {
        let place = self.list.len() as u32;
        let known = usize::from(key.source).checked_sub(1);
        let known = known.and_then(|known| self.sources.get(known));
        self.list.push(ReportName {
            kpi: kpi.into(),
            source: known.map(Arc::clone).or_else(|| source.map(Into::into)),
        });
        if key.source != MANY {
            self.places.keep(key, place);
        }
        place
    }
}

/// The number of sources beyond those that are kept: their names are added with each measurement.
const MANY: u16 = u16::MAX;

/// Bytes of a text that stands in its key as a whole.
const WHOLE_LEN_MAX: usize = 24;

/// A text, or what tells most long ones apart, and the number of its source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Key {
    words: [u64; 3],
    /// Bytes, as far as they can be told.
    len: u16,
    source: u16,
}

impl Key {
    #[inline]
    fn of(text: &str, source: u16) -> Self {
        let bytes = text.as_bytes();
        let (last, words) = (last_word(bytes), bytes.as_chunks().0);
        let word = |place: usize| words.get(place).map_or(0, |word| u64::from_le_bytes(*word));
        let words = match bytes.len() {
            0..=8 => [last, 0, 0],
            9..=16 => [word(0), last, 0],
            17..=WHOLE_LEN_MAX => [word(0), word(1), last],
            _ => [
                word(0),
                words
                    .iter()
                    .fold(0, |digest, word| mix(digest, u64::from_le_bytes(*word))),
                last,
            ],
        };
        Self {
            words,
            len: u16::try_from(bytes.len()).unwrap_or(u16::MAX),
            source,
        }
    }

    fn is_whole(&self) -> bool {
        usize::from(self.len) <= WHOLE_LEN_MAX
    }

    /// A number that equal keys share and different ones mostly do not; its lowest bits are as good as its highest.
    #[inline]
    fn digest(&self) -> u64 {
        let [first, second, third] = self.words;
        let rest = u64::from(self.len) << 16 | u64::from(self.source);
        let sum = (first ^ second.rotate_left(21) ^ third.rotate_left(43)).wrapping_mul(ODD);
        let digest =
            (sum.rotate_left(29) ^ rest ^ second.wrapping_mul(ODDS[0]) ^ third.wrapping_mul(ODDS[1])).wrapping_mul(ODD);
        digest ^ digest >> 32
    }
}

const ODD: u64 = 0x9E37_79B9_7F4A_7C15;
const ODDS: [u64; 2] = [0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9];

fn mix(digest: u64, word: u64) -> u64 {
    (digest ^ word).wrapping_mul(ODD).rotate_left(29)
}

/// The last eight bytes of a text; of a shorter one all, so that no two of a length say the same.
#[inline]
fn last_word(bytes: &[u8]) -> u64 {
    match (bytes.last_chunk(), bytes.first_chunk(), bytes.last_chunk()) {
        (Some(last), _, _) => u64::from_le_bytes(*last),
        (_, Some(first), Some(last)) => {
            u64::from(u32::from_le_bytes(*first)) << 32 | u64::from(u32::from_le_bytes(*last))
        }
        _ => bytes.iter().fold(0, |word, byte| word << 8 | u64::from(*byte)),
    }
}

/// A key, its fields side by side so that two slots fill a line of the cache, and its place plus 1; 0 is free.
#[derive(Debug, Clone, Copy, Default)]
struct Slot {
    words: [u64; 3],
    len: u16,
    source: u16,
    place: u32,
}

impl Slot {
    fn key(&self) -> Key {
        Key {
            words: self.words,
            len: self.len,
            source: self.source,
        }
    }
}

/// Places by keys.
#[derive(Debug, Clone, Default)]
struct Places {
    /// A power of two of them, or none.
    slots: Vec<Slot>,
    kept: usize,
}

/// Slots looked at before a key counts as new.
const PROBES: usize = 12;
/// Slots of the first key.
const SLOTS_MIN: usize = 64;
/// Slots that are never more, so that a batch of different names takes no more memory than that for them.
const SLOTS_MAX: usize = 1 << 15;

impl Places {
    /// The place of a key; `is_it` is asked where the key says not all.
    #[inline]
    fn find(&self, key: &Key, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        let digest = key.digest();
        for probe in 0..PROBES {
            let slot = self.slots.get(self.slot(digest, probe))?;
            let place = slot.place.checked_sub(1)?;
            if slot.key() == *key && (key.is_whole() || is_it(place)) {
                return Some(place);
            }
        }
        None
    }

    fn slot(&self, digest: u64, probe: usize) -> usize {
        (digest as usize).wrapping_add(probe) & self.slots.len().wrapping_sub(1)
    }

    fn keep(&mut self, key: Key, place: u32) {
        self.kept += 1;
        if self.kept * 2 > self.slots.len() && self.slots.len() < SLOTS_MAX {
            let slots = vec![Slot::default(); (self.slots.len() * 2).max(SLOTS_MIN)];
            let before = std::mem::replace(&mut self.slots, slots);
            let kept = before.into_iter().filter(|slot| slot.place > 0);
            kept.for_each(|kept| self.put(kept));
        }
        self.put(Slot {
            words: key.words,
            len: key.len,
            source: key.source,
            place: place + 1,
        });
    }

    /// In the first free slot, else in the first one.
    fn put(&mut self, kept: Slot) {
        let digest = kept.key().digest();
        let is_free = |probe: &usize| {
            self.slots
                .get(self.slot(digest, *probe))
                .is_some_and(|slot| slot.place == 0)
        };
        let slot = self.slot(digest, (0..PROBES).find(is_free).unwrap_or(0));
        if let Some(slot) = self.slots.get_mut(slot) {
            *slot = kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_any_length_are_told_apart_by_each_of_their_bytes() {
        let mut names = Names::default();
        let mut texts: Vec<String> = Vec::new();
        for len in 0..=60 {
            let text = "a".repeat(len);
            let others = (0..len).map(|place| format!("{}b{}", &text[..place], &text[place + 1..]));
            texts.extend(others.chain([text.clone()]));
        }
        let sources = [None, Some("s"), Some("a source whose name is rather long")];
        let all: Vec<(&str, Option<&str>)> = texts
            .iter()
            .flat_map(|text| sources.map(|source| (text.as_str(), source)))
            .collect();
        let places: Vec<u32> = all.iter().map(|(kpi, source)| names.place_of(kpi, *source)).collect();
        for ((kpi, source), place) in all.iter().zip(&places) {
            let again = names.place_of(kpi, *source);
            for place in [*place, again] {
                let name = &names.list[place as usize];
                assert_eq!((&*name.kpi, name.source.as_deref()), (*kpi, *source));
            }
        }
        let len = names.len();
        assert!(len < all.len() + 100, "{len} names of {}", all.len());
        assert_eq!(names.sources.len(), 2, "one source is kept once");
    }

    #[test]
    fn sources_beyond_all_slots_are_right_all_the_same() {
        let mut names = Names::default();
        for number in (0..70_000).chain(0..70_000) {
            let source = number.to_string();
            let place = names.place_of("k", Some(&source));
            let name = &names.list[place as usize];
            assert_eq!((&*name.kpi, name.source.as_deref()), ("k", Some(source.as_str())));
        }
        assert_eq!(names.places.slots.len(), SLOTS_MAX);
    }
}
