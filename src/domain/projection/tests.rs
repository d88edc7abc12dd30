//! The projection told as stories, on virtual time. Instants are in minutes; slices have ten of them.

use super::*;
use crate::domain::calendar::Period;
use crate::domain::catalog::{Aggregate, KpiDefinition, Missing, Window};
use crate::domain::fact::{Block, Correction, Fact, MeasurementPlace, Retraction, SeriesNumber};
use crate::domain::id::KpiId;
use crate::domain::instant::MINUTE_MS;
use crate::domain::measurement::{Extra, MeasuredValue};
use crate::domain::parts::Parts;
use crate::domain::reading::Absence;
use crate::domain::samples::{SLICE_MS, catalog, plain_kpi};

fn minute(minutes: i64) -> Instant {
    Instant(minutes * MINUTE_MS)
}

fn expected_every(minutes: i64, mut kpi: KpiDefinition) -> KpiDefinition {
    kpi.versions
        .iter_mut()
        .for_each(|version| version.value.expected_every_ms = Some(minutes * MINUTE_MS));
    kpi
}

/// A line of the KPI's readings: instant, value, absence, coverage.
type Line = (i64, Option<f64>, Option<Absence>, Option<f64>);

/// A projection with the journal that feeds it.
struct House {
    projection: Projection,
    told: Vec<Line>,
    next: u64,
}

const EVENT: ClockKind = ClockKind::Event { every_ms: SLICE_MS };

impl House {
    fn of(kpi: KpiDefinition, clock: ClockKind) -> Self {
        Self::with(
            catalog(kpi, None),
            ProjectionOptions {
                clock,
                history_ms: None,
                with_readings: true,
            },
        )
    }

    fn with(catalog: Arc<Catalog>, options: ProjectionOptions) -> Self {
        Self {
            projection: Projection::new(catalog, options),
            told: Vec::new(),
            next: 1,
        }
    }

    fn apply(&mut self, recorded_at: Instant, fill: impl FnOnce(&mut Block)) {
        let known = self.projection.series_count() as u32;
        let mut block = Block {
            first: Sequence(self.next),
            recorded_at,
            series_base: known,
            ..Block::default()
        };
        if known == 0 {
            let each = self.projection.catalog().scorecards[0].each.clone();
            let each = each.map(|label| (label.into(), InstanceId::parse("berlin").unwrap()));
            block.new_series.push(SeriesKey {
                kpi: KpiId::parse("k").unwrap(),
                source: "s".into(),
                each,
            });
        }
        fill(&mut block);
        self.next += block.len();
        let mut effects = Effects::default();
        self.projection.apply(&block, &mut effects);
        self.tell(&effects);
    }

    /// A measurement with an id, taken in at once.
    fn measure(&mut self, at: Instant, value: f64) {
        self.measure_late(at, at, &MeasuredValue::Number(value));
    }

    fn measure_late(&mut self, recorded_at: Instant, observed_at: Instant, value: &MeasuredValue) {
        let extra = Extra {
            id: Some("id".into()),
            ..Extra::default()
        };
        self.apply(recorded_at, |block| {
            block
                .measurements
                .push(SeriesNumber(0), (observed_at, recorded_at), value, extra);
        });
    }

    fn retract(&mut self, recorded_at: Instant, sequence: u64, observed_at: Instant) {
        let target = MeasurementPlace {
            sequence: Sequence(sequence),
            series: SeriesNumber(0),
            observed_at,
        };
        let retraction = Retraction {
            target,
            retracts: "id".into(),
            received_at: recorded_at,
            extra: Extra::default(),
        };
        self.apply(recorded_at, |block| {
            block.others.push((0, Fact::MeasurementRetracted(retraction)));
        });
    }

    fn advance(&mut self, to: Instant) {
        let mut effects = Effects::default();
        self.projection.advance(to, &mut effects);
        self.tell(&effects);
    }

    fn finish(&mut self) {
        let mut effects = Effects::default();
        self.projection.finish(&mut effects);
        self.tell(&effects);
    }

    fn tell(&mut self, effects: &Effects) {
        let own = effects.readings.iter().filter(|change| &*change.path == "t/p/o/k");
        self.told.extend(own.map(|change| {
            (
                change.at.0,
                change.reading.value,
                change.reading.absence,
                change.reading.coverage,
            )
        }));
    }

    /// When the value became what.
    fn values(&self) -> Vec<(i64, Option<f64>)> {
        self.told.iter().map(|(at, value, ..)| (*at, *value)).collect()
    }

    fn last(&self) -> Line {
        *self.told.last().unwrap()
    }
}

#[test]
fn a_slice_leaves_one_millisecond_after_the_window_has_moved_past_it() {
    let mut house = House::of(plain_kpi(), ClockKind::Recorded);
    house.measure(minute(1), 40.0);
    house.measure(minute(12), 20.0);
    house.advance(minute(60));
    let gone = [(minute(30).0 + 1, Some(20.0)), (minute(40).0 + 1, None)];
    assert_eq!(
        house.values(),
        [
            vec![(minute(1).0, Some(40.0)), (minute(12).0, Some(60.0))],
            gone.to_vec()
        ]
        .concat()
    );
    assert_eq!(house.last().2, Some(Absence::Stale), "measured, but not in this window");
}

