//! Rules at nodes: how a condition stands after an evaluation, and everything that an alert says.

use std::sync::Arc;

use super::evaluate::weight_of;
use super::instances::InstanceState;
use super::node_state::{NO_STATUS, there};
use super::{Effects, Projection};
use crate::domain::alert::{
    AlertPhase, AlertRule, AlertTransition, AlertView, Condition, Contributor, Metric, NoData, TransitionKind,
};
use crate::domain::alerting::{Active, AlertKey, Happening, Truth, truth_of};
use crate::domain::catalog::{Catalog, NodePlace, Scorecard, Target, version_at};
use crate::domain::instant::Instant;

/// Leaves that an alert names.
const CONTRIBUTORS_MAX: usize = 5;

/// Which band of a scorecard a rule names, as it stands among them; `None` inside where it is none of them, outside where
/// there are no bands yet.
type BandLimit = Option<Option<usize>>;

/// Whether a status is in the named band or a worse one; `None` without a status.
fn band_truth(status: u8, limit: BandLimit) -> Option<Truth> {
    let holds = limit?.is_some_and(|limit| usize::from(status) <= limit);
    (status != NO_STATUS).then_some(if holds { Truth::Holds } else { Truth::Cleared })
}

/// Whether rules at a node of a scorecard go by nothing but its status, which always means the same.
fn go_by_status(catalog: &Catalog, scorecard: usize, rules: &[u32]) -> bool {
    let has_one_set_of_bands = |scorecard: &Scorecard| scorecard.bands.len() <= 1;
    let mut rules = rules.iter().filter_map(|index| catalog.rules.get(*index as usize));
    catalog.scorecards.get(scorecard).is_some_and(has_one_set_of_bands)
        && rules.all(|rule| matches!(rule.condition, Condition::AtWorst { .. }))
}

impl Projection {
    /// Looks at every rule of some nodes that were just evaluated.
    pub(super) fn look_at_conditions(&mut self, nodes: &[u32], at: Instant) {
        let catalog = Arc::clone(&self.catalog);
        // Neighbours mostly have the same rule and the same bands.
        let mut limit: (Option<(u32, usize)>, BandLimit) = (None, None);
        for &node in nodes {
            let Some(state) = self.nodes.get(node as usize).copied() else {
                continue;
            };
            let Some(own) = self.instances.get(state.instance as usize) else {
                continue;
            };
            let local = node.wrapping_sub(own.node_base) as usize;
            let rules = own.rules.get(local).map(Vec::as_slice).unwrap_or_default();
            let is_quiet = go_by_status(&catalog, own.scorecard, rules);
            for &index in rules {
                let Some(rule) = catalog.rules.get(index as usize) else {
                    continue;
                };
                let known = match &rule.condition {
                    Condition::AtWorst { band } => {
                        let of = Some((index, own.scorecard));
                        if limit.0 != of {
                            limit = (of, self.band_limit(own.scorecard, band, at));
                        }
                        band_truth(state.status, limit.1)
                    }
                    condition => self
                        .metric(rule.metric, node, at)
                        .map(|number| truth_of(condition, number)),
                };
                let truth = known.unwrap_or(match rule.no_data {
                    NoData::Keep => Truth::Unknown,
                    NoData::Fire => Truth::Holds,
                    NoData::Resolve => Truth::Cleared,
                });
                let key = AlertKey { rule: index, node };
                // Hardly any node has an alert, or begins one.
                if truth != Truth::Holds && !self.alerting.has_any(node) {
                    continue;
                }
                let is_active = self.alerting.evaluate((key, rule), truth, at, state.status_before);
                // Before alerts are drawn for the first time all are to be drawn.
                if is_active && self.alert_views.is_some() {
                    self.touched_alerts.insert(key);
                }
            }
            if let Some(state) = self.nodes.get_mut(node as usize) {
                state.is_quiet = is_quiet;
            }
        }
    }

    /// Whether the rules at a node of an instance have to be looked at only when its status changes.
    pub(super) fn goes_by_status(&self, own: &InstanceState, local: u32) -> bool {
        let rules = own.rules.get(local as usize).map(Vec::as_slice).unwrap_or_default();
        go_by_status(&self.catalog, own.scorecard, rules)
    }

    fn band_limit(&self, scorecard: usize, band: &str, at: Instant) -> BandLimit {
        let bands = version_at(&self.catalog.scorecards.get(scorecard)?.bands, at)?;
        Some(bands.iter().position(|known| *known.name == *band))
    }

    fn metric(&self, metric: Metric, node: u32, at: Instant) -> Option<f64> {
        let state = self.nodes.get(node as usize)?;
        match metric {
            Metric::Value => there(state.value()),
            Metric::Score => there(state.score),
            Metric::Status => (state.status != NO_STATUS).then(|| f64::from(state.status)),
            Metric::Coverage => there(state.coverage),
            Metric::Age => {
                let series = self.series_of(node)?;
                self.series
                    .get(series)?
                    .latest()
                    .map(|latest| at.since(latest) as f64 / 1_000.0)
            }
        }
    }

