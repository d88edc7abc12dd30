//! Laws of arrival: what came twice, late or wrong at first counts as if it had come once, in time and right.
#![expect(
    clippy::indexing_slicing,
    reason = "an object or a line that is not there is a broken test"
)]

use std::collections::{BTreeMap, BTreeSet};

use kpid::domain::instant::{DAY_MS, HOUR_MS, Instant};
use kpid::domain::projection::{ClockKind, Effects};
use kpid::domain::reading::Reading;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::json;

use crate::reference::definition::{Catalog, Scorecard};
use crate::reference::generate::{self, Case};
use crate::reference::intake::{Intake, Measurement, What};
use crate::reference::{File, catalog};
use crate::support::blocks::{Told, story};

fn any_case() -> impl Strategy<Value = Case> {
    prop_oneof![
        generate::cases(),
        generate::percentile_cases(),
        generate::restating_cases()
    ]
}

/// What a held value is depends on when it was looked at; here it must not.
pub fn without_hold(files: &[File]) -> Vec<File> {
    let drop_hold = |text: &str| -> String {
        let lines = text.lines().filter(|line| !line.starts_with("hold_for"));
        lines
            .map(|line| line.replace("\"hold\"", "\"exclude\"") + "\n")
            .collect()
    };
    files
        .iter()
        .map(|(name, text)| (name.clone(), drop_hold(text)))
        .collect()
}

/// What is there in the end: every measurement as it stands, in the order of the journal, retracted ones left out.
fn what_stands(files: &[File], ndjson: &str) -> (Catalog, Vec<Measurement>) {
    let catalog = catalog::read(files);
    let mut intake = Intake::default();
    for line in ndjson.lines() {
        if let Ok(taken) = intake.judge(&catalog, line) {
            intake.apply(taken);
        }
    }
    let mut list = intake.list;
    list.retain(|measurement| !measurement.retracted);
    (catalog, list)
}

/// A measurement as a line, as it should have been sent.
fn line(catalog: &Catalog, measurement: &Measurement) -> String {
    let mut object = match measurement.what {
        What::NotApplicable => json!({ "not_applicable": true }),
        What::Ratio { numerator, denominator } => json!({ "numerator": numerator, "denominator": denominator }),
        What::Value { value, weight } => match word(catalog, measurement, value) {
            Some(word) => json!({ "value": word }),
            None => json!({ "value": value, "weight": weight }),
        },
    };
    object["kpi"] = measurement.kpi.as_str().into();
    object["observed_at"] = measurement.observed_at.into();
    object["labels"] = json!(measurement.labels);
    object.to_string() + "\n"
}

/// The word of that score, for KPIs that take words.
fn word(catalog: &Catalog, measurement: &Measurement, score: f64) -> Option<String> {
    let mut kpis = catalog.scorecards.iter().flat_map(Scorecard::kpis);
    let scale = kpis.find(|kpi| kpi.id == measurement.kpi)?.scale.as_ref()?;
    Some(scale.iter().find(|(_, known)| *known == score)?.0.clone())
}

/// The readings of all nodes at an instant after everything, when lines arrived so many at a time.
fn readings_at(files: &[File], ndjson: &str, lines: usize, at: Instant) -> BTreeMap<String, Reading> {
    let story = story(files, ndjson, &vec![(lines, 0)]);
    let mut projection = story.projection(ClockKind::Recorded);
    let mut effects = Effects::default();
    story
        .blocks
        .iter()
        .for_each(|block| projection.apply(block, &mut effects));
    projection.advance(at, &mut effects);
    let mut readings = BTreeMap::new();
    for board in projection.boards(&[]) {
        let scorecard = board.overall.scorecard.as_str();
        let instances = board.instance_names.iter().map(Some);
        for name in std::iter::once(None).chain(instances) {
            let picture = projection.picture_now(scorecard, name).unwrap();
            readings.extend(
                picture
                    .nodes
                    .iter()
                    .map(|node| (node.path.to_string(), node.reading.clone())),
            );
        }
    }
    readings
}

