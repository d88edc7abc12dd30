//! Alerts: when a node's reading crosses a threshold, and for how long.
//!
//! States go `inactive -> pending -> firing -> inactive`. A transition has an id that follows from the rule, the node,
//! the onset and the kind alone, so that the same history gives the same ids and a subscriber can drop repetitions.

use std::sync::Arc;

use super::catalog::{NodeKind, Target};
use super::id::{Sequence, Slug};
use super::instant::Instant;
use super::reading::Absence;

/// A rule: which nodes, what to look at, when to say it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertRule {
    /// Unique over the catalog; only a new id is a new alert.
    pub id: Slug,
    /// First 12 hex digits of the SHA-256 of the rule as written.
    pub version: String,
    /// Index of the scorecard whose file it stands in.
    pub scorecard: usize,
    /// For people; the id when absent.
    pub title: String,
    /// Which nodes.
    pub on: PathPattern,
    /// Only these levels; all when empty.
    pub kinds: Vec<NodeKind>,
    /// What is compared.
    pub metric: Metric,
    /// With what.
    pub condition: Condition,
    /// True without a break this long before it fires, ms.
    pub for_ms: i64,
    /// Keeps firing this long after the condition ended, ms.
    pub keep_firing_for_ms: i64,
    /// How bad it is.
    pub severity: Severity,
    /// Said again this often while it fires, ms.
    pub repeat_ms: Option<i64>,
    /// What a node without a value means.
    pub no_data: NoData,
}

/// What of a reading is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Metric {
    /// The window's result; KPIs only.
    Value,
    /// 0..=100.
    Score,
    /// The band.
    Status,
    /// 0..=1.
    Coverage,
    /// Time since the latest measurement, in seconds; KPIs only.
    Age,
}

impl Metric {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Score => "score",
            Self::Status => "status",
            Self::Coverage => "coverage",
            Self::Age => "age",
        }
    }
}

/// When it is true; comparisons are strict, and `clear` is where it ends.
#[derive(Debug, Clone, PartialEq)]
pub enum Condition {
    /// metric < threshold; ends at metric >= clear.
    Below {
        /// Begins under it.
        threshold: f64,
        /// Ends at or over it; >= threshold.
        clear: f64,
    },
    /// metric > threshold; ends at metric <= clear.
    Above {
        /// Begins over it.
        threshold: f64,
        /// Ends at or under it; <= threshold.
        clear: f64,
    },
    /// The status is this band or a lower one.
    AtWorst {
        /// The band's name.
        band: Arc<str>,
    },
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Good to know.
    Info,
    /// Look today.
    Warning,
    /// Look now.
    Critical,
}

impl Severity {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

/// What a node without a value means for its alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoData {
    /// The state stays.
    Keep,
    /// As if the condition were true.
    Fire,
    /// As if the condition had ended.
    Resolve,
}

/// A pattern of node paths: levels separated by `/`; in a level `*` stands for any characters, a level `**` for any
/// number of levels, none included. `it/**` is `it` and all under it; `it@*/**` all instances of `it` and all under them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathPattern {
    text: String,
}

impl PathPattern {
    /// A pattern from its text; `None` when a level is empty.
    pub fn parse(text: &str) -> Option<Self> {
        let whole = !text.is_empty() && text.split('/').all(|level| !level.is_empty());
        whole.then(|| Self { text: text.to_owned() })
    }

    /// As written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether a path fits.
    pub fn matches(&self, path: &str) -> bool {
        let pattern: Vec<&str> = self.text.split('/').collect();
        let path: Vec<&str> = path.split('/').collect();
        levels_match(&pattern, &path)
    }

    /// Whether it may fit one instance of a scorecard and not another. Rather too often true than too rarely.
    pub fn tells_instances_apart(&self) -> bool {
        let levels: Vec<&str> = self.text.split('/').collect();
        let skipped = levels.iter().take_while(|level| **level == "**").count();
        // Only the first level that is not skipped can meet the name of an instance.
        levels.get(skipped).is_some_and(|level| match level.split_once('*') {
            None => level.contains('@'),
            Some((head, tail)) => {
                !tail.is_empty() || head.split_once('@').is_some_and(|(_, beginning)| !beginning.is_empty())
            }
        })
    }
}

fn levels_match(pattern: &[&str], path: &[&str]) -> bool {
    match (pattern.split_first(), path.split_first()) {
        (None, None) => true,
        (Some((&"**", rest)), _) => {
            (0..=path.len()).any(|skip| path.get(skip..).is_some_and(|tail| levels_match(rest, tail)))
        }
        (Some((level, rest)), Some((found, tail))) => level_matches(level, found) && levels_match(rest, tail),
        _ => false,
    }
}

