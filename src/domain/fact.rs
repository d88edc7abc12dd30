//! Facts, as the journal keeps them: what happened, in the past tense, in one order for ever.
//!
//! A [`Block`] is one group commit. Measurements, the many, stand in columns; the other facts, the few, stand beside
//! them with the place where they belong. A sequence is a position in *this* journal: the facts of a block have the
//! sequences `first ..= last()` in the order of [`Block::entries`].

use std::sync::Arc;

use super::catalog::CatalogFile;
use super::column::Column;
use super::id::Sequence;
use super::instant::Instant;
use super::measurement::{Extra, MeasuredValue, SeriesKey};

/// The number of a series in this journal: from 0, without gaps, in order of first use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SeriesNumber(pub u32);

/// How far a source was read when a block was written, kept so that a redelivery is recognised.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePosition {
    /// The source and its identity: for JetStream the stream's name and the instant of its creation.
    pub source: Arc<str>,
    /// The last position of that source that is in the journal.
    pub sequence: u64,
}

/// One group commit: durable as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Block {
    /// Sequence of its first fact.
    pub first: Sequence,
    /// When it was made durable; never smaller than that of the block before.
    pub recorded_at: Instant,
    /// Sources that moved with this block.
    pub positions: Vec<SourcePosition>,
    /// Number of the first of `new_series`.
    pub series_base: u32,
    /// Series that are first used in this block.
    pub new_series: Vec<SeriesKey>,
    /// The many.
    pub measurements: Measurements,
    /// The few: each stands before the measurement of that index (or after the last), in order.
    pub others: Vec<(u32, Fact)>,
}

impl Block {
    /// Facts in it.
    pub fn len(&self) -> u64 {
        self.measurements.len() as u64 + self.others.len() as u64
    }

    /// True when it holds no fact (it may still hold source positions).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sequence of its last fact; `first - 1` when it is empty.
    pub fn last(&self) -> Sequence {
        Sequence(self.first.0 + self.len() - 1)
    }

    /// Whether the next block's measurements can be appended to those of this one, with nothing lost but when each block was
    /// recorded.
    pub fn can_take(&self, next: &Self) -> bool {
        let is_next = next.first.0 == self.first.0 + self.len();
        let next_series = self.series_base as usize + self.new_series.len();
        is_next && next_series == next.series_base as usize && self.others.is_empty() && next.others.is_empty()
    }

    /// Appends the next block, which [`Block::can_take`]: one that was recorded when that one was.
    pub fn take(&mut self, next: Self) {
        self.recorded_at = next.recorded_at;
        self.positions.extend(next.positions);
        self.new_series.extend(next.new_series);
        self.measurements.extend(next.measurements);
    }

    /// The facts in journal order, with their sequences.
    pub fn entries(&self) -> impl Iterator<Item = (Sequence, Entry<'_>)> {
        let mut row = 0_usize;
        let mut others = self.others.iter().peekable();
        (self.first.0..).map_while(move |sequence| {
            if let Some((_, fact)) = others.next_if(|(before, _)| *before as usize <= row) {
                return Some((Sequence(sequence), Entry::Other(fact)));
            }
            let entry = self.measurements.row(row)?;
            row += 1;
            Some((Sequence(sequence), Entry::Measurement(entry)))
        })
    }
}

/// One fact of a block.
#[derive(Debug, Clone)]
pub enum Entry<'a> {
    /// `MeasurementRecorded`
    Measurement(Row<'a>),
    /// Any other.
    Other(&'a Fact),
}

/// What `shape` says of a measurement's numbers.
pub mod shape {
    /// `value`, of weight 1.
    pub const NUMBER: u8 = 0;
    /// `value` and its weight in `second`.
    pub const WEIGHTED: u8 = 1;
    /// Numerator in `value`, denominator in `second`.
    pub const RATIO: u8 = 2;
    /// A word, in `words`.
    pub const WORD: u8 = 3;
    /// Not applicable.
    pub const NOT_APPLICABLE: u8 = 4;
    /// A word, in `words`, and its weight in `second`.
    pub const WEIGHTED_WORD: u8 = 5;
}

/// Measurements in columns; all dense columns have the same length. `value` and `second` are 0 where the shape has none.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurements {
    /// Series numbers.
    pub series: Vec<u32>,
    /// Epoch ms.
    pub observed_at: Vec<i64>,
    /// Epoch ms.
    pub received_at: Column<i64>,
    /// See [`shape`].
    pub shape: Column<u8>,
    /// First number.
    pub value: Vec<f64>,
    /// Second number.
    pub second: Column<f64>,
    /// Words of qualitative values, by row, ascending.
    pub words: Vec<(u32, Arc<str>)>,
    /// Keys, labels and words of people, by row, ascending; only where there are any.
    pub extras: Vec<(u32, Extra)>,
}

