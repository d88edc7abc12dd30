//! The windows asked as a client asks them, without a socket.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::sync::watch;
use tower::ServiceExt;

use super::fake::{self, FakeViews, NOW, Stopped};
use super::{HttpOptions, router};
use crate::domain::alert::TransitionKind;
use crate::domain::reading::ReadingChange;
use crate::ports::Notice;
use crate::wire::scorecard::ScorecardBody;

fn options() -> HttpOptions {
    HttpOptions::new(Arc::new(Stopped), Arc::new(|| "kpid_facts_total 7\n".to_owned()))
}

fn house() -> (Arc<FakeViews>, Router) {
    let views = Arc::new(FakeViews::new(fake::board()));
    (Arc::clone(&views), router(views, options()))
}

fn get(path: &str) -> Request<Body> {
    Request::get(path)
        .header("host", "localhost:8484")
        .body(Body::empty())
        .unwrap()
}

async fn ask(router: &Router, path: &str) -> Response<Body> {
    router.clone().oneshot(get(path)).await.unwrap()
}

async fn text(response: Response<Body>) -> String {
    String::from_utf8(to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()).unwrap()
}

async fn json(path: &str) -> Value {
    let response = ask(&house().1, path).await;
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    assert_eq!(response.headers()["content-type"], "application/json");
    serde_json::from_str(&text(response).await).unwrap()
}

