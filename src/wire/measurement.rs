//! A measurement as JSON: one object in, a [`Report`] or the reason against it out; and a [`Report`] written as one line.
//!
//! Fields go straight into the report while the text is read once; unknown fields are skipped, `null` counts as absent,
//! and the attributes that only a CloudEvent has are set aside for [`super::cloudevents`]. Whether a value is plausible,
//! known or in time is not judged here. Rejected: a derived form struct, because it costs a second copy of every field
//! and names neither the field nor the value found when a type is wrong.

use std::borrow::Cow;

use serde::de::{Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::id::ID_LEN_MAX;
use crate::domain::instant::Instant;
use crate::domain::measurement::{RejectionReason, Report, ReportValue};

mod elements;
mod field;
mod receipt;
mod scalar;

pub use elements::Elements;
use field::Field;
pub use receipt::{ReceiptBody, RejectionBody};
pub use scalar::Scalar;

/// Why a measurement was not decoded: the one word, and the thing, the value found and the remedy.
pub type Refusal = (RejectionReason, String);

/// `malformed` with its detail.
pub fn malformed(detail: String) -> Refusal {
    (RejectionReason::Malformed, detail)
}

/// One JSON object as read: the report so far, and what would make it a CloudEvent.
#[derive(Debug, Default)]
pub struct Form<'a> {
    /// What the known fields say.
    report: Report,
    /// `specversion`, `type`, `time`, `data`: unknown fields of a plain measurement.
    pub attributes: Attributes<'a>,
    /// The first field whose type or length is wrong.
    fault: Option<(Field, Refusal)>,
    /// One bit a field that was there.
    seen: u32,
}

/// What only a CloudEvent has.
#[derive(Debug, Default)]
pub struct Attributes<'a> {
    /// `specversion`
    pub specversion: Option<Scalar<'a>>,
    /// `type`
    pub event_type: Option<Scalar<'a>>,
    /// `time`
    pub time: Option<Scalar<'a>>,
    /// `data`, not yet read.
    pub data: Option<&'a RawValue>,
    /// `data_base64` was there.
    pub has_base64: bool,
}

impl<'a> Form<'a> {
    /// Reads one JSON object. Anything else, and broken JSON, is `malformed`; a number beyond the range of a double is `not_finite`.
    pub fn parse(text: &'a str) -> Result<Self, Refusal> {
        serde_json::from_str(text).map_err(|error| refusal_of(&error))
    }

    /// The plain measurement.
    pub fn into_report(self) -> Result<Report, Refusal> {
        match self.fault {
            None => Ok(self.report),
            Some((_, refusal)) => Err(refusal),
        }
    }

    /// The attributes `id` and `source` of a CloudEvent; other top-level fields are its extensions and none of ours.
    pub fn into_id_and_source(self) -> Result<(Option<Box<str>>, Option<Box<str>>), Refusal> {
        match self.fault {
            Some((Field::Id | Field::Source, refusal)) => Err(refusal),
            _ => Ok((self.report.id, self.report.source)),
        }
    }

    /// Reads the value of one field.
    fn read<M: MapAccess<'a>>(&mut self, field: Field, map: &mut M) -> Result<(), M::Error> {
        if field == Field::Unknown {
            return map.next_value::<IgnoredAny>().map(|_| ());
        }
        if self.seen & field.bit() != 0 {
            return Err(M::Error::custom(format_args!("{DUPLICATE}{}", field.name())));
        }
        self.seen |= field.bit();
        let kept = match field {
            Field::Data => {
                self.attributes.data = Some(map.next_value()?);
                Ok(())
            }
            Field::Labels => labels_of(map.next_value()?).map(|labels| self.report.labels = labels),
            _ => {
                let scalar = map.next_value()?;
                self.keep(field, scalar)
            }
        };
        if let Err(refusal) = kept
            && self.fault.is_none()
        {
            self.fault = Some((field, refusal));
        }
        Ok(())
    }

    /// Puts one field where it belongs.
    fn keep(&mut self, field: Field, found: Scalar<'a>) -> Result<(), Refusal> {
        let report = &mut self.report;
        match field {
            Field::Kpi => report.kpi = text_of(field, found)?,
            Field::Value => report.value = value_of(found)?,
            Field::Numerator => report.numerator = number_of(field, found)?,
            Field::Denominator => report.denominator = number_of(field, found)?,
            Field::Weight => report.weight = number_of(field, found)?,
            Field::NotApplicable => report.not_applicable = flag_of(found)?,
            Field::ObservedAt => report.observed_at = instant_of(field.name(), found)?,
            Field::Id => report.id = key_of(field, found)?,
            Field::Source => report.source = key_of(field, found)?,
            Field::Corrects => report.corrects = key_of(field, found)?,
            Field::Retracts => report.retracts = key_of(field, found)?,
            Field::Note => report.note = text_of(field, found)?,
            Field::By => report.by = text_of(field, found)?,
            Field::Specversion => self.attributes.specversion = Some(found),
            Field::Type => self.attributes.event_type = Some(found),
            Field::Time => self.attributes.time = Some(found),
            Field::DataBase64 => self.attributes.has_base64 = true,
            Field::Labels | Field::Data | Field::Unknown => {}
        }
        Ok(())
    }
}

