//! The corridor, wired: the appender and the owner of the projection, each a thread of its own.
//!
//! What was restored enters with the journal; two threads leave, with the channels between them. Both begin where the
//! journal ends.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::mpsc;
use tracing::info;

use super::definitions::{JournalFolder, TomlDefinitions};
use super::headway::Headway;
use super::hindsight::milestones;
use super::house::{Frame, HouseError, Rules, millis};
use super::restore::{Present, RestoreError, Restored, Shelves, restore};
use super::tasks::{Signal, Tasks, blocking, spawn_thread};
use crate::domain::projection::{ClockKind, ProjectionOptions};
use crate::journal::{FileJournal, Trims};
use crate::pipeline::activation::{ActivationError, Activations};
use crate::pipeline::appender::{AppendError, Appender};
use crate::pipeline::intake::Job;
use crate::pipeline::ledger::LedgerLimits;
use crate::pipeline::live::{Live, LiveError, Message};
use crate::pipeline::recent::Recent;
use crate::pipeline::saver::Saver;
use crate::ports::{Definitions, Journal, Outbox, Room};
use crate::settings::Settings;
use crate::state::{SpreadCheckpoints, StateStore};
use crate::telemetry::metric;

/// Messages between the appender and the projection.
const MESSAGES_MAX: usize = 256;

/// The ends of the channels that the corridor's threads take.
pub(super) struct Queues {
    /// From the doors.
    pub jobs: mpsc::Receiver<Job>,
    /// From the appender, and from windows that ask.
    pub messages: mpsc::Sender<Message>,
    /// To the projection.
    pub messages_waiting: mpsc::Receiver<Message>,
    /// Given when the projection has ended.
    pub posts: Signal,
}

impl Queues {
    /// Empty queues, and the end that the doors take.
    pub fn new(settings: &Settings, posts: Signal) -> (Self, mpsc::Sender<Job>) {
        let (doors, jobs) = mpsc::channel(settings.ingest.queue_len_max);
        let (messages, messages_waiting) = mpsc::channel(MESSAGES_MAX);
        let queues = Self {
            jobs,
            messages,
            messages_waiting,
            posts,
        };
        (queues, doors)
    }
}

/// Everything the corridor's threads own.
pub(super) struct Corridor {
    journal: FileJournal,
    restored: Restored,
    outbox: Arc<dyn Outbox>,
}

/// How the daemon's projection runs.
pub(super) fn projection_options(settings: &Settings) -> ProjectionOptions {
    ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms: Some(millis(settings.projection.history)),
        with_readings: true,
    }
}

impl Corridor {
    /// Restores the state at the journal's end; `headway` hears how far it is.
    pub async fn restore(
        mut journal: FileJournal,
        store: StateStore,
        rules: &Rules,
        headway: Headway,
    ) -> Result<Self, HouseError> {
        let outbox: Arc<dyn Outbox> = Arc::new(store.outbox());
        let shelves = Shelves {
            seen: Box::new(store.seen_ids()),
            checkpoints: Box::new(SpreadCheckpoints::new(store.checkpoints(), milestones(&rules.settings))),
            outbox: Arc::clone(&outbox),
        };
        let settings = &rules.settings;
        let options = projection_options(settings);
        let limits = LedgerLimits {
            dedup_window_ms: millis(settings.journal.dedup_window),
            series_max: u32::try_from(settings.ingest.series_max).unwrap_or(u32::MAX),
        };
        let history = Arc::new(JournalFolder(settings.journal_dir()));
        let definitions: Arc<dyn Definitions> = Arc::new(TomlDefinitions);
        let folder = settings.journal_dir();
        let base = blocking(move || Trims::of(&folder).base()).await??;
        let present = Present {
            catalog: Arc::clone(&rules.catalog),
            now: rules.clock.now(),
            activations: Activations::new(Arc::clone(&definitions), history),
            definitions,
            base,
            headway,
        };
        let restoring = blocking(move || -> Result<_, RestoreError> {
            let restored = restore(&mut journal, shelves, present, options, limits)?;
            // From here on a kill leaves an outbox that knows where it began.
            store.flush()?;
            Ok((journal, restored))
        });
        let (journal, restored) = restoring.await??;
        Ok(Self {
            journal,
            restored,
            outbox,
        })
    }

    /// Starts both threads: from here on the house is ready.
    pub fn start(self, frame: Frame, queues: Queues, rules: &Rules, tasks: &mut Tasks) {
        let Self {
            journal,
            restored,
            outbox,
        } = self;
        for position in restored.positions.all() {
            frame.positions.advance(&position);
        }
        let tail = journal.tail();
        let (house, last) = (Arc::clone(&frame.house), tail.next.0.saturating_sub(1));
        house.journal_end.store(last, Ordering::Release);
        house.recorded_at.store(tail.recorded_at.0, Ordering::Release);
        metrics::gauge!(metric::JOURNAL_SEQUENCE).set(last as f64);
        let appender = Appender {
            journal: Box::new(journal),
            ledger: restored.ledger,
            clock: Arc::clone(&rules.clock),
            jobs: queues.jobs,
            messages: queues.messages,
            next_due: Arc::clone(&frame.next_due),
            positions: frame.positions.clone(),
            house: Arc::clone(&house),
            room: Arc::clone(&frame.disk) as Arc<dyn Room>,
            block_len_max: rules.settings.journal.block_len_max,
            floor: restored.floor,
            is_behind: false,
        };
        // The destinations looked before the journal's tail was in the outbox; without the bell it would wait for the next change.
        frame.decided.notify_one();
        let readings = rules.settings.nats.keeps_scores().then_some(frame.readings);
        if let Some(readings) = &readings {
            readings.put(&restored.changed);
        }
        let mut live = Live {
            projection: restored.projection,
            messages: queues.messages_waiting,
            outbox,
            checkpoints: Saver::new(restored.checkpoints),
            board: frame.board,
            notices: frame.notices,
            decided: frame.decided,
            readings,
            next_due: frame.next_due,
            house: Arc::clone(&house),
            positions: frame.positions,
            post_every: rules.settings.projection.post_every,
            checkpoint_every: rules.settings.projection.checkpoint_every,
            room: frame.disk,
            names_saved: restored.names_saved,
            activations: restored.activations,
            recent: Recent::of(&restored.recent),
        };
        live.post();
        let applied = live.projection.sequence().0;
        house.applied.store(applied, Ordering::Release);
        house
            .series
            .store(live.projection.series_count() as u64, Ordering::Release);
        house.ready.store(true, Ordering::Release);
        metrics::gauge!(metric::READY).set(1.0);
        info!(sequence = applied, "ready");
        spawn_thread(tasks, "journal", move |runtime| {
            appender.run(runtime).map_err(append_failed)
        });
        spawn_thread(tasks, "projection", move |runtime| {
            let _posts = queues.posts;
            live.run(runtime).map_err(live_failed)
        });
    }
}

fn live_failed(error: LiveError) -> HouseError {
    match error {
        LiveError::State(error) => HouseError::State(error),
        LiveError::Activation(ActivationError::Journal(error)) => HouseError::Journal(error),
        LiveError::Activation(other) => HouseError::ended("projection", &other),
    }
}

fn append_failed(error: AppendError) -> HouseError {
    match error {
        AppendError::Journal(error) => HouseError::Journal(error),
        other => HouseError::ended("journal", &other),
    }
}
