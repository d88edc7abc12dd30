//! What nodes said on both sides, instant by instant.
//!
//! Changes of readings enter in order of instants. An instant of a node is one at which it changed on at least one side; it is
//! judged when all that happened at it is known, which is when the node changes later, or in the end.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::sync::Arc;

use super::{Side, Sides};
use crate::domain::instant::Instant;
use crate::domain::reading::{Absence, Reading, ReadingChange};

/// Nodes that are listed; the others are counted. A catalog of people has some hundreds, a hundred thousand instances have
/// millions, which nobody reads.
const LISTED_MAX: usize = 10_000;

/// Numbers that are nearer to one another than this, relative to the greater one and to 1, are the same: sums in another
/// order may differ by so much.
const NEAR: f64 = 1e-9;

/// What a node says.
#[derive(Debug, Clone, PartialEq)]
pub struct Stand {
    /// KPIs: the window's result.
    pub value: Option<f64>,
    /// 0..=100.
    pub score: Option<f64>,
    /// Name of the band.
    pub status: Option<Arc<str>>,
    /// Why there is no score.
    pub absence: Option<Absence>,
}

impl From<Reading> for Stand {
    fn from(reading: Reading) -> Self {
        Self {
            value: reading.value,
            score: reading.score,
            status: reading.status,
            absence: reading.absence,
        }
    }
}

/// Where two numbers were farthest apart.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Largest {
    /// When; of equal ones the first.
    pub at: Instant,
    /// Both numbers.
    pub numbers: Sides<f64>,
}

impl Largest {
    /// The other one minus the base.
    pub fn difference(&self) -> f64 {
        self.numbers.other - self.numbers.base
    }
}

/// How a node differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NodeDifferenceKind {
    /// It is there on both sides in the end, and said something else at least once.
    Changed,
    /// In the end only the other side has it.
    Added,
    /// In the end only the base has it.
    Removed,
}

impl NodeDifferenceKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Changed => "changed",
            Self::Added => "added",
            Self::Removed => "removed",
        }
    }
}

/// A node that differs.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeDifference {
    /// Which.
    pub path: Arc<str>,
    /// How.
    pub kind: NodeDifferenceKind,
    /// What it says in the end; `None` where it is not there.
    pub stands: Sides<Option<Stand>>,
    /// Instants at which it changed on at least one side.
    pub instants: u64,
    /// Of them: after which both sides differed.
    pub differing: u64,
    /// Where the scores were farthest apart.
    pub score: Option<Largest>,
    /// KPIs: where the values were farthest apart.
    pub value: Option<Largest>,
}

/// How many nodes there are of each kind.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct NodeCounts {
    /// Said the same at every instant.
    pub same: u64,
    /// See [`NodeDifferenceKind`].
    pub changed: u64,
    /// See [`NodeDifferenceKind`].
    pub added: u64,
    /// See [`NodeDifferenceKind`].
    pub removed: u64,
}

/// What differs of nodes.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeDifferences {
    /// Instants at which any node changed on any side.
    pub instants: u64,
    /// Listed or not.
    pub counts: NodeCounts,
    /// Those that differ, by path, level by level; so many at most.
    pub listed: Vec<NodeDifference>,
}

/// A node on its way.
#[derive(Debug)]
struct Track {
    path: Arc<str>,
    stands: Sides<Option<Stand>>,
    /// An instant at which it changed that is not judged yet.
    open: Option<Instant>,
    instants: u64,
    differing: u64,
    score: Option<Largest>,
    value: Option<Largest>,
}

/// All nodes on their way.
#[derive(Debug)]
pub(super) struct Nodes {
    from: Instant,
    tracks: Vec<Track>,
    /// By path; looked up only.
    numbers: HashMap<Arc<str>, usize>,
    instants: u64,
    last: Option<Instant>,
}

impl Nodes {
    pub fn new(from: Instant) -> Self {
        Self {
            from,
            tracks: Vec::new(),
            numbers: HashMap::new(),
            instants: 0,
            last: None,
        }
    }

    pub fn take(&mut self, base: Vec<ReadingChange>, other: Vec<ReadingChange>) {
        let mut changes: Vec<(Side, ReadingChange)> = base.into_iter().map(|change| (Side::Base, change)).collect();
        changes.extend(other.into_iter().map(|change| (Side::Other, change)));
        changes.sort_by_key(|(_, change)| change.at);
        for (side, change) in changes {
            if change.at >= self.from && self.last < Some(change.at) {
                self.instants += 1;
                self.last = Some(change.at);
            }
            let number = self.number(&change.path);
            if let Some(track) = self.tracks.get_mut(number) {
                track.open_at(change.at, self.from);
                *track.stands.of_mut(side) = Some(change.reading.into());
            }
        }
    }

