//! What a node says now, kept small: there may be a hundred thousand of them.

use crate::domain::catalog::Band;
use crate::domain::reading::Absence;
use crate::domain::roll_up::{Child, Rolled};
use crate::domain::series::LeafReading;

/// No band.
pub(super) const NO_STATUS: u8 = u8::MAX;

/// What a node says now. Numbers that are not there are NaN inside, which keeps a node small; [`there`] tells.
#[derive(Debug, Clone, Copy, PartialEq)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "four independent facts about one node, no states of one machine"
)]
pub(super) struct NodeState {
    pub instance: u32,
    pub local: u32,
    pub value: f64,
    pub score: f64,
    pub coverage: f64,
    pub worst_score: f64,
    pub worst_leaf: u32,
    pub red: u32,
    pub count: u32,
    /// `i64::MIN` when there is none.
    pub observed_at: i64,
    /// When the reading changes by itself; `i64::MAX` when never.
    pub due: i64,
    /// Where the node stands in the queue of such changes, at `due` or before; `i64::MAX` when it does not.
    pub queued: i64,
    pub status: u8,
    /// The status before the present one.
    pub status_before: u8,
    pub absence: Option<Absence>,
    pub fresh: bool,
    pub provisional: bool,
    pub is_dirty: bool,
    /// A reading of it was told already.
    pub is_told: bool,
}

/// A number that may not be there.
pub(super) fn there(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

fn or_nan(number: Option<f64>) -> f64 {
    number.unwrap_or(f64::NAN)
}

impl NodeState {
    pub fn new(instance: u32, local: u32) -> Self {
        Self {
            instance,
            local,
            value: f64::NAN,
            score: f64::NAN,
            coverage: 0.0,
            worst_score: f64::NAN,
            worst_leaf: 0,
            red: 0,
            count: 0,
            observed_at: i64::MIN,
            due: i64::MAX,
            queued: i64::MAX,
            status: NO_STATUS,
            status_before: NO_STATUS,
            absence: Some(Absence::NoData),
            fresh: false,
            provisional: false,
            is_dirty: false,
            is_told: false,
        }
    }

    /// The part that makes a line of `--readings`.
    pub fn told(&self) -> (u64, u64, u8, Option<Absence>, u64) {
        (
            self.value.to_bits(),
            self.score.to_bits(),
            self.status,
            self.absence,
            self.coverage.to_bits(),
        )
    }

    /// The part that parents see.
    pub fn seen_above(&self) -> (u64, Option<Absence>, u64, u64, u32, u32, bool, u64) {
        let leaf = self.worst_leaf;
        let worst = self.worst_score.to_bits();
        (
            self.score.to_bits(),
            self.absence,
            self.coverage.to_bits(),
            worst,
            leaf,
            self.red,
            self.provisional,
            self.value.to_bits(),
        )
    }

    pub fn child(&self, weight: f64) -> Child<u32> {
        Child {
            weight,
            score: there(self.score),
            absence: self.absence,
            coverage: there(self.coverage),
            worst: there(self.worst_score).map(|score| (self.worst_leaf, score)),
            red: self.red,
            provisional: self.provisional,
        }
    }

    /// Takes in what a KPI reads.
    pub fn set_leaf(&mut self, node: u32, reading: LeafReading, bands: &[Band]) {
        self.value = or_nan(reading.value);
        self.score = or_nan(reading.score);
        self.coverage = or_nan(reading.coverage);
        self.absence = reading.absence;
        self.count = u32::try_from(reading.count).unwrap_or(u32::MAX);
        self.observed_at = reading.observed_at.map_or(i64::MIN, |at| at.0);
        self.fresh = reading.fresh;
        self.provisional = reading.provisional;
        self.status = band_of(bands, reading.score);
        self.worst_leaf = node;
        self.worst_score = self.score;
        self.red = u32::from(self.status == 0);
    }

    /// Takes in what the children make.
    pub fn set_rolled(&mut self, rolled: Rolled<u32>, bands: &[Band]) {
        self.score = or_nan(rolled.score);
        self.coverage = or_nan(rolled.coverage);
        self.absence = rolled.absence;
        self.fresh = true;
        self.provisional = rolled.provisional;
        self.status = band_of(bands, rolled.score);
        self.worst_leaf = rolled.worst.map_or(0, |(leaf, _)| leaf);
        self.worst_score = or_nan(rolled.worst.map(|(_, score)| score));
        self.red = rolled.red;
    }
}

/// The band of a score: the one with the greatest `from` that is not greater than it.
pub(super) fn band_of(bands: &[Band], score: Option<f64>) -> u8 {
    let Some(score) = score else { return NO_STATUS };
    bands.iter().rposition(|band| band.from <= score).unwrap_or(0) as u8
}
