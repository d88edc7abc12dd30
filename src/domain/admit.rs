//! Admission: from a report to a submission, or to the reason why not.
//!
//! Judges what the report, the catalog and the limits can tell; needs no memory and no clock but `received_at`.

mod batch;

use std::sync::Arc;

pub use batch::Admitted;

use super::catalog::{Aggregate, Catalog, KpiDefinition, Scorecard};
use super::id::{ID_LEN_MAX, InstanceId};
use super::instant::Instant;
use super::measurement::{
    AdmitLimits, Extra, MeasuredValue, Measurement, Rejection, RejectionReason, Report, ReportValue, SeriesKey,
    Submission,
};

/// What a report is judged by, besides itself.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    /// Definitions in force.
    pub catalog: &'a Catalog,
    /// Named limits.
    pub limits: &'a AdmitLimits,
    /// When kpid took the report in.
    pub received_at: Instant,
    /// The source of reports that name none: the transport's name.
    pub default_source: &'a Arc<str>,
}

type Refusal = (RejectionReason, String);

impl Admission<'_> {
    /// Judges one report; `index` is its place in the batch.
    pub fn admit(&self, index: usize, report: Report) -> Result<Submission, Rejection> {
        self.judge(report)
            .map_err(|(reason, detail)| Rejection { index, reason, detail })
    }

    fn judge(&self, report: Report) -> Result<Submission, Refusal> {
        self.check_sizes(&report)?;
        match report.retracts {
            Some(_) => self.judge_retraction(report),
            None => self.judge_measurement(report),
        }
    }

    fn judge_retraction(&self, report: Report) -> Result<Submission, Refusal> {
        let has_value = report.value.is_some() || report.numerator.is_some() || report.denominator.is_some();
        if has_value || report.not_applicable || report.corrects.is_some() {
            let detail =
                "`retracts` stands beside a value or `corrects`: send it alone, with `source` and `id`".to_owned();
            return Err((RejectionReason::WrongShape, detail));
        }
        let kpi = match &report.kpi {
            Some(kpi) => Some(self.known_kpi(kpi)?.1.id.clone()),
            None => None,
        };
        let source = self.source(report.source.as_deref());
        let extra = Extra {
            id: report.id,
            labels: Vec::new(),
            note: report.note,
            by: report.by,
        };
        let retracts = report.retracts.unwrap_or_default();
        Ok(Submission::Retract {
            retracts,
            kpi,
            source,
            received_at: self.received_at,
            extra,
        })
    }

    fn judge_measurement(&self, mut report: Report) -> Result<Submission, Refusal> {
        let Some(kpi) = report.kpi.take() else {
            return Err((
                RejectionReason::Malformed,
                "`kpi` is missing: name the KPI that was measured".to_owned(),
            ));
        };
        let (scorecard, definition) = self.known_kpi(&kpi)?;
        let observed_at = self.instant(report.observed_at)?;
        let value = measured_value(&report, definition)?;
        check_plausible(&value, definition)?;
        let is_dated = report.observed_at.is_some();
        let each = take_each(scorecard, &mut report.labels)?;
        if let Aggregate::Distinct { key } = &definition.aggregate {
            let is_each = each.as_ref().is_some_and(|(label, _)| label == key);
            if !is_each
                && !report.labels.iter().any(|(name, _)| **name == **key)
                && value != MeasuredValue::NotApplicable
            {
                return Err(missing_label(key, "it is what `distinct` counts"));
            }
        }
        let source = self.source(report.source.as_deref());
        report.labels.sort();
        let extra = Extra {
            id: report.id,
            labels: report.labels,
            note: report.note,
            by: report.by,
        };
        let series = SeriesKey {
            kpi: definition.id.clone(),
            source,
            each,
        };
        let measurement = Measurement {
            series,
            observed_at,
            is_dated,
            received_at: self.received_at,
            value,
            extra,
        };
        Ok(match report.corrects {
            None => Submission::Measure(measurement),
            Some(corrects) => Submission::Correct {
                corrects,
                replacement: measurement,
            },
        })
    }

    fn known_kpi(&self, kpi: &str) -> Result<(&Scorecard, &KpiDefinition), Refusal> {
        let known = self.catalog.kpi_named(kpi);
        known.ok_or_else(|| {
            let shown: String = kpi.chars().take(ID_LEN_MAX).collect();
            (
                RejectionReason::UnknownKpi,
                format!("`{shown}` is not in the catalog: define it, or check the spelling"),
            )
        })
    }

    fn source(&self, source: Option<&str>) -> Arc<str> {
        match source {
            None => Arc::clone(self.default_source),
            Some(source) if *source == **self.default_source => Arc::clone(self.default_source),
            Some(source) => source.into(),
        }
    }

    fn instant(&self, observed_at: Option<Instant>) -> Result<Instant, Refusal> {
        let observed_at = observed_at.unwrap_or(self.received_at);
        if observed_at < Instant::EARLIEST || observed_at >= Instant::LATEST {
            let detail =
                format!("observed_at {observed_at} is outside 1970-01-01 to 2200-01-01: check its unit (milliseconds)");
            return Err((RejectionReason::OutOfRange, detail));
        }
        let ahead = observed_at.since(self.received_at);
        match self.limits.future_ms_max {
            Some(max) if ahead > max => {
                let detail = format!(
                    "observed_at {observed_at} is {ahead} ms ahead of {} when it was received, {max} ms are allowed: check \
                     the sender's clock, or raise ingest.max_future",
                    self.received_at
                );
                Err((RejectionReason::InTheFuture, detail))
            }
            _ => Ok(observed_at),
        }
    }

    fn check_sizes(&self, report: &Report) -> Result<(), Refusal> {
        let limits = self.limits;
        if report.labels.len() > limits.label_count_max {
            let detail = format!(
                "{} labels, {} are allowed: send fewer",
                report.labels.len(),
                limits.label_count_max
            );
            return Err((RejectionReason::TooManyLabels, detail));
        }
        let texts = [
            ("id", &report.id, ID_LEN_MAX),
            ("source", &report.source, ID_LEN_MAX),
            ("corrects", &report.corrects, ID_LEN_MAX),
            ("retracts", &report.retracts, ID_LEN_MAX),
            ("by", &report.by, ID_LEN_MAX),
            ("note", &report.note, limits.note_len_max),
        ];
        for (name, text, max) in texts {
            check_len(name, text.as_deref().unwrap_or_default(), max)?;
        }
        if let Some(source) = report.source.as_deref() {
            check_source(source)?;
        }
        for (name, value) in &report.labels {
            check_len("a label's name", name, limits.label_name_len_max)?;
            check_len("a label's value", value, limits.label_value_len_max)?;
        }
        Ok(())
    }
}

