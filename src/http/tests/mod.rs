//! The windows asked as a client asks them, without a socket.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use serde_json::Value;
use tower::ServiceExt;

use super::fake::{self, FakeViews, Stopped};
use super::{HttpOptions, router};

mod api;
mod explain;
mod golden;
mod guard;
mod pages;
mod stream;

fn options() -> HttpOptions {
    HttpOptions::new(Arc::new(Stopped), Arc::new(|| "facts_total 7\n".to_owned()))
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
    assert!(body["type"].as_str().unwrap().starts_with("urn:kpid:problem:"));
    (status, body["detail"].as_str().unwrap().to_owned())
}
