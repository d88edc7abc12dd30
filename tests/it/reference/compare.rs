//! Holds what was printed against what was expected, and tells the first difference in words.
//!
//! Readings are compared as what is known of a node at an instant, not line by line: a value that moved by a rounding
//! gives one more line on one side, which is no difference. Alerts are compared line by line.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::{AlertLine, Lines, ReadingLine};

/// How exactly two replays must agree.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Exactness {
    /// Values, scores and coverages to 1e-9, everything else exactly.
    Exact,
    /// A catalog with percentiles: values to 1 %; scores and statuses must be there where they are expected, whatever
    /// they are; alerts, which hang on them, are left out.
    Percentiles,
}

/// `Ok` when both agree; else the first difference, with the lines around it.
pub fn compare(expected: &Lines, actual: &Lines, exactness: Exactness) -> Result<(), String> {
    compare_readings(&expected.0, &actual.0, exactness)?;
    match exactness {
        Exactness::Exact => compare_alerts(&expected.1, &actual.1),
        Exactness::Percentiles => Ok(()),
    }
}

/// Both sides as steps in time: at each instant at which either prints a line, all nodes so far must agree.
fn compare_readings(expected: &[ReadingLine], actual: &[ReadingLine], exactness: Exactness) -> Result<(), String> {
    must_go_forward(actual)?;
    must_tell_changes(actual)?;
    let instants: BTreeSet<i64> = expected.iter().chain(actual).map(|line| line.at_ms).collect();
    let (mut wanted, mut found) = (BTreeMap::new(), BTreeMap::new());
    for instant in instants {
        let mut touched: BTreeSet<&str> = learn(&mut wanted, expected, instant);
        touched.extend(learn(&mut found, actual, instant));
        // Leaves first: a leaf that differs says more than its parents.
        let mut touched: Vec<&str> = touched.into_iter().collect();
        touched.sort_by_key(|path| std::cmp::Reverse(path.matches('/').count()));
        for path in touched {
            let (want, have) = (wanted.get(path).copied(), found.get(path).copied());
            if !agree(want, have, exactness) {
                return Err(differ(path, instant, expected, actual));
            }
        }
    }
    Ok(())
}

/// Takes in the lines of that instant; returns whose lines they were.
fn learn<'a>(
    known: &mut BTreeMap<&'a str, &'a ReadingLine>,
    lines: &'a [ReadingLine],
    instant: i64,
) -> BTreeSet<&'a str> {
    let news: Vec<&ReadingLine> = lines.iter().filter(|line| line.at_ms == instant).collect();
    known.extend(news.iter().map(|line| (line.path.as_str(), *line)));
    news.into_iter().map(|line| line.path.as_str()).collect()
}

fn must_go_forward(lines: &[ReadingLine]) -> Result<(), String> {
    let backwards = lines.windows(2).find(|pair| pair[1].at_ms < pair[0].at_ms);
    backwards.map_or(Ok(()), |pair| {
        Err(format!(
            "readings go back in time:\n{}\n{}",
            show(&pair[0]),
            show(&pair[1])
        ))
    })
}

/// A line for an instant at which nothing changed is one too many.
fn must_tell_changes(lines: &[ReadingLine]) -> Result<(), String> {
    let mut last: BTreeMap<&str, &ReadingLine> = BTreeMap::new();
    for line in lines {
        if let Some(before) = last.insert(&line.path, line) {
            let same = ReadingLine {
                at_ms: line.at_ms,
                ..before.clone()
            };
            if same == *line {
                return Err(format!("a line without a change:\n{}\n{}", show(before), show(line)));
            }
        }
    }
    Ok(())
}

fn agree(want: Option<&ReadingLine>, have: Option<&ReadingLine>, exactness: Exactness) -> bool {
    let (Some(want), Some(have)) = (want, have) else {
        return false;
    };
    let same_words = want.absence == have.absence && near(want.coverage, have.coverage, 1e-9);
    match exactness {
        Exactness::Exact => {
            same_words
                && near_value(want.value, have.value, 1e-9)
                && near(want.score, have.score, 1e-9)
                && (want.status == have.status || on_the_edge(want, have))
        }
        Exactness::Percentiles => {
            same_words && near_value(want.value, have.value, 0.0101) && want.score.is_some() == have.score.is_some()
        }
    }
}

/// Scores that differ by a rounding may lie on either side of a band's border; equal ones may not. Borders are whole
/// numbers in everything that is compared.
pub fn on_the_edge(want: &ReadingLine, have: &ReadingLine) -> bool {
    match (want.score, have.score) {
        (Some(want), Some(have)) => want != have && (want - want.round()).abs() < 1e-9,
        _ => false,
    }
}

/// Equal to the tolerance: relative for great numbers, absolute for small ones.
pub fn near(want: Option<f64>, have: Option<f64>, tolerance: f64) -> bool {
    match (want, have) {
        (None, None) => true,
        (Some(want), Some(have)) => (want - have).abs() <= tolerance * want.abs().max(1.0),
        _ => false,
    }
}

/// Values may be tiny: relative to the tolerance, unless both are next to nothing.
pub fn near_value(want: Option<f64>, have: Option<f64>, tolerance: f64) -> bool {
    match (want, have) {
        (Some(want), Some(have)) => (want - have).abs() <= tolerance * want.abs() + 1e-12,
        (want, have) => want == have,
    }
}

fn compare_alerts(expected: &[AlertLine], actual: &[AlertLine]) -> Result<(), String> {
    let length = expected.len().max(actual.len());
    let Some(place) = (0..length).find(|place| expected.get(*place) != actual.get(*place)) else {
        return Ok(());
    };
    let mut text = format!("alert transition {place} differs\n");
    for (name, lines) in [("expected", expected), ("actual", actual)] {
        let _ = writeln!(text, "{name} ({} in all):", lines.len());
        for (index, line) in lines.iter().enumerate().skip(place.saturating_sub(2)).take(5) {
            let mark = if index == place { ">" } else { " " };
            let _ = writeln!(text, "{mark} {index} {}", show_alert(line));
        }
    }
    Err(text)
}

fn differ(path: &str, instant: i64, expected: &[ReadingLine], actual: &[ReadingLine]) -> String {
    let mut text = format!("{path} differs at {}\n", time(instant));
    for (name, lines) in [("expected", expected), ("actual", actual)] {
        let _ = writeln!(text, "{name}:");
        let of_path: Vec<&ReadingLine> = lines.iter().filter(|line| line.path == path).collect();
        let later = of_path
            .iter()
            .position(|line| line.at_ms > instant)
            .unwrap_or(of_path.len());
        for line in of_path.iter().skip(later.saturating_sub(3)).take(4) {
            let _ = writeln!(text, "  {}", show(line));
        }
    }
    text
}

fn show(line: &ReadingLine) -> String {
    let ReadingLine {
        at_ms,
        path,
        value,
        score,
        status,
        absence,
        coverage,
    } = line;
    let at = time(*at_ms);
    format!("{at} {path} value={value:?} score={score:?} status={status:?} absence={absence:?} coverage={coverage:?}")
}

fn show_alert(line: &AlertLine) -> String {
    let (at, since) = (time(line.at_ms), time(line.since_ms));
    format!("{at} {} {} {} since {since}", line.rule, line.path, line.transition)
}

fn time(instant: i64) -> String {
    jiff::Timestamp::from_millisecond(instant).map_or_else(|_| instant.to_string(), |timestamp| timestamp.to_string())
}
