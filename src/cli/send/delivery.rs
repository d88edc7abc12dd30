//! A batch on its way: tried again until it is answered, refused, or patience ends.

use std::path::Path;
use std::time::{Duration, Instant};

use crate::wire::measurement::ReceiptBody;

use super::SendError;
use super::http::HttpDestination;
use super::nats::NatsDestination;
use super::parcel::Parcel;
use super::tally::Terminal;

/// First pause between two tries; it doubles up to [`PAUSE_MAX`].
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// Longest pause, so that a daemon that is back is noticed soon.
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// What became of a batch.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    /// The daemon judged it, and what it took is durable.
    Receipt(ReceiptBody),
    /// The stream keeps it; the daemon will judge it.
    Stored,
}

/// Why a try failed.
#[derive(Debug)]
pub(super) enum Failure {
    /// It may go well later; not before the pause, where one was named.
    Later(String, Option<Duration>),
    /// It never will.
    Never(String),
}

/// Where batches go.
pub(super) enum Destination {
    Http(HttpDestination),
    Nats(Box<NatsDestination>),
}

impl Destination {
    /// Understands an address; nothing is connected yet.
    pub(super) fn at(url: &str, credentials: Option<&Path>) -> Result<Self, SendError> {
        let found = || SendError::Address {
            found: without_secrets(url),
        };
        match url.split_once("://").ok_or_else(found)? {
            (_, "") => Err(found()),
            ("http" | "https", _) => Ok(Self::Http(HttpDestination::at(url))),
            ("nats" | "tls" | "ws" | "wss", _) => {
                let destination = NatsDestination::at(url, credentials).map_err(|reason| SendError::NotTaken {
                    to: without_secrets(url),
                    reason,
                })?;
                Ok(Self::Nats(Box::new(destination)))
            }
            _ => Err(found()),
        }
    }

    /// True when answers say what was taken.
    pub(super) fn judges(&self) -> bool {
        matches!(self, Self::Http(_))
    }

    fn send(&mut self, delivery: &Delivery<'_>) -> Result<Answer, Failure> {
        match self {
            Self::Http(http) => http.send(&delivery.parcel.body),
            Self::Nats(nats) => nats.send(delivery.parcel, delivery.known),
        }
    }
}

/// An address without the name and password that may stand before its host.
pub(super) fn without_secrets(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return url.to_owned();
    };
    let (authority, path) = rest.find('/').map_or((rest, ""), |at| rest.split_at(at));
    let host = authority.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}{path}")
}

/// One batch to deliver.
pub(super) struct Delivery<'a> {
    pub(super) parcel: &'a Parcel,
    /// A batch of the same key may be passed over as known.
    pub(super) known: bool,
    /// How long to try.
    pub(super) patience: Duration,
}

impl Delivery<'_> {
    /// Delivers it, however often that needs trying.
    pub(super) fn to(&self, to: &mut Destination, name: &str, terminal: &Terminal) -> Result<Answer, SendError> {
        let mut first_failure: Option<Instant> = None;
        let mut pause = PAUSE_MIN;
        loop {
            let (reason, named) = match to.send(self) {
                Ok(answer) => return Ok(answer),
                Err(Failure::Later(reason, named)) => (reason, named),
                Err(Failure::Never(reason)) => {
                    let to = name.to_owned();
                    return Err(SendError::NotTaken { to, reason });
                }
            };
            let since = *first_failure.get_or_insert_with(|| {
                terminal.say(&format!("waiting for {name}: {reason}"));
                Instant::now()
            });
            let wait = named.unwrap_or(pause).clamp(PAUSE_MIN, PAUSE_MAX);
            if since.elapsed() + wait > self.patience {
                let (to, patience) = (name.to_owned(), self.patience);
                return Err(SendError::GaveUp { to, patience, reason });
            }
            std::thread::sleep(wait);
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }
}
