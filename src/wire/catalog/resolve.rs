//! What holds between files: ids that are unique over the catalog, includes, patterns and bands of alert rules.
//!
//! The drafts of all files enter, a [`Catalog`] leaves, which is of use only when nobody reported a problem. Where a
//! file could not be read at all, references that may lead into it are not held against their writers.

use std::collections::HashMap;

use super::alert::RuleDraft;
use super::fields::shorten;
use super::paths::{Node, nodes};
use super::problem::{Report, nearest};
use super::scorecard::{Draft, IncludeDraft};
use crate::domain::alert::{Condition, Metric};
use crate::domain::catalog::{Catalog, Include, NodeKind, NodePlace, Scorecard};
use crate::domain::id::InstanceId;

/// An include on its way from a scorecard to another.
struct Link<'a> {
    from: usize,
    draft: IncludeDraft<'a>,
    report: &'a Report<'a>,
    /// Where it leads, once that is known.
    include: Option<Include>,
}

/// Puts the drafts together; files and fingerprint are the caller's. `whole`: every file is among the drafts.
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
    for link in &mut links {
        link.include = find_include(link, &scorecards, &trees, whole);
    }
    refuse_loops(&links, &scorecards);
    for (rule, report) in rules.iter().filter(|_| whole) {
        check_pattern(rule, report, &scorecards, &trees);
        check_band(rule, report, &scorecards);
    }
    attach(&mut scorecards, links);
    Catalog {
        fingerprint: String::new(),
        files: Vec::new(),
        kpis: index_kpis(&scorecards),
        scorecards,
        rules: rules.into_iter().map(|(draft, _)| draft.rule).collect(),
    }
}

fn attach(scorecards: &mut [Scorecard], links: Vec<Link<'_>>) {
    for link in links {
        let objectives = scorecards.get_mut(link.from).map(|scorecard| &mut scorecard.objectives);
        let objective = objectives.and_then(|objectives| objectives.get_mut(link.draft.objective));
        if let Some((objective, include)) = objective.zip(link.include) {
            objective.include.push(include);
        }
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
    let mut taken: HashMap<(&str, &str), String> = HashMap::new();
    for draft in drafts {
        let scorecard = std::iter::once(("scorecard", draft.scorecard.id.as_str(), draft.id_at));
        let kpis = draft.scorecard.kpis.iter().zip(&draft.kpi_at);
        let kpis = kpis.map(|(kpi, at)| ("kpi", kpi.id.as_str(), *at));
        let rules = draft
            .rules
            .iter()
            .map(|rule| ("alert", rule.rule.id.as_str(), rule.id_at));
        for (kind, id, at) in scorecard.chain(kpis).chain(rules) {
            let here = format!("{}:{}", draft.report.file, draft.report.position(at).0);
            if let Some(there) = taken.get(&(kind, id)) {
                let what = format!("{kind} `{id}`: the id is taken at {there}");
                draft.report.add(
                    at,
                    &what,
                    "give one of the two another id: it is unique over the catalog",
                );
            } else {
                taken.insert((kind, id), here);
            }
        }
    }
}

/// Where an include leads. A scorecard that is not there is no problem while files are missing.
fn find_include(link: &Link<'_>, scorecards: &[Scorecard], trees: &[Vec<Node>], whole: bool) -> Option<Include> {
    let text = link.draft.node.value;
    let refuse = |what: &str, remedy: &str| {
        let what = format!("{}: {what}", link.draft.subject);
        link.report.add(link.draft.node.at, &what, remedy);
    };
    let (root, below) = text
        .split_once('/')
        .map_or((text, None), |(root, below)| (root, Some(below)));
    let (id, instance) = root
        .split_once('@')
        .map_or((root, None), |(id, instance)| (id, Some(instance)));
    let Some(target) = scorecards.iter().position(|scorecard| scorecard.id.as_str() == id) else {
        if whole {
            let known = scorecards.iter().map(|scorecard| scorecard.id.as_str());
            let what = format!("there is no scorecard `{}`", shorten(id));
            refuse(
                &what,
                &did_you_mean(id, known, "write a file for it, or name another node"),
            );
        }
        return None;
    };
    if target == link.from {
        refuse(
            &format!("`{}` is of the same scorecard", shorten(text)),
            "include nodes of other scorecards only",
        );
        return None;
    }
    let each = scorecards.get(target).and_then(|scorecard| scorecard.each.as_deref());
    let instance = match instance.map(InstanceId::parse) {
        Some(_) if each.is_none() => {
            refuse(
                &format!("scorecard `{id}` has no instances"),
                "leave out the part from @ on, or write `each` there",
            );
            return None;
        }
        Some(Err(error)) => {
            refuse(
                &format!("the instance in `{}`: {error}", shorten(text)),
                "name an instance",
            );
            return None;
        }
        Some(Ok(instance)) => Some(instance),
        None => None,
    };
    let place = find_node(trees.get(target)?, id, below, &refuse)?;
    Some(Include {
        path: text.to_owned(),
        scorecard: target,
        instance,
        node: place,
        weight: link.draft.weight,
    })
}

fn find_node(tree: &[Node], id: &str, below: Option<&str>, refuse: &impl Fn(&str, &str)) -> Option<NodePlace> {
    let path = below.map_or_else(|| id.to_owned(), |below| format!("{id}/{below}"));
    let found = tree.iter().find(|node| node.path == path).map(|node| node.place);
    if found.is_none() {
        let known = tree.iter().map(|node| node.path.as_str());
        let remedy = did_you_mean(&path, known, "write a path such as scorecard/perspective/objective/kpi");
        refuse(&format!("there is no node `{}`", shorten(&path)), &remedy);
    }
    found
}

fn did_you_mean<'a>(word: &str, known: impl Iterator<Item = &'a str>, otherwise: &str) -> String {
    nearest(word, known).map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean `{meant}`?"))
}

