//! Refused input, passed on with its original bytes; and the answer to a request that could not be judged.
//!
//! A rejection enters, a serde form leaves. Original bytes leave as text where they are text, else as
//! base64, and never more than [`ORIGINAL_LEN_MAX`] of them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;

use crate::domain::measurement::RejectionReason;

/// Bytes of refused input that are passed on: enough to see what it was, little enough to keep a queue of them.
pub const ORIGINAL_LEN_MAX: usize = 64 * 1024;

/// `{"error"}`: the answer when nothing was judged; the sender should send it again.
#[derive(Debug, Serialize)]
pub struct RefusalBody {
    /// Why.
    pub error: String,
}

/// `{"reason","detail","transport","original","encoding","truncated"}`: a message on `kpi.v1.rejected`.
#[derive(Debug, Serialize)]
pub struct RejectedBody<'a> {
    reason: &'static str,
    detail: &'a str,
    transport: &'a str,
    original: String,
    /// `text` or `base64`.
    encoding: &'static str,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    truncated: bool,
}

impl<'a> RejectedBody<'a> {
    /// The message of a refused measurement.
    pub fn new(reason: RejectionReason, detail: &'a str, transport: &'a str, original: &[u8]) -> Self {
        let kept = original.get(..ORIGINAL_LEN_MAX).unwrap_or(original);
        let (text, encoding) = match std::str::from_utf8(kept) {
            Ok(text) => (text.to_owned(), "text"),
            Err(_) => (STANDARD.encode(kept), "base64"),
        };
        Self {
            reason: reason.word(),
            detail,
            transport,
            original: text,
            encoding,
            truncated: kept.len() < original.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_text_and_other_bytes_become_base64() {
        let body = |original: &[u8]| {
            let body = RejectedBody::new(RejectionReason::Malformed, "d", "nats", original);
            serde_json::to_value(body).unwrap()
        };
        assert_eq!(
            body(b"{x"),
            serde_json::json!({"reason": "malformed", "detail": "d", "transport": "nats", "original": "{x", "encoding": "text"})
        );
        assert_eq!(body(&[0xff, 0])["original"], "/wA=");
        assert_eq!(body(&[0xff, 0])["encoding"], "base64");
        assert_eq!(body(&vec![b'x'; ORIGINAL_LEN_MAX + 1])["truncated"], true);
    }
}
