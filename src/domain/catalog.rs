//! The catalog: every definition that kpid scores by, checked and resolved.
//!
//! `wire::catalog` reads it from TOML and refuses what contradicts itself; here everything is known to fit:
//! references are indices, durations are milliseconds, points are curves. Files come in the order of their names,
//! and everything inside a file in the order in which it is written; no map order reaches a result.

use std::collections::HashMap;
use std::sync::Arc;

use super::alert::AlertRule;
use super::calendar::{Calendar, Period, WeekPattern};
use super::id::{InstanceId, KpiId, Slug};
use super::instant::Instant;
use super::score::ScoreCurve;

/// One file of the catalog as it was read; the journal keeps it so that a replay can know it again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CatalogFile {
    /// File name without folder, for example `it.toml`.
    pub name: String,
    /// Its whole text.
    pub text: String,
}

/// All definitions.
#[derive(Debug)]
pub struct Catalog {
    /// `sha256:` and the hex digest over names and texts of all files.
    pub fingerprint: String,
    /// The files it was read from, by name.
    pub files: Vec<CatalogFile>,
    /// Scorecards in file order.
    pub scorecards: Vec<Scorecard>,
    /// Alert rules in file order, then as written.
    pub rules: Vec<AlertRule>,
    /// Where each KPI stands: (scorecard, kpi) indices.
    pub kpis: HashMap<KpiId, (usize, usize)>,
}

impl Catalog {
    /// No definitions: what holds before a journal names any.
    pub fn empty() -> Self {
        Self {
            fingerprint: String::new(),
            files: Vec::new(),
            scorecards: Vec::new(),
            rules: Vec::new(),
            kpis: HashMap::new(),
        }
    }

    /// The scorecard and definition of a KPI.
    pub fn kpi(&self, id: &KpiId) -> Option<(&Scorecard, &KpiDefinition)> {
        self.kpi_named(id.as_str())
    }

    /// The KPI of that name with its scorecard; what is no id is not known.
    pub fn kpi_named(&self, name: &str) -> Option<(&Scorecard, &KpiDefinition)> {
        let &(scorecard, kpi) = self.kpis.get(name)?;
        let scorecard = self.scorecards.get(scorecard)?;
        Some((scorecard, scorecard.kpis.get(kpi)?))
    }

    /// The scorecard of that name.
    pub fn scorecard(&self, id: &str) -> Option<&Scorecard> {
        self.scorecards.iter().find(|scorecard| scorecard.id.as_str() == id)
    }
}

/// One scorecard: perspectives, their objectives, their KPIs.
#[derive(Debug)]
pub struct Scorecard {
    /// Its id, the first level of every path under it.
    pub id: Slug,
    /// For people.
    pub title: String,
    /// Whom to ask.
    pub owner: Option<String>,
    /// Time zone, week start and fiscal year, with the local days resolved.
    pub calendar: Arc<Calendar>,
    /// The label of which every value is an instance of this scorecard.
    pub each: Option<String>,
    /// How the perspectives' scores make the scorecard's.
    pub roll_up: RollUp,
    /// Coverage below which a node has no score, 0..=1.
    pub min_coverage: f64,
    /// Bands by effective date; never empty, the first holds from the beginning.
    pub bands: Vec<Versioned<Bands>>,
    /// In file order.
    pub perspectives: Vec<Perspective>,
    /// In file order.
    pub objectives: Vec<Objective>,
    /// In file order.
    pub kpis: Vec<KpiDefinition>,
}

impl Scorecard {
    /// Nodes of it, or of an instance of it.
    pub fn node_count(&self) -> usize {
        1 + self.perspectives.len() + self.objectives.len() + self.kpis.len()
    }
}

/// Something that changes on given days. It holds from `from` (local midnight) on: the version that holds just before
/// the evaluated instant counts, so an evaluation at exactly `from` still takes the older one.
#[derive(Debug, Clone, PartialEq)]
pub struct Versioned<T> {
    /// Holds from this instant on; `Instant(i64::MIN)` for the first.
    pub from: Instant,
    /// What holds.
    pub value: T,
}

