//! `kpid explain PATH`: what moved a node, from a running daemon or from a journal.
//!
//! The answer of the API enters, tables leave, or the same answer as JSON: the shares of the KPIs, which sum to the change,
//! and the measurements behind the largest of them. Every change has its sign, so that nobody needs a colour.

use std::path::Path;

use serde_json::Value;

use super::args::{ExplainArgs, Format};
use super::ask::Daemon;
use super::error::CliError;
use super::output::{self, Cell, Paint, Style};
use crate::domain::instant::{DAY_MS, Instant};
use crate::wire::alert::root_of;

/// Without `--from`, so far back, as over HTTP.
const RANGE_DEFAULT_MS: i64 = 7 * DAY_MS;
/// KPIs whose measurements are listed; JSON has those of all.
const LEAVES_SHOWN: usize = 5;
/// Measurements listed of each.
const MEASUREMENTS_SHOWN: usize = 3;
/// Points below which a KPI did not move anything that can be seen.
const UNSEEN: f64 = 0.005;

/// Prints the explanation. `from_journal` answers when a journal is asked instead of a daemon.
pub fn run(
    args: &ExplainArgs,
    from_journal: impl Fn(&ExplainArgs, &Path) -> Result<Value, CliError>,
) -> Result<(), CliError> {
    let answer = match &args.server.journal {
        Some(journal) => from_journal(args, journal)?,
        None => ask(args)?,
    };
    match args.format {
        Format::Json => output::print(&format!("{answer:#}\n")),
        Format::Table => output::print(&told(&answer, Style::of_stdout())),
    }
}

/// The first instant, given or by default, which must stand before the second.
pub fn from(from: Option<Instant>, end: Instant) -> Result<Instant, CliError> {
    let from = from.unwrap_or_else(|| end.plus_ms(-RANGE_DEFAULT_MS).max(Instant::EARLIEST));
    if from < end {
        return Ok(from);
    }
    Err(CliError::wrong(format!(
        "--from is {from}, not before the second instant {end}: give an earlier one"
    )))
}

fn ask(args: &ExplainArgs) -> Result<Value, CliError> {
    let (scorecard, instance) = root_of(&args.path);
    let [from, to] = [args.from, args.to].map(|instant| instant.map(|instant| instant.to_string()));
    let asked = [
        ("instance", instance.as_deref()),
        ("node", Some(args.path.as_str())),
        ("from", from.as_deref()),
        ("to", to.as_deref()),
    ];
    let query: Vec<(&str, &str)> = asked
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    Daemon::at(&args.server.server)?.get(&format!("/api/v1/scorecards/{scorecard}/explain"), &query)
}

/// The whole answer for people.
pub fn told(answer: &Value, style: Style) -> String {
    let mut out = headline(answer);
    let leaves = list(answer, "leaves");
    let has_change = field(field(answer, "node"), "change").is_number();
    let (seen, unseen): (Vec<&Value>, Vec<&Value>) = leaves.iter().partition(|leaf| !has_change || moved(leaf));
    let mut rows = vec![output::header(&[
        "kpi",
        "points",
        "by score",
        "by weight",
        "weight",
        "value",
        "score",
    ])];
    rows.extend(seen.iter().map(|leaf| leaf_row(leaf)));
    if !unseen.is_empty() {
        let rest: f64 = unseen
            .iter()
            .filter_map(|leaf| field(leaf, "contribution").as_f64())
            .sum();
        rows.push(vec![
            Cell::painted(format!("{} more that moved nothing", unseen.len()), Paint::Faint),
            Cell::number(signed(rest)),
        ]);
    }
    if let Some(change) = field(field(answer, "node"), "change").as_f64() {
        rows.push(vec![Cell::text("in all"), Cell::number(signed(change))]);
    }
    out.push_str(&output::table(&rows, style));
    out.push_str(&measurements(answer, &seen, style));
    out
}

fn moved(leaf: &Value) -> bool {
    field(leaf, "contribution")
        .as_f64()
        .is_some_and(|points| points.abs() >= UNSEEN)
}

