//! `kpid send` against a daemon that is played, over real HTTP on the loopback.

use std::collections::BTreeSet;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

/// What the daemon got and how it behaves.
#[derive(Default)]
struct Daemon {
    /// Answers before it takes anything: a status each; 200 takes it.
    moods: VecDeque<u16>,
    seen: BTreeSet<(String, String)>,
    batches: Vec<Vec<Value>>,
}

impl Daemon {
    /// Takes measurements once by source and id; a value of 13 is rejected.
    fn take(&mut self, body: &str) -> Value {
        let lines: Vec<Value> = body.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let (mut accepted, mut duplicates, mut rejected) = (0, 0, Vec::new());
        for (index, line) in lines.iter().enumerate() {
            let text = |field: &str| line[field].as_str().unwrap().to_owned();
            if line["value"] == 13.0 {
                rejected.push(json!({"index": index, "reason": "implausible", "detail": "13"}));
            } else if self.seen.insert((text("source"), text("id"))) {
                accepted += 1;
            } else {
                duplicates += 1;
            }
        }
        self.batches.push(lines);
        json!({"accepted": accepted, "duplicates": duplicates, "rejected": rejected, "sequence": self.seen.len()})
    }
}

async fn receive(State(daemon): State<Arc<Mutex<Daemon>>>, body: String) -> Response {
    let mut daemon = daemon.lock().unwrap();
    match daemon.moods.pop_front() {
        None | Some(200) => {
            let answer = daemon.take(&body);
            let taken = answer["accepted"] != 0 || answer["duplicates"] != 0;
            let status = if taken {
                StatusCode::OK
            } else {
                StatusCode::UNPROCESSABLE_ENTITY
            };
            (status, axum::Json(answer)).into_response()
        }
        Some(mood) => (
            StatusCode::from_u16(mood).unwrap(),
            [("retry-after", "0")],
            "{\"detail\":\"a mood\"}",
        )
            .into_response(),
    }
}

/// A played daemon, a user's home, and files to send.
struct Stage {
    daemon: Arc<Mutex<Daemon>>,
    url: String,
    folder: TempDir,
    _runtime: tokio::runtime::Runtime,
}

#[derive(Parser)]
struct Line {
    #[command(flatten)]
    args: SendArgs,
}

impl Stage {
    fn new(moods: &[u16]) -> Self {
        let daemon = Daemon {
            moods: moods.iter().copied().collect(),
            ..Daemon::default()
        };
        let daemon = Arc::new(Mutex::new(daemon));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let app = axum::Router::new()
            .route("/api/v1/measurements", post(receive))
            .with_state(Arc::clone(&daemon));
        runtime.spawn(async move { axum::serve(listener, app).await });
        Self {
            daemon,
            url,
            folder: tempfile::tempdir().unwrap(),
            _runtime: runtime,
        }
    }

    fn file(&self, name: &str, content: &str) -> String {
        let path = self.folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        path.display().to_string()
    }

    /// Runs the command with these further words.
    fn send(&self, words: &[&str]) -> Result<ExitCode, SendError> {
        let to = ["send", "--to", self.url.as_str()];
        let line = Line::try_parse_from(to.iter().chain(words)).unwrap();
        run_with(&line.args, ResumeFolder(Some(self.folder.path().join("state"))))
    }

    /// Lengths of the batches that arrived, and they are forgotten.
    fn batches(&self) -> Vec<usize> {
        let batches = std::mem::take(&mut self.daemon.lock().unwrap().batches);
        batches.iter().map(Vec::len).collect()
    }
}

/// A table like those that people have: times on the wall clock, without an offset.
fn latency(rows: usize) -> String {
    let row = |minute: usize| {
        format!(
            "2014-03-07 {:02}:{:02}:00,{}.868\n",
            minute / 60,
            minute % 60,
            minute + 20
        )
    };
    String::from("timestamp,value\n") + &(0..rows).map(row).collect::<String>()
}

const LATENCY: [&str; 6] = [
    "--kpi",
    "it.latency",
    "--map",
    "observed_at=timestamp",
    "--time-zone",
    "UTC",
];

#[test]
fn a_table_arrives_in_batches_and_sending_it_again_changes_nothing() {
    let stage = Stage::new(&[]);
    let file = stage.file("latency.csv", &latency(25));
    let words = [&LATENCY[..], &["--batch", "10", &file]].concat();
    assert_eq!(stage.send(&words).unwrap(), ExitCode::SUCCESS);
    let first = stage.daemon.lock().unwrap().batches[0][0].clone();
    assert_eq!(first["kpi"], "it.latency");
    assert_eq!(
        (&first["value"], &first["observed_at"]),
        (&json!(20.868), &json!("2014-03-07T00:00:00Z"))
    );
    assert_eq!(first["source"], "file");
    assert!(first["id"].as_str().unwrap().ends_with(":2"), "{first}");
    assert_eq!(stage.batches(), [10, 10, 5]);
    assert_eq!(stage.send(&words).unwrap(), ExitCode::SUCCESS);
    assert_eq!(stage.batches(), [10, 10, 5]);
    assert_eq!(stage.daemon.lock().unwrap().seen.len(), 25);
}

