//! Explained changes as JSON.
//!
//! A change with its shares and movers enters; one object leaves, the leaves with most influence first. What is not there is
//! `null` and has its reason in `absence`; numbers are never rounded here.

use serde::Serialize;

use super::alert::{TargetBody, root_of};
use super::reading::shown_coverage;
use crate::domain::measurement::MeasuredValue;
use crate::domain::movers::{LeafMovers, Mover, Movers};
use crate::domain::projection::{Explained, ExplainedLeaf};
use crate::domain::reading::{Absence, Reading};

/// The answer of `explain`.
#[derive(Debug, Serialize)]
pub struct ExplainBody<'a> {
    scorecard: &'a str,
    instance: Option<String>,
    from: String,
    to: String,
    sequence: u64,
    catalog: &'a str,
    node: ChangeBody<'a>,
    leaves: Vec<LeafBody<'a>>,
    measurements_complete: bool,
}

/// What became of the node.
#[derive(Debug, Serialize)]
struct ChangeBody<'a> {
    path: &'a str,
    kind: &'static str,
    title: &'a str,
    then: SideBody<'a>,
    now: SideBody<'a>,
    change: Option<f64>,
}

/// A node at one instant.
#[derive(Debug, Serialize)]
struct SideBody<'a> {
    #[serde(flatten)]
    leaf: Option<LeafSideBody>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
    coverage: f64,
}

/// What only KPIs say.
#[derive(Debug, Serialize)]
struct LeafSideBody {
    value: Option<f64>,
    target: Option<TargetBody>,
    count: u64,
    weight: f64,
}

/// A leaf and its part in the change.
#[derive(Debug, Serialize)]
struct LeafBody<'a> {
    path: &'a str,
    title: &'a str,
    unit: &'a str,
    contribution: Option<f64>,
    by_score: Option<f64>,
    by_weight: Option<f64>,
    then: SideBody<'a>,
    now: SideBody<'a>,
    measurements: MoversBody<'a>,
}

/// What moved a leaf.
#[derive(Debug, Serialize)]
struct MoversBody<'a> {
    entered: u64,
    left: u64,
    listed: Vec<MoverBody<'a>>,
}

/// One measurement that came or went.
#[derive(Debug, Serialize)]
struct MoverBody<'a> {
    sequence: u64,
    moved: &'static str,
    observed_at: String,
    recorded_at: String,
    #[serde(flatten)]
    value: ValueBody<'a>,
    corrected: bool,
    source: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    instance: Option<&'a str>,
    id: Option<&'a str>,
    note: Option<&'a str>,
    by: Option<&'a str>,
}

/// A measured value, as measurements are written.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum ValueBody<'a> {
    Number { value: f64 },
    Weighted { value: f64, weight: f64 },
    Ratio { numerator: f64, denominator: f64 },
    Word { value: &'a str },
    WeightedWord { value: &'a str, weight: f64 },
    NotApplicable { not_applicable: bool },
}

impl<'a> ExplainBody<'a> {
    /// From a change and what moved its leaves. `fingerprint` names the catalog that scored it.
    pub fn new(explained: &'a Explained, movers: &'a Movers, fingerprint: &'a str) -> Self {
        let (scorecard, instance) = root_of(&explained.path);
        let side = |reading| SideBody::new(reading, None);
        let [then, now] = explained.readings.each_ref().map(side);
        let leaves = by_size(explained).into_iter();
        Self {
            scorecard,
            instance,
            from: explained.at[0].to_string(),
            to: explained.at[1].to_string(),
            sequence: explained.sequence.0,
            catalog: fingerprint,
            node: ChangeBody {
                path: &explained.path,
                kind: explained.kind.word(),
                title: &explained.title,
                then,
                now,
                change: explained.change(),
            },
            leaves: leaves
                .map(|(index, leaf)| LeafBody::new(leaf, movers.leaves.get(index), explained.change().is_some()))
                .collect(),
            measurements_complete: movers.is_complete,
        }
    }
}

/// Leaves with their places, those with most influence first; without influence in the order of the tree.
pub fn by_size(explained: &Explained) -> Vec<(usize, &ExplainedLeaf)> {
    let mut leaves: Vec<(usize, &ExplainedLeaf)> = explained.leaves.iter().enumerate().collect();
    leaves.sort_by(|(_, a), (_, b)| {
        let size = |leaf: &ExplainedLeaf| leaf.share.contribution().abs();
        size(b).total_cmp(&size(a))
    });
    leaves
}

impl<'a> SideBody<'a> {
    fn new(reading: &'a Reading, leaf: Option<LeafSideBody>) -> Self {
        Self {
            leaf,
            score: reading.score,
            status: reading.status.as_deref(),
            absence: reading.absence.map(Absence::word),
            coverage: shown_coverage(reading),
        }
    }

    fn of_leaf(leaf: &'a ExplainedLeaf, side: usize) -> Self {
        let [then, now] = &leaf.readings;
        let reading = if side == 0 { then } else { now };
        let own = LeafSideBody {
            value: reading.value,
            target: leaf.targets.get(side).copied().flatten().map(TargetBody::from),
            count: reading.count,
            weight: leaf.share.weights.get(side).copied().unwrap_or(0.0),
        };
        Self::new(reading, Some(own))
    }
}

impl<'a> LeafBody<'a> {
    fn new(leaf: &'a ExplainedLeaf, movers: Option<&'a LeafMovers>, has_change: bool) -> Self {
        let told = |points: f64| has_change.then_some(points);
        Self {
            path: &leaf.path,
            title: &leaf.title,
            unit: &leaf.unit,
            contribution: told(leaf.share.contribution()),
            by_score: told(leaf.share.by_score),
            by_weight: told(leaf.share.by_weight),
            then: SideBody::of_leaf(leaf, 0),
            now: SideBody::of_leaf(leaf, 1),
            measurements: MoversBody {
                entered: movers.map_or(0, |movers| movers.entered),
                left: movers.map_or(0, |movers| movers.left),
                listed: movers
                    .into_iter()
                    .flat_map(|movers| movers.listed.iter().map(MoverBody::new))
                    .collect(),
            },
        }
    }
}

impl<'a> MoverBody<'a> {
    fn new(mover: &'a Mover) -> Self {
        Self {
            sequence: mover.sequence.0,
            moved: if mover.has_entered { "entered" } else { "left" },
            observed_at: mover.observed_at.to_string(),
            recorded_at: mover.recorded_at.to_string(),
            value: ValueBody::new(&mover.value),
            corrected: mover.is_corrected,
            source: &mover.source,
            instance: mover.instance.as_ref().map(crate::domain::id::InstanceId::as_str),
            id: mover.extra.id.as_deref(),
            note: mover.extra.note.as_deref(),
            by: mover.extra.by.as_deref(),
        }
    }
}

impl<'a> ValueBody<'a> {
    fn new(value: &'a MeasuredValue) -> Self {
        match value {
            MeasuredValue::Number(value) => Self::Number { value: *value },
            MeasuredValue::Weighted { value, weight } => Self::Weighted {
                value: *value,
                weight: *weight,
            },
            MeasuredValue::Ratio { numerator, denominator } => Self::Ratio {
                numerator: *numerator,
                denominator: *denominator,
            },
            MeasuredValue::Word(word) => Self::Word { value: word },
            MeasuredValue::WeightedWord { word, weight } => Self::WeightedWord {
                value: word,
                weight: *weight,
            },
            MeasuredValue::NotApplicable => Self::NotApplicable { not_applicable: true },
        }
    }
}
