//! A reading: what a node says at one instant.

use std::sync::Arc;

use super::instant::Instant;

/// Why there is no score. Always said, never a silent zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Absence {
    /// Never measured; or a node without a scored child.
    NoData,
    /// Measured, but not in this window.
    Stale,
    /// The latest measurement in the window says so.
    NotApplicable,
    /// It has a value and nothing to hold it against.
    NoTarget,
    /// Journalled and shown, weighs nothing.
    Paused,
    /// Too little of the weight is backed by fresh data.
    InsufficientCoverage,
}

impl Absence {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::NoData => "no_data",
            Self::Stale => "stale",
            Self::NotApplicable => "not_applicable",
            Self::NoTarget => "no_target",
            Self::Paused => "paused",
            Self::InsufficientCoverage => "insufficient_coverage",
        }
    }

    /// Left out of coverage: neither missing nor there.
    pub fn is_left_out(self) -> bool {
        matches!(self, Self::NotApplicable | Self::NoTarget | Self::Paused)
    }
}

/// What a node says at one instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Reading {
    /// Result of the window; KPIs only.
    pub value: Option<f64>,
    /// 0..=100.
    pub score: Option<f64>,
    /// Name of the band the score is in.
    pub status: Option<Arc<str>>,
    /// Why there is no score; `None` exactly when there is one.
    pub absence: Option<Absence>,
    /// 0..=1; `None` for a node that is left out of coverage.
    pub coverage: Option<f64>,
    /// Measurements with a value in the window; KPIs only.
    pub count: u64,
    /// Latest measurement in the window; KPIs only.
    pub observed_at: Option<Instant>,
    /// Not older than `expected_every`; for other nodes true.
    pub fresh: bool,
    /// The period has not ended yet, or may still change within `allowed_lateness`.
    pub provisional: bool,
    /// The reading of a period that changed after it was final; KPIs only.
    pub restated: bool,
    /// Path and score of the lowest scored leaf under it.
    pub worst: Option<(Arc<str>, f64)>,
    /// Leaves under it that are in the lowest band.
    pub red: u32,
}

impl Reading {
    /// Nothing was ever measured.
    pub fn nothing() -> Self {
        Self {
            value: None,
            score: None,
            status: None,
            absence: Some(Absence::NoData),
            coverage: Some(0.0),
            count: 0,
            observed_at: None,
            fresh: false,
            provisional: false,
            restated: false,
            worst: None,
            red: 0,
        }
    }
}

/// A line of `--readings`, an entry of `KPI_SCORES`, an event of the stream: a node changed.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingChange {
    /// The instant of the evaluation.
    pub at: Instant,
    /// Whose reading.
    pub path: Arc<str>,
    /// What it says now.
    pub reading: Reading,
}

/// How a reading compares with the one a window earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrendDirection {
    /// The score rose.
    Better,
    /// The score fell.
    Worse,
    /// It did not move.
    Same,
}

impl TrendDirection {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Worse => "worse",
            Self::Same => "same",
        }
    }
}

/// The reading one window (or one period) earlier, and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trend {
    /// Score then.
    pub previous: f64,
    /// Score now minus score then.
    pub change: f64,
    /// Better, worse or same, by score.
    pub direction: TrendDirection,
    /// Value then; KPIs only.
    pub previous_value: Option<f64>,
}

impl Trend {
    /// Compares two scores.
    pub fn between(previous: f64, now: f64, previous_value: Option<f64>) -> Self {
        let direction = match now.partial_cmp(&previous) {
            Some(std::cmp::Ordering::Greater) => TrendDirection::Better,
            Some(std::cmp::Ordering::Less) => TrendDirection::Worse,
            _ => TrendDirection::Same,
        };
        Self {
            previous,
            change: now - previous,
            direction,
            previous_value,
        }
    }
}
