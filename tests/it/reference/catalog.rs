//! Reads catalog files into [`super::definition`]. It trusts them: a catalog that contradicts itself ends the test.

use jiff::civil::Weekday;
use jiff::tz::TimeZone;
use toml::{Table, Value};

use super::File;
use super::definition::{
    Aggregate, Calendar, Catalog, Condition, Kpi, KpiVersion, Metric, Missing, NoData, Objective, Period, Perspective,
    RollUp, Rule, Scorecard, Scoring, Versions, Window,
};
use super::windows;

/// Reads all files, in the order of their names.
pub fn read(files: &[File]) -> Catalog {
    let mut sorted: Vec<&File> = files.iter().collect();
    sorted.sort();
    let tables: Vec<Table> = sorted.iter().map(|(_, text)| text.parse().expect("TOML")).collect();
    Catalog {
        scorecards: tables.iter().map(scorecard).collect(),
        rules: tables
            .iter()
            .flat_map(|table| list(table, "alert"))
            .map(|table| rule(&table))
            .collect(),
    }
}

/// `90s`, `15m`, `28d`: a whole number and a unit.
pub fn duration_ms(text: &str) -> i64 {
    let digits = text.trim_end_matches(char::is_alphabetic);
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "w" => 7 * 86_400_000,
        other => panic!("unit of time {other:?} in {text:?}"),
    };
    digits.parse::<i64>().expect("a whole number") * unit
}

fn scorecard(file: &Table) -> Scorecard {
    let table = file["scorecard"].as_table().expect("[scorecard]");
    let calendar = Calendar {
        zone: TimeZone::get(text(table, "time_zone").unwrap_or("UTC")).expect("a time zone"),
        week_start: match text(table, "week_start") {
            Some("sunday") => Weekday::Sunday,
            _ => Weekday::Monday,
        },
        fiscal_year_start: table.get("fiscal_year_start").map_or(1, |month| number_of(month) as i8),
    };
    Scorecard {
        id: id(table),
        each: text(table, "each").map(str::to_owned),
        roll_up: roll_up(table),
        min_coverage: number(table, "min_coverage").unwrap_or(0.0),
        bands: versions(table, &calendar, bands),
        perspectives: list(file, "perspective")
            .map(|table| perspective(file, &table, &calendar))
            .collect(),
        calendar,
    }
}

fn perspective(file: &Table, table: &Table, calendar: &Calendar) -> Perspective {
    let id = id(table);
    let mine = list(file, "objective").filter(|objective| text(objective, "perspective") == Some(&id));
    Perspective {
        weight: versions(table, calendar, weight),
        roll_up: roll_up(table),
        objectives: mine.map(|table| objective(file, &table, calendar)).collect(),
        id,
    }
}

fn objective(file: &Table, table: &Table, calendar: &Calendar) -> Objective {
    let id = id(table);
    let mine = list(file, "kpi").filter(|kpi| text(kpi, "objective") == Some(&id));
    Objective {
        weight: versions(table, calendar, weight),
        roll_up: roll_up(table),
        kpis: mine.map(|table| kpi(&table, calendar)).collect(),
        include: list(table, "include")
            .map(|include| (text(&include, "node").expect("node").to_owned(), weight(&include)))
            .collect(),
        id,
    }
}

fn kpi(table: &Table, calendar: &Calendar) -> Kpi {
    Kpi {
        id: id(table),
        aggregate: aggregate(table),
        window: window(table["window"].as_table().expect("window")),
        averages_across: text(table, "across") == Some("mean"),
        missing: match text(table, "missing") {
            None | Some("exclude") => Missing::Exclude,
            Some("zero") => Missing::Zero,
            Some("hold") => Missing::Hold {
                hold_for_ms: duration(table, "hold_for").expect("hold_for"),
            },
            Some(other) => panic!("missing = {other:?}"),
        },
        allowed_lateness_ms: duration(table, "allowed_lateness").unwrap_or(0),
        accept: table.get("accept").map(pair),
        scale: table.get("scale").map(|scale| {
            let words = scale.as_table().expect("scale").iter();
            words.map(|(word, score)| (word.clone(), number_of(score))).collect()
        }),
        versions: versions(table, calendar, version),
    }
}

