//! Aggregates: what a slice remembers of its measurements, how slices merge, and what value comes out.
//!
//! A [`Cell`] stands for any set of measurements of one series. Cells merge in slice order; sums are compensated, so a
//! window that slides for a year equals the same window computed afresh.

use super::catalog::{Aggregate, KpiDefinition};
use super::fact::{Row, shape};
use super::sketch::{Distinct, Percentiles, hash_of};

/// A sum with the rounding errors it made (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
/// Summen", ZAMM 1974).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    high: f64,
    low: f64,
}

impl Sum {
    /// Adds a number.
    pub fn add(&mut self, number: f64) {
        let total = self.high + number;
        self.low += if self.high.abs() >= number.abs() {
            (self.high - total) + number
        } else {
            (number - total) + self.high
        };
        self.high = total;
    }

    /// Adds another sum.
    pub fn merge(&mut self, other: Self) {
        self.add(other.high);
        self.low += other.low;
    }

    /// The sum.
    pub fn total(self) -> f64 {
        self.high + self.low
    }
}

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

/// What an aggregate keeps besides the count.
#[derive(Debug, Clone, PartialEq)]
enum Parts {
    Nothing,
    Sum(Sum),
    Pair(Sum, Sum),
    Least(f64),
    Greatest(f64),
    First(Placed),
    Last(Placed),
    Ends(Box<(Placed, Placed)>),
    Moments(Moments),
    Percentiles(Box<Percentiles>),
    Distinct(Box<Distinct>),
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
    /// Its place in the journal.
    latest_sequence: u64,
    /// It said "not applicable".
    pub latest_not_applicable: bool,
    parts: Parts,
}

impl Default for Cell {
    fn default() -> Self {
        Self {
            any: 0,
            count: 0,
            latest_at: i64::MIN,
            latest_sequence: 0,
            latest_not_applicable: false,
            parts: Parts::Nothing,
        }
    }
}

