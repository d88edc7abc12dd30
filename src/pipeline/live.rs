//! Apply and show: one thread owns the projection. Blocks and ticks enter in the appender's order; transitions go to the
//! outbox, changed readings to whoever keeps or listens, and the board is posted.
//!
//! Readers never wait for it and it never waits for them. Questions about the past come as closures between two blocks;
//! each is bounded in work by its asker.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant as Moment};

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::{Notify, broadcast, mpsc, oneshot};
use tracing::{info, warn};

use super::activation::{ActivationError, Activations};
use super::appender::NextDue;
use super::beside;
use super::instances::{has_many, no_instance};
use super::intake::SourcePositions;
use super::lookup::Lookup;
use super::readings::LatestReadings;
use super::recent::Recent;
use super::saver::Saver;
use crate::domain::alert::{AlertPhase, AlertView};
use crate::domain::board::{Board, Picture};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::movers::Movers;
use crate::domain::projection::{Effects, ExplainQuestion, Explained, Projection, Refold};
use crate::domain::reading::Reading;
use crate::ports::{
    CheckpointHead, Hindsight, HouseState, InstanceQuery, Notice, Outbox, PicturesQuery, QueryError, ReadingsQuery,
    Room, StateError, Views,
};
use crate::telemetry::metric;

/// What reaches the projection.
pub enum Message {
    /// Durable facts.
    Block(Arc<Block>),
    /// Time has passed; everything due until then happens.
    Tick(Instant),
    /// A question between two blocks.
    Ask(Box<dyn FnOnce(&mut Projection) + Send>),
    /// Folded beside the projection, for an activation that is about to come.
    Prepare(Box<Refold>),
}

/// Why the projection ended.
#[derive(Debug, thiserror::Error)]
pub enum LiveError {
    /// The outbox failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// Definitions could not take over.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

/// Messages handled before anything is posted or put into the outbox.
const BATCH: usize = 64;
/// Readings after which they are told before anything else is taken in: those of many large blocks would need more memory
/// than the projection itself, among what stays.
const READINGS_AT_ONCE: usize = 1 << 14;
/// Instants of the past computed between two blocks: ingest waits for no more than that.
const SCORES_AT_ONCE: usize = 4;
/// Readings in one notice.
const NOTICE_LEN_MAX: usize = 1_000;

/// How the house is, shared with readers.
#[derive(Debug, Default)]
pub struct House {
    /// Everything runs.
    pub ready: AtomicBool,
    /// Sequence the projection has reached.
    pub applied: AtomicU64,
    /// Series known.
    pub series: AtomicU64,
    /// Last durable sequence.
    pub journal_end: AtomicU64,
    /// `recorded_at` of the last block, epoch ms.
    pub recorded_at: AtomicI64,
}

/// The owner of the projection.
pub struct Live {
    /// What it owns.
    pub projection: Projection,
    /// From the appender.
    pub messages: mpsc::Receiver<Message>,
    /// What is decided and not delivered.
    pub outbox: Arc<dyn Outbox>,
    /// Saved states.
    pub checkpoints: Saver,
    /// The board that readers hold.
    pub board: Arc<ArcSwap<Board>>,
    /// Listeners.
    pub notices: broadcast::Sender<Arc<Notice>>,
    /// Rung when something was put into the outbox.
    pub decided: Arc<Notify>,
    /// For destinations that keep readings, where there are any.
    pub readings: Option<Arc<LatestReadings>>,
    /// For the appender.
    pub next_due: Arc<NextDue>,
    /// For readers.
    pub house: Arc<House>,
    /// How far sources are, saved with checkpoints.
    pub positions: SourcePositions,
    /// The board is posted at most this often.
    pub post_every: Duration,
    /// A checkpoint is saved this often.
    pub checkpoint_every: Duration,
    /// Whether the disk has room for one.
    pub room: Arc<dyn Room>,
    /// Series names that the last checkpoint has.
    pub names_saved: usize,
    /// For blocks that name other definitions.
    pub activations: Activations,
    /// The latest transitions.
    pub recent: Recent,
}

impl Live {
    /// Runs until the appender has ended, then saves a checkpoint. Blocks its thread.
    pub fn run(mut self, runtime: &tokio::runtime::Handle) -> Result<(), LiveError> {
        let mut posted = Moment::now();
        let mut saved = (Moment::now(), Sequence::ZERO);
        let mut is_unposted = true;
        self.next_due.set(self.projection.next_due());
        if self.names_saved == 0 && self.projection.series_count() > 0 {
            // What was rebuilt from the whole journal is saved at once: the next start shall not do it again.
            self.save();
        }
        loop {
            let wait = if is_unposted {
                self.post_every.saturating_sub(posted.elapsed())
            } else {
                self.checkpoint_every
            };
            let first = runtime.block_on(async { tokio::time::timeout(wait, self.messages.recv()).await });
            match first {
                Ok(None) => break,
                Ok(Some(first)) => is_unposted |= self.handle(first)?,
                Err(_) => {}
            }
            if is_unposted && posted.elapsed() >= self.post_every {
                self.post();
                (is_unposted, posted) = (false, Moment::now());
            }
            let is_new = saved.1 != self.projection.sequence();
            if saved.0.elapsed() >= self.checkpoint_every && is_new && !self.checkpoints.is_busy() {
                self.save();
                saved = (Moment::now(), self.projection.sequence());
            }
        }
        self.post();
        self.save();
        Ok(())
    }

