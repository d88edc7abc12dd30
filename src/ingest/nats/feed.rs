//! What the server delivers: messages of kpid's consumer, asked for ahead of need, as they come from the wire.
//!
//! A consumer enters, messages leave, in the order of their consumer sequences as long as none is lost. It asks on an inbox of
//! its own instead of through the client's stream of messages, which makes each message carry a copy of the JetStream
//! context and looks at a second channel before each: half of what a small message costs. It acknowledges nothing.

use std::time::Duration;

use async_nats::jetstream::consumer::Consumer;
use async_nats::jetstream::consumer::pull::{BatchConfig, Config};
use async_nats::{Client, HeaderMap, Message, StatusCode, Subject, Subscriber};
use futures_util::future::FutureExt;
use futures_util::stream::StreamExt;
use tokio::task::coop::unconstrained;

/// Requests that are open at one time: while one is being filled the server knows of the next, and never idles.
const REQUESTS: usize = 2;

/// Messages on their way.
pub(super) struct Feed {
    consumer: Consumer<Config>,
    inbox: Subject,
    subscriber: Subscriber,
    request: BatchConfig,
    /// Asked for and not come yet.
    open: Amount,
}

/// So many messages, of so many bytes.
#[derive(Clone, Copy, Default)]
struct Amount {
    messages: usize,
    bytes: usize,
}

impl Feed {
    /// Subscribes; the first request goes out with the first wait.
    pub(super) async fn open(
        client: &Client,
        consumer: Consumer<Config>,
        request: BatchConfig,
    ) -> Result<Self, String> {
        let inbox = Subject::from(client.new_inbox());
        let subscriber = client.subscribe(inbox.clone()).await;
        let subscriber = subscriber.map_err(|error| format!("subscribe to the inbox of consumer kpid: {error}"))?;
        Ok(Self {
            consumer,
            inbox,
            subscriber,
            request,
            open: Amount::default(),
        })
    }

    /// The next message; an error says why there will be no more. Nothing is lost when the wait is given up.
    pub(super) async fn next(&mut self) -> Result<Message, String> {
        let silence_max = self.request.idle_heartbeat * 2;
        loop {
            self.ask().await?;
            let next = tokio::time::timeout(silence_max, self.subscriber.next()).await;
            let next = next.map_err(|_| "the server was silent for too long".to_owned())?;
            if let Some(message) = self.accept(next)? {
                return Ok(message);
            }
        }
    }

    /// A message that is there already.
    pub(super) fn next_there(&mut self) -> Result<Option<Message>, String> {
        // Unconstrained, because tokio otherwise says "nothing there" after 128 messages.
        while let Some(next) = unconstrained(self.subscriber.next()).now_or_never() {
            if let Some(message) = self.accept(next)? {
                return Ok(Some(message));
            }
        }
        Ok(None)
    }

    /// Asks for more when a whole request less is open than may be.
    async fn ask(&mut self) -> Result<(), String> {
        let (messages, bytes) = (self.request.batch, self.request.max_bytes);
        let is_enough = |open: usize, one: usize| open > one * (REQUESTS - 1);
        while !(is_enough(self.open.messages, messages) && is_enough(self.open.bytes, bytes)) {
            let asked = self
                .consumer
                .request_batch(self.request.clone(), self.inbox.clone())
                .await;
            asked.map_err(|error| format!("pull from consumer kpid: {error}"))?;
            self.open.messages += messages;
            self.open.bytes += bytes;
        }
        Ok(())
    }

    /// Keeps count of what came; `None` for a word of the server that brings no message.
    fn accept(&mut self, next: Option<Message>) -> Result<Option<Message>, String> {
        let Some(message) = next else {
            return Err("the subscription ended".to_owned());
        };
        match message.status {
            None | Some(StatusCode::OK) => {
                self.close(Amount {
                    messages: 1,
                    bytes: message.length,
                });
                Ok(Some(message))
            }
            Some(StatusCode::IDLE_HEARTBEAT) => Ok(None),
            Some(status) => {
                let description = message.description.as_deref().unwrap_or_default();
                // Only the end of a request says how much of it is left; everything else is the end of the pull.
                let left = message.headers.as_ref().and_then(left_of);
                let ended = matches!(status, StatusCode::TIMEOUT | StatusCode::REQUEST_TERMINATED);
                match left.filter(|_| ended) {
                    Some(left) => self.close(left),
                    None => return Err(format!("the server ended the pull: {status} {description}")),
                }
                Ok(None)
            }
        }
    }

    fn close(&mut self, amount: Amount) {
        self.open.messages = self.open.messages.saturating_sub(amount.messages);
        self.open.bytes = self.open.bytes.saturating_sub(amount.bytes);
    }
}

