//! The state machine of alerts: which are pending or firing, and what is due when.
//!
//! Enters: how a condition stands at an evaluation, and the instants at which timers run out. Leaves: what happened.
//! It knows nodes and rules by number only. Deciding is separate from saying: [`Happening`]s become transitions, with all
//! that a reader needs, in the projection.
//!
//! An evaluation never fires or resolves by itself. It sets a timer, `for` or `keep_firing_for` from now (perhaps 0),
//! and timers run after the evaluations of their instant. That is why a condition that ends at the very instant at which
//! its `for` would be over does not fire.

use std::collections::{BTreeMap, BTreeSet};

use super::alert::{AlertPhase, AlertRule, Condition, TransitionKind};
use super::instant::Instant;

/// A rule at a node, by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct AlertKey {
    /// Index of the rule in the catalog.
    pub rule: u32,
    /// Number of the node in the projection.
    pub node: u32,
}

/// How a condition stands at an evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Truth {
    /// True.
    Holds,
    /// Not true, but not past `clear` either: what fires goes on firing.
    Between,
    /// Not true, and past `clear`.
    Cleared,
    /// There is no value, and the rule keeps its state then.
    Unknown,
}

/// An alert that is pending or firing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Active {
    /// Pending or firing.
    pub phase: AlertPhase,
    /// When the condition became true.
    pub since: Instant,
    /// When it fired.
    pub fired_at: Option<Instant>,
    /// Since when the condition is over, while `keep_firing_for` runs.
    pub ending_since: Option<Instant>,
    /// How often it was said again.
    pub repeats: u32,
    /// Band of the node before the condition became true; `u8::MAX` for none.
    pub status_before: u8,
    /// No timer runs out before this: when the rule was edited last, so that a shorter `for` does not reach into the past.
    pub not_before: Instant,
}

/// Something to be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Happening {
    /// Of which alert.
    pub key: AlertKey,
    /// What.
    pub kind: TransitionKind,
    /// Its exact instant.
    pub at: Instant,
    /// The alert as it is at that instant.
    pub active: Active,
}

/// All pending and firing alerts, and their timers.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Alerting {
    active: BTreeMap<AlertKey, Active>,
    /// How many of them each node has, as far as nodes ever had any.
    by_node: Vec<u32>,
    /// One timer an alert.
    timers: BTreeSet<(Instant, AlertKey)>,
}

impl Alerting {
    /// Takes in how a condition stands at an instant. True where there is an alert, or was one until now.
    pub fn evaluate(
        &mut self,
        (key, rule): (AlertKey, &AlertRule),
        truth: Truth,
        at: Instant,
        status_before: u8,
    ) -> bool {
        let before = self.active.get(&key).copied();
        let after = decide(before, truth, at, status_before);
        if before != after {
            self.replace(key, rule, before, after);
        }
        before.is_some() || after.is_some()
    }

    /// An alert, while it is pending or firing.
    pub fn find(&self, key: AlertKey) -> Option<&Active> {
        self.active.get(&key)
    }

    /// The instant of the next timer.
    pub fn next_timer(&self) -> Option<Instant> {
        self.timers.first().map(|(at, _)| *at)
    }

    /// Lets one timer run out that is due at `until` or before. `None` when there is none.
    pub fn run_timer(&mut self, rules: &[AlertRule], until: Instant) -> Option<Happening> {
        let &(at, key) = self.timers.first().filter(|(at, _)| *at <= until)?;
        let rule = rules.get(key.rule as usize)?;
        let before = self.active.get(&key).copied()?;
        let (kind, after) = match before.phase {
            AlertPhase::Pending => {
                let fired = Active {
                    phase: AlertPhase::Firing,
                    fired_at: Some(at),
                    ..before
                };
                (TransitionKind::Firing, Some(fired))
            }
            AlertPhase::Firing if ends_at(rule, &before).is_some_and(|end| end <= at) => {
                (TransitionKind::Resolved, None)
            }
            AlertPhase::Firing => (
                TransitionKind::Repeated,
                Some(Active {
                    repeats: before.repeats + 1,
                    ..before
                }),
            ),
        };
        self.replace(key, rule, Some(before), after);
        Some(Happening {
            key,
            kind,
            at,
            active: after.unwrap_or(before),
        })
    }

