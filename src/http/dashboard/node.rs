//! Nodes of a scorecard as a page shows them: heads of scorecard, perspective and objective, and rows of KPIs.

use std::sync::Arc;

use super::chart::{Scale, Spark, SparkData};
use super::format;
use super::history::{History, Span};
use super::judge::{Badge, TrendView};
use super::rows::When;
use crate::domain::alert::AlertPhase;
use crate::domain::board::{Board, NodeView, Note, Picture};
use crate::domain::catalog::{
    Band, Bands, Catalog, KpiDefinition, KpiKind, NodeKind, Scorecard, Scoring, Target, Window, version_at,
};
use crate::domain::id::root_of;
use crate::domain::instant::Instant;
use crate::domain::reading::Reading;
use crate::wire::alert::{explain_link, node_link};
use crate::wire::scorecard::{aggregate_word, period_word};

/// A score line that moves by less than so many points looks flat.
const LEAST_POINTS: f64 = 10.0;
/// A value that moves by less than this part of itself looks flat.
const LEAST_PART: f64 = 0.02;

/// What all nodes of one page share.
pub struct Context<'a> {
    /// Definitions and alerts.
    pub board: &'a Board,
    /// Of the page.
    pub scorecard: &'a Scorecard,
    /// Of the page.
    pub picture: &'a Picture,
    /// The past of the picture.
    pub history: &'a History,
    /// How far back it goes.
    pub span: Span,
    /// The clock.
    pub now: Instant,
    /// The bands in force.
    pub bands: Bands,
}

impl Context<'_> {
    /// Nodes below a node, with their places.
    pub fn children<'b>(&'b self, node: &'b NodeView) -> impl Iterator<Item = (usize, &'b NodeView)> {
        let places = node.children.iter().map(|&child| child as usize);
        places.filter_map(|child| Some((child, self.picture.nodes.get(child)?)))
    }
}

/// The bands that hold now.
pub fn bands_at(scorecard: &Scorecard, now: Instant) -> Bands {
    let bands: Option<&Bands> = version_at(&scorecard.bands, now);
    bands.map_or_else(|| Arc::from(Vec::<Band>::new()), Arc::clone)
}

/// How much of the weight is backed by fresh data.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    /// `93 %`
    pub text: String,
    /// Of 100.
    pub width: String,
    /// All of it.
    pub full: bool,
}

/// A leaf that a page points at.
#[derive(Debug, Clone, PartialEq)]
pub struct Worst {
    /// Its title.
    pub title: String,
    /// Its score.
    pub score: String,
    /// Where it is.
    pub href: String,
}

/// What stands over a scorecard, a perspective or an objective.
#[derive(Debug)]
pub struct Head {
    /// Node path: the anchor.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Its score.
    pub score: Option<String>,
    /// Its status.
    pub badge: Badge,
    /// Bands and mark.
    pub scale: Scale,
    /// Against one window earlier.
    pub trend: Option<TrendView>,
    /// Coverage, unless it is left out of it.
    pub coverage: Option<Coverage>,
    /// Leaves under it in the lowest band.
    pub red: u32,
    /// The name of the lowest band.
    pub lowest_band: String,
    /// The lowest leaf under it.
    pub worst: Option<Worst>,
    /// Its score over time.
    pub spark: Option<Spark>,
    /// Its part among its siblings, where it has some: `25 %`.
    pub share: Option<String>,
}

impl Head {
    /// The head of a node at a place of the page's picture.
    pub fn new(context: &Context<'_>, index: usize, node: &NodeView) -> Self {
        let reading = &node.reading;
        let values = context.history.of(index, node, |reading| reading.score);
        let spark = Spark::draw(&SparkData {
            values: &values,
            target: None,
            say: &format::score,
            span: context.span.words,
            least: LEAST_POINTS,
        });
        Self {
            path: node.path.to_string(),
            title: node.title.to_string(),
            score: reading.score.map(format::score),
            badge: Badge::of(reading, &context.bands),
            scale: Scale::draw(&context.bands, reading.score),
            trend: node.trend.as_ref().map(TrendView::of_score),
            coverage: reading.coverage.map(coverage),
            red: reading.red,
            lowest_band: context
                .bands
                .first()
                .map(|band| band.name.to_string())
                .unwrap_or_default(),
            worst: worst(context.picture, &context.board.catalog, reading),
            spark,
            share: share(context, node),
        }
    }

    /// Where its change is explained.
    pub fn explained(&self) -> String {
        explain_link(&self.path, None)
    }
}

fn coverage(share: f64) -> Coverage {
    Coverage {
        text: format::percent(share),
        width: format!("{:.1}", share.clamp(0.0, 1.0) * 100.0),
        full: share >= 1.0,
    }
}

