//! What the catalog's reader promises, told on whole files.

mod arrives;
mod wrong_alerts;
mod wrong_kpis;
mod wrong_trees;
mod wrong_words;

use super::*;
use proptest::prelude::*;

fn files(named: &[(&str, &str)]) -> Vec<CatalogFile> {
    let files = named.iter().map(|(name, text)| CatalogFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    });
    files.collect()
}

/// All problems, one a line.
fn problems(named: &[(&str, &str)]) -> String {
    let problems = parse(&files(named)).expect_err("a catalog with problems");
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn read(named: &[(&str, &str)]) -> Catalog {
    parse(&files(named)).unwrap_or_else(|problems| panic!("{problems:#?}"))
}

/// A small catalog without a problem; tests break one thing of it.
const GOOD: &str = include_str!("../../../../tests/it/catalogs/small.toml");

/// The problems of the small catalog with some passages replaced.
fn broken(changes: &[(&str, &str)]) -> String {
    let mut text = GOOD.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "{from}");
        text = text.replace(from, to);
    }
    problems(&[("it.toml", &text)])
}

#[test]
fn the_small_catalog_has_no_problem() {
    read(&[("it.toml", GOOD)]);
}

#[test]
fn a_file_written_on_another_system_reads_alike() {
    for text in [GOOD.replace('\n', "\r\n"), format!("\u{feff}{GOOD}")] {
        assert_eq!(read(&[("it.toml", &text)]).kpis.len(), 2);
    }
}

#[test]
fn the_five_scorecards_load_and_fill_every_perspective() {
    let catalog = read(&DEFAULT_SCORECARDS);
    let ids: Vec<&str> = catalog
        .scorecards
        .iter()
        .map(|scorecard| scorecard.id.as_str())
        .collect();
    assert_eq!(ids, ["company", "it", "marketing", "product", "training"]);
    for scorecard in &catalog.scorecards {
        let sides: Vec<&str> = scorecard.perspectives.iter().map(|side| side.id.as_str()).collect();
        assert_eq!(
            sides,
            ["financial", "customer", "process", "learning"],
            "{}",
            scorecard.id
        );
        assert!(scorecard.owner.is_some());
        if scorecard.id.as_str() == "company" {
            assert!(
                scorecard
                    .objectives
                    .iter()
                    .all(|objective| !objective.include.is_empty())
            );
            continue;
        }
        assert!(scorecard.kpis.len() >= 12, "{}", scorecard.id);
        assert!(scorecard.kpis.iter().any(|kpi| kpi.scale.is_some()), "{}", scorecard.id);
        let ranges = |kpi: &crate::domain::catalog::KpiDefinition| {
            let version = kpi.versions.first().unwrap();
            matches!(version.value.target, Some(crate::domain::catalog::Target::Range(..)))
        };
        assert!(scorecard.kpis.iter().any(ranges), "{}", scorecard.id);
        assert!(
            catalog
                .rules
                .iter()
                .any(|rule| rule.id.as_str().starts_with(scorecard.id.as_str()))
        );
    }
}

#[test]
fn every_kpi_of_the_five_has_a_path_of_its_own() {
    let catalog = read(&DEFAULT_SCORECARDS);
    let paths = paths(&catalog);
    assert!(paths.contains(&"it/customer/satisfied-users/it.csat".to_owned()));
    for id in catalog.kpis.keys() {
        let ending = format!("/{id}");
        assert_eq!(paths.iter().filter(|path| path.ends_with(&ending)).count(), 1, "{id}");
    }
}

#[test]
fn the_order_of_the_files_does_not_matter() {
    let mut backwards = DEFAULT_SCORECARDS;
    backwards.reverse();
    let (one, other) = (read(&DEFAULT_SCORECARDS), read(&backwards));
    assert_eq!(one.fingerprint, other.fingerprint);
    assert_eq!(format!("{:?}", one.scorecards), format!("{:?}", other.scorecards));
    assert_eq!(one.rules, other.rules);
}