    pub(super) fn series_of(&self, node: u32) -> Option<usize> {
        let (instance, shape, local) = self.node_place(node)?;
        let NodePlace::Kpi(kpi) = shape.nodes.get(local as usize)?.place else {
            return None;
        };
        Some(self.instances.get(instance as usize)?.series_base as usize + kpi)
    }

    /// When an age will cross a rule's threshold, or where it is cleared, by itself.
    pub(super) fn age_due(&self, node: u32, series: usize, at: Instant) -> Option<Instant> {
        let own = self.instances.get(self.nodes.get(node as usize)?.instance as usize)?;
        let rules = own.rules.get(node.wrapping_sub(own.node_base) as usize)?.iter();
        let own = rules.filter_map(|index| self.catalog.rules.get(*index as usize));
        let mut own = own.filter(|rule| rule.metric == Metric::Age).peekable();
        own.peek()?;
        let latest = self.series.get(series)?.latest()?;
        let reached = |seconds: f64| latest.plus_ms((seconds * 1_000.0).ceil() as i64);
        let passed = |seconds: f64| latest.plus_ms((seconds * 1_000.0).floor() as i64 + 1);
        let crossings = |rule: &AlertRule| match (rule.metric, &rule.condition) {
            (Metric::Age, Condition::Above { threshold, clear }) => vec![passed(*clear), passed(*threshold)],
            (Metric::Age, Condition::Below { threshold, clear }) => vec![reached(*threshold), reached(*clear)],
            _ => Vec::new(),
        };
        own.flat_map(crossings).filter(|due| *due > at).min()
    }

    /// Lets timers run out until `until`, and tells what happened in the order of instant, rule, path.
    pub(super) fn run_timers(&mut self, until: Instant, effects: &mut Effects) {
        let catalog = Arc::clone(&self.catalog);
        let first = effects.transitions.len();
        while let Some(happening) = self.alerting.run_timer(&catalog.rules, until) {
            if let Some(transition) = self.transition(&happening) {
                effects.transitions.push(transition);
            }
            self.touched_alerts.insert(happening.key);
        }
        let rule_index =
            |transition: &AlertTransition| catalog.rules.iter().position(|rule| rule.id == transition.rule);
        if let Some(told) = effects.transitions.get_mut(first..) {
            told.sort_by_cached_key(|transition| (transition.at, rule_index(transition), Arc::clone(&transition.path)));
        }
    }

    pub(super) fn transition(&self, happening: &Happening) -> Option<AlertTransition> {
        let AlertKey { rule, node } = happening.key;
        let rule = self.catalog.rules.get(rule as usize)?;
        let scorecard = self.scorecard_of(node)?;
        let reading = self.reading(node, happening.at);
        let path = self.path(node);
        let (title, unit, target) = self.described(node, happening.at)?;
        let (kind, active) = (happening.kind, happening.active);
        Some(AlertTransition {
            id: transition_id(rule, &path, &active, (kind, happening.at)),
            rule: rule.id.clone(),
            rule_version: rule.version.clone(),
            kind,
            at: happening.at,
            since: active.since,
            detected_at: happening.at,
            sequence: self.sequence,
            title,
            owner: scorecard.owner.clone(),
            severity: rule.severity,
            value: reading.value,
            unit,
            target,
            score: reading.score,
            status: reading.status,
            status_before: self.band_name(node, active.status_before, happening.at),
            coverage: reading.coverage,
            contributors: self.contributors(node, happening.at),
            path,
        })
    }

    /// Title, unit and target of a node.
    fn described(&self, node: u32, at: Instant) -> Option<(String, String, Option<Target>)> {
        let scorecard = self.scorecard_of(node)?;
        let (_, shape, local) = self.node_place(node)?;
        Some(match shape.nodes.get(local as usize)?.place {
            NodePlace::Scorecard => (scorecard.title.clone(), String::new(), None),
            NodePlace::Perspective(index) => (scorecard.perspectives.get(index)?.title.clone(), String::new(), None),
            NodePlace::Objective(index) => (scorecard.objectives.get(index)?.title.clone(), String::new(), None),
            NodePlace::Kpi(index) => {
                let kpi = scorecard.kpis.get(index)?;
                (
                    kpi.title.clone(),
                    kpi.unit.clone(),
                    kpi.version(at).and_then(|version| version.target),
                )
            }
        })
    }

