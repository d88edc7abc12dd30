//! What is wrong with a catalog: the thing, the value found, the remedy, and where it stands.
//!
//! Byte offsets of the TOML document enter, lines and columns leave. Problems are collected, never thrown: a reader
//! of the catalog shall see all of them at once.

use std::fmt;
use std::sync::{Mutex, PoisonError};

/// One thing that has to be put right before a catalog holds.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// File name without folder, for example `it.toml`; empty when there is no file.
    pub file: String,
    /// From 1.
    pub line: usize,
    /// From 1, in characters.
    pub column: usize,
    /// The thing and the value found.
    pub what: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Problem {
    /// `file:line: what: remedy`, one line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file.as_str() {
            "" => write!(f, "{}: {}", self.what, self.remedy),
            file => write!(f, "{file}:{}: {}: {}", self.line, self.what, self.remedy),
        }
    }
}

/// The problems of one file, as they are found, perhaps by several who read at once.
pub(super) struct Report<'a> {
    /// File name, for people.
    pub file: &'a str,
    text: &'a str,
    /// Byte offsets at which lines start: a file may have very many problems.
    line_starts: Vec<usize>,
    problems: Mutex<Vec<Problem>>,
}

impl<'a> Report<'a> {
    /// An empty report about a file.
    pub fn new(file: &'a str, text: &'a str) -> Self {
        let starts = text.match_indices('\n').map(|(newline, _)| newline + 1);
        Self {
            file,
            text,
            line_starts: std::iter::once(0).chain(starts).collect(),
            problems: Mutex::default(),
        }
    }

    /// Adds a problem at a byte offset. Texts of several lines become one.
    pub fn add(&self, at: usize, what: &str, remedy: &str) {
        let (line, column) = self.position(at);
        let one_line = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        problems.push(Problem {
            file: self.file.to_owned(),
            line,
            column,
            what: one_line(what),
            remedy: one_line(remedy),
        });
    }

    /// Line and column of a byte offset, both from 1.
    pub fn position(&self, at: usize) -> (usize, usize) {
        let at = at.min(self.text.len());
        let line = self.line_starts.partition_point(|start| *start <= at);
        let start = line.checked_sub(1).and_then(|line| self.line_starts.get(line));
        let before = self.text.get(start.copied().unwrap_or(0)..at).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// What was found, leaving nothing.
    pub fn take(&self) -> Vec<Problem> {
        let mut problems = self.problems.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut problems)
    }
}

/// The known word nearest to one that is not known, if any is near enough to be meant.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    // A third of the letters may differ, and in short words two: `targt`, `up ` and `lagging`/`laging` are found.
    let reach = (word.chars().count() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (strsim::osa_distance(word, candidate), candidate))
        .filter(|(distance, candidate)| *distance <= reach && *distance < candidate.chars().count())
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// `did you mean ...?`, or all that is known.
pub(super) fn suggest(word: &str, known: &[&str]) -> String {
    match nearest(word, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if known.is_empty() => "remove it".to_owned(),
        None => format!("use one of {}", list(known)),
    }
}

/// `did you mean ...?`, or another remedy where nothing is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>, otherwise: &str) -> String {
    nearest(word, known).map_or_else(|| otherwise.to_owned(), |meant| format!("did you mean `{meant}`?"))
}

/// Words in a row: `a`, `b`, `c`.
pub(super) fn list(words: &[&str]) -> String {
    let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_position_counts_characters_and_survives_any_offset() {
        let report = Report::new("x.toml", "ä = 1\nzwölf = 2\n");
        assert_eq!(report.position(0), (1, 1));
        assert_eq!(report.position(7), (2, 1));
        assert_eq!(report.position(14), (2, 7));
        assert_eq!(report.position(9_999), (3, 1));
    }

    #[test]
    fn only_a_near_word_is_suggested() {
        assert_eq!(nearest("targt", ["title", "target"]), Some("target"));
        assert_eq!(nearest("xyz", ["up", "down"]), None);
        assert_eq!(nearest("ab", ["up"]), None);
    }
}
