//! `[scorecard]`, `[[perspective]]`, `[[objective]]`: the tree of one file.
//!
//! A TOML document enters, a [`Draft`] leaves: a scorecard whose references within the file are resolved, and what
//! can only be resolved when all files are read.

use std::collections::HashMap;
use std::sync::Arc;

use toml::Spanned;

use super::alert::{self, RuleDraft};
use super::changes;
use super::fields::{At, Fields, shorten};
use super::kpi::{self, KpiDraft};
use super::problem::{Report, nearest};
use super::window::read_label;
use crate::domain::calendar::{Calendar, WeekStart};
use crate::domain::catalog::{Band, Bands, Objective, Perspective, RollUp, Scorecard, Versioned};
use crate::domain::id::Slug;

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
}

/// An `include` as written.
pub(super) struct IncludeDraft<'a> {
    /// "objective `x`, include 1".
    pub subject: String,
    /// Index into the scorecard's objectives.
    pub objective: usize,
    /// The path and where it stands.
    pub node: At<&'a str>,
    /// Relative weight.
    pub weight: f64,
}

/// Calendars that were made already: each costs a table of local midnights.
#[derive(Default)]
pub(super) struct Calendars(HashMap<(String, bool, u8), Arc<Calendar>>);

impl Calendars {
    /// The calendar, or the problem's two halves.
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

/// The ids of one level in one scorecard, for references to them.
pub(super) struct Roster {
    /// "perspective" or "objective".
    kind: &'static str,
    ids: Vec<Slug>,
    /// No table of this level was dropped for a problem, so that a reference that does not resolve is one itself.
    whole: bool,
}

impl Roster {
    fn new(kind: &'static str) -> Self {
        Self {
            kind,
            ids: Vec::new(),
            whole: true,
        }
    }

    /// Reads the id of a table of this level; a second one of the same name is refused.
    fn read_id(&mut self, table: &Fields<'_>) -> Option<Slug> {
        let Some(id) = table.id(Slug::parse) else {
            self.whole = false;
            return None;
        };
        if self.ids.contains(&id.value) {
            let what = format!("the id is taken by another {} of this scorecard", self.kind);
            table.refuse(id.at, &what, "give it another id");
        }
        Some(id.value)
    }

    /// The index that a required key refers to.
    pub fn resolve(&self, fields: &Fields<'_>, key: &'static str) -> Option<usize> {
        if fields.place(key).is_none() {
            let remedy = match self.ids.first() {
                Some(first) => format!("name one, for example {key} = \"{first}\""),
                None => format!("write a [[{}]] and name its id here", self.kind),
            };
            fields.refuse_missing(key, &remedy);
            return None;
        }
        let name = fields.text(key)?;
        let found = self.ids.iter().position(|id| id.as_str() == name.value);
        if found.is_none() && self.whole {
            let what = format!("there is no {} `{}`", self.kind, shorten(name.value));
            fields.refuse(name.at, &what, &self.remedy(name.value));
        }
        found
    }

