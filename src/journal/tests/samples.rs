//! Blocks to write: plain ones in a row, one of every kind of fact, and arbitrary ones.

use proptest::collection::vec;
use proptest::prelude::*;

use crate::domain::catalog::CatalogFile;
use crate::domain::fact::{
    Block, Correction, Fact, MeasurementPlace, Measurements, Retraction, SeriesNumber, SourcePosition,
};
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};
use crate::ports::{BlockReader, Journal, Tail};

pub(super) const MORNING: i64 = 1_772_359_200_000;

/// A block of `rows` plain measurements that continues `tail`; the first one of a journal names the series.
pub(super) fn plain(tail: Tail, rows: usize) -> Block {
    let mut block = Block {
        first: tail.next,
        recorded_at: Instant(tail.recorded_at.0.max(MORNING) + 7),
        series_base: tail.series,
        ..Block::default()
    };
    if tail.series == 0 {
        block.new_series = vec![key("it.csat", None), key("it.mttr", Some("berlin"))];
    }
    for row in 0..rows {
        let n = tail.next.0 + row as u64;
        let observed_at = Instant(MORNING + 250 * n as i64 - i64::from(n.is_multiple_of(5)) * 4_000);
        let value = MeasuredValue::Number((n * 37 % 1000) as f64 / 10.0);
        let instants = (observed_at, Instant(block.recorded_at.0 - 3));
        block
            .measurements
            .push(SeriesNumber((n % 2) as u32), instants, &value, Extra::default());
    }
    block
}

/// A block that holds no fact and moves a source.
pub(super) fn empty(tail: Tail, position: u64) -> Block {
    Block {
        first: tail.next,
        recorded_at: tail.recorded_at,
        series_base: tail.series,
        positions: vec![SourcePosition {
            source: "KPI_MEASUREMENTS@2026-03-01T10:00:00Z".into(),
            sequence: position,
        }],
        ..Block::default()
    }
}

pub(super) fn key(kpi: &str, instance: Option<&str>) -> SeriesKey {
    SeriesKey {
        kpi: KpiId::parse(kpi).unwrap(),
        source: "servicedesk".into(),
        each: instance.map(|name| ("site".into(), InstanceId::parse(name).unwrap())),
    }
}

/// A block with every kind of value and every kind of fact.
pub(super) fn one_of_everything() -> Block {
    let mut block = plain(
        Tail {
            next: Sequence(1),
            ..Tail::default()
        },
        2,
    );
    block.positions = empty(Tail::default(), 4711).positions;
    let values = [
        MeasuredValue::Weighted {
            value: -0.0,
            weight: 2.5,
        },
        MeasuredValue::Ratio {
            numerator: 412.0,
            denominator: 0.0,
        },
        MeasuredValue::Word("good".into()),
        MeasuredValue::NotApplicable,
        MeasuredValue::Word("great".into()),
        MeasuredValue::Word("good".into()),
    ];
    for (minute, value) in values.iter().enumerate() {
        let at = Instant(MORNING + 60_000 * minute as i64);
        block.measurements.push(SeriesNumber(1), (at, at), value, extra(minute));
    }
    block.others = every_fact()
        .into_iter()
        .enumerate()
        .map(|(index, fact)| (index as u32 / 2 * 2, fact))
        .collect();
    block
}

fn extra(n: usize) -> Extra {
    match n % 3 {
        0 => Extra::default(),
        1 => Extra {
            id: Some("9f3c".into()),
            labels: vec![
                ("site".into(), "berlin".into()),
                ("team".into(), "netz & dienste".into()),
            ],
            ..Extra::default()
        },
        _ => Extra {
            note: Some("after the outage, \u{fc}berall gr\u{fc}n".into()),
            by: Some("Ada".into()),
            ..Extra::default()
        },
    }
}

pub(super) fn every_fact() -> Vec<Fact> {
    let target = MeasurementPlace {
        sequence: Sequence(1),
        series: SeriesNumber(0),
        observed_at: Instant(MORNING),
    };
    let text = str::to_owned;
    vec![
        Fact::MeasurementCorrected(Correction {
            target,
            corrects: "9f3c".into(),
            observed_at: Instant(MORNING + 1),
            received_at: Instant(MORNING + 2),
            value: MeasuredValue::Ratio {
                numerator: 1.0,
                denominator: 3.0,
            },
            extra: extra(1),
        }),
        Fact::MeasurementRetracted(Retraction {
            target,
            retracts: "9f3c".into(),
            received_at: Instant(MORNING + 3),
            extra: extra(2),
        }),
        Fact::CatalogActivated {
            fingerprint: text("sha256:00ff"),
            files: vec![CatalogFile {
                name: text("it.toml"),
                text: text("[scorecard]\nid = \"it\"\n"),
            }],
        },
        Fact::NoteAdded {
            path: text("it/customer"),
            about: Instant(MORNING),
            text: text("strike"),
            by: text("Bo"),
        },
        Fact::AlertAcknowledged {
            rule: text("csat-low"),
            path: text("it"),
            by: text("Cy"),
            reason: text("on it"),
            until: Some(Instant(MORNING + 9)),
        },
        Fact::AlertAcknowledged {
            rule: text("r"),
            path: text("it"),
            by: text("Cy"),
            reason: text(""),
            until: None,
        },
        Fact::SilenceSet {
            id: text("s1"),
            on: text("it/**"),
            rule: None,
            by: text("Di"),
            reason: text("move"),
            from: Instant(MORNING),
            until: Instant(MORNING + 10),
        },
        Fact::SilenceSet {
            id: text("s2"),
            on: text("it/**"),
            rule: Some(text("csat-low")),
            by: text("Di"),
            reason: text("move"),
            from: Instant(-1),
            until: Instant(MORNING + 10),
        },
        Fact::HistoryTrimmed {
            up_to: Sequence(12),
            hash: [0xab; 32],
            base: None,
        },
    ]
}

