//! What if: other definitions over the same history, by the command and by the daemon. The figures of the stories are computed
//! by hand.

use std::ops::ControlFlow;

use kpid::app::replay::{ReplayInput, ReplayRequest};
use kpid::app::what_if::{WhatIfRequest, what_if};
use kpid::domain::comparison::Sides;
use kpid::domain::projection::ClockKind;
use kpid::wire::csv::FileForm;
use kpid::wire::what_if::{Extent, WhatIfBody};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::laws::usually;
use crate::reference::generate;
use crate::support::daemon::{Daemon, agent};
use crate::support::replays::catalog_files;

const DESK: &str = include_str!("catalogs/story/desk.toml");
const CSAT: &str = "desk/customer/satisfied-users/desk.csat";
const ROW: [&str; 4] = ["desk", "desk/customer", "desk/customer/satisfied-users", CSAT];

/// Means of 80, 79, 78 and 83.5 at 11 o'clock of four days. From 75 (50 points) to 90 (75 points) they score 58.33, 56.67, 55
/// and 64.17.
const WEEK: &str = r#"{"kpi":"desk.csat","id":"1","observed_at":"2026-03-01T10:00:00Z","value":80}
{"kpi":"desk.csat","id":"2","observed_at":"2026-03-02T10:00:00Z","value":78}
{"kpi":"desk.csat","id":"3","observed_at":"2026-03-03T10:00:00Z","value":76}
{"kpi":"desk.csat","id":"4","observed_at":"2026-03-04T10:00:00Z","value":100}
"#;

/// A folder with the definitions of the desk, others beside them, and the week; nothing runs.
fn house(other: &str) -> Daemon {
    let daemon = Daemon::new(&[("desk.toml", DESK)]);
    std::fs::create_dir(daemon.path("other")).unwrap();
    std::fs::write(daemon.path("other/desk.toml"), other).unwrap();
    std::fs::write(daemon.path("week.ndjson"), WEEK).unwrap();
    daemon
}

fn diff(daemon: &Daemon, more: &[&str]) -> Value {
    let line = ["replay", "--input", "week.ndjson", "--every", "1h", "--diff", "other"];
    serde_json::from_str(&daemon.answer(&[&line[..], more].concat())).unwrap()
}

fn paths(answer: &Value) -> Vec<&str> {
    let listed = answer["nodes"]["listed"].as_array().unwrap();
    listed.iter().map(|node| node["path"].as_str().unwrap()).collect()
}

#[test]
fn a_higher_threshold_would_have_fired() {
    let house = house(&DESK.replace("below = 50", "below = 60"));
    let answer = diff(&house, &[]);
    assert_eq!(paths(&answer), [] as [&str; 0], "no score changes");
    assert_eq!(
        (&answer["nodes"]["same"], &answer["nodes"]["instants"]),
        (&json!(4), &json!(4))
    );
    // 58.33 at the first evaluation is below 60; 64.17 at the last is past it.
    let expected = json!([{
        "rule": "csat-low", "path": CSAT, "difference": "fired", "base": null,
        "other": {"fired_at": "2026-03-01T11:00:00Z", "resolved_at": "2026-03-04T11:00:00Z", "severity": "critical"},
    }]);
    assert_eq!(answer["alerts"]["listed"], expected);
    let later = diff(&house, &["--from", "2026-03-04T11:00:00Z"]);
    assert_eq!(later["alerts"]["fired"], 0, "it had ended by then");

    let table = house.answer(&[
        "replay",
        "--input",
        "week.ndjson",
        "--every",
        "1h",
        "--diff",
        "other",
        "--format",
        "table",
    ]);
    assert!(table.contains("Alerts: 1 would have fired, 0 would not"), "{table}");
    assert!(table.contains("▲ would have fired  csat-low"), "{table}");
}

#[test]
fn a_lower_red_point_raises_every_score_above_it() {
    // From 60 (50 points) to 90 (75 points): 66.67, 65.83, 65 and 69.58. The third day differs most, by 10 points.
    let house = house(&DESK.replace("red = 75", "red = 60"));
    let answer = diff(&house, &[]);
    assert_eq!(paths(&answer), ROW);
    for node in answer["nodes"]["listed"].as_array().unwrap() {
        assert_eq!((&node["instants"], &node["differing"]), (&json!(4), &json!(4)));
        let largest = json!({"at": "2026-03-03T11:00:00Z", "base": 55.0, "other": 65.0, "difference": 10.0});
        assert_eq!(node["largest_score"], largest);
        assert_eq!(node["largest_value"], Value::Null, "the values are the same");
        let scores = ["base", "other"].map(|side| node[side]["score"].as_f64().unwrap());
        assert!((scores[0] - (50.0 + 8.5 / 15.0 * 25.0)).abs() < 1e-9, "{scores:?}");
        assert!((scores[1] - (50.0 + 23.5 / 30.0 * 25.0)).abs() < 1e-9, "{scores:?}");
    }
    let until = diff(&house, &["--at", "2026-03-02T23:00:00Z"]);
    assert_eq!(until["nodes"]["instants"], 2, "nothing observed later is seen");
}

