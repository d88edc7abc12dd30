//! The measurements behind a change: those that a KPI's window sees at one of two instants and not at the other.
//!
//! Facts enter in journal order, from any place on; the ones with most influence leave, with how many there were in all. A
//! corrected measurement counts as it was corrected to, a retracted one not at all, as in the projection. Nothing here reads a journal.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::aggregate::{Sample, SampleValue};
use super::catalog::{Aggregate, Catalog, KpiDefinition, Scorecard, Window};
use super::fact::{Entry, Fact, MeasurementPlace, Row, SeriesNumber};
use super::id::{InstanceId, Sequence};
use super::instant::Instant;
use super::measurement::{Extra, MeasuredValue, SeriesKey};

/// Measurements told of a leaf: people read no more, and the numbers of all are told.
pub const LISTED_MAX: usize = 10;

/// Measurements kept of a leaf while reading: enough that ten are left when some of them are retracted later.
const KEPT_MAX: usize = 20 * LISTED_MAX;

/// Which measurements are looked for.
#[derive(Debug, Clone)]
pub struct Search {
    /// Definitions.
    pub catalog: Arc<Catalog>,
    /// One a leaf.
    pub leaves: Vec<LeafSearch>,
    /// Journal series of interest: whose they are, and in which of the leaves they count. Looked up only.
    pub series: HashMap<SeriesNumber, (SeriesKey, Vec<usize>)>,
    /// Facts after this one were not known when the change was computed.
    pub until: Sequence,
}

/// The slices of one leaf that are seen at one instant only.
#[derive(Debug, Clone, PartialEq)]
pub struct LeafSearch {
    /// Indices of scorecard and KPI in the catalog.
    pub place: (usize, usize),
    /// Seen at the second instant, not at the first.
    pub entered: RangeInclusive<i64>,
    /// Seen at the first instant, not at the second.
    pub left: RangeInclusive<i64>,
    /// The value at the first instant: what a measurement must differ from to have moved something.
    pub earlier: Option<f64>,
}

/// What moved one leaf.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct LeafMovers {
    /// Measurements that came into the window.
    pub entered: u64,
    /// Measurements that went out of it.
    pub left: u64,
    /// Those with most influence, most first, at most [`LISTED_MAX`].
    pub listed: Vec<Mover>,
}

/// What moved all leaves.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Movers {
    /// In the order of the search.
    pub leaves: Vec<LeafMovers>,
    /// All of the journal that could hold any was read.
    pub is_complete: bool,
}

/// One measurement that came or went.
#[derive(Debug, Clone, PartialEq)]
pub struct Mover {
    /// Its place in the journal.
    pub sequence: Sequence,
    /// When it was true.
    pub observed_at: Instant,
    /// When it, or its correction, was made durable.
    pub recorded_at: Instant,
    /// It came; otherwise it went.
    pub has_entered: bool,
    /// What it says.
    pub value: MeasuredValue,
    /// It was corrected to this.
    pub is_corrected: bool,
    /// Who says so.
    pub source: Arc<str>,
    /// Of which instance.
    pub instance: Option<InstanceId>,
    /// The source's key, and a person's words and name.
    pub extra: Extra,
    /// How far it pulls, in a measure that only orders.
    pub influence: f64,
}

/// No slice.
#[expect(clippy::reversed_empty_ranges, reason = "it is meant to be empty")]
pub const NOTHING: RangeInclusive<i64> = 1..=0;

impl Mover {
    /// A plain one, of no source and without words.
    pub fn of(sequence: Sequence, observed_at: Instant, has_entered: bool, value: MeasuredValue) -> Self {
        Self {
            sequence,
            observed_at,
            recorded_at: observed_at,
            has_entered,
            value,
            is_corrected: false,
            source: "".into(),
            instance: None,
            extra: Extra::default(),
            influence: 0.0,
        }
    }
}

impl Search {
    /// The scorecard and definition of a leaf.
    fn definition(&self, leaf: &LeafSearch) -> Option<(&Scorecard, &KpiDefinition)> {
        let scorecard = self.catalog.scorecards.get(leaf.place.0)?;
        Some((scorecard, scorecard.kpis.get(leaf.place.1)?))
    }

    /// Of these leaves, those that a measurement came to (true) or went from (false), with their definitions.
    fn moved(
        &self,
        leaves: &[usize],
        observed_at: Instant,
    ) -> impl Iterator<Item = (usize, &LeafSearch, &KpiDefinition, bool)> {
        leaves.iter().filter_map(move |index| {
            let leaf = self.leaves.get(*index)?;
            let (scorecard, kpi) = self.definition(leaf)?;
            let has_entered = leaf.has_entered(&kpi.window, scorecard, observed_at)?;
            Some((*index, leaf, kpi, has_entered))
        })
    }

    /// The earliest instants at which what entered, and what left, can have been observed; `None` where there is none.
    pub fn earliest(&self) -> [Option<Instant>; 2] {
        let earliest = |range: &dyn Fn(&LeafSearch) -> RangeInclusive<i64>| {
            let starts = self.leaves.iter().filter_map(|leaf| {
                let (scorecard, kpi) = self.definition(leaf)?;
                let range = range(leaf);
                (!range.is_empty()).then(|| kpi.window.slice_start(&scorecard.calendar, *range.start()))
            });
            starts.min()
        };
        [
            earliest(&|leaf| leaf.entered.clone()),
            earliest(&|leaf| leaf.left.clone()),
        ]
    }
}

