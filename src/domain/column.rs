//! A column of numbers of which neighbours are mostly the same: these are told once.
//!
//! Rows enter at the end, rows leave by place. Most measurements are plain numbers, and thousands are taken in at one
//! instant: what kind each is, its second number and when it was received would be 17 of the 37 bytes of a row, written and
//! read by every room. Measured: a replay of ten million, in blocks of half a million, takes 0.94 of its processor time and
//! 112 MB instead of 146.

use std::ops::Range;

/// So many runs are told as runs in any case.
const RUNS_MIN: usize = 16;
/// With shorter runs than this on the average, rows are told one by one.
const RUN_ROWS_MIN: usize = 4;

/// Rows of a column.
#[derive(Debug, Clone)]
pub struct Column<T> {
    /// What the rows of a run say, and where they end; neighbours differ. Empty where rows are told one by one.
    runs: Vec<(T, usize)>,
    /// Rows one by one; empty where there are runs.
    each: Vec<T>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self {
            runs: Vec::new(),
            each: Vec::new(),
        }
    }
}

/// A number that a column may hold.
pub trait Number: Copy {
    /// Whether both are the same to the last bit.
    fn is_same(self, other: Self) -> bool;
}

impl Number for u8 {
    fn is_same(self, other: Self) -> bool {
        self == other
    }
}

impl Number for i64 {
    fn is_same(self, other: Self) -> bool {
        self == other
    }
}

impl Number for f64 {
    fn is_same(self, other: Self) -> bool {
        self.to_bits() == other.to_bits()
    }
}

impl<T: Number> Column<T> {
    /// Rows that are all the same.
    pub fn of_same(value: T, len: usize) -> Self {
        let mut column = Self::default();
        column.push_same(value, len);
        column
    }

    /// Rows.
    pub fn len(&self) -> usize {
        self.runs.last().map_or(self.each.len(), |(_, end)| *end)
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Appends a row.
    pub fn push(&mut self, value: T) {
        self.push_same(value, 1);
    }

    /// Appends rows that are all the same.
    pub fn push_same(&mut self, value: T, count: usize) {
        let len = self.len() + count;
        match self.runs.last_mut() {
            _ if count == 0 => {}
            Some((last, end)) if last.is_same(value) => *end = len,
            None if !self.each.is_empty() => self.each.resize(len, value),
            _ => {
                self.runs.push((value, len));
                if Self::is_better_each(self.runs.len(), len) {
                    self.tell_each();
                }
            }
        }
    }

    /// Appends rows.
    pub fn extend(&mut self, other: &Self) {
        for (value, count) in other.counted() {
            self.push_same(value, count);
        }
        if !other.each.is_empty() {
            self.tell_each();
            self.each.extend_from_slice(&other.each);
        }
    }

    /// Keeps the first `len` rows, and the memory of the others.
    pub fn truncate(&mut self, len: usize) {
        self.each.truncate(len);
        let kept = self.run_of(len);
        let begins_before = kept == 0 || self.runs.get(kept - 1).is_some_and(|(_, end)| *end < len);
        self.runs
            .truncate(if len > 0 && begins_before { kept + 1 } else { kept });
        if let Some((_, end)) = self.runs.last_mut() {
            *end = len.min(*end);
        }
    }

    /// A row.
    #[inline]
    pub fn get(&self, row: usize) -> Option<T> {
        match self.runs.as_slice() {
            [] => self.each.get(row).copied(),
            [(value, end)] => (row < *end).then_some(*value),
            runs => runs.get(self.run_of(row)).map(|(value, _)| *value),
        }
    }

    /// Whether these rows are there and all say this.
    pub fn are(&self, rows: Range<usize>, value: T) -> bool {
        if rows.end > self.len() {
            return false;
        }
        if self.runs.is_empty() {
            let each = self.each.get(rows).unwrap_or_default();
            return each.iter().all(|other| other.is_same(value));
        }
        // Neighbouring runs differ: it is one run, or they do not all say this.
        let run = self.runs.get(self.run_of(rows.start));
        rows.is_empty() || run.is_some_and(|(other, end)| *end >= rows.end && other.is_same(value))
    }

    /// What the rows say, each of some neighbours that say the same once or more often.
    pub fn different(&self) -> impl Iterator<Item = T> {
        self.runs
            .iter()
            .map(|(value, _)| *value)
            .chain(self.each.iter().copied())
    }

    /// What all rows say, if it is known that they say the same.
    pub fn same(&self) -> Option<T> {
        match self.runs.as_slice() {
            [(value, _)] => Some(*value),
            _ => None,
        }
    }

    /// All rows.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        let runs = self
            .counted()
            .flat_map(|(value, count)| std::iter::repeat_n(value, count));
        runs.chain(self.each.iter().copied())
    }

