//! Specification, section 2: what is taken, what is refused, corrections and retractions.

use super::{Vector, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";

pub fn vectors() -> Vec<Vector> {
    [taken(), corrections(), retractions(), forms()]
        .into_iter()
        .flatten()
        .collect()
}

fn taken() -> Vec<Vector> {
    vec![
        vector("what is refused leaves no trace and does not move the clock")
            .kpi("k", "aggregate = 'last'\nwindow = { all = true }\naccept = [0, 100]")
            .stream(&[
                "00:10 k value=60",
                "03:00 k value=101",
                "05:00 nobody value=1",
                "05:00 k value=\"much\"",
                "05:00 k numerator=1 denominator=2",
                "05:00 k value=1 not_applicable=true",
                "05:00 k",
                "2200-01-01T00:00Z k value=1",
                "- k value=1",
            ])
            .readings(&["01:00 k 60 60 amber 1"]),
        vector("both ends of accept are plausible")
            .kpi("k", "aggregate = 'mean'\nwindow = { all = true }\naccept = [0, 100]")
            .stream(&[
                "00:10 k value=100",
                "00:20 k value=0",
                "00:30 k value=-0.5",
                "00:30 k value=100.5",
            ])
            .readings(&["01:00 k 50 50 amber 1"]),
        vector("for a ratio accept is held against the scaled ratio of the one measurement")
            .kpi(
                "k",
                "aggregate = 'ratio'\nscale_by = 100\nwindow = { all = true }\naccept = [0, 100]",
            )
            .stream(&[
                "00:10 k numerator=300 denominator=400",
                "00:20 k numerator=5 denominator=4",
            ])
            .readings(&["01:00 k 75 75 green 1"]),
        vector("the same source and id is one measurement, whatever is said the second time")
            .kpi("k", "aggregate = 'sum'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=5 id=\"a\"",
                "00:10 k value=5 id=\"a\"",
                "00:10 k value=5 id=\"a\" source=\"other\"",
                "00:10 k value=7 id=\"a\"",
                "00:10 k value=20",
                "00:10 k value=20",
            ])
            .readings(&["01:00 k 50 50 amber 1"]),
    ]
}

fn corrections() -> Vec<Vector> {
    vec![
        vector("a correction replaces the value and keeps the instant; the smallest value rises again")
            .kpi("k", "aggregate = 'min'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=20 id=\"a\"",
                "00:20 k value=60",
                "01:10 k value=90",
                "- k corrects=\"a\" value=80",
            ])
            .readings(&["01:00 k 20 20 red 1", "02:00 k 60 60 amber 1"]),
        vector("a correction with an instant of its own moves the measurement, and the clock")
            .kpi("k", "aggregate = 'first'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=60 id=\"a\"",
                "00:20 k value=70",
                "01:10 k corrects=\"a\" value=80",
            ])
            .readings(&["01:00 k 60 60 amber 1", "02:00 k 70 70 amber 1"]),
        vector("the second correction of a measurement holds")
            .kpi("k", LAST)
            .stream(&[
                "00:10 k value=60 id=\"a\"",
                "00:10 k corrects=\"a\" value=70",
                "00:10 k corrects=\"a\" value=80",
            ])
            .readings(&["01:00 k 80 80 green 1"]),
        vector("a corrected measurement keeps its place among those of the same instant")
            .kpi("k", LAST)
            .stream(&[
                "00:10 k value=60 id=\"a\"",
                "00:10 k value=70",
                "00:10 k corrects=\"a\" value=80",
            ])
            .readings(&["01:00 k 70 70 amber 1"]),
        vector("a correction that cannot be taken, implausible or of the wrong shape, changes nothing")
            .kpi("k", "aggregate = 'last'\nwindow = { all = true }\naccept = [0, 100]")
            .stream(&[
                "00:10 k value=60 id=\"a\"",
                "00:10 k corrects=\"a\" value=101",
                "00:10 k corrects=\"a\"",
            ])
            .readings(&["01:00 k 60 60 amber 1"]),
        vector("a correction of another source's measurement, or of an unknown one, is refused")
            .kpi("k", LAST)
            .stream(&[
                "00:10 k value=60 id=\"a\"",
                "00:20 k corrects=\"a\" source=\"other\" value=70",
                "00:20 k corrects=\"b\" value=80",
            ])
            .readings(&["01:00 k 60 60 amber 1"]),
    ]
}

fn retractions() -> Vec<Vector> {
    vec![
        vector("a retracted measurement never was: nothing was ever measured, and nothing of it can be corrected")
            .kpi("k", LAST)
            .kpi("j", "aggregate = 'last'\nwindow = { rolling = '1h', slice = '1h' }")
            .stream(&[
                "00:10 k value=60 id=\"a\"",
                "01:10 j value=1",
                "- k retracts=\"a\"",
                "- k retracts=\"a\"",
                "05:10 k corrects=\"a\" value=99",
            ])
            .readings(&[
                "01:00 k 60 60 amber 1",
                "02:00 k - - no_data 0",
                "01:00 j - - no_data 0",
                "02:00 j 1 1 red 1",
            ]),
        vector("a retracted measurement that is sent again is a duplicate, and stays away")
            .kpi("k", LAST)
            .stream(&[
                "00:05 k value=60",
                "00:10 k value=80 id=\"a\"",
                "00:10 k retracts=\"a\"",
                "00:10 k value=80 id=\"a\"",
            ])
            .readings(&["01:00 k 60 60 amber 1"]),
    ]
}

fn forms() -> Vec<Vector> {
    vec![
        vector("a word of the scale is its score; another word is refused")
            .unscored(
                "k",
                "aggregate = 'last'\nwindow = { all = true }\nscale = { bad = 0, ok = 40, good = 75, great = 100 }",
            )
            .stream(&[
                "00:10 k value=\"ok\"",
                "01:10 k value=\"good\"",
                "01:20 k value=\"fine\"",
            ])
            .readings(&["01:00 k 40 40 red 1", "02:00 k 75 75 green 1"]),
        vector("words average by their scores")
            .unscored(
                "k",
                "aggregate = 'mean'\nwindow = { all = true }\nscale = { bad = 0, great = 100 }",
            )
            .stream(&["00:10 k value=\"bad\"", "00:20 k value=\"great\""])
            .readings(&["01:00 k 50 50 amber 1"]),
        vector("an instant is a string with any offset, or epoch milliseconds, under either name")
            .kpi("k", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&[
                "- k at=\"2026-03-02T02:20:00+02:00\" value=80",
                "- k observed_at=1772410200000 value=60",
            ])
            .readings(&["01:00 k 80 80 green 1"]),
        vector("the label of each is required")
            .scorecard("each = 'site'")
            .kpi("k", LAST)
            .stream(&[
                "00:10 k value=60 labels={\"site\":\"a\"}",
                "00:20 k value=90 labels={\"town\":\"b\"}",
                "00:20 k value=90",
            ])
            .readings(&["01:00 t@a/p/o/k 60 60 amber 1", "01:00 k 60 60 amber 1"]),
    ]
}
