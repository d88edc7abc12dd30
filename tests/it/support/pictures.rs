//! Pictures in this process: what readers see after a stream by the event clock, and what a query about another instant
//! shows them. Both come in the form of the reference.

use std::collections::BTreeMap;

use kpid::domain::board::{NodeView, Picture as Board, RankedInstance, ScorecardBoard};
use kpid::domain::instant::Instant;
use kpid::domain::projection::{ClockKind, Effects, Projection};

use super::blocks::story;
use crate::reference::pictures::{Picture, Shown, Trend};
use crate::reference::{File, ReadingLine};

/// After the last evaluation, and at other instants asked for then.
pub fn kpid_pictures(files: &[File], ndjson: &str, every_ms: i64, queries: &[i64]) -> (Picture, Vec<Picture>) {
    let story = story(files, ndjson, &vec![(1_000, 0)]);
    let mut projection = story.projection(ClockKind::Event { every_ms });
    let mut effects = Effects::default();
    for block in &story.blocks {
        projection.apply(block, &mut effects);
    }
    projection.finish(&mut effects);
    let boards = projection.boards(&[]);
    let answers = queries.iter().map(|at| asked_for(&projection, &boards, Instant(*at)));
    (posted(&projection, &boards), answers.collect())
}

/// The board as it is posted, and every instance as it is drawn when somebody asks.
pub fn posted(projection: &Projection, boards: &[ScorecardBoard]) -> Picture {
    let pictures = boards.iter().flat_map(|board| {
        let instances = board.instance_names.iter();
        let drawn = instances.map(|name| projection.picture_now(board.overall.scorecard.as_str(), Some(name)));
        let drawn = drawn.map(|picture| picture.expect("it is on the board"));
        std::iter::once((*board.overall).clone()).chain(drawn)
    });
    let nodes = pictures.flat_map(|picture| nodes(&picture)).collect();
    let scorecards = &projection.catalog().scorecards;
    let with_instances = boards
        .iter()
        .zip(scorecards)
        .filter_map(|(board, own)| own.each.is_some().then_some(board));
    let ranked = with_instances.map(|board| (board.overall.scorecard.to_string(), ranked(board)));
    Picture {
        nodes,
        ranked: ranked.collect(),
    }
}

/// Worst first, then best first.
fn ranked(board: &ScorecardBoard) -> Vec<(f64, String)> {
    let named = |ranked: &RankedInstance| (ranked.score, format!("{}@{}", board.overall.scorecard, ranked.name));
    board
        .worst_instances
        .iter()
        .chain(&board.best_instances)
        .map(named)
        .collect()
}

/// What a query shows. Instances are not ranked there.
fn asked_for(projection: &Projection, boards: &[ScorecardBoard], at: Instant) -> Picture {
    let mut shown = BTreeMap::new();
    for board in boards {
        let scorecard = board.overall.scorecard.as_str();
        for name in std::iter::once(None).chain(board.instance_names.iter().map(Some)) {
            let picture = projection.picture_at(scorecard, name, at);
            shown.extend(nodes(&picture.expect("it is on the board")));
        }
    }
    Picture {
        nodes: shown,
        ranked: BTreeMap::new(),
    }
}

fn nodes(picture: &Board) -> Vec<(String, Shown)> {
    let at_ms = picture.at.0;
    picture
        .nodes
        .iter()
        .map(|node| (node.path.to_string(), shown(node, at_ms)))
        .collect()
}

fn shown(node: &NodeView, at_ms: i64) -> Shown {
    let reading = &node.reading;
    let line = ReadingLine {
        at_ms,
        path: node.path.to_string(),
        value: reading.value,
        score: reading.score,
        status: reading.status.as_deref().map(str::to_owned),
        absence: reading.absence.map(|absence| absence.word().to_owned()),
        coverage: reading.coverage,
    };
    let trend = node.trend.map(|trend| Trend {
        previous: trend.previous,
        previous_value: trend.previous_value,
        change: trend.change,
        direction: trend.direction.word(),
    });
    Shown {
        line,
        count: reading.count,
        observed_at: reading.observed_at.map(|at| at.0),
        fresh: reading.fresh,
        provisional: reading.provisional,
        restated: reading.restated,
        worst: reading.worst.as_ref().map(|(path, score)| (path.to_string(), *score)),
        red: reading.red,
        trend,
    }
}
