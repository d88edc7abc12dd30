//! What the doors promise, proved on every adapter: one suite for sled and for memory.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use proptest::prelude::*;

use super::transition::tests::transition;
use super::*;
use crate::domain::alert::AlertTransition;
use crate::domain::fact::{MeasurementPlace, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::ports::{CheckpointHead, Checkpoints, Outbox, Seen, SeenIds};

pub(super) const DESTINATIONS: &[&str] = &["nats", "webhook"];

pub(super) fn open(dir: &Path) -> (StateStore, OpenReport) {
    StateStore::open(dir, DESTINATIONS).unwrap()
}

pub(super) fn state_dir() -> (tempfile::TempDir, PathBuf) {
    let home = tempfile::tempdir().unwrap();
    let dir = home.path().join("state");
    (home, dir)
}

pub(super) fn seen(number: u64) -> Seen {
    Seen {
        place: MeasurementPlace {
            sequence: Sequence(number),
            series: SeriesNumber(number as u32 % 7),
            observed_at: Instant(-5 * number as i64),
        },
        recorded_at: Instant(1_000 + number as i64),
        content: number.wrapping_mul(0x9e37_79b9_7f4a_7c15),
        retracted: number.is_multiple_of(3),
    }
}

pub(super) fn entry(source: &str, id: &str, seen: Seen) -> (Arc<str>, Box<str>, Seen) {
    (source.into(), id.into(), seen)
}

pub(super) fn head(number: u64) -> CheckpointHead {
    CheckpointHead {
        sequence: Sequence(number),
        at: Instant(-(number as i64)),
        fingerprint: format!("sha256:{number}"),
    }
}

/// Words that do not compress (`SplitMix64`).
pub(super) fn noise(seed: u64, len: usize) -> Vec<u64> {
    let mut state = seed.wrapping_mul(0xd134_2543_de82_ef95);
    let mut word = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    };
    (0..len).map(|_| word()).collect()
}

pub(super) fn parts<const N: usize>(parts: [(u64, Vec<u64>); N]) -> Parts {
    parts.into_iter().collect()
}

pub(super) fn at(number: u64) -> (Sequence, Instant) {
    (Sequence(number), Instant(number as i64 * 10))
}

fn ids(pending: &[(u64, AlertTransition)]) -> Vec<&str> {
    pending.iter().map(|(_, transition)| transition.id.as_str()).collect()
}

// ---------------------------------------------------------------- seen ids

fn on_every_seen_ids(promise: fn(&mut dyn SeenIds)) {
    promise(&mut MemorySeenIds::default());
    let (_home, dir) = state_dir();
    promise(&mut open(&dir).0.seen_ids());
}

#[test]
fn what_was_remembered_is_found_and_nothing_else() {
    on_every_seen_ids(|ids| {
        assert_eq!(ids.position(), Sequence::ZERO);
        ids.remember(Sequence(2), &[entry("crm", "a", seen(1)), entry("lms", "a", seen(2))])
            .unwrap();
        assert_eq!(ids.position(), Sequence(2));
        assert_eq!(ids.find("crm", "a").unwrap(), Some(seen(1)));
        assert_eq!(ids.find("lms", "a").unwrap(), Some(seen(2)));
        assert_eq!(ids.find("crm", "b").unwrap(), None);
        assert_eq!(ids.find("cr", "ma").unwrap(), None);
    });
}

#[test]
fn a_later_entry_of_an_id_replaces_the_earlier() {
    on_every_seen_ids(|ids| {
        ids.remember(Sequence(2), &[entry("crm", "a", seen(1)), entry("crm", "a", seen(2))])
            .unwrap();
        assert_eq!(ids.find("crm", "a").unwrap(), Some(seen(2)));
        ids.remember(Sequence(3), &[entry("crm", "a", seen(3))]).unwrap();
        assert_eq!(ids.find("crm", "a").unwrap(), Some(seen(3)));
    });
}

#[test]
fn a_block_without_ids_moves_the_position() {
    on_every_seen_ids(|ids| {
        ids.remember(Sequence(41), &[]).unwrap();
        assert_eq!(ids.position(), Sequence(41));
    });
}

