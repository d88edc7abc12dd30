//! `kpid replay --diff DIR`: two catalogs over one history, side by side.
//!
//! A replay and a folder of other definitions enter, what differs leaves: two tables, or the JSON of the API. The same
//! input prints the same bytes.

use std::ops::ControlFlow;
use std::path::Path;

use serde_json::Value;

use super::args::{Format, ReplayArgs};
use super::error::CliError;
use super::output::{self, Cell, Paint, Style};
use super::replay::{Said, error_of, trimmed};
use crate::app::replay::{ReplayRequest, Told};
use crate::app::what_if::{WhatIfOutcome, WhatIfRequest, what_if};
use crate::domain::comparison::Sides;
use crate::settings::catalog_files;
use crate::wire::what_if::{Extent, WhatIfBody};

/// Folds the history under both catalogs and prints what differs.
pub(super) fn run((args, other): (&ReplayArgs, &Path), replay: ReplayRequest) -> Result<(), CliError> {
    let request = WhatIfRequest {
        replay,
        other: catalog_files(&[other.to_owned()])?,
        from: args.from,
    };
    let mut said = Said::over(&request.replay);
    let outcome = what_if(&request, &mut |told| {
        match told {
            Told::Rejected(path, line, rejection) => said.rejected(path, line, rejection),
            Told::Progress(count) => said.progress(count),
            Told::Trimmed(up_to, is_whole) => output::say(&trimmed(up_to, is_whole)),
            Told::Effects(_) => {}
        }
        ControlFlow::Continue(())
    });
    said.end();
    // Nobody broke it off.
    let Some(outcome) = outcome.map_err(error_of)? else {
        return Ok(());
    };
    let Sides { base, other } = outcome.rejected;
    if base + other > 0 {
        output::say(&format!("{base} rejected by the base, {other} by the other side"));
    }
    let answer = body(&outcome, &request)?;
    match args.format {
        Format::Json => output::print(&format!("{answer:#}\n")),
        Format::Table => output::print(&told(&answer, Style::of_stdout())),
    }
}

fn body(outcome: &WhatIfOutcome, request: &WhatIfRequest) -> Result<Value, CliError> {
    let fingerprints = Sides {
        base: outcome.catalogs.base.fingerprint.as_str(),
        other: outcome.catalogs.other.fingerprint.as_str(),
    };
    let extent = Extent {
        from: request.from,
        at: outcome.at,
        sequence: outcome.sequence,
    };
    let body = WhatIfBody::new(&outcome.compared, fingerprints, extent);
    serde_json::to_value(body).map_err(|error| CliError::failed(error.to_string()))
}

/// The answer for people.
fn told(answer: &Value, style: Style) -> String {
    let place = |side: &str| text(answer, &format!("/{side}/catalog"));
    let footer = format!("at {}, sequence {}", text(answer, "/at"), count(answer, "/sequence"));
    [
        format!("base   {}\nother  {}\n", place("base"), place("other")),
        nodes_told(answer, style),
        alerts_told(answer, style) + &unlisted(answer),
        format!("{}\n", style.paint(Paint::Faint, &footer)),
    ]
    .join("\n")
}

fn nodes_told(answer: &Value, style: Style) -> String {
    let [changed, added, removed, same, instants] =
        ["changed", "added", "removed", "same", "instants"].map(|key| count(answer, &format!("/nodes/{key}")));
    let line = format!(
        "Nodes: {changed} changed, {added} added, {removed} removed, {same} the same at all {instants} instants\n"
    );
    let names = [
        "node", "score", "other", "status", "other", "value", "other", "differs", "most",
    ];
    line + &section(&names, rows(answer, "/nodes/listed", node_row), style)
}

fn alerts_told(answer: &Value, style: Style) -> String {
    let [fired, not_fired, times, severity, same] = ["fired", "not_fired", "other_times", "other_severity", "same"]
        .map(|key| count(answer, &format!("/alerts/{key}")));
    let line = format!(
        "Alerts: {fired} would have fired, {not_fired} would not, {times} at other times, {severity} of other severity, \
         {same} the same\n"
    );
    let names = [
        "difference",
        "rule",
        "node",
        "fired",
        "resolved",
        "other fired",
        "other resolved",
    ];
    line + &section(&names, rows(answer, "/alerts/listed", alert_row), style)
}

/// A line about what is counted and not listed, or nothing.
fn unlisted(answer: &Value) -> String {
    match count(answer, "/nodes/unlisted") + count(answer, "/alerts/unlisted") {
        0 => String::new(),
        more => format!("... and {more} more that are counted and not listed\n"),
    }
}

fn count(value: &Value, place: &str) -> u64 {
    value.pointer(place).and_then(Value::as_u64).unwrap_or(0)
}

fn section(names: &[&str], rows: Vec<Vec<Cell>>, style: Style) -> String {
    if rows.is_empty() {
        return String::new();
    }
    let all: Vec<Vec<Cell>> = std::iter::once(output::header(names)).chain(rows).collect();
    output::table(&all, style)
}

fn rows(answer: &Value, place: &str, row: fn(&Value) -> Vec<Cell>) -> Vec<Vec<Cell>> {
    let listed = answer.pointer(place).and_then(Value::as_array);
    listed.map_or_else(Vec::new, |listed| listed.iter().map(row).collect())
}

