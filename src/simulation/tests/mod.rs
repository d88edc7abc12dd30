//! The play as a whole, on a catalog of every kind of KPI.

mod definitions;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;
use std::time::Duration;

use super::*;
use crate::domain::catalog::{CatalogFile, Scoring};
use crate::domain::instant::{DAY_MS, HOUR_MS};
use crate::domain::measurement::ReportValue;
use crate::wire::catalog::{DEFAULT_SCORECARDS, parse};
use definitions::{assert_admissible, catalog, up};

const DAYS: i64 = 84;

fn start() -> Instant {
    Instant::parse("2026-03-02T00:00:00Z").unwrap()
}

fn played(seed: u64) -> Vec<Emission> {
    let end = start().plus_ms(DAYS * DAY_MS);
    Simulation::new(&catalog(), seed).history(start(), end).collect()
}

/// The play of seed 1, which many stories look at.
static PLAYED: LazyLock<Vec<Emission>> = LazyLock::new(|| played(1));

fn reports_of<'a>(emissions: &'a [Emission], id: &'a str) -> impl Iterator<Item = &'a Report> {
    emissions
        .iter()
        .map(|emission| &emission.report)
        .filter(move |report| report.kpi.as_deref() == Some(id))
}

fn number(report: &Report) -> f64 {
    match report.value {
        Some(ReportValue::Number(value)) => value,
        _ => panic!("{report:?}"),
    }
}

fn sum(reports: impl Iterator<Item = f64>) -> f64 {
    reports.sum()
}

#[test]
fn the_same_seed_plays_the_same_and_another_another() {
    assert!(*PLAYED == played(1));
    assert!(*PLAYED != played(2));
}

#[test]
fn every_kpi_of_every_instance_reports_what_its_definition_takes() {
    let catalog = catalog();
    let emissions = PLAYED.as_slice();
    let mut heard = BTreeSet::new();
    for Emission { report, .. } in emissions {
        assert_admissible(report, &catalog);
        let site = report
            .labels
            .iter()
            .find(|(name, _)| &**name == "site")
            .map(|(_, site)| site.clone());
        heard.insert((report.kpi.clone(), site));
    }
    let all = catalog
        .scorecards
        .iter()
        .map(|card| card.kpis.len() * if card.each.is_some() { 3 } else { 1 });
    assert_eq!(heard.len(), all.sum::<usize>());
}

#[test]
fn reports_come_in_the_order_of_arrival_and_some_come_late() {
    let emissions = PLAYED.as_slice();
    let (from, to) = (start(), start().plus_ms(DAYS * DAY_MS));
    assert!(emissions.is_sorted_by_key(|emission| emission.received_at));
    let observed = |emission: &Emission| emission.report.observed_at.unwrap_or(emission.received_at);
    for emission in emissions {
        assert!(observed(emission) >= from && observed(emission) <= emission.received_at && emission.received_at < to);
    }
    let late = emissions
        .iter()
        .filter(|emission| emission.received_at.since(observed(emission)) > HOUR_MS)
        .count();
    let share = late as f64 / emissions.len() as f64;
    assert!((0.02..0.06).contains(&share), "{share} of the reports are late");
}

#[test]
fn weekends_are_quiet() {
    let emissions = PLAYED.as_slice();
    let mut by_weekday = [0_u32; 7];
    for report in reports_of(emissions, "it.csat").filter(|report| report.observed_at.is_some()) {
        let day = report.observed_at.unwrap().0.div_euclid(DAY_MS);
        by_weekday[(day + 3).rem_euclid(7) as usize] += report.denominator.unwrap() as u32;
    }
    let (quietest, busiest) = (
        by_weekday[..5].iter().min().unwrap(),
        by_weekday[5..].iter().max().unwrap(),
    );
    assert!(busiest * 3 < *quietest, "{by_weekday:?}");
}

#[test]
fn what_a_machine_watches_is_never_silent() {
    let mut observed: Vec<_> = reports_of(&PLAYED, "it.availability")
        .filter_map(|report| report.observed_at)
        .collect();
    observed.sort();
    assert!(observed.len() as i64 > DAYS * 90);
    for pair in observed.windows(2) {
        assert!(
            pair[1].since(pair[0]) < HOUR_MS,
            "nothing between {} and {}",
            pair[0],
            pair[1]
        );
    }
}

