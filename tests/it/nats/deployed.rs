//! The configuration in `deploy/nats`: the server takes it, kpid can work with it, and nobody can do more than they should.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream;
use futures_util::StreamExt;
use kpid::app::nats::{NatsOptions, SecretSource};
use kpid::domain::instant::Instant;
use kpid::domain::measurement::RejectionReason;
use kpid::domain::reading::{Reading, ReadingChange};
use kpid::ingest::nats::{NatsRequests, RequestOptions};
use kpid::ports::{Delivery, Publisher, RejectionSink};
use kpid::publish::nats::{NatsPublisher, Origin};
use kpid::publish::rejections::rejections;
use kpid::publish::streams::{OutLimits, OutStreams};
use tokio::sync::watch;

use super::house::{Behind, acknowledged, brisk, link, options};
use super::publish::transition;
use crate::support::nats::{NatsServer, free_port, nats_server};

const PASSWORDS: [&str; 3] = [
    "NATS_KPID_PASSWORD",
    "NATS_EMITTER_PASSWORD",
    "NATS_SUBSCRIBER_PASSWORD",
];

fn deployed() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("deploy/nats/nats-server.conf")
}

/// A server with the deployed configuration; only where it listens and stores, and the passwords, are the test's.
fn server() -> NatsServer {
    let (dir, port) = (tempfile::tempdir().unwrap(), free_port());
    let mut config = std::fs::read_to_string(deployed()).unwrap();
    let store = format!("store_dir: {:?}", dir.path().join("store"));
    for (deployed, here) in [
        ("listen: \"127.0.0.1:4222\"", format!("listen: \"127.0.0.1:{port}\"")),
        ("http: \"127.0.0.1:8222\"", String::new()),
        ("store_dir: \"/data\"", store),
    ] {
        assert!(config.contains(deployed), "{deployed}");
        config = config.replace(deployed, &here);
    }
    for name in PASSWORDS {
        config = config.replace(&format!("${name}"), &name.to_lowercase());
    }
    NatsServer::from_config(dir, port, &config)
}

fn user(server: &NatsServer, user: &str) -> NatsOptions {
    NatsOptions {
        user: Some(user.to_owned()),
        password: Some(SecretSource::Text(format!("nats_{user}_password"))),
        inbox_prefix: Some(format!("_INBOX_{user}")),
        ..options(&server.url())
    }
}

