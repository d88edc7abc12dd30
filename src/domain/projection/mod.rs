//! The projection: every series, reading and alert, as a fold over the journal.
//!
//! Blocks enter through [`Projection::apply`], the same for live, replay and what-if; [`Effects`] leave. The state at a
//! journal position and an instant is a pure function of the two. Nothing else goes in: maps are looked up, never
//! walked, and what is walked stands in vectors, in catalog order or in order of first appearance in the journal.
//!
//! The rooms of this room: `shape` (the nodes of a scorecard), `instances` (who is there), `facts` (what a fact changes),
//! `rows` (many measurements at a time), `fetch` (memory asked for ahead), `room` (memory for many instances), `dues` (what
//! changes by itself, and when), `evaluate` (nodes, children before parents), `span` (many steps of an event clock at once),
//! `across` (KPIs put together from their instances), `alerts` (rules at nodes), `timeline` (which clock evaluates when),
//! `ranking` (best and worst instances), `pictures` (what readers see), `explain` and `strategy` (what they ask besides),
//! `image` (checkpoints), `succession` (other definitions), `hindsight` (what is told to a copy of the past).

mod across;
mod alerts;
mod dues;
mod evaluate;
mod explain;
mod facts;
mod fetch;
mod hindsight;
mod image;
mod instances;
mod node_state;
mod pictures;
mod ranking;
mod room;
mod rows;
mod shape;
mod span;
mod strategy;
mod succession;
mod timeline;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::alert::{AlertTransition, AlertView};
use super::alerting::{AlertKey, Alerting};
use super::board::Note;
use super::catalog::Catalog;
use super::id::{InstanceId, Sequence, Slug};
use super::instant::Instant;
use super::measurement::SeriesKey;
use super::reading::ReadingChange;
use super::roll_up::Child;
use super::series::Series;
use super::series_names::{SeriesNames, SeriesView};

use across::Total;
use dues::Dues;
use evaluate::Lists;
pub use image::IMAGE_FORM;
use instances::{Common, IncludedNode, InstanceState, Placed};
use node_state::NodeState;
use ranking::Ranking;
use rows::Fold;
use shape::Shape;
use span::Spans;
pub use succession::Refold;
use timeline::ClockState;

pub use explain::{ExplainQuestion, Explained, ExplainedLeaf};

/// Which clock drives the projection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClockKind {
    /// A block happens at its `recorded_at`; everything due earlier happens before it, at its own instant.
    Recorded,
    /// The greatest `observed_at` so far is the time; nodes are evaluated at every multiple of `every_ms` it passes.
    Event {
        /// Step, ms.
        every_ms: i64,
    },
}

/// How a projection runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProjectionOptions {
    /// Which clock.
    pub clock: ClockKind,
    /// Measurements older than this are only counted, and slices older than this are dropped; `None` keeps everything.
    pub history_ms: Option<i64>,
    /// Collect reading changes in [`Effects`]; without it only alerts.
    pub with_readings: bool,
}

/// What came of applying: in order of instants.
#[derive(Debug, Default)]
pub struct Effects {
    /// Nodes that changed: by instant, then node in order of appearance.
    pub readings: Vec<ReadingChange>,
    /// Alerts: by instant, then rule, then path.
    pub transitions: Vec<AlertTransition>,
}

/// Alerts by rule, then path.
type AlertViews = BTreeMap<(Slug, Arc<str>), Arc<AlertView>>;

