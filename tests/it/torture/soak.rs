//! A long rough life by seed: clients over HTTP and NATS, and all the while kills, restarts, a NATS server that leaves and
//! dies, definitions that are edited, clocks that jump. At the end a client's ledger is held against the journal, the
//! daemon against a replay, and the alerts that were stored against those that were decided.
//!
//! Twenty seconds, or as many as `KPID_SOAK_SECONDS` says: `tests/soak` runs ten minutes and shows the figures.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use async_nats::jetstream::Context;
use serde_json::Value;

use super::load::{CATALOG, measurement, send_again};
use super::nats::{daemon_on, every_alert_once, store};
use crate::support::daemon::{Daemon, agent, post, signal};
use crate::support::false_clock::{set, with_false_clock};
use crate::support::ledger::{Ledger, ids_in};
use crate::support::nats::NatsServer;

/// Clients over HTTP; what each waits between two batches, so that ten minutes fit into a replay.
const CLIENTS: usize = 4;
const PAUSE: Duration = Duration::from_millis(100);
/// Where the wall clock jumps to, beside the system's.
const SHIFTS: [&str; 7] = ["+0", "-1d", "+1d", "-1h", "+3h", "-2m", "+40s"];
/// Edits of the catalog: thresholds, weights, a window that is folded anew, and back.
const EDITS: [(&str, &str); 4] = [
    ("above = 80", "above = 85"),
    ("red = 80", "red = 70"),
    (
        "aggregate = \"count\"\nwindow = { all = true }",
        "aggregate = \"count\"\nwindow = { period = \"year\" }",
    ),
    ("severity = \"warning\"", "severity = \"info\""),
];

/// Chance that depends on a seed only.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as usize % limit
    }
}

/// Clients that go on whatever happens to the daemon; it is found where it listens now.
struct Clients {
    stop: Arc<AtomicBool>,
    url: Arc<Mutex<String>>,
    ledger: Arc<Mutex<Ledger>>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    fn start() -> Self {
        let (stop, url, ledger) = (Arc::<AtomicBool>::default(), Arc::default(), Arc::default());
        let connect = |client: usize| {
            let (stop, url, ledger) = (Arc::clone(&stop), Arc::clone(&url), Arc::clone(&ledger));
            std::thread::spawn(move || send(&format!("h{client}"), &stop, &url, &ledger))
        };
        let threads = (0..CLIENTS).map(connect).collect();
        Self {
            stop,
            url,
            ledger,
            threads,
        }
    }

    fn find(&self, url: &str) {
        url.clone_into(&mut self.url.lock().unwrap());
    }

    fn stop(self) -> Ledger {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads {
            thread.join().expect("a client");
        }
        std::mem::take(&mut *self.ledger.lock().unwrap())
    }
}

fn send(client: &str, stop: &AtomicBool, url: &Mutex<String>, ledger: &Mutex<Ledger>) {
    let agent = agent();
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(PAUSE);
        let url = url.lock().unwrap().clone();
        let batch: Vec<Value> = (next..next + 8).map(|number| measurement(client, number)).collect();
        next += 8;
        let ids = (next - 8..next).map(|number| format!("{client}-{number}"));
        match post(&agent, &url, &Value::from(batch).to_string()) {
            Ok((200, receipt)) => {
                assert_eq!(receipt["accepted"], 8, "all are new: {receipt}");
                ledger.lock().unwrap().acknowledged.extend(ids);
            }
            // An error: nobody was there. 503: nothing was taken, or nobody knows.
            Err(_) | Ok((503, _)) => ledger.lock().unwrap().unanswered.extend(ids),
            Ok((status, problem)) => panic!("{status}: {problem}"),
        }
    }
}

