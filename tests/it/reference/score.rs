//! From a value to a score, from a score to a band, from children to their parent.

use super::definition::{RollUp, Scoring};

/// The score of a value, 0..=100; `None` without a target.
pub fn score(scoring: &Scoring, value: f64) -> Option<f64> {
    let score = match scoring {
        Scoring::None => return None,
        Scoring::Scale => value,
        Scoring::Curve(points) => on_curve(points, value),
        Scoring::Range { red, target, best } => in_range(*red, *target, *best, value),
    };
    Some(score.clamp(0.0, 100.0))
}

/// Linear between the points; before the first and after the last their scores go on.
fn on_curve(points: &[(f64, f64)], value: f64) -> f64 {
    let (first, last) = (points[0], points[points.len() - 1]);
    if value <= first.0 {
        return first.1;
    }
    if value >= last.0 {
        return last.1;
    }
    let piece = points
        .windows(2)
        .find(|piece| value <= piece[1].0)
        .expect("between first and last");
    between(piece[0], piece[1], value)
}

/// 75 at both ends of the target, 100 at the best, 50 at the red points, and down to 0 by the same slope outside.
fn in_range(red: (f64, f64), target: (f64, f64), best: f64, value: f64) -> f64 {
    if value == best {
        100.0
    } else if value < target.0 {
        between((red.0, 50.0), (target.0, 75.0), value)
    } else if value > target.1 {
        between((red.1, 50.0), (target.1, 75.0), value)
    } else if value < best {
        between((target.0, 75.0), (best, 100.0), value)
    } else {
        between((target.1, 75.0), (best, 100.0), value)
    }
}

/// The straight line through two points.
fn between(one: (f64, f64), other: (f64, f64), value: f64) -> f64 {
    one.1 + (other.1 - one.1) * (value - one.0) / (other.0 - one.0)
}

/// The band with the greatest `from` that is not above the score.
pub fn status(bands: &[(String, f64)], score: f64) -> Option<String> {
    bands
        .iter()
        .rfind(|(_, from)| *from <= score)
        .map(|(name, _)| name.clone())
}

/// What a parent hears of a child, and what it says itself.
#[derive(Clone)]
pub struct Judgement {
    pub score: Option<f64>,
    pub absence: Option<String>,
    /// `None` when it is left out of coverage.
    pub coverage: Option<f64>,
}

impl Judgement {
    /// Why there is no score; coverage is `None` when it is left out.
    pub fn without_score(word: &str, coverage: Option<f64>) -> Self {
        Self {
            score: None,
            absence: Some(word.to_owned()),
            coverage,
        }
    }
}

/// A parent's judgement from its children's, (weight, judgement) in the order of the tree.
pub fn roll_up(how: RollUp, min_coverage: f64, children: &[(f64, Judgement)]) -> Judgement {
    let Some(coverage) = coverage(children) else {
        let word = children.first().and_then(|(_, child)| child.absence.clone());
        return Judgement::without_score(&word.expect("a child that is left out says why"), None);
    };
    let scored: Vec<(f64, f64)> = children
        .iter()
        .filter_map(|(weight, child)| Some((*weight, child.score?)))
        .filter(|(weight, _)| *weight > 0.0)
        .collect();
    if scored.is_empty() {
        return Judgement::without_score("no_data", Some(coverage));
    }
    if coverage < min_coverage {
        return Judgement::without_score("insufficient_coverage", Some(coverage));
    }
    Judgement {
        score: Some(combine(how, &scored)),
        absence: None,
        coverage: Some(coverage),
    }
}

/// The weighted mean over the children that are not left out; `None` when there are children and all are left out.
fn coverage(children: &[(f64, Judgement)]) -> Option<f64> {
    let counted: Vec<(f64, f64)> = children
        .iter()
        .filter_map(|(weight, child)| Some((*weight, child.coverage?)))
        .collect();
    if counted.is_empty() && !children.is_empty() {
        return None;
    }
    let weights: f64 = counted.iter().map(|(weight, _)| weight).sum();
    if weights == 0.0 {
        return Some(0.0);
    }
    let sum = counted.iter().map(|(weight, coverage)| weight * coverage).sum::<f64>();
    Some(without_dust(sum / weights))
}

/// (weight, score), not empty, all weights above 0.
fn combine(how: RollUp, scored: &[(f64, f64)]) -> f64 {
    let weights: f64 = scored.iter().map(|(weight, _)| weight).sum();
    let lowest = scored.iter().map(|(_, score)| *score).fold(f64::INFINITY, f64::min);
    let highest = scored.iter().map(|(_, score)| *score).fold(f64::NEG_INFINITY, f64::max);
    match how {
        RollUp::Mean => without_dust(scored.iter().map(|(weight, score)| weight * score).sum::<f64>() / weights),
        RollUp::Worst => lowest,
        RollUp::Best => highest,
        // Children that agree have that very score: a power and its root would miss it by a rounding, and so a band.
        RollUp::Geometric if lowest == highest => lowest,
        RollUp::Geometric => {
            let product: f64 = scored
                .iter()
                .map(|(weight, score)| score.powf(weight / weights))
                .product();
            product
        }
    }
}

/// A mean that lies on a threshold lies on it, whatever its sums were rounded to on the way.
fn without_dust(mean: f64) -> f64 {
    (mean * 1e11).round() / 1e11
}
