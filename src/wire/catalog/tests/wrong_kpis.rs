//! Wrong KPIs, and what is said of each: the whole message, as a person sees it.

use super::*;

#[test]
fn a_direction_that_contradicts_the_points() {
    let problems = broken(&[("red = 75", "red = 95")]);
    insta::assert_snapshot!(problems, @r#"it.toml:34: kpi `it.csat`: red 95 is above target 90 although direction is "up": swap them or write direction = "down""#);
}

#[test]
fn equal_points() {
    let problems = broken(&[("red = 75", "red = 90")]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: red and target are both 90: leave room between them: red scores 50, target 75");
}

#[test]
fn a_best_on_the_wrong_side() {
    let problems = broken(&[("target = 90", "target = 90\nbest = 80")]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: direction `up` needs worst < red < target < best: found worst 45, red 75, target 90, best 80: put the points in that order");
}

#[test]
fn points_without_a_direction() {
    let problems = broken(&[("direction = \"up\"\n", "")]);
    insta::assert_snapshot!(problems, @r#"it.toml:33: kpi `it.csat`: `direction` is missing: write direction = "up""#);
}

#[test]
fn red_without_a_target() {
    let problems = broken(&[("target = 90\n", "")]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: red 75 stands without a target: write target = ... beside it: red scores 50, target 75");
}

#[test]
fn a_range_with_single_numbers() {
    let problems = broken(&[(r#"direction = "up""#, r#"direction = "range""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:34: kpi `it.csat`: direction "range" with red 75 and target 90: write both as [low, high], for example target = [80, 90] and red = [70, 105]"#);
}

#[test]
fn a_range_out_of_order() {
    let problems = broken(&[(
        "direction = \"up\"\nred = 75\ntarget = 90",
        "direction = \"range\"\nred = [80, 90]\ntarget = [70, 95]",
    )]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: direction `range` needs red[0] < target[0] < best < target[1] < red[1]: found red [80, 90], target [70, 95], best 82.5: put the points in that order");
}

#[test]
fn a_curve_beside_points() {
    let problems = broken(&[("red = 75", "red = 75\ncurve = [[0, 0], [100, 100]]")]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: `curve` stands beside worst, red, target or best: remove one of the two");
}

#[test]
fn a_curve_that_goes_back() {
    let problems = broken(&[("red = 75\ntarget = 90", "curve = [[0, 0], [10, 50], [5, 100]]")]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: values must increase strictly: 5 stands after 10: write the pairs by increasing value, each value once");
}

#[test]
fn a_falling_curve_that_should_rise() {
    let problems = broken(&[("red = 75\ntarget = 90", "curve = [[0, 100], [10, 0]]")]);
    insta::assert_snapshot!(problems, @r#"it.toml:34: kpi `it.csat`: the curve does not rise although direction is "up": give higher values higher scores, or remove direction"#);
}

#[test]
fn a_scale_of_ratios() {
    let problems = broken(&[(
        "direction = \"up\"\nred = 75\ntarget = 90",
        "scale = { bad = 0, good = 120 }",
    )]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:33: kpi `it.csat`, scale: the result of a ratio is not a score: use first, last, mean, min, max, weighted_mean or a percentile, or remove scale
    it.toml:33: kpi `it.csat`, scale: the score of "good" is 120: write a number between 0 and 100
    "#);
}

#[test]
fn a_scale_beside_points() {
    let problems = broken(&[("\"ratio\"\nscale_by = 100", "\"last\"\nscale = { bad = 0, good = 100 }")]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: `scale` stands beside points or a curve: remove one of the two: a word of the scale has its score already");
}

#[test]
fn an_unknown_key() {
    let problems = broken(&[("target = 90", "targt = 90")]);
    insta::assert_snapshot!(problems, @"
    it.toml:34: kpi `it.csat`: red 75 stands without a target: write target = ... beside it: red scores 50, target 75
    it.toml:35: kpi `it.csat`: unknown key `targt`: did you mean `target`?
    ");
}

#[test]
fn an_unknown_key_that_is_near_to_none() {
    let problems = broken(&[(r#"title = "IT""#, r#"colour = "blue""#)]);
    insta::assert_snapshot!(problems, @"it.toml:5: scorecard: unknown key `colour`: use one of `bands`, `changes`, `each`, `fiscal_year_start`, `id`, `min_coverage`, `owner`, `roll_up`, `time_zone`, `title`, `week_start`");
}

#[test]
fn a_text_for_a_number() {
    let problems = broken(&[("red = 75", r#"red = "75""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:34: kpi `it.csat`: `red` is the text "75", not a finite number: write red = 75"#);
}

#[test]
fn a_number_that_is_none() {
    let problems = broken(&[("weight = 2", "weight = nan")]);
    insta::assert_snapshot!(problems, @"it.toml:17: objective `happy`: `weight` is nan, not a finite number: write weight = 1");
}

#[test]
fn a_negative_weight() {
    let problems = broken(&[("weight = 2", "weight = -2")]);
    insta::assert_snapshot!(problems, @"it.toml:17: objective `happy`: weight -2 is negative: write 0 or more; 0 is shown and weighs nothing");
}

#[test]
fn an_unknown_aggregate() {
    let problems = broken(&[("\"ratio\"\nscale_by = 100", r#""avarage""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:30: kpi `it.csat`: `aggregate` is "avarage": use one of `count`, `sum`, `mean`, `min`, `max`, `first`, `last`, `weighted_mean`, `stddev`, `delta`, `ratio`, `rate`, `distinct`, `p0` to `p100`"#);
}

#[test]
fn a_percentile_beyond_100() {
    let problems = broken(&[("\"ratio\"\nscale_by = 100", r#""p101""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:30: kpi `it.csat`: `aggregate` is "p101": use one of `count`, `sum`, `mean`, `min`, `max`, `first`, `last`, `weighted_mean`, `stddev`, `delta`, `ratio`, `rate`, `distinct`, `p0` to `p100`"#);
}

#[test]
fn keys_of_other_aggregates() {
    let problems = broken(&[("scale_by = 100", "per = \"1d\"\nkey = \"user\"\nacross = \"sum\"")]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:31: kpi `it.csat`: `per` belongs to aggregate = "rate": remove it
    it.toml:32: kpi `it.csat`: `key` belongs to aggregate = "distinct": remove it
    it.toml:33: kpi `it.csat`: `across` belongs to `first`, `last` and `delta`; other aggregates are formed over all instances: remove it
    "#);
}

#[test]
fn a_rate_without_a_length() {
    let problems = broken(&[
        ("\"ratio\"\nscale_by = 100", r#""rate""#),
        (r#"{ rolling = "28d", slice = "1d" }"#, "{ all = true }"),
    ]);
    insta::assert_snapshot!(problems, @r#"it.toml:24: kpi `it.csat`: `per` is missing: say per what time, for example per = "1d""#);
}

#[test]
fn a_slice_that_does_not_divide() {
    let problems = broken(&[(r#"slice = "1d""#, r#"slice = "5d""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:32: kpi `it.csat`, window: slice 5d does not divide rolling 28d: write for example slice = "1d""#);
}

#[test]
fn too_many_slices() {
    let problems = broken(&[(r#"slice = "1d""#, r#"slice = "1s""#)]);
    insta::assert_snapshot!(problems, @"it.toml:32: kpi `it.csat`, window: 2419200 slices are more than 100000: write a wider slice or a shorter window");
}

#[test]
fn a_window_of_no_minutes() {
    let problems = broken(&[(r#"rolling = "28d", slice = "1d""#, r#"rolling = "90s""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:32: kpi `it.csat`, window: the default slice 1m does not divide rolling 90s: write for example slice = "45s""#);
}

#[test]
fn a_window_of_two_forms() {
    let problems = broken(&[(r#"slice = "1d""#, r#"period = "day""#)]);
    insta::assert_snapshot!(problems, @"it.toml:32: kpi `it.csat`, window: it has `rolling`, `period` at once: keep one of them");
}

#[test]
fn a_week_of_4_4_5() {
    let problems = broken(&[(
        r#"rolling = "28d", slice = "1d""#,
        r#"period = "week", calendar = "4-4-5", slice = "1d""#,
    )]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:32: kpi `it.csat`, window: `calendar` makes months of whole weeks and changes no day or week: remove it, or write period = "month"
    it.toml:32: kpi `it.csat`, window: `slice` belongs to a rolling window: remove it
    "#);
}

#[test]
fn a_length_of_time_with_a_fraction() {
    let problems = broken(&[(r#"rolling = "28d""#, r#"rolling = "1.5d""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:32: kpi `it.csat`, window: `rolling` is the text "1.5d", not a length of time: write rolling = "90s", or with ms, m, h, d or w: one whole number and one unit"#);
}

#[test]
fn a_length_of_time_without_a_unit() {
    let problems = broken(&[(r#"expected_every = "1d""#, r#"expected_every = "5""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:36: kpi `it.csat`: `expected_every` is the text "5", not a length of time: write expected_every = "90s", or with ms, m, h, d or w: one whole number and one unit"#);
}

#[test]
fn a_length_of_time_of_zero() {
    let problems = broken(&[(r#"expected_every = "1d""#, r#"expected_every = "0d""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:36: kpi `it.csat`: `expected_every` is 0: write a length above 0 such as "1d", or leave it out"#);
}

#[test]
fn no_window_and_no_aggregate() {
    let problems = broken(&[
        ("window = { rolling = \"28d\", slice = \"1d\" }\n", ""),
        ("aggregate = \"ratio\"\nscale_by = 100\n", ""),
    ]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:24: kpi `it.csat`: `aggregate` is missing: say how measurements become a value, for example aggregate = "mean"
    it.toml:24: kpi `it.csat`: `window` is missing: write { rolling = "28d" }, { period = "month" } or { all = true }
    "#);
}

#[test]
fn hold_without_an_end() {
    let problems = broken(&[(r#"expected_every = "1d""#, r#"missing = "hold""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:36: kpi `it.csat`: `missing` is "hold" without `hold_for`: say how long, for example hold_for = "7d""#);
}

#[test]
fn hold_for_without_hold() {
    let problems = broken(&[(r#"expected_every = "1d""#, r#"hold_for = "1d""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:36: kpi `it.csat`: `hold_for` belongs to missing = "hold": remove it, or write missing = "hold""#);
}

#[test]
fn a_plausible_range_backwards() {
    let problems = broken(&[(r#"expected_every = "1d""#, "accept = [100, 0]")]);
    insta::assert_snapshot!(problems, @"it.toml:36: kpi `it.csat`: accept [100, 0] does not increase: write the lowest plausible value first, then the highest");
}

#[test]
fn lateness_of_a_rolling_window() {
    let problems = broken(&[(r#"expected_every = "1d""#, r#"allowed_lateness = "1d""#)]);
    insta::assert_snapshot!(problems, @"it.toml:36: kpi `it.csat`: `allowed_lateness` belongs to a period window, whose readings become final: remove it");
}

#[test]
fn changes_out_of_order() {
    let problems = broken(&[(
        r#"expected_every = "1d""#,
        r#"changes = [{ from = "2026-07-12", weight = 1 }, { from = "2026-07-12", target = 70 }, { from = "2026-02-30" }]"#,
    )]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:36: kpi `it.csat`, change 2: `from` is not after the change before it: write changes by increasing date
    it.toml:36: kpi `it.csat`, change 2: red 75 is above target 70 although direction is "up": swap them or write direction = "down"
    it.toml:36: kpi `it.csat`, change 3: it changes nothing: write what holds from that day on, or remove it
    it.toml:36: kpi `it.csat`, change 3: `from` is the text "2026-02-30", not a date from 1970-01-01 to 2199-12-31: write from = "2026-07-12"
    "#);
}
