//! SIGTERM at any moment ends with 0, soon, and loses nothing.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::load::{CATALOG, Load, send_again};
use crate::support::daemon::Daemon;
use crate::support::ledger::Ledger;
use crate::support::nats::NatsServer;

/// Far below `shutdown.deadline`.
const SOON: Duration = Duration::from_secs(8);

#[test]
fn sigterm_under_load_ends_with_0_and_everything_acknowledged_is_there() {
    let server = NatsServer::start();
    let mut daemon = Daemon::new(&[("load.toml", CATALOG)]).with("KPID_NATS__URL", &server.url());
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    for round in 0..3 {
        daemon.start_ready();
        let load = Load::start(daemon.url(), round, &ledger);
        load.wait_for(300);
        stop_soon(&mut daemon);
        load.stop();
        ledger.lock().unwrap().check(&daemon.journal());
    }
    daemon.start_ready();
    send_again(daemon.url(), &mut ledger.lock().unwrap());
    ledger.lock().unwrap().check(&daemon.journal());
    daemon.stop_well();
}

/// SIGTERM ends it with 0, well within its own deadline.
fn stop_soon(daemon: &mut Daemon) {
    let since = Instant::now();
    daemon.stop_well();
    let took = since.elapsed();
    assert!(took < SOON, "it took {took:?} to stop\n{}", daemon.log());
}

#[test]
fn sigterm_while_it_starts_ends_with_0_with_and_without_nats() {
    let mut server = NatsServer::start();
    let journal = Daemon::new(&[("load.toml", CATALOG)]);
    let mut daemon = journal.with("KPID_NATS__URL", &server.url());
    daemon.start_ready();
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let load = Load::start(daemon.url(), 0, &ledger);
    load.wait_for(3_000);
    load.stop();
    daemon.stop_well();
    for is_away in [false, true] {
        if is_away {
            server.stop();
        }
        for _ in 0..3 {
            // Without state the whole journal is replayed: the signal comes while it is.
            std::fs::remove_dir_all(daemon.state()).unwrap();
            daemon.start();
            stop_soon(&mut daemon);
        }
    }
    ledger.lock().unwrap().check(&daemon.journal());
}
