//! Measurements from the stream: taken once, in order, acknowledged when durable.

use std::sync::atomic::Ordering;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::stream::{Config, StorageType};
use kpid::domain::measurement::RejectionReason;
use kpid::ingest::nats::{NatsIngest, PullOptions};
use kpid::wire::streams::{self, StreamLimits};

use super::house::{
    Behind, acknowledged, brisk, consumer, counted, jetstream, link, options, publish, publish_many, until,
};
use crate::support::nats::{NatsServer, free_port};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_taken_in_order_and_acknowledged() {
    let server = NatsServer::start();
    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    let context = jetstream(&server.url()).await;
    let first = consumer_soon(&context).await;
    assert_eq!(first.cached_info().config.ack_policy, AckPolicy::All);

    publish_many(&context, 0..5_000).await;
    behind.intake.wait_for(5_000).await;
    acknowledged(&context, 5_000).await;
    running.stop().await;

    assert_eq!(behind.intake.values(), counted(5_000));
    assert!(
        behind.intake.kpis().iter().all(|kpi| kpi == "it.csat"),
        "the subject names the KPI"
    );
    assert_eq!(behind.counters.gaps.load(Ordering::Relaxed), 0);
}

/// The stream is made by kpid, some time after it was started.
async fn consumer_soon(
    context: &async_nats::jetstream::Context,
) -> async_nats::jetstream::consumer::Consumer<pull::Config> {
    for _ in 0..500 {
        if let Ok(stream) = context.get_stream("KPI_MEASUREMENTS").await
            && stream.consumer_info("kpid").await.is_ok()
        {
            return consumer(context).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("kpid did not make its consumer");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_shape_is_taken_and_poison_is_refused_and_acknowledged() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    let ndjson = "{\"kpi\":\"a\",\"value\":1}\n{\"kpi\":\"b\",\"value\":2}\n";
    let mut binary = async_nats::HeaderMap::new();
    for (name, value) in [
        ("ce-specversion", "1.0"),
        ("ce-type", "kpid.measurement.v1"),
        ("ce-id", "7"),
        ("ce-source", "crm"),
    ] {
        binary.insert(name, value);
    }
    for (subject, headers, payload) in [
        ("kpi.v1.measurement", None, ndjson),
        ("kpi.v1.measurement.c", None, "3"),
        ("kpi.v1.measurement.d.e", None, "{\"value\":4}"),
        ("kpi.v1.measurement", None, "[{\"kpi\":\"f\",\"value\":5},17]"),
        ("kpi.v1.measurement", None, "\u{0}poison"),
        ("kpi.v1.measurement", Some(binary), "{\"kpi\":\"g\",\"value\":6}"),
    ] {
        let headers = headers.unwrap_or_default();
        let sent = context
            .publish_with_headers(subject, headers, payload.into())
            .await
            .unwrap();
        sent.await.unwrap();
    }
    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    behind.intake.wait_for(6).await;
    acknowledged(&context, 6).await;
    running.stop().await;

    assert_eq!(behind.intake.kpis(), ["a", "b", "c", "d.e", "f", "g"]);
    assert_eq!(behind.intake.values(), [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]);
    assert_eq!(
        behind.rejections.all(),
        [
            (RejectionReason::Malformed, b"17".to_vec()),
            (RejectionReason::Malformed, b"\0poison".to_vec()),
        ],
        "refused input is passed on byte for byte"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_journal_has_is_never_taken_again() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let stream = context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    publish_many(&context, 0..1_000).await;
    let created = stream.cached_info().created.unix_timestamp_nanos();

    // The consumer is gone, or somebody made a new one: it would begin at 1.
    let behind = Behind::default();
    let source = format!("jetstream:KPI_MEASUREMENTS:{created}");
    behind.intake.set_position(&source, 400);
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    behind.intake.wait_for(600).await;
    acknowledged(&context, 1_000).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(1_000)[400..]);
    assert_eq!(behind.intake.positions()[&source], 1_000);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_made_anew_begins_at_one_again() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    consumer_soon(&context).await;
    publish_many(&context, 0..10).await;
    behind.intake.wait_for(10).await;

    context.delete_stream("KPI_MEASUREMENTS").await.unwrap();
    publish(&context, 10..15).await;
    behind.intake.wait_for(15).await;
    running.stop().await;
    assert_eq!(behind.intake.values(), counted(15));
    assert_eq!(
        behind.intake.positions().len(),
        2,
        "another stream of that name is another source"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_fit_is_named_and_left_alone() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let theirs = Config {
        name: "KPI_MEASUREMENTS".to_owned(),
        subjects: vec!["kpi.v1.measurement.>".to_owned()],
        storage: StorageType::Memory,
        no_ack: true,
        ..Config::default()
    };
    let before = context
        .create_stream(theirs)
        .await
        .unwrap()
        .cached_info()
        .config
        .clone();

    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    let error = running.end().await.unwrap_err().to_string();
    for part in [
        "stream KPI_MEASUREMENTS does not fit",
        "`subjects` is",
        "`storage` is Memory",
        "`no_ack` is true",
        "edit",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
    let after = context.get_stream("KPI_MEASUREMENTS").await.unwrap();
    assert_eq!(after.cached_info().config, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consumer_that_does_not_fit_is_named_and_left_alone() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let stream = context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    let theirs = pull::Config {
        durable_name: Some("kpid".to_owned()),
        ack_policy: AckPolicy::Explicit,
        filter_subject: "kpi.v1.measurement.a".to_owned(),
        max_ack_pending: 10,
        max_deliver: 3,
        ..pull::Config::default()
    };
    stream.create_consumer(theirs).await.unwrap();

    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    let error = running.end().await.unwrap_err().to_string();
    for part in [
        "consumer kpid of stream KPI_MEASUREMENTS does not fit",
        "`ack_policy` is Explicit, needed is All",
        "`filter_subjects` is [\"kpi.v1.measurement.a\"]",
        "`max_ack_pending` is 10, needed is \"at least",
        "`max_deliver` is 3",
        "nats consumer rm KPI_MEASUREMENTS kpid",
    ] {
        assert!(error.contains(part), "{part}: {error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_beyond_what_the_server_holds_is_refused() {
    let server = NatsServer::start();
    let link = link(&options(&server.url())).await;
    let behind = Behind::default();
    for (pull, part) in [
        (
            PullOptions {
                bytes_max: 17 << 20,
                ..PullOptions::default()
            },
            "nats.pull.bytes_max is 17825792",
        ),
        (
            PullOptions {
                messages_max: 0,
                ..PullOptions::default()
            },
            "nats.pull.messages_max is 0",
        ),
    ] {
        let ingest = NatsIngest::new(link.client.clone(), link.trouble.clone(), behind.door());
        let error = ingest
            .with_options(pull, StreamLimits::MEASUREMENTS)
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_jetstream_is_said_and_waited_for() {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut server = NatsServer::from_config(dir, port, &format!("listen: \"127.0.0.1:{port}\"\n"));
    let behind = Behind::default();
    let running = behind.pull(&link(&options(&server.url())).await, brisk());
    until("a second try", || behind.counters.restarts.load(Ordering::Relaxed) > 1).await;
    server.stop();
    server.allow_jetstream();
    server.start_again();
    publish(&jetstream(&server.url()).await, 0..5).await;
    behind.intake.wait_for(5).await;
    running.stop().await;
}
