//! Admit: the sender's own task judges its reports, then waits for the appender's receipt.
//!
//! The queue to the appender is bounded; when it is full, senders wait. Nothing is dropped.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::{mpsc, oneshot};

use super::live::House;
use crate::domain::admit::{Admission, Admitted};
use crate::domain::catalog::Catalog;
use crate::domain::fact::{Fact, SourcePosition};
use crate::domain::id::Sequence;
use crate::domain::measurement::AdmitLimits;
use crate::ports::{Batch, Clock, Intake, IntakeError, Receipt, Room};
use crate::telemetry::metric;

/// What the appender is asked for.
#[derive(Debug)]
pub enum Job {
    /// To take in what a batch brought.
    Batch(BatchJob),
    /// To append a fact that no measurement brought, in a block of its own, and to tell its sequence.
    Fact(Fact, oneshot::Sender<Sequence>),
}

/// What a batch asks of the appender.
#[derive(Debug)]
pub struct BatchJob {
    /// Admitted, with their places in the batch, and refused already.
    pub admitted: Admitted,
    /// Position to keep beside them.
    pub position: Option<SourcePosition>,
    /// Position that its source must have reached before.
    pub follows: u64,
    /// Where the receipt goes.
    pub reply: Reply,
}

/// Where a receipt goes, or why there is none.
pub type Reply = oneshot::Sender<Result<Receipt, IntakeError>>;

/// Last position of each source that is in the journal, written by the appender, read by sources that resume.
#[derive(Debug, Clone, Default)]
pub struct SourcePositions(Arc<Mutex<HashMap<Arc<str>, u64>>>);

impl SourcePositions {
    /// The last position of a source.
    pub fn get(&self, source: &str) -> Option<u64> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(source)
            .copied()
    }

    /// A source has moved; it never moves back.
    pub fn advance(&self, position: &SourcePosition) {
        let mut positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = positions.entry(Arc::clone(&position.source)).or_default();
        *known = (*known).max(position.sequence);
    }

    /// All positions, by source.
    pub fn all(&self) -> Vec<SourcePosition> {
        let positions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all: Vec<SourcePosition> = positions
            .iter()
            .map(|(source, sequence)| SourcePosition {
                source: Arc::clone(source),
                sequence: *sequence,
            })
            .collect();
        all.sort_by(|one, other| one.source.cmp(&other.source));
        all
    }
}

/// The way in, for front doors.
pub struct Door {
    /// Definitions in force; other ones take their place when the journal says so.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// Named limits.
    pub limits: AdmitLimits,
    /// What the wall says.
    pub clock: Arc<dyn Clock>,
    /// To the appender.
    pub jobs: mpsc::Sender<Job>,
    /// How far sources are.
    pub positions: SourcePositions,
    /// Whether the disk has room for more.
    pub room: Arc<dyn Room>,
    /// Whether the state is restored: before that nobody would answer for a long time.
    pub house: Arc<House>,
}

impl Door {
    fn admit(&self, batch: Batch) -> (BatchJob, oneshot::Receiver<Result<Receipt, IntakeError>>) {
        let default_source: Arc<str> = batch.transport.into();
        let catalog = self.catalog.load();
        let admission = Admission {
            catalog: &catalog,
            limits: &self.limits,
            received_at: self.clock.now(),
            default_source: &default_source,
        };
        let (reply, receipt) = oneshot::channel();
        let job = BatchJob {
            admitted: admission.admit_all(batch.reports),
            position: batch.position,
            follows: batch.follows,
            reply,
        };
        (job, receipt)
    }
}

impl Intake for Door {
    fn submit(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, IntakeError>> {
        Box::pin(async move {
            if !self.house.ready.load(Ordering::Acquire) {
                return Err(IntakeError::NotReady);
            }
            if !self.room.is_there() {
                return Err(IntakeError::NoRoom);
            }
            let (transport, arrived) = (batch.transport, self.clock.now());
            let (job, receipt) = self.admit(batch);
            self.jobs.send(Job::Batch(job)).await.map_err(|_| IntakeError::Closed)?;
            metrics::gauge!(metric::INTAKE_QUEUE).set((self.jobs.max_capacity() - self.jobs.capacity()) as f64);
            let receipt = receipt.await.map_err(|_| IntakeError::Closed)??;
            metrics::histogram!(metric::INTAKE_SECONDS).record(self.clock.now().since(arrived) as f64 / 1_000.0);
            count(transport, &receipt);
            Ok(receipt)
        })
    }

    fn source_position(&self, source: &str) -> Option<u64> {
        self.positions.get(source)
    }
}

fn count(transport: &'static str, receipt: &Receipt) {
    let results = [
        ("accepted", receipt.accepted),
        ("duplicate", receipt.duplicates),
        ("rejected", receipt.rejected.len() as u64),
    ];
    for (result, count) in results.into_iter().filter(|(_, count)| *count > 0) {
        metrics::counter!(metric::MEASUREMENTS, "transport" => transport, "result" => result).increment(count);
    }
    for rejection in &receipt.rejected {
        metrics::counter!(metric::REJECTIONS, "reason" => rejection.reason.word()).increment(1);
    }
}
