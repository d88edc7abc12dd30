//! What was known: asked beside ingest, few at one time, and answered the same by the daemon, its journal and whatever is left
//! of its milestones.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex};
use std::time::Duration;

use serde_json::Value;

use kpid::domain::fact::Block;
use kpid::domain::id::Sequence;
use kpid::domain::instant::Instant;
use kpid::domain::projection::{ClockKind, ProjectionOptions};
use kpid::pipeline::hindsight::{Desk, Seats};
use kpid::pipeline::travel::{FirstFact, NoMilestones, Roads};
use kpid::ports::{Archive, BlockReader, Clock, Hindsight, JournalError, KnownQuery, QueryError};

use crate::laws::succession::Toml;
use crate::restatement::journal_of;
use crate::support::daemon::Daemon;

const CATALOG: &str = include_str!("catalogs/explain/desk.toml");

/// A journal on a slow disk: a reader waits before each block until the gate is open.
#[derive(Clone)]
struct Slow {
    blocks: Arc<Vec<Block>>,
    gate: Arc<(Mutex<bool>, Condvar)>,
    waiting: Arc<AtomicUsize>,
}

struct SlowReader(Slow, std::vec::IntoIter<Block>);

impl BlockReader for SlowReader {
    fn next_block(&mut self) -> Result<Option<Block>, JournalError> {
        let (open, bell) = &*self.0.gate;
        self.0.waiting.fetch_add(1, Ordering::SeqCst);
        let waited = bell.wait_while(open.lock().unwrap(), |open| !*open).unwrap();
        drop(waited);
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
        Ok(self.1.next())
    }
}

impl Archive for Slow {
    fn first_since(&self, _: Instant) -> Result<Sequence, JournalError> {
        Ok(Sequence(1))
    }

    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        let rest: Vec<Block> = self
            .blocks
            .iter()
            .filter(|block| block.last() >= from)
            .cloned()
            .collect();
        Ok(Box::new(SlowReader(self.clone(), rest.into_iter())))
    }
}

struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        Instant(1_000_000_000)
    }
}

fn desk(slow: &Slow) -> Arc<Desk> {
    let roads = Roads {
        archive: Arc::new(slow.clone()),
        milestones: Arc::new(NoMilestones),
        definitions: Arc::new(Toml),
        options: ProjectionOptions {
            clock: ClockKind::Recorded,
            history_ms: None,
            with_readings: false,
        },
        beginning: Arc::new(FirstFact),
    };
    let size = Seats {
        at_once: 1,
        waiting_max: 1,
    };
    Arc::new(Desk::new(roads, Arc::new(Stopped), size))
}

fn question(known_at: i64) -> KnownQuery {
    KnownQuery {
        scorecard: "c".to_owned(),
        instance: None,
        at: None,
        known_at: Instant(known_at),
    }
}

async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..1_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not once: {what}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_question_is_answered_one_waits_and_the_next_is_told_to_come_back() {
    let slow = Slow {
        blocks: Arc::new(journal_of(&[80.0, 40.0])),
        gate: Arc::default(),
        waiting: Arc::default(),
    };
    let desk = desk(&slow);
    let ask = |known_at: i64| {
        let desk = Arc::clone(&desk);
        tokio::spawn(async move { desk.picture(question(known_at)).await })
    };
    let first = ask(50_000_000);
    until("the first reads", || slow.waiting.load(Ordering::SeqCst) == 1).await;
    let second = ask(50_000_001);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(slow.waiting.load(Ordering::SeqCst), 1, "one at one time");
    let third = desk.picture(question(50_000_002)).await.unwrap_err();
    assert_eq!(third, QueryError::Busy(2));
    assert!(third.to_string().contains("past.waiting_max"), "{third}");
    // Whoever asked first goes away: its traveller gives up at the next block, and the second one has the seat.
    first.abort();
    *slow.gate.0.lock().unwrap() = true;
    slow.gate.1.notify_all();
    let known = second.await.unwrap().unwrap();
    assert_eq!(known.answer.nodes[0].reading.score, Some(60.0));
    assert!(
        desk.picture(question(50_000_003)).await.is_ok(),
        "and there is room again"
    );
}

