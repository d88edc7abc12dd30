//! Every field of the contract arrives in the rules' own types.

use super::*;
use crate::domain::alert::{AlertRule, Condition, Metric, NoData, Severity};
use crate::domain::calendar::{Period, WeekPattern};
use crate::domain::catalog::{
    Across, Aggregate, Include, KpiDefinition, KpiKind, Missing, NodeKind, NodePlace, RollUp, Scorecard, Scoring,
    Target, Window,
};
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};

fn contract() -> Catalog {
    read(&[
        (
            "it.toml",
            include_str!("../../../../tests/it/catalogs/contract/it.toml"),
        ),
        (
            "servicedesk.toml",
            include_str!("../../../../tests/it/catalogs/contract/servicedesk.toml"),
        ),
        (
            "branches.toml",
            include_str!("../../../../tests/it/catalogs/contract/branches.toml"),
        ),
    ])
}

fn it(catalog: &Catalog) -> &Scorecard {
    catalog.scorecard("it").unwrap()
}

fn kpi<'a>(catalog: &'a Catalog, id: &str) -> &'a KpiDefinition {
    catalog.kpi(&KpiId::parse(id).unwrap()).unwrap().1
}

fn rule<'a>(catalog: &'a Catalog, id: &str) -> &'a AlertRule {
    catalog.rules.iter().find(|rule| rule.id.as_str() == id).unwrap()
}

fn at(text: &str) -> Instant {
    Instant::parse(text).unwrap()
}

#[test]
fn the_scorecard_arrives() {
    let catalog = contract();
    let it = it(&catalog);
    assert_eq!(it.title, "IT operations");
    assert_eq!(it.owner.as_deref(), Some("cio@example.com"));
    assert_eq!(it.each.as_deref(), Some("site"));
    assert_eq!(it.roll_up, RollUp::Worst);
    assert_eq!(it.min_coverage, 0.5);
    assert_eq!(it.calendar.zone(), "Europe/Berlin");
    let day = it.calendar.day_of(at("2026-05-13T10:00:00Z"));
    let (week, _) = it.calendar.period_of(Period::Week, None, day);
    assert_eq!(
        it.calendar.day_start(week),
        at("2026-05-09T22:00:00Z"),
        "weeks start on Sunday"
    );
    let (year, _) = it.calendar.period_of(Period::Year, None, day);
    assert_eq!(
        it.calendar.day_start(year),
        at("2026-03-31T22:00:00Z"),
        "years start in April"
    );
    let bands: Vec<_> = it.bands.iter().map(|bands| (bands.from, bands.value.len())).collect();
    assert_eq!(bands, [(Instant(i64::MIN), 3), (at("2026-06-30T22:00:00Z"), 2)]);
    assert_eq!(
        (&*it.bands[0].value[1].name, it.bands[0].value[1].from),
        ("amber", 40.0)
    );
}

#[test]
fn defaults_are_those_of_the_contract() {
    let catalog = contract();
    let desk = catalog.scorecard("servicedesk").unwrap();
    assert_eq!((desk.title.as_str(), desk.calendar.zone()), ("servicedesk", "UTC"));
    assert_eq!(
        (desk.roll_up, desk.min_coverage, desk.owner.is_none()),
        (RollUp::Mean, 0.0, true)
    );
    let bands: Vec<_> = desk.bands[0]
        .value
        .iter()
        .map(|band| (&*band.name, band.from))
        .collect();
    assert_eq!(bands, [("red", 0.0), ("amber", 50.0), ("green", 75.0)]);
    let calls = kpi(&catalog, "desk.calls");
    let version = &calls.versions[0].value;
    assert_eq!(
        (calls.title.as_str(), calls.unit.as_str(), calls.kind),
        ("desk.calls", "", KpiKind::Lagging)
    );
    assert_eq!(
        (calls.missing, calls.across, calls.accept),
        (Missing::Exclude, Across::Sum, None)
    );
    assert_eq!(
        (version.weight, version.paused, version.expected_every_ms),
        (1.0, false, None)
    );
    assert_eq!((&version.scoring, version.target), (&Scoring::None, None));
    let red = rule(&catalog, "old");
    assert_eq!(
        (red.severity, red.no_data, red.for_ms, red.repeat_ms),
        (Severity::Warning, NoData::Keep, 0, None)
    );
    assert_eq!(red.title, "old");
}

