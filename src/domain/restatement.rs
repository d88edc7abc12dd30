//! Restatement: what a scorecard said at an instant, what it would have said if all that is known now had been known, and why
//! they differ.
//!
//! Pictures of one instant enter: as it was known then, with each cause taken in one after the other, and as it is known now.
//! The nodes that say something else now leave, each with the points that every cause moved it by. Nothing here knows how a
//! picture is made.
//!
//! Causes are taken in one after the other, in a fixed order: late measurements, corrections, retractions, definitions. That
//! is the only order in which every fact finds what it is about: a correction may be of a late measurement, and a retraction
//! of a corrected one. A cause's part is what the whole moves by at its turn, so the parts sum to the difference whatever
//! the roll-up; of two causes that only together move something (a late value beside the worst one, which is then retracted)
//! the later one has it. Where a node has no score at a turn, it is taken at the one before.

use std::collections::HashMap;
use std::sync::Arc;

use super::board::{NodeView, Picture};
use super::calendar::Calendar;
use super::catalog::NodeKind;
use super::explain::Both;
use super::id::{InstanceId, Sequence, Slug};
use super::instant::Instant;
use super::reading::{Absence, Reading};

/// Sequences told of one cause and node: people look at the first few, and the number of all is told.
pub const SEQUENCES_MAX: usize = 20;

/// Instants compared in one question: a year of days.
pub const INSTANTS_MAX: usize = 400;

/// Scores and values nearer than this are the same: another order of summing may move the last bits.
const SAME: f64 = 1e-9;

/// Why something is said otherwise, in the order in which causes are taken in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// Measurements observed before the instant and recorded after it.
    LateMeasurements,
    /// Corrections recorded after it.
    Corrections,
    /// Retractions recorded after it.
    Retractions,
    /// Other definitions than those that held then.
    Catalog,
}

impl Cause {
    /// All, in order.
    pub const ALL: [Self; 4] = [
        Self::LateMeasurements,
        Self::Corrections,
        Self::Retractions,
        Self::Catalog,
    ];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::LateMeasurements => "late_measurements",
            Self::Corrections => "corrections",
            Self::Retractions => "retractions",
            Self::Catalog => "catalog",
        }
    }
}

/// What is said otherwise now.
#[derive(Debug, Clone, PartialEq)]
pub struct Restatement {
    /// Which scorecard.
    pub scorecard: Slug,
    /// Which instance.
    pub instance: Option<InstanceId>,
    /// For people.
    pub title: Arc<str>,
    /// What is known now: facts up to here.
    pub sequence: Sequence,
    /// Definitions of now.
    pub fingerprint: String,
    /// Instants that were compared.
    pub compared: usize,
    /// Instants that were left out because the scorecard was not there then: nothing was published.
    pub unpublished: usize,
    /// Instants that were left out because they have not been yet.
    pub open: usize,
    /// Instants of which something else is said now, ascending.
    pub restated: Vec<RestatedInstant>,
}

/// One instant.
#[derive(Debug, Clone, PartialEq)]
pub struct RestatedInstant {
    /// The instant that is spoken of.
    pub at: Instant,
    /// What was known then: facts up to here.
    pub sequence: Sequence,
    /// Definitions of then.
    pub fingerprint: String,
    /// Nodes that say something else now, in the order of the tree; those that are gone last.
    pub nodes: Vec<RestatedNode>,
}

/// One node.
#[derive(Debug, Clone, PartialEq)]
pub struct RestatedNode {
    /// Its path.
    pub path: Arc<str>,
    /// Its level.
    pub kind: NodeKind,
    /// For people.
    pub title: Arc<str>,
    /// KPIs: of its value.
    pub unit: Arc<str>,
    /// What it said then, and says now; `None` where the definitions do not know it.
    pub said: Both<Option<Said>>,
    /// What each cause did, in their order; only those that did something or brought facts.
    pub causes: Vec<Share>,
}

/// What a node says of an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Said {
    /// KPIs: result of the window.
    pub value: Option<f64>,
    /// 0..=100.
    pub score: Option<f64>,
    /// Name of the band.
    pub status: Option<Arc<str>>,
    /// Why there is no score.
    pub absence: Option<Absence>,
}

/// What one cause did to a node.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Which.
    pub cause: Cause,
    /// Points of the node's score; `None` where it had no score then or has none now.
    pub points: Option<f64>,
    /// By how much it moved the value; KPIs only, where it had one then and has one now.
    pub value: Option<f64>,
    /// Facts that are the cause.
    pub count: u64,
    /// The first of them, ascending, at most [`SEQUENCES_MAX`].
    pub sequences: Vec<Sequence>,
}

impl RestatedNode {
    /// The difference of the scores, where there are both.
    pub fn points(&self) -> Option<f64> {
        difference(self.said.each_ref().map(|said| said.as_ref()?.score))
    }

    /// The difference of the values, where there are both.
    pub fn value(&self) -> Option<f64> {
        difference(self.said.each_ref().map(|said| said.as_ref()?.value))
    }
}

