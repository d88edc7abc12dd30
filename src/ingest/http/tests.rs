//! The HTTP door against a house that is played.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tower::ServiceExt;

use super::*;
use crate::domain::id::Sequence;
use crate::domain::measurement::RejectionReason;
use crate::ports::{IntakeError, Receipt};

/// Takes what was decoded unless its KPI is `unknown`; one permit of `durable` lets one batch become durable.
struct House {
    durable: Semaphore,
    closed: AtomicBool,
    full: AtomicBool,
    batches: Mutex<Vec<Batch>>,
    rejected: Mutex<Vec<(RejectionReason, String)>>,
}

impl House {
    fn new(durable: usize) -> Arc<Self> {
        Arc::new(Self {
            durable: Semaphore::new(durable),
            closed: AtomicBool::new(false),
            full: AtomicBool::new(false),
            batches: Mutex::default(),
            rejected: Mutex::default(),
        })
    }

    fn judge(&self, batch: Batch) -> Receipt {
        let mut receipt = Receipt::default();
        for (index, report) in batch.reports.clone().into_iter().enumerate() {
            let refusal = match report {
                Ok(report) if report.kpi.as_deref() == Some("unknown") => {
                    Some((RejectionReason::UnknownKpi, "no such KPI".to_owned()))
                }
                Ok(report) if report.id.as_deref() == Some("again") => {
                    receipt.duplicates += 1;
                    None
                }
                Ok(_) => {
                    receipt.accepted += 1;
                    None
                }
                Err(refusal) => Some(refusal.clone()),
            };
            receipt
                .rejected
                .extend(refusal.map(|(reason, detail)| Rejection { index, reason, detail }));
        }
        receipt.sequence = Sequence(41 + receipt.accepted);
        self.batches.lock().unwrap().push(batch);
        receipt
    }
}

impl Intake for House {
    fn submit(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, IntakeError>> {
        Box::pin(async move {
            if self.closed.load(Ordering::SeqCst) {
                return Err(IntakeError::Closed);
            }
            if self.full.load(Ordering::SeqCst) {
                return Err(IntakeError::NoRoom);
            }
            self.durable.acquire().await.unwrap().forget();
            Ok(self.judge(batch))
        })
    }

    fn source_position(&self, _source: &str) -> Option<u64> {
        None
    }
}

impl RejectionSink for House {
    fn reject(&self, reason: RejectionReason, _detail: &str, transport: &'static str, original: &[u8]) {
        assert_eq!(transport, "http");
        let original = String::from_utf8_lossy(original).into_owned();
        self.rejected.lock().unwrap().push((reason, original));
    }
}

const LIMITS: HttpIngestLimits = HttpIngestLimits {
    body_len_max: 1_000,
    body_time_max: Duration::from_secs(10),
    in_flight_max: 1,
    retry_after: Duration::from_secs(2),
    decode: DecodeLimits {
        batch_len_max: 100,
        measurement_len_max: 500,
    },
};

fn door(house: &Arc<House>) -> Router {
    router(
        Arc::clone(house) as Arc<dyn Intake>,
        Arc::clone(house) as Arc<dyn RejectionSink>,
        LIMITS,
    )
}

fn post_of(body: impl Into<Body>, headers: &[(&str, &str)]) -> Request {
    let request = Request::post("/api/v1/measurements");
    let request = headers
        .iter()
        .fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.into()).unwrap()
}

async fn read(response: Response) -> (u16, Value) {
    let status = response.status();
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .unwrap()
        .to_str()
        .unwrap()
        .to_owned();
    let expected = if status.is_success() {
        "application/json"
    } else {
        Problem::MEDIA_TYPE
    };
    assert_eq!(kind, expected);
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    (status.as_u16(), serde_json::from_slice(&body).unwrap())
}

async fn send(house: &Arc<House>, body: impl Into<Body>, headers: &[(&str, &str)]) -> (u16, Value) {
    read(door(house).oneshot(post_of(body, headers)).await.unwrap()).await
}