/// Starts the message of the one error that is ours and not the JSON reader's.
const DUPLICATE: &str = "duplicate field ";

impl<'de> Deserialize<'de> for Form<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(FormVisitor)
    }
}

struct FormVisitor;

impl<'de> Visitor<'de> for FormVisitor {
    type Value = Form<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Form<'de>, M::Error> {
        let mut form = Form::default();
        while let Some(field) = map.next_key::<Field>()? {
            form.read(field, &mut map)?;
        }
        Ok(form)
    }
}

/// Reads a bare JSON number.
pub fn number(text: &str) -> Result<f64, Refusal> {
    serde_json::from_str(text).map_err(|error| refusal_of(&error))
}

/// What the JSON reader said, as a refusal.
fn refusal_of(error: &serde_json::Error) -> Refusal {
    let place = format!(" at line {} column {}", error.line(), error.column());
    let said = error.to_string();
    let said = said.strip_suffix(&place).unwrap_or(&said);
    if said == "number out of range" {
        let detail = format!("a number{place} is beyond the range of a double: send a finite number");
        return (RejectionReason::NotFinite, detail);
    }
    if let Some(name) = said.strip_prefix(DUPLICATE) {
        return malformed(format!("the field `{name}` is there twice: leave one out"));
    }
    let remedy = match error.classify() {
        serde_json::error::Category::Data => "send one JSON object a measurement",
        _ => "send JSON (RFC 8259) in UTF-8",
    };
    malformed(format!("{said}{place}: {remedy}"))
}

fn wrong(field: &str, found: &Scalar<'_>, remedy: &str) -> Refusal {
    malformed(format!("`{field}` is {found}: {remedy}"))
}

fn value_of(found: Scalar<'_>) -> Result<Option<ReportValue>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Integer(number) => Ok(Some(ReportValue::Number(number as f64))),
        Scalar::Number(number) => Ok(Some(ReportValue::Number(number))),
        Scalar::Text(word) => Ok(Some(ReportValue::Word(word.into()))),
        other => Err(wrong("value", &other, "write a number, or a word of the KPI's scale")),
    }
}

fn number_of(field: Field, found: Scalar<'_>) -> Result<Option<f64>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Integer(number) => Ok(Some(number as f64)),
        Scalar::Number(number) => Ok(Some(number)),
        other => Err(wrong(field.name(), &other, "write a JSON number")),
    }
}

fn flag_of(found: Scalar<'_>) -> Result<bool, Refusal> {
    match found {
        Scalar::Null => Ok(false),
        Scalar::Flag(flag) => Ok(flag),
        other => Err(wrong("not_applicable", &other, "write `true`, or leave it out")),
    }
}

fn text_of(field: Field, found: Scalar<'_>) -> Result<Option<Box<str>>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text.into())),
        other => Err(wrong(field.name(), &other, "write a JSON string")),
    }
}

/// A text that names something: not empty and of bounded length.
fn key_of(field: Field, found: Scalar<'_>) -> Result<Option<Box<str>>, Refusal> {
    let key = text_of(field, found)?;
    if let Some(key) = &key {
        check_key(field.name(), key)?;
    }
    Ok(key)
}

/// Checks the length of an `id`, `source`, `corrects` or `retracts`.
pub fn check_key(name: &str, key: &str) -> Result<(), Refusal> {
    match key.len() {
        0 => Err(malformed(format!(
            "`{name}` is empty: give it a character, or leave it out"
        ))),
        len if len > ID_LEN_MAX => {
            let detail = format!("`{name}` has {len} bytes: at most {ID_LEN_MAX} are allowed");
            Err((RejectionReason::TooLarge, detail))
        }
        _ => Ok(()),
    }
}

