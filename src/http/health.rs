//! How the house is: `/livez`, `/readyz`, `/metrics`, `GET /api/v1/journal`.
//!
//! Alive means that this process answers; ready means that the replay is done and everything runs.

use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Windows;
use super::params::Params;
use super::problem::ProblemResponse;
use crate::wire::scorecard::shown_at;

/// The media type of Prometheus' text format.
const PROMETHEUS_TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new()
        .route("/livez", get(alive))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .route("/api/v1/journal", get(journal))
}

async fn alive() -> Response {
    Json(json!({"alive": true})).into_response()
}

async fn ready(State(windows): State<Arc<Windows>>) -> Result<Response, ProblemResponse> {
    let house = windows.views.house();
    if house.ready {
        return Ok(Json(json!({"ready": true, "sequence": house.applied.0})).into_response());
    }
    let detail = format!(
        "not ready: waiting for {}: {} of {} facts applied: ask again in a moment",
        house.waiting_for, house.applied, house.journal_end
    );
    Err(ProblemResponse::new(
        StatusCode::SERVICE_UNAVAILABLE,
        "not ready",
        detail,
    ))
}

async fn metrics(State(windows): State<Arc<Windows>>) -> Response {
    ([(header::CONTENT_TYPE, PROMETHEUS_TEXT)], (windows.options.render)()).into_response()
}

async fn journal(State(windows): State<Arc<Windows>>, uri: Uri) -> Result<Response, ProblemResponse> {
    Params::read(&uri, &[])?;
    let house = windows.views.house();
    let body = json!({
        "ready": house.ready,
        "waiting_for": house.waiting_for,
        "first": house.journal_first.0,
        "end": house.journal_end.0,
        "applied": house.applied.0,
        "recorded_at": shown_at(house.recorded_at),
        "bytes": house.journal_bytes,
        "segments": house.segments,
        "series": house.series,
        "path": house.journal_path,
        "nats": house.nats,
    });
    Ok(Json(body).into_response())
}