/// The version that holds just before `at`. `versions` is sorted by `from` and starts at the beginning of time.
pub fn version_at<T>(versions: &[Versioned<T>], at: Instant) -> Option<&T> {
    versions
        .iter()
        .rev()
        .find(|version| version.from < at)
        .or_else(|| versions.first())
        .map(|version| &version.value)
}

/// The bands of a scorecard, lowest first; the first starts at 0.
pub type Bands = Arc<[Band]>;

/// A named range of scores: from `from` (included) to the next band's `from`.
#[derive(Debug, Clone, PartialEq)]
pub struct Band {
    /// `red`, `amber`, `green` or the user's word.
    pub name: Arc<str>,
    /// Lowest score that is in it, 0..=100.
    pub from: f64,
}

/// One of the four sides of a scorecard (or any other).
#[derive(Debug)]
pub struct Perspective {
    /// Unique within the scorecard.
    pub id: Slug,
    /// For people.
    pub title: String,
    /// Relative weight by effective date.
    pub weight: Vec<Versioned<f64>>,
    /// How the objectives' scores make its own.
    pub roll_up: RollUp,
}

/// What a perspective wants to reach.
#[derive(Debug)]
pub struct Objective {
    /// Unique within the scorecard.
    pub id: Slug,
    /// For people.
    pub title: String,
    /// Index into [`Scorecard::perspectives`].
    pub perspective: usize,
    /// Relative weight by effective date.
    pub weight: Vec<Versioned<f64>>,
    /// How the KPIs' scores make its own.
    pub roll_up: RollUp,
    /// Objectives of the same scorecard that this one is believed to drive (indices), for the strategy map.
    pub drives: Vec<usize>,
    /// Nodes of other scorecards that count here, after the own KPIs.
    pub include: Vec<Include>,
}

/// A node of another scorecard that counts in an objective.
#[derive(Debug, Clone, PartialEq)]
pub struct Include {
    /// Its whole path, for example `servicedesk/customer` or `it@berlin/process`.
    pub path: String,
    /// Index into [`Catalog::scorecards`] of the scorecard it belongs to.
    pub scorecard: usize,
    /// Instance, where the path names one.
    pub instance: Option<InstanceId>,
    /// The node inside that scorecard.
    pub node: NodePlace,
    /// Relative weight among the objective's children.
    pub weight: f64,
}

/// A node's place inside its scorecard, by indices into the scorecard's lists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodePlace {
    /// The scorecard itself.
    Scorecard,
    /// A perspective.
    Perspective(usize),
    /// An objective.
    Objective(usize),
    /// A KPI.
    Kpi(usize),
}

/// What level of the tree a node is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum NodeKind {
    /// The root.
    Scorecard,
    /// Financial, customer, process, learning by custom.
    Perspective,
    /// Under a perspective.
    Objective,
    /// The leaf.
    Kpi,
}

impl NodeKind {
    /// The word for it: `scorecard`, `perspective`, `objective`, `kpi`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Scorecard => "scorecard",
            Self::Perspective => "perspective",
            Self::Objective => "objective",
            Self::Kpi => "kpi",
        }
    }
}

/// How children's scores make their parent's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RollUp {
    /// sum(w*s)/sum(w)
    Mean,
    /// The lowest child of weight > 0.
    Worst,
    /// The highest child of weight > 0.
    Best,
    /// product(s^w)^(1/sum w)
    Geometric,
}

