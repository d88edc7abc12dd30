//! Batches to a daemon over HTTP, each answered with what became of it.

use std::time::Duration;

use serde_json::Value;
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::wire::measurement::ReceiptBody;

use super::delivery::{Answer, Failure};

/// Longest wait for an answer: a daemon under load makes its senders wait.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(1);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// The variable that holds the daemon's token, the same as for the daemon itself.
const TOKEN_VARIABLE: &str = "KPID_HTTP__TOKEN";

/// A daemon's door.
pub(super) struct HttpDestination {
    agent: Agent,
    url: String,
    token: Option<String>,
}

impl HttpDestination {
    pub(super) fn at(server: &str) -> Self {
        let config = Agent::config_builder()
            .timeout_connect(Some(CONNECT_TIMEOUT))
            .timeout_global(Some(ANSWER_TIMEOUT))
            .http_status_as_error(false);
        // A proxy cannot reach this machine's own loopback.
        let local = ["://127.", "://localhost", "://[::1]"];
        let config = if local.iter().any(|host| server.contains(host)) {
            config.proxy(None)
        } else {
            config
        };
        Self {
            agent: Agent::new_with_config(config.build()),
            url: format!("{}/api/v1/measurements", server.trim_end_matches('/')),
            token: std::env::var(TOKEN_VARIABLE).ok().filter(|token| !token.is_empty()),
        }
    }

    /// Sends NDJSON and waits until it is durable.
    pub(super) fn send(&self, body: &[u8]) -> Result<Answer, Failure> {
        let mut request = self.agent.post(&self.url).content_type("application/x-ndjson");
        if let Some(token) = &self.token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        match request.send(body) {
            Ok(response) => answer_of(response),
            Err(error @ (ureq::Error::BadUri(_) | ureq::Error::Http(_))) => Err(Failure::Never(error.to_string())),
            Err(error) => Err(Failure::Later(error.to_string(), None)),
        }
    }
}

fn answer_of(mut response: Response<Body>) -> Result<Answer, Failure> {
    let status = response.status().as_u16();
    let after = response
        .headers()
        .get("retry-after")
        .and_then(|value| value.to_str().ok());
    let after = after.and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let body = response.body_mut().with_config().limit(u64::MAX).read_to_string();
    let body = body.map_err(|error| Failure::Later(format!("the answer broke off: {error}"), None))?;
    match (status, serde_json::from_str::<ReceiptBody>(&body)) {
        (200 | 422, Ok(receipt)) => Ok(Answer::Receipt(receipt)),
        (408 | 429 | 500..=599, _) => Err(Failure::Later(words_of(status, &body), after)),
        (401 | 403, _) => Err(Failure::Never(format!(
            "{}: put its token into the variable {TOKEN_VARIABLE}",
            words_of(status, &body)
        ))),
        (413, _) => Err(Failure::Never(format!(
            "{}: use a smaller --batch",
            words_of(status, &body)
        ))),
        _ => Err(Failure::Never(words_of(status, &body))),
    }
}

/// The words of a problem document beside the bare status.
fn words_of(status: u16, body: &str) -> String {
    let problem: Value = serde_json::from_str(body).unwrap_or_default();
    let words = ["detail", "title"].iter().find_map(|key| problem.get(key)?.as_str());
    match words {
        Some(words) => format!("it answered {status}, {words}"),
        None => format!("it answered {status}"),
    }
}