#[test]
fn a_lower_weight_changes_what_is_above_and_a_new_kpi_is_added() {
    let speed = "\n[[kpi]]\nid = 'desk.speed'\nobjective = 'satisfied-users'\naggregate = 'mean'\nweight = WEIGHT\n\
        window = { rolling = '28d', slice = '1d' }\ndirection = 'up'\nred = 50\ntarget = 75\n";
    let with = |weight: &str| format!("{DESK}{}", speed.replace("WEIGHT", weight));
    let house = house(&with("1"));
    std::fs::write(
        house.path("week.ndjson"),
        format!(
            "{WEEK}{}",
            WEEK.replace("csat", "speed").replace("\"id\":\"", "\"id\":\"s")
        ),
    )
    .unwrap();
    // The base does not know the KPI and refuses its measurements; both clocks go to the end of the file all the same.
    let answer = diff(&house, &[]);
    let added = answer["nodes"]["listed"].as_array().unwrap().iter();
    let added: Vec<&Value> = added.filter(|node| node["difference"] == "added").collect();
    assert_eq!((added.len(), &answer["nodes"]["added"]), (1, &json!(1)));
    assert_eq!(
        (&added[0]["base"], &added[0]["other"]["value"]),
        (&Value::Null, &json!(83.5))
    );

    // 64.17 and 83.5 points: their mean is 73.83 with equal weights, and 69 with weights of 3 and 1.
    std::fs::write(
        house.path("cards/desk.toml"),
        with("1").replacen("red = 75", "weight = 3\nred = 75", 1),
    )
    .unwrap();
    let answer = diff(&house, &[]);
    assert_eq!(paths(&answer), ROW[..3], "KPIs themselves score the same");
    let node = &answer["nodes"]["listed"][0];
    let scores = ["base", "other"].map(|side| node[side]["score"].as_f64().unwrap());
    let csat = 50.0 + 8.5 / 15.0 * 25.0;
    assert!((scores[0] - (3.0 * csat + 83.5) / 4.0).abs() < 1e-9, "{scores:?}");
    assert!((scores[1] - f64::midpoint(csat, 83.5)).abs() < 1e-9, "{scores:?}");
}

