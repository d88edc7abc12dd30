//! `GET /api/v1/kpis`, `/api/v1/kpis/{id}?instance=`, `/api/v1/kpis/{id}/readings?from=&to=&every=&instance=&known_at=`.
//!
//! Readings of the past are computed from what is known now: late measurements and corrections are in them. With `known_at`
//! they are computed from what was known then.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::params::Params;
use super::problem::ProblemResponse;
use super::{Windows, scorecards};
use crate::domain::board::Board;
use crate::domain::catalog::{KpiDefinition, Scorecard};
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use crate::domain::reading::Reading;
use crate::ports::ReadingsQuery;
use crate::wire::reading::ReadingBody;
use crate::wire::scorecard::{KpiBody, duration_word, kpi_entries, kpi_node, shown_at};

/// Readings in one answer: a chart has no more pixels than that, and one question must not hold up the others.
pub const POINTS_MAX: i64 = 2_000;
/// Without `every`, the finest step of the ladder that stays within so many points.
const POINTS_DEFAULT: i64 = 200;
/// Without `from`, so far back.
const RANGE_DEFAULT_MS: i64 = 30 * DAY_MS;
/// Steps that people read easily.
const LADDER_MS: [i64; 8] = [
    MINUTE_MS,
    5 * MINUTE_MS,
    15 * MINUTE_MS,
    HOUR_MS,
    6 * HOUR_MS,
    DAY_MS,
    7 * DAY_MS,
    28 * DAY_MS,
];

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new()
        .route("/api/v1/kpis", get(list))
        .route("/api/v1/kpis/{id}", get(one))
        .route("/api/v1/kpis/{id}/readings", get(readings))
}

async fn list(State(windows): State<Arc<Windows>>, uri: Uri) -> Result<Response, ProblemResponse> {
    Params::read(&uri, &[])?;
    let board = windows.views.board();
    let body = json!({
        "at": shown_at(board.at),
        "sequence": board.sequence.0,
        "kpis": kpi_entries(&board),
    });
    Ok(Json(body).into_response())
}

async fn one(
    State(windows): State<Arc<Windows>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["instance"])?;
    let board = windows.views.board();
    let (scorecard, kpi) = definition(&board, &id)?;
    let picture = scorecards::picture(&windows, &board, scorecard.id.as_str(), params.instance()?).await?;
    let node = kpi_node(&picture, &id)
        .ok_or_else(|| ProblemResponse::unknown(format!("KPI `{id}` is not on the board yet: try again")))?;
    Ok(Json(KpiBody::new(scorecard, kpi, node)).into_response())
}

fn definition<'a>(board: &'a Board, id: &str) -> Result<(&'a Scorecard, &'a KpiDefinition), ProblemResponse> {
    let found = KpiId::parse(id).ok().and_then(|id| board.catalog.kpi(&id));
    found.ok_or_else(|| {
        ProblemResponse::unknown(format!(
            "there is no KPI `{id}`: `/api/v1/kpis` lists those of the catalog"
        ))
    })
}

async fn readings(
    State(windows): State<Arc<Windows>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["from", "to", "every", "instance", "known_at"])?;
    let now = windows.options.clock.now();
    let known_at = params.known_at(now)?;
    let instance = params.instance()?;
    let range = Range::read(&params, known_at.unwrap_or(now))?;
    let (found, unit) = if let Some(known_at) = known_at {
        known(&windows, &id, instance.clone(), (&range, known_at)).await?
    } else {
        let board = windows.views.board();
        let (scorecard, kpi) = definition(&board, &id)?;
        scorecards::overall(&board, scorecard.id.as_str())?;
        let query = ReadingsQuery {
            kpi: kpi.id.clone(),
            instance: instance.clone(),
            at: range.instants(),
        };
        (windows.views.readings(query).await?, kpi.unit.clone())
    };
    let entries: Vec<ReadingBody<'_>> = found
        .iter()
        .map(|(at, reading)| {
            let mut body = ReadingBody::of(reading);
            body.at = Some(at.to_string());
            body
        })
        .collect();
    let body = json!({
        "kpi": id,
        "instance": instance.as_ref().map(InstanceId::as_str),
        "unit": unit,
        "from": range.from.to_string(),
        "to": range.to.to_string(),
        "every": duration_word(range.every_ms),
        "known_at": known_at.map(|known_at| known_at.to_string()),
        "readings": entries,
    });
    Ok(Json(body).into_response())
}

