//! The page of what is said otherwise now: `/scorecards/{id}/restatement?instance=&from=&to=&every=`.
//!
//! A restatement enters; a section an instant leaves, with the nodes that say something else, then and now, and what each cause
//! did. Differences are words and signs first and colours beside them.

use askama::Template;

use super::format;
use super::frame::Frame;
use super::judge::Badge;
use super::node::bands_at;
use super::points::Points;
use super::rows::When;
use crate::domain::board::Board;
use crate::domain::catalog::{Bands, NodeKind};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::restatement::{Cause, RestatedInstant, RestatedNode, Restatement, Said};
use crate::http::Windows;
use crate::wire::alert::node_link;

/// Instants drawn, the latest ones; JSON has all of them.
const INSTANTS_SHOWN: usize = 60;
/// Sequences told of a cause; JSON has more.
const SEQUENCES_SHOWN: usize = 5;

/// The page.
#[derive(Template)]
#[template(path = "restatement.html", config = "src/http/dashboard/askama.toml")]
pub struct RestatementPage {
    frame: Frame,
    home: String,
    scorecard: String,
    instance: Option<String>,
    from: String,
    to: String,
    summary: String,
    beside: Vec<String>,
    instants: Vec<InstantView>,
    more: usize,
}

/// One instant.
struct InstantView {
    at: When,
    /// The page as it was then.
    then_href: String,
    /// The same instant, with what is known now.
    now_href: String,
    rows: Vec<Row>,
}

/// One node that says something else.
struct Row {
    title: String,
    level: &'static str,
    href: String,
    then: Side,
    now: Side,
    points: Option<Points>,
    causes: Vec<CauseView>,
}

/// What a node said.
struct Side {
    is_there: bool,
    value: Option<String>,
    score: Option<String>,
    badge: Badge,
}

/// What one cause did.
struct CauseView {
    words: String,
    points: Option<Points>,
    sequences: String,
}

impl RestatementPage {
    /// Draws the page.
    pub(in crate::http) fn draw(
        windows: &Windows,
        board: &Board,
        told: &Restatement,
        (from, to): (Instant, Instant),
    ) -> Self {
        let now = windows.options.clock.now();
        let root = match &told.instance {
            Some(instance) => format!("{}@{instance}", told.scorecard),
            None => told.scorecard.to_string(),
        };
        let title = match &told.instance {
            Some(instance) => format!("{}, {}: said otherwise now", told.title, instance.as_str()),
            None => format!("{}: said otherwise now", told.title),
        };
        let mut frame = Frame::new(windows, board, &title, Some(told.scorecard.as_str()));
        frame.stream = String::new();
        let page = page_of(&root);
        let bands = board.catalog.scorecard(told.scorecard.as_str());
        let bands = bands.map_or_else(Bands::default, |own| bands_at(own, now));
        frame.json = format!("/api/v1{}", address(&page, from, to));
        let shown = told.restated.iter().rev().take(INSTANTS_SHOWN);
        Self {
            frame,
            home: page.clone(),
            scorecard: told.scorecard.to_string(),
            instance: told.instance.as_ref().map(|instance| instance.as_str().to_owned()),
            from: format::field(from),
            to: format::field(to),
            summary: summary(told),
            beside: beside(told),
            instants: shown.map(|one| InstantView::new(one, &page, &bands, now)).collect(),
            more: told.restated.len().saturating_sub(INSTANTS_SHOWN),
        }
    }
}

fn page_of(root: &str) -> String {
    node_link(root).split('#').next().unwrap_or_default().to_owned()
}

fn address(page: &str, from: Instant, to: Instant) -> String {
    let (path, query) = page.split_once('?').unwrap_or((page, ""));
    let query = if query.is_empty() {
        String::new()
    } else {
        format!("{query}&")
    };
    format!("{path}/restatement?{query}from={from}&to={to}")
}

fn summary(told: &Restatement) -> String {
    match (told.restated.len(), told.compared) {
        (0, 0) => "There is nothing to compare yet.".to_owned(),
        (0, 1) => "What was published is what is said now.".to_owned(),
        (0, compared) => format!("What was published is what is said now, of all {compared} instants."),
        (count, compared) => format!("Something else is said now of {count} of {compared} instants."),
    }
}

fn beside(told: &Restatement) -> Vec<String> {
    let words = [
        (told.open, "still to come"),
        (told.unpublished, "from before anything was published"),
    ];
    let some = words.into_iter().filter(|(count, _)| *count > 0);
    some.map(|(count, words)| format!("{count} more {} {words}", if count == 1 { "is" } else { "are" }))
        .collect()
}

impl InstantView {
    fn new(one: &RestatedInstant, page: &str, bands: &Bands, now: Instant) -> Self {
        let joint = if page.contains('?') { '&' } else { '?' };
        Self {
            at: When::new(one.at, now),
            then_href: format!("{page}{joint}known_at={}", one.at),
            now_href: format!("{page}{joint}at={}", one.at),
            rows: one.nodes.iter().map(|node| Row::new(node, bands)).collect(),
        }
    }
}

impl Row {
    fn new(node: &RestatedNode, bands: &Bands) -> Self {
        let [then, now] = node
            .said
            .each_ref()
            .map(|said| Side::new(said.as_ref(), &node.unit, bands));
        Self {
            title: node.title.to_string(),
            level: match node.kind {
                NodeKind::Scorecard => "whole",
                NodeKind::Perspective => "perspective",
                NodeKind::Objective => "objective",
                NodeKind::Kpi => "kpi",
            },
            href: node_link(&node.path),
            then,
            now,
            points: node.points().map(Points::new),
            causes: node.causes.iter().map(CauseView::new).collect(),
        }
    }
}

impl Side {
    fn new(said: Option<&Said>, unit: &str, bands: &Bands) -> Self {
        let value = said.and_then(|said| said.value);
        let words = |value| format!("{} {unit}", format::number(value)).trim_end().to_owned();
        Self {
            is_there: said.is_some(),
            value: value.map(words),
            score: said.and_then(|said| said.score).map(format::score),
            badge: Badge::new(
                said.and_then(|said| said.status.as_deref()),
                said.and_then(|said| said.absence),
                bands,
            ),
        }
    }
}

impl CauseView {
    fn new(share: &crate::domain::restatement::Share) -> Self {
        let plural = |one: &str, many: &str| match share.count {
            1 => format!("1 {one}"),
            count => format!("{} {many}", format::number(count as f64)),
        };
        let words = match share.cause {
            Cause::LateMeasurements => plural("late measurement", "late measurements"),
            Cause::Corrections => plural("correction", "corrections"),
            Cause::Retractions => plural("retraction", "retractions"),
            Cause::Catalog => plural("change of definitions", "changes of definitions"),
        };
        Self {
            words,
            points: share.points.map(Points::new),
            sequences: sequences(&share.sequences, share.count),
        }
    }
}

fn sequences(sequences: &[Sequence], count: u64) -> String {
    let listed: Vec<String> = sequences
        .iter()
        .take(SEQUENCES_SHOWN)
        .map(ToString::to_string)
        .collect();
    let more = count.saturating_sub(listed.len() as u64);
    let noun = if count == 1 { "sequence" } else { "sequences" };
    match (listed.is_empty(), more) {
        (true, _) => String::new(),
        (false, 0) => format!("{noun} {}", listed.join(", ")),
        (false, more) => format!("{noun} {} and {more} more", listed.join(", ")),
    }
}
