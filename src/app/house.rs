//! The house: built, run, stopped.
//!
//! Built from the journal outwards: the archive and the shelves are opened, windows open and say "not ready", the state is
//! restored, then the doors open. Stopped in walking order, with one deadline for all: doors and windows, the journal, the
//! projection, destinations. A task that ends before it was asked to ends the house, with its reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tracing::{error, info};

use super::corridor::{Corridor, Queues, projection_options};
use super::definitions::{CatalogSource, JournalFolder};
use super::disk::{Disk, watch_disk};
use super::headway::Headway;
use super::hindsight;
use super::reload::{self, Reloader};
use super::restore::RestoreError;
use super::tasks::{Closing, Signal, Signals, Tasks, blocking, closed, ending, signals};
use super::transport::{Transport, start_nats};
use super::trim::Trimmer;
use super::what_if::Asked;
use super::windows::{self, Front, house_state};
use crate::domain::board::Board;
use crate::domain::catalog::Catalog;
use crate::domain::id::Sequence;
use crate::domain::measurement::AdmitLimits;
use crate::ingest::decode::DecodeLimits;
use crate::journal::{DiskFiles, FileArchive, FileJournal, Files, JournalOptions};
use crate::pipeline::activation::ActivationError;
use crate::pipeline::appender::NextDue;
use crate::pipeline::intake::{Door, Job, SourcePositions};
use crate::pipeline::live::{House as HouseFigures, Window};
use crate::pipeline::lookup::Lookup;
use crate::pipeline::readings::LatestReadings;
use crate::ports::{Clock, Intake, Journal, JournalError, Notice, Outbox, Room, StateError};
use crate::settings::Settings;
use crate::state::{OpenReport, StateOpenError, StateStore};
use crate::telemetry::{MetricsHandle, metric, start_metrics};

/// What is fed into a house from inside, for the demo.
pub trait Feed: Send {
    /// Feeds until told to stop.
    fn run(
        self: Box<Self>,
        intake: Arc<dyn Intake>,
        stop: watch::Receiver<bool>,
    ) -> futures_util::future::BoxFuture<'static, Result<(), String>>;
}

/// What a house is built from.
pub struct Plan {
    /// Every choice.
    pub settings: Settings,
    /// Definitions.
    pub catalog: Arc<Catalog>,
    /// Where they were read, to be read again.
    pub source: CatalogSource,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Measurements from inside.
    pub feed: Option<Box<dyn Feed>>,
    /// Threads for what comes in over HTTP.
    pub doors: tokio::runtime::Handle,
    /// Hears the address that was chosen, once it takes connections.
    pub announce: Box<dyn FnOnce(SocketAddr) + Send>,
}

/// Why a house ended other than by being asked to.
#[derive(Debug, thiserror::Error)]
pub enum HouseError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state store cannot be opened.
    #[error(transparent)]
    StateOpen(#[from] StateOpenError),
    /// The state store failed.
    #[error(transparent)]
    State(#[from] StateError),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}: choose another http.listen, or port 0 for a free one")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// What the system said.
        source: std::io::Error,
    },
    /// Something is set that cannot be: wrong configuration.
    #[error("{0}")]
    Wrong(String),
    /// A task ended with this reason.
    #[error("{task} ended: {reason}")]
    Ended {
        /// Which.
        task: &'static str,
        /// Why.
        reason: String,
    },
}

impl HouseError {
    /// Bytes of the journal that were durable do not fit any more.
    pub fn is_damage(&self) -> bool {
        matches!(self, Self::Journal(JournalError::Damaged { .. }))
    }

    /// Something else must be configured; trying again would change nothing.
    pub fn is_wrong_configuration(&self) -> bool {
        matches!(self, Self::Wrong(_) | Self::Listen { .. })
    }

    /// A task ended, for this reason.
    pub(super) fn ended(task: &'static str, reason: &(impl ToString + ?Sized)) -> Self {
        let reason = reason.to_string();
        Self::Ended { task, reason }
    }
}

impl From<RestoreError> for HouseError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Journal(error) | RestoreError::Activation(ActivationError::Journal(error)) => {
                Self::Journal(error)
            }
            RestoreError::State(error) => Self::State(error),
            RestoreError::Activation(other) => Self::ended("start", &other),
        }
    }
}

