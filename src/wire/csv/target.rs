//! A field of a measurement as the goal of a column, and texts put into it.

use std::fmt;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use crate::domain::instant::Instant;
use crate::domain::measurement::{RejectionReason, Report, ReportValue};
use crate::wire::measurement::{Field, Refusal, check_key, excerpt, malformed};

/// What a column gives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Target {
    /// A field.
    Field(Field),
    /// The label of this name.
    Label(Box<str>),
}

/// What a target may be called, for error texts.
pub(super) const NAMES: &str = "kpi, value, numerator, denominator, weight, not_applicable, observed_at, id, source, \
                                corrects, retracts, note, by, label.NAME";

impl Target {
    /// `value`, `label.site`, ...; `labels.site` and `at` are understood too.
    pub(super) fn of(name: &str) -> Option<Self> {
        let label = name.strip_prefix("label.").or_else(|| name.strip_prefix("labels."));
        if let Some(label) = label {
            return (!label.is_empty()).then(|| Self::Label(label.into()));
        }
        match Field::of(name) {
            Field::Labels | Field::Unknown => None,
            field if field.is_attribute() => None,
            field => Some(Self::Field(field)),
        }
    }

    /// True when the report says something of it.
    pub(super) fn is_in(&self, report: &Report) -> bool {
        let field = match self {
            Self::Label(name) => return report.labels.iter().any(|(known, _)| known == name),
            Self::Field(field) => field,
        };
        match field {
            Field::Kpi => report.kpi.is_some(),
            Field::Value => report.value.is_some(),
            Field::Numerator => report.numerator.is_some(),
            Field::Denominator => report.denominator.is_some(),
            Field::Weight => report.weight.is_some(),
            Field::NotApplicable => report.not_applicable,
            Field::ObservedAt => report.observed_at.is_some(),
            Field::Id => report.id.is_some(),
            Field::Source => report.source.is_some(),
            Field::Corrects => report.corrects.is_some(),
            Field::Retracts => report.retracts.is_some(),
            Field::Note => report.note.is_some(),
            Field::By => report.by.is_some(),
            _ => false,
        }
    }

    /// Puts a text there.
    pub(super) fn set(&self, report: &mut Report, text: &str, zone: Option<&TimeZone>) -> Result<(), Refusal> {
        let field = match self {
            Self::Label(name) => {
                report.labels.push((name.clone(), text.into()));
                return Ok(());
            }
            Self::Field(field) => *field,
        };
        match field {
            Field::Kpi => report.kpi = Some(text.into()),
            Field::Value => report.value = Some(value_of(text)?),
            Field::Numerator => report.numerator = Some(number_of(field, text)?),
            Field::Denominator => report.denominator = Some(number_of(field, text)?),
            Field::Weight => report.weight = Some(number_of(field, text)?),
            Field::NotApplicable => report.not_applicable = flag_of(text)?,
            Field::ObservedAt => report.observed_at = Some(instant_of(text, zone)?),
            Field::Id => report.id = Some(key_of(field, text)?),
            Field::Source => report.source = Some(key_of(field, text)?),
            Field::Corrects => report.corrects = Some(key_of(field, text)?),
            Field::Retracts => report.retracts = Some(key_of(field, text)?),
            Field::Note => report.note = Some(text.into()),
            Field::By => report.by = Some(text.into()),
            _ => {}
        }
        Ok(())
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(field) => f.write_str(field.name()),
            Self::Label(name) => write!(f, "label.{name}"),
        }
    }
}

/// A number, or a word of a scale. `NaN` and the like are numbers that cannot be taken.
fn value_of(text: &str) -> Result<ReportValue, Refusal> {
    match text.parse::<f64>() {
        Ok(number) => finite(Field::Value, number).map(ReportValue::Number),
        Err(_) => Ok(ReportValue::Word(text.into())),
    }
}

fn number_of(field: Field, text: &str) -> Result<f64, Refusal> {
    let Ok(number) = text.parse::<f64>() else {
        let (name, found) = (field.name(), excerpt(text));
        let remedy = "write a number with a decimal point";
        return Err(malformed(format!("`{name}` is `{found}`: {remedy}")));
    };
    finite(field, number)
}

fn finite(field: Field, number: f64) -> Result<f64, Refusal> {
    if number.is_finite() {
        return Ok(number);
    }
    let detail = format!("`{}` is {number}: send a finite number", field.name());
    Err((RejectionReason::NotFinite, detail))
}

fn flag_of(text: &str) -> Result<bool, Refusal> {
    match text {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => {
            let found = excerpt(text);
            Err(malformed(format!(
                "`not_applicable` is `{found}`: write `true` or `false`"
            )))
        }
    }
}

fn key_of(field: Field, text: &str) -> Result<Box<str>, Refusal> {
    check_key(field.name(), text)?;
    Ok(text.into())
}

/// RFC 3339 with an offset, epoch milliseconds, or a date with or without a time on the clocks of a zone. Where clocks are
/// put forward, a time that they skip is read as the one that they jump to; where they are put back, as the first of the two.
fn instant_of(text: &str, zone: Option<&TimeZone>) -> Result<Instant, Refusal> {
    if let Ok(instant) = Instant::parse(text) {
        return Ok(instant);
    }
    if let Ok(ms) = text.parse::<f64>() {
        return finite(Field::ObservedAt, ms).map(|ms| Instant(ms.floor() as i64));
    }
    let found = excerpt(text);
    // The civil parser would pass over an offset in silence.
    let Some(civil) = text.parse::<DateTime>().ok().filter(|_| !has_offset(text)) else {
        let remedy = "write RFC 3339, such as 2026-03-01T10:00:00Z, or epoch milliseconds";
        return Err(malformed(format!(
            "`observed_at` is `{found}`, which is no time: {remedy}"
        )));
    };
    let Some(zone) = zone else {
        let remedy = "name the zone it was read in with --time-zone, for example --time-zone UTC";
        return Err(malformed(format!(
            "`observed_at` is `{found}`, which has no offset: {remedy}"
        )));
    };
    match zone.to_ambiguous_timestamp(civil).compatible() {
        Ok(stamp) => Ok(Instant(stamp.as_nanosecond().div_euclid(1_000_000) as i64)),
        Err(_) => Err((
            RejectionReason::OutOfRange,
            format!("`observed_at` is `{found}`: it must lie between 1970 and 2200"),
        )),
    }
}

/// True when something like an offset follows the time of day.
fn has_offset(text: &str) -> bool {
    text.get(10..)
        .is_some_and(|time| time.contains(['Z', 'z', '+', '-', '[']))
}
