//! `GET /api/v1/alerts?state=pending|firing|resolved`.
//!
//! Without `state` it is what is pending or firing now; `resolved` lists the latest transitions that ended an alert.

use std::sync::Arc;

use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Windows;
use super::params::Params;
use super::problem::ProblemResponse;
use crate::domain::alert::{AlertPhase, TransitionKind};
use crate::domain::board::Board;
use crate::wire::alert::{AlertBody, AlertViewBody};
use crate::wire::scorecard::shown_at;

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new().route("/api/v1/alerts", get(list))
}

async fn list(State(windows): State<Arc<Windows>>, uri: Uri) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["state"])?;
    let board = windows.views.board();
    let alerts = match params.text("state") {
        None => standing(&board, None),
        Some("pending") => standing(&board, Some(AlertPhase::Pending)),
        Some("firing") => standing(&board, Some(AlertPhase::Firing)),
        Some("resolved") => resolved(&board, &windows.options.base_url),
        Some(other) => {
            return Err(ProblemResponse::parameter(
                "state",
                other,
                "use pending, firing or resolved",
            ));
        }
    };
    let body = json!({"at": shown_at(board.at), "sequence": board.sequence.0, "alerts": alerts});
    Ok(Json(body).into_response())
}

fn standing(board: &Board, phase: Option<AlertPhase>) -> Value {
    let wanted = board
        .alerts
        .iter()
        .filter(|alert| phase.is_none_or(|phase| alert.phase == phase));
    json!(wanted.map(|alert| AlertViewBody::new(alert)).collect::<Vec<_>>())
}

fn resolved(board: &Board, base_url: &str) -> Value {
    let ended = board
        .recent
        .iter()
        .filter(|transition| transition.kind == TransitionKind::Resolved);
    json!(
        ended
            .map(|transition| AlertBody::new(transition, base_url))
            .collect::<Vec<_>>()
    )
}
