//! An intake without a journal: keeps what it was given, and the positions, as the real one promises to.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use futures_util::future::{BoxFuture, FutureExt};
use kpid::domain::id::Sequence;
use kpid::domain::measurement::{Rejection, RejectionReason, ReportValue};
use kpid::ports::{Batch, Intake, IntakeError, Receipt, RejectionSink};
use tokio::sync::{Semaphore, watch};

/// Keeps values and positions in memory.
pub struct MemoryIntake {
    state: Mutex<State>,
    count: watch::Sender<usize>,
    /// One batch at a time, first come first served; without permits nothing is ever durable.
    pub gate: Semaphore,
}

#[derive(Default)]
struct State {
    values: Vec<f64>,
    kpis: Vec<String>,
    positions: HashMap<String, u64>,
    closed: bool,
    full: bool,
}

impl Default for MemoryIntake {
    fn default() -> Self {
        Self::with_gate(1)
    }
}

impl MemoryIntake {
    /// An intake that makes as many batches durable at a time.
    pub fn with_gate(permits: usize) -> Self {
        Self {
            state: Mutex::default(),
            count: watch::channel(0).0,
            gate: Semaphore::new(permits),
        }
    }

    /// What was taken, in order.
    pub fn values(&self) -> Vec<f64> {
        self.state.lock().unwrap().values.clone()
    }

    /// The KPIs of what was taken, in order.
    pub fn kpis(&self) -> Vec<String> {
        self.state.lock().unwrap().kpis.clone()
    }

    /// From now on nothing is taken.
    pub fn close(&self) {
        self.state.lock().unwrap().closed = true;
    }

    /// Whether there is room, as on the disk of a journal.
    pub fn set_room(&self, has_room: bool) {
        self.state.lock().unwrap().full = !has_room;
    }

    /// Position of a source whose name starts like this.
    pub fn set_position(&self, source: &str, sequence: u64) {
        self.state.lock().unwrap().positions.insert(source.to_owned(), sequence);
    }

    /// As if the journal had been lost.
    pub fn forget_positions(&self) {
        self.state.lock().unwrap().positions.clear();
    }

    /// All positions.
    pub fn positions(&self) -> HashMap<String, u64> {
        self.state.lock().unwrap().positions.clone()
    }

    /// Waits until so many measurements were taken.
    pub async fn wait_for(&self, count: usize) {
        let mut seen = self.count.subscribe();
        let waited = tokio::time::timeout(Duration::from_mins(1), seen.wait_for(|taken| *taken >= count)).await;
        assert!(
            waited.is_ok(),
            "{} of {count} measurements were taken in a minute",
            self.values().len()
        );
    }

    fn take(&self, batch: Batch) -> Result<Receipt, IntakeError> {
        let mut state = self.state.lock().unwrap();
        if state.closed {
            return Err(IntakeError::Closed);
        }
        if let Some(position) = &batch.position {
            let known = state.positions.entry(position.source.to_string()).or_default();
            if position.sequence <= *known {
                return Ok(Receipt::default());
            }
            *known = position.sequence;
        }
        let mut receipt = Receipt::default();
        for (index, report) in batch.reports.into_iter().enumerate() {
            match report {
                Ok(report) => {
                    let Some(ReportValue::Number(value)) = report.value else {
                        panic!("no number: {report:?}")
                    };
                    state.values.push(value);
                    state.kpis.push(report.kpi.unwrap_or_default().into());
                    receipt.accepted += 1;
                }
                Err((reason, detail)) => receipt.rejected.push(Rejection { index, reason, detail }),
            }
        }
        receipt.sequence = Sequence(state.values.len() as u64);
        self.count.send_replace(state.values.len());
        Ok(receipt)
    }
}

impl Intake for MemoryIntake {
    fn submit(&self, batch: Batch) -> BoxFuture<'_, Result<Receipt, IntakeError>> {
        async move {
            if self.state.lock().unwrap().full {
                return Err(IntakeError::NoRoom);
            }
            let _turn = self.gate.acquire().await.expect("the gate stays");
            // A real commit takes a moment, in which others queue up.
            tokio::task::yield_now().await;
            self.take(batch)
        }
        .boxed()
    }

    fn source_position(&self, source: &str) -> Option<u64> {
        self.state.lock().unwrap().positions.get(source).copied()
    }
}

/// Keeps what was refused.
#[derive(Default)]
pub struct MemoryRejections(Mutex<Vec<(RejectionReason, Vec<u8>)>>);

impl MemoryRejections {
    /// What was refused, in order.
    pub fn all(&self) -> Vec<(RejectionReason, Vec<u8>)> {
        self.0.lock().unwrap().clone()
    }
}

impl RejectionSink for MemoryRejections {
    fn reject(&self, reason: RejectionReason, _detail: &str, _transport: &'static str, original: &[u8]) {
        self.0.lock().unwrap().push((reason, original.to_vec()));
    }
}
