//! Milestones: what comes back, what is left out, and how they stay spread.

use super::*;
use crate::state::promises::{head, noise, parts};

const LIMITS: MilestoneLimits = MilestoneLimits {
    facts_min: 10,
    count_max: 4,
    bytes_max: 1 << 20,
};

fn folder(limits: MilestoneLimits) -> (tempfile::TempDir, MilestoneFolder) {
    let home = tempfile::tempdir().unwrap();
    let folder = MilestoneFolder::new(&home.path().join("milestones"), Some(1), limits);
    (home, folder)
}

fn state(number: u64) -> SavedState {
    (
        head(number),
        parts([(1, noise(number, 90)), (7, vec![number]), (1 << 60, Vec::new())]),
    )
}

fn keep(folder: &MilestoneFolder, number: u64) {
    let (head, parts) = state(number);
    folder.keep(&head, &parts).unwrap();
}

fn sequences(folder: &MilestoneFolder) -> Vec<u64> {
    folder.heads().iter().map(|head| head.sequence.0).collect()
}

#[test]
fn a_state_comes_back_as_it_was() {
    let (_home, folder) = folder(LIMITS);
    assert_eq!(folder.heads(), []);
    for number in [70, 9, 100] {
        keep(&folder, number);
    }
    assert_eq!(folder.heads(), [head(9), head(70), head(100)]);
    assert_eq!(folder.load(Sequence(70)), Some(state(70)));
    assert_eq!(folder.load(Sequence(71)), None);
}

#[test]
fn a_byte_that_flips_and_an_end_that_is_missing_cost_the_one_milestone() {
    let (_home, folder) = folder(LIMITS);
    keep(&folder, 50);
    let path = folder.path(Sequence(50));
    let whole = fs::read(&path).unwrap();
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 0x20;
        fs::write(&path, &bytes).unwrap();
        assert_eq!(folder.load(Sequence(50)), None, "byte {place}");
        assert!(!path.exists(), "what cannot be read does not stand in the way");
    }
    for len in 0..whole.len() {
        fs::write(&path, &whole[..len]).unwrap();
        assert_eq!(folder.load(Sequence(50)), None, "{len} bytes");
    }
    fs::write(&path, &whole).unwrap();
    assert_eq!(folder.load(Sequence(50)), Some(state(50)));
    fs::rename(&path, folder.path(Sequence(51))).unwrap();
    assert_eq!(
        folder.load(Sequence(51)),
        None,
        "under another name it is another one's"
    );
}

#[test]
fn those_of_another_history_or_version_are_left_out_and_only_their_owner_removes_them() {
    let (_home, folder) = folder(LIMITS);
    keep(&folder, 50);
    let reader = MilestoneFolder::read_only(&folder.dir, Some(2));
    assert_eq!((reader.heads(), reader.load(Sequence(50))), (Vec::new(), None));
    assert!(!reader.is_due(Sequence(900)));
    assert_eq!(sequences(&folder), [50], "who only reads leaves them alone");
    let other = MilestoneFolder::new(&folder.dir, None, LIMITS);
    assert_eq!(other.heads(), []);
    assert_eq!(sequences(&folder), Vec::<u64>::new());
}

#[test]
fn they_stay_spread_over_the_history_however_long_it_grows() {
    let (_home, folder) = folder(LIMITS);
    let mut written = 0;
    for sequence in 1..=10_000 {
        if folder.is_due(Sequence(sequence)) {
            keep(&folder, sequence);
            written += 1;
        }
    }
    let kept = sequences(&folder);
    assert_eq!(kept.len(), LIMITS.count_max);
    let mut gaps: Vec<u64> = kept.windows(2).map(|pair| pair[1] - pair[0]).collect();
    gaps.extend([kept[0], 10_000 - kept[3]]);
    assert!(
        gaps.iter().all(|gap| *gap <= 2 * 10_000 / LIMITS.count_max as u64),
        "{kept:?}"
    );
    assert!(
        written < 40,
        "{written} were written of a thousand that might have been"
    );
}

#[test]
fn one_that_is_too_large_alone_is_not_kept_and_where_none_may_be_none_is_due() {
    let (_home, folder) = folder(MilestoneLimits {
        bytes_max: 100,
        ..LIMITS
    });
    keep(&folder, 50);
    assert_eq!(sequences(&folder), Vec::<u64>::new());
    let none = MilestoneFolder::new(&folder.dir, None, MilestoneLimits { count_max: 0, ..LIMITS });
    assert!(!none.is_due(Sequence(1_000_000)));
}

#[test]
fn a_gap_in_the_past_is_filled_and_a_dense_place_is_not() {
    let (_home, folder) = folder(MilestoneLimits {
        count_max: 100,
        ..LIMITS
    });
    keep(&folder, 1_000);
    for (sequence, is_due) in [
        (9, false),
        (10, true),
        (500, true),
        (989, true),
        (991, false),
        (1_009, false),
    ] {
        assert_eq!(folder.is_due(Sequence(sequence)), is_due, "{sequence}");
    }
}

#[test]
fn a_large_state_is_kept_after_as_many_more_facts() {
    let (_home, folder) = folder(MilestoneLimits {
        bytes_max: 1 << 30,
        ..LIMITS
    });
    let parts = parts([(1, noise(7, 200_000))]);
    folder.keep(&head(1_000), &parts).unwrap();
    let (_, bytes) = folder.files()[0];
    let step = (bytes - SMALL_BYTES) / BYTES_A_FACT;
    assert!(step > 1_000, "{bytes} bytes");
    assert!(!folder.is_due(Sequence(1_000 + step - 1)));
    assert!(folder.is_due(Sequence(1_000 + step)));
}

#[test]
fn what_a_killed_process_left_unfinished_is_swept_away() {
    let (_home, folder) = folder(LIMITS);
    keep(&folder, 50);
    let unfinished = folder.path(Sequence(60)).with_extension(UNFINISHED);
    fs::write(&unfinished, "kpidpa").unwrap();
    assert_eq!(sequences(&folder), [50]);
    let again = MilestoneFolder::new(&folder.dir, Some(1), LIMITS);
    assert!(!unfinished.exists());
    assert_eq!(sequences(&again), [50]);
}
