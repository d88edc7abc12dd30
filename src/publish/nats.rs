//! Alert transitions to `KPI_ALERTS`, exactly once; latest readings to `KPI_SCORES`.
//!
//! A transition enters, a stored message leaves. The server recognises a message id for two minutes, in memory; that is
//! not enough for a kpid that was down for longer between delivering and noting it. So every subject stands for one
//! severity, rule and node, every delivery says which message it expects to be the last there, and when that does not hold the
//! last message is read: with the same id, or one that was decided later, it was delivered already (a lost outbox offers old
//! transitions again), else its place is adopted and the delivery tried again.
//! Deliveries of one subject come one after another, from the outbox; nobody else publishes there.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_nats::HeaderMap;
use async_nats::header::NATS_MESSAGE_ID;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::kv::Store;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::stream::LastRawMessageErrorKind;
use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{TryStreamExt, iter};
use tracing::debug;

use super::streams::{OutStreams, StreamsError};
use crate::domain::alert::AlertTransition;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::reading::ReadingChange;
use crate::ports::{Delivery, PublishError, Publisher};
use crate::wire::cloudevents_out::{AlertEvent, CONTENT_TYPE, decided};
use crate::wire::reading::ReadingBody;
use crate::wire::{streams, subjects};

/// Key of this destination in the outbox.
const DESTINATION: &str = "nats";

/// Subjects whose last message is remembered. Beyond it all are forgotten, and read again when they are needed.
const SUBJECT_COUNT_MAX: usize = 65_536;

/// Tries of one delivery before it goes back to the outbox: two conflicts in a row mean that somebody else publishes there.
const ATTEMPT_COUNT_MAX: usize = 3;

/// Readings on their way at the same time.
const READINGS_IN_FLIGHT_MAX: usize = 64;

/// What an alert says of where it comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Origin {
    /// `source` of the CloudEvents: `kpid/<name>`.
    pub source: String,
    /// Where the dashboard is, without a slash at its end.
    pub base_url: String,
}

/// Publishes to NATS.
pub struct NatsPublisher {
    streams: Arc<OutStreams>,
    origin: Origin,
    /// Last message of each subject, as far as known.
    lasts: Mutex<HashMap<String, Last>>,
}

/// The last message of a subject.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Last {
    sequence: u64,
    id: String,
    /// When it was decided and on which journal position; `None` where the message does not say so.
    decided: Option<Decided>,
}

/// Instant and journal position of a transition: those of one subject never go back.
type Decided = (Instant, Sequence);

impl Last {
    /// Whether a transition was delivered before: it is this message, or this one was decided after it. One that was decided
    /// at the same instant from the same position is not held back: twice is better than never.
    fn covers(&self, transition: &AlertTransition) -> bool {
        let is_later = |decided: Decided| decided > (transition.at, transition.sequence);
        self.id == transition.id || self.decided.is_some_and(is_later)
    }
}

/// What came of one try.
enum Attempt {
    /// It is there.
    Stored(PublishAck),
    /// Another message is the last of the subject.
    Conflict,
}

impl NatsPublisher {
    /// A publisher on a connection.
    pub fn new(streams: Arc<OutStreams>, origin: Origin) -> Self {
        Self {
            streams,
            origin,
            lasts: Mutex::new(HashMap::new()),
        }
    }

    async fn deliver(&self, transition: &AlertTransition) -> Result<Delivery, PublishError> {
        self.streams.ensure().await.map_err(|error| refused(&error))?;
        let subject = subjects::alert(transition);
        let event = AlertEvent::new(transition, &self.origin.source, &self.origin.base_url);
        let payload = serde_json::to_vec(&event).map_err(|error| refused(&error))?;
        for _ in 0..ATTEMPT_COUNT_MAX {
            let last = match self.known(&subject) {
                Some(last) => Some(last),
                None => self.read_last(&subject).await?,
            };
            if let Some(last) = last.as_ref().filter(|last| last.covers(transition)) {
                self.remember(&subject, last.clone());
                return Ok(Delivery::Duplicate);
            }
            let expected = last.map_or(0, |last| last.sequence);
            let message = PublishMessage::build()
                .headers(headers())
                .message_id(&transition.id)
                .expected_stream(streams::ALERTS)
                .expected_last_subject_sequence(expected)
                .payload(payload.clone().into());
            match self.send(&subject, message).await? {
                Attempt::Stored(ack) => {
                    let id = transition.id.clone();
                    let decided = Some((transition.at, transition.sequence));
                    self.remember(
                        &subject,
                        Last {
                            sequence: ack.sequence,
                            id,
                            decided,
                        },
                    );
                    return Ok(if ack.duplicate {
                        Delivery::Duplicate
                    } else {
                        Delivery::New
                    });
                }
                Attempt::Conflict => debug!(subject, expected, "another message is the last there: it is read"),
            }
        }
        let reason = format!("{subject}: the last message keeps changing: let nobody but one kpid publish there");
        Err(refused(&reason))
    }

