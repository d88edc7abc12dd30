//! Alerts as JSON: lines of `--alerts`, CloudEvents on NATS, entries of the API.

use serde::Serialize;

use crate::domain::alert::{AlertTransition, AlertView};
use crate::domain::catalog::Target;
use crate::domain::id::InstanceId;

/// `{"id","rule","path","transition","at","since","severity","value","score","status"}`: a line of `kpid replay --alerts`.
#[derive(Debug, Serialize)]
pub struct AlertLine<'a> {
    id: &'a str,
    rule: &'a str,
    path: &'a str,
    transition: &'static str,
    at: String,
    since: String,
    severity: &'static str,
    value: Option<f64>,
    score: Option<f64>,
    status: Option<&'a str>,
}

impl<'a> AlertLine<'a> {
    /// The line of a transition.
    pub fn new(transition: &'a AlertTransition) -> Self {
        Self {
            id: &transition.id,
            rule: transition.rule.as_str(),
            path: &transition.path,
            transition: transition.kind.word(),
            at: transition.at.to_string(),
            since: transition.since.to_string(),
            severity: transition.severity.word(),
            value: transition.value,
            score: transition.score,
            status: transition.status.as_deref(),
        }
    }
}

/// Everything an alert says: `data` of the `CloudEvent`, event of the stream, entry of the API.
#[derive(Debug, Serialize)]
pub struct AlertBody<'a> {
    #[serde(flatten)]
    line: AlertLine<'a>,
    rule_version: &'a str,
    title: &'a str,
    owner: Option<&'a str>,
    unit: &'a str,
    target: Option<TargetBody>,
    status_before: Option<&'a str>,
    coverage: Option<f64>,
    contributors: Vec<ContributorBody<'a>>,
    detected_at: String,
    /// On `resolved`: from the onset to the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    duration_seconds: Option<f64>,
    sequence: u64,
    link: String,
}

/// A leaf's share in the loss.
#[derive(Debug, Serialize)]
struct ContributorBody<'a> {
    path: &'a str,
    score: f64,
    share: f64,
}

/// One number, or the two ends of a range.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(untagged)]
pub enum TargetBody {
    /// At least, or at most.
    Value(f64),
    /// Between.
    Range([f64; 2]),
}

impl From<Target> for TargetBody {
    fn from(target: Target) -> Self {
        match target {
            Target::Value(value) => Self::Value(value),
            Target::Range(low, high) => Self::Range([low, high]),
        }
    }
}

impl<'a> AlertBody<'a> {
    /// The body of a transition. `base_url` is where the dashboard is, without a slash at its end.
    pub fn new(transition: &'a AlertTransition, base_url: &str) -> Self {
        use crate::domain::alert::TransitionKind;
        let duration = transition.at.since(transition.since) as f64 / 1000.0;
        Self {
            line: AlertLine::new(transition),
            rule_version: &transition.rule_version,
            title: &transition.title,
            owner: transition.owner.as_deref(),
            unit: &transition.unit,
            target: transition.target.map(TargetBody::from),
            status_before: transition.status_before.as_deref(),
            coverage: transition.coverage,
            contributors: transition.contributors.iter().map(ContributorBody::new).collect(),
            detected_at: transition.detected_at.to_string(),
            duration_seconds: (transition.kind == TransitionKind::Resolved).then_some(duration),
            sequence: transition.sequence.0,
            link: format!("{base_url}{}", node_link(&transition.path)),
        }
    }
}

impl<'a> ContributorBody<'a> {
    fn new(contributor: &'a crate::domain::alert::Contributor) -> Self {
        Self {
            path: &contributor.path,
            score: contributor.score,
            share: contributor.share,
        }
    }
}

/// Where the dashboard shows a node: `/scorecards/{id}?instance=...#{path}`.
pub fn node_link(path: &str) -> String {
    let root = path.split('/').next().unwrap_or_default();
    match root.split_once('@') {
        Some((scorecard, instance)) => {
            let name = InstanceId::from_path(instance);
            let name = name.as_ref().map_or(instance, InstanceId::as_str);
            format!("/scorecards/{scorecard}?instance={}#{path}", encode(name))
        }
        None => format!("/scorecards/{root}#{path}"),
    }
}

fn hex(digit: u8) -> char {
    char::from_digit(u32::from(digit), 16).map_or('0', |digit| digit.to_ascii_uppercase())
}

/// Percent-encodes all but unreserved characters (RFC 3986).
fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            _ => out.extend(['%', hex(byte >> 4), hex(byte & 15)]),
        }
    }
    out
}

/// A pending or firing alert as the API lists it.
#[derive(Debug, Serialize)]
pub struct AlertViewBody<'a> {
    id: &'a str,
    rule: &'a str,
    path: &'a str,
    title: &'a str,
    state: &'static str,
    since: String,
    fired_at: Option<String>,
    severity: &'static str,
    value: Option<f64>,
    unit: &'a str,
    score: Option<f64>,
    status: Option<&'a str>,
}

impl<'a> AlertViewBody<'a> {
    /// The entry of an alert.
    pub fn new(view: &'a AlertView) -> Self {
        Self {
            id: &view.id,
            rule: view.rule.as_str(),
            path: &view.path,
            title: &view.title,
            state: view.phase.word(),
            since: view.since.to_string(),
            fired_at: view.fired_at.map(|instant| instant.to_string()),
            severity: view.severity.word(),
            value: view.value,
            unit: &view.unit,
            score: view.score,
            status: view.status.as_deref(),
        }
    }
}
