//! One pull from the stream: from the journal's position until it is stopped or something is lost on the way.
//!
//! Messages are gathered as they are there, decoded, and submitted; where many more wait on the server, a batch is filled
//! first. As much as `in_flight_max` full batches is being decoded
//! or on its way into the journal while the next batch is gathered. It is counted in messages and bytes, because a disk that
//! takes its time must not stop four small batches short of one large commit. Batches end in the order in which they began,
//! and only then is the last message of a batch acknowledged, which acknowledges all before it.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use async_nats::jetstream::stream::Stream;
use async_nats::{Client, Message, Subject};
use bytes::Bytes;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::sync::watch;
use tokio::task::coop::unconstrained;
use tokio::time::{Instant as Moment, sleep_until};
use tracing::{error, info};

use super::chunk::Origins;
use super::consumer::{OpenError, align, open_consumer, open_stream};
use super::decoding::{Decoded, Gathered, Load, Taken, decode};
use super::feed::{Feed, Sequences, request, waiting_behind};
use super::{Ending, NatsIngest, NatsIngestError, PullOptions, count, stopped};
use crate::domain::fact::SourcePosition;
use crate::ports::{Intake, IntakeError, Receipt};
use crate::wire::streams;

/// A pull request that is not filled ends after this long, and the next one is sent.
pub(super) const EXPIRES: Duration = Duration::from_secs(30);

/// Bytes after which a batch is closed, so that its decoding takes some milliseconds at most.
const GATHER_BYTES_MAX: usize = 4 << 20;

/// How long a batch that is not full waits for more while as much as a full one waits on the server. Who is that far behind
/// gets there sooner with few large blocks: each costs a sync, and each KPI in it one evaluation.
const FILL_MAX: Duration = Duration::from_millis(20);

/// Subject and headers around a payload.
const MESSAGE_EXTRA_LEN_MAX: usize = 64 << 10;

/// Where a pull stands.
struct Pull<'a> {
    ingest: &'a NatsIngest,
    client: Client,
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
    sequences: Sequences,
    /// Why the intake refused a batch: nothing after it may be submitted, or the journal's position would pass over it.
    refused: Option<IntakeError>,
}

/// A batch whose fate is known.
struct Committed {
    outcome: Result<Receipt, IntakeError>,
    origins: Origins,
    load: Load,
    last: u64,
    ack: Subject,
}

