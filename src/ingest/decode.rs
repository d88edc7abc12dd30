//! From bytes to reports: every accepted shape, told apart by content and headers.
//!
//! A payload and what is known of it enter; one entry a measurement leaves, in the sender's order, with the bytes it came
//! from. One bad line of NDJSON or element of an array refuses only itself. Nothing here knows the catalog or the time.
//! Measurements of the usual form go straight into columns, any other into a report of its own.
//!
//! A payload that starts with `[` is an array. Otherwise its lines are measurements, unless its first line is the beginning
//! of an object that only the whole payload completes: that is one measurement, written over several lines.

use std::ops::Range;

use memchr::memchr;
use serde::de::IgnoredAny;

use crate::domain::measurement::{RejectionReason, Report, ReportValue};
use crate::domain::reports::{ReportResult, Reports};
use crate::wire::cloudevents::{self, BinaryAttributes};
use crate::wire::measurement::{Elements, Form, PlainReader, Refusal, malformed, number};

/// What decoding a payload gave: one entry a measurement, in the sender's order, and where its bytes are.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Decoded, or why not.
    pub reports: Vec<ReportResult>,
    /// The bytes of each, in the payload.
    pub spans: Vec<Range<usize>>,
}

/// Limits on what one payload may hold.
#[derive(Debug, Clone, Copy)]
pub struct DecodeLimits {
    /// Measurements in one payload; beyond it the rest is one rejection `too_large`.
    pub batch_len_max: usize,
    /// Bytes of one measurement.
    pub measurement_len_max: usize,
}

/// What is known of a payload besides its bytes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Envelope<'a> {
    /// `Content-Type`, where there is one.
    pub content_type: Option<&'a str>,
    /// `ce-type`: with it, or with `ce-specversion`, the payload is the data of an event in binary mode.
    pub ce_type: Option<&'a str>,
    /// `ce-id`
    pub ce_id: Option<&'a str>,
    /// `ce-source`
    pub ce_source: Option<&'a str>,
    /// `ce-time`
    pub ce_time: Option<&'a str>,
    /// `ce-specversion`
    pub ce_specversion: Option<&'a str>,
    /// The KPI that the NATS subject names; also allows a bare number.
    pub subject_kpi: Option<&'a str>,
}

/// Decodes a payload into reports of their own.
pub fn decode(payload: &[u8], envelope: &Envelope<'_>, limits: &DecodeLimits) -> Decoded {
    let mut reports = Reports::default();
    let mut spans = Vec::new();
    decode_into(payload, envelope, limits, (&mut reports, &mut spans));
    Decoded {
        reports: reports.into_iter().collect(),
        spans,
    }
}

/// Decodes a payload and adds what it holds to a batch, and the bytes of each measurement, in the payload, to others.
pub fn decode_into(
    payload: &[u8],
    envelope: &Envelope<'_>,
    limits: &DecodeLimits,
    (reports, spans): (&mut Reports, &mut Vec<Range<usize>>),
) {
    let reader = Reader {
        envelope,
        limits,
        events_only: is_cloudevents(envelope.content_type),
    };
    let mut decoder = Decoder {
        reader,
        plain: PlainReader::default(),
        reports,
        full_at: spans.len().saturating_add(limits.batch_len_max),
        spans,
    };
    let whole = trimmed(payload, without_mark(payload)..payload.len());
    match std::str::from_utf8(payload) {
        Ok(text) => decoder.payload(text, whole),
        Err(_) => decoder.broken_text(payload, whole),
    }
}

/// Walks over a payload and keeps what was read.
struct Decoder<'e, 'r> {
    reader: Reader<'e>,
    plain: PlainReader,
    reports: &'r mut Reports,
    /// One a measurement, behind those of payloads before.
    spans: &'r mut Vec<Range<usize>>,
    /// So many are as many as one payload may hold.
    full_at: usize,
}

/// A way to read one measurement into an empty report.
type Read<'e> = fn(&Reader<'e>, &str, &mut Report) -> Result<(), Refusal>;

