//! Specification, section 2 with 5 and 7: corrections and retractions of measurements that are late, of a period that is
//! closed, and already corrected, right afterwards under every aggregate.
//!
//! One story for all: of Monday there are 10, 40 and 70. On Tuesday at 00:00 Monday is complete. Then, evaluated every
//! four hours: a late 90 comes; it is corrected to 20; that is corrected to 130, and the 10 is retracted; the 130 is
//! retracted; its correction is refused, because it is retracted. So Monday is made of
//!
//! | 00:00 | 04:00 | 08:00 | 12:00 | 16:00 and on |
//! |---|---|---|---|---|
//! | 10, 40, 70 | 10, 40, 70, 90 | 10, 40, 70, 20 | 40, 70, 130 | 40, 70 |

use super::{Vector, vector};

/// The story in plain values. `j` only moves the clock.
const STORY: &[&str] = &[
    "01:00 k value=10 id=\"a\"",
    "02:00 k value=40 id=\"b\"",
    "03:00 k value=70 id=\"c\"",
    "2026-03-03T01:00Z j value=1",
    "04:00 k value=90 id=\"d\"",
    "2026-03-03T05:00Z j value=1",
    "- k corrects=\"d\" value=20",
    "2026-03-03T09:00Z j value=1",
    "- k corrects=\"d\" value=130",
    "- k retracts=\"a\"",
    "2026-03-03T13:00Z j value=1",
    "- k retracts=\"d\"",
    "2026-03-03T17:00Z j value=1",
    "- k corrects=\"d\" value=5",
    "2026-03-03T19:00Z j value=1",
];

/// The same in numerators of ten.
const RATIOS: &[&str] = &[
    "01:00 k numerator=1 denominator=10 id=\"a\"",
    "02:00 k numerator=4 denominator=10 id=\"b\"",
    "03:00 k numerator=7 denominator=10 id=\"c\"",
    "2026-03-03T01:00Z j value=1",
    "04:00 k numerator=9 denominator=10 id=\"d\"",
    "2026-03-03T05:00Z j value=1",
    "- k corrects=\"d\" numerator=2 denominator=10",
    "2026-03-03T09:00Z j value=1",
    "- k corrects=\"d\" numerator=13 denominator=10",
    "- k retracts=\"a\"",
    "2026-03-03T13:00Z j value=1",
    "- k retracts=\"d\"",
    "2026-03-03T17:00Z j value=1",
    "- k corrects=\"d\" numerator=5 denominator=10",
    "2026-03-03T19:00Z j value=1",
];

/// The same with weights: 70 and the late one count twice.
const WEIGHTED: &[&str] = &[
    "01:00 k value=10 id=\"a\"",
    "02:00 k value=40 id=\"b\"",
    "03:00 k value=70 weight=2 id=\"c\"",
    "2026-03-03T01:00Z j value=1",
    "04:00 k value=90 weight=2 id=\"d\"",
    "2026-03-03T05:00Z j value=1",
    "- k corrects=\"d\" value=20 weight=2",
    "2026-03-03T09:00Z j value=1",
    "- k corrects=\"d\" value=130 weight=2",
    "- k retracts=\"a\"",
    "2026-03-03T13:00Z j value=1",
    "- k retracts=\"d\"",
    "2026-03-03T17:00Z j value=1",
    "- k corrects=\"d\" value=5",
    "2026-03-03T19:00Z j value=1",
];

/// The same with users: `ann` twice.
const USERS: &[&str] = &[
    "01:00 k value=10 id=\"a\" labels={\"user\":\"ann\"}",
    "02:00 k value=40 id=\"b\" labels={\"user\":\"bob\"}",
    "03:00 k value=70 id=\"c\" labels={\"user\":\"ann\"}",
    "2026-03-03T01:00Z j value=1",
    "04:00 k value=90 id=\"d\" labels={\"user\":\"cem\"}",
    "2026-03-03T05:00Z j value=1",
    "- k corrects=\"d\" value=20 labels={\"user\":\"cem\"}",
    "2026-03-03T09:00Z j value=1",
    "- k retracts=\"a\"",
    "2026-03-03T13:00Z j value=1",
    "- k retracts=\"d\"",
    "2026-03-03T17:00Z j value=1",
];

