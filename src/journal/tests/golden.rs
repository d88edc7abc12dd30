//! A segment as an earlier kpid wrote it. The file is a contract: it is never written again, only joined by others.

use std::path::{Path, PathBuf};

use super::codec::{assert_same, encode};
use super::golden_rich::write_when_asked;
use super::samples::{drain, key, one_of_everything, plain};
use crate::domain::fact::{Block, Fact, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, MeasuredValue};
use crate::journal::segment::{START, continues};
use crate::journal::{Trims, open_reader, verify};
use crate::ports::Tail;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal/v1")
}

/// What stands in it.
fn expected() -> Vec<Block> {
    let mut blocks = vec![one_of_everything()];
    for rows in [1, 150] {
        let tail = blocks
            .iter()
            .fold(START, |tail: Tail, block| continues(tail, block).unwrap());
        blocks.push(plain(tail, rows));
    }
    blocks
}

#[test]
fn a_journal_of_version_1_is_read_as_it_was_written() {
    let blocks = drain(open_reader(&folder(), Sequence(1)).unwrap().as_mut());
    assert_eq!(blocks.len(), 3);
    for (read, written) in blocks.iter().zip(&expected()) {
        assert_same(read, written);
    }
}

#[test]
fn a_journal_of_version_1_still_proves() {
    let report = verify(&folder(), &mut |_, _| {}).unwrap();
    assert_eq!(report.facts, expected().iter().map(Block::len).sum::<u64>());
    insta::assert_snapshot!(report.head_hash, @"cf954c10673cfe4dbbadb57a87528786056d05dc6cd06f4dbb5e8721240e0a2f");
}

fn folder_v2() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal/v2")
}

/// What is kept of the journal of version 2: the base at sequence 40, 40 measurements, the trim of version 2 that names it.
#[test]
fn a_trimmed_journal_of_version_2_is_read_as_it_was_written() {
    let trims = Trims::of(&folder_v2());
    let base = trims.base().unwrap().unwrap();
    assert_eq!(
        (trims.first().unwrap(), base.block.last()),
        (Sequence(41), Sequence(40))
    );
    let names: Vec<&str> = base.block.new_series.iter().map(|key| key.kpi.as_str()).collect();
    assert_eq!(names, ["it.csat", "it.mttr"]);
    let state: Vec<_> = base.state.iter().collect();
    assert_eq!(
        state,
        [(1 << 56, [7, 8, u64::MAX].as_slice()), (9 << 56, [].as_slice())]
    );
    let blocks = drain(open_reader(&folder_v2(), Sequence(1)).unwrap().as_mut());
    assert_same(&blocks[0], &base.block);
    let begun = Tail {
        next: Sequence(41),
        recorded_at: base.block.recorded_at,
        series: 2,
    };
    assert_same(&blocks[1], &plain(begun, 40));
    let trim = Fact::HistoryTrimmed {
        up_to: Sequence(40),
        hash: base.previous,
        base: Some(base.hash),
    };
    assert_eq!(blocks[2].others, [(0, trim)]);
}

#[test]
fn a_trimmed_journal_of_version_2_still_proves() {
    let report = verify(&folder_v2(), &mut |_, _| {}).unwrap();
    let trimmed = report.trimmed.unwrap();
    assert_eq!((trimmed.up_to, trimmed.named_at), (Sequence(40), Some(Sequence(81))));
    insta::assert_snapshot!(report.head_hash, @"4b33d51f7606dc5a36d5837e477c7743679743307035c0534df84209e2a05b29");
}

fn folder_v3() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal/v3")
}

/// Blocks of decimals that mostly go forward: narrow ones, wide ones, some that are neither, and one without any.
fn expected_v3() -> Vec<Block> {
    const MORNING: i64 = 1_772_359_200_000;
    let mixed = |row: u64| (row.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ row).rotate_left(20) % 10_000;
    let narrow = |row: u64| mixed(row) as f64 / 100.0;
    let wide = |row: u64| (mixed(row) * 10_000_000_000 + row) as f64 / 1_000.0;
    let neither = |row: u64| match row {
        0 => 0.1 + 0.2,
        40 => -0.0,
        41 => 1e300,
        199 => f64::MIN_POSITIVE,
        _ => -narrow(row),
    };
    let values: [&dyn Fn(u64) -> f64; 4] = [&narrow, &wide, &neither, &|row| (row as f64).sqrt()];
    let mut tail = START;
    let mut block_of = |value: &dyn Fn(u64) -> f64| {
        let mut block = Block {
            first: tail.next,
            recorded_at: Instant(tail.recorded_at.0.max(MORNING) + 600_000),
            series_base: tail.series,
            ..Block::default()
        };
        if tail.series == 0 {
            block.new_series = vec![key("it.csat", None), key("it.mttr", Some("berlin"))];
        }
        for row in 0..200 {
            let late = match row {
                17 | 18 => 3_600_000,
                60 => -86_400_000,
                100..=120 => 900_000,
                _ => 0,
            };
            let observed_at =
                Instant(tail.recorded_at.0.max(MORNING) + 1_000 * row as i64 + mixed(row) as i64 % 500 - late);
            let value = MeasuredValue::Number(value(row));
            let instants = (observed_at, Instant(block.recorded_at.0 - 3));
            let series = SeriesNumber((mixed(row) % 2) as u32);
            block.measurements.push(series, instants, &value, Extra::default());
        }
        tail = continues(tail, &block).unwrap();
        block
    };
    values.map(&mut block_of).into()
}

#[test]
fn a_journal_of_version_3_is_read_as_it_was_written() {
    let expected = expected_v3();
    write_when_asked("v3", &expected);
    let blocks = drain(open_reader(&folder_v3(), Sequence(1)).unwrap().as_mut());
    assert_eq!(blocks.len(), expected.len());
    for (read, written) in blocks.iter().zip(&expected) {
        assert_same(read, written);
    }
    let version = |block: &Block| encode(block, [0; 32])[4];
    assert_eq!(blocks.iter().map(version).collect::<Vec<_>>(), [3, 3, 3, 3]);
    let mut unordered = expected[3].clone();
    unordered.measurements.observed_at.reverse();
    assert_eq!(version(&unordered), 1, "nothing in it needs a later one");
    let report = verify(&folder_v3(), &mut |_, _| {}).unwrap();
    assert_eq!(report.facts, 800);
}
