//! Streams on NATS: what kpid makes where there is none, and what it relies on where there is one.
//!
//! Limits enter, a configuration leaves; and a configuration that was found enters [`check`], what does not fit leaves.
//! Nothing here talks to a server, and nothing is ever altered: a stream is often somebody else's.

use std::fmt;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, PersistenceMode, RetentionPolicy, StorageType};

use super::subjects;

/// Measurements in.
pub const MEASUREMENTS: &str = "KPI_MEASUREMENTS";
/// Alert transitions out.
pub const ALERTS: &str = "KPI_ALERTS";
/// Refused input.
pub const REJECTED: &str = "KPI_REJECTED";
/// The bucket of latest readings; its stream is called [`SCORES_STREAM`].
pub const SCORES: &str = "KPI_SCORES";
/// The stream under the bucket [`SCORES`].
pub const SCORES_STREAM: &str = "KV_KPI_SCORES";

/// JetStream remembers message ids this long, in memory.
const DUPLICATE_WINDOW: Duration = Duration::from_mins(2);

/// How much a stream may keep; the oldest goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamLimits {
    /// Bytes on disk.
    pub bytes_max: i64,
    /// Age of a message; zero: no limit.
    pub age_max: Duration,
    /// Messages of one subject; -1: no limit.
    pub messages_per_subject_max: i64,
    /// Copies in a cluster, 1 to 5.
    pub replicas: usize,
}

impl StreamLimits {
    /// What `KPI_MEASUREMENTS` keeps unless told: a week, 4 GiB.
    pub const MEASUREMENTS: Self = Self {
        bytes_max: 4 << 30,
        age_max: Duration::from_hours(7 * 24),
        messages_per_subject_max: -1,
        replicas: 1,
    };
    /// What `KPI_ALERTS` keeps unless told: the last 100 transitions of each rule and node, 256 MiB. No age limit, because
    /// the last message of a subject is what tells a repeated delivery from a new one.
    pub const ALERTS: Self = Self {
        bytes_max: 256 << 20,
        age_max: Duration::ZERO,
        messages_per_subject_max: 100,
        replicas: 1,
    };
    /// What `KPI_REJECTED` keeps unless told: a week, 256 MiB.
    pub const REJECTED: Self = Self {
        bytes_max: 256 << 20,
        age_max: Duration::from_hours(7 * 24),
        messages_per_subject_max: -1,
        replicas: 1,
    };
    /// What `KPI_SCORES` keeps unless told: the latest reading of each node, 256 MiB.
    pub const SCORES: Self = Self {
        bytes_max: 256 << 20,
        age_max: Duration::ZERO,
        messages_per_subject_max: 1,
        replicas: 1,
    };
}

/// `KPI_MEASUREMENTS` as kpid makes it.
pub fn measurements(limits: &StreamLimits) -> Config {
    let subjects = vec![subjects::MEASUREMENT.to_owned(), format!("{}.>", subjects::MEASUREMENT)];
    stream(MEASUREMENTS, "measurements for kpid", subjects, limits)
}

/// `KPI_ALERTS` as kpid makes it.
pub fn alerts(limits: &StreamLimits) -> Config {
    let subjects = vec![format!("{}.>", subjects::ALERT)];
    stream(ALERTS, "alert transitions of kpid", subjects, limits)
}

/// `KPI_REJECTED` as kpid makes it.
pub fn rejected(limits: &StreamLimits) -> Config {
    let subjects = vec![subjects::REJECTED.to_owned()];
    stream(REJECTED, "input that kpid refused", subjects, limits)
}

/// What kpid relies on in the stream under `KPI_SCORES`.
pub fn scores(limits: &StreamLimits) -> Config {
    let subjects = vec![format!("$KV.{SCORES}.>")];
    stream(SCORES_STREAM, "latest readings of kpid", subjects, limits)
}

fn stream(name: &str, description: &str, subjects: Vec<String>, limits: &StreamLimits) -> Config {
    Config {
        name: name.to_owned(),
        description: Some(description.to_owned()),
        subjects,
        retention: RetentionPolicy::Limits,
        storage: StorageType::File,
        max_bytes: limits.bytes_max,
        max_age: limits.age_max,
        max_messages: -1,
        max_messages_per_subject: limits.messages_per_subject_max,
        num_replicas: limits.replicas,
        duplicate_window: DUPLICATE_WINDOW,
        allow_direct: true,
        ..Config::default()
    }
}

/// One thing about a stream or consumer that does not fit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mismatch {
    /// Which field of its configuration.
    pub field: &'static str,
    /// What it says.
    pub found: String,
    /// What kpid relies on.
    pub needed: String,
}

