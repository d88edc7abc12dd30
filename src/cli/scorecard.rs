//! `kpid scorecard ID`: a scorecard as a tree, from a running daemon or from a journal.
//!
//! The answer of the API enters, a table leaves, or the same answer as JSON. Every status is a shape and a word; a node
//! without a score says why.

use std::path::PathBuf;

use serde_json::Value;

use super::args::{Format, ScorecardArgs};
use super::ask::Daemon;
use super::error::CliError;
use super::output::{self, Cell, Paint, Style};
use crate::domain::instant::Instant;

/// What is asked of a journal instead of a daemon; the answer has the form of the API.
#[derive(Debug, Clone)]
pub struct ScorecardQuestion {
    /// Folder of the journal.
    pub journal: PathBuf,
    /// Folder of definitions; those that the journal names when absent.
    pub catalog: Option<PathBuf>,
    /// Id of the scorecard.
    pub scorecard: String,
    /// Which instance.
    pub instance: Option<String>,
    /// The instant that is looked at; that of knowing when absent.
    pub at: Option<Instant>,
    /// The instant of knowing; the journal's end when absent.
    pub known_at: Option<Instant>,
}

/// Prints the scorecard. `from_journal` answers when a journal is asked instead of a daemon.
pub fn run(
    args: &ScorecardArgs,
    from_journal: impl Fn(&ScorecardQuestion) -> Result<Value, CliError>,
) -> Result<(), CliError> {
    let answer = match &args.from.journal {
        Some(journal) => from_journal(&ScorecardQuestion {
            journal: journal.clone(),
            catalog: args.from.catalog.clone(),
            scorecard: args.id.clone(),
            instance: args.instance.clone(),
            at: args.at,
            known_at: args.known_at,
        })?,
        None => ask(args)?,
    };
    match args.format {
        Format::Json => output::print(&format!("{answer:#}\n")),
        Format::Table => output::print(&tree(&answer, Style::of_stdout())),
    }
}

fn ask(args: &ScorecardArgs) -> Result<Value, CliError> {
    let [at, known_at] = [args.at, args.known_at].map(|instant| instant.map(|instant| instant.to_string()));
    let asked = [
        ("instance", args.instance.as_deref()),
        ("at", at.as_deref()),
        ("known_at", known_at.as_deref()),
    ];
    let query: Vec<(&str, &str)> = asked
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    let path = format!("/api/v1/scorecards/{}", args.id);
    Daemon::at(&args.from.server)?.get(&path, &query)
}

/// The whole answer for people.
pub fn tree(answer: &Value, style: Style) -> String {
    let mut rows = vec![output::header(&[
        "node", "score", "status", "value", "coverage", "remark",
    ])];
    if let Some(node) = answer.get("node") {
        let instance = text(answer, "instance").map(|instance| format!(" @{instance}"));
        let name = format!("{}{}", name(node), instance.unwrap_or_default());
        add_rows((node, name), "", &mut rows);
    }
    let at = text(answer, "at").unwrap_or("?");
    let sequence = answer.get("sequence").map_or_else(|| "?".to_owned(), Value::to_string);
    let known = text(answer, "known_at").map_or_else(String::new, |known_at| format!(", as known at {known_at}"));
    let footer = format!("at {at}{known}, journal sequence {sequence}");
    format!(
        "{}{}\n",
        output::table(&rows, style),
        style.paint(Paint::Faint, &footer)
    )
}

