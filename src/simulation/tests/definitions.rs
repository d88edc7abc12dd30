//! A catalog of every kind of KPI, and what it takes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::domain::calendar::{Calendar, Period};
use crate::domain::catalog::*;
use crate::domain::id::{KpiId, Slug};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant};
use crate::domain::measurement::{Report, ReportValue};
use crate::domain::score::ScoreCurve;

fn always<T>(value: T) -> Vec<Versioned<T>> {
    let from = Instant(i64::MIN);
    vec![Versioned { from, value }]
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

/// A KPI that counts four weeks and is expected daily.
fn kpi(id: &str, aggregate: Aggregate, scoring: Scoring, accept: Option<(f64, f64)>) -> KpiDefinition {
    let version = KpiVersion {
        weight: 1.0,
        scoring,
        target: None,
        paused: false,
        expected_every_ms: Some(DAY_MS),
    };
    KpiDefinition {
        id: KpiId::parse(id).unwrap(),
        objective: 0,
        title: id.to_owned(),
        unit: "%".to_owned(),
        kind: KpiKind::Lagging,
        aggregate,
        window: Window::Rolling {
            slices: 28,
            slice_ms: DAY_MS,
        },
        across: Across::Sum,
        missing: Missing::Exclude,
        accept,
        scale: None,
        allowed_lateness_ms: 0,
        versions: always(version),
    }
}

fn every(mut kpi: KpiDefinition, expected_every_ms: i64, window: Window) -> KpiDefinition {
    kpi.versions[0].value.expected_every_ms = Some(expected_every_ms);
    kpi.window = window;
    kpi
}

pub fn up(red: f64, target: f64) -> Scoring {
    Scoring::Curve(ScoreCurve::between(Direction::Up, red, target, (None, None)).unwrap())
}

fn down(red: f64, target: f64) -> Scoring {
    Scoring::Curve(ScoreCurve::between(Direction::Down, red, target, (None, None)).unwrap())
}

fn kpis(card: &str) -> Vec<KpiDefinition> {
    let range = Scoring::Curve(ScoreCurve::around((-10.0, 10.0), (-5.0, 5.0), None).unwrap());
    let percent = Aggregate::Ratio { scale_by: 100.0 };
    let month = Window::Period {
        period: Period::Month,
        complete: false,
        weeks: None,
    };
    let mut health = kpi("health", Aggregate::Last, Scoring::Scale, None);
    health.scale = Some(
        [("bad", 0.0), ("ok", 40.0), ("good", 75.0), ("great", 100.0)]
            .map(|(word, score)| (word.into(), score))
            .to_vec(),
    );
    let things = Aggregate::Distinct { key: "customer".into() };
    let kpis = vec![
        kpi("csat", percent.clone(), up(75.0, 90.0), Some((0.0, 100.0))),
        every(
            kpi("availability", percent.clone(), up(99.5, 99.9), Some((0.0, 100.0))),
            HOUR_MS,
            Window::Rolling {
                slices: 672,
                slice_ms: HOUR_MS,
            },
        ),
        kpi("nps", percent.clone(), up(-10.0, 30.0), Some((-100.0, 100.0))),
        kpi("budget", percent, range, Some((-100.0, 200.0))),
        kpi("cost", Aggregate::Ratio { scale_by: 1.0 }, down(25.0, 15.0), None),
        kpi(
            "mttr",
            Aggregate::Percentile(90.0),
            down(72.0, 24.0),
            Some((0.0, 10_000.0)),
        ),
        kpi("mentions", Aggregate::Sum, up(2_000.0, 4_000.0), Some((0.0, 1e7))),
        every(kpi("leads", Aggregate::Sum, up(200.0, 300.0), None), 7 * DAY_MS, month),
        kpi("orders", Aggregate::Count, up(100.0, 300.0), None),
        kpi("rate", Aggregate::Rate { per_ms: DAY_MS }, up(2.0, 4.0), None),
        kpi("customers", things, up(100.0, 150.0), None),
        kpi("stock", Aggregate::Last, up(400_000.0, 500_000.0), Some((0.0, 1e8))),
        kpi("first", Aggregate::First, up(1.0, 2.0), None),
        kpi("mean", Aggregate::Mean, up(3.5, 4.5), Some((1.0, 5.0))),
        kpi("weighted", Aggregate::WeightedMean, up(3.5, 4.5), Some((1.0, 5.0))),
        kpi("spread", Aggregate::Stddev, down(4.0, 2.0), None),
        kpi("lowest", Aggregate::Min, up(10.0, 20.0), None),
        kpi("highest", Aggregate::Max, down(20.0, 10.0), None),
        kpi("growth", Aggregate::Delta, up(10.0, 20.0), None),
        every(
            kpi("slow", Aggregate::Mean, up(10.0, 20.0), None),
            35 * DAY_MS,
            Window::All,
        ),
        kpi("untargeted", Aggregate::Mean, Scoring::None, None),
        health,
    ];
    let named = |mut kpi: KpiDefinition| {
        kpi.id = KpiId::parse(&format!("{card}.{}", kpi.id)).unwrap();
        kpi
    };
    kpis.into_iter().map(named).collect()
}

fn scorecard(id: &str, each: Option<&str>) -> Scorecard {
    let perspective = Perspective {
        id: slug("process"),
        title: String::new(),
        weight: always(1.0),
        roll_up: RollUp::Mean,
    };
    let objective = Objective {
        id: slug("all"),
        title: String::new(),
        perspective: 0,
        weight: always(1.0),
        roll_up: RollUp::Mean,
        drives: vec![],
        include: vec![],
    };
    Scorecard {
        id: slug(id),
        title: id.to_owned(),
        owner: None,
        calendar: Arc::new(Calendar::utc()),
        each: each.map(str::to_owned),
        roll_up: RollUp::Mean,
        min_coverage: 0.0,
        bands: always(Arc::from([Band {
            name: "red".into(),
            from: 0.0,
        }])),
        perspectives: vec![perspective],
        objectives: vec![objective],
        kpis: kpis(id),
    }
}

pub fn catalog() -> Catalog {
    let scorecards = vec![scorecard("it", None), scorecard("training", Some("site"))];
    let kpis = scorecards.iter().enumerate().flat_map(|(card, scorecard)| {
        let kpis = scorecard.kpis.iter().enumerate();
        kpis.map(move |(index, kpi)| (kpi.id.clone(), (card, index)))
    });
    Catalog {
        fingerprint: String::new(),
        files: vec![],
        rules: vec![],
        kpis: kpis.collect::<HashMap<_, _>>(),
        scorecards,
    }
}

/// What a door would refuse: the wrong kind of value, or an implausible one.
pub fn assert_admissible(report: &Report, catalog: &Catalog) {
    let id = KpiId::parse(report.kpi.as_deref().unwrap()).unwrap();
    let (card, kpi) = catalog.kpi(&id).unwrap();
    let label = |name: &str| report.labels.iter().any(|(label, _)| &**label == name);
    assert!(card.each.as_deref().is_none_or(label), "{report:?}");
    let (value, number) = match (&report.value, report.numerator, report.denominator) {
        (None, Some(numerator), Some(denominator)) => {
            let Aggregate::Ratio { scale_by } = kpi.aggregate else {
                panic!("{report:?}")
            };
            assert!(denominator > 0.0);
            (scale_by * numerator / denominator, None)
        }
        (Some(ReportValue::Number(value)), None, None) => (*value, Some(*value)),
        (Some(ReportValue::Word(word)), None, None) => {
            assert!(
                kpi.scale
                    .as_ref()
                    .unwrap()
                    .iter()
                    .any(|(known, _)| known == &Arc::from(&**word))
            );
            return;
        }
        _ => panic!("{report:?}"),
    };
    assert!(value.is_finite());
    assert_eq!(
        number.is_none(),
        matches!(kpi.aggregate, Aggregate::Ratio { .. }),
        "{report:?}"
    );
    assert_eq!(
        report.weight.is_some(),
        kpi.aggregate == Aggregate::WeightedMean,
        "{report:?}"
    );
    if let Some((low, high)) = kpi.accept {
        assert!((low..=high).contains(&value), "{value} in {report:?}");
    }
    if let Aggregate::Distinct { key } = &kpi.aggregate {
        assert!(label(key), "{report:?}");
    }
}
