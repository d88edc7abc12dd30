//! Alert rules: one small machine for every rule and node, and the transitions that it prints.

use std::collections::BTreeMap;

use super::AlertLine;
use super::definition::{Condition, Metric, NoData, Rule};
use super::tree::Node;

/// All machines, by (place of the rule, path), and what they printed so far, with the place of its rule.
#[derive(Default)]
pub struct Alerts {
    machines: BTreeMap<(usize, String), State>,
    printed: Vec<(usize, AlertLine)>,
}

/// The state of one rule at one node; instants in ms.
#[derive(Clone, Copy)]
enum State {
    Inactive,
    Pending {
        since: i64,
    },
    Firing {
        since: i64,
        next_repeat: Option<i64>,
        cleared: Option<i64>,
    },
}

/// What one evaluation says of the condition.
#[derive(Clone, Copy, PartialEq)]
enum Verdict {
    /// It holds.
    True,
    /// It does not hold, but is not past `clear` either.
    Between,
    /// It is at or past `clear`.
    Cleared,
    /// There is no value and the state stays as it is.
    Unknown,
}

impl Alerts {
    /// Holds all nodes of an evaluation against all rules. Timers that run out at `t` are not yet served.
    pub fn evaluate(&mut self, rules: &[Rule], nodes: &[Node], t: i64) {
        for (place, rule) in rules.iter().enumerate() {
            for node in nodes.iter().filter(|node| concerns(rule, node)) {
                let state = self
                    .machines
                    .entry((place, node.line.path.clone()))
                    .or_insert(State::Inactive);
                *state = after(*state, verdict(rule, node), t);
            }
        }
    }

    /// Serves all timers that run out up to `t`, which counts only where `inclusive`.
    pub fn run_timers(&mut self, rules: &[Rule], t: i64, inclusive: bool) {
        for ((place, path), state) in &mut self.machines {
            let rule = &rules[*place];
            while let Some((at, next, transition)) =
                timer(*state, rule).filter(|(at, ..)| *at < t || inclusive && *at == t)
            {
                let since = since_of(*state);
                *state = next;
                let line = AlertLine {
                    rule: rule.id.clone(),
                    path: path.clone(),
                    transition: transition.to_owned(),
                    at_ms: at,
                    since_ms: since,
                };
                self.printed.push((*place, line));
            }
        }
    }

    /// Everything that was printed: by instant, then rule as written, then path.
    pub fn lines(mut self) -> Vec<AlertLine> {
        self.printed.sort_by(|(one_place, one), (other_place, other)| {
            (one.at_ms, one_place, &one.path).cmp(&(other.at_ms, other_place, &other.path))
        });
        self.printed.into_iter().map(|(_, line)| line).collect()
    }
}

fn since_of(state: State) -> i64 {
    match state {
        State::Inactive => unreachable!("an inactive alert has no timer"),
        State::Pending { since } | State::Firing { since, .. } => since,
    }
}

/// The state after an evaluation. Nothing is printed here: a `for` or `keep_firing_for` of 0 is a timer that runs out
/// at once.
fn after(state: State, verdict: Verdict, t: i64) -> State {
    match (state, verdict) {
        (state, Verdict::Unknown) => state,
        (State::Inactive, Verdict::True) => State::Pending { since: t },
        (State::Pending { since }, Verdict::True) => State::Pending { since },
        (State::Inactive | State::Pending { .. }, _) => State::Inactive,
        (
            State::Firing {
                since,
                next_repeat,
                cleared,
            },
            Verdict::Cleared,
        ) => State::Firing {
            since,
            next_repeat,
            cleared: cleared.or(Some(t)),
        },
        (State::Firing { since, next_repeat, .. }, _) => State::Firing {
            since,
            next_repeat,
            cleared: None,
        },
    }
}

/// The timer that runs out first: when, what state it leaves, what it prints. At one instant the end of
/// `keep_firing_for` comes before a repetition.
fn timer(state: State, rule: &Rule) -> Option<(i64, State, &'static str)> {
    match state {
        State::Inactive => None,
        State::Pending { since } => {
            let at = since + rule.for_ms;
            let next_repeat = rule.repeat_ms.map(|repeat| at + repeat);
            Some((
                at,
                State::Firing {
                    since,
                    next_repeat,
                    cleared: None,
                },
                "firing",
            ))
        }
        State::Firing {
            since,
            next_repeat,
            cleared,
        } => {
            let resolve = cleared.map(|cleared| (cleared + rule.keep_firing_for_ms, State::Inactive, "resolved"));
            let repeat = next_repeat.zip(rule.repeat_ms).map(|(at, repeat)| {
                (
                    at,
                    State::Firing {
                        since,
                        next_repeat: Some(at + repeat),
                        cleared,
                    },
                    "repeated",
                )
            });
            match (resolve, repeat) {
                (Some(resolve), Some(repeat)) => Some(if resolve.0 <= repeat.0 { resolve } else { repeat }),
                (resolve, repeat) => resolve.or(repeat),
            }
        }
    }
}

fn verdict(rule: &Rule, node: &Node) -> Verdict {
    let line = &node.line;
    let number = match rule.metric {
        Metric::Value => line.value,
        Metric::Score => line.score,
        Metric::Coverage => line.coverage,
        Metric::Status => line.status.as_ref().map(|status| band(node, status)),
    };
    let Some(number) = number else {
        return match rule.no_data {
            NoData::Keep => Verdict::Unknown,
            NoData::Fire => Verdict::True,
            NoData::Resolve => Verdict::Cleared,
        };
    };
    let (holds, cleared) = match &rule.condition {
        Condition::Below { threshold, clear } => (number < *threshold, number >= *clear),
        Condition::Above { threshold, clear } => (number > *threshold, number <= *clear),
        Condition::AtWorst {
            band: name,
            clear: Some(clear),
        } => (number <= band(node, name), number >= band(node, clear)),
        Condition::AtWorst {
            band: name,
            clear: None,
        } => (number <= band(node, name), number > band(node, name)),
    };
    match (holds, cleared) {
        (true, _) => Verdict::True,
        (false, true) => Verdict::Cleared,
        (false, false) => Verdict::Between,
    }
}

/// The place of a band in its scorecard, the lowest being 0.
fn band(node: &Node, name: &str) -> f64 {
    let place = node.bands.iter().position(|band| band == name);
    place.expect("a band of the node's scorecard") as f64
}

fn concerns(rule: &Rule, node: &Node) -> bool {
    let pattern: Vec<&str> = rule.on.split('/').collect();
    let path: Vec<&str> = node.line.path.split('/').collect();
    let of_kind = rule
        .kinds
        .as_ref()
        .is_none_or(|kinds| kinds.iter().any(|kind| kind == node.kind));
    of_kind && matches(&pattern, &path)
}

/// A star stands for any text within a level, none included.
fn matches_level(level: &str, name: &str) -> bool {
    let Some((before, after)) = level.split_once('*') else {
        return level == name;
    };
    let Some(rest) = name.strip_prefix(before) else {
        return false;
    };
    (0..=rest.len()).any(|end| rest.is_char_boundary(end) && matches_level(after, &rest[end..]))
}

/// `*` is one level, or any text in it, `**` any number of levels, none included.
fn matches(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern, path) {
        ([], []) => true,
        (["**", rest @ ..], _) => matches(rest, path) || !path.is_empty() && matches(pattern, &path[1..]),
        ([level, pattern @ ..], [name, path @ ..]) => matches_level(level, name) && matches(pattern, path),
        _ => false,
    }
}
