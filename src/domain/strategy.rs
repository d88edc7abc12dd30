//! The strategy map: which objectives are believed to drive which, and what the history shows of it.
//!
//! A scorecard's `drives` and the scores of its objectives at equal steps enter; an arrow each leaves, in catalog order.

use super::catalog::Scorecard;
use super::correlation::{Correlation, correlate};

/// A belief and what became of it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Arrow {
    /// Index of the objective that drives.
    pub from: usize,
    /// Index of the objective that is driven.
    pub to: usize,
    /// What the history shows.
    pub correlation: Correlation,
}

/// The arrows of a scorecard. `scores` has a row a step, oldest first, and in it a score an objective.
pub fn arrows(scorecard: &Scorecard, scores: &[Vec<Option<f64>>], lag_max: usize) -> Vec<Arrow> {
    let column =
        |index: usize| -> Vec<Option<f64>> { scores.iter().map(|row| row.get(index).copied().flatten()).collect() };
    let objectives = scorecard.objectives.iter().enumerate();
    let beliefs = objectives.flat_map(|(from, objective)| objective.drives.iter().map(move |to| (from, *to)));
    beliefs
        .map(|(from, to)| Arrow {
            from,
            to,
            correlation: correlate(&column(from), &column(to), lag_max),
        })
        .collect()
}
