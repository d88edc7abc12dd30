//! A series: the slices of one KPI, of one instance or over all of them, and the reading that they give.
//!
//! Samples enter in journal order, with any `observed_at`; a reading at any instant leaves. Slices stand in a flat
//! array, only where there are data. Samples that have an `id` can be corrected later: their slice keeps them one by
//! one beside the sum of the rest, so that a corrected minimum, percentile or last value is right again.

mod closed;
mod due;
mod forget;
mod gather;
mod held;
mod removal;
mod settled;
mod sliding;
mod steady;
mod words;

use std::collections::BTreeMap;

use super::aggregate::{Cell, Sample};
use super::calendar::Calendar;
use super::catalog::{Aggregate, KpiDefinition, KpiVersion, Missing, Scoring, Window};
use super::instant::Instant;
use super::reading::Absence;
use super::window::View;
use closed::Kept;
use gather::{Seen, place_of};
use settled::{Settled, is_provisional};
pub use sliding::Sliding;
use smallvec::SmallVec;
pub use steady::{PlainReading, Steady};

/// Slices of one KPI.
#[derive(Debug, Clone, Default)]
pub struct Series {
    /// (slice, what is in it), ascending. Most of a million series have one, which then stands here.
    slices: SmallVec<[(i64, Cell); 1]>,
    /// Measurements there are, of any age: 0 means never measured.
    measured: u64,
    /// What few series have; apart, because there may be a million of them.
    rare: Option<Box<Rare>>,
    /// The slices of the window before the newest, merged once for many evaluations; derived, never saved.
    closed: Option<Box<Kept>>,
}

/// What few series have.
#[derive(Debug, Clone, Default)]
struct Rare {
    /// Slices with samples that can be corrected: the rest of the slice, and those samples.
    correctable: BTreeMap<i64, Correctable>,
    /// Everything older than the slices, for `all` windows.
    before: Cell,
    /// What `missing = "hold"` keeps.
    hold: Option<Held>,
    /// The last period that became final.
    settled: Option<Settled>,
}

/// A slice with samples that can be corrected.
#[derive(Debug, Clone, Default, PartialEq)]
struct Correctable {
    rest: Cell,
    samples: Vec<Sample>,
}

/// A value kept over an empty window.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Held {
    value: f64,
    /// The last evaluation that had a value.
    evaluated_at: Instant,
    /// No evaluation without a value has come since.
    is_current: bool,
}

/// The definition of a series with its calendar.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// What the KPI is.
    pub definition: &'a KpiDefinition,
    /// The scorecard's days.
    pub calendar: &'a Calendar,
}

impl Rules<'_> {
    fn window(&self) -> &Window {
        &self.definition.window
    }

    /// Whether both windows show the same at any instant.
    pub fn has_window_of(&self, other: &Self) -> bool {
        self.window() == other.window() && std::ptr::eq(self.calendar, other.calendar)
    }

    fn slice_of(&self, at: i64) -> i64 {
        self.window().slice_of(self.calendar, Instant(at))
    }
}

/// What a KPI says at one instant, before bands and weights.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LeafReading {
    /// Result of the window.
    pub value: Option<f64>,
    /// 0..=100.
    pub score: Option<f64>,
    /// Why there is no score.
    pub absence: Option<Absence>,
    /// 1 fresh and scored, 0 not; `None` left out.
    pub coverage: Option<f64>,
    /// Measurements with a value in the window.
    pub count: u64,
    /// Latest measurement in the window.
    pub observed_at: Option<Instant>,
    /// Not older than `expected_every`.
    pub fresh: bool,
    /// The period may still change.
    pub provisional: bool,
    /// It is the reading of a period that changed after it was final.
    pub restated: bool,
}

