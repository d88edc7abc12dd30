//! The strategy map as JSON.

use serde::Serialize;

use super::scorecard::duration_word;
use crate::domain::board::{NodeView, Picture};
use crate::domain::catalog::{NodeKind, Scorecard};
use crate::domain::instant::Instant;
use crate::domain::reading::Absence;
use crate::domain::strategy::Arrow;

/// A scorecard with its arrows and the past that they were judged by.
pub struct StrategyMap<'a> {
    /// The definition.
    pub scorecard: &'a Scorecard,
    /// What it says now.
    pub picture: &'a Picture,
    /// First and last instant of the past.
    pub range: (Instant, Instant),
    /// Step, ms.
    pub every_ms: i64,
    /// In catalog order.
    pub arrows: Vec<Arrow>,
}

/// The answer of `strategy`.
#[derive(Debug, Serialize)]
pub struct StrategyBody<'a> {
    scorecard: &'a str,
    instance: Option<&'a str>,
    from: String,
    to: String,
    every: String,
    sequence: u64,
    perspectives: Vec<PerspectiveBody<'a>>,
    arrows: Vec<ArrowBody<'a>>,
}

/// A row of the map.
#[derive(Debug, Serialize)]
struct PerspectiveBody<'a> {
    #[serde(flatten)]
    node: NodeBody<'a>,
    objectives: Vec<NodeBody<'a>>,
}

/// A node and how it is.
#[derive(Debug, Serialize)]
struct NodeBody<'a> {
    path: &'a str,
    title: &'a str,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
}

/// A belief and what the history shows of it.
#[derive(Debug, Serialize)]
struct ArrowBody<'a> {
    from: &'a str,
    to: &'a str,
    lag: Option<String>,
    coefficient: Option<f64>,
    points: usize,
    effective_points: f64,
    verdict: &'static str,
}

impl<'a> StrategyMap<'a> {
    /// Perspectives with their objectives, as the picture has them.
    pub fn rows(&self) -> impl Iterator<Item = (&'a NodeView, Vec<&'a NodeView>)> {
        let nodes = &self.picture.nodes;
        let rows = nodes.iter().filter(|node| node.kind == NodeKind::Perspective);
        rows.map(move |row| {
            let below = row.children.iter().filter_map(|child| nodes.get(*child as usize));
            (row, below.collect())
        })
    }

    /// The node of an objective by its index in the catalog.
    pub fn objective(&self, index: usize) -> Option<&'a NodeView> {
        let objective = self.scorecard.objectives.get(index)?;
        let perspective = self.scorecard.perspectives.get(objective.perspective)?;
        let end = format!("/{}/{}", perspective.id, objective.id);
        let mut objectives = self
            .picture
            .nodes
            .iter()
            .filter(|node| node.kind == NodeKind::Objective);
        objectives.find(|node| node.path.ends_with(&end))
    }
}

impl<'a> StrategyBody<'a> {
    /// From the map.
    pub fn new(map: &StrategyMap<'a>) -> Self {
        let arrow = |arrow: &Arrow| {
            let found = &arrow.correlation;
            let lag_ms = map.every_ms.saturating_mul(found.lag as i64);
            Some(ArrowBody {
                from: &map.objective(arrow.from)?.path,
                to: &map.objective(arrow.to)?.path,
                lag: found.coefficient.map(|_| lag_word(lag_ms)),
                coefficient: found.coefficient,
                points: found.points,
                effective_points: found.effective,
                verdict: found.verdict.words(),
            })
        };
        Self {
            scorecard: map.picture.scorecard.as_str(),
            instance: map.picture.instance.as_ref().map(crate::domain::id::InstanceId::as_str),
            from: map.range.0.to_string(),
            to: map.range.1.to_string(),
            every: duration_word(map.every_ms),
            sequence: map.picture.sequence.0,
            perspectives: map
                .rows()
                .map(|(node, objectives)| PerspectiveBody {
                    node: NodeBody::new(node),
                    objectives: objectives.into_iter().map(NodeBody::new).collect(),
                })
                .collect(),
            arrows: map.arrows.iter().filter_map(arrow).collect(),
        }
    }
}

/// `5d`, and `0d` for none.
fn lag_word(lag_ms: i64) -> String {
    if lag_ms == 0 {
        "0d".to_owned()
    } else {
        duration_word(lag_ms)
    }
}

impl<'a> NodeBody<'a> {
    fn new(node: &'a NodeView) -> Self {
        Self {
            path: &node.path,
            title: &node.title,
            score: node.reading.score,
            status: node.reading.status.as_deref(),
            absence: node.reading.absence.map(Absence::word),
        }
    }
}
