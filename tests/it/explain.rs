//! A change explained through the real program: over HTTP, on a page, on the command line, and again from the journal.

use serde_json::Value;

use kpid::domain::instant::{DAY_MS, Instant};

use crate::support::daemon::Daemon;

const CATALOG: &str = include_str!("catalogs/explain/desk.toml");

fn days_ago(now: i64, days: i64) -> String {
    Instant(now - days * DAY_MS).to_string()
}

fn now_ms() -> i64 {
    jiff::Timestamp::now().as_millisecond()
}

/// Two weeks in which satisfaction falls, speed rises and the share of calls appears.
fn two_weeks(now: i64) -> String {
    let line = |id: &str, kpi: &str, day: i64, value: f64| {
        let at = days_ago(now, day);
        format!(r#"{{"id":"{id}","kpi":"{kpi}","observed_at":"{at}","value":{value}}}"#)
    };
    let mut lines = Vec::new();
    for day in (1..=14).rev() {
        let (csat, speed) = if day > 7 { (90.0, 60.0) } else { (70.0, 75.0) };
        lines.push(line(&format!("c{day}"), "desk.csat", day, csat));
        lines.push(line(&format!("s{day}"), "desk.speed", day, speed));
    }
    lines.push(line("calls", "desk.calls", 2, 85.0));
    lines.push(format!(
        r#"{{"id":"outage","kpi":"desk.csat","observed_at":"{}","value":10,"note":"after the outage","by":"Ada"}}"#,
        days_ago(now, 3)
    ));
    lines.join("\n")
}

fn sum(answer: &Value) -> f64 {
    let leaves = answer["leaves"].as_array().unwrap();
    leaves.iter().map(|leaf| leaf["contribution"].as_f64().unwrap()).sum()
}

#[test]
fn a_change_is_split_exactly_and_names_the_measurement_behind_it() {
    let mut daemon = Daemon::new(&[("desk.toml", CATALOG)]);
    daemon.start_ready();
    let now = now_ms();
    let (status, receipt) = daemon.post(&format!("[{}]", two_weeks(now).replace('\n', ",")));
    assert_eq!((status, &receipt["accepted"]), (200, &30.into()), "{receipt}");
    daemon.node("desk");
    // What was sent was wrong: it was 30. The explanation knows it at once.
    let correction = r#"{"kpi":"desk.csat","corrects":"outage","value":30}"#;
    assert_eq!(daemon.post(correction).0, 200);
    let present = daemon.node("desk");

    let answer = daemon.json("/api/v1/scorecards/desk/explain");
    let node = &answer["node"];
    let [then, after] = ["then", "now"].map(|side| node[side]["score"].as_f64().unwrap());
    assert_eq!(
        &node["now"]["score"], &present["score"],
        "now is what the scorecard shows"
    );
    assert!((sum(&answer) - (after - then)).abs() < 1e-9, "{answer}");
    assert!((node["change"].as_f64().unwrap() - (after - then)).abs() < 1e-12);

    let leaf = |path: &str| {
        let leaves = answer["leaves"].as_array().unwrap();
        leaves.iter().find(|leaf| leaf["path"] == path).unwrap().clone()
    };
    let csat = leaf("desk/customer/satisfied-users/desk.csat");
    assert!(csat["contribution"].as_f64().unwrap() < -5.0, "{csat}");
    let found = &csat["measurements"]["listed"][0];
    assert_eq!(
        (&found["value"], &found["corrected"], &found["moved"]),
        (&30.0.into(), &true.into(), &"entered".into()),
        "{csat}"
    );
    let speed = leaf("desk/process/restore-fast/desk.speed");
    assert!(speed["contribution"].as_f64().unwrap() > 1.0, "{speed}");
    assert_eq!(answer["measurements_complete"], true);

    for node in [
        "desk/customer",
        "desk/process/restore-fast",
        "desk/customer/satisfied-users/desk.csat",
    ] {
        let from = days_ago(now, 10);
        let part = daemon.json(&format!("/api/v1/scorecards/desk/explain?node={node}&from={from}"));
        assert!(
            (sum(&part) - part["node"]["change"].as_f64().unwrap()).abs() < 1e-9,
            "{part}"
        );
    }
    told_elsewhere_as_well(&mut daemon, now, &answer);
}

/// On the page, by the command line, and from the journal alone.
fn told_elsewhere_as_well(daemon: &mut Daemon, now: i64, answer: &Value) {
    let (status, page) = daemon.get("/scorecards/desk/explain");
    assert_eq!(status, 200);
    for part in ["What moved Service desk", "Ticket satisfaction", "corrected", "In all"] {
        assert!(page.contains(part), "the page shows `{part}`:\n{page}");
    }
    let (status, map) = daemon.get("/scorecards/desk/strategy");
    assert_eq!(status, 200, "{map}");
    assert!(
        map.contains("Restore fast drives Satisfied users: too little history"),
        "{map}"
    );

    let shown = daemon.answer(&["explain", "desk", "--server", daemon.url()]);
    assert!(
        shown.contains("Ticket satisfaction") && shown.contains("in all"),
        "{shown}"
    );

    let (from, to) = (days_ago(now, 9), days_ago(now, 0));
    let path = format!("/api/v1/scorecards/desk/explain?from={from}&to={to}");
    let live = daemon.json(&path);
    daemon.stop_well();
    let journal = daemon.journal().display().to_string();
    let asked = [
        "explain",
        "desk",
        "--from",
        &from,
        "--to",
        &to,
        "--journal",
        &journal,
        "--format",
        "json",
    ];
    let again: Value = serde_json::from_str(&daemon.answer(&asked)).unwrap();
    assert_eq!(again["leaves"], live["leaves"], "the journal explains the same");
    assert_eq!(again["node"], live["node"]);
    assert_eq!(again["catalog"], answer["catalog"]);
    let wrong = daemon.run(&["explain", "desk/nope", "--journal", &journal]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&wrong.stderr).contains("there is no node `desk/nope`"));
}
