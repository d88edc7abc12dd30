//! Definitions of the fake house, and the values that its KPIs have now.

use std::sync::Arc;

use crate::domain::calendar::Calendar;
use crate::domain::catalog::{
    Across, Aggregate, Band, Bands, Direction, KpiDefinition, KpiKind, KpiVersion, Missing, Objective, Perspective,
    RollUp, Scorecard, Scoring, Target, Versioned, Window,
};
use crate::domain::id::{KpiId, Slug};
use crate::domain::instant::{DAY_MS, Instant};
use crate::domain::score::ScoreCurve;

// perspective | id | title, objective | id | title, kpi | id | title | unit | red | target | value (or `none`)
const IT: &str = "
perspective | financial | Financial
objective | cost-efficient | Run at planned cost
kpi | it.cost-per-user | Running cost per user | EUR | 140 | 110 | 104.37
kpi | it.spend-variance | Spend against plan | % | 12 | 3 | -1.4
perspective | customer | Customer
objective | satisfied-users | Satisfied users
kpi | it.csat | Ticket satisfaction | % | 75 | 90 | 82.5
kpi | it.tickets | Tickets per 1,000 users |  | 900 | 600 | 1284
perspective | process | Process
objective | restore-fast | Restore service fast
kpi | it.mttr | Time to restore, median | h | 8 | 4 | 3.17
kpi | it.reopen | Reopened tickets | % | 6 | 3 | 9.2
objective | change-safely | Change safely
kpi | it.change-failure | Failed changes | % | 15 | 5 | 4.1
kpi | it.deploys | Deployments a day | 1/d | 1 | 5 | 7.4
kpi | it.latency-p95 | Latency of the shop, 95th percentile | ms | 900 | 400 | 612
perspective | learning | Learning and growth
objective | skilled-people | Skilled people
kpi | it.training-hours | Training hours a person | h | 8 | 24 | 19
kpi | it.enps | Would recommend us as an employer |  | 0 | 30 | none
";

const MARKETING: &str = "
perspective | financial | Financial
objective | profitable-growth | Profitable growth
kpi | marketing.revenue | Attributed revenue | EUR | 900000 | 1200000 | 1384220
kpi | marketing.roas | Return on ad spend |  | 2 | 4 | 3.62
perspective | customer | Customer
objective | known-brand | A brand people know
kpi | marketing.awareness | Aided awareness | % | 20 | 35 | 31
kpi | marketing.cac | Cost of a new customer | EUR | 90 | 60 | 58.4
perspective | process | Process
objective | lean-funnel | A lean funnel
kpi | marketing.conversion | Visits that convert | % | 1.5 | 3 | 2.94
kpi | marketing.lead-response | Time to answer a lead | min | 60 | 15 | 11
perspective | learning | Learning and growth
objective | experiments | Learn by experiment
kpi | marketing.experiments | Experiments finished |  | 2 | 6 | 7
";

const TRAINING: &str = "
perspective | customer | Learners
objective | pass | Learners succeed
kpi | training.pass-rate | Submissions that pass | % | 60 | 80 | 61
kpi | training.nps | Would recommend the course |  | 10 | 40 | 12
perspective | process | Process
objective | feedback | Feedback comes fast
kpi | training.grading | Time to grade | h | 72 | 24 | 96.5
";

const PRODUCT: &str = "
perspective | financial | Financial
objective | recurring | Recurring revenue grows
kpi | product.mrr-growth | Monthly recurring revenue, growth | % | 1 | 4 | 3.1
perspective | customer | Customer
objective | loved | A product people love
kpi | product.activation | New accounts that become active | % | 30 | 45 | 47.2
kpi | product.churn | Accounts lost a month | % | 3 | 1.5 | 1.62
";

const COMPANY: &str = "
perspective | financial | Financial
objective | sound | Sound finances
kpi | company.margin | Operating margin | % | 5 | 12 | 13.8
kpi | company.cash | Cash runway | months | 6 | 18 | 16
";

/// The definitions of a scorecard of the fake house; another id gets those of `it`.
fn drafts(id: &str) -> Vec<Vec<&'static str>> {
    let text = match id {
        "company" => COMPANY,
        "marketing" => MARKETING,
        "product" => PRODUCT,
        "training" => TRAINING,
        _ => IT,
    };
    text.trim()
        .lines()
        .map(|line| line.split('|').map(str::trim).collect())
        .collect()
}

pub(super) fn slug(text: &str) -> Slug {
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

pub(super) fn scorecard(id: &str, title: &str) -> Scorecard {
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
    for draft in drafts(id) {
        match draft.as_slice() {
            ["perspective", id, title] => card.perspectives.push(Perspective {
                id: slug(id),
                title: (*title).to_owned(),
                weight: always(1.0),
                roll_up: RollUp::Mean,
            }),
            ["objective", id, title] => card.objectives.push(Objective {
                id: slug(id),
                title: (*title).to_owned(),
                perspective: card.perspectives.len() - 1,
                weight: always(1.0),
                roll_up: RollUp::Mean,
                drives: Vec::new(),
                include: Vec::new(),
            }),
            ["kpi", kpi @ ..] => card.kpis.push(definition(card.objectives.len() - 1, kpi)),
            other => panic!("{other:?}"),
        }
    }
    if id == "it" {
        // Each objective follows the one before it by three days: skilled people are followed by nobody, so what they drive cannot show.
        card.objectives[0].drives = vec![1];
        card.objectives[1].drives = vec![2];
        card.objectives[4].drives = vec![0, 3];
    }
    card
}

fn definition(objective: usize, draft: &[&str]) -> KpiDefinition {
    let [id, title, unit, red, target, _] = draft else {
        panic!("{draft:?}")
    };
    let (red, target): (f64, f64) = (red.parse().unwrap(), target.parse().unwrap());
    let direction = if red < target { Direction::Up } else { Direction::Down };
    KpiDefinition {
        id: KpiId::parse(id).unwrap(),
        objective,
        title: (*title).to_owned(),
        unit: (*unit).to_owned(),
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

/// What a KPI says now.
pub(super) fn value_of(kpi: &str) -> Option<f64> {
    let scorecard = kpi.split('.').next().unwrap();
    let rows = drafts(scorecard);
    let row = rows.iter().find(|row| row[0] == "kpi" && row[1] == kpi).unwrap();
    (row[6] != "none").then(|| row[6].parse().unwrap())
}
