//! Windows and the HTTP door, wired: one server, one address, one guard for both.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::clock::SystemClock;
use super::doors;
use super::house::{Frame, HouseError, decode_limits};
use super::server::{Patience, serve};
use super::tasks::{Closing, Tasks};
use super::transport::Transport;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::http::{HttpOptions, guard, reload, retention, routes, what_if};
use crate::ingest::http::HttpIngestLimits;
use crate::pipeline::live::Window;
use crate::ports::{HouseState, Intake, RejectionSink, Reload, Retention, WhatIf};
use crate::settings::Settings;
use crate::telemetry::MetricsHandle;

/// Longest wait for requests in work when the house closes; the rest of the deadline is for what is behind the door.
const CLOSING_MAX: Duration = Duration::from_secs(5);

/// What is behind the routes.
pub(super) struct Front {
    /// What windows look through.
    pub views: Arc<Window>,
    /// Lets the catalog's files hold.
    pub reload: Arc<dyn Reload>,
    /// Drops the journal's beginning.
    pub retention: Arc<dyn Retention>,
    /// Folds the history under other definitions.
    pub what_if: Arc<dyn WhatIf>,
    /// Where measurements go.
    pub intake: Arc<dyn Intake>,
    /// Where refused input goes besides to its sender.
    pub rejections: Arc<dyn RejectionSink>,
    /// Threads for what comes in over HTTP.
    pub doors: tokio::runtime::Handle,
    /// Text of `/metrics`.
    pub metrics: MetricsHandle,
}

/// Binds the address and serves on it. The address leaves, with the port that was chosen.
pub(super) async fn open(
    settings: &Settings,
    front: Front,
    closing: &Closing,
    tasks: &mut Tasks,
) -> Result<SocketAddr, HouseError> {
    let address = settings.http.listen;
    let failed = |source| HouseError::Listen { address, source };
    let listener = tokio::net::TcpListener::bind(address).await.map_err(failed)?;
    let listening = listener.local_addr().map_err(failed)?;
    let options = options(settings, listening, &front, closing);
    let door = crate::ingest::http::router(front.intake, front.rejections, limits(settings));
    let door = doors::beside(door, front.doors);
    let asked = what_if::routes(front.what_if, options.request_timeout);
    let windows = routes(front.views, options.clone()).merge(reload::routes(front.reload));
    let windows = windows.merge(retention::routes(front.retention));
    let router = guard::guarded(windows.merge(asked).merge(door), &options);
    let patience = Patience {
        head: settings.http.request_timeout,
        closing: CLOSING_MAX.min(settings.shutdown.deadline / 2),
    };
    let doors = closing.doors.clone();
    tasks.spawn(async move {
        let served = serve(listener, router, patience, doors).await;
        ("http", served.map_err(|error| HouseError::ended("http", &error)))
    });
    Ok(listening)
}

fn options(settings: &Settings, listening: SocketAddr, front: &Front, closing: &Closing) -> HttpOptions {
    let metrics = front.metrics.clone();
    let mut options = HttpOptions::new(Arc::new(SystemClock), Arc::new(move || metrics.render()));
    options.allowed_hosts.clone_from(&settings.http.hosts);
    options.token = (!settings.http.token.is_empty()).then(|| settings.http.token.reveal().to_owned());
    options.base_url = settings.base_url(listening);
    options.request_timeout = settings.http.request_timeout;
    options.streams_max = settings.http.streams_max;
    options.closing = closing.windows.clone();
    options
}

fn limits(settings: &Settings) -> HttpIngestLimits {
    HttpIngestLimits {
        body_len_max: usize::try_from(settings.http.body_len_max).unwrap_or(usize::MAX),
        body_time_max: settings.http.request_timeout,
        in_flight_max: settings.http.in_flight_max,
        retry_after: Duration::from_secs(1),
        decode: decode_limits(settings),
    }
}

/// Tells how the house is, whenever it is asked.
pub(super) fn house_state(
    frame: &Frame,
    settings: &Settings,
    transport: Option<&Transport>,
) -> Arc<dyn Fn() -> HouseState + Send + Sync> {
    let (house, disk) = (Arc::clone(&frame.house), Arc::clone(&frame.disk));
    let journal_path = settings.journal_dir().display().to_string();
    let nats = transport.map(Transport::watcher);
    Arc::new(move || {
        let is_ready = house.ready.load(Ordering::Acquire);
        let applied = house.applied.load(Ordering::Acquire);
        let journal_end = house.journal_end.load(Ordering::Acquire);
        let usage = disk.usage();
        let waiting_for = match (is_ready, usage.complaint) {
            (false, _) => "the replay of the journal".to_owned(),
            (true, Some(complaint)) => complaint,
            (true, None) => String::new(),
        };
        HouseState {
            ready: waiting_for.is_empty(),
            waiting_for,
            journal_first: usage.first,
            journal_end: Sequence(journal_end),
            applied: Sequence(applied),
            recorded_at: Instant(house.recorded_at.load(Ordering::Acquire)),
            journal_bytes: usage.journal_bytes,
            segments: usage.segments,
            series: house.series.load(Ordering::Acquire),
            journal_path: journal_path.clone(),
            nats: nats.as_ref().map_or_else(|| "off".to_owned(), |nats| nats().to_owned()),
        }
    })
}
