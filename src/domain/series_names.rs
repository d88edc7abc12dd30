//! The names of a journal's series, by number, each text once.
//!
//! Keys of series enter in the order of their numbers, views of them leave. A million series have few KPIs, sources and
//! labels, and mostly several series to an instance: a name is three small numbers here (12 bytes; as a [`SeriesKey`] of its
//! own it is 64). Nothing is ever taken out.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use super::id::{InstanceId, KpiId};
use super::measurement::SeriesKey;

/// Rows that are held together: what grows by pieces is never copied, and has no room that nobody uses.
const CHUNK_LEN: usize = 4_096;

/// No label.
const NO_EACH: u32 = u32::MAX;

/// Names of series.
#[derive(Debug, Clone, Default)]
pub struct SeriesNames {
    kpis: Pool<KpiId>,
    sources: Pool<Arc<str>>,
    /// Label and instance.
    each: Pool<(Arc<str>, InstanceId)>,
    rows: Vec<Vec<Row>>,
    len: usize,
}

/// A name as places in the pools.
#[derive(Debug, Clone, Copy)]
struct Row {
    kpi: u32,
    source: u32,
    /// [`NO_EACH`] where there is none.
    each: u32,
}

/// The name of one series; equal and hashed as its texts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SeriesView<'a> {
    /// The KPI.
    pub kpi: &'a KpiId,
    /// Who reports.
    pub source: &'a Arc<str>,
    /// The label that the scorecard's `each` names, and its value.
    pub each: Option<&'a (Arc<str>, InstanceId)>,
}

impl SeriesView<'_> {
    /// A key of its own, with the same texts.
    pub fn to_key(self) -> SeriesKey {
        SeriesKey {
            kpi: self.kpi.clone(),
            source: Arc::clone(self.source),
            each: self.each.cloned(),
        }
    }
}

impl SeriesNames {
    /// How many there are: the number of the next.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True without any.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The name of a series.
    pub fn get(&self, number: usize) -> Option<SeriesView<'_>> {
        self.view(*self.rows.get(number / CHUNK_LEN)?.get(number % CHUNK_LEN)?)
    }

    /// All names from a number on, in order.
    pub fn from(&self, number: usize) -> impl Iterator<Item = SeriesView<'_>> {
        (number..self.len).map_while(|number| self.get(number))
    }

    /// Names the next series.
    pub fn push(&mut self, key: SeriesView<'_>) {
        // The series of an instance mostly come one after the other.
        let before = self.len.checked_sub(1).and_then(|last| self.row(last));
        let same = before.filter(|before| self.view(*before).is_some_and(|before| before.each == key.each));
        let each = match (same, key.each) {
            (Some(same), _) => same.each,
            (None, Some(each)) => self.each.place(each),
            (None, None) => NO_EACH,
        };
        let row = Row {
            kpi: self.kpis.place(key.kpi),
            source: self.sources.place(key.source),
            each,
        };
        match self.rows.last_mut().filter(|rows| rows.len() < CHUNK_LEN) {
            Some(rows) => rows.push(row),
            None => self.rows.push(new_chunk(row)),
        }
        self.len += 1;
    }

    fn row(&self, number: usize) -> Option<Row> {
        self.rows.get(number / CHUNK_LEN)?.get(number % CHUNK_LEN).copied()
    }

    fn view(&self, row: Row) -> Option<SeriesView<'_>> {
        Some(SeriesView {
            kpi: self.kpis.all.get(row.kpi as usize)?,
            source: self.sources.all.get(row.source as usize)?,
            each: self.each.all.get(row.each as usize),
        })
    }
}

fn new_chunk(first: Row) -> Vec<Row> {
    let mut rows = Vec::with_capacity(CHUNK_LEN);
    rows.push(first);
    rows
}

impl FromIterator<SeriesKey> for SeriesNames {
    fn from_iter<I: IntoIterator<Item = SeriesKey>>(keys: I) -> Self {
        let mut names = Self::default();
        keys.into_iter().for_each(|key| names.push(key.view()));
        names
    }
}

/// Different things, each once. Looked up only.
#[derive(Debug, Clone)]
struct Pool<T> {
    all: Vec<T>,
    places: HashTable<u32>,
    hasher: RandomState,
}

impl<T> Default for Pool<T> {
    fn default() -> Self {
        Self {
            all: Vec::new(),
            places: HashTable::new(),
            hasher: RandomState::new(),
        }
    }
}

impl<T: Hash + Eq + Clone> Pool<T> {
    /// Where a thing is; it is put there when it is new.
    fn place(&mut self, thing: &T) -> u32 {
        let (all, hasher) = (&self.all, &self.hasher);
        let hash = hasher.hash_one(thing);
        let is_it = |place: &u32| all.get(*place as usize) == Some(thing);
        if let Some(place) = self.places.find(hash, is_it) {
            return *place;
        }
        let place = all.len() as u32;
        let hash_of = |place: &u32| all.get(*place as usize).map_or(0, |thing| hasher.hash_one(thing));
        self.places.insert_unique(hash, place, hash_of);
        self.all.push(thing.clone());
        place
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(kpi: u8, source: &str, each: Option<(&str, u8)>) -> SeriesKey {
        SeriesKey {
            kpi: KpiId::parse(&format!("k{kpi}")).unwrap(),
            source: source.into(),
            each: each.map(|(label, name)| (label.into(), InstanceId::parse(&name.to_string()).unwrap())),
        }
    }

    proptest! {
        #[test]
        fn names_are_those_that_were_given_in_their_order(
            named in prop::collection::vec((0..4_u8, "[ab]?", prop::option::of(("[xy]", 0..5_u8))), 0..60),
        ) {
            let keys: Vec<SeriesKey> = named
                .iter()
                .map(|(kpi, source, each)| key(*kpi, source, each.as_ref().map(|(label, name)| (label.as_str(), *name))))
                .collect();
            let names: SeriesNames = keys.iter().cloned().collect();
            prop_assert_eq!((names.len(), names.is_empty()), (keys.len(), keys.is_empty()));
            for start in 0..=keys.len() {
                let from: Vec<SeriesKey> = names.from(start).map(SeriesView::to_key).collect();
                prop_assert_eq!(from.as_slice(), &keys[start..]);
            }
            for (number, key) in keys.iter().enumerate() {
                prop_assert_eq!(names.get(number), Some(key.view()));
            }
            prop_assert_eq!(names.get(keys.len()), None);
        }
    }

    #[test]
    fn many_names_of_one_text_are_that_text_once() {
        let keys =
            (0..3 * CHUNK_LEN).map(|number| key((number % 3) as u8, "desk", Some(("site", (number / 3 % 7) as u8))));
        let names: SeriesNames = keys.collect();
        let texts = (names.kpis.all.len(), names.sources.all.len(), names.each.all.len());
        assert_eq!((names.len(), texts), (3 * CHUNK_LEN, (3, 1, 7)));
        assert_eq!(names.get(2 * CHUNK_LEN).unwrap().kpi.as_str(), "k2");
    }
}
