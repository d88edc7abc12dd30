//! What a kill takes back of changes that wait in memory, and what it never parts.
//!
//! A copy of the files as they are while the store is open is what a kill leaves behind.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant as Moment};

use proptest::prelude::*;

use super::damage::copy;
use super::outbox::SledOutbox;
use super::promises::{DESTINATIONS, at, head, state_dir};
use super::shelf::Shelf;
use super::transition::tests::transition;
use super::*;
use crate::domain::alert::AlertTransition;
use crate::domain::id::Sequence;
use crate::ports::{Checkpoints, Outbox, SeenIds};

/// Nothing is written by itself during a test.
const NEVER: Duration = Duration::from_hours(1);
const SOON: Duration = Duration::from_millis(5);
/// sled writes twice a second.
const WAIT_MAX: Duration = Duration::from_secs(20);

fn open_writing(dir: &Path, every: Duration) -> StateStore {
    StateStore::open_writing(dir, DESTINATIONS, every).unwrap().0
}

/// What a kill at this moment leaves.
fn killed(dir: &Path) -> (tempfile::TempDir, StateStore) {
    let (home, copied): (_, PathBuf) = state_dir();
    copy(dir, &copied);
    let store = open_writing(&copied, NEVER);
    (home, store)
}

/// What a kill leaves as soon as it leaves this; whatever it leaves before is looked at, too.
fn killed_when(dir: &Path, is_there: impl Fn(&StateStore) -> bool) -> (tempfile::TempDir, StateStore) {
    let started = Moment::now();
    loop {
        let (home, store) = killed(dir);
        if is_there(&store) {
            return (home, store);
        }
        assert!(started.elapsed() < WAIT_MAX, "it is never there");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn pending(outbox: &dyn Outbox) -> Vec<String> {
    let pending = outbox.pending("nats", 99).unwrap();
    pending.into_iter().map(|(_, transition)| transition.id).collect()
}

#[test]
fn a_saved_state_is_never_there_without_what_was_decided_before_it() {
    let (_home, dir) = state_dir();
    let store = open_writing(&dir, NEVER);
    for number in 1..=3 {
        store
            .outbox()
            .put(at(number), &[transition(&number.to_string())])
            .unwrap();
    }
    store
        .checkpoints()
        .save(&head(3), super::promises::parts([(1, vec![1])]))
        .unwrap();
    let (_copy, after) = killed_when(&dir, |store| store.checkpoints().load().unwrap().is_some());
    assert_eq!(after.outbox().position().unwrap(), Some(at(3)));
    assert_eq!(pending(&after.outbox()), ["1", "2", "3"]);
}

#[test]
fn a_kill_takes_the_position_back_with_the_transitions_that_were_not_written() {
    let (_home, dir) = state_dir();
    let store = open_writing(&dir, NEVER);
    store.outbox().put(at(1), &[transition("a"), transition("b")]).unwrap();
    store.flush().unwrap();
    let first = store.outbox().pending("nats", 1).unwrap()[0].0;
    store.outbox().done("nats", first).unwrap();
    store.outbox().put(at(2), &[transition("c")]).unwrap();
    assert_eq!(pending(&store.outbox()), ["b", "c"], "who is not killed sees them");
    let (_copy, after) = killed(&dir);
    assert_eq!(after.outbox().position().unwrap(), Some(at(1)));
    assert_eq!(pending(&after.outbox()), ["a", "b"]);
    // Decided again from there, nothing is missing and nothing is there twice.
    after.outbox().put(at(2), &[transition("b"), transition("c")]).unwrap();
    assert_eq!(pending(&after.outbox()), ["a", "b", "c"]);
}

#[test]
fn what_waits_is_written_soon_although_nothing_more_happens() {
    let (_home, dir) = state_dir();
    let store = open_writing(&dir, SOON);
    store.outbox().put(at(7), &[transition("a")]).unwrap();
    store.seen_ids().remember(Sequence(7), &[]).unwrap();
    let (_copy, after) = killed_when(&dir, |store| {
        let reached = store.seen_ids().reached();
        let put = store.outbox().position().unwrap();
        reached == Sequence(7) && put == Some(at(7))
    });
    assert_eq!(pending(&after.outbox()), ["a"]);
    assert!(after.seen_ids().position() <= Sequence(7), "ids are saved more seldom");
}

#[test]
fn how_far_it_was_told_is_kept_by_a_stop_and_by_each_save_of_ids() {
    let (_home, dir) = state_dir();
    let store = open_writing(&dir, NEVER);
    store.seen_ids().remember(Sequence(3), &[]).unwrap();
    store.seen_ids().save().unwrap();
    store.seen_ids().remember(Sequence(9), &[]).unwrap();
    drop(store);
    let store = open_writing(&dir, NEVER);
    assert_eq!(store.seen_ids().reached(), Sequence(9));
}

#[test]
fn more_than_may_wait_is_written_at_once() {
    let (_home, dir) = state_dir();
    let store = open_writing(&dir, NEVER);
    let many: Vec<AlertTransition> = (0..3_000).map(|number| transition(&number.to_string())).collect();
    store.outbox().put(at(1), &many).unwrap();
    let (_copy, after) = killed_when(&dir, |store| store.outbox().position().unwrap().is_some());
    assert_eq!(after.outbox().pending("nats", 5_000).unwrap().len(), 3_000);
}

/// A store with its outbox alone, which remembers few ids.
fn small_outbox(db: &sled::Db) -> SledOutbox {
    let lock = std::sync::Arc::new(tempfile::tempfile().unwrap());
    let shelf = Shelf::open((db, &lock), outbox::TREE, |_, _| ()).unwrap();
    SledOutbox::open_bounded(shelf, DESTINATIONS, 6).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whenever what waits is written, the outbox shows what one in memory shows.
    #[test]
    fn an_outbox_that_writes_later_shows_what_one_in_memory_shows(
        steps in prop::collection::vec((0..6_u8, 0..12_u64), 1..60),
    ) {
        let db = sled::Config::new().temporary(true).open().unwrap();
        let mut written = small_outbox(&db);
        let memory = MemoryOutbox::bounded(DESTINATIONS, 6);
        for (number, (what, which)) in steps.into_iter().enumerate() {
            match what {
                0 | 1 => {
                    let some: Vec<_> = (0..which % 3).map(|more| transition(&format!("{}", which + more))).collect();
                    written.put(at(number as u64), &some).unwrap();
                    memory.put(at(number as u64), &some).unwrap();
                }
                2 | 3 => {
                    let destination = DESTINATIONS[usize::from(what - 2)];
                    // The oldest: only then do both forget the same ids.
                    for outbox in [&written as &dyn Outbox, &memory] {
                        if let Some((key, _)) = outbox.pending(destination, 1).unwrap().first() {
                            outbox.done(destination, *key).unwrap();
                        }
                    }
                }
                4 => written.write().unwrap(),
                _ => {
                    drop(written);
                    written = small_outbox(&db);
                }
            }
            prop_assert_eq!(written.position().unwrap(), memory.position().unwrap());
            for destination in DESTINATIONS {
                let shown = |outbox: &dyn Outbox| -> Vec<String> {
                    let pending = outbox.pending(destination, 99).unwrap();
                    pending.into_iter().map(|(_, transition)| transition.id).collect()
                };
                prop_assert_eq!(shown(&written), shown(&memory));
            }
        }
    }
}