fn headline(answer: &Value) -> String {
    let node = field(answer, "node");
    let change = field(node, "change").as_f64().map_or_else(
        || "no difference, because there is no score at both instants".to_owned(),
        |change| format!("{} points", signed(change)),
    );
    format!(
        "{} ({}): {} to {}, {change}\nfrom {} to {}, journal sequence {}\n\n",
        text(node, "title"),
        text(node, "path"),
        side(field(node, "then")),
        side(field(node, "now")),
        text(answer, "from"),
        text(answer, "to"),
        field(answer, "sequence"),
    )
}

/// A score with its status, or why there is none.
fn side(side: &Value) -> String {
    match field(side, "score").as_f64() {
        Some(score) => format!("{} {}", output::number(score, 1), text(side, "status")),
        None => text(side, "absence").to_owned(),
    }
}

fn leaf_row(leaf: &Value) -> Vec<Cell> {
    let points = field(leaf, "contribution").as_f64();
    let paint = match points {
        Some(points) if points >= UNSEEN => Paint::Good,
        Some(points) if points <= -UNSEEN => Paint::Bad,
        _ => Paint::Plain,
    };
    let unit = text(leaf, "unit");
    let value = |side: &Value| field(side, "value").as_f64().map(|value| output::number(value, 2));
    let values = pair(leaf, |side| value(side).unwrap_or_else(|| "-".to_owned()));
    let percent = |side: &Value| format!("{:.1} %", field(side, "weight").as_f64().unwrap_or(0.0) * 100.0);
    let number = |key: &str| Cell::number(field(leaf, key).as_f64().map_or_else(String::new, signed));
    vec![
        Cell::painted(text(leaf, "title"), paint),
        number("contribution"),
        number("by_score"),
        number("by_weight"),
        Cell::text(pair(leaf, percent)),
        Cell::text(format!("{values} {unit}").trim_end().to_owned()),
        Cell::text(pair(leaf, side)),
    ]
}

/// Then and now; once, where they are the same.
fn pair(leaf: &Value, say: impl Fn(&Value) -> String) -> String {
    let [then, now] = [say(field(leaf, "then")), say(field(leaf, "now"))];
    if then == now { then } else { format!("{then} to {now}") }
}

/// The measurements behind the largest shares, a paragraph a KPI.
fn measurements(answer: &Value, leaves: &[&Value], style: Style) -> String {
    let mut out = String::new();
    for leaf in leaves.iter().take(LEAVES_SHOWN) {
        let found = field(leaf, "measurements");
        let (entered, left) = (field(found, "entered"), field(found, "left"));
        let title = text(leaf, "title");
        let head = format!("\n{title}: {entered} measurements entered the window, {left} left it\n");
        out.push_str(&head);
        let listed = list(found, "listed").iter().take(MEASUREMENTS_SHOWN);
        out.push_str(&output::table(&listed.map(measurement_row).collect::<Vec<_>>(), style));
    }
    if field(answer, "measurements_complete").as_bool() == Some(false) {
        out.push_str(
            "\nnot all measurements are counted: the journal of that time is too long to be read for one question\n",
        );
    }
    out
}

fn measurement_row(one: &Value) -> Vec<Cell> {
    let number = |key: &str| field(one, key).as_f64().map(|number| output::number(number, 2));
    let value = match (number("numerator"), number("denominator"), number("value")) {
        (Some(above), Some(below), _) => format!("{above} / {below}"),
        (.., Some(value)) => value,
        _ if field(one, "not_applicable") == true => "not applicable".to_owned(),
        _ => text(one, "value").to_owned(),
    };
    let corrected = if field(one, "corrected") == true {
        ", corrected"
    } else {
        ""
    };
    let words = [text(one, "note"), text(one, "by")];
    let words: Vec<&str> = words.into_iter().filter(|words| !words.is_empty()).collect();
    vec![
        Cell::text(""),
        Cell::text(format!("{}{corrected}", text(one, "moved"))),
        Cell::text(value),
        Cell::text(text(one, "observed_at")),
        Cell::text(format!("sequence {}", field(one, "sequence"))),
        Cell::text(text(one, "source")),
        Cell::painted(words.join(" - "), Paint::Faint),
    ]
}

/// Points with their sign.
fn signed(points: f64) -> String {
    let text = format!("{points:+.2}");
    if text == "-0.00" { "+0.00".to_owned() } else { text }
}

