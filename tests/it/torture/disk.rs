//! Disks that fill up: nothing more is acknowledged before there is no room, everything is read all the while, and
//! everything goes on by itself when somebody makes room.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::load::{CATALOG, measurement, send_again, wordy};
use super::nats::store;
use crate::support::daemon::{Daemon, agent, post};
use crate::support::ledger::{Ledger, ids_in};
use crate::support::nats::NatsServer;
use crate::support::small_disk::SmallDisk;

/// A daemon whose whole data folder is on a small disk: segments of a megabyte, four megabytes kept free.
fn daemon_on_small_disk(mib: u32) -> (Daemon, SmallDisk) {
    let daemon = Daemon::new(&[("load.toml", CATALOG)])
        .with("KPID_JOURNAL__SEGMENT_BYTES", "1MiB")
        .with("KPID_JOURNAL__MIN_FREE_BYTES", "4MiB")
        .with("KPID_PROJECTION__CHECKPOINT_EVERY", "1s");
    let disk = SmallDisk::mount(&daemon.path("data"), mib);
    (daemon, disk)
}

/// Sends from four connections until each is told that there is no room; everything is answered.
fn fill_up(url: &str, ledger: &Arc<Mutex<Ledger>>) {
    let clients = (0..4).map(|client| {
        let (url, ledger) = (url.to_owned(), Arc::clone(ledger));
        std::thread::spawn(move || send_until_refused(&format!("f{client}"), &url, &ledger))
    });
    for client in clients.collect::<Vec<_>>() {
        client.join().expect("a client");
    }
}

fn send_until_refused(client: &str, url: &str, ledger: &Mutex<Ledger>) {
    let agent = agent();
    for round in 0_u64.. {
        assert!(round < 5_000, "it never says that there is no room");
        let batch: Vec<Value> = (round * 8..round * 8 + 8).map(|number| wordy(client, number)).collect();
        let ids = batch.iter().filter_map(|one| one["id"].as_str().map(str::to_owned));
        let (status, answer) = post(&agent, url, &Value::from(batch.clone()).to_string()).expect("an answer");
        let mut ledger = ledger.lock().unwrap();
        match status {
            200 => ledger.acknowledged.extend(ids),
            503 => {
                assert_eq!(answer["type"], "urn:kpid:problem:no-room", "{answer}");
                ledger.unanswered.extend(ids);
                return;
            }
            _ => panic!("{status}: {answer}"),
        }
    }
}

