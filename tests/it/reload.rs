//! Definitions that change while the daemon runs, or between two starts: what was edited holds from one sequence on, what
//! is wrong changes nothing, and a replay of the journal tells the same story.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::support::daemon::{Daemon, agent, post, signal};

const DESK: &str = include_str!("catalogs/story/desk.toml");
const PATH: &str = "desk/customer/satisfied-users/desk.csat";

fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "there is no `{from}` to edit in:\n{text}");
        text.replacen(from, to, 1)
    })
}

fn write(daemon: &Daemon, text: &str) {
    std::fs::write(daemon.path("cards/desk.toml"), text).unwrap();
}

/// What the command said, on stdout or stderr, and its exit code.
fn reload(daemon: &Daemon) -> (Option<i32>, String) {
    let output = daemon.run(&["reload", "--server", daemon.url()]);
    let words = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    (output.status.code(), words.concat())
}

fn firing(daemon: &Daemon) -> Vec<String> {
    let alerts = daemon.json("/api/v1/alerts?state=firing");
    let ids = alerts["alerts"].as_array().unwrap().iter();
    ids.map(|alert| alert["id"].as_str().unwrap().to_owned()).collect()
}

fn leaf(node: &Value) -> &Value {
    &node["children"][0]["children"][0]["children"][0]
}

/// The daemon's scorecard and its journal's replay are one.
fn replay_agrees(daemon: &Daemon) -> Vec<Value> {
    let replayed = daemon.replay(&[]);
    let (replayed_node, node) = (replayed.node("desk", None).clone(), daemon.node("desk"));
    assert_eq!(replayed_node, node);
    replayed.alerts
}

#[test]
fn an_edited_threshold_keeps_its_alert_and_a_wrong_file_changes_nothing() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    daemon.start_ready();
    assert_eq!(daemon.post(r#"{"kpi":"desk.csat","value":63}"#).0, 200);
    assert_eq!(daemon.node("desk")["score"], 30.0);
    let alert = firing(&daemon);
    assert_eq!(alert.len(), 1);
    assert_eq!(reload(&daemon).1.split(':').next(), Some("unchanged"));

    // Red 60 and target 90: 63 scores 52.5. The rule's own threshold moves along, so that it goes on firing.
    let second = edited(DESK, &[("red = 75", "red = 60"), ("below = 50", "below = 60")]);
    write(&daemon, &second);
    let (code, words) = reload(&daemon);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("no window had to be rebuilt"), "{words}");
    let node = daemon.node("desk");
    assert_eq!(
        (&leaf(&node)["value"], &leaf(&node)["score"]),
        (&63.0.into(), &52.5.into())
    );
    assert_eq!(firing(&daemon), alert, "it is the same alert");

    // Wrong definitions: every problem is said, what held goes on.
    write(
        &daemon,
        &edited(&second, &[("red = 60", "red = 95"), ("below = 60", "bellow = 60")]),
    );
    let (code, words) = reload(&daemon);
    assert_eq!(code, Some(2), "{words}");
    for part in [
        "the one before goes on",
        "desk.toml:31",
        "bellow",
        "red 95 is above target 90",
    ] {
        assert!(words.contains(part), "`{part}` is missing in: {words}");
    }
    signal("HUP", daemon.pid());
    daemon.wait("the hang-up is refused too", || {
        daemon.log().matches("catalog not reloaded").count() == 2
    });
    assert_eq!(daemon.node("desk"), node);

    // A signal does the same as the command: without the rule its alert ends, once.
    let rule = second.find("[[alert]]").unwrap();
    write(&daemon, &second[..rule]);
    signal("HUP", daemon.pid());
    daemon.wait("the alert ends with its rule", || firing(&daemon).is_empty());
    let alerts = replay_agrees(&daemon);
    let told: Vec<&Value> = alerts.iter().map(|alert| &alert["transition"]).collect();
    assert_eq!(told, ["firing", "resolved"]);

    // What holds survives a kill.
    let before = daemon.node("desk");
    daemon.kill();
    daemon.start_ready();
    assert_eq!(daemon.node("desk"), before);
    assert_eq!(replay_agrees(&daemon), alerts);
}

#[test]
fn a_new_kpi_is_taken_as_soon_as_the_reload_is_answered() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    daemon.start_ready();
    let late = r#"{"kpi":"desk.backlog","value":7}"#;
    assert_eq!(daemon.post(late).0, 422, "nobody knows it yet");
    let kpi = "\n[[kpi]]\nid = \"desk.backlog\"\nobjective = \"satisfied-users\"\naggregate = \"last\"\nwindow = { all = true }\n";
    let rule = DESK.find("[[alert]]").unwrap();
    write(&daemon, &format!("{}{kpi}\n{}", &DESK[..rule], &DESK[rule..]));
    let (code, words) = reload(&daemon);
    assert_eq!(code, Some(0), "{words}");
    assert!(words.contains("rebuilt from the journal: desk.backlog"), "{words}");
    assert_eq!(daemon.post(late).0, 200);
    replay_agrees(&daemon);
}