impl<'e> Decoder<'e, '_> {
    /// A payload that is UTF-8 as a whole, which is checked once and not again for each line.
    fn payload(&mut self, text: &str, whole: Range<usize>) {
        let content = text.get(whole.clone()).unwrap_or_default();
        let Some(first) = content.as_bytes().first() else {
            let refusal = malformed("the payload is empty: send a measurement as a JSON object".to_owned());
            return self.refuse(refusal, whole);
        };
        let first_line = memchr(b'\n', content.as_bytes());
        let one_line = first_line.is_none();
        if self.reader.is_binary() {
            self.read(content, whole, Reader::binary);
        } else if *first == b'[' {
            self.array(text, whole);
        } else if one_line && matches!(first, b'-' | b'0'..=b'9') {
            self.read(content, whole, Reader::bare_number);
        } else if one_line || is_one_object(content) {
            self.item(content, whole);
        } else {
            // As many as there are if all lines are as long as the first, and some more: others may be a little shorter.
            let count = content.len() / (first_line.unwrap_or(0) + 1);
            self.reserve(count + count / 8 + 1);
            let start = self.plain_lines(text, whole.clone());
            self.lines(text.as_bytes(), start..whole.end, |line| text.get(line));
        }
    }

    /// Where only some lines are UTF-8, the others are measurements all the same.
    fn broken_text(&mut self, payload: &[u8], whole: Range<usize>) {
        let content = payload.get(whole.clone()).unwrap_or_default();
        if self.reader.is_binary() || !has_more_objects(content) {
            return self.refuse(not_utf8(), whole);
        }
        self.lines(payload, whole, |line| std::str::from_utf8(payload.get(line)?).ok());
    }

    /// Lines of the usual form, up to the first other one: where one ends is known once it is read. Gives what was not read.
    fn plain_lines(&mut self, text: &str, whole: Range<usize>) -> usize {
        let mut start = whole.start;
        while !self.is_full()
            && !self.reader.events_only
            && let Some((plain, behind)) = text.get(start..whole.end).and_then(|text| self.plain.read(text))
            && let end = whole.end - behind.len()
            && end - start <= self.reader.limits.measurement_len_max
            && let Some(next) = next_line(behind)
        {
            self.reports.push_plain(&plain);
            self.spans.push(start..end);
            start = whole.end - next.len();
        }
        start
    }

    /// One measurement a line; blank lines are none. `text_of` gives the text of a line where it has one.
    fn lines<'t>(&mut self, bytes: &[u8], whole: Range<usize>, text_of: impl Fn(Range<usize>) -> Option<&'t str>) {
        let mut start = whole.start;
        while start < whole.end {
            let line = line_from(bytes, start, whole.end);
            start = line.end + 1;
            let line = trimmed(bytes, line);
            if line.is_empty() {
                continue;
            }
            if self.is_full() {
                return self.refuse_rest(line.start..whole.end);
            }
            match text_of(line.clone()) {
                Some(text) => self.item(text, line),
                None => self.refuse(not_utf8(), line),
            }
        }
    }

    /// Elements one by one, so that each stands for itself; an array that is broken between its elements is one refusal.
    fn array(&mut self, text: &str, whole: Range<usize>) {
        let content = text.get(whole.clone()).unwrap_or_default();
        let elements = match Elements::parse(content, self.reader.limits.batch_len_max) {
            Ok(elements) => elements,
            Err(refusal) => return self.refuse(refusal, whole),
        };
        self.reserve(elements.texts.len());
        let mut last = whole.start + 1;
        for element in elements.texts {
            let start = element.as_ptr().addr() - text.as_ptr().addr();
            last = start + element.len();
            self.item(element, start..last);
        }
        if elements.more {
            self.refuse_rest(last..whole.end);
        }
    }

    fn is_full(&self) -> bool {
        self.spans.len() >= self.full_at
    }

    fn reserve(&mut self, count: usize) {
        let count = count.min(self.reader.limits.batch_len_max.saturating_add(1));
        self.reports.reserve(count);
        self.spans.reserve(count);
    }

    /// Reads one measurement, plain or in an event.
    fn item(&mut self, text: &str, span: Range<usize>) {
        if !self.reader.events_only
            && text.len() <= self.reader.limits.measurement_len_max
            && let Some((plain, "")) = self.plain.read(text)
        {
            self.spans.push(span);
            return self.reports.push_plain(&plain);
        }
        self.read(text, span, Reader::item);
    }

    /// Reads one measurement into the place where it stays, unless it is too long to be looked at.
    fn read(&mut self, text: &str, span: Range<usize>, read: Read<'e>) {
        let (len, max) = (text.len(), self.reader.limits.measurement_len_max);
        if len > max {
            let detail = format!("the measurement has {len} bytes: at most {max} are allowed");
            return self.refuse((RejectionReason::TooLarge, detail), span);
        }
        self.spans.push(span);
        let entry = self.reports.push_empty();
        if let Ok(report) = entry
            && let Err(refusal) = read(&self.reader, text, report)
        {
            *entry = Err(refusal);
        }
    }

    fn refuse(&mut self, refusal: Refusal, span: Range<usize>) {
        self.reports.refuse(refusal);
        self.spans.push(span);
    }

    /// One refusal for everything beyond the limit.
    fn refuse_rest(&mut self, span: Range<usize>) {
        let max = self.reader.limits.batch_len_max;
        let detail = format!("the payload holds more than {max} measurements: send the rest in another one");
        self.refuse((RejectionReason::TooLarge, detail), span);
    }
}

