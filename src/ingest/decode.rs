//! From bytes to reports: every accepted shape, told apart by content and headers.

use std::ops::Range;

use crate::domain::measurement::{RejectionReason, Report};

/// What decoding a payload gave: one entry a measurement, in the sender's order, and where its bytes are.
#[derive(Debug, Default)]
pub struct Decoded {
    /// Decoded, or why not.
    pub reports: Vec<Result<Report, (RejectionReason, String)>>,
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
    /// Looks up a header by lower-case name, for CloudEvents in binary mode (`ce-type`, `ce-id`, ...).
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

/// Decodes a payload.
pub fn decode(_payload: &[u8], _envelope: &Envelope<'_>, _limits: &DecodeLimits) -> Decoded {
    Decoded::default()
}