fn level_matches(pattern: &str, level: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == level,
        Some((head, tail)) => level.strip_prefix(head).is_some_and(|rest| {
            let ends = rest.char_indices().map(|(at, _)| at).chain([rest.len()]);
            ends.into_iter()
                .any(|at| rest.get(at..).is_some_and(|end| level_matches(tail, end)))
        }),
    }
}

/// What is said of an alert.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TransitionKind {
    /// It began.
    Firing,
    /// It still is.
    Repeated,
    /// It ended.
    Resolved,
}

impl TransitionKind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Repeated => "repeated",
            Self::Resolved => "resolved",
        }
    }
}

/// One thing to be said, with all that a reader needs to act on it.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertTransition {
    /// Deterministic: first 32 hex digits of BLAKE3 over rule, path, onset, kind and instant.
    pub id: String,
    /// Rule id.
    pub rule: Slug,
    /// See [`AlertRule::version`].
    pub rule_version: String,
    /// Node path.
    pub path: Arc<str>,
    /// What is said.
    pub kind: TransitionKind,
    /// Its exact instant.
    pub at: Instant,
    /// When the condition became true.
    pub since: Instant,
    /// When it was decided: the instant of the evaluation or timer.
    pub detected_at: Instant,
    /// Journal position that the decision rests on.
    pub sequence: Sequence,
    /// Node title.
    pub title: String,
    /// The scorecard's owner.
    pub owner: Option<String>,
    /// How bad it is.
    pub severity: Severity,
    /// At that instant; KPIs only.
    pub value: Option<f64>,
    /// Of the value.
    pub unit: String,
    /// Of the KPI.
    pub target: Option<super::catalog::Target>,
    /// At that instant.
    pub score: Option<f64>,
    /// At that instant.
    pub status: Option<Arc<str>>,
    /// When the condition became true, the status before.
    pub status_before: Option<Arc<str>>,
    /// At that instant.
    pub coverage: Option<f64>,
    /// The leaves that contribute most to what is missing to 100, with their share of it, greatest first, at most 5.
    pub contributors: Vec<Contributor>,
}

/// A leaf's share in a node's loss.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributor {
    /// The leaf.
    pub path: Arc<str>,
    /// Its score.
    pub score: f64,
    /// 0..=1: its part of all points missing to 100 under the node.
    pub share: f64,
}

/// Where an alert stands now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AlertPhase {
    /// True, but not long enough yet.
    Pending,
    /// Said.
    Firing,
}

impl AlertPhase {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Firing => "firing",
        }
    }
}

/// An alert that is pending or firing, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertView {
    /// Stable while it lasts: the id of its firing transition, or what that will be had it no `for`.
    pub id: String,
    /// Rule id.
    pub rule: Slug,
    /// Node path.
    pub path: Arc<str>,
    /// Node title.
    pub title: String,
    /// Pending or firing.
    pub phase: AlertPhase,
    /// When the condition became true.
    pub since: Instant,
    /// When it fired.
    pub fired_at: Option<Instant>,
    /// How bad it is.
    pub severity: Severity,
    /// Now.
    pub value: Option<f64>,
    /// Of the value.
    pub unit: String,
    /// KPIs: the aim.
    pub target: Option<Target>,
    /// Now.
    pub score: Option<f64>,
    /// Now.
    pub status: Option<Arc<str>>,
    /// Why there is no score now.
    pub absence: Option<Absence>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_that_names_no_instance_tells_none_apart() {
        for (pattern, tells) in [
            ("it/**", false),
            ("it@*/**", false),
            ("**", false),
            ("**/it.csat", false),
            ("*/customer/*/*.csat", false),
            ("it*/*.csat", false),
            ("it@berlin/**", true),
            ("it@b*/**", true),
            ("it@b@*/**", true),
            ("*lin/**", true),
            ("**/*lin", true),
        ] {
            assert_eq!(
                PathPattern::parse(pattern).unwrap().tells_instances_apart(),
                tells,
                "{pattern}"
            );
        }
    }

    #[test]
    fn patterns_match_levels() {
        for (pattern, path, fits) in [
            ("it/**", "it", true),
            ("it/**", "it/customer/satisfied-users/it.csat", true),
            ("it/**", "it@berlin/customer", false),
            ("it@*/**", "it@berlin/customer", true),
            ("*/customer", "it/customer", true),
            ("*", "it/customer", false),
            ("**/it.csat", "it/customer/satisfied-users/it.csat", true),
            ("**", "anything/at/all", true),
            ("it/*/*", "it/customer", false),
            ("it/**/it.csat", "it/it.csat", true),
        ] {
            assert_eq!(
                PathPattern::parse(pattern).unwrap().matches(path),
                fits,
                "{pattern} {path}"
            );
        }
        assert!(PathPattern::parse("it//x").is_none());
        assert!(PathPattern::parse("").is_none());
    }
}
