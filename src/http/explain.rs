//! `GET /api/v1/scorecards/{id}/explain?from=&to=&instance=&node=`.
//!
//! A node and two instants enter, the change of its score leaves, split over its leaves, with what moved them. Both sides are
//! computed from what is known now.

use std::sync::Arc;

use axum::extract::{Path, State};
use axum::http::Uri;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};

use super::Windows;
use super::params::Params;
use super::problem::ProblemResponse;
use crate::domain::catalog::Catalog;
use crate::domain::instant::{DAY_MS, Instant};
use crate::domain::projection::ExplainQuestion;
use crate::wire::explain::ExplainBody;

/// Without `from`, so far back: what people mean by "lately", and it compares like weekdays.
pub(super) const RANGE_DEFAULT_MS: i64 = 7 * DAY_MS;

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new().route("/api/v1/scorecards/{id}/explain", get(explain))
}

async fn explain(
    State(windows): State<Arc<Windows>>,
    Path(id): Path<String>,
    uri: Uri,
) -> Result<Response, ProblemResponse> {
    let params = Params::read(&uri, &["instance", "node", "from", "to"])?;
    let catalog = Arc::clone(&windows.views.board().catalog);
    let question = question(&catalog, &id, &params, windows.options.clock.now())?;
    let (explained, movers) = windows.views.explain(question).await?;
    Ok(Json(ExplainBody::new(&explained, &movers, &catalog.fingerprint)).into_response())
}

/// The question that an address asks.
pub(super) fn question(
    catalog: &Catalog,
    id: &str,
    params: &Params,
    now: Instant,
) -> Result<ExplainQuestion, ProblemResponse> {
    known(catalog, id)?;
    let root = match params.instance()? {
        Some(instance) => format!("{id}@{instance}"),
        None => id.to_owned(),
    };
    let to = params.instant("to")?;
    let end = to.unwrap_or(now);
    let from = params.instant("from")?;
    let from = from.unwrap_or_else(|| end.plus_ms(-RANGE_DEFAULT_MS).max(Instant::EARLIEST));
    if from >= end {
        let remedy = format!("give an instant before {end}");
        return Err(ProblemResponse::parameter("from", &from.to_string(), &remedy));
    }
    Ok(ExplainQuestion {
        path: node_path(&root, params.text("node")),
        from,
        to,
    })
}

/// A node may be named by its whole path, or by what stands behind the scorecard's name in it.
fn node_path(root: &str, node: Option<&str>) -> String {
    let Some(node) = node else { return root.to_owned() };
    let is_whole = node
        .strip_prefix(root)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    if is_whole {
        node.to_owned()
    } else {
        format!("{root}/{node}")
    }
}

/// Refuses a scorecard that is not defined, and names those that are.
pub(super) fn known(catalog: &Catalog, id: &str) -> Result<(), ProblemResponse> {
    if catalog.scorecard(id).is_some() {
        return Ok(());
    }
    let known: Vec<&str> = catalog.scorecards.iter().map(|known| known.id.as_str()).collect();
    let detail = format!("there is no scorecard `{id}`: use one of {}", known.join(", "));
    Err(ProblemResponse::unknown(detail))
}