const GOOD: &str = r#"{"kpi":"it.csat","value":82.5}"#;
const UNKNOWN: &str = r#"{"kpi":"unknown","value":1}"#;

#[tokio::test]
async fn what_can_be_taken_is_taken_and_the_rest_is_listed() {
    let house = House::new(1);
    let body = format!(
        "{GOOD}\noops\n{UNKNOWN}\n{}\n",
        r#"{"kpi":"it.csat","value":1,"id":"again"}"#
    );
    let (status, answer) = send(&house, body, &[("content-type", "application/x-ndjson")]).await;
    assert_eq!(status, 200);
    assert_eq!(
        (&answer["accepted"], &answer["duplicates"], &answer["sequence"]),
        (&json!(1), &json!(1), &json!(42))
    );
    assert_eq!(answer["rejected"][0]["index"], 1);
    assert_eq!(answer["rejected"][0]["reason"], "malformed");
    assert_eq!(
        answer["rejected"][1],
        json!({"index": 2, "reason": "unknown_kpi", "detail": "no such KPI"})
    );
    let rejected = house.rejected.lock().unwrap();
    let expected = [
        (RejectionReason::Malformed, "oops".to_owned()),
        (RejectionReason::UnknownKpi, UNKNOWN.to_owned()),
    ];
    assert_eq!(*rejected, expected);
    assert_eq!(house.batches.lock().unwrap()[0].transport, "http");
}

#[tokio::test]
async fn a_batch_of_which_nothing_was_taken_is_unprocessable() {
    let house = House::new(2);
    let (status, problem) = send(&house, format!("[{UNKNOWN},7]"), &[]).await;
    assert_eq!(status, 422);
    assert_eq!(problem["type"], "urn:kpid:problem:nothing-taken");
    assert_eq!((&problem["status"], &problem["accepted"]), (&json!(422), &json!(0)));
    assert_eq!(problem["rejected"][1]["index"], 1);
    let (status, answer) = send(&house, "[]", &[]).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(0)));
}

#[tokio::test]
async fn a_batch_of_duplicates_was_taken() {
    let house = House::new(1);
    let (status, answer) = send(&house, r#"{"kpi":"it.csat","value":1,"id":"again"}"#, &[]).await;
    assert_eq!((status, &answer["duplicates"]), (200, &json!(1)));
}

#[tokio::test]
async fn nothing_is_acknowledged_before_it_is_durable_and_places_are_counted() {
    let house = House::new(0);
    let door = door(&house);
    let first = tokio::spawn(door.clone().oneshot(post_of(GOOD, &[])));
    // A turn each, until the first request has its place; then it waits in the intake.
    while door_is_free(&door).await {}
    assert!(!first.is_finished());
    let second = door.clone().oneshot(post_of(GOOD, &[])).await.unwrap();
    assert_eq!(second.headers().get(RETRY_AFTER).unwrap(), "2");
    let (status, problem) = read(second).await;
    assert_eq!((status, &problem["type"]), (503, &json!("urn:kpid:problem:busy")));
    house.durable.add_permits(1);
    let (status, answer) = read(first.await.unwrap().unwrap()).await;
    assert_eq!((status, &answer["accepted"]), (200, &json!(1)));
    house.durable.add_permits(1);
    assert_eq!(door.oneshot(post_of(GOOD, &[])).await.unwrap().status(), 200);
}

/// True while an empty body is refused for what it is, rather than for want of a place.
async fn door_is_free(door: &Router) -> bool {
    tokio::task::yield_now().await;
    let body = Body::from_stream(stream::iter([Err::<Bytes, _>(std::io::Error::other("gone"))]));
    let response = door.clone().oneshot(post_of(body, &[])).await.unwrap();
    response.status() == StatusCode::BAD_REQUEST
}

#[tokio::test]
async fn a_closing_house_says_when_to_come_back() {
    let house = House::new(1);
    house.closed.store(true, Ordering::SeqCst);
    let response = door(&house).oneshot(post_of(GOOD, &[])).await.unwrap();
    assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "2");
    let (status, problem) = read(response).await;
    assert_eq!((status, &problem["type"]), (503, &json!("urn:kpid:problem:closed")));
}

