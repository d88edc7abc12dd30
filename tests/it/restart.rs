//! Starts on a journal that takes a while: what is said until the replay is over, and that nothing is taken in before.

use std::sync::Arc;

use kpid::domain::catalog::CatalogFile;
use kpid::domain::fact::{Block, Fact, Measurements, SeriesNumber};
use kpid::domain::id::{KpiId, Sequence};
use kpid::domain::instant::Instant;
use kpid::domain::measurement::{Extra, MeasuredValue, SeriesKey};
use kpid::journal::{DiskFiles, FileJournal, JournalOptions};
use kpid::ports::Journal;
use serde_json::Value;

use crate::support::daemon::{Daemon, agent};

const DESK: &str = include_str!("catalogs/story/desk.toml");
const BLOCKS: i64 = 200;
const BLOCK_LEN: i64 = 2_000;
/// 2026-03-01T00:00:00Z
const START_MS: i64 = 1_772_323_200_000;

/// The definitions, then measurements of a KPI, a second apart.
fn write_journal(daemon: &Daemon) -> Sequence {
    let mut journal = FileJournal::open(&daemon.journal(), JournalOptions::default(), Arc::new(DiskFiles)).unwrap();
    let file = CatalogFile {
        name: "desk.toml".to_owned(),
        text: DESK.to_owned(),
    };
    let catalog = kpid::wire::catalog::parse(&[file]).unwrap();
    let definitions = Fact::CatalogActivated {
        fingerprint: catalog.fingerprint.clone(),
        files: catalog.files.clone(),
    };
    for number in 0..BLOCKS {
        let mut measurements = Measurements::default();
        for row in number * BLOCK_LEN..(number + 1) * BLOCK_LEN {
            let at = Instant(START_MS + row * 1_000);
            let value = MeasuredValue::Number(80.0 + (row % 7) as f64);
            measurements.push(SeriesNumber(0), (at, at), &value, Extra::default());
        }
        let is_first = number == 0;
        let key = SeriesKey {
            kpi: KpiId::parse("desk.csat").unwrap(),
            source: "http".into(),
            each: None,
        };
        let block = Block {
            first: journal.tail().next,
            recorded_at: Instant(START_MS + (number + 1) * BLOCK_LEN * 1_000),
            series_base: u32::from(!is_first),
            new_series: if is_first { vec![key] } else { Vec::new() },
            measurements,
            others: if is_first {
                vec![(0, definitions.clone())]
            } else {
                Vec::new()
            },
            ..Block::default()
        };
        journal.append(&block).unwrap();
    }
    Sequence(journal.tail().next.0 - 1)
}

#[test]
fn until_the_journal_is_replayed_its_progress_is_told_and_nothing_is_taken_in() {
    let mut daemon = Daemon::new(&[("desk.toml", DESK)]);
    let last = write_journal(&daemon);
    daemon.start();
    let (status, words) = daemon.get("/readyz");
    assert_eq!(status, 503, "{words}");
    assert!(words.contains(&format!("of {last} facts applied")), "{words}");
    assert_eq!(daemon.get("/livez").0, 200);
    let post = agent()
        .post(format!("{}/api/v1/measurements", daemon.url()))
        .header("content-type", "application/json");
    let mut refused = post.send(r#"{"kpi":"desk.csat","value":79}"#).unwrap();
    let retry_after = refused.headers().get("retry-after").cloned();
    let problem: Value = serde_json::from_str(&refused.body_mut().read_to_string().unwrap()).unwrap();
    assert_eq!(
        (refused.status().as_u16(), &problem["type"]),
        (503, &"urn:kpid:problem:not-ready".into())
    );
    assert_eq!(retry_after.unwrap(), "1");
    let applied = || daemon.json("/api/v1/journal")["applied"].as_u64().unwrap();
    daemon.wait("it gets on", || (1..last.0).contains(&applied()));

    daemon.wait_ready();
    assert_eq!(daemon.post(r#"{"kpi":"desk.csat","value":79}"#).0, 200);
    let node = daemon.node("desk");
    daemon.stop_well();
    daemon.start_ready();
    assert_eq!(
        daemon.node("desk"),
        node,
        "a checkpoint and the whole journal say the same"
    );
}
