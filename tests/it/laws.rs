//! Laws: what must hold for any catalog and any stream.

mod ages;
mod arrival;
pub mod succession;
mod time;
mod travel;
mod words;

use std::collections::BTreeMap;

use kpid::domain::instant::{DAY_MS, Instant};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use crate::reference::compare_pictures::compare_pictures;
use crate::reference::generate::Case;
use crate::reference::{self, compare, generate, vectors};
use crate::support::pictures::kpid_pictures;
use crate::support::replays::kpid_replay;

#[test]
fn the_program_tells_every_hand_computed_story() {
    vectors::check_vectors(&kpid_replay, &kpid_pictures);
}

proptest! {
    #![proptest_config(usually(96))]

    #[test]
    fn the_program_agrees_with_the_naive_reference(case in generate::cases()) {
        agree(&case)?;
    }

    #[test]
    fn percentiles_agree_within_one_percent(case in generate::percentile_cases()) {
        agree(&case)?;
    }

    #[test]
    fn readers_see_what_the_naive_reference_sees(case in any_case(), queries in vec(query(), 4)) {
        pictures_agree(&case, &queries)?;
    }
}

/// So many cases, unless `PROPTEST_CASES` asks for another number.
pub fn usually(cases: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig {
            cases,
            ..ProptestConfig::default()
        },
    }
}

fn any_case() -> impl Strategy<Value = Case> {
    prop_oneof![3 => generate::cases(), 1 => generate::percentile_cases(), 2 => generate::restating_cases()]
}

/// An instant to ask for: so many thousandths of the way from before the first measurement to after the last, then moved
/// to an edge of hours or days, and beside it.
type Query = (i64, i64, i64);

fn query() -> impl Strategy<Value = Query> {
    let edge_ms = prop_oneof![3 => Just(1), 1 => Just(60_000), 1 => Just(3_600_000), 2 => Just(DAY_MS)];
    (0..1_100_i64, edge_ms, prop_oneof![2 => Just(0_i64), 1 => -1..=1_i64])
}

/// What is posted in the end, and what is shown of other instants.
fn pictures_agree(case: &Case, queries: &[Query]) -> Result<(), TestCaseError> {
    let evaluated = reference::run(&case.files, &case.ndjson, case.every_ms).0;
    let (Some(first), Some(last)) = (evaluated.first(), evaluated.last()) else {
        return Ok(());
    };
    let from = first.at_ms - DAY_MS;
    let instant = |(part, edge_ms, beside): &Query| {
        let at = from + (last.at_ms - from) / 1_000 * part;
        at.div_euclid(*edge_ms) * edge_ms + beside
    };
    let instants: Vec<i64> = queries.iter().map(instant).collect();
    let expected = reference::run_pictures(&case.files, &case.ndjson, case.every_ms, &instants);
    let (posted, wanted) = expected.expect("there were evaluations");
    let (found, answered) = kpid_pictures(&case.files, &case.ndjson, case.every_ms, &instants);
    compare_pictures(&posted, &found, case.exactness)
        .map_err(|difference| TestCaseError::fail(format!("at the end: {difference}")))?;
    for ((want, have), at) in wanted.iter().zip(&answered).zip(&instants) {
        compare_pictures(want, have, case.exactness)
            .map_err(|difference| TestCaseError::fail(format!("asked for {}: {difference}", Instant(*at))))?;
    }
    Ok(())
}

#[test]
fn generated_stories_show_everything_that_is_compared() {
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..200 {
        let case = any_case().new_tree(&mut runner).expect("a case").current();
        let Some((picture, _)) = reference::run_pictures(&case.files, &case.ndjson, case.every_ms, &[]) else {
            continue;
        };
        for shown in picture.nodes.values() {
            let trend = shown.trend.as_ref().map_or("no trend", |trend| trend.direction);
            let facts = [
                (shown.provisional, "provisional"),
                (shown.restated, "restated"),
                (!shown.fresh && shown.line.value.is_some(), "not fresh"),
                (shown.red > 1, "red"),
                (shown.count > 1, "count"),
                (
                    shown.worst.as_ref().is_some_and(|worst| worst.0 != shown.line.path),
                    "worst",
                ),
                (shown.line.absence.as_deref() == Some("stale"), "stale"),
                (true, trend),
            ];
            let holding = facts.iter().filter(|(holds, _)| *holds);
            holding.for_each(|(_, fact)| *seen.entry(fact).or_default() += 1);
        }
        if picture.ranked.values().any(|instances| instances.len() > 1) {
            *seen.entry("ranked").or_default() += 1;
        }
    }
    let wanted = [
        "better",
        "count",
        "no trend",
        "not fresh",
        "provisional",
        "ranked",
        "red",
        "restated",
        "same",
        "stale",
        "worse",
        "worst",
    ];
    let rare: Vec<_> = wanted
        .iter()
        .filter(|fact| seen.get(*fact).is_none_or(|times| *times < 5))
        .collect();
    assert!(rare.is_empty(), "hardly seen: {rare:?} of {seen:?}");
}

fn agree(case: &generate::Case) -> Result<(), TestCaseError> {
    let expected = reference::run(&case.files, &case.ndjson, case.every_ms);
    let actual = kpid_replay(&case.files, &case.ndjson, case.every_ms);
    compare(&expected, &actual, case.exactness).map_err(TestCaseError::fail)
}
