//! What surrounds every page: names of files, the list of scorecards, how the house is.

use super::assets;
use super::rows::When;
use crate::domain::board::Board;
use crate::domain::instant::Instant;
use crate::http::Windows;

/// The frame of a page.
#[derive(Debug)]
pub struct Frame {
    /// Title of the page.
    pub title: String,
    /// Address of the style sheet.
    pub style: String,
    /// Address of the script.
    pub script: String,
    /// Address of the icon.
    pub icon: String,
    /// Address of the stream that changes this page.
    pub stream: String,
    /// All scorecards.
    pub links: Vec<PageLink>,
    /// The clock of the board.
    pub at: When,
    /// The journal position that the page reflects.
    pub sequence: String,
    /// Why the page may be behind; empty when it is not.
    pub waiting_for: String,
    /// The same figures as JSON.
    pub json: String,
    /// The first page itself.
    pub home: bool,
}

/// A link to a scorecard.
#[derive(Debug)]
pub struct PageLink {
    /// Its title.
    pub title: String,
    /// Where it is.
    pub href: String,
    /// It is this page.
    pub current: bool,
}

impl Frame {
    /// The frame of a page about one scorecard, or about all.
    pub(in crate::http) fn new(windows: &Windows, board: &Board, title: &str, scorecard: Option<&str>) -> Self {
        let house = windows.views.house();
        let now = windows.options.clock.now();
        // A board on which nothing was evaluated yet has no instant of its own.
        let seen_at = if board.at <= Instant::EARLIEST { now } else { board.at };
        let links = board.catalog.scorecards.iter().map(|known| PageLink {
            title: known.title.clone(),
            href: format!("/scorecards/{}", known.id),
            current: scorecard == Some(known.id.as_str()),
        });
        let filter = scorecard.map_or_else(String::new, |id| format!("?scorecard={id}"));
        Self {
            title: title.to_owned(),
            style: assets::STYLE.href(),
            script: assets::SCRIPT.href(),
            icon: assets::ICON.href(),
            stream: format!("/api/v1/stream{filter}"),
            links: links.collect(),
            at: When::new(seen_at, now),
            sequence: super::format::number(board.sequence.0 as f64),
            waiting_for: if house.ready { String::new() } else { house.waiting_for },
            json: "/api/v1/scorecards".to_owned(),
            home: scorecard.is_none(),
        }
    }
}