/// Appends plain blocks of these sizes and gives them back.
pub(super) fn append_all(journal: &mut dyn Journal, sizes: &[usize]) -> Vec<Block> {
    let mut blocks = Vec::new();
    for size in sizes {
        let block = plain(journal.tail(), *size);
        journal.append(&block).unwrap();
        blocks.push(block);
    }
    blocks
}

/// All that a reader finds until its end.
pub(super) fn drain(reader: &mut dyn BlockReader) -> Vec<Block> {
    std::iter::from_fn(|| reader.next_block().unwrap()).collect()
}

// ---------------------------------------------------------------- arbitrary blocks

fn arbitrary_extra() -> impl Strategy<Value = Extra> {
    let text = || proptest::option::of(".{0,20}");
    (text(), vec((".{0,5}", ".{0,9}"), 0..3), text(), text()).prop_map(|(id, labels, note, by)| Extra {
        id: id.map(String::into_boxed_str),
        labels: labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect(),
        note: note.map(String::into_boxed_str),
        by: by.map(String::into_boxed_str),
    })
}

/// Any bits at all, often plain ones.
fn arbitrary_number() -> impl Strategy<Value = f64> {
    prop_oneof![
        any::<u64>().prop_map(f64::from_bits),
        (-1000_i32..1000).prop_map(|n| f64::from(n) / 10.0),
        Just(-0.0),
        Just(f64::NAN),
        Just(f64::NEG_INFINITY),
    ]
}

fn arbitrary_value() -> impl Strategy<Value = MeasuredValue> {
    prop_oneof![
        4 => arbitrary_number().prop_map(MeasuredValue::Number),
        1 => (arbitrary_number(), arbitrary_number()).prop_map(|(value, weight)| MeasuredValue::Weighted { value, weight }),
        1 => (arbitrary_number(), arbitrary_number())
            .prop_map(|(numerator, denominator)| MeasuredValue::Ratio { numerator, denominator }),
        1 => "[a-d]{1,2}".prop_map(|word| MeasuredValue::Word(word.into())),
        1 => ("[a-d]{1,2}", 0.0..9.0_f64).prop_map(|(word, weight)| MeasuredValue::WeightedWord { word: word.into(), weight }),
        1 => Just(MeasuredValue::NotApplicable),
    ]
}

fn arbitrary_instant() -> impl Strategy<Value = i64> {
    prop_oneof![4 => MORNING..MORNING + 100_000, 1 => any::<i64>()]
}

fn arbitrary_measurements() -> impl Strategy<Value = Measurements> {
    let row = (
        any::<u32>(),
        arbitrary_instant(),
        arbitrary_instant(),
        arbitrary_value(),
        proptest::option::weighted(0.2, arbitrary_extra()),
    );
    vec(row, 0..200).prop_map(|rows| {
        let mut columns = Measurements::default();
        for (series, observed_at, received_at, value, extra) in rows {
            let instants = (Instant(observed_at), Instant(received_at));
            columns.push(SeriesNumber(series), instants, &value, extra.unwrap_or_default());
        }
        columns
    })
}

fn arbitrary_series() -> impl Strategy<Value = SeriesKey> {
    (
        "[a-z0-9][a-z0-9._-]{0,8}",
        ".{0,8}",
        proptest::option::of((".{0,5}", "[a-zA-Z0-9.\u{e4}]{1,9}")),
    )
        .prop_map(|(kpi, source, each)| SeriesKey {
            kpi: KpiId::parse(&kpi).unwrap(),
            source: source.into(),
            each: each.map(|(label, instance)| (label.into(), InstanceId::parse(&instance).unwrap())),
        })
}

/// A block of anything, which continues nothing in particular.
pub(super) fn arbitrary_block() -> impl Strategy<Value = Block> {
    let positions = vec((".{0,8}", any::<u64>()), 0..3);
    let others = vec((any::<prop::sample::Index>(), any::<prop::sample::Index>()), 0..6);
    let head = (1..u64::MAX / 2, arbitrary_instant(), positions, any::<u32>());
    (head, vec(arbitrary_series(), 0..4), arbitrary_measurements(), others).prop_map(
        |(head, new_series, measurements, others)| {
            let (first, recorded_at, positions, series_base) = head;
            let facts = every_fact();
            let mut others: Vec<(u32, Fact)> = others
                .iter()
                .map(|(place, kind)| {
                    (
                        place.index(measurements.len() + 1) as u32,
                        facts[kind.index(facts.len())].clone(),
                    )
                })
                .collect();
            others.sort_by_key(|(place, _)| *place);
            Block {
                first: Sequence(first),
                recorded_at: Instant(recorded_at),
                positions: positions
                    .into_iter()
                    .map(|(source, sequence)| SourcePosition {
                        source: source.into(),
                        sequence,
                    })
                    .collect(),
                series_base,
                new_series,
                measurements,
                others,
            }
        },
    )
}