/// Reads one measurement, knowing what came around it.
struct Reader<'e> {
    envelope: &'e Envelope<'e>,
    limits: &'e DecodeLimits,
    /// The content type says that everything in it is an event.
    events_only: bool,
}

impl Reader<'_> {
    fn is_binary(&self) -> bool {
        !self.events_only && (self.envelope.ce_type.is_some() || self.envelope.ce_specversion.is_some())
    }

    /// A measurement, plain or in a structured event.
    fn item(&self, text: &str, report: &mut Report) -> Result<(), Refusal> {
        cloudevents::read(text, self.events_only, report)?;
        self.name(report);
        Ok(())
    }

    /// The data of an event whose attributes stand in the headers.
    fn binary(&self, text: &str, report: &mut Report) -> Result<(), Refusal> {
        let attributes = BinaryAttributes {
            specversion: self.envelope.ce_specversion,
            event_type: self.envelope.ce_type,
            id: self.envelope.ce_id,
            source: self.envelope.ce_source,
            time: self.envelope.ce_time,
        };
        Form::parse(text, report)?.finish()?;
        cloudevents::binary(report, &attributes)?;
        self.name(report);
        Ok(())
    }

    fn bare_number(&self, text: &str, report: &mut Report) -> Result<(), Refusal> {
        let value = number(text)?;
        if self.envelope.subject_kpi.is_none() {
            let detail = format!("the bare number {value} names no KPI: send an object with `kpi` and `value`");
            return Err(malformed(detail));
        }
        report.value = Some(ReportValue::Number(value));
        self.name(report);
        Ok(())
    }

    /// The KPI of the subject stands in where the measurement names none.
    fn name(&self, report: &mut Report) {
        if report.kpi.is_none() {
            report.kpi = self.envelope.subject_kpi.map(Box::from);
        }
    }
}

fn not_utf8() -> Refusal {
    malformed("it is not UTF-8: send JSON (RFC 8259) in UTF-8".to_owned())
}

/// True for `application/cloudevents+json` and `application/cloudevents-batch+json`, with or without parameters.
fn is_cloudevents(content_type: Option<&str>) -> bool {
    let essence = content_type
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default()
        .trim();
    ["application/cloudevents+json", "application/cloudevents-batch+json"]
        .iter()
        .any(|known| essence.eq_ignore_ascii_case(known))
}

/// True when several lines are one object, as people write it, rather than one object each. When the first line is broken
/// and further lines begin objects, they are lines of NDJSON that must not go down with it.
fn is_one_object(content: &str) -> bool {
    let first = line_from(content.as_bytes(), 0, content.len());
    let first = content.get(first).unwrap_or_default();
    let incomplete = serde_json::from_str::<IgnoredAny>(first).is_err_and(|error| error.is_eof());
    incomplete && (serde_json::from_str::<IgnoredAny>(content).is_ok() || !has_more_objects(content.as_bytes()))
}

/// True when a line other than the first begins with an object.
fn has_more_objects(content: &[u8]) -> bool {
    memchr::memmem::find(content, b"\n{").is_some()
}

/// What follows the end of a line that is over but for white space.
fn next_line(behind: &str) -> Option<&str> {
    let rest = match behind.as_bytes().first() {
        Some(b' ' | b'\t' | b'\r') => behind.trim_start_matches([' ', '\t', '\r']),
        _ => behind,
    };
    rest.strip_prefix('\n').or_else(|| rest.is_empty().then_some(rest))
}

/// The line that starts at `start`, without its end.
fn line_from(bytes: &[u8], start: usize, end: usize) -> Range<usize> {
    let rest = bytes.get(start..end).unwrap_or_default();
    start..memchr(b'\n', rest).map_or(end, |at| start + at)
}

/// Bytes to skip at the start: a byte order mark, which some editors leave there.
fn without_mark(payload: &[u8]) -> usize {
    if payload.starts_with(b"\xEF\xBB\xBF") { 3 } else { 0 }
}

/// A range without the JSON white space at its ends.
fn trimmed(bytes: &[u8], range: Range<usize>) -> Range<usize> {
    let blank = |at: usize| matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n'));
    let Range { mut start, mut end } = range;
    while start < end && blank(start) {
        start += 1;
    }
    while start < end && blank(end - 1) {
        end -= 1;
    }
    start..end
}

#[cfg(test)]
mod laws;
#[cfg(test)]
mod tests;
