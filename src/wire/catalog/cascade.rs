//! `include`: nodes of one scorecard that count in another.
//!
//! Paths as written enter, indices leave; a path that leads nowhere and a cascade that loops are refused.

use super::paths::Node;
use super::problem::{Report, did_you_mean};
use super::tree::IncludeDraft;
use super::values::shorten;
use crate::domain::catalog::{Include, Scorecard};
use crate::domain::id::InstanceId;

/// An include on its way from a scorecard to another.
pub(super) struct Link<'a> {
    /// Index of the scorecard in which it is written.
    pub from: usize,
    /// As written.
    pub draft: IncludeDraft<'a>,
    /// Where its problems go.
    pub report: &'a Report<'a>,
    /// Where it leads, once that is known.
    pub include: Option<Include>,
}

/// Why an include leads nowhere.
struct Refusal {
    what: String,
    remedy: String,
    /// It may be the fault of something that was left out for its own problems.
    excusable: bool,
}

/// Finds where all links lead. `whole`: nothing was left out, so that what is not found is not there.
pub(super) fn find(links: &mut [Link<'_>], scorecards: &[Scorecard], trees: &[Vec<Node>], whole: bool) {
    for link in links.iter_mut() {
        match find_one(link, scorecards, trees) {
            Ok(include) => link.include = Some(include),
            Err(refusal) if refusal.excusable && !whole => {}
            Err(refusal) => {
                let what = format!("{}: {}", link.draft.subject, refusal.what);
                link.report.add(link.draft.node.at, &what, &refusal.remedy);
            }
        }
    }
    refuse_loops(links, scorecards);
}

fn find_one(link: &Link<'_>, scorecards: &[Scorecard], trees: &[Vec<Node>]) -> Result<Include, Refusal> {
    let text = link.draft.node.value;
    let (root, below) = text.find('/').map_or((text, ""), |slash| text.split_at(slash));
    let (id, instance) = match root.split_once('@') {
        Some((id, instance)) => (id, Some(instance)),
        None => (root, None),
    };
    let place = scorecards.iter().position(|scorecard| scorecard.id.as_str() == id);
    let Some((place, scorecard)) = place.and_then(|place| Some((place, scorecards.get(place)?))) else {
        let known = scorecards.iter().map(|scorecard| scorecard.id.as_str());
        return Err(Refusal {
            what: format!("there is no scorecard `{}`", shorten(id)),
            remedy: did_you_mean(id, known, "write a file for it, or name another node"),
            excusable: true,
        });
    };
    if place == link.from {
        return Err(Refusal {
            what: format!("`{}` is of the same scorecard", shorten(text)),
            remedy: "include nodes of other scorecards only".to_owned(),
            excusable: false,
        });
    }
    let instance = instance
        .map(|instance| read_instance(instance, scorecard))
        .transpose()?;
    let path = format!("{id}{below}");
    let tree = trees.get(place).map(Vec::as_slice).unwrap_or_default();
    let node = tree.iter().find(|node| node.path == path);
    let node = node.ok_or_else(|| no_such_node(tree, &path))?;
    Ok(Include {
        path: text.to_owned(),
        scorecard: place,
        instance,
        node: node.place,
        weight: link.draft.weight,
    })
}

fn read_instance(instance: &str, scorecard: &Scorecard) -> Result<InstanceId, Refusal> {
    if scorecard.each.is_none() {
        return Err(Refusal {
            what: format!("scorecard `{}` has no instance `{}`", scorecard.id, shorten(instance)),
            remedy: "leave out the part from @ on, or write `each` in that scorecard".to_owned(),
            excusable: false,
        });
    }
    InstanceId::from_path(instance).map_err(|error| Refusal {
        what: format!("the instance behind @: {error}"),
        remedy: "name an instance such as it@berlin".to_owned(),
        excusable: false,
    })
}

fn no_such_node(tree: &[Node], path: &str) -> Refusal {
    let known = tree.iter().map(|node| node.path.as_str());
    Refusal {
        what: format!("there is no node `{}`", shorten(path)),
        remedy: did_you_mean(path, known, "write a path such as scorecard/perspective/objective/kpi"),
        excusable: true,
    }
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

/// Writes what was found into the objectives, in the order of the files.
pub(super) fn attach(scorecards: &mut [Scorecard], links: Vec<Link<'_>>) {
    for link in links {
        let objectives = scorecards.get_mut(link.from).map(|scorecard| &mut scorecard.objectives);
        let objective = objectives.and_then(|objectives| objectives.get_mut(link.draft.objective));
        if let Some((objective, include)) = objective.zip(link.include) {
            objective.include.push(include);
        }
    }
}
