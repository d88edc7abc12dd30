//! Retention through the real program: what goes, what stays, and that nothing else changes.

use std::path::Path;

use kpid::domain::instant::Instant;
use serde_json::Value;

use super::{replayed, text, wild};
use crate::support::daemon::{Daemon, agent};

const DAY_MS: i64 = 86_400_000;

/// A desk that looks a day back and keeps no more history than that, with small segments.
fn house() -> Daemon {
    let day = include_str!("../catalogs/story/desk.toml").replace(
        r#"{ rolling = "28d", slice = "1d" }"#,
        r#"{ rolling = "12h", slice = "1h" }"#,
    );
    Daemon::new(&[("desk.toml", &day)])
        .with("KPID_JOURNAL__SEGMENT_BYTES", "64KiB")
        .with("KPID_JOURNAL__DEDUP_WINDOW", "0s")
        .with("KPID_PROJECTION__HISTORY", "1d")
}

/// Sends measurements of so many days ago, then of today: of when the journal was last written to.
fn fill(daemon: &Daemon, days_ago: i64) {
    let now = daemon.json("/api/v1/journal")["recorded_at"].take();
    let now_ms = Instant::parse(now.as_str().expect("an instant")).expect("an instant").0;
    for (days, part) in [(days_ago, 'a'), (0, 'b')] {
        for number in 0..30 {
            let line = |n: i64| {
                let at = now_ms - days * DAY_MS - n * 100;
                let value = (number * 17 + n) % 100;
                let note = wild((number * 200 + n) as u64);
                format!(
                    r#"{{"id":"{part}{number}-{n}","kpi":"desk.csat","value":{value}.25,"observed_at":{at},"note":"{note}"}}"#
                )
            };
            let body = (0..200).map(line).collect::<Vec<_>>().join("\n");
            let (status, receipt) = daemon.post(&body);
            assert_eq!(status, 200, "{receipt}");
        }
    }
}

fn trim(daemon: &Daemon, body: &str) -> (u16, Value) {
    let request = agent()
        .post(format!("{}/api/v1/journal/trim", daemon.url()))
        .header("content-type", "application/json");
    let mut answer = request.send(body).expect("an answer");
    let text = answer.body_mut().read_to_string().expect("text");
    (answer.status().as_u16(), serde_json::from_str(&text).expect("JSON"))
}

/// The root node without what depends on the moment at which it is asked.
fn shown(daemon: &Daemon) -> Value {
    let leaf = daemon.node("desk")["children"][0]["children"][0]["children"][0].take();
    serde_json::json!([leaf["value"], leaf["count"], leaf["score"], leaf["status"]])
}

