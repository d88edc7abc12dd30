//! NATS goes away and comes back under load; the derived state is lost or damaged between two lives. Measurements count
//! once, and every alert that a replay knows was stored once.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::Context;
use kpid::wire::streams::{self, StreamLimits};
use serde_json::json;

use super::load::{CATALOG, Load, measurement};
use crate::support::alerts::{each_stored_once, keep_all_alerts, stored_alerts};
use crate::support::daemon::Daemon;
use crate::support::ledger::{Ledger, ids_in};
use crate::support::nats::NatsServer;

/// A publisher's measurements.
const COUNT: u64 = 1_200;

fn jetstream(url: &str) -> Context {
    let connecting = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .connect(url);
    async_nats::jetstream::new(
        tokio::runtime::Handle::current()
            .block_on(connecting)
            .expect("a client"),
    )
}

/// A daemon on a NATS server whose streams keep everything.
pub fn daemon_on(server: &NatsServer, runtime: &tokio::runtime::Runtime) -> (Daemon, Context) {
    let _inside = runtime.enter();
    let context = jetstream(&server.url());
    runtime.block_on(keep_all_alerts(&context));
    let measurements = streams::measurements(&StreamLimits::MEASUREMENTS);
    runtime
        .block_on(context.create_stream(measurements))
        .expect("the stream of measurements");
    let daemon = Daemon::new(&[("load.toml", CATALOG)])
        .with("KPID_NATS__URL", &server.url())
        .with("KPID_PROJECTION__CHECKPOINT_EVERY", "1s");
    (daemon, context)
}

/// Publishes one measurement until the server has stored it, once.
pub async fn store(context: &Context, client: &str, number: u64) {
    for _ in 0..400 {
        let mut headers = HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("{client}-{number}"));
        let body = measurement(client, number).to_string();
        let sent = context
            .publish_with_headers("kpi.v1.measurement", headers, body.into())
            .await;
        if let Ok(stored) = sent
            && stored.await.is_ok()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{client}-{number} was never stored");
}

/// Every alert that a replay decides is stored once; gives back how many.
pub fn every_alert_once(daemon: &Daemon, context: &Context, runtime: &tokio::runtime::Runtime) -> usize {
    runtime.block_on(each_stored_once(context, &daemon.replay(&[]).alerts))
}

#[test]
fn a_nats_server_that_stops_and_dies_under_load_loses_nothing_and_alerts_come_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut server = NatsServer::start();
    let (mut daemon, context) = daemon_on(&server, &runtime);
    daemon.start_ready();
    let publisher = {
        let context = context.clone();
        runtime.spawn(async move {
            for number in 0..COUNT {
                store(&context, "n", number).await;
            }
        })
    };
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let load = Load::start(daemon.url(), 0, &ledger);
    for (round, is_polite) in [true, false, true, false].into_iter().enumerate() {
        let goal = COUNT as usize * (round + 1) / 6;
        daemon.wait("measurements arrive from NATS", || from_nats(&daemon.journal()) >= goal);
        if is_polite {
            server.stop();
        } else {
            server.kill();
        }
        // Away for a while: HTTP goes on, alerts queue up.
        load.wait_for(100);
        server.start_again();
    }
    load.stop();
    runtime.block_on(publisher).expect("everything was stored");
    daemon.wait("all arrive from NATS", || {
        from_nats(&daemon.journal()) >= COUNT as usize
    });

    let mut ledger = std::mem::take(&mut *ledger.lock().unwrap());
    ledger
        .acknowledged
        .extend((0..COUNT).map(|number| format!("n-{number}")));
    assert!(ledger.unanswered.is_empty(), "HTTP was always answered");
    ledger.check(&daemon.journal());
    assert_eq!(&daemon.node("load"), daemon.replay(&[]).node("load", None));
    let alerts = every_alert_once(&daemon, &context, &runtime);
    assert!(alerts > 20, "{alerts} alerts");
    daemon.stop_well();
}

fn from_nats(journal: &Path) -> usize {
    ids_in(journal).keys().filter(|id| id.starts_with("n-")).count()
}

#[test]
fn kills_between_deciding_and_publishing_say_every_alert_once() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = NatsServer::start();
    let (mut daemon, context) = daemon_on(&server, &runtime);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    for round in 0..8 {
        daemon.start_ready();
        let load = Load::start(daemon.url(), round, &ledger);
        load.wait_for(80 + 40 * (round % 3));
        daemon.kill();
        load.stop();
    }
    daemon.start_ready();
    ledger.lock().unwrap().check(&daemon.journal());
    let alerts = every_alert_once(&daemon, &context, &runtime);
    assert!(alerts > 20, "{alerts} alerts");
    daemon.stop_well();
    assert_eq!(
        runtime.block_on(stored_alerts(&context)).len(),
        alerts,
        "leaving says nothing more"
    );
}

/// A node that stands over its threshold for a second: only the clock says when that is over.
const HELD: &str = r#"
[scorecard]
id = "load"
title = "Load"
[[perspective]]
id = "p"
[[objective]]
id = "o"
perspective = "p"
[[kpi]]
id = "load.heat"
objective = "o"
aggregate = "last"
window = { rolling = "1h" }
direction = "down"
red = 50
target = 0
[[alert]]
id = "hot"
on = "load/p/o/load.heat"
metric = "value"
above = 50
for = "1s"
severity = "critical"
"#;

