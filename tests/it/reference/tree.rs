//! All nodes at one instant: every KPI from the whole list of measurements, then up the tree.

use std::collections::{BTreeMap, BTreeSet};

use super::ReadingLine;
use super::aggregate;
use super::definition::{Aggregate, Catalog, Kpi, KpiVersion, Missing, Objective, Perspective, Scorecard, Scoring};
use super::intake::{Measurement, What};
use super::score::{self, Judgement};
use super::windows;

/// One evaluation.
pub struct Moment<'a> {
    pub catalog: &'a Catalog,
    pub measurements: &'a [Measurement],
    /// By path of a KPI: the last evaluation before this one whose window gave a value, and that value.
    pub held: &'a BTreeMap<String, (i64, f64)>,
    pub t: i64,
}

/// A node as it is at the moment.
#[derive(Clone)]
pub struct Node {
    pub kind: &'static str,
    pub line: ReadingLine,
    /// The value that the window itself gave, neither held nor zero for want of one.
    pub own_value: Option<f64>,
    /// Bands of its scorecard, lowest first.
    pub bands: Vec<String>,
}

/// What the window of a KPI gives.
struct Look {
    /// Its latest measurement, in the window or before it.
    latest: Option<i64>,
    /// There is no measurement in the window.
    empty: bool,
    /// The latest measurement in the window says so.
    not_applicable: bool,
    /// The aggregate of the window.
    own_value: Option<f64>,
    /// That, or what stands for it.
    value: Option<f64>,
}

/// One scorecard, overall or one instance of it.
#[derive(Clone, Copy)]
struct Root<'a> {
    scorecard: &'a Scorecard,
    instance: Option<&'a str>,
}

impl Root<'_> {
    fn path(&self) -> String {
        match self.instance {
            None => self.scorecard.id.clone(),
            Some(instance) => format!("{}@{instance}", self.scorecard.id),
        }
    }
}

