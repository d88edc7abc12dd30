//! A measurement: what a source says of a KPI, and whether it can be taken.
//!
//! A decoded [`Report`] enters [`admit`](super::admit), a [`Submission`] or a [`Rejection`] leaves. What can be judged from the
//! report, the catalog and the limits is judged here; what needs memory (duplicates, corrections, the number of
//! series) is judged by the one task that appends.

use std::sync::Arc;

use super::id::InstanceId;
use super::instant::Instant;
use super::series_names::SeriesView;

/// What a source sent, decoded but not yet judged. Unknown fields are gone.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// The KPI's id; on NATS the rest of the subject stands in.
    pub kpi: Option<Box<str>>,
    /// A number or a word.
    pub value: Option<ReportValue>,
    /// For ratios.
    pub numerator: Option<f64>,
    /// For ratios.
    pub denominator: Option<f64>,
    /// There is nothing to measure now.
    pub not_applicable: bool,
    /// For weighted means.
    pub weight: Option<f64>,
    /// When it was true; `received_at` when absent.
    pub observed_at: Option<Instant>,
    /// The source's key.
    pub id: Option<Box<str>>,
    /// Label names and values, as sent.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// Who says so; the transport's name when absent.
    pub source: Option<Box<str>>,
    /// A person's words.
    pub note: Option<Box<str>>,
    /// A person's name.
    pub by: Option<Box<str>>,
    /// The id of the measurement that this one replaces.
    pub corrects: Option<Box<str>>,
    /// The id of the measurement that never was.
    pub retracts: Option<Box<str>>,
}

/// `value` as sent.
#[derive(Debug, Clone, PartialEq)]
pub enum ReportValue {
    /// A number; finite or not is judged by [`admit`](super::admit).
    Number(f64),
    /// A word of a `scale`.
    Word(Box<str>),
}

/// A value that was taken.
#[derive(Debug, Clone, PartialEq)]
pub enum MeasuredValue {
    /// A finite number of weight 1.
    Number(f64),
    /// A finite number with its own weight >= 0.
    Weighted {
        /// The value.
        value: f64,
        /// Its weight.
        weight: f64,
    },
    /// A word of the KPI's scale with its own weight >= 0.
    WeightedWord {
        /// The word.
        word: Arc<str>,
        /// Its weight.
        weight: f64,
    },
    /// Two finite numbers.
    Ratio {
        /// Above the line.
        numerator: f64,
        /// Below it; may be 0.
        denominator: f64,
    },
    /// A word of the KPI's scale; kept as a word, so that another catalog may score it otherwise.
    Word(Arc<str>),
    /// Nothing to measure.
    NotApplicable,
}

/// A series as the journal numbers it: KPI, source and instance.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SeriesKey {
    /// The KPI.
    pub kpi: super::id::KpiId,
    /// Who reports.
    pub source: Arc<str>,
    /// The label that the scorecard's `each` names, and its value.
    pub each: Option<(Arc<str>, InstanceId)>,
}

impl SeriesKey {
    /// To look at and to compare with.
    pub fn view(&self) -> SeriesView<'_> {
        SeriesView {
            kpi: &self.kpi,
            source: &self.source,
            each: self.each.as_ref(),
        }
    }

    /// The same, with the texts of another key where they are equal: a million series have few sources and labels, and
    /// the series of an instance mostly come one after the other.
    #[must_use]
    pub fn sharing_with(mut self, other: Option<&Self>) -> Self {
        let Some(other) = other else { return self };
        if self.source == other.source {
            self.source = Arc::clone(&other.source);
        }
        if let (Some((label, name)), Some((other_label, other_name))) = (&mut self.each, &other.each) {
            if label == other_label {
                *label = Arc::clone(other_label);
            }
            if name == other_name {
                *name = other_name.clone();
            }
        }
        self
    }
}

/// A measurement that was admitted.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// Which series it belongs to.
    pub series: SeriesKey,
    /// When it was true.
    pub observed_at: Instant,
    /// The sender gave `observed_at`; otherwise it is `received_at`, which differs when the same is sent again.
    pub is_dated: bool,
    /// When kpid took it in.
    pub received_at: Instant,
    /// What it says.
    pub value: MeasuredValue,
    /// What few measurements have.
    pub extra: Extra,
}

