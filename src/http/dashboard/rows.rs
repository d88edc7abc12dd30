//! Alerts as rows of a table: what is pending or firing, and what lately changed.

use super::format;
use super::judge::{self, Badge, Tone};
use super::node::{Aim, bands_at};
use crate::domain::alert::{AlertPhase, AlertTransition, AlertView, TransitionKind};
use crate::domain::board::Board;
use crate::domain::catalog::{Bands, Scorecard};
use crate::domain::id::{InstanceId, root_of};
use crate::domain::instant::Instant;
use crate::wire::alert::node_link;

/// An instant for people and for machines.
#[derive(Debug, Clone, PartialEq)]
pub struct When {
    /// RFC 3339.
    pub machine: String,
    /// `1 Mar 2026, 10:00 UTC`.
    pub words: String,
    /// `3 h ago`.
    pub ago: String,
}

impl When {
    /// Seen from now.
    pub fn new(instant: Instant, now: Instant) -> Self {
        Self {
            machine: instant.to_string(),
            words: format::instant(instant),
            ago: format::ago(now, instant),
        }
    }
}

/// An alert that is pending or firing.
#[derive(Debug)]
pub struct AlertRow {
    /// Key of the row.
    pub id: String,
    /// `firing`, `pending`.
    pub state: &'static str,
    /// `critical`, `warning`, `info`.
    pub severity: &'static str,
    /// Colour and shape of the severity.
    pub tone: Tone,
    /// Title of the rule.
    pub rule: String,
    /// Title of the node.
    pub title: String,
    /// Title of its scorecard, and the instance.
    pub scorecard: String,
    /// Where the node is explained.
    pub href: String,
    /// Since when it is true.
    pub since: When,
    /// The value now.
    pub value: Option<String>,
    /// The aim.
    pub target: Option<String>,
    /// The score now.
    pub score: Option<String>,
    /// The status now.
    pub badge: Badge,
}

impl AlertRow {
    /// The row of an alert.
    pub fn new(board: &Board, alert: &AlertView, now: Instant) -> Self {
        let place = Place::find(board, &alert.path);
        let aim = place.scorecard.map(|scorecard| Aim::of(scorecard, &alert.path, now));
        let bands: Bands = place
            .scorecard
            .map_or_else(Bands::default, |scorecard| bands_at(scorecard, now));
        Self {
            id: alert.id.clone(),
            state: alert.phase.word(),
            severity: alert.severity.word(),
            tone: judge::severity_tone(alert.severity),
            rule: rule_title(board, alert.rule.as_str()),
            title: alert.title.clone(),
            scorecard: place.title,
            href: node_link(&alert.path),
            since: When::new(alert.since, now),
            value: alert.value.map(|value| format::quantity(value, &alert.unit)),
            target: alert
                .target
                .map(|target| format::target(target, aim.and_then(|aim| aim.rising), &alert.unit)),
            score: alert.score.map(format::score),
            badge: Badge::new(alert.status.as_deref(), alert.absence, &bands),
        }
    }
}

/// Rows on one page; beyond it nobody reads, and the API lists them all.
const ROWS_MAX: usize = 100;

/// The alerts of a page.
#[derive(Debug)]
pub struct AlertList {
    /// Firing before pending, the worst and oldest first.
    pub rows: Vec<AlertRow>,
    /// How many fire.
    pub firing: usize,
    /// How many are pending.
    pub pending: usize,
    /// How many have no row.
    pub more: usize,
}

/// Alerts of a page.
pub fn alert_list(board: &Board, now: Instant, wanted: impl Fn(&AlertView) -> bool) -> AlertList {
    let mut alerts: Vec<&AlertView> = board
        .alerts
        .iter()
        .map(AsRef::as_ref)
        .filter(|alert| wanted(alert))
        .collect();
    alerts.sort_by(|a, b| {
        let rank = |alert: &AlertView| (alert.phase, alert.severity);
        rank(b).cmp(&rank(a)).then(a.since.cmp(&b.since))
    });
    let firing = alerts.iter().filter(|alert| alert.phase == AlertPhase::Firing).count();
    let shown = alerts.iter().take(ROWS_MAX);
    AlertList {
        rows: shown.map(|alert| AlertRow::new(board, alert, now)).collect(),
        firing,
        pending: alerts.len() - firing,
        more: alerts.len().saturating_sub(ROWS_MAX),
    }
}

/// A transition that happened.
#[derive(Debug)]
pub struct TransitionRow {
    /// Key of the row.
    pub id: String,
    /// `firing`, `repeated`, `resolved`.
    pub kind: &'static str,
    /// Whether it ended an alert.
    pub resolved: bool,
    /// `critical`, `warning`, `info`.
    pub severity: &'static str,
    /// Colour and shape: of the severity, or good.
    pub tone: Tone,
    /// Title of the rule.
    pub rule: String,
    /// Title of the node.
    pub title: String,
    /// Title of its scorecard, and the instance.
    pub scorecard: String,
    /// Where the node is explained.
    pub href: String,
    /// When.
    pub at: When,
    /// The value then.
    pub value: Option<String>,
    /// On `resolved`: how long it lasted.
    pub lasted: Option<String>,
}

impl TransitionRow {
    /// The row of a transition.
    pub fn new(board: &Board, transition: &AlertTransition, now: Instant) -> Self {
        let resolved = transition.kind == TransitionKind::Resolved;
        let tone = if resolved {
            Tone::High
        } else {
            judge::severity_tone(transition.severity)
        };
        Self {
            id: transition.id.clone(),
            kind: transition.kind.word(),
            resolved,
            severity: transition.severity.word(),
            tone,
            rule: rule_title(board, transition.rule.as_str()),
            title: transition.title.clone(),
            scorecard: Place::find(board, &transition.path).title,
            href: node_link(&transition.path),
            at: When::new(transition.at, now),
            value: transition.value.map(|value| format::quantity(value, &transition.unit)),
            lasted: resolved.then(|| format::length(transition.at.since(transition.since))),
        }
    }
}

fn rule_title(board: &Board, rule: &str) -> String {
    let known = board.catalog.rules.iter().find(|known| known.id.as_str() == rule);
    known.map_or_else(|| rule.to_owned(), |known| known.title.clone())
}

/// Where a path leads.
struct Place<'a> {
    scorecard: Option<&'a Scorecard>,
    title: String,
}

impl<'a> Place<'a> {
    fn find(board: &'a Board, path: &str) -> Self {
        let (id, instance) = root_of(path);
        let instance = instance.as_ref().map(InstanceId::as_str);
        let scorecard = board.catalog.scorecard(id);
        let title = scorecard.map_or(id, |scorecard| &scorecard.title);
        Self {
            scorecard,
            title: instance.map_or_else(|| title.to_owned(), |instance| format!("{title}, {instance}")),
        }
    }
}
