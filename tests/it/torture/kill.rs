//! `kill -9` of the real process under load from four connections, again and again.

use std::sync::{Arc, Mutex};

use super::load::{CATALOG, Load, send_again};
use crate::support::daemon::Daemon;
use crate::support::ledger::{Ledger, ids_in};

const ROUNDS: usize = 20;

#[test]
fn twenty_kills_under_load_lose_nothing_acknowledged_and_count_nothing_twice() {
    let mut daemon = Daemon::new(&[("load.toml", CATALOG)])
        .with("KPID_PROJECTION__CHECKPOINT_EVERY", "1s")
        .with("KPID_JOURNAL__SEGMENT_BYTES", "64KiB");
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let mut again = 0;
    for round in 0..ROUNDS {
        daemon.start_ready();
        let load = Load::start(daemon.url(), round, &ledger);
        load.wait_for(100 + 60 * (round % 7));
        daemon.kill();
        load.stop();

        // Read by a reader of its own while nobody writes: torn bytes at the end, everything acknowledged before them.
        ledger.lock().unwrap().check(&daemon.journal());
        daemon.start_ready();
        again += send_again(daemon.url(), &mut ledger.lock().unwrap());
        daemon.answer(&["journal", "verify"]);
        ledger.lock().unwrap().check(&daemon.journal());
        daemon.kill();
    }
    assert!(again > 0, "{ROUNDS} kills under load leave something without an answer");
    daemon.start_ready();
    let (node, replayed) = (daemon.node("load"), daemon.replay(&[]));
    assert_eq!(
        &node,
        replayed.node("load", None),
        "the daemon after {ROUNDS} kills, and a replay of its journal"
    );
    let sent = ledger.lock().unwrap().acknowledged.len();
    assert_eq!(ids_in(&daemon.journal()).len(), sent);
    assert!(sent > 2_000, "{sent} were sent");
    daemon.stop_well();
}
