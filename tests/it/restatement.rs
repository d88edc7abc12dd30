//! Restatement, told as stories with figures computed by hand: for each cause, for all of them together, and for what is none.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kpid::domain::catalog::{Catalog, CatalogFile};
use kpid::domain::fact::{Block, Correction, Fact, MeasurementPlace, Retraction, SeriesNumber};
use kpid::domain::id::{KpiId, Sequence};
use kpid::domain::instant::{DAY_MS, HOUR_MS, Instant};
use kpid::domain::measurement::{Extra, MeasuredValue, SeriesKey};
use kpid::domain::projection::{ClockKind, ProjectionOptions};
use kpid::domain::restatement::{RestatedInstant, Restatement};
use kpid::pipeline::restatement::restatement;
use kpid::pipeline::travel::{FirstFact, NoMilestones, Roads, TravelError};
use kpid::ports::PicturesQuery;

use crate::laws::succession::{Toml, Written};

/// KPIs `k` and `l` in an objective each, over a day in slices of a day; what they measure is their score.
fn card(curve_to: u32, weight_of_l: u32) -> Arc<Catalog> {
    let kpi = |id: &str, to: u32| {
        format!(
            "[[kpi]]\nid = \"{id}\"\nobjective = \"{id}\"\naggregate = \"mean\"\nwindow = {{ rolling = \"1d\", slice = \"1d\" }}\n\
             curve = [[0, 0], [{to}, 100]]\n"
        )
    };
    let objective =
        |id: &str, weight: u32| format!("[[objective]]\nid = \"{id}\"\nperspective = \"p\"\nweight = {weight}\n");
    let text = format!(
        "[scorecard]\nid = \"c\"\n[[perspective]]\nid = \"p\"\n{}{}{}{}",
        objective("k", 1),
        objective("l", weight_of_l),
        kpi("k", curve_to),
        kpi("l", 100),
    );
    let files = [CatalogFile {
        name: "c.toml".to_owned(),
        text,
    }];
    kpid::ports::Definitions::parse(&Toml, &files).unwrap()
}

/// A journal that is written by hand; every fact is a block of its own.
#[derive(Default)]
struct Ink {
    blocks: Vec<Block>,
    series: Vec<&'static str>,
}

impl Ink {
    /// A journal under these definitions from hour 0 on.
    fn under(catalog: &Catalog) -> Self {
        let mut ink = Self::default();
        ink.activate(0, catalog);
        ink
    }

    fn block(&mut self, recorded_hour: i64) -> &mut Block {
        let first = self.blocks.last().map_or(Sequence(1), |block| block.last().plus(1));
        self.blocks.push(Block {
            first,
            recorded_at: Instant(recorded_hour * HOUR_MS),
            series_base: self.series.len() as u32,
            ..Block::default()
        });
        self.blocks.last_mut().unwrap()
    }

    fn other(&mut self, recorded_hour: i64, fact: Fact) -> u64 {
        let block = self.block(recorded_hour);
        block.others.push((0, fact));
        block.first.0
    }

    fn activate(&mut self, recorded_hour: i64, catalog: &Catalog) -> u64 {
        let (fingerprint, files) = (catalog.fingerprint.clone(), catalog.files.clone());
        self.other(recorded_hour, Fact::CatalogActivated { fingerprint, files })
    }

    /// Measures a KPI under an id of its own; the place of it leaves.
    fn measure(&mut self, kpi: &'static str, (recorded, observed): (i64, i64), value: f64) -> MeasurementPlace {
        let known = self.series.iter().position(|known| *known == kpi);
        let number = known.unwrap_or(self.series.len());
        let block = self.block(recorded);
        let series = SeriesNumber(number as u32);
        if known.is_none() {
            block.new_series.push(SeriesKey {
                kpi: KpiId::parse(kpi).unwrap(),
                source: "till".into(),
                each: None,
            });
        }
        let at = Instant(observed * HOUR_MS);
        let id = Some(format!("{}", block.first).into());
        let extra = Extra { id, ..Extra::default() };
        block
            .measurements
            .push(series, (at, at), &MeasuredValue::Number(value), extra);
        let place = MeasurementPlace {
            sequence: block.first,
            series,
            observed_at: at,
        };
        if known.is_none() {
            self.series.push(kpi);
        }
        place
    }

    fn correct(&mut self, recorded: i64, target: MeasurementPlace, (observed, value): (i64, f64)) -> u64 {
        let at = Instant(observed * HOUR_MS);
        let correction = Correction {
            target,
            corrects: "it".into(),
            observed_at: at,
            received_at: at,
            value: MeasuredValue::Number(value),
            extra: Extra::default(),
        };
        self.other(recorded, Fact::MeasurementCorrected(correction))
    }

    fn retract(&mut self, recorded: i64, target: MeasurementPlace) -> u64 {
        let retraction = Retraction {
            target,
            retracts: "it".into(),
            received_at: target.observed_at,
            extra: Extra::default(),
        };
        self.other(recorded, Fact::MeasurementRetracted(retraction))
    }

