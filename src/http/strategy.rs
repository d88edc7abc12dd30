//! `GET /api/v1/scorecards/{id}/strategy?instance=&from=&to=&every=`: the strategy map with what the history shows of it.
//!
//! The objectives of the board enter with their scores at equal steps of the past; arrows with lag, coefficient and a word leave.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::params::Params;
use super::problem::ProblemResponse;
use super::{Windows, explain, scorecards};
use crate::domain::board::{Board, Picture};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant};
use crate::domain::strategy::{Arrow, arrows};
use crate::ports::PicturesQuery;
use crate::wire::strategy::{StrategyBody, StrategyMap};

/// Steps of the past without `from`: half a year of days, within which a strategy rarely changes.
const STEPS_DEFAULT: i64 = 180;
/// Steps at most: every one is computed anew.
const STEPS_MAX: i64 = 400;
/// Longest lag tried, in steps: a month of days. Every lag tried makes the others harder to believe.
const LAG_MAX: i64 = 30;
/// Parts of the past that the longest lag may take, so that pairs are left.
const LAG_PART: i64 = 3;

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new().route("/api/v1/scorecards/{id}/strategy", get(strategy))
}

async fn strategy(
    State(windows): State<Arc<Windows>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["instance", "from", "to", "every"])?;
    let board = windows.views.board();
    let asked = Asked::read(&windows, &board, &id, &params).await?;
    Ok(Json(StrategyBody::new(&asked.map(&board, &id)?)).into_response())
}

/// What a map is drawn from.
pub(super) struct Asked {
    picture: Arc<Picture>,
    past: Past,
    scores: Vec<Vec<Option<f64>>>,
}

impl Asked {
    /// What an address asks for.
    pub async fn read(windows: &Windows, board: &Board, id: &str, params: &Params) -> Result<Self, ProblemResponse> {
        explain::known(&board.catalog, id)?;
        let instance = params.instance()?;
        let past = Past::read(params, windows.options.clock.now())?;
        let picture = scorecards::picture(windows, board, id, instance.clone()).await?;
        let scores = windows.views.scores(past.query(id, instance)).await?;
        Ok(Self { picture, past, scores })
    }

    /// The map.
    pub fn map<'a>(&'a self, board: &'a Board, id: &str) -> Result<StrategyMap<'a>, ProblemResponse> {
        let scorecard = board.catalog.scorecard(id);
        let scorecard =
            scorecard.ok_or_else(|| ProblemResponse::unknown(format!("scorecard `{id}` is not defined")))?;
        Ok(StrategyMap {
            scorecard,
            picture: &self.picture,
            range: (self.past.from, self.past.to),
            every_ms: self.past.every_ms,
            arrows: self.past.arrows(scorecard, &self.scores),
        })
    }
}

/// The past that arrows are judged by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Past {
    from: Instant,
    to: Instant,
    every_ms: i64,
}

impl Past {
    /// Reads the range; both ends stand on steps.
    fn read(params: &Params, now: Instant) -> Result<Self, ProblemResponse> {
        let every_ms = params.duration_ms("every")?.unwrap_or(DAY_MS);
        if every_ms < HOUR_MS {
            let found = params.text("every").unwrap_or_default();
            return Err(ProblemResponse::parameter(
                "every",
                found,
                "give an hour or more, such as 1d",
            ));
        }
        let last = params
            .instant("to")?
            .unwrap_or(now)
            .plus_ms(1 - every_ms)
            .round_up(every_ms);
        let first = match params.instant("from")? {
            Some(from) => from.round_up(every_ms),
            None => last.plus_ms(-every_ms * (STEPS_DEFAULT - 1)).max(Instant::EARLIEST),
        };
        let steps = last.since(first) / every_ms + 1;
        if first > last || steps > STEPS_MAX {
            let found = params.text("from").unwrap_or_default();
            let remedy = format!("give an instant before `to`, at most {STEPS_MAX} steps of `every` earlier");
            return Err(ProblemResponse::parameter("from", found, &remedy));
        }
        Ok(Self {
            from: first,
            to: last,
            every_ms,
        })
    }

    fn steps(self) -> i64 {
        self.to.since(self.from) / self.every_ms + 1
    }

    /// What is asked of the projection.
    fn query(self, scorecard: &str, instance: Option<crate::domain::id::InstanceId>) -> PicturesQuery {
        let instants = (0..self.steps()).map(|step| self.from.plus_ms(step * self.every_ms));
        PicturesQuery {
            scorecard: scorecard.to_owned(),
            instance,
            at: instants.collect(),
        }
    }

    /// The arrows by these scores.
    fn arrows(self, scorecard: &crate::domain::catalog::Scorecard, scores: &[Vec<Option<f64>>]) -> Vec<Arrow> {
        let lag_max = LAG_MAX.min(self.steps() / LAG_PART);
        arrows(scorecard, scores, usize::try_from(lag_max).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn past(query: &str) -> Result<Past, ProblemResponse> {
        let uri = format!("/x?{query}").parse().unwrap();
        let params = Params::read(&uri, &["from", "to", "every"])?;
        Past::read(&params, Instant(1_772_359_200_000))
    }

    #[test]
    fn without_words_it_is_half_a_year_of_days_up_to_the_last_midnight() {
        let found = past("").unwrap();
        assert_eq!(found.to.to_string(), "2026-03-01T00:00:00Z");
        assert_eq!((found.steps(), found.every_ms), (180, DAY_MS));
        assert_eq!(found.query("it", None).at.len(), 180);
    }

    #[test]
    fn ends_are_put_on_steps() {
        let found = past("from=2026-01-01T05:00:00Z&to=2026-02-01T00:00:00Z&every=1d").unwrap();
        assert_eq!(found.from.to_string(), "2026-01-02T00:00:00Z");
        assert_eq!(found.to.to_string(), "2026-02-01T00:00:00Z");
    }

    #[test]
    fn what_is_too_fine_too_long_or_turned_around_is_refused() {
        for query in [
            "every=5m",
            "from=2020-01-01T00:00:00Z",
            "from=2026-02-01T00:00:00Z&to=2026-01-01T00:00:00Z",
        ] {
            assert!(past(query).is_err(), "{query}");
        }
    }
}
