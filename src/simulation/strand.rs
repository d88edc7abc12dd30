//! One KPI of one instance: who reports it, how often, how well it does.
//!
//! A definition enters and is given a character by chance; reports for an instant leave.

use std::sync::Arc;

use super::chance::Chance;
use super::level::{Incident, Level, is_weekend};
use super::recipe::{self, Moment, Said, window_ms};
use super::yardstick::Yardstick;
use crate::domain::catalog::{Aggregate, KpiDefinition, KpiVersion, Scorecard};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant};
use crate::domain::measurement::{Report, ReportValue};

/// Instances of a scorecard with `each`.
const INSTANCES: [&str; 3] = ["berlin", "lyon", "porto"];

/// Reports a day of a KPI that is expected daily, and at most: every quarter of an hour, so that a KPI which is expected
/// every hour stays fresh when one report is late.
const DAILY_REPORTS: f64 = 24.0;
const DAILY_REPORTS_MAX: f64 = 96.0;
/// How the number of reports falls with `expected_every`: faster-than-daily KPIs are watched by machines and need not
/// scale fully, slower ones are written down by people.
const FAST_EXPONENT: f64 = 0.45;
const SLOW_EXPONENT: f64 = 1.2;
/// What is expected this often or more is reported by a machine.
const WATCHED_EVERY_MS: i64 = 6 * HOUR_MS;
/// Reports on a workday and on a weekend day, times the usual; their mean over a week is 1.
const WORKDAY: f64 = 1.2;
const WEEKEND_DAY: f64 = 0.5;

/// The system that all teams' money is reported from.
const BOOKS: &str = "erp";

/// Words in ids of KPIs that an incident hits first.
const FRAGILE: [&str; 12] = [
    "avail",
    "mttr",
    "sla",
    "csat",
    "fdrt",
    "activation",
    "ctr",
    "cpc",
    "conver",
    "completion",
    "attendance",
    "satisf",
];
/// Share of the other quick KPIs that it hits too.
const ALSO_HIT: f64 = 0.25;

/// What a team reports from, and what is said when its incident begins.
#[derive(Debug, Clone, Copy)]
struct Team {
    scorecard: &'static str,
    source: &'static str,
    note: &'static str,
    by: &'static str,
}

const TEAMS: [Team; 4] = [
    Team {
        scorecard: "it",
        source: "servicedesk",
        note: "core switch failed, services down, tickets pile up",
        by: "Service desk",
    },
    Team {
        scorecard: "marketing",
        source: "crm",
        note: "landing page of the campaign unreachable",
        by: "Campaign team",
    },
    Team {
        scorecard: "product",
        source: "webshop",
        note: "faulty release, to be rolled back",
        by: "Release manager",
    },
    Team {
        scorecard: "training",
        source: "lms",
        note: "learning platform down after an update",
        by: "Platform team",
    },
];

/// Any other scorecard's team.
const OTHER_TEAM: Team = Team {
    scorecard: "",
    source: "office",
    note: "main system down, everything by hand",
    by: "Office",
};

/// One KPI of one instance.
#[derive(Debug)]
pub(super) struct Strand {
    /// Index of its scorecard.
    pub(super) card: usize,
    /// An incident of its team hits it.
    pub(super) is_fragile: bool,
    /// Drawn from for every report.
    pub(super) chance: Chance,
    pub(super) level: Level,
    kpi: KpiDefinition,
    team: Team,
    source: &'static str,
    label: Option<(Box<str>, Box<str>)>,
    volume: f64,
    high: bool,
}

/// A strand's definition as it holds at some instant.
pub(super) struct Today<'a> {
    version: &'a KpiVersion,
    yardstick: Yardstick,
    /// Reports on a usual day.
    pub(super) per_day: f64,
}

impl Today<'_> {
    /// A machine reports it, day and night.
    fn is_watched(&self) -> bool {
        self.version
            .expected_every_ms
            .is_some_and(|every| every <= WATCHED_EVERY_MS)
    }

    /// When on its day the report at `share` (0..1) of the day's reports is observed: machines report around the clock,
    /// people mostly between 7 and 19.
    pub(super) fn time_of_day(&self, share: f64) -> i64 {
        let hour = match share {
            _ if self.is_watched() => 24.0 * share,
            _ if share < 0.06 => 7.0 * share / 0.06,
            _ if share < 0.92 => 7.0 + 12.0 * (share - 0.06) / 0.86,
            _ => 19.0 + 5.0 * (share - 0.92) / 0.08,
        };
        (hour * HOUR_MS as f64) as i64
    }
}