async fn problem(path: &str) -> (u16, String) {
    let response = ask(&house().1, path).await;
    assert_eq!(response.headers()["content-type"], "application/problem+json", "{path}");
    let status = response.status().as_u16();
    let body: Value = serde_json::from_str(&text(response).await).unwrap();
    assert_eq!(body["status"], status);
    (status, body["detail"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn the_list_names_every_scorecard_with_score_and_alerts() {
    let body = json("/api/v1/scorecards").await;
    let entries = body["scorecards"].as_array().unwrap();
    let ids: Vec<&str> = entries.iter().map(|entry| entry["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["company", "it", "marketing", "product", "training"]);
    let it = &entries[1];
    assert_eq!((&it["alerts_firing"], &it["alerts_pending"]), (&1.into(), &1.into()));
    assert_eq!(it["status"], "amber");
    assert_eq!(entries[2]["instances"], 10);
    assert_eq!(entries[2]["each"], "region");
    assert_eq!(body["sequence"], 4711);
}

#[tokio::test]
async fn a_scorecard_is_a_tree_of_nodes() {
    let body = ask(&house().1, "/api/v1/scorecards/company").await;
    let board = fake::board();
    let golden = ScorecardBody::new(board.picture("company", None).unwrap(), &board.catalog.fingerprint);
    assert_eq!(text(body).await, serde_json::to_string(&golden).unwrap());
    insta::assert_snapshot!(serde_json::to_string_pretty(&golden).unwrap(), @"");
}

#[tokio::test]
async fn a_scorecard_in_the_past_is_asked_of_the_projection() {
    let body = json("/api/v1/scorecards/it?at=2026-02-01T00:00:00%2B01:00").await;
    assert_eq!(body["at"], "2026-01-31T23:00:00Z");
    let now = json("/api/v1/scorecards/it?at=").await;
    assert_eq!(now["at"], "2026-03-01T10:00:00Z");
    assert_ne!(body["node"]["score"], now["node"]["score"]);
}

#[tokio::test]
async fn an_instance_has_its_own_tree() {
    let body = json("/api/v1/scorecards/marketing?instance=z%C3%BCrich").await;
    assert_eq!(body["instance"], "zürich");
    assert_eq!(body["node"]["path"], "marketing@zürich");
}

#[tokio::test]
async fn kpis_tell_their_definition_and_what_they_say() {
    let body = json("/api/v1/kpis").await;
    assert_eq!(body["kpis"].as_array().unwrap().len(), 26);
    let one = json("/api/v1/kpis/it.csat").await;
    assert_eq!(one["window"], serde_json::json!({"rolling": "28d", "slice": "1d"}));
    assert_eq!(
        (&one["value"], &one["target"], &one["score"]),
        (&82.5.into(), &90.0.into(), &62.5.into())
    );
    assert_eq!(one["note"]["by"], "Anna");
    let there = json("/api/v1/kpis/marketing.roas?instance=wien").await;
    assert_eq!(
        there["path"],
        "marketing@wien/financial/profitable-growth/marketing.roas"
    );
}

#[tokio::test]
async fn readings_of_a_kpi_come_at_the_instants_asked_for() {
    let path = "/api/v1/kpis/it.csat/readings?from=2026-02-01T00:00:00Z&to=2026-02-03T00:00:00Z&every=1d";
    let body = json(path).await;
    let at: Vec<&str> = body["readings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|r| r["at"].as_str().unwrap())
        .collect();
    assert_eq!(
        at,
        ["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "2026-02-03T00:00:00Z"]
    );
    assert!(body["readings"][0]["value"].is_f64());
    assert_eq!(body["unit"], "%");
}

#[tokio::test]
async fn alerts_are_listed_by_state() {
    for (path, states) in [
        ("/api/v1/alerts", vec!["pending", "firing"]),
        ("/api/v1/alerts?state=firing", vec!["firing"]),
        ("/api/v1/alerts?state=pending", vec!["pending"]),
    ] {
        let body = json(path).await;
        let found: Vec<&str> = body["alerts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|a| a["state"].as_str().unwrap())
            .collect();
        assert_eq!(found, states, "{path}");
    }
    let body = json("/api/v1/alerts?state=resolved").await;
    assert_eq!(body["alerts"][0]["transition"], "resolved");
    assert_eq!(body["alerts"][0]["duration_seconds"], 5.0 * 3600.0);
    assert_eq!(body["alerts"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_journal_says_where_it_ends() {
    let body = json("/api/v1/journal").await;
    assert_eq!((&body["end"], &body["applied"]), (&4711.into(), &4711.into()));
    assert_eq!(body["recorded_at"], "2026-03-01T10:00:00Z");
}

#[tokio::test]
async fn a_wrong_question_is_answered_with_the_remedy() {
    for (path, status, words) in [
        (
            "/api/v1/scorecards/nope",
            404,
            "there is no scorecard `nope`: use one of company, it",
        ),
        (
            "/api/v1/scorecards/it?instance=berlin",
            404,
            "has no instances: leave `instance` out",
        ),
        (
            "/api/v1/scorecards/marketing?instance=bonn",
            404,
            "under the label `region`",
        ),
        (
            "/api/v1/scorecards/marketing?instance=a/b",
            400,
            "parameter `instance`: found `a/b`",
        ),
        ("/api/v1/scorecards/it?at=noon", 400, "write RFC 3339"),
        (
            "/api/v1/scorecards/it?known_at=2026-01-01T00:00:00Z",
            501,
            "not supported yet: leave it out",
        ),
        ("/api/v1/scorecards?x=1", 400, "takes no parameters"),
        ("/api/v1/kpis/nope", 404, "there is no KPI `nope`"),
        ("/api/v1/kpis/it.csat/readings?every=1s", 400, "at most 2000"),
        ("/api/v1/alerts?state=open", 400, "use pending, firing or resolved"),
        ("/api/v1/stream?scorecard=nope", 404, "there is no scorecard `nope`"),
        ("/api/v2", 404, "there is nothing at `/api/v2`"),
    ] {
        let (found, detail) = problem(path).await;
        assert_eq!(found, status, "{path}: {detail}");
        assert!(detail.contains(words), "{path}: {detail}");
    }
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_one() {
    let request = Request::delete("/api/v1/scorecards")
        .header("host", "localhost")
        .body(Body::empty());
    let response = house().1.oneshot(request.unwrap()).await.unwrap();
    assert_eq!(response.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(response.headers()["allow"], "GET,HEAD");
    let body = text(response).await;
    assert!(body.contains("does not take DELETE: use GET,HEAD"), "{body}");
}

#[tokio::test]
async fn ready_is_said_only_when_caught_up() {
    let (views, router) = house();
    assert_eq!(ask(&router, "/readyz").await.status(), StatusCode::OK);
    {
        let mut state = views.state.lock().unwrap();
        state.ready = false;
        state.waiting_for = "the replay".to_owned();
    }
    let response = ask(&router, "/readyz").await;
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        text(response)
            .await
            .contains("waiting for the replay: 4711 of 4711 facts")
    );
    assert_eq!(ask(&router, "/livez").await.status(), StatusCode::OK);
}

#[tokio::test]
async fn metrics_are_the_text_of_the_recorder() {
    let response = ask(&house().1, "/metrics").await;
    assert_eq!(
        response.headers()["content-type"],
        "text/plain; version=0.0.4; charset=utf-8"
    );
    assert_eq!(text(response).await, "kpid_facts_total 7\n");
}

#[tokio::test]
async fn a_strangers_name_as_host_is_refused_on_get_too() {
    for (host, status) in [("evil.example", 421), ("127.0.0.1:8484", 200), ("[::1]:1", 200)] {
        let request = Request::get("/api/v1/scorecards")
            .header("host", host)
            .body(Body::empty());
        let response = house().1.oneshot(request.unwrap()).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{host}");
    }
    let nameless = house()
        .1
        .oneshot(Request::get("/").body(Body::empty()).unwrap())
        .await
        .unwrap();
    assert_eq!(nameless.status(), StatusCode::MISDIRECTED_REQUEST);
}

#[tokio::test]
async fn every_answer_tells_browsers_to_be_strict() {
    for path in ["/", "/livez", "/api/v1/scorecards", "/nothing", "/assets/kpid.css"] {
        let response = ask(&house().1, path).await;
        let headers = response.headers();
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'self';") && !policy.contains("unsafe"),
            "{path}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert!(!headers.contains_key("access-control-allow-origin"));
    }
}

#[tokio::test]
async fn with_a_token_only_probes_come_in_without_it() {
    let views = Arc::new(FakeViews::new(fake::board()));
    let guarded = router(
        views,
        HttpOptions {
            token: Some("s3cret".to_owned()),
            ..options()
        },
    );
    for (path, credentials, status) in [
        ("/api/v1/scorecards", None, 401),
        ("/", None, 401),
        ("/metrics", Some("Bearer s3cre"), 401),
        ("/api/v1/scorecards", Some("Bearer s3cret"), 200),
        ("/", Some("Basic YW55OnMzY3JldA=="), 200),
        ("/livez", None, 200),
        ("/readyz", None, 200),
    ] {
        let mut request = get(path);
        if let Some(credentials) = credentials {
            request
                .headers_mut()
                .insert("authorization", credentials.parse().unwrap());
        }
        let response = guarded.clone().oneshot(request).await.unwrap();
        assert_eq!(response.status().as_u16(), status, "{path} {credentials:?}");
    }
}

/// Reads events until their text holds all the given words.
async fn read_until(body: Body, words: &[&str]) -> String {
    let mut stream = body.into_data_stream();
    let mut seen = String::new();
    while !words.iter().all(|word| seen.contains(word)) {
        let chunk = stream
            .next()
            .await
            .unwrap_or_else(|| panic!("stream ended after {seen}"));
        seen.push_str(&String::from_utf8(chunk.unwrap().to_vec()).unwrap());
    }
    seen
}

fn changed(path: &str) -> Arc<Notice> {
    let board = fake::board();
    let picture = board.picture("it", None).unwrap();
    let reading = picture.nodes[0].reading.clone();
    Arc::new(Notice::Readings(vec![ReadingChange {
        at: NOW,
        path: path.into(),
        reading,
    }]))
}

#[tokio::test]
async fn a_stream_tells_readings_and_alerts_of_the_scorecard_asked_for() {
    let (views, router) = house();
    let response = ask(&router, "/api/v1/stream?scorecard=it").await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    views.notices.send(changed("training")).unwrap();
    views.notices.send(changed("it")).unwrap();
    let alert = Notice::Alert(Box::new(fake::transition(TransitionKind::Firing)));
    views.notices.send(Arc::new(alert)).unwrap();
    let seen = read_until(response.into_body(), &["event: alert", "\"share\":1.0}"]).await;
    assert!(seen.contains("retry: 2000"), "{seen}");
    assert!(
        seen.contains("event: readings\ndata: [{\"path\":\"it\",\"at\":\"2026-03-01T10:00:00Z\""),
        "{seen}"
    );
    assert!(!seen.contains("training"), "{seen}");
}

#[tokio::test]
async fn a_reader_that_falls_behind_is_told_and_goes_on() {
    let (views, router) = house();
    let response = ask(&router, "/api/v1/stream").await;
    for _ in 0..6 {
        views.notices.send(changed("it")).unwrap();
    }
    let seen = read_until(response.into_body(), &["event: lagged", "event: readings"]).await;
    assert!(seen.contains("\"missed\":2"), "{seen}");
}

#[tokio::test]
async fn a_silent_stream_is_kept_open_by_comments() {
    assert_eq!(options().heartbeat, Duration::from_secs(15));
    let views = Arc::new(FakeViews::new(fake::board()));
    let router = router(
        views,
        HttpOptions {
            heartbeat: Duration::from_millis(5),
            ..options()
        },
    );
    let response = ask(&router, "/api/v1/stream").await;
    read_until(response.into_body(), &[": still here"]).await;
}

#[tokio::test]
async fn streams_end_when_the_house_closes_and_are_limited() {
    let (close, closing) = watch::channel(false);
    let views = Arc::new(FakeViews::new(fake::board()));
    let router = router(
        views,
        HttpOptions {
            closing,
            streams_max: 1,
            ..options()
        },
    );
    let first = ask(&router, "/api/v1/stream").await;
    let second = ask(&router, "/api/v1/stream").await;
    assert_eq!(second.status(), StatusCode::SERVICE_UNAVAILABLE);
    close.send(true).unwrap();
    assert!(text(first).await.starts_with(": kpid"));
    let third = ask(&router, "/api/v1/stream").await;
    assert_eq!(third.status(), StatusCode::OK);
}

#[tokio::test]
async fn a_route_that_takes_too_long_is_answered() {
    let never = || std::future::pending::<()>();
    let slow = Router::new().route("/slow", axum::routing::get(never));
    let patience = HttpOptions {
        request_timeout: Duration::from_millis(5),
        ..options()
    };
    let response = super::guard::guarded(slow, &patience)
        .oneshot(get("/slow"))
        .await
        .unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(response).await.contains("no answer within 5 ms"));
}
