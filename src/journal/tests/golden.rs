//! A segment as an earlier kpid wrote it. The file is a contract: it is never written again, only joined by others.

use std::path::{Path, PathBuf};

use super::codec::assert_same;
use super::samples::{drain, one_of_everything, plain};
use crate::domain::fact::{Block, Fact};
use crate::domain::id::Sequence;
use crate::journal::segment::continues;
use crate::journal::{Trims, open_reader, verify};
use crate::ports::Tail;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/journal/v1")
}

/// What stands in it.
fn expected() -> Vec<Block> {
    let mut blocks = vec![one_of_everything()];
    for rows in [1, 150] {
        let tail = blocks.iter().fold(super::super::segment::START, |tail: Tail, block| {
            continues(tail, block).unwrap()
        });
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
