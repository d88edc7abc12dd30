//! All nodes at one instant: every KPI from the whole list of measurements, then up the tree.

use std::collections::{BTreeMap, BTreeSet};

use super::ReadingLine;
use super::definition::{Catalog, Kpi, Objective, Perspective, RollUp, Scorecard};
use super::intake::Measurement;
use super::leaf::Leaf;
use super::score::{self, Judgement};

/// One evaluation.
pub struct Moment<'a> {
    pub catalog: &'a Catalog,
    pub measurements: &'a [Measurement],
    pub memory: &'a Memory,
    pub t: i64,
    pub view: View,
}

/// What is remembered of the evaluations before, by path of a KPI.
#[derive(Default, Clone)]
pub struct Memory {
    /// The last evaluation whose window gave a value, and that value.
    pub held: BTreeMap<String, (i64, f64)>,
    /// The last period that became final.
    pub settled: BTreeMap<String, Settled>,
}

/// What a period said when it became final.
#[derive(Clone, PartialEq)]
pub struct Settled {
    pub period_end: i64,
    pub value: Option<f64>,
    /// It said something else since.
    pub restated: bool,
}

/// From where the nodes are looked at.
#[derive(Clone, Copy, PartialEq)]
pub enum View {
    /// An evaluation at the moment.
    Now,
    /// A query: every KPI at the end of its slice.
    Query,
    /// Every KPI one window, or one period, before its reading now, or before that of a query.
    Before { query: bool },
}

/// A node as it is at the moment.
#[derive(Clone)]
pub struct Node {
    pub kind: &'static str,
    pub line: ReadingLine,
    /// KPIs only: what its window gives.
    pub leaf: Option<Leaf>,
    /// Of a KPI or of one below it the period is not final yet.
    pub provisional: bool,
    /// The scored KPIs under it, itself included: path, score, and whether that is in the lowest band.
    pub scored: Vec<(String, f64, bool)>,
    /// Bands of its scorecard, lowest first.
    pub bands: Vec<String>,
}

/// One scorecard, overall or one instance of it.
#[derive(Clone, Copy)]
pub struct Root<'a> {
    pub scorecard: &'a Scorecard,
    pub instance: Option<&'a str>,
}

