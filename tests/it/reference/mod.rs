//! A naive second opinion: what `kpid replay --clock event` must print, computed by definition.
//!
//! A catalog and a stream of measurements enter, lines of readings and alerts leave. Every measurement stays in one
//! plain list, and at every instant of evaluation everything is computed again from that list: there are no slices
//! that are merged, no sketches, nothing incremental. It shares no code with the daemon, reads the TOML itself, and is
//! meant to be compared with the specification sentence by sentence. It is never fast.
//!
//! Where the specification leaves a choice, this is how it is read here:
//!
//! - A corrected measurement keeps its place among those of the same instant. A correction moves the clock only by an
//!   `observed_at` of its own, a retraction never; refused lines and duplicates never.
//! - An id is remembered for the whole file, also that of a retracted measurement.
//! - `paused`, then `no_target`, then `not_applicable`, then the want of a value decide the word of a KPI. A window
//!   with measurements but without a value (a denominator of 0, weights of 0) has `no_data`; `zero` and `hold` stand
//!   in for empty windows only.
//! - A paused KPI shows its value, one that is not applicable has none.
//! - `first`, `last` and `delta` over all instances are made of the instances' readings, held ones and zeros included;
//!   an instance that is not applicable has none. An included instance that is not there yet has `no_data`.
//! - Fresh is judged by the latest measurement of the KPI, in the window or not. Over all instances the latest
//!   measurement of any of them says whether the KPI is applicable.
//! - A node without a scored child of weight has `no_data`, whatever its coverage; of children whose weights are all
//!   0 the coverage is 0.
//! - A change keeps what it does not name from the change before it.
//! - A range whose target is one point scores 100 there; beside it the line comes from 75.
//! - `at_worst` is that band or a worse one; `since` is where pending began, in all three transitions. At one instant
//!   the end of `keep_firing_for` comes before a repetition, and a value short of `clear` stops its running out.
//! - A percentile is the nearest rank: the smallest value with at least so many of a hundred not above it.
//!
//! Beside it live a comparer ([`compare`]), a generator of small catalogs and streams ([`generate`]) and hand-computed
//! vectors ([`vectors`]), which are held against this reference and against the program alike.
#![expect(
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a reference for tests: a catalog that it cannot read is a broken test, which shall end loudly"
)]

pub mod aggregate;
pub mod alerts;
pub mod catalog;
pub mod clock;
pub mod compare;
pub mod definition;
pub mod generate;
pub mod intake;
pub mod score;
pub mod tree;
pub mod vectors;
pub mod windows;

pub use clock::run;
pub use compare::compare;

/// Name and text of a catalog file.
pub type File = (String, String);

/// Everything that a replay prints.
pub type Lines = (Vec<ReadingLine>, Vec<AlertLine>);

/// Something that replays: the reference, or the program. It takes catalog files, NDJSON and `every` in milliseconds.
pub type Replay<'a> = &'a dyn Fn(&[File], &str, i64) -> Lines;

/// One line of `--readings`.
#[derive(Debug, Clone, PartialEq)]
pub struct ReadingLine {
    /// Instant of the evaluation, ms since 1970.
    pub at_ms: i64,
    /// Whose reading.
    pub path: String,
    /// KPIs only.
    pub value: Option<f64>,
    /// 0..=100.
    pub score: Option<f64>,
    /// Name of the band.
    pub status: Option<String>,
    /// Why there is no score, one word.
    pub absence: Option<String>,
    /// 0..=1; none for a node that is left out of coverage.
    pub coverage: Option<f64>,
}

/// One line of `--alerts`, as far as it is compared.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertLine {
    /// Id of the rule.
    pub rule: String,
    /// Which node.
    pub path: String,
    /// `firing`, `repeated` or `resolved`.
    pub transition: String,
    /// When it happened, ms since 1970.
    pub at_ms: i64,
    /// When the condition became true: the instant at which pending began.
    pub since_ms: i64,
}

#[test]
fn the_reference_satisfies_every_vector() {
    vectors::check_vectors(&run);
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig { cases: 32, ..Default::default() })]

    #[test]
    fn to_the_reference_a_line_with_an_id_may_come_twice(case in generate::cases()) {
        let with_id = |line: &&str| line.contains("\"id\":");
        let twice = |line| std::iter::once(line).chain(Some(line).filter(with_id)).collect::<Vec<&str>>();
        let doubled: Vec<&str> = case.ndjson.lines().flat_map(twice).collect();
        let once = run(&case.files, &case.ndjson, case.every_ms);
        proptest::prop_assert_eq!(compare(&once, &run(&case.files, &doubled.join("\n"), case.every_ms), case.exactness), Ok(()));
    }

    #[test]
    fn the_comparer_finds_a_reading_and_an_alert_that_are_missing(case in generate::percentile_cases()) {
        let whole = run(&case.files, &case.ndjson, case.every_ms);
        let (mut readings, mut alerts) = whole.clone();
        proptest::prop_assert_eq!(compare(&whole, &whole, case.exactness), Ok(()));
        if alerts.pop().is_some() {
            proptest::prop_assert!(compare(&whole, &(readings.clone(), alerts.clone()), compare::Exactness::Exact).is_err());
        }
        if !readings.is_empty() {
            readings.remove(0);
            proptest::prop_assert!(compare(&whole, &(readings, whole.1.clone()), case.exactness).is_err());
        }
    }
}
