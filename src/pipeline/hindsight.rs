//! Hindsight: questions about what was known are answered beside the corridor.
//!
//! A question enters, its answer leaves. Each has a traveller and a thread of its own, and so few run at one time that the
//! processors stay with ingest; some wait, more are refused with words. A question whose asker has gone stops. The last
//! projection is kept for the next question about the same instant. Nothing here knows the live projection.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant as Moment;

use futures_util::future::BoxFuture;
use tokio::sync::Semaphore;

use super::instances::{no_instance, no_picture};
use super::restatement::restatement;
use super::travel::{Roads, TravelError, Traveller};
use crate::domain::board::Picture;
use crate::domain::instant::Instant;
use crate::domain::projection::Projection;
use crate::domain::restatement::Restatement;
use crate::ports::{Clock, Hindsight, Known, KnownQuery, KnownReadings, PicturesQuery, QueryError, ReadingsQuery};
use crate::telemetry::metric;

/// A projection of more series than this is not kept for the next question: it may have half of the memory of the house.
const KEPT_SERIES_MAX: usize = 100_000;

/// How many questions there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seats {
    /// Answered at one time.
    pub at_once: usize,
    /// That wait for their turn.
    pub waiting_max: usize,
}

/// Answers questions about what was known.
pub struct Desk {
    roads: Roads,
    clock: Arc<dyn Clock>,
    /// Those that are answered, and those that wait.
    tickets: Arc<Semaphore>,
    seats: Arc<Semaphore>,
    size: Seats,
    last: Arc<LastVisit>,
}

/// The projection of the last question, with its instant.
#[derive(Default)]
struct LastVisit(Mutex<Option<(Instant, Projection)>>);

impl LastVisit {
    fn inner(&self) -> MutexGuard<'_, Option<(Instant, Projection)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the projection out, if it is of this instant.
    fn take(&self, known_at: Instant) -> Option<Projection> {
        let visit = self.inner().take_if(|(at, _)| *at == known_at);
        visit.map(|(_, projection)| projection)
    }

    fn keep(&self, known_at: Instant, projection: Projection) {
        if projection.series_count() <= KEPT_SERIES_MAX {
            *self.inner() = Some((known_at, projection));
        }
    }
}

/// Tells a traveller that nobody waits any more.
struct Asker(Arc<AtomicBool>);

impl Drop for Asker {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Release);
    }
}

impl Desk {
    /// A desk with so many seats.
    pub fn new(roads: Roads, clock: Arc<dyn Clock>, size: Seats) -> Self {
        Self {
            roads,
            clock,
            tickets: Arc::new(Semaphore::new(size.at_once + size.waiting_max)),
            seats: Arc::new(Semaphore::new(size.at_once)),
            size,
            last: Arc::default(),
        }
    }

    /// Answers, and counts how it went.
    async fn ask<A: Send + 'static>(
        &self,
        answer: impl FnOnce(&Roads, &AtomicBool) -> Result<A, QueryError> + Send + 'static,
    ) -> Result<A, QueryError> {
        let started = Moment::now();
        let found = self.in_turn(answer).await;
        let result = match &found {
            Ok(_) | Err(QueryError::Unknown(_) | QueryError::Unanswerable(_)) => "answered",
            Err(QueryError::Busy(_)) => "refused",
            Err(QueryError::Closed | QueryError::Failed(_)) => "failed",
        };
        metrics::counter!(metric::PAST_QUESTIONS, "result" => result).increment(1);
        metrics::histogram!(metric::PAST_SECONDS).record(started.elapsed().as_secs_f64());
        found
    }

    /// Lets a thread of its own answer, when it is this question's turn.
    async fn in_turn<A: Send + 'static>(
        &self,
        answer: impl FnOnce(&Roads, &AtomicBool) -> Result<A, QueryError> + Send + 'static,
    ) -> Result<A, QueryError> {
        let ticket = Arc::clone(&self.tickets).try_acquire_owned();
        let ticket = ticket.map_err(|_| QueryError::Busy(self.size.at_once + self.size.waiting_max))?;
        let seat = Arc::clone(&self.seats).acquire_owned().await;
        let seat = seat.map_err(|_| QueryError::Closed)?;
        let asker = Asker(Arc::default());
        let (roads, is_stopped) = (self.roads.clone(), Arc::clone(&asker.0));
        let answering = tokio::task::spawn_blocking(move || {
            let found = answer(&roads, &is_stopped);
            // Not before it has really ended: who asks again and again must not start a second one beside it.
            drop((seat, ticket));
            found
        });
        let found = answering.await.map_err(|_| QueryError::Closed)?;
        drop(asker);
        found
    }

    /// Asks a projection that knows what was known at an instant.
    async fn ask_at<A: Send + 'static>(
        &self,
        known_at: Instant,
        answer: impl FnOnce(&mut Projection) -> Result<A, QueryError> + Send + 'static,
    ) -> Result<Known<A>, QueryError> {
        let last = Arc::clone(&self.last);
        self.ask(move |roads, is_stopped| {
            let kept = last.take(known_at).map(|projection| (projection, true));
            let (mut projection, is_settled) = match kept {
                Some(kept) => kept,
                None => travel(roads, known_at, is_stopped)?,
            };
            let found = answer(&mut projection);
            let catalog = Arc::clone(projection.catalog());
            if is_settled {
                last.keep(known_at, projection);
            }
            found.map(|answer| Known { answer, catalog })
        })
        .await
    }
}

