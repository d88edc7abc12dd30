//! Clients that send measurements with ids until they are told to stop, and remember what they were told.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};

use crate::support::daemon::{agent, post};
use crate::support::ledger::Ledger;

/// The catalog of these tests.
pub const CATALOG: &str = include_str!("../catalogs/torture/load.toml");

/// The `number`-th measurement of a client; the same each time it is asked for. Every eighth moves a watched KPI over or
/// under its threshold.
pub fn measurement(client: &str, number: u64) -> Value {
    let id = format!("{client}-{number}");
    let value = if (number / 8).is_multiple_of(2) { 10.0 } else { 95.0 };
    match number % 8 {
        0 => json!({"id": id, "kpi": "load.heat", "value": value + number as f64 / 1e6}),
        4 => json!({"id": id, "kpi": "load.noise", "value": value}),
        1..=3 => json!({"id": id, "kpi": "load.sum", "value": number as f64 / 7.0}),
        _ => json!({"id": id, "kpi": "load.count", "value": 1}),
    }
}

/// A measurement with words that do not compress, so that few of them fill a disk.
pub fn wordy(client: &str, number: u64) -> Value {
    let mut state = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let word = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        format!("{state:016x}")
    };
    let note: String = (0..240).map(word).collect();
    let mut wordy = measurement(client, number);
    wordy["note"] = note.into();
    wordy
}

/// Connections that send batch after batch.
pub struct Load {
    stop: Arc<AtomicBool>,
    ledger: Arc<Mutex<Ledger>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Four connections; ids are made of the round, the connection and a number.
    pub fn start(url: &str, round: usize, ledger: &Arc<Mutex<Ledger>>) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let connect = |connection: usize| {
            let (stop, ledger, url) = (Arc::clone(&stop), Arc::clone(ledger), url.to_owned());
            std::thread::spawn(move || send(&format!("r{round}c{connection}"), &url, &stop, &ledger))
        };
        let threads = (0..4).map(connect).collect();
        Self {
            stop,
            ledger: Arc::clone(ledger),
            threads,
        }
    }

    /// Waits until so many more were acknowledged than at its call.
    pub fn wait_for(&self, count: usize) {
        let acknowledged = || self.ledger.lock().unwrap().acknowledged.len();
        let goal = acknowledged() + count;
        for _ in 0..6_000 {
            if acknowledged() >= goal {
                return;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!(
            "{} of {goal} measurements were acknowledged in 30 seconds",
            acknowledged()
        );
    }

    /// Stops sending; every connection has ended.
    pub fn stop(self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client");
        }
    }
}

/// Sends batches of 1 to 20 until told to stop or nobody answers.
fn send(client: &str, url: &str, stop: &AtomicBool, ledger: &Mutex<Ledger>) {
    let agent = agent();
    let (mut next, mut size) = (0, 1);
    while !stop.load(Ordering::Relaxed) {
        let batch: Vec<Value> = (next..next + size).map(|number| measurement(client, number)).collect();
        (next, size) = (next + size, size % 20 + 1);
        let answer = post(&agent, url, &Value::from(batch.clone()).to_string());
        let ids = batch.iter().filter_map(|one| one["id"].as_str().map(str::to_owned));
        let mut ledger = ledger.lock().unwrap();
        match answer {
            Ok((200, receipt)) => {
                assert_eq!(receipt["accepted"], batch.len(), "all are new: {receipt}");
                ledger.acknowledged.extend(ids);
            }
            Ok((503, _)) => ledger.unanswered.extend(ids),
            Ok((status, problem)) => panic!("{status}: {problem}"),
            Err(_) => {
                ledger.unanswered.extend(ids);
                return;
            }
        }
    }
}

/// Sends what was not answered once more, by the same ids: each is new or known, and all are acknowledged then. Gives back how
/// many.
pub fn send_again(url: &str, ledger: &mut Ledger) -> usize {
    let again: Vec<Value> = ledger.unanswered.iter().map(|id| repeated(id)).collect();
    if again.is_empty() {
        return 0;
    }
    let (status, receipt) = post(&agent(), url, &Value::from(again.clone()).to_string()).expect("an answer");
    assert_eq!((status, &receipt["rejected"]), (200, &json!([])), "{receipt}");
    let count = |what: &str| receipt[what].as_u64().unwrap();
    assert_eq!(count("accepted") + count("duplicates"), again.len() as u64, "{receipt}");
    ledger.acknowledged.append(&mut ledger.unanswered);
    again.len()
}

fn repeated(id: &str) -> Value {
    let (client, number) = id.rsplit_once('-').expect("an id of these clients");
    measurement(client, number.parse().expect("its number"))
}
