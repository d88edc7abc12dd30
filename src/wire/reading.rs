//! Readings as JSON: lines of `--readings`, values of `KPI_SCORES`, events of the stream.

use serde::Serialize;

use crate::domain::reading::{Reading, ReadingChange};

/// `{"at","path","value","score","status","absence","coverage"}`: a line of `kpid replay --readings`.
#[derive(Debug, Serialize)]
pub struct ReadingLine<'a> {
    at: &'a str,
    path: &'a str,
    value: Option<f64>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
    coverage: f64,
}

impl<'a> ReadingLine<'a> {
    /// The line of a change; `at` is its instant as text, which many lines share.
    pub fn new(change: &'a ReadingChange, at: &'a str) -> Self {
        let reading = &change.reading;
        Self {
            at,
            path: &change.path,
            value: reading.value,
            score: reading.score,
            status: reading.status.as_deref(),
            absence: reading.absence.map(crate::domain::reading::Absence::word),
            coverage: shown_coverage(reading),
        }
    }
}

/// A reading with everything it says: values of `KPI_SCORES`, events of the stream, answers of the API.
#[derive(Debug, Serialize)]
pub struct ReadingBody<'a> {
    /// Node path, where the reading stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<&'a str>,
    /// The instant of the evaluation, where the reading stands alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    value: Option<f64>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
    coverage: f64,
    count: u64,
    observed_at: Option<String>,
    fresh: bool,
    provisional: bool,
    /// Only where it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restated: bool,
    worst: Option<WorstBody<'a>>,
    red: u32,
}

/// What is left out of coverage covers nothing: a KPI that is fresh and scored has 1, else 0.
pub(super) fn shown_coverage(reading: &Reading) -> f64 {
    reading.coverage.unwrap_or(0.0)
}

/// The lowest scored leaf under a node.
#[derive(Debug, Serialize)]
pub struct WorstBody<'a> {
    path: &'a str,
    score: f64,
}

impl<'a> WorstBody<'a> {
    /// From the pair of a reading.
    pub fn new(worst: &'a (std::sync::Arc<str>, f64)) -> Self {
        Self {
            path: &worst.0,
            score: worst.1,
        }
    }
}

impl<'a> ReadingBody<'a> {
    /// A reading that stands alone.
    pub fn alone(change: &'a ReadingChange) -> Self {
        Self {
            path: Some(&change.path),
            at: Some(change.at.to_string()),
            ..Self::of(&change.reading)
        }
    }

    /// A reading inside something that names it.
    pub fn of(reading: &'a Reading) -> Self {
        Self {
            path: None,
            at: None,
            value: reading.value,
            score: reading.score,
            status: reading.status.as_deref(),
            absence: reading.absence.map(crate::domain::reading::Absence::word),
            coverage: shown_coverage(reading),
            count: reading.count,
            observed_at: reading.observed_at.map(|instant| instant.to_string()),
            fresh: reading.fresh,
            provisional: reading.provisional,
            restated: reading.restated,
            worst: reading.worst.as_ref().map(WorstBody::new),
            red: reading.red,
        }
    }
}
