//! Refused input to `KPI_REJECTED`, so that somebody can look at it and send it again.
//!
//! A rejection enters a queue without waiting, a message leaves when the server is there. A full queue drops what comes, and
//! counts it: the sender was answered anyway, and refusing input must never slow down taking it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::streams::OutStreams;
use crate::domain::measurement::RejectionReason;
use crate::ports::RejectionSink;
use crate::wire::rejected::RejectedBody;
use crate::wire::subjects;

/// Messages on their way at the same time.
const IN_FLIGHT_MAX: usize = 64;
/// Between two tries to deliver.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Takes refused input; never blocks.
#[derive(Clone)]
pub struct NatsRejections {
    queue: mpsc::Sender<Vec<u8>>,
    dropped: Arc<AtomicU64>,
}

/// Delivers what was taken.
pub struct RejectionsPublisher {
    queue: mpsc::Receiver<Vec<u8>>,
    dropped: Arc<AtomicU64>,
    /// Drops that were said already.
    said: u64,
    streams: Arc<OutStreams>,
}

/// A sink with a queue of this length, and the task that empties it.
pub fn rejections(streams: Arc<OutStreams>, queue_len_max: usize) -> (NatsRejections, RejectionsPublisher) {
    let (sender, receiver) = mpsc::channel(queue_len_max.max(1));
    let dropped = Arc::new(AtomicU64::new(0));
    let sink = NatsRejections {
        queue: sender,
        dropped: Arc::clone(&dropped),
    };
    let publisher = RejectionsPublisher {
        queue: receiver,
        dropped,
        said: 0,
        streams,
    };
    (sink, publisher)
}

impl NatsRejections {
    /// Refused measurements that were not passed on; for metrics.
    pub fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

impl RejectionSink for NatsRejections {
    fn reject(&self, reason: RejectionReason, detail: &str, transport: &'static str, original: &[u8]) {
        let kept = self.queue.try_reserve().ok().and_then(|place| {
            let body = RejectedBody::new(reason, detail, transport, original);
            place.send(serde_json::to_vec(&body).ok()?);
            Some(())
        });
        if kept.is_none() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl RejectionsPublisher {
    /// Delivers until `stop` turns true or the last sink is gone; what is in the queue then is tried once more.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        let mut waiting = Vec::with_capacity(IN_FLIGHT_MAX);
        loop {
            tokio::select! {
                biased;
                got = self.queue.recv_many(&mut waiting, IN_FLIGHT_MAX) => if got == 0 { break },
                () = stopped(&mut stop) => {
                    self.queue.close();
                    continue;
                }
            }
            self.deliver(&mut waiting, &mut stop).await;
            self.say_dropped();
        }
        self.say_dropped();
    }

    /// Tries until all of them are delivered, or it is time to stop.
    async fn deliver(&mut self, waiting: &mut Vec<Vec<u8>>, stop: &mut watch::Receiver<bool>) {
        loop {
            let sent = join_all(waiting.iter().map(|body| self.send(body))).await;
            let mut sent = sent.into_iter();
            waiting.retain(|_| sent.next() != Some(true));
            if waiting.is_empty() {
                return;
            }
            if self.queue.is_closed() {
                self.dropped.fetch_add(waiting.len() as u64, Ordering::Relaxed);
                waiting.clear();
                return;
            }
            self.say_dropped();
            tokio::select! {
                () = stopped(stop) => self.queue.close(),
                () = tokio::time::sleep(RETRY_PAUSE) => {}
            }
        }
    }

    async fn send(&self, body: &[u8]) -> bool {
        if let Err(error) = self.streams.ensure().await {
            debug!(%error, "refused input not passed on yet");
            return false;
        }
        let context = self.streams.context();
        let sent = match context.publish(subjects::REJECTED, body.to_vec().into()).await {
            Ok(ack) => ack.await.map(drop),
            Err(error) => Err(error),
        };
        if let Err(error) = &sent {
            debug!(%error, "refused input not passed on yet");
            self.streams.forget().await;
        }
        sent.is_ok()
    }

    fn say_dropped(&mut self) {
        let dropped = self.dropped.load(Ordering::Relaxed);
        if dropped > self.said {
            warn!(
                count = dropped - self.said,
                "refused input not passed on: the queue is full or NATS is away"
            );
            self.said = dropped;
        }
    }
}

/// Waits until it is time to stop; also when nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}
