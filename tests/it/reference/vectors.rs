//! Hand-computed vectors: a small catalog, a short stream, and what must come of it, one story each.
//!
//! They are the specification by example; the reference and the program must both satisfy every one. Conventions that
//! keep them short:
//!
//! - An instant without a date is on Monday, 2026-03-02, UTC. `every` is an hour unless said otherwise.
//! - The scorecard is `t`, its only perspective `p`, its only objective `o`, unless the catalog says otherwise; a path
//!   without a slash other than `t` is a KPI in it: `k` is `t/p/o/k`.
//! - A KPI scored by [`POINTS`] has the value as its score: red 50, target 75, and by their slope worst 0 and best 100.
//! - A reading is `instant path value score word coverage`, `-` for none; the word is the status where there is a
//!   score and the absence where there is none. Of the paths that are named all lines are given, of others none.
//! - An alert is `instant rule path transition since`; all that are printed are given.
//! - What is seen is `instant path name=word ...`, the instant being `end` for the last evaluation, else what a query asks for
//!   then; a leaf is named by its id, a trend is `previous:change:direction`, what is not there is `-`.

mod aggregates;
mod alerts;
mod clock;
mod corrections;
mod definitions;
mod measurements;
mod published;
mod roll_up;
mod scores;
mod seen;
mod windows;

use std::collections::BTreeSet;

use super::compare::{Exactness, compare};
use super::pictures::{Picture, Shown};
use super::{AlertLine, File, Lines, Look, ReadingLine, Replay, catalog};

/// Value and score are the same number.
pub const POINTS: &str = "direction = 'up'\nred = 50\ntarget = 75\n";

/// One story.
pub struct Vector {
    name: &'static str,
    scorecard: &'static str,
    objective: &'static str,
    tables: Option<&'static str>,
    body: String,
    files: Vec<File>,
    every: &'static str,
    stream: &'static [&'static str],
    readings: &'static [&'static str],
    alerts: &'static [&'static str],
    shown: &'static [&'static str],
    exactness: Exactness,
}

/// Begins a story: what it shows, in a sentence.
pub fn vector(name: &'static str) -> Vector {
    Vector {
        name,
        scorecard: "",
        objective: "",
        tables: None,
        body: String::new(),
        files: Vec::new(),
        every: "1h",
        stream: &[],
        readings: &[],
        alerts: &[],
        shown: &[],
        exactness: Exactness::Exact,
    }
}

impl Vector {
    /// Further lines of `[scorecard]`.
    pub fn scorecard(self, lines: &'static str) -> Self {
        Self {
            scorecard: lines,
            ..self
        }
    }

    /// Further lines of the only `[[objective]]`.
    pub fn objective(self, lines: &'static str) -> Self {
        Self {
            objective: lines,
            ..self
        }
    }

    /// `[[perspective]]` and `[[objective]]` instead of the only ones.
    pub fn levels(self, tables: &'static str) -> Self {
        Self {
            tables: Some(tables),
            ..self
        }
    }

    /// A KPI of the objective `o`, scored by [`POINTS`].
    pub fn kpi(self, id: &str, lines: &str) -> Self {
        self.kpi_of("o", id, lines)
    }

    /// A KPI of any objective, scored by [`POINTS`].
    pub fn kpi_of(self, objective: &str, id: &str, lines: &str) -> Self {
        self.with(&kpi(objective, id, &format!("{POINTS}{lines}")))
    }

    /// A KPI of the objective `o`, scored by its own lines or not at all.
    pub fn unscored(self, id: &str, lines: &str) -> Self {
        self.with(&kpi("o", id, lines))
    }

    /// An alert rule as [`rule`] writes it.
    pub fn rule(self, table: &str) -> Self {
        self.with(table)
    }

    fn with(mut self, table: &str) -> Self {
        self.body.push_str(table);
        self
    }

    /// Another file of the catalog.
    pub fn file(mut self, name: &str, text: &str) -> Self {
        self.files.push((name.to_owned(), text.to_owned()));
        self
    }

    /// How often the nodes are evaluated.
    pub fn every(self, every: &'static str) -> Self {
        Self { every, ..self }
    }