#[test]
fn the_server_takes_it_and_wants_passwords() {
    let check = |passwords: bool| {
        let mut command = Command::new(nats_server());
        command.arg("-t").arg("-c").arg(deployed()).env_clear();
        if passwords {
            command.envs(PASSWORDS.map(|name| (name, "secret")));
        }
        let output = command.output().unwrap();
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stderr).into_owned(),
        )
    };
    let (fits, said) = check(true);
    assert!(fits, "{said}");
    let (fits, said) = check(false);
    assert!(!fits && said.contains("PASSWORD"), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kpid_can_do_all_it_needs() {
    let server = server();
    let kpid = link(&user(&server, "kpid")).await;
    let emitter = link(&user(&server, "emitter")).await.client;
    let subscriber = link(&user(&server, "subscriber")).await.client;

    let behind = Behind::default();
    let pulling = behind.pull(&kpid, brisk());
    let (stop, stopped) = watch::channel(false);
    let requests = NatsRequests::new(kpid.client.clone(), behind.door(), RequestOptions::default());
    let requests = tokio::spawn(requests.run(stopped.clone()));
    let mut alerts = subscriber.subscribe("kpi.v1.alert.>").await.unwrap();
    subscriber.flush().await.unwrap();

    // Measurements in, stored by the stream and answered by kpid.
    let to_stream = jetstream::new(emitter.clone());
    stored_soon(&to_stream).await;
    behind.intake.wait_for(1).await;
    acknowledged(&jetstream::new(kpid.client.clone()), 1).await;
    let answer = emitter
        .request("kpi.v1.request.measurement.a", "2".into())
        .await
        .unwrap();
    assert!(answer.payload.starts_with(b"{\"accepted\":1"), "{answer:?}");

    // A crash, after which the consumer must be set to continue.
    pulling.crash().await;
    behind.intake.forget_positions();
    let pulling = behind.pull(&kpid, brisk());
    behind.intake.wait_for(3).await;
    pulling.stop().await;

    // Alerts, readings and refused input out.
    let streams = Arc::new(OutStreams::new(
        jetstream::new(kpid.client.clone()),
        OutLimits::default(),
    ));
    let publisher = NatsPublisher::new(streams.clone(), Origin::default());
    let fired = transition("f1", kpid::domain::alert::TransitionKind::Firing);
    assert_eq!(publisher.publish(&fired).await.unwrap(), Delivery::New);
    let after_restart = NatsPublisher::new(streams.clone(), Origin::default());
    assert_eq!(after_restart.publish(&fired).await.unwrap(), Delivery::Duplicate);
    let heard = tokio::time::timeout(Duration::from_secs(5), alerts.next())
        .await
        .unwrap();
    assert!(heard.is_some(), "the subscriber hears alerts");
    let change = ReadingChange {
        at: Instant(0),
        path: "it".into(),
        reading: Reading::nothing(),
    };
    publisher.keep_readings(&[change]).await.unwrap();
    let scores = jetstream::new(subscriber).get_key_value("KPI_SCORES").await.unwrap();
    assert!(scores.get("it").await.unwrap().is_some(), "the subscriber reads scores");
    let (sink, task) = rejections(streams, 8);
    sink.reject(RejectionReason::Malformed, "not JSON", "nats", b"{");
    drop(sink);
    task.run(stopped).await;

    stop.send_replace(true);
    requests.await.unwrap().unwrap();
    assert!(!server.log().contains("Violation"), "{}", server.log());
}

/// Stores one measurement, once kpid has made the stream.
async fn stored_soon(context: &jetstream::Context) {
    for _ in 0..500 {
        let sent = context.publish("kpi.v1.measurement.a", "1".into()).await.unwrap();
        if sent.await.is_ok() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing was stored");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_emitter_reads_no_alerts_and_a_subscriber_writes_nothing() {
    let server = server();
    let kpid = link(&user(&server, "kpid")).await.client;
    let emitter = link(&user(&server, "emitter")).await.client;
    let subscriber = link(&user(&server, "subscriber")).await.client;
    let publisher = NatsPublisher::new(
        Arc::new(OutStreams::new(jetstream::new(kpid), OutLimits::default())),
        Origin::default(),
    );
    let mut overheard = Vec::new();
    for subject in ["kpi.v1.alert.>", ">", "_INBOX_subscriber.>", "$JS.>"] {
        overheard.push(emitter.subscribe(subject).await.unwrap());
    }
    emitter.flush().await.unwrap();
    subscriber.publish("kpi.v1.measurement.a", "1".into()).await.unwrap();
    subscriber.publish("kpi.v1.alert.critical.x", "1".into()).await.unwrap();
    subscriber.flush().await.unwrap();

    let fired = transition("f1", kpid::domain::alert::TransitionKind::Firing);
    assert_eq!(publisher.publish(&fired).await.unwrap(), Delivery::New);
    emitter.flush().await.unwrap();
    for mut subscription in overheard {
        let heard = tokio::time::timeout(Duration::from_millis(100), subscription.next()).await;
        assert!(!matches!(heard, Ok(Some(_))), "the emitter heard {heard:?}");
    }
    let log = server.log();
    for violation in [
        "user:emitter\" - Subscription Violation - Subject \"kpi.v1.alert.>\"",
        "user:subscriber\" - Publish Violation - Subject \"kpi.v1.measurement.a\"",
        "user:subscriber\" - Publish Violation - Subject \"kpi.v1.alert.critical.x\"",
    ] {
        assert!(log.contains(violation), "{violation}: {log}");
    }
}
