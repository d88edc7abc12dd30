//! One file: `[scorecard]` itself, and everything below it.
//!
//! A TOML document enters, a [`Draft`] leaves: a scorecard whose references within the file are resolved, and what
//! can only be resolved when all files are read.

use std::collections::HashMap;
use std::sync::Arc;

use rayon::prelude::*;
use toml::Spanned;

use super::alert::{self, RuleDraft};
use super::changes;
use super::fields::{At, Fields};
use super::kpi::{self, KpiDraft};
use super::problem::Report;
use super::tree::{self, IncludeDraft, named, read_roll_up};
use super::values::shorten;
use super::window::read_label;
use crate::domain::calendar::{Calendar, WeekStart};
use crate::domain::catalog::{Band, Bands, RollUp, Scorecard, Versioned};
use crate::domain::id::Slug;

/// So many KPIs are read by one core before another one is asked for help.
const KPIS_AT_ONCE: usize = 64;

/// A scorecard, and what waits for the other files.
pub(super) struct Draft<'a> {
    /// Where its problems go.
    pub report: &'a Report<'a>,
    /// Without includes yet.
    pub scorecard: Scorecard,
    /// Where its id stands.
    pub id_at: usize,
    /// Where each KPI's id stands, in the order of the KPIs.
    pub kpi_at: Vec<usize>,
    /// Nodes of other scorecards that count here.
    pub includes: Vec<IncludeDraft<'a>>,
    /// In the order of the file.
    pub rules: Vec<RuleDraft>,
    /// No node was left out for its own problems, so that a reference that finds none is a problem.
    pub whole: bool,
}

/// Calendars that were made already: each costs a table of local midnights.
#[derive(Default)]
pub(super) struct Calendars(HashMap<(String, bool, u8), Arc<Calendar>>);

impl Calendars {
    /// The calendar; `None` when the zone is not known.
    fn get(&mut self, zone: &str, week_start: WeekStart, fiscal_year_start: u8) -> Option<Arc<Calendar>> {
        let key = (zone.to_owned(), week_start == WeekStart::Sunday, fiscal_year_start);
        if let Some(calendar) = self.0.get(&key) {
            return Some(Arc::clone(calendar));
        }
        let calendar = Arc::new(Calendar::new(zone, week_start, fiscal_year_start).ok()?);
        self.0.insert(key, Arc::clone(&calendar));
        Some(calendar)
    }
}

/// Reads one file. `None` when it has no scorecard with a usable id.
pub(super) fn read<'a>(
    report: &'a Report<'a>,
    document: &'a Spanned<toml::de::DeTable<'a>>,
    calendars: &mut Calendars,
) -> Option<Draft<'a>> {
    let root = Fields::new(report, String::new(), 0, document.get_ref());
    let (head, id) = read_head(&root, calendars);
    let perspectives = tree::read_perspectives(&root, &head.calendar);
    let objectives = tree::read_objectives(&root, &head.calendar, &perspectives);
    let kpi_tables = root.tables("kpi", |number, id| named("kpi", number, id));
    let kpi_count = kpi_tables.len();
    let drafts = kpi_tables.into_par_iter().with_min_len(KPIS_AT_ONCE);
    let kpis: Vec<KpiDraft> = drafts
        .filter_map(|table| kpi::read(table, &objectives.roster, &head.calendar))
        .collect();
    let rules = alert::read_all(&root);
    let whole = kpis.len() == kpi_count;
    tree::check_emptiness(&root, &perspectives);
    root.finish();
    let id = id?;
    let (kpi_at, kpis) = kpis.into_iter().map(|draft| (draft.id_at, draft.definition)).unzip();
    Some(Draft {
        report,
        id_at: id.at,
        kpi_at,
        includes: objectives.includes,
        rules,
        whole: whole && perspectives.roster.whole() && objectives.roster.whole(),
        scorecard: Scorecard {
            title: head.title.unwrap_or_else(|| id.value.to_string()),
            id: id.value,
            owner: head.owner,
            calendar: head.calendar,
            each: head.each,
            roll_up: head.roll_up,
            min_coverage: head.min_coverage,
            bands: head.bands,
            perspectives: perspectives.list,
            objectives: objectives.list,
            kpis,
        },
    })
}

/// What `[scorecard]` says beside its id.
struct Head {
    title: Option<String>,
    owner: Option<String>,
    calendar: Arc<Calendar>,
    each: Option<String>,
    roll_up: RollUp,
    min_coverage: f64,
    bands: Vec<Versioned<Bands>>,
}

impl Head {
    /// All defaults, for a file whose `[scorecard]` is missing.
    fn empty() -> Self {
        let from = crate::domain::instant::Instant(i64::MIN);
        Self {
            title: None,
            owner: None,
            calendar: Arc::new(Calendar::utc()),
            each: None,
            roll_up: RollUp::Mean,
            min_coverage: 0.0,
            bands: vec![Versioned {
                from,
                value: default_bands(),
            }],
        }
    }
}

