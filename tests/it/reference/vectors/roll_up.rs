//! Specification, section 7: from children to parents, coverage, and why there is no score.

use super::{POINTS, Vector, head, kpi, levels, vector};

const LAST: &str = "aggregate = 'last'\nwindow = { all = true }";

pub fn vectors() -> Vec<Vector> {
    [scores(), coverage(), absences(), cascades()]
        .into_iter()
        .flatten()
        .collect()
}

fn scores() -> Vec<Vector> {
    vec![
        vector("weights renormalise over the children that have a score")
            .kpi("a", LAST)
            .kpi(
                "b",
                "weight = 3\naggregate = 'last'\nwindow = { rolling = '1h', slice = '1h' }",
            )
            .stream(&["00:10 a value=60", "00:10 b value=100", "01:10 a value=60"])
            .readings(&[
                "01:00 t/p/o - 90 green 1",
                "02:00 t/p/o - 60 amber 0.25",
                "01:00 t - 90 green 1",
                "02:00 t - 60 amber 0.25",
            ]),
        vector("geometric: 16 once and 81 three times are 54; a 0 makes it 0")
            .objective("roll_up = 'geometric'")
            .kpi("a", LAST)
            .kpi("b", "weight = 3\naggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 a value=16", "00:10 b value=81", "01:10 a value=0"])
            .readings(&["01:00 t/p/o - 54 amber 1", "02:00 t/p/o - 0 red 1"]),
        vector("geometric: children that agree on 75 are green")
            .objective("roll_up = 'geometric'")
            .kpi("a", LAST)
            .kpi("b", "weight = 3\naggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 a value=75", "00:10 b value=75"])
            .readings(&["01:00 t/p/o - 75 green 1"]),
        vector("worst is that of children with a weight")
            .objective("roll_up = 'worst'")
            .kpi("a", "weight = 0\naggregate = 'last'\nwindow = { all = true }")
            .kpi("b", LAST)
            .kpi("c", LAST)
            .stream(&["00:10 a value=10", "00:10 b value=60", "00:10 c value=80"])
            .readings(&["01:00 t/p/o - 60 amber 1"]),
        vector("best is that of children with a weight")
            .objective("roll_up = 'best'")
            .kpi("a", "weight = 0\naggregate = 'last'\nwindow = { all = true }")
            .kpi("b", LAST)
            .kpi("c", LAST)
            .stream(&["00:10 a value=90", "00:10 b value=60", "00:10 c value=80"])
            .readings(&["01:00 t/p/o - 80 green 1"]),
        vector("objectives weigh in their perspective, perspectives in the scorecard")
            .levels(
                "[[perspective]]\nid = 'p'\ntitle = 'P'\nweight = 1\n
[[perspective]]\nid = 'q'\ntitle = 'Q'\nweight = 3\n
[[objective]]\nid = 'o'\nperspective = 'p'\ntitle = 'O'\nweight = 1\n
[[objective]]\nid = 'o2'\nperspective = 'p'\ntitle = 'O2'\nweight = 2\n
[[objective]]\nid = 'o3'\nperspective = 'q'\ntitle = 'O3'\n",
            )
            .kpi("a", LAST)
            .kpi_of("o2", "b", LAST)
            .kpi_of("o3", "c", LAST)
            .stream(&["00:10 a value=30", "00:10 b value=60", "00:10 c value=90"])
            .readings(&[
                "01:00 t/p - 50 amber 1",
                "01:00 t/q - 90 green 1",
                "01:00 t - 80 green 1",
            ]),
    ]
}