impl Strand {
    /// A strand for each instance of a KPI.
    pub(super) fn of_kpi((index, card): (usize, &Scorecard), kpi: &KpiDefinition, seed: u64) -> Vec<Self> {
        let instances = match &card.each {
            None => vec![None],
            Some(label) => INSTANCES
                .iter()
                .map(|name| Some((label.as_str().into(), (*name).into())))
                .collect(),
        };
        let team = TEAMS
            .into_iter()
            .find(|team| team.scorecard == card.id.as_str())
            .unwrap_or(OTHER_TEAM);
        let strand = |label: Option<(Box<str>, Box<str>)>| {
            let instance = label.as_ref().map_or("", |(_, name)| name);
            let chance = Chance::new(seed).of(kpi.id.as_str()).of(instance);
            let mut character = chance.of("character");
            let id = kpi.id.as_str();
            let is_fragile =
                FRAGILE.iter().any(|word| id.contains(word)) || character.happens(ALSO_HIT) && is_quick(kpi);
            Self {
                card: index,
                is_fragile,
                level: Level::drawn(&mut character),
                kpi: copy_of(kpi),
                team,
                source: if is_money(card, kpi) { BOOKS } else { team.source },
                label,
                volume: character.between(30.0, 160.0).round(),
                high: character.happens(0.5),
                chance,
            }
        };
        instances.into_iter().map(strand).collect()
    }

    /// What holds at an instant.
    pub(super) fn today(&self, at: Instant) -> Option<Today<'_>> {
        let version = self.kpi.version(at)?;
        let yardstick = Yardstick::new(&self.kpi, version, self.high);
        let window_days = window_ms(&self.kpi.window) / DAY_MS as f64;
        let aim = || yardstick.value(self.level.score(at)).max(0.0);
        let per_day = match self.kpi.aggregate {
            Aggregate::Count => aim() / window_days,
            Aggregate::Distinct { .. } => 2.0 * aim() / window_days,
            _ => usual_reports(version.expected_every_ms, window_days),
        };
        Some(Today {
            version,
            yardstick,
            per_day: per_day.clamp(1.0 / 90.0, DAILY_REPORTS_MAX),
        })
    }

    /// What its team says when an incident begins, and who says it.
    pub(super) fn incident_note(&self) -> (&'static str, &'static str) {
        (self.team.note, self.team.by)
    }

    /// True where a single report stands for part of a total.
    pub(super) fn adds_up(&self) -> bool {
        recipe::adds_up(&self.kpi.aggregate)
    }

    /// True where one report is one thing that happened, so that there cannot be more of them.
    pub(super) fn counts_reports(&self) -> bool {
        matches!(self.kpi.aggregate, Aggregate::Count | Aggregate::Distinct { .. })
    }

    /// Reports on a day: fewer at weekends, unless a machine watches; what is reported less than daily is written down on workdays only.
    pub(super) fn count_on(&self, day: i64, today: &Today<'_>, chance: &mut Chance) -> u32 {
        let per_day = today.per_day;
        if per_day >= 1.0 {
            let usual = match is_weekend(day) {
                _ if today.is_watched() => 1.0,
                true => WEEKEND_DAY,
                false => WORKDAY,
            };
            return chance.whole(per_day * usual) as u32;
        }
        if is_weekend(day) {
            return 0;
        }
        let phase = self.chance.of("phase").unit();
        let due_by = |day: i64| (day as f64 * per_day + phase).floor();
        let first = if is_weekend(day - 1) { day - 2 } else { day };
        (due_by(day + 1) - due_by(first)).max(0.0) as u32
    }

    /// The circumstances of a usual report at an instant.
    pub(super) fn moment(&self, today: &Today<'_>, at: Instant, incident: Option<&Incident>) -> Moment {
        let incident = incident.filter(|_| self.is_fragile);
        Moment {
            at,
            score: self.level.score(at) - incident.map_or(0.0, |incident| incident.loss(at)),
            bustle: 1.0 + incident.map_or(0.0, |incident| incident.strength(at)),
            share: self.share_of(DAY_MS as f64 / today.per_day),
        }
    }

    /// The part of a window that so many ms are.
    pub(super) fn share_of(&self, ms: f64) -> f64 {
        (ms / window_ms(&self.kpi.window)).min(1.0)
    }

    /// A report of that moment, without key.
    pub(super) fn report(&self, today: &Today<'_>, moment: &Moment, chance: &mut Chance) -> Report {
        let said = self.measure(today, moment, chance);
        self.saying(&said, moment.at)
    }

    /// A mistaken report of that moment, and what it should have said; `None` where no mistake would be believed.
    pub(super) fn mistake(&self, today: &Today<'_>, moment: &Moment, chance: &mut Chance) -> Option<(Report, Report)> {
        let right = self.measure(today, moment, chance);
        let wrong = recipe::mistaken(&right, &self.kpi.aggregate, &today.yardstick)?;
        let mut correction = self.saying(&right, moment.at);
        // It is the value that was wrong; the instant stays that of the first report.
        correction.observed_at = None;
        Some((self.saying(&wrong, moment.at), correction))
    }

    fn measure(&self, today: &Today<'_>, moment: &Moment, chance: &mut Chance) -> Said {
        recipe::measure(
            (&self.kpi, today.version),
            &today.yardstick,
            self.volume,
            moment,
            chance,
        )
    }

    fn saying(&self, said: &Said, at: Instant) -> Report {
        let mut report = Report {
            kpi: Some(self.kpi.id.as_str().into()),
            observed_at: Some(at),
            source: Some(self.source.into()),
            labels: self.label.clone().into_iter().collect(),
            ..Report::default()
        };
        match said {
            Said::Number(value) => report.value = Some(ReportValue::Number(*value)),
            Said::Weighted(value, weight) => {
                report.value = Some(ReportValue::Number(*value));
                report.weight = Some(*weight);
            }
            Said::Ratio(numerator, denominator) => {
                report.numerator = Some(*numerator);
                report.denominator = Some(*denominator);
            }
            Said::Word(word) => report.value = Some(ReportValue::Word((**word).into())),
            Said::Thing(value, thing) => {
                report.value = Some(ReportValue::Number(*value));
                if let Aggregate::Distinct { key } = &self.kpi.aggregate {
                    report.labels.push(((**key).into(), format!("{key}-{thing}").into()));
                }
            }
        }
        report
    }
}

