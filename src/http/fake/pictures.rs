//! Pictures of the fake house, made from values alone.

use std::sync::Arc;

use super::NOW;
use super::definitions::value_of;
use crate::domain::board::{Board, IncludedView, NodeView, Note, Picture};
use crate::domain::catalog::{KpiDefinition, NodeKind, Scorecard, Scoring};
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use crate::domain::reading::{Absence, Reading, Trend};

/// The picture of a scorecard from values alone.
pub(super) fn picture(
    card: &Scorecard,
    instance: Option<InstanceId>,
    at: Instant,
    value: &dyn Fn(&str) -> Option<f64>,
) -> Picture {
    let root = match &instance {
        Some(instance) => format!("{}@{instance}", card.id),
        None => card.id.to_string(),
    };
    let mut nodes = vec![blank(&root, NodeKind::Scorecard, &card.title)];
    for (index, perspective) in card.perspectives.iter().enumerate() {
        let path = format!("{root}/{}", perspective.id);
        let at_perspective = add(&mut nodes, 0, blank(&path, NodeKind::Perspective, &perspective.title));
        for (number, objective) in card
            .objectives
            .iter()
            .enumerate()
            .filter(|(_, o)| o.perspective == index)
        {
            let path = format!("{path}/{}", objective.id);
            let at_objective = add(
                &mut nodes,
                at_perspective,
                blank(&path, NodeKind::Objective, &objective.title),
            );
            for kpi in card.kpis.iter().filter(|kpi| kpi.objective == number) {
                add(&mut nodes, at_objective, leaf(&path, kpi, value(kpi.id.as_str())));
            }
        }
    }
    for index in (0..nodes.len()).rev() {
        roll_up(&mut nodes, index);
    }
    decorate(&mut nodes);
    Picture {
        scorecard: card.id.clone(),
        instance,
        at,
        sequence: Sequence(4711),
        nodes,
    }
}

fn add(nodes: &mut Vec<NodeView>, parent: usize, node: NodeView) -> usize {
    let index = nodes.len();
    nodes[parent].children.push(index as u32);
    nodes.push(node);
    index
}

fn blank(path: &str, kind: NodeKind, title: &str) -> NodeView {
    NodeView {
        path: path.into(),
        kind,
        title: title.into(),
        weight: 1.0,
        reading: Reading::nothing(),
        trend: None,
        children: Vec::new(),
        unit: "".into(),
        target: None,
        included: Vec::new(),
        note: None,
    }
}

fn leaf(path: &str, kpi: &KpiDefinition, value: Option<f64>) -> NodeView {
    let mut node = blank(&format!("{path}/{}", kpi.id), NodeKind::Kpi, &kpi.title);
    let version = &kpi.versions[0].value;
    node.unit = kpi.unit.as_str().into();
    node.target = version.target;
    if let (Some(value), Scoring::Curve(curve)) = (value, &version.scoring) {
        let score = curve.score(value);
        node.reading = Reading {
            value: Some(value),
            score: Some(score),
            status: Some(status(score)),
            absence: None,
            coverage: Some(1.0),
            count: 420,
            observed_at: Some(NOW.plus_ms(-35 * MINUTE_MS)),
            fresh: true,
            provisional: false,
            restated: false,
            worst: Some((Arc::clone(&node.path), score)),
            red: u32::from(score < 50.0),
        };
        node.trend = Some(Trend::between(curve.score(value * 0.94), score, Some(value * 0.94)));
    }
    node
}

fn status(score: f64) -> Arc<str> {
    match score {
        75.0.. => "green".into(),
        50.0.. => "amber".into(),
        _ => "red".into(),
    }
}

fn roll_up(nodes: &mut [NodeView], index: usize) {
    if nodes[index].kind == NodeKind::Kpi {
        return;
    }
    let children: Vec<NodeView> = nodes[index]
        .children
        .iter()
        .map(|&child| nodes[child as usize].clone())
        .collect();
    let scores: Vec<f64> = children.iter().filter_map(|child| child.reading.score).collect();
    let worst = children.iter().filter_map(|child| child.reading.worst.clone());
    let worst = worst.min_by(|a, b| a.1.total_cmp(&b.1));
    let coverage: f64 = children.iter().filter_map(|child| child.reading.coverage).sum();
    let node = &mut nodes[index];
    node.reading.coverage = Some(coverage / children.len() as f64);
    node.reading.red = children.iter().map(|child| child.reading.red).sum();
    node.reading.worst = worst;
    node.reading.fresh = true;
    if !scores.is_empty() {
        let score = scores.iter().sum::<f64>() / scores.len() as f64;
        node.reading.score = Some(score);
        node.reading.status = Some(status(score));
        node.reading.absence = None;
        node.trend = Some(Trend::between(score - 2.2, score, None));
    }
}

/// What only some nodes have: a stale one, a provisional one, a restated one, a note, a paused one, included nodes.
fn decorate(nodes: &mut [NodeView]) {
    for node in nodes {
        let id = node.path.rsplit('/').next().unwrap_or_default().to_owned();
        match id.as_str() {
            "it.csat" => {
                node.note = Some(Note {
                    text: "after the outage of the mail gateway".into(),
                    by: Some("Anna".into()),
                    observed_at: NOW.plus_ms(-HOUR_MS),
                });
            }
            "it.training-hours" => {
                node.reading.fresh = false;
                node.reading.observed_at = Some(NOW.plus_ms(-9 * DAY_MS));
            }
            "it.cost-per-user" => node.reading.provisional = true,
            "it.reopen" => node.reading.restated = true,
            "it.deploys" => {
                node.reading.score = None;
                node.reading.status = None;
                node.trend = None;
                node.reading.absence = Some(Absence::Paused);
                node.reading.coverage = None;
            }
            "sound" => {
                node.included = vec![IncludedView {
                    path: "it/process".into(),
                    title: "Process".into(),
                    weight: 1.0,
                    score: Some(66.0),
                    status: Some("amber".into()),
                }];
            }
            _ => {}
        }
    }
}

/// A picture of the past: the same scorecard with a slow wave over its values.
pub(super) fn past(board: &Board, now: &Picture, at: Instant) -> Picture {
    let card = board.catalog.scorecard(now.scorecard.as_str()).unwrap();
    let days = NOW.since(at) as f64 / DAY_MS as f64;
    let value = |kpi: &str| {
        let phase = kpi.len() as f64;
        let wave = 1.0 - 0.004 * days + 0.06 * ((days + phase) * 0.7).sin() - 0.06 * (phase * 0.7).sin();
        value_of(kpi).map(|value| value * wave)
    };
    let mut picture = picture(card, now.instance.clone(), at, &value);
    for (node, present) in picture.nodes.iter_mut().zip(&now.nodes) {
        node.title = Arc::clone(&present.title);
    }
    picture
}
