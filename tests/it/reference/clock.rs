//! The event clock: measurements in the order of the file, evaluations at the multiples of `every` that they pass.

use std::collections::BTreeMap;

use super::alerts::Alerts;
use super::catalog;
use super::definition::Catalog;
use super::intake::Intake;
use super::tree::{Moment, Node};
use super::{File, Lines, ReadingLine};

/// What `kpid replay --clock event --input FILE --every D` prints to `--readings` and `--alerts`.
pub fn run(files: &[File], measurements_ndjson: &str, every_ms: i64) -> Lines {
    let catalog = catalog::read(files);
    let mut replay = Replay::new(&catalog);
    let mut intake = Intake::default();
    let mut next: Option<i64> = None;
    for line in measurements_ndjson.lines() {
        let Ok(taken) = intake.judge(&catalog, line) else {
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
    (replay.readings, replay.alerts.lines())
}

/// What is remembered from one evaluation to the next.
struct Replay<'a> {
    catalog: &'a Catalog,
    held: BTreeMap<String, (i64, f64)>,
    /// By path: the line that was printed last.
    printed: BTreeMap<String, ReadingLine>,
    readings: Vec<ReadingLine>,
    alerts: Alerts,
}

impl<'a> Replay<'a> {
    fn new(catalog: &'a Catalog) -> Self {
        Self {
            catalog,
            held: BTreeMap::new(),
            printed: BTreeMap::new(),
            readings: Vec::new(),
            alerts: Alerts::default(),
        }
    }

    /// Timers that ran out since, then all nodes, then all conditions, then timers that run out at this very instant.
    fn evaluate(&mut self, intake: &Intake, t: i64) {
        self.alerts.run_timers(&self.catalog.rules, t, false);
        let moment = Moment {
            catalog: self.catalog,
            measurements: &intake.list,
            held: &self.held,
            t,
        };
        let nodes = moment.nodes();
        for node in &nodes {
            if let Some(value) = node.own_value {
                self.held.insert(node.line.path.clone(), (t, value));
            }
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