/// Every series, reading and alert.
#[derive(Debug)]
pub struct Projection {
    catalog: Arc<Catalog>,
    options: ProjectionOptions,
    shapes: Arc<Vec<Shape>>,
    /// How measurements are taken in, by scorecard and KPI.
    folds: Arc<[Vec<Fold>]>,
    clock: ClockState,
    /// Event clock: what was observed later is not taken in.
    observed_until: Instant,
    /// No slice holds anything that was observed before this.
    oldest_taken: Instant,
    /// Last fact applied.
    sequence: Sequence,
    /// Scorecards first, then instances in order of appearance.
    instances: Vec<InstanceState>,
    /// By scorecard, then name.
    instance_by_name: Vec<BTreeMap<InstanceId, u32>>,
    /// What the instances of each scorecard have in common.
    common: Vec<Common>,
    nodes: Vec<NodeState>,
    series: Vec<Series>,
    /// By series number of the journal.
    journal_series: SeriesNames,
    /// Where each of them belongs; apart from the names, which are hardly ever looked at.
    placed: Vec<Placed>,
    /// Nodes of other scorecards that count in an objective node. Looked up only.
    included: HashMap<u32, Vec<IncludedNode>>,
    /// Objective nodes in which a node counts. Looked up only.
    counts_in: HashMap<u32, Vec<u32>>,
    /// Latest words beside a KPI's value, by node. Looked up only.
    notes: HashMap<u32, Note>,
    /// By node, as far as scorecards go: the sums of KPIs that are put together from their instances.
    totals: Vec<Option<Total>>,
    /// Nodes to evaluate, by rank.
    dirty: Vec<Vec<u32>>,
    /// Children of the node that is being evaluated; kept for its memory.
    children: Vec<Child<u32>>,
    /// Empty between instants; kept for its memory.
    lists: Lists,
    /// See [`Projection::look_only_at_the_end`].
    is_for_the_end: bool,
    /// What waits to be told; else of no meaning between blocks, kept for its memory.
    spans: Spans,
    /// (instant, node): when a reading changes by itself, or was to. Entries that are not the node's own `due` any more are void.
    dues: Dues,
    alerting: Alerting,
    /// Alerts that changed, or whose node did, since the board was posted.
    touched_alerts: BTreeSet<AlertKey>,
    /// Alerts as the board has them, by rule, then path; `None` before it was posted.
    alert_views: Option<AlertViews>,
    /// The board was posted from this projection.
    is_posted: bool,
    /// Scored instances of each scorecard.
    ranking: Vec<Ranking>,
}

impl Projection {
    /// An empty projection of a catalog.
    pub fn new(catalog: Arc<Catalog>, options: ProjectionOptions) -> Self {
        let shapes: Vec<Shape> = catalog
            .scorecards
            .iter()
            .map(|scorecard| Shape::of(&catalog, scorecard))
            .collect();
        let ranks = shapes
            .iter()
            .flat_map(|shape| &shape.nodes)
            .map(|node| node.rank as usize + 1)
            .max()
            .unwrap_or(1);
        let mut projection = Self {
            options,
            folds: Fold::all(&catalog, options),
            oldest_taken: Instant(i64::MAX),
            clock: ClockState::new(options.clock),
            observed_until: Instant(i64::MAX),
            sequence: Sequence::ZERO,
            instances: Vec::new(),
            instance_by_name: vec![BTreeMap::new(); catalog.scorecards.len()],
            common: Common::of(&catalog),
            nodes: Vec::new(),
            series: Vec::new(),
            journal_series: SeriesNames::default(),
            placed: Vec::new(),
            included: HashMap::new(),
            counts_in: HashMap::new(),
            notes: HashMap::new(),
            totals: Vec::new(),
            dirty: vec![Vec::new(); ranks],
            children: Vec::new(),
            lists: Lists::default(),
            is_for_the_end: false,
            spans: Spans::default(),
            dues: Dues::default(),
            alerting: Alerting::default(),
            touched_alerts: BTreeSet::new(),
            alert_views: None,
            is_posted: false,
            ranking: vec![Ranking::default(); catalog.scorecards.len()],
            shapes: Arc::new(shapes),
            catalog,
        };
        for scorecard in 0..projection.catalog.scorecards.len() {
            projection.add_instance(scorecard, None);
        }
        projection.start_totals();
        projection
    }

    /// By the event clock, takes in nothing that was observed after `at`.
    pub fn look_no_further_than(&mut self, at: Instant) {
        self.observed_until = at;
    }

    /// How it runs.
    pub fn options(&self) -> ProjectionOptions {
        self.options
    }

    /// Definitions in force.
    pub fn catalog(&self) -> &Arc<Catalog> {
        &self.catalog
    }

    /// Last fact applied.
    pub fn sequence(&self) -> Sequence {
        self.sequence
    }

    /// Where the clock stands.
    pub fn at(&self) -> Instant {
        self.clock.at()
    }

    /// The journal's series, in the order of their numbers.
    pub fn series_names(&self) -> Vec<SeriesKey> {
        self.journal_series.from(0).map(SeriesView::to_key).collect()
    }

    /// The same, as they are kept.
    pub fn names(&self) -> &SeriesNames {
        &self.journal_series
    }

    /// From now on nobody asks anything of it before [`Projection::finish`], and of no earlier instant then: a replay. Slices
    /// may be dropped that no reading and no trend of now or later sees, so that years need the memory of their windows; and
    /// the effects of a block may come with those of the next one, or with the end.
    pub fn look_only_at_the_end(&mut self) {
        self.is_for_the_end = true;
    }

    /// Collect reading changes in [`Effects`] from now on, or no more.
    pub fn tell_readings(&mut self, with_readings: bool) {
        self.options.with_readings = with_readings;
    }

    /// Series that measurements came for.
    pub fn series_count(&self) -> usize {
        self.journal_series.len()
    }
}

#[cfg(test)]
mod tests;
