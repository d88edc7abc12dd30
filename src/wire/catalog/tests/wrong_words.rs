//! One wrong word at a time: ids, windows, forms of scores, bands, changes, includes, drives and rules.

use super::*;

#[test]
fn two_perspectives_of_one_id() {
    let problems = broken(&[(r#"id = "financial""#, r#"id = "customer""#)]);
    insta::assert_snapshot!(problems, @"
    it.toml:12: perspective `customer`: the id is taken by another perspective of this scorecard: give it another id
    it.toml:22: objective `cheap`: there is no perspective `financial`: write a [[perspective]] with this id, or name another
    ");
}

#[test]
fn two_kpis_of_one_id_in_a_file() {
    let problems = broken(&[(r#"id = "it.cost""#, r#"id = "it.csat""#)]);
    insta::assert_snapshot!(problems, @"it.toml:39: kpi `it.csat`: the id is taken at it.toml:25: give one of the two another id: it is unique over the catalog");
}

#[test]
fn two_alerts_of_one_id() {
    let problems = broken(&[(
        "[[alert]]\nid = \"low\"",
        "[[alert]]\nid = \"low\"\non = \"it\"\nbelow = 1\n\n[[alert]]\nid = \"low\"",
    )]);
    insta::assert_snapshot!(problems, @"it.toml:50: alert `low`: the id is taken at it.toml:45: give one of the two another id: it is unique over the catalog");
}

#[test]
fn an_id_of_a_kpi_that_is_too_long() {
    let problems = broken(&[(r#"id = "it.cost""#, &format!("id = \"{}\"", "x".repeat(129)))]);
    insta::assert_snapshot!(problems, @r#"it.toml:39: kpi number 2: id "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...": it has 129 bytes: at most 128 are allowed"#);
}

#[test]
fn an_id_of_a_scorecard_with_an_underscore() {
    let problems = broken(&[("id = \"it\"\n", "id = \"i_t\"\n")]);
    insta::assert_snapshot!(problems, @r#"it.toml:4: scorecard: id "i_t": `_` is not allowed there: use `a-z`, `0-9` and `-`"#);
}

#[test]
fn a_week_that_starts_on_tuesday() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "time_zone = \"UTC\"\nweek_start = \"tuesday\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:7: scorecard: `week_start` is "tuesday": use one of `monday`, `sunday`"#);
}

#[test]
fn a_roll_up_that_is_none() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "time_zone = \"UTC\"\nroll_up = \"avarage\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:7: scorecard: `roll_up` is "avarage": use one of `mean`, `worst`, `best`, `geometric`"#);
}

#[test]
fn a_thirteenth_month() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "time_zone = \"UTC\"\nfiscal_year_start = 13")]);
    insta::assert_snapshot!(problems, @"it.toml:7: scorecard: fiscal_year_start 13 is not a month: write a number from 1 for January to 12 for December");
}

#[test]
fn an_each_without_a_label() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "time_zone = \"UTC\"\neach = \"\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:7: scorecard: `each` is "", not the name of a label: write 1 to 64 bytes of plain text, for example "site""#);
}

#[test]
fn more_coverage_than_all() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "time_zone = \"UTC\"\nmin_coverage = 1.5")]);
    insta::assert_snapshot!(problems, @"it.toml:7: scorecard: min_coverage 1.5 is not between 0 and 1: write a share, for example 0.5 for half of the weight");
}

#[test]
fn a_period_that_is_none() {
    let problems = broken(&[(r#"period = "year""#, r#"period = "decade""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:42: kpi `it.cost`, window: `period` is "decade": use one of `day`, `week`, `month`, `quarter`, `year`"#);
}

#[test]
fn a_calendar_that_is_none() {
    let problems = broken(&[(r#"period = "year""#, r#"period = "year", calendar = "4-4-4""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:42: kpi `it.cost`, window: `calendar` is "4-4-4": did you mean "4-4-5"?"#);
}

#[test]
fn a_complete_rolling_window() {
    let problems = broken(&[(r#"slice = "1d""#, r#"slice = "1d", complete = true"#)]);
    insta::assert_snapshot!(problems, @"it.toml:32: kpi `it.csat`, window: `complete` belongs to a period window: remove it");
}

#[test]
fn a_complete_everything() {
    let problems = broken(&[(r#"{ period = "year" }"#, "{ all = true, complete = true }")]);
    insta::assert_snapshot!(problems, @"it.toml:42: kpi `it.cost`, window: `complete` belongs to a period window: remove it");
}

#[test]
fn an_all_that_is_not() {
    let problems = broken(&[(r#"{ period = "year" }"#, "{ all = false }")]);
    insta::assert_snapshot!(problems, @r#"it.toml:42: kpi `it.cost`, window: `all` is false: write { rolling = "28d" }, { period = "month" } or { all = true }"#);
}

#[test]
fn a_slice_longer_than_its_window() {
    let problems = broken(&[(r#"slice = "1d""#, r#"slice = "56d""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:32: kpi `it.csat`, window: slice 56d does not divide rolling 28d: write for example slice = "1d""#);
}

#[test]
fn a_default_slice_that_does_not_divide() {
    let problems = broken(&[(r#"rolling = "28d", slice = "1d""#, r#"rolling = "90s""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:32: kpi `it.csat`, window: the default slice 1m does not divide rolling 90s: write for example slice = "45s""#);
}

#[test]
fn an_unknown_key_of_a_window() {
    let problems = broken(&[(r#"slice = "1d""#, r#"slize = "1d""#)]);
    insta::assert_snapshot!(problems, @"it.toml:32: kpi `it.csat`, window: unknown key `slize`: did you mean `slice`?");
}

#[test]
fn a_missing_that_is_none() {
    let problems = broken(&[(r#"aggregate = "sum""#, "aggregate = \"sum\"\nmissing = \"none\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:42: kpi `it.cost`: `missing` is "none": use one of `exclude`, `zero`, `hold`"#);
}

#[test]
fn a_kind_that_is_none() {
    let problems = broken(&[(r#"kind = "lagging""#, r#"kind = "laging""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:29: kpi `it.csat`: `kind` is "laging": did you mean "lagging"?"#);
}

#[test]
fn a_percentile_below_0() {
    let problems = broken(&[(r#"aggregate = "sum""#, r#"aggregate = "p-1""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:41: kpi `it.cost`: `aggregate` is "p-1": use one of `count`, `sum`, `mean`, `min`, `max`, `first`, `last`, `weighted_mean`, `stddev`, `delta`, `ratio`, `rate`, `distinct`, `p0` to `p100`"#);
}

#[test]
fn a_curve_of_one_point() {
    let problems = broken(&[(r#"aggregate = "sum""#, "aggregate = \"sum\"\ncurve = [[1, 50]]")]);
    insta::assert_snapshot!(problems, @"it.toml:42: kpi `it.cost`: a curve needs at least 2 points, found 1: write at least two [value, score] pairs");
}

#[test]
fn a_curve_beyond_100() {
    let problems = broken(&[(r#"aggregate = "sum""#, "aggregate = \"sum\"\ncurve = [[1, 50],[2,101]]")]);
    insta::assert_snapshot!(problems, @"it.toml:42: kpi `it.cost`: score 101 is outside 0 to 100: write scores between 0 and 100");
}

#[test]
fn a_curve_with_a_value_twice() {
    let problems = broken(&[(r#"aggregate = "sum""#, "aggregate = \"sum\"\ncurve = [[1, 50],[1,60]]")]);
    insta::assert_snapshot!(problems, @"it.toml:42: kpi `it.cost`: values must increase strictly: 1 stands after 1: write the pairs by increasing value, each value once");
}

#[test]
fn a_scale_of_one_word_beyond_100() {
    let problems = broken(&[(r#"aggregate = "sum""#, "aggregate = \"last\"\nscale = { good = 101 }")]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:42: kpi `it.cost`, scale: it has 1 of at least 2 words: write for example scale = { bad = 0, ok = 40, good = 75, great = 100 }
    it.toml:42: kpi `it.cost`, scale: the score of "good" is 101: write a number between 0 and 100
    "#);
}

#[test]
fn up_written_down() {
    let problems = broken(&[(r#"direction = "up""#, r#"direction = "down""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:34: kpi `it.csat`: red 75 is below target 90 although direction is "down": swap them or write direction = "up""#);
}

#[test]
fn a_range_whose_best_is_outside() {
    let problems = broken(&[
        (r#"direction = "up""#, r#"direction = "range""#),
        ("red = 75", "red = [1,10]"),
        ("target = 90", "target = [4,6]\nbest = 9"),
    ]);
    insta::assert_snapshot!(problems, @"it.toml:34: kpi `it.csat`: direction `range` needs red[0] < target[0] < best < target[1] < red[1]: found red [1, 10], target [4, 6], best 9: put the points in that order");
}

#[test]
fn a_range_with_a_worst() {
    let problems = broken(&[
        (r#"direction = "up""#, r#"direction = "range""#),
        ("red = 75", "red = [1,10]"),
        ("target = 90", "target = [4,6]\nworst = 0"),
    ]);
    insta::assert_snapshot!(problems, @r#"it.toml:34: kpi `it.csat`: worst 0 has no meaning with direction "range": remove it: each side goes on down by its own slope"#);
}

#[test]
fn two_bands_of_one_name() {
    let problems = broken(&[(
        r#"time_zone = "UTC""#,
        "time_zone = \"UTC\"\nbands = [{name=\"a\",from=0},{name=\"a\",from=50}]",
    )]);
    insta::assert_snapshot!(problems, @r#"it.toml:7: scorecard, band 2: the name "a" is taken already: give it another name"#);
}

#[test]
fn a_band_beyond_100() {
    let problems = broken(&[(
        r#"time_zone = "UTC""#,
        "time_zone = \"UTC\"\nbands = [{name=\"a\",from=0},{name=\"b\",from=101}]",
    )]);
    insta::assert_snapshot!(problems, @"it.toml:7: scorecard, band 2: from 101 is above 100: scores go from 0 to 100");
}

#[test]
fn an_unknown_key_of_a_band() {
    let problems = broken(&[(
        r#"time_zone = "UTC""#,
        "time_zone = \"UTC\"\nbands = [{nmae=\"a\",from=0},{name=\"b\",from=50}]",
    )]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:7: scorecard, band 1: `name` is missing: name it, for example name = "amber"
    it.toml:7: scorecard, band 1: unknown key `nmae`: did you mean `name`?
    it.toml:7: scorecard, band 2: the first band starts at 50: write from = 0
    "#);
}

#[test]
fn a_change_of_bands_that_do_not_start() {
    let problems = broken(&[(
        r#"time_zone = "UTC""#,
        "time_zone = \"UTC\"\nchanges = [{from=\"2026-01-01\", bands=[{name=\"a\",from=10}]}]",
    )]);
    insta::assert_snapshot!(problems, @"it.toml:7: scorecard, change 1, band 1: the first band starts at 10: write from = 0");
}

#[test]
fn an_unknown_key_of_a_change() {
    let problems = broken(&[(
        r#"expected_every = "1d""#,
        r#"changes = [{ from = "2026-07-12", wieght = 7 }]"#,
    )]);
    insta::assert_snapshot!(problems, @"it.toml:36: kpi `it.csat`, change 1: unknown key `wieght`: did you mean `weight`?");
}

#[test]
fn a_change_of_what_cannot_change() {
    let problems = broken(&[(
        r#"expected_every = "1d""#,
        r#"changes = [{ from = "2026-07-12", aggregate = "mean" }]"#,
    )]);
    insta::assert_snapshot!(problems, @"it.toml:36: kpi `it.csat`, change 1: unknown key `aggregate`: use one of `best`, `curve`, `expected_every`, `from`, `paused`, `red`, `target`, `weight`, `worst`");
}

#[test]
fn a_change_without_a_day() {
    let problems = broken(&[(r#"expected_every = "1d""#, "changes = [{ weight = 7 }]")]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:36: kpi `it.csat`, change 1: `from` is missing: write the day from which it holds, for example from = "2026-07-12"
    it.toml:36: kpi `it.csat`, change 1: it changes nothing: write what holds from that day on, or remove it
    "#);
}

#[test]
fn a_change_to_a_negative_weight() {
    let problems = broken(&[(
        r#"expected_every = "1d""#,
        r#"changes = [{ from = "2026-07-12", weight = -7 }]"#,
    )]);
    insta::assert_snapshot!(problems, @"it.toml:36: kpi `it.csat`, change 1: weight -7 is negative: write 0 or more; 0 is shown and weighs nothing");
}

#[test]
fn an_objective_that_changes_its_red() {
    let problems = broken(&[("weight = 2", r#"changes = [{ from = "2026-07-12", red = 7 }]"#)]);
    insta::assert_snapshot!(problems, @"it.toml:17: objective `happy`, change 1: unknown key `red`: use one of `from`, `weight`");
}

#[test]
fn an_include_of_negative_weight_from_nowhere() {
    let problems = broken(&[(
        r#"drives = ["financial/cheap"]"#,
        r#"include = [{ node = "x", weight = -1 }]"#,
    )]);
    insta::assert_snapshot!(problems, @"
    it.toml:18: objective `happy`, include 1: there is no scorecard `x`: write a file for it, or name another node
    it.toml:18: objective `happy`, include 1: weight -1 is negative: write 0 or more; 0 is shown and weighs nothing
    ");
}

#[test]
fn an_unknown_key_of_an_include() {
    let problems = broken(&[(r#"drives = ["financial/cheap"]"#, r#"include = [{ nod = "x" }]"#)]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:18: objective `happy`, include 1: `node` is missing: name a node of another scorecard, for example node = "it/customer"
    it.toml:18: objective `happy`, include 1: unknown key `nod`: did you mean `node`?
    "#);
}

#[test]
fn a_drive_into_another_scorecard() {
    let problems = broken(&[(r#"drives = ["financial/cheap"]"#, r#"drives = ["it/financial/cheap"]"#)]);
    insta::assert_snapshot!(problems, @"it.toml:18: objective `happy`: it drives `it/financial/cheap`, which is not here: did you mean `financial/cheap`?");
}

#[test]
fn an_alert_on_nothing() {
    let problems = broken(&[("on = \"it/**\"\n", "")]);
    insta::assert_snapshot!(problems, @r#"it.toml:44: alert `low`: `on` is missing: name the nodes, for example on = "it/**""#);
}

#[test]
fn an_alert_on_a_scorecard_that_is_near_to_none() {
    let problems = broken(&[(r#"on = "it/**""#, r#"on = "is/**""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "is/**" fits no node: name a node as scorecard/perspective/objective/kpi, with * or ** for levels"#);
}

#[test]
fn an_alert_on_an_instance_that_cannot_be() {
    let problems = broken(&[(r#"on = "it/**""#, r#"on = "it@x/**""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "it@x/**" fits no node: name a node as scorecard/perspective/objective/kpi, with * or ** for levels"#);
}

#[test]
fn an_alert_on_values_of_objectives() {
    let problems = broken(&[("below = 50", "metric = \"value\"\nkinds=[\"objective\"]\nbelow = 50")]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "it/**" fits no KPI, and only KPIs have a metric "value": widen it, for example to ".../**", or use metric = "score""#);
}

#[test]
fn an_alert_metric_that_is_none() {
    let problems = broken(&[("below = 50", "metric = \"scroe\"\nbelow = 50")]);
    insta::assert_snapshot!(problems, @r#"it.toml:47: alert `low`: `metric` is "scroe": did you mean "score"?"#);
}

#[test]
fn an_unknown_key_of_an_alert() {
    let problems = broken(&[("below = 50", "below = 50\nclaer = 55")]);
    insta::assert_snapshot!(problems, @"it.toml:48: alert `low`: unknown key `claer`: did you mean `clear`?");
}

#[test]
fn a_negative_patience() {
    let problems = broken(&[("below = 50", "below = 50\nfor = \"-1m\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:48: alert `low`: `for` is the text "-1m", not a length of time: write for = "90s", or with ms, m, h, d or w: one whole number and one unit"#);
}

#[test]
fn a_repetition_all_the_time() {
    let problems = broken(&[("below = 50", "below = 50\nrepeat = \"0s\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:48: alert `low`: `repeat` is 0: write a length above 0 such as "1d", or leave it out"#);
}

#[test]
fn a_table_that_is_none() {
    let problems = broken(&[("[[alert]]", "[[alerts]]")]);
    insta::assert_snapshot!(problems, @"it.toml:44: unknown key `alerts`: did you mean `alert`?");
}
