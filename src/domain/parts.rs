//! Parts of a saved state: rows of 64-bit words by key, all of them in one piece of memory.
//!
//! Parts enter and leave in the order in which they were put. A state of a million series has a hundred thousand parts and
//! hundreds of megabytes. As a vector for each they would lie among what stays, and an allocator cannot give back what lies
//! there: a daemon would keep twice its memory after each checkpoint. One large piece goes back to the system as a whole.

use std::ops::Range;

/// Rows of words by key.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    words: Vec<u64>,
    /// Key and place of each part; words between them belong to parts that were taken out.
    places: Vec<(u64, Range<usize>)>,
}

impl Parts {
    /// Adds a part with the words that `write` appends.
    pub fn put(&mut self, key: u64, write: impl FnOnce(&mut Vec<u64>)) {
        let start = self.words.len();
        write(&mut self.words);
        self.places.push((key, start..self.words.len()));
    }

    /// Adds words to the part that was put last.
    pub fn append(&mut self, words: impl Iterator<Item = u64>) {
        let end = self.words.len();
        self.words.extend(words);
        // One that was taken out gets no more.
        if let Some((_, place)) = self.places.last_mut().filter(|(_, place)| place.end == end) {
            place.end = self.words.len();
        }
    }

    /// All parts.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (u64, &[u64])> + ExactSizeIterator {
        let words = |place: &Range<usize>| self.words.get(place.clone()).unwrap_or_default();
        self.places.iter().map(move |(key, place)| (*key, words(place)))
    }

    /// Takes those parts out whose keys are wanted.
    pub fn take(&mut self, is_wanted: impl Fn(u64) -> bool) -> Vec<(u64, Vec<u64>)> {
        let taken = self.places.extract_if(.., |(key, _)| is_wanted(*key));
        let words = |place| self.words.get::<Range<usize>>(place).unwrap_or_default().to_vec();
        taken.map(|(key, place)| (key, words(place))).collect()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty()
    }
}

/// The same parts in the same order.
impl PartialEq for Parts {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Extend<(u64, Vec<u64>)> for Parts {
    fn extend<I: IntoIterator<Item = (u64, Vec<u64>)>>(&mut self, parts: I) {
        for (key, words) in parts {
            self.put(key, |out| out.extend_from_slice(&words));
        }
    }
}

impl FromIterator<(u64, Vec<u64>)> for Parts {
    fn from_iter<I: IntoIterator<Item = (u64, Vec<u64>)>>(parts: I) -> Self {
        let mut all = Self::default();
        all.extend(parts);
        all
    }
}

impl IntoIterator for Parts {
    type Item = (u64, Vec<u64>);
    type IntoIter = std::vec::IntoIter<Self::Item>;

    fn into_iter(mut self) -> Self::IntoIter {
        self.take(|_| true).into_iter()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_come_back_in_their_order_without_those_that_were_taken_out() {
        let rows = [(7, vec![1, 2]), (1, Vec::new()), (9, vec![3]), (7, vec![4])];
        let mut parts: Parts = rows.clone().into_iter().collect();
        assert_eq!(parts.clone().into_iter().collect::<Vec<_>>(), rows);
        assert_eq!(parts.take(|key| key == 7), [rows[0].clone(), rows[3].clone()]);
        let kept: Vec<(u64, &[u64])> = parts.iter().collect();
        assert_eq!(kept, [(1, [].as_slice()), (9, [3].as_slice())]);
        assert_eq!((parts.len(), parts.is_empty()), (2, false));
        parts.put(5, |out| out.push(6));
        parts.append([8, 9].into_iter());
        let same: Parts = [(1, Vec::new()), (9, vec![3]), (5, vec![6, 8, 9])]
            .into_iter()
            .collect();
        assert_eq!(parts, same, "what lies between does not count");
        assert_ne!(parts, [(1, Vec::new())].into_iter().collect());
    }
}
