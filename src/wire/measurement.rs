//! A measurement as JSON: one object in, a [`Report`] or the reason against it out; and a [`Report`] written as one line.
//!
//! Fields go straight into the report while the text is read once; unknown fields are skipped, `null` counts as absent,
//! and the attributes that only an event has are set aside for [`super::cloudevents`]. Whether a value is plausible,
//! known or in time is not judged here. Rejected: a derived form struct, because it costs a second copy of every field
//! and names neither the field nor the value found when a type is wrong.

use serde::de::{DeserializeSeed, Error as _, IgnoredAny, MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use crate::domain::measurement::{RejectionReason, Report, ReportValue};

mod elements;
mod field;
mod plain;
mod receipt;
mod scalar;
mod value;

pub use elements::Elements;
pub(in crate::wire) use field::Field;
pub use plain::PlainReader;
pub use receipt::{ReceiptBody, RejectionBody};
pub use scalar::{Scalar, excerpt};
pub use value::{check_key, instant_of};
use value::{flag_of, key_of, labels_of, number_of, text_of, value_of};

/// Why a measurement was not decoded: the one word, and the thing, the value found and the remedy.
pub type Refusal = (RejectionReason, String);

/// `malformed` with its detail.
pub fn malformed(detail: String) -> Refusal {
    (RejectionReason::Malformed, detail)
}

/// One JSON object as read: the report so far, and what would make it an event. Reports are filled where they will
/// stay, because moving them costs as much as reading a field.
#[derive(Debug)]
pub struct Form<'a, 'r> {
    /// What the known fields say.
    report: &'r mut Report,
    /// What only an event has; unknown fields of a plain measurement.
    attributes: Option<Box<Attributes<'a>>>,
    /// The first field whose type or length is wrong.
    fault: Option<Box<(Field, Refusal)>>,
    /// One bit a field that was there.
    seen: u32,
}

/// What only an event has.
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

impl<'a, 'r> Form<'a, 'r> {
    /// Reads one JSON object into an empty report. Anything else, and broken JSON, is `malformed`; a number beyond the
    /// range of a double is `not_finite`.
    pub fn parse(text: &'a str, report: &'r mut Report) -> Result<Self, Refusal> {
        let mut form = Self {
            report,
            attributes: None,
            fault: None,
            seen: 0,
        };
        let mut deserializer = serde_json::Deserializer::from_str(text);
        match Filling(&mut form).deserialize(&mut deserializer) {
            Ok(()) => deserializer.end().map_err(|error| refusal_of(&error))?,
            Err(error) => return Err(refusal_of(&error)),
        }
        Ok(form)
    }

    /// Ends a plain measurement.
    pub fn finish(self) -> Result<(), Refusal> {
        match self.fault {
            None => Ok(()),
            Some(fault) => Err(fault.1),
        }
    }

    /// True when the object says of itself that it is an event.
    pub fn is_event(&self) -> bool {
        let event = |attributes: &Attributes<'_>| attributes.specversion.is_some() && attributes.event_type.is_some();
        self.attributes.as_deref().is_some_and(event)
    }

    /// The parts of an event, and its report emptied for the data: all top-level fields but `id` and `source` are the
    /// event's own.
    pub fn into_event(self) -> Result<Event<'a, 'r>, Refusal> {
        if let Some(fault) = self.fault
            && matches!(fault.0, Field::Id | Field::Source)
        {
            return Err(fault.1);
        }
        let outer = std::mem::take(self.report);
        Ok(Event {
            id: outer.id,
            source: outer.source,
            attributes: self.attributes.map(|attributes| *attributes).unwrap_or_default(),
            report: self.report,
        })
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
                self.attributes.get_or_insert_default().data = Some(map.next_value()?);
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
            self.fault = Some(Box::new((field, refusal)));
        }
        Ok(())
    }

    /// Puts one field where it belongs.
    fn keep(&mut self, field: Field, found: Scalar<'a>) -> Result<(), Refusal> {
        let report = &mut *self.report;
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
            Field::Specversion => self.attributes.get_or_insert_default().specversion = Some(found),
            Field::Type => self.attributes.get_or_insert_default().event_type = Some(found),
            Field::Time => self.attributes.get_or_insert_default().time = Some(found),
            Field::DataBase64 => self.attributes.get_or_insert_default().has_base64 = true,
            Field::Labels | Field::Data | Field::Unknown => {}
        }
        Ok(())
    }
}

/// Starts the message of the one error that is ours and not the JSON reader's.
const DUPLICATE: &str = "duplicate field ";

/// An event taken apart.
#[derive(Debug)]
pub struct Event<'a, 'r> {
    /// `id`
    pub id: Option<Box<str>>,
    /// `source`
    pub source: Option<Box<str>>,
    /// The other attributes.
    pub attributes: Attributes<'a>,
    /// Empty, for what the data says.
    pub report: &'r mut Report,
}

/// A form while it is read.
struct Filling<'f, 'a, 'r>(&'f mut Form<'a, 'r>);

impl<'de> DeserializeSeed<'de> for Filling<'_, 'de, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Filling<'_, 'de, '_> {
    type Value = ();

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("one JSON object")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<(), M::Error> {
        while let Some(field) = map.next_key::<Field>()? {
            self.0.read(field, &mut map)?;
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::instant::Instant;

    fn written(report: &Report) -> String {
        let mut line = Vec::new();
        to_json(report, &mut line);
        String::from_utf8(line).unwrap()
    }

    #[test]
    fn a_report_is_written_with_what_it_says_and_nothing_else() {
        let report = Report {
            kpi: Some("it.csat".into()),
            value: Some(ReportValue::Number(82.5)),
            observed_at: Some(Instant(1_772_359_200_250)),
            id: Some("9f3c".into()),
            labels: vec![("site".into(), "berlin".into())],
            source: Some("servicedesk".into()),
            note: Some("after the \"outage\"".into()),
            ..Report::default()
        };
        let expected = r#"{"id":"9f3c","kpi":"it.csat","observed_at":"2026-03-01T10:00:00.250Z","value":82.5,"labels":{"site":"berlin"},"source":"servicedesk","note":"after the \"outage\""}"#;
        assert_eq!(written(&report), expected);
        assert_eq!(written(&Report::default()), "{}");
        let report = Report {
            value: Some(ReportValue::Word("good".into())),
            not_applicable: true,
            numerator: Some(1.0),
            denominator: Some(0.1),
            weight: Some(2.0),
            by: Some("Ada".into()),
            corrects: Some("a".into()),
            retracts: Some("b".into()),
            ..Report::default()
        };
        let expected = r#"{"value":"good","numerator":1.0,"denominator":0.1,"weight":2.0,"not_applicable":true,"by":"Ada","corrects":"a","retracts":"b"}"#;
        assert_eq!(written(&report), expected);
    }

    #[test]
    fn the_answer_to_a_sender_has_its_four_fields() {
        let receipt = ReceiptBody {
            accepted: 2,
            rejected: vec![RejectionBody {
                index: 1,
                reason: "malformed".to_owned(),
                detail: "no".to_owned(),
            }],
            duplicates: 3,
            sequence: 4711,
        };
        let json = r#"{"accepted":2,"rejected":[{"index":1,"reason":"malformed","detail":"no"}],"duplicates":3,"sequence":4711}"#;
        assert_eq!(serde_json::to_string(&receipt).unwrap(), json);
        assert_eq!(serde_json::from_str::<ReceiptBody>(json).unwrap(), receipt);
    }
}
