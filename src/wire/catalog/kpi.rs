//! `[[kpi]]`: one indicator.
//!
//! Its table enters, a [`KpiDefinition`] leaves, whose place in the tree is resolved within its file.

use super::changes;
use super::fields::Fields;
use super::scoring::{self, Points};
use super::tree::Roster;
use super::window;
use crate::domain::calendar::Calendar;
use crate::domain::catalog::{Aggregate, KpiDefinition, KpiKind, KpiVersion, Versioned, Window};
use crate::domain::id::KpiId;

/// A definition and where its id stands.
pub(super) struct KpiDraft {
    /// With problems in it, a definition of no use but for finding more of them.
    pub definition: KpiDefinition,
    /// Byte offset.
    pub id_at: usize,
}

/// One version as it is merged: what holds, and the points as written.
#[derive(Clone)]
struct Draft {
    version: KpiVersion,
    points: Points,
}

/// Reads a KPI. `None` when it has no usable id or objective; its other problems are found nevertheless.
pub(super) fn read(kpi: Fields<'_>, objectives: &Roster, calendar: &Calendar) -> Option<KpiDraft> {
    let id = kpi.id(KpiId::parse);
    let objective = objectives.resolve(&kpi, "objective");
    let title = kpi.words("title");
    let unit = kpi.text("unit").map(|unit| unit.value.to_owned());
    let kind = read_kind(&kpi);
    let aggregate = window::read_aggregate(&kpi);
    let window = window::read(&kpi);
    check_rate(&kpi, aggregate.as_ref(), window);
    let scale = scoring::read_scale(&kpi, aggregate.as_ref());
    let across = window::read_across(&kpi, aggregate.as_ref());
    let missing = window::read_missing(&kpi);
    let accept = read_accept(&kpi);
    let allowed_lateness_ms = read_lateness(&kpi, window);
    let versions = read_versions(&kpi, calendar, scale.is_some());
    kpi.finish();
    let id = id?;
    let definition = KpiDefinition {
        objective: objective?,
        title: title.unwrap_or_else(|| id.value.to_string()),
        id: id.value,
        unit: unit.unwrap_or_default(),
        kind,
        aggregate: aggregate.unwrap_or(Aggregate::Last),
        window: window.unwrap_or(Window::All),
        across,
        missing,
        accept,
        scale,
        allowed_lateness_ms,
        versions,
    };
    Some(KpiDraft {
        definition,
        id_at: id.at,
    })
}

fn read_kind(kpi: &Fields<'_>) -> KpiKind {
    let kinds = [("leading", KpiKind::Leading), ("lagging", KpiKind::Lagging)];
    kpi.choice("kind", &kinds).map_or(KpiKind::Lagging, |kind| kind.value)
}

fn check_rate(kpi: &Fields<'_>, aggregate: Option<&Aggregate>, window: Option<Window>) {
    if matches!(aggregate, Some(Aggregate::Rate { .. })) && window == Some(Window::All) {
        let what = "a rate over everything has no length to divide by";
        kpi.refuse(
            kpi.place("window").unwrap_or(kpi.at),
            what,
            "write a rolling or a period window",
        );
    }
}

fn read_accept(kpi: &Fields<'_>) -> Option<(f64, f64)> {
    let accept = kpi.pair("accept")?;
    let (low, high) = accept.value;
    if low >= high {
        let what = format!("accept [{low}, {high}] does not increase");
        kpi.refuse(
            accept.at,
            &what,
            "write the lowest plausible value first, then the highest",
        );
    }
    Some(accept.value)
}

fn read_lateness(kpi: &Fields<'_>, window: Option<Window>) -> i64 {
    if matches!(window, Some(Window::Rolling { .. } | Window::All)) {
        kpi.refuse_key(
            "allowed_lateness",
            "belongs to a period window, whose readings become final",
            "remove it",
        );
    }
    kpi.duration_or_zero("allowed_lateness")
        .map_or(0, |length| length.value)
}

fn read_versions(kpi: &Fields<'_>, calendar: &Calendar, has_scale: bool) -> Vec<Versioned<KpiVersion>> {
    let points = Points::read_first(kpi, has_scale);
    let first = Draft {
        version: KpiVersion {
            weight: changes::weight(kpi).unwrap_or(1.0),
            scoring: points.scoring(kpi),
            target: points.target(),
            paused: kpi.flag("paused").is_some_and(|paused| paused.value),
            expected_every_ms: kpi.duration("expected_every").map(|length| length.value),
        },
        points,
    };
    let versions = changes::read(kpi, calendar, first, read_change);
    let versions = versions.into_iter().map(|Versioned { from, value }| Versioned {
        from,
        value: value.version,
    });
    versions.collect()
}

fn read_change(change: &Fields<'_>, before: &Draft) -> Draft {
    let said = Points::read(change);
    let silent = said.is_silent();
    let points = before.points.then(said);
    let expected = change.duration("expected_every").map(|length| length.value);
    let paused = change.flag("paused").map(|paused| paused.value);
    let scoring = if silent {
        before.version.scoring.clone()
    } else {
        points.scoring(change)
    };
    Draft {
        version: KpiVersion {
            weight: changes::weight(change).unwrap_or(before.version.weight),
            scoring,
            target: points.target(),
            paused: paused.unwrap_or(before.version.paused),
            expected_every_ms: expected.or(before.version.expected_every_ms),
        },
        points,
    }
}
