//! Core NATS: a measurement with a reply subject is answered once it is durable.

use std::sync::Arc;
use std::time::Duration;

use kpid::domain::measurement::RejectionReason;
use kpid::ingest::nats::{NatsIngestError, NatsRequests, RequestOptions};
use kpid::wire::streams::{self, StreamLimits};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::house::{Behind, brisk, jetstream, link, options};
use crate::support::intake::MemoryIntake;
use crate::support::nats::NatsServer;

/// Starts answering, and waits until the server knows.
async fn answering(
    behind: &Behind,
    url: &str,
    jetstream: bool,
) -> (watch::Sender<bool>, JoinHandle<Result<(), NatsIngestError>>) {
    let (stop, stopped) = watch::channel(false);
    let client = link(&options(url)).await.client;
    let choice = RequestOptions {
        jetstream,
        ..RequestOptions::default()
    };
    let requests = NatsRequests::new(client, behind.door(), choice);
    let ping = format!("{}.it.csat", requests.subject());
    let task = tokio::spawn(requests.run(stopped));
    let asker = async_nats::connect(url).await.unwrap();
    for _ in 0..500 {
        if asker.request(ping.clone(), "x".into()).await.is_ok() {
            return (stop, task);
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nobody answers");
}

async fn ask(client: &async_nats::Client, subject: &'static str, payload: &'static str) -> Value {
    let answer = client.request(subject, payload.into()).await.expect("an answer");
    serde_json::from_slice(&answer.payload).expect("JSON")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_is_answered_with_what_became_of_it() {
    let server = NatsServer::start();
    let behind = Behind::default();
    let (stop, task) = answering(&behind, &server.url(), false).await;
    let client = async_nats::connect(server.url()).await.unwrap();

    let taken = ask(&client, "kpi.v1.measurement.it.csat", "82.5").await;
    assert_eq!(
        taken,
        json!({"accepted": 1, "rejected": [], "duplicates": 0, "sequence": 1})
    );
    let mixed = ask(&client, "kpi.v1.measurement", "[{\"kpi\":\"a\",\"value\":1},true]").await;
    assert_eq!(mixed["accepted"], 1);
    assert_eq!(mixed["rejected"][0]["index"], 1);
    assert_eq!(mixed["rejected"][0]["reason"], "malformed");
    assert!(
        behind
            .rejections
            .all()
            .contains(&(RejectionReason::Malformed, b"true".to_vec()))
    );

    stop.send_replace(true);
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_answered_before_it_is_durable() {
    let server = NatsServer::start();
    let behind = Behind {
        intake: Arc::new(MemoryIntake::with_gate(1)),
        ..Behind::default()
    };
    let (stop, task) = answering(&behind, &server.url(), false).await;
    let closed_gate = behind.intake.gate.acquire().await.unwrap();
    let client = async_nats::connect(server.url()).await.unwrap();
    let asked = tokio::spawn(async move { ask(&client, "kpi.v1.measurement.a", "1").await });
    let early = tokio::time::timeout(Duration::from_millis(200), async {
        while !asked.is_finished() {
            tokio::task::yield_now().await;
        }
    });
    assert!(early.await.is_err(), "answered before it was durable");

    // A house that closes finishes what it began.
    stop.send_replace(true);
    drop(closed_gate);
    assert_eq!(asked.await.unwrap()["accepted"], 1);
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn beside_a_stream_requests_have_their_own_subject_and_nothing_counts_twice() {
    let server = NatsServer::start();
    let context = jetstream(&server.url()).await;
    context
        .create_stream(streams::measurements(&StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    let behind = Behind::default();
    let (stop, task) = answering(&behind, &server.url(), true).await;
    let pulling = behind.pull(&link(&options(&server.url())).await, brisk());
    let client = async_nats::connect(server.url()).await.unwrap();

    let taken = ask(&client, "kpi.v1.request.measurement.it.csat", "1").await;
    assert_eq!(taken["accepted"], 1);
    let stored = ask(&client, "kpi.v1.measurement.it.csat", "2").await;
    assert_eq!(
        stored,
        json!({"stream": "KPI_MEASUREMENTS", "seq": 1}),
        "the stream answers for itself"
    );
    behind.intake.wait_for(2).await;
    pulling.stop().await;
    assert_eq!(behind.intake.values(), [1.0, 2.0], "each once");
    stop.send_replace(true);
    task.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_closing_house_says_so() {
    let server = NatsServer::start();
    let behind = Behind::default();
    let (_stop, _task) = answering(&behind, &server.url(), false).await;
    behind.intake.close();
    let client = async_nats::connect(server.url()).await.unwrap();
    let answer = ask(&client, "kpi.v1.measurement.a", "1").await;
    assert_eq!(answer, json!({"error": "kpid is shutting down: send it again later"}));
}