/// What the daemon says of itself while there is no room.
fn says_that_there_is_no_room(daemon: &Daemon) {
    let (status, words) = daemon.get("/readyz");
    assert_eq!(status, 503, "{words}");
    assert!(words.contains("room on the disk of the"), "{words}");
    assert!(daemon.get("/metrics").1.contains("kpid_disk_has_room 0"));
    let request = agent()
        .post(format!("{}/api/v1/measurements", daemon.url()))
        .header("content-type", "application/json");
    let refused = request.send(r#"{"kpi":"load.count","value":1}"#).expect("an answer");
    assert_eq!(refused.status(), 503);
    let wait = refused.headers().get("retry-after").expect("when to come back");
    assert!(wait.to_str().unwrap().parse::<u64>().unwrap() >= 1);
}

#[test]
fn a_full_disk_stops_intake_before_an_append_fails_and_goes_on_when_there_is_room() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let server = NatsServer::start();
    let (daemon, disk) = daemon_on_small_disk(24);
    let mut daemon = daemon.with("KPID_NATS__URL", &server.url());
    daemon.start_ready();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    fill_up(daemon.url(), &ledger);
    says_that_there_is_no_room(&daemon);

    // What comes over NATS waits there, unacknowledged; everything can be read.
    runtime.block_on(async {
        let context = async_nats::jetstream::new(async_nats::connect(server.url()).await.expect("a client"));
        for number in 0..50 {
            store(&context, "n", number).await;
        }
    });
    assert_eq!(&daemon.node("load"), daemon.replay(&[]).node("load", None));
    assert_eq!(daemon.get("/readyz").0, 503);
    assert!(ids_in(&daemon.journal()).keys().all(|id| !id.starts_with("n-")));

    // Somebody makes room, and it goes on by itself.
    disk.resize(64);
    daemon.wait_ready();
    assert!(daemon.get("/metrics").1.contains("kpid_disk_has_room 1"));
    let from_nats = || ids_in(&daemon.journal()).into_keys().filter(|id| id.starts_with("n-"));
    daemon.wait("what waited in NATS arrives", || from_nats().count() == 50);
    let mut ledger = std::mem::take(&mut *ledger.lock().unwrap());
    let unanswered = std::mem::take(&mut ledger.unanswered);
    assert!(unanswered.len() >= 32, "each connection was refused once");
    ledger.acknowledged.extend((0..50).map(|number| format!("n-{number}")));
    ledger.check(&daemon.journal());
    assert_eq!(daemon.post(r#"{"kpi":"load.count","value":1}"#).0, 200);
    assert!(!daemon.log().contains("append failed"), "{}", daemon.log());
    assert_eq!(&daemon.node("load"), daemon.replay(&[]).node("load", None));
    daemon.stop_well();
}

#[test]
fn a_daemon_starts_in_the_room_that_was_kept_and_answers_reads() {
    let (mut daemon, disk) = daemon_on_small_disk(24);
    daemon.start_ready();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    fill_up(daemon.url(), &ledger);
    let before = daemon.node("load");
    for is_polite in [true, false] {
        if is_polite {
            daemon.stop_well();
        } else {
            daemon.kill();
        }
        daemon.start();
        let reads = || daemon.get("/readyz").1.contains("room on the disk");
        daemon.wait("the past is read again", reads);
        assert_eq!(daemon.node("load"), before, "stopped politely: {is_polite}");
        says_that_there_is_no_room(&daemon);
    }
    // Where somebody else took that room too, a start ends at once, and says why.
    daemon.kill();
    let ballast = disk.fill("ballast");
    let refused = daemon.run(&["serve"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(words.contains("No space left on device"), "{words}");
    std::fs::remove_file(ballast).unwrap();
    disk.resize(64);
    daemon.start_ready();
    let mut ledger = ledger.lock().unwrap();
    send_again(daemon.url(), &mut ledger);
    ledger.check(&daemon.journal());
    daemon.stop_well();
}

#[test]
fn a_full_disk_of_the_state_loses_nothing_and_ends_in_a_rebuild_at_worst() {
    let mut daemon = Daemon::new(&[("load.toml", CATALOG)])
        .with("KPID_JOURNAL__MIN_FREE_BYTES", "0")
        .with("KPID_PROJECTION__CHECKPOINT_EVERY", "1s");
    let disk = SmallDisk::mount(&daemon.state(), 12);
    daemon.start_ready();
    let ballast = disk.fill("ballast");
    let mut ledger = Ledger::default();
    let (agent, since) = (agent(), Instant::now());
    let mut numbers = 0_u64..;
    let ended = loop {
        let from = numbers.next().unwrap_or_default() * 500;
        let batch: Vec<Value> = (from..from + 500).map(|number| measurement("s", number)).collect();
        let ids = batch.iter().filter_map(|one| one["id"].as_str().map(str::to_owned));
        match post(&agent, daemon.url(), &json!(batch).to_string()) {
            Ok((200, _)) => ledger.acknowledged.extend(ids),
            Ok((503, _)) => ledger.unanswered.extend(ids),
            Ok((status, problem)) => panic!("{status}: {problem}"),
            Err(_) => {
                ledger.unanswered.extend(ids);
                break true;
            }
        }
        if since.elapsed() > Duration::from_secs(8) {
            break false;
        }
    };
    if ended {
        assert_eq!(daemon.ended().code(), Some(1), "{}", daemon.log());
        assert!(daemon.log().contains("state"), "{}", daemon.log());
    } else {
        says_that_there_is_no_room(&daemon);
        daemon.stop();
    }
    std::fs::remove_file(ballast).unwrap();
    disk.resize(64);
    daemon.start_ready();
    send_again(daemon.url(), &mut ledger);
    ledger.check(&daemon.journal());
    assert_eq!(&daemon.node("load"), daemon.replay(&[]).node("load", None));
    assert!(!daemon.log().contains("panicked"), "{}", daemon.log());
    daemon.stop_well();
}

#[test]
fn a_read_only_disk_refuses_a_daemon_and_can_be_read_by_everybody_else() {
    let (mut daemon, disk) = daemon_on_small_disk(24);
    daemon.start_ready();
    let (status, _) = daemon.post(&wordy("r", 1).to_string());
    assert_eq!(status, 200);
    let node = daemon.node("load");
    daemon.stop_well();
    disk.protect(true);
    let refused = daemon.run(&["serve"]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(words.contains("Read-only file system"), "{words}");
    daemon.answer(&["journal", "verify"]);
    assert_eq!(daemon.replay(&[]).node("load", None), &node);
    disk.protect(false);
    daemon.start_ready();
    assert_eq!(daemon.node("load"), node);
    daemon.stop_well();
}
