//! NATS, in: measurements from the stream `KPI_MEASUREMENTS`, and from core NATS with an answer.
//!
//! Messages enter, batches go to the intake, acknowledgements and answers leave: after the intake said that a batch is
//! durable, never before. Losing the server loses nothing: pulling pauses and goes on by itself where the journal ends.
//!
//! # Two ways in, and which subject is whose
//!
//! A stream answers every publish that it takes and that has a reply subject: `{"stream","seq"}`, stored. It does so before
//! kpid has seen the message, and it does not keep the reply subject. So where the stream takes a subject, its answer is the
//! only one a requester sees, and a core subscription beside it would count every measurement twice. Therefore:
//!
//! - With JetStream, [`NatsIngest`] pulls `kpi.v1.measurement[.<kpi>]` from the stream, and [`NatsRequests`] answers
//!   `kpi.v1.request.measurement[.<kpi>]`, which no stream takes, with kpid's own words once durable.
//! - Without JetStream, [`NatsRequests`] takes and answers `kpi.v1.measurement[.<kpi>]` itself.
//!
//! Rejected: a stream with `no_ack` and kpid answering in its place, because then nobody could publish while kpid is away,
//! which is what a stream is for.
//!
//! # Why nothing is lost and nothing counted twice
//!
//! The journal keeps the stream's identity and the last sequence taken from it; the consumer on the server is flow control
//! only. At the start of every pull the consumer is set to continue exactly after the journal, because after a crash the server
//! would first deliver what is new, and acknowledging that (`AckPolicy::All`) would acknowledge what nobody has seen.
//! Consumer sequences must follow one another: a client that reads too slowly, or a connection that breaks, drops
//! messages in silence. A gap ends the pull, and the next one starts after the journal again.

mod chunk;
mod consumer;
mod decoding;
mod feed;
mod pull;
mod requests;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_nats::Client;
use async_nats::connection::State;
use async_nats::jetstream::Context;
use tokio::sync::watch;
use tracing::{debug, info, warn};

pub use self::requests::{NatsRequests, RequestOptions};
use super::decode::DecodeLimits;
use crate::ports::{Intake, IntakeError, RejectionSink};
use crate::wire::streams::{StreamLimits, Unfit};

/// Name of the durable consumer.
pub const CONSUMER: &str = "kpid";

/// A pull may not ask for more: beyond the server's 64 MiB of pending bytes a client is disconnected.
pub const PULL_BYTES_MAX: usize = 16 << 20;

const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);
/// Longest wait for the last words to the server.
const FLUSH_MAX: Duration = Duration::from_secs(2);

/// How much is pulled at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PullOptions {
    /// Messages a pull asks for.
    pub messages_max: usize,
    /// Bytes a pull asks for; at most [`PULL_BYTES_MAX`]. Raised to the largest message of the server where that is more.
    pub bytes_max: usize,
    /// Measurements after which a batch is closed.
    pub batch_len_max: usize,
    /// Full batches on their way into the journal at the same time; smaller ones count by their messages and bytes.
    pub in_flight_max: usize,
    /// The server says at least this often that it is there; twice as long without a word ends the pull.
    pub heartbeat: Duration,
    /// After this long without an acknowledgement the server delivers again.
    pub ack_wait: Duration,
}

impl Default for PullOptions {
    fn default() -> Self {
        Self {
            messages_max: 8_000,
            bytes_max: 8 << 20,
            // Four megabytes of messages, as much as is gathered at one time, hold about so many.
            batch_len_max: 65_536,
            in_flight_max: 4,
            heartbeat: Duration::from_secs(5),
            ack_wait: Duration::from_secs(30),
        }
    }
}

impl PullOptions {
    /// Messages that the client must be able to hold for a subscription: two pulls may be on their way, more when small
    /// messages follow large ones.
    pub fn subscription_capacity_min(&self) -> usize {
        self.messages_max.saturating_mul(4)
    }

    /// Unacknowledged messages that the server must allow.
    fn ack_pending_min(&self) -> i64 {
        let waiting = self.messages_max.saturating_mul(self.in_flight_max + 2);
        i64::try_from(waiting).unwrap_or(i64::MAX)
    }
}

/// What went through the door; for metrics.
#[derive(Debug, Default)]
pub struct NatsIngestCounters {
    /// Messages taken from the stream or from requests.
    pub messages: AtomicU64,
    /// Measurements in them, taken or not.
    pub measurements: AtomicU64,
    /// Measurements refused.
    pub rejected: AtomicU64,
    /// Messages delivered again and recognised.
    pub redelivered: AtomicU64,
    /// Pulls that ended and were started again.
    pub restarts: AtomicU64,
    /// Gaps in consumer sequences: messages the client dropped, fetched again.
    pub gaps: AtomicU64,
    /// Messages that the stream dropped before they were taken: lost.
    pub lost: AtomicU64,
}

/// Adds to a counter.
fn count(counter: &AtomicU64, by: u64) {
    counter.fetch_add(by, Ordering::Relaxed);
}

