//! `GET /api/v1/scorecards` and `/api/v1/scorecards/{id}?instance=&at=`.
//!
//! The board answers what holds now; `at=` asks the projection for the past, with what is known now.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
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
use crate::ports::{InstanceQuery, PicturesQuery};
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
    if let Some(found) = params.text("known_at") {
        let detail = format!(
            "parameter `known_at`: found `{found}`: not supported yet: leave it out, or use `kpid replay --until` on a copy of the journal"
        );
        return Err(ProblemResponse::new(
            StatusCode::NOT_IMPLEMENTED,
            "not supported yet",
            detail,
        ));
    }
    let instance = params.instance()?;
    let board = windows.views.board();
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
