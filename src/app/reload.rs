//! Reload: the catalog's files are read again, on SIGHUP or when somebody asks, and hold from one sequence on.
//!
//! Files enter, a `CatalogActivated` leaves for the journal. What needs the journal's history is folded beside the running
//! projection first, which goes on meanwhile. Files that are wrong change nothing and are said, every problem at once.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, oneshot};
use tracing::{error, info, warn};

use super::definitions::{CatalogSource, JournalFolder, TomlDefinitions};
use super::house::HouseError;
use super::tasks::{Closing, Tasks, closed};
use crate::domain::catalog::Catalog;
use crate::domain::fact::Fact;
use crate::domain::id::Sequence;
use crate::domain::projection::{ProjectionOptions, Refold};
use crate::journal::Trims;
use crate::pipeline::activation::catch_up;
use crate::pipeline::intake::Job;
use crate::pipeline::live::{House, Message};
use crate::ports::{Definitions, JournalError, Reload, ReloadError, Reloaded};
use crate::telemetry::metric;

/// Where the answer to a request goes.
type Reply = oneshot::Sender<Result<Reloaded, ReloadError>>;

/// Requests that wait behind the one in work.
const REQUESTS_MAX: usize = 16;
/// How often it is looked whether the new definitions are shown.
const LOOK_EVERY: Duration = Duration::from_millis(2);
/// Facts between two words of progress.
const PROGRESS_FACTS: u64 = 10_000_000;

/// The bell that asks for a reload.
pub(super) struct ReloadBell(mpsc::Sender<Reply>);

impl Reload for ReloadBell {
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ReloadError>> {
        Box::pin(async move {
            let (reply, answer) = oneshot::channel();
            self.0.send(reply).await.map_err(|_| ReloadError::Closed)?;
            answer.await.unwrap_or(Err(ReloadError::Closed))
        })
    }
}

/// Who reloads.
pub(super) struct Reloader {
    /// Where the files are.
    pub source: CatalogSource,
    /// Definitions by which the doors judge.
    pub admitting: Arc<ArcSwap<Catalog>>,
    /// To the appender, as long as the doors are open.
    pub jobs: mpsc::Sender<Job>,
    /// To the projection.
    pub messages: mpsc::WeakSender<Message>,
    /// How far the projection is.
    pub house: Arc<House>,
    /// The journal's folder.
    pub journal: Arc<JournalFolder>,
    /// How the projection runs.
    pub options: ProjectionOptions,
}

/// A bell, and the requests that it brings.
pub(super) fn bell() -> (Arc<ReloadBell>, mpsc::Receiver<Reply>) {
    let (requests, waiting) = mpsc::channel(REQUESTS_MAX);
    (Arc::new(ReloadBell(requests)), waiting)
}

impl Reloader {
    /// Answers requests and SIGHUP one after the other, until the doors close.
    pub fn start(
        self,
        mut requests: mpsc::Receiver<Reply>,
        closing: &Closing,
        tasks: &mut Tasks,
    ) -> Result<(), HouseError> {
        let mut hangup = signal(SignalKind::hangup()).map_err(|error| HouseError::ended("reload", &error))?;
        let mut doors = closing.doors.clone();
        tasks.spawn(async move {
            let serve = async {
                loop {
                    let reply = tokio::select! {
                        request = requests.recv() => match request {
                            Some(reply) => Some(reply),
                            None => return,
                        },
                        _ = hangup.recv() => None,
                    };
                    let result = self.reload().await;
                    count(&result);
                    if let Some(reply) = reply {
                        // Whoever asked and has gone away can ask again.
                        let _ = reply.send(result);
                    }
                }
            };
            tokio::select! {
                () = serve => {}
                () = closed(&mut doors) => {}
            }
            ("reload", Ok(()))
        });
        Ok(())
    }

