//! Restatements as JSON.
//!
//! A restatement enters; one object leaves, the instants ascending and the nodes of each in the order of the tree. What is not
//! there is `null` and has its reason in `absence`; numbers are never rounded here.

use serde::Serialize;

use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::reading::Absence;
use crate::domain::restatement::{RestatedInstant, RestatedNode, Restatement, Said, Share};

/// The answer of `restatement`.
#[derive(Debug, Serialize)]
pub struct RestatementBody<'a> {
    scorecard: &'a str,
    instance: Option<&'a str>,
    from: String,
    to: String,
    sequence: u64,
    catalog: &'a str,
    compared: usize,
    unpublished: usize,
    open: usize,
    restated: Vec<InstantBody<'a>>,
}

/// One instant of which something else is said now.
#[derive(Debug, Serialize)]
struct InstantBody<'a> {
    at: String,
    sequence: u64,
    catalog: &'a str,
    nodes: Vec<NodeBody<'a>>,
}

/// One node.
#[derive(Debug, Serialize)]
struct NodeBody<'a> {
    path: &'a str,
    kind: &'static str,
    title: &'a str,
    unit: &'a str,
    then: Option<SaidBody<'a>>,
    now: Option<SaidBody<'a>>,
    change: Option<f64>,
    value_change: Option<f64>,
    causes: Vec<ShareBody>,
}

/// What it said.
#[derive(Debug, Serialize)]
struct SaidBody<'a> {
    value: Option<f64>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
}

/// What one cause did.
#[derive(Debug, Serialize)]
struct ShareBody {
    cause: &'static str,
    points: Option<f64>,
    value: Option<f64>,
    count: u64,
    sequences: Vec<u64>,
}

impl<'a> RestatementBody<'a> {
    /// From a restatement of the instants between two, both included.
    pub fn new(told: &'a Restatement, (from, to): (Instant, Instant)) -> Self {
        Self {
            scorecard: told.scorecard.as_str(),
            instance: told.instance.as_ref().map(InstanceId::as_str),
            from: from.to_string(),
            to: to.to_string(),
            sequence: told.sequence.0,
            catalog: &told.fingerprint,
            compared: told.compared,
            unpublished: told.unpublished,
            open: told.open,
            restated: told.restated.iter().map(InstantBody::new).collect(),
        }
    }
}

impl<'a> InstantBody<'a> {
    fn new(one: &'a RestatedInstant) -> Self {
        Self {
            at: one.at.to_string(),
            sequence: one.sequence.0,
            catalog: &one.fingerprint,
            nodes: one.nodes.iter().map(NodeBody::new).collect(),
        }
    }
}

impl<'a> NodeBody<'a> {
    fn new(node: &'a RestatedNode) -> Self {
        let [then, now] = node.said.each_ref().map(|said| said.as_ref().map(SaidBody::new));
        Self {
            path: &node.path,
            kind: node.kind.word(),
            title: &node.title,
            unit: &node.unit,
            then,
            now,
            change: node.points(),
            value_change: node.value(),
            causes: node.causes.iter().map(ShareBody::new).collect(),
        }
    }
}

impl<'a> SaidBody<'a> {
    fn new(said: &'a Said) -> Self {
        Self {
            value: said.value,
            score: said.score,
            status: said.status.as_deref(),
            absence: said.absence.map(Absence::word),
        }
    }
}

impl ShareBody {
    fn new(share: &Share) -> Self {
        let number = |sequence: &Sequence| sequence.0;
        Self {
            cause: share.cause.word(),
            points: share.points,
            value: share.value,
            count: share.count,
            sequences: share.sequences.iter().map(number).collect(),
        }
    }
}
