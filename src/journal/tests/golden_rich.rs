//! A journal with every kind of value and fact, columns of every encoding, and two catalogs: how its bytes are made, and
//! what everybody who reads them must find. Its files are a contract: never written again, only joined by others.
//!
//! `tests/golden/journal/v1-rich.dump` is what a reader finds, one line a block, series, row or fact; `tests/golden/read.py`, written from
//! the room's documentation alone, finds the same. A journal of a later shape gets a folder of its own: name one that is not there yet
//! in `KPID_TEST_WRITE_GOLDEN` to have it written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::{Value, json};

use super::codec::assert_same;
use super::samples::{MORNING, drain};
use crate::domain::catalog::CatalogFile;
use crate::domain::fact::{
    Block, Correction, Entry, Fact, MeasurementPlace, Measurements, Retraction, SeriesNumber, SourcePosition,
};
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};
use crate::journal::block::hash_of;
use crate::journal::segment::{START, continues};
use crate::journal::{DiskFiles, FileJournal, JournalOptions, open_reader, verify};
use crate::ports::{Journal, Tail};

const HOUSE: &str = include_str!("../../../tests/golden/catalog/rich/house.toml");
const SHOP: &str = include_str!("../../../tests/golden/catalog/rich/shop.toml");

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/golden/journal")
        .join(name)
}

// ---------------------------------------------------------------- what stands in it

/// A block that continues a tail, a minute later.
fn next(tail: Tail) -> Block {
    Block {
        first: tail.next,
        recorded_at: Instant(tail.recorded_at.0.max(MORNING) + 60_000),
        series_base: tail.series,
        ..Block::default()
    }
}

fn activation(house: &str) -> Fact {
    let file = |name: &str, text: &str| CatalogFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let files = vec![file("house.toml", house), file("shop.toml", SHOP)];
    let fingerprint = crate::wire::catalog::parse(&files).unwrap().fingerprint;
    Fact::CatalogActivated { fingerprint, files }
}

fn series() -> Vec<SeriesKey> {
    let key = |kpi: &str, source: &str, site: Option<&str>| SeriesKey {
        kpi: KpiId::parse(kpi).unwrap(),
        source: source.into(),
        each: site.map(|site| ("site".into(), InstanceId::parse(site).unwrap())),
    };
    vec![
        key("house.kept", "desk", None),
        key("house.wait", "desk", None),
        key("house.mood", "", None),
        key("house.teams", "desk", None),
        key("shop.rating", "till", Some("berlin")),
        key("shop.rating", "till", Some("M\u{fc}nchen/S\u{fc}d")),
    ]
}

fn extra(n: u64) -> Extra {
    let text = |is_there: bool, text: String| is_there.then(|| text.into_boxed_str());
    let team = ("team".into(), format!("team {}", n % 7).into());
    Extra {
        id: text(n.is_multiple_of(2), format!("id-{n}")),
        labels: match n % 3 {
            0 => Vec::new(),
            1 => vec![team],
            _ => vec![("floor".into(), n.to_string().into()), team],
        },
        note: text(
            n.is_multiple_of(5),
            format!("noted {n}: \u{fc}berall gr\u{fc}n \u{1f600}"),
        ),
        by: text(n.is_multiple_of(10), "Ada".to_owned()),
    }
}

/// The `n`-th measurement: series, value.
fn measured(n: u64) -> (u32, MeasuredValue) {
    let number = (n * 37 % 1000) as f64 / 10.0;
    let word = ["bad", "good", "great"][(n % 3) as usize];
    match n % 8 {
        0 => (0, ratio(number, 100.0)),
        1 | 2 => (1, MeasuredValue::Number(number)),
        3 => (2, MeasuredValue::Word(word.into())),
        4 => {
            let (word, weight) = (word.into(), number);
            (2, MeasuredValue::WeightedWord { word, weight })
        }
        5 => (3, MeasuredValue::Number(-0.0)),
        6 => (4, MeasuredValue::Number(number)),
        _ if n % 16 == 7 => (5, MeasuredValue::NotApplicable),
        _ => (5, MeasuredValue::Number(number)),
    }
}