/// The instants between two, both included, of which a scorecard is compared: the ends of its local days, or multiples of a
/// step since the epoch. One more than [`INSTANTS_MAX`] where there are too many.
pub fn instants(calendar: &Calendar, (from, to): (Instant, Instant), every_ms: Option<i64>) -> Vec<Instant> {
    let first_day = calendar.day_of(from.plus_ms(-1)) + 1;
    let at = |index: i64| match every_ms {
        Some(every_ms) => from.round_up(every_ms).plus_ms(index * every_ms),
        None => calendar.day_start(first_day + index),
    };
    let all = (0..=INSTANTS_MAX as i64).map(at);
    all.take_while(|at| *at <= to).collect()
}

fn difference([then, now]: Both<Option<f64>>) -> Option<f64> {
    then.zip(now).map(|(then, now)| now - then)
}

impl Said {
    fn of(reading: &Reading) -> Self {
        Self {
            value: reading.value,
            score: reading.score,
            status: reading.status.clone(),
            absence: reading.absence,
        }
    }

    fn is_same(&self, other: &Self) -> bool {
        let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
            (Some(one), Some(other)) => (one - other).abs() <= SAME * one.abs().max(1.0),
            (one, other) => one == other,
        };
        near(self.value, other.value)
            && near(self.score, other.score)
            && self.status == other.status
            && self.absence == other.absence
    }
}

/// Facts of one cause that count in a node.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Brought {
    /// How many.
    pub count: u64,
    /// The first of them, ascending.
    pub sequences: Vec<Sequence>,
}

impl Brought {
    /// One more, in journal order.
    pub fn add(&mut self, sequence: Sequence) {
        self.count += 1;
        if self.sequences.len() < SEQUENCES_MAX {
            self.sequences.push(sequence);
        }
    }
}

/// What a scorecard says when one more cause is taken in.
#[derive(Debug)]
pub struct Turn {
    /// Which.
    pub cause: Cause,
    /// What is said then; what was said before where the scorecard is not there.
    pub picture: Option<Picture>,
    /// Facts of this cause, by path of the node in which they count.
    pub brought: HashMap<Arc<str>, Brought>,
}

/// The nodes that say something else now than then. `turns` lead from the one to the other; the last one's picture is what is
/// said now.
pub fn restated(then: &Picture, turns: &[Turn], now: &Picture) -> Vec<RestatedNode> {
    let pictures: Vec<HashMap<&str, &Reading>> = turns.iter().map(|turn| by_path(turn.picture.as_ref())).collect();
    let (before, after) = (by_path(Some(then)), by_path(Some(now)));
    let root = now.nodes.first().map_or("", |root| &*root.path);
    let gone = then.nodes.iter().filter(|node| !after.contains_key(&*node.path));
    let of = |node: &NodeView| {
        let sides = [before.get(&*node.path), after.get(&*node.path)];
        let said = sides.map(|reading| reading.map(|reading| Said::of(reading)));
        let is_same = match &said {
            [Some(then), Some(now)] => then.is_same(now),
            [then, now] => then.is_none() && now.is_none(),
        };
        (!is_same).then(|| RestatedNode {
            causes: shares((&*node.path, root), &said, turns, &pictures),
            path: Arc::clone(&node.path),
            kind: node.kind,
            title: Arc::clone(&node.title),
            unit: Arc::clone(&node.unit),
            said,
        })
    };
    now.nodes.iter().chain(gone).filter_map(of).collect()
}

fn by_path(picture: Option<&Picture>) -> HashMap<&str, &Reading> {
    let nodes = picture.into_iter().flat_map(|picture| &picture.nodes);
    nodes.map(|node| (&*node.path, &node.reading)).collect()
}

fn shares(
    (path, root): (&str, &str),
    [then, now]: &Both<Option<Said>>,
    turns: &[Turn],
    pictures: &[HashMap<&str, &Reading>],
) -> Vec<Share> {
    let ends =
        |number: fn(&Said) -> Option<f64>| Some([then.as_ref().and_then(number)?, now.as_ref().and_then(number)?]);
    let last = turns.len().saturating_sub(1);
    let walk = |ends: Option<Both<f64>>, number: fn(&Reading) -> Option<f64>| -> Vec<Option<f64>> {
        let Some([mut stand, end]) = ends else {
            return vec![None; turns.len()];
        };
        let turns = pictures.iter().enumerate().map(|(index, readings)| {
            let there = readings.get(path).and_then(|reading| number(reading));
            let next = if index == last { end } else { there.unwrap_or(stand) };
            Some(next - std::mem::replace(&mut stand, next))
        });
        turns.collect()
    };
    let points = walk(ends(|said| said.score), |reading| reading.score);
    let values = walk(ends(|said| said.value), |reading| reading.value);
    let shares = turns.iter().zip(points).zip(values).map(|((turn, points), value)| {
        // Definitions count everywhere, also in what they did away with.
        let path = if turn.cause == Cause::Catalog { root } else { path };
        let brought = turn.brought.get(path).cloned().unwrap_or_default();
        Share {
            cause: turn.cause,
            points,
            value,
            count: brought.count,
            sequences: brought.sequences,
        }
    });
    let did = |share: &Share| share.count > 0 || [share.points, share.value].into_iter().flatten().any(|by| by != 0.0);
    shares.filter(did).collect()
}

#[cfg(test)]
mod tests;
