//! Aggregates: what a slice remembers of its measurements, how slices merge, and what value comes out.
//!
//! A [`Cell`] stands for any set of measurements of one series. Cells merge in slice order; sums are compensated, so a
//! window that slides for a year equals the same window computed afresh.

mod sum_cell;
mod total;
mod words;

use super::catalog::{Aggregate, KpiDefinition};
use super::fact::{Row, shape};
use super::sketch::{Distinct, Percentiles, hash_of};
pub use sum_cell::SumCell;
use total::there;
pub use total::{Sum, Total};

/// One measurement as a window sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// Place in the journal, kept through corrections.
    pub sequence: u64,
    /// Epoch ms.
    pub observed_at: i64,
    /// What it says.
    pub value: SampleValue,
}

/// What a sample says, in the shape that its KPI's aggregate takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum SampleValue {
    /// A number.
    Number(f64),
    /// A number and its weight, or a numerator and its denominator.
    Pair(f64, f64),
    /// A thing to be told apart, by its hash.
    Thing(u64),
    /// Nothing to measure.
    NotApplicable,
}

impl Sample {
    /// Reads a row of the journal under a definition. `None` where the two do not fit (another catalog took other
    /// shapes); such a row is not seen. `each` is the value of the series' label, where it has one.
    pub fn read(definition: &KpiDefinition, row: &Row<'_>, each: Option<(&str, &str)>) -> Option<SampleValue> {
        if row.shape == shape::NOT_APPLICABLE {
            return Some(SampleValue::NotApplicable);
        }
        let number = match (row.shape, row.word, &definition.scale) {
            (shape::WORD | shape::WEIGHTED_WORD, Some(word), Some(scale)) => {
                scale.iter().find(|(known, _)| known == word)?.1
            }
            (shape::WORD | shape::WEIGHTED_WORD, ..) | (_, _, Some(_)) => return None,
            _ => row.value,
        };
        match &definition.aggregate {
            Aggregate::Ratio { .. } => (row.shape == shape::RATIO).then_some(SampleValue::Pair(row.value, row.second)),
            _ if row.shape == shape::RATIO => None,
            Aggregate::WeightedMean => {
                let weight = match row.shape {
                    shape::WEIGHTED | shape::WEIGHTED_WORD => row.second,
                    _ => 1.0,
                };
                Some(SampleValue::Pair(number, weight))
            }
            Aggregate::Distinct { key } => {
                let labels = row.extra.map(|extra| extra.labels.as_slice()).unwrap_or_default();
                let label = labels
                    .iter()
                    .find(|(name, _)| **name == **key)
                    .map(|(_, value)| &**value);
                let label = label.or(each.filter(|(name, _)| **name == **key).map(|(_, value)| value));
                Some(SampleValue::Thing(hash_of(label?)))
            }
            _ => Some(SampleValue::Number(number)),
        }
    }
}

/// A value at its place: by `observed_at`, then by place in the journal.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Placed {
    observed_at: i64,
    sequence: u64,
    value: f64,
}

impl Placed {
    fn key(self) -> (i64, u64) {
        (self.observed_at, self.sequence)
    }
}

/// Mean and sum of squared distances from it. The mean is kept as a distance from the first value, so that a small spread
/// far from zero (a thousand millions and a few) is not rounded away.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Moments {
    origin: f64,
    mean: f64,
    squares: f64,
}

impl Moments {
    /// Adds the `count`th value (Welford's recurrence, the one-value case of Chan's formula).
    fn add(&mut self, value: f64, count: f64) {
        let distance = value - self.origin;
        let delta = distance - self.mean;
        self.mean += delta / count;
        self.squares += delta * (distance - self.mean);
    }

    /// Chan, Golub and `LeVeque`, "Updating formulae and a pairwise algorithm for computing sample variances" (1979).
    fn merge(&mut self, other: Self, (mine, theirs): (f64, f64)) {
        let delta = (other.origin - self.origin) + (other.mean - self.mean);
        self.mean += delta * theirs / (mine + theirs);
        self.squares += other.squares + delta * delta * mine * theirs / (mine + theirs);
    }
}