/// What everything that comes in needs.
#[derive(Clone)]
pub struct Door {
    /// Where batches go.
    pub intake: Arc<dyn Intake>,
    /// Where refused input goes.
    pub rejections: Arc<dyn RejectionSink>,
    /// Limits on one message.
    pub limits: DecodeLimits,
    /// What went through.
    pub counters: Arc<NatsIngestCounters>,
}

/// Why taking in from NATS ended for good.
#[derive(Debug, thiserror::Error)]
pub enum NatsIngestError {
    /// A stream or consumer that kpid cannot work with and does not alter.
    #[error("nats: {0}")]
    Unfit(#[from] Unfit),
    /// An option beyond its limit.
    #[error("nats.pull.{key} is {found}: {needed}")]
    Option {
        /// Which.
        key: &'static str,
        /// What it says.
        found: usize,
        /// What it may say.
        needed: String,
    },
    /// The connection was closed for good.
    #[error("nats: {0}")]
    Client(String),
}

/// Pulls measurements from the stream.
pub struct NatsIngest {
    /// JetStream on the connection for what comes in.
    context: Context,
    /// Grows when messages on the way may have been lost.
    trouble: watch::Receiver<u64>,
    door: Door,
    pull: PullOptions,
    stream: StreamLimits,
}

/// How a pull ended.
enum Ending {
    /// It was asked to.
    Stopped,
    /// The intake takes no more.
    Closed,
    /// The intake takes nothing for now.
    Full(IntakeError),
    /// It should be started again.
    Again(String),
}

impl From<IntakeError> for Ending {
    fn from(refused: IntakeError) -> Self {
        match refused {
            IntakeError::Closed => Self::Closed,
            IntakeError::NoRoom | IntakeError::NotReady => Self::Full(refused),
        }
    }
}

impl NatsIngest {
    /// A puller on a connection; `trouble` grows whenever messages on the way may have been lost.
    pub fn new(client: Client, trouble: watch::Receiver<u64>, door: Door) -> Self {
        Self {
            context: async_nats::jetstream::new(client),
            trouble,
            door,
            pull: PullOptions::default(),
            stream: StreamLimits::MEASUREMENTS,
        }
    }

    /// With other amounts than the defaults; `stream` is what `KPI_MEASUREMENTS` keeps when it is made here.
    pub fn with_options(mut self, pull: PullOptions, stream: StreamLimits) -> Result<Self, NatsIngestError> {
        let wrong = |key, found, needed: String| NatsIngestError::Option { key, found, needed };
        if pull.bytes_max > PULL_BYTES_MAX {
            let needed = format!("at most {PULL_BYTES_MAX}, or the server drops messages");
            return Err(wrong("bytes_max", pull.bytes_max, needed));
        }
        for (key, found) in [
            ("messages_max", pull.messages_max),
            ("bytes_max", pull.bytes_max),
            ("batch_len_max", pull.batch_len_max),
            ("in_flight_max", pull.in_flight_max),
        ] {
            if found == 0 {
                return Err(wrong(key, found, "at least 1".to_owned()));
            }
        }
        self.pull = pull;
        self.stream = stream;
        Ok(self)
    }

    /// Pulls until `stop` turns true or the intake closes. What was submitted by then is finished and acknowledged.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) -> Result<(), NatsIngestError> {
        let mut pause = PAUSE_MIN;
        let mut said = String::new();
        loop {
            let before = self.door.counters.messages.load(Ordering::Relaxed);
            let (reason, is_full) = match self.pull_once(&mut stop).await? {
                Ending::Stopped | Ending::Closed => break,
                Ending::Full(refused) => (refused.to_string(), true),
                Ending::Again(reason) => (reason, false),
            };
            say_once(&mut said, reason);
            count(&self.door.counters.restarts, 1);
            let progress = !is_full && self.door.counters.messages.load(Ordering::Relaxed) > before;
            pause = if progress {
                PAUSE_MIN
            } else {
                (pause * 2).min(PAUSE_MAX)
            };
            tokio::select! {
                () = stopped(&mut stop) => break,
                () = tokio::time::sleep(pause) => {}
            }
        }
        // The last acknowledgements should reach the server; without them it only delivers again.
        flush(&self.context.client()).await;
        info!("pulling from NATS ended");
        Ok(())
    }
}

/// What was said should reach the server before the house closes, if there is one.
async fn flush(client: &Client) {
    if client.connection_state() == State::Connected {
        let _ = tokio::time::timeout(FLUSH_MAX, client.flush()).await;
    }
}

/// Waits until it is time to stop; also when nobody is left to say so.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

/// A server that is away gives the same reason at each attempt; it is said once.
fn say_once(said: &mut String, reason: String) {
    if *said == reason {
        debug!(reason, "pull from NATS ended again");
    } else {
        warn!(reason, "pull from NATS ended: it starts again after the journal");
        *said = reason;
    }
}