    /// Handles what waits. True when the board may have changed.
    fn handle(&mut self, first: Message) -> Result<bool, LiveError> {
        let mut effects = Effects::default();
        let mut is_changed = self.take(first, &mut effects)?;
        for _ in 1..BATCH {
            if effects.readings.len() >= READINGS_AT_ONCE {
                break;
            }
            let Ok(next) = self.messages.try_recv() else { break };
            is_changed |= self.take(next, &mut effects)?;
        }
        self.next_due.set(self.projection.next_due());
        self.tell(effects)?;
        Ok(is_changed)
    }

    fn take(&mut self, message: Message, effects: &mut Effects) -> Result<bool, LiveError> {
        match message {
            Message::Block(block) => {
                let started = Moment::now();
                let is_other = self.activations.apply(&mut self.projection, &block, effects)?;
                metrics::histogram!(metric::APPLY_SECONDS).record(started.elapsed().as_secs_f64());
                if is_other {
                    self.turn_over(std::mem::take(effects))?;
                }
                Ok(true)
            }
            Message::Tick(at) => {
                self.projection.advance(at, effects);
                Ok(true)
            }
            Message::Ask(ask) => {
                ask(&mut self.projection);
                Ok(false)
            }
            Message::Prepare(refold) => {
                self.activations.prepare(*refold);
                Ok(false)
            }
        }
    }

    /// Other definitions have taken over: readers see them at once, and the next start begins with them.
    fn turn_over(&mut self, effects: Effects) -> Result<(), LiveError> {
        self.post();
        self.tell(effects)?;
        // Parts of the checkpoint before have other shapes.
        self.checkpoints.clear()?;
        self.names_saved = 0;
        self.save();
        let catalog = &self.projection.catalog().fingerprint;
        info!(
            catalog,
            sequence = self.projection.sequence().0,
            "other definitions hold"
        );
        Ok(())
    }

    /// Passes on what came of it. The outbox first: what is decided must not be lost.
    fn tell(&mut self, effects: Effects) -> Result<(), StateError> {
        let applied = self.projection.sequence().0;
        self.house.applied.store(applied, Ordering::Release);
        let journal_end = self.house.journal_end.load(Ordering::Acquire);
        metrics::gauge!(metric::APPLY_LAG).set(journal_end.saturating_sub(applied) as f64);
        self.house
            .series
            .store(self.projection.series_count() as u64, Ordering::Release);
        if effects.readings.is_empty() && effects.transitions.is_empty() {
            return Ok(());
        }
        if !effects.transitions.is_empty() {
            self.outbox
                .put((self.projection.sequence(), self.projection.at()), &effects.transitions)?;
            self.decided.notify_one();
        }
        if let Some(readings) = &self.readings {
            readings.put(&effects.readings);
        }
        metrics::counter!(metric::EVALUATIONS).increment(effects.readings.len() as u64);
        for transition in &effects.transitions {
            metrics::counter!(metric::ALERT_TRANSITIONS, "kind" => transition.kind.word()).increment(1);
        }
        self.recent.add(&effects.transitions);
        if self.notices.receiver_count() > 0 {
            let Effects { readings, transitions } = effects;
            let alerts = transitions
                .into_iter()
                .map(|transition| Notice::Alert(Box::new(transition)));
            let readings = readings
                .chunks(NOTICE_LEN_MAX)
                .map(|chunk| Notice::Readings(chunk.to_vec()));
            for notice in readings.collect::<Vec<_>>().into_iter().chain(alerts) {
                // Without listeners there is nobody to tell.
                let _ = self.notices.send(Arc::new(notice));
            }
        }
        Ok(())
    }