    /// The number of a node's track, which is made when there is none.
    fn number(&mut self, path: &Arc<str>) -> usize {
        if let Some(number) = self.numbers.get(path) {
            return *number;
        }
        let number = self.tracks.len();
        self.tracks.push(Track::new(Arc::clone(path)));
        self.numbers.insert(Arc::clone(path), number);
        number
    }

    /// Nodes of a side that are gone say nothing from `at` on.
    pub fn keep(&mut self, side: Side, at: Instant, is_there: &dyn Fn(&str) -> bool) {
        for track in &mut self.tracks {
            if track.stands.of(side).is_some() && !is_there(&track.path) {
                track.open_at(at, self.from);
                *track.stands.of_mut(side) = None;
            }
        }
    }

    pub fn finish(self) -> NodeDifferences {
        let from = self.from;
        let mut found = NodeDifferences {
            instants: self.instants,
            counts: NodeCounts::default(),
            listed: Vec::new(),
        };
        for mut track in self.tracks {
            track.judge(from);
            found.listed.extend(track.difference(&mut found.counts));
        }
        found.listed.sort_by(|one, other| by_levels(&one.path, &other.path));
        found.listed.truncate(LISTED_MAX);
        found
    }
}

impl Track {
    fn new(path: Arc<str>) -> Self {
        Self {
            path,
            stands: Sides::default(),
            open: None,
            instants: 0,
            differing: 0,
            score: None,
            value: None,
        }
    }

    /// Something changes at `at`: what it said until then is judged.
    fn open_at(&mut self, at: Instant, from: Instant) {
        if self.open.is_some_and(|open| open < at) {
            self.judge(from);
        }
        self.open = Some(at);
    }

    /// Judges the instant that is open.
    fn judge(&mut self, from: Instant) {
        let Some(at) = self.open.take().filter(|at| *at >= from) else {
            return;
        };
        self.instants += 1;
        if !differ(&self.stands) {
            return;
        }
        self.differing += 1;
        let (base, other) = (self.stands.base.as_ref(), self.stands.other.as_ref());
        let pair = |number: fn(&Stand) -> Option<f64>| Some((number(base?)?, number(other?)?));
        farther(&mut self.score, at, pair(|stand| stand.score));
        farther(&mut self.value, at, pair(|stand| stand.value));
    }

    /// What is to be said of the node, if anything; counted in any case.
    fn difference(self, counts: &mut NodeCounts) -> Option<NodeDifference> {
        let kind = match (&self.stands.base, &self.stands.other) {
            (Some(_), None) => NodeDifferenceKind::Removed,
            (None, Some(_)) => NodeDifferenceKind::Added,
            (Some(_), Some(_)) if self.differing > 0 || differ(&self.stands) => NodeDifferenceKind::Changed,
            // What is gone on both sides in the end may have differed before.
            (None, None) if self.differing > 0 => NodeDifferenceKind::Changed,
            _ => {
                counts.same += 1;
                return None;
            }
        };
        match kind {
            NodeDifferenceKind::Changed => counts.changed += 1,
            NodeDifferenceKind::Added => counts.added += 1,
            NodeDifferenceKind::Removed => counts.removed += 1,
        }
        Some(NodeDifference {
            path: self.path,
            kind,
            stands: self.stands,
            instants: self.instants,
            differing: self.differing,
            score: self.score,
            value: self.value,
        })
    }
}

fn differ(stands: &Sides<Option<Stand>>) -> bool {
    match (&stands.base, &stands.other) {
        (None, None) => false,
        (Some(base), Some(other)) => {
            base.status != other.status
                || base.absence != other.absence
                || !is_near(base.score, other.score)
                || !is_near(base.value, other.value)
        }
        _ => true,
    }
}

fn is_near(base: Option<f64>, other: Option<f64>) -> bool {
    match (base, other) {
        (Some(base), Some(other)) => (base - other).abs() <= NEAR * base.abs().max(other.abs()).max(1.0),
        (None, None) => true,
        _ => false,
    }
}

fn farther(largest: &mut Option<Largest>, at: Instant, numbers: Option<(f64, f64)>) {
    let Some((base, other)) = numbers.filter(|(base, other)| !is_near(Some(*base), Some(*other))) else {
        return;
    };
    let found = Largest {
        at,
        numbers: Sides { base, other },
    };
    if largest.is_none_or(|known| found.difference().abs() > known.difference().abs()) {
        *largest = Some(found);
    }
}

/// Parents before children, and each level in order of its names.
fn by_levels(one: &str, other: &str) -> Ordering {
    one.split('/').cmp(other.split('/'))
}