    /// The leaves that contribute most to what is missing to 100, by weight down the tree.
    fn contributors(&self, node: u32, at: Instant) -> Vec<Contributor> {
        let mut losses = Vec::new();
        self.collect_losses(node, 1.0, at, &mut losses);
        let all: f64 = losses.iter().map(|(_, _, loss)| loss).sum();
        losses.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(&other.0)));
        losses.truncate(CONTRIBUTORS_MAX);
        let lost = losses.into_iter().filter(|(_, _, loss)| *loss > 0.0);
        lost.map(|(leaf, score, loss)| Contributor {
            path: self.path(leaf),
            score,
            share: loss / all,
        })
        .collect()
    }

    fn collect_losses(&self, node: u32, weight: f64, at: Instant, losses: &mut Vec<(u32, f64, f64)>) {
        let Some((instance, shape, local)) = self.node_place(node) else {
            return;
        };
        let Some(state) = self.nodes.get(node as usize) else {
            return;
        };
        let Some(shape_node) = shape.nodes.get(local as usize) else {
            return;
        };
        if let NodePlace::Kpi(_) = shape_node.place {
            losses.extend(there(state.score).map(|score| (node, score, weight * (100.0 - score))));
            return;
        }
        let Some(scorecard) = self.scorecard_of(node) else {
            return;
        };
        let base = self.instances.get(instance as usize).map_or(0, |state| state.node_base);
        let own = shape_node.children.iter().filter_map(|child| {
            Some((
                base + child,
                weight_of(scorecard, shape.nodes.get(*child as usize)?.place, at),
            ))
        });
        let included = self.included.get(&node).map(Vec::as_slice).unwrap_or_default().iter();
        let children: Vec<(u32, f64)> = own
            .chain(included.filter_map(|included| Some((included.node?, included.weight))))
            .collect();
        let is_scored = |child: u32| {
            self.nodes
                .get(child as usize)
                .is_some_and(|state| there(state.score).is_some())
        };
        let counted = || children.iter().filter(|(child, _)| is_scored(*child));
        let all: f64 = counted().map(|(_, weight)| weight).sum();
        if all > 0.0 {
            counted().for_each(|(child, own)| self.collect_losses(*child, weight * own / all, at, losses));
        }
    }

    /// Pending and firing alerts for the board, by rule, then path. Only those are drawn that changed since the last call,
    /// or whose node did; without any the list of before is given back.
    pub fn alerts_again(&mut self, before: &Arc<Vec<Arc<AlertView>>>) -> Arc<Vec<Arc<AlertView>>> {
        let mut touched = std::mem::take(&mut self.touched_alerts);
        if touched.is_empty() && self.alert_views.is_some() {
            return Arc::clone(before);
        }
        if self.alert_views.is_none() {
            touched = self.alerting.active().map(|(key, _)| key).collect();
        }
        let mut views = self.alert_views.take().unwrap_or_default();
        for key in touched {
            let Some(rule) = self.catalog.rules.get(key.rule as usize) else {
                continue;
            };
            let place = (rule.id.clone(), self.path(key.node));
            match self.alerting.find(key).and_then(|active| self.alert_view(key, active)) {
                Some(view) => views.insert(place, Arc::new(view)),
                None => views.remove(&place),
            };
        }
        let all = views.values().cloned().collect();
        self.alert_views = Some(views);
        Arc::new(all)
    }

    /// Pending and firing alerts, by rule, then path.
    pub fn alerts(&self) -> Vec<AlertView> {
        let mut views: Vec<AlertView> = self
            .alerting
            .active()
            .filter_map(|(key, active)| self.alert_view(key, active))
            .collect();
        views.sort_by(|one, other| (&one.rule, &one.path).cmp(&(&other.rule, &other.path)));
        views
    }

    fn alert_view(&self, key: AlertKey, active: &Active) -> Option<AlertView> {
        let rule = self.catalog.rules.get(key.rule as usize)?;
        let path = self.path(key.node);
        let fires_at = active.fired_at.unwrap_or(active.since.plus_ms(rule.for_ms));
        let reading = self.reading(key.node, self.at());
        let (title, unit, target) = self.described(key.node, self.at())?;
        Some(AlertView {
            id: transition_id(rule, &path, active, (TransitionKind::Firing, fires_at)),
            rule: rule.id.clone(),
            path,
            title,
            phase: if active.fired_at.is_some() {
                AlertPhase::Firing
            } else {
                AlertPhase::Pending
            },
            since: active.since,
            fired_at: active.fired_at,
            severity: rule.severity,
            value: reading.value,
            unit,
            target,
            score: reading.score,
            status: reading.status,
            absence: reading.absence,
        })
    }
}

/// The same for the same rule, node, onset, kind and instant, whenever and wherever it is decided.
fn transition_id(rule: &AlertRule, path: &str, active: &Active, what: (TransitionKind, Instant)) -> String {
    let (kind, at) = what;
    let text = format!("{}\n{path}\n{}\n{}\n{}", rule.id, active.since.0, kind.word(), at.0);
    blake3::hash(text.as_bytes()).to_hex().chars().take(32).collect()
}

#[cfg(test)]
mod tests;
