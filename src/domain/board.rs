//! The board: the immutable picture that readers hold while the projection goes on.
//!
//! It is posted piecewise: a scorecard instance that did not change keeps its picture, by pointer.

use std::collections::BTreeMap;
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
    pub alerts: Arc<Vec<AlertView>>,
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

    /// The picture of a scorecard, or of one instance of it.
    pub fn picture(&self, scorecard: &str, instance: Option<&str>) -> Option<&Arc<Picture>> {
        let board = self
            .scorecards
            .iter()
            .find(|board| board.overall.scorecard.as_str() == scorecard)?;
        match instance {
            None => Some(&board.overall),
            Some(instance) => board.instance(instance),
        }
    }
}

/// How many shards the instances of a scorecard are kept in: posting one instance copies one shard's pointers.
pub const INSTANCE_SHARDS: usize = 256;

/// One scorecard on the board.
#[derive(Debug, Clone)]
pub struct ScorecardBoard {
    /// The scorecard itself, over all instances where it has `each`.
    pub overall: Arc<Picture>,
    /// Instances by name, in [`INSTANCE_SHARDS`] shards by [`instance_shard`]; empty without `each`.
    pub instances: Vec<Arc<BTreeMap<InstanceId, Arc<Picture>>>>,
    /// How many instances.
    pub instance_count: usize,
    /// Lowest scored instances, worst first, at most 10.
    pub worst_instances: Vec<(InstanceId, f64)>,
    /// Highest scored instances, best first, at most 10.
    pub best_instances: Vec<(InstanceId, f64)>,
}

impl ScorecardBoard {
    /// The picture of one instance.
    pub fn instance(&self, instance: &str) -> Option<&Arc<Picture>> {
        let id = InstanceId::parse(instance).ok()?;
        self.instances.get(instance_shard(&id))?.get(&id)
    }

    /// All instances in order of their names.
    pub fn instance_names(&self) -> Vec<InstanceId> {
        let mut names: Vec<InstanceId> = self.instances.iter().flat_map(|shard| shard.keys().cloned()).collect();
        names.sort();
        names
    }
}

/// The shard of an instance: FNV-1a over its bytes, the same everywhere.
pub fn instance_shard(instance: &InstanceId) -> usize {
    let hash = instance.as_str().bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    (hash % INSTANCE_SHARDS as u64) as usize
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