fn ratio(numerator: f64, denominator: f64) -> MeasuredValue {
    MeasuredValue::Ratio { numerator, denominator }
}

fn rows(first: u64, count: u64, recorded_at: Instant) -> Measurements {
    let mut rows = Measurements::default();
    for n in first..first + count {
        let (series, value) = measured(n);
        let observed_at = Instant(MORNING + 971 * n as i64 - (n % 5) as i64 * 40_000);
        let received_at = Instant(recorded_at.0 - (n % 11) as i64);
        rows.push(SeriesNumber(series), (observed_at, received_at), &value, extra(n));
    }
    rows
}

/// Every kind of fact but the catalog's, corrections to every shape.
fn facts(at: i64) -> Vec<Fact> {
    let text = str::to_owned;
    let target = |sequence: u64, series: u32| MeasurementPlace {
        sequence: Sequence(sequence),
        series: SeriesNumber(series),
        observed_at: Instant(MORNING),
    };
    let correct = |(sequence, series): (u64, u32), value: MeasuredValue| {
        Fact::MeasurementCorrected(Correction {
            target: target(sequence, series),
            corrects: format!("id-{sequence}").into(),
            observed_at: Instant(at - 5_000),
            received_at: Instant(at - 1),
            value,
            extra: extra(sequence),
        })
    };
    vec![
        correct((2, 0), ratio(9.0, 10.0)),
        correct((3, 1), MeasuredValue::Number(61.5)),
        correct((4, 2), MeasuredValue::Word("great".into())),
        correct(
            (5, 2),
            MeasuredValue::Weighted {
                value: 3.0,
                weight: 0.25,
            },
        ),
        correct(
            (6, 2),
            MeasuredValue::WeightedWord {
                word: "bad".into(),
                weight: 2.0,
            },
        ),
        correct((8, 5), MeasuredValue::NotApplicable),
        Fact::MeasurementRetracted(Retraction {
            target: target(7, 4),
            retracts: "id-7".into(),
            received_at: Instant(at - 2),
            extra: extra(10),
        }),
        Fact::NoteAdded {
            path: text("house/process"),
            about: Instant(at - 9),
            text: text("strike"),
            by: text("Bo"),
        },
        Fact::AlertAcknowledged {
            rule: text("wait-long"),
            path: text("house"),
            by: text("Cy"),
            reason: text("on it"),
            until: Some(Instant(at + 9)),
        },
        Fact::AlertAcknowledged {
            rule: text("any-red"),
            path: text("house"),
            by: text("Cy"),
            reason: text(""),
            until: None,
        },
        Fact::SilenceSet {
            id: text("s1"),
            on: text("house/**"),
            rule: None,
            by: text("Di"),
            reason: text("move"),
            from: Instant(-1),
            until: Instant(at + 10),
        },
        Fact::SilenceSet {
            id: text("s2"),
            on: text("house/**"),
            rule: Some(text("wait-long")),
            by: text("Di"),
            reason: text("move"),
            from: Instant(at),
            until: Instant(at + 10),
        },
        Fact::HistoryTrimmed {
            up_to: Sequence(0),
            hash: [0xab; 32],
            base: None,
        },
    ]
}

fn positions(sequence: u64) -> Vec<SourcePosition> {
    let of = |source: &str, sequence| SourcePosition {
        source: source.into(),
        sequence,
    };
    vec![
        of("jetstream:KPI_MEASUREMENTS:1772359200", sequence),
        of("second", u64::MAX - sequence),
    ]
}

