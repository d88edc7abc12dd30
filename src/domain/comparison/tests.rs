//! Stories of what differs, told by hand: what both sides said, and what is made of it.

use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::domain::alert::{AlertTransition, Severity, TransitionKind};
use crate::domain::id::{Sequence, Slug};
use crate::domain::reading::{Absence, Reading, ReadingChange};

fn reading(at: i64, path: &str, score: Option<f64>) -> ReadingChange {
    let status = score.map(|score| Arc::from(if score < 50.0 { "red" } else { "green" }));
    let reading = Reading {
        score,
        status,
        absence: score.is_none().then_some(Absence::NoData),
        ..Reading::nothing()
    };
    ReadingChange {
        at: Instant(at),
        path: path.into(),
        reading,
    }
}

fn transition(at: i64, kind: TransitionKind) -> AlertTransition {
    AlertTransition {
        id: String::new(),
        rule: Slug::parse("low").unwrap(),
        rule_version: String::new(),
        path: "it".into(),
        kind,
        at: Instant(at),
        since: Instant(at),
        detected_at: Instant(at),
        sequence: Sequence(1),
        title: String::new(),
        owner: None,
        severity: Severity::Warning,
        value: None,
        unit: String::new(),
        target: None,
        score: None,
        status: None,
        status_before: None,
        coverage: None,
        contributors: Vec::new(),
    }
}

/// Episodes from their beginnings and ends.
fn fired(spans: &[(i64, Option<i64>)]) -> Vec<AlertTransition> {
    let told = spans.iter().flat_map(|(from, to)| {
        let end = to.map(|to| transition(to, TransitionKind::Resolved));
        [Some(transition(*from, TransitionKind::Firing)), end]
            .into_iter()
            .flatten()
    });
    told.collect()
}

fn effects(readings: Vec<ReadingChange>, transitions: Vec<AlertTransition>) -> Effects {
    Effects { readings, transitions }
}

fn compared(base: Effects, other: Effects) -> Compared {
    let mut comparison = Comparison::new(None);
    comparison.take(Sides { base, other });
    comparison.finish()
}

fn alerts(base: &[(i64, Option<i64>)], other: &[(i64, Option<i64>)]) -> AlertDifferences {
    compared(effects(Vec::new(), fired(base)), effects(Vec::new(), fired(other))).alerts
}

/// What is listed, as (word, base from, other from).
fn listed(found: &AlertDifferences) -> Vec<(&'static str, Option<i64>, Option<i64>)> {
    let from = |episode: &Option<Episode>| episode.map(|episode| episode.fired_at.0);
    let row = |difference: &AlertDifference| {
        let Sides { base, other } = &difference.episodes;
        (difference.kind.word(), from(base), from(other))
    };
    found.listed.iter().map(row).collect()
}

#[test]
fn what_is_alike_makes_no_difference() {
    let told = || effects(vec![reading(1, "it", Some(70.0))], fired(&[(1, Some(5)), (9, None)]));
    let found = compared(told(), told());
    assert!(found.is_empty(), "{found:?}");
    assert_eq!((found.nodes.counts.same, found.alerts.same), (1, 2));
}

#[test]
fn an_episode_is_paired_with_the_first_that_overlaps_it() {
    let found = alerts(&[(0, Some(100))], &[(10, Some(20)), (50, Some(60))]);
    let expected = [("other_times", Some(0), Some(10)), ("fired", None, Some(50))];
    assert_eq!(listed(&found), expected);
    // One that is alone in between belongs to nobody.
    let found = alerts(&[(0, Some(10)), (30, None)], &[(12, Some(20)), (31, None)]);
    let expected = [
        ("not_fired", Some(0), None),
        ("fired", None, Some(12)),
        ("other_times", Some(30), Some(31)),
    ];
    assert_eq!(listed(&found), expected);
}

#[test]
fn what_ends_when_the_other_begins_does_not_overlap_it() {
    let found = alerts(&[(0, Some(10))], &[(10, Some(20))]);
    assert_eq!(
        listed(&found),
        [("not_fired", Some(0), None), ("fired", None, Some(10))]
    );
}

#[test]
fn an_alert_of_another_severity_is_told_although_it_fires_at_the_same_time() {
    let mut other = fired(&[(0, Some(10))]);
    for told in &mut other {
        told.severity = Severity::Critical;
    }
    let found = compared(effects(Vec::new(), fired(&[(0, Some(10))])), effects(Vec::new(), other));
    assert_eq!(listed(&found.alerts), [("other_severity", Some(0), Some(0))]);
}

#[test]
fn a_rule_that_flaps_is_counted_and_not_kept() {
    let spans: Vec<(i64, Option<i64>)> = (0..5_000).map(|turn| (turn * 10, Some(turn * 10 + 5))).collect();
    let found = alerts(&[(0, None)], &spans);
    assert_eq!((found.other_times, found.fired, found.listed.len()), (1, 4_999, 1_000));
    assert_eq!(listed(&found).last(), Some(&("fired", None, Some(9_990))));
}

#[test]
fn instants_and_the_largest_difference_are_those_of_the_node() {
    // At 1 both say 70; at 2 the base falls to 60; at 3 both say 55, at 4 the other 30 and the base is silent.
    let base = [(1, 70.0), (2, 60.0), (3, 55.0)].map(|(at, score)| reading(at, "it", Some(score)));
    let other = [(1, 70.0), (3, 55.0), (4, 30.0)].map(|(at, score)| reading(at, "it", Some(score)));
    let found = compared(effects(base.to_vec(), Vec::new()), effects(other.to_vec(), Vec::new()));
    let [node] = found.nodes.listed.as_slice() else {
        panic!("{found:?}");
    };
    assert_eq!(
        (node.kind, node.instants, node.differing),
        (NodeDifferenceKind::Changed, 4, 2)
    );
    let largest = node.score.unwrap();
    assert_eq!((largest.at, largest.difference()), (Instant(4), -25.0));
    assert_eq!(found.nodes.instants, 4);
}

