//! Facts as records: one flat object a fact, as `kpid journal export` writes them (NDJSON and Parquet) and `import` reads
//! them.
//!
//! Blocks enter and records leave by [`Recorder`]; records enter and the same blocks leave by [`Assembler`]. Every field of
//! every kind of fact is there, so that the way back loses nothing: sequences, series, blocks and all three instants.
//!
//! | field | of | content |
//! |---|---|---|
//! | `sequence` | all facts | position in the journal |
//! | `fact` | all | kind: `measurement_recorded`, `measurement_corrected`, `measurement_retracted`, `catalog_activated`, `note_added`, `alert_acknowledged`, `silence_set`, `history_trimmed`; `block` is no fact, see below |
//! | `recorded_at` | all | when its block was made durable |
//! | `block` | all | sequence with which its block begins |
//! | `observed_at`, `received_at` | measurements | when it was true, when it was taken in |
//! | `kpi`, `source`, `label`, `instance`, `series` | measurements | the series and its number in the journal |
//! | `id`, `labels`, `note`, `by` | measurements | as the sender gave them |
//! | `value`, `weight`, `word`, `numerator`, `denominator`, `not_applicable` | measurements | what it says |
//! | `corrects`, `retracts` | corrections, retractions | the `id` by which the source named the earlier one |
//! | `target_sequence`, `target_observed_at` | corrections, retractions | the earlier one's sequence, and its instant until then |
//! | `details` | other facts | an object of the fact's own fields |
//!
//! A record with `fact` `block` stands before the facts of a block that says more than they do: how many `facts` it has,
//! the `positions` of the sources, and `series` where they are not those of its measurements in order of appearance.

mod assemble;
mod details;
mod recorder;
mod values;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use assemble::{Assembler, RecordProblem};
pub use recorder::Recorder;

/// Words of `fact`.
pub mod kind {
    /// What a block says beside its facts.
    pub const BLOCK: &str = "block";
    /// A plain measurement.
    pub const MEASUREMENT: &str = "measurement_recorded";
    /// The value of an earlier one is replaced.
    pub const CORRECTION: &str = "measurement_corrected";
    /// An earlier one never was.
    pub const RETRACTION: &str = "measurement_retracted";
    /// Definitions hold.
    pub const CATALOG: &str = "catalog_activated";
    /// A person said something.
    pub const NOTE: &str = "note_added";
    /// A person took care of an alert.
    pub const ACKNOWLEDGEMENT: &str = "alert_acknowledged";
    /// A person asked for quiet.
    pub const SILENCE: &str = "silence_set";
    /// Retention dropped the beginning.
    pub const TRIM: &str = "history_trimmed";
}

/// Names and values, in their order.
pub type Labels<'a> = Vec<(Cow<'a, str>, Cow<'a, str>)>;

/// One fact with all its fields; see the module. Instants are texts (RFC 3339, UTC) on lines and milliseconds in columns.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<'a> {
    /// Position in the journal; absent for `block`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sequence: Option<u64>,
    /// Kind, a word of [`kind`].
    pub fact: Cow<'a, str>,
    /// When its block was made durable.
    #[serde(with = "values::instant")]
    pub recorded_at: i64,
    /// Sequence with which its block begins.
    pub block: u64,
    /// When it was true.
    #[serde(default, with = "values::optional_instant", skip_serializing_if = "Option::is_none")]
    pub observed_at: Option<i64>,
    /// When kpid took it in.
    #[serde(default, with = "values::optional_instant", skip_serializing_if = "Option::is_none")]
    pub received_at: Option<i64>,
    /// The KPI.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kpi: Option<Cow<'a, str>>,
    /// Who reports.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<Cow<'a, str>>,
    /// The label that tells instances apart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub label: Option<Cow<'a, str>>,
    /// Its value.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<Cow<'a, str>>,
    /// Number of the series.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub series: Option<u32>,
    /// The source's key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Cow<'a, str>>,
    /// The number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<f64>,
    /// Its weight, where it has one of its own.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<f64>,
    /// The word of a scale.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub word: Option<Cow<'a, str>>,
    /// Above the line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub numerator: Option<f64>,
    /// Below it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub denominator: Option<f64>,
    /// True where there was nothing to measure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_applicable: Option<bool>,
    /// Further labels, by name; an object of texts.
    #[serde(default, with = "values::labels", skip_serializing_if = "Vec::is_empty")]
    pub labels: Labels<'a>,
    /// A person's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<Cow<'a, str>>,
    /// A person's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<Cow<'a, str>>,
    /// The id that a correction names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrects: Option<Cow<'a, str>>,
    /// The id that a retraction names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub retracts: Option<Cow<'a, str>>,
    /// Sequence of the earlier measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_sequence: Option<u64>,
    /// Its instant until then.
    #[serde(default, with = "values::optional_instant", skip_serializing_if = "Option::is_none")]
    pub target_observed_at: Option<i64>,
    /// An object: the fields of the other facts.
    #[serde(default, with = "values::details", skip_serializing_if = "Option::is_none")]
    pub details: Option<Cow<'a, str>>,
}

/// A record as one line of NDJSON, without its end.
pub fn line(record: &Record<'_>) -> Result<String, serde_json::Error> {
    serde_json::to_string(record)
}

/// A record from one line of NDJSON.
pub fn from_line(line: &str) -> Result<Record<'static>, serde_json::Error> {
    serde_json::from_str(line)
}

/// The object of `details`, as it stands.
fn raw(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    RawValue::from_string(text.to_owned())
}

/// The labels of a record as one JSON object, where there are any.
pub fn labels_text(record: &Record<'_>) -> Result<Option<String>, serde_json::Error> {
    if record.labels.is_empty() {
        return Ok(None);
    }
    let mut out = Vec::new();
    values::labels::serialize(&record.labels, &mut serde_json::Serializer::new(&mut out))?;
    Ok(Some(String::from_utf8_lossy(&out).into_owned()))
}

/// Labels from one JSON object.
pub fn labels_of(text: &str) -> Result<Labels<'static>, serde_json::Error> {
    values::labels::deserialize(&mut serde_json::Deserializer::from_str(text))
}
