//! `[[alert]]`: which nodes, what to look at, when to say it.
//!
//! The tables of a file enter, rules leave; what they refer to in other files (`on`, `at_worst`) waits in a
//! [`RuleDraft`] until all files are read.

use sha2::{Digest, Sha256};

use super::fields::{At, Fields};
use super::tree::named;
use super::values::shorten;
use crate::domain::alert::{AlertRule, Condition, Metric, NoData, PathPattern, Severity};
use crate::domain::catalog::NodeKind;
use crate::domain::id::Slug;

/// A rule and where its references stand.
pub(super) struct RuleDraft {
    /// With its version, but without the index of its scorecard.
    pub rule: AlertRule,
    /// Where its id stands.
    pub id_at: usize,
    /// Where its pattern stands.
    pub on_at: usize,
    /// Where its band stands, if it has one.
    pub band_at: Option<usize>,
}

/// Hex digits of a rule's version: enough to tell versions of one rule apart.
const VERSION_LEN: usize = 12;

/// What is not compared yet, but will be.
const METRICS_TO_COME: [&str; 2] = ["change", "forecast"];

/// Reads all rules of a file; those with problems are left out.
pub(super) fn read_all(root: &Fields<'_>) -> Vec<RuleDraft> {
    let tables = root.tables("alert", |number, id| named("alert", number, id));
    tables.into_iter().filter_map(read).collect()
}

fn read(alert: Fields<'_>) -> Option<RuleDraft> {
    let id = alert.id(Slug::parse);
    let on = read_pattern(&alert);
    let metric = read_metric(&alert);
    let condition = read_condition(&alert, metric);
    let kinds = narrow(read_kinds(&alert), metric);
    let title = alert.words("title");
    let for_ms = alert.duration_or_zero("for").map_or(0, |length| length.value);
    let keep_firing_for_ms = alert
        .duration_or_zero("keep_firing_for")
        .map_or(0, |length| length.value);
    let severity = read_severity(&alert);
    let repeat_ms = alert.duration("repeat").map(|length| length.value);
    let no_data = read_no_data(&alert);
    alert.refuse_key("inhibit", "is not supported yet", "remove it");
    let band_at = alert.place("at_worst");
    alert.finish();
    let (id, on) = (id?, on?);
    let mut rule = AlertRule {
        version: String::new(),
        scorecard: 0,
        title: title.unwrap_or_else(|| id.value.to_string()),
        id: id.value,
        on: on.value,
        kinds,
        metric: metric?,
        condition: condition?,
        for_ms,
        keep_firing_for_ms,
        severity,
        repeat_ms,
        no_data,
    };
    rule.version = version_of(&rule);
    Some(RuleDraft {
        rule,
        id_at: id.at,
        on_at: on.at,
        band_at,
    })
}

fn read_pattern(alert: &Fields<'_>) -> Option<At<PathPattern>> {
    if alert.place("on").is_none() {
        alert.refuse_missing("on", "name the nodes, for example on = \"it/**\"");
        return None;
    }
    let text = alert.text("on")?;
    let pattern = PathPattern::parse(text.value);
    if pattern.is_none() {
        let what = format!("on \"{}\" has an empty level", shorten(text.value));
        let remedy = "write levels with one / between them, for example \"it/customer/**\"";
        alert.refuse(text.at, &what, remedy);
    }
    pattern.map(|pattern| text.map(|_| pattern))
}

fn read_metric(alert: &Fields<'_>) -> Option<Metric> {
    let choices = [
        ("value", Metric::Value),
        ("score", Metric::Score),
        ("status", Metric::Status),
        ("coverage", Metric::Coverage),
        ("age", Metric::Age),
    ];
    if alert.place("metric").is_none() {
        return Some(Metric::Score);
    }
    let name = alert.text("metric")?;
    if METRICS_TO_COME.contains(&name.value) {
        let what = format!("metric \"{}\" is not supported yet", name.value);
        alert.refuse(name.at, &what, "use value, score, status, coverage or age");
        return None;
    }
    alert.choose("metric", name, &choices).map(|metric| metric.value)
}

fn read_kinds(alert: &Fields<'_>) -> Vec<NodeKind> {
    let kinds = [
        NodeKind::Scorecard,
        NodeKind::Perspective,
        NodeKind::Objective,
        NodeKind::Kpi,
    ];
    let choices = kinds.map(|kind| (kind.word(), kind));
    let words = alert.texts("kinds").into_iter();
    words
        .filter_map(|word| alert.choose("kinds", word, &choices))
        .map(|kind| kind.value)
        .collect()
}

/// Only KPIs have a value and an age; without this, `no_data = "fire"` would fire on every node above them.
fn narrow(kinds: Vec<NodeKind>, metric: Option<Metric>) -> Vec<NodeKind> {
    let leaves_only = matches!(metric, Some(Metric::Value | Metric::Age));
    if leaves_only && (kinds.is_empty() || kinds.contains(&NodeKind::Kpi)) {
        return vec![NodeKind::Kpi];
    }
    kinds
}

