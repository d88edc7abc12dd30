//! Specification, section 3: what a definition means where it says little, and how scorecards count in one another.

use super::{POINTS, Vector, head, kpi, levels, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";

pub fn vectors() -> Vec<Vector> {
    let own = format!("{POINTS}{LAST}");
    let above = |id: &'static str, include: &str, kpi_id: &str| {
        head(id) + &levels(&format!("include = [{include}]")) + &kpi("o", kpi_id, &own)
    };
    vec![
        vector("what is not said: weights of 1, the mean, red, amber and green from 0, 50 and 75, any coverage")
            .kpi("a", LAST)
            .kpi("b", LAST)
            .kpi("c", LAST)
            .stream(&["00:10 a value=100", "00:10 b value=40"])
            .readings(&[
                "01:00 a 100 100 green 1",
                "01:00 b 40 40 red 1",
                "01:00 t/p/o - 70 amber 0.6666666666666666",
                "01:00 t - 70 amber 0.6666666666666666",
            ]),
        vector("the path of a node is scorecard@instance/perspective/objective/kpi")
            .scorecard("each = 'site'")
            .kpi("a.b_c-1", LAST)
            .stream(&["00:10 a.b_c-1 value=60 labels={\"site\":\"Am_Main\"}"])
            .readings(&[
                "01:00 t@Am_Main/p/o/a.b_c-1 60 60 amber 1",
                "01:00 t@Am_Main - 60 amber 1",
            ]),
        vector("a cascade over two levels: the score and the coverage of the lowest arrive at the top")
            .kpi("a", LAST)
            .kpi("b", LAST)
            .file("middle.toml", &above("middle", "{ node = 't/p/o', weight = 3 }", "c"))
            .file("upper.toml", &above("upper", "{ node = 'middle', weight = 1 }", "d"))
            .stream(&["00:10 a value=80", "00:10 c value=40", "00:10 d value=20"])
            .readings(&[
                "01:00 t - 80 green 0.5",
                "01:00 middle/p - 70 amber 0.625",
                "01:00 upper/p - 45 red 0.8125",
            ]),
        vector("an instance counts elsewhere from its first measurement on, before it has no data")
            .scorecard("each = 'site'")
            .kpi("a", LAST)
            .file("above.toml", &above("above", "{ node = 't@x', weight = 1 }", "c"))
            .stream(&["00:10 c value=40", "01:10 a value=80 labels={\"site\":\"x\"}"])
            .readings(&["01:00 above/p - 40 red 0.5", "02:00 above/p - 60 amber 1"]),
        vector("paused: journalled, shown, weighs nothing")
            .kpi("a", LAST)
            .kpi("b", "paused = true\naggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 a value=80", "00:10 b value=10"])
            .readings(&["01:00 b 10 - paused -", "01:00 t - 80 green 1"]),
        vector("the days of changes are those of the scorecard's zone: New York's begins five hours after Greenwich's")
            .scorecard("time_zone = 'America/New_York'")
            .kpi(
                "a",
                &format!("{LAST}\nchanges = [{{ from = '2026-03-03', red = 30, target = 55 }}]"),
            )
            .kpi("j", LAST)
            .stream(&["00:10 a value=55", "2026-03-03T06:30Z j value=1"])
            .readings(&["01:00 a 55 55 amber 1", "2026-03-03T06:00Z a 55 75 green 1"]),
    ]
}
