//! Specification, section 5: one value from many measurements, and what stands for none.

use super::{Vector, vector};

pub fn vectors() -> Vec<Vector> {
    [single(), others(), missing(), instances()]
        .into_iter()
        .flatten()
        .collect()
}

fn single() -> Vec<Vector> {
    vec![
        vector("an empty window has no count either: it is stale, not 0")
            .kpi("k", "aggregate = 'count'\nwindow = { rolling = '1h', slice = '1h' }")
            .stream(&["00:10 k value=7", "00:20 k value=7", "02:10 k value=7"])
            .readings(&["01:00 k 2 2 red 1", "02:00 k - - stale 0", "03:00 k 1 1 red 1"]),
        vector("of equal instants the first is the earlier in the file, the last the later")
            .kpi("k", "aggregate = 'first'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=60",
                "00:10 k value=70",
                "00:10 j value=60",
                "00:10 j value=70",
            ])
            .readings(&["01:00 k 60 60 amber 1", "01:00 j 70 70 amber 1"]),
        vector("a ratio is one of sums, never a mean of ratios")
            .kpi("k", "aggregate = 'ratio'\nscale_by = 100\nwindow = { all = true }")
            .stream(&["00:10 k numerator=1 denominator=1", "00:20 k numerator=0 denominator=3"])
            .readings(&["01:00 k 25 25 red 1"]),
        vector("a denominator of 0 gives no value")
            .kpi("k", "aggregate = 'ratio'\nscale_by = 100\nwindow = { all = true }")
            .stream(&["00:10 k numerator=5 denominator=0", "01:10 k numerator=1 denominator=8"])
            .readings(&["01:00 k - - no_data 0", "02:00 k 75 75 green 1"]),
        vector("a weighted mean, the default weight being 1; a weight of 0 alone gives no value")
            .kpi("k", "aggregate = 'weighted_mean'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=10 weight=0",
                "01:10 k value=60",
                "01:20 k value=90 weight=2",
            ])
            .readings(&["01:00 k - - no_data 0", "02:00 k 80 80 green 1"]),
        vector("the standard deviation of a whole population, far from zero")
            .kpi("k", "aggregate = 'stddev'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=1000000002",
                "00:20 k value=1000000004",
                "00:20 k value=1000000004",
                "00:20 k value=1000000004",
                "00:20 k value=1000000005",
                "00:20 k value=1000000005",
                "00:20 k value=1000000007",
                "00:20 k value=1000000009",
            ])
            .readings(&["01:00 k 2 2 red 1"]),
    ]
}

fn others() -> Vec<Vector> {
    vec![
        vector("delta is last minus first, 0 of one")
            .kpi("k", "aggregate = 'delta'\nwindow = { all = true }")
            .stream(&["00:10 k value=5", "01:20 k value=35", "01:10 k value=90"])
            .readings(&["01:00 k 0 0 red 1", "02:00 k 30 30 red 1"]),
        vector("a rate in a running period counts the time since its start")
            .kpi("k", "aggregate = 'rate'\nper = '1h'\nwindow = { period = 'day' }")
            .stream(&["00:10 k value=6", "01:30 k value=0", "02:10 k value=9"])
            .readings(&["01:00 k 6 6 red 1", "02:00 k 3 3 red 1", "03:00 k 5 5 red 1"]),
        vector("a rate in a rolling window counts its whole length from the beginning")
            .kpi(
                "k",
                "aggregate = 'rate'\nper = '1m'\nwindow = { rolling = '2h', slice = '1h' }",
            )
            .stream(&["00:10 k value=6000"])
            .readings(&["01:00 k 50 50 amber 1"]),
        vector("the median, to one percent")
            .percentiles()
            .kpi("k", "aggregate = 'p50'\nwindow = { all = true }")
            .kpi("i", "aggregate = 'p100'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'p0'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=30",
                "00:20 k value=10",
                "00:30 k value=20",
                "00:10 i value=30",
                "00:20 i value=80",
                "00:10 j value=-4",
                "00:20 j value=80",
            ])
            .readings(&["01:00 k 20 20 red 1", "01:00 i 80 80 green 1", "01:00 j -4 0 red 1"]),
        vector("distinct counts the values of a label, and takes nothing without it")
            .kpi("k", "aggregate = 'distinct'\nkey = 'user'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=1 labels={\"user\":\"ann\"}",
                "00:20 k value=1 labels={\"user\":\"bob\"}",
                "00:30 k value=2 labels={\"user\":\"ann\"}",
                "00:40 k value=2",
            ])
            .readings(&["01:00 k 2 2 red 1"]),
    ]
}

