//! What-if as JSON: the question of `POST /api/v1/what-if`, and what differs between two sets of definitions.
//!
//! ```json
//! {"base":{"catalog":"sha256:.."},"other":{"catalog":"sha256:.."},"from":null,"at":"..","sequence":4711,
//!  "nodes":{"instants":310,"same":60,"changed":2,"added":1,"removed":0,"unlisted":0,"listed":[
//!   {"path":"it/customer","difference":"changed","base":{"value":null,"score":71.2,"status":"amber","absence":null},
//!    "other":{..},"instants":40,"differing":12,
//!    "largest_score":{"at":"..","base":71.2,"other":64.0,"difference":-7.2},"largest_value":null}]},
//!  "alerts":{"same":3,"fired":1,"not_fired":0,"other_times":0,"other_severity":0,"unlisted":0,"listed":[
//!   {"rule":"csat-low","path":"it/customer","difference":"fired","base":null,
//!    "other":{"fired_at":"..","resolved_at":null,"severity":"critical"}}]}}
//! ```

use serde::{Deserialize, Serialize};

use crate::domain::catalog::CatalogFile;
use crate::domain::comparison::{
    AlertDifference, AlertDifferences, Compared, Episode, Largest, NodeDifference, NodeDifferences, Sides, Stand,
};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::wire::catalog::Problem;

/// `{"files":[{"name","text"}],"from","to"}`: which definitions, and over which part of the history.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WhatIfQuestionBody {
    files: Vec<FileBody>,
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FileBody {
    name: String,
    text: String,
}

impl WhatIfQuestionBody {
    /// Reads a body; words that say what is wrong with it and what it should be.
    pub fn read(body: &[u8]) -> Result<Self, String> {
        serde_json::from_slice(body).map_err(|error| {
            format!(
                "the body is not a question: {error}: send {{\"files\":[{{\"name\":\"it.toml\",\"text\":\"...\"}}]}}"
            )
        })
    }

    /// The definitions.
    pub fn files(&self) -> Vec<CatalogFile> {
        let file = |file: &FileBody| CatalogFile {
            name: file.name.clone(),
            text: file.text.clone(),
        };
        self.files.iter().map(file).collect()
    }

    /// From which instant on differences count, and where the history ends.
    pub fn range(&self) -> Result<(Option<Instant>, Option<Instant>), String> {
        let instant = |name: &str, text: &Option<String>| {
            let parsed = text.as_deref().map(Instant::parse).transpose();
            parsed.map_err(|error| format!("`{name}`: {error}"))
        };
        let (from, to) = (instant("from", &self.from)?, instant("to", &self.to)?);
        match (from, to) {
            (Some(from), Some(to)) if from > to => Err(format!("`from` {from} is after `to` {to}: exchange them")),
            range => Ok(range),
        }
    }
}

/// One thing that is wrong with a catalog, in its place.
#[derive(Debug, Serialize)]
pub struct CatalogProblemBody<'a> {
    file: &'a str,
    line: usize,
    column: usize,
    what: &'a str,
    remedy: &'a str,
}

impl<'a> CatalogProblemBody<'a> {
    /// From a problem.
    pub fn new(problem: &'a Problem) -> Self {
        Self {
            file: &problem.file,
            line: problem.line,
            column: problem.column,
            what: &problem.what,
            remedy: &problem.remedy,
        }
    }
}

/// What differs, with what was compared.
#[derive(Debug, Serialize)]
pub struct WhatIfBody<'a> {
    base: CatalogBody<'a>,
    other: CatalogBody<'a>,
    from: Option<String>,
    at: Option<String>,
    sequence: u64,
    nodes: NodesBody<'a>,
    alerts: AlertsBody<'a>,
}

#[derive(Debug, Serialize)]
struct CatalogBody<'a> {
    catalog: &'a str,
}

#[derive(Debug, Serialize)]
struct NodesBody<'a> {
    instants: u64,
    same: u64,
    changed: u64,
    added: u64,
    removed: u64,
    unlisted: u64,
    listed: Vec<NodeBody<'a>>,
}

#[derive(Debug, Serialize)]
struct NodeBody<'a> {
    path: &'a str,
    difference: &'static str,
    base: Option<StandBody<'a>>,
    other: Option<StandBody<'a>>,
    instants: u64,
    differing: u64,
    largest_score: Option<LargestBody>,
    largest_value: Option<LargestBody>,
}

#[derive(Debug, Serialize)]
struct StandBody<'a> {
    value: Option<f64>,
    score: Option<f64>,
    status: Option<&'a str>,
    absence: Option<&'static str>,
}

#[derive(Debug, Serialize)]
struct LargestBody {
    at: String,
    base: f64,
    other: f64,
    difference: f64,
}

#[derive(Debug, Serialize)]
struct AlertsBody<'a> {
    same: u64,
    fired: u64,
    not_fired: u64,
    other_times: u64,
    other_severity: u64,
    unlisted: u64,
    listed: Vec<EpisodesBody<'a>>,
}

