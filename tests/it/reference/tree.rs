//! All nodes at one instant: every KPI from the whole list of measurements, then up the tree.

use std::collections::{BTreeMap, BTreeSet};

use super::ReadingLine;
use super::aggregate;
use super::definition::{Catalog, Kpi, KpiVersion, Missing, Objective, Perspective, Scorecard, Scoring};
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
            self.scorecard(Root { scorecard, instance: None }, &mut nodes);
            for instance in self.instances(scorecard) {
                self.scorecard(Root { scorecard, instance: Some(instance) }, &mut nodes);
            }
        }
        nodes
    }

    fn instances(&self, scorecard: &Scorecard) -> BTreeSet<&str> {
        let mine = self.measurements.iter().filter(|measurement| scorecard.kpis().any(|kpi| kpi.id == measurement.kpi));
        mine.filter_map(|measurement| measurement.instance.as_deref()).collect()
    }

    fn scorecard(&self, root: Root<'_>, out: &mut Vec<Node>) {
        let path = root.path();
        let children: Vec<(f64, Judgement)> = root.scorecard.perspectives.iter()
            .map(|perspective| (*perspective.weight.just_before(self.t), self.perspective(root, perspective, out)))
            .collect();
        let judgement = score::roll_up(root.scorecard.roll_up, root.scorecard.min_coverage, &children);
        self.say(root, "scorecard", path, &judgement, out);
    }

    fn perspective(&self, root: Root<'_>, perspective: &Perspective, out: &mut Vec<Node>) -> Judgement {
        let path = format!("{}/{}", root.path(), perspective.id);
        let children: Vec<(f64, Judgement)> = perspective.objectives.iter()
            .map(|objective| (*objective.weight.just_before(self.t), self.objective(root, &path, objective, out)))
            .collect();
        let judgement = score::roll_up(perspective.roll_up, root.scorecard.min_coverage, &children);
        self.say(root, "perspective", path, &judgement, out);
        judgement
    }

    fn objective(&self, root: Root<'_>, parent: &str, objective: &Objective, out: &mut Vec<Node>) -> Judgement {
        let path = format!("{parent}/{}", objective.id);
        let kpis = objective.kpis.iter()
            .map(|kpi| (kpi.versions.just_before(self.t).weight, self.kpi(root, &path, kpi, out)));
        let mut children: Vec<(f64, Judgement)> = kpis.collect();
        children.extend(objective.include.iter().map(|(node, weight)| (*weight, self.included(node))));
        let judgement = score::roll_up(objective.roll_up, root.scorecard.min_coverage, &children);
        self.say(root, "objective", path, &judgement, out);
        judgement
    }

    /// A node of another scorecard, computed once more where it counts.
    fn included(&self, path: &str) -> Judgement {
        let root = path.split('/').next().expect("a path");
        let (id, instance) = root.split_once('@').map_or((root, None), |(id, instance)| (id, Some(instance)));
        let scorecard = self.catalog.scorecards.iter().find(|known| known.id == id).expect("a scorecard");
        let mut nodes = Vec::new();
        self.scorecard(Root { scorecard, instance }, &mut nodes);
        let line = nodes.into_iter().find(|node| node.line.path == path).expect("a node").line;
        Judgement { score: line.score, absence: line.absence, coverage: line.coverage }
    }

    fn kpi(&self, root: Root<'_>, parent: &str, kpi: &Kpi, out: &mut Vec<Node>) -> Judgement {
        let path = format!("{parent}/{}", kpi.id);
        let version = kpi.versions.just_before(self.t);
        let own: Vec<&Measurement> = self.measurements_of(root, kpi);
        let span = windows::span(&kpi.window, &root.scorecard.calendar, self.t);
        let inside: Vec<&Measurement> = own.iter().copied().filter(|one| span.covers(one.observed_at)).collect();
        let not_applicable = inside.last().is_some_and(|latest| matches!(latest.what, What::NotApplicable));
        let own_value = if not_applicable { None } else { aggregate::value(kpi, &inside, span.length_ms) };
        let value = if inside.is_empty() { self.instead(kpi, &path) } else { own_value };
        let judgement = self.judge(version, &own, not_applicable, value, inside.is_empty());
        self.say(root, "kpi", path, &judgement, out);
        let said = out.last_mut().expect("just said");
        said.line.value = value;
        said.own_value = own_value;
        judgement
    }

    /// Its measurements before the moment, sorted by `observed_at`, then by their place in the journal.
    fn measurements_of(&self, root: Root<'_>, kpi: &Kpi) -> Vec<&Measurement> {
        let mut own: Vec<&Measurement> = self.measurements.iter()
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

    fn judge(
        &self,
        version: &KpiVersion,
        own: &[&Measurement],
        not_applicable: bool,
        value: Option<f64>,
        empty: bool,
    ) -> Judgement {
        let without = |word: &str, coverage| Judgement { score: None, absence: Some(word.to_owned()), coverage };
        if version.paused {
            return without("paused", None);
        }
        if matches!(version.scoring, Scoring::None) {
            return without("no_target", None);
        }
        if not_applicable {
            return without("not_applicable", None);
        }
        let Some(score) = value.and_then(|value| score::score(&version.scoring, value)) else {
            let word = if empty && !own.is_empty() { "stale" } else { "no_data" };
            return without(word, Some(0.0));
        };
        let coverage = if self.is_fresh(version, own) { 1.0 } else { 0.0 };
        Judgement { score: Some(score), absence: None, coverage: Some(coverage) }
    }

    /// Not older than `expected_every`, by the latest measurement, whether it is in the window or not.
    fn is_fresh(&self, version: &KpiVersion, own: &[&Measurement]) -> bool {
        let Some(expected_every) = version.expected_every else {
            return true;
        };
        own.last().is_some_and(|latest| self.t - latest.observed_at <= expected_every)
    }

    fn say(&self, root: Root<'_>, kind: &'static str, path: String, judgement: &Judgement, out: &mut Vec<Node>) {
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
        let bands = bands.iter().map(|(name, _)| name.clone()).collect();
        out.push(Node { kind, line, own_value: None, bands });
    }
}
