//! From lines of NDJSON to the list of measurements: what is taken, what is refused, corrections and retractions.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value;

use super::definition::{Aggregate, Catalog, Kpi, Scorecard};

/// One measurement as it stands now, corrections applied. Its place in the list is its place in the journal.
#[derive(Clone)]
pub struct Measurement {
    pub kpi: String,
    /// Value of the label that the scorecard's `each` names.
    pub instance: Option<String>,
    pub observed_at: i64,
    pub what: What,
    /// `(source, id)`, where it has an id.
    pub key: Option<(String, String)>,
    pub labels: HashMap<String, String>,
    /// It never was.
    pub retracted: bool,
}

/// What it says.
#[derive(Clone)]
pub enum What {
    Value { value: f64, weight: f64 },
    Ratio { numerator: f64, denominator: f64 },
    NotApplicable,
}

/// A line that was taken.
pub enum Taken {
    Measure(Measurement),
    /// Replaces what the measurement at that place says, and when, if it says when.
    Correct { place: usize, what: What, observed_at: Option<i64> },
    Retract { place: usize },
}

impl Taken {
    /// By this much the event clock goes on.
    pub fn observed_at(&self) -> Option<i64> {
        match self {
            Self::Measure(measurement) => Some(measurement.observed_at),
            Self::Correct { observed_at, .. } => *observed_at,
            Self::Retract { .. } => None,
        }
    }
}

/// Everything that was ever taken.
#[derive(Default)]
pub struct Intake {
    pub list: Vec<Measurement>,
    /// Content by `(source, id)`, to know duplicates from conflicts.
    seen: HashMap<(String, String), Value>,
}

impl Intake {
    /// Judges a line; `None` when it is refused or was counted already.
    pub fn judge(&mut self, catalog: &Catalog, line: &str) -> Option<Taken> {
        let report: Value = serde_json::from_str(line).ok()?;
        let (scorecard, kpi) = find_kpi(catalog, report.get("kpi")?.as_str()?)?;
        let source = string(&report, "source")?.unwrap_or_else(|| "file".to_owned());
        let key = string(&report, "id")?.map(|id| (source.clone(), id));
        if key.as_ref().is_some_and(|key| self.seen.contains_key(key)) {
            return None;
        }
        let taken = if let Some(id) = string(&report, "retracts")? {
            let place = self.place_of(kpi, (source, id))?;
            Taken::Retract { place }
        } else if let Some(id) = string(&report, "corrects")? {
            let place = self.place_of(kpi, (source, id))?;
            let observed_at = observed_at(&report)?;
            Taken::Correct { place, what: what(kpi, &report)?, observed_at }
        } else {
            Taken::Measure(measurement(scorecard, kpi, key.clone(), &report)?)
        };
        if let Some(key) = key {
            self.seen.insert(key, report);
        }
        Some(taken)
    }

    /// Writes it into the list.
    pub fn apply(&mut self, taken: Taken) {
        match taken {
            Taken::Measure(measurement) => self.list.push(measurement),
            Taken::Correct { place, what, observed_at } => {
                let corrected = &mut self.list[place];
                corrected.what = what;
                corrected.observed_at = observed_at.unwrap_or(corrected.observed_at);
            }
            Taken::Retract { place } => self.list[place].retracted = true,
        }
    }

    /// The measurement of that source and id, unless it was never seen or is retracted.
    fn place_of(&self, kpi: &Kpi, key: (String, String)) -> Option<usize> {
        let key = Some(key);
        self.list.iter().position(|known| known.key == key && known.kpi == kpi.id && !known.retracted)
    }
}

fn find_kpi<'a>(catalog: &'a Catalog, id: &str) -> Option<(&'a Scorecard, &'a Kpi)> {
    let mut all = catalog.scorecards.iter().flat_map(|scorecard| scorecard.kpis().map(move |kpi| (scorecard, kpi)));
    all.find(|(_, kpi)| kpi.id == id)
}

fn measurement(
    scorecard: &Scorecard,
    kpi: &Kpi,
    key: Option<(String, String)>,
    report: &Value,
) -> Option<Measurement> {
    let labels: HashMap<String, String> = match report.get("labels") {
        Some(labels) => serde_json::from_value(labels.clone()).ok()?,
        None => HashMap::new(),
    };
    let instance = match &scorecard.each {
        Some(label) => Some(labels.get(label)?.clone()),
        None => None,
    };
    if let Aggregate::Distinct { key } = &kpi.aggregate {
        labels.get(key)?;
    }
    let observed_at = observed_at(report)??;
    let what = what(kpi, report)?;
    Some(Measurement { kpi: kpi.id.clone(), instance, observed_at, what, key, labels, retracted: false })
}

/// A string field: absent is `Some(None)`, anything but a string refuses the line.
fn string(report: &Value, name: &str) -> Option<Option<String>> {
    match report.get(name) {
        None | Some(Value::Null) => Some(None),
        Some(Value::String(text)) => Some(Some(text.clone())),
        Some(_) => None,
    }
}

/// `observed_at` or its synonym `at`: RFC 3339 or epoch milliseconds, from 1970 to before 2200.
fn observed_at(report: &Value) -> Option<Option<i64>> {
    let instant = match report.get("observed_at").or(report.get("at")) {
        None => return Some(None),
        Some(Value::String(text)) => text.parse::<Timestamp>().ok()?.as_millisecond(),
        Some(number) => number.as_i64()?,
    };
    let end = "2200-01-01T00:00:00Z".parse::<Timestamp>().expect("an instant").as_millisecond();
    (0..end).contains(&instant).then_some(Some(instant))
}

/// Exactly one of value, numerator with denominator, and `not_applicable`; the one that the KPI takes; plausible.
fn what(kpi: &Kpi, report: &Value) -> Option<What> {
    let not_applicable = report.get("not_applicable").and_then(Value::as_bool).unwrap_or(false);
    let takes_ratio = matches!(kpi.aggregate, Aggregate::Ratio { .. });
    let parts = (report.get("value"), report.get("numerator"), report.get("denominator"));
    let weight = report.get("weight").map_or(Some(1.0), Value::as_f64)?;
    let (what, plausible) = match (not_applicable, parts) {
        (true, (None, None, None)) => (What::NotApplicable, None),
        (false, (Some(value), None, None)) if !takes_ratio => {
            let value = number_of(kpi, value)?;
            (What::Value { value, weight }, Some(value))
        }
        (false, (None, Some(numerator), Some(denominator))) if takes_ratio => {
            let (numerator, denominator) = (numerator.as_f64()?, denominator.as_f64()?);
            (What::Ratio { numerator, denominator }, ratio_of(kpi, numerator, denominator))
        }
        _ => return None,
    };
    let accepted = match (kpi.accept, plausible) {
        (Some((low, high)), Some(value)) => low <= value && value <= high,
        _ => true,
    };
    (accepted && weight >= 0.0).then_some(what)
}

/// The number, or the score of the word where the KPI has a scale.
fn number_of(kpi: &Kpi, value: &Value) -> Option<f64> {
    let Some(scale) = &kpi.scale else {
        return value.as_f64();
    };
    let word = value.as_str()?;
    scale.iter().find(|(known, _)| known == word).map(|(_, score)| *score)
}

/// The ratio that one measurement alone would give, which `accept` is held against.
fn ratio_of(kpi: &Kpi, numerator: f64, denominator: f64) -> Option<f64> {
    let Aggregate::Ratio { scale_by } = kpi.aggregate else {
        return None;
    };
    (denominator != 0.0).then(|| scale_by * numerator / denominator)
}