#[test]
fn a_correction_names_an_earlier_report_of_its_source() {
    let emissions = PLAYED.as_slice();
    let mut known = BTreeMap::new();
    let mut corrections = 0;
    for Emission { report, .. } in emissions {
        if let Some(target) = &report.corrects {
            assert_eq!(known.get(target), Some(&(report.source.clone(), report.kpi.clone())));
            assert!(report.note.is_some() && report.by.is_some());
            corrections += 1;
        }
        if let Some(id) = &report.id {
            let earlier = known.insert(id.clone(), (report.source.clone(), report.kpi.clone()));
            assert_eq!(earlier, None, "two reports with one id");
        }
    }
    assert!(corrections > 20, "{corrections}");
}

#[test]
fn every_team_has_one_incident_that_its_people_tell_of() {
    let emissions = PLAYED.as_slice();
    for card in ["it", "training"] {
        let told: BTreeSet<_> = emissions
            .iter()
            .filter(|emission| emission.report.kpi.as_deref().unwrap().starts_with(card))
            .filter(|emission| emission.report.note.is_some() && emission.report.corrects.is_none())
            .map(|emission| emission.report.observed_at.unwrap().0.div_euclid(DAY_MS))
            .collect();
        assert_eq!(told.len(), 1, "{card}: {told:?}");
    }
    let up_share = |report: &Report| report.numerator.unwrap() / report.denominator.unwrap();
    let worst = reports_of(emissions, "it.availability")
        .map(up_share)
        .fold(1.0, f64::min);
    assert!(worst < 0.97, "availability never fell below {worst}");
}

#[test]
fn values_are_where_the_definitions_expect_them() {
    let emissions = PLAYED.as_slice();
    let mean = |id: &str, of: &dyn Fn(&Report) -> f64| {
        let values: Vec<f64> = reports_of(emissions, id).map(of).collect();
        values.iter().sum::<f64>() / values.len() as f64
    };
    assert!((350_000.0..560_000.0).contains(&mean("it.stock", &number)));
    assert!((3.2..4.9).contains(&mean("it.mean", &number)));
    let windows = DAYS as f64 / 28.0;
    let mentions = sum(reports_of(emissions, "it.mentions").map(number)) / windows;
    assert!(
        (1_200.0..6_500.0).contains(&mentions),
        "{mentions} mentions in four weeks"
    );
    let orders = reports_of(emissions, "it.orders").count() as f64 / windows;
    assert!((50.0..450.0).contains(&orders), "{orders} orders in four weeks");
    let customers: BTreeSet<_> = reports_of(emissions, "it.customers")
        .map(|report| report.labels.clone())
        .collect();
    assert!((90..250).contains(&customers.len()), "{} customers", customers.len());
    let mut nps = reports_of(emissions, "it.nps").chain(reports_of(emissions, "training.nps"));
    assert!(
        nps.any(|report| report.numerator.unwrap() < 0.0),
        "no answers against us at all"
    );
}

#[test]
fn levels_cross_from_red_to_green() {
    let mut statuses = BTreeSet::new();
    let emissions = played(3);
    let emissions = emissions.as_slice();
    for card in ["it", "training"] {
        let id = format!("{card}.stock");
        statuses.extend(reports_of(emissions, &id).map(|report| match up(400_000.0, 500_000.0) {
            Scoring::Curve(curve) if curve.score(number(report)) < 50.0 => "red",
            Scoring::Curve(curve) if curve.score(number(report)) < 75.0 => "amber",
            _ => "green",
        }));
    }
    assert_eq!(statuses, BTreeSet::from(["amber", "green", "red"]));
}

