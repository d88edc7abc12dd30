//! A plausible board for tests and for looking at the dashboard: five scorecards, instances, alerts, notes, gaps.
//!
//! Scores come from the same curves as in the house; the past is the present with a slow wave laid over it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::broadcast;

use crate::domain::alert::{
    AlertPhase, AlertRule, AlertTransition, AlertView, Condition, Contributor, Metric, NoData, PathPattern, Severity,
    TransitionKind,
};
use crate::domain::board::{
    Board, INSTANCE_SHARDS, IncludedView, NodeView, Note, Picture, ScorecardBoard, instance_shard,
};
use crate::domain::calendar::Calendar;
use crate::domain::catalog::{
    Across, Aggregate, Band, Bands, Catalog, Direction, KpiDefinition, KpiKind, KpiVersion, Missing, NodeKind,
    Objective, Perspective, RollUp, Scorecard, Scoring, Target, Versioned, Window,
};
use crate::domain::id::{InstanceId, KpiId, Sequence, Slug};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};
use crate::domain::reading::{Absence, Reading, Trend};
use crate::domain::score::ScoreCurve;
use crate::ports::{Clock, HouseState, Notice, PicturesQuery, QueryError, ReadingsQuery, Views};

/// 2026-03-01T10:00:00Z
pub const NOW: Instant = Instant(1_772_359_200_000);

/// A clock that stands still.
pub struct Stopped;

impl Clock for Stopped {
    fn now(&self) -> Instant {
        NOW
    }
}

