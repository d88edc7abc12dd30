//! What came and what went, by slices; and who pulls most.

use super::*;
use crate::domain::fact::{Block, Retraction};
use crate::domain::samples::{SLICE_MS, catalog, plain_kpi};

const SERIES: SeriesNumber = SeriesNumber(4);

fn search(entered: RangeInclusive<i64>, left: RangeInclusive<i64>) -> Search {
    let kpi = plain_kpi();
    let key = SeriesKey {
        kpi: kpi.id.clone(),
        source: "till".into(),
        each: None,
    };
    Search {
        catalog: catalog(kpi, None),
        leaves: vec![LeafSearch {
            place: (0, 0),
            entered,
            left,
            earlier: Some(50.0),
        }],
        series: HashMap::from([(SERIES, (key, vec![0]))]),
        until: Sequence(u64::MAX),
    }
}

/// A block of values, one a slice from slice 0 on.
fn block(values: impl IntoIterator<Item = f64>) -> Block {
    let mut block = Block {
        first: Sequence(1),
        recorded_at: Instant(99),
        ..Block::default()
    };
    for (slice, value) in values.into_iter().enumerate() {
        let at = Instant(slice as i64 * SLICE_MS);
        block
            .measurements
            .push(SERIES, (at, at), &MeasuredValue::Number(value), Extra::default());
    }
    block
}

fn found(search: &Search, blocks: &[Block]) -> LeafMovers {
    let mut collector = Collector::new(search);
    for block in blocks {
        for (sequence, entry) in block.entries() {
            collector.take(sequence, &entry, block.recorded_at);
        }
    }
    collector.finish(true).leaves.remove(0)
}

#[test]
fn two_views_differ_by_what_came_and_what_went() {
    for (then, now, entered, left) in [
        ((1, 3), (3, 5), 4..=5, 1..=2),
        // Nothing in common.
        ((1, 3), (7, 9), 7..=9, 1..=3),
        // A running period only grows, and `all` never lets go.
        ((1, 3), (1, 5), 4..=5, NOTHING),
        ((i64::MIN, 3), (i64::MIN, 5), 4..=5, NOTHING),
    ] {
        let [came, went] = LeafSearch::slices([then, now]);
        assert_eq!(came, entered, "{then:?} {now:?}");
        let same = went == left || went.is_empty() && left.is_empty();
        assert!(same, "{then:?} {now:?}: {went:?}");
    }
    let [came, _] = LeafSearch::slices([(1, 3), (1, 3)]);
    assert!(came.is_empty());
}

#[test]
fn what_adds_most_is_told_first_and_everything_is_counted() {
    let search = search(20..=39, 0..=4);
    let leaf = found(&search, &[block((0..50).map(f64::from))]);
    assert_eq!((leaf.entered, leaf.left, leaf.listed.len()), (20, 5, LISTED_MAX));
    let sequences: Vec<u64> = leaf.listed.iter().map(|mover| mover.sequence.0).collect();
    assert_eq!(
        sequences,
        (31..=40).rev().collect::<Vec<u64>>(),
        "sums move by what is added"
    );
}

#[test]
fn a_crowd_is_cut_without_losing_the_loudest() {
    let search = search(0..=9_999, -5..=-1);
    let loud = |index: usize| {
        if index.is_multiple_of(1_000) {
            1e6 + index as f64
        } else {
            1.0
        }
    };
    let leaf = found(&search, &[block((0..10_000).map(loud))]);
    assert_eq!((leaf.entered, leaf.listed.len()), (10_000, 10));
    assert!(leaf.listed.iter().all(|mover| mover.influence >= 1e6));
}

#[test]
fn what_was_retracted_never_moved_anything() {
    let retraction = Retraction {
        target: MeasurementPlace {
            sequence: Sequence(3),
            series: SERIES,
            observed_at: Instant(2 * SLICE_MS),
        },
        retracts: "x".into(),
        received_at: Instant(100),
        extra: Extra::default(),
    };
    let later = Block {
        first: Sequence(5),
        others: vec![(0, Fact::MeasurementRetracted(retraction))],
        ..Block::default()
    };
    let leaf = found(&search(2..=3, 0..=1), &[block([1.0, 2.0, 3.0, 4.0]), later]);
    assert_eq!((leaf.entered, leaf.left), (1, 2));
    assert!(leaf.listed.iter().all(|mover| mover.sequence != Sequence(3)));
}

#[test]
fn other_series_and_other_slices_are_passed_by() {
    let mut other = block([1.0, 2.0]);
    other.measurements.series = vec![7, 7];
    assert_eq!(found(&search(0..=1, -1..=-1), &[other]), LeafMovers::default());
    assert_eq!(
        found(&search(5..=6, 3..=4), &[block([1.0, 2.0])]),
        LeafMovers::default()
    );
}

#[test]
fn a_ratio_pulls_by_what_it_weighs() {
    let ratio = Aggregate::Ratio { scale_by: 100.0 };
    let pull = |above, below| influence(&ratio, &SampleValue::Pair(above, below), Some(80.0));
    assert!(
        pull(0.0, 1.0) < pull(700.0, 1000.0),
        "one miss of one is less than 300 misses of a thousand"
    );
    assert!(pull(800.0, 1000.0).abs() < 1e-9, "what is like before moves nothing");
}
