//! A naive second opinion: what `kpid replay --clock event` must print, computed by definition.
//!
//! A catalog and a stream of measurements enter, lines of readings and alerts leave. Every measurement stays in one
//! plain list, and at every instant of evaluation everything is computed again from that list: there are no slices
//! that are merged, no sketches, nothing incremental. It shares no code with the daemon, reads the TOML itself, and is
//! meant to be compared with the specification sentence by sentence. It is never fast.
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
