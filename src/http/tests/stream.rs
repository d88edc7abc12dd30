//! Server-sent events, read as a browser reads them.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::StatusCode;
use futures_util::StreamExt;
use tokio::sync::watch;

use super::{ask, house, options, text};
use crate::domain::alert::TransitionKind;
use crate::domain::reading::ReadingChange;
use crate::http::fake::{self, FakeViews, NOW};
use crate::http::{HttpOptions, router};
use crate::ports::Notice;

/// Reads events until their text holds all the given words.
async fn read_until(body: Body, words: &[&str]) -> String {
    let mut stream = body.into_data_stream();
    let mut seen = String::new();
    while !words.iter().all(|word| seen.contains(word)) {
        let chunk = stream
            .next()
            .await
            .unwrap_or_else(|| panic!("stream ended after {seen}"));
        seen.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
    }
    seen
}

fn changed(path: &str) -> Arc<Notice> {
    let board = fake::board();
    let picture = board.picture("it").unwrap();
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