/// What holds for the whole house and never changes while it runs.
pub(super) struct Rules {
    pub settings: Settings,
    pub catalog: Arc<Catalog>,
    pub clock: Arc<dyn Clock>,
}

/// Notices a slow listener may be behind.
const NOTICES_MAX: usize = 1_024;

/// What the parts of the house share, made before anything runs.
pub(super) struct Frame {
    pub house: Arc<HouseFigures>,
    pub board: Arc<ArcSwap<Board>>,
    pub notices: broadcast::Sender<Arc<Notice>>,
    pub positions: SourcePositions,
    pub disk: Arc<Disk>,
    pub readings: Arc<LatestReadings>,
    /// Rung when something was put into the outbox.
    pub decided: Arc<Notify>,
    pub next_due: Arc<NextDue>,
    /// Definitions by which the doors judge.
    pub admitting: Arc<ArcSwap<Catalog>>,
}

impl Frame {
    fn new(rules: &Rules) -> Self {
        let Rules { settings, catalog, .. } = rules;
        Self {
            house: Arc::new(HouseFigures::default()),
            board: Arc::new(ArcSwap::from_pointee(Board::empty(Arc::clone(catalog)))),
            notices: broadcast::channel(NOTICES_MAX).0,
            positions: SourcePositions::default(),
            disk: Arc::new(Disk::new(settings)),
            readings: Arc::new(LatestReadings::default()),
            decided: Arc::new(Notify::new()),
            next_due: Arc::new(NextDue::default()),
            admitting: Arc::new(ArcSwap::new(Arc::clone(catalog))),
        }
    }

    /// The way in that all doors share.
    fn intake(&self, rules: &Rules, jobs: mpsc::Sender<Job>) -> Arc<dyn Intake> {
        Arc::new(Door {
            catalog: Arc::clone(&self.admitting),
            limits: admit_limits(&rules.settings),
            clock: Arc::clone(&rules.clock),
            jobs,
            positions: self.positions.clone(),
            room: Arc::clone(&self.disk) as Arc<dyn Room>,
            house: Arc::clone(&self.house),
        })
    }

    /// Who lets other definitions hold.
    fn reloader(&self, rules: &Rules, source: CatalogSource, ends: (mpsc::Sender<Job>, &Queues)) -> Reloader {
        let (jobs, queues) = ends;
        Reloader {
            source,
            admitting: Arc::clone(&self.admitting),
            jobs,
            messages: queues.messages.downgrade(),
            house: Arc::clone(&self.house),
            journal: Arc::new(JournalFolder(rules.settings.journal_dir())),
            options: projection_options(&rules.settings),
        }
    }

    /// Who drops the journal's beginning.
    fn trimmer(&self, rules: &Rules, jobs: &mpsc::Sender<Job>) -> Arc<Trimmer> {
        Arc::new(Trimmer {
            folder: rules.settings.journal_dir(),
            settings: rules.settings.clone(),
            catalog: Arc::clone(&self.admitting),
            clock: Arc::clone(&rules.clock),
            jobs: jobs.downgrade(),
            house: Arc::clone(&self.house),
            options: projection_options(&rules.settings),
            turn: tokio::sync::Mutex::new(()),
        })
    }

    /// What windows look through. They do not hold the corridor open.
    fn views(
        &self,
        rules: &Rules,
        queues: &Queues,
        transport: Option<&Transport>,
        archive: FileArchive,
    ) -> Arc<Window> {
        Arc::new(Window {
            hindsight: Arc::new(hindsight::desk(
                rules,
                Arc::new(archive.clone()),
                Arc::clone(&self.disk) as Arc<dyn Room>,
            )),
            lookup: Lookup::new(Arc::new(archive), millis(rules.settings.ingest.max_future)),
            board: Arc::clone(&self.board),
            notices: self.notices.clone(),
            messages: queues.messages.downgrade(),
            house: house_state(self, &rules.settings, transport),
        })
    }
}