impl LeafSearch {
    /// The slices that are seen at one of two instants only, of two views (first and last slice seen): those that came, those
    /// that went. Either may be empty.
    pub fn slices([then, now]: [(i64, i64); 2]) -> [RangeInclusive<i64>; 2] {
        let entered = now.0.max(then.1.saturating_add(1))..=now.1;
        // What has seen everything never lets go of anything.
        let left = now
            .0
            .checked_sub(1)
            .map_or(NOTHING, |before| then.0..=then.1.min(before));
        [entered, left]
    }

    /// Whether a measurement came (true), went (false), or neither.
    fn has_entered(&self, window: &Window, scorecard: &Scorecard, observed_at: Instant) -> Option<bool> {
        let slice = window.slice_of(&scorecard.calendar, observed_at);
        let entered = self.entered.contains(&slice);
        (entered || self.left.contains(&slice)).then_some(entered)
    }
}

/// Collects movers from facts in journal order.
#[derive(Debug)]
pub struct Collector<'a> {
    search: &'a Search,
    leaves: Vec<LeafMovers>,
}

impl<'a> Collector<'a> {
    /// Nothing found yet.
    pub fn new(search: &'a Search) -> Self {
        Self {
            search,
            leaves: vec![LeafMovers::default(); search.leaves.len()],
        }
    }

    /// Takes in one fact.
    pub fn take(&mut self, sequence: Sequence, entry: &Entry<'_>, recorded_at: Instant) {
        match entry {
            Entry::Measurement(row) => self.add(sequence, row, recorded_at, false),
            Entry::Other(Fact::MeasurementCorrected(correction)) => {
                self.remove(&correction.target);
                self.add(correction.target.sequence, &correction.row(), recorded_at, true);
            }
            Entry::Other(Fact::MeasurementRetracted(retraction)) => self.remove(&retraction.target),
            Entry::Other(_) => {}
        }
    }

    /// What was found.
    pub fn finish(mut self, is_complete: bool) -> Movers {
        self.leaves.iter_mut().for_each(|leaf| leaf.keep(LISTED_MAX));
        Movers {
            leaves: self.leaves,
            is_complete,
        }
    }

    fn add(&mut self, sequence: Sequence, row: &Row<'_>, recorded_at: Instant, is_corrected: bool) {
        let search = self.search;
        let Some((key, leaves)) = search.series.get(&row.series) else {
            return;
        };
        for (index, leaf, kpi, has_entered) in search.moved(leaves, row.observed_at) {
            let Some(found) = self.leaves.get_mut(index) else {
                continue;
            };
            let each = key.each.as_ref().map(|(label, name)| (&**label, name.as_str()));
            let Some(sample) = Sample::read(kpi, row, each) else {
                continue;
            };
            found.count(has_entered, 1);
            found.listed.push(Mover {
                recorded_at,
                is_corrected,
                source: Arc::clone(&key.source),
                instance: key.each.as_ref().map(|(_, name)| name.clone()),
                extra: row.extra.cloned().unwrap_or_default(),
                influence: influence(&kpi.aggregate, &sample, leaf.earlier),
                ..Mover::of(sequence, row.observed_at, has_entered, row.measured_value())
            });
            if found.listed.len() >= 2 * KEPT_MAX {
                found.keep(KEPT_MAX);
            }
        }
    }

    fn remove(&mut self, target: &MeasurementPlace) {
        let search = self.search;
        let Some((_, leaves)) = search.series.get(&target.series) else {
            return;
        };
        for (index, _, _, has_entered) in search.moved(leaves, target.observed_at) {
            if let Some(found) = self.leaves.get_mut(index) {
                found.count(has_entered, -1);
                found.listed.retain(|mover| mover.sequence != target.sequence);
            }
        }
    }
}

impl LeafMovers {
    fn count(&mut self, has_entered: bool, by: i64) {
        let count = if has_entered { &mut self.entered } else { &mut self.left };
        // What was recorded before the place where reading began is taken out without having been put in.
        *count = count.saturating_add_signed(by);
    }

    /// Keeps the most influential; of equal ones the latest, because people know them best.
    fn keep(&mut self, most: usize) {
        let rank = |mover: &Mover| (mover.observed_at, mover.sequence);
        self.listed
            .sort_by(|a, b| b.influence.total_cmp(&a.influence).then(rank(b).cmp(&rank(a))));
        self.listed.truncate(most);
    }
}

/// How far a measurement pulls its KPI from the earlier value: by what it adds where values add up, else by its
/// distance, times what it weighs.
fn influence(aggregate: &Aggregate, sample: &SampleValue, earlier: Option<f64>) -> f64 {
    let from = earlier.unwrap_or(0.0);
    match (aggregate, sample) {
        (_, SampleValue::NotApplicable) => f64::MAX,
        (_, SampleValue::Thing(_)) | (Aggregate::Count, _) => 1.0,
        (Aggregate::Sum | Aggregate::Rate { .. }, SampleValue::Number(value)) => value.abs(),
        (_, SampleValue::Number(value)) => (value - from).abs(),
        // |n/d - R| * d, without dividing.
        (Aggregate::Ratio { scale_by }, SampleValue::Pair(above, below)) => (scale_by * above - from * below).abs(),
        (_, SampleValue::Pair(value, weight)) => ((value - from) * weight).abs(),
    }
}

#[cfg(test)]
mod tests;