/// What a request that ended did not bring.
fn left_of(headers: &HeaderMap) -> Option<Amount> {
    let number = |name: &'static str| headers.get(name)?.as_str().parse().ok();
    Some(Amount {
        messages: number("Nats-Pending-Messages")?,
        bytes: number("Nats-Pending-Bytes")?,
    })
}

/// A request for messages: amounts of the options, and when it ends by itself.
pub(super) fn request(messages: usize, bytes: usize, expires: Duration, heartbeat: Duration) -> BatchConfig {
    BatchConfig {
        batch: messages,
        max_bytes: bytes,
        expires: Some(expires),
        idle_heartbeat: heartbeat,
        ..BatchConfig::default()
    }
}

/// Reads the subjects on which deliveries of one consumer are acknowledged:
/// `$JS.ACK.<stream>.<consumer>.<deliveries>.<stream sequence>.<consumer sequence>.<time>.<pending>`, or the same with
/// `<domain>.<account>` before the stream and perhaps a token at the end.
#[derive(Default)]
pub(super) struct Sequences {
    /// What stood before the sequences of the last delivery: mostly it stands before those of the next one, too, and need
    /// not be taken apart for each message.
    before: String,
}

impl Sequences {
    /// Consumer sequence and stream sequence of a delivery; `None` for any other subject.
    pub(super) fn of(&mut self, ack: &str) -> Option<(u64, u64)> {
        if self.before.is_empty() || !ack.starts_with(&self.before) {
            let behind = tokens_from(ack, STREAM_SEQUENCE)?;
            self.before.clear();
            self.before.push_str(ack.get(..ack.len() - behind.len())?);
        }
        let (stream, rest) = number(ack.get(self.before.len()..)?)?;
        let (consumer, _) = number(rest)?;
        Some((consumer, stream))
    }
}

/// Places of tokens behind `$JS.ACK.`, without a domain and an account.
const STREAM_SEQUENCE: usize = 3;
const PENDING: usize = 6;

/// An ack subject from one of its tokens on; `None` for any other subject.
fn tokens_from(ack: &str, place: usize) -> Option<&str> {
    let rest = ack.strip_prefix("$JS.ACK.")?;
    let more = match memchr::memchr_iter(b'.', rest.as_bytes()).count() {
        6 => 0,
        8.. => 2,
        _ => return None,
    };
    rest.splitn(place + more + 1, '.').nth(place + more)
}

/// The number that a text begins with, up to a dot or the end, and what stands behind the dot.
fn number(text: &str) -> Option<(u64, &str)> {
    let (found, rest) = text.split_once('.').unwrap_or((text, ""));
    Some((found.parse().ok()?, rest))
}

/// How many messages wait on the server behind a delivery, from the subject on which it is acknowledged.
pub(super) fn waiting_behind(ack: &str) -> Option<u64> {
    number(tokens_from(ack, PENDING)?).map(|(waiting, _)| waiting)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: &str = "$JS.ACK.KPI_MEASUREMENTS.kpid.1.4711.17.1795323412114565151.3";
    const LONG: &str = "$JS.ACK.hub.A1b2.KPI_MEASUREMENTS.kpid.2.4711.17.1795323412114565151.3";

    #[test]
    fn both_forms_of_the_ack_subject_are_read() {
        let with_token = format!("{LONG}.Xy9");
        let mut one_after_the_other = Sequences::default();
        for ack in [SHORT, SHORT, LONG, &with_token, SHORT] {
            assert_eq!(Sequences::default().of(ack), Some((17, 4711)), "{ack}");
            assert_eq!(one_after_the_other.of(ack), Some((17, 4711)), "{ack}");
            assert_eq!(waiting_behind(ack), Some(3), "{ack}");
        }
    }

    #[test]
    fn what_is_known_of_one_delivery_is_not_taken_for_the_next() {
        let mut sequences = Sequences::default();
        assert_eq!(sequences.of(SHORT), Some((17, 4711)));
        let next = "$JS.ACK.KPI_MEASUREMENTS.kpid.1.4712.18.1795323412114565152.2";
        assert_eq!(sequences.of(next), Some((18, 4712)));
        let again = "$JS.ACK.KPI_MEASUREMENTS.kpid.12.4711.19.1795323412114565153.2";
        assert_eq!(sequences.of(again), Some((19, 4711)));
        assert_eq!(sequences.of(next), Some((18, 4712)));
    }

    #[test]
    fn another_subject_has_no_sequences() {
        for other in [
            "",
            "_INBOX.a.b",
            "$JS.ACK.S.c.1.2",
            "$JS.ACK.S.c.1.x.2.3.4",
            "$JS.ACK.S.c.1.2.3.4.5.6",
        ] {
            assert_eq!(Sequences::default().of(other), None, "{other}");
        }
        assert_eq!(waiting_behind("$JS.ACK.S.c.1.2"), None);
    }
}