/// A backup begins where the journal does now; the one from before goes on, and keeps what went.
fn backups_begin_where_they_did(daemon: &Daemon, (whole, up_to): (&Path, u64), now: &Value) {
    let copy = daemon.path("copy");
    for (folder, first) in [(copy.as_path(), up_to + 1), (whole, 1)] {
        daemon.answer(&["journal", "backup", &text(folder)]);
        let proof = daemon.json_of(&["journal", "verify", "--journal", &text(folder), "--format", "json"]);
        assert_eq!(proof["first"], first, "{proof}");
        let mut second = house();
        second.answer(&["journal", "restore", &text(folder)]);
        second.start_ready();
        assert_eq!(&shown(&second), now, "from {first} on");
        let (_, receipt) = second.post(r#"[{"kpi":"desk.csat","corrects":"a1-1","value":3}]"#);
        assert_eq!(
            receipt["accepted"],
            u64::from(first == 1),
            "what is there can be corrected: {receipt}"
        );
        second.stop_well();
    }
}

/// What was known since the cut is told without any milestone, and what was known before it is not made up.
fn known_again(daemon: &Daemon, up_to: u64) {
    let file = text(&daemon.path("since.ndjson"));
    daemon.run(&["journal", "export", "--output", &file]);
    let records = std::fs::read_to_string(&file).expect("an export");
    let record = |line: &str| serde_json::from_str::<Value>(line).expect("a record");
    let first = records
        .lines()
        .map(record)
        .find(|record| record["sequence"] == up_to + 1);
    let known_at = first.expect("the first fact kept")["recorded_at"].take();
    let at = known_at.as_str().expect("an instant");
    let known = daemon.json(&format!("/api/v1/scorecards/desk?known_at={at}"));
    assert!(known["sequence"].as_u64() > Some(up_to), "{known}");
    let long_ago = Instant::parse(at).expect("an instant").plus_ms(-DAY_MS);
    let (status, words) = daemon.get(&format!("/api/v1/scorecards/desk?known_at={long_ago}"));
    assert_eq!(status, 422, "{words}");
    assert!(words.contains("the journal begins at sequence"), "{words}");
}

#[test]
fn a_trimmed_journal_shows_the_same_with_its_state_and_without() {
    let mut daemon = house();
    daemon.start_ready();
    fill(&daemon, 5);
    let (before, whole) = (shown(&daemon), daemon.path("whole"));
    daemon.answer(&["journal", "backup", &text(&whole)]);
    let (status, told) = trim(&daemon, r#"{"keep_bytes":1}"#);
    assert_eq!(status, 200, "{told}");
    let up_to = told["up_to"].as_u64().expect("something went");
    assert!(up_to > 1_000, "{told}");
    assert!(
        told["held"].as_str().expect("a reason").contains("projection.history"),
        "{told}"
    );
    assert_eq!(shown(&daemon), before, "nobody who looks sees a difference");
    daemon.wait("the journal says where it begins", || {
        daemon.json("/api/v1/journal")["first"] == up_to + 1
    });
    let proof = daemon.answer(&["journal", "verify"]);
    assert!(proof.contains(&format!("trimmed    up to sequence {up_to}")), "{proof}");
    let words =
        r#"[{"kpi":"desk.csat","corrects":"a1-1","value":3},{"kpi":"desk.csat","corrects":"b29-1","value":99}]"#;
    let (status, receipt) = daemon.post(words);
    assert_eq!(
        (status, &receipt["rejected"][0]["reason"]),
        (200, &"unknown_correction".into()),
        "{receipt}"
    );
    let now = shown(&daemon);

    daemon.kill();
    std::fs::remove_dir_all(daemon.state()).expect("its state");
    daemon.start_ready();
    assert_eq!(shown(&daemon), now, "the base gives back what the state had");
    known_again(&daemon, up_to);
    let (status, receipt) = daemon.post(r#"[{"kpi":"desk.csat","retracts":"a1-1"}]"#);
    assert_eq!(
        (status, &receipt["rejected"][0]["reason"]),
        (422, &"unknown_correction".into()),
        "{receipt}"
    );
    daemon.stop_well();

    // A replay begins with the base and ends where one of the whole journal does.
    let end = told["sequence"].as_u64().expect("its sequence") - 1;
    let [kept, all] = [daemon.journal(), whole.clone()].map(|journal| replayed(&daemon, &journal, &end.to_string()));
    assert_eq!(kept[0], all[0], "the same scorecards");
    assert!(all[1].ends_with(&kept[1]), "and the same changes since");
    backups_begin_where_they_did(&daemon, (&whole, up_to), &now);
    let file = text(&daemon.path("kept.ndjson"));
    let told = daemon.run(&["journal", "export", "--output", &file]);
    let words = String::from_utf8_lossy(&told.stderr).into_owned();
    assert!(
        words.contains(&format!("up to sequence {up_to} was trimmed")),
        "{words}"
    );
    let refused = daemon.run(&["journal", "import", &file, "--journal", "elsewhere"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(words.contains("from the journal's first fact on"), "{words}");
    let refused = daemon.run(&["replay", "--journal", &text(&daemon.journal()), "--until", "5"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(words.contains(&format!("up to sequence {up_to}")), "{words}");
}

#[test]
fn what_is_needed_stays_whatever_is_wanted_and_a_stopped_journal_is_trimmed_too() {
    let mut daemon = house();
    daemon.start_ready();
    fill(&daemon, 0);
    let (_, told) = trim(&daemon, r#"{"before":"2190-01-01T00:00:00Z"}"#);
    assert_eq!(told["up_to"], Value::Null, "all of it may still be seen: {told}");
    let busy = daemon.run(&[
        "journal",
        "trim",
        "--before",
        "2190-01-01T00:00:00Z",
        "--journal",
        "data/journal",
    ]);
    assert_eq!(busy.status.code(), Some(1), "a daemon runs it");
    fill(&daemon, 3);
    daemon.stop_well();
    // Nothing of the first part may go, and so nothing behind it.
    let words = daemon.answer(&["journal", "trim", "--keep-bytes", "1", "--journal", "data/journal"]);
    assert!(
        words.starts_with("nothing was trimmed\nthe next segment stays: "),
        "{words}"
    );
    let told = daemon.answer(&["journal", "compact"]);
    assert!(told.contains("given back"), "{told}");
    daemon.start_ready();
    assert_eq!(daemon.json("/api/v1/journal")["first"], 1);
    daemon.stop_well();
}

#[test]
fn the_settings_trim_by_themselves() {
    let mut daemon = house();
    daemon.start_ready();
    fill(&daemon, 5);
    daemon.stop_well();
    let before = daemon.json_of(&["journal", "stat", "--format", "json"]);
    let mut daemon = daemon.with("KPID_JOURNAL__KEEP_BYTES", "256KiB");
    daemon.start_ready();
    daemon.wait("it trims at its start", || daemon.json("/api/v1/journal")["first"] != 1);
    daemon.stop_well();
    let after = daemon.json_of(&["journal", "stat", "--format", "json"]);
    assert!(
        after["segments"].as_u64() < before["segments"].as_u64(),
        "{before} {after}"
    );
    // One that nobody runs goes the same way.
    let told = daemon.json_of(&[
        "journal",
        "trim",
        "--keep-bytes",
        "1",
        "--journal",
        "data/journal",
        "--format",
        "json",
    ]);
    assert!(told["held"].is_string(), "{told}");
    daemon.answer(&["journal", "verify"]);
}
