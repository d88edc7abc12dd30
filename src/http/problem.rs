//! Problem details (RFC 9457): how every refusal of the windows looks.
//!
//! A status and words enter, `application/problem+json` leaves. The words name the thing, the value found and the remedy.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::ports::QueryError;
use crate::wire::problem::Problem;

/// What cannot be answered now may be asked again so soon: a question about the past takes about that long.
const RETRY_AFTER_SECONDS: &str = "1";

/// A refusal: an answer like any other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProblemResponse {
    /// The HTTP status.
    pub status: StatusCode,
    /// The kind of problem in a few words, the same for every occurrence.
    pub title: &'static str,
    /// The thing, the value found and the remedy.
    pub detail: String,
}

impl ProblemResponse {
    /// A problem of a status.
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            status,
            title,
            detail: detail.into(),
        }
    }

    /// 404: there is no such thing.
    pub fn unknown(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not found", detail)
    }

    /// 400: a parameter that cannot be meant.
    pub fn parameter(name: &str, found: &str, remedy: &str) -> Self {
        let found: String = found.chars().take(64).collect();
        Self::new(
            StatusCode::BAD_REQUEST,
            "bad parameter",
            format!("parameter `{name}`: found `{found}`: {remedy}"),
        )
    }
}

impl From<QueryError> for ProblemResponse {
    fn from(error: QueryError) -> Self {
        let detail = error.to_string();
        match error {
            QueryError::Unknown(_) => Self::unknown(detail),
            QueryError::Busy(_) => Self::new(StatusCode::SERVICE_UNAVAILABLE, "busy with the past", detail),
            QueryError::Unanswerable(_) => Self::new(StatusCode::UNPROCESSABLE_ENTITY, "cannot be answered", detail),
            QueryError::Failed(_) => Self::new(StatusCode::INTERNAL_SERVER_ERROR, "past not readable", detail),
            QueryError::Closed => Self::new(StatusCode::SERVICE_UNAVAILABLE, "shutting down", detail),
        }
    }
}

impl IntoResponse for ProblemResponse {
    fn into_response(self) -> Response {
        let kind = self.title.replace(' ', "-").to_ascii_lowercase();
        let body = Problem::new(self.status.as_u16(), &kind, self.title, self.detail).json();
        let mut response = (self.status, [(header::CONTENT_TYPE, Problem::MEDIA_TYPE)], body).into_response();
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            let headers = response.headers_mut();
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static(RETRY_AFTER_SECONDS));
        }
        response
    }
}
