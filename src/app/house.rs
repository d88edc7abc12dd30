//! The house: built, run, stopped.
//!
//! Built from the journal outwards: windows open first and say "not ready", the state is restored, then the doors open.
//! Stopped in walking order: doors, journal, projection, destinations, windows, with one deadline for all. A task that ends
//! before it was asked to ends the house, with its reason.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tracing::{error, info};

use super::clock::SystemClock;
use super::disk::{Disk, watch_disk};
use super::restore::{RestoreError, Restored, Shelves, restore};
use super::transport::{Transport, start_nats};
use crate::domain::board::Board;
use crate::domain::catalog::Catalog;
use crate::domain::fact::Fact;
use crate::domain::instant::Instant;
use crate::domain::measurement::AdmitLimits;
use crate::domain::projection::{ClockKind, ProjectionOptions};
use crate::http::{HttpOptions, guard, routes};
use crate::ingest::decode::DecodeLimits;
use crate::ingest::http::HttpIngestLimits;
use crate::journal::{DiskFiles, FileJournal, JournalOptions};
use crate::pipeline::appender::{AppendError, Appender, NextDue};
use crate::pipeline::intake::{Door, SourcePositions};
use crate::pipeline::ledger::LedgerLimits;
use crate::pipeline::live::{House as HouseFigures, Live, Window};
use crate::pipeline::outbox::LatestReadings;
use crate::ports::{Clock, HouseState, Intake, Journal, JournalError, Outbox, RejectionSink, StateError};
use crate::settings::Settings;
use crate::state::{StateOpenError, StateStore};
use crate::telemetry::MetricsHandle;

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
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// Measurements from inside.
    pub feed: Option<Box<dyn Feed>>,
    /// Text of `/metrics`.
    pub metrics: MetricsHandle,
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

impl From<RestoreError> for HouseError {
    fn from(error: RestoreError) -> Self {
        match error {
            RestoreError::Journal(error) => Self::Journal(error),
            RestoreError::State(error) => Self::State(error),
        }
    }
}