impl Series {
    /// Takes a sample in. `correctable` is true where it has an id. Samples before `oldest` are only counted.
    pub fn add(&mut self, rules: Rules<'_>, sample: &Sample, correctable: bool, oldest: Instant) {
        self.measured += 1;
        if sample.observed_at < oldest.0 {
            return;
        }
        let aggregate = &rules.definition.aggregate;
        let slice = rules.slice_of(sample.observed_at);
        if !correctable {
            self.take_in(aggregate, slice, sample);
            return;
        }
        let cell = self.cell(slice).clone();
        let rare = self.rare.get_or_insert_default();
        let entry = rare.correctable.entry(slice).or_insert_with(|| Correctable {
            rest: cell,
            samples: Vec::new(),
        });
        entry.samples.push(*sample);
        self.cell(slice).add(aggregate, sample);
    }

    /// Takes in a sample without an id whose slice is known.
    #[inline]
    pub fn add_bare(&mut self, aggregate: &Aggregate, slice: i64, sample: &Sample) {
        self.measured += 1;
        self.take_in(aggregate, slice, sample);
    }

    /// Takes in samples without ids that are in one slice, and tells how many.
    #[inline]
    pub fn add_run(&mut self, aggregate: &Aggregate, slice: i64, mut samples: impl Iterator<Item = Sample>) -> usize {
        let Some(first) = samples.next() else { return 0 };
        if self.rare.is_some() {
            self.add_bare(aggregate, slice, &first);
            return 1 + samples
                .inspect(|sample| self.add_bare(aggregate, slice, sample))
                .count();
        }
        let taken = self.cell(slice).add_all(aggregate, &first, samples);
        self.measured += taken as u64;
        taken
    }

    /// Counts a sample that is too old for any slice.
    pub fn count_one(&mut self) {
        self.measured += 1;
    }

    fn take_in(&mut self, aggregate: &Aggregate, slice: i64, sample: &Sample) {
        // Mostly it is the newest slice, and nothing can be corrected.
        if let (None, Some((_, cell))) = (&self.rare, self.slices.last_mut().filter(|(last, _)| *last == slice)) {
            cell.add(aggregate, sample);
            return;
        }
        let correctable = self.rare.as_mut().map(|rare| &mut rare.correctable);
        if let Some(entry) = correctable.and_then(|slices| slices.get_mut(&slice)) {
            entry.rest.add(aggregate, sample);
        }
        self.cell(slice).add(aggregate, sample);
    }

    /// The cell of a slice, to be changed.
    #[inline]
    fn cell(&mut self, slice: i64) -> &mut Cell {
        // Measurements mostly come in order: look at the end first. Nothing is merged yet of the newest slice.
        let place = match self.slices.last() {
            Some((last, _)) if *last == slice => Ok(self.slices.len() - 1),
            Some((last, _)) if *last < slice => Err(self.slices.len()),
            _ => {
                self.reopen(slice);
                let place = place_of(&self.slices, slice);
                let is_there = self.slices.get(place).is_some_and(|(found, _)| *found == slice);
                if is_there { Ok(place) } else { Err(place) }
            }
        };
        let place = place.unwrap_or_else(|place| {
            self.make_room();
            if place == self.slices.len() {
                self.slices.push((slice, Cell::default()));
            } else {
                self.slices.insert(place, (slice, Cell::default()));
            }
            place
        });
        #[expect(clippy::indexing_slicing, reason = "the place was found or made just above")]
        &mut self.slices[place].1
    }

    /// Room for one more slice.
    #[inline]
    fn make_room(&mut self) {
        // By itself it would begin with four: most of a million series have one or two.
        if self.slices.len() == self.slices.capacity() {
            self.slices.reserve_exact(self.slices.len().max(1));
        }
    }

