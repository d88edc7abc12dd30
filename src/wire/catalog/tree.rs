//! `[[perspective]]` and `[[objective]]`: the levels between a scorecard and its KPIs.
//!
//! Tables of one file enter, perspectives and objectives leave, whose references within the file are resolved;
//! what they include from other files waits as [`IncludeDraft`].

use super::changes;
use super::fields::{At, Fields};
use super::problem::{Report, nearest};
use super::values::shorten;
use crate::domain::calendar::Calendar;
use crate::domain::catalog::{Objective, Perspective, RollUp};
use crate::domain::id::Slug;

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

    /// Whether every table of this level is in it.
    pub fn whole(&self) -> bool {
        self.whole
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

/// How a thing is called in problems: by its id, or by its number where it has none.
pub(super) fn named(kind: &str, number: usize, id: Option<&str>) -> String {
    match id {
        Some(id) => format!("{kind} `{id}`"),
        None => format!("{kind} number {number}"),
    }
}

/// The roll-up of a node above the KPIs; the mean unless it says otherwise.
pub(super) fn read_roll_up(fields: &Fields<'_>) -> RollUp {
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

/// The perspectives of a file, where they stand, and their ids.
pub(super) struct Perspectives {
    /// In file order.
    pub list: Vec<Perspective>,
    /// For references from objectives.
    pub roster: Roster,
    at: Vec<usize>,
}

/// Reads every `[[perspective]]`.
pub(super) fn read_perspectives(root: &Fields<'_>, calendar: &Calendar) -> Perspectives {
    let mut all = Perspectives {
        list: Vec::new(),
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
        all.list.push(Perspective {
            title: title.unwrap_or_else(|| id.to_string()),
            id,
            weight,
            roll_up,
        });
    }
    all
}

/// The objectives of a file, where they stand, their ids, and what they refer to.
pub(super) struct Objectives<'a> {
    /// In file order.
    pub list: Vec<Objective>,
    /// Nodes of other scorecards that count here.
    pub includes: Vec<IncludeDraft<'a>>,
    /// For references from KPIs.
    pub roster: Roster,
    at: Vec<usize>,
    /// Which objective, its name in problems, and whom it says it drives.
    drives: Vec<(usize, String, At<&'a str>)>,
}

/// Reads every `[[objective]]`.
pub(super) fn read_objectives<'a>(
    root: &Fields<'a>,
    calendar: &Calendar,
    perspectives: &Perspectives,
) -> Objectives<'a> {
    let mut all = Objectives {
        list: Vec::new(),
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
    let index = all.list.len();
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
    all.list.push(Objective {
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
        .list
        .iter()
        .filter_map(|objective| {
            let perspective = perspectives.list.get(objective.perspective)?;
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
                .list
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

/// A scorecard without a perspective shows nothing. Perspectives and objectives may wait for what belongs under them.
pub(super) fn check_emptiness(root: &Fields<'_>, perspectives: &Perspectives) {
    if perspectives.list.is_empty() && perspectives.roster.whole {
        root.refuse(
            0,
            "the scorecard has no perspective",
            "write a [[perspective]] with an id, for example \"customer\"",
        );
    }
}
