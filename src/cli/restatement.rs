//! `kpid restatement SCORECARD`: what was published and is said otherwise now, from a running daemon or from a journal.
//!
//! The answer of the API enters, a table an instant leaves, or the same answer as JSON: the scorecard and its KPIs then and now,
//! the points of each cause, which sum to the difference, and the sequences to look up. Every change has its sign.

use std::path::Path;

use serde_json::Value;

use super::args::{Format, RestatementArgs};
use super::ask::Daemon;
use super::error::CliError;
use super::output::{self, Cell, Paint, Style};
use crate::domain::instant::DAY_MS;

/// Without `--from`, so far back, as over HTTP.
pub(super) const RANGE_DEFAULT_MS: i64 = 30 * DAY_MS;
/// Sequences told of a cause; JSON has more, and the number of all.
const SEQUENCES_SHOWN: usize = 5;
/// Words of the causes in the API, over their column, and in a sentence.
const CAUSES: [(&str, &str, &str); 4] = [
    ("late_measurements", "late", "late measurements"),
    ("corrections", "corrected", "corrections"),
    ("retractions", "retracted", "retractions"),
    ("catalog", "catalog", "catalogs"),
];

/// Prints the restatement. `from_journal` answers when a journal is asked instead of a daemon.
pub fn run(
    args: &RestatementArgs,
    from_journal: impl Fn(&RestatementArgs, &Path) -> Result<Value, CliError>,
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

fn ask(args: &RestatementArgs) -> Result<Value, CliError> {
    let [from, to] = [args.from, args.to].map(|instant| instant.map(|instant| instant.to_string()));
    let every = args.every.map(|every| format!("{}s", every.as_secs().max(1)));
    let asked = [
        ("instance", args.instance.as_deref()),
        ("from", from.as_deref()),
        ("to", to.as_deref()),
        ("every", every.as_deref()),
    ];
    let query: Vec<(&str, &str)> = asked
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect();
    Daemon::at(&args.server.server)?.get(&format!("/api/v1/scorecards/{}/restatement", args.id), &query)
}

/// The whole answer for people.
pub fn told(answer: &Value, style: Style) -> String {
    let restated = list(answer, "restated");
    let (compared, open, unpublished) = (
        field(answer, "compared"),
        field(answer, "open"),
        field(answer, "unpublished"),
    );
    let instance = field(answer, "instance")
        .as_str()
        .map_or_else(String::new, |name| format!("@{name}"));
    let mut out = format!(
        "{}{instance}: {} of {compared} instants are said otherwise now\nfrom {} to {}, journal sequence {}\n",
        text(answer, "scorecard"),
        restated.len(),
        text(answer, "from"),
        text(answer, "to"),
        field(answer, "sequence"),
    );
    let beside = [
        (open, "still to come"),
        (unpublished, "from before anything was published"),
    ];
    for (count, words) in beside.map(|(count, words)| (count.as_u64().unwrap_or_default(), words)) {
        match count {
            0 => {}
            1 => out.push_str(&["1 more is ", words, "\n"].concat()),
            count => out.push_str(&[&count.to_string(), " more are ", words, "\n"].concat()),
        }
    }
    for one in restated {
        out.push_str(&instant(one, style));
    }
    out
}

fn instant(one: &Value, style: Style) -> String {
    let nodes = list(one, "nodes");
    let shown = nodes
        .iter()
        .filter(|node| ["scorecard", "kpi"].contains(&text(node, "kind")));
    let heads = ["node", "value", "then", "now", "points"].into_iter();
    let mut rows = vec![output::header(
        &heads.chain(CAUSES.map(|(_, head, _)| head)).collect::<Vec<_>>(),
    )];
    rows.extend(shown.map(row));
    let known = format!("known then: up to sequence {}", field(one, "sequence"));
    let mut out = format!("\n{}  {}\n", text(one, "at"), style.paint(Paint::Faint, &known));
    out.push_str(&output::table(&rows, style));
    for (cause, _, words) in CAUSES {
        // The whole has the facts of all that is below it; where it says the same, its parts have their own.
        let shares = nodes.iter().flat_map(|node| list(node, "causes"));
        let shares = shares.filter(|share| text(share, "cause") == cause);
        let most = shares.reduce(|most, other| {
            let count = |share: &Value| field(share, "count").as_u64();
            if count(other) > count(most) { other } else { most }
        });
        if let Some(share) = most.filter(|share| field(share, "count").as_u64() > Some(0)) {
            out.push_str(&style.paint(Paint::Faint, &sequences(share, words)));
            out.push('\n');
        }
    }
    out
}

/// `3 late measurements: sequences 17, 18, 21`, `1 correction: sequence 20`
fn sequences(share: &Value, words: &str) -> String {
    let count = field(share, "count").as_u64().unwrap_or_default();
    let listed = list(share, "sequences").iter().take(SEQUENCES_SHOWN);
    let listed: Vec<String> = listed.map(Value::to_string).collect();
    let more = count.saturating_sub(listed.len() as u64);
    let more = if more > 0 {
        format!(" and {more} more")
    } else {
        String::new()
    };
    let (words, noun) = match count {
        1 => (words.trim_end_matches('s'), "sequence"),
        _ => (words, "sequences"),
    };
    format!("{count} {words}: {noun} {}{more}", listed.join(", "))
}

fn row(node: &Value) -> Vec<Cell> {
    let points = field(node, "change").as_f64();
    let paint = match points {
        Some(points) if points >= 0.005 => Paint::Good,
        Some(points) if points <= -0.005 => Paint::Bad,
        _ => Paint::Plain,
    };
    let value = |side: &str| {
        field(field(node, side), "value")
            .as_f64()
            .map(|value| output::number(value, 2))
    };
    let values = match (value("then"), value("now")) {
        (None, None) => String::new(),
        (then, now) if then == now => format!("{} {}", now.unwrap_or_default(), text(node, "unit")),
        (then, now) => {
            let word = |value: Option<String>| value.unwrap_or_else(|| "-".to_owned());
            format!("{} to {} {}", word(then), word(now), text(node, "unit"))
        }
    };
    let mut cells = vec![
        Cell::painted(text(node, "title"), paint),
        Cell::text(values.trim_end()),
        Cell::text(side(field(node, "then"))),
        Cell::text(side(field(node, "now"))),
        Cell::number(points.map_or_else(String::new, signed)),
    ];
    cells.extend(CAUSES.map(|(cause, ..)| {
        let share = list(node, "causes").iter().find(|share| text(share, "cause") == cause);
        let points = share.and_then(|share| field(share, "points").as_f64());
        Cell::number(points.map_or_else(String::new, signed))
    }));
    cells
}

/// A score with its status, why there is none, or that the node was not there.
fn side(side: &Value) -> String {
    match field(side, "score").as_f64() {
        Some(score) => format!("{} {}", output::number(score, 1), text(side, "status")),
        None if side.is_null() => "not there".to_owned(),
        None => text(side, "absence").to_owned(),
    }
}

fn signed(points: f64) -> String {
    // What rounds to nothing has no sign.
    format!("{:+.2}", if points.abs() < 0.005 { 0.0 } else { points })
}

fn field<'a>(value: &'a Value, key: &str) -> &'a Value {
    value.get(key).unwrap_or(&Value::Null)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    field(value, key).as_str().unwrap_or_default()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    field(value, key).as_array().map_or(&[], Vec::as_slice)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn share(cause: &str, points: Option<f64>, count: u64, sequences: &[u64]) -> Value {
        json!({"cause": cause, "points": points, "value": null, "count": count, "sequences": sequences})
    }

    #[test]
    fn each_instant_tells_then_and_now_and_why() {
        let late = || {
            share(
                "late_measurements",
                Some(-7.0),
                7,
                &[4711, 4712, 4713, 4714, 4715, 4716, 4717],
            )
        };
        let corrected = || share("corrections", Some(2.0), 1, &[5000]);
        let side = |value: Option<f64>, score: f64, status: &str| json!({"value": value, "score": score, "status": status, "absence": null});
        let answer = json!({
            "scorecard": "it", "instance": "berlin", "from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z",
            "sequence": 5012, "compared": 28, "unpublished": 0, "open": 1,
            "restated": [{"at": "2026-02-11T00:00:00Z", "sequence": 4700, "nodes": [
                {"path": "it@berlin", "kind": "scorecard", "title": "IT operations", "unit": "", "change": -5.0,
                    "then": side(None, 80.0, "green"), "now": side(None, 75.0, "green"), "causes": [late(), corrected()]},
                {"path": "it@berlin/p", "kind": "perspective", "title": "not shown", "causes": []},
                {"path": "it@berlin/p/o/k", "kind": "kpi", "title": "Answered in time", "unit": "%", "change": null,
                    "then": {"value": null, "score": null, "status": null, "absence": "no_data"},
                    "now": side(Some(93.5), 75.0, "green"), "causes": [share("late_measurements", None, 7, &[4711])]},
                {"path": "it@berlin/p/o/gone", "kind": "kpi", "title": "Gone", "unit": "", "change": null,
                    "then": side(Some(4.0), 40.0, "red"), "now": null, "causes": [share("catalog", None, 1, &[5003])]}]}]
        });
        let shown = told(&answer, Style::PLAIN);
        insta::assert_snapshot!(shown, @r"
        it@berlin: 1 of 28 instants are said otherwise now
        from 2026-02-01T00:00:00Z to 2026-03-01T00:00:00Z, journal sequence 5012
        1 more is still to come

        2026-02-11T00:00:00Z  known then: up to sequence 4700
        NODE              VALUE        THEN      NOW        POINTS  LATE   CORRECTED  RETRACTED  CATALOG
        IT operations                  80 green  75 green    -5.00  -7.00      +2.00
        Answered in time  - to 93.5 %  no_data   75 green
        Gone              4 to -       40 red    not there
        7 late measurements: sequences 4711, 4712, 4713, 4714, 4715 and 2 more
        1 correction: sequence 5000
        1 catalog: sequence 5003
        ");
    }
}