    /// Forgets what `hold` keeps.
    pub fn let_go(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.hold = None;
        }
    }

    /// The latest measurement that is kept.
    pub fn latest(&self) -> Option<Instant> {
        self.slices.last().map(|(_, cell)| Instant(cell.latest_at))
    }

    /// Reads the newest slice, so that it is at hand: it is larger than a line of the cache.
    #[inline]
    pub fn see_newest(&self) -> usize {
        let ends = |(slice, cell): &(i64, Cell)| *slice as usize ^ cell.latest_at as usize ^ cell.any as usize;
        self.slices.last().map_or(0, ends)
    }

    /// Slices kept.
    pub fn len(&self) -> usize {
        self.slices.len()
    }

    /// True without slices.
    pub fn is_empty(&self) -> bool {
        self.slices.is_empty()
    }

    /// The reading at any instant from what is known now.
    pub fn read(&self, rules: Rules<'_>, at: Instant, across: Across) -> LeafReading {
        let view = rules.window().view(rules.calendar, at);
        let seen = self.see(rules, &view, across);
        let held = self.held_at(rules, at, seen).filter(|_| across == Across::Own);
        let known = Known {
            held: held.as_ref(),
            was_measured: self.was_measured_before(rules, at),
        };
        self.judge(rules, (at, &view), seen, known)
    }

    /// The value of a window's slices from what is known now: what [`Series::read`] says, and no more.
    pub fn value_in(&self, rules: Rules<'_>, view: &View) -> Option<f64> {
        let seen = self.see(rules, view, Across::Own);
        match rules.definition.missing {
            Missing::Zero if seen.latest_at.is_none() => Some(0.0),
            _ => seen.value,
        }
    }

    /// The reading at an evaluation, and the next instant at which it can change by itself.
    pub fn evaluate(&mut self, rules: Rules<'_>, when: Evaluation, across: Across) -> (LeafReading, Option<Instant>) {
        let view = rules.window().view(rules.calendar, when.at);
        let (reading, oldest) = self.evaluate_view(rules, (when, &view), across);
        let evaluated = Evaluated {
            when,
            view,
            oldest,
            observed_at: reading.observed_at,
            fresh: reading.fresh,
            provisional: reading.provisional,
        };
        (reading, self.next_change(rules, &evaluated))
    }

    /// The reading at an evaluation, where it is known what the window shows, and the oldest slice with data in it. What is
    /// measured next mostly comes before it can change by itself: when that is can be asked later, as long as the series stays
    /// as it is.
    #[inline]
    pub fn evaluate_view(
        &mut self,
        rules: Rules<'_>,
        (when, view): (Evaluation, &View),
        across: Across,
    ) -> (LeafReading, Option<i64>) {
        let (seen, oldest) = self.see_again(rules, view, across);
        let hold = self.rare.as_mut().and_then(|rare| rare.hold.as_mut());
        if seen.value.is_none()
            && let Some(held) = hold.filter(|held| held.is_current)
        {
            held.evaluated_at = held.evaluated_at.max(when.last_before);
            held.is_current = false;
        }
        self.settle(rules, when.at, view, seen);
        let known = Known {
            held: self.held(),
            was_measured: self.measured > 0,
        };
        let reading = self.judge(rules, (when.at, view), seen, known);
        if let (Missing::Hold(_), Some(value)) = (rules.definition.missing, seen.value) {
            self.rare.get_or_insert_default().hold = Some(Held {
                value,
                evaluated_at: when.at,
                is_current: true,
            });
        }
        (reading, oldest)
    }

    fn held(&self) -> Option<&Held> {
        self.rare.as_ref()?.hold.as_ref()
    }

    fn settled(&self) -> Option<&Settled> {
        self.rare.as_ref()?.settled.as_ref()
    }

    fn judge(&self, rules: Rules<'_>, (at, view): (Instant, &View), seen: Seen, known: Known<'_>) -> LeafReading {
        let definition = rules.definition;
        let Some(version) = definition.version(at) else {
            return LeafReading::nothing();
        };
        let value = Self::value_or_substitute(definition, at, seen, known.held);
        let absence = absence(version, known.was_measured, seen, value);
        let score = match (absence, value, &version.scoring) {
            (None, Some(value), Scoring::Curve(curve)) => Some(curve.score(value)),
            (None, Some(value), _) => Some(value.clamp(0.0, 100.0)),
            _ => None,
        };
        // A reading without a value is not fresh, however young its measurements are.
        let fresh = value.is_some()
            && version.expected_every_ms.is_none_or(|every| {
                let latest = self.latest_before(rules, at);
                latest.is_some_and(|latest| at.since(Instant(latest)) <= every)
            });
        let left_out = absence.is_some_and(Absence::is_left_out);
        LeafReading {
            value,
            score,
            absence,
            coverage: (!left_out).then_some(if fresh && score.is_some() { 1.0 } else { 0.0 }),
            count: u64::from(seen.count),
            observed_at: seen.latest_at.map(Instant),
            fresh,
            provisional: is_provisional(rules, at, view, known.was_measured),
            restated: self.is_restated(rules, at, view),
        }
    }

    /// The window's value, or what stands for it when the window is empty.
    fn value_or_substitute(definition: &KpiDefinition, at: Instant, seen: Seen, held: Option<&Held>) -> Option<f64> {
        if seen.latest_at.is_some() {
            return seen.value;
        }
        match (definition.missing, held) {
            (Missing::Zero, _) => Some(0.0),
            (Missing::Hold(hold_ms), Some(held)) if at.since(held.evaluated_at) <= hold_ms => Some(held.value),
            _ => None,
        }
    }

    /// The latest measurement known of at `at`, in the window or not: a window over the last month is as fresh as the KPI.
    fn latest_before(&self, rules: Rules<'_>, at: Instant) -> Option<i64> {
        let now = rules.slice_of(at.plus_ms(-1).0);
        let known = self.known_until(now);
        let (_, cell) = self.slices.get(known.checked_sub(1)?)?;
        Some(cell.latest_at)
    }

    /// Whether there is a measurement before `at`, kept or not: a query about the past does not know what was observed
    /// later.
    fn was_measured_before(&self, rules: Rules<'_>, at: Instant) -> bool {
        let now = rules.slice_of(at.plus_ms(-1).0);
        let ahead = self.slices.get(self.known_until(now)..).unwrap_or_default();
        self.measured > ahead.iter().map(|(_, cell)| u64::from(cell.any)).sum()
    }
}