/// What an aggregate keeps besides the count. What is larger than a sum is kept apart: most of millions of slices are sums.
#[derive(Debug, Clone, PartialEq)]
enum Parts {
    Nothing,
    Sum(Sum),
    Pair(Box<(Sum, Sum)>),
    Least(f64),
    Greatest(f64),
    First(Box<Placed>),
    Last(Box<Placed>),
    Ends(Box<(Placed, Placed)>),
    Moments(Box<Moments>),
    Percentiles(Box<Percentiles>),
    Distinct(Box<Distinct>),
}

/// The place in the journal of the latest measurement, and whether it said "not applicable": in one word, because there may
/// be millions of cells. Two of different places compare by these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Latest(u64);

impl Latest {
    #[inline]
    fn new(sequence: u64, is_not_applicable: bool) -> Self {
        Self(sequence << 1 | u64::from(is_not_applicable))
    }

    #[inline]
    fn of(sample: &Sample) -> Self {
        Self::new(sample.sequence, matches!(sample.value, SampleValue::NotApplicable))
    }

    fn sequence(self) -> u64 {
        self.0 >> 1
    }

    fn is_not_applicable(self) -> bool {
        self.0 & 1 == 1
    }
}

/// What is remembered of a set of measurements.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// Measurements, those that are not applicable included.
    pub any: u32,
    /// Measurements with a value.
    pub count: u32,
    /// The latest measurement's instant; `i64::MIN` without any.
    pub latest_at: i64,
    latest: Latest,
    parts: Parts,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            any: 0,
            count: 0,
            latest_at: i64::MIN,
            latest: Latest::default(),
            parts: Parts::Nothing,
        }
    }
}

impl Cell {
    /// The latest measurement said "not applicable".
    pub fn is_latest_not_applicable(&self) -> bool {
        self.latest.is_not_applicable()
    }

    /// Takes a sample in.
    #[inline]
    pub fn add(&mut self, aggregate: &Aggregate, sample: &Sample) {
        self.any += 1;
        let latest = (sample.observed_at, Latest::of(sample));
        if latest >= (self.latest_at, self.latest) {
            (self.latest_at, self.latest) = latest;
        }
        match (&mut self.parts, sample.value) {
            (_, SampleValue::NotApplicable) => {}
            // Most of all that is added is added to a sum.
            (Parts::Sum(sum), SampleValue::Number(value)) => {
                self.count += 1;
                sum.add(value);
            }
            (parts @ Parts::Nothing, SampleValue::Number(value)) if aggregate.is_sum() => {
                self.count += 1;
                let mut sum = Sum::default();
                sum.add(value);
                *parts = Parts::Sum(sum);
            }
            _ => {
                self.count += 1;
                self.add_value(aggregate, sample);
            }
        }
    }

    /// Takes samples in, and tells how many.
    #[inline]
    pub fn add_all(&mut self, aggregate: &Aggregate, first: &Sample, rest: impl Iterator<Item = Sample>) -> usize {
        self.add(aggregate, first);
        let mut taken = 1;
        let Parts::Sum(sum) = &mut self.parts else {
            for sample in rest {
                self.add(aggregate, &sample);
                taken += 1;
            }
            return taken;
        };
        // Most of all that is added is added to a sum, which is at hand meanwhile.
        let (mut own, mut count) = (*sum, 0);
        let (mut latest_at, mut latest) = (self.latest_at, self.latest);
        for sample in rest {
            let this = Latest::of(&sample);
            if sample.observed_at > latest_at || sample.observed_at == latest_at && this > latest {
                (latest_at, latest) = (sample.observed_at, this);
            }
            if let SampleValue::Number(value) = sample.value {
                count += 1;
                own.add(value);
            }
            taken += 1;
        }
        *sum = own;
        (self.latest_at, self.latest) = (latest_at, latest);
        self.any += (taken - 1) as u32;
        self.count += count;
        taken
    }

