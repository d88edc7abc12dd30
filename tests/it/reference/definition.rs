//! What a catalog says, in plain structs; [`super::catalog`] fills them, the other modules read them.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;

/// All scorecards and rules, files by name, everything inside a file as written.
pub struct Catalog {
    pub scorecards: Vec<Scorecard>,
    pub rules: Vec<Rule>,
}

/// Something that changes on given days: (from, what holds), the first from the beginning of time.
pub struct Versions<T>(pub Vec<(i64, T)>);

impl<T> Versions<T> {
    /// The version that holds just before `t`: a change at exactly `t` does not hold yet.
    pub fn just_before(&self, t: i64) -> &T {
        let holding = self.0.iter().rfind(|(from, _)| *from < t);
        &holding.expect("the first version holds from the beginning").1
    }
}

pub struct Scorecard {
    pub id: String,
    pub calendar: Calendar,
    pub each: Option<String>,
    pub roll_up: RollUp,
    pub min_coverage: f64,
    /// (name, from), lowest first.
    pub bands: Versions<Vec<(String, f64)>>,
    pub perspectives: Vec<Perspective>,
}

impl Scorecard {
    /// Its KPIs in the order of the tree.
    pub fn kpis(&self) -> impl Iterator<Item = &Kpi> {
        let objectives = self.perspectives.iter().flat_map(|perspective| &perspective.objectives);
        objectives.flat_map(|objective| &objective.kpis)
    }
}

/// The local days of a scorecard.
pub struct Calendar {
    pub zone: TimeZone,
    pub week_start: Weekday,
    pub fiscal_year_start: i8,
}

pub struct Perspective {
    pub id: String,
    pub weight: Versions<f64>,
    pub roll_up: RollUp,
    pub objectives: Vec<Objective>,
}

pub struct Objective {
    pub id: String,
    pub weight: Versions<f64>,
    pub roll_up: RollUp,
    pub kpis: Vec<Kpi>,
    /// (path of a node, weight).
    pub include: Vec<(String, f64)>,
}

#[derive(Clone, Copy)]
pub enum RollUp {
    Mean,
    Worst,
    Best,
    Geometric,
}

pub struct Kpi {
    pub id: String,
    pub aggregate: Aggregate,
    pub window: Window,
    /// `across = "mean"`.
    pub averages_across: bool,
    pub missing: Missing,
    pub allowed_lateness_ms: i64,
    pub accept: Option<(f64, f64)>,
    /// (word, score).
    pub scale: Option<Vec<(String, f64)>>,
    pub versions: Versions<KpiVersion>,
}

pub struct KpiVersion {
    pub weight: f64,
    pub scoring: Scoring,
    pub paused: bool,
    pub expected_every: Option<i64>,
}

pub enum Aggregate {
    Count,
    Sum,
    Mean,
    Min,
    Max,
    First,
    Last,
    Ratio { scale_by: f64 },
    WeightedMean,
    Stddev,
    Delta,
    Rate { per_ms: i64 },
    Percentile(f64),
    Distinct { key: String },
}

pub enum Window {
    Rolling {
        length_ms: i64,
        slice_ms: i64,
    },
    Period {
        period: Period,
        complete: bool,
        weeks: Option<[i64; 3]>,
    },
    All,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Period {
    Day,
    Week,
    Month,
    Quarter,
    Year,
}

pub enum Missing {
    Exclude,
    Zero,
    Hold { hold_for_ms: i64 },
}

pub enum Scoring {
    /// Up or down: (value, score), values strictly increasing.
    Curve(Vec<(f64, f64)>),
    Range {
        red: (f64, f64),
        target: (f64, f64),
        best: f64,
    },
    /// The value is the score.
    Scale,
    None,
}

pub struct Rule {
    pub id: String,
    pub on: String,
    pub kinds: Option<Vec<String>>,
    pub metric: Metric,
    pub condition: Condition,
    pub for_ms: i64,
    pub keep_firing_for_ms: i64,
    pub repeat_ms: Option<i64>,
    pub no_data: NoData,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Metric {
    Value,
    Score,
    Status,
    Coverage,
}

pub enum Condition {
    Below {
        threshold: f64,
        clear: f64,
    },
    Above {
        threshold: f64,
        clear: f64,
    },
    /// Status is this band or a worse one; `clear` is a band as well.
    AtWorst {
        band: String,
        clear: Option<String>,
    },
}

#[derive(Clone, Copy, PartialEq)]
pub enum NoData {
    Keep,
    Fire,
    Resolve,
}
