//! One pull from the stream: from the journal's position until it is stopped or something is lost on the way.
//!
//! Messages are gathered as they are there, decoded, and submitted; up to `in_flight_max` batches are on their way into the
//! journal while the next is decoded. Batches end in the order in which they began, and only then is the last message of a
//! batch acknowledged, which acknowledges all before it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_nats::jetstream::Message;
use async_nats::jetstream::consumer::pull::{MessagesError, Stream as Messages};
use async_nats::jetstream::message::Acker;
use async_nats::jetstream::stream::Stream;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tracing::{error, info};

use super::chunk::{Chunk, Origins};
use super::consumer::{OpenError, align, open_consumer, open_stream};
use super::{Ending, NatsIngest, NatsIngestError, count, stopped};
use crate::domain::fact::SourcePosition;
use crate::ports::{Intake, IntakeError, Receipt};
use crate::wire::{streams, subjects};

/// A pull request that is not filled ends after this long, and the next one is sent.
pub(super) const EXPIRES: Duration = Duration::from_secs(30);

/// A batch is closed when it holds this much, so that one of large messages does not hold up the runtime.
const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Subject and headers around a payload.
const MESSAGE_EXTRA_LEN_MAX: usize = 64 << 10;

/// Where a pull stands.
struct Pull<'a> {
    ingest: &'a NatsIngest,
    /// Identity of the stream: its name and when it was made; one that was made anew starts again at 1.
    source: Arc<str>,
    /// Stream sequence of the last message that was taken from the server.
    taken: u64,
    /// Stream sequence of the last message of the last batch that was submitted.
    submitted: u64,
    /// Stream sequence of the last message that is durable.
    durable: u64,
    /// Consumer sequence that the next message must have.
    expected: u64,
    /// Why the intake refused a batch: nothing after it may be submitted, or the journal's position would pass over it.
    refused: Option<IntakeError>,
}

/// A batch whose fate is known.
struct Committed {
    outcome: Result<Receipt, IntakeError>,
    origins: Origins,
    last: u64,
    acker: Option<Acker>,
}

/// What a turn of gathering gave.
#[derive(Default)]
struct Gathered {
    chunk: Chunk,
    /// Acknowledges the last message of the chunk; or, without one, the last of those that were durable already.
    acker: Option<Acker>,
    ending: Option<Ending>,
}

impl NatsIngest {
    /// One pull, from opening the stream to the last acknowledgement.
    pub(super) async fn pull_once(&mut self, stop: &mut watch::Receiver<bool>) -> Result<Ending, NatsIngestError> {
        let mut trouble = self.trouble.clone();
        trouble.mark_unchanged();
        let opened = tokio::select! {
            () = stopped(stop) => return Ok(Ending::Stopped),
            opened = self.open() => opened,
        };
        let (mut pull, messages) = match opened {
            Ok(opened) => opened,
            Err(OpenError::Unfit(unfit)) => return Err(unfit.into()),
            Err(OpenError::Later(reason)) => return Ok(Ending::Again(reason)),
        };
        info!(
            source = &*pull.source,
            after = pull.taken,
            "pulling measurements from NATS"
        );
        Ok(pull.run(messages, stop, &mut trouble).await)
    }

    async fn open(&self) -> Result<(Pull<'_>, Messages), OpenError> {
        let stream = open_stream(&self.context, &self.stream).await?;
        let consumer = open_consumer(&stream, &self.pull).await?;
        let created = stream.cached_info().created.unix_timestamp_nanos();
        let source: Arc<str> = format!("jetstream:{}:{created}", streams::MEASUREMENTS).into();
        let cursor = self.door.intake.source_position(&source).unwrap_or(0);
        self.report_loss(&stream, cursor).await?;
        let (consumer, expected) = align(&stream, consumer, cursor, &self.pull).await?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(self.pull.messages_max)
            .max_bytes_per_batch(self.pull_bytes())
            .expires(EXPIRES)
            .heartbeat(self.pull.heartbeat)
            .messages()
            .await
            .map_err(|error| OpenError::Later(format!("pull from consumer kpid: {error}")))?;
        let pull = Pull {
            ingest: self,
            source,
            taken: cursor,
            submitted: cursor,
            durable: cursor,
            expected,
            refused: None,
        };
        Ok((pull, messages))
    }

    /// A pull that asks for fewer bytes than a message has would never get that message.
    fn pull_bytes(&self) -> usize {
        let largest = self
            .context
            .client()
            .max_payload()
            .saturating_add(MESSAGE_EXTRA_LEN_MAX);
        self.pull.bytes_max.max(largest)
    }

    /// A stream with limits drops the oldest, read or not; a human must know.
    async fn report_loss(&self, stream: &Stream, cursor: u64) -> Result<(), OpenError> {
        let info = stream.get_info().await;
        let info = info.map_err(|error| OpenError::Later(format!("look up stream KPI_MEASUREMENTS: {error}")))?;
        let first = info.state.first_sequence;
        if cursor > 0 && first > cursor + 1 {
            let lost = first - cursor - 1;
            count(&self.door.counters.lost, lost);
            error!(
                from = cursor + 1,
                to = first - 1,
                "stream dropped measurements before they were taken: raise its limits"
            );
        }
        Ok(())
    }
}