/// What stands under a key, `null` where nothing does.
fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value.get(key).and_then(Value::as_str).unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(title: &str, points: Option<f64>, (then, now): (f64, f64)) -> Value {
        let side = |value: f64| serde_json::json!({"value": value, "weight": 0.5, "score": value, "status": "amber", "absence": null});
        serde_json::json!({"path": "it/customer/a/k", "title": title, "unit": "%", "contribution": points,
            "by_score": points, "by_weight": points.map(|_| 0.0), "then": side(then), "now": side(now),
            "measurements": {"entered": 60, "left": 58, "listed": [
                {"sequence": 4001, "moved": "entered", "observed_at": "2026-03-01T09:00:00Z", "numerator": 3.0,
                    "denominator": 40.0, "corrected": true, "source": "desk", "note": "after the outage", "by": "Ada"},
                {"sequence": 17, "moved": "left", "observed_at": "2026-02-01T09:00:00Z", "value": "good",
                    "corrected": false, "source": "desk", "note": null, "by": null}]}})
    }

    fn answer(change: Option<f64>, leaves: &[Value]) -> Value {
        serde_json::json!({
            "scorecard": "it", "from": "2026-02-22T10:00:00Z", "to": "2026-03-01T10:00:00Z", "sequence": 4711,
            "node": {"path": "it/customer", "title": "Customer", "change": change,
                "then": {"score": 70.0, "status": "amber", "absence": null},
                "now": {"score": change.map(|change| 70.0 + change), "status": "amber", "absence": "no_data"}},
            "leaves": leaves, "measurements_complete": change.is_none()})
    }

    #[test]
    fn shares_are_told_with_their_signs_and_sum_to_the_change() {
        let leaves = [
            leaf("Ticket satisfaction", Some(-6.5), (75.0, 62.0)),
            leaf("Solved at once", Some(1.5), (60.0, 63.0)),
            leaf("Availability", Some(0.001), (99.0, 99.0)),
        ];
        let shown = told(&answer(Some(-4.999), &leaves), Style::PLAIN);
        insta::assert_snapshot!(shown, @r"
        Customer (it/customer): 70 amber to 65 amber, -5.00 points
        from 2026-02-22T10:00:00Z to 2026-03-01T10:00:00Z, journal sequence 4711

        KPI                        POINTS  BY SCORE  BY WEIGHT  WEIGHT  VALUE       SCORE
        Ticket satisfaction         -6.50     -6.50      +0.00  50.0 %  75 to 62 %  75 amber to 62 amber
        Solved at once              +1.50     +1.50      +0.00  50.0 %  60 to 63 %  60 amber to 63 amber
        1 more that moved nothing   +0.00
        in all                      -5.00

        Ticket satisfaction: 60 measurements entered the window, 58 left it
          entered, corrected  3 / 40  2026-03-01T09:00:00Z  sequence 4001  desk  after the outage - Ada
          left                good    2026-02-01T09:00:00Z  sequence 17    desk

        Solved at once: 60 measurements entered the window, 58 left it
          entered, corrected  3 / 40  2026-03-01T09:00:00Z  sequence 4001  desk  after the outage - Ada
          left                good    2026-02-01T09:00:00Z  sequence 17    desk

        not all measurements are counted: the journal of that time is too long to be read for one question
        ");
    }

    #[test]
    fn without_a_difference_it_says_why_and_what_came() {
        let shown = told(
            &answer(None, &[leaf("Ticket satisfaction", None, (75.0, 62.0))]),
            Style::PLAIN,
        );
        insta::assert_snapshot!(shown, @r"
        Customer (it/customer): 70 amber to no_data, no difference, because there is no score at both instants
        from 2026-02-22T10:00:00Z to 2026-03-01T10:00:00Z, journal sequence 4711

        KPI                  POINTS  BY SCORE  BY WEIGHT  WEIGHT  VALUE       SCORE
        Ticket satisfaction                               50.0 %  75 to 62 %  75 amber to 62 amber

        Ticket satisfaction: 60 measurements entered the window, 58 left it
          entered, corrected  3 / 40  2026-03-01T09:00:00Z  sequence 4001  desk  after the outage - Ada
          left                good    2026-02-01T09:00:00Z  sequence 17    desk
        ");
    }

    #[test]
    fn the_first_instant_stands_before_the_second() {
        let end = Instant(10 * DAY_MS);
        assert_eq!(from(None, end).unwrap(), Instant(3 * DAY_MS));
        assert_eq!(from(Some(end), end).unwrap_err().exit_code(), 2);
    }
}
