//! A series told as stories; instants in ms, slices of ten minutes.

use super::*;
use crate::domain::aggregate::SampleValue;
use crate::domain::catalog::Aggregate;
use crate::domain::instant::MINUTE_MS;
use crate::domain::samples::plain_kpi;

/// A series under a definition.
struct Desk {
    definition: KpiDefinition,
    calendar: Calendar,
    series: Series,
}

impl Desk {
    fn of(aggregate: Aggregate) -> Self {
        Self::with(KpiDefinition {
            aggregate,
            ..plain_kpi()
        })
    }

    fn with(definition: KpiDefinition) -> Self {
        Self {
            definition,
            calendar: Calendar::utc(),
            series: Series::default(),
        }
    }

    /// Takes (sequence, minute, value) in, all of them correctable.
    fn add(&mut self, samples: &[(u64, i64, f64)]) {
        for (sequence, minute, value) in samples {
            let (observed_at, value) = (minute * MINUTE_MS, SampleValue::Number(*value));
            let rules = Rules {
                definition: &self.definition,
                calendar: &self.calendar,
            };
            self.series.add(
                rules,
                &Sample {
                    sequence: *sequence,
                    observed_at,
                    value,
                },
                true,
                Instant(i64::MIN),
            );
        }
    }

    fn remove(&mut self, sequence: u64, minute: i64) -> bool {
        let rules = Rules {
            definition: &self.definition,
            calendar: &self.calendar,
        };
        let place = (sequence, Instant(minute * MINUTE_MS));
        self.series.remove(rules, place, Instant(i64::MIN))
    }

    fn value(&self, minute: i64) -> Option<f64> {
        let rules = Rules {
            definition: &self.definition,
            calendar: &self.calendar,
        };
        self.series.read(rules, Instant(minute * MINUTE_MS), Across::Own).value
    }
}

#[test]
fn of_equal_instants_the_journal_decides_in_whatever_order_they_come() {
    let ties = [(3, 5, 30.0), (1, 5, 10.0), (2, 5, 20.0)];
    for (aggregate, value) in [
        (Aggregate::First, 10.0),
        (Aggregate::Last, 30.0),
        (Aggregate::Delta, 20.0),
    ] {
        let mut desk = Desk::of(aggregate);
        desk.add(&ties);
        assert_eq!(desk.value(6), Some(value));
    }
}

#[test]
fn a_removed_extreme_gives_way_to_the_one_before() {
    for (aggregate, rest) in [
        (Aggregate::Min, 4.0),
        (Aggregate::Max, 8.0),
        (Aggregate::Percentile(50.0), 4.0),
    ] {
        let mut desk = Desk::of(aggregate);
        desk.add(&[(1, 1, 4.0), (2, 2, 8.0)]);
        let before = desk.value(9);
        desk.add(&[(3, 3, 1.0), (4, 4, 99.0)]);
        assert!(desk.remove(3, 3) && desk.remove(4, 4));
        assert_eq!(desk.value(9), before, "as if they had never been");
        assert!((before.unwrap() - rest).abs() <= 0.01 * rest);
    }
}

#[test]
fn what_is_not_there_cannot_be_removed() {
    let mut desk = Desk::of(Aggregate::Sum);
    desk.add(&[(1, 1, 4.0)]);
    assert!(!desk.remove(2, 1), "another measurement");
    assert!(!desk.remove(1, 11), "another slice");
    assert!(desk.remove(1, 1));
    assert!(!desk.remove(1, 1), "it is gone");
    assert!(desk.series.is_empty());
}

#[test]
fn everything_remembers_what_its_slices_forgot() {
    const DAY: i64 = 24 * 60;
    let mut desk = Desk::with(KpiDefinition {
        window: Window::All,
        ..plain_kpi()
    });
    desk.add(&[(1, 1, 4.0), (2, DAY + 1, 8.0)]);
    let rules = Rules {
        definition: &desk.definition,
        calendar: &desk.calendar,
    };
    desk.series.trim(rules, Instant(DAY * MINUTE_MS));
    assert_eq!((desk.series.len(), desk.value(2 * DAY)), (1, Some(12.0)));
    assert!(!desk.remove(1, 1), "what was trimmed can be corrected no more");
}

#[test]
fn a_reading_sees_what_was_observed_before_it() {
    let mut desk = Desk::of(Aggregate::Sum);
    desk.add(&[(1, 10, 4.0)]);
    assert_eq!(
        (desk.value(10), desk.value(11), desk.value(40), desk.value(41)),
        (None, Some(4.0), Some(4.0), None)
    );
}

#[test]
fn zero_stands_in_for_an_empty_window_and_is_scored() {
    let desk = Desk::with(KpiDefinition {
        missing: Missing::Zero,
        ..plain_kpi()
    });
    let rules = Rules {
        definition: &desk.definition,
        calendar: &desk.calendar,
    };
    let reading = desk.series.read(rules, Instant(0), Across::Own);
    assert_eq!(
        (reading.value, reading.score, reading.absence),
        (Some(0.0), Some(0.0), None)
    );
}

#[test]
fn a_paused_kpi_shows_its_value_and_is_left_out() {
    let mut desk = Desk::of(Aggregate::Sum);
    desk.definition
        .versions
        .iter_mut()
        .for_each(|version| version.value.paused = true);
    desk.add(&[(1, 1, 4.0)]);
    let rules = Rules {
        definition: &desk.definition,
        calendar: &desk.calendar,
    };
    let reading = desk.series.read(rules, Instant(2 * MINUTE_MS), Across::Own);
    assert_eq!(
        (reading.value, reading.absence, reading.coverage),
        (Some(4.0), Some(Absence::Paused), None)
    );
}

#[test]
fn words_bring_a_series_back_as_it_was() {
    let stddev = Desk::of(Aggregate::Stddev);
    for mut desk in [
        stddev,
        Desk::of(Aggregate::Percentile(90.0)),
        Desk::of(Aggregate::Delta),
        Desk::of(Aggregate::Min),
    ] {
        desk.add(&[(1, 1, 4.0), (2, 2, 8.5), (3, 25, -1.0)]);
        let mut words = Vec::new();
        desk.series.to_words(&mut words);
        let back = Series::from_words(&mut words.iter().copied()).unwrap();
        let mut again = Vec::new();
        back.to_words(&mut again);
        assert_eq!(again, words);
        words.pop();
        let half = Series::from_words(&mut words.into_iter());
        assert!(half.is_none(), "half a series is none");
    }
}

#[test]
fn a_series_of_one_slice_takes_88_bytes_and_each_slice_of_many_56() {
    assert_eq!((size_of::<Series>(), size_of::<(i64, Cell)>()), (88, 56));
    let mut series = Series::default();
    let measure = |series: &mut Series, at: i64| {
        let sample = Sample {
            sequence: 1,
            observed_at: at,
            value: SampleValue::Number(1.0),
        };
        series.add_bare(&Aggregate::Mean, at, &sample);
    };
    measure(&mut series, 5);
    assert!(!series.slices.spilled(), "the first slice stands in the series");
    measure(&mut series, 3);
    assert_eq!((series.slices.spilled(), series.slices.capacity()), (true, 2));
    assert_eq!(
        series.slices.iter().map(|(slice, _)| *slice).collect::<Vec<_>>(),
        [3, 5]
    );
}