fn read_head(root: &Fields<'_>, calendars: &mut Calendars) -> (Head, Option<At<Slug>>) {
    if root.place("scorecard").is_none() {
        root.refuse(
            0,
            "`[scorecard]` is missing",
            "start the file with [scorecard] and id = \"...\": one file, one scorecard",
        );
        return (Head::empty(), None);
    }
    let Some(fields) = root.table("scorecard", "scorecard".to_owned()) else {
        return (Head::empty(), None);
    };
    let calendar = read_calendar(&fields, calendars);
    let bands = read_bands(&fields).unwrap_or_else(default_bands);
    let bands = changes::read(&fields, &calendar, bands, |change, before| {
        read_bands(change).unwrap_or_else(|| Arc::clone(before))
    });
    let head = Head {
        title: fields.words("title"),
        owner: fields.words("owner"),
        each: read_label(&fields, "each").map(str::to_owned),
        roll_up: read_roll_up(&fields),
        min_coverage: read_min_coverage(&fields),
        calendar,
        bands,
    };
    let id = fields.id(Slug::parse);
    fields.finish();
    (head, id)
}

fn read_calendar(fields: &Fields<'_>, calendars: &mut Calendars) -> Arc<Calendar> {
    let starts = [("monday", WeekStart::Monday), ("sunday", WeekStart::Sunday)];
    let week_start = fields
        .choice("week_start", &starts)
        .map_or(WeekStart::Monday, |start| start.value);
    let month = fields.whole("fiscal_year_start").unwrap_or(At {
        value: 1,
        at: fields.at,
    });
    if !(1..=12).contains(&month.value) {
        let what = format!("fiscal_year_start {} is not a month", month.value);
        fields.refuse(month.at, &what, "write a number from 1 for January to 12 for December");
    }
    let month = u8::try_from(month.value.clamp(1, 12)).unwrap_or(1);
    let zone = fields.text("time_zone");
    let calendar = calendars.get(zone.map_or("UTC", |zone| zone.value), week_start, month);
    calendar.unwrap_or_else(|| {
        let zone = zone.unwrap_or(At {
            value: "UTC",
            at: fields.at,
        });
        let what = format!("time_zone \"{}\" is not known", shorten(zone.value));
        fields.refuse(
            zone.at,
            &what,
            "write an IANA name, for example \"Europe/Berlin\" or \"UTC\"",
        );
        Arc::new(Calendar::utc())
    })
}

fn read_min_coverage(fields: &Fields<'_>) -> f64 {
    let Some(coverage) = fields.number("min_coverage") else {
        return 0.0;
    };
    if !(0.0..=1.0).contains(&coverage.value) {
        let what = format!("min_coverage {} is not between 0 and 1", coverage.value);
        fields.refuse(
            coverage.at,
            &what,
            "write a share, for example 0.5 for half of the weight",
        );
    }
    coverage.value
}

fn default_bands() -> Bands {
    let band = |(name, from): (&str, f64)| Band {
        name: name.into(),
        from,
    };
    [("red", 0.0), ("amber", 50.0), ("green", 75.0)].map(band).into()
}

fn read_bands(fields: &Fields<'_>) -> Option<Bands> {
    let at = fields.place("bands")?;
    let mut bands: Vec<Band> = Vec::new();
    for table in fields.tables("bands", |number, _| format!("{}, band {number}", fields.subject)) {
        let name = read_band_name(&table, &bands);
        let from = read_band_from(&table, bands.last().map(|band| band.from));
        if let Some((name, from)) = name.zip(from) {
            bands.push(Band { name, from });
        }
        table.finish();
    }
    if bands.is_empty() {
        fields.refuse(
            at,
            "`bands` has no usable band",
            "write for example bands = [{ name = \"red\", from = 0 }]",
        );
    }
    Some(bands.into())
}

fn read_band_name(table: &Fields<'_>, before: &[Band]) -> Option<Arc<str>> {
    if table.place("name").is_none() {
        table.refuse_missing("name", "name it, for example name = \"amber\"");
    }
    let name = table.words("name")?;
    if before.iter().any(|band| *band.name == *name) {
        table.refuse(
            table.at,
            &format!("the name \"{}\" is taken already", shorten(&name)),
            "give it another name",
        );
    }
    Some(name.into())
}

fn read_band_from(table: &Fields<'_>, before: Option<f64>) -> Option<f64> {
    if table.place("from").is_none() {
        table.refuse_missing("from", "write the lowest score that is in it, for example from = 50");
    }
    let from = table.number("from")?;
    let (value, place) = (from.value, from.at);
    match before {
        None if value != 0.0 => table.refuse(place, &format!("the first band starts at {value}"), "write from = 0"),
        Some(before) if value <= before => {
            let what = format!("from {value} is not above {before} of the band before");
            table.refuse(place, &what, "write bands by increasing score");
        }
        _ if value > 100.0 => {
            table.refuse(place, &format!("from {value} is above 100"), "scores go from 0 to 100");
        }
        _ => {}
    }
    Some(value)
}
