//! Wall clocks that jump: the journal's own clock never goes back, what is taken is never lost or counted twice, and a replay
//! agrees.

use kpid::domain::id::Sequence;
use kpid::domain::instant::{DAY_MS, Instant};
use kpid::journal::open_reader;
use serde_json::Value;

use super::load::{CATALOG, measurement};
use crate::support::daemon::Daemon;
use crate::support::false_clock::{set, with_false_clock};
use crate::support::ledger::Ledger;

/// When the blocks of the journal were recorded.
fn recorded(daemon: &Daemon) -> Vec<Instant> {
    let mut reader = open_reader(&daemon.journal(), Sequence(1)).expect("the journal");
    std::iter::from_fn(|| reader.next_block().expect("a block"))
        .map(|block| block.recorded_at)
        .collect()
}

fn send(daemon: &Daemon, ledger: &mut Ledger, round: u64) {
    let batch: Vec<Value> = (round * 8..round * 8 + 8)
        .map(|number| measurement("c", number))
        .collect();
    let (status, receipt) = daemon.post(&Value::from(batch.clone()).to_string());
    assert_eq!((status, &receipt["accepted"]), (200, &8.into()), "{receipt}");
    let ids = batch.iter().filter_map(|one| one["id"].as_str().map(str::to_owned));
    ledger.acknowledged.extend(ids);
    // Known again, whatever the wall says.
    let (_, receipt) = daemon.post(&batch[0].to_string());
    assert_eq!(receipt["duplicates"], 1, "{receipt}");
}

fn behind(daemon: &Daemon) -> f64 {
    let metrics = daemon.get("/metrics").1;
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix("kpid_clock_behind_seconds "));
    line.expect("how far the wall clock is behind")
        .parse()
        .expect("seconds")
}

#[test]
fn a_clock_that_jumps_a_day_back_a_year_forward_and_back_again_changes_no_order_and_loses_nothing() {
    let mut daemon = with_false_clock(Daemon::new(&[("load.toml", CATALOG)]));
    let clock = daemon.path("clock");
    let mut ledger = Ledger::default();
    daemon.start_ready();
    for (round, shift) in (0..).zip(["+0", "-1d", "+0", "+366d", "+0", "-1d"]) {
        set(&clock, shift);
        send(&daemon, &mut ledger, round);
        // Every other time it starts again under that clock.
        if round % 2 == 1 {
            daemon.kill();
            daemon.start_ready();
        }
        let recorded = recorded(&daemon);
        assert!(recorded.is_sorted(), "{shift}: {recorded:?}");
        ledger.check(&daemon.journal());
        let (node, replayed) = (daemon.node("load"), daemon.replay(&[]));
        assert_eq!(&node, replayed.node("load", None), "{shift}");
    }
    let recorded = recorded(&daemon);
    let (first, last) = (recorded[0], recorded[recorded.len() - 1]);
    assert!(
        last.since(first) > 365 * DAY_MS,
        "the journal's clock stands where the wall's was once"
    );
    daemon.wait("its clock is looked at", || {
        daemon.get("/metrics").1.contains("kpid_clock_behind_seconds")
    });
    assert!(behind(&daemon) > 366.0 * 86_400.0, "{}", behind(&daemon));
    assert!(daemon.log().contains("wall clock was set back"), "{}", daemon.log());
    daemon.answer(&["journal", "verify"]);
    daemon.stop_well();
}
