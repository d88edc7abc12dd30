//! `POST /api/v1/reload`: the catalog's files are read again and hold from one sequence on.
//!
//! A request without a body enters; what holds now leaves, or everything that is wrong with the files, of which nothing
//! was taken over then.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::json;

use super::problem::ProblemResponse;
use crate::ports::{Reload, ReloadError};

/// Where it is asked.
pub const PATH: &str = "/api/v1/reload";

/// The route, to be merged with the windows behind the guard.
pub fn routes(reload: Arc<dyn Reload>) -> Router {
    Router::new().route(PATH, post(answer)).with_state(reload)
}

async fn answer(State(reload): State<Arc<dyn Reload>>) -> Result<Response, ProblemResponse> {
    let reloaded = reload.reload().await?;
    let rebuilt: Vec<&str> = reloaded.rebuilt.iter().map(crate::domain::id::KpiId::as_str).collect();
    let body = json!({
        "catalog": reloaded.catalog,
        "changed": reloaded.sequence.is_some(),
        "sequence": reloaded.sequence.map(|sequence| sequence.0),
        "rebuilt": rebuilt,
    });
    Ok(Json(body).into_response())
}

impl From<ReloadError> for ProblemResponse {
    fn from(error: ReloadError) -> Self {
        let (status, title) = match &error {
            ReloadError::Wrong(_) => (StatusCode::UNPROCESSABLE_ENTITY, "wrong catalog"),
            ReloadError::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            ReloadError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
        };
        let detail = match error {
            ReloadError::Wrong(lines) => format!(
                "the catalog was not taken over, the one before goes on:\n{}",
                lines.join("\n")
            ),
            other => other.to_string(),
        };
        Self::new(status, title, detail)
    }
}