#[test]
fn two_changes_at_one_instant_are_one_instant() {
    let base = [50.0, 70.0].map(|score| reading(1, "it", Some(score))).to_vec();
    let mut comparison = Comparison::new(None);
    for (base, other) in base.into_iter().zip([Vec::new(), vec![reading(1, "it", Some(70.0))]]) {
        let base = effects(vec![base], Vec::new());
        let other = effects(other, Vec::new());
        comparison.take(Sides { base, other });
    }
    let found = comparison.finish();
    assert!(
        found.is_empty(),
        "the first word of the instant is not its last: {found:?}"
    );
}

#[test]
fn nodes_of_one_side_are_added_or_removed_and_stand_level_by_level() {
    let all = |paths: &[&str]| paths.iter().map(|path| reading(1, path, Some(70.0))).collect();
    let base = effects(all(&["it", "it/b", "it-x"]), Vec::new());
    let other = effects(all(&["it", "it/c", "it/c/d"]), Vec::new());
    let found = compared(base, other).nodes;
    let rows: Vec<(&str, &str)> = found
        .listed
        .iter()
        .map(|node| (&*node.path, node.kind.word()))
        .collect();
    let expected = [
        ("it/b", "removed"),
        ("it/c", "added"),
        ("it/c/d", "added"),
        ("it-x", "removed"),
    ];
    assert_eq!(rows, expected);
    let counts = found.counts;
    assert_eq!((counts.same, counts.added, counts.removed), (1, 2, 2));
}

#[test]
fn what_differed_before_does_not_count() {
    let base = effects(
        vec![reading(1, "it", Some(70.0)), reading(9, "it", None)],
        fired(&[(1, Some(4)), (6, None)]),
    );
    let other = effects(vec![reading(1, "it", Some(20.0)), reading(9, "it", None)], Vec::new());
    let mut comparison = Comparison::new(Some(Instant(5)));
    comparison.take(Sides { base, other });
    let found = comparison.finish();
    assert_eq!((found.nodes.instants, found.nodes.counts.same), (1, 1));
    assert_eq!(listed(&found.alerts), [("not_fired", Some(6), None)]);
}

/// One side told as the other.
fn mirrored(found: Compared) -> Compared {
    fn swap<T>(sides: Sides<T>) -> Sides<T> {
        Sides {
            base: sides.other,
            other: sides.base,
        }
    }
    let largest = |largest: Option<Largest>| {
        largest.map(|largest| Largest {
            numbers: swap(largest.numbers),
            ..largest
        })
    };
    let node = |node: NodeDifference| NodeDifference {
        kind: match node.kind {
            NodeDifferenceKind::Added => NodeDifferenceKind::Removed,
            NodeDifferenceKind::Removed => NodeDifferenceKind::Added,
            NodeDifferenceKind::Changed => NodeDifferenceKind::Changed,
        },
        stands: swap(node.stands),
        score: largest(node.score),
        value: largest(node.value),
        ..node
    };
    let alert = |alert: AlertDifference| AlertDifference {
        kind: match alert.kind {
            AlertDifferenceKind::Fired => AlertDifferenceKind::NotFired,
            AlertDifferenceKind::NotFired => AlertDifferenceKind::Fired,
            same => same,
        },
        episodes: swap(alert.episodes),
        ..alert
    };
    let counts = &found.nodes.counts;
    Compared {
        nodes: NodeDifferences {
            counts: NodeCounts {
                added: counts.removed,
                removed: counts.added,
                ..*counts
            },
            listed: found.nodes.listed.into_iter().map(node).collect(),
            ..found.nodes
        },
        alerts: AlertDifferences {
            fired: found.alerts.not_fired,
            not_fired: found.alerts.fired,
            listed: found.alerts.listed.into_iter().map(alert).collect(),
            ..found.alerts
        },
    }
}

/// Instants between beginnings and ends of an alert; scores by instant and node.
type Story = (Vec<i64>, Vec<(i64, usize, Option<u8>)>);

/// What one side tells: alternating beginnings and ends of an alert, and scores of three nodes.
fn side() -> impl Strategy<Value = Story> {
    let steps = vec(1..6_i64, 0..12);
    let scores = vec((0..40_i64, 0..3_usize, proptest::option::of(0..4_u8)), 0..12);
    (steps, scores)
}

fn told((steps, scores): &Story) -> Effects {
    let kinds = [TransitionKind::Firing, TransitionKind::Resolved].into_iter().cycle();
    let times = steps.iter().scan(0, |at, step| {
        *at += step;
        Some(*at)
    });
    let transitions = times.zip(kinds).map(|(at, kind)| transition(at, kind)).collect();
    let mut scores = scores.clone();
    scores.sort_by_key(|(at, ..)| *at);
    let path = |node: usize| ["it", "it/a", "it/b"].get(node).copied().unwrap_or_default();
    let readings = scores
        .iter()
        .map(|(at, node, score)| reading(*at, path(*node), score.map(|score| f64::from(score) * 30.0)));
    effects(readings.collect(), transitions)
}

proptest! {
    #[test]
    fn exchanging_the_sides_exchanges_the_outcome(one in side(), other in side()) {
        let there = compared(told(&one), told(&other));
        let back = compared(told(&other), told(&one));
        prop_assert_eq!(mirrored(there), back);
        prop_assert!(compared(told(&one), told(&one)).is_empty());
    }
}
