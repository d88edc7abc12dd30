//! The page of the strategy map: `/scorecards/{id}/strategy?instance=`.
//!
//! Objectives and arrows enter; a drawing leaves, and below it the same as a table with every figure. An arrow's verdict is a
//! word, a shape and a kind of line, and a colour besides.

use askama::Template;

use super::format;
use super::frame::Frame;
use super::judge::Badge;
use super::map::{BOX_HEIGHT, BOX_WIDTH, LABEL, Place, Plan, plan};
use super::node::bands_at;
use super::rows::When;
use crate::domain::board::{Board, NodeView};
use crate::domain::catalog::Bands;
use crate::domain::correlation::Verdict;
use crate::domain::instant::Instant;
use crate::domain::strategy::Arrow;
use crate::http::Windows;
use crate::wire::alert::{explain_link, node_link};
use crate::wire::strategy::StrategyMap;

/// Characters in a line of a box.
const LINE_MAX: usize = 21;

/// The page.
#[derive(Template)]
#[template(path = "strategy.html", config = "src/http/dashboard/askama.toml")]
pub struct StrategyPage {
    frame: Frame,
    title: String,
    home: String,
    size: (String, String),
    bands: Vec<BandView>,
    boxes: Vec<BoxView>,
    arrows: Vec<ArrowView>,
    verdicts: Vec<(Look, usize)>,
    range: [When; 2],
    every: String,
}

/// A perspective: the band behind its objectives.
struct BandView {
    title: String,
    y: String,
    height: String,
    text_y: String,
}

/// An objective.
struct BoxView {
    x: String,
    y: String,
    /// Height and words of each line of the title.
    lines: Vec<(String, String)>,
    middle: String,
    foot: String,
    shape: (String, String),
    title: String,
    perspective: String,
    score: Option<String>,
    badge: Badge,
    href: String,
}

/// How a verdict looks: class of the style sheet, shape, words, and what they mean.
#[derive(Clone, Copy)]
struct Look {
    class: &'static str,
    shape: &'static str,
    words: &'static str,
    means: &'static str,
}

/// A belief.
struct ArrowView {
    number: usize,
    line: String,
    head: String,
    label: (String, String),
    label_words: String,
    from: String,
    to: String,
    look: Look,
    coefficient: Option<String>,
    lag: Option<String>,
    points: String,
    effective: String,
}

impl StrategyPage {
    /// Draws the page.
    pub(in crate::http) fn draw(windows: &Windows, board: &Board, map: &StrategyMap<'_>, now: Instant) -> Self {
        let root = map.picture.nodes.first();
        let path = root.map_or("", |root| &root.path);
        let title = match &map.picture.instance {
            Some(instance) => format!("{}, {}", map.scorecard.title, instance.as_str()),
            None => map.scorecard.title.clone(),
        };
        let mut frame = Frame::new(
            windows,
            board,
            &format!("Strategy map: {title}"),
            Some(map.scorecard.id.as_str()),
        );
        // The past of half a year does not change while one looks at it.
        frame.stream = String::new();
        frame.json = format!("/api/v1{}", strategy_link(path));
        let rows: Vec<(&NodeView, Vec<&NodeView>)> = map.rows().collect();
        let known: Vec<(&Arrow, (Place, Place))> = map
            .arrows
            .iter()
            .filter_map(|arrow| Some((arrow, (place(map, &rows, arrow.from)?, place(map, &rows, arrow.to)?))))
            .collect();
        let counts: Vec<usize> = rows.iter().map(|(_, objectives)| objectives.len()).collect();
        let ways: Vec<(Place, Place)> = known.iter().map(|(_, way)| *way).collect();
        let plan = plan(&counts, &ways);
        let bands = bands_at(map.scorecard, now);
        Self {
            frame,
            title,
            home: node_link(path),
            size: (coordinate(plan.size.0), coordinate(plan.size.1)),
            bands: rows
                .iter()
                .zip(&plan.bands)
                .map(|((row, _), band)| BandView::new(row, *band))
                .collect(),
            boxes: boxes(&rows, &plan, &bands),
            verdicts: verdicts(&known),
            arrows: known
                .iter()
                .enumerate()
                .filter_map(|(index, (arrow, _))| ArrowView::new(map, &plan, (index, arrow)))
                .collect(),
            range: [When::new(map.range.0, now), When::new(map.range.1, now)],
            every: format::length(map.every_ms),
        }
    }
}

/// Where the strategy map of a scorecard or an instance is.
pub fn strategy_link(root: &str) -> String {
    let link = node_link(root);
    let page = link.split('#').next().unwrap_or_default();
    match page.split_once('?') {
        Some((page, query)) => format!("{page}/strategy?{query}"),
        None => format!("{page}/strategy"),
    }
}

fn coordinate(value: f64) -> String {
    format!("{value:.1}")
}

/// Row and place in the row of an objective by its index in the catalog.
fn place(map: &StrategyMap<'_>, rows: &[(&NodeView, Vec<&NodeView>)], objective: usize) -> Option<Place> {
    let path = &map.objective(objective)?.path;
    rows.iter().enumerate().find_map(|(row, (_, objectives))| {
        let index = objectives.iter().position(|node| node.path == *path)?;
        Some((row, index))
    })
}

fn boxes(rows: &[(&NodeView, Vec<&NodeView>)], plan: &Plan, bands: &Bands) -> Vec<BoxView> {
    let rows = rows.iter().zip(&plan.boxes);
    rows.flat_map(|((row, objectives), corners)| {
        let boxes = objectives.iter().zip(corners);
        boxes.map(|(node, corner)| BoxView::new(row, node, *corner, bands))
    })
    .collect()
}

