//! `POST /api/v1/what-if`: what scores and alerts would have been under other definitions, over the same history.
//!
//! A catalog enters in the body, what differs leaves. Nothing is taken over, written or published; definitions that are wrong
//! are answered with every problem, each with file, line and remedy. It may take long, so that the guard waits longer for it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde::Serialize;

use super::problem::ProblemResponse;
use crate::ports::{WhatIf, WhatIfError, WhatIfQuestion};
use crate::wire::catalog;
use crate::wire::problem::Problem;
use crate::wire::what_if::{CatalogProblemBody, Extent, WhatIfBody, WhatIfQuestionBody};

/// Where it is asked.
pub const PATH: &str = "/api/v1/what-if";
/// Longest body: a catalog of two thousand KPIs has about one MiB.
pub const BODY_LEN_MAX: usize = 2 << 20;
/// Longest wait for an answer: ten minutes fold some hundred million facts twice. For more there is `kpid replay --diff`.
pub const TIME_MAX: Duration = Duration::from_mins(10);
/// When to come back while another comparison runs.
const RETRY_AFTER_SECONDS: u64 = 10;

#[derive(Clone)]
struct Door {
    what_if: Arc<dyn WhatIf>,
    /// For the body to arrive.
    body_time_max: Duration,
}

/// The route, to be merged with the windows behind the guard.
pub fn routes(what_if: Arc<dyn WhatIf>, body_time_max: Duration) -> Router {
    let door = Door { what_if, body_time_max };
    Router::new().route(PATH, post(answer)).with_state(door)
}

/// Everything that is wrong with a catalog.
#[derive(Serialize)]
struct Problems<'a> {
    problems: Vec<CatalogProblemBody<'a>>,
}

async fn answer(State(door): State<Door>, headers: HeaderMap, body: Body) -> Result<Response, Response> {
    let body = door.body(&headers, body).await.map_err(IntoResponse::into_response)?;
    let bad = |words: String| ProblemResponse::new(StatusCode::BAD_REQUEST, "bad question", words).into_response();
    let question = WhatIfQuestionBody::read(&body).map_err(bad)?;
    let (from, to) = question.range().map_err(bad)?;
    let files = question.files();
    if let Err(problems) = catalog::parse(&files) {
        return Err(wrong(&problems));
    }
    let question = WhatIfQuestion { files, from, to };
    let answer = door.what_if.compare(question).await.map_err(|error| refused(&error))?;
    let extent = Extent {
        from,
        at: answer.at,
        sequence: answer.sequence,
    };
    let fingerprints = crate::domain::comparison::Sides {
        base: answer.catalogs.base.as_str(),
        other: answer.catalogs.other.as_str(),
    };
    let body = WhatIfBody::new(&answer.compared, fingerprints, extent);
    Ok(axum::Json(body).into_response())
}

impl Door {
    async fn body(&self, headers: &HeaderMap, body: Body) -> Result<Bytes, ProblemResponse> {
        let found = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
        let essence = found.map(|kind| kind.split(';').next().unwrap_or_default().trim());
        if !essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json")) {
            let found = found.unwrap_or("none");
            let detail = format!("media type `{found}` is not taken here: send `content-type: application/json`");
            let status = StatusCode::UNSUPPORTED_MEDIA_TYPE;
            return Err(ProblemResponse::new(status, "unsupported media type", detail));
        }
        let read = tokio::time::timeout(self.body_time_max, axum::body::to_bytes(body, BODY_LEN_MAX)).await;
        match read {
            Ok(Ok(body)) => Ok(body),
            Ok(Err(error)) => {
                let detail =
                    format!("{error}: a body of definitions has at most {BODY_LEN_MAX} bytes, and arrives whole");
                Err(ProblemResponse::new(StatusCode::PAYLOAD_TOO_LARGE, "too large", detail))
            }
            Err(_) => {
                let detail = format!(
                    "the body did not arrive within {:?}: send it faster",
                    self.body_time_max
                );
                Err(ProblemResponse::new(StatusCode::REQUEST_TIMEOUT, "too slow", detail))
            }
        }
    }
}

/// 422 with every problem, in words and as data.
fn wrong(problems: &[catalog::Problem]) -> Response {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let detail = format!("nothing was compared, the definitions are wrong:\n{}", lines.join("\n"));
    let body = Problems {
        problems: problems.iter().map(CatalogProblemBody::new).collect(),
    };
    let status = StatusCode::UNPROCESSABLE_ENTITY;
    let problem = Problem::new(status.as_u16(), "wrong-catalog", "wrong catalog", detail).with(&body);
    (status, [(header::CONTENT_TYPE, Problem::MEDIA_TYPE)], problem.json()).into_response()
}

fn refused(error: &WhatIfError) -> Response {
    let (status, title) = match error {
        WhatIfError::Busy { .. } => (StatusCode::SERVICE_UNAVAILABLE, "busy"),
        WhatIfError::Closed => (StatusCode::SERVICE_UNAVAILABLE, "shutting down"),
        WhatIfError::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "not compared"),
    };
    let is_busy = matches!(error, WhatIfError::Busy { .. });
    let mut response = ProblemResponse::new(status, title, error.to_string()).into_response();
    if is_busy {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, RETRY_AFTER_SECONDS.into());
    }
    response
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use futures_util::future::BoxFuture;
    use tower::ServiceExt;

    use super::*;
    use crate::ports::WhatIfAnswer;

    /// Somebody else is being answered.
    struct Occupied;

    impl WhatIf for Occupied {
        fn compare(&self, question: WhatIfQuestion) -> BoxFuture<'_, Result<WhatIfAnswer, WhatIfError>> {
            assert_eq!(question.files.len(), 1);
            Box::pin(async { Err(WhatIfError::Busy { at_once: 1 }) })
        }
    }

    async fn asked(media_type: &str, body: &str) -> Response {
        let routes = routes(Arc::new(Occupied), Duration::from_secs(5));
        let request = Request::post(PATH).header(header::CONTENT_TYPE, media_type);
        routes
            .oneshot(request.body(Body::from(body.to_owned())).unwrap())
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn a_second_question_is_told_when_to_come_back() {
        let text = "[scorecard]\nid = 'a'\n[[perspective]]\nid = 'p'\n[[objective]]\nid = 'o'\nperspective = 'p'\n\
            [[kpi]]\nid = 'k'\nobjective = 'o'\naggregate = 'mean'\nwindow = { all = true }\n";
        let body = serde_json::json!({"files": [{"name": "a.toml", "text": text}]}).to_string();
        let busy = asked("application/json; charset=utf-8", &body).await;
        assert_eq!(busy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(busy.headers().get(header::RETRY_AFTER).unwrap(), "10");
    }

    #[tokio::test]
    async fn what_a_page_of_a_stranger_can_send_is_refused() {
        for media_type in ["text/plain", "application/x-www-form-urlencoded"] {
            let refused = asked(media_type, "{}").await;
            assert_eq!(refused.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE, "{media_type}");
        }
        assert_eq!(asked("application/json", "{}").await.status(), StatusCode::BAD_REQUEST);
        let none = asked("application/json", r#"{"files":[]}"#).await;
        assert_eq!(
            none.status(),
            StatusCode::UNPROCESSABLE_ENTITY,
            "a catalog without files is wrong"
        );
    }
}
