//! `POST /api/v1/journal/trim`: drops the journal's beginning, as far as nothing needs it.
//!
//! A wish enters (`{"before": INSTANT}`, `{"keep_bytes": N}`, or both), what was dropped leaves, and why no more was.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::problem::ProblemResponse;
use crate::domain::instant::Instant;
use crate::ports::{Retention, RetentionError, TrimOutcome, TrimWish};

/// Where it is asked.
pub const PATH: &str = "/api/v1/journal/trim";

/// The route, to be merged with the windows behind the guard.
pub fn routes(retention: Arc<dyn Retention>) -> Router {
    Router::new().route(PATH, post(answer)).with_state(retention)
}

async fn answer(
    State(retention): State<Arc<dyn Retention>>,
    Json(body): Json<Value>,
) -> Result<Response, ProblemResponse> {
    let wish = wish(&body)
        .map_err(|detail| ProblemResponse::new(StatusCode::BAD_REQUEST, "not a wish that can be granted", detail))?;
    let outcome = retention.trim(wish).await?;
    Ok(Json(shown(&outcome)).into_response())
}

/// An outcome as it is answered.
fn shown(outcome: &TrimOutcome) -> Value {
    json!({
        "up_to": outcome.up_to.map(|sequence| sequence.0),
        "sequence": outcome.sequence.map(|sequence| sequence.0),
        "segments": outcome.segments,
        "bytes": outcome.bytes,
        "held": outcome.held,
    })
}

fn wish(body: &Value) -> Result<TrimWish, String> {
    let fields = body
        .as_object()
        .ok_or("give an object with `before`, `keep_bytes`, or both")?;
    let mut wish = TrimWish::default();
    for (name, value) in fields {
        match (name.as_str(), value) {
            ("before", Value::String(text)) => {
                wish.before = Some(Instant::parse(text).map_err(|error| error.to_string())?);
            }
            ("keep_bytes", Value::Number(number)) if number.is_u64() => wish.keep_bytes = number.as_u64(),
            ("before" | "keep_bytes", other) => {
                return Err(format!("`{name}` is {other}: give an instant, or a number of bytes"));
            }
            (other, _) => return Err(format!("`{other}` is not known: give `before`, `keep_bytes`, or both")),
        }
    }
    if wish == TrimWish::default() {
        return Err("nothing is asked for: give `before`, `keep_bytes`, or both".to_owned());
    }
    Ok(wish)
}

impl From<RetentionError> for ProblemResponse {
    fn from(error: RetentionError) -> Self {
        let (status, title) = match &error {
            RetentionError::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "not trimmed"),
            RetentionError::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not ready"),
            RetentionError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
        };
        Self::new(status, title, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wish_is_an_instant_a_size_or_both_and_nothing_else() {
        let both = wish(&json!({"before": "2026-03-01T10:00:00Z", "keep_bytes": 7})).unwrap();
        assert_eq!(both.before, Some(Instant(1_772_359_200_000)));
        assert_eq!(both.keep_bytes, Some(7));
        for (body, words) in [
            (json!({}), "nothing is asked for"),
            (json!([]), "give an object"),
            (json!({"before": 5}), "`before` is 5"),
            (json!({"keep_bytes": -1}), "`keep_bytes` is -1"),
            (json!({"after": "x"}), "`after` is not known"),
            (json!({"before": "yesterday"}), "`yesterday` is not an instant"),
        ] {
            let said = wish(&body).unwrap_err();
            assert!(said.contains(words), "{said}");
        }
    }
}
