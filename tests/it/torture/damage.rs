//! Harm done to the journal of the real program while it is away: what it says then, with which exit code, and that it goes
//! on when the harm is undone.

use std::path::{Path, PathBuf};

use super::load::{CATALOG, measurement, wordy};
use crate::support::daemon::Daemon;
use crate::support::ledger::ids_in;

/// A daemon that was stopped, with a journal of several segments.
fn stopped() -> Daemon {
    let mut daemon = Daemon::new(&[("load.toml", CATALOG)]).with("KPID_JOURNAL__SEGMENT_BYTES", "64KiB");
    daemon.start_ready();
    for number in 0..80 {
        let (status, answer) = daemon.post(&wordy("d", number).to_string());
        assert_eq!(status, 200, "{answer}");
    }
    daemon.stop_well();
    assert!(segments(&daemon).len() >= 3);
    daemon
}

fn segments(daemon: &Daemon) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(daemon.journal()).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|ending| ending == "seg"));
    paths.sort();
    paths
}

fn first_of(segment: &Path) -> u64 {
    segment.file_stem().unwrap().to_str().unwrap().parse().unwrap()
}

/// Whoever reads the journal ends with 3 and names the sequences.
fn everybody_says(daemon: &Daemon, from: u64, tale: &str) {
    let journal = daemon.journal().display().to_string();
    let commands: [&[&str]; 5] = [
        &["serve"],
        &["journal", "verify"],
        &["journal", "stat"],
        &["replay", "--journal", &journal],
        &["scorecard", "load", "--journal", &journal],
    ];
    for command in commands {
        let output = daemon.run(command);
        let words = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(3), "{tale}: {command:?}: {words}");
        assert!(
            words.contains(&format!("damaged at sequences {from} to ")),
            "{tale}: {command:?}: {words}"
        );
        assert!(
            words.contains("restore this segment from a backup"),
            "{tale}: {command:?}: {words}"
        );
    }
}

#[test]
fn a_damaged_journal_ends_every_command_with_3_and_the_sequences_until_it_is_whole_again() {
    let mut daemon = stopped();
    let segments = segments(&daemon);
    let last = segments.last().unwrap();
    let bytes = std::fs::read(last).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).unwrap();
    let known = ids_in(&daemon.journal());

    // One bit of the very last fact, which nothing stands behind.
    let mut harmed = bytes.clone();
    harmed[end - 100] ^= 4;
    std::fs::write(last, &harmed).unwrap();
    everybody_says(&daemon, 81, "a flipped bit at the end");
    assert_eq!(std::fs::read(last).unwrap(), harmed, "nothing is cut off");
    std::fs::write(last, &bytes[..end - 100]).unwrap();
    everybody_says(&daemon, 81, "a file that ends early");
    std::fs::write(last, &bytes).unwrap();

    for missing in [0, 1] {
        let kept = daemon.path("kept");
        std::fs::rename(&segments[missing], &kept).unwrap();
        everybody_says(
            &daemon,
            first_of(&segments[missing]),
            &format!("segment {missing} is missing"),
        );
        std::fs::rename(&kept, &segments[missing]).unwrap();
    }
    daemon.start_ready();
    assert_eq!(ids_in(&daemon.journal()), known);
    daemon.stop_well();
}

#[test]
fn a_missing_last_segment_is_said_by_the_state_and_what_it_held_is_taken_again() {
    let mut daemon = stopped();
    let segments = segments(&daemon);
    std::fs::remove_file(segments.last().unwrap()).unwrap();
    daemon.start_ready();
    let words = "the journal ends before facts that were acknowledged";
    assert!(daemon.log().contains(words), "{}", daemon.log());
    assert!(daemon.get("/metrics").1.contains("kpid_state_rebuilds_total 1"));
    let (status, receipt) = daemon.post(&wordy("d", 79).to_string());
    assert_eq!(
        (status, &receipt["accepted"]),
        (200, &1.into()),
        "it is not taken for known"
    );
    assert_eq!(&daemon.node("load"), daemon.replay(&[]).node("load", None));
    daemon.stop_well();
}

#[test]
fn a_second_daemon_on_the_same_folder_leaves_at_once_and_the_first_one_goes_on() {
    let mut daemon = Daemon::new(&[("load.toml", CATALOG)]);
    daemon.start_ready();
    let second = daemon.run(&["serve"]);
    let words = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{words}");
    assert!(words.contains("is in use by another process"), "{words}");
    assert_eq!(daemon.post(&measurement("d", 1).to_string()).0, 200);
    // Files of somebody else in the folder are nobody's business.
    std::fs::write(daemon.journal().join("notes.txt"), "not ours").unwrap();
    daemon.answer(&["journal", "verify"]);
    daemon.stop_well();
    daemon.start_ready();
    assert_eq!(ids_in(&daemon.journal()).len(), 1);
    daemon.stop_well();
}