/// Publishes into the stream one measurement after the other; gives back how many are stored.
async fn publish(context: Context, stop: Arc<AtomicBool>, stored: Arc<AtomicU64>) {
    while !stop.load(Ordering::Relaxed) {
        store(&context, "n", stored.load(Ordering::Relaxed)).await;
        stored.fetch_add(1, Ordering::Relaxed);
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

/// The catalog with some of the edits.
fn edited(dice: &mut Dice) -> String {
    let mut text = CATALOG.to_owned();
    for (from, to) in EDITS {
        assert!(CATALOG.contains(from), "{from}");
        if dice.below(2) == 0 {
            text = text.replace(from, to);
        }
    }
    text
}

/// Counts what was done, for the figures.
#[derive(Default)]
struct Done(BTreeMap<&'static str, u64>);

impl Done {
    fn one(&mut self, what: &'static str) {
        *self.0.entry(what).or_default() += 1;
    }
}

/// Everything that is in the story.
struct Soak {
    dice: Dice,
    done: Done,
    runtime: tokio::runtime::Runtime,
    server: NatsServer,
    daemon: Daemon,
    context: Context,
}

impl Soak {
    fn begin(seed: u64) -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let server = NatsServer::start();
        let (daemon, context) = daemon_on(&server, &runtime);
        let mut daemon = with_false_clock(daemon.with("KPID_JOURNAL__SEGMENT_BYTES", "64KiB"));
        daemon.start_ready();
        Self {
            dice: Dice(seed | 1),
            done: Done::default(),
            runtime,
            server,
            daemon,
            context,
        }
    }

    /// One more thing happens.
    fn blow(&mut self) {
        match self.dice.below(10) {
            0..=3 => {
                self.done.one("kill -9");
                self.daemon.kill();
                self.daemon.start_ready();
            }
            4 => {
                self.done.one("SIGTERM");
                self.daemon.stop_well();
                self.daemon.start_ready();
            }
            5 => {
                self.done.one("NATS stopped");
                self.server.stop();
                self.nats_comes_back();
            }
            6 => {
                self.done.one("NATS killed");
                self.server.kill();
                self.nats_comes_back();
            }
            7 => {
                self.done.one("catalog edited");
                std::fs::write(self.daemon.path("cards/load.toml"), edited(&mut self.dice)).expect("the catalog");
                signal("HUP", self.daemon.pid());
            }
            _ => {
                self.done.one("clock set");
                set(&self.daemon.path("clock"), SHIFTS[self.dice.below(SHIFTS.len())]);
            }
        }
    }

    fn nats_comes_back(&mut self) {
        std::thread::sleep(Duration::from_millis(self.dice.below(1_000) as u64));
        self.server.start_again();
    }

    /// Holds what clients were told against the journal, the daemon against a replay, and alerts said against alerts
    /// decided. Gives back how many alerts.
    fn settle(&mut self, ledger: &Ledger) -> usize {
        let daemon = &self.daemon;
        ledger.check(&daemon.journal());
        assert_eq!(ids_in(&daemon.journal()).len(), ledger.acknowledged.len());
        let (node, replayed) = (daemon.node("load"), daemon.replay(&[]));
        assert_eq!(
            &node,
            replayed.node("load", None),
            "the daemon, and a replay of its journal"
        );
        let alerts = every_alert_once(daemon, &self.context, &self.runtime);
        self.daemon.stop_well();
        let log = self.daemon.log();
        assert!(!log.contains("panicked"), "{log}");
        alerts
    }
}

#[test]
fn a_rough_life_loses_nothing_counts_nothing_twice_and_says_every_alert_once() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().expect(name));
    let length = Duration::from_secs(number("KPID_SOAK_SECONDS").unwrap_or(20));
    let seed = number("KPID_SOAK_SEED").unwrap_or(20_261_122);
    let mut soak = Soak::begin(seed);
    let clients = Clients::start();
    clients.find(soak.daemon.url());
    let (stop, stored) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
    let publisher = publish(soak.context.clone(), Arc::clone(&stop), Arc::clone(&stored));
    let publisher = soak.runtime.spawn(publisher);
    let since = Instant::now();
    while since.elapsed() < length {
        std::thread::sleep(Duration::from_millis(100 + soak.dice.below(1_500) as u64));
        soak.blow();
        clients.find(soak.daemon.url());
    }
    // Everybody finishes what they began.
    stop.store(true, Ordering::Relaxed);
    soak.runtime.block_on(publisher).expect("everything is stored");
    let mut ledger = clients.stop();
    let again = send_again(soak.daemon.url(), &mut ledger);
    let stored = stored.load(Ordering::Relaxed);
    let journal = soak.daemon.journal();
    soak.daemon.wait("all arrive from NATS", || {
        let arrived = ids_in(&journal).into_keys().filter(|id| id.starts_with("n-"));
        arrived.count() as u64 >= stored
    });
    ledger
        .acknowledged
        .extend((0..stored).map(|number| format!("n-{number}")));
    let alerts = soak.settle(&ledger);
    println!("seed {seed}, {:?}: {:?}", since.elapsed(), soak.done.0);
    let count = ledger.acknowledged.len();
    println!("{count} measurements acknowledged and there once, {stored} of them over NATS, {again} sent again");
    println!("{alerts} alerts said once");
    println!("{}", soak.daemon.answer(&["journal", "verify"]));
}