#[derive(Debug, Serialize)]
struct EpisodesBody<'a> {
    rule: &'a str,
    path: &'a str,
    difference: &'static str,
    base: Option<EpisodeBody>,
    other: Option<EpisodeBody>,
}

#[derive(Debug, Serialize)]
struct EpisodeBody {
    fired_at: String,
    resolved_at: Option<String>,
    severity: &'static str,
}

/// Which part of the history was compared.
#[derive(Debug, Clone, Copy)]
pub struct Extent {
    /// From where on differences count.
    pub from: Option<Instant>,
    /// Where the clock stands in the end.
    pub at: Option<Instant>,
    /// The last fact.
    pub sequence: Sequence,
}

impl<'a> WhatIfBody<'a> {
    /// The body of a comparison of two catalogs, which their fingerprints name.
    pub fn new(compared: &'a Compared, fingerprints: Sides<&'a str>, extent: Extent) -> Self {
        let side = |catalog| CatalogBody { catalog };
        Self {
            base: side(fingerprints.base),
            other: side(fingerprints.other),
            from: extent.from.map(|from| from.to_string()),
            at: extent.at.map(|at| at.to_string()),
            sequence: extent.sequence.0,
            nodes: NodesBody::new(&compared.nodes),
            alerts: AlertsBody::new(&compared.alerts),
        }
    }
}

impl<'a> NodesBody<'a> {
    fn new(nodes: &'a NodeDifferences) -> Self {
        let counts = &nodes.counts;
        let differing = counts.changed + counts.added + counts.removed;
        Self {
            instants: nodes.instants,
            same: counts.same,
            changed: counts.changed,
            added: counts.added,
            removed: counts.removed,
            unlisted: differing - nodes.listed.len() as u64,
            listed: nodes.listed.iter().map(NodeBody::new).collect(),
        }
    }
}

impl<'a> NodeBody<'a> {
    fn new(node: &'a NodeDifference) -> Self {
        Self {
            path: &node.path,
            difference: node.kind.word(),
            base: node.stands.base.as_ref().map(StandBody::new),
            other: node.stands.other.as_ref().map(StandBody::new),
            instants: node.instants,
            differing: node.differing,
            largest_score: node.score.as_ref().map(LargestBody::new),
            largest_value: node.value.as_ref().map(LargestBody::new),
        }
    }
}

impl<'a> StandBody<'a> {
    fn new(stand: &'a Stand) -> Self {
        Self {
            value: stand.value,
            score: stand.score,
            status: stand.status.as_deref(),
            absence: stand.absence.map(crate::domain::reading::Absence::word),
        }
    }
}

impl LargestBody {
    fn new(largest: &Largest) -> Self {
        Self {
            at: largest.at.to_string(),
            base: largest.numbers.base,
            other: largest.numbers.other,
            difference: largest.difference(),
        }
    }
}

impl<'a> AlertsBody<'a> {
    fn new(alerts: &'a AlertDifferences) -> Self {
        Self {
            same: alerts.same,
            fired: alerts.fired,
            not_fired: alerts.not_fired,
            other_times: alerts.other_times,
            other_severity: alerts.other_severity,
            unlisted: alerts.differing() - alerts.listed.len() as u64,
            listed: alerts.listed.iter().map(EpisodesBody::new).collect(),
        }
    }
}

impl<'a> EpisodesBody<'a> {
    fn new(alert: &'a AlertDifference) -> Self {
        Self {
            rule: alert.rule.as_str(),
            path: &alert.path,
            difference: alert.kind.word(),
            base: alert.episodes.base.as_ref().map(EpisodeBody::new),
            other: alert.episodes.other.as_ref().map(EpisodeBody::new),
        }
    }
}

impl EpisodeBody {
    fn new(episode: &Episode) -> Self {
        Self {
            fired_at: episode.fired_at.to_string(),
            resolved_at: episode.resolved_at.map(|at| at.to_string()),
            severity: episode.severity.word(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_question_names_its_files_and_refuses_what_it_does_not_know() {
        let read = |text: &str| WhatIfQuestionBody::read(text.as_bytes());
        let question = read(r#"{"files":[{"name":"it.toml","text":"x"}],"to":"2026-03-01T00:00:00Z"}"#).unwrap();
        assert_eq!(question.files().first().unwrap().name, "it.toml");
        let to = Instant::parse("2026-03-01T00:00:00Z").unwrap();
        assert_eq!(question.range(), Ok((None, Some(to))));
        for (text, named) in [
            ("", "send {\"files\""),
            (r#"{"file":[]}"#, "unknown field `file`"),
            (r#"{"files":[{"name":"x"}]}"#, "missing field `text`"),
        ] {
            let words = read(text).unwrap_err();
            assert!(words.contains(named), "{words}");
        }
        let range = |text: &str| read(text).unwrap().range().unwrap_err();
        assert!(range(r#"{"files":[],"from":"soon"}"#).starts_with("`from`: "));
        let backwards = r#"{"files":[],"from":"2026-03-02T00:00:00Z","to":"2026-03-01T00:00:00Z"}"#;
        assert!(range(backwards).ends_with("exchange them"), "{}", range(backwards));
    }
}