/// The lowest leaf. It may be another scorecard's that is included here; one of the picture has the title that it has there,
/// which may be one of the past.
fn worst(picture: &Picture, catalog: &Catalog, reading: &Reading) -> Option<Worst> {
    let (path, score) = reading.worst.as_ref()?;
    let own = picture.nodes.iter().find(|node| node.path == *path);
    let title = own.map(|node| node.title.to_string());
    Some(Worst {
        title: title
            .or_else(|| title_of(catalog, path))
            .unwrap_or_else(|| path.to_string()),
        score: format::score(*score),
        href: node_link(path),
    })
}

/// The title of a node, with the instance where it is one.
pub(super) fn title_of(catalog: &Catalog, path: &str) -> Option<String> {
    let (id, instance) = root_of(path);
    let mut levels = path.split('/').skip(1);
    let scorecard = catalog.scorecard(id)?;
    let title = match (levels.next(), levels.next(), levels.next()) {
        (None, ..) => match instance {
            Some(instance) => return Some(format!("{}, {}", scorecard.title, instance.as_str())),
            None => &scorecard.title,
        },
        (Some(id), None, _) => &scorecard.perspectives.iter().find(|own| own.id.as_str() == id)?.title,
        (_, Some(id), None) => &scorecard.objectives.iter().find(|own| own.id.as_str() == id)?.title,
        (.., Some(id)) => &scorecard.kpis.iter().find(|own| own.id.as_str() == id)?.title,
    };
    Some(title.clone())
}

/// A node's part of the weight of its siblings; nothing to say for an only child.
fn share(context: &Context<'_>, node: &NodeView) -> Option<String> {
    let (parent, _) = node.path.rsplit_once('/')?;
    let parent = context
        .picture
        .nodes
        .iter()
        .find(|known| known.path.as_ref() == parent)?;
    let weights: f64 = context.children(parent).map(|(_, child)| child.weight).sum();
    let weights = weights + parent.included.iter().map(|included| included.weight).sum::<f64>();
    let siblings = parent.children.len() + parent.included.len();
    (siblings > 1 && weights > 0.0).then(|| format::percent((node.weight / weights * 100.0).round() / 100.0))
}

/// What is known of a KPI's aim besides the target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Aim {
    /// More is better; `None` where neither more nor less is.
    pub rising: Option<bool>,
}

impl Aim {
    /// The aim of the KPI that a path leads to.
    pub fn of(scorecard: &Scorecard, path: &str, now: Instant) -> Self {
        definition(scorecard, path).map_or_else(Self::default, |kpi| Self::read(kpi, now))
    }

    fn read(kpi: &KpiDefinition, now: Instant) -> Self {
        let Some(Scoring::Curve(curve)) = kpi.version(now).map(|version| &version.scoring) else {
            return Self::default();
        };
        let ends = curve.points().first().zip(curve.points().last());
        let rising = ends.and_then(|(first, last)| (first.1 != last.1).then_some(first.1 < last.1));
        Self { rising }
    }
}

pub(super) fn definition<'a>(scorecard: &'a Scorecard, path: &str) -> Option<&'a KpiDefinition> {
    let id = path.rsplit('/').next()?;
    scorecard.kpis.iter().find(|kpi| kpi.id.as_str() == id)
}

/// A person's words.
#[derive(Debug)]
pub struct NoteView {
    /// The words.
    pub text: String,
    /// The name.
    pub by: Option<String>,
    /// When it was observed.
    pub at: When,
}

impl NoteView {
    fn new(note: &Note, now: Instant) -> Self {
        Self {
            text: note.text.to_string(),
            by: note.by.as_ref().map(ToString::to_string),
            at: When::new(note.observed_at, now),
        }
    }
}

/// A KPI as a row of a table.
#[derive(Debug)]
pub struct KpiRow {
    /// Node path: the anchor.
    pub path: String,
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// The value with its unit, or a word of its scale.
    pub value: Option<String>,
    /// The aim.
    pub target: Option<String>,
    /// Its score.
    pub score: Option<String>,
    /// Its status.
    pub badge: Badge,
    /// Against one window earlier.
    pub trend: Option<TrendView>,
    /// Its value over time.
    pub spark: Option<Spark>,
    /// How the value is made: `ratio over 28 d, leading`.
    pub made: String,
    /// Measurements in the window: `420 measurements`.
    pub count: String,
    /// The latest of them.
    pub observed: Option<When>,
    /// Measured, but longer ago than expected.
    pub overdue: bool,
    /// The period is not over.
    pub provisional: bool,
    /// It changed after the period was final.
    pub restated: bool,
    /// The words beside it.
    pub note: Option<NoteView>,
    /// Alerts on it: `firing`, `pending`.
    pub alerts: Vec<&'static str>,
    /// Its part of its objective.
    pub share: Option<String>,
}

