//! Measurements that wait in a JetStream stream into the real program, until they are durable and applied; beside a pull
//! consumer that acknowledges and throws away.

use std::collections::VecDeque;

use async_nats::jetstream::consumer::{AckPolicy, pull};
use async_nats::jetstream::{self, Context};
use divan::Bencher;
use divan::counter::ItemsCount;
use futures_util::StreamExt;
use kpid::wire::{streams, subjects};
use tokio::runtime::Runtime;

use crate::house::House;
use crate::load;
use crate::nats_server::NatsServer;
use crate::ratio::{stands_on, timed};

/// Measurements a message.
const SHAPES: [usize; 2] = [1, 100];

fn messages(each: usize) -> usize {
    if each == 1 { 200_000 } else { 10_000 }
}

/// Messages published and not yet known to be stored.
const UNSTORED_MAX: usize = 512;
/// As kpid pulls: messages a pull.
const PULL: usize = 2_000;

#[divan::bench(args = SHAPES, sample_count = 3, sample_size = 1)]
fn ingest(bencher: Bencher, each: usize) {
    let messages = messages(each);
    let (name, count) = (format!("NATS ingest, {each} a message"), each * messages);
    stands_on(&name, &floor_name(each));
    let runtime = Runtime::new().unwrap();
    let server = NatsServer::start();
    let context = runtime.block_on(filled(&server, each, messages));
    let bench = bencher.counter(ItemsCount::new(count)).with_inputs(|| {
        // A new house starts at the beginning of the stream.
        let _ =
            runtime.block_on(context.delete_consumer_from_stream(kpid::ingest::nats::CONSUMER, streams::MEASUREMENTS));
        let dir = load::folder();
        (House::start(dir.path(), &server.url()), dir)
    });
    bench.bench_local_values(|(house, _dir)| timed(&name, count, || house.wait_applied(count as u64)));
}

#[divan::bench(args = SHAPES, sample_count = 3, sample_size = 1)]
fn floor(bencher: Bencher, each: usize) {
    let messages = messages(each);
    let runtime = Runtime::new().unwrap();
    let server = NatsServer::start();
    let context = runtime.block_on(filled(&server, each, messages));
    let bench = bencher.counter(ItemsCount::new(each * messages));
    let pull = || runtime.block_on(throw_away(&context, messages));
    bench.bench_local(|| timed(&floor_name(each), each * messages, pull));
}

fn floor_name(each: usize) -> String {
    format!("pull, acknowledge, throw away, {each} a message")
}

/// A stream with messages in it.
async fn filled(server: &NatsServer, each: usize, messages: usize) -> Context {
    let client = async_nats::connect(server.url()).await.unwrap();
    let context = jetstream::new(client);
    context
        .create_stream(streams::measurements(&streams::StreamLimits::MEASUREMENTS))
        .await
        .unwrap();
    let lines = load::lines(each * 1_000, None);
    let lines: Vec<&str> = lines.split_inclusive('\n').collect();
    let payloads: Vec<bytes::Bytes> = lines.chunks(each).map(|lines| lines.concat().into()).collect();
    let mut unstored = VecDeque::new();
    for payload in payloads.iter().cycle().take(messages) {
        unstored.push_back(context.publish(subjects::MEASUREMENT, payload.clone()).await.unwrap());
        if unstored.len() > UNSTORED_MAX {
            unstored.pop_front().unwrap().await.unwrap();
        }
    }
    for stored in unstored {
        stored.await.unwrap();
    }
    context
}

/// Tells a process of this program to do nothing but [`drain`]: a server's address and a number of messages.
pub const DRAIN_ALONE: &str = "KPID_BENCH_DRAIN_ALONE";

/// What the bare consumer takes for so many messages that wait in a stream, in seconds.
#[expect(clippy::print_stdout, reason = "the answer to the process that asked")]
pub fn drain(asked: &str) {
    let (url, messages) = asked.split_once(' ').unwrap();
    let messages = messages.parse().unwrap();
    let seconds = Runtime::new().unwrap().block_on(async {
        let context = jetstream::new(async_nats::connect(url).await.unwrap());
        let started = std::time::Instant::now();
        throw_away(&context, messages).await;
        started.elapsed().as_secs_f64()
    });
    println!("{seconds}");
}

async fn throw_away(context: &Context, count: usize) {
    let stream = context.get_stream(streams::MEASUREMENTS).await.unwrap();
    let config = pull::Config {
        ack_policy: AckPolicy::All,
        max_ack_pending: 100_000,
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer(config).await.unwrap();
    let mut messages = consumer.stream().max_messages_per_batch(PULL).messages().await.unwrap();
    for taken in 1..=count {
        let message = messages.next().await.unwrap().unwrap();
        divan::black_box(&message.payload);
        if taken % PULL == 0 || taken == count {
            message.ack().await.unwrap();
        }
    }
}