impl Measurements {
    /// Rows.
    pub fn len(&self) -> usize {
        self.series.len()
    }

    /// True without rows.
    pub fn is_empty(&self) -> bool {
        self.series.is_empty()
    }

    /// Appends a row.
    pub fn push(&mut self, series: SeriesNumber, instants: (Instant, Instant), value: &MeasuredValue, extra: Extra) {
        let row = self.series.len() as u32;
        let (shape, first, second) = columns_of(value);
        self.series.push(series.0);
        self.observed_at.push(instants.0.0);
        self.received_at.push(instants.1.0);
        self.shape.push(shape);
        self.value.push(first);
        self.second.push(second);
        if let MeasuredValue::Word(word) | MeasuredValue::WeightedWord { word, .. } = value {
            self.words.push((row, Arc::clone(word)));
        }
        if !extra.is_empty() {
            self.extras.push((row, extra));
        }
    }

    /// Appends rows that are plain numbers, taken in at the same instant; the slices have one length.
    pub fn extend_numbers(&mut self, series: &[u32], observed_at: &[i64], received_at: Instant, value: &[f64]) {
        self.series.extend_from_slice(series);
        self.observed_at.extend_from_slice(observed_at);
        self.value.extend_from_slice(value);
        self.received_at.push_same(received_at.0, series.len());
        self.shape.push_same(shape::NUMBER, series.len());
        self.second.push_same(0.0, series.len());
    }

    /// No rows, and room for some in the same memory.
    #[must_use]
    pub fn emptied(mut self, room: usize) -> Self {
        self.truncate(0);
        self.series.reserve(room);
        self.observed_at.reserve(room);
        self.value.reserve(room);
        self
    }

    /// Appends rows.
    pub fn extend(&mut self, other: Self) {
        let rows = self.series.len() as u32;
        self.series.extend(other.series);
        self.observed_at.extend(other.observed_at);
        self.received_at.extend(&other.received_at);
        self.shape.extend(&other.shape);
        self.value.extend(other.value);
        self.second.extend(&other.second);
        self.words
            .extend(other.words.into_iter().map(|(row, word)| (rows + row, word)));
        self.extras
            .extend(other.extras.into_iter().map(|(row, extra)| (rows + row, extra)));
    }

    /// Keeps the first `len` rows.
    pub fn truncate(&mut self, len: usize) {
        self.series.truncate(len);
        self.observed_at.truncate(len);
        self.received_at.truncate(len);
        self.shape.truncate(len);
        self.value.truncate(len);
        self.second.truncate(len);
        self.words.retain(|(row, _)| (*row as usize) < len);
        self.extras.retain(|(row, _)| (*row as usize) < len);
    }

    /// One row, or `None` behind the last.
    pub fn row(&self, index: usize) -> Option<Row<'_>> {
        let shape = self.shape.get(index)?;
        let key = index as u32;
        let word = match shape {
            shape::WORD | shape::WEIGHTED_WORD => self
                .words
                .binary_search_by_key(&key, |(row, _)| *row)
                .ok()
                .and_then(|at| self.words.get(at)),
            _ => None,
        };
        let extra = if self.extras.is_empty() {
            None
        } else {
            self.extras
                .binary_search_by_key(&key, |(row, _)| *row)
                .ok()
                .and_then(|at| self.extras.get(at))
        };
        Some(Row {
            series: SeriesNumber(*self.series.get(index)?),
            observed_at: Instant(*self.observed_at.get(index)?),
            received_at: Instant(self.received_at.get(index)?),
            shape,
            value: *self.value.get(index)?,
            second: self.second.get(index)?,
            word: word.map(|(_, word)| word),
            extra: extra.map(|(_, extra)| extra),
        })
    }
}

/// (shape, first number, second number) of a value.
fn columns_of(value: &MeasuredValue) -> (u8, f64, f64) {
    match *value {
        MeasuredValue::WeightedWord { weight, .. } => (shape::WEIGHTED_WORD, 0.0, weight),
        MeasuredValue::Number(value) => (shape::NUMBER, value, 0.0),
        MeasuredValue::Weighted { value, weight } => (shape::WEIGHTED, value, weight),
        MeasuredValue::Ratio { numerator, denominator } => (shape::RATIO, numerator, denominator),
        MeasuredValue::Word(_) => (shape::WORD, 0.0, 0.0),
        MeasuredValue::NotApplicable => (shape::NOT_APPLICABLE, 0.0, 0.0),
    }
}

