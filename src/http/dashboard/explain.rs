//! The page that explains a change: `/scorecards/{id}/explain?instance=&node=&from=&to=`.
//!
//! A change with its shares and movers enters; a waterfall leaves, which is a table first and a drawing beside it: every share has
//! its sign, its word and its place between the two scores. What did not move the whole is summed up, never left out.

use askama::Template;

use super::format;
use super::frame::Frame;
use super::judge::Badge;
use super::node::{bands_at, definition, title_of, value_words};
use super::points::Points;
use super::rows::When;
use crate::domain::board::Board;
use crate::domain::catalog::{Bands, Catalog};
use crate::domain::instant::{DAY_MS, Instant};
use crate::domain::measurement::MeasuredValue;
use crate::domain::movers::{LeafMovers, Mover, Movers};
use crate::domain::projection::{ExplainQuestion, Explained, ExplainedLeaf};
use crate::domain::reading::Reading;
use crate::http::Windows;
use crate::wire::alert::{explain_link, node_link};
use crate::wire::explain::by_size;

/// Points below which a share cannot be seen; such KPIs are summed up in one row.
const UNSEEN: f64 = 0.005;
/// The waterfall shows at least so many points, so that little looks little.
const LEAST_POINTS: f64 = 4.0;
/// Lengths of time that can be chosen.
const SPANS: [(&str, i64); 4] = [
    ("24 hours", DAY_MS),
    ("7 days", 7 * DAY_MS),
    ("30 days", 30 * DAY_MS),
    ("90 days", 90 * DAY_MS),
];

/// The page.
#[derive(Template)]
#[template(path = "explain.html", config = "src/http/dashboard/askama.toml")]
pub struct ExplainPage {
    frame: Frame,
    crumbs: Vec<Link>,
    home: String,
    then: Side,
    now: Side,
    change: Option<Points>,
    at: [When; 2],
    length: String,
    spans: Vec<Link>,
    axis: Option<Axis>,
    steps: Vec<Step>,
    rest: Option<(String, Points, Bar)>,
    is_complete: bool,
}

/// A link, or the page itself.
struct Link {
    words: String,
    href: String,
    current: bool,
}

/// The node, or a KPI, at one instant.
struct Side {
    score: Option<String>,
    badge: Badge,
    value: Option<String>,
}

/// From where to where the waterfall reaches, and where the two scores stand, of 100.
struct Axis {
    low: String,
    high: String,
    then: String,
    now: String,
}

/// A share as a bar between two running scores, of 100.
struct Bar {
    x: String,
    width: String,
    verdict: &'static str,
    words: String,
}

/// A KPI and its share.
struct Step {
    title: String,
    from: Option<String>,
    href: String,
    points: Option<(Points, Bar)>,
    by_weight: Option<String>,
    weight: String,
    target: Option<String>,
    then: Side,
    now: Side,
    entered: String,
    left: String,
    movers: Vec<MoverRow>,
}

/// A measurement that came or went.
struct MoverRow {
    has_entered: bool,
    value: String,
    corrected: bool,
    observed: When,
    recorded: When,
    sequence: u64,
    source: String,
    instance: Option<String>,
    id: Option<String>,
    note: Option<String>,
    by: Option<String>,
}

/// What was asked and answered.
pub struct Answered<'a> {
    /// The question.
    pub question: &'a ExplainQuestion,
    /// The change.
    pub explained: &'a Explained,
    /// What moved it.
    pub movers: &'a Movers,
    /// The id of the scorecard.
    pub scorecard: &'a str,
}

impl ExplainPage {
    /// Draws the page.
    pub(in crate::http) fn draw(windows: &Windows, board: &Board, answered: &Answered<'_>) -> Self {
        let Answered {
            question,
            explained,
            movers,
            scorecard,
        } = answered;
        let now = windows.options.clock.now();
        let title = format!("What moved {}", explained.title);
        let mut frame = Frame::new(windows, board, &title, Some(scorecard));
        // This page is about two instants; what happens meanwhile is on the scorecard's page.
        frame.stream = String::new();
        frame.json = format!("/api/v1{}", address(question, question.from));
        let bands = bands_of(&board.catalog, &explained.path, now);
        let waterfall = Waterfall::of(explained);
        let (steps, rest) = waterfall.steps(explained, movers, &board.catalog, now);
        let [then, after] = &explained.readings;
        Self {
            frame,
            crumbs: crumbs(&board.catalog, explained),
            home: node_link(&explained.path),
            then: Side::new(then, None, &bands),
            now: Side::new(after, None, &bands),
            change: explained.change().map(Points::new),
            at: [question.from, end(question, now)].map(|at| When::new(at, now)),
            length: format::length(end(question, now).since(question.from)),
            spans: spans(question, now),
            axis: waterfall.axis(),
            steps,
            rest,
            is_complete: movers.is_complete,
        }
    }
}