    /// Measurements: `instant kpi field=json ...`, `-` for no instant.
    pub fn stream(self, stream: &'static [&'static str]) -> Self {
        Self { stream, ..self }
    }

    /// What `--readings` says of the paths in it.
    pub fn readings(self, readings: &'static [&'static str]) -> Self {
        Self { readings, ..self }
    }

    /// What `--alerts` says.
    pub fn alerts(self, alerts: &'static [&'static str]) -> Self {
        Self { alerts, ..self }
    }

    /// What readers see.
    pub fn shows(self, shown: &'static [&'static str]) -> Self {
        Self { shown, ..self }
    }

    /// Values are those of a sketch.
    pub fn percentiles(self) -> Self {
        Self {
            exactness: Exactness::Percentiles,
            ..self
        }
    }

    /// The catalog that the daemon would read.
    pub fn catalog(&self) -> Vec<File> {
        let only = levels(self.objective);
        let text = format!(
            "{}{}\n{}{}",
            head("t"),
            self.scorecard,
            self.tables.unwrap_or(&only),
            self.body
        );
        let mut files = vec![("t.toml".to_owned(), text)];
        files.extend(self.files.iter().cloned());
        files
    }

    /// The stream as NDJSON.
    pub fn ndjson(&self) -> String {
        self.stream.iter().map(|line| measurement(line) + "\n").collect()
    }

    /// Looks at it and compares what is shown.
    fn check_seen(&self, look: Look<'_>) -> Result<(), String> {
        let row = |line: &'static str| {
            let (at, rest) = line.split_once(' ').expect("an instant");
            let (node, facts) = rest.split_once(' ').expect("a path");
            ((at != "end").then(|| instant(at)), path(node), facts)
        };
        let rows: Vec<(Option<i64>, String, &str)> = self.shown.iter().map(|line| row(line)).collect();
        let queries: Vec<i64> = rows.iter().filter_map(|(at, ..)| *at).collect();
        let every_ms = catalog::duration_ms(self.every);
        let (end, answers) = look(&self.catalog(), &self.ndjson(), every_ms, &queries);
        let mut answers = answers.iter();
        for ((at, path, facts), line) in rows.iter().zip(self.shown) {
            let picture = if at.is_some() { answers.next() } else { Some(&end) };
            let found = node_in(picture.expect("a picture a query"), path)?;
            let told: Vec<String> = facts.split(' ').map(|fact| told(found, fact)).collect();
            if told.join(" ") != *facts {
                return Err(format!("expected {line}\nactual {}\nof {found:#?}", told.join(" ")));
            }
        }
        Ok(())
    }

    fn expected(&self) -> Lines {
        (
            self.readings.iter().map(|line| reading(line)).collect(),
            self.alerts.iter().map(|line| alert(line)).collect(),
        )
    }

    /// Replays it and compares what it says of the paths that are named.
    fn check(&self, run: Replay<'_>) -> Result<(), String> {
        let expected = self.expected();
        let (readings, alerts) = run(&self.catalog(), &self.ndjson(), catalog::duration_ms(self.every));
        let named: BTreeSet<&str> = expected.0.iter().map(|line| line.path.as_str()).collect();
        let readings = readings
            .into_iter()
            .filter(|line| named.contains(line.path.as_str()))
            .collect();
        compare(&expected, &(readings, alerts), self.exactness)
    }
}

/// Every story, in the order of the specification.
pub fn all() -> Vec<Vector> {
    let sections = [
        measurements::vectors(),
        corrections::vectors(),
        definitions::vectors(),
        windows::vectors(),
        aggregates::vectors(),
        scores::vectors(),
        roll_up::vectors(),
        seen::vectors(),
        clock::vectors(),
        alerts::vectors(),
        published::vectors(),
    ];
    sections.into_iter().flatten().collect()
}

/// Tells all stories to `run` and shows them to `look`; panics with those that end otherwise.
pub fn check_vectors(run: Replay<'_>, look: Look<'_>) {
    let vectors = all();
    let mut failures = Vec::new();
    for vector in &vectors {
        let checked = vector.check(run).and_then(|()| match vector.shown {
            [] => Ok(()),
            _ => vector.check_seen(look),
        });
        if let Err(difference) = checked {
            let (name, catalog, stream) = (vector.name, &vector.catalog()[0].1, vector.stream.join("\n"));
            failures.push(format!(
                "## {name}\n{difference}\ncatalog:\n{catalog}\nstream:\n{stream}\n"
            ));
        }
    }
    let (wrong, total) = (failures.len(), vectors.len());
    assert!(
        failures.is_empty(),
        "{wrong} of {total} vectors end otherwise:\n\n{}",
        failures.join("\n")
    );
}