/// A measurement seen through its block.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Which series.
    pub series: SeriesNumber,
    /// When it was true.
    pub observed_at: Instant,
    /// When kpid took it in.
    pub received_at: Instant,
    /// See [`shape`].
    pub shape: u8,
    /// First number.
    pub value: f64,
    /// Second number.
    pub second: f64,
    /// The word, for qualitative values.
    pub word: Option<&'a Arc<str>>,
    /// Key, labels and words of people.
    pub extra: Option<&'a Extra>,
}

impl Row<'_> {
    /// The value with its shape.
    pub fn measured_value(&self) -> MeasuredValue {
        match (self.shape, self.word) {
            (shape::WEIGHTED, _) => MeasuredValue::Weighted {
                value: self.value,
                weight: self.second,
            },
            (shape::RATIO, _) => MeasuredValue::Ratio {
                numerator: self.value,
                denominator: self.second,
            },
            (shape::WEIGHTED_WORD, Some(word)) => MeasuredValue::WeightedWord {
                word: Arc::clone(word),
                weight: self.second,
            },
            (shape::WORD, Some(word)) => MeasuredValue::Word(Arc::clone(word)),
            (shape::NOT_APPLICABLE, _) => MeasuredValue::NotApplicable,
            _ => MeasuredValue::Number(self.value),
        }
    }
}

/// A fact that is not a plain measurement.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// The value (and perhaps the instant) of an earlier measurement is replaced.
    MeasurementCorrected(Correction),
    /// An earlier measurement never was.
    MeasurementRetracted(Retraction),
    /// From here on these definitions hold.
    CatalogActivated {
        /// See [`super::catalog::Catalog::fingerprint`].
        fingerprint: String,
        /// The whole texts.
        files: Vec<CatalogFile>,
    },
    /// A person said something about a node.
    NoteAdded {
        /// Node path.
        path: String,
        /// The instant it is about.
        about: Instant,
        /// The words.
        text: String,
        /// The name.
        by: String,
    },
    /// A person took care of a firing alert.
    AlertAcknowledged {
        /// The alert: rule and node path.
        rule: String,
        /// Node path.
        path: String,
        /// The name.
        by: String,
        /// Why.
        reason: String,
        /// Until when; `None` until it resolves.
        until: Option<Instant>,
    },
    /// A person asked for quiet.
    SilenceSet {
        /// Key of the silence.
        id: String,
        /// Node path pattern.
        on: String,
        /// Rule id, all when absent.
        rule: Option<String>,
        /// The name.
        by: String,
        /// Why.
        reason: String,
        /// From.
        from: Instant,
        /// Until.
        until: Instant,
    },
    /// Blocks up to here were dropped by retention.
    HistoryTrimmed {
        /// Last sequence dropped.
        up_to: Sequence,
        /// Hash of the last block dropped, so that the chain stays provable.
        hash: [u8; 32],
        /// Hash of the file that stands for what was dropped: names, definitions, positions and the state at its end.
        base: Option<[u8; 32]>,
    },
}

/// Where an earlier measurement stands now: enough to find it in the projection without an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MeasurementPlace {
    /// Its sequence, which it keeps through corrections.
    pub sequence: Sequence,
    /// Its series.
    pub series: SeriesNumber,
    /// Its instant as of the last correction.
    pub observed_at: Instant,
}

/// `MeasurementCorrected`
#[derive(Debug, Clone, PartialEq)]
pub struct Correction {
    /// What is corrected.
    pub target: MeasurementPlace,
    /// The `id` by which the source named it.
    pub corrects: Box<str>,
    /// The instant from now on.
    pub observed_at: Instant,
    /// When kpid took the correction in.
    pub received_at: Instant,
    /// The value from now on.
    pub value: MeasuredValue,
    /// The correction's own key, labels and words.
    pub extra: Extra,
}

/// `MeasurementRetracted`
#[derive(Debug, Clone, PartialEq)]
pub struct Retraction {
    /// What is retracted.
    pub target: MeasurementPlace,
    /// The `id` by which the source named it.
    pub retracts: Box<str>,
    /// When kpid took the retraction in.
    pub received_at: Instant,
    /// The retraction's own key and words.
    pub extra: Extra,
}

impl Correction {
    /// The measurement as it is from now on, in the form of a row.
    pub fn row(&self) -> Row<'_> {
        let (shape, value, second) = columns_of(&self.value);
        let word = match &self.value {
            MeasuredValue::Word(word) | MeasuredValue::WeightedWord { word, .. } => Some(word),
            _ => None,
        };
        Row {
            series: self.target.series,
            observed_at: self.observed_at,
            received_at: self.received_at,
            shape,
            value,
            second,
            word,
            extra: Some(&self.extra),
        }
    }
}
