//! How a connection to NATS is: what the client reports, as log lines, state for readiness, and a count of troubles.
//!
//! Events enter, a picture leaves that anybody may watch.

use std::sync::{Arc, Mutex, PoisonError};

use async_nats::{Client, Event};
use tokio::sync::watch;
use tracing::{debug, info, warn};

/// How a connection is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkState {
    /// Connected now.
    pub connected: bool,
    /// How often a connection was made.
    pub connections: u64,
    /// How often messages were dropped because they were not read in time.
    pub slow_consumers: u64,
    /// The last thing that went wrong, in the words of the client or the server.
    pub last_error: Option<Arc<str>>,
}

impl LinkState {
    /// How often a connection was lost.
    pub fn disconnections(&self) -> u64 {
        self.connections - u64::from(self.connected)
    }
}

/// A client that keeps reconnecting, and how it is.
#[derive(Debug, Clone)]
pub struct Link {
    /// The client.
    pub client: Client,
    /// How it is, for readiness and metrics.
    pub state: watch::Receiver<LinkState>,
    /// Grows whenever messages on the way may have been lost: a connection ended, or a subscription overflowed.
    pub trouble: watch::Receiver<u64>,
}

/// Turns the client's events into log lines and state.
pub(super) struct Watcher {
    role: String,
    state: watch::Sender<LinkState>,
    trouble: watch::Sender<u64>,
    said: Mutex<Option<String>>,
}

impl Watcher {
    pub(super) fn new(role: &str) -> (Self, watch::Receiver<LinkState>, watch::Receiver<u64>) {
        let (state, state_seen) = watch::channel(LinkState::default());
        let (trouble, trouble_seen) = watch::channel(0);
        let watcher = Self {
            role: role.to_owned(),
            state,
            trouble,
            said: Mutex::new(None),
        };
        (watcher, state_seen, trouble_seen)
    }

    pub(super) fn note(&self, event: &Event) {
        let role = self.role.as_str();
        match event {
            Event::Connected => {
                info!(role, "connected to NATS");
                self.said.lock().unwrap_or_else(PoisonError::into_inner).take();
                self.state.send_modify(|state| {
                    state.connected = true;
                    state.connections += 1;
                });
            }
            Event::Disconnected | Event::Closed => {
                warn!(role, "connection to NATS ended");
                self.state.send_modify(|state| state.connected = false);
                self.trouble.send_modify(|count| *count += 1);
            }
            Event::SlowConsumer(subscription) => {
                warn!(
                    role,
                    subscription, "messages from NATS dropped by the client: not read in time"
                );
                self.state.send_modify(|state| state.slow_consumers += 1);
                self.trouble.send_modify(|count| *count += 1);
            }
            Event::ServerError(error) => self.note_error(&error.to_string()),
            Event::ClientError(error) => self.note_error(&error.to_string()),
            Event::LameDuckMode | Event::Draining => info!(role, event = %event, "NATS server or client is leaving"),
        }
    }

    /// The same error comes at each attempt to connect; it is said once.
    pub(super) fn note_error(&self, error: &str) {
        let role = self.role.as_str();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.as_deref() == Some(error) {
            debug!(role, error, "NATS error again");
            return;
        }
        warn!(role, error, "NATS error");
        *said = Some(error.to_owned());
        self.state.send_modify(|state| state.last_error = Some(error.into()));
    }
}
