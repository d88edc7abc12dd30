//! Crash like the disk would: at every operation, in every way, and again while recovering.

use std::path::Path;
use std::sync::Arc;

use super::faulty::{Fault, FaultyFiles, Survivors};
use super::promises::SMALL;
use super::samples::{drain, empty, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::FileJournal;
use crate::ports::{Journal, JournalError};

const DIR: &str = "/journal";

fn open(files: &FaultyFiles) -> Result<FileJournal, JournalError> {
    FileJournal::open(Path::new(DIR), SMALL, Arc::new(files.clone()))
}

/// What a run left behind: acknowledged blocks, and the one whose append failed.
struct Story {
    acknowledged: Vec<Block>,
    in_flight: Option<Block>,
}

/// Sizes of blocks that fill segments, overflow them, and need segments of their own.
const SIZES: [usize; 14] = [1, 40, 3, 0, 90, 1, 1, 400, 2, 0, 0, 7, 130, 5];

/// Appends until something goes wrong; after that everything must answer `Poisoned`.
fn live(journal: &mut FileJournal, story: &mut Story) {
    for size in SIZES {
        let block = match size {
            0 => empty(journal.tail(), story.acknowledged.len() as u64),
            size => plain(journal.tail(), size),
        };
        match journal.append(&block) {
            Ok(()) => story.acknowledged.push(block),
            Err(error) => {
                assert!(matches!(error, JournalError::Io { .. }), "{error}");
                assert!(matches!(journal.append(&block), Err(JournalError::Poisoned)));
                assert!(matches!(journal.read_from(Sequence(1)), Err(JournalError::Poisoned)));
                story.in_flight = Some(block);
                return;
            }
        }
    }
}

/// All acknowledged blocks are there once, in order; behind them at most the one that was in flight, whole.
fn check(journal: &FileJournal, story: &Story, context: &str) {
    let read = drain(journal.read_from(Sequence(1)).unwrap().as_mut());
    let known = story.acknowledged.len();
    assert_eq!(read.get(..known), Some(&story.acknowledged[..]), "{context}");
    match &read[known..] {
        [] => {}
        [extra] => assert_eq!(Some(extra), story.in_flight.as_ref(), "{context}"),
        more => panic!("{context}: {} blocks that nobody wrote", more.len()),
    }
    assert_eq!(
        journal.tail().next,
        read.last().map_or(Sequence(1), |block| block.last().plus(1))
    );
}

fn survivors() -> impl Iterator<Item = Survivors> {
    [Survivors::Nothing, Survivors::Everything]
        .into_iter()
        .chain((1..6).map(|seed| Survivors::Some(seed * 0x9e37_79b9)))
}

/// Runs the story on a fresh disk with a fault at operation `n`; `None` when the story ended before it.
fn run(n: u64, fault: Fault) -> Option<(FaultyFiles, Story)> {
    let files = FaultyFiles::default();
    files.fault_at(n, fault);
    let mut story = Story {
        acknowledged: Vec::new(),
        in_flight: None,
    };
    if let Ok(mut journal) = open(&files) {
        live(&mut journal, &mut story);
    }
    (files.operations() >= n).then_some((files, story))
}

/// After a recovery: what it showed is durable, and the journal goes on.
fn go_on(files: &FaultyFiles, story: &Story, context: &str) {
    let shown = {
        let journal = open(files).unwrap_or_else(|error| panic!("{context}: {error}"));
        check(&journal, story, context);
        drain(journal.read_from(Sequence(1)).unwrap().as_mut())
    };
    files.restart(Survivors::Nothing);
    let journal = open(files).unwrap_or_else(|error| panic!("{context}, after opening: {error}"));
    let again = drain(journal.read_from(Sequence(1)).unwrap().as_mut());
    assert_eq!(again, shown, "{context}: what was shown is gone after a loss of power");
    drop(journal);
    append_one_more(files, story, context);
}

/// A block appended right after a recovery is there after a loss of power, behind all that was there before.
fn append_one_more(files: &FaultyFiles, story: &Story, context: &str) {
    let mut journal = open(files).unwrap_or_else(|error| panic!("{context}: {error}"));
    check(&journal, story, context);
    let shown = drain(journal.read_from(Sequence(1)).unwrap().as_mut());
    let block = plain(journal.tail(), 30);
    journal.append(&block).unwrap();
    drop(journal);
    files.restart(Survivors::Nothing);
    let journal = open(files).unwrap_or_else(|error| panic!("{context}, after going on: {error}"));
    let last = drain(journal.read_from(block.first).unwrap().as_mut());
    assert_eq!(last.last(), Some(&block), "{context}");
    assert_eq!(
        drain(journal.read_from(Sequence(1)).unwrap().as_mut()).len(),
        shown.len() + 1,
        "{context}"
    );
}

#[test]
fn power_lost_at_any_operation_loses_nothing_acknowledged() {
    let mut n = 1;
    while run(n, Fault::Crash).is_some() {
        for survivors in survivors() {
            let (files, story) = run(n, Fault::Crash).unwrap();
            files.restart(survivors);
            go_on(&files, &story, &format!("power lost at {n}, left {survivors:?}"));
        }
        n += 1;
    }
    assert!(n > 40, "the story has {n} operations");
}

#[test]
fn power_lost_again_while_recovering_loses_nothing_acknowledged() {
    let mut recoveries = 0;
    let mut n = 1;
    while run(n, Fault::Crash).is_some() {
        for survivors in survivors() {
            for m in 1.. {
                let (files, story) = run(n, Fault::Crash).unwrap();
                files.restart(survivors);
                files.fault_at(m, Fault::Crash);
                let opened = open(&files).is_ok();
                if opened && files.operations() < m {
                    break;
                }
                recoveries += 1;
                files.restart(Survivors::Some(n * 31 + m));
                go_on(
                    &files,
                    &story,
                    &format!("power lost at {n}, left {survivors:?}, lost again at {m}"),
                );
            }
        }
        n += 1;
    }
    assert!(recoveries > 100, "{recoveries} recoveries were interrupted");
}

#[test]
fn an_operation_that_fails_closes_the_journal_and_loses_nothing_acknowledged() {
    let mut n = 1;
    while run(n, Fault::Fail).is_some() {
        // The process starts again on a running machine; power is lost only later, if at all.
        let (files, story) = run(n, Fault::Fail).unwrap();
        files.resume();
        go_on(&files, &story, &format!("operation {n} failed"));
        let (files, story) = run(n, Fault::Fail).unwrap();
        files.resume();
        append_one_more(&files, &story, &format!("operation {n} failed, gone on at once"));
        for survivors in survivors() {
            let (files, story) = run(n, Fault::Fail).unwrap();
            files.restart(survivors);
            go_on(
                &files,
                &story,
                &format!("operation {n} failed, then power lost, left {survivors:?}"),
            );
        }
        n += 1;
    }
    assert!(n > 40, "the story has {n} operations");
}

#[test]
fn a_process_killed_between_two_operations_loses_nothing_acknowledged() {
    let mut n = 1;
    while let Some((files, story)) = run(n, Fault::Crash) {
        // All writes before the kill are in the page cache; none of them may be needed later without a sync.
        files.resume();
        go_on(&files, &story, &format!("killed at {n}"));
        let (files, story) = run(n, Fault::Crash).unwrap();
        files.resume();
        append_one_more(&files, &story, &format!("killed at {n}, gone on at once"));
        n += 1;
    }
    assert!(n > 40, "the story has {n} operations");
}
