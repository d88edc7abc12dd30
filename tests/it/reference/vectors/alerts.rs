//! Specification, section 10: conditions, timers, hysteresis, and the order of transitions.

use super::{POINTS, Vector, head, kpi, levels, rule, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";
const HOURLY: &str = "aggregate = 'last'\nwindow = { rolling = '1h', slice = '1h' }";

pub fn vectors() -> Vec<Vector> {
    [conditions(), durations(), keeping(), without_data(), places()]
        .into_iter()
        .flatten()
        .collect()
}

fn low(lines: &str) -> String {
    rule("low", "k", lines)
}

fn conditions() -> Vec<Vector> {
    vec![
        vector("below is strict")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50"))
            .stream(&["00:10 k value=50", "01:10 k value=49", "02:10 k value=50"])
            .alerts(&["02:00 low k firing 02:00", "03:00 low k resolved 02:00"]),
        vector("above is strict, and cleared at or below its clear")
            .kpi("k", LAST)
            .rule(&low("metric = 'value'\nabove = 70\nclear = 60"))
            .stream(&[
                "00:10 k value=70",
                "01:10 k value=71",
                "02:10 k value=61",
                "03:10 k value=60",
            ])
            .alerts(&["02:00 low k firing 02:00", "04:00 low k resolved 02:00"]),
        vector("clear is reached at its very value")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nclear = 55"))
            .stream(&[
                "00:10 k value=49",
                "01:10 k value=54",
                "02:10 k value=55",
                "03:10 k value=54",
            ])
            .alerts(&["01:00 low k firing 01:00", "03:00 low k resolved 01:00"]),
        vector("at_worst holds for that band and the worse ones")
            .kpi("k", LAST)
            .rule(&low("metric = 'status'\nat_worst = 'amber'"))
            .stream(&[
                "00:10 k value=75",
                "01:10 k value=74",
                "02:10 k value=10",
                "03:10 k value=75",
            ])
            .alerts(&["02:00 low k firing 02:00", "04:00 low k resolved 02:00"]),
        vector("coverage is a condition too")
            .kpi("a", LAST)
            .kpi("b", HOURLY)
            .rule(&rule("thin", "t", "metric = 'coverage'\nbelow = 0.75"))
            .stream(&["00:10 a value=50", "00:10 b value=50", "02:10 b value=50"])
            .alerts(&["02:00 thin t firing 02:00", "03:00 thin t resolved 02:00"]),
    ]
}

fn durations() -> Vec<Vector> {
    vec![
        vector("for runs out between two evaluations, to the millisecond")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nfor = '90m'"))
            .stream(&["00:10 k value=49", "02:59 k value=49", "03:10 k value=60"])
            .alerts(&["02:30 low k firing 01:00", "04:00 low k resolved 01:00"]),
        vector("a condition that ends at the very instant at which its for would be over does not fire")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nfor = '2h'"))
            .stream(&["00:10 k value=49", "02:10 k value=60", "04:10 k value=60"])
            .alerts(&[]),
        vector("a condition that still holds at the instant at which its for is over fires at it")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nfor = '2h'"))
            .stream(&["00:10 k value=49", "02:10 k value=48"])
            .alerts(&["03:00 low k firing 01:00"]),
        vector("a break starts for again; the distance to clear holds only what fires already")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nclear = 55\nfor = '2h'"))
            .stream(&[
                "00:10 k value=49",
                "01:10 k value=52",
                "02:10 k value=49",
                "05:10 k value=49",
            ])
            .alerts(&["05:00 low k firing 03:00"]),
        vector("after the last evaluation nothing runs out any more")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nfor = '61m'"))
            .stream(&["00:10 k value=49", "01:10 k value=49"])
            .alerts(&[]),
    ]
}

fn keeping() -> Vec<Vector> {
    vec![
        vector("keep_firing_for resolves at its exact end, unless the condition is back before")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nkeep_firing_for = '90m'"))
            .stream(&[
                "00:10 k value=49",
                "01:10 k value=60",
                "02:10 k value=49",
                "03:10 k value=60",
                "06:10 k value=60",
            ])
            .alerts(&["01:00 low k firing 01:00", "05:30 low k resolved 01:00"]),
        vector("a condition that is back at the very end of keep_firing_for keeps firing")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nkeep_firing_for = '1h'"))
            .stream(&["00:10 k value=49", "01:10 k value=60", "02:10 k value=49"])
            .alerts(&["01:00 low k firing 01:00"]),
        vector("repeat says it again at exact distances from the firing, while it fires")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nfor = '30m'\nrepeat = '75m'"))
            .stream(&["00:10 k value=49", "04:10 k value=60", "08:10 k value=60"])
            .alerts(&[
                "01:30 low k firing 01:00",
                "02:45 low k repeated 01:00",
                "04:00 low k repeated 01:00",
                "05:00 low k resolved 01:00",
            ]),
        vector("what resolves at the instant of a repetition is not repeated")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50\nrepeat = '1h'"))
            .stream(&["00:10 k value=49", "02:10 k value=60"])
            .alerts(&[
                "01:00 low k firing 01:00",
                "02:00 low k repeated 01:00",
                "03:00 low k resolved 01:00",
            ]),
    ]
}

fn without_data() -> Vec<Vector> {
    vec![
        vector("no_data = keep: a KPI that stops reporting is never announced as recovered, and is still repeated")
            .kpi("k", HOURLY)
            .rule(&low("metric = 'score'\nbelow = 50\nrepeat = '150m'"))
            .stream(&["00:10 k value=49", "04:10 k value=60"])
            .alerts(&[
                "01:00 low k firing 01:00",
                "03:30 low k repeated 01:00",
                "05:00 low k resolved 01:00",
            ]),
        vector("no_data = keep: what is pending stays pending, and its for runs out without a value")
            .kpi("k", HOURLY)
            .rule(&low("metric = 'score'\nbelow = 50\nfor = '90m'"))
            .stream(&["00:10 k value=49", "03:10 k value=49"])
            .alerts(&["02:30 low k firing 01:00"]),
        vector("no_data = fire: want of a value is the condition")
            .kpi("k", HOURLY)
            .rule(&low("metric = 'value'\nbelow = 50\nno_data = 'fire'\nfor = '1h'"))
            .stream(&["00:10 k value=60", "03:10 k value=60"])
            .alerts(&["03:00 low k firing 02:00", "04:00 low k resolved 02:00"]),
        vector("no_data = resolve: want of a value ends it")
            .kpi("k", HOURLY)
            .rule(&low("metric = 'score'\nbelow = 50\nno_data = 'resolve'"))
            .stream(&["00:10 k value=49", "02:10 k value=60"])
            .alerts(&["01:00 low k firing 01:00", "02:00 low k resolved 01:00"]),
    ]
}

fn places() -> Vec<Vector> {
    const BELOW: &str = "metric = 'score'\nbelow = 50";
    let leaf = format!("{BELOW}\nkinds = ['kpi']");
    let slow = rule("slow", "k", "metric = 'score'\nbelow = 60\nfor = '1h'");
    let own = kpi("o", "x", &format!("{POINTS}{LAST}"));
    vec![
        vector("** is any number of levels, none included, * is one; at one instant by rule as written, then by path")
            .kpi("k", LAST)
            .rule(&rule("every", "t/**", BELOW))
            .rule(&rule("level", "t/*", BELOW))
            .rule(&rule("leaf", "**", &leaf))
            .rule(&rule("named", "**/k", BELOW))
            .stream(&["00:10 k value=49"])
            .alerts(&[
                "01:00 every t firing 01:00",
                "01:00 every t/p firing 01:00",
                "01:00 every t/p/o firing 01:00",
                "01:00 every k firing 01:00",
                "01:00 level t/p firing 01:00",
                "01:00 leaf k firing 01:00",
                "01:00 named k firing 01:00",
            ]),
        vector("rules of the first file by name come first, a timer of theirs before an evaluation of later ones")
            .kpi("k", LAST)
            .rule(&low("metric = 'score'\nbelow = 50"))
            .file("a.toml", &(head("a") + &levels("") + &own + &slow))
            .stream(&["00:10 k value=55", "01:10 k value=40"])
            .alerts(&["02:00 slow k firing 01:00", "02:00 low k firing 02:00"]),
        vector("an alert on an instance is its own, apart from the one over all")
            .scorecard("each = 'site'")
            .kpi("k", "aggregate = 'mean'\nwindow = { all = true }")
            .rule(&rule("low", "*/p/o/k", BELOW))
            .stream(&[
                "00:10 k value=40 labels={\"site\":\"a\"}",
                "00:20 k value=90 labels={\"site\":\"b\"}",
            ])
            .alerts(&["01:00 low t@a/p/o/k firing 01:00"]),
    ]
}
