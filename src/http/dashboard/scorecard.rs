//! The page of one scorecard or one instance of it: perspectives, their objectives, their KPIs.

use askama::Template;

use super::format;
use super::frame::Frame;
use super::history::{self, History, SPANS, Span};
use super::judge::Badge;
use super::node::{Context, Head, KpiRow, bands_at, is_kpi};
use super::overview;
use super::past::{PastForm, PastWanted};
use super::rows::{AlertList, alert_list};
use super::strategy::strategy_link;
use crate::domain::board::{Board, IncludedView, NodeView, Picture, RankedInstance};
use crate::domain::catalog::{Bands, Scorecard};
use crate::domain::instant::Instant;
use crate::http::Windows;
use crate::wire::alert::node_link;
use crate::wire::scorecard::belongs_to;

/// The page.
#[derive(Template)]
#[template(path = "scorecard.html", config = "src/http/dashboard/askama.toml")]
pub struct ScorecardPage {
    frame: Frame,
    id: String,
    instance: Option<String>,
    strategy: Option<String>,
    owner: Option<String>,
    head: Option<Head>,
    alerts: AlertList,
    perspectives: Vec<PerspectiveView>,
    spans: Vec<SpanLink>,
    span: Span,
    instances: Option<Instances>,
    past: PastForm,
}

/// A link to the same page with another past.
struct SpanLink {
    words: &'static str,
    href: String,
    current: bool,
}

/// A perspective with what is below it.
struct PerspectiveView {
    head: Head,
    objectives: Vec<ObjectiveView>,
}

/// An objective with its KPIs and the nodes of other scorecards that count in it.
struct ObjectiveView {
    head: Head,
    kpis: Vec<KpiRow>,
    included: Vec<Included>,
}

/// A node of another scorecard.
struct Included {
    title: String,
    href: String,
    score: Option<String>,
    badge: Badge,
}

/// What can be chosen of a scorecard that has instances.
struct Instances {
    label: String,
    words: String,
    names: Vec<String>,
    worst: Vec<Ranked>,
    best: Vec<Ranked>,
}

/// An instance with its score.
struct Ranked {
    name: String,
    href: String,
    score: String,
    badge: Badge,
}

/// What was asked for.
pub struct Wanted<'a> {
    /// The definition.
    pub scorecard: &'a Scorecard,
    /// The picture on the board.
    pub picture: &'a Picture,
    /// How far back.
    pub span: Span,
    /// Which past it is of, if not of now.
    pub past: PastWanted,
}

impl ScorecardPage {
    /// Draws the page.
    pub(in crate::http) async fn draw(windows: &Windows, board: &Board, wanted: Wanted<'_>, now: Instant) -> Self {
        let Wanted {
            scorecard,
            picture,
            span,
            past,
        } = wanted;
        // Lines that end now would tell a page of the past what it could not know.
        let history = if past.is_now() {
            history::ask(windows, picture, span).await
        } else {
            History::default()
        };
        let context = Context {
            board,
            scorecard,
            picture,
            history: &history,
            span,
            now,
            bands: bands_at(scorecard, if past.is_now() { now } else { picture.at }),
        };
        let root = picture.nodes.first();
        let root_path = root.map(|node| node.path.to_string()).unwrap_or_default();
        // The page over all instances shows the alerts of every one of them.
        let alerts = alert_list(board, now, |alert| match picture.instance {
            None => belongs_to(&alert.path, scorecard.id.as_str()),
            Some(_) => alert.path.split('/').next() == Some(&root_path),
        });
        let instance = picture.instance.as_ref().map(|instance| instance.as_str().to_owned());
        let title = match &instance {
            Some(instance) => format!("{}, {instance}", scorecard.title),
            None => scorecard.title.clone(),
        };
        let mut frame = Frame::new(windows, board, &title, Some(scorecard.id.as_str()));
        frame.json = format!("/api/v1{}", page_of(&root_path));
        if !past.is_now() {
            frame.stream = String::new();
            let joint = if frame.json.contains('?') { '&' } else { '?' };
            frame.json = format!("{}{joint}{}", frame.json, past.parameters());
        }
        let perspectives = root.into_iter().flat_map(|root| context.children(root));
        Self {
            frame,
            strategy: scorecard
                .objectives
                .iter()
                .any(|objective| !objective.drives.is_empty())
                .then(|| strategy_link(&root_path)),
            id: scorecard.id.to_string(),
            owner: scorecard.owner.clone(),
            head: root.map(|root| Head::new(&context, 0, root)),
            alerts,
            perspectives: perspectives
                .map(|(index, node)| PerspectiveView::new(&context, index, node))
                .collect(),
            spans: if past.is_now() {
                span_links(&root_path, span)
            } else {
                Vec::new()
            },
            past: past.form(picture),
            span,
            // Who is best is told of now only.
            instances: instances(board, scorecard, &context.bands).filter(|_| past.is_now()),
            instance,
        }
    }
}

