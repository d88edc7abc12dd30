//! `kpid alerts`: what is pending or firing, from a running daemon or from a journal; with `--follow` what happens next.
//!
//! The answer of the API enters, a table leaves, or the same answer as JSON. Severity is a shape and a word.

use std::path::PathBuf;

use serde_json::Value;

use super::args::{AlertsArgs, Format};
use super::ask::Daemon;
use super::error::CliError;
use super::output::{self, Cell, Paint, Style};

/// What is asked of a journal instead of a daemon; the answer has the form of the API.
#[derive(Debug, Clone)]
pub struct AlertsQuestion {
    /// Folder of the journal.
    pub journal: PathBuf,
    /// Folder of definitions; those that the journal names when absent.
    pub catalog: Option<PathBuf>,
    /// Only `pending`, `firing` or recently `resolved` ones.
    pub state: Option<String>,
}

/// Prints the alerts. `from_journal` answers when a journal is asked instead of a daemon.
pub fn run(
    args: &AlertsArgs,
    from_journal: impl Fn(&AlertsQuestion) -> Result<Value, CliError>,
) -> Result<(), CliError> {
    if args.follow {
        return follow(args);
    }
    let answer = if let Some(journal) = &args.from.journal {
        from_journal(&AlertsQuestion {
            journal: journal.clone(),
            catalog: args.from.catalog.clone(),
            state: args.state.clone(),
        })?
    } else {
        let query: Vec<(&str, &str)> = args.state.iter().map(|state| ("state", state.as_str())).collect();
        Daemon::at(&args.from.server)?.get("/api/v1/alerts", &query)?
    };
    match args.format {
        Format::Json => output::print(&format!("{answer:#}\n")),
        Format::Table => output::print(&list(&answer, Style::of_stdout())),
    }
}

/// Prints one line a transition until the daemon or the reader goes.
fn follow(args: &AlertsArgs) -> Result<(), CliError> {
    let style = Style::of_stdout();
    Daemon::at(&args.from.server)?.follow("/api/v1/stream", |event, data| {
        if event == "lagged" {
            output::say(&format!("warning: some transitions were missed: {data}"));
        }
        if event != "alert" {
            return Ok(());
        }
        let alert: Value = serde_json::from_str(data)
            .map_err(|error| CliError::failed(format!("an event of the stream is not JSON: {error}")))?;
        let wanted = args
            .state
            .as_deref()
            .is_none_or(|state| text(&alert, "transition") == state);
        match args.format {
            _ if !wanted => Ok(()),
            Format::Json => output::print(&format!("{alert}\n")),
            Format::Table => output::print(&output::table(&[transition_row(&alert)], style)),
        }
    })
}

/// All alerts for people, the most severe first as the API gives them.
fn list(answer: &Value, style: Style) -> String {
    let alerts = answer
        .get("alerts")
        .unwrap_or(answer)
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    if alerts.is_empty() {
        return "no alerts\n".to_owned();
    }
    let mut rows = vec![output::header(&[
        "severity", "state", "rule", "node", "value", "score", "status", "since",
    ])];
    rows.extend(alerts.iter().map(view_row));
    output::table(&rows, style)
}

fn view_row(alert: &Value) -> Vec<Cell> {
    // A resolved alert is listed by its last transition, which has no state any more.
    let state = Some(text(alert, "state")).filter(|state| !state.is_empty());
    let mut row = vec![
        severity(alert),
        Cell::text(state.unwrap_or_else(|| text(alert, "transition"))),
    ];
    row.extend(what(alert));
    row.push(Cell::painted(text(alert, "since"), Paint::Faint));
    row
}

fn transition_row(alert: &Value) -> Vec<Cell> {
    let mut row = vec![
        Cell::text(text(alert, "at")),
        severity(alert),
        Cell::text(text(alert, "transition")),
    ];
    row.extend(what(alert));
    row
}

/// Rule, node, value, score, status: what both forms of an alert have.
fn what(alert: &Value) -> [Cell; 5] {
    let status = text(alert, "status");
    let (shape, paint) = output::status_look(status);
    let number = |key: &str, digits| {
        alert
            .get(key)
            .and_then(Value::as_f64)
            .map(|value| output::number(value, digits))
    };
    let value = number("value", 2).map(|value| format!("{value} {}", text(alert, "unit")));
    [
        Cell::text(text(alert, "rule")),
        Cell::text(text(alert, "path")),
        Cell::number(value.unwrap_or_default().trim_end().to_owned()),
        Cell::number(number("score", 1).unwrap_or_default()),
        if status.is_empty() {
            Cell::text("-")
        } else {
            Cell::painted(format!("{shape} {status}"), paint)
        },
    ]
}

fn severity(alert: &Value) -> Cell {
    let word = text(alert, "severity");
    let (shape, paint) = output::severity_look(word);
    Cell::painted(format!("{shape} {word}"), paint)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alerts_are_a_table_that_needs_no_colour() {
        let alert = serde_json::json!({"id": "x", "rule": "csat-low", "path": "it/customer/a/it.csat", "state": "firing",
            "since": "2026-03-01T10:00:00Z", "severity": "critical", "value": 71.0, "unit": "%", "score": 42.0,
            "status": "red"});
        let shown = list(&serde_json::json!({ "alerts": [alert] }), Style::PLAIN);
        let expected = "\
SEVERITY    STATE   RULE      NODE                   VALUE  SCORE  STATUS  SINCE
▲ critical  firing  csat-low  it/customer/a/it.csat   71 %     42  ○ red   2026-03-01T10:00:00Z
";
        assert_eq!(shown, expected, "\n{shown}");
        assert_eq!(list(&serde_json::json!([]), Style::PLAIN), "no alerts\n");
    }

    #[test]
    fn a_transition_is_one_line() {
        let alert = serde_json::json!({"at": "2026-03-01T10:10:00Z", "transition": "resolved", "severity": "warning",
            "rule": "r", "path": "it", "score": 80.0, "status": "green"});
        let line = output::table(&[transition_row(&alert)], Style::PLAIN);
        assert_eq!(
            line,
            "2026-03-01T10:10:00Z  △ warning  resolved  r  it    80  ● green\n"
        );
    }
}
