//! What only a disk can break: damaged, shortened and missing files, folders in use.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::promises::{DESTINATIONS, at, entry, head, noise, open, parts, seen, state_dir};
use super::transition::tests::transition;
use super::*;
use crate::domain::id::Sequence;
use crate::ports::{Checkpoints, Outbox, SeenIds};

/// Commits in the tales of damage; after commit `n` every shelf is at position `n`.
const COMMITS: u64 = 40;
/// Words of a part that each commit replaces: together they fill several of sled's segments.
const PART_LEN: usize = 12_000;

fn checkpoint_after(commit: u64) -> BTreeMap<u64, Vec<u64>> {
    (1..=commit)
        .map(|number| (number % 5, noise(number, PART_LEN)))
        .collect()
}

fn fill(store: &StateStore, commits: std::ops::RangeInclusive<u64>) {
    let (mut seen_ids, mut checkpoints, outbox) = (store.seen_ids(), store.checkpoints(), store.outbox());
    for number in commits {
        let id = |part: u64| entry("crm", &format!("{number}-{part}"), seen(number));
        seen_ids
            .remember(Sequence(number), &(0..50).map(id).collect::<Vec<_>>())
            .unwrap();
        checkpoints
            .save(&head(number), parts([(number % 5, noise(number, PART_LEN))]))
            .unwrap();
        outbox.put(at(number), &[transition(&number.to_string())]).unwrap();
        if number % 10 == 0 {
            store.flush().unwrap();
        }
    }
}

/// What is there must be exactly the state after some commit, on each shelf.
fn assert_nothing_wrong(store: &StateStore, tale: &str) {
    let seen_ids = store.seen_ids();
    let position = seen_ids.position().0;
    for number in 1..=COMMITS {
        for part in [0, 49] {
            let expected = (number <= position).then(|| seen(number));
            assert_eq!(
                seen_ids.find("crm", &format!("{number}-{part}")).unwrap(),
                expected,
                "{tale}"
            );
        }
    }
    if let Some((found, parts)) = store.checkpoints().load().unwrap() {
        let expected = checkpoint_after(found.sequence.0);
        assert!(parts.into_iter().collect::<BTreeMap<_, _>>() == expected, "{tale}");
    }
    let outbox = store.outbox();
    let position = outbox.position().unwrap().map_or(0, |(sequence, _)| sequence.0);
    let expected: Vec<_> = (1..=position).map(|number| transition(&number.to_string())).collect();
    let pending = outbox.pending("nats", 99).unwrap();
    assert!(
        pending.into_iter().map(|entry| entry.1).collect::<Vec<_>>() == expected,
        "{tale}"
    );
}

/// A filled and closed store, to be copied and damaged.
fn closed_store() -> (tempfile::TempDir, PathBuf) {
    let (home, dir) = state_dir();
    let (store, report) = open(&dir);
    assert_eq!(report, OpenReport::Fresh);
    fill(&store, 1..=COMMITS / 2);
    drop(store);
    // Opening again writes sled's snapshot, whose damage is a story of its own.
    let (store, _) = open(&dir);
    fill(&store, COMMITS / 2 + 1..=COMMITS);
    store.flush().unwrap();
    (home, dir)
}

