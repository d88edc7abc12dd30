//! Measurements over HTTP: `POST /api/v1/measurements`.
//!
//! A request enters; once what could be taken is durable its sender gets a receipt, otherwise a problem that says what to
//! do. Nothing is acknowledged before [`Intake::submit`] returned. Bodies are read here and bounded here while they
//! arrive, because axum's own limit does not hold for a raw stream. Media types that a web page can send to another site
//! without being asked (`text/plain`, forms) are refused.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Request, State};
use axum::http::header::{ALLOW, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use bytes::BytesMut;
use futures_util::StreamExt;
use tokio::sync::Semaphore;

use crate::domain::measurement::Rejection;
use crate::domain::reports::Reports;
use crate::ingest::decode::{DecodeLimits, Envelope, decode_into};
use crate::ports::{Batch, Intake, IntakeError, RejectionSink};
use crate::wire::measurement::ReceiptBody;
use crate::wire::problem::Problem;

/// Name of this way in: the source of measurements that name none.
pub const TRANSPORT: &str = "http";

/// Bounds on what requests may ask of the house.
#[derive(Debug, Clone, Copy)]
pub struct HttpIngestLimits {
    /// Bytes of one body.
    pub body_len_max: usize,
    /// Time for one body to arrive.
    pub body_time_max: Duration,
    /// Requests that are read, decoded or waiting for durability at once; further ones are told to come back.
    pub in_flight_max: usize,
    /// When to come back.
    pub retry_after: Duration,
    /// Bounds on what one body may hold.
    pub decode: DecodeLimits,
}

struct Door {
    intake: Arc<dyn Intake>,
    rejections: Arc<dyn RejectionSink>,
    limits: HttpIngestLimits,
    /// Held from before the body is read to the answer, so that memory is bounded too.
    in_flight: Semaphore,
}

/// `POST /api/v1/measurements`, to be merged into the house's router.
pub fn router(intake: Arc<dyn Intake>, rejections: Arc<dyn RejectionSink>, limits: HttpIngestLimits) -> Router {
    let door = Door {
        intake,
        rejections,
        limits,
        in_flight: Semaphore::new(limits.in_flight_max),
    };
    Router::new()
        .route("/api/v1/measurements", post(receive).fallback(other_method))
        .with_state(Arc::new(door))
}

async fn receive(State(door): State<Arc<Door>>, request: Request) -> Response {
    match door.take(request).await {
        Ok(receipt) => answer(&receipt),
        Err(refusal) => refusal.into_response(),
    }
}

impl Door {
    /// Head, place, body, decode, submit: in this order, so that what is refused costs as little as can be.
    async fn take(&self, request: Request) -> Result<ReceiptBody, Refused> {
        let (head, body) = request.into_parts();
        check_head(&head.headers, self.limits.body_len_max)?;
        let Ok(_place) = self.in_flight.try_acquire() else {
            return Err(Refused::Busy(self.limits));
        };
        let payload = self.read(body, announced(&head.headers)).await?;
        let (mut reports, mut spans) = (Reports::default(), Vec::new());
        let envelope = envelope(&head.headers);
        decode_into(&payload, &envelope, &self.limits.decode, (&mut reports, &mut spans));
        self.submit(reports, &spans, &payload).await
    }

    async fn read(&self, body: Body, announced: Option<u64>) -> Result<Bytes, Refused> {
        let limits = &self.limits;
        let reading = read_bounded(body, announced, limits.body_len_max);
        match tokio::time::timeout(limits.body_time_max, reading).await {
            Ok(read) => read,
            Err(_) => Err(Refused::Slow(limits.body_time_max)),
        }
    }

    async fn submit(&self, reports: Reports, spans: &[Range<usize>], payload: &[u8]) -> Result<ReceiptBody, Refused> {
        let batch = Batch {
            reports,
            transport: TRANSPORT,
            position: None,
            follows: 0,
        };
        let receipt = self.intake.submit(batch).await.map_err(|error| match error {
            IntakeError::Closed => Refused::Closed(self.limits),
            IntakeError::NoRoom => Refused::NoRoom(self.limits),
            IntakeError::NotReady => Refused::NotReady(self.limits),
        })?;
        for Rejection { index, reason, detail } in &receipt.rejected {
            let span = spans.get(*index).cloned().unwrap_or_default();
            let original = payload.get(span).unwrap_or_default();
            self.rejections.reject(*reason, detail, TRANSPORT, original);
        }
        let (accepted, duplicates) = (receipt.accepted, receipt.duplicates);
        Ok(ReceiptBody::new(
            accepted,
            duplicates,
            &receipt.rejected,
            receipt.sequence,
        ))
    }
}

/// Refuses what the head alone shows to be unreadable.
fn check_head(headers: &HeaderMap, body_len_max: usize) -> Result<(), Refused> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && !encoding.as_bytes().eq_ignore_ascii_case(b"identity")
    {
        return Err(Refused::Encoding(
            String::from_utf8_lossy(encoding.as_bytes()).into_owned(),
        ));
    }
    if let Some(found) = headers.get(CONTENT_TYPE) {
        let found = String::from_utf8_lossy(found.as_bytes());
        let essence = found.split(';').next().unwrap_or_default().trim();
        if !MEDIA_TYPES.iter().any(|known| essence.eq_ignore_ascii_case(known)) {
            return Err(Refused::MediaType(found.into_owned()));
        }
    }
    match announced(headers) {
        Some(length) if length > body_len_max as u64 => Err(Refused::TooLarge(body_len_max)),
        _ => Ok(()),
    }
}

