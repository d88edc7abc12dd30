//! Who may ask, and what browsers are told.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode};
use tower::ServiceExt;

use super::{ask, get, house, options, text};
use crate::http::fake::{self, FakeViews};
use crate::http::{HttpOptions, guard, router};

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
async fn a_page_of_another_origin_cannot_write() {
    let door = Router::new().route("/write", axum::routing::post(|| async { "taken" }));
    let guarded = guard::guarded(door, &options());
    for (name, value, status) in [
        ("x-nothing", "", 200),
        ("origin", "http://localhost:8484", 200),
        ("sec-fetch-site", "same-origin", 200),
        ("origin", "https://evil.example", 403),
        ("origin", "null", 403),
        ("origin", "http://localhost:9999", 403),
        ("sec-fetch-site", "cross-site", 403),
    ] {
        let request = Request::post("/write")
            .header("host", "localhost:8484")
            .header(name, value);
        let response = guarded
            .clone()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status().as_u16(), status, "{name}: {value}");
    }
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

#[tokio::test]
async fn a_route_that_takes_too_long_is_answered() {
    let never = || std::future::pending::<()>();
    let slow = Router::new().route("/slow", axum::routing::get(never));
    let patience = HttpOptions {
        request_timeout: Duration::from_millis(5),
        ..options()
    };
    let response = guard::guarded(slow, &patience).oneshot(get("/slow")).await.unwrap();
    assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(text(response).await.contains("no answer within 5 ms"));
}