/// The projection at an instant, and whether it will always be that one.
fn travel(roads: &Roads, known_at: Instant, is_stopped: &AtomicBool) -> Result<(Projection, bool), TravelError> {
    let mut traveller = Traveller::start(roads, known_at, is_stopped)?;
    traveller.go(known_at)?;
    traveller.expect_knowledge(known_at)?;
    let is_settled = traveller.is_settled();
    Ok((traveller.arrive(), is_settled))
}

/// A scorecard in a projection of the past.
pub fn known_picture(projection: &mut Projection, query: &KnownQuery) -> Result<Picture, QueryError> {
    let (scorecard, instance) = (query.scorecard.as_str(), query.instance.as_ref());
    let picture = match query.at {
        None => projection.picture_now(scorecard, instance),
        Some(at) => {
            if instance.is_none() {
                projection.prepare_past(scorecard, at, usize::MAX);
            }
            projection.picture_at(scorecard, instance, at)
        }
    };
    picture.ok_or_else(|| {
        let QueryError::Unknown(words) = no_picture(projection, scorecard, instance) else {
            return QueryError::Closed;
        };
        QueryError::Unknown(format!("at {} {words}", query.known_at))
    })
}

impl Hindsight for Desk {
    fn picture(&self, query: KnownQuery) -> BoxFuture<'_, Result<Known<Picture>, QueryError>> {
        Box::pin(async move {
            let known_at = query.known_at;
            self.ask_at(known_at, move |projection| known_picture(projection, &query))
                .await
        })
    }

    fn readings(&self, query: ReadingsQuery, known_at: Instant) -> BoxFuture<'_, Result<KnownReadings, QueryError>> {
        Box::pin(async move {
            self.ask_at(known_at, move |projection| {
                let catalog = Arc::clone(projection.catalog());
                let (scorecard, _) = catalog
                    .kpi(&query.kpi)
                    .ok_or_else(|| QueryError::Unknown(format!("at {known_at} there was no KPI `{}`", query.kpi)))?;
                let mut readings = Vec::with_capacity(query.at.len());
                for &at in &query.at {
                    if query.instance.is_none() {
                        projection.prepare_past(scorecard.id.as_str(), at, usize::MAX);
                    }
                    let reading = projection.reading_at(&query.kpi, query.instance.as_ref(), at);
                    let reading = reading.ok_or_else(|| match &query.instance {
                        Some(instance) => no_instance(projection, scorecard.id.as_str(), instance),
                        None => QueryError::Unknown(format!("there is no KPI `{}`", query.kpi)),
                    })?;
                    readings.push((at, reading));
                }
                Ok(readings)
            })
            .await
        })
    }

    fn restatement(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Restatement, QueryError>> {
        Box::pin(async move {
            let now = self.clock.now();
            self.ask(move |roads, is_stopped| Ok(restatement(roads, &query, now, is_stopped)?))
                .await
        })
    }
}
