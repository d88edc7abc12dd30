//! A segment as an earlier kpid wrote it. The file is a contract: it is never written again, only joined by others.

use std::path::{Path, PathBuf};

use super::codec::assert_same;
use super::samples::{drain, one_of_everything, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::segment::continues;
use crate::journal::{open_reader, verify};
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