fn read_severity(alert: &Fields<'_>) -> Severity {
    let choices = [Severity::Info, Severity::Warning, Severity::Critical].map(|severity| (severity.word(), severity));
    alert
        .choice("severity", &choices)
        .map_or(Severity::Warning, |severity| severity.value)
}

fn read_no_data(alert: &Fields<'_>) -> NoData {
    let choices = [
        ("keep", NoData::Keep),
        ("fire", NoData::Fire),
        ("resolve", NoData::Resolve),
    ];
    alert
        .choice("no_data", &choices)
        .map_or(NoData::Keep, |no_data| no_data.value)
}

/// Exactly one of `below`, `above` and `at_worst`, and `clear` on its right side.
fn read_condition(alert: &Fields<'_>, metric: Option<Metric>) -> Option<Condition> {
    let forms = ["below", "above", "at_worst"];
    let given: Vec<&str> = forms.into_iter().filter(|form| alert.place(form).is_some()).collect();
    match given.as_slice() {
        ["below"] => {
            read_threshold(alert, "below", metric).map(|(threshold, clear)| Condition::Below { threshold, clear })
        }
        ["above"] => {
            read_threshold(alert, "above", metric).map(|(threshold, clear)| Condition::Above { threshold, clear })
        }
        ["at_worst"] => read_at_worst(alert, metric),
        [] => {
            let remedy = "write one of them, for example below = 50";
            alert.refuse(alert.at, "it has neither `below`, `above` nor `at_worst`", remedy);
            None
        }
        several => {
            let what = format!("it has {} at once", super::problem::list(several));
            alert.refuse(alert.at, &what, "keep one of them");
            None
        }
    }
}

fn read_threshold(alert: &Fields<'_>, key: &'static str, metric: Option<Metric>) -> Option<(f64, f64)> {
    let threshold = alert.number(key);
    let clear = alert.number("clear");
    let threshold = threshold?;
    let most = match metric {
        Some(Metric::Status) => {
            let what = format!("`{key}` compares numbers, and metric \"status\" is none");
            alert.refuse(threshold.at, &what, "write at_worst = \"red\", or metric = \"score\"");
            return None;
        }
        Some(Metric::Coverage) => 1.0,
        Some(Metric::Score) => 100.0,
        _ => f64::INFINITY,
    };
    if most.is_finite() && !(0.0..=most).contains(&threshold.value) {
        let metric = metric.map_or("value", Metric::word);
        let what = format!(
            "{key} {} is outside 0 to {most}, which {metric} never leaves",
            threshold.value
        );
        alert.refuse(threshold.at, &what, "write a threshold that can be crossed");
    }
    let clear = clear.unwrap_or(threshold);
    let (wrong, side) = match key {
        "below" => (clear.value < threshold.value, "at or above"),
        _ => (clear.value > threshold.value, "at or below"),
    };
    if wrong {
        let what = format!(
            "clear {} is on the wrong side of {key} {}",
            clear.value, threshold.value
        );
        alert.refuse(
            clear.at,
            &what,
            &format!("write a clear {side} the threshold, or leave it out"),
        );
    }
    Some((threshold.value, clear.value))
}

fn read_at_worst(alert: &Fields<'_>, metric: Option<Metric>) -> Option<Condition> {
    let band = alert.text("at_worst")?;
    alert.refuse_key("clear", "belongs to `below` and `above`", "remove it");
    if let Some(metric) = metric.filter(|metric| *metric != Metric::Status) {
        let what = format!("`at_worst` compares bands, and metric is \"{}\"", metric.word());
        alert.refuse(band.at, &what, "write metric = \"status\"");
        return None;
    }
    Some(Condition::AtWorst {
        band: band.value.into(),
    })
}

/// The version: the beginning of the SHA-256 of everything the rule says, key by key, so that neither comments nor
/// the order of keys change it.
fn version_of(rule: &AlertRule) -> String {
    let kinds: Vec<&str> = rule.kinds.iter().map(|kind| kind.word()).collect();
    let condition = match &rule.condition {
        Condition::Below { threshold, clear } => format!("below={threshold} clear={clear}"),
        Condition::Above { threshold, clear } => format!("above={threshold} clear={clear}"),
        Condition::AtWorst { band } => format!("at_worst={band}"),
    };
    let no_data = match rule.no_data {
        NoData::Keep => "keep",
        NoData::Fire => "fire",
        NoData::Resolve => "resolve",
    };
    let said = [
        format!("id={}", rule.id),
        format!("title={}", rule.title),
        format!("on={}", rule.on.as_str()),
        format!("kinds={}", kinds.join(",")),
        format!("metric={}", rule.metric.word()),
        condition,
        format!("for={}", rule.for_ms),
        format!("keep_firing_for={}", rule.keep_firing_for_ms),
        format!("severity={}", rule.severity.word()),
        format!("repeat={}", rule.repeat_ms.unwrap_or(0)),
        format!("no_data={no_data}"),
    ];
    let digest = super::hex(&Sha256::digest(said.join("\n")));
    digest.chars().take(VERSION_LEN).collect()
}
