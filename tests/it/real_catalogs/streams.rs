//! Real files as streams of measurements, in a disorder that is the same in every run.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Map, Value, json};

/// One measurement as it is sent.
type Line = Map<String, Value>;

/// Rows of a CSV file, by the names of its columns.
fn rows(file: &Path) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_path(file).expect("a file of the data");
    let rows = reader.deserialize::<BTreeMap<String, String>>();
    rows.map(|row| row.expect("a row")).collect()
}

fn line(kpi: &str, observed_at: &str, fields: Value) -> Line {
    let Value::Object(mut line) = fields else {
        unreachable!("written as an object")
    };
    line.insert("kpi".to_owned(), kpi.into());
    line.insert("observed_at".to_owned(), observed_at.into());
    line
}

/// `2014-03-07 03:41:00`, which is UTC there, as RFC 3339.
fn utc(text: &str) -> String {
    text.replace(' ', "T") + "Z"
}

fn number(text: &str) -> f64 {
    text.parse().expect("a number")
}

/// All 4,032 latencies, one after the other to twelve KPIs, without sixteen hours of the second week in which windows
/// run empty.
pub fn latency(data: &Path) -> String {
    const KPIS: [&str; 12] = [
        "ops.mean",
        "ops.max",
        "ops.spread",
        "ops.swing",
        "ops.low",
        "ops.now",
        "ops.samples",
        "ops.load",
        "ops.p90",
        "ops.p99.9",
        "platform.total",
        "house.first",
    ];
    let rows = rows(&data.join("nab/ec2_request_latency.csv"));
    let kept = rows
        .iter()
        .enumerate()
        .filter(|(place, _)| !(2_500..2_700).contains(place));
    let lines = kept.map(|(place, row)| {
        let value = number(&row["value"]);
        line(
            KPIS[place % KPIS.len()],
            &utc(&row["timestamp"]),
            json!({ "value": value }),
        )
    });
    disturbed(&lines.collect::<Vec<_>>())
}

/// All 3,162 hours of two exchanges, costs per click and per thousand impressions together; each hour goes to one of ten
/// KPIs, and every fiftieth to the words of the buyers as well.
pub fn advertising(data: &Path) -> String {
    const KPIS: [&str; 10] = [
        "ads.cpc",
        "ads.cpm",
        "ads.ratio",
        "ads.opening",
        "ads.closing",
        "ads.drift",
        "ads.floor",
        "ads.spend",
        "ads.week",
        "ads.hours",
    ];
    let mut lines = Vec::new();
    for exchange in ["2", "3"] {
        let [cpc, cpm] = ["cpc", "cpm"].map(|kind| rows(&data.join(format!("nab/exchange-{exchange}_{kind}.csv"))));
        for (place, (click, mille)) in cpc.iter().zip(&cpm).enumerate() {
            let (at, kpi) = (utc(&click["timestamp"]), KPIS[place % KPIS.len()]);
            let (click, mille) = (number(&click["value"]), number(&mille["value"]));
            let mut fields = match kpi {
                "ads.cpm" => json!({ "value": mille, "weight": place % 4 }),
                "ads.ratio" => json!({ "numerator": click, "denominator": mille }),
                _ => json!({ "value": click }),
            };
            fields["labels"] = json!({ "exchange": exchange, "hour": (place % 7).to_string() });
            lines.push(line(kpi, &at, fields));
            if place % 50 == 0 {
                let words = ["good", "ok", "great", "bad"];
                lines.push(line("group.mood", &at, json!({ "value": words[place / 50 % 4] })));
            }
        }
    }
    lines.sort_by_key(|line| line["observed_at"].to_string());
    disturbed(&lines)
}

