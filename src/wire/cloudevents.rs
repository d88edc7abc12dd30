//! CloudEvents 1.0 around a measurement: structured (one JSON object) and binary (attributes in headers).
//!
//! The type is `kpid.measurement.v1`. `id` and `source` are the attributes, whatever `data` says of them; `time` is when
//! it was observed, unless `data` says so itself. Other attributes and extensions are ignored.

use std::borrow::Cow;

use crate::domain::instant::Instant;
use crate::domain::measurement::Report;
use crate::wire::measurement::{Form, Refusal, Scalar, check_key, instant_of, malformed};

/// The one type that is taken.
pub const MEASUREMENT_TYPE: &str = "kpid.measurement.v1";

/// Attributes of an event in binary mode, from its `ce-` headers, still percent-encoded.
#[derive(Debug, Clone, Copy, Default)]
pub struct BinaryAttributes<'a> {
    /// `ce-specversion`
    pub specversion: Option<&'a str>,
    /// `ce-type`
    pub event_type: Option<&'a str>,
    /// `ce-id`
    pub id: Option<&'a str>,
    /// `ce-source`
    pub source: Option<&'a str>,
    /// `ce-time`
    pub time: Option<&'a str>,
}

/// True when an object says of itself that it is an event.
pub fn is_event(form: &Form<'_>) -> bool {
    form.attributes.specversion.is_some() && form.attributes.event_type.is_some()
}

/// The measurement in a structured event.
pub fn structured(form: Form<'_>) -> Result<Report, Refusal> {
    check_version(text("specversion", form.attributes.specversion.as_ref())?)?;
    check_type(text("type", form.attributes.event_type.as_ref())?)?;
    let time = match &form.attributes.time {
        Some(time) => instant_of("time", time.clone())?,
        None => None,
    };
    if form.attributes.has_base64 {
        return Err(malformed(
            "`data_base64` is not read: send the measurement as JSON in `data`".to_owned(),
        ));
    }
    let data = form.attributes.data;
    let (id, source) = form.into_id_and_source()?;
    let Some(data) = data else {
        return Err(malformed(
            "the event has no `data`: put the measurement there".to_owned(),
        ));
    };
    let report = Form::parse(data.get())?.into_report()?;
    merge(report, id, source, time)
}

/// The measurement in the body of a binary event.
pub fn binary(report: Report, attributes: &BinaryAttributes<'_>) -> Result<Report, Refusal> {
    check_version(header("ce-specversion", attributes.specversion)?.as_deref())?;
    check_type(header("ce-type", attributes.event_type)?.as_deref())?;
    let time = match header("ce-time", attributes.time)? {
        Some(time) => instant_of("ce-time", Scalar::Text(time))?,
        None => None,
    };
    let id = header("ce-id", attributes.id)?.map(Cow::into_owned).map(Box::from);
    let source = header("ce-source", attributes.source)?
        .map(Cow::into_owned)
        .map(Box::from);
    merge(report, id, source, time)
}

/// Puts the attributes over what the data says.
fn merge(
    mut report: Report,
    id: Option<Box<str>>,
    source: Option<Box<str>>,
    time: Option<Instant>,
) -> Result<Report, Refusal> {
    report.id = Some(required("id", id)?);
    report.source = Some(required("source", source)?);
    report.observed_at = report.observed_at.or(time);
    Ok(report)
}

fn required(name: &str, value: Option<Box<str>>) -> Result<Box<str>, Refusal> {
    let Some(value) = value else {
        return Err(malformed(format!(
            "the event has no `{name}`: CloudEvents 1.0 requires it"
        )));
    };
    check_key(name, &value)?;
    Ok(value)
}

fn text<'s>(name: &str, found: Option<&'s Scalar<'_>>) -> Result<Option<&'s str>, Refusal> {
    match found {
        None => Ok(None),
        Some(Scalar::Text(text)) => Ok(Some(text)),
        Some(other) => Err(malformed(format!("`{name}` is {other}: write a JSON string"))),
    }
}

fn check_version(found: Option<&str>) -> Result<(), Refusal> {
    match found {
        Some("1.0") => Ok(()),
        Some(other) => Err(malformed(format!("`specversion` is `{other}`: send CloudEvents `1.0`"))),
        None => Err(malformed(
            "the event has no `specversion`: send CloudEvents `1.0`".to_owned(),
        )),
    }
}

fn check_type(found: Option<&str>) -> Result<(), Refusal> {
    match found {
        Some(MEASUREMENT_TYPE) => Ok(()),
        Some(other) => Err(malformed(format!(
            "the event's type is `{other}`: only `{MEASUREMENT_TYPE}` is taken"
        ))),
        None => Err(malformed(format!("the event has no `type`: send `{MEASUREMENT_TYPE}`"))),
    }
}

/// The value of a header with its percent-encoding undone (CloudEvents HTTP binding, 3.1.3.2).
fn header<'a>(name: &str, value: Option<&'a str>) -> Result<Option<Cow<'a, str>>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    if !value.contains('%') {
        return Ok(Some(Cow::Borrowed(value)));
    }
    match percent_decoded(value.as_bytes()).and_then(|bytes| String::from_utf8(bytes).ok()) {
        Some(decoded) => Ok(Some(Cow::Owned(decoded))),
        None => Err(malformed(format!(
            "the header `{name}` is not percent-encoded UTF-8: write `%` as `%25`"
        ))),
    }
}

fn percent_decoded(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(rest.len());
    while let Some((&byte, behind)) = rest.split_first() {
        rest = behind;
        if byte == b'%' {
            let (digits, behind) = rest.split_at_checked(2)?;
            // `from_str_radix` would also take a sign.
            let digits = std::str::from_utf8(digits).ok().filter(|text| !text.contains('+'))?;
            out.push(u8::from_str_radix(digits, 16).ok()?);
            rest = behind;
        } else {
            out.push(byte);
        }
    }
    Some(out)
}