fn expected() -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut tail = START;
    for number in 0..8 {
        let mut block = next(tail);
        let first = block.first.0;
        match number {
            0 => block.others.push((0, activation(HOUSE))),
            1 => {
                block.new_series = series();
                block.positions = positions(17);
                block.measurements = rows(first, 8, block.recorded_at);
            }
            2 => block.measurements = rows(first, 300, block.recorded_at),
            3 => block.positions = positions(4_711),
            4 => {
                block.measurements = rows(first, 5, block.recorded_at);
                let facts = facts(block.recorded_at.0).into_iter().enumerate();
                block.others = facts.map(|(index, fact)| (index as u32 / 4 + 2, fact)).collect();
            }
            5 => {
                block
                    .others
                    .push((40, activation(&HOUSE.replace("above = 60", "above = 55"))));
                block.measurements = rows(first, 70, block.recorded_at);
            }
            6 => {
                // Columns that hold one number only.
                for n in 0..70 {
                    let at = Instant(block.recorded_at.0 - 500);
                    let value = MeasuredValue::Number(58.0);
                    block
                        .measurements
                        .push(SeriesNumber(1), (at, at), &value, Extra::default());
                    assert!(n < 70);
                }
            }
            _ => block.measurements = rows(first, 1, block.recorded_at),
        }
        tail = continues(tail, &block).unwrap();
        blocks.push(block);
    }
    blocks
}

// ---------------------------------------------------------------- what a reader finds, in lines

fn bits(number: f64) -> String {
    format!("{:016x}", number.to_bits())
}

fn extra_of(extra: &Extra) -> Value {
    json!({"id": extra.id, "labels": extra.labels, "note": extra.note, "by": extra.by})
}

fn value_of(value: &MeasuredValue) -> Value {
    match value {
        MeasuredValue::Number(value) => json!(["number", bits(*value)]),
        MeasuredValue::Weighted { value, weight } => json!(["weighted", bits(*value), bits(*weight)]),
        MeasuredValue::Ratio { numerator, denominator } => json!(["ratio", bits(*numerator), bits(*denominator)]),
        MeasuredValue::Word(word) => json!(["word", &**word]),
        MeasuredValue::WeightedWord { word, weight } => json!(["weighted word", &**word, bits(*weight)]),
        MeasuredValue::NotApplicable => json!(["not applicable"]),
    }
}

fn place_of(place: &MeasurementPlace) -> Value {
    json!([place.sequence.0, place.series.0, place.observed_at.0])
}

fn fact_of(fact: &Fact) -> Value {
    match fact {
        Fact::MeasurementCorrected(it) => json!({"fact": "MeasurementCorrected", "place": place_of(&it.target),
            "corrects": it.corrects, "observed_at": it.observed_at.0, "received_at": it.received_at.0,
            "value": value_of(&it.value), "extra": extra_of(&it.extra)}),
        Fact::MeasurementRetracted(it) => json!({"fact": "MeasurementRetracted", "place": place_of(&it.target),
            "retracts": it.retracts, "received_at": it.received_at.0, "extra": extra_of(&it.extra)}),
        Fact::CatalogActivated { fingerprint, files } => json!({"fact": "CatalogActivated", "fingerprint": fingerprint,
            "files": files.iter().map(|file| json!([file.name, file.text])).collect::<Vec<_>>()}),
        Fact::NoteAdded { path, about, text, by } => {
            json!({"fact": "NoteAdded", "about": about.0, "path": path, "text": text, "by": by})
        }
        Fact::AlertAcknowledged {
            rule,
            path,
            by,
            reason,
            until,
        } => json!({"fact": "AlertAcknowledged",
            "until": until.map(|at| at.0), "rule": rule, "path": path, "by": by, "reason": reason}),
        Fact::SilenceSet {
            id,
            on,
            rule,
            by,
            reason,
            from,
            until,
        } => json!({"fact": "SilenceSet", "id": id, "on": on,
            "rule": rule, "by": by, "reason": reason, "from": from.0, "until": until.0}),
        Fact::HistoryTrimmed { up_to, hash, .. } => {
            json!({"fact": "HistoryTrimmed", "up_to": up_to.0, "hash": blake3::Hash::from_bytes(*hash).to_hex().to_string()})
        }
    }
}