#[test]
fn perspectives_and_objectives_arrive() {
    let catalog = contract();
    let it = it(&catalog);
    let customer = &it.perspectives[0];
    assert_eq!(
        (customer.title.as_str(), customer.roll_up),
        ("Customer", RollUp::Geometric)
    );
    let weights: Vec<_> = customer
        .weight
        .iter()
        .map(|weight| (weight.from, weight.value))
        .collect();
    assert_eq!(weights, [(Instant(i64::MIN), 3.0), (at("2026-07-11T22:00:00Z"), 4.0)]);
    let satisfied = &it.objectives[0];
    assert_eq!(
        (satisfied.title.as_str(), satisfied.perspective, satisfied.roll_up),
        ("Satisfied users", 0, RollUp::Best)
    );
    assert_eq!(
        satisfied.weight.iter().map(|weight| weight.value).collect::<Vec<_>>(),
        [2.0, 0.0]
    );
    assert_eq!(satisfied.drives, [1], "an objective further down in the file");
    let desk = catalog
        .scorecards
        .iter()
        .position(|scorecard| scorecard.id.as_str() == "servicedesk")
        .unwrap();
    let branches = catalog
        .scorecards
        .iter()
        .position(|scorecard| scorecard.id.as_str() == "branches")
        .unwrap();
    let expected = [
        Include {
            path: "servicedesk/customer".to_owned(),
            scorecard: desk,
            instance: None,
            node: NodePlace::Perspective(0),
            weight: 1.5,
        },
        Include {
            path: "branches@berlin/customer/calls/sd.calls".to_owned(),
            scorecard: branches,
            instance: Some(InstanceId::parse("berlin").unwrap()),
            node: NodePlace::Kpi(0),
            weight: 1.0,
        },
    ];
    assert_eq!(satisfied.include, expected);
}

#[test]
fn a_kpi_arrives() {
    let catalog = contract();
    let csat = kpi(&catalog, "it.csat");
    assert_eq!(
        (csat.title.as_str(), csat.unit.as_str(), csat.objective),
        ("Ticket satisfaction", "%", 0)
    );
    assert_eq!(csat.kind, KpiKind::Leading);
    assert_eq!(csat.aggregate, Aggregate::Ratio { scale_by: 100.0 });
    assert_eq!(
        csat.window,
        Window::Rolling {
            slices: 28,
            slice_ms: DAY_MS
        }
    );
    assert_eq!(csat.missing, Missing::Hold(7 * DAY_MS));
    assert_eq!(csat.accept, Some((0.0, 100.0)));
    let first = &csat.versions[0].value;
    assert_eq!(
        (first.weight, first.paused, first.expected_every_ms),
        (1.0, false, Some(DAY_MS))
    );
    assert_eq!(first.target, Some(Target::Value(90.0)));
    let Scoring::Curve(curve) = &first.scoring else {
        panic!("{first:?}")
    };
    assert_eq!(
        curve.points(),
        [(45.0, 0.0), (75.0, 50.0), (90.0, 75.0), (105.0, 100.0)]
    );
}