/// An instant as RFC 3339 with an offset, or as epoch milliseconds; a fraction of a millisecond is cut off downwards.
pub fn instant_of(name: &str, found: Scalar<'_>) -> Result<Option<Instant>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Integer(ms) => Ok(Some(Instant(ms))),
        Scalar::Number(ms) => Ok(Some(Instant(ms.floor() as i64))),
        Scalar::Text(text) => match Instant::parse(&text) {
            Ok(instant) => Ok(Some(instant)),
            Err(error) => Err(malformed(format!("`{name}`: {error}"))),
        },
        other => Err(wrong(
            name,
            &other,
            "write RFC 3339 with an offset, or epoch milliseconds",
        )),
    }
}

/// Names and values of labels, in the order sent.
type Labels = Vec<(Box<str>, Box<str>)>;

fn labels_of(raw: &RawValue) -> Result<Labels, Refusal> {
    match raw.get().as_bytes().first() {
        Some(b'{') => {}
        Some(b'n') => return Ok(Labels::new()),
        _ => {
            let found = scalar::excerpt(raw.get());
            return Err(malformed(format!("`labels` is {found}: write an object of strings")));
        }
    }
    let read: LabelList<'_> = serde_json::from_str(raw.get()).map_err(|error| refusal_of(&error))?;
    let mut labels = Labels::with_capacity(read.0.len());
    for (name, found) in read.0 {
        match found {
            Scalar::Text(value) => labels.push((name.into(), value.into())),
            other => {
                let detail = format!("the label `{}` is {other}: write a JSON string", scalar::excerpt(&name));
                return Err(malformed(detail));
            }
        }
    }
    match twice(&labels) {
        Some(name) => Err(malformed(format!("the label `{name}` is there twice: leave one out"))),
        None => Ok(labels),
    }
}

/// The first name that occurs twice; sorted first, so that many labels cost no square.
fn twice(labels: &Labels) -> Option<&str> {
    let mut names: Vec<&str> = labels.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    names
        .array_windows()
        .find(|[one, next]| one == next)
        .map(|[one, _]| *one)
}

struct LabelList<'a>(Vec<(Cow<'a, str>, Scalar<'a>)>);

impl<'de> Deserialize<'de> for LabelList<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(LabelsVisitor)
    }
}

struct LabelsVisitor;

impl<'de> Visitor<'de> for LabelsVisitor {
    type Value = LabelList<'de>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an object of strings")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<LabelList<'de>, M::Error> {
        let mut list = Vec::new();
        while let Some((Scalar::Text(name), value)) = map.next_entry::<Scalar<'de>, Scalar<'de>>()? {
            list.push((name, value));
        }
        Ok(LabelList(list))
    }
}

/// Appends a report as one JSON object without a line end. Reading it back gives the same report, as long as its numbers
/// are finite (JSON has no others).
pub fn to_json(report: &Report, out: &mut Vec<u8>) {
    let mut serializer = serde_json::Serializer::new(out);
    let written = ReportForm(report).serialize(&mut serializer);
    debug_assert!(written.is_ok(), "writing into memory does not fail");
}

struct ReportForm<'a>(&'a Report);

impl Serialize for ReportForm<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let report = self.0;
        let mut map = serializer.serialize_map(None)?;
        put(&mut map, "id", report.id.as_deref())?;
        put(&mut map, "kpi", report.kpi.as_deref())?;
        put(
            &mut map,
            "observed_at",
            report.observed_at.map(|instant| instant.to_string()),
        )?;
        match &report.value {
            Some(ReportValue::Number(number)) => put(&mut map, "value", Some(number))?,
            Some(ReportValue::Word(word)) => put(&mut map, "value", Some(word))?,
            None => {}
        }
        put(&mut map, "numerator", report.numerator)?;
        put(&mut map, "denominator", report.denominator)?;
        put(&mut map, "weight", report.weight)?;
        put(&mut map, "not_applicable", report.not_applicable.then_some(true))?;
        put(
            &mut map,
            "labels",
            (!report.labels.is_empty()).then_some(LabelMap(&report.labels)),
        )?;
        put(&mut map, "source", report.source.as_deref())?;
        put(&mut map, "note", report.note.as_deref())?;
        put(&mut map, "by", report.by.as_deref())?;
        put(&mut map, "corrects", report.corrects.as_deref())?;
        put(&mut map, "retracts", report.retracts.as_deref())?;
        map.end()
    }
}

fn put<M: SerializeMap, T: Serialize>(map: &mut M, name: &'static str, value: Option<T>) -> Result<(), M::Error> {
    match value {
        Some(value) => map.serialize_entry(name, &value),
        None => Ok(()),
    }
}

struct LabelMap<'a>(&'a [(Box<str>, Box<str>)]);

impl Serialize for LabelMap<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, value)| (name, value)))
    }
}