impl KpiRow {
    /// The row of a KPI at a place of the page's picture.
    pub fn new(context: &Context<'_>, index: usize, node: &NodeView) -> Self {
        let reading = &node.reading;
        let kpi = definition(context.scorecard, &node.path);
        let aim = kpi.map(|kpi| Aim::read(kpi, context.now)).unwrap_or_default();
        let path: &str = &node.path;
        let alerts = context.board.alerts.iter().filter(|alert| alert.path.as_ref() == path);
        Self {
            path: node.path.to_string(),
            id: path.rsplit('/').next().unwrap_or_default().to_owned(),
            title: node.title.to_string(),
            value: reading.value.map(|value| value_words(value, &node.unit, kpi)),
            target: node.target.map(|target| format::target(target, aim.rising, &node.unit)),
            score: reading.score.map(format::score),
            badge: Badge::of(reading, &context.bands),
            trend: node
                .trend
                .as_ref()
                .map(|trend| TrendView::of_value(trend, reading.value, &node.unit)),
            spark: value_spark(context, index, node),
            made: kpi.map(made).unwrap_or_default(),
            count: measurements(reading.count),
            observed: reading.observed_at.map(|instant| When::new(instant, context.now)),
            overdue: !reading.fresh && reading.observed_at.is_some(),
            provisional: reading.provisional,
            restated: reading.restated,
            note: node.note.as_ref().map(|note| NoteView::new(note, context.now)),
            alerts: alerts.map(|alert| AlertPhase::word(alert.phase)).collect(),
            share: share(context, node),
        }
    }

    /// Where its change is explained.
    pub fn explained(&self) -> String {
        explain_link(&self.path, None)
    }
}

/// How a value is made, in words.
fn made(kpi: &KpiDefinition) -> String {
    let window = match kpi.window {
        Window::Rolling { slices, slice_ms } => format!("over {}", format::length(slices.saturating_mul(slice_ms))),
        Window::Period { period, complete, .. } => {
            let which = if complete { "last" } else { "this" };
            format!("{which} {}", period_word(period))
        }
        Window::All => "of all time".to_owned(),
    };
    let leading = if kpi.kind == KpiKind::Leading {
        ", leading"
    } else {
        ", lagging"
    };
    format!("{} {window}{leading}", aggregate_word(&kpi.aggregate).replace('_', " "))
}

fn measurements(count: u64) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{} measurement{plural}", format::number(count as f64))
}

/// The value, or the word of a qualitative KPI's scale that it is.
pub(super) fn value_words(value: f64, unit: &str, kpi: Option<&KpiDefinition>) -> String {
    let scale = kpi.and_then(|kpi| kpi.scale.as_ref());
    let word = scale.and_then(|scale| scale.iter().find(|(_, score)| *score == value));
    word.map_or_else(|| format::quantity(value, unit), |(word, _)| word.to_string())
}

fn value_spark(context: &Context<'_>, index: usize, node: &NodeView) -> Option<Spark> {
    let values = context.history.of(index, node, |reading| reading.value);
    let reach = |target| match target {
        Target::Value(value) | Target::Range(_, value) => f64::abs(value),
    };
    let size = node
        .reading
        .value
        .map_or(0.0, f64::abs)
        .max(node.target.map_or(0.0, reach));
    Spark::draw(&SparkData {
        values: &values,
        target: node.target,
        say: &|value| format::quantity(value, &node.unit),
        span: context.span.words,
        least: size * LEAST_PART,
    })
}

/// Whether a place of the picture is a KPI.
pub fn is_kpi(node: &NodeView) -> bool {
    node.kind == NodeKind::Kpi
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::fake;

    #[test]
    fn the_lowest_leaf_has_its_title_whosever_it_is() {
        let board = fake::board();
        let [company, it] = ["company", "it"].map(|id| board.picture(id).unwrap());
        let reading = &it.nodes.first().unwrap().reading;
        let title = |picture, reading| worst(picture, &board.catalog, reading).unwrap().title;
        assert_eq!(title(company, reading), "Tickets per 1,000 users");

        let mut past = Picture::clone(it);
        for node in &mut past.nodes {
            node.title = "as it was called then".into();
        }
        assert_eq!(title(&past, reading), "as it was called then");

        let gone = Reading {
            worst: Some(("gone/customer/a/gone.kpi".into(), 1.0)),
            ..reading.clone()
        };
        assert_eq!(title(company, &gone), "gone/customer/a/gone.kpi");
    }
}