#[tokio::test]
async fn a_full_disk_is_said_and_is_no_reason_to_lose_anything() {
    let house = House::new(1);
    house.full.store(true, Ordering::SeqCst);
    let response = door(&house).oneshot(post_of(GOOD, &[])).await.unwrap();
    assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "2");
    let (status, problem) = read(response).await;
    assert_eq!((status, &problem["type"]), (503, &json!("urn:kpid:problem:no-room")));
    house.full.store(false, Ordering::SeqCst);
    assert_eq!(
        door(&house).oneshot(post_of(GOOD, &[])).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused_announced_or_not() {
    let house = House::new(0);
    let long = "x".repeat(1_001);
    let announced = send(&house, GOOD, &[("content-length", "1001")]).await;
    let endless = stream::iter(std::iter::repeat_with(|| {
        Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 100]))
    }));
    for (status, problem) in [
        announced,
        send(&house, long, &[]).await,
        send(&house, Body::from_stream(endless), &[]).await,
    ] {
        assert_eq!(
            (status, &problem["type"]),
            (413, &json!("urn:kpid:problem:body-too-large"))
        );
    }
    assert!(house.batches.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_arrive_gives_its_place_back() {
    let house = House::new(1);
    let door = door(&house);
    let never = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
    let (status, problem) = read(door.clone().oneshot(post_of(never, &[])).await.unwrap()).await;
    assert_eq!(
        (status, &problem["type"]),
        (408, &json!("urn:kpid:problem:body-too-slow"))
    );
    assert_eq!(door.oneshot(post_of(GOOD, &[])).await.unwrap().status(), 200);
}

#[tokio::test]
async fn only_json_as_it_is_comes_in() {
    let house = House::new(2);
    for headers in [
        ("content-type", "text/plain"),
        ("content-type", "application/x-www-form-urlencoded"),
        ("content-type", "text/csv"),
        ("content-encoding", "gzip"),
    ] {
        let (status, problem) = send(&house, GOOD, &[headers]).await;
        assert_eq!(status, 415);
        assert!(problem["detail"].as_str().unwrap().contains(headers.1), "{problem}");
    }
    for headers in [
        ("content-type", "Application/JSON; charset=utf-8"),
        ("content-encoding", "identity"),
    ] {
        assert_eq!(send(&house, GOOD, &[headers]).await.0, 200);
    }
}

#[tokio::test]
async fn events_come_in_with_their_attributes_in_headers_or_in_the_body() {
    let house = House::new(2);
    let headers = [
        ("content-type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-type", "kpid.measurement.v1"),
        ("ce-id", "e1"),
        ("ce-source", "/desk"),
        ("ce-time", "2026-03-01T10:00:00Z"),
    ];
    assert_eq!(send(&house, GOOD, &headers).await.0, 200);
    let event = format!(
        r#"{{"specversion":"1.0","type":"kpid.measurement.v1","id":"e1","source":"/desk",
        "time":"2026-03-01T10:00:00Z","data":{GOOD}}}"#
    );
    let (status, _) = send(
        &house,
        format!("[{event}]"),
        &[("content-type", "application/cloudevents-batch+json")],
    )
    .await;
    assert_eq!(status, 200);
    let batches = house.batches.lock().unwrap();
    let [one, other] = [0, 1].map(|n| batches[n].reports.clone().into_iter().collect::<Vec<_>>());
    assert_eq!(one, other);
    assert_eq!(one[0].as_ref().unwrap().id.as_deref(), Some("e1"));
}

#[tokio::test]
async fn another_method_is_told_the_right_one() {
    let house = House::new(0);
    let request = Request::get("/api/v1/measurements").body(Body::empty()).unwrap();
    let response = door(&house).oneshot(request).await.unwrap();
    assert_eq!(response.headers().get(ALLOW).unwrap(), "POST");
    assert_eq!(read(response).await.0, 405);
}
