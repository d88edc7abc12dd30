//! What an earlier kpid left on disks: journals whose replay must give the same bytes for ever, and state folders that are
//! taken over where their form is today's, else rebuilt. Files in `tests/golden` are added to and never edited.
//!
//! With `KPID_TEST_WRITE_GOLDEN` set, what is not there yet is written: the replay of a journal, and the state folder of that name.

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

/// Golden state folders, each made by a daemon on the rich journal, the latest last; and whether today's kpid goes on with
/// it. One of an earlier form is rebuilt.
const STATES: [(&str, bool); 1] = [("1", true)];

/// What a daemon on the rich journal shows whatever the wall clock says, with this state folder if any; and its log.
fn shown(state: Option<&str>) -> (Value, String) {
    let mut daemon = daemon_with("v1-rich");
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
    let journal = daemon.json("/api/v1/journal");
    let mut found = json!({"wait": kpi("house.wait"), "teams": kpi("house.teams"), "alert": standing,
        "sequence": journal["end"], "series": journal["series"]});
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
    if let Ok(name) = std::env::var("KPID_TEST_WRITE_GOLDEN") {
        write_state(&name);
    }
    let (rebuilt, _) = shown(None);
    for (name, is_todays) in STATES {
        let (found, log) = shown(Some(name));
        assert_eq!(found, rebuilt, "state {name}");
        let goes_on = log.contains("state opened report=Opened") && !log.contains("replaying from the beginning");
        assert_eq!(goes_on, is_todays, "state {name}: {log}");
    }
}

/// The state that a daemon leaves on the rich journal, its files packed.
fn write_state(name: &str) {
    let to = golden(&format!("state/{name}"));
    if to.exists() {
        return;
    }
    let mut daemon = daemon_with("v1-rich");
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
