//! Damage: told from an interrupted write, named by its sequences, and never passed over.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::faulty::FaultyFiles;
use super::promises::SMALL;
use super::samples::{append_all, drain, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::block::HEADER_LEN;
use crate::journal::inspect::{Depth, JournalStat, survey};
use crate::journal::reader::open_reader_in;
use crate::journal::{FileJournal, JournalOptions};
use crate::ports::{BlockReader, Journal, JournalError};

pub(super) const DIR: &str = "/journal";
const LARGE: JournalOptions = JournalOptions {
    segment_bytes: 1 << 16,
    check_all: true,
};

pub(super) fn written(options: JournalOptions, sizes: &[usize]) -> (FaultyFiles, Vec<Block>) {
    let files = FaultyFiles::default();
    let mut journal = FileJournal::open(Path::new(DIR), options, Arc::new(files.clone())).unwrap();
    let blocks = append_all(&mut journal, sizes);
    (files, blocks)
}

pub(super) fn open(files: &FaultyFiles) -> Result<FileJournal, JournalError> {
    FileJournal::open(Path::new(DIR), LARGE, Arc::new(files.clone()))
}

pub(super) fn check(files: &FaultyFiles, depth: Depth) -> Result<JournalStat, JournalError> {
    survey(Path::new(DIR), Arc::new(files.clone()), depth, &mut |_, _| {})
}

pub(super) fn range(error: &JournalError) -> (u64, u64) {
    match error {
        JournalError::Damaged { from, to, .. } => (from.0, to.0),
        other => panic!("{other}"),
    }
}

pub(super) fn only_segment() -> PathBuf {
    PathBuf::from("/journal/00000000000000000001.seg")
}

/// Where the blocks of a segment begin, and where they end.
pub(super) fn places(bytes: &[u8]) -> Vec<usize> {
    let mut places = vec![0];
    let mut at = 0;
    while bytes[at..].starts_with(&crate::journal::block::MAGIC) {
        let len: [u8; 4] = bytes[at + 40..at + 44].try_into().unwrap();
        at += HEADER_LEN + u32::from_le_bytes(len) as usize;
        places.push(at);
    }
    places
}

#[test]
fn a_flipped_bit_before_the_last_block_stops_the_start_and_names_the_sequences() {
    let (files, blocks) = written(LARGE, &[4, 10, 6]);
    let pristine = files.bytes(&only_segment());
    let places = places(&pristine);
    for at in (places[1]..places[2]).step_by(3) {
        files.tamper(&only_segment(), |bytes| bytes[at] ^= 0x10);
        for error in [open(&files).unwrap_err(), check(&files, Depth::Counts).unwrap_err()] {
            assert_eq!(range(&error), (5, 14), "byte {at}: {error}");
        }
        let mut reader = open_reader_in(Path::new(DIR), Sequence(1), Arc::new(files.clone())).unwrap();
        assert_eq!(reader.next_block().unwrap().as_ref(), Some(&blocks[0]));
        assert_eq!(range(&reader.next_block().unwrap_err()), (5, 14), "byte {at}");
        files.tamper(&only_segment(), |bytes| bytes.clone_from(&pristine));
    }
    assert!(open(&files).is_ok());
}

#[test]
fn an_unfinished_last_block_is_cut_off_wherever_it_ends() {
    let (files, blocks) = written(LARGE, &[4, 10, 6]);
    let pristine = files.bytes(&only_segment());
    let places = places(&pristine);
    // In words, which is how memory and disks take bytes.
    for at in (places[2]..places[3]).step_by(8) {
        files.tamper(&only_segment(), |bytes| {
            bytes.clone_from(&pristine);
            bytes[at..].fill(0);
        });
        let mut reader = open_reader_in(Path::new(DIR), Sequence(1), Arc::new(files.clone())).unwrap();
        let whole = drain(&mut reader);
        assert_eq!(whole[..], blocks[..whole.len()]);
        assert!(whole.len() >= 2);
        let report = check(&files, Depth::Content).unwrap();
        assert_eq!(report.blocks, whole.len() as u64);
        let mut journal = open(&files).unwrap();
        assert_eq!(drain(journal.read_from(Sequence(1)).unwrap().as_mut()), whole);
        let next = plain(journal.tail(), 2);
        journal.append(&next).unwrap();
        assert_eq!(reader.next_block().unwrap(), Some(next), "cut at {at}");
    }
}

#[test]
fn a_last_block_whose_head_is_missing_is_cut_off() {
    let (files, blocks) = written(LARGE, &[4, 10]);
    let places = places(&files.bytes(&only_segment()));
    files.tamper(&only_segment(), |bytes| bytes[places[1]..places[1] + 64].fill(0));
    assert!(check(&files, Depth::Counts).unwrap().incomplete_bytes > 0);
    let journal = open(&files).unwrap();
    assert_eq!(drain(journal.read_from(Sequence(1)).unwrap().as_mut()), blocks[..1]);
}

#[test]
fn nothing_stale_stands_behind_what_is_written_after_a_cut() {
    // Sectors of an interrupted write far behind its beginning, farther than zeros are written ahead.
    let options = JournalOptions {
        segment_bytes: 1 << 20,
        ..LARGE
    };
    let (files, _) = written(options, &[4]);
    files.tamper(&only_segment(), |bytes| bytes[700_000..700_512].fill(7));
    let mut journal = open(&files).unwrap();
    append_all(&mut journal, &[1]);
    drop(journal);
    let bytes = files.bytes(&only_segment());
    let end = *self::places(&bytes).last().unwrap();
    assert!(bytes[end..].iter().all(|byte| *byte == 0));
    assert_eq!(open(&files).unwrap().tail().next, Sequence(6));
}

#[test]
fn an_unfinished_block_in_a_segment_that_is_not_the_last_is_damage() {
    let (files, _) = written(SMALL, &[60, 60, 60, 60, 60, 60, 60, 60, 60, 60]);
    let segments = files.paths();
    assert!(segments.len() > 2);
    let places = places(&files.bytes(&segments[0]));
    let last = places[places.len() - 2];
    files.tamper(&segments[0], |bytes| bytes[last + 30..].fill(0));
    let error = open(&files).unwrap_err();
    let next: u64 = segments[1].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!(range(&error).1, next - 1, "{error}");
    let mut reader = open_reader_in(Path::new(DIR), Sequence(1), Arc::new(files.clone())).unwrap();
    let end = std::iter::repeat_with(|| reader.next_block())
        .find(|block| !matches!(block, Ok(Some(_))))
        .unwrap();
    assert!(matches!(end, Err(JournalError::Damaged { .. })), "{end:?}");
}

#[test]
fn a_missing_segment_is_noticed() {
    for (missing, extent) in [(0, true), (0, false), (1, true)] {
        let (files, _) = written(SMALL, &[60; 12]);
        let segments = files.paths();
        assert!(segments.len() >= 3);
        files.remove(&segments[missing]);
        let options = JournalOptions {
            check_all: extent,
            ..SMALL
        };
        let error = FileJournal::open(Path::new(DIR), options, Arc::new(files.clone())).unwrap_err();
        assert!(range(&error).0 > 0, "{error}");
        assert!(check(&files, Depth::Counts).is_err());
        let reader = open_reader_in(Path::new(DIR), Sequence(1), Arc::new(files));
        let mut reader = match reader {
            Err(error) => panic_unless_damaged(&error),
            Ok(reader) => Some(reader),
        };
        if let Some(reader) = reader.as_mut() {
            let end = std::iter::repeat_with(|| reader.next_block()).find(|block| !matches!(block, Ok(Some(_))));
            assert!(end.unwrap().is_err());
        }
    }
}

fn panic_unless_damaged<T>(error: &JournalError) -> Option<T> {
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    None
}

#[test]
fn an_empty_last_segment_is_a_crash_right_after_its_creation() {
    let (files, blocks) = written(SMALL, &[60, 60, 60]);
    let next = blocks.last().unwrap().last().plus(1);
    for len in [0, 1024] {
        let path = PathBuf::from(format!("/journal/{:020}.seg", next.0));
        files.remove(&path);
        crate::journal::Files::create(&files, &path).unwrap();
        files.tamper(&path, |bytes| bytes.resize(len, 0));
        let mut journal = open(&files).unwrap();
        assert_eq!(journal.tail().next, next);
        journal.append(&plain(journal.tail(), 3)).unwrap();
        drop(journal);
        assert_eq!(open(&files).unwrap().tail().next, next.plus(3));
    }
}

#[test]
fn blocks_that_are_whole_but_out_of_order_break_the_chain() {
    let (files, _) = written(LARGE, &[4, 4, 4]);
    let places = places(&files.bytes(&only_segment()));
    assert_eq!(
        places[2] - places[1],
        places[3] - places[2],
        "this test swaps blocks of one length"
    );
    files.tamper(&only_segment(), |bytes| {
        let (left, right) = bytes.split_at_mut(places[2]);
        left[places[1]..].swap_with_slice(&mut right[..places[3] - places[2]]);
    });
    assert!(matches!(open(&files), Err(JournalError::Damaged { .. })));
}

#[test]
fn a_block_replaced_by_another_whole_one_breaks_the_chain() {
    let (files, _) = written(LARGE, &[4, 4, 4]);
    let places = places(&files.bytes(&only_segment()));
    let mut forged = plain(crate::journal::segment::START, 4);
    forged.measurements.value[2] += 0.1;
    let bytes = super::codec::encode(&forged, [0; 32]);
    assert_eq!(bytes.len(), places[1]);
    files.tamper(&only_segment(), |file| file[..bytes.len()].copy_from_slice(&bytes));
    let error = check(&files, Depth::Content).unwrap_err();
    assert_eq!(range(&error), (5, 8), "{error}");
    assert!(error.to_string().contains("hash"), "{error}");
}

#[test]
fn a_block_of_a_later_version_is_not_cut_off() {
    let (files, _) = written(LARGE, &[4, 4]);
    let places = places(&files.bytes(&only_segment()));
    files.tamper(&only_segment(), |bytes| {
        let head = &mut bytes[places[1]..places[1] + HEADER_LEN];
        head[4] = 9;
        let crc = crc32c::crc32c(&head[..HEADER_LEN - 4]);
        head[HEADER_LEN - 4..].copy_from_slice(&crc.to_le_bytes());
    });
    let error = open(&files).unwrap_err();
    assert!(error.to_string().contains("format version 9"), "{error}");
}

#[test]
fn figures_and_proof_of_a_journal_fit_what_was_written() {
    let (files, blocks) = written(SMALL, &[60, 1, 30, 200, 5]);
    let mut seen = Vec::new();
    let report = survey(
        Path::new(DIR),
        Arc::new(files.clone()),
        Depth::Content,
        &mut |done, all| seen.push((done, all)),
    )
    .unwrap();
    assert_eq!(report, check(&files, Depth::Counts).unwrap());
    assert_eq!(
        (report.blocks, report.facts, report.measurements, report.series),
        (5, 296, 296, 2)
    );
    assert_eq!((report.first, report.last), (Some(Sequence(1)), Some(Sequence(296))));
    assert_eq!(report.first_recorded_at, Some(blocks[0].recorded_at));
    assert_eq!(report.last_recorded_at, Some(blocks[4].recorded_at));
    assert_eq!(report.segments, files.paths().len() as u64);
    assert_eq!(report.head_hash, open(&files).unwrap().head_hash());
    assert_eq!(report.incomplete_bytes, 0);
    assert!(
        seen.is_sorted()
            && seen
                .last()
                .is_some_and(|(done, all)| done == all && *all == report.reserved_bytes)
    );
}
