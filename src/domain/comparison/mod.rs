//! What if: the same history under two sets of definitions, compared while it is folded.
//!
//! What came of each portion of the history enters, from both sides; what differs leaves: nodes by what they said from
//! instant to instant, alerts by when they fired. The two sides are named alike everywhere: *base* is what holds, *other* is
//! what might. Nothing is kept of what was compared but the last word of each node, the alerts that run, and the
//! differences, of which so many are listed and all are counted. Exchanging the sides exchanges the outcome, and nothing else.

mod episodes;
mod nodes;

#[cfg(test)]
mod tests;

use super::instant::Instant;
use super::projection::{Effects, Projection};

use episodes::Episodes;
use nodes::Nodes;

pub use episodes::{AlertDifference, AlertDifferenceKind, AlertDifferences, Episode};
pub use nodes::{Largest, NodeCounts, NodeDifference, NodeDifferenceKind, NodeDifferences, Stand};

/// One of the two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What holds.
    Base,
    /// What might.
    Other,
}

impl Side {
    fn opposite(self) -> Self {
        match self {
            Self::Base => Self::Other,
            Self::Other => Self::Base,
        }
    }
}

/// Something of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sides<T> {
    /// Of what holds.
    pub base: T,
    /// Of what might.
    pub other: T,
}

impl<T> Sides<T> {
    /// That of one side.
    pub fn of(&self, side: Side) -> &T {
        match side {
            Side::Base => &self.base,
            Side::Other => &self.other,
        }
    }

    /// That of one side, to be changed.
    pub fn of_mut(&mut self, side: Side) -> &mut T {
        match side {
            Side::Base => &mut self.base,
            Side::Other => &mut self.other,
        }
    }
}

/// A comparison on its way through a history.
#[derive(Debug)]
pub struct Comparison {
    nodes: Nodes,
    episodes: Episodes,
}

/// What a comparison found.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// What nodes said.
    pub nodes: NodeDifferences,
    /// When alerts fired.
    pub alerts: AlertDifferences,
}

impl Compared {
    /// Whether both sides are one.
    pub fn is_empty(&self) -> bool {
        self.nodes.listed.is_empty() && self.alerts.listed.is_empty()
    }
}

impl Comparison {
    /// Nothing is compared yet. What happened before `from` is folded and not counted; alerts count that had not ended then.
    pub fn new(from: Option<Instant>) -> Self {
        let from = from.unwrap_or(Instant(i64::MIN));
        Self {
            nodes: Nodes::new(from),
            episodes: Episodes::new(from),
        }
    }

    /// Takes in what came of the next portion of the history on both sides. A portion ends between two instants for both.
    pub fn take(&mut self, effects: Sides<Effects>) {
        let Sides { base, other } = effects;
        self.nodes.take(base.readings, other.readings);
        self.episodes.take(base.transitions, other.transitions);
    }

    /// Other definitions have taken over on one side: nodes that are gone there say nothing any more.
    pub fn succeeded(&mut self, side: Side, projection: &Projection) {
        self.nodes
            .keep(side, projection.at(), &|path| projection.has_node(path));
    }

    /// The history has ended.
    pub fn finish(self) -> Compared {
        Compared {
            nodes: self.nodes.finish(),
            alerts: self.episodes.finish(),
        }
    }
}