fn near(one: Option<f64>, other: Option<f64>, is_exact: bool) -> bool {
    match (one, other) {
        (Some(one), Some(other)) if is_exact => one.to_bits() == other.to_bits(),
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(1e-3),
        (one, other) => one == other,
    }
}

/// KPIs whose aggregates do not round.
fn exact_kpis(files: &[File]) -> BTreeSet<String> {
    let mut exact = BTreeSet::new();
    let mut id = String::new();
    for line in files.iter().flat_map(|(_, text)| text.lines()) {
        if let Some(found) = line.strip_prefix("id = ") {
            found.trim_matches('"').clone_into(&mut id);
        }
        let aggregate = line
            .strip_prefix("aggregate = ")
            .map_or("", |name| name.trim_matches('"'));
        let rounds_not = ["count", "min", "max", "distinct"].contains(&aggregate);
        if rounds_not || aggregate.starts_with('p') {
            exact.insert(id.clone());
        }
    }
    exact
}

/// Every node of the one says the same in the other: words exactly, numbers to 1e-9, what does not round to the bit.
fn agree(
    files: &[File],
    one: &BTreeMap<String, Reading>,
    other: &BTreeMap<String, Reading>,
) -> Result<(), TestCaseError> {
    let exact = exact_kpis(files);
    for (path, reading) in one {
        let Some(found) = other.get(path) else {
            return Err(TestCaseError::fail(format!("{path} is missing")));
        };
        let is_exact = path.rsplit('/').next().is_some_and(|kpi| exact.contains(kpi));
        let same = near(reading.value, found.value, is_exact)
            && near(reading.score, found.score, is_exact && path.contains('/'))
            && near(reading.coverage, found.coverage, false)
            && (reading.absence, reading.count, reading.fresh) == (found.absence, found.count, found.fresh)
            && reading.observed_at == found.observed_at;
        if !same {
            return Err(TestCaseError::fail(format!("{path} differs:\n{reading:?}\n{found:?}")));
        }
    }
    Ok(())
}

/// An instant after everything that stands, by any distance.
fn later(list: &[Measurement], after_ms: i64) -> Instant {
    let newest = list.iter().map(|measurement| measurement.observed_at).max();
    Instant(newest.unwrap_or(0)).plus_ms(1 + after_ms)
}

/// The rate of a running period falls with time, and is told at the latest once a slice: until the next day begins, what is
/// told depends on when the last measurement came.
fn calm_ms(files: &[File]) -> i64 {
    let flows = |(_, text): &File| text.contains("aggregate = \"rate\"") && text.contains("period = ");
    if files.iter().any(flows) { DAY_MS + HOUR_MS } else { 0 }
}

/// The stream with lines that have an id once more, somewhere behind.
fn with_duplicates(ndjson: &str, places: &[usize]) -> String {
    let mut lines: Vec<&str> = ndjson.lines().collect();
    for place in places {
        let from = place % lines.len();
        if lines[from].contains("\"id\":") {
            let to = from + 1 + (place / lines.len()) % (lines.len() - from);
            lines.insert(to, lines[from]);
        }
    }
    lines.join("\n")
}

