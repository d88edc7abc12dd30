//! Changes of the fake house: what its pictures of two instants differ by, and two measurements that moved them.

use std::sync::Arc;

use super::NOW;
use super::pictures::past;
use crate::domain::board::{Board, NodeView, Picture};
use crate::domain::catalog::{NodeKind, RollUp};
use crate::domain::explain::{Below, Tree, split};
use crate::domain::id::{Sequence, root_of};
use crate::domain::instant::{HOUR_MS, Instant};
use crate::domain::measurement::{Extra, MeasuredValue};
use crate::domain::movers::{LeafMovers, Mover, Movers};
use crate::domain::projection::{ExplainQuestion, Explained, ExplainedLeaf};

/// The change of a node; `None` where there is none of that path.
pub(super) fn explain(board: &Board, question: &ExplainQuestion) -> Option<(Explained, Movers)> {
    let (id, instance) = root_of(&question.path);
    let present = &super::now(board, id, instance.as_ref())?;
    let now = question
        .to
        .map_or_else(|| present.clone(), |at| past(board, present, at));
    let then = past(board, present, question.from);
    let index = now.nodes.iter().position(|node| *node.path == *question.path)?;
    let mut places = Vec::new();
    let tree = tree([&then, &now], index, &mut places);
    let leaves: Vec<ExplainedLeaf> = places
        .iter()
        .zip(split(&tree))
        .map(|(place, share)| {
            let node = &now.nodes[*place];
            ExplainedLeaf {
                path: Arc::clone(&node.path),
                title: Arc::clone(&node.title),
                unit: Arc::clone(&node.unit),
                share,
                readings: [then.nodes[*place].reading.clone(), node.reading.clone()],
                targets: [node.target; 2],
            }
        })
        .collect();
    let movers = Movers {
        leaves: leaves.iter().map(|leaf| movers(&leaf.path)).collect(),
        is_complete: true,
    };
    let node: &NodeView = &now.nodes[index];
    let explained = Explained {
        path: Arc::clone(&node.path),
        title: Arc::clone(&node.title),
        kind: node.kind,
        at: [question.from, question.to.unwrap_or(NOW)],
        sequence: Sequence(4711),
        readings: [then.nodes[index].reading.clone(), node.reading.clone()],
        leaves,
    };
    Some((explained, movers))
}

fn tree(pictures: [&Picture; 2], index: usize, places: &mut Vec<usize>) -> Tree {
    let node = &pictures[1].nodes[index];
    let below = if node.kind == NodeKind::Kpi {
        places.push(index);
        Below::Leaf
    } else {
        let children = node.children.iter();
        Below::Branch(
            RollUp::Mean,
            children.map(|child| tree(pictures, *child as usize, places)).collect(),
        )
    };
    Tree {
        scores: pictures.map(|picture| picture.nodes[index].reading.score),
        weights: [1.0, 1.0],
        below,
    }
}

fn movers(path: &str) -> LeafMovers {
    if !path.ends_with("it.csat") {
        return LeafMovers::default();
    }
    let mover = |sequence, has_entered, value, note: Option<&str>| Mover {
        is_corrected: has_entered,
        source: "servicedesk".into(),
        extra: Extra {
            id: Some(format!("t{sequence}").into()),
            note: note.map(Into::into),
            by: note.map(|_| "Anna".into()),
            ..Extra::default()
        },
        ..Mover::of(Sequence(sequence), NOW.plus_ms(-HOUR_MS), has_entered, value)
    };
    let ratio = MeasuredValue::Ratio {
        numerator: 3.0,
        denominator: 40.0,
    };
    LeafMovers {
        entered: 60,
        left: 1,
        listed: vec![
            mover(4001, true, ratio, Some("after the outage <b>")),
            mover(17, false, MeasuredValue::Number(91.0), None),
        ],
    }
}

/// Scores of objectives: a wave, and what follows it by three days.
pub(super) fn scores(objectives: usize, at: &[Instant]) -> Vec<Vec<Option<f64>>> {
    let score = |at: Instant, objective: usize| {
        let day = at.0 / (24 * HOUR_MS) - 3 * objective as i64;
        // A wave that never repeats within a year, seven days of memory.
        let noise = |day: i64| f64::from(((day * 7919) % 101) as i32) / 101.0;
        let recent: f64 = (0..3).map(|ago| noise(day - ago)).sum();
        Some(40.0 + 10.0 * recent)
    };
    at.iter()
        .map(|at| (0..objectives).map(|objective| score(*at, objective)).collect())
        .collect()
}