    #[inline(never)]
    fn add_value(&mut self, aggregate: &Aggregate, sample: &Sample) {
        let count = f64::from(self.count);
        if matches!(self.parts, Parts::Nothing) {
            self.parts = empty_parts(aggregate);
        }
        let placed = |value| Placed {
            observed_at: sample.observed_at,
            sequence: sample.sequence,
            value,
        };
        match (&mut self.parts, sample.value) {
            (Parts::Sum(sum), SampleValue::Number(value)) => sum.add(value),
            (Parts::Pair(pair), SampleValue::Pair(value, other)) => {
                let weighted = matches!(aggregate, Aggregate::WeightedMean);
                pair.0.add(if weighted { value * other } else { value });
                pair.1.add(other);
            }
            (Parts::Least(least), SampleValue::Number(value)) => *least = least.min(value),
            (Parts::Greatest(greatest), SampleValue::Number(value)) => *greatest = greatest.max(value),
            (parts @ Parts::Nothing, SampleValue::Number(value)) => *parts = first_parts(aggregate, placed(value)),
            (Parts::First(first), SampleValue::Number(value)) => **first = earlier(**first, placed(value)),
            (Parts::Last(last), SampleValue::Number(value)) => **last = later(**last, placed(value)),
            (Parts::Ends(ends), SampleValue::Number(value)) => {
                **ends = (earlier(ends.0, placed(value)), later(ends.1, placed(value)));
            }
            (Parts::Moments(moments), SampleValue::Number(value)) => moments.add(value, count),
            (Parts::Percentiles(sketch), SampleValue::Number(value)) => sketch.add(value),
            (Parts::Distinct(sketch), SampleValue::Thing(hash)) => sketch.add(hash),
            _ => {}
        }
    }

    /// Takes another set in.
    #[inline]
    pub fn merge(&mut self, other: &Self) {
        if other.any == 0 {
            return;
        }
        if (other.latest_at, other.latest) >= (self.latest_at, self.latest) || self.any == 0 {
            (self.latest_at, self.latest) = (other.latest_at, other.latest);
        }
        let counts = (self.count, other.count);
        self.any += other.any;
        self.count += other.count;
        // Most of all that is merged is sums.
        if let (Parts::Sum(sum), Parts::Sum(other)) = (&mut self.parts, &other.parts) {
            sum.merge(*other);
        } else {
            self.merge_parts(&other.parts, counts);
        }
    }

    /// This set and another one.
    #[must_use]
    #[inline]
    pub fn and(&self, other: &Self) -> Self {
        // Most of all that is merged is sums: these need not be copied first.
        if let (Parts::Sum(sum), Parts::Sum(others)) = (&self.parts, &other.parts) {
            let mut sum = *sum;
            sum.merge(*others);
            let (mine, theirs) = ((self.latest_at, self.latest), (other.latest_at, other.latest));
            let (latest_at, latest) = mine.max(theirs);
            return Self {
                any: self.any + other.any,
                count: self.count + other.count,
                latest_at,
                latest,
                parts: Parts::Sum(sum),
            };
        }
        let mut both = self.clone();
        both.merge(other);
        both
    }

    #[inline(never)]
    fn merge_parts(&mut self, other: &Parts, (mine, theirs): (u32, u32)) {
        let (mine, theirs) = (f64::from(mine), f64::from(theirs));
        match (&mut self.parts, other) {
            (_, Parts::Nothing) => {}
            (parts @ Parts::Nothing, others) => *parts = others.clone(),
            (Parts::Pair(pair), Parts::Pair(other)) => {
                pair.0.merge(other.0);
                pair.1.merge(other.1);
            }
            (Parts::Least(least), Parts::Least(other)) => *least = least.min(*other),
            (Parts::Greatest(greatest), Parts::Greatest(other)) => *greatest = greatest.max(*other),
            (Parts::First(first), Parts::First(other)) => **first = earlier(**first, **other),
            (Parts::Last(last), Parts::Last(other)) => **last = later(**last, **other),
            (Parts::Ends(ends), Parts::Ends(other)) => **ends = (earlier(ends.0, other.0), later(ends.1, other.1)),
            (Parts::Moments(moments), Parts::Moments(other)) => moments.merge(**other, (mine, theirs)),
            (Parts::Percentiles(sketch), Parts::Percentiles(other)) => sketch.merge(other),
            (Parts::Distinct(sketch), Parts::Distinct(other)) => sketch.merge(other),
            _ => {}
        }
    }