    /// What is said otherwise of the ends of these days, at an hour.
    fn ask(&self, days: &[i64], now_hour: i64) -> Result<Restatement, TravelError> {
        let options = ProjectionOptions {
            clock: ClockKind::Recorded,
            history_ms: Some(30 * DAY_MS),
            with_readings: false,
        };
        let roads = Roads {
            archive: Arc::new(Written(self.blocks.clone())),
            milestones: Arc::new(NoMilestones),
            definitions: Arc::new(Toml),
            options,
            beginning: Arc::new(FirstFact),
        };
        let query = PicturesQuery {
            scorecard: "c".to_owned(),
            instance: None,
            at: days.iter().map(|day| Instant(day * DAY_MS)).collect(),
        };
        restatement(&roads, &query, Instant(now_hour * HOUR_MS), &AtomicBool::new(false))
    }

    /// What is said otherwise of the end of the first day, ten days later.
    fn first_day(&self) -> RestatedInstant {
        let told = self.ask(&[1], 240).unwrap();
        assert_eq!((told.compared, told.unpublished, told.open), (1, 0, 0));
        told.restated.into_iter().next().expect("it is said otherwise")
    }
}

/// A journal in which these values are measured of `k`, an hour after one another, from hour 1 on.
pub fn journal_of(values: &[f64]) -> Vec<Block> {
    let mut ink = Ink::under(&card(100, 1));
    for (hour, value) in (1..).zip(values) {
        ink.measure("k", (hour, hour), *value);
    }
    ink.blocks
}

/// `70 to 50: late_measurements -20 [5]`, of one node.
fn line(one: &RestatedInstant, path: &str) -> String {
    let Some(node) = one.nodes.iter().find(|node| &*node.path == path) else {
        return "the same".to_owned();
    };
    let side = |side: usize| match &node.said[side] {
        None => "nothing".to_owned(),
        Some(said) => said
            .score
            .map_or_else(|| said.absence.unwrap().word().to_owned(), |score| score.to_string()),
    };
    let causes = node.causes.iter().map(|share| {
        let round = |points: f64| (points * 1e9).round() / 1e9;
        let points = share
            .points
            .map_or_else(|| "-".to_owned(), |points| format!("{:+}", round(points)));
        let sequences: Vec<u64> = share.sequences.iter().map(|sequence| sequence.0).collect();
        assert_eq!(share.count, sequences.len() as u64);
        format!(" {} {points} {sequences:?}", share.cause.word())
    });
    format!("{} to {}:{}", side(0), side(1), causes.collect::<String>())
}

#[test]
fn a_late_measurement_restates_the_day_that_it_is_about() {
    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (6, 6), 80.0);
    ink.measure("k", (27, 12), 40.0);
    let one = ink.first_day();
    assert_eq!(line(&one, "c/p/k/k"), "80 to 60: late_measurements -20 [3]");
    assert_eq!(line(&one, "c"), "80 to 60: late_measurements -20 [3]");
    assert_eq!(line(&one, "c/p/l"), "the same");
    assert_eq!((one.at, one.sequence), (Instant(DAY_MS), Sequence(2)));
}

#[test]
fn a_correction_restates_it_and_so_does_one_that_moves_a_measurement_into_the_day() {
    let mut ink = Ink::under(&card(100, 1));
    let wrong = ink.measure("k", (6, 6), 80.0);
    ink.correct(30, wrong, (6, 50.0));
    assert_eq!(line(&ink.first_day(), "c/p/k/k"), "80 to 50: corrections -30 [3]");

    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (6, 6), 80.0);
    // Observed on the second day, or so it was said: in time there, and late nowhere.
    let moved = ink.measure("k", (30, 30), 20.0);
    ink.correct(50, moved, (20, 20.0));
    let told = ink.ask(&[1, 2], 240).unwrap();
    assert_eq!(line(&told.restated[0], "c/p/k/k"), "80 to 50: corrections -30 [4]");
    assert_eq!(line(&told.restated[1], "c/p/k/k"), "20 to stale: corrections - [4]");
}

#[test]
fn a_retraction_restates_it() {
    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (6, 6), 80.0);
    let never = ink.measure("k", (7, 7), 40.0);
    ink.retract(30, never);
    assert_eq!(line(&ink.first_day(), "c/p/k/k"), "60 to 80: retractions +20 [4]");
}

#[test]
fn other_definitions_restate_everything_that_they_score_otherwise() {
    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (6, 6), 80.0);
    ink.measure("l", (6, 6), 50.0);
    ink.activate(100, &card(200, 1));
    let one = ink.first_day();
    assert_eq!(line(&one, "c/p/k/k"), "80 to 40: catalog -40 [4]");
    assert_eq!(line(&one, "c/p/l/l"), "the same");
    assert_eq!(line(&one, "c"), "65 to 45: catalog -20 [4]");
    ink.activate(101, &card(100, 1));
    let told = ink.ask(&[1], 240).unwrap();
    assert_eq!(
        (told.compared, told.restated.len()),
        (1, 0),
        "those of before hold again"
    );
}