fn version(table: &Table) -> KpiVersion {
    KpiVersion {
        weight: weight(table),
        scoring: scoring(table),
        paused: table.get("paused").and_then(Value::as_bool).unwrap_or(false),
        expected_every: duration(table, "expected_every"),
    }
}

/// What the table says from the beginning, and what each of its `changes` makes of the version before it.
fn versions<T>(table: &Table, calendar: &Calendar, read: fn(&Table) -> T) -> Versions<T> {
    let mut changes: Vec<(i64, Table)> = list(table, "changes")
        .map(|change| {
            (
                windows::midnight(text(&change, "from").expect("from").parse().expect("a date"), calendar),
                change,
            )
        })
        .collect();
    changes.sort_by_key(|(from, _)| *from);
    let mut holds = table.clone();
    let mut versions = vec![(i64::MIN, read(&holds))];
    for (from, change) in changes {
        holds.extend(change);
        versions.push((from, read(&holds)));
    }
    Versions(versions)
}

fn aggregate(table: &Table) -> Aggregate {
    match text(table, "aggregate").expect("aggregate") {
        "count" => Aggregate::Count,
        "sum" => Aggregate::Sum,
        "mean" => Aggregate::Mean,
        "min" => Aggregate::Min,
        "max" => Aggregate::Max,
        "first" => Aggregate::First,
        "last" => Aggregate::Last,
        "ratio" => Aggregate::Ratio {
            scale_by: number(table, "scale_by").unwrap_or(1.0),
        },
        "weighted_mean" => Aggregate::WeightedMean,
        "stddev" => Aggregate::Stddev,
        "delta" => Aggregate::Delta,
        "rate" => Aggregate::Rate {
            per_ms: duration(table, "per").expect("per"),
        },
        "distinct" => Aggregate::Distinct {
            key: text(table, "key").expect("key").to_owned(),
        },
        other => {
            let percent = other.strip_prefix('p').expect("an aggregate");
            Aggregate::Percentile(percent.parse().expect("a percentile"))
        }
    }
}

fn window(table: &Table) -> Window {
    if let Some(length_ms) = duration(table, "rolling") {
        let slice_ms = duration(table, "slice").unwrap_or_else(|| default_slice_ms(length_ms));
        return Window::Rolling { length_ms, slice_ms };
    }
    let Some(period) = text(table, "period") else {
        return Window::All;
    };
    Window::Period {
        period: match period {
            "day" => Period::Day,
            "week" => Period::Week,
            "month" => Period::Month,
            "quarter" => Period::Quarter,
            "year" => Period::Year,
            other => panic!("period = {other:?}"),
        },
        complete: table.get("complete").and_then(Value::as_bool).unwrap_or(false),
        weeks: match text(table, "calendar") {
            Some("4-4-5") => Some([4, 4, 5]),
            Some("4-5-4") => Some([4, 5, 4]),
            Some("5-4-4") => Some([5, 4, 4]),
            _ => None,
        },
    }
}

/// The largest of 1m, 5m, 15m, 1h, 6h, 1d that gives at least 24 slices, else 1m.
fn default_slice_ms(length_ms: i64) -> i64 {
    let widths = ["1d", "6h", "1h", "15m", "5m", "1m"].map(duration_ms);
    widths
        .into_iter()
        .find(|width| length_ms / width >= 24)
        .unwrap_or(60_000)
}

fn scoring(table: &Table) -> Scoring {
    if table.contains_key("scale") {
        return Scoring::Scale;
    }
    if let Some(curve) = table.get("curve") {
        return Scoring::Curve(curve.as_array().expect("curve").iter().map(pair).collect());
    }
    let (Some(red), Some(target)) = (table.get("red"), table.get("target")) else {
        return Scoring::None;
    };
    if text(table, "direction") == Some("range") {
        let target = pair(target);
        let best = number(table, "best").unwrap_or(f64::midpoint(target.0, target.1));
        return Scoring::Range {
            red: pair(red),
            target,
            best,
        };
    }
    let (red, target) = (number_of(red), number_of(target));
    let best = number(table, "best").unwrap_or(target + (target - red));
    let worst = number(table, "worst").unwrap_or(red - 2.0 * (target - red));
    let mut points = vec![(worst, 0.0), (red, 50.0), (target, 75.0), (best, 100.0)];
    if text(table, "direction") == Some("down") {
        points.reverse();
    }
    Scoring::Curve(points)
}

