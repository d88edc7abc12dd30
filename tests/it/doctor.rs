//! The doctor, asked about houses of every health: what it prints, and the exit code that scripts go by.

use serde_json::Value;

use crate::support::daemon::Daemon;

const DESK: &str = include_str!("catalogs/story/desk.toml");

/// The exit code, and what was found.
fn asked(daemon: &Daemon, listen: Option<&str>) -> (Option<i32>, Value) {
    let mut command = daemon.command(&["doctor", "--format", "json"]);
    if let Some(url) = listen {
        command.env("KPID_HTTP__LISTEN", url.trim_start_matches("http://"));
    }
    let output = command.output().unwrap();
    let found = serde_json::from_slice(&output.stdout);
    let words = String::from_utf8_lossy(&output.stderr).into_owned();
    (
        output.status.code(),
        found.unwrap_or_else(|error| panic!("{error}: {words}")),
    )
}

/// The lines of an area, as (level, words).
fn lines<'a>(found: &'a Value, area: &str) -> Vec<(&'a str, &'a str)> {
    let checks = found["checks"].as_array().unwrap().iter();
    let own = checks.filter(|check| check["area"] == area);
    own.map(|check| (check["level"].as_str().unwrap(), check["says"].as_str().unwrap()))
        .collect()
}

/// What holds on any machine that runs the tests, whatever its disk is.
fn code_follows_problems((code, found): &(Option<i32>, Value)) {
    let expected = i32::from(found["problems"] != 0);
    assert_eq!(*code, Some(expected), "{found:#}");
}

#[test]
fn a_house_is_looked_at_before_while_and_after_it_lives() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    let asleep = asked(&daemon, None);
    code_follows_problems(&asleep);
    for area in [
        "settings",
        "catalog",
        "file system",
        "syncing",
        "free space",
        "open files",
        "memory",
        "clock",
        "nats",
    ] {
        assert!(
            !lines(&asleep.1, area).is_empty(),
            "nothing about {area}: {:#}",
            asleep.1
        );
    }
    assert!(lines(&asleep.1, "syncing")[0].1.contains("(p99)"), "{:#}", asleep.1);
    assert!(lines(&asleep.1, "journal")[0].1.contains("there is no journal"));
    assert!(!daemon.path("data").exists(), "the doctor makes no house");

    daemon.start_ready();
    assert_eq!(daemon.post(r#"{"kpi":"desk.csat","value":79}"#).0, 200);
    let url = daemon.url().to_owned();
    let awake = asked(&daemon, Some(&url));
    code_follows_problems(&awake);
    let journal = lines(&awake.1, "journal");
    assert!(
        journal[0].1.contains("a daemon holds") && journal[1].1.contains("sequences 1 to 2"),
        "{journal:?}"
    );
    assert_eq!(lines(&awake.1, "daemon"), [("ok", "a daemon answers and is ready")]);
    daemon.stop_well();

    let table = String::from_utf8(daemon.run(&["doctor"]).stdout).unwrap();
    assert!(
        table.contains("nobody holds") && table.contains(", problems: "),
        "{table}"
    );
}

#[test]
fn a_wrong_catalog_ends_with_2_and_a_damaged_journal_with_3() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    daemon.start_ready();
    assert_eq!(daemon.post(r#"{"kpi":"desk.csat","value":79}"#).0, 200);
    daemon.stop_well();
    std::fs::write(daemon.path("cards/desk.toml"), DESK.replace("red = 75", "red = 95")).unwrap();
    let (code, found) = asked(&daemon, None);
    assert_eq!(code, Some(2), "{found:#}");
    assert!(lines(&found, "catalog")[0].1.contains("desk.toml:25"), "{found:#}");

    let segment = daemon.journal().join("00000000000000000001.seg");
    let mut bytes = std::fs::read(&segment).unwrap();
    bytes[100] ^= 1;
    std::fs::write(&segment, bytes).unwrap();
    let (code, found) = asked(&daemon, None);
    assert_eq!(code, Some(3), "{found:#}");
    let damaged = lines(&found, "journal");
    assert!(
        damaged
            .iter()
            .any(|(level, says)| *level == "problem" && says.contains("damaged")),
        "{damaged:?}"
    );

    let wrong = daemon
        .command(&["doctor", "--format", "json"])
        .env("KPID_LOG__LEVEL", "loud")
        .output()
        .unwrap();
    assert_eq!(
        wrong.status.code(),
        Some(2),
        "{}",
        String::from_utf8_lossy(&wrong.stdout)
    );
}