proptest! {
    #![proptest_config(super::usually(64))]

    #[test]
    fn duplicates_change_nothing(case in any_case(), places in vec(0..100_000_usize, 1..12)) {
        let told = |ndjson: &str| {
            let story = story(&case.files, ndjson, &vec![(5, 0)]);
            let mut projection = story.projection(ClockKind::Event { every_ms: case.every_ms });
            let mut effects = Effects::default();
            story.blocks.iter().for_each(|block| projection.apply(block, &mut effects));
            projection.finish(&mut effects);
            let mut told = Told::default();
            told.add(&effects);
            told
        };
        prop_assert_eq!(told(&case.ndjson), told(&with_duplicates(&case.ndjson, &places)));
    }

    #[test]
    fn late_equals_in_time(case in any_case(), keys in vec(any::<u32>(), 300), after_ms in 0..40 * DAY_MS, lines in 1..9_usize) {
        let files = without_hold(&case.files);
        let (catalog, mut list) = what_stands(&files, &case.ndjson);
        // Of equal instants the order of arrival decides, which is meant: there are none here.
        let mut instants = BTreeSet::new();
        list.retain(|measurement| instants.insert((measurement.kpi.clone(), measurement.observed_at)));
        let at = later(&list, after_ms + calm_ms(&files));
        list.sort_by_key(|measurement| measurement.observed_at);
        let in_time: String = list.iter().map(|measurement| line(&catalog, measurement)).collect();
        let mut shuffled: Vec<(u32, &Measurement)> = keys.iter().copied().cycle().zip(&list).collect();
        shuffled.sort_by_key(|(key, _)| *key);
        let late: String = shuffled.iter().map(|(_, measurement)| line(&catalog, measurement)).collect();
        agree(&files, &readings_at(&files, &in_time, 1, at), &readings_at(&files, &late, lines, at))?;
    }

    #[test]
    fn corrected_equals_sent_right_and_retracted_equals_never_sent(case in any_case(), after_ms in 0..40 * DAY_MS) {
        let files = without_hold(&case.files);
        let (catalog, list) = what_stands(&files, &case.ndjson);
        let sent_right: String = list.iter().map(|measurement| line(&catalog, measurement)).collect();
        // Nothing may be recorded after the instant that is looked at, not even what is retracted by now.
        let story = story(&files, &case.ndjson, &vec![(1, 0)]);
        let at = later(&list, after_ms).max(story.end()).plus_ms(calm_ms(&files));
        agree(&files, &readings_at(&files, &sent_right, 3, at), &readings_at(&files, &case.ndjson, 3, at))?;
    }
}

/// A KPI of every kind of sum over four weeks.
fn sliding(name: &str, weight: &str) -> String {
    format!(
        "[[kpi]]\nid = \"{name}\"\nobjective = \"o\"\ntitle = \"K\"\nkind = \"lagging\"\naggregate = \"{name}\"\n\
         window = {{ rolling = \"28d\", slice = \"1d\" }}\n{weight}\n"
    )
}

#[test]
fn a_window_that_slid_for_a_year_equals_a_fresh_one() {
    const KPIS: [&str; 4] = ["sum", "mean", "stddev", "weighted_mean"];
    let head = "[scorecard]\nid = \"t\"\ntitle = \"T\"\nowner = \"o@example.com\"\n[[perspective]]\nid = \"p\"\ntitle = \"P\"\n\
                [[objective]]\nid = \"o\"\nperspective = \"p\"\ntitle = \"O\"\n";
    let text = head.to_owned() + &KPIS.map(|name| sliding(name, "")).concat();
    let files = [("t.toml".to_owned(), text)];
    let year: Vec<(i64, String)> = (0..366 * 4)
        .map(|quarter: i64| {
            // Great numbers that cancel out and small ones that must not be lost.
            let great = (quarter % 7 - 3) as f64 * 1.0e9;
            let observed_at = 1_700_000_000_000 + quarter * DAY_MS / 4;
            let lines = KPIS.map(|kpi| {
                let value = great + (quarter * 37 % 101) as f64 * 0.1;
                json!({ "kpi": kpi, "observed_at": observed_at, "value": value }).to_string() + "\n"
            });
            (observed_at, lines.concat())
        })
        .collect();
    let at = Instant(year.last().unwrap().0 + 1);
    let all: String = year.iter().map(|(_, lines)| lines.as_str()).collect();
    let recent: String = year
        .iter()
        .filter(|(observed_at, _)| at.since(Instant(*observed_at)) < 30 * DAY_MS)
        .map(|(_, lines)| lines.as_str())
        .collect();
    let (slid, fresh) = (readings_at(&files, &all, 4, at), readings_at(&files, &recent, 4, at));
    for kpi in KPIS {
        let of = |readings: &BTreeMap<String, Reading>| readings[&format!("t/p/o/{kpi}")].value.unwrap();
        let (slid, fresh) = (of(&slid), of(&fresh));
        assert!(
            (slid - fresh).abs() <= 1e-9 * fresh.abs(),
            "{kpi}: {slid} instead of {fresh}"
        );
    }
}