fn bands(table: &Table) -> Vec<(String, f64)> {
    let mut bands: Vec<(String, f64)> = list(table, "bands")
        .map(|band| {
            (
                text(&band, "name").expect("name").to_owned(),
                number(&band, "from").expect("from"),
            )
        })
        .collect();
    if bands.is_empty() {
        bands = [("red", 0.0), ("amber", 50.0), ("green", 75.0)]
            .map(|(name, from)| (name.to_owned(), from))
            .to_vec();
    }
    bands.sort_by(|one, other| one.1.total_cmp(&other.1));
    bands
}

fn roll_up(table: &Table) -> RollUp {
    match text(table, "roll_up") {
        None | Some("mean") => RollUp::Mean,
        Some("worst") => RollUp::Worst,
        Some("best") => RollUp::Best,
        Some("geometric") => RollUp::Geometric,
        Some(other) => panic!("roll_up = {other:?}"),
    }
}

fn rule(table: &Table) -> Rule {
    Rule {
        id: id(table),
        on: text(table, "on").expect("on").to_owned(),
        kinds: table
            .get("kinds")
            .map(|kinds| kinds.clone().try_into().expect("a list of words")),
        metric: match text(table, "metric") {
            Some("value") => Metric::Value,
            None | Some("score") => Metric::Score,
            Some("status") => Metric::Status,
            Some("coverage") => Metric::Coverage,
            Some(other) => panic!("the reference knows no metric = {other:?}"),
        },
        condition: condition(table),
        for_ms: duration(table, "for").unwrap_or(0),
        keep_firing_for_ms: duration(table, "keep_firing_for").unwrap_or(0),
        repeat_ms: duration(table, "repeat"),
        no_data: match text(table, "no_data") {
            None | Some("keep") => NoData::Keep,
            Some("fire") => NoData::Fire,
            Some("resolve") => NoData::Resolve,
            Some(other) => panic!("no_data = {other:?}"),
        },
    }
}

fn condition(table: &Table) -> Condition {
    if let Some(band) = text(table, "at_worst") {
        return Condition::AtWorst {
            band: band.to_owned(),
            clear: text(table, "clear").map(str::to_owned),
        };
    }
    if let Some(threshold) = number(table, "below") {
        return Condition::Below {
            threshold,
            clear: number(table, "clear").unwrap_or(threshold),
        };
    }
    let threshold = number(table, "above").expect("below, above or at_worst");
    Condition::Above {
        threshold,
        clear: number(table, "clear").unwrap_or(threshold),
    }
}

fn id(table: &Table) -> String {
    text(table, "id").expect("id").to_owned()
}

fn weight(table: &Table) -> f64 {
    number(table, "weight").unwrap_or(1.0)
}

fn text<'a>(table: &'a Table, key: &str) -> Option<&'a str> {
    table.get(key).map(|value| value.as_str().expect("a string"))
}

fn duration(table: &Table, key: &str) -> Option<i64> {
    text(table, key).map(duration_ms)
}

fn number(table: &Table, key: &str) -> Option<f64> {
    table.get(key).map(number_of)
}

fn number_of(value: &Value) -> f64 {
    let whole = value.as_integer().map(|whole| whole as f64);
    whole.or(value.as_float()).expect("a number")
}

fn pair(value: &Value) -> (f64, f64) {
    let values = value.as_array().expect("two numbers");
    (number_of(&values[0]), number_of(&values[1]))
}

/// The tables of an array of tables; none when it is absent.
fn list(table: &Table, key: &str) -> impl Iterator<Item = Table> + use<> {
    let entries = table.get(key).map(|list| list.as_array().expect("a list").clone());
    entries
        .unwrap_or_default()
        .into_iter()
        .map(|entry| entry.as_table().expect("a table").clone())
}
