//! The event clock: measurements in the order of the file, evaluations at the multiples of `every` that they pass.

use std::collections::BTreeMap;

use super::alerts::Alerts;
use super::catalog;
use super::definition::Catalog;
use super::intake::Intake;
use super::pictures::{Picture, picture};
use super::tree::{Memory, Moment, Node, Settled, View};
use super::{File, Lines, ReadingLine};

/// What `kpid replay --clock event --input FILE --every D` prints to `--readings` and `--alerts`.
pub fn run(files: &[File], measurements_ndjson: &str, every_ms: i64) -> Lines {
    let catalog = catalog::read(files);
    let (replay, ..) = play(&catalog, measurements_ndjson, every_ms);
    (replay.readings, replay.alerts.lines())
}

/// What readers see after the last evaluation, and what they see when they ask for other instants then.
pub fn run_pictures(
    files: &[File],
    measurements_ndjson: &str,
    every_ms: i64,
    queries: &[i64],
) -> Option<(Picture, Vec<Picture>)> {
    let catalog = catalog::read(files);
    let (replay, intake, last) = play(&catalog, measurements_ndjson, every_ms);
    let look = |t, is_query| {
        let view = if is_query { View::Query } else { View::Now };
        let moment = |view| Moment {
            catalog: &catalog,
            measurements: &intake.list,
            // At the last evaluation the memory of those before it counts.
            memory: if is_query {
                &replay.memory
            } else {
                &replay.memory_before
            },
            t,
            view,
        };
        picture(&moment(view), &moment(View::Before { query: is_query }), &replay.memory)
    };
    let last = last?;
    let answers = queries.iter().map(|t| look(*t, true)).collect();
    Some((look(last, false), answers))
}

/// What readers see at an instant after everything, when nodes are looked at whenever they change. Nothing is held, and of
/// restatements nothing is known, because no evaluations are.
pub fn picture_at(files: &[File], measurements_ndjson: &str, t: i64) -> Picture {
    let catalog = catalog::read(files);
    let mut intake = Intake::default();
    for line in measurements_ndjson.lines() {
        if let Ok(taken) = intake.judge(&catalog, line) {
            intake.apply(taken);
        }
    }
    let memory = Memory::default();
    let moment = |view| Moment {
        catalog: &catalog,
        measurements: &intake.list,
        memory: &memory,
        t,
        view,
    };
    picture(&moment(View::Now), &moment(View::Before { query: false }), &memory)
}

fn play<'a>(catalog: &'a Catalog, ndjson: &str, every_ms: i64) -> (Replay<'a>, Intake, Option<i64>) {
    let mut replay = Replay::new(catalog);
    let mut intake = Intake::default();
    let mut next: Option<i64> = None;
    for line in ndjson.lines() {
        let Ok(taken) = intake.judge(catalog, line) else {
            continue;
        };
        if let Some(observed_at) = taken.observed_at() {
            let due = next.get_or_insert((observed_at.div_euclid(every_ms) + 1) * every_ms);
            while *due <= observed_at {
                replay.evaluate(&intake, *due);
                *due += every_ms;
            }
        }
        intake.apply(taken);
    }
    if let Some(due) = next {
        replay.evaluate(&intake, due);
    }
    (replay, intake, next)
}

/// What is remembered from one evaluation to the next.
struct Replay<'a> {
    catalog: &'a Catalog,
    memory: Memory,
    /// What was remembered when the last evaluation began.
    memory_before: Memory,
    /// By path: the line that was printed last.
    printed: BTreeMap<String, ReadingLine>,
    readings: Vec<ReadingLine>,
    alerts: Alerts,
}

impl<'a> Replay<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            memory: Memory::default(),
            memory_before: Memory::default(),
            printed: BTreeMap::new(),
            readings: Vec::new(),
            alerts: Alerts::default(),
        }
    }

    /// Timers that ran out since, then all nodes, then all conditions, then timers that run out at this very instant.
    fn evaluate(&mut self, intake: &Intake, t: i64) {
        self.alerts.run_timers(&self.catalog.rules, t, false);
        self.memory_before = self.memory.clone();
        let moment = Moment {
            catalog: self.catalog,
            measurements: &intake.list,
            memory: &self.memory_before,
            t,
            view: View::Now,
        };
        let nodes = moment.nodes();
        for node in &nodes {
            remember(&mut self.memory, node);
        }
        for node in &nodes {
            self.print(node);
        }
        self.alerts.evaluate(&self.catalog.rules, &nodes, t);
        self.alerts.run_timers(&self.catalog.rules, t, true);
    }

    /// A line for a node that is new, or of which anything but the instant changed.
    fn print(&mut self, node: &Node) {
        let line = &node.line;
        let known = self.printed.get(&line.path);
        if known.is_some_and(|known| {
            ReadingLine {
                at_ms: line.at_ms,
                ..known.clone()
            } == *line
        }) {
            return;
        }
        self.printed.insert(line.path.clone(), line.clone());
        self.readings.push(line.clone());
    }
}

/// What a KPI's reading leaves behind for later evaluations.
fn remember(memory: &mut Memory, node: &Node) {
    let Some(leaf) = &node.leaf else { return };
    let path = &node.line.path;
    if let Some(value) = leaf.own_value {
        memory.held.insert(path.clone(), (leaf.at, value));
    }
    let Some(period_end) = leaf.final_period else { return };
    match memory
        .settled
        .get_mut(path)
        .filter(|known| known.period_end == period_end)
    {
        Some(settled) => {
            settled.restated |= settled.value != leaf.own_value;
            settled.value = leaf.own_value;
        }
        None if leaf.was_measured() => {
            let settled = Settled {
                period_end,
                value: leaf.own_value,
                restated: false,
            };
            memory.settled.insert(path.clone(), settled);
        }
        None => {}
    }
}