#[test]
fn windows_are_rebuilt_while_measurements_come_in_without_a_gap() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    daemon.start_ready();
    let (taken, stop) = (AtomicU64::new(0), AtomicBool::new(false));
    let aggregates = ["count", "max", "p90", "sum", "count"];
    std::thread::scope(|scope| {
        for sender in 0..2 {
            let (url, taken, stop) = (daemon.url().to_owned(), &taken, &stop);
            scope.spawn(move || {
                let agent = agent();
                for number in 0.. {
                    if stop.load(Ordering::Acquire) {
                        break;
                    }
                    let body = format!(r#"[{{"id":"{sender}-{number}","kpi":"desk.csat","value":80}},{{"kpi":"desk.csat","value":90}}]"#);
                    let (status, receipt) = post(&agent, &url, &body).expect("an answer");
                    assert_eq!(status, 200, "{receipt}");
                    taken.fetch_add(receipt["accepted"].as_u64().unwrap(), Ordering::AcqRel);
                }
            });
        }
        for aggregate in aggregates {
            std::thread::sleep(Duration::from_millis(150));
            write(
                &daemon,
                &edited(
                    DESK,
                    &[("aggregate = \"mean\"", &format!("aggregate = \"{aggregate}\""))],
                ),
            );
            let (code, words) = reload(&daemon);
            assert_eq!(code, Some(0), "{words}");
            assert!(words.contains("rebuilt from the journal: desk.csat"), "{words}");
        }
        stop.store(true, Ordering::Release);
    });
    let node = daemon.node("desk");
    let all = taken.load(Ordering::Acquire);
    assert!(all > 10, "measurements came in meanwhile");
    assert_eq!(
        leaf(&node)["value"].as_f64(),
        Some(all as f64),
        "each counts once, those before the reload too"
    );
    let alerts = replay_agrees(&daemon);
    daemon.kill();
    daemon.start_ready();
    assert_eq!(leaf(&daemon.node("desk"))["value"].as_f64(), Some(all as f64));
    assert_eq!(replay_agrees(&daemon), alerts, "nothing was decided twice");
}

#[test]
fn definitions_edited_between_two_starts_take_over_like_a_reload() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    daemon.start_ready();
    assert_eq!(
        daemon
            .post(r#"[{"kpi":"desk.csat","value":63},{"kpi":"desk.csat","value":64}]"#)
            .0,
        200
    );
    daemon.node("desk");
    let alert = firing(&daemon);
    daemon.stop_well();
    write(
        &daemon,
        &edited(DESK, &[("aggregate = \"mean\"", "aggregate = \"max\"")]),
    );
    for round in 0..2 {
        daemon.start_ready();
        let node = daemon.node("desk");
        assert_eq!(
            (&leaf(&node)["value"], &leaf(&node)["path"]),
            (&64.0.into(), &PATH.into())
        );
        assert_eq!(firing(&daemon), alert, "the alert goes on in round {round}");
        assert_eq!(replay_agrees(&daemon).len(), 1);
        daemon.kill();
    }
    let stat: Value = serde_json::from_str(&daemon.answer(&["journal", "stat", "--format", "json"])).unwrap();
    assert_eq!(stat["facts"], 4, "two activations and two measurements: {stat}");
}

#[test]
fn by_the_event_clock_a_journal_shows_an_instant_as_its_measurements_do() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    daemon.start_ready();
    let lines = ["02T10", "01T10", "04T10", "03T10"].map(|hour| {
        let value = 60 + hour.as_bytes()[1];
        format!(r#"{{"kpi":"desk.csat","observed_at":"2026-03-{hour}:00:00Z","value":{value}}}"#)
    });
    let body = lines.join("\n");
    let file = daemon.path("csat.ndjson");
    std::fs::write(&file, &body).unwrap();
    assert_eq!(daemon.post(&format!("[{}]", lines.join(","))).0, 200);
    let (journal, file) = (daemon.journal().display().to_string(), file.display().to_string());
    let cards = daemon.path("cards").display().to_string();
    for at in ["2026-03-01T12:00:00Z", "2026-03-03T10:00:00Z", "2026-03-09T00:00:00Z"] {
        let event = ["--clock", "event", "--every", "1h", "--format", "json", "--at", at];
        let answer = |more: &[&str]| {
            let line = [&["replay"][..], more, &event].concat();
            let shown: Value = serde_json::from_str(&daemon.answer(&line)).unwrap();
            shown[0]["node"].clone()
        };
        let of_journal = answer(&["--journal", &journal]);
        assert_eq!(of_journal, answer(&["--input", &file, "--catalog", &cards]), "{at}");
        assert!(of_journal["score"].is_number(), "{of_journal}");
    }
}