#[test]
fn the_fingerprint_follows_names_and_texts() {
    let fingerprint = |named: &[(&str, &str)]| fingerprint(&files(named));
    // SHA-256 of "a.toml", 0, "x", 0, by another program.
    let expected = "sha256:37d6494d95a68ccc";
    assert!(
        fingerprint(&[("a.toml", "x")]).starts_with(expected),
        "{}",
        fingerprint(&[("a.toml", "x")])
    );
    assert_ne!(fingerprint(&[("a.toml", "x")]), fingerprint(&[("a.toml", "y")]));
    assert_ne!(fingerprint(&[("a.toml", "x")]), fingerprint(&[("b.toml", "x")]));
    // What stands in the name must not be taken for what stands in the text.
    assert_ne!(fingerprint(&[("a", "bc")]), fingerprint(&[("ab", "c")]));
}

/// The default of that file in UTC: a table of local midnights for every case would take minutes.
fn it_in_utc() -> String {
    let (_, text) = DEFAULT_SCORECARDS.iter().find(|(name, _)| *name == "it.toml").unwrap();
    text.replace("Europe/Berlin", "UTC")
}

/// Keys of all tables, and one of none.
const KEYS: &str = "id title perspective objective weight window aggregate red target direction changes bands include \
     scale curve drives on below clear at_worst kinds metric for from name min_coverage fiscal_year_start accept \
     expected_every missing hold_for x";

/// Values of every type, at the edges of what is allowed and beyond; one a line.
const VALUES: &str = r#""it"
"a"
5
-1
1e308
nan
[]
[1, 2]
[[0, 0], [1, 100]]
{ rolling = "28d" }
{ rolling = "1ms", slice = "1w" }
{ period = "year", calendar = "4-4-5" }
true
"ratio"
"up"
"range"
2026-07-12
[{ from = "2026-01-01", weight = 1 }]
[{ node = "it@a/b" }]
{ bad = 0, good = 100 }
"**/*"
9223372036854775807
"99999999999999w"
"\u0000""#;

const HEADERS: &str = "[scorecard] [[perspective]] [[objective]] [[kpi]] [[alert]] [kpi] [[scorecard]] [[kpi.changes]]";

/// Lines of which a catalog may be made, and worse ones.
fn line() -> impl Strategy<Value = String> {
    let one_of = |words: Vec<&'static str>| proptest::sample::select(words);
    let pair = (
        one_of(KEYS.split_whitespace().collect()),
        one_of(VALUES.lines().collect()),
    );
    prop_oneof![
        6 => pair.prop_map(|(key, value)| format!("{key} = {value}")),
        2 => one_of(HEADERS.split(' ').collect()).prop_map(str::to_owned),
        1 => any::<String>(),
        1 => "[\\[\\]{}=,\"'#.a-z0-9 -]{0,20}",
    ]
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(lines in proptest::collection::vec(line(), 0..40)) {
        let text = lines.join("\n");
        if let Err(problems) = parse(&files(&[("a.toml", &text), ("it.toml", &it_in_utc())])) {
            prop_assert!(!problems.is_empty());
            prop_assert!(problems.iter().all(|problem| !problem.to_string().contains('\n') && !problem.remedy.is_empty()));
            prop_assert!(problems.is_sorted());
        }
    }

    #[test]
    fn no_damage_to_a_good_file_makes_the_reader_panic(at in 0_usize..16_000, bytes in "\\PC{0,3}", cut in 0_usize..9) {
        let mut text: Vec<char> = it_in_utc().chars().collect();
        let at = at.min(text.len());
        let end = (at + cut).min(text.len());
        text.splice(at..end, bytes.chars());
        let text: String = text.into_iter().collect();
        let _ = parse(&files(&[("it.toml", &text)]));
    }
}