impl PerspectiveView {
    fn new(context: &Context<'_>, index: usize, node: &NodeView) -> Self {
        let objectives = context.children(node);
        Self {
            head: Head::new(context, index, node),
            objectives: objectives
                .map(|(index, node)| ObjectiveView::new(context, index, node))
                .collect(),
        }
    }
}

impl ObjectiveView {
    fn new(context: &Context<'_>, index: usize, node: &NodeView) -> Self {
        let kpis = context.children(node).filter(|(_, node)| is_kpi(node));
        Self {
            head: Head::new(context, index, node),
            kpis: kpis.map(|(index, node)| KpiRow::new(context, index, node)).collect(),
            included: node
                .included
                .iter()
                .map(|included| Included::new(context, included))
                .collect(),
        }
    }
}

impl Included {
    fn new(context: &Context<'_>, included: &IncludedView) -> Self {
        let home = included.path.split(['/', '@']).next().unwrap_or_default();
        let scorecard = context.board.catalog.scorecard(home);
        let bands = scorecard.map_or_else(Bands::default, |scorecard| bands_at(scorecard, context.now));
        let from = scorecard.map_or(home, |scorecard| &scorecard.title);
        let title = if from == included.title.as_ref() {
            from.to_owned()
        } else {
            format!("{from}: {}", included.title)
        };
        Self {
            title,
            href: node_link(&included.path),
            score: included.score.map(format::score),
            badge: Badge::new(included.status.as_deref(), None, &bands),
        }
    }
}

/// The address of a scorecard's or instance's page, without an anchor.
fn page_of(root: &str) -> String {
    let link = node_link(root);
    link.split('#').next().unwrap_or_default().to_owned()
}

fn span_links(root: &str, current: Span) -> Vec<SpanLink> {
    let page = page_of(root);
    let joint = if page.contains('?') { '&' } else { '?' };
    let links = SPANS.into_iter().map(|span| SpanLink {
        words: span.words,
        href: format!("{page}{joint}span={}", span.key),
        current: span == current,
    });
    links.collect()
}

fn instances(board: &Board, scorecard: &Scorecard, bands: &Bands) -> Option<Instances> {
    let label = scorecard.each.clone()?;
    let id = scorecard.id.as_str();
    let on_board = board.on_board(id)?;
    let ranked = |of: &[RankedInstance]| of.iter().map(|entry| Ranked::new(id, entry, bands)).collect();
    Some(Instances {
        words: overview::instances(on_board.instance_count, &label),
        label,
        names: on_board
            .instance_names
            .iter()
            .map(|name| name.as_str().to_owned())
            .collect(),
        worst: ranked(first_half(&on_board.worst_instances, on_board.instance_count, false)),
        best: ranked(first_half(&on_board.best_instances, on_board.instance_count, true)),
    })
}

/// At most five, and of few instances none in both lists.
fn first_half(ranked: &[RankedInstance], count: usize, best: bool) -> &[RankedInstance] {
    let half = if best { count.div_ceil(2) } else { count / 2 };
    ranked.get(..ranked.len().min(half).min(5)).unwrap_or_default()
}

impl Ranked {
    fn new(scorecard: &str, ranked: &RankedInstance, bands: &Bands) -> Self {
        let RankedInstance { name, score, status } = ranked;
        Self {
            name: name.as_str().to_owned(),
            href: node_link(&format!("{scorecard}@{name}")),
            score: format::score(*score),
            badge: Badge::new(status.as_deref(), None, bands),
        }
    }
}