/// Where the value of a reading comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Across {
    /// From the series' own slices.
    Own,
    /// Put together from other series (`first`, `last` and `delta` over instances); counts, instants and absences are
    /// the series' own.
    Given(Option<f64>),
}

/// An instant at which nodes are evaluated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evaluation {
    /// The instant.
    pub at: Instant,
    /// The last instant before it at which a reading that changes now still held: one step ago, where evaluations come at
    /// fixed steps; else just before, because nodes are evaluated when they change.
    pub last_before: Instant,
    /// Evaluations come at fixed steps: what flows with time is evaluated at each of them. Otherwise once a slice.
    pub is_every_instant: bool,
}

/// An evaluation of a series, as far as the next change goes by it.
#[derive(Debug, Clone, Copy)]
pub struct Evaluated {
    /// When.
    pub when: Evaluation,
    /// What the window showed.
    pub view: View,
    /// The oldest slice with data of it.
    pub oldest: Option<i64>,
    /// Latest measurement in the window.
    pub observed_at: Option<Instant>,
    /// See [`LeafReading`].
    pub fresh: bool,
    /// See [`LeafReading`].
    pub provisional: bool,
}

/// Why there is no score.
fn absence(version: &KpiVersion, was_measured: bool, seen: Seen, value: Option<f64>) -> Option<Absence> {
    match value {
        _ if version.paused => Some(Absence::Paused),
        _ if version.scoring == Scoring::None => Some(Absence::NoTarget),
        _ if seen.not_applicable => Some(Absence::NotApplicable),
        None if seen.latest_at.is_some() || !was_measured => Some(Absence::NoData),
        None => Some(Absence::Stale),
        Some(_) => None,
    }
}

/// What a reading goes by beside its window.
#[derive(Debug, Clone, Copy)]
struct Known<'a> {
    /// What `missing = "hold"` keeps.
    held: Option<&'a Held>,
    /// There is a measurement, in the window or not.
    was_measured: bool,
}

impl LeafReading {
    /// Nothing was ever measured.
    pub fn nothing() -> Self {
        Self {
            value: None,
            score: None,
            absence: Some(Absence::NoData),
            coverage: Some(0.0),
            count: 0,
            observed_at: None,
            fresh: false,
            provisional: false,
            restated: false,
        }
    }
}

#[cfg(test)]
mod tests;
