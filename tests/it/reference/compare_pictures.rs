//! Holds what readers see against what was expected, and tells the first difference in words.

use std::fmt::Debug;

use super::compare::{Exactness, near, near_value, on_the_edge};
use super::pictures::{Picture, Shown, Trend};

/// `Ok` when both show the same of every node, and rank the instances alike; else the first difference.
pub fn compare_pictures(expected: &Picture, actual: &Picture, exactness: Exactness) -> Result<(), String> {
    for (path, want) in &expected.nodes {
        let Some(have) = actual.nodes.get(path) else {
            return Err(format!("{path} is missing; expected\n{want:#?}"));
        };
        differs(want, have, exactness).map_or(Ok(()), |what| {
            Err(format!(
                "{what} of {path} differs\nexpected {want:#?}\nactual {have:#?}"
            ))
        })?;
    }
    if let Some(path) = actual.nodes.keys().find(|path| !expected.nodes.contains_key(*path)) {
        return Err(format!("{path} should not be there"));
    }
    match exactness {
        Exactness::Exact => compare_ranks(expected, actual),
        Exactness::Percentiles => Ok(()),
    }
}

/// What differs, in a word.
fn differs(want: &Shown, have: &Shown, exactness: Exactness) -> Option<&'static str> {
    let is_exact = exactness == Exactness::Exact;
    let tolerance = if is_exact { 1e-9 } else { 0.0101 };
    let (line, found) = (&want.line, &have.line);
    let scores = near(line.score, found.score, 1e-9) || !is_exact && line.score.is_some() == found.score.is_some();
    let checks = [
        ("value", near_value(line.value, found.value, tolerance)),
        ("score", scores),
        (
            "status",
            line.status == found.status || !is_exact || on_the_edge(line, found),
        ),
        ("absence", line.absence == found.absence),
        ("coverage", near(line.coverage, found.coverage, 1e-9)),
        ("count", want.count == have.count),
        ("observed_at", want.observed_at == have.observed_at),
        ("fresh", want.fresh == have.fresh),
        ("provisional", want.provisional == have.provisional),
        ("restated", want.restated == have.restated),
        (
            "worst",
            !is_exact || worst_agrees(want.worst.as_ref(), have.worst.as_ref()),
        ),
        ("red", !is_exact || want.red == have.red || on_the_edge(line, found)),
        (
            "trend",
            trend_agrees(want.trend.as_ref(), have.trend.as_ref(), exactness),
        ),
    ];
    checks.into_iter().find(|(_, holds)| !holds).map(|(what, _)| what)
}

/// The same leaf, or one that is as low but for a rounding.
fn worst_agrees(want: Option<&(String, f64)>, have: Option<&(String, f64)>) -> bool {
    let scores = (want.map(|worst| worst.1), have.map(|worst| worst.1));
    let same_path = want.map(|worst| &worst.0) == have.map(|worst| &worst.0);
    near(scores.0, scores.1, 1e-9) && (same_path || scores.0 != scores.1)
}

fn trend_agrees(want: Option<&Trend>, have: Option<&Trend>, exactness: Exactness) -> bool {
    let (Some(want), Some(have)) = (want, have) else {
        return want.is_none() && have.is_none();
    };
    let is_exact = exactness == Exactness::Exact;
    let same_word = want.direction == have.direction || want.change.abs() < 1e-9;
    !is_exact
        || near(Some(want.previous), Some(have.previous), 1e-9)
            && near(Some(want.change), Some(have.change), 1e-9)
            && near_value(want.previous_value, have.previous_value, 1e-9)
            && same_word
}

/// At most so many instances are named.
const RANKED_MAX: usize = 10;

/// Scores in their order from either end; of equal ones any instance that has this score.
fn compare_ranks(expected: &Picture, actual: &Picture) -> Result<(), String> {
    for (scorecard, have) in &actual.ranked {
        let all = expected.ranked.get(scorecard).cloned().unwrap_or_default();
        let (lowest, highest) = (all.iter(), all.iter().rev());
        let want: Vec<&(f64, String)> = lowest.take(RANKED_MAX).chain(highest.take(RANKED_MAX)).collect();
        let is_score_of = |(score, path): &(f64, String)| {
            all.iter()
                .any(|(known, other)| other == path && near(Some(*known), Some(*score), 1e-9))
        };
        let scores = want.len() == have.len()
            && want
                .iter()
                .zip(have)
                .all(|(want, have)| near(Some(want.0), Some(have.0), 1e-9));
        if !scores || !have.iter().all(is_score_of) {
            return Err(told(scorecard, &want, have));
        }
    }
    Ok(())
}

fn told(scorecard: &str, want: &impl Debug, have: &impl Debug) -> String {
    format!("worst and best instances of {scorecard} differ\nexpected {want:?}\nactual {have:?}")
}