/// Builds the house, runs it until `stop` turns true, and stops it.
pub async fn run(plan: Plan, stop: watch::Receiver<bool>) -> Result<(), HouseError> {
    let deadline = plan.settings.shutdown.deadline;
    let (Signals { doors, windows, posts }, closing) = signals();
    let mut tasks = Tasks::new();
    let opened = open(plan, closing, posts, &mut tasks, stop.clone()).await;
    let result = match opened {
        Ok(()) => first_end(&mut tasks, stop).await,
        Err(error) => Err(error),
    };
    info!("closing");
    drop((doors, windows));
    let closed = tokio::time::timeout(deadline, all_end(&mut tasks)).await;
    match (result, closed) {
        (Err(error), _) => Err(error),
        (Ok(()), Ok(closed)) => closed,
        (Ok(()), Err(_)) => {
            let reason = format!("not everything was closed within {deadline:?}: what was acknowledged is safe");
            Err(HouseError::ended("closing", &reason))
        }
    }
}

/// Builds the house. An error, or being told to stop while the state is restored, leaves what runs already to be stopped.
async fn open(
    plan: Plan,
    closing: Closing,
    posts: Signal,
    tasks: &mut Tasks,
    mut stop: watch::Receiver<bool>,
) -> Result<(), HouseError> {
    let rules = Rules {
        settings: plan.settings,
        catalog: plan.catalog,
        clock: plan.clock,
    };
    let (journal, store, metrics) = open_archive(&rules.settings).await?;
    let outbox: Arc<dyn Outbox> = Arc::new(store.outbox());
    let frame = Frame::new(&rules);
    let journal_end = journal.tail().next.0.saturating_sub(1);
    frame.house.journal_end.store(journal_end, Ordering::Release);
    let (queues, jobs) = Queues::new(&rules.settings, posts);
    let (bell, requests) = reload::bell();
    let reloader = frame.reloader(&rules, plan.source, (jobs.clone(), &queues));
    reloader.start(requests, &closing, tasks)?;
    let trimmer = frame.trimmer(&rules, &jobs);
    trimmer.start(&closing, tasks);
    let intake = frame.intake(&rules, jobs);
    watch_disk(&frame.disk, &closing, tasks);
    let transport = start_nats(&rules.settings, &frame, &outbox, &closing, tasks).await?;
    let front = Front {
        views: frame.views(&rules, &queues, transport.as_ref(), journal.archive()),
        reload: bell,
        retention: trimmer,
        what_if: Arc::new(what_if(&rules, &frame.house, &closing)),
        intake: Arc::clone(&intake),
        rejections: transport
            .as_ref()
            .map_or_else(Transport::nowhere, Transport::rejections),
        doors: plan.doors,
        metrics,
    };
    (plan.announce)(windows::open(&rules.settings, front, &closing, tasks).await?);

    let headway = Headway::new(Arc::clone(&frame.house));
    let corridor = tokio::select! {
        restored = Corridor::restore(journal, store, &rules, headway) => restored?,
        () = closed(&mut stop) => return Ok(()),
    };
    corridor.start(frame, queues, &rules, tasks);
    if let Some(transport) = transport {
        transport.start_taking(&rules.settings, &intake, &closing, tasks)?;
    }
    if let Some(feed) = plan.feed {
        let feeding = feed.run(intake, closing.doors);
        tasks.spawn(async move {
            (
                "feed",
                feeding.await.map_err(|reason| HouseError::ended("feed", &reason)),
            )
        });
    }
    // What holds the intake now are the doors: when they have closed, the appender ends.
    Ok(())
}

/// Who folds the history under other definitions.
fn what_if(rules: &Rules, house: &Arc<HouseFigures>, closing: &Closing) -> Asked {
    let (settings, clock) = (&rules.settings, Arc::clone(&rules.clock));
    let journal = (settings.journal_dir(), millis(settings.projection.history));
    Asked::new(journal, clock, Arc::clone(house), closing.doors.clone())
}

