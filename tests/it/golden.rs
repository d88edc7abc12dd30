//! What an earlier kpid left on disks: journals whose replay must give the same bytes for ever, and state folders that are
//! taken over where their form is today's, else rebuilt. Files in `tests/golden` are added to and never edited.
//!
//! With `KPID_TEST_WRITE_GOLDEN` set, the replay of a journal is written where it is not there yet; with
//! `KPID_TEST_WRITE_STATE`, a state folder of that name.

use std::io::Read;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::support::daemon::Daemon;

fn golden(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name)
}

/// A golden folder copied to a place; packed files are unpacked.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap_or_else(|error| panic!("{}: {error}", from.display())) {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if path.is_dir() {
            copy(&path, &to.join(name));
        } else if let Some(name) = name.strip_suffix(".zst") {
            let packed = std::fs::read(&path).unwrap();
            std::fs::write(to.join(name), zstd::decode_all(&packed[..]).unwrap()).unwrap();
        } else {
            std::fs::copy(&path, to.join(name)).unwrap();
        }
    }
}

/// A daemon that finds a golden journal in its folder, with the definitions that the journal ends with.
fn daemon_with(journal: &str) -> Daemon {
    let definitions = |name: &str| std::fs::read_to_string(golden("catalog/rich").join(name)).unwrap();
    let house = definitions("house.toml").replace("above = 60", "above = 55");
    let daemon = Daemon::new(&[("house.toml", &house), ("shop.toml", &definitions("shop.toml"))]);
    copy(&golden(&format!("journal/{journal}")), &daemon.journal());
    daemon
}

/// Compares with a file that is kept, or keeps it where it is asked for and was never kept.
fn kept(name: &str, found: &str) {
    let path = golden(name);
    if std::env::var_os("KPID_TEST_WRITE_GOLDEN").is_some() && !path.exists() {
        std::fs::write(&path, found).unwrap();
    }
    let known = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{name}: {error}"));
    let differs = known.lines().zip(found.lines()).find(|(one, other)| one != other);
    assert!(
        known == found,
        "{name}: a replay says otherwise than before: {differs:?}"
    );
}

#[test]
fn a_replay_of_the_rich_journal_gives_the_same_bytes_as_ever() {
    let daemon = daemon_with("v1-rich");
    let (journal, readings) = (daemon.journal().display().to_string(), daemon.path("readings"));
    let alerts = daemon.path("alerts");
    let scorecards = daemon.answer(&[
        "replay",
        "--journal",
        &journal,
        "--format",
        "json",
        "--readings",
        &readings.display().to_string(),
        "--alerts",
        &alerts.display().to_string(),
    ]);
    kept("journal/v1-rich.scorecards.json", &scorecards);
    kept(
        "journal/v1-rich.readings.ndjson",
        &std::fs::read_to_string(readings).unwrap(),
    );
    let alerts = std::fs::read_to_string(alerts).unwrap();
    assert!(alerts.lines().count() > 2, "{alerts}");
    kept("journal/v1-rich.alerts.ndjson", &alerts);
}

/// Golden state folders, the latest last: each with the journal on which a daemon made it, and whether today's kpid goes on
/// with it. One of an earlier form is rebuilt. A form that changes gets a folder here, written as the head of this file says,
/// and those before it become earlier ones.
const STATES: [(&str, &str, bool); 2] = [("0", "v1-house", false), ("1", LATEST, true)];
/// The journal on which new state folders are made.
const LATEST: &str = "v1-rich";

/// What a daemon on a golden journal shows whatever the wall clock says, with this state folder if any; and its log.
fn shown(journal: &str, state: Option<&str>) -> (Value, String) {
    let mut daemon = daemon_with(journal);
    if let Some(state) = state {
        copy(&golden(&format!("state/{state}")), &daemon.state());
    }
    daemon.start_ready();
    let kpi = |kpi: &str| {
        let reading = daemon.json(&format!("/api/v1/kpis/{kpi}"));
        json!([
            reading["value"],
            reading["score"],
            reading["count"],
            reading["observed_at"]
        ])
    };
    let alerts = daemon.json("/api/v1/alerts")["alerts"].take();
    let standing = alerts
        .as_array()
        .and_then(|all| all.iter().find(|alert| alert["rule"] == "wait-long").cloned());
    let end = daemon.json("/api/v1/journal");
    let mut found = json!({"wait": kpi("house.wait"), "teams": kpi("house.teams"), "alert": standing,
        "sequence": end["end"], "series": end["series"]});
    assert!(found["alert"].is_object() && found["wait"][0].is_number(), "{found}");
    // An id of long ago may be taken again; one of the last fact is still known where the window reaches it.
    found["corrected"] = daemon
        .post(r#"{"id":"new","corrects":"id-20","source":"till","kpi":"shop.rating","value":1}"#)
        .1;
    daemon.stop_well();
    let log = daemon.log();
    assert!(!log.contains("panicked"), "{log}");
    (found, log)
}

#[test]
fn state_folders_of_every_form_show_what_a_rebuild_shows() {
    if let Ok(name) = std::env::var("KPID_TEST_WRITE_STATE") {
        write_state(&name);
    }
    for (name, journal, is_todays) in STATES {
        let (rebuilt, _) = shown(journal, None);
        let (found, log) = shown(journal, Some(name));
        assert_eq!(found, rebuilt, "state {name}");
        let is_left = log.contains("saved state does not fit") || log.contains("replaying from the beginning");
        let goes_on = log.contains("state opened report=Opened") && !is_left;
        assert_eq!(goes_on, is_todays, "state {name}: {log}");
    }
}

/// The state that a daemon leaves on the rich journal, its files packed.
fn write_state(name: &str) {
    let to = golden(&format!("state/{name}"));
    if to.exists() {
        return;
    }
    let mut daemon = daemon_with(LATEST);
    daemon.start_ready();
    daemon.stop_well();
    pack(&daemon.state(), &to);
}

fn pack(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let mut bytes = Vec::new();
            std::fs::File::open(&path).unwrap().read_to_end(&mut bytes).unwrap();
            let name = format!("{}.zst", path.file_name().unwrap().to_str().unwrap());
            std::fs::write(to.join(name), zstd::encode_all(&bytes[..], 19).unwrap()).unwrap();
        }
    }
}
