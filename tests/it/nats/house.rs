//! As much of a house as these tests need: a link to a server, a door, tasks that can be stopped or crash.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::{Consumer, pull};
use async_nats::jetstream::{self, Context};
use kpid::app::nats::{Link, NatsOptions, connect};
use kpid::ingest::decode::DecodeLimits;
use kpid::ingest::nats::{Door, NatsIngest, NatsIngestCounters, NatsIngestError, PullOptions};
use kpid::wire::streams::StreamLimits;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::intake::{MemoryIntake, MemoryRejections};

/// Options for a server without authentication.
pub fn options(url: &str) -> NatsOptions {
    NatsOptions {
        urls: vec![url.to_owned()],
        name: "test".to_owned(),
        ..NatsOptions::default()
    }
}

/// A link that is connected.
pub async fn link(options: &NatsOptions) -> Link {
    let link = connect(options, "test").await.expect("options that can work");
    connected(&link).await;
    link
}

/// Waits until a link is connected.
pub async fn connected(link: &Link) {
    let mut state = link.state.clone();
    let waited = tokio::time::timeout(Duration::from_secs(20), state.wait_for(|state| state.connected)).await;
    assert!(waited.is_ok(), "not connected: {:?}", link.state.borrow().last_error);
}

/// JetStream for the test itself, on a connection of its own.
pub async fn jetstream(url: &str) -> Context {
    let client = async_nats::ConnectOptions::new()
        .retry_on_initial_connect()
        .connect(url)
        .await
        .expect("a client");
    jetstream::new(client)
}

/// What is behind the door, and outlives a crash.
#[derive(Default)]
pub struct Behind {
    pub intake: Arc<MemoryIntake>,
    pub rejections: Arc<MemoryRejections>,
    pub counters: Arc<NatsIngestCounters>,
}

impl Behind {
    pub fn door(&self) -> Door {
        Door {
            intake: self.intake.clone(),
            rejections: self.rejections.clone(),
            limits: DecodeLimits {
                batch_len_max: 10_000,
                measurement_len_max: 64 * 1024,
            },
            counters: self.counters.clone(),
        }
    }

    /// Starts pulling.
    pub fn pull(&self, link: &Link, pull: PullOptions) -> Running {
        let (stop, stopped) = watch::channel(false);
        let ingest = NatsIngest::new(link.client.clone(), link.trouble.clone(), self.door())
            .with_options(pull, StreamLimits::MEASUREMENTS)
            .expect("options within limits");
        let task = tokio::spawn(ingest.run(stopped));
        Running { stop, task }
    }
}

/// A task that pulls.
pub struct Running {
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<(), NatsIngestError>>,
}

impl Running {
    /// As on SIGTERM: what was begun is finished.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        self.end().await.expect("it stops without an error");
    }

    /// As on `kill -9`.
    pub async fn crash(self) {
        self.task.abort();
        let _ = self.task.await;
    }

    /// Waits until it ends by itself.
    pub async fn end(self) -> Result<(), NatsIngestError> {
        let ended = tokio::time::timeout(Duration::from_secs(20), self.task).await;
        ended.expect("it ends").expect("no panic")
    }
}

/// Pulls that find out soon when something is wrong.
pub fn brisk() -> PullOptions {
    PullOptions {
        heartbeat: Duration::from_millis(500),
        ack_wait: Duration::from_secs(2),
        ..PullOptions::default()
    }
}

/// Publishes the values `range` as bare numbers of `it.csat`, each stored once.
pub async fn publish(context: &Context, range: std::ops::Range<u64>) {
    for value in range {
        store(context, value).await;
    }
}

/// Publishes one value until the server has it; the id keeps a repetition from being stored twice.
async fn store(context: &Context, value: u64) {
    for _ in 0..200 {
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Msg-Id", format!("m{value}"));
        let sent = context
            .publish_with_headers("kpi.v1.measurement.it.csat", headers, value.to_string().into())
            .await;
        if let Ok(ack) = sent
            && ack.await.is_ok()
        {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("value {value} was never stored");
}

/// Publishes many values fast.
pub async fn publish_many(context: &Context, range: std::ops::Range<u64>) {
    let mut acks = Vec::new();
    for value in range {
        let sent = context
            .publish("kpi.v1.measurement.it.csat", value.to_string().into())
            .await;
        acks.push(sent.expect("sent"));
        if acks.len() == 1000 {
            for ack in acks.drain(..) {
                ack.await.expect("stored");
            }
        }
    }
    for ack in acks {
        ack.await.expect("stored");
    }
}

/// The values `0..count` in order, as they should have been taken.
pub fn counted(count: u64) -> Vec<f64> {
    (0..count).map(|value| value as f64).collect()
}

/// kpid's consumer, as the server has it.
pub async fn consumer(context: &Context) -> Consumer<pull::Config> {
    let stream = context.get_stream("KPI_MEASUREMENTS").await.expect("the stream");
    stream.get_consumer("kpid").await.expect("the consumer")
}

/// Waits until the server knows that everything up to here was taken.
pub async fn acknowledged(context: &Context, sequence: u64) {
    let consumer = consumer(context).await;
    for _ in 0..500 {
        let info = consumer.get_info().await.expect("its state");
        if info.ack_floor.stream_sequence >= sequence && info.num_ack_pending == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("not acknowledged up to {sequence}: {:?}", consumer.get_info().await);
}

/// Waits until something holds, or says what did not.
pub async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..2_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in 20 seconds not once: {what}");
}
