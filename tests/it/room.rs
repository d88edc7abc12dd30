//! A disk that is full for a moment, while batches of a source that resumes are on their way: none may pass over another.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arc_swap::ArcSwap;
use kpid::domain::fact::SourcePosition;
use kpid::domain::instant::Instant;
use kpid::domain::measurement::AdmitLimits;
use kpid::domain::series_names::SeriesNames;
use kpid::ingest::decode::{DecodeLimits, Envelope, decode};
use kpid::journal::MemoryJournal;
use kpid::pipeline::appender::{Appender, NextDue};
use kpid::pipeline::intake::{Door, SourcePositions};
use kpid::pipeline::ledger::{Ledger, LedgerLimits};
use kpid::pipeline::live::House;
use kpid::ports::{Batch, Clock, Intake, IntakeError, Room};
use kpid::state::MemorySeenIds;
use tokio::sync::mpsc;

use crate::support::replays::catalog_files;

/// Room, or none, as it is told.
#[derive(Default)]
struct Told(AtomicBool);

impl Room for Told {
    fn is_there(&self) -> bool {
        self.0.load(Ordering::SeqCst)
    }
}

/// A wall clock that stands.
struct Still;

impl Clock for Still {
    fn now(&self) -> Instant {
        Instant(1_772_359_200_000)
    }
}

/// The message with this stream sequence, behind another one.
fn message(sequence: u64, follows: u64) -> Batch {
    let payload = format!(r#"{{"id":"m{sequence}","kpi":"desk.csat","value":{sequence}}}"#);
    let limits = DecodeLimits {
        batch_len_max: 10,
        measurement_len_max: 1_000,
    };
    Batch {
        reports: decode(payload.as_bytes(), &Envelope::default(), &limits).reports.into(),
        transport: "nats",
        position: Some(SourcePosition {
            source: "stream".into(),
            sequence,
        }),
        follows,
    }
}

#[tokio::test]
async fn a_batch_behind_one_that_was_refused_is_refused_too_and_both_are_taken_in_order_later() {
    let files = [(
        "desk.toml".to_owned(),
        include_str!("catalogs/story/desk.toml").to_owned(),
    )];
    let catalog = Arc::new(kpid::wire::catalog::parse(&catalog_files(&files)).expect("a catalog"));
    let clock: Arc<dyn Clock> = Arc::new(Still);
    let (jobs, waiting) = mpsc::channel(16);
    let (messages, mut applied) = mpsc::channel(16);
    let positions = SourcePositions::default();
    let room = Arc::new(Told::default());
    let limits = LedgerLimits {
        dedup_window_ms: 1_000,
        series_max: 10,
    };
    let appender = Appender {
        journal: Box::new(MemoryJournal::default()),
        ledger: Ledger::new(Box::new(MemorySeenIds::default()), SeriesNames::default(), limits),
        clock: Arc::clone(&clock),
        jobs: waiting,
        messages,
        next_due: Arc::new(NextDue::default()),
        positions: positions.clone(),
        house: Arc::new(House::default()),
        room: Arc::clone(&room) as Arc<dyn Room>,
        block_len_max: 100,
        floor: Instant::EARLIEST,
        is_behind: false,
    };
    let runtime = tokio::runtime::Handle::current();
    let thread = std::thread::spawn(move || appender.run(&runtime).expect("it ends well"));
    let door = Door {
        catalog: Arc::new(ArcSwap::new(catalog)),
        limits: AdmitLimits::default(),
        clock,
        jobs,
        positions,
        // The door looked a moment before.
        room: Arc::new(Told(AtomicBool::new(true))),
        house: Arc::new(House {
            ready: AtomicBool::new(true),
            ..House::default()
        }),
    };

    let refused = door.submit(message(3, 0)).await;
    assert_eq!(refused, Err(IntakeError::NoRoom));
    room.0.store(true, Ordering::SeqCst);
    // Room came back before the next one, which was on its way already: taking it would pass over the first for good.
    let behind = door.submit(message(5, 3)).await;
    assert_eq!(behind, Err(IntakeError::NoRoom));
    assert_eq!(door.source_position("stream"), None);
    for (sequence, follows) in [(3, 0), (5, 3), (6, 5)] {
        let receipt = door.submit(message(sequence, follows)).await.expect("there is room");
        assert_eq!(receipt.accepted, 1, "{sequence}");
    }
    assert_eq!(door.source_position("stream"), Some(6));
    drop(door);
    while applied.recv().await.is_some() {}
    thread.join().expect("the appender");
}
