//! Damage at every place: each bit, each length, each segment. Each has an outcome that is stated here, and in the README.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::damage::{DIR, check, open, places, range, written};
use super::faulty::FaultyFiles;
use super::promises::SMALL;
use super::samples::{drain, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::inspect::Depth;
use crate::journal::reader::open_reader_in;
use crate::journal::{FileJournal, Files, JournalOptions};
use crate::ports::{BlockReader, Journal, JournalError};

/// What a reader beside a living writer makes of it: whole blocks, and how it ends.
fn read(files: &FaultyFiles) -> (Vec<Block>, Result<(), JournalError>) {
    let mut reader = match open_reader_in(Path::new(DIR), Sequence(1), Arc::new(files.clone())) {
        Ok(reader) => reader,
        Err(error) => return (Vec::new(), Err(error)),
    };
    let mut blocks = Vec::new();
    loop {
        match reader.next_block() {
            Ok(Some(block)) => blocks.push(block),
            Ok(None) => return (blocks, Ok(())),
            Err(error) => return (blocks, Err(error)),
        }
    }
}

/// Everybody who looks says that these sequences are damaged, gives what stands before them, and changes nothing.
fn everybody_names(files: &FaultyFiles, sequences: (u64, u64), before: &[Block], tale: &str) {
    let bytes = |files: &FaultyFiles| files.paths().iter().map(|path| files.bytes(path)).collect::<Vec<_>>();
    let found = bytes(files);
    let opened = open(files).expect_err(tale);
    assert_eq!(range(&opened), sequences, "{tale}: {opened}");
    let surveyed = check(files, Depth::Counts).expect_err(tale);
    assert_eq!(range(&surveyed), sequences, "{tale}: {surveyed}");
    let (blocks, end) = read(files);
    assert_eq!(blocks, before, "{tale}");
    assert_eq!(range(&end.expect_err(tale)), sequences, "{tale}");
    assert!(found == bytes(files), "{tale}: nothing is changed");
}

/// Everybody finds these blocks, and the journal goes on behind them.
fn everybody_finds(files: &FaultyFiles, blocks: &[Block], tale: &str) {
    let (found, end) = read(files);
    end.expect(tale);
    assert_eq!(found, blocks, "{tale}");
    assert_eq!(
        check(files, Depth::Content).expect(tale).blocks,
        blocks.len() as u64,
        "{tale}"
    );
    let mut journal = open(files).expect(tale);
    assert_eq!(
        drain(journal.read_from(Sequence(1)).unwrap().as_mut()),
        blocks,
        "{tale}"
    );
    let next = plain(journal.tail(), 2);
    journal.append(&next).expect(tale);
    drop(journal);
    let journal = open(files).expect(tale);
    assert_eq!(
        drain(journal.read_from(next.first).unwrap().as_mut()).last(),
        Some(&next),
        "{tale}"
    );
}

fn sequences(block: &Block) -> (u64, u64) {
    (block.first.0, block.last().0)
}

/// A copy of a disk: stories may harm it.
fn copy(pristine: &[(PathBuf, Vec<u8>)]) -> FaultyFiles {
    let files = FaultyFiles::default();
    for (path, bytes) in pristine {
        Files::create(&files, path).unwrap();
        files.tamper(path, |file| file.clone_from(bytes));
    }
    files
}

fn contents(files: &FaultyFiles) -> Pristine {
    let paths = files.paths().into_iter();
    paths.map(|path| (path.clone(), files.bytes(&path))).collect()
}

#[test]
fn every_flipped_bit_of_a_block_stops_everybody_and_is_named_and_behind_the_end_it_does_no_harm() {
    let (files, blocks) = written(SMALL, &[4, 70, 6]);
    let pristine = contents(&files);
    assert_eq!(pristine.len(), 1);
    let (path, bytes) = &pristine[0];
    let places = places(bytes);
    for bit in 0..bytes.len() * 8 {
        let byte = bit / 8;
        let tale = format!("bit {} of byte {byte}", bit % 8);
        let files = copy(&pristine);
        files.tamper(path, |bytes| bytes[byte] ^= 1 << (bit % 8));
        match places
            .iter()
            .rposition(|place| *place <= byte)
            .filter(|hit| *hit < blocks.len())
        {
            Some(hit) => everybody_names(&files, sequences(&blocks[hit]), &blocks[..hit], &tale),
            None => everybody_finds(&files, &blocks, &tale),
        }
    }
}

#[test]
fn a_segment_cut_at_every_byte_is_damage_unless_whole_blocks_remain() {
    let (files, blocks) = written(SMALL, &[4, 70, 6]);
    let pristine = contents(&files);
    let (path, bytes) = &pristine[0];
    let places = places(bytes);
    for len in 0..bytes.len() {
        let tale = format!("cut to {len} bytes");
        let files = copy(&pristine);
        files.tamper(path, |bytes| bytes.truncate(len));
        let whole = places.iter().rposition(|place| *place <= len).unwrap_or_default();
        if places[whole] == len || whole == blocks.len() {
            // Nothing in a journal tells that there was more behind a whole block: the state does, see the daemon.
            everybody_finds(&files, &blocks[..whole], &tale);
        } else {
            let first = blocks[whole].first.0;
            let header_remains = len - places[whole] >= crate::journal::block::HEADER_LEN;
            let last = if header_remains { blocks[whole].last().0 } else { first };
            everybody_names(&files, (first, last), &blocks[..whole], &tale);
        }
    }
}

/// Files by path.
type Pristine = Vec<(PathBuf, Vec<u8>)>;

/// What is done to a segment, in words and in deed.
type Harm = (&'static str, fn(&FaultyFiles, &Path));

/// A journal of at least five segments, and which blocks stand in which.
fn segments() -> (Pristine, Vec<Block>, Vec<u64>) {
    let (files, blocks) = written(SMALL, &[60; 14]);
    let firsts: Vec<u64> = files.paths().iter().map(|path| first_of(path)).collect();
    assert!(firsts.len() >= 5);
    (contents(&files), blocks, firsts)
}

fn first_of(path: &Path) -> u64 {
    path.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

fn before(blocks: &[Block], sequence: u64) -> &[Block] {
    let count = blocks.iter().take_while(|block| block.first.0 < sequence).count();
    &blocks[..count]
}

#[test]
fn a_missing_emptied_or_zeroed_segment_is_named_and_the_last_one_leaves_a_whole_journal() {
    let (pristine, blocks, firsts) = segments();
    let harms: [Harm; 3] = [
        ("missing", |files, path| files.remove(path)),
        ("emptied", |files, path| files.tamper(path, Vec::clear)),
        ("zeroed", |files, path| files.tamper(path, |bytes| bytes.fill(0))),
    ];
    for (what, harm) in harms {
        for (number, (path, _)) in pristine.iter().enumerate() {
            let tale = format!("segment {number} of {} {what}", firsts.len());
            let files = copy(&pristine);
            harm(&files, path);
            let Some(next) = firsts.get(number + 1) else {
                everybody_finds(&files, before(&blocks, firsts[number]), &tale);
                continue;
            };
            let opened = open(&files).expect_err(&tale);
            assert_eq!(range(&opened), (firsts[number], next - 1), "{tale}: {opened}");
            assert_eq!(
                range(&check(&files, Depth::Counts).expect_err(&tale)),
                (firsts[number], next - 1),
                "{tale}"
            );
            let (found, end) = read(&files);
            assert_eq!(found, before(&blocks, firsts[number]), "{tale}");
            assert_eq!(range(&end.expect_err(&tale)).0, firsts[number], "{tale}");
        }
    }
}

#[test]
fn segments_that_changed_places_are_noticed() {
    let (pristine, blocks, firsts) = segments();
    for one in 0..pristine.len() {
        for other in one + 1..pristine.len() {
            let tale = format!("segments {one} and {other} changed places");
            let files = copy(&pristine);
            files.tamper(&pristine[one].0, |bytes| bytes.clone_from(&pristine[other].1));
            files.tamper(&pristine[other].0, |bytes| bytes.clone_from(&pristine[one].1));
            assert_eq!(range(&open(&files).expect_err(&tale)).0, firsts[one], "{tale}");
            let (found, end) = read(&files);
            assert_eq!(found, before(&blocks, firsts[one]), "{tale}");
            assert!(end.is_err(), "{tale}");
        }
    }
}

#[test]
fn a_short_look_at_the_start_leaves_damage_for_whoever_reads_it() {
    let (pristine, blocks, firsts) = segments();
    let files = copy(&pristine);
    files.tamper(&pristine[1].0, |bytes| bytes[200] ^= 1);
    let quick = JournalOptions {
        check_all: false,
        ..SMALL
    };
    let journal = FileJournal::open(Path::new(DIR), quick, Arc::new(files)).unwrap();
    assert_eq!(journal.tail().next, blocks.last().unwrap().last().plus(1));
    let mut reader = journal.read_from(Sequence(1)).unwrap();
    let end = std::iter::repeat_with(|| reader.next_block()).find(|block| !matches!(block, Ok(Some(_))));
    let (from, to) = range(&end.unwrap().unwrap_err());
    assert!(from >= firsts[1] && to < firsts[2], "{from} to {to}");
}

#[test]
fn files_that_are_no_segments_do_no_harm_and_one_that_claims_to_be_is_damage() {
    let (pristine, blocks, _) = segments();
    let files = copy(&pristine);
    for name in [
        "notes.txt",
        "1.seg",
        "00000000000000000001.seg.bak",
        ".seg",
        "lost+found",
        "0000000000000000000a.seg",
    ] {
        let path = Path::new(DIR).join(name);
        Files::create(&files, &path).unwrap();
        files.tamper(&path, |bytes| bytes.extend_from_slice(b"not ours"));
    }
    everybody_finds(&files, &blocks, "files of somebody else");
    let files = copy(&pristine);
    let path = Path::new(DIR).join("00000000000000000007.seg");
    Files::create(&files, &path).unwrap();
    files.tamper(&path, |bytes| bytes.extend_from_slice(&[7; 500]));
    assert!(matches!(open(&files), Err(JournalError::Damaged { .. })));
}
