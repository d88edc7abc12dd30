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
    Correct {
        place: usize,
        what: What,
        observed_at: Option<i64>,
    },
    Retract {
        place: usize,
    },
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

/// The line is refused, or was counted already: either way it leaves no trace.
pub struct Refused;

/// Everything that was ever taken.
#[derive(Default)]
pub struct Intake {
    pub list: Vec<Measurement>,
    /// Content by `(source, id)`, to know duplicates from conflicts.
    seen: HashMap<(String, String), Value>,
}

impl Intake {
    /// Judges a line.
    pub fn judge(&mut self, catalog: &Catalog, line: &str) -> Result<Taken, Refused> {
        let report: Value = serde_json::from_str(line).map_err(|_| Refused)?;
        let (scorecard, kpi) = find_kpi(catalog, report.get("kpi").and_then(Value::as_str).ok_or(Refused)?)?;
        let source = string(&report, "source")?.unwrap_or_else(|| "file".to_owned());
        let key = string(&report, "id")?.map(|id| (source.clone(), id));
        if key.as_ref().is_some_and(|key| self.seen.contains_key(key)) {
            return Err(Refused);
        }
        let taken = if let Some(id) = string(&report, "retracts")? {
            let place = self.place_of(kpi, (source, id))?;
            Taken::Retract { place }
        } else if let Some(id) = string(&report, "corrects")? {
            let place = self.place_of(kpi, (source, id))?;
            let observed_at = observed_at(&report)?;
            Taken::Correct {
                place,
                what: what(kpi, &report)?,
                observed_at,
            }
        } else {
            Taken::Measure(measurement(scorecard, kpi, key.clone(), &report)?)
        };
        if let Some(key) = key {
            self.seen.insert(key, report);
        }
        Ok(taken)
    }

    /// Writes it into the list.
    pub fn apply(&mut self, taken: Taken) {
        match taken {
            Taken::Measure(measurement) => self.list.push(measurement),
            Taken::Correct {
                place,
                what,
                observed_at,
            } => {
                let corrected = &mut self.list[place];
                corrected.what = what;
                corrected.observed_at = observed_at.unwrap_or(corrected.observed_at);
            }
            Taken::Retract { place } => self.list[place].retracted = true,
        }
    }

    /// The measurement of that source and id, unless it was never seen or is retracted.
    fn place_of(&self, kpi: &Kpi, key: (String, String)) -> Result<usize, Refused> {
        let key = Some(key);
        let mut known = self.list.iter();
        let place = known.position(|known| known.key == key && known.kpi == kpi.id && !known.retracted);
        place.ok_or(Refused)
    }
}

fn find_kpi<'a>(catalog: &'a Catalog, id: &str) -> Result<(&'a Scorecard, &'a Kpi), Refused> {
    let mut all = catalog
        .scorecards
        .iter()
        .flat_map(|scorecard| scorecard.kpis().map(move |kpi| (scorecard, kpi)));
    all.find(|(_, kpi)| kpi.id == id).ok_or(Refused)
}

fn measurement(
    scorecard: &Scorecard,
    kpi: &Kpi,
    key: Option<(String, String)>,
    report: &Value,
) -> Result<Measurement, Refused> {
    let labels: HashMap<String, String> = match report.get("labels") {
        Some(labels) => serde_json::from_value(labels.clone()).map_err(|_| Refused)?,
        None => HashMap::new(),
    };
    let instance = match &scorecard.each {
        Some(label) => Some(labels.get(label).ok_or(Refused)?.clone()),
        None => None,
    };
    if let Aggregate::Distinct { key } = &kpi.aggregate {
        labels.get(key).ok_or(Refused)?;
    }
    let observed_at = observed_at(report)?.ok_or(Refused)?;
    let what = what(kpi, report)?;
    Ok(Measurement {
        kpi: kpi.id.clone(),
        instance,
        observed_at,
        what,
        key,
        labels,
        retracted: false,
    })
}

/// A string field; anything else under its name refuses the line.
fn string(report: &Value, name: &str) -> Result<Option<String>, Refused> {
    match report.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(Refused),
    }
}

/// `observed_at` or its synonym `at`: RFC 3339 or epoch milliseconds, from 1970 to before 2200.
fn observed_at(report: &Value) -> Result<Option<i64>, Refused> {
    let Some(said) = report.get("observed_at").or(report.get("at")) else {
        return Ok(None);
    };
    let parsed = said
        .as_str()
        .map(|text| text.parse::<Timestamp>().map_err(|_| Refused))
        .transpose()?;
    let instant = parsed.map(Timestamp::as_millisecond).or(said.as_i64()).ok_or(Refused)?;
    let end: Timestamp = "2200-01-01T00:00:00Z".parse().expect("an instant");
    if (0..end.as_millisecond()).contains(&instant) {
        Ok(Some(instant))
    } else {
        Err(Refused)
    }
}

/// Exactly one of value, numerator with denominator, and `not_applicable`; the one that the KPI takes; plausible.
fn what(kpi: &Kpi, report: &Value) -> Result<What, Refused> {
    let not_applicable = report.get("not_applicable").and_then(Value::as_bool).unwrap_or(false);
    let takes_ratio = matches!(kpi.aggregate, Aggregate::Ratio { .. });
    let parts = (report.get("value"), report.get("numerator"), report.get("denominator"));
    let weight = report.get("weight").map_or(Some(1.0), Value::as_f64).ok_or(Refused)?;
    let (what, plausible) = match (not_applicable, parts) {
        (true, (None, None, None)) => (What::NotApplicable, None),
        (false, (Some(value), None, None)) if !takes_ratio => {
            let value = number_of(kpi, value).ok_or(Refused)?;
            (What::Value { value, weight }, Some(value))
        }
        (false, (None, Some(numerator), Some(denominator))) if takes_ratio => {
            let (numerator, denominator) = numerator.as_f64().zip(denominator.as_f64()).ok_or(Refused)?;
            (
                What::Ratio { numerator, denominator },
                ratio_of(kpi, numerator, denominator),
            )
        }
        _ => return Err(Refused),
    };
    let accepted = match (kpi.accept, plausible) {
        (Some((low, high)), Some(value)) => low <= value && value <= high,
        _ => true,
    };
    if accepted && weight >= 0.0 {
        Ok(what)
    } else {
        Err(Refused)
    }
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