    fn replace(&mut self, key: AlertKey, rule: &AlertRule, before: Option<Active>, after: Option<Active>) {
        if let Some(timer) = before.and_then(|active| next_timer(rule, &active)) {
            self.timers.remove(&(timer, key));
        }
        match after {
            Some(active) => {
                if self.active.insert(key, active).is_none() {
                    let node = key.node as usize;
                    self.by_node.resize(self.by_node.len().max(node + 1), 0);
                    self.by_node.get_mut(node).into_iter().for_each(|count| *count += 1);
                }
                self.timers.extend(next_timer(rule, &active).map(|timer| (timer, key)));
            }
            None => {
                if self.active.remove(&key).is_some() {
                    self.by_node
                        .get_mut(key.node as usize)
                        .into_iter()
                        .for_each(|count| *count -= 1);
                }
            }
        }
    }

    /// Whether a node has a pending or firing alert.
    pub fn has_any(&self, node: u32) -> bool {
        self.by_node.get(node as usize).is_some_and(|count| *count > 0)
    }

    /// Pending and firing alerts, by rule, then node.
    pub fn active(&self) -> impl Iterator<Item = (AlertKey, &Active)> {
        self.active.iter().map(|(key, active)| (*key, active))
    }

    /// Puts an alert back as it was, for checkpoints.
    pub fn restore(&mut self, key: AlertKey, rule: &AlertRule, active: Active) {
        self.replace(key, rule, None, Some(active));
    }
}

/// Where an alert goes from an evaluation.
fn decide(before: Option<Active>, truth: Truth, at: Instant, status_before: u8) -> Option<Active> {
    match (before, truth) {
        (None, Truth::Holds) => Some(Active {
            phase: AlertPhase::Pending,
            since: at,
            fired_at: None,
            ending_since: None,
            repeats: 0,
            status_before,
            not_before: Instant(i64::MIN),
        }),
        (
            Some(Active {
                phase: AlertPhase::Pending,
                ..
            }),
            Truth::Between | Truth::Cleared,
        ) => None,
        // What fires goes on firing until `clear`: on this side of it the condition is not over.
        (Some(active), Truth::Holds | Truth::Between) => Some(Active {
            ending_since: None,
            ..active
        }),
        (Some(active), Truth::Cleared) => Some(Active {
            ending_since: active.ending_since.or(Some(at)),
            ..active
        }),
        (unchanged, _) => unchanged,
    }
}

/// When a firing alert whose condition is over will be resolved.
fn ends_at(rule: &AlertRule, active: &Active) -> Option<Instant> {
    let end = active.ending_since?.plus_ms(rule.keep_firing_for_ms);
    // Several blocks may be of one millisecond: what fired in it is not over in it, or it could fire again and be told as one.
    let fired_at = active.fired_at.unwrap_or(active.since);
    Some(end.max(active.not_before).max(fired_at.plus_ms(1)))
}

fn next_timer(rule: &AlertRule, active: &Active) -> Option<Instant> {
    match active.phase {
        AlertPhase::Pending => Some(active.since.plus_ms(rule.for_ms).max(active.not_before)),
        AlertPhase::Firing => [ends_at(rule, active), next_repeat(rule, active)]
            .into_iter()
            .flatten()
            .min(),
    }
}

fn next_repeat(rule: &AlertRule, active: &Active) -> Option<Instant> {
    let (fired_at, every) = (active.fired_at?, rule.repeat_ms?);
    Some(fired_at.plus_ms(every.saturating_mul(i64::from(active.repeats) + 1)))
}

impl Active {
    /// The alert goes on under an edited rule from `at` on: what the edit would have let happen earlier happens now, and
    /// repeats that it would have had are not made up for.
    #[must_use]
    pub fn under(mut self, rule: &AlertRule, at: Instant) -> Self {
        self.not_before = at;
        if let (Some(fired_at), Some(every)) = (self.fired_at, rule.repeat_ms) {
            let due = at.plus_ms(-1).since(fired_at).max(0) / every.max(1);
            self.repeats = u32::try_from(due).unwrap_or(u32::MAX);
        }
        self
    }
}

