//! What one core reads of a span: neighbouring series, with all that goes with them.
//!
//! All series of a span enter; parts leave that nobody else touches.

use super::leaves::Leaf;
use super::read::LeafRead;
use crate::domain::series::Series;

/// Neighbouring series with their leaves, their rows, and a place for what they read.
#[derive(Debug)]
pub(super) struct Share<'a, 'b> {
    pub series: &'a mut [Series],
    pub leaves: &'a mut [Leaf<'b>],
    /// Where the rows of each series end; of the whole span.
    pub ends: &'a [u32],
    /// Where the rows of the first one begin.
    pub begin: u32,
    /// By leaf, then step.
    pub read: &'a mut [LeafRead],
}

impl<'a, 'b> Share<'a, 'b> {
    /// All series of a span.
    pub fn of_all(
        series: &'a mut [Series],
        leaves: &'a mut [Leaf<'b>],
        ends: &'a [u32],
        read: &'a mut [LeafRead],
    ) -> Self {
        Self {
            series,
            leaves,
            ends,
            begin: 0,
            read,
        }
    }

    /// The series before a place among them, and the others.
    pub fn split(self, middle: usize, steps: usize) -> (Self, Self) {
        let (series, other_series) = self.series.split_at_mut(middle);
        let (leaves, other_leaves) = self.leaves.split_at_mut(middle);
        let (ends, other_ends) = self.ends.split_at(middle);
        let (read, other_read) = self.read.split_at_mut(middle * steps);
        let right = Self {
            series: other_series,
            leaves: other_leaves,
            ends: other_ends,
            begin: ends.last().copied().unwrap_or(self.begin),
            read: other_read,
        };
        let left = Self {
            series,
            leaves,
            ends,
            begin: self.begin,
            read,
        };
        (left, right)
    }
}