/// The address of an explanation with another first instant.
fn address(question: &ExplainQuestion, from: Instant) -> String {
    let link = explain_link(&question.path, question.to);
    let joint = if link.contains('?') { '&' } else { '?' };
    format!("{link}{joint}from={from}")
}

/// The second instant. What the board shows holds until something changes, so without another it is now.
fn end(question: &ExplainQuestion, now: Instant) -> Instant {
    question.to.unwrap_or(now)
}

fn spans(question: &ExplainQuestion, now: Instant) -> Vec<Link> {
    let end = end(question, now);
    let length = end.since(question.from);
    let span = |(words, ms): (&str, i64)| Link {
        words: words.to_owned(),
        href: address(question, end.plus_ms(-ms).max(Instant::EARLIEST)),
        // An open page without a second instant is a little older than the span.
        current: (length - ms).abs() < ms / 20,
    };
    SPANS.map(span).into_iter().collect()
}

/// The nodes above, each with its own explanation.
fn crumbs(catalog: &Catalog, explained: &Explained) -> Vec<Link> {
    let levels: Vec<&str> = explained.path.split('/').collect();
    (1..=levels.len())
        .filter_map(|depth| {
            let path = levels.get(..depth)?.join("/");
            Some(Link {
                words: title_of(catalog, &path).unwrap_or_else(|| path.clone()),
                href: explain_link(&path, None),
                current: depth == levels.len(),
            })
        })
        .collect()
}

fn bands_of(catalog: &Catalog, path: &str, now: Instant) -> Bands {
    let id = path.split(['/', '@']).next().unwrap_or_default();
    catalog
        .scorecard(id)
        .map_or_else(Bands::default, |scorecard| bands_at(scorecard, now))
}

impl Side {
    fn new(reading: &Reading, value: Option<String>, bands: &Bands) -> Self {
        Self {
            score: reading.score.map(format::score),
            badge: Badge::of(reading, bands),
            value,
        }
    }
}

/// Where the running score goes from share to share, the largest first.
struct Waterfall {
    low: f64,
    high: f64,
    ends: Option<(f64, f64)>,
}

impl Waterfall {
    fn of(explained: &Explained) -> Self {
        let ends = explained.readings[0].score.zip(explained.readings[1].score);
        let mut running = ends.map_or(0.0, |(then, _)| then);
        let (mut low, mut high) = (running, running);
        for (_, leaf) in by_size(explained) {
            running += leaf.share.contribution();
            (low, high) = (low.min(running), high.max(running));
        }
        let missing = (LEAST_POINTS - (high - low)).max(0.0) / 2.0 + 0.04 * (high - low);
        Self {
            low: low - missing,
            high: high + missing,
            ends,
        }
    }

    fn x(&self, score: f64) -> f64 {
        (score - self.low) / (self.high - self.low) * 100.0
    }

    fn axis(&self) -> Option<Axis> {
        let (then, now) = self.ends?;
        Some(Axis {
            low: format::number((self.low * 10.0).round() / 10.0),
            high: format::number((self.high * 10.0).round() / 10.0),
            then: coordinate(self.x(then)),
            now: coordinate(self.x(now)),
        })
    }

    fn bar(&self, before: f64, after: f64) -> Bar {
        let (left, right) = (self.x(before.min(after)), self.x(before.max(after)));
        Bar {
            x: coordinate(left),
            // A share that is told can be seen.
            width: coordinate((right - left).max(0.4)),
            verdict: if after < before { "worse" } else { "better" },
            words: format!("from {} to {}", format::score(before), format::score(after)),
        }
    }