/// How a task ended.
pub(super) type Ending = (&'static str, Result<(), HouseError>);

/// Messages between the appender and the projection.
const MESSAGES_MAX: usize = 256;
/// Notices a slow listener may be behind.
const NOTICES_MAX: usize = 1_024;

/// Parts that are made before anything runs.
struct Frame {
    house: Arc<HouseFigures>,
    board: Arc<ArcSwap<Board>>,
    notices: broadcast::Sender<Arc<crate::ports::Notice>>,
    positions: SourcePositions,
    disk: Arc<Disk>,
    readings: Arc<LatestReadings>,
    next_due: Arc<NextDue>,
}

/// Builds the house, runs it until `stop` turns true, and stops it.
pub async fn run(plan: Plan, stop: watch::Receiver<bool>) -> Result<(), HouseError> {
    let deadline = plan.settings.shutdown.deadline;
    let (windows_close, windows_closing) = watch::channel(false);
    let (doors_close, doors_closing) = watch::channel(false);
    let (posts_close, posts_closing) = watch::channel(false);
    let mut tasks = JoinSet::new();
    let closing = Closing { doors: doors_closing, windows: windows_closing, posts: posts_closing };
    let opened = open(plan, (closing, LastWord(posts_close)), &mut tasks, stop.clone()).await;
    let result = match opened {
        Ok(()) => first_end(&mut tasks, stop).await,
        Err(error) => Err(error),
    };
    info!("closing");
    let _ = doors_close.send(true);
    let _ = windows_close.send(true);
    let closed = tokio::time::timeout(deadline, close(&mut tasks)).await;
    match (result, closed) {
        (Err(error), _) => Err(error),
        (Ok(()), Ok(closed)) => closed,
        (Ok(()), Err(_)) => {
            let reason = format!("not everything was closed within {deadline:?}: what was acknowledged is safe");
            Err(HouseError::Ended { task: "closing", reason })
        }
    }
}

/// Signals to close, in walking order.
#[derive(Clone)]
pub(super) struct Closing {
    pub doors: watch::Receiver<bool>,
    pub windows: watch::Receiver<bool>,
    pub posts: watch::Receiver<bool>,
}

/// Waits until told to stop, or until a task ends.
async fn first_end(tasks: &mut JoinSet<Ending>, mut stop: watch::Receiver<bool>) -> Result<(), HouseError> {
    tokio::select! {
        // Who was told to end may have ended by now: being asked to stop comes first.
        biased;
        () = closed(&mut stop) => Ok(()),
        Some(ended) = tasks.join_next() => {
            let (task, result) = ending(ended);
            let error = result.err().unwrap_or(HouseError::Ended { task, reason: "nobody asked it to".to_owned() });
            error!(task, %error, "a task ended, the house ends");
            Err(error)
        }
    }
}

fn ending(ended: Result<Ending, tokio::task::JoinError>) -> Ending {
    ended.unwrap_or_else(|error| ("task", Err(HouseError::Ended { task: "task", reason: error.to_string() })))
}

/// Waits for the tasks to end; gives back the first failure.
async fn close(tasks: &mut JoinSet<Ending>) -> Result<(), HouseError> {
    let mut first = Ok(());
    while let Some(ended) = tasks.join_next().await {
        let (_, result) = ending(ended);
        if first.is_ok() {
            first = result;
        }
    }
    first
}

/// Tells the destinations that nothing more will come: held by whoever may still decide something, and said when it is
/// dropped, also by a projection that never started or that failed.
struct LastWord(watch::Sender<bool>);

impl Drop for LastWord {
    fn drop(&mut self) {
        self.0.send_replace(true);
    }
}

async fn open(
    plan: Plan,
    (closing, last_word): (Closing, LastWord),
    tasks: &mut JoinSet<Ending>,
    mut stop: watch::Receiver<bool>,
) -> Result<(), HouseError> {
    let Plan { settings, catalog, clock, feed, metrics, announce } = plan;
    let journal_dir = settings.journal_dir();
    let options = JournalOptions { segment_bytes: settings.journal.segment_bytes, ..JournalOptions::default() };
    let journal = blocking(move || FileJournal::open(&journal_dir, options, Arc::new(DiskFiles))).await??;
    let destinations: &[&'static str] = if settings.nats.is_on() { &["nats"] } else { &[] };
    let state_dir = settings.state_dir();
    let (store, report) = blocking(move || StateStore::open(&state_dir, destinations)).await??;
    info!(?report, "state opened");

    let (jobs, jobs_waiting) = mpsc::channel(settings.ingest.queue_len_max);
    let (messages, messages_waiting) = mpsc::channel(MESSAGES_MAX);
    let frame = Frame {
        house: Arc::new(HouseFigures::default()),
        board: Arc::new(ArcSwap::from_pointee(Board::empty(Arc::clone(&catalog)))),
        notices: broadcast::channel(NOTICES_MAX).0,
        positions: SourcePositions::default(),
        disk: Arc::new(Disk::new(settings.journal_dir(), settings.journal.min_free_bytes)),
        readings: Arc::new(LatestReadings::default()),
        next_due: Arc::new(NextDue::default()),
    };
    watch_disk(&frame.disk, &closing, tasks);
    let intake: Arc<dyn Intake> = Arc::new(Door {
        catalog: Arc::clone(&catalog),
        limits: admit_limits(&settings),
        clock: Arc::clone(&clock),
        jobs,
        positions: frame.positions.clone(),
        has_room: frame.disk.has_room(),
    });
    let outbox: Arc<dyn Outbox> = Arc::new(store.outbox());
    let transport = start_nats(&settings, &frame.readings, &outbox, &closing, tasks).await?;
    let views = Arc::new(Window {
        board: Arc::clone(&frame.board),
        notices: frame.notices.clone(),
        messages: messages.downgrade(),
        house: house_state(&frame, &settings, transport.as_ref()),
    });
    let listening = listen(&settings, views, (&intake, transport.as_ref()), (metrics, &closing), tasks).await?;
    announce(listening);

    let options = ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms: Some(millis(settings.projection.history)),
        with_readings: true,
    };
    let shelves = Shelves {
        seen: Box::new(store.seen_ids()),
        checkpoints: Box::new(store.checkpoints()),
        outbox: Arc::clone(&outbox),
    };
    let limits = LedgerLimits {
        dedup_window_ms: millis(settings.journal.dedup_window),
        series_max: u32::try_from(settings.ingest.series_max).unwrap_or(u32::MAX),
    };
    let catalog_to_restore = Arc::clone(&catalog);
    let restoring = blocking(move || {
        let restored = restore(&journal, shelves, &catalog_to_restore, options, limits)?;
        // From here on a kill leaves an outbox that knows where it began.
        store.flush()?;
        Ok::<_, RestoreError>((journal, restored))
    });
    let (journal, restored) = tokio::select! {
        restored = restoring => restored??,
        () = closed(&mut stop) => return Ok(()),
    };
    let parts = (journal, restored, outbox, last_word);
    start_corridor(parts, frame, (jobs_waiting, messages, messages_waiting), (&settings, &catalog, &clock), tasks);
    if let Some(transport) = transport {
        transport.start_taking(&settings, &intake, &closing, tasks)?;
    }
    if let Some(feed) = feed {
        let feeding = feed.run(Arc::clone(&intake), closing.doors.clone());
        tasks.spawn(async move {
            let result = feeding.await.map_err(|reason| HouseError::Ended { task: "feed", reason });
            ("feed", result)
        });
    }
    // What still holds the intake are the doors: when they have closed, the appender ends.
    drop(intake);
    Ok(())
}

/// Waits until a signal is given, or can be given no more.
pub(super) async fn closed(signal: &mut watch::Receiver<bool>) {
    let _ = signal.wait_for(|is_given| *is_given).await;
}

pub(super) fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, HouseError> {
    let joined = tokio::task::spawn_blocking(work).await;
    joined.map_err(|error| HouseError::Ended { task: "start", reason: error.to_string() })
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

type Channels = (
    mpsc::Receiver<crate::pipeline::intake::Job>,
    mpsc::Sender<crate::pipeline::live::Message>,
    mpsc::Receiver<crate::pipeline::live::Message>,
);

/// Starts the two threads of the corridor: the appender and the owner of the projection.
fn start_corridor(
    (journal, restored, outbox, last_word): (FileJournal, Restored, Arc<dyn Outbox>, LastWord),
    frame: Frame,
    (jobs, messages, messages_waiting): Channels,
    (settings, catalog, clock): (&Settings, &Arc<Catalog>, &Arc<dyn Clock>),
    tasks: &mut JoinSet<Ending>,
) {
    for position in restored.positions.all() {
        frame.positions.advance(&position);
    }
    let tail = journal.tail();
    frame.house.journal_end.store(tail.next.0.saturating_sub(1), Ordering::Release);
    frame.house.recorded_at.store(tail.recorded_at.0, Ordering::Release);
    let activation = Fact::CatalogActivated { fingerprint: catalog.fingerprint.clone(), files: catalog.files.clone() };
    let appender = Appender {
        journal: Box::new(journal),
        ledger: restored.ledger,
        clock: Arc::clone(clock),
        jobs,
        messages,
        next_due: Arc::clone(&frame.next_due),
        positions: frame.positions.clone(),
        house: Arc::clone(&frame.house),
        block_len_max: settings.journal.block_len_max,
        floor: restored.floor,
        first_facts: if restored.needs_activation { vec![activation] } else { Vec::new() },
    };
    let mut live = Live {
        projection: restored.projection,
        messages: messages_waiting,
        outbox,
        checkpoints: restored.checkpoints,
        board: frame.board,
        notices: frame.notices,
        readings: frame.readings,
        next_due: frame.next_due,
        house: Arc::clone(&frame.house),
        positions: frame.positions,
        post_every: settings.projection.post_every,
        checkpoint_every: settings.projection.checkpoint_every,
        names_saved: restored.names_saved,
    };
    live.keep_recent(&restored.recent);
    live.post();
    // The destinations looked before the journal's tail was in the outbox; without the bell it would wait for the next change.
    live.readings.bell.notify_one();
    frame.house.applied.store(live.projection.sequence().0, Ordering::Release);
    frame.house.ready.store(true, Ordering::Release);
    info!(sequence = live.projection.sequence().0, "ready");
    spawn_thread(tasks, "journal", move |runtime| {
        appender.run(runtime).map_err(|error| match error {
            AppendError::Journal(error) => HouseError::Journal(error),
            other => HouseError::Ended { task: "journal", reason: other.to_string() },
        })
    });
    spawn_thread(tasks, "projection", move |runtime| {
        let _last_word = last_word;
        live.run(runtime).map_err(HouseError::State)
    });
}

/// A thread of its own, watched like a task. A panic in it ends the house as well.
fn spawn_thread(
    tasks: &mut JoinSet<Ending>,
    name: &'static str,
    work: impl FnOnce(&tokio::runtime::Handle) -> Result<(), HouseError> + Send + 'static,
) {
    let runtime = tokio::runtime::Handle::current();
    let (report, ended) = oneshot::channel();
    let spawned = std::thread::Builder::new().name(format!("kpid-{name}")).spawn(move || {
        let _ = report.send(work(&runtime));
    });
    tasks.spawn(async move {
        let lost = |reason: String| Err(HouseError::Ended { task: name, reason });
        match spawned {
            Err(error) => (name, lost(format!("its thread cannot start: {error}"))),
            Ok(_) => (name, ended.await.unwrap_or_else(|_| lost("it panicked".to_owned()))),
        }
    });
}

fn house_state(frame: &Frame, settings: &Settings, transport: Option<&Transport>) -> Arc<dyn Fn() -> HouseState + Send + Sync> {
    let (house, disk) = (Arc::clone(&frame.house), Arc::clone(&frame.disk));
    let journal_path = settings.journal_dir().display().to_string();
    let nats = transport.map(Transport::watcher);
    Arc::new(move || {
        let is_ready = house.ready.load(Ordering::Acquire);
        let applied = house.applied.load(Ordering::Acquire);
        let journal_end = house.journal_end.load(Ordering::Acquire);
        let usage = disk.usage();
        let waiting_for = match (is_ready, usage.complaint()) {
            (false, _) => format!("the journal is being replayed: {applied} of {journal_end} facts"),
            (true, Some(complaint)) => complaint,
            (true, None) => String::new(),
        };
        HouseState {
            ready: waiting_for.is_empty(),
            waiting_for,
            journal_end: crate::domain::id::Sequence(journal_end),
            applied: crate::domain::id::Sequence(applied),
            recorded_at: Instant(house.recorded_at.load(Ordering::Acquire)),
            journal_bytes: usage.journal_bytes,
            segments: usage.segments,
            series: house.series.load(Ordering::Acquire),
            journal_path: journal_path.clone(),
            nats: nats.as_ref().map_or_else(|| "off".to_owned(), |nats| nats().to_owned()),
        }
    })
}

async fn listen(
    settings: &Settings,
    views: Arc<Window>,
    (intake, transport): (&Arc<dyn Intake>, Option<&Transport>),
    (metrics, closing): (MetricsHandle, &Closing),
    tasks: &mut JoinSet<Ending>,
) -> Result<SocketAddr, HouseError> {
    let address = settings.http.listen;
    let listener = tokio::net::TcpListener::bind(address).await;
    let listener = listener.map_err(|source| HouseError::Listen { address, source })?;
    let listening = listener.local_addr().map_err(|source| HouseError::Listen { address, source })?;
    let mut options = HttpOptions::new(Arc::new(SystemClock), Arc::new(move || metrics.render()));
    options.allowed_hosts = settings.http.hosts.clone();
    options.token = (!settings.http.token.is_empty()).then(|| settings.http.token.reveal().to_owned());
    options.base_url = settings.base_url(listening);
    options.request_timeout = settings.http.request_timeout;
    options.streams_max = settings.http.streams_max;
    options.closing = closing.windows.clone();
    let limits = HttpIngestLimits {
        body_len_max: usize::try_from(settings.http.body_len_max).unwrap_or(usize::MAX),
        body_time_max: settings.http.request_timeout,
        in_flight_max: settings.http.in_flight_max,
        retry_after: Duration::from_secs(1),
        decode: decode_limits(settings),
    };
    let rejections: Arc<dyn RejectionSink> = transport.map_or_else(Transport::nowhere, Transport::rejections);
    let door = crate::ingest::http::router(Arc::clone(intake), rejections, limits);
    let router = guard::guarded(routes(views, options.clone()).merge(door), &options);
    let mut doors = closing.doors.clone();
    tasks.spawn(async move {
        let closing = async move { closed(&mut doors).await };
        let served = axum::serve(listener, router).with_graceful_shutdown(closing).await;
        ("http", served.map_err(|error| HouseError::Ended { task: "http", reason: error.to_string() }))
    });
    Ok(listening)
}
