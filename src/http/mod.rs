//! WINDOWS: what is seen of kpid over HTTP. The JSON API, the stream, health, the dashboard.
//!
//! Requests enter, pictures of the board leave; nothing here changes anything but by asking a door for it. Every route reads [`Views`], whose board shows
//! only what is durable. Never a lock around state, never a file from disk: pages, styles and scripts are in the binary.
//!
//! | route | what |
//! |---|---|
//! | `GET /api/v1/scorecards`, `/scorecards/{id}` | [`scorecards`] |
//! | `GET /api/v1/scorecards/{id}/explain`, `/scorecards/{id}/strategy` | [`explain`], [`strategy`] |
//! | `GET /api/v1/scorecards/{id}/restatement` | [`restatement`] |
//! | `GET /api/v1/kpis`, `/kpis/{id}`, `/kpis/{id}/readings` | [`kpis`] |
//! | `GET /api/v1/alerts` | [`alerts`] |
//! | `POST /api/v1/reload` | [`reload`] |
//! | `POST /api/v1/what-if` | [`what_if`] |
//! | `GET /api/v1/journal`, `/livez`, `/readyz`, `/metrics` | [`health`] |
//! | `POST /api/v1/journal/trim` | [`retention`] |
//! | `GET /api/v1/stream` | [`stream`]: server-sent events |
//! | `GET /`, `/scorecards/{id}`, `.../explain`, `.../restatement`, `.../strategy`, `/assets/..` | [`dashboard`] |
//!
//! [`guard`] stands before every one of them.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use tokio::sync::{Semaphore, watch};

use crate::ports::{Clock, Views};

pub mod alerts;
pub mod dashboard;
pub mod explain;
#[cfg(test)]
mod fake;
pub mod guard;
pub mod health;
pub mod kpis;
mod meter;
pub mod params;
pub mod problem;
pub mod reload;
pub mod restatement;
pub mod retention;
pub mod scorecards;
pub mod strategy;
pub mod stream;
#[cfg(test)]
mod tests;
pub mod what_if;

/// What the windows need to know besides [`Views`].
#[derive(Clone)]
pub struct HttpOptions {
    /// What "now" is in defaults and in "3 hours ago".
    pub clock: Arc<dyn Clock>,
    /// The text of `/metrics`, in the format of Prometheus.
    pub render: Arc<dyn Fn() -> String + Send + Sync>,
    /// Names under which browsers may ask, without port, besides loopback names and addresses.
    pub allowed_hosts: Vec<String>,
    /// What callers must show, when set; `/livez` and `/readyz` stay free.
    pub token: Option<String>,
    /// Where people reach the dashboard, without a slash at its end; empty makes links relative.
    pub base_url: String,
    /// A request that takes longer is answered 503; a stream lives on.
    pub request_timeout: Duration,
    /// Streams open at the same time.
    pub streams_max: usize,
    /// A silent stream says so this often; shorter than the idle limits of common proxies (30 s and more).
    pub heartbeat: Duration,
    /// Becomes `true` when the house closes: streams end, so that the server can drain.
    pub closing: watch::Receiver<bool>,
}

impl HttpOptions {
    /// The defaults: loopback only, no token, 30 s, 1,000 streams.
    pub fn new(clock: Arc<dyn Clock>, render: Arc<dyn Fn() -> String + Send + Sync>) -> Self {
        Self {
            clock,
            render,
            allowed_hosts: Vec::new(),
            token: None,
            base_url: String::new(),
            request_timeout: Duration::from_secs(30),
            streams_max: 1_000,
            heartbeat: Duration::from_secs(15),
            closing: watch::channel(false).1,
        }
    }
}

/// What every route can reach.
pub(crate) struct Windows {
    views: Arc<dyn Views>,
    options: HttpOptions,
    streams: Arc<Semaphore>,
    shelf: dashboard::history::Shelf,
}

/// All routes of the windows behind the guard.
pub fn router(views: Arc<dyn Views>, options: HttpOptions) -> Router {
    let rules = options.clone();
    guard::guarded(routes(views, options), &rules)
}

/// All routes of the windows, to be merged with other doors before [`guard::guarded`] is put around the whole.
pub fn routes(views: Arc<dyn Views>, options: HttpOptions) -> Router {
    let streams = Arc::new(Semaphore::new(options.streams_max));
    let windows = Arc::new(Windows {
        views,
        options,
        streams,
        shelf: dashboard::history::Shelf::default(),
    });
    Router::new()
        .merge(scorecards::routes())
        .merge(explain::routes())
        .merge(restatement::routes())
        .merge(strategy::routes())
        .merge(kpis::routes())
        .merge(alerts::routes())
        .merge(health::routes())
        .merge(stream::routes())
        .merge(dashboard::routes())
        .with_state(windows)
}
