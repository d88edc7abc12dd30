//! Figures that other people printed in public documents, as an oracle that is nobody's code.
//!
//! What kpid cannot express, and why:
//!
//! - `PerformancePoint`, book p. 104, the normalised 23 % for 35 of 100: it hangs on thresholds that the page does not give.
//! - iGrafx, performance indicator aggregation: red and amber of equal weight are 2.5, which is red, because ties go to
//!   the worse. In kpid a score that reaches a band is in it, so ties go to the better; `roll_up = "worst"` is the
//!   way to be stern.
//! - Datadog, evaluation delay: at 07:00 with a delay of 900 s a window of five minutes is 06:40 to 06:45. kpid's windows
//!   end with the running slice; what comes late changes the reading instead of being waited for.
//! - bambooBSC, average of the distinct values 10, 10, 20 = 15: there is no such aggregate; a mean counts every measurement.
//! - SAP SSM above 100 (75 of 50 = 150): a score ends at 100. The achievement itself can be a value, see below.
//! - Numenta Anomaly Benchmark, windows of anomalies: labels of instants, no figures of scores.

use super::{Vector, rule, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";

/// The last value of all, scored as the lines say.
fn last(lines: &str) -> String {
    format!("{LAST}\n{lines}")
}

pub fn vectors() -> Vec<Vector> {
    [scales(), bands(), achievements(), together(), alerts()]
        .into_iter()
        .flatten()
        .collect()
}

fn scales() -> Vec<Vector> {
    vec![
        // BSC Designer manual, change-indicator-details: minimum 0, maximum 200, value 50: performance 25 %.
        vector("BSC Designer: 50 between 0 and 200 is a performance of 25 %")
            .unscored("k", &last("curve = [[0, 0], [200, 100]]"))
            .stream(&["00:10 k value=50"])
            .readings(&["01:00 k 50 25 red 1"]),
        // Spider Impact 360041554151: red flag 500, goal 700: score 0 at 300, 10/3 at 500, 20/3 at 700, 10 at 900.
        vector("Spider Impact: a red flag of 500 and a goal of 700 score 0, 3.3, 6.6 and 10 of 10 at 300, 500, 700 and 900")
            .scorecard(
                "bands = [{ name = 'red', from = 0 }, { name = 'yellow', from = 33.3 }, { name = 'green', from = 66.6 }]",
            )
            .unscored("k", &last("curve = [[300, 0], [900, 100]]"))
            .stream(&["00:10 k value=300", "01:10 k value=500", "02:10 k value=700", "03:10 k value=900"])
            .readings(&[
                "01:00 k 300 0 red 1",
                "02:00 k 500 33.333333333333336 yellow 1",
                "03:00 k 700 66.66666666666667 green 1",
                "04:00 k 900 100 green 1",
            ]),
        // Microsoft Business Scorecard Manager (husting.com 2006): bands 0, 4000, 6000, 12000, actual 9000: 83.3 %.
        vector("Business Scorecard Manager: 9000 in the bands 0, 4000, 6000 and 12000 is 83.3 %")
            .unscored(
                "k",
                &last("curve = [[0, 0], [4000, 33.333333333333336], [6000, 66.66666666666667], [12000, 100]]"),
            )
            .stream(&["00:10 k value=9000"])
            .readings(&["01:00 k 9000 83.33333333333333 green 1"]),
        // PerformancePoint blog: band by value = (actual - worst) / (target - worst); the book's 35 of 100 is 35 % raw.
        vector("PerformancePoint: increasing is better, 35 of 100 is 35 %; closer to the target is better, 135 is 65 %")
            .unscored("k", &last("curve = [[0, 0], [100, 100]]"))
            .unscored("j", &last("curve = [[0, 0], [100, 100], [200, 0]]"))
            .stream(&["00:10 k value=35", "00:10 j value=135"])
            .readings(&["01:00 k 35 35 red 1", "01:00 j 135 65 amber 1"]),
    ]
}

fn bands() -> Vec<Vector> {
    vec![
        // Spider Impact 360041554151: red flag 255 000, goal 260 000.
        vector("Spider Impact: red below 255 000, green from 260 000")
            .unscored("k", &last("direction = 'up'\nred = 255000\ntarget = 260000"))
            .stream(&[
                "00:10 k value=254000",
                "01:10 k value=255000",
                "02:10 k value=259000",
                "03:10 k value=261000",
            ])
            .readings(&[
                "01:00 k 254000 45 red 1",
                "02:00 k 255000 50 amber 1",
                "03:00 k 259000 70 amber 1",
                "04:00 k 261000 80 green 1",
            ]),
        // SAP 5e599e90: index 5/15/30/45.
        vector("SAP: 4 is dark red, 5 to 14 red, 15 to 29 yellow, 30 to 44 green, 45 and more dark green")
            .scorecard(
                "bands = [{ name = 'dark-red', from = 0 }, { name = 'red', from = 5 }, { name = 'yellow', from = 15 }, \
                 { name = 'green', from = 30 }, { name = 'dark-green', from = 45 }]",
            )
            .unscored("k", &last("curve = [[0, 0], [100, 100]]"))
            .stream(&[
                "00:10 k value=4",
                "01:10 k value=5",
                "02:10 k value=14",
                "03:10 k value=15",
                "04:10 k value=29",
                "05:10 k value=30",
                "06:10 k value=44",
                "07:10 k value=45",
            ])
            .readings(&[
                "01:00 k 4 4 dark-red 1",
                "02:00 k 5 5 red 1",
                "03:00 k 14 14 red 1",
                "04:00 k 15 15 yellow 1",
                "05:00 k 29 29 yellow 1",
                "06:00 k 30 30 green 1",
                "07:00 k 44 44 green 1",
                "08:00 k 45 45 dark-green 1",
            ]),
        // Cascade: 95 and more on track, 85 to 94 behind, 0 to 84 at risk.
        vector("Cascade: at risk to 84, behind from 85 to 94, on track from 95")
            .scorecard(CASCADE)
            .unscored("k", &last("curve = [[0, 0], [100, 100]]"))
            .stream(&[
                "00:10 k value=84",
                "01:10 k value=85",
                "02:10 k value=94",
                "03:10 k value=95",
            ])
            .readings(&[
                "01:00 k 84 84 at-risk 1",
                "02:00 k 85 85 behind 1",
                "03:00 k 94 94 behind 1",
                "04:00 k 95 95 on-track 1",
            ]),
    ]
}

const CASCADE: &str =
    "bands = [{ name = 'at-risk', from = 0 }, { name = 'behind', from = 85 }, { name = 'on-track', from = 95 }]";

fn achievements() -> Vec<Vector> {
    vec![
        // SAP SSM 79e24589: actual 45, target 50: 90 (A, dark green); 40 of 50: 80 (B, green).
        vector("SAP SSM: 45 of 50 is 90, dark green; 40 of 50 is 80, green")
            .scorecard(
                "bands = [{ name = 'red', from = 0 }, { name = 'green', from = 80 }, { name = 'dark-green', from = 90 }]",
            )
            .unscored("k", &last("curve = [[0, 0], [50, 100]]"))
            .stream(&["00:10 k value=45", "01:10 k value=40"])
            .readings(&["01:00 k 45 90 dark-green 1", "02:00 k 40 80 green 1"]),
        // SAP SSM 79e24589: actual 75, target 50: 150.
        vector("SAP SSM: 75 of 50 is an achievement of 150, as a value; the score ends at 100")
            .unscored(
                "k",
                "aggregate = 'ratio'\nscale_by = 100\nwindow = { all = true }\ncurve = [[0, 0], [100, 100]]",
            )
            .stream(&["00:10 k numerator=75 denominator=50"])
            .readings(&["01:00 k 150 100 green 1"]),
        // SAP SSM 1d1fcde3: reduction 100 - ((A - T) / T * 100), absolute 100 - ABS((A - T) / T * 100), here T = 50.
        vector("SAP SSM: of a target of 50, reduction gives 80 to 60; absolute gives 80 to 60 and to 40")
            .unscored("k", &last("curve = [[50, 100], [100, 0]]"))
            .unscored("j", &last("curve = [[0, 0], [50, 100], [100, 0]]"))
            .unscored("i", &last("curve = [[0, 0], [50, 100], [100, 0]]"))
            .stream(&["00:10 k value=60", "00:10 j value=60", "00:10 i value=40"])
            .readings(&["01:00 k 60 80 green 1", "01:00 j 60 80 green 1", "01:00 i 40 80 green 1"]),
        // SAP answers 6163728: actual 3, target -2: SSM divides by the target and gives -150, a known bug.
        vector("SAP's broken case done right: 3 is better than a target of -2")
            .unscored("k", &last("direction = 'up'\nred = -12\ntarget = -2"))
            .stream(&["00:10 k value=3", "01:10 k value=-2"])
            .readings(&["01:00 k 3 87.5 green 1", "02:00 k -2 75 green 1"]),
    ]
}

fn together() -> Vec<Vector> {
    vec![
        // Spider 360041629051: weights 1 and 1 are 50/50, 2 and 1 are 66.7/33.3.
        vector("Spider Impact: weights of 1 and 1 share 50 and 50, of 2 and 1 share 66.7 and 33.3")
            .levels(
                "[[perspective]]\nid = 'p'\ntitle = 'P'\n
[[objective]]\nid = 'o'\nperspective = 'p'\ntitle = 'O'\n
[[objective]]\nid = 'o2'\nperspective = 'p'\ntitle = 'O2'\n",
            )
            .kpi("a", LAST)
            .kpi("b", LAST)
            .kpi_of("o2", "c", &last("weight = 2"))
            .kpi_of("o2", "d", LAST)
            .stream(&[
                "00:10 a value=100",
                "00:10 b value=0",
                "00:10 c value=100",
                "00:10 d value=0",
            ])
            .readings(&["01:00 t/p/o - 50 amber 1", "01:00 t/p/o2 - 66.66666666666667 amber 1"]),
        // Spider 360041629051: weight 2 until 12 July, then 7: the reports of June and August differ.
        vector("Spider Impact: a weight of 2 until 12 July and then 7 gives another August than June")
            .every("1d")
            .kpi(
                "a",
                &last("weight = 2\nchanges = [{ from = '2026-07-12', weight = 7 }]"),
            )
            .kpi("b", LAST)
            .stream(&[
                "2026-06-30T12:00Z a value=100",
                "2026-06-30T12:00Z b value=0",
                "2026-08-31T12:00Z b value=0",
            ])
            .readings(&[
                "2026-07-01T00:00Z t/p/o - 66.66666666666667 amber 1",
                "2026-07-13T00:00Z t/p/o - 87.5 green 1",
            ]),
        // Cascade: 50/55, 99/100, 120/100 capped, 15/22, each cut to a whole percent: 90, 99, 100, 68: 89.25, behind.
        vector("Cascade: 90, 99, 100 and 68 are 89.25 together, behind")
            .scorecard(CASCADE)
            .unscored("a", &last("curve = [[0, 0], [100, 100]]"))
            .unscored("b", &last("curve = [[0, 0], [100, 100]]"))
            .unscored("c", &last("curve = [[0, 0], [100, 100]]"))
            .unscored("d", &last("curve = [[0, 0], [100, 100]]"))
            .stream(&[
                "00:10 a value=90",
                "00:10 b value=99",
                "00:10 c value=120",
                "00:10 d value=68",
            ])
            .readings(&["01:00 c 120 100 on-track 1", "01:00 t/p/o - 89.25 behind 1"]),
        // bambooBSC, bbcore.sql: count distinct of 1, 1, 2, 3.
        vector("bambooBSC: 1, 1, 2 and 3 are 3 different values")
            .unscored("k", "aggregate = 'distinct'\nkey = 'number'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=1 labels={\"number\":\"1\"}",
                "00:11 k value=1 labels={\"number\":\"1\"}",
                "00:12 k value=2 labels={\"number\":\"2\"}",
                "00:13 k value=3 labels={\"number\":\"3\"}",
            ])
            .readings(&["01:00 k 3 - no_target -"]),
    ]
}

fn alerts() -> Vec<Vector> {
    vec![
        // Grafana, recovery threshold: fire above 1000, recover below 900: 980, 1010, 990, 1020.
        vector("Grafana: over 980, 1010, 990 and 1020 it fires once and does not resolve")
            .unscored("k", LAST)
            .rule(&rule("high", "k", "metric = 'value'\nabove = 1000\nclear = 900"))
            .stream(&[
                "00:10 k value=980",
                "01:10 k value=1010",
                "02:10 k value=990",
                "03:10 k value=1020",
            ])
            .alerts(&["02:00 high k firing 02:00"]),
    ]
}
