//! What goes wrong on the way from the stream: nothing lost, nothing twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kpid::ingest::nats::PullOptions;
use kpid::wire::streams::{self, StreamLimits};

use super::house::{
    Behind, acknowledged, brisk, consumer, counted, jetstream, link, options, publish, publish_many, until,
};
use crate::support::intake::MemoryIntake;
use crate::support::nats::NatsServer;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_before_durable_loses_nothing_although_newer_messages_come_first() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    publish_many(&context, 0..3_000).await;

    // Batches are submitted and never become durable; then the process dies.
    let before = Behind {
        intake: Arc::new(MemoryIntake::with_gate(0)),
        ..Behind::default()
    };
    let small = PullOptions {
        messages_max: 100,
        ..brisk()
    };
    let crashing = before.pull(&link(&options(&server.url())).await, small);
    until("messages taken", || {
        before.counters.messages.load(Ordering::Relaxed) > 0
    })
    .await;
    crashing.crash().await;
    let left = consumer(&context).await.get_info().await.unwrap();
    assert!(left.num_ack_pending > 0, "the server waits for acknowledgements");
    assert_eq!(left.ack_floor.stream_sequence, 0, "none was given");

    let after = Behind::default();
    let running = after.pull(&link(&options(&server.url())).await, small);
    after.intake.wait_for(3_000).await;
    acknowledged(&context, 3_000).await;
    running.stop().await;
    assert_eq!(after.intake.values(), counted(3_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_batches_that_are_decoded_beside_keep_their_order_through_kills() {
    const EACH: u64 = 500;
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    for message in 0..200 {
        let values = message * EACH..(message + 1) * EACH;
        let lines = values.fold(String::new(), |lines, value| {
            lines + &format!("{{\"value\":{value}}}\n")
        });
        let stored = context
            .publish("kpi.v1.measurement.it.csat", lines.into())
            .await
            .unwrap();
        stored.await.unwrap();
    }
    // Batches are closed in the middle of what was gathered, and of three houses two die on the way.
    let small = PullOptions {
        batch_len_max: 3 * EACH as usize / 2,
        ..brisk()
    };
    let behind = Behind::default();
    for (taken, dies) in [(1, true), (40_000, true), (100_000, false)] {
        let running = behind.pull(&link(&options(&server.url())).await, small);
        behind.intake.wait_for(taken).await;
        if dies {
            running.crash().await;
        } else {
            acknowledged(&context, 200).await;
            running.stop().await;
        }
    }
    assert_eq!(behind.intake.values(), counted(100_000));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_subscription_smaller_than_a_pull_loses_nothing() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    publish_many(&context, 0..20_000).await;

    let mut narrow = options(&server.url());
    narrow.subscription_capacity = 1_000;
    let link = link(&narrow).await;
    let behind = Behind::default();
    let greedy = PullOptions {
        messages_max: 20_000,
        ..brisk()
    };
    let running = behind.pull(&link, greedy);
    behind.intake.wait_for(20_000).await;
    acknowledged(&context, 20_000).await;
    running.stop().await;

    assert_eq!(behind.intake.values(), counted(20_000));
    let restarts = behind.counters.restarts.load(Ordering::Relaxed);
    assert!(
        restarts > 0,
        "the client dropped messages, so the pull had to start again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_messages_to_a_slow_journal_do_not_overrun_the_server() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    // 96 MiB in all: more than the 64 MiB that the server holds for a client.
    let filler = " ".repeat(256 << 10);
    for value in 0..384 {
        let payload = format!("{value}{filler}");
        context
            .publish("kpi.v1.measurement.it.csat", payload.into())
            .await
            .unwrap()
            .await
            .unwrap();
    }
    let link = link(&options(&server.url())).await;
    let behind = Behind {
        intake: Arc::new(MemoryIntake::with_gate(0)),
        ..Behind::default()
    };
    let running = behind.pull(&link, brisk());
    until("a message taken", || {
        behind.counters.messages.load(Ordering::Relaxed) > 0
    })
    .await;
    behind.intake.gate.add_permits(1);
    behind.intake.wait_for(384).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(384));
    assert_eq!(link.state.borrow().connections, 1, "never disconnected");
    assert!(!server.log().contains("Slow Consumer"), "{}", server.log());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_and_dies_under_load_loses_nothing_and_repeats_nothing() {
    let mut server = NatsServer::with_config(|_| String::new());
    let link = link(&options(&server.url())).await;
    let behind = Behind::default();
    let running = behind.pull(&link, brisk());
    let url = server.url();
    let publisher = tokio::spawn(async move {
        let context = jetstream(&url).await;
        publish(&context, 0..2_000).await;
    });

    for (count, graceful) in [(200, true), (700, false), (1_200, true)] {
        behind.intake.wait_for(count).await;
        if graceful {
            server.stop();
        } else {
            server.kill();
        }
        server.start_again();
    }
    publisher.await.expect("everything was stored");
    behind.intake.wait_for(2_000).await;
    acknowledged(&jetstream(&server.url()).await, 2_000).await;
    running.stop().await;

    assert_eq!(behind.intake.values(), counted(2_000));
    assert!(link.state.borrow().connections >= 4, "it reconnected each time");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_comes_later_is_waited_for() {
    let mut server = NatsServer::start();
    server.stop();
    let behind = Behind::default();
    let waiting = kpid::app::nats::connect(&options(&server.url()), "test").await.unwrap();
    let running = behind.pull(&waiting, brisk());
    server.start_again();
    publish(&jetstream(&server.url()).await, 0..10).await;
    behind.intake.wait_for(10).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_is_waited_for_and_a_refused_batch_is_never_overtaken() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let behind = Behind {
        intake: Arc::new(MemoryIntake::with_gate(0)),
        ..Behind::default()
    };
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    let taken = |count| {
        let counters = Arc::clone(&behind.counters);
        async move { until("a message taken", || counters.messages.load(Ordering::Relaxed) >= count).await }
    };
    // The first is on its way when the disk fills up, the second is refused, then there is room for the third.
    publish(&context, 0..1).await;
    taken(1).await;
    behind.intake.set_room(false);
    publish(&context, 1..2).await;
    taken(2).await;
    behind.intake.set_room(true);
    publish(&context, 2..3).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    behind.intake.gate.add_permits(1);
    behind.intake.wait_for(3).await;
    assert_eq!(behind.intake.values(), counted(3), "nothing overtook the refused one");

    behind.intake.set_room(false);
    publish(&context, 3..10).await;
    taken(11).await;
    behind.intake.set_room(true);
    behind.intake.wait_for(10).await;
    acknowledged(&context, 10).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_journal_gets_everything_once_although_the_server_delivers_again() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    publish_many(&context, 0..50).await;
    let behind = Behind {
        intake: Arc::new(MemoryIntake::with_gate(0)),
        ..Behind::default()
    };
    let impatient = PullOptions {
        ack_wait: Duration::from_millis(300),
        ..brisk()
    };
    let running = behind.pull(&link(&options(&server.url())).await, impatient);
    until("a message delivered again", || {
        behind.counters.redelivered.load(Ordering::Relaxed) > 0
    })
    .await;
    behind.intake.gate.add_permits(1);
    behind.intake.wait_for(50).await;
    acknowledged(&context, 50).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_stream_dropped_before_it_was_taken_is_counted_as_lost() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let stream = context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    publish_many(&context, 0..100).await;
    stream.purge().sequence(31).await.unwrap();
    let behind = Behind::default();
    let created = stream.cached_info().created.unix_timestamp_nanos();
    behind
        .intake
        .set_position(&format!("jetstream:KPI_MEASUREMENTS:{created}"), 10);
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    behind.intake.wait_for(70).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(100)[30..]);
    assert_eq!(behind.counters.lost.load(Ordering::Relaxed), 20, "11 to 30");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_house_acknowledges_only_what_it_took() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    publish_many(&context, 0..10).await;
    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    behind.intake.wait_for(10).await;
    acknowledged(&context, 10).await;
    behind.intake.close();
    publish_many(&context, 10..20).await;
    running
        .end()
        .await
        .expect("a closed intake ends the pull, without an error");
    let info = consumer(&context).await.get_info().await.unwrap();
    assert_eq!(info.ack_floor.stream_sequence, 10);
    assert_eq!(behind.intake.values(), counted(10));
}
