//! Scorecards and KPIs as JSON: answers of the API and of the NATS service.
//!
//! A picture of the board enters, a tree of nodes leaves, shaped as the example in the specification shows it. A score that
//! is absent is `null` and has its reason in `absence`; numbers are never rounded here.

use std::sync::Arc;

use serde::Serialize;

use super::alert::TargetBody;
use super::reading::{WorstBody, shown_coverage};
use crate::domain::alert::{AlertPhase, AlertView};
use crate::domain::board::{Board, IncludedView, NodeView, Note, Picture, ScorecardBoard};
use crate::domain::calendar::{Period, WeekPattern};
use crate::domain::catalog::{Aggregate, KpiDefinition, KpiKind, NodeKind, Scorecard, Window};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS, SECOND_MS};
use crate::domain::reading::{Absence, Trend};

/// One scorecard, or one instance of it, at one instant.
#[derive(Debug, Serialize)]
pub struct ScorecardBody<'a> {
    scorecard: &'a str,
    instance: Option<&'a str>,
    at: Option<String>,
    known_at: Option<String>,
    sequence: u64,
    catalog: &'a str,
    node: Option<NodeBody<'a>>,
}

impl<'a> ScorecardBody<'a> {
    /// The whole tree of a picture. `fingerprint` names the catalog that scored it.
    pub fn new(picture: &'a Picture, fingerprint: &'a str) -> Self {
        Self {
            scorecard: picture.scorecard.as_str(),
            instance: picture.instance.as_ref().map(crate::domain::id::InstanceId::as_str),
            at: shown_at(picture.at),
            known_at: None,
            sequence: picture.sequence.0,
            catalog: fingerprint,
            node: NodeBody::tree(picture, 0),
        }
    }

    /// The same, said to be what was known at an instant.
    #[must_use]
    pub fn known_at(mut self, known_at: Option<Instant>) -> Self {
        self.known_at = known_at.map(|known_at| known_at.to_string());
        self
    }
}

/// The instant of what is shown as text; `None` before the first block, when time has not begun.
pub fn shown_at(at: Instant) -> Option<String> {
    (at > Instant::EARLIEST).then(|| at.to_string())
}

/// A node with everything under it.
#[derive(Debug, Serialize)]
pub struct NodeBody<'a> {
    path: &'a str,
    kind: &'static str,
    title: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    weight: Option<f64>,
    #[serde(flatten)]
    leaf: Option<LeafBody<'a>>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
    coverage: f64,
    worst: Option<WorstBody<'a>>,
    red: u32,
    trend: Option<TrendBody>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    included: Vec<IncludedBody<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    children: Option<Vec<NodeBody<'a>>>,
}

impl<'a> NodeBody<'a> {
    /// The node at an index of a picture and all below it.
    pub fn tree(picture: &'a Picture, index: usize) -> Option<Self> {
        let node = picture.nodes.get(index)?;
        // Parents stand before their children, so that only greater indices can be children: the walk always ends.
        let below = node.children.iter().map(|&child| child as usize);
        let children = below.filter(|&child| child > index);
        let children = children.filter_map(|child| Self::tree(picture, child)).collect();
        Some(Self {
            children: (node.kind != NodeKind::Kpi).then_some(children),
            ..Self::alone(node)
        })
    }

    /// A node without what is below it.
    pub fn alone(node: &'a NodeView) -> Self {
        let reading = &node.reading;
        Self {
            path: &node.path,
            kind: node.kind.word(),
            title: &node.title,
            weight: (node.kind != NodeKind::Scorecard).then_some(node.weight),
            leaf: (node.kind == NodeKind::Kpi).then(|| LeafBody::new(node)),
            score: reading.score,
            status: reading.status.as_deref(),
            absence: reading.absence.map(Absence::word),
            coverage: shown_coverage(reading),
            worst: reading.worst.as_ref().map(WorstBody::new),
            red: reading.red,
            trend: node.trend.map(TrendBody::from),
            included: node.included.iter().map(IncludedBody::new).collect(),
            children: None,
        }
    }
}

/// What only KPIs say.
#[derive(Debug, Serialize)]
struct LeafBody<'a> {
    value: Option<f64>,
    unit: &'a str,
    count: u64,
    observed_at: Option<String>,
    fresh: bool,
    provisional: bool,
    /// Only where it is so.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    restated: bool,
    target: Option<TargetBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<NoteBody<'a>>,
}

impl<'a> LeafBody<'a> {
    fn new(node: &'a NodeView) -> Self {
        let reading = &node.reading;
        Self {
            value: reading.value,
            unit: &node.unit,
            count: reading.count,
            observed_at: reading.observed_at.map(|instant| instant.to_string()),
            fresh: reading.fresh,
            provisional: reading.provisional,
            restated: reading.restated,
            target: node.target.map(TargetBody::from),
            note: node.note.as_ref().map(NoteBody::new),
        }
    }
}

