//! `GET /api/v1/scorecards` and `/api/v1/scorecards/{id}?instance=&at=&known_at=`.
//!
//! The board answers what holds now; `at=` asks the projection for the past, with what is known now, and `known_at=` asks for
//! what was known at an instant: of itself, or with `at=` of another.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use super::Windows;
use super::params::Params;
use super::problem::ProblemResponse;
use crate::domain::board::{Board, Picture};
use crate::domain::id::InstanceId;
use crate::domain::instant::Instant;
use crate::ports::{InstanceQuery, KnownQuery, PicturesQuery};
use crate::wire::scorecard::{ScorecardBody, ScorecardEntry, shown_at};

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new()
        .route("/api/v1/scorecards", get(list))
        .route("/api/v1/scorecards/{id}", get(one))
}

async fn list(State(windows): State<Arc<Windows>>, uri: Uri) -> Result<Response, ProblemResponse> {
    Params::read(&uri, &[])?;
    let board = windows.views.board();
    let entries: Vec<ScorecardEntry<'_>> = board
        .scorecards
        .iter()
        .filter_map(|on_board| {
            let scorecard = board.catalog.scorecard(on_board.overall.scorecard.as_str())?;
            ScorecardEntry::new(scorecard, on_board, &board.alerts)
        })
        .collect();
    let body = json!({
        "at": shown_at(board.at),
        "sequence": board.sequence.0,
        "catalog": board.catalog.fingerprint,
        "scorecards": entries,
    });
    Ok(Json(body).into_response())
}

async fn one(
    State(windows): State<Arc<Windows>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["instance", "at", "known_at"])?;
    let instance = params.instance()?;
    let board = windows.views.board();
    if let Some(known_at) = params.known_at(windows.options.clock.now())? {
        let at = params.instant("at")?;
        let query = KnownQuery {
            scorecard: id,
            instance,
            at,
            known_at,
        };
        let known = windows.views.hindsight().picture(query).await?;
        let body = ScorecardBody::new(&known.answer, &known.catalog.fingerprint);
        return Ok(Json(body.known_at(Some(known_at))).into_response());
    }
    let picture = match params.instant("at")? {
        None => picture(&windows, &board, &id, instance).await?,
        Some(at) => {
            overall(&board, &id)?;
            past(&windows, &id, instance, at).await?
        }
    };
    Ok(Json(ScorecardBody::new(&picture, &board.catalog.fingerprint)).into_response())
}

/// The picture of a scorecard on the board, or of an instance as it is now; or a problem that names what there is.
pub(super) async fn picture(
    windows: &Windows,
    board: &Board,
    id: &str,
    instance: Option<InstanceId>,
) -> Result<Arc<Picture>, ProblemResponse> {
    let overall = overall(board, id)?;
    let Some(instance) = instance else {
        return Ok(Arc::clone(overall));
    };
    let query = InstanceQuery {
        scorecard: id.to_owned(),
        instance,
    };
    Ok(Arc::new(windows.views.instance(query).await?))
}

/// The picture of a scorecard on the board, or a problem that names those there are.
pub(super) fn overall<'a>(board: &'a Board, id: &str) -> Result<&'a Arc<Picture>, ProblemResponse> {
    board.picture(id).ok_or_else(|| {
        let known = board.scorecards.iter().map(|known| known.overall.scorecard.as_str());
        let known = known.collect::<Vec<_>>().join(", ");
        ProblemResponse::unknown(format!("there is no scorecard `{id}`: use one of {known}"))
    })
}

async fn past(
    windows: &Windows,
    id: &str,
    instance: Option<InstanceId>,
    at: Instant,
) -> Result<Arc<Picture>, ProblemResponse> {
    let query = PicturesQuery {
        scorecard: id.to_owned(),
        instance,
        at: vec![at],
    };
    let picture = windows.views.pictures(query).await?.into_iter().next();
    picture
        .map(Arc::new)
        .ok_or_else(|| ProblemResponse::unknown(format!("scorecard `{id}` has no picture at {at}")))
}
