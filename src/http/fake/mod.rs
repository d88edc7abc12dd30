//! A plausible house for tests and for looking at the dashboard: five scorecards, instances, alerts, notes, gaps.
//!
//! Scores come from the same curves as in the house; the past is the present with a slow wave laid over it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::domain::board::{Board, Note, Picture, RankedInstance, ScorecardBoard};
use crate::domain::catalog::{Catalog, Scorecard};
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::movers::Movers;
use crate::domain::projection::{ExplainQuestion, Explained};
use crate::domain::reading::Reading;
use crate::ports::{
    Clock, Hindsight, HouseState, InstanceQuery, Notice, PicturesQuery, QueryError, ReadingsQuery, Views,
};

mod alerts;
mod definitions;
mod explain;
mod hindsight;
mod pictures;

pub use alerts::transition;
use alerts::{alerts, rule, transitions};
use definitions::{scorecard, value_of};
use hindsight::FakeHindsight;
use pictures::{past, picture};

/// 2026-03-01T10:00:00Z
pub const NOW: Instant = Instant(1_772_359_200_000);

/// A clock that stands still.
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        NOW
    }
}
/// Everything a window may ask.
pub struct FakeViews {
    board: Mutex<Arc<Board>>,
    /// Notices go out here.
    pub notices: broadcast::Sender<Arc<Notice>>,
    /// What `house` answers.
    pub state: Mutex<HouseState>,
}

impl FakeViews {
    /// A ready house over a board.
    pub fn new(board: Board) -> Self {
        let state = HouseState {
            ready: true,
            journal_end: board.sequence,
            applied: board.sequence,
            recorded_at: NOW,
            journal_bytes: 1_048_576,
            segments: 1,
            series: 42,
            journal_path: "data/journal".to_owned(),
            nats: "connected".to_owned(),
            ..HouseState::default()
        };
        Self {
            board: Mutex::new(Arc::new(board)),
            notices: broadcast::channel(4).0,
            state: Mutex::new(state),
        }
    }

    /// Posts another board.
    pub fn post(&self, board: Board) {
        *self.board.lock().unwrap() = Arc::new(board);
    }
}

impl Views for FakeViews {
    fn board(&self) -> Arc<Board> {
        Arc::clone(&self.board.lock().unwrap())
    }

    fn readings(&self, query: ReadingsQuery) -> BoxFuture<'_, Result<Vec<(Instant, Reading)>, QueryError>> {
        let board = self.board();
        let (scorecard, _) = board.catalog.kpi(&query.kpi).unwrap();
        let picture = now(&board, scorecard.id.as_str(), query.instance.as_ref()).unwrap();
        let of = move |at: Instant| {
            let nodes = past(&board, &picture, at).nodes;
            nodes
                .into_iter()
                .find(|node| node.path.ends_with(query.kpi.as_str()))
                .unwrap()
                .reading
        };
        let found = query.at.iter().map(|&at| (at, of(at))).collect();
        async { Ok(found) }.boxed()
    }

    fn pictures(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Vec<Picture>, QueryError>> {
        let board = self.board();
        let picture = now(&board, &query.scorecard, query.instance.as_ref()).unwrap();
        let pictures = query.at.iter().map(|&at| past(&board, &picture, at)).collect();
        async { Ok(pictures) }.boxed()
    }

    fn explain(&self, question: ExplainQuestion) -> BoxFuture<'_, Result<(Explained, Movers), QueryError>> {
        let unknown = || QueryError::Unknown(format!("there is no node `{}`", question.path));
        let found = explain::explain(&self.board(), &question).ok_or_else(unknown);
        async { found }.boxed()
    }

    fn scores(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Vec<Vec<Option<f64>>>, QueryError>> {
        let board = self.board();
        let objectives = board.catalog.scorecard(&query.scorecard).unwrap().objectives.len();
        let scores = explain::scores(objectives, &query.at);
        async { Ok(scores) }.boxed()
    }

    fn instance(&self, query: InstanceQuery) -> BoxFuture<'_, Result<Picture, QueryError>> {
        let InstanceQuery { scorecard, instance } = query;
        let board = self.board();
        let each = board.catalog.scorecard(&scorecard).and_then(|own| own.each.as_deref());
        let picture = now(&board, &scorecard, Some(&instance));
        let found = picture.ok_or_else(|| QueryError::no_instance(&scorecard, &instance, each, &[]));
        async { found }.boxed()
    }

    fn hindsight(&self) -> Arc<dyn Hindsight> {
        Arc::new(FakeHindsight(self.board()))
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }

    fn house(&self) -> HouseState {
        self.state.lock().unwrap().clone()
    }
}
/// A picture of now: of the board, or of an instance that it names.
fn now(board: &Board, scorecard: &str, instance: Option<&InstanceId>) -> Option<Picture> {
    let on_board = board.on_board(scorecard)?;
    let Some(instance) = instance else {
        return Some((*on_board.overall).clone());
    };
    let named = on_board.instance_names.iter().find(|name| *name == instance)?;
    let factor = NAMES.iter().position(|name| *name == named.as_str()).map(factor);
    let card = board.catalog.scorecard(scorecard)?;
    Some(match factor {
        Some(factor) => instance_picture(card, named, factor),
        // A stranger's: what all have.
        None => Picture {
            instance: Some(named.clone()),
            ..(*on_board.overall).clone()
        },
    })
}