fn node_in<'a>(picture: &'a Picture, path: &str) -> Result<&'a Shown, String> {
    picture.nodes.get(path).ok_or_else(|| format!("{path} is not shown"))
}

/// The fact of that name as it is shown.
fn told(shown: &Shown, fact: &str) -> String {
    let (name, _) = fact.split_once('=').expect("name=word");
    let number = |number: f64| ((number * 1e9).round() / 1e9).to_string();
    let line = &shown.line;
    let word = match name {
        "value" => line.value.map(number),
        "score" => line.score.map(number),
        "word" => line.status.clone().or(line.absence.clone()),
        "count" => Some(shown.count.to_string()),
        "fresh" => Some(shown.fresh.to_string()),
        "provisional" => Some(shown.provisional.to_string()),
        "restated" => Some(shown.restated.to_string()),
        "red" => Some(shown.red.to_string()),
        "worst" => shown.worst.as_ref().map(|(path, score)| {
            let leaf = path.rsplit('/').next().unwrap_or_default();
            format!("{leaf}:{}", number(*score))
        }),
        "trend" => shown.trend.as_ref().map(|trend| {
            let (previous, change) = (number(trend.previous), number(trend.change));
            format!("{previous}:{change}:{}", trend.direction)
        }),
        other => panic!("nothing is shown under {other}"),
    };
    format!("{name}={}", word.as_deref().unwrap_or("-"))
}

/// `[scorecard]`, open for further lines.
fn head(id: &str) -> String {
    format!("[scorecard]\nid = '{id}'\ntitle = 'T'\nowner = 'o@example.com'\n")
}

/// The perspective `p` and the objective `o` with further lines of its own.
fn levels(objective: &str) -> String {
    format!(
        "\n[[perspective]]\nid = 'p'\ntitle = 'P'\n
[[objective]]\nid = 'o'\nperspective = 'p'\ntitle = 'O'\n{objective}\n"
    )
}

fn kpi(objective: &str, id: &str, lines: &str) -> String {
    format!("\n[[kpi]]\nid = '{id}'\nobjective = '{objective}'\ntitle = 'K'\nkind = 'lagging'\n{lines}\n")
}

/// An alert rule on a path.
fn rule(id: &str, on: &str, lines: &str) -> String {
    let path = path(on);
    format!("\n[[alert]]\nid = '{id}'\non = '{path}'\nseverity = 'critical'\n{lines}\n")
}

fn instant(text: &str) -> i64 {
    let whole = if text.contains('T') {
        text.to_owned()
    } else {
        format!("2026-03-02T{text}Z")
    };
    let timestamp: jiff::Timestamp = whole.parse().expect("an instant");
    timestamp.as_millisecond()
}

/// `00:10 k value=75 id="a"` as a JSON object.
fn measurement(line: &str) -> String {
    let mut words = line.split(' ');
    let (at, kpi) = (words.next().expect("an instant"), words.next().expect("a KPI"));
    let mut object = serde_json::Map::new();
    object.insert("kpi".into(), kpi.into());
    if at != "-" {
        let timestamp = jiff::Timestamp::from_millisecond(instant(at)).expect("an instant");
        object.insert("observed_at".into(), timestamp.to_string().into());
    }
    for word in words {
        let (name, json) = word.split_once('=').expect("field=json");
        object.insert(name.into(), serde_json::from_str(json).expect("JSON"));
    }
    serde_json::Value::Object(object).to_string()
}

/// `k` is `t/p/o/k`.
fn path(text: &str) -> String {
    if text.contains(['/', '*']) || text.starts_with('t') {
        text.to_owned()
    } else {
        format!("t/p/o/{text}")
    }
}

fn reading(line: &str) -> ReadingLine {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [at, node, value, score, word, coverage] = words[..] else {
        panic!("a reading has six words: {line}");
    };
    let number = |text: &str| (text != "-").then(|| text.parse::<f64>().expect("a number"));
    let score = number(score);
    ReadingLine {
        at_ms: instant(at),
        path: path(node),
        value: number(value),
        score,
        status: score.map(|_| word.to_owned()),
        absence: score.is_none().then(|| word.to_owned()),
        coverage: number(coverage),
    }
}

fn alert(line: &str) -> AlertLine {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [at, rule, node, transition, since] = words[..] else {
        panic!("an alert has five words: {line}");
    };
    AlertLine {
        rule: rule.to_owned(),
        path: path(node),
        transition: transition.to_owned(),
        at_ms: instant(at),
        since_ms: instant(since),
    }
}