/// Batches on their way, each line in the order of the stream.
#[derive(Default)]
struct Lines<'a> {
    decoding: FuturesOrdered<BoxFuture<'static, Vec<Decoded>>>,
    in_flight: FuturesOrdered<BoxFuture<'a, Committed>>,
    /// What both lines hold.
    load: Load,
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
        let (mut pull, feed) = match opened {
            Ok(opened) => opened,
            Err(OpenError::Unfit(unfit)) => return Err(unfit.into()),
            Err(OpenError::Later(reason)) => return Ok(Ending::Again(reason)),
        };
        info!(
            source = &*pull.source,
            after = pull.taken,
            "pulling measurements from NATS"
        );
        Ok(pull.run(feed, stop, &mut trouble).await)
    }

    async fn open(&self) -> Result<(Pull<'_>, Feed), OpenError> {
        let stream = open_stream(&self.context, &self.stream).await?;
        let consumer = open_consumer(&stream, &self.pull).await?;
        let created = stream.cached_info().created.unix_timestamp_nanos();
        let source: Arc<str> = format!("jetstream:{}:{created}", streams::MEASUREMENTS).into();
        let cursor = self.door.intake.source_position(&source).unwrap_or(0);
        self.report_loss(&stream, cursor).await?;
        let (consumer, expected) = align(&stream, consumer, cursor, &self.pull).await?;
        let client = self.context.client();
        let request = request(self.pull.messages_max, self.pull_bytes(), EXPIRES, self.pull.heartbeat);
        let feed = Feed::open(&client, consumer, request).await.map_err(OpenError::Later)?;
        let pull = Pull {
            ingest: self,
            client,
            source,
            taken: cursor,
            submitted: cursor,
            durable: cursor,
            expected,
            sequences: Sequences::default(),
            refused: None,
        };
        Ok((pull, feed))
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
        mut feed: Feed,
        stop: &mut watch::Receiver<bool>,
        trouble: &mut watch::Receiver<u64>,
    ) -> Ending {
        let mut lines = Lines::default();
        let mut gathered = Gathered::default();
        let mut filled_by = Moment::now();
        let ending = loop {
            let has_place = lines.have_place(&self.ingest.pull) && self.refused.is_none();
            let is_begun = !gathered.messages.is_empty();
            tokio::select! {
                biased;
                () = stopped(stop) => break Ending::Stopped,
                _ = trouble.changed() => break Ending::Again("messages may have been lost on the way".to_owned()),
                Some(committed) = lines.in_flight.next() => {
                    lines.leave(committed.load);
                    if let Err(refused) = self.settle(committed).await {
                        break refused.into();
                    }
                }
                Some(decoded) = lines.decoding.next() => self.submit_all(decoded, &mut lines).await,
                first = feed.next(), if has_place => {
                    if !is_begun {
                        filled_by = Moment::now() + FILL_MAX;
                    }
                    let ended = self.gather(first, &mut feed, &mut gathered);
                    if gathered.messages.is_empty() {
                        if let Some(ack) = gathered.known.take() {
                            self.acknowledge(ack).await;
                        }
                    } else if ended.is_some() || !self.may_fill(&gathered) {
                        self.begin(&mut gathered, &mut lines);
                    }
                    if let Some(reason) = ended {
                        break Ending::Again(reason);
                    }
                }
                () = sleep_until(filled_by), if has_place && is_begun => self.begin(&mut gathered, &mut lines),
            }
        };
        // Nothing new comes; what is on its way is finished, so that the next pull starts after it.
        drop(feed);
        self.begin(&mut gathered, &mut lines);
        self.finish(lines).await.err().map_or(ending, Ending::from)
    }

    /// Waits for what is on its way; nothing is submitted behind what was refused.
    async fn finish(&mut self, mut lines: Lines<'a>) -> Result<(), IntakeError> {
        let mut outcome = Ok(());
        loop {
            tokio::select! {
                biased;
                Some(committed) = lines.in_flight.next() => {
                    let settled = self.settle(committed).await;
                    outcome = outcome.and(settled);
                }
                Some(decoded) = lines.decoding.next() => self.submit_all(decoded, &mut lines).await,
                else => return outcome,
            }
        }
    }

    /// Takes all that is there, up to the limits of a batch, without waiting. A reason is why there will be no more.
    fn gather(&mut self, first: Result<Message, String>, feed: &mut Feed, gathered: &mut Gathered) -> Option<String> {
        let mut next = first.map(Some);
        loop {
            match next {
                Ok(Some(message)) => {
                    if let Err(reason) = self.take(message, gathered) {
                        return Some(reason);
                    }
                }
                Ok(None) => return None,
                Err(reason) => return Some(reason),
            }
            if self.is_full(gathered) {
                return None;
            }
            next = feed.next_there();
        }
    }

    fn is_full(&self, gathered: &Gathered) -> bool {
        gathered.load.messages >= self.ingest.pull.messages_max || gathered.load.bytes >= GATHER_BYTES_MAX
    }

    /// Whether a batch may wait until it is full: so much waits on the server that its messages are no news.
    fn may_fill(&self, gathered: &Gathered) -> bool {
        let last = gathered.messages.last();
        let behind = last.and_then(|message| waiting_behind(&message.ack)).unwrap_or(0);
        behind >= self.ingest.pull.messages_max as u64 && !self.is_full(gathered)
    }

    /// Lets what was gathered be decoded, and leaves nothing of it.
    fn begin(&self, gathered: &mut Gathered, lines: &mut Lines<'a>) {
        if gathered.messages.is_empty() {
            return;
        }
        let next = Gathered::with_room(gathered.messages.len());
        let gathered = std::mem::replace(gathered, next);
        lines.enter(gathered.load);
        let len_max = self.ingest.pull.batch_len_max;
        lines.decoding.push_back(decode(gathered, &self.ingest.door, len_max));
    }

    /// Takes one message: checks that none is missing before it, and drops it when it came before.
    fn take(&mut self, message: Message, gathered: &mut Gathered) -> Result<(), String> {
        let counters = &self.ingest.door.counters;
        let Some(ack) = message.reply else {
            return Err("a message that is not from a stream came".to_owned());
        };
        let Some((found, sequence)) = self.sequences.of(&ack) else {
            return Err(format!("a message that is not from a stream came: `{ack}`"));
        };
        if found != self.expected {
            count(&counters.gaps, 1);
            return Err("messages were lost on the way, or another process pulls from consumer kpid".to_owned());
        }
        self.expected += 1;
        if sequence <= self.taken {
            count(&counters.redelivered, 1);
            if sequence <= self.durable && gathered.messages.is_empty() {
                gathered.known = Some(ack);
            }
            return Ok(());
        }
        self.taken = sequence;
        gathered.load.add(&message.payload);
        gathered.messages.push(Taken {
            sequence,
            ack,
            subject: message.subject,
            payload: message.payload,
            headers: message.headers,
        });
        Ok(())
    }

    /// Submits what was decoded, unless something before it was refused.
    async fn submit_all(&mut self, decoded: Vec<Decoded>, lines: &mut Lines<'a>) {
        for batch in decoded {
            if self.refused.is_some() {
                return;
            }
            let submitted = self.submit(batch).await;
            lines.in_flight.push_back(submitted);
        }
    }

    /// Submits a batch and lets it take its place in the line before the next one is begun: a batch that overtakes another
    /// would move the journal's position past it.
    async fn submit(&mut self, batch: Decoded) -> BoxFuture<'a, Committed> {
        let intake: &'a dyn Intake = &*self.ingest.door.intake;
        let load = batch.load();
        let Decoded { chunk, last, ack } = batch;
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
                load,
                last,
                ack,
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
        self.acknowledge(committed.ack).await;
        Ok(())
    }

    /// An acknowledgement that does not arrive costs a redelivery, which is recognised.
    async fn acknowledge(&self, ack: Subject) {
        if let Err(error) = self.client.publish(ack, Bytes::new()).await {
            tracing::debug!(%error, "acknowledgement not sent: the message comes again and is recognised");
        }
    }
}

impl Lines<'_> {
    /// Whether another batch may begin: what is there is less than so many full ones.
    fn have_place(&self, limits: &PullOptions) -> bool {
        let max = |one: usize| one.saturating_mul(limits.in_flight_max);
        self.load.messages < max(limits.messages_max) && self.load.bytes < max(GATHER_BYTES_MAX)
    }

    fn enter(&mut self, load: Load) {
        self.load.messages += load.messages;
        self.load.bytes += load.bytes;
    }

    fn leave(&mut self, load: Load) {
        self.load.messages -= load.messages;
        self.load.bytes -= load.bytes;
    }
}
