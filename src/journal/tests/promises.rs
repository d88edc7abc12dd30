//! What the door promises, proved on every adapter: in memory, on this machine's disk, and on the faulty disk without faults.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::codec::assert_same;
use super::faulty::FaultyFiles;
use super::samples::{append_all, drain, empty, one_of_everything, plain};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::journal::segment::START;
use crate::journal::{DiskFiles, FileJournal, Files, JournalOptions, MemoryJournal, open_reader};
use crate::ports::{Journal, JournalError};

/// Segments so small that every few blocks begin a new one.
pub(super) const SMALL: JournalOptions = JournalOptions {
    segment_bytes: 1024,
    check_all: true,
};

/// Tells a story on every adapter.
fn on_every_adapter(story: impl Fn(&mut dyn Journal)) {
    story(&mut MemoryJournal::default());
    for segment_bytes in [1024, 1 << 20] {
        let options = JournalOptions { segment_bytes, ..SMALL };
        let folder = tempfile::tempdir().unwrap();
        let dir = folder.path().join("deep").join("journal");
        story(&mut FileJournal::open(&dir, options, Arc::new(DiskFiles)).unwrap());
        let dir = Path::new("/journal");
        story(&mut FileJournal::open(dir, options, Arc::new(FaultyFiles::default())).unwrap());
    }
}

#[test]
fn a_new_journal_begins_at_one() {
    on_every_adapter(|journal| {
        assert_eq!(journal.tail(), START);
        assert!(journal.read_from(Sequence(1)).unwrap().next_block().unwrap().is_none());
    });
}

#[test]
fn blocks_are_read_back_in_order_bit_for_bit() {
    on_every_adapter(|journal| {
        let mut blocks = vec![one_of_everything()];
        journal.append(&blocks[0]).unwrap();
        blocks.extend(append_all(journal, &[1, 100, 0, 3, 700, 1, 1]));
        let read = drain(journal.read_from(Sequence(1)).unwrap().as_mut());
        assert_eq!(read.len(), blocks.len());
        for (read, written) in read.iter().zip(&blocks) {
            assert_same(read, written);
        }
        assert_eq!(journal.tail().next, blocks.last().unwrap().last().plus(1));
        assert_eq!(journal.tail().series, 2);
    });
}

#[test]
fn reading_begins_with_the_block_that_holds_the_sequence() {
    on_every_adapter(|journal| {
        let mut blocks = append_all(journal, &[5, 5, 80, 5]);
        let idle = empty(journal.tail(), 9);
        journal.append(&idle).unwrap();
        blocks.push(idle);
        blocks.extend(append_all(journal, &[5, 1, 200, 4]));
        for from in 0..journal.tail().next.0 + 2 {
            let wanted: Vec<_> = blocks
                .iter()
                .filter(|block| block.first.0 >= from || block.last().0 >= from)
                .cloned()
                .collect();
            let read = drain(journal.read_from(Sequence(from)).unwrap().as_mut());
            assert_eq!(read, wanted, "from {from}");
        }
    });
}

#[test]
fn a_reader_at_the_end_finds_what_is_appended_later() {
    on_every_adapter(|journal| {
        let mut reader = journal.read_from(Sequence(1)).unwrap();
        for round in 1..40 {
            assert!(reader.next_block().unwrap().is_none());
            let blocks = append_all(journal, &[round, 1]);
            assert_eq!(drain(reader.as_mut()), blocks, "round {round}");
        }
    });
}

#[test]
fn blocks_without_facts_keep_their_positions_however_many() {
    on_every_adapter(|journal| {
        let blocks: Vec<_> = (0..50).map(|position| empty(journal.tail(), position)).collect();
        for block in &blocks {
            journal.append(block).unwrap();
        }
        assert_eq!(journal.tail(), START);
        assert_eq!(drain(journal.read_from(Sequence(1)).unwrap().as_mut()), blocks);
        append_all(journal, &[3]);
        assert_eq!(drain(journal.read_from(Sequence(2)).unwrap().as_mut()).len(), 1);
    });
}