impl Root<'_> {
    pub fn path(&self) -> String {
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
            let overall = [None].into_iter();
            let instances = self.instances(scorecard).into_iter().map(Some);
            for instance in overall.chain(instances) {
                self.scorecard(Root { scorecard, instance }, &mut nodes);
            }
        }
        nodes
    }

    pub fn instances(&self, scorecard: &Scorecard) -> BTreeSet<&str> {
        let mine = self
            .measurements
            .iter()
            .filter(|measurement| scorecard.kpis().any(|kpi| kpi.id == measurement.kpi));
        mine.filter_map(|measurement| measurement.instance.as_deref()).collect()
    }

    fn scorecard(&self, root: Root<'_>, out: &mut Vec<Node>) -> Node {
        let perspectives = root.scorecard.perspectives.iter();
        let children = perspectives.map(|perspective| {
            let weight = *perspective.weight.just_before(self.t);
            (weight, self.perspective(root, perspective, out))
        });
        let children: Vec<(f64, Node)> = children.collect();
        let judgement = roll_up(root, root.scorecard.roll_up, &children);
        self.keep(root, ("scorecard", root.path()), (&judgement, &children), out)
    }

    fn perspective(&self, root: Root<'_>, perspective: &Perspective, out: &mut Vec<Node>) -> Node {
        let path = format!("{}/{}", root.path(), perspective.id);
        let objectives = perspective.objectives.iter();
        let children = objectives.map(|objective| {
            let weight = *objective.weight.just_before(self.t);
            (weight, self.objective(root, &path, objective, out))
        });
        let children: Vec<(f64, Node)> = children.collect();
        let judgement = roll_up(root, perspective.roll_up, &children);
        self.keep(root, ("perspective", path), (&judgement, &children), out)
    }

    fn objective(&self, root: Root<'_>, parent: &str, objective: &Objective, out: &mut Vec<Node>) -> Node {
        let path = format!("{parent}/{}", objective.id);
        let kpis = objective
            .kpis
            .iter()
            .map(|kpi| (kpi.versions.just_before(self.t).weight, self.kpi(root, &path, kpi, out)));
        let mut children: Vec<(f64, Node)> = kpis.collect();
        let includes = objective.include.iter();
        children.extend(includes.map(|(node, weight)| (*weight, self.included(root, node))));
        let judgement = roll_up(root, objective.roll_up, &children);
        self.keep(root, ("objective", path), (&judgement, &children), out)
    }

    /// A node of another scorecard, computed once more where it counts.
    fn included(&self, from: Root<'_>, path: &str) -> Node {
        let root = path.split('/').next().expect("a path");
        let (id, instance) = root
            .split_once('@')
            .map_or((root, None), |(id, instance)| (id, Some(instance)));
        let mut scorecards = self.catalog.scorecards.iter();
        let scorecard = scorecards.find(|known| known.id == id).expect("a scorecard");
        if instance.is_some_and(|instance| !self.instances(scorecard).contains(instance)) {
            let nothing = Judgement::without_score("no_data", Some(0.0));
            return self.node(from, ("", path.to_owned()), &nothing);
        }
        let mut nodes = Vec::new();
        self.scorecard(Root { scorecard, instance }, &mut nodes);
        nodes.into_iter().find(|node| node.line.path == path).expect("a node")
    }

    fn kpi(&self, root: Root<'_>, parent: &str, kpi: &Kpi, out: &mut Vec<Node>) -> Node {
        let path = format!("{parent}/{}", kpi.id);
        let leaf = self.leaf(root, kpi, &path);
        let judgement = leaf.as_ref().map_or_else(
            || Judgement::without_score("no_data", Some(0.0)),
            |leaf| leaf.judge(kpi.versions.just_before(leaf.at)),
        );
        let mut node = self.node(root, ("kpi", path), &judgement);
        node.line.value = leaf.as_ref().and_then(|leaf| leaf.value);
        node.provisional = leaf.as_ref().is_some_and(|leaf| leaf.provisional);
        if let Some(score) = node.line.score {
            let is_lowest = node.line.status.as_ref() == node.bands.first();
            node.scored.push((node.line.path.clone(), score, is_lowest));
        }
        node.leaf = leaf;
        out.push(node.clone());
        node
    }

    /// The node that its children make.
    fn keep(
        &self,
        root: Root<'_>,
        (kind, path): (&'static str, String),
        (judgement, children): (&Judgement, &[(f64, Node)]),
        out: &mut Vec<Node>,
    ) -> Node {
        let mut node = self.node(root, (kind, path), judgement);
        node.provisional = children.iter().any(|(_, child)| child.provisional);
        node.scored = children.iter().flat_map(|(_, child)| child.scored.clone()).collect();
        out.push(node.clone());
        node
    }

    fn node(&self, root: Root<'_>, (kind, path): (&'static str, String), judgement: &Judgement) -> Node {
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
            leaf: None,
            provisional: false,
            scored: Vec::new(),
            bands: bands.iter().map(|(name, _)| name.clone()).collect(),
        }
    }
}

impl Node {
    fn judgement(&self) -> Judgement {
        Judgement {
            score: self.line.score,
            absence: self.line.absence.clone(),
            coverage: self.line.coverage,
        }
    }
}

fn roll_up(root: Root<'_>, how: RollUp, children: &[(f64, Node)]) -> Judgement {
    let judged: Vec<(f64, Judgement)> = children
        .iter()
        .map(|(weight, child)| (*weight, child.judgement()))
        .collect();
    score::roll_up(how, root.scorecard.min_coverage, &judged)
}
