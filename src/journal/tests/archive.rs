//! Looking up by instant, in any segment, beside the writer.

use std::sync::Arc;

use super::promises::SMALL;
use super::samples::{drain, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::journal::{DiskFiles, FileArchive, FileJournal};
use crate::ports::{Archive, Journal};

/// Forty blocks, one a second, over many small segments.
fn journal(dir: &std::path::Path) -> (FileJournal, Vec<Block>) {
    let mut journal = FileJournal::open(dir, SMALL, Arc::new(DiskFiles)).unwrap();
    let blocks = (0..40_i64).map(|second| {
        let mut block = plain(journal.tail(), 3);
        block.recorded_at = Instant(1_000 * (second + 1));
        journal.append(&block).unwrap();
        block
    });
    let blocks = blocks.collect();
    (journal, blocks)
}

#[test]
fn the_first_block_since_an_instant_is_found_in_any_segment() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, blocks) = journal(folder.path());
    assert!(std::fs::read_dir(folder.path()).unwrap().count() > 5, "many segments");
    for archive in [journal.archive(), FileArchive::open(folder.path())] {
        for block in &blocks {
            for at in [block.recorded_at, block.recorded_at.plus_ms(-999)] {
                assert_eq!(archive.first_since(at).unwrap(), block.first, "{at}");
            }
        }
        let read = drain(archive.read_from(blocks[25].first).unwrap().as_mut());
        assert_eq!(read.first().map(|block| block.first), Some(blocks[25].first));
        assert_eq!(read.len(), 15);
    }
}

#[test]
fn before_everything_is_the_beginning_and_behind_everything_is_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (journal, blocks) = journal(folder.path());
    let archive = journal.archive();
    assert_eq!(archive.first_since(Instant(i64::MIN)).unwrap(), Sequence(1));
    let behind = archive.first_since(Instant(i64::MAX)).unwrap();
    assert_eq!(behind, blocks.last().unwrap().last().plus(1));
    assert!(archive.read_from(behind).unwrap().next_block().unwrap().is_none());
}

#[test]
fn an_empty_journal_has_nothing_since_any_instant() {
    let folder = tempfile::tempdir().unwrap();
    let journal = FileJournal::open(folder.path(), SMALL, Arc::new(DiskFiles)).unwrap();
    let archive = journal.archive();
    let first = archive.first_since(Instant(5)).unwrap();
    assert_eq!(first, Sequence(1));
    assert!(archive.read_from(first).unwrap().next_block().unwrap().is_none());
}