#[test]
fn a_block_that_does_not_continue_the_tail_closes_the_journal() {
    let wrongs: [fn(&mut crate::domain::fact::Block); 4] = [
        |block| block.first.0 += 1,
        |block| block.series_base += 1,
        |block| block.recorded_at = Instant(0),
        |block| block.measurements.shape.truncate(0),
    ];
    for wrong in wrongs {
        on_every_adapter(|journal| {
            append_all(journal, &[3]);
            let tail = journal.tail();
            let mut block = plain(tail, 2);
            wrong(&mut block);
            assert!(matches!(journal.append(&block), Err(JournalError::OutOfOrder(_))));
            assert!(matches!(journal.append(&plain(tail, 2)), Err(JournalError::Poisoned)));
            assert!(matches!(journal.read_from(Sequence(1)), Err(JournalError::Poisoned)));
            assert_eq!(journal.tail(), tail);
        });
    }
}

#[test]
fn a_journal_opened_again_goes_on_where_it_ended() {
    for check_all in [true, false] {
        let folder = tempfile::tempdir().unwrap();
        let options = JournalOptions { check_all, ..SMALL };
        let mut blocks = Vec::new();
        for round in 0..12 {
            let mut journal = FileJournal::open(folder.path(), options, Arc::new(DiskFiles)).unwrap();
            assert_eq!(
                drain(journal.read_from(Sequence(1)).unwrap().as_mut()),
                blocks,
                "round {round}"
            );
            blocks.extend(append_all(&mut journal, &[round * 20, 1, 2]));
        }
    }
}

#[test]
fn a_journal_has_one_writer() {
    let folder = tempfile::tempdir().unwrap();
    let open = || FileJournal::open(folder.path(), SMALL, Arc::new(DiskFiles));
    let first = open().unwrap();
    assert!(matches!(open(), Err(JournalError::Locked { .. })));
    drop(first);
    assert!(open().is_ok());
}

#[test]
fn a_reader_without_the_lock_follows_a_living_journal() {
    let folder = tempfile::tempdir().unwrap();
    let mut reader = open_reader(folder.path(), Sequence(1)).unwrap();
    assert!(reader.next_block().unwrap().is_none());
    let mut journal = FileJournal::open(folder.path(), SMALL, Arc::new(DiskFiles)).unwrap();
    for round in 1..60 {
        let blocks = append_all(&mut journal, &[round % 7, 1, round]);
        assert_eq!(drain(reader.as_mut()), blocks, "round {round}");
        let last = blocks.last().unwrap().clone();
        let mut late = open_reader(folder.path(), last.last()).unwrap();
        assert_eq!(late.next_block().unwrap(), Some(last));
    }
}

#[test]
fn a_reader_keeps_up_with_a_writer_on_another_thread() {
    let folder = tempfile::tempdir().unwrap();
    let mut journal = FileJournal::open(folder.path(), SMALL, Arc::new(DiskFiles)).unwrap();
    let mut beside = open_reader(folder.path(), Sequence(1)).unwrap();
    let mut within = journal.read_from(Sequence(1)).unwrap();
    let writer = std::thread::spawn(move || append_all(&mut journal, &[3; 300]));
    for reader in [&mut within, &mut beside] {
        let mut facts = 0;
        while facts < 900 {
            let over = writer.is_finished();
            match reader.next_block().unwrap() {
                Some(block) => facts += block.len(),
                None => assert!(!over, "the writer has finished and {facts} facts are all there is"),
            }
        }
        assert_eq!(facts, 900);
    }
    writer.join().unwrap();
}

#[test]
fn segments_are_reserved_and_named_by_their_first_sequence() {
    let files = FaultyFiles::default();
    let mut journal = FileJournal::open(Path::new("/journal"), SMALL, Arc::new(files.clone())).unwrap();
    append_all(&mut journal, &[1, 20_000, 1]);
    let names = ["/journal/00000000000000000001.seg", "/journal/00000000000000000002.seg"];
    assert_eq!(files.paths()[..2], names.map(PathBuf::from));
    assert_eq!(files.bytes(Path::new(names[0])).len(), 1024);
    assert!(
        files.bytes(Path::new(names[1])).len() > 1024,
        "a large block has a segment of its own"
    );
    let listed = files.list(Path::new("/journal")).unwrap();
    assert_eq!(listed.len(), 3);
}