#[test]
fn an_interrupted_run_goes_on_where_it_stopped() {
    let stage = Stage::new(&[200, 200, 400]);
    let file = stage.file("latency.csv", &latency(45));
    let words = [&LATENCY[..], &["--batch", "10", &file]].concat();
    let error = stage.send(&words).unwrap_err();
    assert!(
        matches!(&error, SendError::NotTaken { reason, .. } if reason == "it answered 400, a mood"),
        "{error}"
    );
    assert_eq!((error.exit_code(), stage.batches()), (1, vec![10, 10]));
    assert_eq!(stage.send(&words).unwrap(), ExitCode::SUCCESS);
    assert_eq!(stage.batches(), [10, 10, 5]);
    assert_eq!(stage.daemon.lock().unwrap().seen.len(), 45);
    stage.daemon.lock().unwrap().moods.extend([200, 400]);
    assert!(stage.send(&words).is_err());
    assert_eq!(stage.batches(), [10]);
    assert_eq!(
        stage.send(&[&words[..], &["--restart"]].concat()).unwrap(),
        ExitCode::SUCCESS
    );
    assert_eq!(stage.batches(), [10, 10, 10, 10, 5]);
}

#[test]
fn a_daemon_that_is_away_for_a_moment_is_waited_for() {
    let stage = Stage::new(&[503, 500, 200]);
    let file = stage.file("latency.csv", &latency(5));
    let words = [&LATENCY[..], &[file.as_str()]].concat();
    assert_eq!(stage.send(&words).unwrap(), ExitCode::SUCCESS);
    assert_eq!(stage.batches(), [5]);
}

#[test]
fn patience_ends() {
    let stage = Stage::new(&[503; 1_000]);
    let file = stage.file("latency.csv", &latency(5));
    let words = [&LATENCY[..], &["--give-up-after", "0s", &file]].concat();
    let error = stage.send(&words).unwrap_err();
    assert!(matches!(&error, SendError::GaveUp { .. }), "{error}");
    assert_eq!(error.exit_code(), 1);
    let nobody = ["--to", "http://127.0.0.1:1", "--give-up-after", "0s", &file];
    let error = Line::try_parse_from([&["send"], &LATENCY[..], &nobody].concat())
        .map(|line| run_with(&line.args, ResumeFolder(None)))
        .unwrap();
    assert!(matches!(error, Err(SendError::GaveUp { .. })));
}

#[test]
fn a_rejected_measurement_shows_in_the_exit_code_and_does_not_stop_the_others() {
    let stage = Stage::new(&[]);
    let lines = "{\"kpi\":\"a\",\"value\":13,\"at\":0}\noops\n{\"kpi\":\"a\",\"value\":1,\"at\":0,\"id\":\"own\",\"source\":\"s\"}\n";
    let file = stage.file("lines.ndjson", lines);
    assert_eq!(stage.send(&["--batch", "1", &file]).unwrap(), ExitCode::FAILURE);
    assert_eq!(stage.batches(), [1, 1]);
    let seen = stage.daemon.lock().unwrap().seen.iter().cloned().collect::<Vec<_>>();
    assert_eq!(seen, [("s".to_owned(), "own".to_owned())]);
}

#[test]
fn the_same_table_read_as_another_kpi_is_another_measurement() {
    let stage = Stage::new(&[]);
    let file = stage.file("latency.csv", &latency(3));
    for kpi in ["a", "b"] {
        let words = [
            "--kpi",
            kpi,
            "--map",
            "observed_at=timestamp",
            "--time-zone",
            "UTC",
            &file,
        ];
        assert_eq!(stage.send(&words).unwrap(), ExitCode::SUCCESS);
    }
    assert_eq!(stage.daemon.lock().unwrap().seen.len(), 6);
}

#[test]
fn wrong_usage_is_found_before_anything_is_sent() {
    let stage = Stage::new(&[]);
    let good = stage.file("good.ndjson", "{\"kpi\":\"a\",\"value\":1,\"at\":0}\n");
    let table = stage.file("table.csv", &latency(1));
    for words in [
        &["--to", "ftp://127.0.0.1", &good][..],
        &["--to", "127.0.0.1:8484", &good],
        &["--map", "score=value", &good],
        &["--time-zone", "Mars", &good],
        &[&good, &table],
    ] {
        let line = Line::try_parse_from([&["send"], words].concat()).unwrap();
        let error = run_with(&line.args, ResumeFolder(None)).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{error}");
    }
    assert!(Line::try_parse_from(["send"]).is_err());
    assert!(Line::try_parse_from(["send", "--give-up-after", "soon", "x"]).is_err());
    assert!(stage.batches().is_empty());
}

#[test]
fn a_password_in_the_address_is_never_shown() {
    let stage = Stage::new(&[]);
    let file = stage.file("good.ndjson", "{\"kpi\":\"a\",\"value\":1,\"at\":0}\n");
    for to in [
        "http://ada:secret@127.0.0.1:1",
        "ftp://ada:secret@127.0.0.1",
        "nats://secret@127.0.0.1:1",
    ] {
        let line = Line::try_parse_from(["send", "--to", to, "--give-up-after", "0s", &file]).unwrap();
        let words = run_with(&line.args, ResumeFolder(None)).unwrap_err().to_string();
        assert!(words.contains("127.0.0.1") && !words.contains("secret"), "{words}");
    }
}

#[test]
fn a_source_can_be_named_in_two_ways() {
    let stage = Stage::new(&[]);
    let file = stage.file("good.ndjson", "{\"kpi\":\"a\",\"value\":1,\"at\":0}\n");
    for words in [["--source", "desk", &file], ["--set", "source=desk", &file]] {
        assert_eq!(stage.send(&words).unwrap(), ExitCode::SUCCESS);
    }
    assert!(
        stage
            .daemon
            .lock()
            .unwrap()
            .seen
            .iter()
            .all(|(source, _)| source == "desk")
    );
}