/// How a number stands against a condition.
pub fn truth_of(condition: &Condition, number: f64) -> Truth {
    match *condition {
        Condition::Below { threshold, .. } if number < threshold => Truth::Holds,
        Condition::Above { threshold, .. } if number > threshold => Truth::Holds,
        Condition::Below { clear, .. } if number < clear => Truth::Between,
        Condition::Above { clear, .. } if number > clear => Truth::Between,
        _ => Truth::Cleared,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::alert::Metric;
    use crate::domain::samples::alert_rule;

    fn rule(for_ms: i64, keep_firing_for_ms: i64, repeat_ms: Option<i64>) -> AlertRule {
        let condition = Condition::Below {
            threshold: 50.0,
            clear: 55.0,
        };
        AlertRule {
            for_ms,
            keep_firing_for_ms,
            repeat_ms,
            ..alert_rule("low", Metric::Score, condition)
        }
    }

    /// Plays (instant, score) evaluations and tells what happened, timers up to `end` included.
    fn story(rule: &AlertRule, scores: &[(i64, Option<f64>)], end: i64) -> Vec<(i64, &'static str)> {
        let rules = [rule.clone()];
        let key = AlertKey { rule: 0, node: 0 };
        let mut alerting = Alerting::default();
        let mut told = Vec::new();
        let mut run = |alerting: &mut Alerting, until: i64| {
            while let Some(happening) = alerting.run_timer(&rules, Instant(until)) {
                told.push((happening.at.0, happening.kind.word()));
            }
        };
        for (at, score) in scores {
            run(&mut alerting, at - 1);
            let truth = score.map_or(Truth::Unknown, |score| truth_of(&rule.condition, score));
            alerting.evaluate((key, rule), truth, Instant(*at), u8::MAX);
            run(&mut alerting, *at);
        }
        run(&mut alerting, end);
        told
    }

    #[test]
    fn it_fires_exactly_after_its_for() {
        assert_eq!(story(&rule(10, 0, None), &[(5, Some(40.0))], 100), [(15, "firing")]);
    }

    #[test]
    fn what_fires_is_not_over_at_the_same_instant_however_often_it_is_evaluated() {
        let crossings = [(5, Some(40.0)), (5, Some(60.0)), (5, Some(40.0)), (5, Some(60.0))];
        let told = story(&rule(0, 0, None), &crossings, 100);
        assert_eq!(told, [(5, "firing"), (6, "resolved")]);
        let told = story(&rule(0, 0, None), &crossings[..3], 100);
        assert_eq!(told, [(5, "firing")], "it holds again");
    }

    #[test]
    fn a_condition_that_ends_when_its_for_is_over_does_not_fire() {
        assert_eq!(story(&rule(10, 0, None), &[(5, Some(40.0)), (15, Some(60.0))], 100), []);
        assert_eq!(
            story(
                &rule(10, 0, None),
                &[(5, Some(40.0)), (14, Some(50.0)), (15, Some(40.0))],
                24
            ),
            []
        );
    }

    #[test]
    fn the_comparison_is_strict_and_clears_at_or_past_clear() {
        let rule = rule(0, 0, None);
        let scores = [(1, Some(50.0)), (2, Some(49.9)), (3, Some(54.9)), (4, Some(55.0))];
        assert_eq!(story(&rule, &scores, 100), [(2, "firing"), (4, "resolved")]);
    }

    #[test]
    fn it_keeps_firing_and_forgives_a_short_recovery() {
        let rule = rule(0, 10, None);
        let scores = [(1, Some(40.0)), (5, Some(60.0)), (9, Some(40.0)), (20, Some(60.0))];
        assert_eq!(story(&rule, &scores, 100), [(1, "firing"), (30, "resolved")]);
    }

    #[test]
    fn it_is_said_again_while_it_fires() {
        let scores = [(1, Some(40.0)), (31, Some(60.0))];
        assert_eq!(
            story(&rule(0, 0, Some(10)), &scores, 100),
            [(1, "firing"), (11, "repeated"), (21, "repeated"), (31, "resolved")]
        );
    }

    #[test]
    fn without_data_the_state_stays() {
        assert_eq!(
            story(&rule(10, 0, None), &[(1, Some(40.0)), (5, None)], 100),
            [(11, "firing")]
        );
        assert_eq!(
            story(&rule(0, 0, None), &[(1, Some(40.0)), (5, None)], 100),
            [(1, "firing")]
        );
    }
}