pub(super) fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to.join("blobs")).unwrap();
    for file in std::fs::read_dir(from).unwrap().map(Result::unwrap) {
        if file.file_type().unwrap().is_file() {
            std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
}

/// Opens a damaged copy, and afterwards the store works like any other. Gives back how opening went.
fn open_damaged(from: &Path, tale: &str, damage: impl FnOnce(&Path)) -> OpenReport {
    let (_home, dir) = state_dir();
    copy(from, &dir);
    damage(&dir);
    let (store, report) = open(&dir);
    assert_nothing_wrong(&store, tale);
    store.checkpoints().clear().unwrap();
    store
        .seen_ids()
        .remember(Sequence(99), &[entry("new", "id", seen(99))])
        .unwrap();
    drop(store);
    let (store, again) = open(&dir);
    assert_eq!(again, OpenReport::Opened, "{tale}");
    assert_eq!(store.seen_ids().find("new", "id").unwrap(), Some(seen(99)), "{tale}");
    report
}

#[test]
fn an_undamaged_copy_opens_whole() {
    let (_home, dir) = closed_store();
    assert_eq!(open_damaged(&dir, "none", |_| ()), OpenReport::Opened);
    let (store, _) = open(&dir);
    assert_eq!(store.seen_ids().position(), Sequence(COMMITS));
    assert_eq!(store.checkpoints().load().unwrap().unwrap().0, head(COMMITS));
    assert_eq!(store.outbox().position().unwrap(), Some(at(COMMITS)));
}

#[test]
fn a_flipped_byte_anywhere_costs_no_more_than_a_rebuild() {
    let (_home, dir) = closed_store();
    let len = std::fs::metadata(dir.join("db")).unwrap().len();
    for round in 0..24 {
        let place = (noise(round, 1)[0] % len) as usize;
        open_damaged(&dir, &format!("byte {place} of {len}"), |dir| {
            garble(dir, place..place + 1);
        });
    }
}

#[test]
fn a_garbled_stretch_is_noticed() {
    let (_home, dir) = closed_store();
    let len = std::fs::metadata(dir.join("db")).unwrap().len() as usize;
    let stretch = len / 12;
    let reports: Vec<_> = (0..12)
        .map(|part| part * stretch..(part + 1) * stretch)
        .map(|range| open_damaged(&dir, &format!("{range:?} of {len} garbled"), |dir| garble(dir, range)))
        .collect();
    let set_aside = |report: &OpenReport| matches!(report, OpenReport::SetAside { .. });
    assert!(
        reports.iter().any(set_aside),
        "the whole file was garbled piece by piece: {reports:?}"
    );
}

fn garble(dir: &Path, range: std::ops::Range<usize>) {
    let mut bytes = std::fs::read(dir.join("db")).unwrap();
    bytes[range].iter_mut().for_each(|byte| *byte ^= 0x55);
    std::fs::write(dir.join("db"), bytes).unwrap();
}

#[test]
fn a_shorter_file_costs_no_more_than_a_rebuild() {
    let (_home, dir) = closed_store();
    let len = std::fs::metadata(dir.join("db")).unwrap().len();
    for missing in [1, 511, 4_096, 100_000, 1 << 20, len / 2, len - 20, len] {
        open_damaged(&dir, &format!("{missing} of {len} bytes missing"), |dir| {
            let file = std::fs::File::options().write(true).open(dir.join("db")).unwrap();
            file.set_len(len - missing).unwrap();
        });
    }
}

#[test]
fn a_missing_or_garbled_file_costs_no_more_than_a_rebuild() {
    let (_home, dir) = closed_store();
    let names: Vec<_> = std::fs::read_dir(&dir)
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    for name in names.iter().filter(|name| *name != "blobs") {
        open_damaged(&dir, &format!("{name:?} removed"), |dir| {
            std::fs::remove_file(dir.join(name)).unwrap();
        });
        open_damaged(&dir, &format!("{name:?} garbled"), |dir| {
            let garbage: Vec<u8> = noise(1, 64).into_iter().flat_map(u64::to_le_bytes).collect();
            std::fs::write(dir.join(name), garbage).unwrap();
        });
    }
}

#[test]
fn a_snapshot_that_was_never_finished_does_no_harm() {
    let (_home, dir) = closed_store();
    let report = open_damaged(&dir, "snap.0.generating", |dir| {
        std::fs::write(dir.join("snap.00000000000000AB.generating"), b"half").unwrap();
    });
    assert_eq!(report, OpenReport::Opened);
}

#[test]
fn at_most_three_damaged_stores_are_kept() {
    let (home, dir) = state_dir();
    for round in 1..=5_u64 {
        drop(open(&dir));
        std::fs::create_dir_all(dir.join("blobs")).unwrap();
        std::fs::write(dir.join("blobs/7"), b"not ours").unwrap();
        let (_, report) = open(&dir);
        let OpenReport::SetAside { kept, reason } = report else {
            panic!("{report:?}");
        };
        assert_eq!(kept, home.path().join(format!("state.damaged-{round}")));
        assert!(!reason.is_empty());
    }
    let mut left: Vec<_> = std::fs::read_dir(home.path())
        .unwrap()
        .map(|file| file.unwrap().file_name())
        .collect();
    left.sort();
    assert_eq!(
        left,
        [
            "state",
            "state.damaged-3",
            "state.damaged-4",
            "state.damaged-5",
            "state.lock"
        ]
    );
}

#[test]
fn a_store_in_use_is_an_error_and_is_not_set_aside() {
    let (home, dir) = state_dir();
    let (store, _) = open(&dir);
    let second = StateStore::open(&dir, DESTINATIONS).err().unwrap();
    assert!(matches!(second, StateOpenError::InUse { .. }), "{second}");
    // A handle keeps it in use.
    let handle = store.seen_ids();
    drop(store);
    assert!(matches!(
        StateStore::open(&dir, &[]).err(),
        Some(StateOpenError::InUse { .. })
    ));
    drop(handle);
    assert_eq!(open(&dir).1, OpenReport::Opened);
    assert!(!home.path().join("state.damaged-1").exists());
}

#[test]
fn even_without_our_lock_file_a_store_in_use_is_not_set_aside() {
    let (home, dir) = state_dir();
    let (_store, _) = open(&dir);
    std::fs::remove_file(home.path().join("state.lock")).unwrap();
    assert!(matches!(
        StateStore::open(&dir, &[]).err(),
        Some(StateOpenError::InUse { .. })
    ));
    assert!(!home.path().join("state.damaged-1").exists());
}

/// A store so small that its bytes can be harmed one after the other.
fn small_store() -> (tempfile::TempDir, PathBuf) {
    let (home, dir) = state_dir();
    for number in 1..=3 {
        // Each opening leaves a snapshot.
        let (store, _) = open(&dir);
        let known = [entry("crm", &number.to_string(), seen(number))];
        store.seen_ids().remember(Sequence(number), &known).unwrap();
        let part = parts([(number, noise(number, 20))]);
        store.checkpoints().save(&head(number), part).unwrap();
        store
            .outbox()
            .put(at(number), &[transition(&number.to_string())])
            .unwrap();
        store.flush().unwrap();
    }
    (home, dir)
}

/// Each shelf of the small store shows what it held after some commit, or nothing.
fn assert_whole_or_empty(store: &StateStore, tale: &str) {
    let known = store.seen_ids().position().0;
    for number in 1..=3 {
        let expected = (number <= known).then(|| seen(number));
        assert_eq!(
            store.seen_ids().find("crm", &number.to_string()).unwrap(),
            expected,
            "{tale}"
        );
    }
    if let Some((found, parts)) = store.checkpoints().load().unwrap() {
        let expected = (1..=found.sequence.0)
            .map(|number| (number, noise(number, 20)))
            .collect();
        assert!(parts == expected, "{tale}: {found:?}");
    }
    let put = store.outbox().position().unwrap().map_or(0, |(sequence, _)| sequence.0);
    let pending = store.outbox().pending("nats", 9).unwrap();
    let pending: Vec<_> = pending.into_iter().map(|entry| entry.1).collect();
    let expected: Vec<_> = (1..=put).map(|number| transition(&number.to_string())).collect();
    assert!(pending == expected, "{tale}");
}

#[test]
fn a_harmed_byte_in_every_stretch_of_every_file_costs_no_more_than_a_rebuild() {
    let (_home, dir) = small_store();
    let mut rebuilt = 0;
    let mut tried = 0;
    for file in std::fs::read_dir(&dir).unwrap().map(|file| file.unwrap().path()) {
        if !file.is_file() {
            continue;
        }
        let name = file.file_name().unwrap();
        let bytes = std::fs::read(&file).unwrap();
        let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        // Steps that share no factor with the sizes of sled's headers, so that every field is met somewhere.
        let step = (used / 100).max(1) | 1;
        for place in (0..used).step_by(step) {
            let (_home, copied) = state_dir();
            copy(&dir, &copied);
            let mut harmed = bytes.clone();
            harmed[place] ^= 1 << (place % 8);
            std::fs::write(copied.join(name), harmed).unwrap();
            let (store, report) = open(&copied);
            assert_whole_or_empty(&store, &format!("byte {place} of {used} in {name:?}"));
            rebuilt += u32::from(matches!(report, OpenReport::SetAside { .. }));
            tried += 1;
        }
    }
    assert!(tried > 150 && rebuilt > 20, "{rebuilt} of {tried}");
}
