//! What a node says now, kept small: there may be a hundred thousand of them.

use crate::domain::catalog::{Band, NodeKind};
use crate::domain::instant::Instant;
use crate::domain::reading::Absence;
use crate::domain::roll_up::{Child, Rolled};
use crate::domain::series::{LeafReading, PlainReading};

/// No band.
pub(super) const NO_STATUS: u8 = u8::MAX;

/// What a node says now. Numbers that are not there are NaN inside, which keeps a node within one line of the processor's
/// cache (64 bytes): with many instances, an update waits for memory most of the time. [`there`] tells.
#[derive(Debug, Clone, Copy, PartialEq)]
#[repr(align(64))]
pub(super) struct NodeState {
    pub instance: u32,
    pub score: f64,
    pub coverage: f64,
    pub part: NodePart,
    /// When the reading changes by itself; `i64::MAX` when never.
    pub due: i64,
    pub status: u8,
    /// The status before the present one.
    pub status_before: u8,
    pub absence: Option<Absence>,
    pub fresh: bool,
    pub provisional: bool,
    pub restated: bool,
    pub is_dirty: bool,
    /// A reading of it was told already.
    pub is_told: bool,
    /// Its rules go by nothing but its status, and were looked at since that is what it is; derived, never saved. There is
    /// nothing to look at but how its alerts are drawn.
    pub is_quiet: bool,
}

/// What of a node's state goes on in the next one, where that says nothing but a value and its score.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    pub instance: u32,
    pub status: u8,
    pub status_before: u8,
    pub is_quiet: bool,
}

/// What only KPIs say, and what only the others do.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum NodePart {
    Leaf {
        value: f64,
        /// `i64::MIN` when there is none.
        observed_at: i64,
        count: u32,
    },
    Branch {
        worst_score: f64,
        worst_leaf: u32,
        red: u32,
    },
}

impl NodePart {
    /// The same under other definitions, where the numbers of nodes are others.
    pub fn with_unknown_worst(self) -> Self {
        match self {
            leaf @ Self::Leaf { .. } => leaf,
            Self::Branch { worst_score, red, .. } => Self::Branch {
                worst_score,
                worst_leaf: 0,
                red,
            },
        }
    }
}

/// A number that may not be there.
pub(super) fn there(number: f64) -> Option<f64> {
    (!number.is_nan()).then_some(number)
}

fn or_nan(number: Option<f64>) -> f64 {
    number.unwrap_or(f64::NAN)
}

impl NodeState {
    /// Nothing was ever measured.
    pub fn new(instance: u32, kind: NodeKind) -> Self {
        let leaf = NodePart::Leaf {
            value: f64::NAN,
            observed_at: i64::MIN,
            count: 0,
        };
        let branch = NodePart::Branch {
            worst_score: f64::NAN,
            worst_leaf: 0,
            red: 0,
        };
        Self {
            instance,
            score: f64::NAN,
            coverage: 0.0,
            part: if kind == NodeKind::Kpi { leaf } else { branch },
            due: i64::MAX,
            status: NO_STATUS,
            status_before: NO_STATUS,
            absence: Some(Absence::NoData),
            fresh: false,
            provisional: false,
            restated: false,
            is_dirty: false,
            is_told: false,
            is_quiet: false,
        }
    }

    /// What a node says that is not there.
    pub fn nobody() -> Self {
        Self::new(0, NodeKind::Objective)
    }

    /// The value of a KPI; NaN where there is none.
    pub fn value(&self) -> f64 {
        match self.part {
            NodePart::Leaf { value, .. } => value,
            NodePart::Branch { .. } => f64::NAN,
        }
    }

    /// Measurements in the window of a KPI, and the latest.
    pub fn measured(&self) -> (u32, Option<Instant>) {
        match self.part {
            NodePart::Leaf { count, observed_at, .. } => {
                (count, (observed_at != i64::MIN).then_some(Instant(observed_at)))
            }
            NodePart::Branch { .. } => (0, None),
        }
    }

    /// The lowest scored leaf at or under this node, and its score.
    pub fn worst(&self, node: u32) -> Option<(u32, f64)> {
        match self.part {
            NodePart::Leaf { .. } => there(self.score).map(|score| (node, score)),
            NodePart::Branch {
                worst_score,
                worst_leaf,
                ..
            } => there(worst_score).map(|score| (worst_leaf, score)),
        }
    }

    /// Leaves at or under this node in the lowest band.
    pub fn red(&self) -> u32 {
        match self.part {
            NodePart::Leaf { .. } => u32::from(self.status == 0),
            NodePart::Branch { red, .. } => red,
        }
    }

    /// The part that makes a line of `--readings`.
    pub fn told(&self) -> (u64, u64, u8, Option<Absence>, u64) {
        (
            self.value().to_bits(),
            self.score.to_bits(),
            self.status,
            self.absence,
            self.coverage.to_bits(),
        )
    }

