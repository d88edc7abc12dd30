//! Publish: what is decided leaves the outbox in order, to each destination at its own pace.
//!
//! A destination that is down loses nothing: its transitions wait. It cannot slow the projection down.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::sync::{Notify, watch};
use tracing::{info, warn};

use crate::domain::alert::AlertTransition;
use crate::domain::id::Slug;
use crate::ports::{Delivery, Outbox, PublishError, Publisher, StateError};
use crate::telemetry::metric;

/// Transitions on their way to a destination at the same time.
const TOGETHER_MAX: usize = 64;
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

    /// Delivers what is pending and what is decided meanwhile, until nothing is left. `Ok(Ok(true))` when there was something.
    /// After a failure nothing more is begun; it is told when all that was begun has ended.
    async fn deliver(&self) -> Result<Result<bool, PublishError>, StateError> {
        let mut on_the_way = OnTheWay::default();
        let (mut outcome, mut is_new) = (Ok(false), true);
        loop {
            if is_new && outcome.is_ok() {
                self.begin(&mut on_the_way)?;
            }
            let is_idle = on_the_way.line.is_empty();
            tokio::select! {
                Some((entry, published)) = on_the_way.line.next() => {
                    on_the_way.leave(&entry);
                    outcome = outcome.and(self.settle(&entry, published)?);
                    is_new = on_the_way.line.len() <= TOGETHER_MAX / 2;
                }
                () = self.decided.notified(), if !is_idle => is_new = true,
                else => return Ok(outcome),
            }
        }
    }

    /// Begins in order what is pending, up to one of a rule and node of which another is on the way: those of one must be
    /// told one after another, and a hundred of different ones take hardly longer than one.
    fn begin<'a>(&'a self, on_the_way: &mut OnTheWay<'a>) -> Result<(), StateError> {
        let destination = self.publisher.destination();
        let pending = self.outbox.pending(destination, TOGETHER_MAX)?;
        metrics::gauge!(metric::OUTBOX_PENDING, "destination" => destination).set(pending.len() as f64);
        for entry in pending {
            if on_the_way.keys.contains(&entry.0) {
                continue;
            }
            if !on_the_way.enter(&entry) {
                break;
            }
            let publishing = async move {
                let published = self.publisher.publish(&entry.1).await;
                (entry, published)
            };
            on_the_way.line.push(publishing.boxed());
        }
        Ok(())
    }

    /// Keeps that a destination has a transition, or says why it has not.
    fn settle(
        &self,
        (key, transition): &Entry,
        published: Result<Delivery, PublishError>,
    ) -> Result<Result<bool, PublishError>, StateError> {
        let destination = self.publisher.destination();
        let delivery = match published {
            Ok(delivery) => delivery,
            Err(error) => {
                metrics::counter!(metric::PUBLISHED, "destination" => destination, "result" => "failed").increment(1);
                return Ok(Err(error));
            }
        };
        self.outbox.done(destination, *key)?;
        count(destination, delivery);
        info!(id = transition.id, rule = %transition.rule, path = %transition.path, kind = transition.kind.word(), "alert delivered");
        Ok(Ok(true))
    }
}

/// A transition with its key in the outbox.
type Entry = (u64, AlertTransition);

/// Transitions that were begun and have not ended.
#[derive(Default)]
struct OnTheWay<'a> {
    line: FuturesUnordered<BoxFuture<'a, (Entry, Result<Delivery, PublishError>)>>,
    keys: HashSet<u64>,
    /// Their rules and nodes.
    places: HashSet<(Slug, Arc<str>)>,
}

impl OnTheWay<'_> {
    /// False when another one of its rule and node is on the way.
    fn enter(&mut self, (key, transition): &Entry) -> bool {
        let is_first = self.places.insert(place_of(transition));
        if is_first {
            self.keys.insert(*key);
        }
        is_first
    }

    fn leave(&mut self, (key, transition): &Entry) {
        self.keys.remove(key);
        self.places.remove(&place_of(transition));
    }
}

fn place_of(transition: &AlertTransition) -> (Slug, Arc<str>) {
    (transition.rule.clone(), Arc::clone(&transition.path))
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