    /// Sends once. Whatever goes wrong, what is known of the subject is forgotten: the message may have been stored.
    async fn send(&self, subject: &str, message: PublishMessage) -> Result<Attempt, PublishError> {
        let context = self.streams.context();
        let sent = match context.send_publish(subject.to_owned(), message).await {
            Ok(ack) => ack.await,
            Err(error) => Err(error),
        };
        let error = match sent {
            Ok(ack) => return Ok(Attempt::Stored(ack)),
            Err(error) => error,
        };
        self.lasts().remove(subject);
        match error.kind() {
            PublishErrorKind::WrongLastSequence => Ok(Attempt::Conflict),
            PublishErrorKind::StreamNotFound => {
                self.streams.forget().await;
                Err(refused(&error))
            }
            _ => Err(refused(&error)),
        }
    }

    /// The last message of a subject, from the stream's leader: a copy may lag behind.
    async fn read_last(&self, subject: &str) -> Result<Option<Last>, PublishError> {
        let stream = self.streams.context().get_stream_no_info(streams::ALERTS).await;
        let stream = stream.map_err(|error| refused(&error))?;
        match stream.get_last_raw_message_by_subject(subject).await {
            Ok(message) => {
                let id = message.headers.get(NATS_MESSAGE_ID).map(ToString::to_string);
                Ok(Some(Last {
                    sequence: message.sequence,
                    id: id.unwrap_or_default(),
                    decided: decided(&message.payload),
                }))
            }
            Err(error) if matches!(error.kind(), LastRawMessageErrorKind::NoMessageFound) => Ok(None),
            Err(error) => {
                self.streams.forget().await;
                Err(refused(&error))
            }
        }
    }

    fn lasts(&self) -> MutexGuard<'_, HashMap<String, Last>> {
        self.lasts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self, subject: &str) -> Option<Last> {
        self.lasts().get(subject).cloned()
    }

    fn remember(&self, subject: &str, last: Last) {
        let mut lasts = self.lasts();
        if lasts.len() >= SUBJECT_COUNT_MAX {
            lasts.clear();
        }
        lasts.insert(subject.to_owned(), last);
    }

    /// Of several readings of a node only the last one counts.
    async fn keep(&self, changes: &[ReadingChange]) -> Result<(), PublishError> {
        let store = self.streams.ensure().await.map_err(|error| refused(&error))?;
        let mut seen = HashSet::with_capacity(changes.len());
        let latest: Vec<&ReadingChange> = changes
            .iter()
            .rev()
            .filter(|change| seen.insert(&change.path))
            .collect();
        let kept = iter(latest.into_iter().map(Ok))
            .try_for_each_concurrent(READINGS_IN_FLIGHT_MAX, |change| put(&store, change))
            .await;
        if kept.is_err() {
            self.streams.forget().await;
        }
        kept
    }
}

async fn put(store: &Store, change: &ReadingChange) -> Result<(), PublishError> {
    let value = serde_json::to_vec(&ReadingBody::alone(change)).map_err(|error| refused(&error))?;
    let put = store.put(subjects::score_key(&change.path), value.into()).await;
    put.map(drop).map_err(|error| refused(&error))
}

fn headers() -> HeaderMap {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", CONTENT_TYPE);
    headers
}

fn refused(reason: &impl ToString) -> PublishError {
    PublishError {
        destination: DESTINATION,
        reason: reason.to_string(),
    }
}

impl From<StreamsError> for PublishError {
    fn from(error: StreamsError) -> Self {
        refused(&error)
    }
}

impl Publisher for NatsPublisher {
    fn destination(&self) -> &'static str {
        DESTINATION
    }

    fn publish<'a>(&'a self, transition: &'a AlertTransition) -> BoxFuture<'a, Result<Delivery, PublishError>> {
        self.deliver(transition).boxed()
    }

    fn keep_readings<'a>(&'a self, changes: &'a [ReadingChange]) -> BoxFuture<'a, Result<(), PublishError>> {
        self.keep(changes).boxed()
    }
}
