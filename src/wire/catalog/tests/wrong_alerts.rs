//! Wrong alert rules, and what is said of each: the whole message, as a person sees it.

use super::*;

#[test]
fn alerts_that_are_not_supported_yet() {
    let problems = broken(&[("below = 50", "metric = \"forecast\"\nbelow = 50\ninhibit = \"tree\"")]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:47: alert `low`: metric "forecast" is not supported yet: use value, score, status, coverage or age
    it.toml:49: alert `low`: `inhibit` is not supported yet: remove it
    "#);
}

#[test]
fn an_alert_without_a_condition() {
    let problems = broken(&[("below = 50\n", "")]);
    insta::assert_snapshot!(problems, @"it.toml:44: alert `low`: it has neither `below`, `above` nor `at_worst`: write one of them, for example below = 50");
}

#[test]
fn an_alert_with_two_conditions() {
    let problems = broken(&[("below = 50", "below = 50\nabove = 80")]);
    insta::assert_snapshot!(problems, @"it.toml:44: alert `low`: it has `below`, `above` at once: keep one of them");
}

#[test]
fn a_clear_on_the_wrong_side() {
    let problems = broken(&[("below = 50", "below = 50\nclear = 45")]);
    insta::assert_snapshot!(problems, @"it.toml:48: alert `low`: clear 45 is on the wrong side of below 50: write a clear at or above the threshold, or leave it out");
}

#[test]
fn a_threshold_that_is_never_crossed() {
    let problems = broken(&[("below = 50", "metric = \"coverage\"\nbelow = 50")]);
    insta::assert_snapshot!(problems, @"it.toml:48: alert `low`: below 50 is outside 0 to 1, which coverage never leaves: write a threshold that can be crossed");
}

#[test]
fn a_band_without_status() {
    let problems = broken(&[("below = 50", r#"at_worst = "red""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:47: alert `low`: `at_worst` compares bands, and metric is "score": write metric = "status""#);
}

#[test]
fn a_band_that_nobody_has() {
    let problems = broken(&[("below = 50", "metric = \"status\"\nat_worst = \"rod\"")]);
    insta::assert_snapshot!(problems, @r#"it.toml:48: alert `low`: no scorecard has a band "rod": did you mean `red`?"#);
}

#[test]
fn a_number_compared_with_status() {
    let problems = broken(&[("below = 50", "metric = \"status\"\nbelow = 50")]);
    insta::assert_snapshot!(problems, @r#"it.toml:48: alert `low`: `below` compares numbers, and metric "status" is none: write at_worst = "red", or metric = "score""#);
}

#[test]
fn a_pattern_that_fits_no_node() {
    let problems = broken(&[(r#"on = "it/**""#, r#"on = "it@berlin/**""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "it@berlin/**" fits no node: name a node as scorecard/perspective/objective/kpi, with * or ** for levels"#);
}

#[test]
fn a_pattern_that_fits_no_kpi() {
    let problems = broken(&[(
        "on = \"it/**\"\nbelow = 50",
        "on = \"it/customer\"\nmetric = \"value\"\nbelow = 50",
    )]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "it/customer" fits no KPI, and only KPIs have a metric "value": widen it, for example to ".../**", or use metric = "score""#);
}

#[test]
fn a_pattern_that_fits_other_kinds() {
    let problems = broken(&[(r#"on = "it/**""#, "on = \"it/customer\"\nkinds = [\"kpi\"]")]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "it/customer" fits no node of these kinds: widen `on` or `kinds`"#);
}

#[test]
fn a_pattern_with_an_empty_level() {
    let problems = broken(&[(r#"on = "it/**""#, r#"on = "it//x""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:46: alert `low`: on "it//x" has an empty level: write levels with one / between them, for example "it/customer/**""#);
}

#[test]
fn an_unknown_severity_and_kind() {
    let problems = broken(&[("below = 50", "below = 50\nseverity = \"fatal\"\nkinds = [\"kpis\"]")]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:48: alert `low`: `severity` is "fatal": use one of `info`, `warning`, `critical`
    it.toml:49: alert `low`: `kinds` is "kpis": did you mean "kpi"?
    "#);
}