/// Bytes of the body that the head announces.
fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// What is taken; a request without a type is read as JSON or NDJSON.
const MEDIA_TYPES: [&str; 6] = [
    "application/json",
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonl",
    "application/cloudevents+json",
    "application/cloudevents-batch+json",
];

fn envelope(headers: &HeaderMap) -> Envelope<'_> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    Envelope {
        content_type: text("content-type"),
        ce_type: text("ce-type"),
        ce_id: text("ce-id"),
        ce_source: text("ce-source"),
        ce_time: text("ce-time"),
        ce_specversion: text("ce-specversion"),
        subject_kpi: None,
    }
}

/// The whole body, given up as soon as it is longer than allowed, whatever its head announced. Room is taken for what is
/// announced, so that a long body is not moved while it grows; memory that nothing arrives for costs nothing.
async fn read_bounded(body: Body, announced: Option<u64>, len_max: usize) -> Result<Bytes, Refused> {
    let mut chunks = body.into_data_stream();
    let announced = announced.and_then(|length| usize::try_from(length).ok());
    let mut read = BytesMut::with_capacity(announced.unwrap_or(0).min(len_max));
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|error| Refused::Unreadable(error.to_string()))?;
        if read.len() + chunk.len() > len_max {
            return Err(Refused::TooLarge(len_max));
        }
        read.extend_from_slice(&chunk);
    }
    Ok(read.freeze())
}

/// 200, or 422 when nothing was taken.
fn answer(receipt: &ReceiptBody) -> Response {
    if !receipt.took_nothing() {
        return axum::Json(receipt).into_response();
    }
    let detail = match receipt.rejected.as_slice() {
        [only] => format!("{}: {}", only.reason, only.detail),
        all => format!("all {} measurements were rejected: see `rejected`", all.len()),
    };
    respond(&Problem::new(422, "nothing-taken", "Nothing was taken", detail).with(receipt))
}

async fn other_method() -> Response {
    let detail = "measurements are sent with POST";
    let problem = Problem::new(405, "method-not-allowed", "Method not allowed", detail);
    ([(ALLOW, "POST")], respond(&problem)).into_response()
}

/// Why a request got no receipt: nothing of it was acknowledged.
enum Refused {
    Encoding(String),
    MediaType(String),
    TooLarge(usize),
    Slow(Duration),
    Unreadable(String),
    Busy(HttpIngestLimits),
    Closed(HttpIngestLimits),
    NoRoom(HttpIngestLimits),
    NotReady(HttpIngestLimits),
}

impl Refused {
    fn problem(&self) -> Problem {
        match self {
            Self::Encoding(found) => {
                let detail = format!("the content encoding is `{found}`: send the body as it is");
                Problem::new(415, "content-encoding", "Unsupported content encoding", detail)
            }
            Self::MediaType(found) => {
                let detail = format!("the content type is `{found}`: send one of {}", MEDIA_TYPES.join(", "));
                Problem::new(415, "media-type", "Unsupported media type", detail)
            }
            Self::TooLarge(max) => {
                let detail = format!("the body has more than {max} bytes: send smaller batches");
                Problem::new(413, "body-too-large", "Body too large", detail)
            }
            Self::Slow(max) => {
                let detail = format!("the body did not arrive within {} ms: send it again", max.as_millis());
                Problem::new(408, "body-too-slow", "Body too slow", detail)
            }
            Self::Unreadable(reason) => {
                let detail = format!("the body broke off ({reason}): send it again");
                Problem::new(400, "body-unreadable", "Body unreadable", detail)
            }
            Self::Busy(limits) => {
                let max = limits.in_flight_max;
                let detail = format!("{max} batches are being taken already: send it again later");
                Problem::new(503, "busy", "Too many batches at once", detail)
            }
            Self::Closed(_) => {
                let detail = "kpid is shutting down: send it again later";
                Problem::new(503, "closed", "Shutting down", detail)
            }
            Self::NoRoom(_) => {
                let detail = IntakeError::NoRoom.to_string();
                Problem::new(503, "no-room", "No room for more", detail)
            }
            Self::NotReady(_) => {
                let detail = IntakeError::NotReady.to_string();
                Problem::new(503, "not-ready", "Not ready", detail)
            }
        }
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        let response = respond(&self.problem());
        match self {
            Self::Busy(limits) | Self::Closed(limits) | Self::NoRoom(limits) | Self::NotReady(limits) => {
                let seconds = limits.retry_after.as_secs().max(1).to_string();
                ([(RETRY_AFTER, seconds)], response).into_response()
            }
            _ => response,
        }
    }
}

fn respond(problem: &Problem) -> Response {
    let status = StatusCode::from_u16(problem.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, [(CONTENT_TYPE, Problem::MEDIA_TYPE)], problem.json()).into_response()
}

#[cfg(test)]
mod tests;