pub fn vectors() -> Vec<Vector> {
    [ends(), sums(), quotients(), sketches(), moves(), chains()]
        .into_iter()
        .flatten()
        .collect()
}

/// The story of Monday under an aggregate.
fn monday(name: &'static str, aggregate: &str, stream: &'static [&'static str]) -> Vector {
    vector(name)
        .every("4h")
        .unscored(
            "k",
            &format!("{aggregate}\nwindow = {{ period = 'day', complete = true }}"),
        )
        .unscored("j", "aggregate = 'last'\nwindow = { all = true }")
        .stream(stream)
}

fn ends() -> Vec<Vector> {
    vec![
        monday(
            "min of a closed day: the retracted 10 gives way to 40",
            "aggregate = 'min'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 10 - no_target -",
            "2026-03-03T12:00Z k 40 - no_target -",
        ]),
        monday(
            "max of a closed day follows the corrections up and down",
            "aggregate = 'max'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 70 - no_target -",
            "2026-03-03T04:00Z k 90 - no_target -",
            "2026-03-03T08:00Z k 70 - no_target -",
            "2026-03-03T12:00Z k 130 - no_target -",
            "2026-03-03T16:00Z k 70 - no_target -",
        ]),
        monday(
            "first of a closed day: the second is first once the first is retracted",
            "aggregate = 'first'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 10 - no_target -",
            "2026-03-03T12:00Z k 40 - no_target -",
        ]),
        monday(
            "last of a closed day is the late one, as corrected, until it is retracted",
            "aggregate = 'last'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 70 - no_target -",
            "2026-03-03T04:00Z k 90 - no_target -",
            "2026-03-03T08:00Z k 20 - no_target -",
            "2026-03-03T12:00Z k 130 - no_target -",
            "2026-03-03T16:00Z k 70 - no_target -",
        ]),
        monday("delta of a closed day: both ends move", "aggregate = 'delta'", STORY).readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 60 - no_target -",
            "2026-03-03T04:00Z k 80 - no_target -",
            "2026-03-03T08:00Z k 10 - no_target -",
            "2026-03-03T12:00Z k 90 - no_target -",
            "2026-03-03T16:00Z k 30 - no_target -",
        ]),
    ]
}

fn sums() -> Vec<Vector> {
    vec![
        monday(
            "count of a closed day: a correction counts nothing anew",
            "aggregate = 'count'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 3 - no_target -",
            "2026-03-03T04:00Z k 4 - no_target -",
            "2026-03-03T12:00Z k 3 - no_target -",
            "2026-03-03T16:00Z k 2 - no_target -",
        ]),
        monday("sum of a closed day", "aggregate = 'sum'", STORY).readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 120 - no_target -",
            "2026-03-03T04:00Z k 210 - no_target -",
            "2026-03-03T08:00Z k 140 - no_target -",
            "2026-03-03T12:00Z k 240 - no_target -",
            "2026-03-03T16:00Z k 110 - no_target -",
        ]),
        monday("mean of a closed day", "aggregate = 'mean'", STORY).readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 40 - no_target -",
            "2026-03-03T04:00Z k 52.5 - no_target -",
            "2026-03-03T08:00Z k 35 - no_target -",
            "2026-03-03T12:00Z k 80 - no_target -",
            "2026-03-03T16:00Z k 55 - no_target -",
        ]),
        monday(
            "stddev of a closed day: the roots of 600, 918.75, 525, 1400 and 225",
            "aggregate = 'stddev'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 24.49489742783178 - no_target -",
            "2026-03-03T04:00Z k 30.310889132455355 - no_target -",
            "2026-03-03T08:00Z k 22.9128784747792 - no_target -",
            "2026-03-03T12:00Z k 37.416573867739416 - no_target -",
            "2026-03-03T16:00Z k 15 - no_target -",
        ]),
    ]
}

