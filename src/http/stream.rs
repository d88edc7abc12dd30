//! `GET /api/v1/stream?scorecard=`: server-sent events, for pages and scripts that follow along.
//!
//! `event: readings` carries an array of readings with path and instant, `event: alert` one transition. Between them a
//! comment every 15 s keeps proxies from closing the line. A reader that falls behind gets `event: lagged` with the number
//! of notices it missed and goes on: it should ask for the whole again. The projection never waits for a reader.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::stream::{self, Stream, StreamExt};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};

use super::params::Params;
use super::problem::ProblemResponse;
use super::{Windows, scorecards};
use crate::domain::reading::ReadingChange;
use crate::ports::Notice;
use crate::telemetry::metric;
use crate::wire::alert::AlertBody;
use crate::wire::reading::ReadingBody;
use crate::wire::scorecard::belongs_to;

/// How long a browser waits before it connects again.
const RETRY: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new().route("/api/v1/stream", get(follow))
}

async fn follow(State(windows): State<Arc<Windows>>, uri: Uri) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["scorecard"])?;
    let scorecard = params.text("scorecard").map(str::to_owned);
    if let Some(id) = &scorecard {
        scorecards::overall(&windows.views.board(), id)?;
    }
    let permit = Arc::clone(&windows.streams).try_acquire_owned().map_err(|_| {
        let limit = windows.options.streams_max;
        let detail = format!("{limit} streams are open already: close one, or raise `http.streams_max`");
        ProblemResponse::new(StatusCode::SERVICE_UNAVAILABLE, "too many streams", detail)
    })?;
    let reader = Reader {
        notices: windows.views.subscribe(),
        closing: windows.options.closing.clone(),
        base_url: windows.options.base_url.clone(),
        scorecard,
        _open: Open::new(permit),
    };
    let heartbeat = KeepAlive::new().interval(windows.options.heartbeat).text("still here");
    // The header keeps nginx from collecting events into blocks.
    let unbuffered = [("x-accel-buffering", "no")];
    Ok((unbuffered, Sse::new(reader.events()).keep_alive(heartbeat)).into_response())
}

/// One open stream.
struct Reader {
    notices: broadcast::Receiver<Arc<Notice>>,
    closing: watch::Receiver<bool>,
    base_url: String,
    scorecard: Option<String>,
    _open: Open,
}

/// The place of an open stream, counted as long as it is held.
struct Open {
    _place: OwnedSemaphorePermit,
}

impl Open {
    fn new(place: OwnedSemaphorePermit) -> Self {
        metrics::gauge!(metric::HTTP_STREAMS).increment(1.0);
        Self { _place: place }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        metrics::gauge!(metric::HTTP_STREAMS).decrement(1.0);
    }
}

impl Reader {
    fn events(self) -> impl Stream<Item = Result<Event, Infallible>> {
        let hello = stream::once(async { Ok(Event::default().comment("kpid").retry(RETRY)) });
        hello.chain(stream::unfold(self, Self::next))
    }

    async fn next(mut self) -> Option<(Result<Event, Infallible>, Self)> {
        loop {
            let notice = tokio::select! {
                biased;
                () = closed(&mut self.closing) => return None,
                notice = self.notices.recv() => notice,
            };
            let event = match notice {
                Ok(notice) => self.event(&notice),
                Err(RecvError::Lagged(missed)) => Some(lagged(missed)),
                Err(RecvError::Closed) => return None,
            };
            if let Some(event) = event {
                return Some((Ok(event), self));
            }
        }
    }

    /// The event of a notice; `None` where nothing of it is for this reader.
    fn event(&self, notice: &Notice) -> Option<Event> {
        match notice {
            Notice::Readings(changes) => {
                let wanted: Vec<ReadingBody<'_>> = changes
                    .iter()
                    .filter(|change: &&ReadingChange| self.wants(&change.path))
                    .map(ReadingBody::alone)
                    .collect();
                (!wanted.is_empty()).then(|| named("readings", serde_json::to_string(&wanted)))
            }
            Notice::Alert(transition) => self.wants(&transition.path).then(|| {
                named(
                    "alert",
                    serde_json::to_string(&AlertBody::new(transition, &self.base_url)),
                )
            }),
        }
    }

    fn wants(&self, path: &str) -> bool {
        let scorecard = self.scorecard.as_deref();
        scorecard.is_none_or(|scorecard| belongs_to(path, scorecard))
    }
}

fn named(name: &str, data: serde_json::Result<String>) -> Event {
    // Letters of ours are plain trees with text keys: they always have a JSON form.
    Event::default().event(name).data(data.unwrap_or_default())
}

fn lagged(missed: u64) -> Event {
    let remedy = "ask for the scorecard again, then go on reading";
    named("lagged", Ok(json!({"missed": missed, "remedy": remedy}).to_string()))
}

/// Waits until the house closes; for ever when nobody can say so any more.
async fn closed(closing: &mut watch::Receiver<bool>) {
    if closing.wait_for(|closing| *closing).await.is_err() {
        std::future::pending::<()>().await;
    }
}