#[test]
fn a_part_of_a_history_is_the_same_alone() {
    let simulation = Simulation::new(&catalog(), 1);
    let observed = |from: i64, to: i64| -> BTreeSet<String> {
        let history = simulation.history(start().plus_ms(from * DAY_MS), start().plus_ms(to * DAY_MS));
        let within = start().plus_ms(30 * DAY_MS)..start().plus_ms(33 * DAY_MS);
        let reports = history.map(|emission| emission.report);
        reports
            .filter(|report| report.observed_at.is_some_and(|at| within.contains(&at)))
            .map(|report| format!("{report:?}"))
            .collect()
    };
    // Both intervals have their incidents later, and leave late reports time to arrive.
    let alone = observed(30, 60);
    assert!(alone.len() > 500);
    assert_eq!(alone.difference(&observed(20, 100)).count(), 0);
}

#[test]
fn live_play_speaks_steadily_and_says_what_definitions_take() {
    let catalog = catalog();
    let simulation = Simulation::new(&catalog, 1);
    let mut live = simulation.live(start(), Duration::from_millis(300));
    let mut again = simulation.live(start(), Duration::from_millis(300));
    let mut heard = Vec::new();
    for second in 1..=600 {
        let now = start().plus_ms(second * 1_000);
        let reports = live.step(now);
        assert!(reports == again.step(now));
        for report in &reports {
            assert_admissible(report, &catalog);
            let age = now.since(report.observed_at.unwrap());
            assert!((0..=1_000).contains(&age), "observed {age} ms before now");
        }
        heard.extend(reports);
    }
    let per_second = heard.len() as f64 / 600.0;
    assert!((1.5..4.5).contains(&per_second), "{per_second} reports a second");
    let kpis: BTreeSet<_> = heard.iter().map(|report| report.kpi.clone()).collect();
    assert!(kpis.len() > 25, "{} KPIs heard of", kpis.len());
}

#[test]
fn totals_do_not_explode_when_life_is_fast() {
    let mut live = Simulation::new(&catalog(), 1).live(start(), Duration::from_secs(2));
    let reports: Vec<Report> = (1..=24 * 60)
        .flat_map(|minute| live.step(start().plus_ms(minute * 60_000)))
        .collect();
    let mentions = reports
        .iter()
        .filter(|report| report.kpi.as_deref() == Some("it.mentions"))
        .map(number);
    let mentions = sum(mentions);
    assert!(
        (40.0..220.0).contains(&mentions),
        "{mentions} mentions in a day, of 2,000 to 4,000 in four weeks"
    );
    let orders = reports
        .iter()
        .filter(|report| report.kpi.as_deref() == Some("it.orders"))
        .count();
    assert!(
        (1..25).contains(&orders),
        "{orders} orders in a day, of 100 to 300 in four weeks"
    );
}

#[test]
fn after_a_long_pause_live_play_does_not_catch_up() {
    let mut live = Simulation::new(&catalog(), 1).live(start(), Duration::from_millis(10));
    assert_eq!(live.step(start().plus_ms(DAY_MS)).len(), 1_000);
    assert!(live.step(start().plus_ms(DAY_MS)).is_empty());
    assert!(live.step(start().plus_ms(DAY_MS + 1_000)).len() > 20);
}

/// The catalog that is shipped, as `kpid demo` plays it.
fn shipped() -> Catalog {
    let file = |(name, text): (&str, &str)| CatalogFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    parse(&DEFAULT_SCORECARDS.map(file)).unwrap()
}

#[test]
fn half_a_year_of_the_shipped_scorecards_is_whole_and_of_a_size_to_be_read_in_seconds() {
    let catalog = shipped();
    let end = start().plus_ms(180 * DAY_MS);
    let emissions: Vec<_> = Simulation::new(&catalog, 1).history(start(), end).collect();
    assert!(
        (50_000..150_000).contains(&emissions.len()),
        "{} reports",
        emissions.len()
    );
    let mut heard = BTreeSet::new();
    for Emission { report, .. } in &emissions {
        assert_admissible(report, &catalog);
        heard.insert(report.kpi.clone().unwrap());
    }
    assert_eq!(heard.len(), catalog.kpis.len());
    let sources: BTreeSet<_> = emissions
        .iter()
        .filter_map(|emission| emission.report.source.as_deref())
        .collect();
    assert!(BTreeSet::from(["crm", "erp", "lms", "servicedesk", "webshop"]).is_subset(&sources));
}
