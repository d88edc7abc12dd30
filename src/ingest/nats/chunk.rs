//! A chunk: messages decoded into one batch, with the way back from a rejection to the bytes it came from.
//!
//! Messages enter, a batch leaves; when its receipt is there, the refused measurements leave with their original bytes.

use async_nats::HeaderMap;
use bytes::Bytes;

use super::{Door, count};
use crate::domain::fact::SourcePosition;
use crate::domain::measurement::Rejection;
use crate::domain::reports::Reports;
use crate::ingest::decode::{Envelope, decode_into};
use crate::ports::Batch;

/// The name of this way in: source of measurements that name none.
pub(super) const TRANSPORT: &str = "nats";

/// Messages decoded so far.
#[derive(Default)]
pub(super) struct Chunk {
    reports: Reports,
    origins: Origins,
    bytes: usize,
}

/// Where each measurement of a batch came from.
#[derive(Default)]
pub(super) struct Origins {
    payloads: Vec<Bytes>,
    spans: Vec<Span>,
}

/// A message of the chunk and a range in it; 32 bits, because there is one for every measurement.
#[derive(Clone, Copy)]
struct Span {
    message: u32,
    start: u32,
    end: u32,
}

impl Chunk {
    /// Decodes one message. `kpi` is the KPI that its subject names.
    pub(super) fn add(&mut self, payload: Bytes, headers: Option<&HeaderMap>, kpi: Option<&str>, door: &Door) {
        let spans = decode_into(&payload, &envelope(headers, kpi), &door.limits, &mut self.reports);
        count(&door.counters.messages, 1);
        count(&door.counters.measurements, spans.len() as u64);
        let message = self.origins.payloads.len() as u32;
        for span in spans {
            self.origins.spans.push(Span {
                message,
                start: span.start as u32,
                end: span.end as u32,
            });
        }
        self.bytes += payload.len();
        self.origins.payloads.push(payload);
    }

    /// Messages in it.
    pub(super) fn messages(&self) -> usize {
        self.origins.payloads.len()
    }

    /// Measurements in it.
    pub(super) fn measurements(&self) -> usize {
        self.reports.len()
    }

    /// Bytes in it.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The batch to submit, and what is needed when its receipt comes.
    pub(super) fn into_batch(self, position: Option<SourcePosition>, follows: u64) -> (Batch, Origins) {
        let batch = Batch {
            reports: self.reports,
            transport: TRANSPORT,
            position,
            follows,
        };
        (batch, self.origins)
    }
}

impl Origins {
    /// The bytes of the measurement with this index.
    fn original(&self, index: usize) -> &[u8] {
        let bytes = self.spans.get(index).and_then(|span| {
            let payload = self.payloads.get(span.message as usize)?;
            payload.get(span.start as usize..span.end as usize)
        });
        bytes.unwrap_or_default()
    }

    /// Passes on what was refused.
    pub(super) fn pass_on(&self, rejected: &[Rejection], door: &Door) {
        count(&door.counters.rejected, rejected.len() as u64);
        for rejection in rejected {
            let original = self.original(rejection.index);
            door.rejections
                .reject(rejection.reason, &rejection.detail, TRANSPORT, original);
        }
    }
}

/// Headers of CloudEvents in binary mode. Nearly every message has none.
fn envelope<'a>(headers: Option<&'a HeaderMap>, kpi: Option<&'a str>) -> Envelope<'a> {
    let Some(headers) = headers else {
        return Envelope {
            subject_kpi: kpi,
            ..Envelope::default()
        };
    };
    let header = |name: &'static str| headers.get(name).map(async_nats::HeaderValue::as_str);
    Envelope {
        content_type: header("content-type").or_else(|| header("Content-Type")),
        ce_type: header("ce-type"),
        ce_id: header("ce-id"),
        ce_source: header("ce-source"),
        ce_time: header("ce-time"),
        ce_specversion: header("ce-specversion"),
        subject_kpi: kpi,
    }
}
