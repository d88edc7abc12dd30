//! Publish: what is decided leaves the outbox in order, to each destination at its own pace.
//!
//! A destination that is down loses nothing: its transitions wait. It cannot slow the projection down.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesOrdered, StreamExt};
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::domain::alert::AlertTransition;
use crate::ports::{Delivery, Outbox, PublishError, Publisher, StateError};
use crate::telemetry::metric;

/// Transitions taken from the outbox at once.
const BATCH: usize = 64;
/// Waits between attempts: doubled from the first to the last.
pub(super) const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// One destination's way out of transitions.
pub struct Delivering {
    /// Where to.
    pub publisher: Arc<dyn Publisher>,
    /// What is decided.
    pub outbox: Arc<dyn Outbox>,
    /// Rung when something was put into the outbox.
    pub decided: Arc<Notify>,
    /// Turns true when nothing more will come: what is left is delivered, then it ends.
    pub stop: watch::Receiver<bool>,
}

impl Delivering {
    /// Runs until told to stop and nothing is left to deliver, or the state store fails.
    pub async fn run(mut self) -> Result<(), StateError> {
        let mut wait = RETRY.0;
        loop {
            match self.deliver().await? {
                Ok(true) => wait = RETRY.0,
                // What is left is in the outbox: it goes out after the next start.
                Ok(false) | Err(_) if *self.stop.borrow() => return Ok(()),
                Ok(false) => {
                    tokio::select! {
                        () = self.decided.notified() => {}
                        _ = self.stop.changed() => {}
                    }
                }
                Err(error) => {
                    say_failed(&error, wait);
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = self.stop.changed() => {}
                    }
                    wait = (wait * 2).min(RETRY.1);
                }
            }
        }
    }

    /// Delivers a batch. `Ok(Ok(true))` when there may be more.
    async fn deliver(&self) -> Result<Result<bool, PublishError>, StateError> {
        let destination = self.publisher.destination();
        let pending = self.outbox.pending(destination, BATCH)?;
        metrics::gauge!(metric::OUTBOX_PENDING, "destination" => destination).set(pending.len() as f64);
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let (together, later) = rest.split_at(apart(rest));
            if let Err(error) = self.deliver_together(together).await? {
                return Ok(Err(error));
            }
            rest = later;
        }
        Ok(Ok(!pending.is_empty()))
    }

    /// Delivers transitions of different rules and nodes, begun in order and waited for together: a hundred alerts take
    /// hardly longer than one. The first failure is told when all have ended.
    async fn deliver_together(&self, some: &[Entry]) -> Result<Result<(), PublishError>, StateError> {
        let destination = self.publisher.destination();
        let mut on_the_way = FuturesOrdered::new();
        for (key, transition) in some {
            on_the_way.push_back(async move { (*key, transition, self.publisher.publish(transition).await) });
        }
        let mut outcome = Ok(());
        while let Some((key, transition, published)) = on_the_way.next().await {
            match published {
                Ok(delivery) => {
                    self.outbox.done(destination, key)?;
                    count(destination, delivery);
                    info!(id = transition.id, rule = %transition.rule, path = %transition.path, kind = transition.kind.word(), "alert delivered");
                }
                Err(error) => {
                    metrics::counter!(metric::PUBLISHED, "destination" => destination, "result" => "failed")
                        .increment(1);
                    outcome = outcome.and(Err(error));
                }
            }
        }
        Ok(outcome)
    }
}

/// A transition with its key in the outbox.
type Entry = (u64, AlertTransition);

/// How many from the first on are of different rules and nodes: those of one must be told one after another.
fn apart(pending: &[Entry]) -> usize {
    let mut seen = HashSet::with_capacity(pending.len());
    let again = pending
        .iter()
        .position(|(_, transition)| !seen.insert((transition.rule.as_str(), &*transition.path)));
    again.unwrap_or(pending.len())
}

pub(super) fn say_failed(error: &PublishError, retry: Duration) {
    warn!(
        destination = error.destination,
        reason = error.reason,
        retry_ms = retry.as_millis() as u64,
        "delivery failed"
    );
}

fn count(destination: &'static str, delivery: Delivery) {
    let result = match delivery {
        Delivery::New => "new",
        Delivery::Duplicate => "duplicate",
    };
    metrics::counter!(metric::PUBLISHED, "destination" => destination, "result" => result).increment(1);
}
