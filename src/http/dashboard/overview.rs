//! The first page: every scorecard as a card, what alerts, and what lately changed.

use askama::Template;

use super::format;
use super::frame::Frame;
use super::history::{self, DEFAULT_SPAN};
use super::judge::Badge;
use super::node::{Context, Head, bands_at};
use super::rows::{AlertList, TransitionRow, alert_list};
use crate::domain::alert::AlertPhase;
use crate::domain::board::{Board, ScorecardBoard};
use crate::domain::instant::Instant;
use crate::http::Windows;
use crate::wire::scorecard::belongs_to;

/// Transitions on the first page; the API lists more.
const TRANSITIONS_SHOWN: usize = 12;

/// The first page.
#[derive(Template)]
#[template(path = "overview.html", config = "src/http/dashboard/askama.toml")]
pub struct Overview {
    frame: Frame,
    cards: Vec<Card>,
    alerts: AlertList,
    transitions: Vec<TransitionRow>,
}

/// A scorecard at a glance.
struct Card {
    head: Head,
    href: String,
    owner: Option<String>,
    perspectives: Vec<Side>,
    instances: Option<String>,
    firing: usize,
    pending: usize,
}

/// A perspective at a glance.
struct Side {
    title: String,
    score: Option<String>,
    badge: Badge,
}

impl Overview {
    /// The page of the board as it is now.
    pub(in crate::http) async fn draw(windows: &Windows, board: &Board, now: Instant) -> Self {
        let mut cards = Vec::new();
        for on_board in &board.scorecards {
            cards.extend(Card::draw(windows, board, on_board, now).await);
        }
        let recent = board.recent.iter().take(TRANSITIONS_SHOWN);
        Self {
            frame: Frame::new(windows, board, "Scorecards", None),
            transitions: recent
                .map(|transition| TransitionRow::new(board, transition, now))
                .collect(),
            cards,
            alerts: alert_list(board, now, |_| true),
        }
    }
}

impl Card {
    async fn draw(windows: &Windows, board: &Board, on_board: &ScorecardBoard, now: Instant) -> Option<Self> {
        let picture = &on_board.overall;
        let scorecard = board.catalog.scorecard(picture.scorecard.as_str())?;
        let root = picture.nodes.first()?;
        let context = Context {
            board,
            scorecard,
            picture,
            history: &history::ask(windows, picture, DEFAULT_SPAN).await,
            span: DEFAULT_SPAN,
            now,
            bands: bands_at(scorecard, now),
        };
        let sides = context.children(root).map(|(_, node)| Side {
            title: node.title.to_string(),
            score: node.reading.score.map(format::score),
            badge: Badge::of(&node.reading, &context.bands),
        });
        let here = |phase| {
            let id = scorecard.id.as_str();
            let alerts = board.alerts.iter().filter(|alert| belongs_to(&alert.path, id));
            alerts.filter(|alert| alert.phase == phase).count()
        };
        Some(Self {
            href: format!("/scorecards/{}", scorecard.id),
            owner: scorecard.owner.clone(),
            perspectives: sides.collect(),
            instances: scorecard
                .each
                .as_ref()
                .map(|label| instances(on_board.instance_count, label)),
            firing: here(AlertPhase::Firing),
            pending: here(AlertPhase::Pending),
            head: Head::new(&context, 0, root),
        })
    }
}

/// `10 instances by region`
pub fn instances(count: usize, label: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} instance{plural} by {label}", format::number(count as f64))
}
