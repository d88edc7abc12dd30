//! Real measurements through four catalogs that together use every kind of window, aggregate, score form and roll-up:
//! what the program writes to `--readings` and `--alerts`, held line by line against the naive reference.
//!
//! The reference looks at every measurement again at every instant, so the files are thinned where they are long; the
//! builders in [`streams`] say what of them is used. On purpose the streams are in disorder: some lines come late, some
//! twice, some are corrected, retracted or not applicable. Percentiles, which come from a sketch, are compared to 1 %;
//! they stand in a perspective `tails` that weighs nothing, so that everything else can be compared to 1e-9.
//!
//! Without the files these tests say loudly that they did not run. That the catalogs use every kind is held to by a test
//! of its own, which needs no files.

mod kinds;
mod streams;

use std::path::Path;

use crate::real_data::data;
use crate::reference::compare::{Exactness, compare};
use crate::reference::{self, AlertLine, File, Lines, ReadingLine};
use crate::support::daemon::{Daemon, lines};

/// Name and text of the files of a catalog.
type CatalogFiles = [(&'static str, &'static str)];

const IT: [(&str, &str); 3] = [
    ("house.toml", include_str!("catalogs/every/it/house.toml")),
    ("ops.toml", include_str!("catalogs/every/it/ops.toml")),
    ("platform.toml", include_str!("catalogs/every/it/platform.toml")),
];
const MARKETING: [(&str, &str); 2] = [
    ("ads.toml", include_str!("catalogs/every/marketing/ads.toml")),
    ("group.toml", include_str!("catalogs/every/marketing/group.toml")),
];
const TRAINING: [(&str, &str); 1] = [("courses.toml", include_str!("catalogs/every/training/courses.toml"))];
const PRODUCT: [(&str, &str); 1] = [("releases.toml", include_str!("catalogs/every/product/releases.toml"))];

fn owned(catalog: &CatalogFiles) -> Vec<File> {
    catalog
        .iter()
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect()
}

#[test]
fn two_weeks_of_latency_are_read_as_by_the_reference() {
    let Some(data) = data() else { return };
    agree(&IT, &streams::latency(&data), "15m");
}

#[test]
fn a_summer_of_advertising_is_read_as_by_the_reference() {
    let Some(data) = data() else { return };
    agree(&MARKETING, &streams::advertising(&data), "6h");
}

#[test]
fn a_year_of_courses_is_read_as_by_the_reference() {
    let Some(data) = data() else { return };
    agree(&TRAINING, &streams::submissions(&data), "2d");
}

#[test]
fn seven_years_of_releases_are_read_as_by_the_reference() {
    let Some(data) = data() else { return };
    agree(&PRODUCT, &streams::releases(&data), "1d");
}

/// Every line of readings and alerts is there on both sides, and there are many of both.
fn agree(catalog: &CatalogFiles, ndjson: &str, every: &str) {
    let every_ms = reference::catalog::duration_ms(every);
    let mut expected = reference::run(&owned(catalog), ndjson, every_ms);
    // What is left out of coverage is written as 0.
    for line in &mut expected.0 {
        line.coverage.get_or_insert(0.0);
    }
    let actual = written(catalog, ndjson, every);
    assert!(
        expected.0.len() > 1_000 && expected.1.len() > 10,
        "{} readings and {} alerts are not much of a proof",
        expected.0.len(),
        expected.1.len()
    );
    let [exact, tails] = [false, true].map(|is_tail| {
        let exactness = if is_tail {
            Exactness::Percentiles
        } else {
            Exactness::Exact
        };
        compare(&part(&expected, is_tail), &part(&actual, is_tail), exactness)
    });
    exact.unwrap_or_else(|difference| panic!("{difference}"));
    tails.unwrap_or_else(|difference| panic!("{difference}"));
}

/// The lines of percentiles and what is made of them, or all others.
fn part(lines: &Lines, is_tail: bool) -> Lines {
    let readings = lines.0.iter().filter(|line| line.path.contains("/tails") == is_tail);
    let alerts = lines.1.iter().filter(|line| line.path.contains("/tails") == is_tail);
    (readings.cloned().collect(), alerts.cloned().collect())
}

/// What the program writes.
fn written(catalog: &CatalogFiles, ndjson: &str, every: &str) -> Lines {
    let house = Daemon::new(catalog);
    let files = ["stream.ndjson", "readings.ndjson", "alerts.ndjson"].map(|name| house.path(name));
    std::fs::write(&files[0], ndjson).expect("the stream");
    let [input, readings, alerts] = files.each_ref().map(|file| file.display().to_string());
    let cards = house.path("cards").display().to_string();
    house.answer(&[
        "replay",
        "--input",
        &input,
        "--clock",
        "event",
        "--every",
        every,
        "--catalog",
        &cards,
        "--readings",
        &readings,
        "--alerts",
        &alerts,
        "--format",
        "json",
    ]);
    (reading_lines(&files[1]), alert_lines(&files[2]))
}

fn instant(value: &serde_json::Value) -> i64 {
    let timestamp: jiff::Timestamp = value.as_str().expect("an instant").parse().expect("RFC 3339");
    timestamp.as_millisecond()
}

fn word(value: &serde_json::Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

fn reading_lines(file: &Path) -> Vec<ReadingLine> {
    let line = |line: &serde_json::Value| ReadingLine {
        at_ms: instant(&line["at"]),
        path: word(&line["path"]).expect("a path"),
        value: line["value"].as_f64(),
        score: line["score"].as_f64(),
        status: word(&line["status"]),
        absence: word(&line["absence"]),
        coverage: line["coverage"].as_f64(),
    };
    lines(file).iter().map(line).collect()
}

fn alert_lines(file: &Path) -> Vec<AlertLine> {
    let line = |line: &serde_json::Value| AlertLine {
        rule: word(&line["rule"]).expect("a rule"),
        path: word(&line["path"]).expect("a path"),
        transition: word(&line["transition"]).expect("a transition"),
        at_ms: instant(&line["at"]),
        since_ms: instant(&line["since"]),
    };
    lines(file).iter().map(line).collect()
}