fn check_len(name: &str, text: &str, max: usize) -> Result<(), Refusal> {
    if text.len() <= max {
        return Ok(());
    }
    Err((
        RejectionReason::TooLarge,
        format!("{name} has {} bytes, {max} are allowed: shorten it", text.len()),
    ))
}

fn check_source(source: &str) -> Result<(), Refusal> {
    check_len("source", source, ID_LEN_MAX)?;
    if source.chars().any(char::is_control) {
        let detail = format!("source {source:?} has control characters: use a plain name");
        return Err((RejectionReason::Malformed, detail));
    }
    Ok(())
}

fn missing_label(name: &str, why: &str) -> Refusal {
    (
        RejectionReason::MissingLabel,
        format!("label `{name}` is missing: {why}"),
    )
}

/// Takes the label that the scorecard's `each` names out of the labels.
fn take_each(
    scorecard: &Scorecard,
    labels: &mut Vec<(Box<str>, Box<str>)>,
) -> Result<Option<(Arc<str>, InstanceId)>, Refusal> {
    let Some(each) = &scorecard.each else {
        return Ok(None);
    };
    let Some(place) = labels.iter().position(|(name, _)| **name == **each) else {
        return Err(missing_label(each, "its value names the instance of the scorecard"));
    };
    let (_, value) = labels.swap_remove(place);
    let instance = InstanceId::parse(&value).map_err(|error| {
        (
            RejectionReason::Malformed,
            format!("label `{each}` = `{value}` cannot name an instance: {error}"),
        )
    })?;
    Ok(Some((each.as_str().into(), instance)))
}

