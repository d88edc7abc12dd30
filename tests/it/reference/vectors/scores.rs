//! Specification, section 6: from a value to a score and a status.

use super::{Vector, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";

/// The last value of all, scored as the lines say.
fn last(lines: &str) -> String {
    format!("{LAST}\n{lines}")
}

pub fn vectors() -> Vec<Vector> {
    [points(), ranges(), others(), changes()]
        .into_iter()
        .flatten()
        .collect()
}

fn points() -> Vec<Vector> {
    vec![
        vector("a band holds its border: 75 is green, 74.999 amber, 50 amber, 49.999 red")
            .kpi("k", LAST)
            .stream(&[
                "00:10 k value=74.999",
                "01:10 k value=75",
                "02:10 k value=50",
                "03:10 k value=49.999",
            ])
            .readings(&[
                "01:00 k 74.999 74.999 amber 1",
                "02:00 k 75 75 green 1",
                "03:00 k 50 50 amber 1",
                "04:00 k 49.999 49.999 red 1",
            ]),
        vector("up: best and worst continue the slope of red and target; beyond them 100 and 0")
            .unscored("k", &last("direction = 'up'\nred = 80\ntarget = 90"))
            .stream(&[
                "00:10 k value=95",
                "01:10 k value=70",
                "02:10 k value=60",
                "03:10 k value=100",
                "04:10 k value=120",
                "05:10 k value=-9",
            ])
            .readings(&[
                "01:00 k 95 87.5 green 1",
                "02:00 k 70 25 red 1",
                "03:00 k 60 0 red 1",
                "04:00 k 100 100 green 1",
                "05:00 k 120 100 green 1",
                "06:00 k -9 0 red 1",
            ]),
        vector("down: a target of 0 and values below it")
            .unscored("k", &last("direction = 'down'\nred = 10\ntarget = 0"))
            .stream(&[
                "00:10 k value=0",
                "01:10 k value=-5",
                "02:10 k value=10",
                "03:10 k value=20",
                "04:10 k value=30",
            ])
            .readings(&[
                "01:00 k 0 75 green 1",
                "02:00 k -5 87.5 green 1",
                "03:00 k 10 50 amber 1",
                "04:00 k 20 25 red 1",
                "05:00 k 30 0 red 1",
            ]),
        vector("up: best and worst as given, each side with its own slope")
            .unscored(
                "k",
                &last("direction = 'up'\nworst = 0\nred = 10\ntarget = 20\nbest = 100"),
            )
            .stream(&["00:10 k value=60", "01:10 k value=5", "02:10 k value=15"])
            .readings(&[
                "01:00 k 60 87.5 green 1",
                "02:00 k 5 25 red 1",
                "03:00 k 15 62.5 amber 1",
            ]),
    ]
}

fn ranges() -> Vec<Vector> {
    vec![
        vector("range: 100 in the middle, 75 at both ends, each side by its own slope down to 0")
            .unscored("k", &last("direction = 'range'\ntarget = [20, 30]\nred = [10, 50]"))
            .stream(&[
                "00:10 k value=25",
                "01:10 k value=22.5",
                "02:10 k value=20",
                "03:10 k value=15",
                "04:10 k value=5",
                "05:10 k value=-20",
                "06:10 k value=30",
                "07:10 k value=50",
                "08:10 k value=70",
                "09:10 k value=95",
            ])
            .readings(&[
                "01:00 k 25 100 green 1",
                "02:00 k 22.5 87.5 green 1",
                "03:00 k 20 75 green 1",
                "04:00 k 15 62.5 amber 1",
                "05:00 k 5 37.5 red 1",
                "06:00 k -20 0 red 1",
                "07:00 k 30 75 green 1",
                "08:00 k 50 50 amber 1",
                "09:00 k 70 25 red 1",
                "10:00 k 95 0 red 1",
            ]),
        vector("range: where both ends of the target are one, it is 100 there, and near 75 beside it")
            .unscored("k", &last("direction = 'range'\ntarget = [20, 20]\nred = [10, 30]"))
            .stream(&["00:10 k value=20", "01:10 k value=19", "02:10 k value=21"])
            .readings(&[
                "01:00 k 20 100 green 1",
                "02:00 k 19 72.5 amber 1",
                "03:00 k 21 72.5 amber 1",
            ]),
        vector("range: best where it is given")
            .unscored(
                "k",
                &last("direction = 'range'\ntarget = [20, 40]\nbest = 24\nred = [10, 50]"),
            )
            .stream(&[
                "00:10 k value=22",
                "01:10 k value=24",
                "02:10 k value=32",
                "03:10 k value=40",
            ])
            .readings(&[
                "01:00 k 22 87.5 green 1",
                "02:00 k 24 100 green 1",
                "03:00 k 32 87.5 green 1",
                "04:00 k 40 75 green 1",
            ]),
    ]
}

fn others() -> Vec<Vector> {
    vec![
        vector("a curve goes through its points and on from its ends as it was there")
            .unscored("k", &last("curve = [[0, 90], [10, 50], [30, 10]]"))
            .stream(&[
                "00:10 k value=-5",
                "01:10 k value=5",
                "02:10 k value=10",
                "03:10 k value=20",
                "04:10 k value=31",
            ])
            .readings(&[
                "01:00 k -5 90 green 1",
                "02:00 k 5 70 amber 1",
                "03:00 k 10 50 amber 1",
                "04:00 k 20 30 red 1",
                "05:00 k 31 10 red 1",
            ]),
        vector("without a target there is a value and no score")
            .unscored("k", LAST)
            .stream(&["00:10 k value=5"])
            .readings(&["01:00 k 5 - no_target -", "01:00 t/p/o - - no_target -"]),
        vector("bands as the scorecard names them")
            .scorecard(
                "bands = [{ name = 'low', from = 0 }, { name = 'fair', from = 40 }, { name = 'high', from = 90 }]",
            )
            .kpi("k", LAST)
            .stream(&["00:10 k value=39", "01:10 k value=40", "02:10 k value=90"])
            .readings(&["01:00 k 39 39 low 1", "02:00 k 40 40 fair 1", "03:00 k 90 90 high 1"]),
    ]
}

fn changes() -> Vec<Vector> {
    vec![
        vector("a change holds from local midnight on; at that very instant the version before still scores")
            .scorecard("time_zone = 'Europe/Berlin'")
            .kpi("k", &last("changes = [{ from = '2026-03-03', red = 30, target = 55 }]"))
            .kpi("j", LAST)
            .stream(&["20:10 k value=55", "2026-03-02T23:30Z j value=1"])
            .readings(&["21:00 k 55 55 amber 1", "2026-03-03T00:00Z k 55 75 green 1"]),
        vector("a change of weight moves the parent; the next change keeps what it does not name")
            .every("1d")
            .kpi(
                "k",
                &last(
                    "changes = [{ from = '2026-03-03', weight = 3 }, \
                     { from = '2026-03-04', red = 30, target = 55 }]",
                ),
            )
            .kpi("j", LAST)
            .stream(&["00:10 k value=40", "00:10 j value=80", "2026-03-04T12:00Z j value=80"])
            .readings(&[
                "2026-03-03T00:00Z t/p/o - 60 amber 1",
                "2026-03-04T00:00Z t/p/o - 50 amber 1",
                "2026-03-05T00:00Z t/p/o - 65 amber 1",
            ]),
        vector("a KPI that is paused from a day on keeps its value and loses its score")
            .every("1d")
            .kpi("k", &last("changes = [{ from = '2026-03-03', paused = true }]"))
            .stream(&["00:10 k value=60", "2026-03-03T12:00Z k value=61"])
            .readings(&["2026-03-03T00:00Z k 60 60 amber 1", "2026-03-04T00:00Z k 61 - paused -"]),
    ]
}
