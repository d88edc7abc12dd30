//! Out to NATS: alerts once, latest readings, refused input.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::Context;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::Config;
use kpid::domain::alert::{AlertTransition, Severity, TransitionKind};
use kpid::domain::id::{Sequence, Slug};
use kpid::domain::instant::Instant;
use kpid::domain::measurement::RejectionReason;
use kpid::domain::reading::{Reading, ReadingChange};
use kpid::ports::{Delivery, Publisher, RejectionSink};
use kpid::publish::nats::{NatsPublisher, Origin};
use kpid::publish::rejections::rejections;
use kpid::publish::streams::{OutLimits, OutStreams};
use kpid::wire::streams::{self, StreamLimits};
use serde_json::Value;
use tokio::sync::watch;

use super::house::{jetstream, link, options};
use crate::support::nats::NatsServer;

const SUBJECT: &str = "kpi.v1.alert.critical.csat-low.it@K\u{f6}ln=2EDeutz.customer";

pub fn transition(id: &str, kind: TransitionKind) -> AlertTransition {
    AlertTransition {
        id: id.to_owned(),
        rule: Slug::parse("csat-low").unwrap(),
        rule_version: "a1".to_owned(),
        path: "it@K\u{f6}ln.Deutz/customer".into(),
        kind,
        at: Instant(1_772_359_200_000),
        since: Instant(1_772_359_140_000),
        detected_at: Instant(1_772_359_200_000),
        sequence: Sequence(42),
        title: "Customer".to_owned(),
        owner: None,
        severity: Severity::Critical,
        value: None,
        unit: String::new(),
        target: None,
        score: Some(41.5),
        status: Some("red".into()),
        status_before: Some("amber".into()),
        coverage: Some(1.0),
        contributors: Vec::new(),
    }
}

/// A publisher that knows nothing yet, as after a restart.
async fn publisher(url: &str) -> NatsPublisher {
    let context = async_nats::jetstream::new(link(&options(url)).await.client);
    let streams = Arc::new(OutStreams::new(context, OutLimits::default()));
    let origin = Origin {
        source: "kpid/test".to_owned(),
        base_url: "http://kpi".to_owned(),
    };
    NatsPublisher::new(streams, origin)
}

