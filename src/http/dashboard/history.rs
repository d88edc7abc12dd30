//! The past as a page draws it: some thirty instants up to now, asked in one query a page.
//!
//! Pages that many people watch would ask the projection the same again and again; answers are kept for a few seconds.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::board::{NodeView, Picture};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use crate::domain::reading::Reading;
use crate::http::Windows;
use crate::http::params::Params;
use crate::http::problem::ProblemResponse;
use crate::ports::PicturesQuery;

/// Points of a sparkline, now included.
const POINTS: i64 = 31;
/// Answers are kept so long: shorter than anyone would look for a late measurement in a sparkline.
const KEPT_MS: i64 = 10_000;
/// So many answers are kept; a picture is some ten kilobytes.
const KEPT_MAX: usize = 64;

/// How far back a page looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// As the address names it.
    pub key: &'static str,
    /// In words.
    pub words: &'static str,
    step_ms: i64,
}

/// What a page may look back; the third is the default.
pub const SPANS: [Span; 5] = [
    Span {
        key: "24h",
        words: "24 hours",
        step_ms: 48 * MINUTE_MS,
    },
    Span {
        key: "7d",
        words: "7 days",
        step_ms: 336 * MINUTE_MS,
    },
    DEFAULT_SPAN,
    Span {
        key: "90d",
        words: "90 days",
        step_ms: 3 * DAY_MS,
    },
    Span {
        key: "1y",
        words: "12 months",
        step_ms: 292 * HOUR_MS,
    },
];

/// Without words, a page looks back so far.
pub const DEFAULT_SPAN: Span = Span {
    key: "30d",
    words: "30 days",
    step_ms: DAY_MS,
};

impl Span {
    /// `span` of a query.
    pub fn read(params: &Params) -> Result<Self, ProblemResponse> {
        let Some(key) = params.text("span") else {
            return Ok(DEFAULT_SPAN);
        };
        let found = SPANS.into_iter().find(|span| span.key == key);
        found.ok_or_else(|| ProblemResponse::parameter("span", key, "use 24h, 7d, 30d, 90d or 1y"))
    }

    /// Multiples of the step, so that a page drawn again shows the same points; now itself comes from the board.
    fn instants(self, now: Instant) -> Vec<Instant> {
        let latest = now.0.div_euclid(self.step_ms);
        let first = latest - (POINTS - 2);
        (first..=latest).map(|step| Instant(step * self.step_ms)).collect()
    }
}

/// Pictures of the past, oldest first.
#[derive(Debug, Clone, Default)]
pub struct History {
    pictures: Arc<Vec<Picture>>,
}

impl History {
    /// What one node said, oldest first, with what it says now at the end. `index` is its place in the picture of now.
    pub fn of(&self, index: usize, now: &NodeView, pick: fn(&Reading) -> Option<f64>) -> Vec<Option<f64>> {
        if self.pictures.is_empty() {
            // One point is no line.
            return Vec::new();
        }
        let then = self.pictures.iter().map(|picture| {
            let at_place = picture.nodes.get(index).filter(|node| node.path == now.path);
            let node = at_place.or_else(|| picture.nodes.iter().find(|node| node.path == now.path))?;
            pick(&node.reading)
        });
        then.chain([pick(&now.reading)]).collect()
    }
}

type Key = (String, Option<String>, &'static str);

/// Answers of the last seconds.
#[derive(Debug, Default)]
pub struct Shelf {
    kept: Mutex<HashMap<Key, (Instant, History)>>,
}

impl Shelf {
    fn find(&self, key: &Key, now: Instant) -> Option<History> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let (at, history) = kept.get(key)?;
        (0..KEPT_MS).contains(&now.since(*at)).then(|| history.clone())
    }

    fn keep(&self, key: Key, now: Instant, history: &History) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, (now, history.clone()));
    }
}

/// The past of a scorecard. A page without its past is still a page: a question that fails leaves the lines out.
pub(in crate::http) async fn ask(windows: &Windows, picture: &Picture, span: Span) -> History {
    let now = windows.options.clock.now();
    let instance = picture.instance.as_ref().map(|instance| instance.as_str().to_owned());
    let key = (picture.scorecard.as_str().to_owned(), instance, span.key);
    if let Some(history) = windows.shelf.find(&key, now) {
        return history;
    }
    let query = PicturesQuery {
        scorecard: picture.scorecard.as_str().to_owned(),
        instance: picture.instance.clone(),
        at: span.instants(now),
    };
    match windows.views.pictures(query).await {
        Ok(pictures) => {
            let history = History {
                pictures: Arc::new(pictures),
            };
            windows.shelf.keep(key, now, &history);
            history
        }
        Err(error) => {
            tracing::debug!(%error, scorecard = %picture.scorecard, "page drawn without its past");
            History::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_has_thirty_steps_up_to_now() {
        let now = Instant(1_772_359_200_000);
        for span in SPANS {
            let instants = span.instants(now);
            assert_eq!(instants.len(), 30, "{}", span.key);
            let latest = *instants.last().unwrap();
            assert!(latest <= now && now.since(latest) < span.step_ms, "{}", span.key);
        }
        let days = DEFAULT_SPAN.instants(now);
        assert_eq!(days[0], Instant(1_772_323_200_000 - 29 * DAY_MS));
    }

    #[test]
    fn answers_are_kept_for_seconds_only() {
        let shelf = Shelf::default();
        let key = || ("it".to_owned(), None, "30d");
        shelf.keep(key(), Instant(0), &History::default());
        assert!(shelf.find(&key(), Instant(KEPT_MS - 1)).is_some());
        assert!(shelf.find(&key(), Instant(KEPT_MS)).is_none());
        assert!(shelf.find(&key(), Instant(-1)).is_none());
    }
}
