//! Small random catalogs and streams, as text that the daemon reads.
//!
//! A case is drawn from bytes: every choice takes the next byte of its part (head, scorecard, KPI, rule, line), and a
//! zero always chooses the plainest. So proptest shrinks a failing case by dropping lines, rules and KPIs and by
//! making what is left plainer, and the text is valid whatever the bytes.
//!
//! What is left out on purpose, because the specification does not decide it or rounding would: see the comments at
//! the choices. Thresholds lie exactly on scores and values that come out without rounding, and beside the others.

mod catalogs;
mod kpis;
mod rules;
mod streams;

use std::fmt;

use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof};

use super::File;
use super::compare::Exactness;

/// One catalog with one stream.
#[derive(Clone)]
pub struct Case {
    /// Catalog files.
    pub files: Vec<File>,
    /// Measurements, in the order in which they arrive.
    pub ndjson: String,
    /// Distance of evaluations.
    pub every_ms: i64,
    /// How exactly replays of it must agree.
    pub exactness: Exactness,
}

/// As text, so that a failing case can be read and tried by hand.
impl fmt::Debug for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "every {} ms, {:?}", self.every_ms, self.exactness)?;
        for (name, text) in &self.files {
            writeln!(formatter, "--- {name}\n{text}")?;
        }
        writeln!(formatter, "--- stream\n{}", self.ndjson)
    }
}

/// The bytes of one part.
type Part = Vec<u8>;

/// Everything that a case is drawn from.
#[derive(Debug)]
struct Parts {
    head: Part,
    scorecards: Vec<Part>,
    kpis: Vec<Part>,
    rules: Vec<Part>,
    lines: Vec<Part>,
}

/// Cases without percentiles, whose results are exact.
pub fn cases() -> impl Strategy<Value = Case> {
    parts(Just(Exactness::Exact)).prop_map(|(parts, exactness)| draw(&parts, exactness))
}

/// Cases with percentiles among the aggregates.
pub fn percentile_cases() -> impl Strategy<Value = Case> {
    parts(Just(Exactness::Percentiles)).prop_map(|(parts, exactness)| draw(&parts, exactness))
}

/// Two cases of one time and one scale, whose catalogs define some of the same KPIs otherwise.
pub fn pairs() -> impl Strategy<Value = (Case, Case)> {
    let either = prop_oneof![Just(Exactness::Exact), Just(Exactness::Percentiles)];
    let drawn = either.prop_flat_map(|exactness| (parts(Just(exactness)), parts(Just(exactness))));
    drawn.prop_map(|((one, exactness), (mut other, _))| {
        other.head.clone_from(&one.head);
        (draw(&one, exactness), draw(&other, exactness))
    })
}

fn parts(exactness: Just<Exactness>) -> impl Strategy<Value = (Parts, Exactness)> {
    let part = |length: usize| vec(any::<u8>(), length);
    let lines = prop_oneof![6 => vec(part(16), 10..=60), 1 => vec(part(16), 61..=300)];
    let all = (
        part(8),
        vec(part(40), 1..=3),
        vec(part(40), 1..=6),
        vec(part(16), 0..=3),
        lines,
    );
    (all, exactness).prop_map(|((head, scorecards, kpis, rules, lines), exactness)| {
        (
            Parts {
                head,
                scorecards,
                kpis,
                rules,
                lines,
            },
            exactness,
        )
    })
}

fn draw(parts: &Parts, exactness: Exactness) -> Case {
    let catalog = catalogs::draw(parts, exactness);
    let ndjson = streams::draw(&parts.lines, &catalog);
    Case {
        files: catalog.files(),
        ndjson,
        every_ms: catalog.head.every_ms,
        exactness,
    }
}

/// Takes one byte for each choice; zeros once they are spent.
struct Dice<'a> {
    bytes: &'a [u8],
    next: usize,
}

impl<'a> Dice<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, next: 0 }
    }

    /// One of the choices, the plainest being the first.
    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.byte() as usize % choices.len()]
    }

    /// From 0 to `end`, without it.
    fn below(&mut self, end: i64) -> i64 {
        self.byte() * end / 256
    }

    /// True so many times in a hundred.
    fn chance(&mut self, percent: i64) -> bool {
        self.byte() * 100 / 256 >= 100 - percent
    }

    fn byte(&mut self) -> i64 {
        let byte = self.bytes.get(self.next).copied().unwrap_or(0);
        self.next += 1;
        i64::from(byte)
    }
}

/// As people write it: `90s`, `15m`, `28d`.
fn duration(ms: i64) -> String {
    let units = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let (unit, name) = units.into_iter().find(|(unit, _)| ms % unit == 0).unwrap_or((1, "ms"));
    format!("{}{name}", ms / unit)
}
