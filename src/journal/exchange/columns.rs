//! Records in columns: the names and kinds of the columns of a Parquet file, and what of a record stands in each.
//!
//! Instants are `TIMESTAMP(MILLIS, UTC)`, sequences unsigned, numbers doubles, all else UTF-8 text: labels and details as
//! the JSON that lines have. Every column may be empty in a row.

use std::borrow::Cow;

use parquet::data_type::ByteArray;

use crate::wire::record::{Record, labels_of, labels_text};

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Sequence,
    Instant,
    Series,
    Number,
    Flag,
    Text,
}

/// All columns in order. The order and the names are part of the form.
pub(super) const COLUMNS: [(&str, Kind); 26] = [
    ("sequence", Kind::Sequence),
    ("fact", Kind::Text),
    ("recorded_at", Kind::Instant),
    ("block", Kind::Sequence),
    ("observed_at", Kind::Instant),
    ("received_at", Kind::Instant),
    ("kpi", Kind::Text),
    ("source", Kind::Text),
    ("label", Kind::Text),
    ("instance", Kind::Text),
    ("series", Kind::Series),
    ("id", Kind::Text),
    ("value", Kind::Number),
    ("weight", Kind::Number),
    ("word", Kind::Text),
    ("numerator", Kind::Number),
    ("denominator", Kind::Number),
    ("not_applicable", Kind::Flag),
    ("labels", Kind::Text),
    ("note", Kind::Text),
    ("by", Kind::Text),
    ("corrects", Kind::Text),
    ("retracts", Kind::Text),
    ("target_sequence", Kind::Sequence),
    ("target_observed_at", Kind::Instant),
    ("details", Kind::Text),
];

impl Kind {
    /// As the schema of a file says it.
    pub(super) fn declaration(self, name: &str) -> String {
        match self {
            Self::Sequence => format!("optional int64 {name} (INTEGER(64,false));"),
            Self::Instant => format!("optional int64 {name} (TIMESTAMP(MILLIS,true));"),
            Self::Series => format!("optional int32 {name} (INTEGER(32,false));"),
            Self::Number => format!("optional double {name};"),
            Self::Flag => format!("optional boolean {name};"),
            Self::Text => format!("optional binary {name} (STRING);"),
        }
    }
}

/// One column of some rows: which rows have a value (1 or 0), and those values.
#[derive(Debug)]
pub(super) struct Column {
    pub(super) levels: Vec<i16>,
    pub(super) values: Values,
}

/// Values without gaps.
#[derive(Debug)]
pub(super) enum Values {
    Longs(Vec<i64>),
    Ints(Vec<i32>),
    Doubles(Vec<f64>),
    Flags(Vec<bool>),
    Texts(Vec<ByteArray>),
}

impl Column {
    pub(super) fn new(kind: Kind) -> Self {
        let values = match kind {
            Kind::Sequence | Kind::Instant => Values::Longs(Vec::new()),
            Kind::Series => Values::Ints(Vec::new()),
            Kind::Number => Values::Doubles(Vec::new()),
            Kind::Flag => Values::Flags(Vec::new()),
            Kind::Text => Values::Texts(Vec::new()),
        };
        let levels = Vec::new();
        Self { levels, values }
    }

    /// Forgets all rows.
    pub(super) fn clear(&mut self) {
        self.levels.clear();
        match &mut self.values {
            Values::Longs(values) => values.clear(),
            Values::Ints(values) => values.clear(),
            Values::Doubles(values) => values.clear(),
            Values::Flags(values) => values.clear(),
            Values::Texts(values) => values.clear(),
        }
    }

    /// The next row; bytes of text in it.
    pub(super) fn push(&mut self, cell: Cell<'_>) -> usize {
        self.levels.push(i16::from(!matches!(cell, Cell::Empty)));
        match (&mut self.values, cell) {
            (Values::Longs(values), Cell::Long(value)) => values.push(value),
            (Values::Ints(values), Cell::Int(value)) => values.push(value),
            (Values::Doubles(values), Cell::Double(value)) => values.push(value),
            (Values::Flags(values), Cell::Flag(value)) => values.push(value),
            (Values::Texts(values), Cell::Text(text)) => {
                values.push(ByteArray::from(text.as_bytes().to_vec()));
                return text.len();
            }
            // A cell of another kind than its column is never made: both come from one table.
            _ => {}
        }
        0
    }
}