    /// Whether a parent would take in the same of both, states of one node.
    pub fn is_same_above(&self, other: &Self) -> bool {
        let is_same = |one: f64, other: f64| one == other || one.is_nan() && other.is_nan();
        let has_same_worst = match (self.part, other.part) {
            (
                NodePart::Branch {
                    worst_score,
                    worst_leaf,
                    red,
                },
                NodePart::Branch {
                    worst_score: other_score,
                    worst_leaf: other_leaf,
                    red: other_red,
                },
            ) => is_same(worst_score, other_score) && worst_leaf == other_leaf && red == other_red,
            // Of a leaf they follow from score and status.
            _ => self.red() == other.red(),
        };
        has_same_worst
            && is_same(self.score, other.score)
            && is_same(self.coverage, other.coverage)
            && self.absence == other.absence
            && self.provisional == other.provisional
    }

    /// As its parent takes it in.
    #[inline]
    pub fn child(&self, node: u32, weight: f64) -> Child<u32> {
        Child {
            weight,
            score: there(self.score),
            absence: self.absence,
            coverage: there(self.coverage),
            worst: self.worst(node),
            red: self.red(),
            provisional: self.provisional,
        }
    }

    /// Takes in what a KPI reads.
    #[inline]
    pub fn set_leaf(&mut self, reading: LeafReading, bands: &[Band]) {
        self.score = or_nan(reading.score);
        self.coverage = or_nan(reading.coverage);
        self.absence = reading.absence;
        self.part = NodePart::Leaf {
            value: or_nan(reading.value),
            observed_at: reading.observed_at.map_or(i64::MIN, |at| at.0),
            count: u32::try_from(reading.count).unwrap_or(u32::MAX),
        };
        self.fresh = reading.fresh;
        self.provisional = reading.provisional;
        self.restated = reading.restated;
        self.status = band_of(bands, reading.score);
    }

    /// What a KPI says after this when it reads something, and may read something else by itself at `due`.
    #[must_use]
    #[inline]
    pub fn after_leaf(&self, reading: LeafReading, bands: &[Band], due: i64) -> Self {
        let mut after = self.evaluated(due);
        after.set_leaf(reading, bands);
        after.keep_status_before(self.status);
        after
    }

    /// What of it goes on in what is said after it.
    #[inline]
    pub fn said(&self) -> Said {
        Said {
            instance: self.instance,
            status: self.status,
            status_before: self.status_before,
            is_quiet: self.is_quiet,
        }
    }

    /// What another node says after this when its children make something, and may change by itself at `due`.
    #[must_use]
    pub fn after_rolled(&self, rolled: Rolled<u32>, bands: &[Band], due: i64) -> Self {
        let mut after = self.evaluated(due);
        after.set_rolled(rolled, bands);
        after.keep_status_before(self.status);
        after
    }

    /// The same, evaluated.
    #[must_use]
    pub fn evaluated(&self, due: i64) -> Self {
        Self {
            is_dirty: false,
            is_told: true,
            due,
            ..*self
        }
    }

    /// Remembers what the status was, if it is another one now.
    fn keep_status_before(&mut self, before: u8) {
        if self.status != before {
            self.status_before = before;
            self.is_quiet = false;
        }
    }

    /// Takes in what the children make.
    pub fn set_rolled(&mut self, rolled: Rolled<u32>, bands: &[Band]) {
        self.score = or_nan(rolled.score);
        self.coverage = or_nan(rolled.coverage);
        self.absence = rolled.absence;
        self.fresh = true;
        self.provisional = rolled.provisional;
        self.status = band_of(bands, rolled.score);
        self.part = NodePart::Branch {
            worst_score: or_nan(rolled.worst.map(|(_, score)| score)),
            worst_leaf: rolled.worst.map_or(0, |(leaf, _)| leaf),
            red: rolled.red,
        };
    }
}

impl Said {
    /// What a KPI says after this when it reads nothing but a value and its score.
    #[must_use]
    #[inline]
    pub fn after_plain(self, reading: &PlainReading, bands: &[Band]) -> NodeState {
        let status = band_of(bands, Some(reading.score));
        let is_same = status == self.status;
        NodeState {
            instance: self.instance,
            score: reading.score,
            coverage: if reading.fresh { 1.0 } else { 0.0 },
            part: NodePart::Leaf {
                value: reading.value,
                observed_at: reading.observed_at,
                count: reading.count,
            },
            due: i64::MAX,
            status,
            status_before: if is_same { self.status_before } else { self.status },
            absence: None,
            fresh: reading.fresh,
            provisional: false,
            restated: false,
            is_dirty: false,
            is_told: true,
            is_quiet: self.is_quiet && is_same,
        }
    }
}

/// The band of a score: the one with the greatest `from` that is not greater than it.
#[inline]
pub(super) fn band_of(bands: &[Band], score: Option<f64>) -> u8 {
    let Some(score) = score else { return NO_STATUS };
    bands.iter().rposition(|band| band.from <= score).unwrap_or(0) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_fits_into_one_line_of_the_cache() {
        assert_eq!((size_of::<NodeState>(), align_of::<NodeState>()), (64, 64));
    }
}