impl Cell {
    /// Takes a sample in.
    pub fn add(&mut self, aggregate: &Aggregate, sample: &Sample) {
        self.any += 1;
        if (sample.observed_at, sample.sequence) >= (self.latest_at, self.latest_sequence) {
            (self.latest_at, self.latest_sequence) = (sample.observed_at, sample.sequence);
            self.latest_not_applicable = matches!(sample.value, SampleValue::NotApplicable);
        }
        match (&mut self.parts, sample.value) {
            (_, SampleValue::NotApplicable) => {}
            // Most of all that is added is added to a sum.
            (Parts::Sum(sum), SampleValue::Number(value)) => {
                self.count += 1;
                sum.add(value);
            }
            _ => {
                self.count += 1;
                self.add_value(aggregate, sample);
            }
        }
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
            (Parts::Pair(first, second), SampleValue::Pair(value, other)) => {
                let weighted = matches!(aggregate, Aggregate::WeightedMean);
                first.add(if weighted { value * other } else { value });
                second.add(other);
            }
            (Parts::Least(least), SampleValue::Number(value)) => *least = least.min(value),
            (Parts::Greatest(greatest), SampleValue::Number(value)) => *greatest = greatest.max(value),
            (parts @ Parts::Nothing, SampleValue::Number(value)) => *parts = first_parts(aggregate, placed(value)),
            (Parts::First(first), SampleValue::Number(value)) => *first = earlier(*first, placed(value)),
            (Parts::Last(last), SampleValue::Number(value)) => *last = later(*last, placed(value)),
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
    pub fn merge(&mut self, other: &Self) {
        if other.any == 0 {
            return;
        }
        if (other.latest_at, other.latest_sequence) >= (self.latest_at, self.latest_sequence) || self.any == 0 {
            (self.latest_at, self.latest_sequence) = (other.latest_at, other.latest_sequence);
            self.latest_not_applicable = other.latest_not_applicable;
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
    pub fn and(&self, other: &Self) -> Self {
        // Most of all that is merged is sums: these need not be copied first.
        if let (Parts::Sum(sum), Parts::Sum(others)) = (&self.parts, &other.parts) {
            let mut sum = *sum;
            sum.merge(*others);
            let is_later = (other.latest_at, other.latest_sequence) >= (self.latest_at, self.latest_sequence);
            let latest = if is_later { other } else { self };
            return Self {
                any: self.any + other.any,
                count: self.count + other.count,
                latest_at: latest.latest_at,
                latest_sequence: latest.latest_sequence,
                latest_not_applicable: latest.latest_not_applicable,
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
            (Parts::Pair(first, second), Parts::Pair(other_first, other_second)) => {
                first.merge(*other_first);
                second.merge(*other_second);
            }
            (Parts::Least(least), Parts::Least(other)) => *least = least.min(*other),
            (Parts::Greatest(greatest), Parts::Greatest(other)) => *greatest = greatest.max(*other),
            (Parts::First(first), Parts::First(other)) => *first = earlier(*first, *other),
            (Parts::Last(last), Parts::Last(other)) => *last = later(*last, *other),
            (Parts::Ends(ends), Parts::Ends(other)) => **ends = (earlier(ends.0, other.0), later(ends.1, other.1)),
            (Parts::Moments(moments), Parts::Moments(other)) => moments.merge(*other, (mine, theirs)),
            (Parts::Percentiles(sketch), Parts::Percentiles(other)) => sketch.merge(other),
            (Parts::Distinct(sketch), Parts::Distinct(other)) => sketch.merge(other),
            _ => {}
        }
    }

    /// The value of the set; `None` without values, with a denominator or weight of 0, and where it is not finite.
    /// `length_ms` is the window's length, for rates.
    pub fn value(&self, aggregate: &Aggregate, length_ms: i64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let count = f64::from(self.count);
        let value = match (aggregate, &self.parts) {
            (Aggregate::Count, _) => count,
            (Aggregate::Sum, Parts::Sum(sum)) => sum.total(),
            (Aggregate::Mean, Parts::Sum(sum)) => sum.total() / count,
            (Aggregate::Rate { per_ms }, Parts::Sum(sum)) => sum.total() * *per_ms as f64 / length_ms as f64,
            (Aggregate::Ratio { scale_by }, Parts::Pair(numerators, denominators)) => {
                scale_by * (quotient(*numerators, *denominators)?)
            }
            (Aggregate::WeightedMean, Parts::Pair(values, weights)) => quotient(*values, *weights)?,
            (Aggregate::Min, Parts::Least(value)) | (Aggregate::Max, Parts::Greatest(value)) => *value,
            (Aggregate::First, Parts::First(placed)) | (Aggregate::Last, Parts::Last(placed)) => placed.value,
            (Aggregate::Delta, Parts::Ends(ends)) => ends.1.value - ends.0.value,
            (Aggregate::Stddev, Parts::Moments(moments)) => (moments.squares.max(0.0) / count).sqrt(),
            (Aggregate::Percentile(percent), Parts::Percentiles(sketch)) => sketch.percentile(*percent)?,
            (Aggregate::Distinct { .. }, Parts::Distinct(sketch)) => sketch.count(),
            _ => return None,
        };
        // Minus zero is zero to people.
        value.is_finite().then_some(value + 0.0)
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
        Aggregate::Ratio { .. } | Aggregate::WeightedMean => Parts::Pair(Sum::default(), Sum::default()),
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
        Aggregate::First => Parts::First(placed),
        Aggregate::Last => Parts::Last(placed),
        Aggregate::Delta => Parts::Ends(Box::new((placed, placed))),
        Aggregate::Stddev => Parts::Moments(Moments {
            origin: placed.value,
            mean: 0.0,
            squares: 0.0,
        }),
        _ => Parts::Nothing,
    }
}

// ---------------------------------------------------------------- words, for checkpoints

impl Cell {
    /// The state in words.
    pub fn to_words(&self, out: &mut Vec<u64>) {
        out.push(u64::from(self.any) << 32 | u64::from(self.count));
        out.extend([
            self.latest_at as u64,
            self.latest_sequence,
            u64::from(self.latest_not_applicable),
        ]);
        match &self.parts {
            Parts::Nothing => out.push(0),
            Parts::Sum(sum) => out.extend([1, sum.high.to_bits(), sum.low.to_bits()]),
            Parts::Pair(one, two) => {
                out.extend([
                    2,
                    one.high.to_bits(),
                    one.low.to_bits(),
                    two.high.to_bits(),
                    two.low.to_bits(),
                ]);
            }
            Parts::Least(value) => out.extend([3, value.to_bits()]),
            Parts::Greatest(value) => out.extend([4, value.to_bits()]),
            Parts::First(placed) => placed.to_words(5, out),
            Parts::Last(placed) => placed.to_words(6, out),
            Parts::Ends(ends) => {
                ends.0.to_words(7, out);
                ends.1.to_words(7, out);
            }
            Parts::Moments(Moments { origin, mean, squares }) => {
                out.extend([8, origin.to_bits(), mean.to_bits(), squares.to_bits()]);
            }
            Parts::Percentiles(sketch) => {
                out.push(9);
                sketch.to_words(out);
            }
            Parts::Distinct(sketch) => {
                out.push(10);
                sketch.to_words(out);
            }
        }
    }

    /// Back from words.
    pub fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let counts = words.next()?;
        let (latest_at, latest_sequence, latest) = (words.next()? as i64, words.next()?, words.next()?);
        Some(Self {
            any: (counts >> 32) as u32,
            count: counts as u32,
            latest_at,
            latest_sequence,
            latest_not_applicable: latest == 1,
            parts: Parts::from_words(words)?,
        })
    }
}

impl Placed {
    fn to_words(self, tag: u64, out: &mut Vec<u64>) {
        out.extend([tag, self.observed_at as u64, self.sequence, self.value.to_bits()]);
    }

    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let (observed_at, sequence) = (words.next()? as i64, words.next()?);
        Some(Self {
            observed_at,
            sequence,
            value: f64::from_bits(words.next()?),
        })
    }
}

impl Sum {
    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        Some(Self {
            high: f64::from_bits(words.next()?),
            low: f64::from_bits(words.next()?),
        })
    }
}

impl Parts {
    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        Some(match words.next()? {
            0 => Self::Nothing,
            1 => Self::Sum(Sum::from_words(words)?),
            2 => Self::Pair(Sum::from_words(words)?, Sum::from_words(words)?),
            3 => Self::Least(f64::from_bits(words.next()?)),
            4 => Self::Greatest(f64::from_bits(words.next()?)),
            5 => Self::First(Placed::from_words(words)?),
            6 => Self::Last(Placed::from_words(words)?),
            7 => {
                let first = Placed::from_words(words)?;
                words.next()?;
                Self::Ends(Box::new((first, Placed::from_words(words)?)))
            }
            8 => {
                let [origin, mean, squares] = [words.next()?, words.next()?, words.next()?].map(f64::from_bits);
                Self::Moments(Moments { origin, mean, squares })
            }
            9 => Self::Percentiles(Box::new(Percentiles::from_words(words)?)),
            10 => Self::Distinct(Box::new(Distinct::from_words(words)?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