fn coverage() -> Vec<Vector> {
    vec![
        vector("below min_coverage there is no score; at it there is")
            .scorecard("min_coverage = 0.5")
            .kpi("a", LAST)
            .kpi("b", LAST)
            .kpi("c", "weight = 2\naggregate = 'last'\nwindow = { all = true }")
            .stream(&["00:10 a value=80", "01:10 b value=60"])
            .readings(&[
                "01:00 t/p/o - - insufficient_coverage 0.25",
                "02:00 t/p/o - 70 amber 0.5",
                "02:00 t - 70 amber 0.5",
                "01:00 t - - no_data 0.25",
            ]),
        vector("what is exactly as old as expected_every is fresh; older keeps its score and covers nothing")
            .every("30m")
            .kpi(
                "k",
                "expected_every = '1h'\naggregate = 'last'\nwindow = { all = true }",
            )
            .kpi("j", LAST)
            .stream(&["00:00 k value=80", "00:00 j value=60", "01:10 j value=60"])
            .readings(&[
                "00:30 k 80 80 green 1",
                "01:30 k 80 80 green 0",
                "00:30 t/p/o - 70 amber 1",
                "01:30 t/p/o - 70 amber 0.5",
            ]),
        vector("paused, not applicable and without a target are left out of both sums of coverage")
            .scorecard("min_coverage = 1")
            .kpi("a", LAST)
            .kpi(
                "b",
                "weight = 5\npaused = true\naggregate = 'last'\nwindow = { all = true }",
            )
            .kpi("c", "weight = 5\naggregate = 'last'\nwindow = { all = true }")
            .unscored("d", LAST)
            .stream(&[
                "00:10 a value=80",
                "00:10 b value=10",
                "00:10 c not_applicable=true",
                "00:10 d value=7",
            ])
            .readings(&[
                "01:00 t/p/o - 80 green 1",
                "01:00 b 10 - paused -",
                "01:00 c - - not_applicable -",
                "01:00 d 7 - no_target -",
            ]),
    ]
}

fn absences() -> Vec<Vector> {
    vec![
        vector("a node all of whose children are left out is left out itself, with its first child's word")
            .kpi("b", "paused = true\naggregate = 'last'\nwindow = { all = true }")
            .kpi("c", LAST)
            .stream(&["00:10 b value=10", "00:10 c not_applicable=true"])
            .readings(&[
                "01:00 t/p/o - - paused -",
                "01:00 t/p - - paused -",
                "01:00 t - - paused -",
            ]),
        vector("a node without a scored child has no data, whether they are stale or never were")
            .kpi("a", "aggregate = 'last'\nwindow = { rolling = '1h', slice = '1h' }")
            .kpi("b", LAST)
            .stream(&["00:10 a value=80", "02:10 a value=80"])
            .readings(&[
                "01:00 b - - no_data 0",
                "01:00 a 80 80 green 1",
                "02:00 a - - stale 0",
                "03:00 a 80 80 green 1",
                "01:00 t/p/o - 80 green 0.5",
                "02:00 t/p/o - - no_data 0",
                "03:00 t/p/o - 80 green 0.5",
            ]),
        vector("the latest measurement says whether it is applicable; what is not is passed over once it is again")
            .kpi("k", "aggregate = 'mean'\nwindow = { all = true }")
            .stream(&["00:10 k value=80", "00:20 k not_applicable=true", "01:10 k value=60"])
            .readings(&["01:00 k - - not_applicable -", "02:00 k 70 70 amber 1"]),
        vector("of two at one instant the later in the file says whether it is applicable")
            .kpi("k", "aggregate = 'mean'\nwindow = { all = true }")
            .kpi("j", "aggregate = 'mean'\nwindow = { all = true }")
            .stream(&[
                "00:10 k value=80",
                "00:10 k not_applicable=true",
                "00:10 j not_applicable=true",
                "00:10 j value=80",
            ])
            .readings(&["01:00 k - - not_applicable -", "01:00 j 80 80 green 1"]),
        vector("a measurement that is not applicable is a measurement: once it leaves the window, the KPI is stale")
            .kpi("k", "aggregate = 'mean'\nwindow = { rolling = '1h', slice = '1h' }")
            .kpi("j", LAST)
            .stream(&["00:10 k not_applicable=true", "01:10 j value=80"])
            .readings(&["01:00 k - - not_applicable -", "02:00 k - - stale 0"]),
    ]
}

fn cascades() -> Vec<Vector> {
    let own = format!("{POINTS}{LAST}");
    vec![
        vector("a node of another scorecard counts with its weight, its score and its coverage")
            .kpi("a", LAST)
            .kpi("b", LAST)
            .file(
                "above.toml",
                &(head("above") + &levels("include = [{ node = 't/p', weight = 3 }]") + &kpi("o", "c", &own)),
            )
            .stream(&["00:10 a value=80", "00:10 c value=40"])
            .readings(&["01:00 t/p - 80 green 0.5", "01:00 above/p/o - 70 amber 0.625"]),
    ]
}