    /// What is left of it for an aggregate that is a total.
    #[inline]
    pub fn total(&self) -> Total {
        let sum = match &self.parts {
            Parts::Sum(sum) => *sum,
            _ => Sum::default(),
        };
        Total { count: self.count, sum }
    }

    /// The value of the set; `None` without values, with a denominator or weight of 0, and where it is not finite.
    /// `length_ms` is the window's length, for rates.
    #[inline]
    pub fn value(&self, aggregate: &Aggregate, length_ms: i64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let count = f64::from(self.count);
        let value = match (aggregate, &self.parts) {
            (aggregate, _) if aggregate.is_total() => return self.total().value(aggregate, length_ms),
            (Aggregate::Ratio { scale_by }, Parts::Pair(pair)) => scale_by * (quotient(pair.0, pair.1)?),
            (Aggregate::WeightedMean, Parts::Pair(pair)) => quotient(pair.0, pair.1)?,
            (Aggregate::Min, Parts::Least(value)) | (Aggregate::Max, Parts::Greatest(value)) => *value,
            (Aggregate::First, Parts::First(placed)) | (Aggregate::Last, Parts::Last(placed)) => placed.value,
            (Aggregate::Delta, Parts::Ends(ends)) => ends.1.value - ends.0.value,
            (Aggregate::Stddev, Parts::Moments(moments)) => (moments.squares.max(0.0) / count).sqrt(),
            (Aggregate::Percentile(percent), Parts::Percentiles(sketch)) => sketch.percentile(*percent)?,
            (Aggregate::Distinct { .. }, Parts::Distinct(sketch)) => sketch.count(),
            _ => return None,
        };
        there(value)
    }
}

fn quotient(above: Sum, below: Sum) -> Option<f64> {
    let below = below.total();
    (below != 0.0).then(|| above.total() / below)
}

fn earlier(one: Placed, other: Placed) -> Placed {
    if other.key() < one.key() { other } else { one }
}

fn later(one: Placed, other: Placed) -> Placed {
    if other.key() > one.key() { other } else { one }
}

fn empty_parts(aggregate: &Aggregate) -> Parts {
    match aggregate {
        Aggregate::Sum | Aggregate::Mean | Aggregate::Rate { .. } => Parts::Sum(Sum::default()),
        Aggregate::Ratio { .. } | Aggregate::WeightedMean => Parts::Pair(Box::default()),
        Aggregate::Min => Parts::Least(f64::INFINITY),
        Aggregate::Max => Parts::Greatest(f64::NEG_INFINITY),
        Aggregate::Percentile(_) => Parts::Percentiles(Box::default()),
        Aggregate::Distinct { .. } => Parts::Distinct(Box::default()),
        Aggregate::Stddev | Aggregate::Count | Aggregate::First | Aggregate::Last | Aggregate::Delta => Parts::Nothing,
    }
}

/// Parts that begin with a value, having no empty form.
fn first_parts(aggregate: &Aggregate, placed: Placed) -> Parts {
    match aggregate {
        Aggregate::First => Parts::First(Box::new(placed)),
        Aggregate::Last => Parts::Last(Box::new(placed)),
        Aggregate::Delta => Parts::Ends(Box::new((placed, placed))),
        Aggregate::Stddev => Parts::Moments(Box::new(Moments {
            origin: placed.value,
            mean: 0.0,
            squares: 0.0,
        })),
        _ => Parts::Nothing,
    }
}

#[cfg(test)]
mod tests;