/// Every twentieth of 82,758 submissions, each to one of nine KPIs of its course. What came a year late is left out: the
/// reference would look at every day until then.
pub fn submissions(data: &Path) -> String {
    const KPIS: [&str; 9] = [
        "td.pass",
        "td.grade",
        "td.last",
        "td.on-time",
        "td.count",
        "td.quarter",
        "td.best",
        "td.kinds",
        "td.gain",
    ];
    let rows = rows(&data.join("oulad/submissions-2013.csv"));
    let kept = rows.iter().step_by(20).enumerate();
    let lines = kept
        .filter(|(_, row)| row["observed_at"].as_str() < "2014-07")
        .map(|(place, row)| {
            let (kpi, score) = (KPIS[place % KPIS.len()], number(&row["score"]));
            let mut fields = match kpi {
                "td.pass" => json!({ "numerator": number(&row["passed"]), "denominator": 1 }),
                "td.on-time" => json!({ "numerator": number(&row["on_time"]), "denominator": 1 }),
                "td.grade" => json!({ "value": grade(score) }),
                _ => json!({ "value": score }),
            };
            fields["labels"] = json!({ "module": row["module"], "kind": row["kind"] });
            line(kpi, &row["observed_at"], fields)
        });
    disturbed(&lines.collect::<Vec<_>>())
}

fn grade(score: f64) -> &'static str {
    match score {
        score if score >= 85.0 => "great",
        score if score >= 70.0 => "good",
        score if score >= 40.0 => "ok",
        _ => "bad",
    }
}

/// All 118 releases, each measured by all ten KPIs.
pub fn releases(data: &Path) -> String {
    let mut lines = Vec::new();
    for row in rows(&data.join("releases/nats-server.csv")) {
        let (at, hours) = (row["released_at"].as_str(), number(&row["median_lead_hours"]));
        let commits = number(&row["commits"]);
        for kpi in [
            "rel.count",
            "rel.commits-445",
            "rel.commits-454",
            "rel.commits-544",
            "rel.year",
            "rel.spread",
        ] {
            lines.push(line(kpi, at, json!({ "value": commits })));
        }
        lines.push(line("rel.lead", at, json!({ "value": hours })));
        lines.push(line("rel.p50", at, json!({ "value": hours })));
        lines.push(line(
            "rel.lead-weighted",
            at,
            json!({ "value": hours, "weight": commits }),
        ));
        let fixed = number(&row["fixed_within_7_days"]);
        lines.push(line("rel.fixed", at, json!({ "numerator": fixed, "denominator": 1 })));
    }
    disturbed(&lines)
}

/// Everything gets an id; every 13th line comes forty lines late, every 17th is sent twice, every 19th is corrected sixty
/// lines later to what the line before it said, and some of those to another instant, every 43rd is retracted ninety lines
/// later, every 61st says that it is not applicable.
fn disturbed(lines: &[Line]) -> String {
    let mut told: Vec<(usize, usize, Line)> = Vec::new();
    for (place, mut line) in lines.iter().cloned().enumerate() {
        line.insert("id".to_owned(), format!("r{place}").into());
        let turn = if place % 13 == 0 { place + 40 } else { place };
        if place % 61 == 60 {
            for field in ["value", "numerator", "denominator", "weight"] {
                line.remove(field);
            }
            line.insert("not_applicable".to_owned(), true.into());
        }
        if place % 17 == 0 {
            told.push((turn + 3, place, line.clone()));
        }
        if place % 19 == 0
            && let Some(correction) = correction(lines, place)
        {
            told.push((turn + 60, place, correction));
        }
        if place % 43 == 0 {
            let retraction = json!({ "kpi": line["kpi"], "retracts": line["id"], "labels": line.get("labels") });
            let Value::Object(retraction) = retraction else {
                unreachable!("written as an object")
            };
            told.push((turn + 90, place, retraction));
        }
        told.push((turn, place, line));
    }
    told.sort_by_key(|(turn, place, _)| (*turn, *place));
    let lines = told
        .into_iter()
        .map(|(.., line)| Value::Object(line).to_string() + "\n");
    lines.collect()
}

/// What the last line of the same KPI before it said, of the same instance where it has one.
fn correction(lines: &[Line], place: usize) -> Option<Line> {
    let line = &lines[place];
    let mut before = lines[..place].iter().rev();
    let other = before.find(|other| other["kpi"] == line["kpi"])?;
    let mut correction = other.clone();
    correction.insert("corrects".to_owned(), format!("r{place}").into());
    correction.insert("observed_at".to_owned(), line["observed_at"].clone());
    if place.is_multiple_of(38) {
        correction.insert("observed_at".to_owned(), other["observed_at"].clone());
    }
    if let Some(labels) = line.get("labels") {
        correction.insert("labels".to_owned(), labels.clone());
    }
    Some(correction)
}