    /// Posts the board: what changed is drawn anew, the rest is taken over by pointer.
    pub fn post(&mut self) {
        let mut before = self.board.load_full();
        if before.catalog.fingerprint != self.projection.catalog().fingerprint {
            let empty = Board::empty(Arc::clone(self.projection.catalog()));
            before = Arc::new(Board {
                recent: Arc::clone(&before.recent),
                ..empty
            });
        }
        let alerts = self.projection.alerts_again(&before.alerts);
        if !Arc::ptr_eq(&alerts, &before.alerts) {
            count_firing(&alerts);
        }
        metrics::gauge!(metric::SERIES).set(self.projection.series_count() as f64);
        self.board.store(Arc::new(Board {
            sequence: self.projection.sequence(),
            at: self.projection.at(),
            catalog: Arc::clone(self.projection.catalog()),
            scorecards: self.projection.boards(&before.scorecards),
            alerts,
            recent: self.recent.shown(&before.recent),
        }));
    }

    /// Saves a checkpoint. A failure costs a longer start, nothing else.
    fn save(&mut self) {
        if !self.room.is_there() {
            // The room that is left is for the facts of what is acknowledged already.
            warn!("no checkpoint: the disk is nearly full, the next start replays more of the journal");
            return;
        }
        let started = Moment::now();
        let head = CheckpointHead {
            sequence: self.projection.sequence(),
            at: self.projection.at(),
            fingerprint: self.projection.catalog().fingerprint.clone(),
        };
        let mut parts = self.projection.take_image(self.names_saved);
        parts.extend(beside::parts(&self.positions.all(), self.recent.latest()));
        if self.names_saved == 0 {
            parts.extend([beside::definitions(&self.projection.catalog().files)]);
        }
        let result = match self.checkpoints.save(&head, parts) {
            Ok(()) => {
                self.names_saved = self.projection.series_count();
                "saved"
            }
            Err(error) => {
                warn!(%error, "checkpoint failed");
                // What was taken and not saved would be missing in the next one.
                let _ = self.checkpoints.clear();
                self.projection.forget_saved();
                self.names_saved = 0;
                "failed"
            }
        };
        metrics::counter!(metric::CHECKPOINTS, "result" => result).increment(1);
        metrics::histogram!(metric::CHECKPOINT_SECONDS).record(started.elapsed().as_secs_f64());
    }
}

fn count_firing(alerts: &[Arc<AlertView>]) {
    for severity in ["info", "warning", "critical"] {
        let firing = |alert: &&Arc<AlertView>| alert.phase == AlertPhase::Firing && alert.severity.word() == severity;
        let count = alerts.iter().filter(firing).count();
        metrics::gauge!(metric::ALERTS_FIRING, "severity" => severity).set(count as f64);
    }
}

/// What windows look through.
pub struct Window {
    /// The board.
    pub board: Arc<ArcSwap<Board>>,
    /// Listeners.
    pub notices: broadcast::Sender<Arc<Notice>>,
    /// To the owner of the projection, as long as the corridor is open: windows do not hold it open.
    pub messages: mpsc::WeakSender<Message>,
    /// The journal, for questions that the projection cannot answer.
    pub lookup: Lookup,
    /// What was known at an instant.
    pub hindsight: Arc<dyn Hindsight>,
    /// How the house is; filled in by whoever built it.
    pub house: Arc<dyn Fn() -> HouseState + Send + Sync>,
}

impl Window {
    /// Asks the owner of the projection between two blocks.
    pub(super) async fn ask<A, Q>(&self, question: Q) -> Result<A, QueryError>
    where
        A: Send + 'static,
        Q: FnOnce(&mut Projection) -> A + Send + 'static,
    {
        let (reply, answer) = oneshot::channel();
        let ask = Message::Ask(Box::new(move |projection| {
            // An asker that has gone away needs no answer.
            let _ = reply.send(question(projection));
        }));
        let messages = self.messages.upgrade().ok_or(QueryError::Closed)?;
        messages.send(ask).await.map_err(|_| QueryError::Closed)?;
        drop(messages);
        answer.await.map_err(|_| QueryError::Closed)
    }
}

impl Views for Window {
    fn board(&self) -> Arc<Board> {
        self.board.load_full()
    }

    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<Vec<(Instant, Reading)>, QueryError>> {
        let read = |projection: &Projection, query: &ReadingsQuery, at: Instant| {
            let reading = projection.reading_at(&query.kpi, query.instance.as_ref(), at);
            let scorecard = projection.catalog().kpi(&query.kpi).map(|(own, _)| own.id.as_str());
            let unknown = || match (scorecard, &query.instance) {
                (Some(scorecard), Some(instance)) => no_instance(projection, scorecard, instance),
                _ => QueryError::Unknown(format!("there is no KPI `{}`", query.kpi)),
            };
            Ok((at, reading.ok_or_else(unknown)?))
        };
        Box::pin(async move {
            let board = self.board();
            let overall = board.catalog.kpi(&query.kpi).filter(|_| query.instance.is_none());
            let overall = overall.and_then(|(own, _)| has_many(&board, own.id.as_str()));
            self.ask_of_each((query.at.clone(), overall), query, read).await
        })
    }