#[test]
fn definitions_that_are_the_same_differ_in_nothing_and_wrong_ones_are_all_named() {
    let house = house(DESK);
    let answer = diff(&house, &[]);
    assert_eq!(answer["base"], answer["other"]);
    assert_eq!(
        (&answer["nodes"]["listed"], &answer["alerts"]["listed"]),
        (&json!([]), &json!([]))
    );
    std::fs::write(
        house.path("other/desk.toml"),
        DESK.replace("red = 75", "red = 95\ncolour = 1"),
    )
    .unwrap();
    let refused = house.run(&["replay", "--input", "week.ndjson", "--diff", "other"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{words}");
    assert!(
        words.contains("colour") && words.contains("red 95 is above target 90"),
        "{words}"
    );
}

fn ask(daemon: &Daemon, body: &str) -> (u16, Value) {
    let request = agent()
        .post(format!("{}/api/v1/what-if", daemon.url()))
        .header("content-type", "application/json");
    let mut answer = request.send(body).unwrap();
    let text = answer.body_mut().read_to_string().unwrap();
    (
        answer.status().as_u16(),
        serde_json::from_str(&text).unwrap_or(Value::Null),
    )
}

#[test]
fn a_daemon_answers_from_its_journal_and_nothing_it_shows_changes() {
    let mut daemon = house(&DESK.replace("below = 50", "below = 60"));
    daemon.start_ready();
    assert_eq!(daemon.post(r#"{"kpi":"desk.csat","value":79}"#).0, 200);
    let node = daemon.node("desk");
    let question = |text: &str| json!({"files": [{"name": "desk.toml", "text": text}]}).to_string();

    let (status, answer) = ask(&daemon, &question(&DESK.replace("below = 50", "below = 60")));
    assert_eq!((status, &answer["alerts"]["fired"]), (200, &json!(1)), "{answer}");
    assert_eq!(answer["nodes"]["same"], 4, "{answer}");
    assert_eq!(
        (
            &answer["sequence"],
            &answer["alerts"]["listed"][0]["other"]["resolved_at"]
        ),
        (&json!(2), &Value::Null)
    );
    let (status, same) = ask(&daemon, &question(DESK));
    assert_eq!(
        (status, &same["alerts"]["listed"], &same["nodes"]["listed"]),
        (200, &json!([]), &json!([]))
    );

    // The command on the journal beside the daemon says the same.
    let journal = daemon.journal().display().to_string();
    let line = ["replay", "--journal", &journal, "--diff", "other"];
    let told: Value = serde_json::from_str(&daemon.answer(&line)).unwrap();
    assert_eq!((&told["alerts"], &told["base"]), (&answer["alerts"], &answer["base"]));

    let (status, wrong) = ask(&daemon, &question(&DESK.replace("red = 75", "red = 95\ncolour = 1")));
    assert_eq!(status, 422);
    let lines: Vec<(&Value, &Value)> = wrong["problems"]
        .as_array()
        .unwrap()
        .iter()
        .map(|p| (&p["file"], &p["line"]))
        .collect();
    assert_eq!(
        lines,
        [(&json!("desk.toml"), &json!(25)), (&json!("desk.toml"), &json!(26))],
        "{wrong}"
    );
    assert_eq!(ask(&daemon, "{}").0, 400);
    assert_eq!(ask(&daemon, &question(&"#".repeat(3 << 20))).0, 413);
    assert_eq!(daemon.node("desk"), node);
    assert_eq!(
        daemon.json("/api/v1/alerts")["alerts"],
        json!([]),
        "nothing was published"
    );
    daemon.stop_well();
}

/// What is found when the second set of definitions is held against the first.
fn compared(base: &generate::Case, other: &generate::Case, ndjson: &str) -> Value {
    use std::io::Write;
    let mut input = tempfile::Builder::new().suffix(".ndjson").tempfile().unwrap();
    input.write_all(ndjson.as_bytes()).unwrap();
    let request = WhatIfRequest {
        replay: ReplayRequest {
            input: ReplayInput::Files(vec![input.path().to_owned()], FileForm::default()),
            catalog: Some(catalog_files(&base.files)),
            clock: ClockKind::Event {
                every_ms: base.every_ms,
            },
            at: None,
            until: None,
            history_ms: None,
            with_readings: false,
        },
        other: catalog_files(&other.files),
        from: None,
    };
    let outcome = what_if(&request, &mut |_| ControlFlow::Continue(())).unwrap().unwrap();
    let fingerprints = Sides {
        base: outcome.catalogs.base.fingerprint.as_str(),
        other: outcome.catalogs.other.fingerprint.as_str(),
    };
    let extent = Extent {
        from: None,
        at: outcome.at,
        sequence: outcome.sequence,
    };
    serde_json::to_value(WhatIfBody::new(&outcome.compared, fingerprints, extent)).unwrap()
}

/// The answer with its sides exchanged.
fn mirrored(answer: &Value) -> Value {
    let word = |word: &str| {
        match word {
            "base" => "other",
            "other" => "base",
            "fired" => "not_fired",
            "not_fired" => "fired",
            "added" => "removed",
            "removed" => "added",
            word => word,
        }
        .to_owned()
    };
    match answer {
        Value::Object(fields) => fields
            .iter()
            .map(|(key, value)| match value {
                Value::Number(number) if key == "difference" => (key.clone(), json!(-number.as_f64().unwrap())),
                Value::String(text) if key == "difference" => (key.clone(), json!(word(text))),
                value => (word(key), mirrored(value)),
            })
            .collect(),
        Value::Array(all) => all.iter().map(mirrored).collect(),
        value => value.clone(),
    }
}

proptest! {
    #![proptest_config(usually(12))]

    #[test]
    fn definitions_held_against_themselves_differ_in_nothing_and_exchanged_ones_mirror(
        (one, mut other) in (generate::cases(), generate::cases()),
    ) {
        other.every_ms = one.every_ms;
        let itself = compared(&one, &one, &one.ndjson);
        prop_assert_eq!(&itself["nodes"]["listed"], &json!([]));
        prop_assert_eq!(&itself["alerts"]["listed"], &json!([]));
        let history = format!("{}\n{}", one.ndjson, other.ndjson);
        let (there, back) = (compared(&one, &other, &history), compared(&other, &one, &history));
        prop_assert_eq!(mirrored(&there), back);
    }
}