#[test]
fn every_change_starts_from_the_version_before_it() {
    let catalog = contract();
    let versions = &kpi(&catalog, "it.csat").versions;
    let from: Vec<String> = versions
        .iter()
        .skip(1)
        .map(|version| version.from.to_string())
        .collect();
    assert_eq!(
        from,
        [
            "2026-07-11T22:00:00Z",
            "2026-07-31T22:00:00Z",
            "2026-08-31T22:00:00Z",
            "2026-09-30T22:00:00Z"
        ]
    );
    let points = |index: usize| match &versions[index].value.scoring {
        Scoring::Curve(curve) => curve.points().to_vec(),
        other => panic!("{other:?}"),
    };
    let july = &versions[1].value;
    assert_eq!(
        (july.weight, july.target, july.paused),
        (7.0, Some(Target::Value(92.0)), false)
    );
    assert_eq!(
        points(1),
        [(41.0, 0.0), (75.0, 50.0), (92.0, 75.0), (109.0, 100.0)],
        "red is kept"
    );
    let august = &versions[2].value;
    assert_eq!(
        (august.weight, august.paused, august.expected_every_ms),
        (7.0, true, Some(2 * DAY_MS))
    );
    assert_eq!(points(2), points(1));
    assert_eq!(points(3), [(0.0, 0.0), (50.0, 75.0), (100.0, 100.0)]);
    assert_eq!(versions[3].value.target, None, "a curve replaces the points");
    assert_eq!(
        points(4),
        [(10.0, 0.0), (50.0, 50.0), (80.0, 75.0), (90.0, 100.0)],
        "points replace the curve"
    );
    assert!(versions[4].value.paused);
}

#[test]
fn windows_and_aggregates_arrive() {
    let catalog = contract();
    let budget = kpi(&catalog, "it.budget");
    let months = Window::Period {
        period: Period::Month,
        complete: true,
        weeks: Some(WeekPattern::P445),
    };
    assert_eq!(
        (budget.window, &budget.aggregate, budget.across),
        (months, &Aggregate::Last, Across::Mean)
    );
    assert_eq!(
        (budget.missing, budget.allowed_lateness_ms),
        (Missing::Zero, 10 * DAY_MS)
    );
    let version = &budget.versions[0].value;
    assert_eq!(version.target, Some(Target::Range(-5.0, 5.0)));
    let Scoring::Curve(curve) = &version.scoring else {
        panic!("{version:?}")
    };
    assert_eq!(
        [-10.0, -5.0, 1.0, 5.0, 10.0].map(|value| curve.score(value)),
        [50.0, 75.0, 100.0, 75.0, 50.0]
    );
    let mood = kpi(&catalog, "it.mood");
    assert_eq!(
        (mood.window, &mood.aggregate),
        (Window::All, &Aggregate::Percentile(99.9))
    );
    let words: Vec<_> = mood
        .scale
        .iter()
        .flatten()
        .map(|(word, score)| (&**word, *score))
        .collect();
    assert_eq!(
        words,
        [("great", 100.0), ("good", 75.0), ("bad", 0.0)],
        "in the order of the file"
    );
    assert_eq!(mood.versions[0].value.scoring, Scoring::Scale);
    let tickets = kpi(&catalog, "it.tickets");
    assert_eq!(tickets.aggregate, Aggregate::Rate { per_ms: DAY_MS });
    assert_eq!(
        tickets.window,
        Window::Rolling {
            slices: 56,
            slice_ms: 6 * HOUR_MS
        }
    );
    let users = kpi(&catalog, "it.users");
    assert_eq!(users.aggregate, Aggregate::Distinct { key: "user".into() });
    assert_eq!(
        users.window,
        Window::Rolling {
            slices: 180,
            slice_ms: 500
        }
    );
}

#[test]
fn the_default_slice_is_the_widest_that_gives_a_days_worth_of_steps() {
    for (length, slice) in [
        ("90d", DAY_MS),
        ("24d", DAY_MS),
        ("23d", 6 * HOUR_MS),
        ("25h", HOUR_MS),
        ("6h", 15 * MINUTE_MS),
        ("2h", 5 * MINUTE_MS),
        ("90m", MINUTE_MS),
        ("1m", MINUTE_MS),
        ("1450m", 5 * MINUTE_MS),
    ] {
        let text = include_str!("../../../../tests/it/catalogs/contract/servicedesk.toml");
        let text = text.replace("rolling = \"1d\"", &format!("rolling = \"{length}\""));
        let catalog = read(&[("servicedesk.toml", &text)]);
        let Window::Rolling { slice_ms, .. } = kpi(&catalog, "desk.calls").window else {
            panic!("{length}")
        };
        assert_eq!(slice_ms, slice, "{length}");
    }
}