#[test]
fn every_one_of_many_ids_is_found_again_after_reopening() {
    let (_home, dir) = state_dir();
    let names: Vec<String> = (0..20_000).map(|number| format!("id-{number}")).collect();
    {
        let mut shelf = open(&dir).0.seen_ids();
        for (block, names) in names.chunks(1_000).enumerate() {
            let numbers = (block as u64 * 1_000)..;
            let entries: Vec<_> = names
                .iter()
                .zip(numbers)
                .map(|(id, number)| entry("crm", id, seen(number)))
                .collect();
            shelf.remember(Sequence(block as u64 + 1), &entries).unwrap();
        }
    }
    let (store, report) = open(&dir);
    assert_eq!(report, OpenReport::Opened);
    let shelf = store.seen_ids();
    assert_eq!(shelf.position(), Sequence(20));
    for (number, id) in names.iter().enumerate() {
        assert_eq!(shelf.find("crm", id).unwrap(), Some(seen(number as u64)), "{id}");
        assert_eq!(shelf.find("lms", id).unwrap(), None);
    }
}

#[test]
fn ids_beyond_what_memory_holds_are_found_in_their_runs_and_the_latest_counts() {
    let (_home, dir) = state_dir();
    let id = |number: u64| format!("id-{number}");
    let block = |numbers: std::ops::Range<u64>, shift: u64| -> Vec<_> {
        numbers
            .map(|number| entry("crm", &id(number), seen(number + shift)))
            .collect()
    };
    let expected = |number: u64| match number {
        0..1_000 => Some(seen(number + 7)),
        1_000..140_000 => Some(seen(number)),
        _ => None,
    };
    {
        let (store, _) = open(&dir);
        let mut ids = store.seen_ids();
        for start in (0..140_000).step_by(10_000) {
            ids.remember(Sequence(start + 1), &block(start..start + 10_000, 0))
                .unwrap();
            // A start between two runs loses none of what is in small ones.
            if start == 70_000 {
                store.flush().unwrap();
            }
        }
        ids.remember(Sequence(140_001), &block(0..1_000, 7)).unwrap();
        for number in (0..141_000).step_by(97) {
            assert_eq!(ids.find("crm", &id(number)).unwrap(), expected(number), "{number}");
        }
    }
    for up_to in [140_001, 140_002] {
        let (store, report) = open(&dir);
        assert_eq!(report, OpenReport::Opened);
        let mut ids = store.seen_ids();
        assert_eq!((ids.position(), ids.reached()), (Sequence(up_to), Sequence(up_to)));
        for number in (0..141_000).step_by(89) {
            assert_eq!(ids.find("crm", &id(number)).unwrap(), expected(number), "{number}");
        }
        ids.remember(Sequence(140_002), &[]).unwrap();
    }
}

#[test]
fn few_ids_in_many_saves_stay_few_runs() {
    let (_home, dir) = state_dir();
    let (store, _) = open(&dir);
    let mut ids = store.seen_ids();
    for number in 0..100 {
        ids.remember(Sequence(number + 1), &[entry("crm", &number.to_string(), seen(number))])
            .unwrap();
        store.flush().unwrap();
    }
    drop((ids, store));
    let (store, _) = open(&dir);
    assert!(store.seen_ids().small_runs() < 40, "{}", store.seen_ids().small_runs());
    for number in 0..100 {
        let found = store.seen_ids().find("crm", &number.to_string()).unwrap();
        assert_eq!(found, Some(seen(number)), "{number}");
    }
}

/// A copy of the files as they are while the store is open is what a kill leaves behind.
#[test]
fn a_kill_takes_the_position_back_with_the_ids_that_were_not_saved() {
    let (_home, dir) = state_dir();
    let (store, _) = open(&dir);
    let mut ids = store.seen_ids();
    ids.remember(Sequence(1), &[entry("crm", "saved", seen(1))]).unwrap();
    store.flush().unwrap();
    ids.remember(Sequence(2), &[entry("crm", "not saved", seen(2))])
        .unwrap();
    let (_other_home, copied) = state_dir();
    super::damage::copy(&dir, &copied);
    let (store, _) = open(&copied);
    let ids = store.seen_ids();
    assert_eq!(ids.find("crm", "saved").unwrap(), Some(seen(1)));
    let known = ids.find("crm", "not saved").unwrap().is_some();
    assert_eq!(
        ids.position(),
        Sequence(if known { 2 } else { 1 }),
        "never more than is there"
    );
}

// ---------------------------------------------------------------- checkpoints

fn on_every_checkpoints(promise: fn(&mut dyn Checkpoints)) {
    promise(&mut MemoryCheckpoints::default());
    let (_home, dir) = state_dir();
    promise(&mut open(&dir).0.checkpoints());
}