/// Ids of the messages in `KPI_ALERTS`, in order.
async fn delivered(context: &Context) -> Vec<String> {
    let stream = context.get_stream("KPI_ALERTS").await.unwrap();
    let count = stream.cached_info().state.last_sequence;
    let mut ids = Vec::new();
    for sequence in 1..=count {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(
            message.headers.get("Nats-Msg-Id").unwrap().as_str(),
            event["id"].as_str().unwrap()
        );
        ids.push(event["id"].as_str().unwrap().to_owned());
    }
    ids
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_alert_arrives_as_a_cloudevent_on_its_own_subject() {
    let server = NatsServer::start();
    let publisher = publisher(&server.url()).await;
    let context = jetstream(&server.url()).await;
    let fired = publisher
        .publish(&transition("f1", TransitionKind::Firing))
        .await
        .unwrap();
    assert_eq!(fired, Delivery::New);
    let stream = context.get_stream("KPI_ALERTS").await.unwrap();
    let message = stream.get_last_raw_message_by_subject(SUBJECT).await.unwrap();
    let event: Value = serde_json::from_slice(&message.payload).unwrap();
    assert_eq!(event["type"], "kpid.alert.firing.v1");
    assert_eq!(event["source"], "kpid/test");
    assert_eq!(event["subject"], "it@K\u{f6}ln.Deutz/customer");
    assert_eq!(event["data"]["score"], 41.5);
    assert_eq!(
        message.headers.get("content-type").unwrap().as_str(),
        "application/cloudevents+json"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_transition_again_is_a_success_and_no_second_message() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let first = publisher(&server.url()).await;
    first.publish(&transition("f1", TransitionKind::Firing)).await.unwrap();
    first
        .publish(&transition("r1", TransitionKind::Resolved))
        .await
        .unwrap();
    let again = first
        .publish(&transition("r1", TransitionKind::Resolved))
        .await
        .unwrap();
    assert_eq!(again, Delivery::Duplicate, "the server knows the id");
    let restarted = publisher(&server.url()).await;
    let again = restarted
        .publish(&transition("r1", TransitionKind::Resolved))
        .await
        .unwrap();
    assert_eq!(again, Delivery::Duplicate, "the last message of the subject has the id");
    let next = restarted
        .publish(&transition("f2", TransitionKind::Firing))
        .await
        .unwrap();
    assert_eq!(next, Delivery::New);
    assert_eq!(delivered(&context).await, ["f1", "r1", "f2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_longer_than_the_servers_memory_repeats_nothing() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    // The shortest memory of ids that the server has, instead of two minutes.
    let forgetful = Config {
        duplicate_window: Duration::from_millis(100),
        ..streams::alerts(&StreamLimits::ALERTS)
    };
    context.create_stream(forgetful).await.unwrap();
    let first = publisher(&server.url()).await;
    first.publish(&transition("f1", TransitionKind::Firing)).await.unwrap();
    // A message that came later shows when the server has forgotten the alert's id.
    let probe = async || {
        let probe = PublishMessage::build().message_id("probe");
        let sent = context.send_publish("kpi.v1.alert.probe", probe).await.unwrap();
        sent.await.unwrap()
    };
    assert!(!probe().await.duplicate, "the first of its id");
    let forgotten = async { while probe().await.duplicate {} };
    tokio::time::timeout(Duration::from_secs(20), forgotten).await.unwrap();

    let restarted = publisher(&server.url()).await;
    let again = restarted
        .publish(&transition("f1", TransitionKind::Firing))
        .await
        .unwrap();
    assert_eq!(again, Delivery::Duplicate, "delivered, and then it crashed");
    let again = first.publish(&transition("f1", TransitionKind::Firing)).await.unwrap();
    assert_eq!(again, Delivery::Duplicate, "delivered, and not noted in the outbox");
    let stream = context.get_stream("KPI_ALERTS").await.unwrap();
    assert_eq!(
        stream.cached_info().state.messages,
        3,
        "the alert once, the probe twice"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_conflict_is_read_adopted_and_tried_again() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let one = publisher(&server.url()).await;
    let other = publisher(&server.url()).await;
    one.publish(&transition("f1", TransitionKind::Firing)).await.unwrap();
    other
        .publish(&transition("r1", TransitionKind::Resolved))
        .await
        .unwrap();
    // What this one remembers of the subject is out of date now.
    let late = one.publish(&transition("f2", TransitionKind::Firing)).await.unwrap();
    assert_eq!(late, Delivery::New);
    assert_eq!(delivered(&context).await, ["f1", "r1", "f2"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_outbox_puts_no_old_transition_behind_a_newer_one() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let decided = |id: &str, kind, after_ms: i64, sequence: u64| {
        let transition = transition(id, kind);
        AlertTransition {
            at: transition.at.plus_ms(after_ms),
            sequence: Sequence(sequence),
            ..transition
        }
    };
    let story = [
        decided("f1", TransitionKind::Firing, 0, 1),
        decided("r1", TransitionKind::Resolved, 10, 2),
        // Two blocks within one millisecond: the position tells them apart.
        decided("f2", TransitionKind::Firing, 20, 3),
        decided("r2", TransitionKind::Resolved, 20, 4),
    ];
    let first = publisher(&server.url()).await;
    for transition in &story {
        assert_eq!(
            first.publish(transition).await.unwrap(),
            Delivery::New,
            "{}",
            transition.id
        );
    }
    // The outbox is gone: all of it is offered again, and then something new.
    let restarted = publisher(&server.url()).await;
    for transition in &story {
        assert_eq!(
            restarted.publish(transition).await.unwrap(),
            Delivery::Duplicate,
            "{}",
            transition.id
        );
    }
    let new = decided("f3", TransitionKind::Firing, 30, 5);
    assert_eq!(restarted.publish(&new).await.unwrap(), Delivery::New);
    assert_eq!(delivered(&context).await, ["f1", "r1", "f2", "r2", "f3"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_server_is_away_nothing_is_delivered_and_then_once() {
    let mut server = NatsServer::start();
    let publisher = publisher(&server.url()).await;
    publisher
        .publish(&transition("f1", TransitionKind::Firing))
        .await
        .unwrap();
    server.stop();
    let away = publisher
        .publish(&transition("r1", TransitionKind::Resolved))
        .await
        .unwrap_err();
    assert_eq!(away.destination, "nats");
    server.start_again();
    let mut back = Err(away);
    for _ in 0..20 {
        back = publisher.publish(&transition("r1", TransitionKind::Resolved)).await;
        if back.is_ok() {
            break;
        }
    }
    back.expect("the outbox tries until it is delivered");
    assert_eq!(delivered(&jetstream(&server.url()).await).await, ["f1", "r1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_does_not_fit_stays_as_it_is_and_alerts_wait() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    let theirs = Config {
        name: "KPI_ALERTS".to_owned(),
        subjects: vec!["kpi.v1.alert.critical.>".to_owned()],
        ..Config::default()
    };
    context.create_stream(theirs).await.unwrap();
    let publisher = publisher(&server.url()).await;
    let error = publisher
        .publish(&transition("f1", TransitionKind::Firing))
        .await
        .unwrap_err();
    assert!(
        error.to_string().contains("stream KPI_ALERTS does not fit: `subjects`"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_bucket_keeps_the_latest_reading_of_each_node() {
    let server = NatsServer::start();
    let publisher = publisher(&server.url()).await;
    let change = |path: &str, at: i64, score: f64| ReadingChange {
        at: Instant(at),
        path: path.into(),
        reading: Reading {
            score: Some(score),
            absence: None,
            ..Reading::nothing()
        },
    };
    let many: Vec<ReadingChange> = (0..500).map(|n| change(&format!("it/p{n}"), 1_000, 1.0)).collect();
    publisher.keep_readings(&many).await.unwrap();
    let twice = [
        change("it@berlin", 1_000, 10.0),
        change("it", 1_000, 5.0),
        change("it@berlin", 2_000, 20.0),
    ];
    publisher.keep_readings(&twice).await.unwrap();
    publisher.keep_readings(&[change("it", 3_000, 6.0)]).await.unwrap();

    let bucket = jetstream(&server.url())
        .await
        .get_key_value("KPI_SCORES")
        .await
        .unwrap();
    let value = |bytes: bytes::Bytes| serde_json::from_slice::<Value>(&bytes).unwrap();
    let berlin = value(bucket.get("it=40berlin").await.unwrap().unwrap());
    assert_eq!((&berlin["path"], &berlin["score"]), (&"it@berlin".into(), &20.0.into()));
    let it = value(bucket.get("it").await.unwrap().unwrap());
    assert_eq!((&it["at"], &it["score"]), (&"1970-01-01T00:00:03Z".into(), &6.0.into()));
    assert_eq!(bucket.status().await.unwrap().values(), 502, "one entry a node");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refused_input_is_passed_on_when_the_server_is_there_and_never_blocks() {
    let mut server = NatsServer::start();
    let context = async_nats::jetstream::new(link(&options(&server.url())).await.client);
    let (sink, task) = rejections(Arc::new(OutStreams::new(context, OutLimits::default())), 3);
    server.stop();
    for payload in [b"{x".as_slice(), &[0xff], b"3", b"dropped"] {
        sink.reject(RejectionReason::Malformed, "not JSON", "nats", payload);
    }
    assert_eq!(sink.dropped(), 1, "a full queue drops and counts");
    server.start_again();
    let (_stop, stopped) = watch::channel(false);
    drop(sink);
    task.run(stopped).await;

    let stream = jetstream(&server.url()).await.get_stream("KPI_REJECTED").await.unwrap();
    let mut originals = Vec::new();
    for sequence in 1..=stream.cached_info().state.messages {
        let message = stream.get_raw_message(sequence).await.unwrap();
        let body: Value = serde_json::from_slice(&message.payload).unwrap();
        assert_eq!(
            (&body["reason"], &body["transport"]),
            (&"malformed".into(), &"nats".into())
        );
        originals.push(body["original"].as_str().unwrap().to_owned());
    }
    assert_eq!(originals, ["{x", "/w==", "3"]);
}
