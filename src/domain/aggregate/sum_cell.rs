//! A cell that is a sum, with all that it remembers at hand.
//!
//! Numbers enter one by one, a [`Cell`] leaves: the same as that to which they were added.

use super::{Cell, Latest, Parts, Sum, Total};

/// What is remembered of measurements whose numbers are added up.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct SumCell {
    any: u32,
    count: u32,
    /// The latest measurement's instant; `i64::MIN` without any.
    pub latest_at: i64,
    latest: Latest,
    sum: Sum,
}

impl SumCell {
    /// Without measurements.
    pub fn new() -> Self {
        Self {
            latest_at: i64::MIN,
            ..Self::default()
        }
    }

    /// A cell, if it is a sum.
    #[inline]
    pub fn of(cell: &Cell) -> Option<Self> {
        let Parts::Sum(sum) = cell.parts else { return None };
        Some(Self {
            any: cell.any,
            count: cell.count,
            latest_at: cell.latest_at,
            latest: cell.latest,
            sum,
        })
    }

    /// Takes numbers in up to the first that does not belong to it, and tells how many: what [`Cell::add`] does with each.
    /// They come with when they were observed and their places in the journal; `has` says of the former whether they belong.
    #[inline]
    pub fn add_while(&mut self, numbers: impl Iterator<Item = (i64, u64, f64)>, has: impl Fn(i64) -> bool) -> u32 {
        // At hand meanwhile.
        let (mut sum, mut taken) = (self.sum, 0);
        let (mut latest_at, mut latest) = (self.latest_at, self.latest);
        for (observed_at, sequence, number) in numbers {
            if !has(observed_at) {
                break;
            }
            let this = Latest::new(sequence, false);
            if observed_at > latest_at || observed_at == latest_at && this > latest {
                (latest_at, latest) = (observed_at, this);
            }
            sum.add(number);
            taken += 1;
        }
        *self = Self {
            any: self.any + taken,
            count: self.count + taken,
            latest_at,
            latest,
            sum,
        };
        taken
    }

    /// The latest measurement said "not applicable".
    #[inline]
    pub fn is_latest_not_applicable(&self) -> bool {
        self.latest.is_not_applicable()
    }

    /// Number and sum of the measurements.
    #[inline]
    pub fn total(&self) -> Total {
        Total {
            count: self.count,
            sum: self.sum,
        }
    }
}

impl From<SumCell> for Cell {
    #[inline]
    fn from(own: SumCell) -> Self {
        Self {
            any: own.any,
            count: own.count,
            latest_at: own.latest_at,
            latest: own.latest,
            parts: Parts::Sum(own.sum),
        }
    }
}