    fn pictures(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Vec<Picture>, QueryError>> {
        let draw = |projection: &Projection, query: &PicturesQuery, at: Instant| {
            let picture = projection.picture_at(&query.scorecard, query.instance.as_ref(), at);
            let unknown = || match &query.instance {
                None => QueryError::Unknown(format!("there is no scorecard `{}`", query.scorecard)),
                Some(instance) => no_instance(projection, &query.scorecard, instance),
            };
            picture.ok_or_else(unknown)
        };
        Box::pin(async move {
            let board = self.board();
            let overall = has_many(&board, &query.scorecard).filter(|_| query.instance.is_none());
            self.ask_of_each((query.at.clone(), overall), query, draw).await
        })
    }

    fn instance(&self, query: InstanceQuery) -> BoxFuture<'_, Result<Picture, QueryError>> {
        Box::pin(async move {
            self.ask(move |projection| {
                let picture = projection.picture_now(&query.scorecard, Some(&query.instance));
                picture.ok_or_else(|| no_instance(projection, &query.scorecard, &query.instance))
            })
            .await?
        })
    }

    fn explain(&self, question: ExplainQuestion) -> BoxFuture<'_, Result<(Explained, Movers), QueryError>> {
        Box::pin(async move {
            let path = question.path.clone();
            let answer = self.ask(move |projection| projection.explain(&question)).await?;
            let (explained, search) =
                answer.ok_or_else(|| QueryError::Unknown(format!("there is no node `{path}`: see its scorecard")))?;
            Ok((explained, self.lookup.movers(search).await?))
        })
    }

    fn scores(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Vec<Vec<Option<f64>>>, QueryError>> {
        Box::pin(async move {
            let mut scores = Vec::with_capacity(query.at.len());
            for portion in query.at.chunks(SCORES_AT_ONCE) {
                let (scorecard, instance, at) = (query.scorecard.clone(), query.instance.clone(), portion.to_vec());
                let unknown = QueryError::Unknown(format!("`{scorecard}` has no such instance, or is not known"));
                let of = move |projection: &mut Projection| -> Option<Vec<Vec<Option<f64>>>> {
                    let score = |at: &Instant| projection.objective_scores(&scorecard, instance.as_ref(), *at);
                    at.iter().map(score).collect()
                };
                scores.extend(self.ask(of).await?.ok_or(unknown)?);
            }
            Ok(scores)
        })
    }

    fn hindsight(&self) -> Arc<dyn Hindsight> {
        Arc::clone(&self.hindsight)
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }

    fn house(&self) -> HouseState {
        (self.house)()
    }
}