/// Reports a day of a KPI that is expected every so often; without that, about a hundred times a window.
fn usual_reports(expected_every_ms: Option<i64>, window_days: f64) -> f64 {
    let every_days = expected_every_ms.map_or(window_days / 10.0, |every| every as f64 / DAY_MS as f64);
    let exponent = if every_days < 1.0 { FAST_EXPONENT } else { SLOW_EXPONENT };
    DAILY_REPORTS * every_days.powf(-exponent)
}

/// Reported so often that people see an incident in it.
fn is_quick(kpi: &KpiDefinition) -> bool {
    let every = kpi.versions.first().and_then(|version| version.value.expected_every_ms);
    every.is_some_and(|every| every <= 4 * DAY_MS) && !recipe::adds_up(&kpi.aggregate)
}

/// Money comes from the books, whatever the team.
fn is_money(card: &Scorecard, kpi: &KpiDefinition) -> bool {
    let objective = card.objectives.get(kpi.objective);
    let perspective = objective.and_then(|objective| card.perspectives.get(objective.perspective));
    perspective.is_some_and(|perspective| perspective.id.as_str() == "financial")
}

/// The definition is shared with nobody, so that a simulation outlives the catalog it was made for.
fn copy_of(kpi: &KpiDefinition) -> KpiDefinition {
    KpiDefinition {
        id: kpi.id.clone(),
        objective: kpi.objective,
        title: kpi.title.clone(),
        unit: kpi.unit.clone(),
        kind: kpi.kind,
        aggregate: kpi.aggregate.clone(),
        window: kpi.window,
        across: kpi.across,
        missing: kpi.missing,
        accept: kpi.accept,
        scale: kpi
            .scale
            .as_ref()
            .map(|words| words.iter().map(|(word, score)| (Arc::clone(word), *score)).collect()),
        allowed_lateness_ms: kpi.allowed_lateness_ms,
        versions: kpi.versions.clone(),
    }
}