fn missing() -> Vec<Vector> {
    vec![
        vector("missing = zero makes an empty window 0, even where nothing was ever measured")
            .kpi(
                "k",
                "aggregate = 'mean'\nmissing = 'zero'\nwindow = { rolling = '1h', slice = '1h' }",
            )
            .kpi("j", "aggregate = 'mean'\nmissing = 'zero'\nwindow = { all = true }")
            .stream(&["00:10 k value=80", "02:10 k value=60"])
            .readings(&[
                "01:00 k 80 80 green 1",
                "02:00 k 0 0 red 1",
                "03:00 k 60 60 amber 1",
                "01:00 j 0 0 red 1",
            ]),
        vector("hold keeps the last evaluated value for hold_for after that evaluation, its end included")
            .kpi(
                "k",
                "aggregate = 'last'\nmissing = 'hold'\nhold_for = '2h'\nwindow = { rolling = '1h', slice = '1h' }",
            )
            .kpi("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 k value=80", "04:30 j value=1"])
            .readings(&["01:00 k 80 80 green 1", "04:00 k - - stale 0"]),
        vector("what is held is not held anew: hold_for counts from the evaluation whose window had the value")
            .every("30m")
            .kpi(
                "k",
                "aggregate = 'last'\nmissing = 'hold'\nhold_for = '45m'\nwindow = { rolling = '1h', slice = '1h' }",
            )
            .kpi("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 k value=80", "02:30 j value=1"])
            .readings(&["00:30 k 80 80 green 1", "02:00 k - - stale 0"]),
        vector("hold has nothing to keep where nothing was ever measured")
            .kpi(
                "k",
                "aggregate = 'last'\nmissing = 'hold'\nhold_for = '2h'\nwindow = { all = true }",
            )
            .kpi("j", "aggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 j value=80"])
            .readings(&["01:00 k - - no_data 0"]),
    ]
}

fn instances() -> Vec<Vector> {
    vec![
        vector("over all instances a KPI is its own aggregate over all measurements, not a mean of means")
            .scorecard("each = 'site'")
            .kpi("k", "aggregate = 'mean'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=60 labels={\"site\":\"a\"}",
                "00:20 k value=90 labels={\"site\":\"a\"}",
                "00:30 k value=30 labels={\"site\":\"b\"}",
            ])
            .readings(&[
                "01:00 t@a/p/o/k 75 75 green 1",
                "01:00 t@b/p/o/k 30 30 red 1",
                "01:00 k 60 60 amber 1",
            ]),
        vector("last adds up over the instances, delta too; across = mean averages them")
            .scorecard("each = 'site'")
            .kpi("k", "aggregate = 'last'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'last'\nacross = 'mean'\nwindow = { all = true }")
            .kpi("i", "aggregate = 'delta'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=20 labels={\"site\":\"a\"}",
                "00:20 k value=40 labels={\"site\":\"a\"}",
                "00:30 k value=30 labels={\"site\":\"b\"}",
                "00:20 j value=40 labels={\"site\":\"a\"}",
                "00:30 j value=30 labels={\"site\":\"b\"}",
                "00:10 i value=20 labels={\"site\":\"a\"}",
                "00:20 i value=45 labels={\"site\":\"a\"}",
                "00:30 i value=30 labels={\"site\":\"b\"}",
                "00:40 i value=35 labels={\"site\":\"b\"}",
            ])
            .readings(&["01:00 k 70 70 amber 1", "01:00 j 35 35 red 1", "01:00 i 30 30 red 1"]),
        vector("an instance appears with its first measurement, all its nodes at once; two sources are one instance")
            .scorecard("each = 'site'")
            .kpi("k", "aggregate = 'sum'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'sum'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=10 labels={\"site\":\"a\"}",
                "01:10 k value=50 labels={\"site\":\"b\"} source=\"one\"",
                "01:20 k value=30 labels={\"site\":\"b\"} source=\"two\"",
            ])
            .readings(&[
                "01:00 t@a/p/o/j - - no_data 0",
                "02:00 t@b/p/o/j - - no_data 0",
                "02:00 t@b/p/o/k 80 80 green 1",
                "02:00 t@b - 80 green 0.5",
            ]),
    ]
}