#[test]
fn timers_that_call_late_or_never_change_nothing() {
    let story = |calls: &[i64]| {
        let mut house = House::of(expected_every(7, plain_kpi()), ClockKind::Recorded);
        house.measure(minute(1), 40.0);
        for call in calls {
            house.advance(minute(*call));
        }
        house.measure(minute(100), 20.0);
        house.told
    };
    assert_eq!(story(&[]), story(&[8, 9, 30, 31, 99]));
}

#[test]
fn a_late_measurement_changes_the_past_window() {
    let mut house = House::of(plain_kpi(), ClockKind::Recorded);
    house.measure(minute(31), 1.0);
    house.measure_late(minute(55), minute(5), &MeasuredValue::Number(2.0));
    let past = house
        .projection
        .reading_at(&KpiId::parse("k").unwrap(), None, minute(20));
    assert_eq!(past.unwrap().value, Some(2.0));
    assert_eq!(house.last().1, Some(1.0), "the window of now does not see it");
}

#[test]
fn a_reading_is_fresh_for_exactly_as_long_as_expected() {
    let mut house = House::of(expected_every(7, plain_kpi()), ClockKind::Recorded);
    house.measure(minute(1), 80.0);
    house.advance(minute(8));
    assert_eq!(house.last().3, Some(1.0), "at seven minutes it is not older than that");
    house.advance(minute(8).plus_ms(1));
    assert_eq!(
        house.last(),
        (minute(8).0 + 1, Some(80.0), None, Some(0.0)),
        "it keeps its score"
    );
}

#[test]
fn a_held_value_lasts_from_the_moment_at_which_its_window_emptied() {
    let mut house = House::of(
        KpiDefinition {
            missing: Missing::Hold(SLICE_MS),
            ..plain_kpi()
        },
        ClockKind::Recorded,
    );
    house.measure(minute(1), 80.0);
    house.advance(minute(60));
    // The window has it until 0:30; what is held from there on is over after ten minutes.
    assert_eq!(house.values(), [(minute(1).0, Some(80.0)), (minute(40).0 + 1, None)]);
}

#[test]
fn a_held_value_ends_although_its_only_measurement_was_retracted() {
    let mut house = House::of(
        KpiDefinition {
            missing: Missing::Hold(2 * SLICE_MS),
            ..plain_kpi()
        },
        EVENT,
    );
    house.measure(minute(1), 80.0);
    house.measure(minute(11), 1.0);
    house.retract(minute(11), 1, minute(1));
    house.retract(minute(11), 2, minute(11));
    house.finish();
    assert_eq!(house.last().1, Some(80.0), "at 0:20 it is held from 0:10");
    house.measure(minute(99), 5.0);
    assert!(
        house
            .told
            .contains(&(minute(40).0, None, Some(Absence::NoData), Some(0.0))),
        "{:?}",
        house.told
    );
}

#[test]
fn a_correction_moves_a_measurement_to_another_slice_and_keeps_its_place() {
    let mut house = House::of(
        KpiDefinition {
            aggregate: Aggregate::Last,
            ..plain_kpi()
        },
        ClockKind::Recorded,
    );
    house.measure(minute(1), 10.0);
    house.measure(minute(2), 20.0);
    let target = MeasurementPlace {
        sequence: Sequence(1),
        series: SeriesNumber(0),
        observed_at: minute(1),
    };
    let correction = Correction {
        target,
        corrects: "id".into(),
        observed_at: minute(12),
        received_at: minute(13),
        value: MeasuredValue::Number(30.0),
        extra: Extra::default(),
    };
    house.apply(minute(13), |block| {
        block.others.push((0, Fact::MeasurementCorrected(correction)));
    });
    assert_eq!(house.last().1, Some(30.0));
    house.retract(minute(14), 1, minute(12));
    assert_eq!(house.last().1, Some(20.0), "it is found where it was moved to");
}

#[test]
fn when_all_was_retracted_nothing_was_ever_measured() {
    let mut house = House::of(plain_kpi(), ClockKind::Recorded);
    house.measure(minute(1), 10.0);
    house.retract(minute(2), 1, minute(1));
    assert_eq!(house.last(), (minute(2).0, None, Some(Absence::NoData), Some(0.0)));
}

#[test]
fn what_a_definition_cannot_read_is_not_missed_when_it_is_retracted() {
    let mut house = House::of(plain_kpi(), ClockKind::Recorded);
    house.measure_late(minute(1), minute(1), &MeasuredValue::Word("good".into()));
    house.measure_late(minute(2), minute(2), &MeasuredValue::NotApplicable);
    house.retract(minute(3), 1, minute(1));
    house.advance(minute(60));
    assert_eq!(house.last(), (minute(30).0 + 1, None, Some(Absence::Stale), Some(0.0)));
}

