//! Specification, section 8: the event clock.

use super::{Vector, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";

pub fn vectors() -> Vec<Vector> {
    vec![
        vector("what is observed at an evaluated instant is not yet in it; the end is evaluated once more")
            .kpi("k", LAST)
            .stream(&["00:00 k value=60", "01:00 k value=80"])
            .readings(&["01:00 k 60 60 amber 1", "02:00 k 80 80 green 1"]),
        vector("every multiple that the clock passes is evaluated, also where nothing was measured")
            .every("10m")
            .kpi("k", "aggregate = 'count'\nwindow = { rolling = '20m', slice = '10m' }")
            .stream(&["00:05 k value=60", "00:55 k value=80"])
            .readings(&["00:10 k 1 1 red 1", "00:30 k - - stale 0", "01:00 k 1 1 red 1"]),
        vector("the clock is the greatest instant so far: what is late is seen at the next evaluation")
            .kpi("k", "aggregate = 'count'\nwindow = { all = true }")
            .stream(&[
                "02:30 k value=1",
                "00:30 k value=1",
                "04:10 k value=1",
                "03:10 k value=1",
            ])
            .readings(&["03:00 k 2 2 red 1", "05:00 k 4 4 red 1"]),
        vector("multiples count from the epoch, whatever the first instant")
            .every("7m")
            .kpi("k", LAST)
            .stream(&["00:10 k value=60"])
            .readings(&["00:15 k 60 60 amber 1"]),
        vector("nothing measured, nothing evaluated")
            .kpi("k", LAST)
            .stream(&["00:10 nobody value=1"])
            .readings(&[]),
    ]
}