/// Readings as they were known, and their unit of then.
async fn known(
    windows: &Windows,
    id: &str,
    instance: Option<InstanceId>,
    (range, known_at): (&Range, Instant),
) -> Result<(Vec<(Instant, Reading)>, String), ProblemResponse> {
    let kpi = KpiId::parse(id).map_err(|error| ProblemResponse::unknown(format!("there is no KPI `{id}`: {error}")))?;
    let query = ReadingsQuery {
        kpi: kpi.clone(),
        instance,
        at: range.instants(),
    };
    let known = windows.views.hindsight().readings(query, known_at).await?;
    let unit = known.catalog.kpi(&kpi).map(|(_, kpi)| kpi.unit.clone());
    Ok((known.answer, unit.unwrap_or_default()))
}

/// The instants asked for: `from`, then every `every_ms`, up to `to`.
#[derive(Debug, PartialEq, Eq)]
struct Range {
    from: Instant,
    to: Instant,
    every_ms: i64,
}

impl Range {
    fn read(params: &Params, now: Instant) -> Result<Self, ProblemResponse> {
        let to = params.instant("to")?.unwrap_or(now);
        let from = params.instant("from")?.unwrap_or_else(|| to.plus_ms(-RANGE_DEFAULT_MS));
        let length = to.since(from);
        if length < 0 {
            let found = from.to_string();
            return Err(ProblemResponse::parameter(
                "from",
                &found,
                &format!("it must not be after `to`, {to}"),
            ));
        }
        let every_ms = params.duration_ms("every")?.unwrap_or_else(|| every_for(length));
        let range = Self { from, to, every_ms };
        match range.count() {
            0..=POINTS_MAX => Ok(range),
            count => Err(too_many(count, length)),
        }
    }

    fn count(&self) -> i64 {
        self.to.since(self.from) / self.every_ms + 1
    }

    fn instants(&self) -> Vec<Instant> {
        (0..self.count())
            .map(|step| self.from.plus_ms(step * self.every_ms))
            .collect()
    }
}

/// The finest step that keeps a range within the default number of points.
fn every_for(length: i64) -> i64 {
    let fits = |every: &&i64| length / **every < POINTS_DEFAULT;
    LADDER_MS.iter().find(fits).copied().unwrap_or(365 * DAY_MS)
}

fn too_many(count: i64, length: i64) -> ProblemResponse {
    let fits = |every: &&i64| length / **every < POINTS_MAX;
    let remedy = LADDER_MS.iter().find(fits).map_or(365 * DAY_MS, |every| *every);
    let detail = format!(
        "parameter `every`: the range has {count} points, at most {POINTS_MAX} are given at once: use every={} or more, or a shorter range",
        duration_word(remedy)
    );
    ProblemResponse::new(StatusCode::BAD_REQUEST, "too many points", detail)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant = Instant(1_772_359_200_000);

    fn range(query: &str) -> Result<Range, ProblemResponse> {
        let uri: Uri = format!("/x?{query}").parse().unwrap();
        Range::read(&Params::read(&uri, &["from", "to", "every"]).unwrap(), NOW)
    }

    #[test]
    fn without_words_it_is_the_last_thirty_days_in_readable_steps() {
        let found = range("").unwrap();
        assert_eq!((found.to, found.from), (NOW, NOW.plus_ms(-30 * DAY_MS)));
        assert_eq!(found.every_ms, 6 * HOUR_MS);
        assert_eq!(found.instants().len(), 121);
        assert_eq!(found.instants().last(), Some(&NOW));
    }

    #[test]
    fn both_ends_are_included_and_the_limit_is_exact() {
        let from = NOW.plus_ms(-1_999 * HOUR_MS).0;
        assert_eq!(range(&format!("from={from}&every=1h")).unwrap().count(), 2_000);
        let problem = range(&format!("from={}&every=1h", from - HOUR_MS)).unwrap_err();
        assert!(
            problem.detail.contains("2001 points, at most 2000"),
            "{}",
            problem.detail
        );
        assert!(problem.detail.contains("every=6h"), "{}", problem.detail);
    }

    #[test]
    fn a_range_that_ends_before_it_begins_is_refused() {
        assert!(range("from=2026-03-01T00:00:01Z&to=2026-03-01T00:00:00Z").is_err());
        assert_eq!(
            range("from=2026-03-01T00:00:00Z&to=2026-03-01T00:00:00Z")
                .unwrap()
                .count(),
            1
        );
    }
}
