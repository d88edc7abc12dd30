//! Wrong scorecards, perspectives, objectives and files, and what is said of each: the whole message, as a person sees it.

use super::*;

#[test]
fn a_time_zone_that_is_none() {
    let problems = broken(&[(r#"time_zone = "UTC""#, r#"time_zone = "Europe/Berlun""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:6: scorecard: time_zone "Europe/Berlun" is not known: write an IANA name, for example "Europe/Berlin" or "UTC""#);
}

#[test]
fn a_month_that_is_none() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "fiscal_year_start = 13")]);
    insta::assert_snapshot!(problems, @"it.toml:6: scorecard: fiscal_year_start 13 is not a month: write a number from 1 for January to 12 for December");
}

#[test]
fn coverage_in_percent() {
    let problems = broken(&[(r#"time_zone = "UTC""#, "min_coverage = 50")]);
    insta::assert_snapshot!(problems, @"it.toml:6: scorecard: min_coverage 50 is not between 0 and 1: write a share, for example 0.5 for half of the weight");
}

#[test]
fn bands_that_do_not_start_or_rise() {
    let problems = broken(&[(
        r#"time_zone = "UTC""#,
        r#"bands = [{ name = "red", from = 10 }, { name = "red", from = 5 }, { name = "top", from = 101 }]"#,
    )]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:6: scorecard, band 1: the first band starts at 10: write from = 0
    it.toml:6: scorecard, band 2: the name "red" is taken already: give it another name
    it.toml:6: scorecard, band 2: from 5 is not above 10 of the band before: write bands by increasing score
    it.toml:6: scorecard, band 3: from 101 is above 100: scores go from 0 to 100
    "#);
}

#[test]
fn an_id_with_a_capital() {
    let problems = broken(&[(r#"id = "it.csat""#, r#"id = "It.csat""#)]);
    insta::assert_snapshot!(problems, @r#"it.toml:25: kpi `It.csat`: id "It.csat": `I` is not allowed there: use `a-z`, `0-9`, and after the first character also `.`, `_`, `-`"#);
}

#[test]
fn an_id_twice() {
    let problems = broken(&[(r#"id = "cheap""#, r#"id = "happy""#)]);
    insta::assert_snapshot!(problems, @"
    it.toml:18: objective `happy`: it drives `financial/cheap`, which is not here: did you mean `financial/happy`?
    it.toml:21: objective `happy`: the id is taken by another objective of this scorecard: give it another id
    it.toml:40: kpi `it.cost`: there is no objective `cheap`: write a [[objective]] with this id, or name another
    ");
}

#[test]
fn a_reference_to_nowhere() {
    let problems = broken(&[(r#"perspective = "financial""#, r#"perspective = "finacial""#)]);
    insta::assert_snapshot!(problems, @"it.toml:22: objective `cheap`: there is no perspective `finacial`: did you mean `financial`?");
}

#[test]
fn a_kpi_without_a_home() {
    let problems = broken(&[("objective = \"happy\"\n", "")]);
    insta::assert_snapshot!(problems, @r#"it.toml:24: kpi `it.csat`: `objective` is missing: name one, for example objective = "happy""#);
}

#[test]
fn drives_that_lead_nowhere() {
    let problems = broken(&[(
        r#"drives = ["financial/cheap"]"#,
        r#"drives = ["financial/chaep", "customer/happy"]"#,
    )]);
    insta::assert_snapshot!(problems, @"
    it.toml:18: objective `happy`: it drives `financial/chaep`, which is not here: did you mean `financial/cheap`?
    it.toml:18: objective `happy`: it drives itself: name another objective, or remove it
    ");
}

#[test]
fn an_include_of_the_same_scorecard() {
    let problems = broken(&[(
        r#"drives = ["financial/cheap"]"#,
        r#"include = [{ node = "it/financial" }, { weight = 1 }, { node = "sales" }]"#,
    )]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:18: objective `happy`, include 1: `it/financial` is of the same scorecard: include nodes of other scorecards only
    it.toml:18: objective `happy`, include 2: `node` is missing: name a node of another scorecard, for example node = "it/customer"
    it.toml:18: objective `happy`, include 3: there is no scorecard `sales`: write a file for it, or name another node
    "#);
}

#[test]
fn no_scorecard_at_all() {
    let problems = broken(&[("[scorecard]\nid = \"it\"\ntitle = \"IT\"\ntime_zone = \"UTC\"\n", "")]);
    insta::assert_snapshot!(problems, @r#"it.toml:1: `[scorecard]` is missing: start the file with [scorecard] and id = "...": one file, one scorecard"#);
}

#[test]
fn a_scorecard_without_an_id() {
    let problems = broken(&[("[scorecard]\nid = \"it\"", "[scorecard]")]);
    insta::assert_snapshot!(problems, @r#"it.toml:3: scorecard: `id` is missing: give it a short name in small letters, for example id = "it""#);
}

#[test]
fn a_list_of_tables_that_is_none() {
    let problems = broken(&[("[[alert]]", "[alert]")]);
    insta::assert_snapshot!(problems, @"it.toml:44: `alert` is a table, not a list of tables: write [[alert]] on a line of its own, and what belongs to it below");
}

#[test]
fn broken_syntax() {
    let problems = broken(&[("weight = 2", "weight = = 2"), (r#"on = "it/**""#, r#"on = "it/**"#)]);
    insta::assert_snapshot!(problems, @r#"
    it.toml:17: not TOML: extra `=`, expected nothing: put the syntax right, see https://toml.io
    it.toml:17: not TOML: unexpected key or value, expected newline, `#`: put the syntax right, see https://toml.io
    it.toml:46: not TOML: invalid basic string, expected `"`: put the syntax right, see https://toml.io
    "#);
}

#[test]
fn a_key_twice() {
    let problems = broken(&[("target = 90", "target = 90\ntarget = 91")]);
    insta::assert_snapshot!(problems, @"it.toml:36: not TOML: duplicate key: put the syntax right, see https://toml.io");
}

#[test]
fn no_files() {
    insta::assert_snapshot!(problems(&[]), @"the catalog has no *.toml file: write one with `kpid init`, or name the folder with `catalog` in the settings");
}

const ONE: &str = include_str!("../../../../tests/it/catalogs/contract/servicedesk.toml");

/// Another scorecard that includes a node of the first.
fn including(id: &str, node: &str) -> String {
    let text = ONE
        .replace("servicedesk", id)
        .replace("desk.calls", &format!("{id}.calls"));
    text.replace(
        "perspective = \"customer\"",
        &format!("perspective = \"customer\"\ninclude = [{{ node = \"{node}\" }}]"),
    )
}

#[test]
fn the_same_ids_in_two_files() {
    let problems = problems(&[("a.toml", ONE), ("b.toml", ONE)]);
    insta::assert_snapshot!(problems, @"
    b.toml:4: scorecard `servicedesk`: the id is taken at a.toml:4: give one of the two another id: it is unique over the catalog
    b.toml:14: kpi `desk.calls`: the id is taken at a.toml:14: give one of the two another id: it is unique over the catalog
    ");
}

#[test]
fn includes_that_lead_nowhere() {
    let (b, c) = (
        including("b", "servicedsk/customer"),
        including("c", "servicedesk/custommer"),
    );
    let d = including("d", "servicedesk@berlin");
    let problems = problems(&[("a.toml", ONE), ("b.toml", &b), ("c.toml", &c), ("d.toml", &d)]);
    insta::assert_snapshot!(problems, @"
    b.toml:12: objective `calls`, include 1: there is no scorecard `servicedsk`: did you mean `servicedesk`?
    c.toml:12: objective `calls`, include 1: there is no node `servicedesk/custommer`: did you mean `servicedesk/customer`?
    d.toml:12: objective `calls`, include 1: scorecard `servicedesk` has no instance `berlin`: leave out the part from @ on, or write `each` in that scorecard
    ");
}

#[test]
fn a_cascade_that_loops() {
    let (a, b, c) = (
        including("a", "b/customer"),
        including("b", "c"),
        including("c", "a/customer/calls"),
    );
    let d = including("d", "a");
    let problems = problems(&[("a.toml", &a), ("b.toml", &b), ("c.toml", &c), ("d.toml", &d)]);
    insta::assert_snapshot!(problems, @"
    a.toml:12: objective `calls`, include 1: the cascade loops: a -> b -> c -> a: remove one of these includes
    b.toml:12: objective `calls`, include 1: the cascade loops: b -> c -> a -> b: remove one of these includes
    c.toml:12: objective `calls`, include 1: the cascade loops: c -> a -> b -> c: remove one of these includes
    ");
}

#[test]
fn a_file_that_cannot_be_read_is_not_held_against_those_that_refer_to_it() {
    let b = including("b", "servicedesk/customer");
    let problems = problems(&[("a.toml", "[scorecard\n"), ("b.toml", &b)]);
    insta::assert_snapshot!(problems, @"a.toml:1: not TOML: unclosed table, expected `]`: put the syntax right, see https://toml.io");
}

#[test]
fn all_problems_of_all_files_are_told_at_once_and_in_order() {
    let it = [
        ("time_zone = \"UTC\"", "time_zone = \"Mars\"\nfiscal_year_start = 0"),
        ("red = 75", "red = 95"),
        ("weight = 2", "wieght = 2"),
        ("below = 50", "below = 50\nseverity = \"loud\""),
    ];
    let it = it
        .iter()
        .fold(GOOD.to_owned(), |text, (from, to)| text.replace(from, to));
    let desk = ONE.replace("\"count\"", "\"cuont\"");
    let problems = problems(&[("servicedesk.toml", &desk), ("it.toml", &it), ("bad.toml", "x = [")]);
    insta::assert_snapshot!(problems, @r#"
    bad.toml:1: not TOML: unclosed array, expected `]`: put the syntax right, see https://toml.io
    it.toml:6: scorecard: time_zone "Mars" is not known: write an IANA name, for example "Europe/Berlin" or "UTC"
    it.toml:7: scorecard: fiscal_year_start 0 is not a month: write a number from 1 for January to 12 for December
    it.toml:18: objective `happy`: unknown key `wieght`: did you mean `weight`?
    it.toml:35: kpi `it.csat`: red 95 is above target 90 although direction is "up": swap them or write direction = "down"
    it.toml:49: alert `low`: `severity` is "loud": use one of `info`, `warning`, `critical`
    servicedesk.toml:16: kpi `desk.calls`: `aggregate` is "cuont": did you mean "count"?
    "#);
}

#[test]
fn a_problem_says_its_column_too() {
    let text = GOOD.replace("slice = \"1d\"", "slize = \"1d\"");
    let problems = parse(&files(&[("it.toml", &text)])).unwrap_err();
    let places: Vec<_> = problems.iter().map(|problem| (problem.line, problem.column)).collect();
    assert_eq!(places, [(32, 29)]);
}