fn quotients() -> Vec<Vector> {
    vec![
        monday(
            "rate of a closed day: the sum by 24 hours",
            "aggregate = 'rate'\nper = '1h'",
            STORY,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 5 - no_target -",
            "2026-03-03T04:00Z k 8.75 - no_target -",
            "2026-03-03T08:00Z k 5.833333333333333 - no_target -",
            "2026-03-03T12:00Z k 10 - no_target -",
            "2026-03-03T16:00Z k 4.583333333333333 - no_target -",
        ]),
        monday(
            "ratio of a closed day: of 30, 40, 40, 30 and 20",
            "aggregate = 'ratio'\nscale_by = 100",
            RATIOS,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 40 - no_target -",
            "2026-03-03T04:00Z k 52.5 - no_target -",
            "2026-03-03T08:00Z k 35 - no_target -",
            "2026-03-03T12:00Z k 80 - no_target -",
            "2026-03-03T16:00Z k 55 - no_target -",
        ]),
        monday(
            "weighted mean of a closed day: by 4, 6, 6, 5 and 3",
            "aggregate = 'weighted_mean'",
            WEIGHTED,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 47.5 - no_target -",
            "2026-03-03T04:00Z k 61.666666666666664 - no_target -",
            "2026-03-03T08:00Z k 38.333333333333336 - no_target -",
            "2026-03-03T12:00Z k 88 - no_target -",
            "2026-03-03T16:00Z k 60 - no_target -",
        ]),
    ]
}

fn sketches() -> Vec<Vector> {
    vec![
        monday("the median of a closed day, to one percent", "aggregate = 'p50'", STORY)
            .percentiles()
            .readings(&[
                "04:00 k - - no_target -",
                "2026-03-03T00:00Z k 40 - no_target -",
                "2026-03-03T08:00Z k 20 - no_target -",
                "2026-03-03T12:00Z k 70 - no_target -",
                "2026-03-03T16:00Z k 40 - no_target -",
            ]),
        monday(
            "the highest percentile of a closed day, to one percent",
            "aggregate = 'p100'",
            STORY,
        )
        .percentiles()
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 70 - no_target -",
            "2026-03-03T04:00Z k 90 - no_target -",
            "2026-03-03T08:00Z k 70 - no_target -",
            "2026-03-03T12:00Z k 130 - no_target -",
            "2026-03-03T16:00Z k 70 - no_target -",
        ]),
        monday(
            "distinct of a closed day: who was there twice stays when one of them is retracted",
            "aggregate = 'distinct'\nkey = 'user'",
            USERS,
        )
        .readings(&[
            "04:00 k - - no_target -",
            "2026-03-03T00:00Z k 2 - no_target -",
            "2026-03-03T04:00Z k 3 - no_target -",
            "2026-03-03T16:00Z k 2 - no_target -",
        ]),
    ]
}

