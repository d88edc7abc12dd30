//! `GET /api/v1/scorecards/{id}/restatement?from=&to=&every=&instance=`.
//!
//! A scorecard and two instants enter; what was published between them and is said otherwise now leaves, with the causes.
//! Instants are the ends of the scorecard's local days, or multiples of `every`.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::Windows;
use super::explain::known;
use super::params::Params;
use super::problem::ProblemResponse;
use crate::domain::catalog::Catalog;
use crate::domain::instant::{DAY_MS, Instant};
use crate::domain::restatement::{INSTANTS_MAX, instants};
use crate::ports::PicturesQuery;
use crate::wire::restatement::RestatementBody;

/// Without `from`, so far back.
pub(super) const RANGE_DEFAULT_MS: i64 = 30 * DAY_MS;

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new().route("/api/v1/scorecards/{id}/restatement", get(restatement))
}

async fn restatement(
    State(windows): State<Arc<Windows>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["instance", "from", "to", "every"])?;
    let catalog = Arc::clone(&windows.views.board().catalog);
    let (range, query) = question(&catalog, &id, &params, windows.options.clock.now())?;
    let told = windows.views.hindsight().restatement(query).await?;
    Ok(Json(RestatementBody::new(&told, range)).into_response())
}

/// The question that an address asks, and its two ends.
pub(super) fn question(
    catalog: &Catalog,
    id: &str,
    params: &Params,
    now: Instant,
) -> Result<((Instant, Instant), PicturesQuery), ProblemResponse> {
    known(catalog, id)?;
    let to = params.field_instant("to")?.unwrap_or(now);
    let from = params.field_instant("from")?;
    let from = from.unwrap_or_else(|| to.plus_ms(-RANGE_DEFAULT_MS).max(Instant::EARLIEST));
    if from >= to {
        let remedy = format!("give an instant before {to}");
        return Err(ProblemResponse::parameter("from", &from.to_string(), &remedy));
    }
    let every_ms = params.duration_ms("every")?;
    let at = catalog
        .scorecard(id)
        .map(|own| instants(&own.calendar, (from, to), every_ms));
    let at = at.unwrap_or_default();
    let remedy = match at.len() {
        0 => "no local day ends between `from` and `to`: give every=1h or less, or a longer range".to_owned(),
        1..=INSTANTS_MAX => String::new(),
        _ => format!(
            "more than {INSTANTS_MAX} instants are not compared at once: give a shorter range, or a longer `every`"
        ),
    };
    if !remedy.is_empty() {
        return Err(ProblemResponse::parameter("from", &from.to_string(), &remedy));
    }
    let query = PicturesQuery {
        scorecard: id.to_owned(),
        instance: params.instance()?,
        at,
    };
    Ok(((from, to), query))
}