/// A KPI of the fake: id, title, unit, red, target, value (`None`: no data).
pub type Draft = (&'static str, &'static str, &'static str, f64, f64, Option<f64>);
type DraftObjective = (&'static str, &'static str, &'static [Draft]);
type DraftPerspective = (&'static str, &'static str, &'static [DraftObjective]);

const IT: &[DraftPerspective] = &[
    (
        "financial",
        "Financial",
        &[(
            "cost-efficient",
            "Run at planned cost",
            &[
                (
                    "it.cost-per-user",
                    "Running cost per user",
                    "EUR",
                    140.0,
                    110.0,
                    Some(104.37),
                ),
                ("it.spend-variance", "Spend against plan", "%", 12.0, 3.0, Some(-1.4)),
            ],
        )],
    ),
    (
        "customer",
        "Customer",
        &[(
            "satisfied-users",
            "Satisfied users",
            &[
                ("it.csat", "Ticket satisfaction", "%", 75.0, 90.0, Some(82.5)),
                ("it.tickets", "Tickets per 1,000 users", "", 900.0, 600.0, Some(1284.0)),
            ],
        )],
    ),
    (
        "process",
        "Process",
        &[
            (
                "restore-fast",
                "Restore service fast",
                &[
                    ("it.mttr", "Time to restore, median", "h", 8.0, 4.0, Some(3.17)),
                    ("it.reopen", "Reopened tickets", "%", 6.0, 3.0, Some(9.2)),
                ],
            ),
            (
                "change-safely",
                "Change safely",
                &[
                    ("it.change-failure", "Failed changes", "%", 15.0, 5.0, Some(4.1)),
                    ("it.deploys", "Deployments a day", "1/d", 1.0, 5.0, Some(7.4)),
                    (
                        "it.latency-p95",
                        "Latency of the shop, 95th percentile",
                        "ms",
                        900.0,
                        400.0,
                        Some(612.0),
                    ),
                ],
            ),
        ],
    ),
    (
        "learning",
        "Learning and growth",
        &[(
            "skilled-people",
            "Skilled people",
            &[
                (
                    "it.training-hours",
                    "Training hours a person",
                    "h",
                    8.0,
                    24.0,
                    Some(19.0),
                ),
                ("it.enps", "Would recommend us as an employer", "", 0.0, 30.0, None),
            ],
        )],
    ),
];

const MARKETING: &[DraftPerspective] = &[
    (
        "financial",
        "Financial",
        &[(
            "profitable-growth",
            "Profitable growth",
            &[
                (
                    "marketing.revenue",
                    "Attributed revenue",
                    "EUR",
                    900_000.0,
                    1_200_000.0,
                    Some(1_384_220.0),
                ),
                ("marketing.roas", "Return on ad spend", "", 2.0, 4.0, Some(3.62)),
            ],
        )],
    ),
    (
        "customer",
        "Customer",
        &[(
            "known-brand",
            "A brand people know",
            &[
                ("marketing.awareness", "Aided awareness", "%", 20.0, 35.0, Some(31.0)),
                ("marketing.cac", "Cost of a new customer", "EUR", 90.0, 60.0, Some(58.4)),
            ],
        )],
    ),
    (
        "process",
        "Process",
        &[(
            "lean-funnel",
            "A lean funnel",
            &[
                ("marketing.conversion", "Visits that convert", "%", 1.5, 3.0, Some(2.94)),
                (
                    "marketing.lead-response",
                    "Time to answer a lead",
                    "min",
                    60.0,
                    15.0,
                    Some(11.0),
                ),
            ],
        )],
    ),
    (
        "learning",
        "Learning and growth",
        &[(
            "experiments",
            "Learn by experiment",
            &[("marketing.experiments", "Experiments finished", "", 2.0, 6.0, Some(7.0))],
        )],
    ),
];

const TRAINING: &[DraftPerspective] = &[
    (
        "customer",
        "Learners",
        &[(
            "pass",
            "Learners succeed",
            &[
                (
                    "training.pass-rate",
                    "Submissions that pass",
                    "%",
                    60.0,
                    80.0,
                    Some(61.0),
                ),
                ("training.nps", "Would recommend the course", "", 10.0, 40.0, Some(12.0)),
            ],
        )],
    ),
    (
        "process",
        "Process",
        &[(
            "feedback",
            "Feedback comes fast",
            &[("training.grading", "Time to grade", "h", 72.0, 24.0, Some(96.5))],
        )],
    ),
];

const PRODUCT: &[DraftPerspective] = &[
    (
        "financial",
        "Financial",
        &[(
            "recurring",
            "Recurring revenue grows",
            &[(
                "product.mrr-growth",
                "Monthly recurring revenue, growth",
                "%",
                1.0,
                4.0,
                Some(3.1),
            )],
        )],
    ),
    (
        "customer",
        "Customer",
        &[(
            "loved",
            "A product people love",
            &[
                (
                    "product.activation",
                    "New accounts that become active",
                    "%",
                    30.0,
                    45.0,
                    Some(47.2),
                ),
                ("product.churn", "Accounts lost a month", "%", 3.0, 1.5, Some(1.62)),
            ],
        )],
    ),
];

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
        let instance = query.instance.as_ref().map(InstanceId::as_str);
        let picture = Arc::clone(board.picture(scorecard.id.as_str(), instance).unwrap());
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
        let instance = query.instance.as_ref().map(InstanceId::as_str);
        let picture = Arc::clone(board.picture(&query.scorecard, instance).unwrap());
        let pictures = query.at.iter().map(|&at| past(&board, &picture, at)).collect();
        async { Ok(pictures) }.boxed()
    }

    fn subscribe(&self) -> broadcast::Receiver<Arc<Notice>> {
        self.notices.subscribe()
    }

    fn house(&self) -> HouseState {
        self.state.lock().unwrap().clone()
    }
}

/// The whole board.
pub fn board() -> Board {
    let scorecards = vec![
        scorecard("company", "Company", PRODUCT_AS_COMPANY),
        scorecard("it", "IT operations", IT),
        scorecard("marketing", "Marketing", MARKETING),
        scorecard("product", "Product", PRODUCT),
        scorecard("training", "Training", TRAINING),
    ];
    board_of(scorecards)
}

const PRODUCT_AS_COMPANY: &[DraftPerspective] = &[(
    "financial",
    "Financial",
    &[(
        "sound",
        "Sound finances",
        &[
            ("company.margin", "Operating margin", "%", 5.0, 12.0, Some(13.8)),
            ("company.cash", "Cash runway", "months", 6.0, 18.0, Some(16.0)),
        ],
    )],
)];

/// A board of one scorecard with one KPI, whose titles, instance and note are given by a stranger.
pub fn board_with_titles(title: &'static str) -> Board {
    let mut card = scorecard("it", title, IT);
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
    board.scorecards[0].overall = Arc::new(retitled.clone());
    board.scorecards[0].instances = shards(&[(name.clone(), retitled)]);
    board.scorecards[0].instance_count = 1;
    board.scorecards[0].worst_instances = vec![(name, 12.0)];
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
    board.scorecards = catalog.scorecards.iter().map(|card| on_board(card)).collect();
    board.alerts = Arc::new(alerts());
    board.recent = Arc::new(transitions());
    board
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn always<T>(value: T) -> Vec<Versioned<T>> {
    vec![Versioned {
        from: Instant(i64::MIN),
        value,
    }]
}

fn bands() -> Bands {
    let band = |name: &str, from| Band {
        name: name.into(),
        from,
    };
    vec![band("red", 0.0), band("amber", 50.0), band("green", 75.0)].into()
}

fn scorecard(id: &str, title: &str, drafts: &[DraftPerspective]) -> Scorecard {
    let mut card = Scorecard {
        id: slug(id),
        title: title.to_owned(),
        owner: Some(format!("head-of-{id}@example.com")),
        calendar: Arc::new(Calendar::utc()),
        each: (id == "marketing").then(|| "region".to_owned()),
        roll_up: RollUp::Mean,
        min_coverage: 0.0,
        bands: always(bands()),
        perspectives: Vec::new(),
        objectives: Vec::new(),
        kpis: Vec::new(),
    };
    for (perspective, (id, title, objectives)) in drafts.iter().enumerate() {
        card.perspectives.push(Perspective {
            id: slug(id),
            title: (*title).to_owned(),
            weight: always(1.0),
            roll_up: RollUp::Mean,
        });
        for (id, title, kpis) in *objectives {
            let objective = card.objectives.len();
            card.objectives.push(Objective {
                id: slug(id),
                title: (*title).to_owned(),
                perspective,
                weight: always(1.0),
                roll_up: RollUp::Mean,
                drives: Vec::new(),
                include: Vec::new(),
            });
            card.kpis.extend(kpis.iter().map(|draft| definition(objective, draft)));
        }
    }
    card
}

fn definition(objective: usize, draft: &Draft) -> KpiDefinition {
    let &(id, title, unit, red, target, _) = draft;
    let direction = if red < target { Direction::Up } else { Direction::Down };
    KpiDefinition {
        id: KpiId::parse(id).unwrap(),
        objective,
        title: title.to_owned(),
        unit: unit.to_owned(),
        kind: KpiKind::Lagging,
        aggregate: Aggregate::Ratio { scale_by: 100.0 },
        window: Window::Rolling {
            slices: 28,
            slice_ms: DAY_MS,
        },
        across: Across::Sum,
        missing: Missing::Exclude,
        accept: None,
        scale: None,
        allowed_lateness_ms: 0,
        versions: always(KpiVersion {
            weight: 1.0,
            scoring: Scoring::Curve(ScoreCurve::between(direction, red, target, (None, None)).unwrap()),
            target: Some(Target::Value(target)),
            paused: false,
            expected_every_ms: Some(DAY_MS),
        }),
    }
}

fn value_of(kpi: &str) -> Option<f64> {
    let all = [IT, MARKETING, TRAINING, PRODUCT, PRODUCT_AS_COMPANY];
    let drafts = all
        .into_iter()
        .flatten()
        .flat_map(|(_, _, objectives)| objectives.iter());
    let mut kpis = drafts.flat_map(|(_, _, kpis)| kpis.iter());
    kpis.find(|draft| draft.0 == kpi).and_then(|draft| draft.5)
}

fn on_board(card: &Scorecard) -> ScorecardBoard {
    let overall = Arc::new(picture(card, None, NOW, &value_of));
    let names = [
        "berlin", "hamburg", "köln", "lyon", "madrid", "milano", "paris", "porto", "wien", "zürich",
    ];
    let names = names.iter().filter(|_| card.each.is_some()).enumerate();
    let pictures: Vec<(InstanceId, Picture)> = names
        .map(|(index, name)| {
            let id = InstanceId::parse(name).unwrap();
            let factor = 0.8 + 0.05 * index as f64;
            let picture = picture(card, Some(id.clone()), NOW, &|kpi| {
                value_of(kpi).map(|value| value * factor)
            });
            (id, picture)
        })
        .collect();
    let mut ranked: Vec<(InstanceId, f64)> = pictures
        .iter()
        .filter_map(|(id, picture)| Some((id.clone(), picture.nodes[0].reading.score?)))
        .collect();
    ranked.sort_by(|a, b| a.1.total_cmp(&b.1));
    ScorecardBoard {
        overall,
        instances: if card.each.is_some() {
            shards(&pictures)
        } else {
            Vec::new()
        },
        instance_count: pictures.len(),
        worst_instances: ranked.iter().take(10).cloned().collect(),
        best_instances: ranked.iter().rev().take(10).cloned().collect(),
    }
}

fn shards(pictures: &[(InstanceId, Picture)]) -> Vec<Arc<BTreeMap<InstanceId, Arc<Picture>>>> {
    let mut shards = vec![BTreeMap::new(); INSTANCE_SHARDS];
    for (id, picture) in pictures {
        shards[instance_shard(id)].insert(id.clone(), Arc::new(picture.clone()));
    }
    shards.into_iter().map(Arc::new).collect()
}

/// The picture of a scorecard from values alone.
fn picture(
    card: &Scorecard,
    instance: Option<InstanceId>,
    at: Instant,
    value: &dyn Fn(&str) -> Option<f64>,
) -> Picture {
    let root = match &instance {
        Some(instance) => format!("{}@{instance}", card.id),
        None => card.id.to_string(),
    };
    let mut nodes = vec![blank(&root, NodeKind::Scorecard, &card.title)];
    for (index, perspective) in card.perspectives.iter().enumerate() {
        let path = format!("{root}/{}", perspective.id);
        let at_perspective = add(&mut nodes, 0, blank(&path, NodeKind::Perspective, &perspective.title));
        for (number, objective) in card
            .objectives
            .iter()
            .enumerate()
            .filter(|(_, o)| o.perspective == index)
        {
            let path = format!("{path}/{}", objective.id);
            let at_objective = add(
                &mut nodes,
                at_perspective,
                blank(&path, NodeKind::Objective, &objective.title),
            );
            for kpi in card.kpis.iter().filter(|kpi| kpi.objective == number) {
                add(&mut nodes, at_objective, leaf(&path, kpi, value(kpi.id.as_str())));
            }
        }
    }
    for index in (0..nodes.len()).rev() {
        roll_up(&mut nodes, index);
    }
    decorate(&mut nodes);
    Picture {
        scorecard: card.id.clone(),
        instance,
        at,
        sequence: Sequence(4711),
        nodes,
    }
}

fn add(nodes: &mut Vec<NodeView>, parent: usize, node: NodeView) -> usize {
    let index = nodes.len();
    nodes[parent].children.push(index as u32);
    nodes.push(node);
    index
}

fn blank(path: &str, kind: NodeKind, title: &str) -> NodeView {
    NodeView {
        path: path.into(),
        kind,
        title: title.into(),
        weight: 1.0,
        reading: Reading::nothing(),
        trend: None,
        children: Vec::new(),
        unit: "".into(),
        target: None,
        included: Vec::new(),
        note: None,
    }
}

fn leaf(path: &str, kpi: &KpiDefinition, value: Option<f64>) -> NodeView {
    let mut node = blank(&format!("{path}/{}", kpi.id), NodeKind::Kpi, &kpi.title);
    let version = &kpi.versions[0].value;
    node.unit = kpi.unit.as_str().into();
    node.target = version.target;
    if let (Some(value), Scoring::Curve(curve)) = (value, &version.scoring) {
        let score = curve.score(value);
        node.reading = Reading {
            value: Some(value),
            score: Some(score),
            status: Some(status(score)),
            absence: None,
            coverage: Some(1.0),
            count: 420,
            observed_at: Some(NOW.plus_ms(-35 * MINUTE_MS)),
            fresh: true,
            provisional: false,
            worst: Some((Arc::clone(&node.path), score)),
            red: u32::from(score < 50.0),
        };
        node.trend = Some(Trend::between(curve.score(value * 0.94), score, Some(value * 0.94)));
    }
    node
}

fn status(score: f64) -> Arc<str> {
    match score {
        75.0.. => "green".into(),
        50.0.. => "amber".into(),
        _ => "red".into(),
    }
}

fn roll_up(nodes: &mut [NodeView], index: usize) {
    if nodes[index].kind == NodeKind::Kpi {
        return;
    }
    let children: Vec<NodeView> = nodes[index]
        .children
        .iter()
        .map(|&child| nodes[child as usize].clone())
        .collect();
    let scores: Vec<f64> = children.iter().filter_map(|child| child.reading.score).collect();
    let worst = children.iter().filter_map(|child| child.reading.worst.clone());
    let worst = worst.min_by(|a, b| a.1.total_cmp(&b.1));
    let coverage: f64 = children.iter().filter_map(|child| child.reading.coverage).sum();
    let node = &mut nodes[index];
    node.reading.coverage = Some(coverage / children.len() as f64);
    node.reading.red = children.iter().map(|child| child.reading.red).sum();
    node.reading.worst = worst;
    node.reading.fresh = true;
    if !scores.is_empty() {
        let score = scores.iter().sum::<f64>() / scores.len() as f64;
        node.reading.score = Some(score);
        node.reading.status = Some(status(score));
        node.reading.absence = None;
        node.trend = Some(Trend::between(score - 2.2, score, None));
    }
}

/// What only some nodes have: a stale one, a provisional one, a note, a paused one, included nodes.
fn decorate(nodes: &mut [NodeView]) {
    for node in nodes {
        let id = node.path.rsplit('/').next().unwrap_or_default().to_owned();
        match id.as_str() {
            "it.csat" => {
                node.note = Some(Note {
                    text: "after the outage of the mail gateway".into(),
                    by: Some("Anna".into()),
                    observed_at: NOW.plus_ms(-HOUR_MS),
                });
            }
            "it.training-hours" => {
                node.reading.fresh = false;
                node.reading.observed_at = Some(NOW.plus_ms(-9 * DAY_MS));
            }
            "it.cost-per-user" => node.reading.provisional = true,
            "it.deploys" => {
                node.reading.score = None;
                node.reading.status = None;
                node.trend = None;
                node.reading.absence = Some(Absence::Paused);
                node.reading.coverage = None;
            }
            "sound" => {
                node.included = vec![IncludedView {
                    path: "it/process".into(),
                    title: "Process".into(),
                    weight: 1.0,
                    score: Some(66.0),
                    status: Some("amber".into()),
                }];
            }
            _ => {}
        }
    }
}

/// A picture of the past: the same scorecard with a slow wave over its values.
fn past(board: &Board, now: &Picture, at: Instant) -> Picture {
    let card = board.catalog.scorecard(now.scorecard.as_str()).unwrap();
    let days = NOW.since(at) as f64 / DAY_MS as f64;
    let value = |kpi: &str| {
        let phase = kpi.len() as f64;
        let wave = 1.0 - 0.004 * days + 0.06 * ((days + phase) * 0.7).sin() - 0.06 * (phase * 0.7).sin();
        value_of(kpi).map(|value| value * wave)
    };
    let mut picture = picture(card, now.instance.clone(), at, &value);
    for (node, present) in picture.nodes.iter_mut().zip(&now.nodes) {
        node.title = Arc::clone(&present.title);
    }
    picture
}

fn rule(id: &str, title: &str) -> AlertRule {
    AlertRule {
        id: slug(id),
        version: "0123456789ab".to_owned(),
        scorecard: 0,
        title: title.to_owned(),
        on: PathPattern::parse("it/**").unwrap(),
        kinds: Vec::new(),
        metric: Metric::Score,
        condition: Condition::Below {
            threshold: 50.0,
            clear: 55.0,
        },
        for_ms: 0,
        keep_firing_for_ms: 0,
        severity: Severity::Critical,
        repeat_ms: None,
        no_data: NoData::Keep,
    }
}

fn alerts() -> Vec<AlertView> {
    let firing = AlertView {
        id: "a1".to_owned(),
        rule: slug("reopen-high"),
        path: "it/process/restore-fast/it.reopen".into(),
        title: "Reopened tickets".to_owned(),
        phase: AlertPhase::Firing,
        since: NOW.plus_ms(-3 * HOUR_MS),
        fired_at: Some(NOW.plus_ms(-3 * HOUR_MS + 10 * MINUTE_MS)),
        severity: Severity::Critical,
        value: Some(9.2),
        unit: "%".to_owned(),
        score: Some(23.3),
        status: Some("red".into()),
    };
    let pending = AlertView {
        id: "a2".to_owned(),
        rule: slug("csat-low"),
        path: "it/customer/satisfied-users/it.csat".into(),
        title: "Ticket satisfaction".to_owned(),
        phase: AlertPhase::Pending,
        since: NOW.plus_ms(-4 * MINUTE_MS),
        fired_at: None,
        severity: Severity::Warning,
        value: Some(82.5),
        score: Some(62.5),
        status: Some("amber".into()),
        ..firing.clone()
    };
    vec![pending, firing]
}

fn transitions() -> Vec<AlertTransition> {
    let firing = transition(TransitionKind::Firing);
    let mut resolved = transition(TransitionKind::Resolved);
    resolved.id = "ef01".to_owned();
    resolved.at = NOW.plus_ms(-26 * HOUR_MS);
    resolved.since = NOW.plus_ms(-31 * HOUR_MS);
    resolved.path = "it/customer/satisfied-users/it.csat".into();
    resolved.title = "Ticket satisfaction".to_owned();
    resolved.value = Some(88.0);
    vec![firing, resolved]
}

/// A transition of the rule `reopen-high`.
pub fn transition(kind: TransitionKind) -> AlertTransition {
    AlertTransition {
        id: "abcd".to_owned(),
        rule: slug("reopen-high"),
        rule_version: "0123456789ab".to_owned(),
        path: "it/process/restore-fast/it.reopen".into(),
        kind,
        at: NOW.plus_ms(-3 * HOUR_MS + 10 * MINUTE_MS),
        since: NOW.plus_ms(-3 * HOUR_MS),
        detected_at: NOW.plus_ms(-3 * HOUR_MS),
        sequence: Sequence(4700),
        title: "Reopened tickets".to_owned(),
        owner: Some("head-of-it@example.com".to_owned()),
        severity: Severity::Critical,
        value: Some(9.2),
        unit: "%".to_owned(),
        target: Some(Target::Value(3.0)),
        score: Some(23.3),
        status: Some("red".into()),
        status_before: Some("amber".into()),
        coverage: Some(1.0),
        contributors: vec![Contributor {
            path: "it/process/restore-fast/it.reopen".into(),
            score: 23.3,
            share: 1.0,
        }],
    }
}