fn moves() -> Vec<Vector> {
    vec![
        vector("a correction moves a measurement out of the window")
            .kpi("k", "aggregate = 'mean'\nwindow = { rolling = '2h', slice = '1h' }")
            .stream(&[
                "00:10 k value=60",
                "00:20 k value=20 id=\"a\"",
                "01:10 k value=60",
                "2026-03-01T20:00Z k corrects=\"a\" value=20",
            ])
            .readings(&["01:00 k 40 40 red 1", "02:00 k 60 60 amber 1"]),
        vector("a correction moves a measurement into the window")
            .kpi("k", "aggregate = 'mean'\nwindow = { rolling = '2h', slice = '1h' }")
            .stream(&[
                "2026-03-01T20:00Z k value=20 id=\"a\"",
                "00:10 k value=60",
                "01:10 k value=60",
                "01:20 k corrects=\"a\" value=90",
            ])
            .readings(&[
                "2026-03-01T21:00Z k 20 20 red 1",
                "2026-03-01T23:00Z k - - stale 0",
                "01:00 k 60 60 amber 1",
                "02:00 k 70 70 amber 1",
            ]),
        vector("a correction moves a measurement from one day to another")
            .every("4h")
            .unscored("k", "aggregate = 'sum'\nwindow = { period = 'day', complete = true }")
            .unscored("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&[
                "01:00 k value=10 id=\"a\"",
                "02:00 k value=20",
                "2026-03-03T02:00Z j value=1",
                "2026-03-03T03:00Z k corrects=\"a\" value=15",
                "2026-03-04T01:00Z j value=1",
            ])
            .readings(&[
                "04:00 k - - no_target -",
                "2026-03-03T00:00Z k 30 - no_target -",
                "2026-03-03T04:00Z k 20 - no_target -",
                "2026-03-04T00:00Z k 15 - no_target -",
            ]),
        vector("what a correction says not to be applicable has no value, and another correction gives it one again")
            .kpi("k", "aggregate = 'mean'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=60",
                "00:20 k value=80 id=\"a\"",
                "01:10 nobody value=1",
                "01:10 k corrects=\"a\" not_applicable=true",
                "02:10 k corrects=\"a\" value=90",
            ])
            .readings(&[
                "01:00 k 70 70 amber 1",
                "02:00 k - - not_applicable -",
                "03:00 k 75 75 green 1",
            ]),
    ]
}

fn chains() -> Vec<Vector> {
    vec![
        vector("correct, correct again, retract: then there is nothing left to correct or retract")
            .kpi("k", "aggregate = 'last'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&[
                "00:05 k value=55",
                "00:10 k value=60 id=\"a\"",
                "01:10 j value=1",
                "- k corrects=\"a\" value=70 id=\"a2\"",
                "02:10 j value=1",
                "- k corrects=\"a\" value=80 id=\"a3\"",
                "03:10 j value=1",
                "- k retracts=\"a\"",
                "04:10 j value=1",
                "- k corrects=\"a\" value=90",
                "- k retracts=\"a\"",
                "05:10 j value=1",
            ])
            .readings(&[
                "01:00 k 60 60 amber 1",
                "02:00 k 70 70 amber 1",
                "03:00 k 80 80 green 1",
                "04:00 k 55 55 amber 1",
            ]),
        vector("another source's id is another measurement: its correction and retraction find nothing")
            .kpi("k", "aggregate = 'sum'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=20 id=\"a\" source=\"one\"",
                "00:10 k value=30 id=\"a\" source=\"two\"",
                "01:10 j value=1",
                "- k corrects=\"a\" source=\"two\" value=35",
                "- k corrects=\"a\" source=\"three\" value=99",
                "- k retracts=\"a\" source=\"three\"",
                "02:10 j value=1",
                "- k retracts=\"a\" source=\"one\"",
                "03:10 j value=1",
            ])
            .readings(&["01:00 k 50 50 amber 1", "02:00 k 55 55 amber 1", "03:00 k 35 35 red 1"]),
        vector("a correction and a retraction of an instance's measurement change the instance and the whole")
            .scorecard("each = 'site'")
            .kpi("k", "aggregate = 'max'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=80 id=\"a\" labels={\"site\":\"x\"}",
                "00:20 k value=60 id=\"b\" labels={\"site\":\"y\"}",
                "01:10 k value=10 labels={\"site\":\"x\"}",
                "- k corrects=\"a\" value=70 labels={\"site\":\"x\"}",
                "02:10 k value=10 labels={\"site\":\"y\"}",
                "- k retracts=\"a\" labels={\"site\":\"x\"}",
            ])
            .readings(&[
                "01:00 t@x/p/o/k 80 80 green 1",
                "02:00 t@x/p/o/k 70 70 amber 1",
                "03:00 t@x/p/o/k 10 10 red 1",
                "01:00 k 80 80 green 1",
                "02:00 k 70 70 amber 1",
                "03:00 k 60 60 amber 1",
            ]),
    ]
}