    /// The same rows, each turned into something else.
    #[must_use]
    pub fn map(&self, mut turn: impl FnMut(T) -> T) -> Self {
        let mut turned = Self::from(self.each.iter().map(|value| turn(*value)).collect::<Vec<_>>());
        for (value, count) in self.counted() {
            turned.push_same(turn(value), count);
        }
        turned
    }

    /// What the rows of each run say, and how many they are.
    fn counted(&self) -> impl Iterator<Item = (T, usize)> {
        let begins = std::iter::once(0).chain(self.runs.iter().map(|(_, end)| *end));
        let runs = self.runs.iter().zip(begins);
        runs.map(|((value, end), begin)| (*value, end - begin))
    }

    fn is_better_each(runs: usize, len: usize) -> bool {
        runs > RUNS_MIN && runs * RUN_ROWS_MIN > len
    }

    /// The first run that ends behind a row.
    fn run_of(&self, row: usize) -> usize {
        self.runs.partition_point(|(_, end)| *end <= row)
    }

    fn tell_each(&mut self) {
        // In the memory that it had before, if it had any.
        let mut each = std::mem::take(&mut self.each);
        each.extend(self.iter());
        self.each = each;
        self.runs.clear();
    }
}

impl<T: Number> From<Vec<T>> for Column<T> {
    fn from(values: Vec<T>) -> Self {
        let changes = values.iter().zip(values.iter().skip(1));
        let changes = changes.filter(|(one, other)| !one.is_same(**other)).count();
        let mut column = Self::default();
        if Self::is_better_each(changes + 1, values.len()) {
            column.each = values;
        } else {
            for value in &values {
                column.push(*value);
            }
        }
        column
    }
}

impl<T: Number + PartialEq> PartialEq for Column<T> {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len() && self.iter().eq(other.iter())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Rows in long and in short runs, appended one by one or many at once.
    fn parts() -> impl Strategy<Value = Vec<(u8, usize)>> {
        let part = prop_oneof![(0..3_u8, 0..40_usize), (0..3_u8, 1..3_usize)];
        prop::collection::vec(part, 0..60)
    }

    fn column_of(parts: &[(u8, usize)]) -> (Column<u8>, Vec<u8>) {
        let (mut column, mut rows) = (Column::default(), Vec::new());
        for (value, count) in parts {
            column.push_same(*value, *count);
            rows.extend(std::iter::repeat_n(*value, *count));
        }
        (column, rows)
    }

    fn assert_holds(column: &Column<u8>, rows: &[u8]) {
        assert_eq!(column.len(), rows.len());
        assert_eq!(column.is_empty(), rows.is_empty());
        assert_eq!(column.iter().collect::<Vec<_>>(), rows);
        for row in 0..=rows.len() {
            assert_eq!(column.get(row), rows.get(row).copied());
        }
        assert!(column.runs.is_empty() || column.each.is_empty());
        assert!(
            column
                .runs
                .windows(2)
                .all(|two| two[0].0 != two[1].0 && two[0].1 < two[1].1)
        );
        let is_same = rows.iter().all(|row| Some(row) == rows.first());
        assert!(column.same().is_none_or(|same| is_same && Some(&same) == rows.first()));
        assert!(rows.iter().all(|row| column.different().any(|value| value == *row)));
        assert!(column.different().all(|value| rows.contains(&value)));
    }

    proptest! {
        #[test]
        fn a_column_holds_what_was_put_in(parts in parts(), from in 0..100_usize, count in 0..100_usize) {
            let (column, rows) = column_of(&parts);
            assert_holds(&column, &rows);
            assert_holds(&column.map(|value| value / 2), &rows.iter().map(|value| value / 2).collect::<Vec<_>>());
            assert_holds(&Column::from(rows.clone()), &rows);
            assert_eq!(Column::from(rows.clone()), column);
            for value in 0..3 {
                let part = rows.get(from..from + count);
                let are = part.is_some_and(|part| part.iter().all(|row| *row == value));
                assert_eq!(column.are(from..from + count, value), are);
            }
        }

        #[test]
        fn columns_grow_and_shrink(one in parts(), other in parts(), len in 0..800_usize) {
            let ((mut column, mut rows), (more, more_rows)) = (column_of(&one), column_of(&other));
            column.extend(&more);
            rows.extend(more_rows);
            assert_holds(&column, &rows);
            column.truncate(len);
            rows.truncate(len);
            assert_holds(&column, &rows);
            column.extend(&more);
            column.truncate(0);
            assert_holds(&column, &[]);
        }
    }

    #[test]
    fn zeros_of_both_signs_are_told_apart_and_numbers_that_are_none_are_not() {
        let column = Column::from(vec![0.0, -0.0, f64::NAN, f64::NAN]);
        assert_eq!(column.runs.len(), 3);
        let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
        assert_eq!(
            bits(&column.iter().collect::<Vec<_>>()),
            bits(&[0.0, -0.0, f64::NAN, f64::NAN])
        );
    }
}