/// All that a block says, a line each.
fn lines_of(block: &Block) -> Vec<Value> {
    let positions: Vec<Value> = block
        .positions
        .iter()
        .map(|one| json!([&*one.source, one.sequence]))
        .collect();
    let mut lines = vec![
        json!({"block": block.first.0, "facts": block.len(), "recorded_at": block.recorded_at.0,
        "positions": positions}),
    ];
    for (number, key) in (block.series_base..).zip(&block.new_series) {
        let each = key
            .each
            .as_ref()
            .map(|(label, instance)| json!([&**label, instance.as_str()]));
        lines.push(json!({"series": number, "kpi": key.kpi.as_str(), "source": &*key.source, "each": each}));
    }
    for (sequence, entry) in block.entries() {
        let mut line = match entry {
            Entry::Measurement(row) => json!({"series": row.series.0, "observed_at": row.observed_at.0,
                "received_at": row.received_at.0, "value": value_of(&row.measured_value()),
                "extra": row.extra.map(extra_of)}),
            Entry::Other(fact) => fact_of(fact),
        };
        line["sequence"] = sequence.0.into();
        lines.push(line);
    }
    lines
}

/// The dump of a journal folder.
fn dump(folder: &Path) -> String {
    let blocks = drain(open_reader(folder, Sequence(1)).unwrap().as_mut());
    let mut lines: Vec<Value> = blocks.iter().flat_map(lines_of).collect();
    lines.push(json!({"head": verify(folder, &mut |_, _| {}).unwrap().head_hash}));
    let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.join("\n") + "\n"
}

// ---------------------------------------------------------------- the contract

/// Writes a journal and its dump, where its folder is named and is not there yet.
pub(super) fn write_when_asked(name: &str, blocks: &[Block]) {
    let folder = golden(name);
    if std::env::var("KPID_TEST_WRITE_GOLDEN").as_deref() != Ok(name) || folder.exists() {
        return;
    }
    let options = JournalOptions {
        segment_bytes: 4_096,
        check_all: true,
    };
    let mut journal = FileJournal::open(&folder, options, Arc::new(DiskFiles)).unwrap();
    for block in blocks {
        journal.append(block).unwrap();
    }
    drop(journal);
    std::fs::remove_file(folder.join("lock")).unwrap();
    std::fs::write(golden(&format!("{name}.dump")), dump(&folder)).unwrap();
}

#[test]
fn a_rich_journal_of_version_1_is_read_as_it_was_written() {
    let expected = expected();
    write_when_asked("v1-rich", &expected);
    let blocks = drain(open_reader(&golden("v1-rich"), Sequence(1)).unwrap().as_mut());
    assert_eq!(blocks.len(), expected.len());
    for (read, written) in blocks.iter().zip(&expected) {
        assert_same(read, written);
    }
}

#[test]
fn every_golden_journal_with_a_dump_is_read_as_it_says() {
    for name in ["v1", "v1-rich", "v3"] {
        let path = golden(&format!("{name}.dump"));
        assert!(
            dump(&golden(name)) == std::fs::read_to_string(path).unwrap(),
            "the dump of {name} has changed"
        );
    }
}

#[test]
fn a_rich_journal_of_version_1_still_proves() {
    let report = verify(&golden("v1-rich"), &mut |_, _| {}).unwrap();
    assert_eq!(report.facts, expected().iter().map(Block::len).sum::<u64>());
    assert!(report.segments > 1, "{report:?}");
    // Its hashes are those of its bytes, whoever computes them.
    let first = std::fs::read(golden("v1-rich/00000000000000000001.seg")).unwrap();
    let len = |at: usize| 88 + u32::from_le_bytes(first[at + 40..at + 44].try_into().unwrap()) as usize;
    let (one, other) = (&first[..len(0)], &first[len(0)..]);
    assert_eq!(
        hash_of(one),
        other[48..80],
        "each block holds the hash of the one before"
    );
}