impl Moment<'_> {
    /// All nodes that exist: every scorecard, and each instance that ever had a measurement.
    pub fn nodes(&self) -> Vec<Node> {
        let mut nodes = Vec::new();
        for scorecard in &self.catalog.scorecards {
            self.scorecard(
                Root {
                    scorecard,
                    instance: None,
                },
                &mut nodes,
            );
            for instance in self.instances(scorecard) {
                self.scorecard(
                    Root {
                        scorecard,
                        instance: Some(instance),
                    },
                    &mut nodes,
                );
            }
        }
        nodes
    }

    fn instances(&self, scorecard: &Scorecard) -> BTreeSet<&str> {
        let mine = self
            .measurements
            .iter()
            .filter(|measurement| scorecard.kpis().any(|kpi| kpi.id == measurement.kpi));
        mine.filter_map(|measurement| measurement.instance.as_deref()).collect()
    }

    fn scorecard(&self, root: Root<'_>, out: &mut Vec<Node>) {
        let path = root.path();
        let children: Vec<(f64, Judgement)> = root
            .scorecard
            .perspectives
            .iter()
            .map(|perspective| {
                (
                    *perspective.weight.just_before(self.t),
                    self.perspective(root, perspective, out),
                )
            })
            .collect();
        let judgement = score::roll_up(root.scorecard.roll_up, root.scorecard.min_coverage, &children);
        out.push(self.node(root, "scorecard", path, &judgement));
    }

    fn perspective(&self, root: Root<'_>, perspective: &Perspective, out: &mut Vec<Node>) -> Judgement {
        let path = format!("{}/{}", root.path(), perspective.id);
        let children: Vec<(f64, Judgement)> = perspective
            .objectives
            .iter()
            .map(|objective| {
                (
                    *objective.weight.just_before(self.t),
                    self.objective(root, &path, objective, out),
                )
            })
            .collect();
        let judgement = score::roll_up(perspective.roll_up, root.scorecard.min_coverage, &children);
        out.push(self.node(root, "perspective", path, &judgement));
        judgement
    }

    fn objective(&self, root: Root<'_>, parent: &str, objective: &Objective, out: &mut Vec<Node>) -> Judgement {
        let path = format!("{parent}/{}", objective.id);
        let kpis = objective
            .kpis
            .iter()
            .map(|kpi| (kpi.versions.just_before(self.t).weight, self.kpi(root, &path, kpi, out)));
        let mut children: Vec<(f64, Judgement)> = kpis.collect();
        children.extend(
            objective
                .include
                .iter()
                .map(|(node, weight)| (*weight, self.included(node))),
        );
        let judgement = score::roll_up(objective.roll_up, root.scorecard.min_coverage, &children);
        out.push(self.node(root, "objective", path, &judgement));
        judgement
    }

    /// A node of another scorecard, computed once more where it counts.
    fn included(&self, path: &str) -> Judgement {
        let root = path.split('/').next().expect("a path");
        let (id, instance) = root
            .split_once('@')
            .map_or((root, None), |(id, instance)| (id, Some(instance)));
        let scorecard = self
            .catalog
            .scorecards
            .iter()
            .find(|known| known.id == id)
            .expect("a scorecard");
        if instance.is_some_and(|instance| !self.instances(scorecard).contains(instance)) {
            return Judgement::without_score("no_data", Some(0.0));
        }
        let mut nodes = Vec::new();
        self.scorecard(Root { scorecard, instance }, &mut nodes);
        let line = nodes
            .into_iter()
            .find(|node| node.line.path == path)
            .expect("a node")
            .line;
        Judgement {
            score: line.score,
            absence: line.absence,
            coverage: line.coverage,
        }
    }

    fn kpi(&self, root: Root<'_>, parent: &str, kpi: &Kpi, out: &mut Vec<Node>) -> Judgement {
        let path = format!("{parent}/{}", kpi.id);
        let window = self.look(root, kpi, &path);
        let judgement = self.judge(kpi.versions.just_before(self.t), &window);
        let mut node = self.node(root, "kpi", path, &judgement);
        node.line.value = window.value;
        node.own_value = window.own_value;
        out.push(node);
        judgement
    }

    /// What the window of a KPI gives.
    fn look(&self, root: Root<'_>, kpi: &Kpi, path: &str) -> Look {
        let own = self.measurements_of(root, kpi);
        let span = windows::span(&kpi.window, &root.scorecard.calendar, self.t);
        let mut inside = own.clone();
        inside.retain(|one| span.covers(one.observed_at));
        let not_applicable = inside
            .last()
            .is_some_and(|latest| matches!(latest.what, What::NotApplicable));
        let own_value = if not_applicable {
            None
        } else {
            let own = aggregate::value(kpi, &inside, span.length_ms);
            own.map(|own| self.across(root, kpi, path).unwrap_or(own))
        };
        Look {
            latest: own.last().map(|latest| latest.observed_at),
            empty: inside.is_empty(),
            not_applicable,
            own_value,
            value: if inside.is_empty() {
                self.instead(kpi, path)
            } else {
                own_value
            },
        }
    }

    /// Over all instances, where the aggregate has no such thing: what the instances' readings make.
    fn across(&self, root: Root<'_>, kpi: &Kpi, path: &str) -> Option<f64> {
        let ends = matches!(kpi.aggregate, Aggregate::First | Aggregate::Last | Aggregate::Delta);
        if !ends || root.instance.is_some() || root.scorecard.each.is_none() {
            return None;
        }
        let below = path.strip_prefix(&root.path()).expect("a path in the scorecard");
        let reading = |instance| {
            let root = Root {
                instance: Some(instance),
                ..root
            };
            self.look(root, kpi, &format!("{}{below}", root.path())).value
        };
        let readings: Vec<f64> = self.instances(root.scorecard).into_iter().filter_map(reading).collect();
        Some(aggregate::across(kpi, &readings))
    }

    /// Its measurements before the moment, sorted by `observed_at`, then by their place in the journal.
    fn measurements_of(&self, root: Root<'_>, kpi: &Kpi) -> Vec<&Measurement> {
        let mut own: Vec<&Measurement> = self
            .measurements
            .iter()
            .filter(|one| one.kpi == kpi.id && !one.retracted && one.observed_at < self.t)
            .filter(|one| root.instance.is_none() || one.instance.as_deref() == root.instance)
            .collect();
        own.sort_by_key(|one| one.observed_at);
        own
    }

    /// What stands for the value where the window has no measurement.
    fn instead(&self, kpi: &Kpi, path: &str) -> Option<f64> {
        match kpi.missing {
            Missing::Exclude => None,
            Missing::Zero => Some(0.0),
            Missing::Hold { hold_for_ms } => {
                let (evaluated, value) = self.held.get(path)?;
                (self.t <= evaluated + hold_for_ms).then_some(*value)
            }
        }
    }

    /// Left out for good, left out now, without a value, or scored: in this order.
    fn judge(&self, version: &KpiVersion, window: &Look) -> Judgement {
        if version.paused {
            return Judgement::without_score("paused", None);
        }
        if matches!(version.scoring, Scoring::None) {
            return Judgement::without_score("no_target", None);
        }
        if window.not_applicable {
            return Judgement::without_score("not_applicable", None);
        }
        let Some(score) = window.value.and_then(|value| score::score(&version.scoring, value)) else {
            let stale = window.empty && window.latest.is_some();
            return Judgement::without_score(if stale { "stale" } else { "no_data" }, Some(0.0));
        };
        let coverage = if self.is_fresh(version, window) { 1.0 } else { 0.0 };
        Judgement {
            score: Some(score),
            absence: None,
            coverage: Some(coverage),
        }
    }

    /// Not older than `expected_every`, by the latest measurement, whether it is in the window or not.
    fn is_fresh(&self, version: &KpiVersion, window: &Look) -> bool {
        let Some(expected_every) = version.expected_every else {
            return true;
        };
        window.latest.is_some_and(|latest| self.t - latest <= expected_every)
    }

    fn node(&self, root: Root<'_>, kind: &'static str, path: String, judgement: &Judgement) -> Node {
        let bands = root.scorecard.bands.just_before(self.t);
        let line = ReadingLine {
            at_ms: self.t,
            path,
            value: None,
            score: judgement.score,
            status: judgement.score.and_then(|score| score::status(bands, score)),
            absence: judgement.absence.clone(),
            coverage: judgement.coverage,
        };
        Node {
            kind,
            line,
            own_value: None,
            bands: bands.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}
