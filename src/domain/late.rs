//! Late facts: those that became known after an instant, and are about the time before it.
//!
//! Instants of a scorecard and facts in journal order enter; for each instant leaves what became known of it later, by cause, as
//! something to be told to a projection that knows what was known then, with the nodes in which each fact counts. Nothing here
//! reads a journal or a projection.

mod leaves;
mod subject;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::catalog::Catalog;
use super::fact::{Entry, Fact, MeasurementPlace, SeriesNumber};
use super::id::Sequence;
use super::instant::Instant;
use super::measurement::SeriesKey;
use super::restatement::{Brought, Cause};
pub use leaves::Leaves;
use subject::{Act, LateFact, Subject, What};

/// There are more late facts than may be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooMany;

/// Collects late facts in journal order.
#[derive(Debug)]
pub struct LateFacts<'a> {
    catalog: &'a Catalog,
    leaves: &'a Leaves,
    instants: &'a [Instant],
    /// By journal series: the leaves in which it counts, and those that are there as soon as its instance is.
    counts_in: Vec<[Vec<usize>; 2]>,
    /// By the measurement that they are about.
    subjects: BTreeMap<Sequence, Subject>,
    facts: usize,
    facts_max: usize,
    /// Definitions that took over: where, and when that was recorded.
    activations: Vec<(Sequence, Instant)>,
}

impl<'a> LateFacts<'a> {
    /// Nothing is known yet. `instants` ascend; `names` are the journal's series.
    pub fn new(
        (catalog, leaves): (&'a Catalog, &'a Leaves),
        instants: &'a [Instant],
        names: &[SeriesKey],
        facts_max: usize,
    ) -> Self {
        Self {
            counts_in: names
                .iter()
                .map(|key| [leaves.counting(catalog, key), leaves.appearing(catalog, key)])
                .collect(),
            catalog,
            leaves,
            instants,
            subjects: BTreeMap::new(),
            facts: 0,
            facts_max,
            activations: Vec::new(),
        }
    }

    /// Takes in the next fact of the journal. Corrections and retractions are kept in any case, measurements where they are late.
    pub fn take(&mut self, sequence: Sequence, entry: &Entry<'_>, recorded_at: Instant) -> Result<(), TooMany> {
        let (place, what) = match entry {
            Entry::Measurement(row) => {
                if !self.is_late(row.observed_at, recorded_at) {
                    return Ok(());
                }
                let place = MeasurementPlace {
                    sequence,
                    series: row.series,
                    observed_at: row.observed_at,
                };
                (place, What::measured(row))
            }
            Entry::Other(Fact::MeasurementCorrected(own)) => (own.target, What::Corrected(Box::new(own.clone()))),
            Entry::Other(Fact::MeasurementRetracted(own)) => (own.target, What::Retracted(Box::new(own.clone()))),
            Entry::Other(Fact::CatalogActivated { .. }) => {
                self.activations.push((sequence, recorded_at));
                return Ok(());
            }
            Entry::Other(_) => return Ok(()),
        };
        if self.counts_in(place.series).iter().all(Vec::is_empty) {
            return Ok(());
        }
        self.facts += 1;
        if self.facts > self.facts_max {
            return Err(TooMany);
        }
        let subject = self.subjects.entry(place.sequence);
        let subject = subject.or_insert_with(|| Subject::of(place.series));
        subject.facts.push(LateFact {
            sequence,
            recorded_at,
            what,
        });
        Ok(())
    }

    fn counts_in(&self, series: SeriesNumber) -> &[Vec<usize>; 2] {
        const NOWHERE: &[Vec<usize>; 2] = &[Vec::new(), Vec::new()];
        self.counts_in.get(series.0 as usize).unwrap_or(NOWHERE)
    }

    /// Whether a measurement is late for any of the instants: recorded after the first one that should have seen it.
    fn is_late(&self, observed_at: Instant, recorded_at: Instant) -> bool {
        let first = self.instants.partition_point(|at| *at <= observed_at);
        self.instants.get(first).is_some_and(|at| *at < recorded_at)
    }