const NAMES: [&str; 10] = [
    "berlin", "hamburg", "köln", "lyon", "madrid", "milano", "paris", "porto", "wien", "zürich",
];

fn factor(index: usize) -> f64 {
    0.8 + 0.05 * index as f64
}

fn instance_picture(card: &Scorecard, name: &InstanceId, factor: f64) -> Picture {
    picture(card, Some(name.clone()), NOW, &|kpi| {
        value_of(kpi).map(|value| value * factor)
    })
}

/// The whole board.
pub fn board() -> Board {
    let scorecards = vec![
        scorecard("company", "Company"),
        scorecard("it", "IT operations"),
        scorecard("marketing", "Marketing"),
        scorecard("product", "Product"),
        scorecard("training", "Training"),
    ];
    board_of(scorecards)
}
/// A board of one scorecard with one KPI, whose titles, instance and note are given by a stranger.
pub fn board_with_titles(title: &'static str) -> Board {
    let mut card = scorecard("it", title);
    card.owner = Some(title.to_owned());
    for kpi in &mut card.kpis {
        kpi.unit = title.to_owned();
    }
    card.each = Some("site".to_owned());
    let mut board = board_of(vec![card]);
    let name = InstanceId::parse("<script>alert(1)</script>".replace('/', "").as_str()).unwrap();
    let overall = Arc::clone(&board.scorecards[0].overall);
    let mut retitled = (*overall).clone();
    for node in &mut retitled.nodes {
        node.title = title.into();
        node.unit = title.into();
        node.note = Some(Note {
            text: title.into(),
            by: Some(title.into()),
            observed_at: NOW,
        });
    }
    board.scorecards[0].overall = Arc::new(retitled);
    board.scorecards[0].instance_names = Arc::new(vec![name.clone()]);
    board.scorecards[0].instance_count = 1;
    board.scorecards[0].worst_instances = vec![RankedInstance {
        name,
        score: 12.0,
        status: Some("red".into()),
    }];
    board
}

fn board_of(scorecards: Vec<Scorecard>) -> Board {
    let mut kpis = HashMap::new();
    for (index, scorecard) in scorecards.iter().enumerate() {
        for (kpi, definition) in scorecard.kpis.iter().enumerate() {
            kpis.insert(definition.id.clone(), (index, kpi));
        }
    }
    let catalog = Arc::new(Catalog {
        fingerprint: "sha256:4f2a".to_owned(),
        files: Vec::new(),
        rules: vec![
            rule("csat-low", "Satisfaction is low"),
            rule("reopen-high", "Too many tickets come back"),
        ],
        scorecards,
        kpis,
    });
    let mut board = Board {
        sequence: Sequence(4711),
        at: NOW,
        ..Board::empty(Arc::clone(&catalog))
    };
    board.scorecards = catalog.scorecards.iter().map(on_board).collect();
    board.alerts = Arc::new(alerts().into_iter().map(Arc::new).collect());
    board.recent = Arc::new(transitions());
    board
}
fn on_board(card: &Scorecard) -> ScorecardBoard {
    let overall = Arc::new(picture(card, None, NOW, &value_of));
    let names: Vec<InstanceId> = NAMES
        .iter()
        .filter(|_| card.each.is_some())
        .map(|name| InstanceId::parse(name).unwrap())
        .collect();
    let ranked = |(index, name): (usize, &InstanceId)| {
        let reading = instance_picture(card, name, factor(index)).nodes[0].reading.clone();
        Some(RankedInstance {
            name: name.clone(),
            score: reading.score?,
            status: reading.status,
        })
    };
    let mut ranked: Vec<RankedInstance> = names.iter().enumerate().filter_map(ranked).collect();
    ranked.sort_by(|a, b| a.score.total_cmp(&b.score));
    ScorecardBoard {
        overall,
        instance_count: names.len(),
        instance_names: Arc::new(names),
        worst_instances: ranked.iter().take(10).cloned().collect(),
        best_instances: ranked.iter().rev().take(10).cloned().collect(),
    }
}
