//! One KPI's TOML: window, scoring, missing, changes.

use std::fmt::Write as _;

use super::catalogs::{Domain, Head, Kpi, Shape, day};
use super::{Dice, duration};

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;
const DAY: i64 = 24 * HOUR;

pub fn toml(kpi: &Kpi, dice: &mut Dice<'_>, head: &Head) -> String {
    let mut text = format!(
        "\n[[kpi]]\nid = \"{}\"\nobjective = \"o{}\"\ntitle = \"K\"\nkind = \"leading\"\naggregate = \"{}\"\n",
        kpi.id, kpi.objective, kpi.aggregate
    );
    match kpi.aggregate {
        // A power of two: it may be multiplied before or after the division and gives the same.
        "ratio" => {
            let _ = writeln!(text, "scale_by = {}", dice.pick(&[1, 64, 128]));
        }
        "rate" => {
            let _ = writeln!(text, "per = \"{}\"", dice.pick(&["1h", "1s", "1d", "15m"]));
        }
        "distinct" => text.push_str("key = \"user\"\n"),
        "first" | "last" | "delta" if dice.chance(40) => text.push_str("across = \"mean\"\n"),
        _ => {}
    }
    let window = window(kpi, dice, head);
    let _ = writeln!(text, "window = {window}");
    let weight = dice.pick(&[1, 1, 2, 3, 5, 0]);
    let _ = writeln!(
        text,
        "weight = {}",
        if head.zero_weights { weight } else { weight.max(1) }
    );
    text.push_str(&missing(dice, head));
    if dice.chance(30) {
        let _ = writeln!(
            text,
            "expected_every = \"{}\"",
            duration((1 + dice.below(8)) * head.every_ms / 2)
        );
    }
    if dice.chance(20) && matches!(kpi.shape, Shape::Number | Shape::Weighted) {
        let _ = writeln!(
            text,
            "accept = [{:?}, {:?}]",
            kpi.domain.number(-20),
            kpi.domain.number(100)
        );
    }
    if dice.chance(6) {
        text.push_str("paused = true\n");
    }
    let points = Points::draw(kpi, dice);
    text.push_str(&points.toml(kpi, 0).join("\n"));
    text.push('\n');
    text.push_str(&changes(kpi, &points, dice, head));
    // Drawn last, so that the choices before it stay what they were in the seeds that are kept.
    if window.contains("period") && dice.chance(50) {
        let lateness = duration((1 + dice.below(40)) * head.every_ms / 2);
        let _ = writeln!(text, "allowed_lateness = \"{lateness}\"");
    }
    text
}

fn window(kpi: &Kpi, dice: &mut Dice<'_>, head: &Head) -> String {
    let kind = dice.pick(&[
        "all", "rolling", "rolling", "rolling", "default", "period", "period", "period",
    ]);
    match kind {
        // A rate over everything has no length.
        "all" if kpi.aggregate != "rate" => "{ all = true }".to_owned(),
        "default" => {
            let length = dice.pick(&[24 * MINUTE, 10 * MINUTE, 2 * HOUR, 6 * HOUR, DAY, 6 * DAY, 28 * DAY]);
            format!("{{ rolling = \"{}\" }}", duration(length))
        }
        "period" => {
            let period = dice.pick(&["day", "week", "month", "quarter", "year"]);
            let complete = dice.chance(35);
            let weeks = dice.pick(&[
                "",
                "",
                ", calendar = \"4-4-5\"",
                ", calendar = \"4-5-4\"",
                ", calendar = \"5-4-4\"",
            ]);
            let weeks = if matches!(period, "day" | "week") { "" } else { weeks };
            let ended = if complete { ", complete = true" } else { "" };
            format!("{{ period = \"{period}\"{ended}{weeks} }}")
        }
        _ => {
            let slice = dice.pick(&[head.every_ms, 3 * head.every_ms, head.every_ms / 3, HOUR, DAY]);
            let length = slice * (1 + dice.below(10));
            format!(
                "{{ rolling = \"{}\", slice = \"{}\" }}",
                duration(length),
                duration(slice)
            )
        }
    }
}

fn missing(dice: &mut Dice<'_>, head: &Head) -> String {
    let how = dice.pick(&["exclude", "exclude", "zero", "hold"]);
    match how {
        "hold" => format!(
            "missing = \"hold\"\nhold_for = \"{}\"\n",
            duration((1 + dice.below(12)) * head.every_ms / 2)
        ),
        other => format!("missing = \"{other}\"\n"),
    }
}