    fn remedy(&self, name: &str) -> String {
        match nearest(name, self.ids.iter().map(Slug::as_str)) {
            Some(meant) => format!("did you mean `{meant}`?"),
            None => format!("write a [[{}]] with this id, or name another", self.kind),
        }
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
    let perspectives = read_perspectives(&root, &head.calendar);
    let objectives = read_objectives(&root, &head.calendar, &perspectives);
    let kpi_tables = root.tables("kpi", |number, id| named("kpi", number, id));
    let kpi_count = kpi_tables.len();
    let drafts = kpi_tables.into_iter();
    let kpis: Vec<KpiDraft> = drafts
        .filter_map(|table| kpi::read(table, &objectives.roster, &head.calendar))
        .collect();
    let rules = alert::read_all(&root);
    let whole = kpis.len() == kpi_count;
    check_emptiness(&root, &perspectives, &objectives, whole.then_some(kpis.as_slice()));
    root.finish();
    let id = id?;
    let (kpi_at, kpis) = kpis.into_iter().map(|draft| (draft.id_at, draft.definition)).unzip();
    Some(Draft {
        report,
        id_at: id.at,
        kpi_at,
        includes: objectives.includes,
        rules,
        scorecard: Scorecard {
            title: head.title.unwrap_or_else(|| id.value.to_string()),
            id: id.value,
            owner: head.owner,
            calendar: head.calendar,
            each: head.each,
            roll_up: head.roll_up,
            min_coverage: head.min_coverage,
            bands: head.bands,
            perspectives: perspectives.perspectives,
            objectives: objectives.objectives,
            kpis,
        },
    })
}

/// How a thing is called in problems: by its id, or by its number where it has none.
pub(super) fn named(kind: &str, number: usize, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{kind} `{id}`"),
        None => format!("{kind} number {number}"),
    }
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

/// The roll-up of a node above the KPIs; the mean unless it says otherwise.
fn read_roll_up(fields: &Fields<'_>) -> RollUp {
    let choices = [
        ("mean", RollUp::Mean),
        ("worst", RollUp::Worst),
        ("best", RollUp::Best),
        ("geometric", RollUp::Geometric),
    ];
    fields
        .choice("roll_up", &choices)
        .map_or(RollUp::Mean, |roll_up| roll_up.value)
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

struct Perspectives {
    perspectives: Vec<Perspective>,
    at: Vec<usize>,
    roster: Roster,
}

fn read_perspectives(root: &Fields<'_>, calendar: &Calendar) -> Perspectives {
    let mut all = Perspectives {
        perspectives: Vec::new(),
        at: Vec::new(),
        roster: Roster::new("perspective"),
    };
    for table in root.tables("perspective", |number, id| named("perspective", number, id)) {
        let id = all.roster.read_id(&table);
        let title = table.words("title");
        let weight = changes::read_weight(&table, calendar);
        let roll_up = read_roll_up(&table);
        all.at.extend(id.as_ref().map(|_| table.at));
        table.finish();
        let Some(id) = id else { continue };
        all.roster.ids.push(id.clone());
        all.perspectives.push(Perspective {
            title: title.unwrap_or_else(|| id.to_string()),
            id,
            weight,
            roll_up,
        });
    }
    all
}

struct Objectives<'a> {
    objectives: Vec<Objective>,
    at: Vec<usize>,
    roster: Roster,
    drives: Vec<(usize, String, At<&'a str>)>,
    includes: Vec<IncludeDraft<'a>>,
}

fn read_objectives<'a>(root: &Fields<'a>, calendar: &Calendar, perspectives: &Perspectives) -> Objectives<'a> {
    let mut all = Objectives {
        objectives: Vec::new(),
        at: Vec::new(),
        roster: Roster::new("objective"),
        drives: Vec::new(),
        includes: Vec::new(),
    };
    for table in root.tables("objective", |number, id| named("objective", number, id)) {
        read_objective(table, calendar, perspectives, &mut all);
    }
    resolve_drives(root.report, perspectives, &mut all);
    all
}

fn read_objective<'a>(table: Fields<'a>, calendar: &Calendar, perspectives: &Perspectives, all: &mut Objectives<'a>) {
    let index = all.objectives.len();
    let id = all.roster.read_id(&table);
    let perspective = perspectives.roster.resolve(&table, "perspective");
    let title = table.words("title");
    let weight = changes::read_weight(&table, calendar);
    let roll_up = read_roll_up(&table);
    let drives = table.texts("drives");
    let includes = read_includes(&table, index);
    let at = table.at;
    let subject = table.subject.clone();
    table.finish();
    let Some((id, perspective)) = id.zip(perspective) else {
        all.roster.whole = false;
        return;
    };
    all.drives
        .extend(drives.into_iter().map(|drives| (index, subject.clone(), drives)));
    all.includes.extend(includes);
    all.at.push(at);
    all.roster.ids.push(id.clone());
    all.objectives.push(Objective {
        title: title.unwrap_or_else(|| id.to_string()),
        id,
        perspective,
        weight,
        roll_up,
        drives: Vec::new(),
        include: Vec::new(),
    });
}

