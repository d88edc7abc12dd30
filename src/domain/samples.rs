//! Definitions for tests: one scorecard with one KPI, written without a file; a rule and an alert.

use std::collections::HashMap;
use std::sync::Arc;

use super::alert::{AlertRule, AlertTransition, Condition, Metric, NoData, PathPattern, Severity, TransitionKind};
use super::calendar::Calendar;
use super::catalog::{
    Across, Aggregate, Band, Catalog, KpiDefinition, KpiKind, KpiVersion, Missing, Objective, Perspective, RollUp,
    Scorecard, Scoring, Versioned, Window,
};
use super::id::{KpiId, Sequence, Slug};
use super::instant::{Instant, MINUTE_MS};
use super::score::ScoreCurve;

/// Width of the slices of [`plain_kpi`].
pub const SLICE_MS: i64 = 10 * MINUTE_MS;

/// From the beginning of time.
pub fn always<T>(value: T) -> Vec<Versioned<T>> {
    vec![Versioned {
        from: Instant(i64::MIN),
        value,
    }]
}

/// The sum of three slices, scored like the value: 50 is red, 75 the target.
pub fn plain_kpi() -> KpiDefinition {
    let curve = ScoreCurve::through(vec![(0.0, 0.0), (50.0, 50.0), (75.0, 75.0), (100.0, 100.0)]).unwrap();
    let version = KpiVersion {
        weight: 1.0,
        scoring: Scoring::Curve(curve),
        target: None,
        paused: false,
        expected_every_ms: None,
    };
    KpiDefinition {
        id: KpiId::parse("k").unwrap(),
        objective: 0,
        title: "K".to_owned(),
        unit: String::new(),
        kind: KpiKind::Lagging,
        aggregate: Aggregate::Sum,
        window: Window::Rolling {
            slices: 3,
            slice_ms: SLICE_MS,
        },
        across: Across::Sum,
        missing: Missing::Exclude,
        accept: None,
        scale: None,
        allowed_lateness_ms: 0,
        versions: always(version),
    }
}

/// The scorecard `t` with this KPI at `t/p/o/k`.
pub fn catalog(kpi: KpiDefinition, each: Option<&str>) -> Arc<Catalog> {
    let bands = [("red", 0.0), ("amber", 50.0), ("green", 75.0)].map(|(name, from)| Band {
        name: name.into(),
        from,
    });
    let slug = |text| Slug::parse(text).unwrap();
    let objective = Objective {
        id: slug("o"),
        title: "O".to_owned(),
        perspective: 0,
        weight: always(1.0),
        roll_up: RollUp::Mean,
        drives: Vec::new(),
        include: Vec::new(),
    };
    let perspective = Perspective {
        id: slug("p"),
        title: "P".to_owned(),
        weight: always(1.0),
        roll_up: RollUp::Mean,
    };
    let kpis = HashMap::from([(kpi.id.clone(), (0, 0))]);
    let scorecard = Scorecard {
        id: slug("t"),
        title: "T".to_owned(),
        owner: None,
        calendar: Arc::new(Calendar::utc()),
        each: each.map(str::to_owned),
        roll_up: RollUp::Mean,
        min_coverage: 0.0,
        bands: always(bands.into_iter().collect()),
        perspectives: vec![perspective],
        objectives: vec![objective],
        kpis: vec![kpi],
    };
    Arc::new(Catalog {
        fingerprint: String::new(),
        files: Vec::new(),
        scorecards: vec![scorecard],
        rules: Vec::new(),
        kpis,
    })
}

/// A rule for every node of the first scorecard that fires and resolves at once.
pub fn alert_rule(id: &str, metric: Metric, condition: Condition) -> AlertRule {
    AlertRule {
        id: Slug::parse(id).unwrap(),
        version: String::new(),
        scorecard: 0,
        title: String::new(),
        on: PathPattern::parse("**").unwrap(),
        kinds: Vec::new(),
        metric,
        condition,
        for_ms: 0,
        keep_firing_for_ms: 0,
        severity: Severity::Warning,
        repeat_ms: None,
        no_data: NoData::Keep,
    }
}

/// A transition with an id of its own.
pub fn transition(id: &str) -> AlertTransition {
    AlertTransition {
        id: id.to_owned(),
        rule: Slug::parse("csat-low").unwrap(),
        rule_version: "0123456789ab".to_owned(),
        path: "it/customer".into(),
        kind: TransitionKind::Firing,
        at: Instant(1_000),
        since: Instant(900),
        detected_at: Instant(1_001),
        sequence: Sequence(17),
        title: "Customer".to_owned(),
        owner: None,
        severity: Severity::Critical,
        value: None,
        unit: String::new(),
        target: None,
        score: Some(12.5),
        status: Some("red".into()),
        status_before: None,
        coverage: Some(1.0),
        contributors: vec![],
    }
}