#[test]
fn parts_not_named_stay_as_they_were() {
    on_every_checkpoints(|shelf| {
        assert_eq!(shelf.load().unwrap(), None);
        shelf
            .save(
                &head(1),
                parts([(7, vec![1, 2]), (u64::MAX, vec![]), (0, vec![u64::MAX])]),
            )
            .unwrap();
        shelf
            .save(&head(2), parts([(7, vec![3]), (8, noise(8, 100)), (9, vec![])]))
            .unwrap();
        let expected = parts([
            (0, vec![u64::MAX]),
            (7, vec![3]),
            (8, noise(8, 100)),
            (9, vec![]),
            (u64::MAX, vec![]),
        ]);
        assert_eq!(shelf.load().unwrap(), Some((head(2), expected)));
    });
}

#[test]
fn nothing_is_left_after_a_clear() {
    on_every_checkpoints(|shelf| {
        shelf
            .save(&head(1), parts([(1, vec![1]), (2, noise(2, 9_000))]))
            .unwrap();
        shelf.clear().unwrap();
        assert_eq!(shelf.load().unwrap(), None);
        shelf.save(&head(2), parts([(3, vec![3])])).unwrap();
        assert_eq!(shelf.load().unwrap(), Some((head(2), parts([(3, vec![3])]))));
    });
}

#[test]
fn of_two_entries_of_one_part_the_later_counts() {
    on_every_checkpoints(|shelf| {
        shelf
            .save(&head(1), parts([(1, noise(1, 9_000)), (1, vec![2])]))
            .unwrap();
        shelf
            .save(&head(2), parts([(1, vec![3]), (1, noise(4, 9_000))]))
            .unwrap();
        assert_eq!(shelf.load().unwrap(), Some((head(2), parts([(1, noise(4, 9_000))]))));
        shelf.save(&head(3), parts([(1, vec![5]), (1, vec![])])).unwrap();
        assert_eq!(shelf.load().unwrap(), Some((head(3), parts([(1, vec![])]))));
    });
}

#[test]
fn a_part_of_many_megabytes_is_cut_small_enough_for_sled() {
    let (_home, dir) = state_dir();
    let large = noise(1, 700_000);
    let (store, _) = open(&dir);
    for round in 1..=3 {
        let parts = parts([(1, large[round..].to_vec()), (2, vec![2])]);
        store.checkpoints().save(&head(round as u64), parts).unwrap();
    }
    store.flush().unwrap();
    drop(store);
    assert_eq!(std::fs::read_dir(dir.join("blobs")).unwrap().count(), 0);
    let (store, report) = open(&dir);
    assert_eq!(report, OpenReport::Opened);
    let expected = parts([(1, large[3..].to_vec()), (2, vec![2])]);
    assert!(store.checkpoints().load().unwrap() == Some((head(3), expected)));
}

// ---------------------------------------------------------------- outbox

fn on_every_outbox(promise: fn(&dyn Outbox)) {
    promise(&MemoryOutbox::bounded(DESTINATIONS, 4));
    let (_home, dir) = state_dir();
    let db = sled::open(&dir).unwrap();
    let lock = Arc::new(tempfile::tempfile().unwrap());
    let shelf = shelf::Shelf::open((&db, &lock), outbox::TREE, |_, _| ()).unwrap();
    promise(&SledOutbox::open_bounded(shelf, DESTINATIONS, 4).unwrap());
}

#[test]
fn a_transition_is_pending_for_each_destination_until_it_is_done() {
    on_every_outbox(|outbox| {
        assert_eq!(outbox.position().unwrap(), None);
        outbox.put(at(1), &[transition("a"), transition("b")]).unwrap();
        outbox.put(at(2), &[transition("c")]).unwrap();
        assert_eq!(outbox.position().unwrap(), Some(at(2)));
        let pending = outbox.pending("nats", 2).unwrap();
        assert_eq!(
            pending.iter().map(|entry| &entry.1).collect::<Vec<_>>(),
            [&transition("a"), &transition("b")]
        );
        // Out of order and twice: neither harms.
        outbox.done("nats", pending[1].0).unwrap();
        outbox.done("nats", pending[1].0).unwrap();
        assert_eq!(ids(&outbox.pending("nats", 9).unwrap()), ["a", "c"]);
        assert_eq!(ids(&outbox.pending("webhook", 9).unwrap()), ["a", "b", "c"]);
        outbox.done("nats", pending[0].0).unwrap();
        outbox.done("webhook", pending[0].0).unwrap();
        assert_eq!(ids(&outbox.pending("nats", 9).unwrap()), ["c"]);
        assert_eq!(ids(&outbox.pending("webhook", 1).unwrap()), ["b"]);
        assert_eq!(outbox.pending("webhook", 0).unwrap(), vec![]);
        outbox.done("nats", 4711).unwrap();
    });
}