#[test]
fn not_applicable_has_the_last_word_only_while_it_is_the_latest() {
    let mut house = House::of(plain_kpi(), ClockKind::Recorded);
    house.measure(minute(1), 60.0);
    house.measure_late(minute(3), minute(3), &MeasuredValue::NotApplicable);
    assert_eq!(
        house.last(),
        (minute(3).0, None, Some(Absence::NotApplicable), None),
        "left out of coverage"
    );
    house.measure_late(minute(4), minute(2), &MeasuredValue::Number(1.0));
    assert_eq!(
        house.last().0,
        minute(3).0,
        "what was observed before it changes nothing"
    );
    house.measure(minute(5), 2.0);
    assert_eq!(house.last().1, Some(63.0));
}

#[test]
fn what_is_older_than_the_history_is_only_counted() {
    let options = ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms: Some(SLICE_MS),
        with_readings: true,
    };
    let mut house = House::with(catalog(plain_kpi(), None), options);
    // The window itself reaches further back than this history, and is never cut.
    house.measure_late(minute(100), minute(75), &MeasuredValue::Number(7.0));
    house.measure_late(minute(100), minute(10), &MeasuredValue::Number(9.0));
    assert_eq!(house.last().1, Some(7.0));
    assert_eq!(
        house
            .projection
            .reading_at(&KpiId::parse("k").unwrap(), None, minute(20))
            .unwrap()
            .value,
        None
    );
}

#[test]
fn the_event_clock_evaluates_before_what_is_observed_at_its_step() {
    let mut house = House::of(plain_kpi(), EVENT);
    house.measure(minute(1), 10.0);
    house.measure(minute(9), 20.0);
    assert_eq!(house.values(), [], "nothing is evaluated before a step is passed");
    house.measure(minute(10), 30.0);
    assert_eq!(
        house.values(),
        [(minute(10).0, Some(30.0))],
        "ten past is seen by the next one"
    );
    house.finish();
    assert_eq!(house.last().1, Some(60.0));
}

#[test]
fn an_event_clock_stands_still_without_measurements() {
    let mut house = House::of(plain_kpi(), EVENT);
    house.measure(minute(1), 10.0);
    house.advance(minute(500));
    house.finish();
    assert_eq!(house.values(), [(minute(10).0, Some(10.0))]);
}

#[test]
fn a_complete_day_counts_once_it_has_ended() {
    let window = Window::Period {
        period: Period::Day,
        complete: true,
        weeks: None,
    };
    let mut house = House::of(KpiDefinition { window, ..plain_kpi() }, ClockKind::Recorded);
    house.measure(minute(60), 10.0);
    house.advance(minute(3 * 24 * 60));
    assert_eq!(
        house.values(),
        [
            (minute(60).0, None),
            (minute(24 * 60).0, Some(10.0)),
            (minute(48 * 60).0, None)
        ]
    );
}

#[test]
fn an_instance_appears_with_its_first_measurement() {
    let options = ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms: None,
        with_readings: true,
    };
    let mut house = House::with(catalog(plain_kpi(), Some("site")), options);
    let names = |house: &mut House| house.projection.boards(&[])[0].instance_names.to_vec();
    house.apply(minute(1), |_| {});
    assert_eq!(names(&mut house), [], "its name alone is not enough");
    house.measure(minute(2), 80.0);
    assert_eq!(names(&mut house), [InstanceId::parse("berlin").unwrap()]);
    assert_eq!(house.last().1, Some(80.0), "over all instances it counts as well");
}

#[test]
fn an_incremental_image_holds_what_was_taken_in_but_not_evaluated() {
    let mut house = House::of(plain_kpi(), EVENT);
    house.measure(minute(1), 10.0);
    let mut parts: HashMap<u64, Vec<u64>> = house.projection.take_image(0).into_iter().collect();
    house.measure(minute(2), 20.0);
    parts.extend(house.projection.take_image(1));
    let options = ProjectionOptions {
        clock: EVENT,
        history_ms: None,
        with_readings: true,
    };
    let kept: Parts = parts.into_iter().collect();
    house.projection = Projection::from_image(catalog(plain_kpi(), None), options, &kept).unwrap();
    house.finish();
    assert_eq!(house.values(), [(minute(10).0, Some(30.0))]);
}

#[test]
fn half_an_image_is_refused() {
    let mut house = House::of(plain_kpi(), ClockKind::Recorded);
    house.measure(minute(1), 10.0);
    let options = ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms: None,
        with_readings: true,
    };
    let mut parts = house.projection.take_image(0);
    assert!(Projection::from_image(catalog(plain_kpi(), None), options, &parts).is_some());
    parts.take(|key| key == 3 << 56);
    assert!(
        Projection::from_image(catalog(plain_kpi(), None), options, &parts).is_none(),
        "names are missing"
    );
}
