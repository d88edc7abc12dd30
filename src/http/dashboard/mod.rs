//! The dashboard: `GET /`, `/scorecards/{id}?instance=&span=&at=&known_at=`, `.../explain?instance=&node=&from=&to=`,
//! `.../restatement?instance=&from=&to=&every=`, `.../strategy?instance=`, `/assets/..`.
//!
//! The board enters, whole pages leave: complete and readable without script, without a byte from elsewhere. The script
//! only fetches the same page again when the stream says that something changed. Titles, notes and names are other
//! people's words: every one of them is escaped by the templates.

use std::sync::Arc;

use askama::Template;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, Uri};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;

use super::Windows;
use super::params::Params;
use super::problem::ProblemResponse;

pub mod assets;
pub mod chart;
pub mod explain;
pub mod format;
pub mod frame;
pub mod history;
pub mod judge;
pub mod map;
pub mod node;
pub mod overview;
pub mod past;
mod points;
pub mod restatement;
pub mod rows;
pub mod scorecard;
pub mod strategy;

use explain::{Answered, ExplainPage};
use frame::Frame;
use history::Span;
use overview::Overview;
use past::PastWanted;
use restatement::RestatementPage;
use scorecard::{ScorecardPage, Wanted};
use strategy::StrategyPage;

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new()
        .route("/", get(overview))
        .route("/scorecards/{id}", get(scorecard))
        .route("/scorecards/{id}/explain", get(explain))
        .route("/scorecards/{id}/restatement", get(restatement))
        .route("/scorecards/{id}/strategy", get(strategy))
        .merge(assets::routes())
}

/// A page that says why there is none.
#[derive(Template)]
#[template(path = "sorry.html", config = "src/http/dashboard/askama.toml")]
struct Sorry {
    frame: Frame,
    detail: String,
}

async fn overview(State(windows): State<Arc<Windows>>, uri: Uri) -> Response {
    if let Err(problem) = Params::read(&uri, &[]) {
        return sorry(&windows, problem);
    }
    let board = windows.views.board();
    page(&Overview::draw(&windows, &board, windows.options.clock.now()).await)
}

async fn scorecard(State(windows): State<Arc<Windows>>, Path(id): Path<String>, uri: Uri) -> Response {
    match one(&windows, &id, &uri).await {
        Ok(drawn) => page(&drawn),
        Err(problem) => sorry(&windows, problem),
    }
}

async fn one(windows: &Windows, id: &str, uri: &Uri) -> Result<ScorecardPage, ProblemResponse> {
    let params = Params::read(uri, &["instance", "span", "at", "known_at"])?;
    let now = windows.options.clock.now();
    let past = PastWanted::read(&params, now)?;
    let who = (id, params.instance()?);
    let (picture, board) = past.look(windows, &windows.views.board(), who).await?;
    let scorecard = board.catalog.scorecard(id);
    let scorecard = scorecard.ok_or_else(|| ProblemResponse::unknown(format!("scorecard `{id}` is not defined")))?;
    let wanted = Wanted {
        scorecard,
        picture: &picture,
        span: Span::read(&params)?,
        past,
    };
    Ok(ScorecardPage::draw(windows, &board, wanted, now).await)
}

async fn restatement(State(windows): State<Arc<Windows>>, Path(id): Path<String>, uri: Uri) -> Response {
    match restated(&windows, &id, &uri).await {
        Ok(drawn) => page(&drawn),
        Err(problem) => sorry(&windows, problem),
    }
}

async fn restated(windows: &Windows, id: &str, uri: &Uri) -> Result<RestatementPage, ProblemResponse> {
    let params = Params::read(uri, &["instance", "from", "to", "every"])?;
    let board = windows.views.board();
    let (range, query) = super::restatement::question(&board.catalog, id, &params, windows.options.clock.now())?;
    let told = windows.views.hindsight().restatement(query).await?;
    Ok(RestatementPage::draw(windows, &board, &told, range))
}

async fn explain(State(windows): State<Arc<Windows>>, Path(id): Path<String>, uri: Uri) -> Response {
    match explained(&windows, &id, &uri).await {
        Ok(drawn) => page(&drawn),
        Err(problem) => sorry(&windows, problem),
    }
}

async fn explained(windows: &Windows, id: &str, uri: &Uri) -> Result<ExplainPage, ProblemResponse> {
    let params = Params::read(uri, &["instance", "node", "from", "to"])?;
    let board = windows.views.board();
    let question = super::explain::question(&board.catalog, id, &params, windows.options.clock.now())?;
    let (explained, movers) = windows.views.explain(question.clone()).await?;
    let answered = Answered {
        question: &question,
        explained: &explained,
        movers: &movers,
        scorecard: id,
    };
    Ok(ExplainPage::draw(windows, &board, &answered))
}

async fn strategy(State(windows): State<Arc<Windows>>, Path(id): Path<String>, uri: Uri) -> Response {
    match mapped(&windows, &id, &uri).await {
        Ok(drawn) => page(&drawn),
        Err(problem) => sorry(&windows, problem),
    }
}

async fn mapped(windows: &Windows, id: &str, uri: &Uri) -> Result<StrategyPage, ProblemResponse> {
    let params = Params::read(uri, &["instance", "from", "to", "every"])?;
    let board = windows.views.board();
    let asked = super::strategy::Asked::read(windows, &board, id, &params).await?;
    let map = asked.map(&board, id)?;
    Ok(StrategyPage::draw(windows, &board, &map, windows.options.clock.now()))
}

fn page(template: &impl Template) -> Response {
    match template.render() {
        Ok(html) => Html(html).into_response(),
        Err(error) => {
            tracing::error!(%error, "page could not be drawn");
            let detail = "this page could not be drawn: the API under `/api/v1/` has the same figures";
            ProblemResponse::new(StatusCode::INTERNAL_SERVER_ERROR, "page failed", detail).into_response()
        }
    }
}

fn sorry(windows: &Windows, problem: ProblemResponse) -> Response {
    let board = windows.views.board();
    let mut frame = Frame::new(windows, &board, "Not here", Some(""));
    // Nothing on this page changes.
    frame.stream = String::new();
    let template = Sorry {
        frame,
        detail: problem.detail,
    };
    (problem.status, page(&template)).into_response()
}