#[test]
fn what_is_pending_or_done_is_not_put_again() {
    on_every_outbox(|outbox| {
        outbox
            .put(at(1), &[transition("a"), transition("a"), transition("b")])
            .unwrap();
        for destination in DESTINATIONS {
            for (key, _) in outbox.pending(destination, 1).unwrap() {
                outbox.done(destination, key).unwrap();
            }
        }
        outbox
            .put(at(2), &[transition("a"), transition("b"), transition("c")])
            .unwrap();
        assert_eq!(ids(&outbox.pending("nats", 9).unwrap()), ["b", "c"]);
        assert_eq!(outbox.position().unwrap(), Some(at(2)));
    });
}

#[test]
fn only_the_oldest_done_ids_are_forgotten() {
    on_every_outbox(|outbox| {
        for (number, id) in ["a", "b", "c", "d"].into_iter().enumerate() {
            outbox.put(at(number as u64), &[transition(id)]).unwrap();
        }
        let pending = outbox.pending("nats", 9).unwrap();
        // `a` stays pending, `b` and `c` are done; two more transitions push their ids out, but never `a`.
        for (key, _) in &pending[1..3] {
            outbox.done("nats", *key).unwrap();
            outbox.done("webhook", *key).unwrap();
        }
        outbox.put(at(5), &[transition("e"), transition("f")]).unwrap();
        outbox
            .put(at(6), &[transition("b"), transition("a"), transition("d")])
            .unwrap();
        assert_eq!(ids(&outbox.pending("nats", 9).unwrap()), ["a", "d", "e", "f", "b"]);
    });
}

#[test]
fn a_destination_that_was_not_named_is_an_error() {
    on_every_outbox(|outbox| {
        assert!(outbox.pending("pager", 1).is_err());
        assert!(outbox.done("pager", 1).is_err());
    });
}

#[test]
fn without_destinations_nothing_is_ever_pending() {
    let (_home, dir) = state_dir();
    let (store, _) = StateStore::open(&dir, &[]).unwrap();
    store.outbox().put(at(1), &[transition("a")]).unwrap();
    drop(store);
    let (store, _) = open(&dir);
    store.outbox().put(at(2), &[transition("a"), transition("b")]).unwrap();
    assert_eq!(ids(&store.outbox().pending("nats", 9).unwrap()), ["b"]);
}

#[test]
fn pending_transitions_outlive_a_restart_and_a_destination_that_went_away() {
    let (_home, dir) = state_dir();
    let (store, _) = open(&dir);
    store.outbox().put(at(1), &[transition("a"), transition("b")]).unwrap();
    let first = store.outbox().pending("nats", 1).unwrap()[0].0;
    store.outbox().done("nats", first).unwrap();
    drop(store);
    let (store, _) = open(&dir);
    assert_eq!(store.outbox().position().unwrap(), Some(at(1)));
    assert_eq!(ids(&store.outbox().pending("nats", 9).unwrap()), ["b"]);
    assert_eq!(ids(&store.outbox().pending("webhook", 9).unwrap()), ["a", "b"]);
    drop(store);
    let (store, _) = StateStore::open(&dir, &["nats"]).unwrap();
    drop(store);
    let (store, _) = open(&dir);
    assert_eq!(ids(&store.outbox().pending("webhook", 9).unwrap()), ["b"]);
    store.outbox().put(at(2), &[transition("c")]).unwrap();
    assert_eq!(ids(&store.outbox().pending("nats", 9).unwrap()), ["b", "c"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Any row of saves, clears and reopenings gives in sled what it gives in memory.
    #[test]
    fn sled_and_memory_hold_the_same(steps in prop::collection::vec((0..10_u8, 0..5_u64, 0..4_000_usize), 1..12)) {
        let (_home, dir) = state_dir();
        let mut store = open(&dir).0;
        let mut memory = MemoryCheckpoints::default();
        for (number, (what, part, len)) in steps.into_iter().enumerate() {
            let head = head(number as u64);
            match what {
                0 => {
                    store.checkpoints().clear().unwrap();
                    memory.clear().unwrap();
                }
                1 => {
                    drop(store);
                    store = open(&dir).0;
                }
                _ => {
                    let words = if what > 2 { noise(number as u64, len) } else { Vec::new() };
                    let parts = parts([(part, words), (part + 1, vec![part])]);
                    store.checkpoints().save(&head, parts.clone()).unwrap();
                    memory.save(&head, parts).unwrap();
                }
            }
            prop_assert!(store.checkpoints().load().unwrap() == memory.load().unwrap());
        }
    }
}