    /// What became known of an instant after it, one entry a cause in the order of causes. `known` is the last fact that was
    /// known then.
    pub fn of(&self, at: Instant, known: Sequence) -> Vec<Late> {
        let mut found: BTreeMap<Cause, Late> = BTreeMap::new();
        for (sequence, subject) in &self.subjects {
            for act in subject.acts(*sequence, at, *sequence <= known) {
                let late = found.entry(act.cause).or_insert_with(|| Late::of(act.cause));
                self.note((&act, subject.series), at, late);
                late.acts.push(act);
            }
        }
        let later = self.activations.iter().filter(|(_, recorded_at)| *recorded_at > at);
        let activations: Vec<Sequence> = later.map(|(sequence, _)| *sequence).collect();
        if !activations.is_empty() {
            let late = found.entry(Cause::Catalog).or_insert_with(|| Late::of(Cause::Catalog));
            late.everywhere = activations;
        }
        found.into_values().collect()
    }

    /// Notes the leaves in which a fact counts: in their window, or before it, where it can only tell that there was anything;
    /// likewise those of another KPI of an instance that it lets appear.
    fn note(&self, (act, series): (&Act, SeriesNumber), at: Instant, late: &mut Late) {
        let [counting, appearing] = self.counts_in(series);
        if act.touched.into_iter().flatten().any(|touched| touched < at) {
            late.before.extend(appearing.iter().map(|leaf| (*leaf, act.reason)));
        }
        for leaf in counting {
            let first = self.leaves.first_slice(self.catalog, *leaf, at);
            let seen = act.touched.into_iter().flatten().filter(|touched| *touched < at);
            let slices = seen.map(|touched| self.leaves.slice_of(self.catalog, *leaf, touched));
            match slices.max() {
                Some(slice) if slice >= first => late.within.push((*leaf, act.reason)),
                Some(_) => late.before.push((*leaf, act.reason)),
                None => {}
            }
        }
    }

    /// Facts of these causes by node. Those before a window are told only of nodes that nothing within a window touched.
    pub fn brought(&self, late: &[Late]) -> Vec<HashMap<Arc<str>, Brought>> {
        let touched: HashSet<usize> = late.iter().flat_map(|one| &one.within).map(|(leaf, _)| *leaf).collect();
        let by_node = |one: &Late| {
            let mut brought: HashMap<Arc<str>, Brought> = HashMap::new();
            for (path, leaves) in self.leaves.nodes() {
                let is_within = leaves.iter().any(|leaf| touched.contains(leaf));
                let facts = if is_within { &one.within } else { &one.before };
                let mut sequences: Vec<Sequence> = facts
                    .iter()
                    .filter(|(leaf, _)| leaves.binary_search(leaf).is_ok())
                    .map(|(_, sequence)| *sequence)
                    .collect();
                sequences.extend(&one.everywhere);
                sequences.sort_unstable();
                sequences.dedup();
                if !sequences.is_empty() {
                    let own = brought.entry(Arc::clone(path)).or_default();
                    for sequence in sequences {
                        own.add(sequence);
                    }
                }
            }
            brought
        };
        late.iter().map(by_node).collect()
    }
}

/// What became known of one instant, by one cause.
#[derive(Debug)]
pub struct Late {
    /// Which.
    pub cause: Cause,
    acts: Vec<Act>,
    /// (leaf, fact) within the leaf's window.
    within: Vec<(usize, Sequence)>,
    /// (leaf, fact) before it.
    before: Vec<(usize, Sequence)>,
    /// Definitions, which count in every node.
    everywhere: Vec<Sequence>,
}

impl Late {
    fn of(cause: Cause) -> Self {
        Self {
            cause,
            acts: Vec::new(),
            within: Vec::new(),
            before: Vec::new(),
            everywhere: Vec::new(),
        }
    }

    /// What a projection is to be told, each with the sequence of the measurement that it is about and the instant at which it
    /// was recorded. Facts about one measurement stand in journal order.
    pub fn facts(&self) -> impl Iterator<Item = (Sequence, Entry<'_>, Instant)> {
        self.acts.iter().map(Act::entry)
    }
}

#[cfg(test)]
mod tests;
