//! What a field of a measurement may be: each function takes the JSON value found and gives what the report keeps, or the
//! field, the value found and the remedy. `null` is absent.

use std::borrow::Cow;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::domain::id::ID_LEN_MAX;
use crate::domain::instant::Instant;
use crate::domain::measurement::{RejectionReason, ReportValue};

use super::{Field, Refusal, Scalar, excerpt, malformed, refusal_of};

fn wrong(field: &str, found: &Scalar<'_>, remedy: &str) -> Refusal {
    malformed(format!("`{field}` is {found}: {remedy}"))
}

pub(super) fn value_of(found: Scalar<'_>) -> Result<Option<ReportValue>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Integer(number) => Ok(Some(ReportValue::Number(number as f64))),
        Scalar::Number(number) => Ok(Some(ReportValue::Number(number))),
        Scalar::Text(word) => Ok(Some(ReportValue::Word(word.into()))),
        other => Err(wrong("value", &other, "write a number, or a word of the KPI's scale")),
    }
}

pub(super) fn number_of(field: Field, found: Scalar<'_>) -> Result<Option<f64>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Integer(number) => Ok(Some(number as f64)),
        Scalar::Number(number) => Ok(Some(number)),
        other => Err(wrong(field.name(), &other, "write a JSON number")),
    }
}

pub(super) fn flag_of(found: Scalar<'_>) -> Result<bool, Refusal> {
    match found {
        Scalar::Null => Ok(false),
        Scalar::Flag(flag) => Ok(flag),
        other => Err(wrong("not_applicable", &other, "write `true`, or leave it out")),
    }
}

pub(super) fn text_of(field: Field, found: Scalar<'_>) -> Result<Option<Box<str>>, Refusal> {
    match found {
        Scalar::Null => Ok(None),
        Scalar::Text(text) => Ok(Some(text.into())),
        other => Err(wrong(field.name(), &other, "write a JSON string")),
    }
}

/// A text that names something: not empty and of bounded length.
pub(super) fn key_of(field: Field, found: Scalar<'_>) -> Result<Option<Box<str>>, Refusal> {
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

pub(super) fn labels_of(raw: &RawValue) -> Result<Labels, Refusal> {
    match raw.get().as_bytes().first() {
        Some(b'{') => {}
        Some(b'n') => return Ok(Labels::new()),
        _ => {
            let found = excerpt(raw.get());
            return Err(malformed(format!("`labels` is {found}: write an object of strings")));
        }
    }
    let read: LabelList<'_> = serde_json::from_str(raw.get()).map_err(|error| refusal_of(&error))?;
    let mut labels = Labels::with_capacity(read.0.len());
    for (name, found) in read.0 {
        match found {
            Scalar::Text(value) => labels.push((name.into(), value.into())),
            other => {
                let detail = format!("the label `{}` is {other}: write a JSON string", excerpt(&name));
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
