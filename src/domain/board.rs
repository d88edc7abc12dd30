//! The board: the immutable picture that readers hold while the projection goes on.
//!
//! It is posted piecewise: a scorecard that did not change keeps its picture, by pointer. Instances are not on it but for
//! their number and the best and worst of them: there may be a hundred thousand, and each is drawn when it is asked for.

use std::sync::Arc;

use super::alert::{AlertTransition, AlertView};
use super::catalog::{Catalog, NodeKind, Target};
use super::id::{InstanceId, Sequence, Slug};
use super::instant::Instant;
use super::reading::{Reading, Trend};

/// Everything that can be seen at one moment.
#[derive(Debug, Clone)]
pub struct Board {
    /// Journal position it reflects.
    pub sequence: Sequence,
    /// Clock it reflects.
    pub at: Instant,
    /// Definitions in force.
    pub catalog: Arc<Catalog>,
    /// In catalog order.
    pub scorecards: Vec<ScorecardBoard>,
    /// Pending and firing alerts, by rule, then path.
    pub alerts: Arc<Vec<Arc<AlertView>>>,
    /// The latest transitions, newest first, at most [`RECENT_TRANSITIONS_MAX`].
    pub recent: Arc<Vec<AlertTransition>>,
}

/// Transitions that the board keeps for people; the rest is in the journal's replay.
pub const RECENT_TRANSITIONS_MAX: usize = 200;

impl Board {
    /// An empty board of a catalog.
    pub fn empty(catalog: Arc<Catalog>) -> Self {
        Self {
            sequence: Sequence::ZERO,
            at: Instant::default(),
            catalog,
            scorecards: Vec::new(),
            alerts: Arc::new(Vec::new()),
            recent: Arc::new(Vec::new()),
        }
    }

    /// The picture of a scorecard, over all instances where it has `each`.
    pub fn picture(&self, scorecard: &str) -> Option<&Arc<Picture>> {
        self.on_board(scorecard).map(|board| &board.overall)
    }

    /// A scorecard's part of the board.
    pub fn on_board(&self, scorecard: &str) -> Option<&ScorecardBoard> {
        let mut boards = self.scorecards.iter();
        boards.find(|board| board.overall.scorecard.as_str() == scorecard)
    }
}

/// So many names of instances are on the board, for people to choose from; of more they type one.
pub const INSTANCE_NAMES_MAX: usize = 500;
/// Instances that the board names as best and worst.
pub const RANKED_MAX: usize = 10;

/// One scorecard on the board.
#[derive(Debug, Clone)]
pub struct ScorecardBoard {
    /// The scorecard itself, over all instances where it has `each`.
    pub overall: Arc<Picture>,
    /// How many instances.
    pub instance_count: usize,
    /// Names of all instances in their order, where there are at most [`INSTANCE_NAMES_MAX`]; else none.
    pub instance_names: Arc<Vec<InstanceId>>,
    /// Lowest scored instances, worst first, at most [`RANKED_MAX`].
    pub worst_instances: Vec<RankedInstance>,
    /// Highest scored instances, best first, at most [`RANKED_MAX`].
    pub best_instances: Vec<RankedInstance>,
}

/// An instance among the best or the worst.
#[derive(Debug, Clone, PartialEq)]
pub struct RankedInstance {
    /// Its name.
    pub name: InstanceId,
    /// Its score, 0..=100.
    pub score: f64,
    /// Name of the band the score is in.
    pub status: Option<Arc<str>>,
}

/// One scorecard instance at one instant: its nodes, parents before children, in catalog order.
#[derive(Debug, Clone)]
pub struct Picture {
    /// Which scorecard.
    pub scorecard: Slug,
    /// Which instance; `None` for the scorecard itself.
    pub instance: Option<InstanceId>,
    /// The instant of the reading.
    pub at: Instant,
    /// Journal position.
    pub sequence: Sequence,
    /// Nodes; the first is the scorecard.
    pub nodes: Vec<NodeView>,
}

/// One node of a picture.
#[derive(Debug, Clone)]
pub struct NodeView {
    /// `scorecard[@instance]/perspective/objective/kpi`
    pub path: Arc<str>,
    /// Its level.
    pub kind: NodeKind,
    /// For people.
    pub title: Arc<str>,
    /// Relative weight among its siblings; 1 for the scorecard.
    pub weight: f64,
    /// What it says.
    pub reading: Reading,
    /// One window (or period) earlier; `None` where there was no score then or is none now.
    pub trend: Option<Trend>,
    /// Indices of its children in [`Picture::nodes`].
    pub children: Vec<u32>,
    /// KPIs: unit.
    pub unit: Arc<str>,
    /// KPIs: the aim.
    pub target: Option<Target>,
    /// Nodes of other scorecards that count here, with their weights: (path, title, weight, score, status).
    pub included: Vec<IncludedView>,
    /// KPIs: the words and name of the latest measurement that had any.
    pub note: Option<Note>,
}

/// A node of another scorecard, as seen from where it counts.
#[derive(Debug, Clone, PartialEq)]
pub struct IncludedView {
    /// Its path.
    pub path: Arc<str>,
    /// Its title.
    pub title: Arc<str>,
    /// Its weight here.
    pub weight: f64,
    /// Its score.
    pub score: Option<f64>,
    /// Its status.
    pub status: Option<Arc<str>>,
}

/// A person's words beside a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The words.
    pub text: Box<str>,
    /// The name.
    pub by: Option<Box<str>>,
    /// The instant of the measurement.
    pub observed_at: Instant,
}
