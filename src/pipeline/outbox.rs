//! Publish: what is decided leaves the outbox in order, to each destination at its own pace.
//!
//! A destination that is down loses nothing: its transitions wait, its readings are replaced by later ones. It cannot slow
//! the projection down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::domain::reading::ReadingChange;
use crate::ports::{Delivery, Outbox, PublishError, Publisher, StateError};
use crate::telemetry::metric;

/// Transitions taken from the outbox at once.
const BATCH: usize = 64;
/// Readings given to a destination at once.
const READINGS_BATCH: usize = 512;
/// Waits between attempts: doubled from the first to the last.
const RETRY: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(5));

/// The latest reading of every node that changed and was not passed on yet.
#[derive(Debug, Default)]
pub struct LatestReadings {
    changes: Mutex<BTreeMap<Arc<str>, ReadingChange>>,
    /// Rung when something was put here or into the outbox.
    pub bell: Notify,
}

impl LatestReadings {
    /// Replaces what is known of these nodes.
    pub fn put(&self, changes: &[ReadingChange]) {
        let mut latest = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            latest.insert(Arc::clone(&change.path), change.clone());
        }
    }

    fn take(&self) -> Vec<ReadingChange> {
        let mut latest = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        let mut taken = Vec::new();
        while let (true, Some((_, change))) = (taken.len() < READINGS_BATCH, latest.pop_first()) {
            taken.push(change);
        }
        taken
    }

    /// Puts back what could not be passed on, unless something newer came.
    fn put_back(&self, changes: Vec<ReadingChange>) {
        let mut latest = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            latest.entry(Arc::clone(&change.path)).or_insert(change);
        }
    }
}

/// One destination's way out.
pub struct Delivering {
    /// Where to.
    pub publisher: Arc<dyn Publisher>,
    /// What is decided.
    pub outbox: Arc<dyn Outbox>,
    /// Readings to pass on.
    pub readings: Arc<LatestReadings>,
    /// Pass readings on as well.
    pub with_readings: bool,
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
                        () = self.readings.bell.notified() => {}
                        _ = self.stop.changed() => {}
                    }
                }
                Err(error) => {
                    warn!(
                        destination = error.destination,
                        reason = error.reason,
                        retry_ms = wait.as_millis() as u64,
                        "delivery failed"
                    );
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
        let readings = self.readings.take();
        let readings = if self.with_readings { readings } else { Vec::new() };
        metrics::gauge!(metric::OUTBOX_PENDING, "destination" => destination).set(pending.len() as f64);
        let is_more = !pending.is_empty() || readings.len() == READINGS_BATCH;
        for (key, transition) in pending {
            match self.publisher.publish(&transition).await {
                Ok(delivery) => {
                    self.outbox.done(destination, key)?;
                    count(destination, delivery);
                    info!(id = transition.id, rule = %transition.rule, path = %transition.path, kind = transition.kind.word(), "alert delivered");
                }
                Err(error) => {
                    metrics::counter!(metric::PUBLISHED, "destination" => destination, "result" => "failed")
                        .increment(1);
                    self.readings.put_back(readings);
                    return Ok(Err(error));
                }
            }
        }
        if !readings.is_empty()
            && let Err(error) = self.publisher.keep_readings(&readings).await
        {
            self.readings.put_back(readings);
            return Ok(Err(error));
        }
        Ok(Ok(is_more))
    }
}

fn count(destination: &'static str, delivery: Delivery) {
    let result = match delivery {
        Delivery::New => "new",
        Delivery::Duplicate => "duplicate",
    };
    metrics::counter!(metric::PUBLISHED, "destination" => destination, "result" => result).increment(1);
}