/// The reading one window (or period) earlier, and what became of it.
#[derive(Debug, Serialize)]
struct TrendBody {
    previous: f64,
    change: f64,
    direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    previous_value: Option<f64>,
}

impl From<Trend> for TrendBody {
    fn from(trend: Trend) -> Self {
        Self {
            previous: trend.previous,
            change: trend.change,
            direction: trend.direction.word(),
            previous_value: trend.previous_value,
        }
    }
}

/// A node of another scorecard that counts here.
#[derive(Debug, Serialize)]
struct IncludedBody<'a> {
    path: &'a str,
    title: &'a str,
    weight: f64,
    score: Option<f64>,
    status: Option<&'a str>,
}

impl<'a> IncludedBody<'a> {
    fn new(included: &'a IncludedView) -> Self {
        Self {
            path: &included.path,
            title: &included.title,
            weight: included.weight,
            score: included.score,
            status: included.status.as_deref(),
        }
    }
}

/// A person's words beside a value.
#[derive(Debug, Serialize)]
struct NoteBody<'a> {
    text: &'a str,
    by: Option<&'a str>,
    observed_at: String,
}

impl<'a> NoteBody<'a> {
    fn new(note: &'a Note) -> Self {
        Self {
            text: &note.text,
            by: note.by.as_deref(),
            observed_at: note.observed_at.to_string(),
        }
    }
}

/// An entry of the list of scorecards.
#[derive(Debug, Serialize)]
pub struct ScorecardEntry<'a> {
    id: &'a str,
    title: &'a str,
    owner: Option<&'a str>,
    each: Option<&'a str>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
    coverage: f64,
    worst: Option<WorstBody<'a>>,
    red: u32,
    trend: Option<TrendBody>,
    instances: usize,
    alerts_firing: usize,
    alerts_pending: usize,
}

impl<'a> ScorecardEntry<'a> {
    /// The entry of a scorecard on the board; `None` where the board has no nodes of it.
    pub fn new(scorecard: &'a Scorecard, on_board: &'a ScorecardBoard, alerts: &[Arc<AlertView>]) -> Option<Self> {
        let root = on_board.overall.nodes.first()?;
        let count = |phase: AlertPhase| {
            let here = |alert: &&Arc<AlertView>| alert.phase == phase && belongs_to(&alert.path, scorecard.id.as_str());
            alerts.iter().filter(here).count()
        };
        Some(Self {
            id: scorecard.id.as_str(),
            title: &scorecard.title,
            owner: scorecard.owner.as_deref(),
            each: scorecard.each.as_deref(),
            score: root.reading.score,
            status: root.reading.status.as_deref(),
            absence: root.reading.absence.map(Absence::word),
            coverage: shown_coverage(&root.reading),
            worst: root.reading.worst.as_ref().map(WorstBody::new),
            red: root.reading.red,
            trend: root.trend.map(TrendBody::from),
            instances: on_board.instance_count,
            alerts_firing: count(AlertPhase::Firing),
            alerts_pending: count(AlertPhase::Pending),
        })
    }
}

/// Whether a node path is inside a scorecard, in any instance of it.
pub fn belongs_to(path: &str, scorecard: &str) -> bool {
    let root = path.split('/').next().unwrap_or_default();
    root.split('@').next() == Some(scorecard)
}

/// A KPI: its definition as it holds now, and what it says.
#[derive(Debug, Serialize)]
pub struct KpiBody<'a> {
    id: &'a str,
    scorecard: &'a str,
    leading: bool,
    aggregate: String,
    window: WindowBody,
    #[serde(flatten)]
    node: NodeBody<'a>,
}

impl<'a> KpiBody<'a> {
    /// From the definition and the node on the board.
    pub fn new(scorecard: &'a Scorecard, kpi: &'a KpiDefinition, node: &'a NodeView) -> Self {
        Self {
            id: kpi.id.as_str(),
            scorecard: scorecard.id.as_str(),
            leading: kpi.kind == KpiKind::Leading,
            aggregate: aggregate_word(&kpi.aggregate),
            window: WindowBody::from(kpi.window),
            node: NodeBody::alone(node),
        }
    }
}

