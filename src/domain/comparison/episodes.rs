//! When alerts fired on both sides.
//!
//! An *episode* is one alert from `firing` to `resolved`: a rule, a node, and the half-open interval between the two instants,
//! which has no end where it still fires. Two episodes of one rule and node are paired when their intervals overlap: each with the
//! earliest one of the other side that overlaps it and is not paired yet. That can be decided as the history goes on: when an
//! episode begins while one of the other side runs that has no partner, they are a pair; what ends without a partner has none.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Side, Sides};
use crate::domain::alert::{AlertTransition, Severity, TransitionKind};
use crate::domain::id::Slug;
use crate::domain::instant::Instant;

/// Differences that are listed, the earliest; the others are counted. More than that nobody reads, and a rule that flaps for
/// a year makes no more memory.
const LISTED_MAX: usize = 1_000;

/// An alert from its beginning to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Episode {
    /// When it fired.
    pub fired_at: Instant,
    /// When it was resolved; `None` when it still fires.
    pub resolved_at: Option<Instant>,
    /// How bad.
    pub severity: Severity,
}

/// How an alert differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertDifferenceKind {
    /// Only on the other side: it would have fired and did not.
    Fired,
    /// Only on the base: it would not have fired and did.
    NotFired,
    /// On both, and not from the same instant to the same instant.
    OtherTimes,
    /// On both at the same instants, and not of the same severity.
    OtherSeverity,
}

impl AlertDifferenceKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fired => "fired",
            Self::NotFired => "not_fired",
            Self::OtherTimes => "other_times",
            Self::OtherSeverity => "other_severity",
        }
    }
}

/// An alert that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertDifference {
    /// Which rule.
    pub rule: Slug,
    /// At which node.
    pub path: Arc<str>,
    /// How.
    pub kind: AlertDifferenceKind,
    /// The episode of each side, where it has one.
    pub episodes: Sides<Option<Episode>>,
}

/// What differs of alerts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AlertDifferences {
    /// Pairs that are alike in all.
    pub same: u64,
    /// See [`AlertDifferenceKind`].
    pub fired: u64,
    /// See [`AlertDifferenceKind`].
    pub not_fired: u64,
    /// See [`AlertDifferenceKind`].
    pub other_times: u64,
    /// See [`AlertDifferenceKind`].
    pub other_severity: u64,
    /// Those that differ by the instant at which the first side fired, then rule, then path; so many at most.
    pub listed: Vec<AlertDifference>,
}

/// An episode that has not ended.
#[derive(Debug, Clone, Copy)]
struct Running {
    fired_at: Instant,
    severity: Severity,
    partner: Partner,
}

/// With which episode of the other side one is paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Partner {
    Nobody,
    /// With the one that runs there.
    Running,
    /// With one that has ended.
    Ended(Episode),
}

/// Rule, path.
type Key = (Slug, Arc<str>);

/// All episodes on their way.
#[derive(Debug)]
pub(super) struct Episodes {
    from: Instant,
    running: BTreeMap<Key, Sides<Option<Running>>>,
    found: AlertDifferences,
    listed: BTreeMap<(Instant, Key), AlertDifference>,
}

impl Episodes {
    pub fn new(from: Instant) -> Self {
        Self {
            from,
            running: BTreeMap::new(),
            found: AlertDifferences::default(),
            listed: BTreeMap::new(),
        }
    }

    pub fn take(&mut self, base: Vec<AlertTransition>, other: Vec<AlertTransition>) {
        let mut told: Vec<(Side, AlertTransition)> = base.into_iter().map(|told| (Side::Base, told)).collect();
        told.extend(other.into_iter().map(|told| (Side::Other, told)));
        // Intervals are half open: what ends at an instant does not overlap what begins at it.
        told.sort_by_key(|(_, told)| (told.at, told.kind != TransitionKind::Resolved));
        for (side, told) in told {
            let key = (told.rule, told.path);
            match told.kind {
                TransitionKind::Firing => self.fire(side, key, (told.at, told.severity)),
                TransitionKind::Resolved => self.resolve(side, &key, told.at),
                TransitionKind::Repeated => {}
            }
        }
    }