/// A stream or consumer that kpid did not make, or that was changed, and cannot work with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfit {
    /// `stream KPI_ALERTS`, ...
    pub what: String,
    /// All that does not fit.
    pub mismatches: Vec<Mismatch>,
    /// What a person can do about it.
    pub remedy: String,
}

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} does not fit:", self.what)?;
        for mismatch in &self.mismatches {
            let Mismatch { field, found, needed } = mismatch;
            write!(f, " `{field}` is {found}, needed is {needed};")?;
        }
        write!(f, " {}", self.remedy)
    }
}

impl std::error::Error for Unfit {}

/// Holds a stream that was found against what is needed. Limits and replicas are the owner's business.
pub fn check(found: &Config, needed: &Config) -> Result<(), Unfit> {
    let mut mismatches = Vec::new();
    let uncovered = |subject: &&String| !found.subjects.iter().any(|pattern| covers(pattern, subject));
    if needed.subjects.iter().any(|subject| uncovered(&subject)) {
        mismatches.push(mismatch("subjects", &found.subjects, &needed.subjects));
    }
    if found.retention != needed.retention {
        mismatches.push(mismatch("retention", found.retention, needed.retention));
    }
    if found.storage != needed.storage {
        mismatches.push(mismatch("storage", found.storage, needed.storage));
    }
    if found.persist_mode == Some(PersistenceMode::Async) {
        mismatches.push(mismatch("persist_mode", "Async", "Default"));
    }
    for (field, set) in [
        ("no_ack", found.no_ack),
        ("sealed", found.sealed),
        ("discard_new_per_subject", found.discard_new_per_subject),
        ("mirror", found.mirror.is_some()),
        ("subject_transform", found.subject_transform.is_some()),
    ] {
        if set {
            mismatches.push(mismatch(field, true, false));
        }
    }
    if mismatches.is_empty() {
        return Ok(());
    }
    let name = &needed.name;
    Err(Unfit {
        what: format!("stream {name}"),
        mismatches,
        remedy: format!(
            "change it with `nats stream edit {name}`, or remove it and kpid makes a new one; kpid never alters it"
        ),
    })
}

/// One finding, with both sides as text.
pub fn mismatch(field: &'static str, found: impl fmt::Debug, needed: impl fmt::Debug) -> Mismatch {
    Mismatch {
        field,
        found: format!("{found:?}"),
        needed: format!("{needed:?}"),
    }
}

/// Whether a subject pattern takes everything that another takes.
pub fn covers(pattern: &str, other: &str) -> bool {
    let mut left = pattern.split('.');
    let mut right = other.split('.');
    loop {
        match (left.next(), right.next()) {
            (Some(">"), Some(_)) | (None, None) => return true,
            (Some("*"), Some(token)) if token != ">" => {}
            (Some(one), Some(two)) if one == two => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_it_takes_whole() {
        for (pattern, other, fits) in [
            ("kpi.>", "kpi.v1.measurement", true),
            ("kpi.>", "kpi.v1.measurement.>", true),
            ("kpi.v1.*", "kpi.v1.measurement", true),
            ("kpi.v1.*", "kpi.v1.>", false),
            ("kpi.v1.measurement", "kpi.v1.measurement.>", false),
            ("kpi.v1.measurement.>", "kpi.v1.measurement", false),
            (">", "kpi", true),
        ] {
            assert_eq!(covers(pattern, other), fits, "{pattern} {other}");
        }
    }

    #[test]
    fn what_kpid_makes_fits_and_limits_are_the_owners_business() {
        let needed = measurements(&StreamLimits::MEASUREMENTS);
        let found = Config {
            max_bytes: 1,
            num_replicas: 3,
            subjects: vec!["kpi.>".to_owned()],
            ..needed.clone()
        };
        assert_eq!(check(&needed, &needed), Ok(()));
        assert_eq!(check(&found, &needed), Ok(()));
    }

    #[test]
    fn what_does_not_fit_is_named_with_a_remedy() {
        let needed = measurements(&StreamLimits::MEASUREMENTS);
        let found = Config {
            subjects: vec!["kpi.v1.measurement.>".to_owned()],
            no_ack: true,
            storage: StorageType::Memory,
            ..needed.clone()
        };
        let text = check(&found, &needed).unwrap_err().to_string();
        for part in [
            "stream KPI_MEASUREMENTS does not fit",
            "`subjects` is [\"kpi.v1.measurement.>\"], needed is [\"kpi.v1.measurement\", \"kpi.v1.measurement.>\"]",
            "`no_ack` is true, needed is false",
            "`storage` is Memory, needed is File",
            "nats stream edit KPI_MEASUREMENTS",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