fn node_row(node: &Value) -> Vec<Cell> {
    let number = |place: &str, digits| {
        let number = node.pointer(place).and_then(Value::as_f64);
        Cell::number(number.map_or_else(String::new, |number| output::number(number, digits)))
    };
    vec![
        Cell::text(text(node, "/path")),
        number("/base/score", 1),
        number("/other/score", 1),
        status(node, "base"),
        status(node, "other"),
        number("/base/value", 2),
        number("/other/value", 2),
        Cell::number(format!("{} of {}", count(node, "/differing"), count(node, "/instants"))),
        Cell::text(most(node)),
    ]
}

/// What one side says in a word, with its shape; one that is not there says so.
fn status(node: &Value, side: &str) -> Cell {
    let word = |key: &str| node.pointer(&format!("/{side}/{key}")).and_then(Value::as_str);
    if node.get(side).is_none_or(Value::is_null) {
        return Cell::painted("not there", Paint::Faint);
    }
    match word("status") {
        Some(status) => {
            let (shape, paint) = output::status_look(status);
            Cell::painted(format!("{shape} {status}"), paint)
        }
        None => Cell::painted(format!("- {}", word("absence").unwrap_or("no score")), Paint::Faint),
    }
}

/// Where both sides were farthest apart: by score, else by value.
fn most(node: &Value) -> String {
    let of = |key: &str, what: &str| {
        let largest = node.get(key).filter(|largest| !largest.is_null())?;
        let difference = largest.get("difference").and_then(Value::as_f64)?;
        let sign = if difference > 0.0 { "+" } else { "" };
        Some(format!(
            "{sign}{} {what} at {}",
            output::number(difference, 2),
            text(largest, "/at")
        ))
    };
    of("largest_score", "points")
        .or_else(|| of("largest_value", "in value"))
        .unwrap_or_default()
}

fn alert_row(alert: &Value) -> Vec<Cell> {
    let words = match text(alert, "/difference") {
        "fired" => "would have fired",
        "not_fired" => "would not have fired",
        "other_times" => "at other times",
        _ => "of other severity",
    };
    let severity = match text(alert, "/other/severity") {
        "" => text(alert, "/base/severity"),
        severity => severity,
    };
    let (shape, paint) = output::severity_look(severity);
    let ended = |side: &str| match (alert.get(side), text(alert, &format!("/{side}/resolved_at"))) {
        (None | Some(Value::Null), _) => "",
        (_, "") => "still fires",
        (_, at) => at,
    };
    vec![
        Cell::painted(format!("{shape} {words}"), paint),
        Cell::text(text(alert, "/rule")),
        Cell::text(text(alert, "/path")),
        Cell::text(text(alert, "/base/fired_at")),
        Cell::text(ended("base")),
        Cell::text(text(alert, "/other/fired_at")),
        Cell::text(ended("other")),
    ]
}

/// A text at a place, empty where there is none.
fn text<'a>(value: &'a Value, place: &str) -> &'a str {
    value.pointer(place).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_stand_beside_one_another() {
        let stand = |score: f64, status: &str| serde_json::json!({"value": null, "score": score, "status": status, "absence": null});
        let answer = serde_json::json!({
            "base": {"catalog": "sha256:aa"}, "other": {"catalog": "sha256:bb"}, "at": "2026-03-04T11:00:00Z", "sequence": 4,
            "nodes": {"instants": 4, "same": 2, "changed": 1, "added": 0, "removed": 1, "unlisted": 0, "listed": [
                {"path": "it", "base": stand(71.25, "amber"), "other": stand(80.0, "green"), "instants": 4, "differing": 3,
                    "largest_score": {"at": "2026-03-03T11:00:00Z", "difference": 10.0}, "largest_value": null},
                {"path": "it/old", "base": stand(40.0, "red"), "other": null, "instants": 1, "differing": 1,
                    "largest_score": null, "largest_value": null}]},
            "alerts": {"same": 2, "fired": 1, "not_fired": 0, "other_times": 0, "other_severity": 0, "unlisted": 7, "listed": [
                {"rule": "low", "path": "it", "difference": "fired", "base": null,
                    "other": {"fired_at": "2026-03-01T11:00:00Z", "resolved_at": null, "severity": "critical"}}]},
        });
        let shown = told(&answer, Style::PLAIN);
        let expected = "\
base   sha256:aa
other  sha256:bb

Nodes: 1 changed, 0 added, 1 removed, 2 the same at all 4 instants
NODE    SCORE  OTHER  STATUS   OTHER      VALUE  OTHER  DIFFERS  MOST
it       71.2     80  ◐ amber  ● green                   3 of 4  +10 points at 2026-03-03T11:00:00Z
it/old     40         ○ red    not there                 1 of 1

Alerts: 1 would have fired, 0 would not, 0 at other times, 0 of other severity, 2 the same
DIFFERENCE          RULE  NODE  FIRED  RESOLVED  OTHER FIRED           OTHER RESOLVED
▲ would have fired  low   it                     2026-03-01T11:00:00Z  still fires
... and 7 more that are counted and not listed

at 2026-03-04T11:00:00Z, sequence 4
";
        assert_eq!(shown, expected, "\n{shown}");
    }
}