/// A scorecard must not count in itself, also not by way of others: no order of evaluation would be right.
fn refuse_loops(links: &[Link<'_>], scorecards: &[Scorecard]) {
    let mut edges: Vec<Vec<usize>> = vec![Vec::new(); scorecards.len()];
    for link in links {
        if let Some((from, include)) = edges.get_mut(link.from).zip(link.include.as_ref()) {
            from.push(include.scorecard);
        }
    }
    for link in links {
        let Some(include) = &link.include else { continue };
        let Some(way) = way_back(&edges, include.scorecard, link.from) else {
            continue;
        };
        let names = std::iter::once(link.from).chain(way);
        let names = names
            .filter_map(|index| scorecards.get(index))
            .map(|scorecard| scorecard.id.as_str());
        let loop_of = names.collect::<Vec<_>>().join(" -> ");
        let what = format!("{}: the cascade loops: {loop_of}", link.draft.subject);
        link.report
            .add(link.draft.node.at, &what, "remove one of these includes");
    }
}

/// The shortest way between two scorecards along includes, both ends included.
fn way_back(edges: &[Vec<usize>], from: usize, to: usize) -> Option<Vec<usize>> {
    let mut came_from: Vec<Option<usize>> = vec![None; edges.len()];
    let mut queue = std::collections::VecDeque::from([from]);
    while let Some(here) = queue.pop_front() {
        if here == to {
            let mut way: Vec<usize> = std::iter::successors(Some(to), |at| {
                (*at != from).then(|| came_from.get(*at).copied().flatten()).flatten()
            })
            .collect();
            way.reverse();
            return Some(way);
        }
        for &next in edges.get(here).into_iter().flatten() {
            let unseen = next != from && came_from.get(next).is_some_and(Option::is_none);
            if let Some(slot) = came_from.get_mut(next).filter(|_| unseen) {
                *slot = Some(here);
                queue.push_back(next);
            }
        }
    }
    None
}

/// A rule that fits no node would stay silent for ever, and its writer would not know.
fn check_pattern(draft: &RuleDraft, report: &Report<'_>, scorecards: &[Scorecard], trees: &[Vec<Node>]) {
    let rule = &draft.rule;
    let leaves_only = matches!(rule.metric, Metric::Value | Metric::Age);
    let kind_fits = |kind: NodeKind| {
        (rule.kinds.is_empty() || rule.kinds.contains(&kind)) && (!leaves_only || kind == NodeKind::Kpi)
    };
    let instances = possible_instances(rule.on.as_str());
    let mut fits_path = false;
    for (scorecard, tree) in scorecards.iter().zip(trees) {
        let roots = scorecard.each.iter().flat_map(|_| &instances);
        let roots: Vec<String> = roots.map(|instance| format!("{}@{instance}", scorecard.id)).collect();
        for node in tree {
            let below = node.path.strip_prefix(scorecard.id.as_str()).unwrap_or_default();
            let fits =
                rule.on.matches(&node.path) || roots.iter().any(|root| rule.on.matches(&format!("{root}{below}")));
            if fits && kind_fits(node.kind) {
                return;
            }
            fits_path |= fits;
        }
    }
    let on = shorten(rule.on.as_str());
    let (what, remedy) = if fits_path && leaves_only {
        let what = format!(
            "on \"{on}\" fits no KPI, and only KPIs have a metric \"{}\"",
            rule.metric.word()
        );
        (
            what,
            "widen it, for example to \".../**\", or use metric = \"score\"".to_owned(),
        )
    } else if fits_path {
        (
            format!("on \"{on}\" fits no node of these kinds"),
            "widen `on` or `kinds`".to_owned(),
        )
    } else {
        let known = trees.iter().flatten().map(|node| node.path.as_str());
        (
            format!("on \"{on}\" fits no node"),
            did_you_mean(
                &on,
                known,
                "name a node as scorecard/perspective/objective/kpi, with * or ** for levels",
            ),
        )
    };
    report.add(draft.on_at, &format!("alert `{}`: {what}", rule.id), &remedy);
}

/// Instances that the first level of a pattern may mean: they are known only when measurements come.
fn possible_instances(pattern: &str) -> Vec<String> {
    let levels = pattern
        .split('/')
        .map(|level| level.split_once('@').map_or(level, |(_, instance)| instance));
    levels
        .map(|instance| instance.replace('*', "x"))
        .filter(|instance| InstanceId::parse(instance).is_ok())
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
