//! Sums, and what is a sum and a count: most of what windows show.
//!
//! Numbers enter, a total leaves that remembers what rounding took from it.

use crate::domain::catalog::Aggregate;

/// A sum with the rounding errors it made (Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher
/// Summen", ZAMM 1974; each error by Knuth's two-sum, which is as exact and need not ask which number is the larger).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    pub(super) high: f64,
    pub(super) low: f64,
}

impl Sum {
    /// Adds a number.
    #[inline]
    pub fn add(&mut self, number: f64) {
        let total = self.high + number;
        let part = total - self.high;
        self.low += (self.high - (total - part)) + (number - part);
        self.high = total;
    }

    /// Adds another sum.
    #[inline]
    pub fn merge(&mut self, other: Self) {
        self.add(other.high);
        self.low += other.low;
    }

    /// The sum.
    #[inline]
    pub fn total(self) -> f64 {
        self.high + self.low
    }
}

impl Aggregate {
    /// Whether its value comes from nothing but a sum and a count.
    #[inline]
    pub fn is_total(&self) -> bool {
        self.is_sum() || *self == Self::Count
    }

    /// Whether a set of its measurements keeps their sum.
    #[inline]
    pub(super) fn is_sum(&self) -> bool {
        matches!(self, Self::Sum | Self::Mean | Self::Rate { .. })
    }
}

/// How many measurements a set has, and their sum: all there is to know for a count, a sum, a mean and a rate.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Total {
    /// Measurements with a value.
    pub count: u32,
    pub(super) sum: Sum,
}

impl Total {
    /// Adds another set.
    #[inline]
    pub fn add(&mut self, other: Self) {
        self.count += other.count;
        self.sum.merge(other.sum);
    }

    /// As [`super::Cell::value`]; `None` also for an aggregate that is no total.
    #[inline]
    pub fn value(&self, aggregate: &Aggregate, length_ms: i64) -> Option<f64> {
        if self.count == 0 {
            return None;
        }
        let count = f64::from(self.count);
        let value = match aggregate {
            Aggregate::Count => count,
            Aggregate::Sum => self.sum.total(),
            Aggregate::Mean => self.sum.total() / count,
            Aggregate::Rate { per_ms } => self.sum.total() * *per_ms as f64 / length_ms as f64,
            _ => return None,
        };
        there(value)
    }
}

/// A value that people can read: minus zero is zero to them, and what is not finite is none.
#[inline]
pub(super) fn there(value: f64) -> Option<f64> {
    value.is_finite().then_some(value + 0.0)
}
