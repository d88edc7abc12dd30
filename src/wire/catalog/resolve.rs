//! What holds between files: ids that are unique over the catalog, includes, patterns and bands of alert rules.
//!
//! The drafts of all files enter, a [`Catalog`] leaves, which is of use only when nobody reported a problem. Where a
//! file could not be read at all, references that may lead into it are not held against their writers.

use std::collections::HashMap;

use super::alert::RuleDraft;
use super::cascade::{self, Link};
use super::paths::{Node, nodes};
use super::problem::{Report, did_you_mean};
use super::scorecard::Draft;
use super::values::shorten;
use crate::domain::alert::{AlertRule, Condition, Metric};
use crate::domain::catalog::{Catalog, NodeKind, Scorecard};
use crate::domain::id::InstanceId;

/// Puts the drafts together; files and fingerprint are the caller's. `whole`: every node of every file is there.
pub(super) fn resolve(drafts: Vec<Draft<'_>>, whole: bool) -> Catalog {
    refuse_duplicates(&drafts);
    let (mut links, mut rules, mut scorecards) = (Vec::new(), Vec::new(), Vec::new());
    for (from, draft) in drafts.into_iter().enumerate() {
        let report = draft.report;
        links.extend(draft.includes.into_iter().map(|draft| Link {
            from,
            draft,
            report,
            include: None,
        }));
        for mut rule in draft.rules {
            rule.rule.scorecard = from;
            rules.push((rule, report));
        }
        scorecards.push(draft.scorecard);
    }
    let trees: Vec<Vec<Node>> = scorecards.iter().map(nodes).collect();
    cascade::find(&mut links, &scorecards, &trees, whole);
    for (rule, report) in rules.iter().filter(|_| whole) {
        check_pattern(rule, report, &scorecards, &trees);
        check_band(rule, report, &scorecards);
    }
    cascade::attach(&mut scorecards, links);
    Catalog {
        fingerprint: String::new(),
        files: Vec::new(),
        kpis: index_kpis(&scorecards),
        scorecards,
        rules: rules.into_iter().map(|(draft, _)| draft.rule).collect(),
    }
}

fn index_kpis(scorecards: &[Scorecard]) -> HashMap<crate::domain::id::KpiId, (usize, usize)> {
    let places = scorecards.iter().enumerate().flat_map(|(card, scorecard)| {
        let kpis = scorecard.kpis.iter().enumerate();
        kpis.map(move |(place, kpi)| (kpi.id.clone(), (card, place)))
    });
    places.collect()
}

/// Scorecards, KPIs and alert rules are known by their ids alone.
fn refuse_duplicates(drafts: &[Draft<'_>]) {
    let mut taken: HashMap<(&str, &str), (&Report<'_>, usize)> = HashMap::new();
    for draft in drafts {
        let scorecard = std::iter::once(("scorecard", draft.scorecard.id.as_str(), draft.id_at));
        let kpis = draft.scorecard.kpis.iter().zip(&draft.kpi_at);
        let kpis = kpis.map(|(kpi, at)| ("kpi", kpi.id.as_str(), *at));
        let rules = draft.rules.iter();
        let rules = rules.map(|rule| ("alert", rule.rule.id.as_str(), rule.id_at));
        for (kind, id, at) in scorecard.chain(kpis).chain(rules) {
            let Some((report, first)) = taken.insert((kind, id), (draft.report, at)) else {
                continue;
            };
            let (line, _) = report.position(first);
            let what = format!("{kind} `{id}`: the id is taken at {}:{line}", report.file);
            let remedy = "give one of the two another id: it is unique over the catalog";
            draft.report.add(at, &what, remedy);
        }
    }
}

/// How much of a rule's reach there is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Reach {
    /// No path fits.
    Nothing,
    /// A path fits, but no node of the right level.
    OtherLevels,
    /// At least one node.
    Nodes,
}

fn reach(rule: &AlertRule, scorecard: &Scorecard, tree: &[Node]) -> Reach {
    let instances = possible_instances(rule.on.as_str());
    let instances = instances.iter().filter(|_| scorecard.each.is_some());
    let roots: Vec<String> = instances
        .map(|instance| format!("{}@{instance}", scorecard.id))
        .collect();
    let reaches = tree.iter().map(|node| {
        let below = node.path.strip_prefix(scorecard.id.as_str()).unwrap_or_default();
        let fits_instance = |root: &String| rule.on.matches(&format!("{root}{below}"));
        match rule.on.matches(&node.path) || roots.iter().any(fits_instance) {
            true if fits_level(rule, node.kind) => Reach::Nodes,
            true => Reach::OtherLevels,
            false => Reach::Nothing,
        }
    });
    reaches.max().unwrap_or(Reach::Nothing)
}

fn fits_level(rule: &AlertRule, kind: NodeKind) -> bool {
    (rule.kinds.is_empty() || rule.kinds.contains(&kind)) && (!leaves_only(rule) || kind == NodeKind::Kpi)
}

fn leaves_only(rule: &AlertRule) -> bool {
    matches!(rule.metric, Metric::Value | Metric::Age)
}

/// A rule that fits no node would stay silent for ever, and its writer would not know.
fn check_pattern(draft: &RuleDraft, report: &Report<'_>, scorecards: &[Scorecard], trees: &[Vec<Node>]) {
    let rule = &draft.rule;
    let reaches = scorecards
        .iter()
        .zip(trees)
        .map(|(scorecard, tree)| reach(rule, scorecard, tree));
    let on = shorten(rule.on.as_str());
    let known = trees.iter().flatten().map(|node| node.path.as_str());
    let (lacks, remedy) = match reaches.max().unwrap_or(Reach::Nothing) {
        Reach::Nodes => return,
        Reach::OtherLevels if leaves_only(rule) => {
            let remedy = "widen it, for example to \".../**\", or use metric = \"score\"";
            (
                format!("KPI, and only KPIs have a metric \"{}\"", rule.metric.word()),
                remedy.to_owned(),
            )
        }
        Reach::OtherLevels => ("node of these kinds".to_owned(), "widen `on` or `kinds`".to_owned()),
        Reach::Nothing => {
            let otherwise = "name a node as scorecard/perspective/objective/kpi, with * or ** for levels";
            ("node".to_owned(), did_you_mean(&on, known, otherwise))
        }
    };
    let what = format!("alert `{}`: on \"{on}\" fits no {lacks}", rule.id);
    report.add(draft.on_at, &what, &remedy);
}

/// Instances that the first level of a pattern may mean: they are known only when measurements come.
fn possible_instances(pattern: &str) -> Vec<String> {
    let levels = pattern
        .split('/')
        .map(|level| level.split_once('@').map_or(level, |(_, instance)| instance));
    levels
        .map(|instance| instance.replace('*', "x"))
        .filter(|instance| InstanceId::from_path(instance).is_ok())
        .collect()
}

fn check_band(draft: &RuleDraft, report: &Report<'_>, scorecards: &[Scorecard]) {
    let Condition::AtWorst { band } = &draft.rule.condition else {
        return;
    };
    let versions = scorecards.iter().flat_map(|scorecard| &scorecard.bands);
    let mut names = versions
        .flat_map(|version| version.value.iter())
        .map(|found| &*found.name);
    if !names.clone().any(|name| name == &**band) {
        let what = format!(
            "alert `{}`: no scorecard has a band \"{}\"",
            draft.rule.id,
            shorten(band)
        );
        let remedy = did_you_mean(band, &mut names, "name a band of a scorecard, for example \"red\"");
        report.add(draft.band_at.unwrap_or(draft.id_at), &what, &remedy);
    }
}