fn read_includes<'a>(table: &Fields<'a>, objective: usize) -> Vec<IncludeDraft<'a>> {
    let mut includes = Vec::new();
    for include in table.tables("include", |number, _| format!("{}, include {number}", table.subject)) {
        if include.place("node").is_none() {
            include.refuse_missing(
                "node",
                "name a node of another scorecard, for example node = \"it/customer\"",
            );
        }
        let node = include.text("node");
        let weight = changes::weight(&include).unwrap_or(1.0);
        let subject = include.subject.clone();
        include.finish();
        includes.extend(node.map(|node| IncludeDraft {
            subject,
            objective,
            node,
            weight,
        }));
    }
    includes
}

/// `drives` names objectives of the same scorecard by `perspective/objective`, also ones further down in the file.
fn resolve_drives(report: &Report<'_>, perspectives: &Perspectives, all: &mut Objectives<'_>) {
    let paths: Vec<String> = all
        .objectives
        .iter()
        .filter_map(|objective| {
            let perspective = perspectives.perspectives.get(objective.perspective)?;
            Some(format!("{}/{}", perspective.id, objective.id))
        })
        .collect();
    for (from, subject, name) in std::mem::take(&mut all.drives) {
        match paths.iter().position(|path| path == name.value) {
            Some(to) if to == from => {
                report.add(
                    name.at,
                    &format!("{subject}: it drives itself"),
                    "name another objective, or remove it",
                );
            }
            Some(to) => all
                .objectives
                .get_mut(from)
                .into_iter()
                .for_each(|objective| objective.drives.push(to)),
            None if all.roster.whole => {
                let what = format!("{subject}: it drives `{}`, which is not here", shorten(name.value));
                report.add(name.at, &what, &drives_remedy(name.value, &paths));
            }
            None => {}
        }
    }
}

fn drives_remedy(name: &str, paths: &[String]) -> String {
    match nearest(name, paths.iter().map(String::as_str)) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => "name an objective of this scorecard as perspective/objective".to_owned(),
    }
}

/// Every level has something under it. `kpis` is absent when some were dropped for their own problems; then nothing
/// can be said about what lacks them.
fn check_emptiness(
    root: &Fields<'_>,
    perspectives: &Perspectives,
    objectives: &Objectives<'_>,
    kpis: Option<&[KpiDraft]>,
) {
    if perspectives.perspectives.is_empty() && perspectives.roster.whole {
        root.refuse(
            0,
            "the scorecard has no perspective",
            "write a [[perspective]] with an id, for example \"customer\"",
        );
    }
    if objectives.roster.whole {
        for (index, (perspective, at)) in perspectives.perspectives.iter().zip(&perspectives.at).enumerate() {
            if !objectives
                .objectives
                .iter()
                .any(|objective| objective.perspective == index)
            {
                let what = format!("perspective `{}` has no objective", perspective.id);
                root.refuse(
                    *at,
                    &what,
                    &format!("write an [[objective]] with perspective = \"{}\"", perspective.id),
                );
            }
        }
    }
    let Some(kpis) = kpis else { return };
    for (index, (objective, at)) in objectives.objectives.iter().zip(&objectives.at).enumerate() {
        let has_kpi = kpis.iter().any(|kpi| kpi.definition.objective == index);
        if !has_kpi && !objectives.includes.iter().any(|include| include.objective == index) {
            let what = format!("objective `{}` has neither a KPI nor an include", objective.id);
            root.refuse(
                *at,
                &what,
                &format!("write a [[kpi]] with objective = \"{}\", or an include", objective.id),
            );
        }
    }
}
