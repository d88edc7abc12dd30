//! What-if, asked of the daemon: each question in a thread of its own, few at once, and none that nobody waits for.
//!
//! A question enters, what differs leaves. The thread reads the journal's files like any other process: the writer does
//! not know of it, and the projection that people see has no part in it.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};

use super::{WhatIfOutcome, WhatIfRequest, what_if};
use crate::app::replay::{ReplayInput, ReplayRequest};
use crate::app::tasks::closed;
use crate::domain::comparison::Sides;
use crate::domain::instant::Instant;
use crate::domain::projection::ClockKind;
use crate::pipeline::live::House;
use crate::ports::{Clock, WhatIf, WhatIfAnswer, WhatIfError, WhatIfQuestion};

/// Comparisons at once. Each folds the whole history twice and holds two projections; a second one would only make both slower.
const AT_ONCE_MAX: usize = 1;

/// Who answers.
pub(in crate::app) struct Asked {
    /// Where the journal is.
    journal: PathBuf,
    /// As the daemon's own projection has it.
    history_ms: i64,
    clock: Arc<dyn Clock>,
    house: Arc<House>,
    places: Arc<Semaphore>,
    closing: watch::Receiver<bool>,
}

/// Tells the thread that nobody waits any more.
struct Waiting(Arc<AtomicBool>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Asked {
    /// Answers from the journal in a folder until `closing` turns true. `house` knows when the last block was written.
    pub fn new(
        (journal, history_ms): (PathBuf, i64),
        clock: Arc<dyn Clock>,
        house: Arc<House>,
        closing: watch::Receiver<bool>,
    ) -> Self {
        Self {
            journal,
            history_ms,
            clock,
            house,
            places: Arc::new(Semaphore::new(AT_ONCE_MAX)),
            closing,
        }
    }

    /// What is due by now has happened, as on the board; and a clock that was set back hides nothing of the journal.
    fn now(&self) -> Instant {
        let last = Instant(self.house.recorded_at.load(Ordering::Acquire));
        self.clock.now().max(last)
    }

    fn request(&self, question: &WhatIfQuestion) -> WhatIfRequest {
        WhatIfRequest {
            replay: ReplayRequest {
                input: ReplayInput::Journal(self.journal.clone()),
                catalog: None,
                clock: ClockKind::Recorded,
                at: Some(question.to.unwrap_or_else(|| self.now())),
                until: None,
                history_ms: Some(self.history_ms),
                with_readings: true,
            },
            other: question.files.clone(),
            from: question.from,
        }
    }
}

impl WhatIf for Asked {
    fn compare(&self, question: WhatIfQuestion) -> BoxFuture<'_, Result<WhatIfAnswer, WhatIfError>> {
        Box::pin(async move {
            let place = Arc::clone(&self.places).try_acquire_owned();
            let place = place.map_err(|_| WhatIfError::Busy { at_once: AT_ONCE_MAX })?;
            let waiting = Waiting(Arc::default());
            let answer = start(self.request(&question), place, Arc::clone(&waiting.0))?;
            let mut closing = self.closing.clone();
            tokio::select! {
                answer = answer => answer.unwrap_or(Err(WhatIfError::Closed)),
                () = closed(&mut closing) => Err(WhatIfError::Closed),
            }
        })
    }
}

/// Starts the thread, which holds its place until it ends.
fn start(
    request: WhatIfRequest,
    place: OwnedSemaphorePermit,
    is_over: Arc<AtomicBool>,
) -> Result<oneshot::Receiver<Result<WhatIfAnswer, WhatIfError>>, WhatIfError> {
    let (reply, answer) = oneshot::channel();
    let work = move || {
        let found = what_if(&request, &mut |_| {
            if is_over.load(Ordering::Relaxed) {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let found = match found {
            Ok(Some(outcome)) => Ok(told(outcome)),
            Ok(None) => Err(WhatIfError::Closed),
            Err(error) => Err(WhatIfError::Failed(error.to_string())),
        };
        drop(place);
        // Whoever asked may have gone away.
        let _ = reply.send(found);
    };
    let spawned = std::thread::Builder::new().name("kpid-what-if".to_owned()).spawn(work);
    let failed = |error: std::io::Error| WhatIfError::Failed(format!("its thread cannot start: {error}"));
    spawned.map(|_| answer).map_err(failed)
}

fn told(outcome: WhatIfOutcome) -> WhatIfAnswer {
    WhatIfAnswer {
        catalogs: Sides {
            base: outcome.catalogs.base.fingerprint.clone(),
            other: outcome.catalogs.other.fingerprint.clone(),
        },
        compared: outcome.compared,
        at: outcome.at,
        sequence: outcome.sequence,
    }
}
