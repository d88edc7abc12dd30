//! Errors of the HTTP interface as problem details (RFC 9457), `application/problem+json`.
//!
//! A status, a stable type, words and further members enter, JSON leaves. Which status fits is decided by the room that answers.

use serde::Serialize;
use serde_json::{Map, Value};

/// `{"type","title","status","detail",...}`
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Problem {
    #[serde(rename = "type")]
    kind: String,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(flatten)]
    members: Map<String, Value>,
}

impl Problem {
    /// Value of `Content-Type`.
    pub const MEDIA_TYPE: &str = "application/problem+json";

    /// A problem of the type `urn:kpid:problem:{kind}`; `title` is the same for all of a kind, `detail` says the thing, the
    /// value found and the remedy.
    pub fn new(status: u16, kind: &str, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            kind: format!("urn:kpid:problem:{kind}"),
            title,
            status,
            detail: detail.into(),
            members: Map::new(),
        }
    }

    /// Adds the fields of an object as extension members; those that a problem has already stay as they are.
    #[must_use]
    pub fn with(mut self, extension: &impl Serialize) -> Self {
        if let Ok(Value::Object(fields)) = serde_json::to_value(extension) {
            let free = |name: &str| !matches!(name, "type" | "title" | "status" | "detail");
            self.members.extend(fields.into_iter().filter(|(name, _)| free(name)));
        }
        self
    }

    /// HTTP status.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The body.
    pub fn json(&self) -> Vec<u8> {
        let mut body = Vec::new();
        let written = serde_json::to_writer(&mut body, self);
        debug_assert!(written.is_ok(), "writing into memory does not fail");
        body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_has_its_members_and_those_of_its_extension() {
        #[derive(Serialize)]
        struct Extension {
            accepted: u64,
            status: &'static str,
        }
        let extension = Extension {
            accepted: 0,
            status: "mine",
        };
        let problem = Problem::new(422, "nothing-taken", "Nothing was taken", "all 2 were rejected").with(&extension);
        let body: Value = serde_json::from_slice(&problem.json()).unwrap();
        let expected = serde_json::json!({
            "type": "urn:kpid:problem:nothing-taken", "title": "Nothing was taken", "status": 422,
            "detail": "all 2 were rejected", "accepted": 0,
        });
        assert_eq!((problem.status(), body), (422, expected));
    }
}