impl<'a> Pull<'a> {
    async fn run(
        &mut self,
        mut messages: Messages,
        stop: &mut watch::Receiver<bool>,
        trouble: &mut watch::Receiver<u64>,
    ) -> Ending {
        let mut in_flight = FuturesOrdered::new();
        let in_flight_max = self.ingest.pull.in_flight_max;
        let mut ending = loop {
            tokio::select! {
                biased;
                () = stopped(stop) => break Ending::Stopped,
                _ = trouble.changed() => break Ending::Again("messages may have been lost on the way".to_owned()),
                Some(committed) = in_flight.next() => {
                    if let Err(refused) = self.settle(committed).await {
                        break refused.into();
                    }
                }
                first = messages.next(), if in_flight.len() < in_flight_max && self.refused.is_none() => {
                    let gathered = self.gather(first, &mut messages);
                    if gathered.chunk.messages() > 0 {
                        in_flight.push_back(self.submit(gathered.chunk, gathered.acker).await);
                    } else if let Some(acker) = gathered.acker {
                        acknowledge(&acker).await;
                    }
                    if let Some(ending) = gathered.ending {
                        break ending;
                    }
                }
            }
        };
        // Nothing new comes; what is on its way is finished, so that the next pull starts after it.
        drop(messages);
        while let Some(committed) = in_flight.next().await {
            if let Err(refused) = self.settle(committed).await {
                ending = refused.into();
            }
        }
        ending
    }

    /// Takes all that is there, up to the limits of a batch, without waiting.
    fn gather(&mut self, first: Option<Result<Message, MessagesError>>, messages: &mut Messages) -> Gathered {
        let limits = &self.ingest.pull;
        let mut gathered = Gathered::default();
        let mut next = first;
        loop {
            let again = match next {
                Some(Ok(message)) => self.take(message, &mut gathered),
                Some(Err(error)) => Err(error.to_string()),
                None => Err("the subscription ended".to_owned()),
            };
            if let Err(reason) = again {
                gathered.ending = Some(Ending::Again(reason));
                return gathered;
            }
            let chunk = &gathered.chunk;
            let full = chunk.messages() >= limits.messages_max
                || chunk.measurements() >= limits.batch_len_max
                || chunk.bytes() >= CHUNK_BYTES_MAX;
            if full {
                return gathered;
            }
            // Unconstrained, because tokio otherwise says "nothing there" after 128 messages.
            next = match unconstrained(messages.next()).now_or_never() {
                Some(message) => message,
                None => return gathered,
            };
        }
    }

    /// Takes one message: checks that none is missing before it, drops it when it came before, else decodes it.
    fn take(&mut self, message: Message, gathered: &mut Gathered) -> Result<(), String> {
        let door = &self.ingest.door;
        let (found, sequence) = match message.info() {
            Ok(info) => (info.consumer_sequence, info.stream_sequence),
            Err(error) => return Err(format!("a message that is not from a stream: {error}")),
        };
        if found != self.expected {
            count(&door.counters.gaps, 1);
            return Err("messages were lost on the way, or another process pulls from consumer kpid".to_owned());
        }
        self.expected += 1;
        let (message, acker) = message.split();
        if sequence <= self.taken {
            count(&door.counters.redelivered, 1);
            if sequence <= self.durable && gathered.chunk.messages() == 0 {
                gathered.acker = Some(acker);
            }
            return Ok(());
        }
        self.taken = sequence;
        let kpi = subjects::kpi_after(subjects::MEASUREMENT, &message.subject);
        gathered.chunk.add(message.payload, message.headers.as_ref(), kpi, door);
        gathered.acker = Some(acker);
        Ok(())
    }

    /// Submits a batch and lets it take its place in the line before the next one is begun: a batch that overtakes another
    /// would move the journal's position past it.
    async fn submit(&mut self, chunk: Chunk, acker: Option<Acker>) -> BoxFuture<'a, Committed> {
        let intake: &'a dyn Intake = &*self.ingest.door.intake;
        let last = self.taken;
        let follows = std::mem::replace(&mut self.submitted, last);
        let position = SourcePosition {
            source: Arc::clone(&self.source),
            sequence: last,
        };
        let (batch, origins) = chunk.into_batch(Some(position), follows);
        let commit = async move {
            let outcome = intake.submit(batch).await;
            Committed {
                outcome,
                origins,
                last,
                acker,
            }
        };
        // Unconstrained: the first poll must not be put off by the runtime.
        let mut commit = unconstrained(commit).boxed();
        match futures_util::poll!(&mut commit) {
            Poll::Ready(committed) => {
                self.refused = committed.outcome.as_ref().err().cloned();
                std::future::ready(committed).boxed()
            }
            Poll::Pending => commit,
        }
    }

    /// Acknowledges a batch that is durable.
    async fn settle(&mut self, committed: Committed) -> Result<(), IntakeError> {
        let receipt = committed
            .outcome
            .inspect_err(|error| self.refused = Some(error.clone()))?;
        committed.origins.pass_on(&receipt.rejected, &self.ingest.door);
        self.durable = committed.last;
        if let Some(acker) = committed.acker {
            acknowledge(&acker).await;
        }
        Ok(())
    }
}

/// An acknowledgement that does not arrive costs a redelivery, which is recognised.
async fn acknowledge(acker: &Acker) {
    if let Err(error) = acker.ack().await {
        tracing::debug!(%error, "acknowledgement not sent: the message comes again and is recognised");
    }
}