#[test]
fn of_several_causes_each_has_its_part() {
    let mut ink = Ink::under(&card(100, 1));
    let first = ink.measure("k", (6, 6), 80.0);
    let second = ink.measure("k", (7, 7), 60.0);
    ink.measure("l", (8, 8), 50.0);
    // k is (80 + 60) / 2 = 70, the whole (70 + 50) / 2 = 60.
    ink.activate(40, &card(100, 3));
    ink.retract(41, second);
    ink.correct(42, first, (6, 95.0));
    ink.measure("k", (43, 12), 10.0);
    let one = ink.first_day();
    // k: (80 + 60 + 10) / 3 = 50, (95 + 60 + 10) / 3 = 55, (95 + 10) / 2 = 52.5.
    assert_eq!(
        line(&one, "c/p/k/k"),
        "70 to 52.5: late_measurements -20 [8] corrections +5 [7] retractions -2.5 [6] catalog +0 [5]"
    );
    // The whole: 50, 52.5, 51.25, and with l weighing 3 it is (52.5 + 150) / 4 = 50.625.
    assert_eq!(
        line(&one, "c"),
        "60 to 50.625: late_measurements -10 [8] corrections +2.5 [7] retractions -1.25 [6] catalog -0.625 [5]"
    );
}

#[test]
fn what_came_late_and_went_again_is_told_where_something_else_differs() {
    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (6, 6), 80.0);
    let ghost = ink.measure("k", (30, 12), 20.0);
    ink.retract(31, ghost);
    assert_eq!(
        ink.ask(&[1], 240).unwrap().restated.len(),
        0,
        "nothing is said otherwise in the end"
    );
    ink.measure("k", (32, 13), 60.0);
    // (80 + 20 + 60) / 3, then (80 + 60) / 2.
    let one = ink.first_day();
    let node = one.nodes.iter().find(|node| &*node.path == "c/p/k/k").unwrap();
    let points: Vec<f64> = node.causes.iter().filter_map(|share| share.points).collect();
    assert!(
        (points[0] - (160.0 / 3.0 - 80.0)).abs() < 1e-9 && (points.iter().sum::<f64>() + 10.0).abs() < 1e-9,
        "{node:?}"
    );
}

#[test]
fn what_came_in_time_is_no_restatement_and_what_is_not_over_or_was_before_is_left_out() {
    let mut ink = Ink::under(&card(100, 1));
    ink.blocks[0].recorded_at = Instant(30 * HOUR_MS);
    for hour in 30..100 {
        ink.measure("k", (hour, hour), f64::from(hour as i32));
    }
    let told = ink.ask(&[1, 2, 3, 4, 5], 100).unwrap();
    assert_eq!((told.compared, told.unpublished, told.open), (3, 1, 1));
    assert_eq!(told.restated, []);
}

#[test]
fn a_day_without_a_score_has_no_points_and_says_what_came() {
    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (40, 12), 40.0);
    assert_eq!(
        line(&ink.first_day(), "c/p/k/k"),
        "no_data to 40: late_measurements - [2]"
    );
}

#[test]
fn what_is_older_than_the_history_when_it_comes_changes_nothing_and_the_deep_past_is_still_told() {
    let mut ink = Ink::under(&card(100, 1));
    ink.measure("k", (6, 6), 80.0);
    ink.measure("k", (32 * 24, 12), 40.0);
    assert_eq!(ink.ask(&[1], 50 * 24).unwrap().restated, [], "it is only counted");
    ink.measure("k", (20 * 24 + 800, 20 * 24 - 1), 40.0);
    let told = ink.ask(&[1, 20], 90 * 24).unwrap();
    assert_eq!(told.restated.len(), 0, "and so is this one, by nine hours");
}

#[test]
fn new_windows_and_new_kpis_are_read_as_they_would_have_been_then() {
    let old = card(100, 1);
    let longer = |text: &str| text.replacen("rolling = \"1d\"", "rolling = \"2d\"", 1);
    let files = [CatalogFile {
        name: "c.toml".to_owned(),
        text: longer(&old.files[0].text),
    }];
    let new = kpid::ports::Definitions::parse(&Toml, &files).unwrap();
    let mut ink = Ink::under(&old);
    ink.measure("k", (6, 6), 80.0);
    ink.measure("k", (30, 30), 40.0);
    // In time for the third day only: no definitions let the second one see it.
    ink.measure("k", (50, 50), 0.0);
    ink.measure("k", (52, 31), 20.0);
    ink.activate(100, &new);
    let told = ink.ask(&[2], 240).unwrap();
    // The second day alone: 40, with the late one 30; over two days (80 + 40 + 20) / 3.
    let node = told.restated[0]
        .nodes
        .iter()
        .find(|node| &*node.path == "c/p/k/k")
        .unwrap();
    let points: Vec<f64> = node.causes.iter().filter_map(|share| share.points).collect();
    assert_eq!(points[0], -10.0, "{node:?}");
    assert!((points[1] - (140.0 / 3.0 - 30.0)).abs() < 1e-9, "{node:?}");
}