/// A node by its name and, indented below it, its children. `below` is the branches drawn before them.
fn add_rows((node, shown): (&Value, String), below: &str, rows: &mut Vec<Vec<Cell>>) {
    rows.push(row(node, shown));
    let children = node
        .get("children")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    for (index, child) in children.iter().enumerate() {
        let (branch, space) = if index + 1 == children.len() {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let shown = format!("{below}{branch}{}", name(child));
        add_rows((child, shown), &format!("{below}{space}"), rows);
    }
}

fn name(node: &Value) -> &str {
    let path = text(node, "path").unwrap_or_default();
    let title = text(node, "title").filter(|title| !title.is_empty());
    title.unwrap_or_else(|| path.rsplit('/').next().unwrap_or(path))
}

fn row(node: &Value, shown: String) -> Vec<Cell> {
    let status = match (text(node, "status"), text(node, "absence")) {
        (Some(status), _) => {
            let (shape, paint) = output::status_look(status);
            Cell::painted(format!("{shape} {status}"), paint)
        }
        (None, absence) => Cell::painted(format!("- {}", absence.unwrap_or("no score")), Paint::Faint),
    };
    vec![
        Cell::text(shown),
        Cell::number(number(node, "score").map_or_else(String::new, |score| output::number(score, 1))),
        status,
        Cell::number(value_text(node)),
        Cell::number(number(node, "coverage").map_or_else(String::new, |part| format!("{:.0} %", part * 100.0))),
        Cell::painted(remark(node), Paint::Faint),
    ]
}

fn value_text(node: &Value) -> String {
    let unit = text(node, "unit").unwrap_or_default();
    let value = number(node, "value").map(|value| output::number(value, 2));
    value.map_or_else(String::new, |value| format!("{value} {unit}").trim_end().to_owned())
}

fn remark(node: &Value) -> String {
    let mut remarks: Vec<String> = Vec::new();
    if node.get("fresh").and_then(Value::as_bool) == Some(false) && number(node, "value").is_some() {
        remarks.push("not fresh".to_owned());
    }
    for word in ["provisional", "restated"] {
        if node.get(word).and_then(Value::as_bool) == Some(true) {
            remarks.push(word.to_owned());
        }
    }
    if let Some(trend) = node.get("trend").and_then(|trend| text(trend, "direction")) {
        remarks.push(trend.to_owned());
    }
    let is_leaf = text(node, "kind") == Some("kpi");
    let red = node
        .get("red")
        .and_then(Value::as_u64)
        .filter(|red| *red > 0 && !is_leaf);
    remarks.extend(red.map(|red| format!("{red} red below")));
    remarks.join(", ")
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value.get(key)?.as_str()
}

fn number(value: &Value, key: &str) -> Option<f64> {
    value.get(key)?.as_f64()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_scorecard_is_a_tree_that_needs_no_colour() {
        let answer = serde_json::json!({
            "scorecard": "it", "at": "2026-03-01T10:00:00Z", "sequence": 4711,
            "node": {"path": "it", "kind": "scorecard", "title": "IT operations", "score": 71.25, "status": "amber",
                "coverage": 0.93, "red": 2, "trend": {"direction": "better"}, "children": [
                {"path": "it/customer", "kind": "perspective", "title": "Customer", "score": 62.5, "status": "amber",
                    "coverage": 1, "red": 0, "children": [
                    {"path": "it/customer/a/it.csat", "kind": "kpi", "title": "Ticket satisfaction", "value": 82.5,
                        "unit": "%", "score": 62.5, "status": "amber", "coverage": 1, "fresh": false}]},
                {"path": "it/process", "kind": "perspective", "title": "Process", "score": null, "status": null,
                    "absence": "no_data", "coverage": 0}]}
        });
        let shown = tree(&answer, Style::PLAIN);
        let expected = "\
NODE                       SCORE  STATUS     VALUE   COVERAGE  REMARK
IT operations               71.2  ◐ amber                93 %  better, 2 red below
├─ Customer                 62.5  ◐ amber               100 %
│  └─ Ticket satisfaction   62.5  ◐ amber    82.5 %     100 %  not fresh
└─ Process                        - no_data               0 %
at 2026-03-01T10:00:00Z, journal sequence 4711
";
        assert_eq!(shown, expected, "\n{shown}");

        let mut instance = answer;
        instance["instance"] = "site-0500".into();
        let shown = tree(&instance, Style::PLAIN);
        assert!(shown.contains("\nIT operations @site-0500 "), "\n{shown}");
    }
}
