//! Alerts of the fake house: one fires, one is pending, one was resolved yesterday.

use super::NOW;
use super::definitions::slug;
use crate::domain::alert::{
    AlertPhase, AlertRule, AlertTransition, AlertView, Condition, Contributor, Metric, NoData, PathPattern, Severity,
    TransitionKind,
};
use crate::domain::catalog::Target;
use crate::domain::id::Sequence;
use crate::domain::instant::{HOUR_MS, MINUTE_MS};

pub(super) fn rule(id: &str, title: &str) -> AlertRule {
    AlertRule {
        id: slug(id),
        version: "0123456789ab".to_owned(),
        scorecard: 0,
        title: title.to_owned(),
        on: PathPattern::parse("it/**").unwrap(),
        kinds: Vec::new(),
        metric: Metric::Score,
        condition: Condition::Below {
            threshold: 50.0,
            clear: 55.0,
        },
        for_ms: 0,
        keep_firing_for_ms: 0,
        severity: Severity::Critical,
        repeat_ms: None,
        no_data: NoData::Keep,
    }
}

pub(super) fn alerts() -> Vec<AlertView> {
    let firing = AlertView {
        id: "a1".to_owned(),
        rule: slug("reopen-high"),
        path: "it/process/restore-fast/it.reopen".into(),
        title: "Reopened tickets".to_owned(),
        phase: AlertPhase::Firing,
        since: NOW.plus_ms(-3 * HOUR_MS),
        fired_at: Some(NOW.plus_ms(-3 * HOUR_MS + 10 * MINUTE_MS)),
        severity: Severity::Critical,
        value: Some(9.2),
        unit: "%".to_owned(),
        target: Some(Target::Value(3.0)),
        score: Some(23.3),
        status: Some("red".into()),
        absence: None,
    };
    let pending = AlertView {
        id: "a2".to_owned(),
        rule: slug("csat-low"),
        path: "it/customer/satisfied-users/it.csat".into(),
        title: "Ticket satisfaction".to_owned(),
        phase: AlertPhase::Pending,
        since: NOW.plus_ms(-4 * MINUTE_MS),
        fired_at: None,
        severity: Severity::Warning,
        value: Some(82.5),
        target: Some(Target::Value(90.0)),
        score: Some(62.5),
        status: Some("amber".into()),
        ..firing.clone()
    };
    vec![pending, firing]
}

pub(super) fn transitions() -> Vec<AlertTransition> {
    let firing = transition(TransitionKind::Firing);
    let mut resolved = transition(TransitionKind::Resolved);
    resolved.id = "ef01".to_owned();
    resolved.at = NOW.plus_ms(-26 * HOUR_MS);
    resolved.since = NOW.plus_ms(-31 * HOUR_MS);
    resolved.path = "it/customer/satisfied-users/it.csat".into();
    resolved.title = "Ticket satisfaction".to_owned();
    resolved.value = Some(88.0);
    vec![firing, resolved]
}

/// A transition of the rule `reopen-high`.
pub fn transition(kind: TransitionKind) -> AlertTransition {
    AlertTransition {
        id: "abcd".to_owned(),
        rule: slug("reopen-high"),
        rule_version: "0123456789ab".to_owned(),
        path: "it/process/restore-fast/it.reopen".into(),
        kind,
        at: NOW.plus_ms(-3 * HOUR_MS + 10 * MINUTE_MS),
        since: NOW.plus_ms(-3 * HOUR_MS),
        detected_at: NOW.plus_ms(-3 * HOUR_MS),
        sequence: Sequence(4700),
        title: "Reopened tickets".to_owned(),
        owner: Some("head-of-it@example.com".to_owned()),
        severity: Severity::Critical,
        value: Some(9.2),
        unit: "%".to_owned(),
        target: Some(Target::Value(3.0)),
        score: Some(23.3),
        status: Some("red".into()),
        status_before: Some("amber".into()),
        coverage: Some(1.0),
        contributors: vec![Contributor {
            path: "it/process/restore-fast/it.reopen".into(),
            score: 23.3,
            share: 1.0,
        }],
    }
}