    async fn reload(&self) -> Result<Reloaded, ReloadError> {
        if !self.house.ready.load(Ordering::Acquire) {
            return Err(ReloadError::NotReady);
        }
        let files = (self.source)().map_err(ReloadError::Wrong)?;
        let catalog = TomlDefinitions.parse(&files).map_err(ReloadError::Wrong)?;
        let before = self.admitting.load_full();
        if before.fingerprint == catalog.fingerprint {
            return Ok(Reloaded {
                catalog: catalog.fingerprint.clone(),
                sequence: None,
                rebuilt: Vec::new(),
            });
        }
        let refold = self.refold(&before, &catalog).await?;
        let rebuilt = refold.kpis();
        let sequence = self.activate(&catalog, refold).await?;
        self.admitting.store(Arc::clone(&catalog));
        self.shown(sequence).await;
        Ok(Reloaded {
            catalog: catalog.fingerprint.clone(),
            sequence: Some(sequence),
            rebuilt,
        })
    }

    /// Folds beside the projection what the new definitions read otherwise.
    async fn refold(&self, before: &Arc<Catalog>, catalog: &Arc<Catalog>) -> Result<Refold, ReloadError> {
        let mut refold = Refold::new(before, Arc::clone(catalog), self.options);
        let journal = Arc::clone(&self.journal);
        if let Ok(first) = Trims::of(&journal.0).first()
            && first > Sequence(1)
            && refold.needs_history()
        {
            warn!(
                first = first.0,
                "history was trimmed: windows that are rebuilt see only what was kept"
            );
        }
        let folding = tokio::task::spawn_blocking(move || {
            let mut said = 0;
            let folded = catch_up(&*journal, &mut refold, None, &mut |sequence| {
                if sequence.0 >= said + PROGRESS_FACTS {
                    said = sequence.0;
                    info!(sequence = said, "folding the journal under other definitions");
                }
            });
            folded.map(|()| refold)
        });
        let failed = |error: JournalError| ReloadError::Wrong(vec![error.to_string()]);
        folding.await.map_err(|_| ReloadError::Closed)?.map_err(failed)
    }

    /// Makes the journal say so. The projection gets what was folded first, and the block that names it after that.
    async fn activate(&self, catalog: &Catalog, refold: Refold) -> Result<Sequence, ReloadError> {
        let closed = || ReloadError::Closed;
        let messages = self.messages.upgrade().ok_or_else(closed)?;
        let prepare = Message::Prepare(Box::new(refold));
        messages.send(prepare).await.map_err(|_| ReloadError::Closed)?;
        drop(messages);
        let (reply, sequence) = oneshot::channel();
        let fact = activation(catalog);
        self.jobs
            .send(Job::Fact(fact, reply))
            .await
            .map_err(|_| ReloadError::Closed)?;
        sequence.await.map_err(|_| ReloadError::Closed)
    }

    /// Waits until the projection has taken it in, so that whoever asked sees what was asked for.
    async fn shown(&self, sequence: Sequence) {
        while self.house.applied.load(Ordering::Acquire) < sequence.0 {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }
}

/// The fact that a catalog holds from here on.
pub(super) fn activation(catalog: &Catalog) -> Fact {
    Fact::CatalogActivated {
        fingerprint: catalog.fingerprint.clone(),
        files: catalog.files.clone(),
    }
}

fn count(result: &Result<Reloaded, ReloadError>) {
    let word = match result {
        Ok(Reloaded {
            sequence: Some(sequence),
            catalog,
            rebuilt,
        }) => {
            info!(
                catalog,
                sequence = sequence.0,
                rebuilt = rebuilt.len(),
                "catalog reloaded"
            );
            "changed"
        }
        Ok(_) => {
            info!("catalog unchanged");
            "unchanged"
        }
        Err(problem) => {
            error!(%problem, "catalog not reloaded");
            "refused"
        }
    };
    metrics::counter!(metric::CATALOG_RELOADS, "result" => word).increment(1);
}