impl BandView {
    fn new(row: &NodeView, (top, height): (f64, f64)) -> Self {
        Self {
            title: row.title.to_string(),
            y: coordinate(top),
            height: coordinate(height),
            text_y: coordinate(top + 20.0),
        }
    }
}

impl BoxView {
    fn new(row: &NodeView, node: &NodeView, (x, y): (f64, f64), bands: &Bands) -> Self {
        let words = lines(&node.title);
        let first = if words.len() == 1 { 32.0 } else { 24.0 };
        let lines = words.into_iter().enumerate();
        Self {
            x: coordinate(x),
            y: coordinate(y),
            lines: lines
                .map(|(index, line)| (coordinate(y + first + 17.0 * index as f64), line))
                .collect(),
            middle: coordinate(x + 14.0),
            foot: coordinate(y + BOX_HEIGHT - 14.0),
            shape: (coordinate(x + BOX_WIDTH - 28.0), coordinate(y + BOX_HEIGHT - 27.0)),
            title: node.title.to_string(),
            perspective: row.title.to_string(),
            score: node.reading.score.map(format::score),
            badge: Badge::of(&node.reading, bands),
            href: explain_link(&node.path, None),
        }
    }

    /// Score and word, as the box shows them.
    fn verdict(&self) -> String {
        match &self.score {
            Some(score) => format!("{score} {}", self.badge.word),
            None => self.badge.word.clone(),
        }
    }
}

/// A title in two lines at most.
fn lines(title: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in title.split_whitespace() {
        let last = lines.last().map_or(0, |line| line.chars().count());
        if last > 0 && last + 1 + word.chars().count() > LINE_MAX {
            lines.push(String::new());
        }
        if let Some(line) = lines.last_mut() {
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
    }
    let is_cut = lines.len() > 2;
    lines.truncate(2);
    let count = lines.len();
    let cut = lines.iter_mut().enumerate().map(|(index, line)| {
        let is_long = line.chars().count() > LINE_MAX;
        if is_long || is_cut && index + 1 == count {
            let kept: String = line.chars().take(LINE_MAX - 1).collect();
            format!("{}\u{2026}", kept.trim_end())
        } else {
            std::mem::take(line)
        }
    });
    cut.collect()
}

impl Look {
    fn of(verdict: Verdict) -> Self {
        let (class, shape, means) = match verdict {
            Verdict::Supported => ("supported", "high", "both move together, more than chance explains"),
            Verdict::Contradicted => (
                "contradicted",
                "low",
                "they move against each other, more than chance explains",
            ),
            Verdict::NotVisible => ("unseen-yet", "none", "nothing that chance could not explain"),
            Verdict::TooLittleHistory => (
                "too-little",
                "middle",
                "too few steps with both scores, or a score that never moved",
            ),
        };
        Self {
            class,
            shape,
            words: verdict.words(),
            means,
        }
    }
}

fn verdicts(arrows: &[(&Arrow, (Place, Place))]) -> Vec<(Look, usize)> {
    let all = [
        Verdict::Supported,
        Verdict::Contradicted,
        Verdict::NotVisible,
        Verdict::TooLittleHistory,
    ];
    let count = |verdict| {
        arrows
            .iter()
            .filter(|(arrow, _)| arrow.correlation.verdict == verdict)
            .count()
    };
    all.map(|verdict| (Look::of(verdict), count(verdict)))
        .into_iter()
        .collect()
}

impl ArrowView {
    fn new(map: &StrategyMap<'_>, plan: &Plan, (index, arrow): (usize, &Arrow)) -> Option<Self> {
        let route = plan.arrows.get(index)?;
        let found = &arrow.correlation;
        let coefficient = found
            .coefficient
            .map(|coefficient| format!("{coefficient:+.2}").replace('-', "\u{2212}"));
        let lag = found.coefficient.map(|_| match found.lag {
            0 => "at once".to_owned(),
            lag => format::length(map.every_ms.saturating_mul(lag as i64)),
        });
        let label_words = match &coefficient {
            Some(coefficient) => coefficient.clone(),
            None => "?".to_owned(),
        };
        Some(Self {
            number: index + 1,
            line: route.line.clone(),
            head: route.head.clone(),
            label: (
                coordinate(route.label.0 - LABEL.0 / 2.0),
                coordinate(route.label.1 - LABEL.1 / 2.0),
            ),
            label_words,
            from: map.objective(arrow.from)?.title.to_string(),
            to: map.objective(arrow.to)?.title.to_string(),
            look: Look::of(found.verdict),
            coefficient,
            lag,
            points: format::number(found.points as f64),
            effective: format::number(found.effective.floor()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_has_two_lines_at_most() {
        assert_eq!(lines("Earn money"), ["Earn money"]);
        assert_eq!(
            lines("Restore service fast and for good"),
            ["Restore service fast", "and for good"]
        );
        let long = lines("Everybody knows what everybody else is doing and why it matters");
        assert_eq!(long, ["Everybody knows what", "everybody else is\u{2026}"]);
        assert_eq!(
            lines("Donaudampfschifffahrtsgesellschaft"),
            ["Donaudampfschifffahr\u{2026}"]
        );
        assert_eq!(lines(""), [""]);
    }

    #[test]
    fn an_instance_has_a_map_of_its_own() {
        assert_eq!(strategy_link("it"), "/scorecards/it/strategy");
        assert_eq!(
            strategy_link("it@K\u{f6}ln"),
            "/scorecards/it/strategy?instance=K%C3%B6ln"
        );
    }
}