/// The value in the shape that the KPI takes.
fn measured_value(report: &Report, definition: &KpiDefinition) -> Result<MeasuredValue, Refusal> {
    let has_ratio = report.numerator.is_some() || report.denominator.is_some();
    let forms = [report.value.is_some(), has_ratio, report.not_applicable];
    if forms.iter().filter(|given| **given).count() != 1 {
        return Err(wrong_shape(
            "exactly one of `value`, `numerator` with `denominator`, `not_applicable: true` is needed",
        ));
    }
    if report.not_applicable {
        return Ok(MeasuredValue::NotApplicable);
    }
    let takes_ratio = matches!(definition.aggregate, Aggregate::Ratio { .. });
    match (&report.value, report.numerator, report.denominator) {
        (None, Some(numerator), Some(denominator)) if takes_ratio => {
            finite("numerator", numerator)?;
            finite("denominator", denominator)?;
            Ok(MeasuredValue::Ratio { numerator, denominator })
        }
        (None, Some(_), Some(_)) => Err(wrong_shape(&format!(
            "`{}` takes a `value`, it is no ratio",
            definition.id
        ))),
        (None, ..) => Err(wrong_shape("`numerator` and `denominator` are needed together")),
        (Some(_), ..) if takes_ratio => Err(wrong_shape(&format!(
            "`{}` is a ratio: send `numerator` and `denominator`",
            definition.id
        ))),
        (Some(ReportValue::Word(word)), ..) => {
            let (word, weight) = (word_of(word, definition)?, weight_of(report)?);
            Ok(match weight {
                Some(weight) => MeasuredValue::WeightedWord { word, weight },
                None => MeasuredValue::Word(word),
            })
        }
        (Some(ReportValue::Number(value)), ..) => {
            let (value, weight) = (number_of(*value, definition)?, weight_of(report)?);
            Ok(match weight {
                Some(weight) => MeasuredValue::Weighted { value, weight },
                None => MeasuredValue::Number(value),
            })
        }
    }
}

fn wrong_shape(detail: &str) -> Refusal {
    (RejectionReason::WrongShape, detail.to_owned())
}

fn finite(name: &str, number: f64) -> Result<(), Refusal> {
    if number.is_finite() {
        return Ok(());
    }
    Err((
        RejectionReason::NotFinite,
        format!("`{name}` is {number}: only finite numbers can be taken"),
    ))
}

/// The weight, where it is another than 1. It is kept whatever the aggregate: other definitions may want it later.
fn weight_of(report: &Report) -> Result<Option<f64>, Refusal> {
    let Some(weight) = report.weight else { return Ok(None) };
    finite("weight", weight)?;
    if weight < 0.0 {
        return Err(wrong_shape(&format!("`weight` is {weight}: it must be 0 or more")));
    }
    Ok(Some(weight).filter(|weight| *weight != 1.0))
}

fn number_of(value: f64, definition: &KpiDefinition) -> Result<f64, Refusal> {
    if let Some(scale) = &definition.scale {
        let detail = format!(
            "`{}` takes a word, one of {}: found {value}",
            definition.id,
            words(scale)
        );
        return Err(wrong_shape(&detail));
    }
    finite("value", value)?;
    Ok(value)
}

fn word_of(word: &str, definition: &KpiDefinition) -> Result<Arc<str>, Refusal> {
    let Some(scale) = &definition.scale else {
        return Err(wrong_shape(&format!(
            "`{}` takes a number: found the word `{word}`",
            definition.id
        )));
    };
    match scale.iter().find(|(known, _)| **known == *word) {
        Some((known, _)) => Ok(Arc::clone(known)),
        None => Err(wrong_shape(&format!(
            "`{word}` is not a word of `{}`: use one of {}",
            definition.id,
            words(scale)
        ))),
    }
}

fn words(scale: &[(Arc<str>, f64)]) -> String {
    scale
        .iter()
        .map(|(word, _)| format!("`{word}`"))
        .collect::<Vec<_>>()
        .join(", ")
}

fn check_plausible(value: &MeasuredValue, definition: &KpiDefinition) -> Result<(), Refusal> {
    let Some((low, high)) = definition.accept else {
        return Ok(());
    };
    let number = match (value, &definition.aggregate) {
        (MeasuredValue::Number(value) | MeasuredValue::Weighted { value, .. }, _) => *value,
        (MeasuredValue::Ratio { numerator, denominator }, Aggregate::Ratio { scale_by }) if *denominator != 0.0 => {
            scale_by * numerator / denominator
        }
        _ => return Ok(()),
    };
    if (low..=high).contains(&number) {
        return Ok(());
    }
    let detail = format!(
        "{number} is outside {low} to {high}, which `{}` accepts: check the value and its unit",
        definition.id
    );
    Err((RejectionReason::Implausible, detail))
}

#[cfg(test)]
mod tests;