/// What a kill takes back of the outbox no fact says: it falls due again, at the same instant.
#[test]
fn an_alert_that_fell_due_just_before_a_kill_is_said_once_and_so_is_its_end() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = NatsServer::start();
    let (context, mut daemon) = {
        let _inside = runtime.enter();
        let context = jetstream(&server.url());
        runtime.block_on(keep_all_alerts(&context));
        let daemon = Daemon::new(&[("load.toml", HELD)]).with("KPID_NATS__URL", &server.url());
        (context, daemon)
    };
    let stored = || runtime.block_on(stored_alerts(&context)).len();
    for round in 1..=3 {
        daemon.start_ready();
        daemon.post(&json!({"kpi": "load.heat", "value": 60 + round}).to_string());
        daemon.wait("the alert falls due", || stored() == round * 2 - 1);
        daemon.kill();
        daemon.start_ready();
        daemon.post(&json!({"kpi": "load.heat", "value": round}).to_string());
        daemon.wait("the alert ends", || stored() == round * 2);
        daemon.kill();
    }
    daemon.start_ready();
    assert_eq!(every_alert_once(&daemon, &context, &runtime), 6);
    daemon.stop_well();
}

#[test]
fn state_that_is_deleted_or_damaged_costs_a_rebuild_and_nothing_else() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = NatsServer::start();
    let (mut daemon, context) = daemon_on(&server, &runtime);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let harms: [Harm; 6] = [
        ("deleted", |state| std::fs::remove_dir_all(state).unwrap()),
        ("cut to half", |state| {
            each_file(state, |bytes| bytes.truncate(bytes.len() / 2));
        }),
        ("emptied", |state| each_file(state, Vec::clear)),
        ("overwritten", |state| each_file(state, |bytes| bytes.fill(0xA5))),
        ("a flipped bit in every 500 bytes", |state| {
            each_file(state, |bytes| bytes.iter_mut().step_by(500).for_each(|byte| *byte ^= 4));
        }),
        ("replaced by a file", |state| {
            std::fs::remove_dir_all(state).unwrap();
            std::fs::write(state, "not a folder").unwrap();
        }),
    ];
    daemon.start_ready();
    for (round, (what, harm)) in harms.into_iter().enumerate() {
        let load = Load::start(daemon.url(), round, &ledger);
        load.wait_for(300);
        load.stop();
        let alerts = every_alert_once(&daemon, &context, &runtime);
        let before = (daemon.node("load"), daemon.replay(&[]));
        // Every other time it is killed, so that the state is not even whole when it is harmed.
        if round % 2 == 0 {
            daemon.stop_well();
        } else {
            daemon.kill();
        }
        harm(&daemon.state());
        daemon.start_ready();
        assert_eq!((daemon.node("load"), daemon.replay(&[])), before, "{what}");
        // Whatever is offered again is recognised; what is new would come behind it.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(
            every_alert_once(&daemon, &context, &runtime),
            alerts,
            "{what}: nothing is said twice"
        );
        ledger.lock().unwrap().check(&daemon.journal());
    }
    let first = measurement("r0c0", 0);
    let (status, receipt) = daemon.post(&first.to_string());
    assert_eq!(
        (status, &receipt["duplicates"]),
        (200, &1.into()),
        "ids are known again: {receipt}"
    );
    daemon.stop_well();
}

#[test]
fn an_older_copy_of_the_journal_is_not_judged_by_a_newer_state() {
    let mut daemon = Daemon::new(&[("load.toml", CATALOG)]);
    let send = |daemon: &Daemon, number| daemon.post(&measurement("m", number).to_string()).1;
    daemon.start_ready();
    send(&daemon, 1);
    daemon.stop_well();
    let copy = daemon.path("copy");
    std::fs::create_dir(&copy).unwrap();
    let each = |from: &Path, to: &Path| {
        for entry in std::fs::read_dir(from).unwrap() {
            let path = entry.unwrap().path();
            std::fs::copy(&path, to.join(path.file_name().unwrap())).unwrap();
        }
    };
    each(&daemon.journal(), &copy);
    daemon.start_ready();
    send(&daemon, 2);
    daemon.stop_well();

    std::fs::remove_dir_all(daemon.journal()).unwrap();
    std::fs::create_dir(daemon.journal()).unwrap();
    each(&copy, &daemon.journal());
    daemon.start_ready();
    assert_eq!(send(&daemon, 1)["duplicates"], 1, "the copy has it");
    assert_eq!(
        send(&daemon, 2)["accepted"],
        1,
        "the copy does not have it: it is taken, not taken for known"
    );
    assert_eq!(ids_in(&daemon.journal()).len(), 2);
    daemon.stop_well();
}

/// What is done to the state, in words and in deed.
type Harm = (&'static str, fn(&Path));

/// Harms the bytes of every file under a folder.
fn each_file(folder: &Path, harm: impl Fn(&mut Vec<u8>) + Copy) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            each_file(&path, harm);
        } else {
            let mut bytes = std::fs::read(&path).unwrap();
            harm(&mut bytes);
            std::fs::write(&path, bytes).unwrap();
        }
    }
}
