//! Keep: the latest reading of every node leaves for a destination that keeps it, at a pace of its own beside the outbox:
//! a thousand readings must not stand before an alert, nor take from measurements what the server can do. So they leave a few
//! at a time with pauses in between: passed on at one time, a thousand kept the server and both of its disks busy for as long
//! as ten alerts take, four times a second.
//!
//! Readings are put here when they change; one that changes again before it left is replaced. A destination that is down
//! loses nothing but what was replaced, and slows nobody down.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::Instant as Moment;

use super::outbox::{RETRY, say_failed};
use crate::domain::reading::ReadingChange;
use crate::ports::{PublishError, Publisher};

/// Readings given to a destination at once: what an alert may stand behind.
const READINGS_BATCH: usize = 16;
/// Passing readings on takes at most one part in so many of the time: the rest of what the server can do is for alerts and
/// measurements.
const READINGS_SHARE: u32 = 10;
/// Pauses of one pass together are not longer than this, however slow the destination is and however many readings there are.
const READINGS_PAUSE_MAX: Duration = Duration::from_secs(2);

/// The latest reading of every node that changed and was not passed on yet.
#[derive(Debug, Default)]
pub struct LatestReadings {
    changes: Mutex<BTreeMap<Arc<str>, ReadingChange>>,
    /// Rung when something was put here.
    changed: Notify,
}

impl LatestReadings {
    /// Replaces what is known of these nodes.
    pub fn put(&self, changes: &[ReadingChange]) {
        if changes.is_empty() {
            return;
        }
        let mut latest = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            latest.insert(Arc::clone(&change.path), change.clone());
        }
        drop(latest);
        self.changed.notify_one();
    }

    fn take(&self) -> Vec<ReadingChange> {
        let mut latest = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *latest).into_values().collect()
    }

    /// Puts back what could not be passed on, unless something newer came.
    fn put_back(&self, changes: &[ReadingChange]) {
        let mut latest = self.changes.lock().unwrap_or_else(PoisonError::into_inner);
        for change in changes {
            latest.entry(Arc::clone(&change.path)).or_insert_with(|| change.clone());
        }
    }
}

/// The way out of readings to one destination that keeps the latest one of each node.
pub struct Keeping {
    /// Where to.
    pub publisher: Arc<dyn Publisher>,
    /// Readings to pass on.
    pub readings: Arc<LatestReadings>,
    /// The reading of a node is passed on at most this often.
    pub every: Duration,
    /// Turns true when nothing more will come: what is left is passed on, then it ends.
    pub stop: watch::Receiver<bool>,
}

impl Keeping {
    /// Runs until told to stop and nothing is left to pass on.
    pub async fn run(mut self) {
        let mut retry = RETRY.0;
        loop {
            let passed = self.pass_on().await;
            let is_stopping = *self.stop.borrow();
            let pause = match passed {
                // A lost reading is made good by the next, and the last ones by the next start.
                Ok(false) | Err(_) if is_stopping => return,
                Ok(true) if is_stopping => continue,
                Ok(true) => {
                    retry = RETRY.0;
                    self.every
                }
                Ok(false) => {
                    tokio::select! {
                        () = self.readings.changed.notified() => {}
                        _ = self.stop.changed() => {}
                    }
                    continue;
                }
                Err(error) => {
                    say_failed(&error, retry);
                    let longer = (retry * 2).min(RETRY.1);
                    std::mem::replace(&mut retry, longer)
                }
            };
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                _ = self.stop.changed() => {}
            }
        }
    }

    /// Passes on all that changed, a few at a time. True when there was something.
    async fn pass_on(&mut self) -> Result<bool, PublishError> {
        let readings = self.readings.take();
        let batches = readings.len().div_ceil(READINGS_BATCH).max(1);
        let pause_max = READINGS_PAUSE_MAX / u32::try_from(batches).unwrap_or(u32::MAX);
        for (index, some) in readings.chunks(READINGS_BATCH).enumerate() {
            let started = Moment::now();
            if let Err(error) = self.publisher.keep_readings(some).await {
                let rest = readings.get(index * READINGS_BATCH..).unwrap_or_default();
                self.readings.put_back(rest);
                return Err(error);
            }
            if !*self.stop.borrow() {
                let pause = (started.elapsed() * (READINGS_SHARE - 1)).min(pause_max);
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    _ = self.stop.changed() => {}
                }
            }
        }
        Ok(!readings.is_empty())
    }
}