#[tokio::test]
async fn before_the_first_fact_nothing_is_known_and_it_says_since_when() {
    let slow = Slow {
        blocks: Arc::new(journal_of(&[80.0])),
        gate: Arc::new((Mutex::new(true), Condvar::new())),
        waiting: Arc::default(),
    };
    let desk = desk(&slow);
    let refused = desk.picture(question(-1)).await.unwrap_err();
    let words = "nothing was known at 1969-12-31T23:59:59.999Z: the journal begins at 1970-01-01T00:00:00Z";
    assert_eq!(refused, QueryError::Unanswerable(words.to_owned()));
    let empty = Slow {
        blocks: Arc::default(),
        ..slow
    };
    let refused = self::desk(&empty).picture(question(5)).await.unwrap_err();
    assert!(refused.to_string().contains("the journal is empty"), "{refused}");
}

/// What the board shows, with its instant, once all that is durable is on it.
fn shown(daemon: &Daemon) -> Value {
    daemon.node("desk");
    daemon.json("/api/v1/scorecards/desk")
}

/// Waits until the wall is past an instant, so that nothing can be stamped with it any more.
fn pass(instant: &str) {
    let instant = Instant::parse(instant).unwrap().0;
    while jiff::Timestamp::now().as_millisecond() <= instant {
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn measured(number: usize) -> String {
    let at = Instant(jiff::Timestamp::now().as_millisecond() - 3_600_000);
    let value = 50 + number * 7 % 50;
    format!(r#"{{"id":"m{number}","kpi":"desk.csat","observed_at":"{at}","value":{value}}}"#)
}

#[test]
fn a_daemon_its_journal_and_any_milestones_tell_the_same_of_what_was_known() {
    let mut daemon = Daemon::new(&[("desk.toml", CATALOG)])
        .with("KPID_PAST__MILESTONE_FACTS", "1")
        .with("KPID_PAST__MILESTONES_MAX", "4")
        .with("KPID_PROJECTION__CHECKPOINT_EVERY", "1s");
    daemon.start_ready();
    let milestones = daemon.path("data/state/milestones");
    let count = || std::fs::read_dir(&milestones).map_or(0, Iterator::count);
    let mut seen = Vec::new();
    for number in 0..6 {
        assert_eq!(daemon.post(&measured(number)).0, 200);
        let now = shown(&daemon);
        pass(now["at"].as_str().unwrap());
        seen.push(now);
        if number < 2 {
            daemon.wait("a milestone is kept", || count() > number);
        }
    }
    assert_eq!(daemon.post(r#"{"kpi":"desk.csat","corrects":"m0","value":1}"#).0, 200);
    let present = shown(&daemon);
    let known = |daemon: &Daemon| -> Vec<Value> {
        let ask = |then: &Value| {
            daemon.json(&format!(
                "/api/v1/scorecards/desk?known_at={}",
                then["at"].as_str().unwrap()
            ))
        };
        seen.iter().map(ask).collect()
    };
    let told = known(&daemon);
    for (then, told) in seen.iter().zip(&told) {
        assert_eq!((&then["node"], &then["sequence"]), (&told["node"], &told["sequence"]));
        assert_eq!((&told["known_at"], &told["at"]), (&then["at"], &then["at"]));
    }
    assert_ne!(present["node"], told[5]["node"], "the correction is not known then");
    both_instants(&daemon, &seen);
    from_the_journal(&daemon, &told);
    daemon.stop_well();
    for file in std::fs::read_dir(&milestones).unwrap() {
        std::fs::write(file.unwrap().path(), "kpidpast, but damaged").unwrap();
    }
    daemon.start_ready();
    assert_eq!(known(&daemon), told, "damaged milestones cost time");
    assert!(daemon.log().contains("milestone is left out"), "{}", daemon.log());
    daemon.stop_well();
    std::fs::remove_dir_all(&milestones).unwrap();
    daemon.start_ready();
    assert_eq!(known(&daemon), told, "and so do missing ones");
}

/// An instant as it was known at another, and readings of a KPI.
fn both_instants(daemon: &Daemon, seen: &[Value]) {
    let at = |index: usize| seen[index]["at"].as_str().unwrap();
    let address = format!("/api/v1/scorecards/desk?at={}&known_at={}", at(5), at(1));
    let told = daemon.json(&address);
    assert_eq!((&told["at"], &told["known_at"]), (&seen[5]["at"], &seen[1]["at"]));
    assert_eq!(told["sequence"], seen[1]["sequence"]);
    let readings = |known_at: &str| {
        let address = format!(
            "/api/v1/kpis/desk.csat/readings?from={}&to={}&every=1h&known_at={known_at}",
            at(5),
            at(5)
        );
        daemon.json(&address)["readings"][0]["count"].clone()
    };
    assert_eq!((readings(at(1)), readings(at(4))), (2.into(), 5.into()));
    for (address, status, words) in [
        (
            "/api/v1/scorecards/desk?known_at=2199-01-01T00:00:00Z",
            400,
            "it is now ",
        ),
        ("/api/v1/scorecards/desk?known_at=noon", 400, "write RFC 3339"),
        (
            "/api/v1/scorecards/desk?known_at=2001-01-01T00:00:00Z",
            422,
            "the journal begins at ",
        ),
        (
            "/api/v1/scorecards/desk?known_at=AT&instance=berlin",
            404,
            "has no instances",
        ),
        (
            "/api/v1/scorecards/nope?known_at=AT",
            404,
            "there is no scorecard `nope`",
        ),
        ("/api/v1/kpis/nope/readings?known_at=AT", 404, "there was no KPI `nope`"),
    ] {
        let (found, text) = daemon.get(&address.replace("AT", at(3)));
        assert_eq!(found, status, "{address}: {text}");
        assert!(text.contains(words), "{address}: {text}");
    }
    let (status, page) = daemon.get(&format!("/scorecards/desk?at={}&known_at={}", at(5), at(1)));
    assert!(
        status == 200 && page.contains("as far as it was known on") && page.contains("Back to now"),
        "{page}"
    );
}

/// The command line says the same, with a daemon or without one.
fn from_the_journal(daemon: &Daemon, told: &[Value]) {
    let journal = daemon.journal().display().to_string();
    for then in told.iter().step_by(2) {
        let at = then["known_at"].as_str().unwrap();
        let asked = ["scorecard", "desk", "--format", "json", "--known-at", at];
        let from_daemon: Value =
            serde_json::from_str(&daemon.answer(&[&asked[..], &["--server", daemon.url()]].concat())).unwrap();
        let from_journal: Value =
            serde_json::from_str(&daemon.answer(&[&asked[..], &["--journal", &journal]].concat())).unwrap();
        assert_eq!((&from_daemon, &from_journal), (then, then));
        let replayed = daemon.replay(&["--known-at", at]);
        assert_eq!(replayed.node("desk", None), &then["node"]);
    }
    let last = told[5]["known_at"].as_str().unwrap();
    let both = daemon.replay(&["--known-at", told[1]["known_at"].as_str().unwrap(), "--at", last]);
    let asked = daemon.json(&format!(
        "/api/v1/scorecards/desk?at={last}&known_at={}",
        told[1]["known_at"].as_str().unwrap()
    ));
    assert_eq!(both.node("desk", None), &asked["node"]);
}

const SECONDS: &str = "[scorecard]\nid = \"s\"\n[[perspective]]\nid = \"p\"\n[[objective]]\nid = \"o\"\nperspective = \"p\"\n\
    [[kpi]]\nid = \"s.k\"\nobjective = \"o\"\naggregate = \"mean\"\nwindow = { rolling = \"20s\", slice = \"1s\" }\n\
    curve = [[0, 0], [100, 100]]\n";

#[test]
fn what_came_late_is_told_over_http_on_a_page_and_from_the_journal() {
    let mut daemon = Daemon::new(&[("s.toml", SECONDS)]);
    daemon.start_ready();
    let begin = jiff::Timestamp::now().as_millisecond();
    assert_eq!(daemon.post(r#"{"kpi":"s.k","value":80}"#).0, 200);
    pass(&Instant(begin + 4_000).to_string());
    let late = format!(r#"{{"kpi":"s.k","value":40,"observed_at":"{}"}}"#, Instant(begin));
    assert_eq!(daemon.post(&late).0, 200);
    let sequence = daemon.json("/api/v1/journal")["end"].clone();
    let (from, to) = (Instant(begin + 2_000), Instant(begin + 4_000));
    let address = format!("/api/v1/scorecards/s/restatement?from={from}&to={to}&every=1s");
    let answer = daemon.json(&address);
    assert_eq!(answer["restated"].as_array().unwrap().len(), 2, "{answer}");
    let root = &answer["restated"][0]["nodes"][0];
    assert_eq!(
        (&root["then"]["score"], &root["now"]["score"], &root["change"]),
        (&80.0.into(), &60.0.into(), &(-20.0).into())
    );
    let cause = &root["causes"][0];
    assert_eq!(
        (&cause["cause"], &cause["points"], &cause["sequences"][0]),
        (&"late_measurements".into(), &(-20.0).into(), &sequence)
    );
    // What it says of then and now is what it answers when it is asked.
    let at = answer["restated"][0]["at"].as_str().unwrap();
    let then = daemon.json(&format!("/api/v1/scorecards/s?known_at={at}"));
    assert_eq!(then["node"]["score"], root["then"]["score"]);
    assert_eq!(
        daemon.json(&format!("/api/v1/scorecards/s?at={at}"))["node"]["score"],
        root["now"]["score"]
    );
    let (status, page) = daemon.get(&format!("/scorecards/s/restatement?from={from}&to={to}&every=1s"));
    assert!(
        status == 200 && page.contains("Something else is said now of 2 of 2 instants"),
        "{page}"
    );
    let journal = daemon.journal().display().to_string();
    let (from, to) = (from.to_string(), to.to_string());
    let asked = ["restatement", "s", "--from", &from, "--to", &to, "--every", "1s"];
    let json: Value =
        serde_json::from_str(&daemon.answer(&[&asked[..], &["--journal", &journal, "--format", "json"]].concat()))
            .unwrap();
    assert_eq!(json, answer);
    let table = daemon.answer(&[&asked[..], &["--server", daemon.url()]].concat());
    assert!(
        table.contains("2 of 2 instants are said otherwise now") && table.contains("80 green  60 amber  -20.00"),
        "{table}"
    );
    for (query, words) in [
        (
            "from=2026-01-02T00:00:00Z&to=2026-01-01T00:00:00Z",
            "give an instant before",
        ),
        ("from=2026-01-01T01:00:00Z&to=2026-01-01T02:00:00Z", "no local day ends"),
        (
            "from=2024-01-01T00:00:00Z&to=2026-01-01T00:00:00Z",
            "more than 400 instants",
        ),
    ] {
        let (status, text) = daemon.get(&format!("/api/v1/scorecards/s/restatement?{query}"));
        assert!(status == 400 && text.contains(words), "{query}: {status} {text}");
    }
}

/// The batch of so many measurements of the hour before now.
fn batch(count: i64) -> String {
    let now = jiff::Timestamp::now().as_millisecond();
    let line = |number: i64| {
        let at = Instant(now - number % 3_600_000);
        format!(r#"{{"kpi":"desk.csat","observed_at":"{at}","value":{}}}"#, number % 100)
    };
    let lines: Vec<String> = (0..count).map(line).collect();
    format!("[{}]", lines.join(","))
}

#[test]
fn questions_about_the_past_hold_up_nobody_who_sends() {
    // Without milestones each question replays the whole journal.
    let mut daemon = Daemon::new(&[("desk.toml", CATALOG)]).with("KPID_PAST__MILESTONES_MAX", "0");
    daemon.start_ready();
    for _ in 0..3 {
        assert_eq!(daemon.post(&batch(20_000)).0, 200);
    }
    let known_at = shown(&daemon)["at"].as_str().unwrap().to_owned();
    pass(&known_at);
    let known_at = Instant::parse(&known_at).unwrap();
    let (asked, sent) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let is_over = || asked.load(Ordering::SeqCst) >= 6;
    std::thread::scope(|scope| {
        for asker in 0..2 {
            let (daemon, asked, is_over) = (&daemon, &asked, &is_over);
            scope.spawn(move || {
                // Another instant each time: what is kept of the last question is of no use.
                for number in (0..).take_while(|_| !is_over()) {
                    let at = known_at.plus_ms(-2 * number - asker);
                    let (status, text) = daemon.get(&format!("/api/v1/scorecards/desk?known_at={at}"));
                    assert_eq!(status, 200, "{text}");
                    asked.fetch_add(1, Ordering::SeqCst);
                }
            });
        }
        while !is_over() {
            assert_eq!(daemon.post(&batch(1)).0, 200);
            sent.fetch_add(1, Ordering::SeqCst);
        }
    });
    let (asked, sent) = (asked.load(Ordering::SeqCst), sent.load(Ordering::SeqCst));
    assert!(
        sent > 2 * asked,
        "{sent} were taken while {asked} questions were answered"
    );
    let told = daemon.get("/metrics").1;
    assert!(
        told.contains("kpid_past_questions_total{result=\"answered\"} "),
        "{told}"
    );
}