/// All KPIs of the board in catalog order, over all instances.
pub fn kpi_entries(board: &Board) -> Vec<KpiBody<'_>> {
    let of_scorecard = |scorecard: &'_ Scorecard| board.picture(scorecard.id.as_str());
    let scorecards = board.catalog.scorecards.iter();
    let with_picture = scorecards.filter_map(|scorecard| Some((scorecard, of_scorecard(scorecard)?)));
    with_picture
        .flat_map(|(scorecard, picture)| {
            let kpis = scorecard.kpis.iter();
            kpis.filter_map(move |kpi| Some(KpiBody::new(scorecard, kpi, kpi_node(picture, kpi.id.as_str())?)))
        })
        .collect()
}

/// The node of a KPI in a picture.
pub fn kpi_node<'a>(picture: &'a Picture, kpi: &str) -> Option<&'a NodeView> {
    let mut leaves = picture.nodes.iter().filter(|node| node.kind == NodeKind::Kpi);
    leaves.find(|node| node.path.rsplit('/').next() == Some(kpi))
}

/// A window as the catalog writes it.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum WindowBody {
    Rolling {
        rolling: String,
        slice: String,
    },
    Period {
        period: &'static str,
        complete: bool,
        #[serde(skip_serializing_if = "Option::is_none")]
        calendar: Option<&'static str>,
    },
    All {
        all: bool,
    },
}

impl From<Window> for WindowBody {
    fn from(window: Window) -> Self {
        match window {
            Window::Rolling { slices, slice_ms } => Self::Rolling {
                rolling: duration_word(slices.saturating_mul(slice_ms)),
                slice: duration_word(slice_ms),
            },
            Window::Period {
                period,
                complete,
                weeks,
            } => Self::Period {
                period: period_word(period),
                complete,
                calendar: weeks.map(pattern_word),
            },
            Window::All => Self::All { all: true },
        }
    }
}

/// `day`, `week`, `month`, `quarter`, `year`.
pub fn period_word(period: Period) -> &'static str {
    match period {
        Period::Day => "day",
        Period::Week => "week",
        Period::Month => "month",
        Period::Quarter => "quarter",
        Period::Year => "year",
    }
}

fn pattern_word(pattern: WeekPattern) -> &'static str {
    match pattern {
        WeekPattern::P445 => "4-4-5",
        WeekPattern::P454 => "4-5-4",
        WeekPattern::P544 => "5-4-4",
    }
}

/// A duration in its largest whole unit: `28d`, `90m`, `1500ms`.
pub fn duration_word(ms: i64) -> String {
    let units = [(DAY_MS, "d"), (HOUR_MS, "h"), (MINUTE_MS, "m"), (SECOND_MS, "s")];
    let whole = units.iter().find(|(unit, _)| ms != 0 && ms % unit == 0);
    whole.map_or_else(|| format!("{ms}ms"), |(unit, word)| format!("{}{word}", ms / unit))
}

/// The aggregate as the catalog names it: `mean`, `ratio`, `p95`.
pub fn aggregate_word(aggregate: &Aggregate) -> String {
    let word = match aggregate {
        Aggregate::Count => "count",
        Aggregate::Sum => "sum",
        Aggregate::Mean => "mean",
        Aggregate::Min => "min",
        Aggregate::Max => "max",
        Aggregate::First => "first",
        Aggregate::Last => "last",
        Aggregate::Ratio { .. } => "ratio",
        Aggregate::WeightedMean => "weighted_mean",
        Aggregate::Stddev => "stddev",
        Aggregate::Delta => "delta",
        Aggregate::Rate { .. } => "rate",
        Aggregate::Percentile(rank) => return format!("p{rank}"),
        Aggregate::Distinct { .. } => "distinct",
    };
    word.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn before_the_first_block_there_is_no_instant() {
        assert_eq!(shown_at(Instant::default()), None);
        assert_eq!(shown_at(Instant(i64::MIN)), None);
        assert_eq!(shown_at(Instant(1_000)).as_deref(), Some("1970-01-01T00:00:01Z"));
    }

    #[test]
    fn a_duration_is_written_in_its_largest_whole_unit() {
        for (ms, word) in [
            (28 * DAY_MS, "28d"),
            (90 * MINUTE_MS, "90m"),
            (HOUR_MS, "1h"),
            (1500, "1500ms"),
            (0, "0ms"),
        ] {
            assert_eq!(duration_word(ms), word);
        }
    }

    #[test]
    fn a_path_belongs_to_its_scorecard_in_every_instance() {
        for (path, fits) in [
            ("it", true),
            ("it@berlin/customer", true),
            ("it/customer", true),
            ("item/customer", false),
        ] {
            assert_eq!(belongs_to(path, "it"), fits, "{path}");
        }
    }

    #[test]
    fn a_percentile_is_named_by_its_rank() {
        assert_eq!(aggregate_word(&Aggregate::Percentile(99.9)), "p99.9");
        assert_eq!(aggregate_word(&Aggregate::Percentile(50.0)), "p50");
    }
}