/// One indicator.
#[derive(Debug)]
pub struct KpiDefinition {
    /// Unique over the whole catalog.
    pub id: KpiId,
    /// Index into [`Scorecard::objectives`].
    pub objective: usize,
    /// For people.
    pub title: String,
    /// `%`, `EUR`, `h`, ...; empty when it has none.
    pub unit: String,
    /// Leading or lagging.
    pub kind: KpiKind,
    /// How measurements become a value.
    pub aggregate: Aggregate,
    /// Which measurements count.
    pub window: Window,
    /// How `first`, `last` and `delta` are put together over the instances of an `each` scorecard.
    pub across: Across,
    /// What an empty window means.
    pub missing: Missing,
    /// Plausible values, both ends included; outside is `implausible`. For ratios it is held against the scaled ratio.
    pub accept: Option<(f64, f64)>,
    /// The words of a qualitative KPI with their scores, as written.
    pub scale: Option<Vec<(Arc<str>, f64)>>,
    /// How long after a period's end its reading stays provisional, ms.
    pub allowed_lateness_ms: i64,
    /// Weight, scoring and the like by effective date; never empty.
    pub versions: Vec<Versioned<KpiVersion>>,
}

impl KpiDefinition {
    /// What holds just before `at`.
    pub fn version(&self, at: Instant) -> Option<&KpiVersion> {
        version_at(&self.versions, at)
    }
}

/// The parts of a KPI that may change from a day on.
#[derive(Debug, Clone, PartialEq)]
pub struct KpiVersion {
    /// Relative weight in its objective, >= 0.
    pub weight: f64,
    /// From value to score.
    pub scoring: Scoring,
    /// The target as people know it.
    pub target: Option<Target>,
    /// Journalled and shown, weighs nothing.
    pub paused: bool,
    /// A latest measurement older than this is not fresh, ms.
    pub expected_every_ms: Option<i64>,
}

/// The aim, for people.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Target {
    /// At least, or at most, this value.
    Value(f64),
    /// Between these two, ends included.
    Range(f64, f64),
}

/// Which way is good; always written, never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// More is better.
    Up,
    /// Less is better.
    Down,
    /// Near is better.
    Range,
}

/// From a value to a score.
#[derive(Debug, Clone, PartialEq)]
pub enum Scoring {
    /// Interpolation between points.
    Curve(ScoreCurve),
    /// The value is the score already (qualitative KPIs).
    Scale,
    /// Shown, but not scored: `no_target`.
    None,
}

/// Leading indicators tell early, lagging ones tell for sure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KpiKind {
    /// Moves before the result does.
    Leading,
    /// Is the result.
    Lagging,
}

/// How measurements become one value.
#[derive(Debug, Clone, PartialEq)]
pub enum Aggregate {
    /// Number of values.
    Count,
    /// Compensated sum.
    Sum,
    /// sum / count
    Mean,
    /// Smallest.
    Min,
    /// Greatest.
    Max,
    /// Earliest by `observed_at`.
    First,
    /// Latest by `observed_at`.
    Last,
    /// `scale_by` * sum of numerators / sum of denominators.
    Ratio {
        /// The factor, 100 for percent.
        scale_by: f64,
    },
    /// sum(value * weight) / sum(weight)
    WeightedMean,
    /// Population standard deviation.
    Stddev,
    /// Last minus first.
    Delta,
    /// Sum per `per_ms` of window length.
    Rate {
        /// The unit of time, ms.
        per_ms: i64,
    },
    /// A percentile, 0..=100.
    Percentile(f64),
    /// How many different values the label has.
    Distinct {
        /// The label.
        key: Arc<str>,
    },
}

/// Which measurements a reading sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The last `slices` slices of `slice_ms` each, the running one included; aligned to the epoch in UTC.
    Rolling {
        /// How many slices.
        slices: i64,
        /// Width of one, ms.
        slice_ms: i64,
    },
    /// A calendar period.
    Period {
        /// Day, week, month, quarter or year.
        period: Period,
        /// The last period that ended, instead of the running one.
        complete: bool,
        /// Months of whole weeks.
        weeks: Option<WeekPattern>,
    },
    /// Everything.
    All,
}

/// `first`, `last` and `delta` over instances.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Across {
    /// They add up.
    Sum,
    /// They average.
    Mean,
}

/// What a window without a measurement means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Missing {
    /// No value.
    Exclude,
    /// 0.
    Zero,
    /// The value of the last evaluation that had one, for so long after that evaluation, ms.
    Hold(i64),
}