    /// A row a KPI that moved something, and one for all others.
    fn steps(
        &self,
        explained: &Explained,
        movers: &Movers,
        catalog: &Catalog,
        now: Instant,
    ) -> (Vec<Step>, Option<(String, Points, Bar)>) {
        let mut running = self.ends.map_or(0.0, |(then, _)| then);
        let mut steps = Vec::new();
        let (mut others, mut rest) = (0_usize, 0.0);
        for (index, leaf) in by_size(explained) {
            let points = leaf.share.contribution();
            if self.ends.is_some() && points.abs() < UNSEEN {
                (others, rest) = (others + 1, rest + points);
                continue;
            }
            let mut step = Step::new((explained, leaf), movers.leaves.get(index), catalog, now);
            if self.ends.is_some() {
                step.points = Some((Points::new(points), self.bar(running, running + points)));
            }
            running += points;
            steps.push(step);
        }
        let plural = if others == 1 { "" } else { "s" };
        let rest = (others > 0).then(|| {
            let words = format!("{others} other KPI{plural} that moved nothing");
            (words, Points::new(rest), self.bar(running, running + rest))
        });
        (steps, rest)
    }
}

fn coordinate(value: f64) -> String {
    format!("{value:.2}")
}

impl Step {
    fn new(
        (explained, leaf): (&Explained, &ExplainedLeaf),
        movers: Option<&LeafMovers>,
        catalog: &Catalog,
        now: Instant,
    ) -> Self {
        let root = |path: &str| path.split('/').next().unwrap_or_default().to_owned();
        let home = root(&leaf.path);
        let bands = bands_of(catalog, &leaf.path, now);
        let scorecard = catalog.scorecard(home.split('@').next().unwrap_or_default());
        let kpi = scorecard.and_then(|scorecard| definition(scorecard, &leaf.path));
        let value = |reading: &Reading| reading.value.map(|value| value_words(value, &leaf.unit, kpi));
        let [then, after] = leaf
            .readings
            .each_ref()
            .map(|reading| Side::new(reading, value(reading), &bands));
        let by_weight = leaf.share.by_weight;
        let [was, is] = leaf
            .targets
            .map(|target| target.map(|target| format::target(target, None, &leaf.unit)));
        let both = |count: u64, word: &str| format!("{} {word}", format::number(count as f64));
        Self {
            title: leaf.title.to_string(),
            from: (home != root(&explained.path)).then(|| title_of(catalog, &home).unwrap_or(home)),
            href: explain_link(&leaf.path, None),
            points: None,
            by_weight: (by_weight.abs() >= UNSEEN).then(|| Points::new(by_weight).words),
            weight: weight(leaf.share.weights),
            target: was
                .zip(is)
                .filter(|(was, is)| was != is)
                .map(|(was, is)| format!("{was} to {is}")),
            then,
            now: after,
            entered: both(movers.map_or(0, |movers| movers.entered), "came"),
            left: both(movers.map_or(0, |movers| movers.left), "went"),
            movers: movers
                .into_iter()
                .flat_map(|movers| movers.listed.iter().map(|mover| MoverRow::new(mover, &leaf.unit, now)))
                .collect(),
        }
    }
}

/// The KPI's part of the whole, then and now.
fn weight([then, now]: [f64; 2]) -> String {
    let percent = |share: f64| format!("{}\u{202f}%", format::number((share * 1_000.0).round() / 10.0));
    let [then, now] = [percent(then), percent(now)];
    if then == now { now } else { format!("{then} to {now}") }
}

impl MoverRow {
    fn new(mover: &Mover, unit: &str, now: Instant) -> Self {
        let text = |words: &Option<Box<str>>| words.as_ref().map(ToString::to_string);
        Self {
            has_entered: mover.has_entered,
            value: measured(&mover.value, unit),
            corrected: mover.is_corrected,
            observed: When::new(mover.observed_at, now),
            recorded: When::new(mover.recorded_at, now),
            sequence: mover.sequence.0,
            source: mover.source.to_string(),
            instance: mover.instance.as_ref().map(ToString::to_string),
            id: text(&mover.extra.id),
            note: text(&mover.extra.note),
            by: text(&mover.extra.by),
        }
    }
}

fn measured(value: &MeasuredValue, unit: &str) -> String {
    match value {
        MeasuredValue::Number(value) => format::quantity(*value, unit),
        MeasuredValue::Weighted { value, weight } => {
            format!("{}, weight {}", format::quantity(*value, unit), format::number(*weight))
        }
        MeasuredValue::Ratio { numerator, denominator } => {
            format!("{} of {}", format::number(*numerator), format::number(*denominator))
        }
        MeasuredValue::Word(word) => word.to_string(),
        MeasuredValue::WeightedWord { word, weight } => format!("{word}, weight {}", format::number(*weight)),
        MeasuredValue::NotApplicable => "not applicable".to_owned(),
    }
}
