//! One alert rule's TOML.

use std::fmt::Write as _;

use super::catalogs::{Head, Kpi};
use super::{Dice, duration};

pub fn rule(place: usize, kpis: &[Kpi], dice: &mut Dice<'_>, (head, geometric): (&Head, bool)) -> String {
    let kpi = &kpis[dice.below(kpis.len() as i64) as usize];
    let metric = dice.pick(&["score", "score", "score", "value", "status", "coverage"]);
    let places = [
        kpi.path(),
        format!("c{}/**", kpi.scorecard),
        "**".to_owned(),
        "*".to_owned(),
        "*/*/**".to_owned(),
        format!("**/{}", kpi.id),
    ];
    let on = if metric == "value" {
        kpi.path()
    } else {
        places[dice.below(6) as usize].clone()
    };
    let mut text =
        format!("\n[[alert]]\nid = \"r{place}\"\non = \"{on}\"\nseverity = \"warning\"\nmetric = \"{metric}\"\n");
    match metric {
        "status" => text.push_str(&at_worst(dice, head)),
        "coverage" => text.push_str(dice.pick(&["below = 1\n", "below = 0.55\nclear = 1\n", "above = 0.3\n"])),
        "value" => text.push_str(&threshold(dice, |whole| {
            kpi.domain.number(whole) + kpi.domain.number(1) * rounding(kpi)
        })),
        // A power and its root round; a threshold on a whole number would be a matter of luck.
        _ => text.push_str(&threshold(dice, |whole| {
            whole as f64 + if geometric { 0.123 } else { 0.0 }
        })),
    }
    let half = head.every_ms / 2;
    for (name, percent) in [("for", 60), ("keep_firing_for", 40), ("repeat", 40)] {
        if dice.chance(percent) {
            let _ = writeln!(text, "{name} = \"{}\"", duration((1 + dice.below(7)) * half));
        }
    }
    let _ = writeln!(
        text,
        "no_data = \"{}\"",
        dice.pick(&["keep", "keep", "fire", "resolve"])
    );
    if dice.chance(30) {
        text.push_str("kinds = [\"kpi\", \"scorecard\"]\n");
    }
    text
}

fn rounding(kpi: &Kpi) -> f64 {
    if matches!(kpi.aggregate, "stddev" | "rate") {
        0.041
    } else {
        0.0
    }
}

fn at_worst(dice: &mut Dice<'_>, head: &Head) -> String {
    let place = dice.below(head.bands.len() as i64 - 1) as usize;
    format!("at_worst = \"{}\"\n", head.bands[place].0)
}

/// `below` or `above`, with or without a distance to `clear`.
fn threshold(dice: &mut Dice<'_>, number: impl Fn(i64) -> f64) -> String {
    let whole = dice.pick(&[50, 75, 60, 25, 10, 90]);
    let distance = dice.pick(&[0, 0, 1, 5, 15]);
    let clear = |whole: i64| {
        if distance == 0 {
            String::new()
        } else {
            format!("clear = {:?}\n", number(whole))
        }
    };
    if dice.chance(45) {
        format!("above = {:?}\n{}", number(whole), clear(whole - distance))
    } else {
        format!("below = {:?}\n{}", number(whole), clear(whole + distance))
    }
}