/// The journal, which is the truth, the store of what can be derived from it, and where the house counts.
async fn open_archive(settings: &Settings) -> Result<(FileJournal, StateStore, MetricsHandle), HouseError> {
    let journal_dir = settings.journal_dir();
    let options = JournalOptions {
        segment_bytes: settings.journal.segment_bytes,
        check_all: settings.journal.check_all,
    };
    let destinations: &[&'static str] = if settings.nats.is_on() { &["nats"] } else { &[] };
    let state_dir = settings.state_dir();
    let folder = journal_dir.clone();
    // Who makes a folder makes its name durable: it is there before two look for it.
    blocking(move || make_folder(&folder)).await??;
    // Both read a lot and neither needs the other; what is wrong with the journal is said first. Neither counts anything, and
    // the recorder's clock compares itself with the system's for a tenth of a second before it can be used.
    let opening = (
        blocking(move || FileJournal::open(&journal_dir, options, Arc::new(DiskFiles))),
        blocking(move || StateStore::open(&state_dir, destinations)),
        blocking(start_metrics),
    );
    let (journal, opened, metrics) = tokio::join!(opening.0, opening.1, opening.2);
    let (journal, opened) = (journal??, opened??);
    let metrics = metrics?.map_err(|error| HouseError::Wrong(error.to_string()))?;
    let (state_dir, next) = (settings.state_dir(), journal.tail().next);
    let (store, report) = blocking(move || fitting(opened, &state_dir, destinations, next)).await??;
    if matches!(report, OpenReport::SetAside { .. }) {
        metrics::counter!(metric::STATE_REBUILDS).increment(1);
    }
    info!(?report, "state opened");
    Ok((journal, store, metrics))
}

fn make_folder(folder: &std::path::Path) -> Result<(), JournalError> {
    DiskFiles.create_dir(folder).map_err(|source| JournalError::Io {
        operation: "create folder",
        path: folder.display().to_string(),
        source,
    })
}

/// The state of a journal whose next fact is `next`. One that knows ids of facts that the journal does not hold belongs to
/// another journal, or to this one before an older copy was put in its place: it would answer what is lost as taken
/// already. It is removed, and rebuilt like any state that is missing.
fn fitting(
    (store, report): (StateStore, OpenReport),
    folder: &std::path::Path,
    destinations: &[&'static str],
    next: Sequence,
) -> Result<(StateStore, OpenReport), HouseError> {
    let ids = store.seen_ids().reached();
    if ids < next {
        return Ok((store, report));
    }
    error!(
        known = ids.0,
        journal_ends = next.0.saturating_sub(1),
        "the journal ends before facts that were acknowledged: it is an older copy, or its end is missing; restore a newer \
         copy to have them back, the state is rebuilt from what is there"
    );
    metrics::counter!(metric::STATE_REBUILDS).increment(1);
    drop(store);
    std::fs::remove_dir_all(folder).map_err(|error| HouseError::ended("state", &error))?;
    Ok(StateStore::open(folder, destinations)?)
}

/// Waits until told to stop, or until a task ends.
async fn first_end(tasks: &mut Tasks, mut stop: watch::Receiver<bool>) -> Result<(), HouseError> {
    tokio::select! {
        // Who was told to end may have ended by now: being asked to stop comes first.
        biased;
        () = closed(&mut stop) => Ok(()),
        Some(ended) = tasks.join_next() => {
            let (task, result) = ending(ended);
            let error = result.err().unwrap_or_else(|| HouseError::ended(task, "nobody asked it to"));
            error!(task, %error, "a task ended, the house ends");
            Err(error)
        }
    }
}

/// Waits for all tasks, and tells the first reason of one that did not end well.
async fn all_end(tasks: &mut Tasks) -> Result<(), HouseError> {
    let mut first = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let (_, result) = ending(ended);
        first = first.and(result);
    }
    first
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn admit_limits(settings: &Settings) -> AdmitLimits {
    let ingest = &settings.ingest;
    AdmitLimits {
        future_ms_max: Some(millis(ingest.max_future)),
        label_count_max: ingest.label_count_max,
        label_name_len_max: ingest.label_name_len_max,
        label_value_len_max: ingest.label_value_len_max,
        note_len_max: ingest.note_len_max,
    }
}

pub(super) fn decode_limits(settings: &Settings) -> DecodeLimits {
    DecodeLimits {
        batch_len_max: settings.ingest.batch_len_max,
        measurement_len_max: usize::try_from(settings.ingest.measurement_len_max).unwrap_or(usize::MAX),
    }
}