/// From value to score. Distances are powers of two, so that whole numbers get scores without rounding, on borders too.
enum Points {
    None,
    Scale,
    Line {
        up: bool,
        red: i64,
        step: i64,
        best: Option<i64>,
        worst: Option<i64>,
    },
    Range {
        low: i64,
        inner: i64,
        left: i64,
        right: i64,
    },
    Curve {
        first: i64,
        pieces: Vec<(i64, i64)>,
    },
}

impl Points {
    fn draw(kpi: &Kpi, dice: &mut Dice<'_>) -> Self {
        let kind = dice.pick(&["line", "line", "line", "range", "curve", "none"]);
        let middle = dice.below(100) - if kpi.domain == Domain::Signed { 30 } else { 0 };
        let mut power = || 1 << dice.below(6);
        match kind {
            _ if kpi.shape == Shape::Word => Self::Scale,
            "none" => Self::None,
            "range" => Self::Range {
                low: middle,
                inner: power() - 1,
                left: power(),
                right: power(),
            },
            "curve" => {
                let steps = [power(), power(), power()];
                let scores = [dice.below(101), dice.below(101), dice.below(101), dice.below(101)];
                let pieces = steps.into_iter().zip(scores.into_iter().skip(1)).collect::<Vec<_>>();
                Self::Curve {
                    first: middle,
                    pieces: std::iter::once((0, scores[0])).chain(pieces).collect(),
                }
            }
            _ => {
                let (step, best, worst) = (power(), power(), power());
                let (best, worst) = (dice.chance(30).then_some(best), dice.chance(30).then_some(worst));
                Self::Line {
                    up: !dice.chance(40),
                    red: middle,
                    step,
                    best,
                    worst,
                }
            }
        }
    }

    /// Lines of TOML, everything moved by `shift`.
    fn toml(&self, kpi: &Kpi, shift: i64) -> Vec<String> {
        let at = |whole: i64| format!("{:?}", kpi.domain.number(whole + shift) + beside(kpi));
        match self {
            Self::None => vec![],
            Self::Scale => vec!["scale = { bad = 0, ok = 40, good = 75, great = 100 }".to_owned()],
            Self::Line {
                up,
                red,
                step,
                best,
                worst,
            } => {
                let sign = if *up { 1 } else { -1 };
                let target = red + sign * step;
                let mut lines = vec![format!("red = {}", at(*red)), format!("target = {}", at(target))];
                lines.extend(best.map(|best| format!("best = {}", at(target + sign * best))));
                lines.extend(worst.map(|worst| format!("worst = {}", at(red - sign * worst))));
                lines.push(format!("direction = \"{}\"", if *up { "up" } else { "down" }));
                lines
            }
            Self::Range {
                low,
                inner,
                left,
                right,
            } => {
                // An even width: the middle is half of it away from both ends, and a power of two or nothing.
                let high = low + if *inner == 0 { 0 } else { 2 * (inner + 1) };
                vec![
                    format!("target = [{}, {}]", at(*low), at(high)),
                    format!("red = [{}, {}]", at(low - left), at(high + right)),
                    "direction = \"range\"".to_owned(),
                ]
            }
            Self::Curve { first, pieces } => {
                let mut value = *first;
                let points = pieces.iter().map(|(step, score)| {
                    value += step;
                    format!("[{}, {score}]", at(value))
                });
                vec![format!("curve = [{}]", points.collect::<Vec<_>>().join(", "))]
            }
        }
    }
}

/// Values that rounding touches shall not lie on borders: their points are moved a little.
fn beside(kpi: &Kpi) -> f64 {
    let inexact =
        kpi.domain == Domain::Tenths || matches!(kpi.aggregate, "stddev" | "rate") || kpi.aggregate.starts_with('p');
    if inexact { kpi.domain.number(1) * 0.037 } else { 0.0 }
}

fn changes(kpi: &Kpi, points: &Points, dice: &mut Dice<'_>, head: &Head) -> String {
    let mut changes = Vec::new();
    for days in [1, 9] {
        if !dice.chance(20) {
            continue;
        }
        let date = day(head, days + dice.below(7));
        let mut fields = vec![format!("from = \"{date}\"")];
        let weight = 1 + dice.below(5);
        if dice.chance(60) {
            fields.push(format!("weight = {weight}"));
        }
        if dice.chance(50) && matches!(points, Points::Line { .. } | Points::Range { .. }) {
            let moved = points.toml(kpi, dice.below(9) - 4);
            fields.extend(moved.into_iter().filter(|line| !line.starts_with("direction")));
        }
        if dice.chance(15) {
            fields.push(format!("paused = {}", dice.chance(70)));
        }
        if fields.len() == 1 {
            fields.push(format!("weight = {weight}"));
        }
        changes.push(format!("{{ {} }}", fields.join(", ")));
    }
    if changes.is_empty() {
        String::new()
    } else {
        format!("changes = [{}]\n", changes.join(", "))
    }
}
