//! CloudEvents 1.0 that leave: alert transitions, structured JSON.
//!
//! A transition enters, an envelope leaves that serde can write. Ids are those of the transitions, so that a receiver
//! can drop repetitions; the incoming side is `cloudevents`.

use serde::{Deserialize, Serialize};

use super::alert::AlertBody;
use crate::domain::alert::{AlertTransition, TransitionKind};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;

/// Media type of structured CloudEvents.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// `{"specversion":"1.0","id","source","type","subject","time","datacontenttype","data"}`.
#[derive(Debug, Serialize)]
pub struct AlertEvent<'a> {
    specversion: &'static str,
    id: &'a str,
    source: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    subject: &'a str,
    time: String,
    datacontenttype: &'static str,
    data: AlertBody<'a>,
}

impl<'a> AlertEvent<'a> {
    /// The event of a transition: `source` is `kpid/<name>`, `base_url` where the dashboard is.
    pub fn new(transition: &'a AlertTransition, source: &'a str, base_url: &str) -> Self {
        Self {
            specversion: "1.0",
            id: &transition.id,
            source,
            kind: event_type(transition.kind),
            subject: &transition.path,
            time: transition.at.to_string(),
            datacontenttype: "application/json",
            data: AlertBody::new(transition, base_url),
        }
    }
}

/// When the transition of an event was decided, and the journal position that it rests on; `None` where the bytes are not an
/// event of ours.
pub fn decided(event: &[u8]) -> Option<(Instant, Sequence)> {
    let DecidedEvent { time, data } = serde_json::from_slice(event).ok()?;
    Some((Instant::parse(&time).ok()?, Sequence(data.sequence)))
}

/// As much of an event as says when it was decided.
#[derive(Deserialize)]
struct DecidedEvent {
    time: String,
    data: DecidedData,
}

#[derive(Deserialize)]
struct DecidedData {
    sequence: u64,
}

fn event_type(kind: TransitionKind) -> &'static str {
    match kind {
        TransitionKind::Firing => "kpid.alert.firing.v1",
        TransitionKind::Repeated => "kpid.alert.repeated.v1",
        TransitionKind::Resolved => "kpid.alert.resolved.v1",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Severity;
    use crate::domain::id::Slug;

    #[test]
    fn an_alert_leaves_as_a_structured_event() {
        let transition = AlertTransition {
            id: "0f".to_owned(),
            rule: Slug::parse("csat-low").unwrap(),
            rule_version: "a1".to_owned(),
            path: "it/customer".into(),
            kind: TransitionKind::Resolved,
            at: Instant(60_000),
            since: Instant(0),
            detected_at: Instant(60_000),
            sequence: Sequence(7),
            title: "Customer".to_owned(),
            owner: None,
            severity: Severity::Critical,
            value: None,
            unit: String::new(),
            target: None,
            score: Some(76.0),
            status: Some("green".into()),
            status_before: None,
            coverage: Some(1.0),
            contributors: Vec::new(),
        };
        let event = serde_json::to_value(AlertEvent::new(&transition, "kpid/main", "http://kpi")).unwrap();
        for (field, value) in [
            ("specversion", "1.0"),
            ("id", "0f"),
            ("source", "kpid/main"),
            ("type", "kpid.alert.resolved.v1"),
            ("subject", "it/customer"),
            ("time", "1970-01-01T00:01:00Z"),
            ("datacontenttype", "application/json"),
        ] {
            assert_eq!(event[field], value, "{field}");
        }
        assert_eq!(
            decided(event.to_string().as_bytes()),
            Some((Instant(60_000), Sequence(7)))
        );
        assert_eq!(decided(b"hello"), None);
        assert_eq!(event["data"]["duration_seconds"], 60.0);
        assert_eq!(
            event["data"]["link"],
            "http://kpi/scorecards/it/explain?node=it/customer&to=1970-01-01T00:01:00Z"
        );
    }
}
