//! Aggregates, told by small examples.

use super::*;

fn sample(sequence: u64, observed_at: i64, value: f64) -> Sample {
    Sample {
        sequence,
        observed_at,
        value: SampleValue::Number(value),
    }
}

fn cell(aggregate: &Aggregate, samples: &[Sample]) -> Cell {
    let mut cell = Cell::default();
    for sample in samples {
        cell.add(aggregate, sample);
    }
    cell
}

#[test]
fn each_aggregate_says_what_its_name_says() {
    let samples = [
        sample(1, 10, 4.0),
        sample(2, 5, 1.0),
        sample(3, 20, 7.0),
        sample(4, 20, -2.0),
    ];
    for (aggregate, value) in [
        (Aggregate::Count, 4.0),
        (Aggregate::Sum, 10.0),
        (Aggregate::Mean, 2.5),
        (Aggregate::Min, -2.0),
        (Aggregate::Max, 7.0),
        (Aggregate::First, 1.0),
        (Aggregate::Last, -2.0),
        (Aggregate::Delta, -3.0),
        (Aggregate::Stddev, 11.25_f64.sqrt()),
        (Aggregate::Rate { per_ms: 1_000 }, 1.0),
    ] {
        assert_eq!(
            cell(&aggregate, &samples).value(&aggregate, 10_000),
            Some(value),
            "{aggregate:?}"
        );
        for split in 0..=samples.len() {
            let mut merged = cell(&aggregate, &samples[..split]);
            merged.merge(&cell(&aggregate, &samples[split..]));
            let found = merged.value(&aggregate, 10_000).unwrap();
            assert!((found - value).abs() < 1e-12, "{aggregate:?} split at {split}: {found}");
        }
    }
}

#[test]
fn a_ratio_is_a_ratio_of_sums() {
    let aggregate = Aggregate::Ratio { scale_by: 100.0 };
    let pair = |sequence, above, below| Sample {
        sequence,
        observed_at: 0,
        value: SampleValue::Pair(above, below),
    };
    let one = cell(&aggregate, &[pair(1, 1.0, 1.0), pair(2, 0.0, 99.0)]);
    assert_eq!(one.value(&aggregate, 1), Some(1.0));
    let none = cell(&aggregate, &[pair(1, 1.0, 0.0)]);
    assert_eq!(none.value(&aggregate, 1), None);
}

#[test]
fn a_sum_survives_great_and_small() {
    let mut sum = Sum::default();
    for number in [1e100, 1.0, -1e100] {
        sum.add(number);
    }
    assert_eq!(sum.total(), 1.0);
}

#[test]
fn the_latest_measurement_may_say_not_applicable() {
    let none = |sequence, observed_at| Sample {
        sequence,
        observed_at,
        value: SampleValue::NotApplicable,
    };
    let cell = cell(&Aggregate::Mean, &[sample(1, 10, 4.0), none(2, 10)]);
    assert!(cell.is_latest_not_applicable());
    assert_eq!((cell.any, cell.count), (2, 1));
}

#[test]
fn words_bring_the_same_cell_back() {
    let things = |hash| Sample {
        sequence: 1,
        observed_at: 2,
        value: SampleValue::Thing(hash),
    };
    let all = [
        Aggregate::Mean,
        Aggregate::Min,
        Aggregate::Max,
        Aggregate::First,
        Aggregate::Last,
        Aggregate::Delta,
    ];
    let mut cells: Vec<Cell> = all
        .iter()
        .map(|kind| cell(kind, &[sample(1, 5, 0.1), sample(2, 4, -0.0)]))
        .collect();
    cells.push(cell(&Aggregate::Stddev, &[sample(1, 5, 0.1), sample(2, 4, 3.0)]));
    cells.push(cell(&Aggregate::Percentile(50.0), &[sample(1, 5, 0.1)]));
    cells.push(cell(
        &Aggregate::Distinct { key: "user".into() },
        &[things(7), things(8)],
    ));
    cells.push(Cell::default());
    for cell in cells {
        let mut words = Vec::new();
        cell.to_words(&mut words);
        assert_eq!(Cell::from_words(&mut words.into_iter()), Some(cell));
    }
}