#[test]
fn every_plain_aggregate_has_its_name() {
    let names = [
        "count",
        "sum",
        "mean",
        "min",
        "max",
        "first",
        "last",
        "weighted_mean",
        "stddev",
        "delta",
        "p0",
        "p100",
    ];
    let debug = [
        "Count",
        "Sum",
        "Mean",
        "Min",
        "Max",
        "First",
        "Last",
        "WeightedMean",
        "Stddev",
        "Delta",
        "Percentile(0.0)",
        "Percentile(100.0)",
    ];
    for (name, debug) in names.into_iter().zip(debug) {
        let text = include_str!("../../../../tests/it/catalogs/contract/servicedesk.toml");
        let text = text.replace("\"count\"", &format!("\"{name}\""));
        let catalog = read(&[("servicedesk.toml", &text)]);
        assert_eq!(format!("{:?}", kpi(&catalog, "desk.calls").aggregate), debug);
    }
}

#[test]
fn alert_rules_arrive() {
    let catalog = contract();
    let ids: Vec<&str> = catalog.rules.iter().map(|rule| rule.id.as_str()).collect();
    assert_eq!(ids, ["csat-low", "old", "red"]);
    let low = rule(&catalog, "csat-low");
    assert_eq!((low.title.as_str(), low.on.as_str()), ("Users are unhappy", "it@*/**"));
    assert_eq!(catalog.scorecards[low.scorecard].id.as_str(), "it");
    assert_eq!(low.kinds, [NodeKind::Kpi, NodeKind::Objective]);
    assert_eq!(
        (low.metric, low.severity, low.no_data),
        (Metric::Coverage, Severity::Critical, NoData::Fire)
    );
    let condition = Condition::Below {
        threshold: 0.5,
        clear: 0.75,
    };
    assert_eq!(low.condition, condition);
    assert_eq!((low.for_ms, low.keep_firing_for_ms), (10 * MINUTE_MS, 5 * MINUTE_MS));
    assert_eq!(low.repeat_ms, Some(24 * HOUR_MS));
    let old = rule(&catalog, "old");
    let condition = Condition::Above {
        threshold: 3600.0,
        clear: 3600.0,
    };
    assert_eq!((old.metric, &old.condition), (Metric::Age, &condition));
    assert_eq!(old.kinds, [NodeKind::Kpi], "nothing above a KPI has an age");
    let red = rule(&catalog, "red");
    let condition = Condition::AtWorst { band: "fine".into() };
    assert_eq!(
        (red.metric, &red.condition, red.no_data),
        (Metric::Status, &condition, NoData::Resolve)
    );
}

#[test]
fn a_rules_version_follows_what_it_says_and_not_how() {
    let text = include_str!("../../../../tests/it/catalogs/contract/it.toml");
    let version = |text: &str| {
        let rest = ["servicedesk.toml", "branches.toml"];
        let desk = include_str!("../../../../tests/it/catalogs/contract/servicedesk.toml");
        let branches = include_str!("../../../../tests/it/catalogs/contract/branches.toml");
        let catalog = read(&[("it.toml", text), (rest[0], desk), (rest[1], branches)]);
        rule(&catalog, "csat-low").version.clone()
    };
    let now = version(text);
    assert_eq!(now.len(), 12);
    assert!(now.bytes().all(|byte| byte.is_ascii_hexdigit()));
    assert_eq!(version(&text.replace("for = \"10m\"", "# why\nfor = \"600s\"")), now);
    assert_ne!(version(&text.replace("below = 0.5", "below = 0.6")), now);
    assert_ne!(version(&text.replace("no_data = \"fire\"", "no_data = \"keep\"")), now);
}

#[test]
fn objectives_and_perspectives_may_wait_for_what_belongs_under_them() {
    let text = "[scorecard]\nid = \"it\"\n[[perspective]]\nid = \"learning\"\n[[perspective]]\nid = \"customer\"\n\
        [[objective]]\nid = \"loyal\"\nperspective = \"customer\"\n";
    let catalog = read(&[("it.toml", text)]);
    assert_eq!((it(&catalog).perspectives.len(), it(&catalog).objectives.len()), (2, 1));
}