    fn fire(&mut self, side: Side, key: Key, (fired_at, severity): (Instant, Severity)) {
        let sides = self.running.entry(key).or_default();
        let free = sides.of_mut(side.opposite()).as_mut();
        let free = free.filter(|across| across.partner == Partner::Nobody);
        let partner = match free {
            Some(across) => {
                across.partner = Partner::Running;
                Partner::Running
            }
            None => Partner::Nobody,
        };
        *sides.of_mut(side) = Some(Running {
            fired_at,
            severity,
            partner,
        });
    }

    fn resolve(&mut self, side: Side, key: &Key, at: Instant) {
        let Some(sides) = self.running.get_mut(key) else {
            return;
        };
        let Some(ended) = sides.of_mut(side).take() else {
            return;
        };
        let episode = ended.until(Some(at));
        if ended.partner == Partner::Running
            && let Some(across) = sides.of_mut(side.opposite())
        {
            across.partner = Partner::Ended(episode);
            return;
        }
        if sides.of(side.opposite()).is_none() {
            self.running.remove(key);
        }
        self.record_ended(side, key.clone(), (episode, ended.partner));
    }

    /// An episode whose partner is not running, or that has none.
    fn record_ended(&mut self, side: Side, key: Key, (episode, partner): (Episode, Partner)) {
        let mut episodes = Sides::default();
        *episodes.of_mut(side) = Some(episode);
        if let Partner::Ended(across) = partner {
            *episodes.of_mut(side.opposite()) = Some(across);
        }
        self.record(key, episodes);
    }

    fn record(&mut self, key: Key, episodes: Sides<Option<Episode>>) {
        let is_over = |episode: &Episode| episode.resolved_at.is_some_and(|end| end <= self.from);
        let both = || [episodes.base, episodes.other].into_iter().flatten();
        if both().all(|episode| is_over(&episode)) {
            return;
        }
        let kind = match (episodes.base, episodes.other) {
            (None, _) => AlertDifferenceKind::Fired,
            (Some(_), None) => AlertDifferenceKind::NotFired,
            (Some(base), Some(other)) if base == other => {
                self.found.same += 1;
                return;
            }
            (Some(base), Some(other)) if (base.fired_at, base.resolved_at) == (other.fired_at, other.resolved_at) => {
                AlertDifferenceKind::OtherSeverity
            }
            _ => AlertDifferenceKind::OtherTimes,
        };
        *self.found.count_mut(kind) += 1;
        let first = both().map(|episode| episode.fired_at).min().unwrap_or(self.from);
        let (rule, path) = key.clone();
        let difference = AlertDifference {
            rule,
            path,
            kind,
            episodes,
        };
        self.listed.insert((first, key), difference);
        if self.listed.len() > LISTED_MAX {
            self.listed.pop_last();
        }
    }

    pub fn finish(mut self) -> AlertDifferences {
        for (key, sides) in std::mem::take(&mut self.running) {
            let [base, other] = [sides.base, sides.other].map(|own| own.map(|own| (own.until(None), own.partner)));
            match (base, other) {
                (Some((base, Partner::Running)), Some((other, Partner::Running))) => {
                    let [base, other] = [Some(base), Some(other)];
                    self.record(key, Sides { base, other });
                }
                (base, other) => {
                    for (side, own) in [(Side::Base, base), (Side::Other, other)] {
                        if let Some(own) = own {
                            self.record_ended(side, key.clone(), own);
                        }
                    }
                }
            }
        }
        AlertDifferences {
            listed: self.listed.into_values().collect(),
            ..self.found
        }
    }
}

impl Running {
    fn until(&self, resolved_at: Option<Instant>) -> Episode {
        Episode {
            fired_at: self.fired_at,
            resolved_at,
            severity: self.severity,
        }
    }
}

impl AlertDifferences {
    /// How many differ.
    pub fn differing(&self) -> u64 {
        self.fired + self.not_fired + self.other_times + self.other_severity
    }

    fn count_mut(&mut self, kind: AlertDifferenceKind) -> &mut u64 {
        match kind {
            AlertDifferenceKind::Fired => &mut self.fired,
            AlertDifferenceKind::NotFired => &mut self.not_fired,
            AlertDifferenceKind::OtherTimes => &mut self.other_times,
            AlertDifferenceKind::OtherSeverity => &mut self.other_severity,
        }
    }
}