/// One value of a row.
#[derive(Debug)]
pub(super) enum Cell<'a> {
    Empty,
    Long(i64),
    Int(i32),
    Double(f64),
    Flag(bool),
    Text(Cow<'a, str>),
}

/// The cells of a record, in the order of [`COLUMNS`].
pub(super) fn cells<'a>(record: &'a Record<'a>) -> serde_json::Result<[Cell<'a>; COLUMNS.len()]> {
    let labels = labels_text(record)?;
    Ok([
        sequence(record.sequence),
        Cell::Text(Cow::Borrowed(&record.fact)),
        Cell::Long(record.recorded_at),
        sequence(Some(record.block)),
        instant(record.observed_at),
        instant(record.received_at),
        text(record.kpi.as_ref()),
        text(record.source.as_ref()),
        text(record.label.as_ref()),
        text(record.instance.as_ref()),
        record
            .series
            .map_or(Cell::Empty, |series| Cell::Int(series.cast_signed())),
        text(record.id.as_ref()),
        number(record.value),
        number(record.weight),
        text(record.word.as_ref()),
        number(record.numerator),
        number(record.denominator),
        record.not_applicable.map_or(Cell::Empty, Cell::Flag),
        labels.map_or(Cell::Empty, |labels| Cell::Text(labels.into())),
        text(record.note.as_ref()),
        text(record.by.as_ref()),
        text(record.corrects.as_ref()),
        text(record.retracts.as_ref()),
        sequence(record.target_sequence),
        instant(record.target_observed_at),
        text(record.details.as_ref()),
    ])
}

fn sequence(sequence: Option<u64>) -> Cell<'static> {
    sequence.map_or(Cell::Empty, |sequence| Cell::Long(sequence.cast_signed()))
}

fn instant(ms: Option<i64>) -> Cell<'static> {
    ms.map_or(Cell::Empty, Cell::Long)
}

fn number(number: Option<f64>) -> Cell<'static> {
    number.map_or(Cell::Empty, Cell::Double)
}

fn text<'a>(text: Option<&'a Cow<'a, str>>) -> Cell<'a> {
    text.map_or(Cell::Empty, |text| Cell::Text(Cow::Borrowed(text)))
}

/// The record of a row whose cells are given out one after the other.
pub(super) fn record(mut next: impl FnMut() -> Cell<'static>) -> Result<Record<'static>, String> {
    Ok(Record {
        sequence: next().unsigned(),
        fact: next().text().ok_or("`fact` is missing")?,
        recorded_at: next().long().ok_or("`recorded_at` is missing")?,
        block: next().unsigned().ok_or("`block` is missing")?,
        observed_at: next().long(),
        received_at: next().long(),
        kpi: next().text(),
        source: next().text(),
        label: next().text(),
        instance: next().text(),
        series: next().index(),
        id: next().text(),
        value: next().double(),
        weight: next().double(),
        word: next().text(),
        numerator: next().double(),
        denominator: next().double(),
        not_applicable: next().flag(),
        labels: match next().text() {
            Some(text) => labels_of(&text).map_err(|error| format!("`labels`: {error}"))?,
            None => Vec::new(),
        },
        note: next().text(),
        by: next().text(),
        corrects: next().text(),
        retracts: next().text(),
        target_sequence: next().unsigned(),
        target_observed_at: next().long(),
        details: next().text(),
    })
}

impl Cell<'static> {
    fn long(self) -> Option<i64> {
        match self {
            Self::Long(value) => Some(value),
            _ => None,
        }
    }

    fn unsigned(self) -> Option<u64> {
        self.long().map(i64::cast_unsigned)
    }

    fn index(self) -> Option<u32> {
        match self {
            Self::Int(value) => Some(value.cast_unsigned()),
            _ => None,
        }
    }

    fn double(self) -> Option<f64> {
        match self {
            Self::Double(value) => Some(value),
            _ => None,
        }
    }

    fn flag(self) -> Option<bool> {
        match self {
            Self::Flag(value) => Some(value),
            _ => None,
        }
    }

    fn text(self) -> Option<Cow<'static, str>> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }
}
