//! A chunk: messages decoded into one batch, with the way back from a rejection to the bytes it came from.
//!
//! Messages enter, a batch leaves; when its receipt is there, the refused measurements leave with their original bytes.

use std::ops::Range;

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
    /// Each with the place of its first measurement in the batch.
    payloads: Vec<(usize, Bytes)>,
    /// The bytes of each measurement, in its payload.
    spans: Vec<Range<usize>>,
}

impl Chunk {
    /// Decodes one message. `kpi` is the KPI that its subject names.
    pub(super) fn add(&mut self, payload: Bytes, headers: Option<&HeaderMap>, kpi: Option<&str>, door: &Door) {
        let (envelope, spans) = (envelope(headers, kpi), &mut self.origins.spans);
        let first = spans.len();
        decode_into(&payload, &envelope, &door.limits, (&mut self.reports, spans));
        self.bytes += payload.len();
        self.origins.payloads.push((first, payload));
    }

    /// Room for as many measurements as so many bytes hold, if they go on as they began: a vector that grows by itself is
    /// copied again and again.
    pub(super) fn reserve(&mut self, bytes: usize, len_max: usize) {
        let len = self.measurements().saturating_mul(bytes) / self.bytes.max(1);
        let more = len.min(len_max).saturating_sub(self.measurements());
        self.reports.reserve(more);
        self.origins.spans.reserve(more);
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

    /// Counts what is in it.
    pub(super) fn count(&self, door: &Door) {
        count(&door.counters.messages, self.messages() as u64);
        count(&door.counters.measurements, self.origins.spans.len() as u64);
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
            let behind = self.payloads.partition_point(|(first, _)| *first <= index);
            let (_, payload) = self.payloads.get(behind.checked_sub(1)?)?;
            payload.get(span.clone())
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
