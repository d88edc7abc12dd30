//! The best and the worst instances of a scorecard.
//!
//! Scores enter as they change, the ends of the order leave. Only the ends are ever shown, so the rest is kept in no order,
//! sorted into a few hundred bins by score: a change costs the same with ten instances and with a hundred thousand.
//! (An ordered set was three times as much: it touched some twenty places in memory.) What is shown depends on the scores
//! alone, by score, then by instance, never on the order in which they came.

use std::cmp::Ordering;

use super::node_state::there;

/// Bins for 0..=100; with scores spread evenly, an end is in one or two of a hundred thousand instances' bins.
const BINS: usize = 512;
/// Not in any bin.
const NOWHERE: u32 = u32::MAX;

/// Scored instances.
#[derive(Debug, Clone, Default)]
pub(super) struct Ranking {
    /// (score, instance) in no order, by bin; none before the first.
    bins: Vec<Vec<(f64, u32)>>,
    /// Place in its bin, by number of the instance.
    places: Vec<u32>,
}

impl Ranking {
    /// An instance has another score; NaN is none.
    pub fn replace(&mut self, instance: u32, before: f64, after: f64) {
        if let Some(score) = there(before) {
            self.remove(instance, score);
        }
        if let Some(score) = there(after) {
            self.insert(instance, score);
        }
    }

    /// Reads where an instance is, so that it is at hand.
    pub fn see_place(&self, instance: usize) -> usize {
        self.places.get(instance).map_or(0, |place| *place as usize)
    }

    fn remove(&mut self, instance: u32, score: f64) {
        let place = self.places.get_mut(instance as usize);
        let place = place.map_or(NOWHERE, |place| std::mem::replace(place, NOWHERE));
        let bin = self.bins.get_mut(bin_of(score));
        let Some(bin) = bin.filter(|bin| (place as usize) < bin.len()) else {
            return;
        };
        bin.swap_remove(place as usize);
        let moved = bin.get(place as usize).map(|(_, moved)| *moved as usize);
        if let Some(own) = moved.and_then(|moved| self.places.get_mut(moved)) {
            *own = place;
        }
    }

    fn insert(&mut self, instance: u32, score: f64) {
        self.bins.resize(BINS, Vec::new());
        let needed = (instance as usize + 1).max(self.places.len());
        self.places.resize(needed, NOWHERE);
        let Some(bin) = self.bins.get_mut(bin_of(score)) else {
            return;
        };
        if let Some(place) = self.places.get_mut(instance as usize) {
            *place = bin.len() as u32;
        }
        bin.push((score, instance));
    }

    /// The highest, highest first; of equal ones the later instance first.
    pub fn best(&self, count: usize) -> Vec<(f64, u32)> {
        first(self.bins.iter().rev(), count, |one, other| order(other, one))
    }

    /// The lowest, lowest first; of equal ones the earlier instance first.
    pub fn worst(&self, count: usize) -> Vec<(f64, u32)> {
        first(self.bins.iter(), count, order)
    }
}

fn order(one: &(f64, u32), other: &(f64, u32)) -> Ordering {
    one.0.total_cmp(&other.0).then(one.1.cmp(&other.1))
}

/// The first so many, from the first bins that together have enough.
fn first<'a>(
    bins: impl Iterator<Item = &'a Vec<(f64, u32)>>,
    count: usize,
    order: fn(&(f64, u32), &(f64, u32)) -> Ordering,
) -> Vec<(f64, u32)> {
    let mut found = Vec::new();
    for bin in bins {
        if found.len() >= count {
            break;
        }
        found.extend_from_slice(bin);
    }
    // All may have the same score, and only the first are sorted.
    if found.len() > count {
        found.select_nth_unstable_by(count, order);
        found.truncate(count);
    }
    found.sort_unstable_by(order);
    found
}

fn bin_of(score: f64) -> usize {
    ((score / 100.0 * BINS as f64) as usize).min(BINS - 1)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn score() -> impl Strategy<Value = f64> {
        prop_oneof![0.0..=100.0_f64, Just(0.0), Just(100.0), Just(75.0), Just(f64::NAN)]
    }

    proptest! {
        #[test]
        fn the_ends_are_those_of_a_sorted_list(changes in prop::collection::vec((0..30_u32, score()), 0..200)) {
            let mut ranking = Ranking::default();
            let mut scores: BTreeMap<u32, f64> = BTreeMap::new();
            for (instance, after) in changes {
                let before = scores.insert(instance, after).unwrap_or(f64::NAN);
                ranking.replace(instance, before, after);
                let scored = scores.iter().filter(|(_, score)| !score.is_nan());
                let mut sorted: Vec<(f64, u32)> = scored.map(|(instance, score)| (*score, *instance)).collect();
                sorted.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
                let worst: Vec<_> = sorted.iter().take(5).copied().collect();
                let best: Vec<_> = sorted.iter().rev().take(5).copied().collect();
                prop_assert_eq!(ranking.worst(5), worst);
                prop_assert_eq!(ranking.best(5), best);
            }
        }
    }
}