/// What few measurements have: key, further labels, words. Kept apart, so that the many pay nothing for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Extra {
    /// The source's key.
    pub id: Option<Box<str>>,
    /// Labels other than the one in the series, sorted by name.
    pub labels: Vec<(Box<str>, Box<str>)>,
    /// A person's words.
    pub note: Option<Box<str>>,
    /// A person's name.
    pub by: Option<Box<str>>,
}

impl Extra {
    /// True when there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.id.is_none() && self.labels.is_empty() && self.note.is_none() && self.by.is_none()
    }
}

/// What an admitted report asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Submission {
    /// Take this in.
    Measure(Measurement),
    /// Replace the value of an earlier one of the same source.
    Correct {
        /// The `id` of the earlier one.
        corrects: Box<str>,
        /// What it should have been; it keeps the earlier one's `observed_at` unless it is dated.
        replacement: Measurement,
    },
    /// An earlier one of the same source never was.
    Retract {
        /// The `id` of the earlier one.
        retracts: Box<str>,
        /// The KPI named beside it, if any; it must be the earlier one's.
        kpi: Option<super::id::KpiId>,
        /// Who says so.
        source: Arc<str>,
        /// When kpid took it in.
        received_at: Instant,
        /// Key, words and name of the retraction itself.
        extra: Extra,
    },
}

/// Input that was not taken, and why. Refused input is a value, not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rejection {
    /// Place in the batch, from 0.
    pub index: usize,
    /// The one word.
    pub reason: RejectionReason,
    /// The thing, the value found and the remedy.
    pub detail: String,
}

/// Why a measurement was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RejectionReason {
    /// Not JSON, or not an object with fields of these types.
    Malformed,
    /// No such KPI in the catalog.
    UnknownKpi,
    /// NaN or infinite.
    NotFinite,
    /// Not exactly one of value, numerator and denominator, `not_applicable`; or not the one the KPI takes.
    WrongShape,
    /// Outside the KPI's `accept` range.
    Implausible,
    /// Further ahead of `received_at` than `ingest.max_future`.
    InTheFuture,
    /// `observed_at` before 1970 or from 2200 on.
    OutOfRange,
    /// A field, message or body beyond its limit.
    TooLarge,
    /// More labels than allowed.
    TooManyLabels,
    /// The label that `each` names, or that `distinct` counts, is not there.
    MissingLabel,
    /// The same `(source, id)` with another content.
    ConflictingId,
    /// `corrects` or `retracts` names a measurement that was never seen, or is retracted.
    UnknownCorrection,
    /// The limit on the number of series is reached.
    TooManySeries,
}

impl RejectionReason {
    /// Every reason, for metrics and documentation.
    pub const ALL: [Self; 13] = [
        Self::Malformed,
        Self::UnknownKpi,
        Self::NotFinite,
        Self::WrongShape,
        Self::Implausible,
        Self::InTheFuture,
        Self::OutOfRange,
        Self::TooLarge,
        Self::TooManyLabels,
        Self::MissingLabel,
        Self::ConflictingId,
        Self::UnknownCorrection,
        Self::TooManySeries,
    ];

    /// The word that the sender sees.
    pub fn word(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::UnknownKpi => "unknown_kpi",
            Self::NotFinite => "not_finite",
            Self::WrongShape => "wrong_shape",
            Self::Implausible => "implausible",
            Self::InTheFuture => "in_the_future",
            Self::OutOfRange => "out_of_range",
            Self::TooLarge => "too_large",
            Self::TooManyLabels => "too_many_labels",
            Self::MissingLabel => "missing_label",
            Self::ConflictingId => "conflicting_id",
            Self::UnknownCorrection => "unknown_correction",
            Self::TooManySeries => "too_many_series",
        }
    }
}

/// Named limits on what one measurement may carry; the defaults are those of the contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AdmitLimits {
    /// How far `observed_at` may be ahead of `received_at`, ms; `None` where there is no arrival (files).
    pub future_ms_max: Option<i64>,
    /// Labels a measurement may have.
    pub label_count_max: usize,
    /// Bytes of a label's name.
    pub label_name_len_max: usize,
    /// Bytes of a label's value.
    pub label_value_len_max: usize,
    /// Bytes of a note.
    pub note_len_max: usize,
}

impl Default for AdmitLimits {
    fn default() -> Self {
        Self {
            future_ms_max: Some(5 * super::instant::MINUTE_MS),
            label_count_max: 16,
            label_name_len_max: 64,
            label_value_len_max: 256,
            note_len_max: 4096,
        }
    }
}
