//! When rules are looked at. A KPI whose value is the sum of one slice, measured once a step, scored like its value.

use super::*;
use crate::domain::alert::PathPattern;
use crate::domain::catalog::{Band, Catalog, KpiDefinition, Versioned, Window};
use crate::domain::fact::Block;
use crate::domain::id::{KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;
use crate::domain::projection::{ClockKind, ProjectionOptions, Refold};
use crate::domain::samples::{SLICE_MS, alert_rule, catalog, plain_kpi};

const OPTIONS: ProjectionOptions = ProjectionOptions {
    clock: ClockKind::Event { every_ms: SLICE_MS },
    history_ms: None,
    with_readings: true,
};

fn rule(metric: Metric, condition: Condition) -> AlertRule {
    AlertRule {
        on: PathPattern::parse("t/p/o/k").unwrap(),
        ..alert_rule("rule", metric, condition)
    }
}

fn at_worst_amber() -> AlertRule {
    rule(Metric::Status, Condition::AtWorst { band: "amber".into() })
}

fn with(rules: Vec<AlertRule>) -> Catalog {
    let kpi = KpiDefinition {
        window: Window::Rolling {
            slices: 1,
            slice_ms: SLICE_MS,
        },
        ..plain_kpi()
    };
    let mut catalog = Arc::into_inner(catalog(kpi, None)).unwrap();
    catalog.rules = rules;
    catalog
}

/// Takes a value for each slice from `first` on; what is read of a slice is told by the value after it.
fn measure(projection: &mut Projection, first: i64, values: &[f64], effects: &mut Effects) {
    for (slice, value) in (first..).zip(values) {
        let known = projection.series_count() as u32;
        let mut block = Block {
            first: projection.sequence().plus(1),
            series_base: known,
            ..Block::default()
        };
        block.new_series.extend((known == 0).then(|| SeriesKey {
            kpi: KpiId::parse("k").unwrap(),
            source: "s".into(),
            each: None,
        }));
        let at = slice * SLICE_MS + 1;
        block.measurements.extend_numbers(&[0], &[at], Instant(at), &[*value]);
        projection.apply(&block, effects);
    }
}

/// The step at which each transition happened.
fn steps(effects: &Effects) -> Vec<(i64, TransitionKind)> {
    let transitions = effects.transitions.iter();
    transitions.map(|one| (one.at.0 / SLICE_MS, one.kind)).collect()
}

#[test]
fn a_rule_on_a_number_is_looked_at_while_the_status_stays() {
    let above = Condition::Above {
        threshold: 80.0,
        clear: 80.0,
    };
    let mut projection = Projection::new(Arc::new(with(vec![rule(Metric::Value, above)])), OPTIONS);
    let mut effects = Effects::default();
    measure(&mut projection, 0, &[76.0, 85.0, 86.0, 78.0, 90.0, 77.0], &mut effects);
    let (firing, resolved) = (TransitionKind::Firing, TransitionKind::Resolved);
    assert_eq!(steps(&effects), [(2, firing), (4, resolved), (5, firing)]);
}

#[test]
fn a_rule_on_a_status_is_looked_at_when_it_changes() {
    let everywhere = alert_rule("rule", Metric::Status, Condition::AtWorst { band: "amber".into() });
    let mut projection = Projection::new(Arc::new(with(vec![everywhere])), OPTIONS);
    let mut effects = Effects::default();
    measure(&mut projection, 0, &[90.0, 90.0, 60.0, 90.0, 90.0], &mut effects);
    let (firing, resolved) = ((3, TransitionKind::Firing), (4, TransitionKind::Resolved));
    assert_eq!(
        steps(&effects),
        [[firing; 4], [resolved; 4]].concat(),
        "KPI, objective, perspective and scorecard"
    );
}

#[test]
fn a_status_that_means_something_else_from_a_day_on_is_looked_at_again() {
    let mut definitions = with(vec![at_worst_amber()]);
    let bands = |bands: &[(&str, f64)]| {
        let bands = bands.iter().map(|(name, from)| Band {
            name: (*name).into(),
            from: *from,
        });
        bands.collect()
    };
    // The third band is green first, and amber from the middle of the fourth slice on.
    definitions.scorecards[0].bands[0].value = bands(&[("red", 0.0), ("amber", 20.0), ("green", 40.0)]);
    definitions.scorecards[0].bands.push(Versioned {
        from: Instant(3 * SLICE_MS + SLICE_MS / 2),
        value: bands(&[("red", 0.0), ("orange", 10.0), ("amber", 30.0), ("green", 90.0)]),
    });
    let mut projection = Projection::new(Arc::new(definitions), OPTIONS);
    let mut effects = Effects::default();
    measure(&mut projection, 0, &[50.0; 7], &mut effects);
    assert_eq!(steps(&effects), [(4, TransitionKind::Firing)]);
}

#[test]
fn a_new_rule_is_looked_at_under_the_status_that_is_there() {
    let (before, mut after) = (Arc::new(with(Vec::new())), with(vec![at_worst_amber()]));
    after.fingerprint = "other".to_owned();
    let mut projection = Projection::new(Arc::clone(&before), OPTIONS);
    let mut effects = Effects::default();
    measure(&mut projection, 0, &[60.0; 4], &mut effects);
    assert_eq!(steps(&effects), []);
    let refold = Refold::new(&before, Arc::new(after), OPTIONS);
    let next: Sequence = projection.sequence().plus(1);
    projection.succeed(refold, (next, Instant(3 * SLICE_MS + 2)), &mut effects);
    measure(&mut projection, 4, &[60.0; 3], &mut effects);
    assert!(
        matches!(steps(&effects)[..], [(3..=5, TransitionKind::Firing)]),
        "{:?}",
        steps(&effects)
    );
}
