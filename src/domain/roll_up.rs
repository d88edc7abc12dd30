//! Roll-up: from children to parent.
//!
//! Weights are relative and renormalise over the children that count. A parent also tells its lowest leaf and how many
//! leaves are in the lowest band, so that a green parent cannot hide a red one.

use super::catalog::RollUp;
use super::reading::Absence;
use super::weighted::weighted_mean;

/// What a parent needs to know of a child. `L` names a leaf.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Child<L> {
    /// Relative weight, >= 0.
    pub weight: f64,
    /// 0..=100.
    pub score: Option<f64>,
    /// Why there is none.
    pub absence: Option<Absence>,
    /// 0..=1; `None` left out.
    pub coverage: Option<f64>,
    /// Lowest scored leaf under it (itself, for a leaf).
    pub worst: Option<(L, f64)>,
    /// Leaves under it in the lowest band.
    pub red: u32,
    /// It may still change.
    pub provisional: bool,
}

/// What a parent says.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rolled<L> {
    /// 0..=100.
    pub score: Option<f64>,
    /// Why there is none.
    pub absence: Option<Absence>,
    /// 0..=1; `None` when all children are left out.
    pub coverage: Option<f64>,
    /// Lowest scored leaf; of equal ones the first.
    pub worst: Option<(L, f64)>,
    /// Leaves in the lowest band.
    pub red: u32,
    /// A child may still change.
    pub provisional: bool,
}

/// Puts children together, in their order. They are gone through several times.
#[inline]
pub fn roll_up<L: Copy>(
    kind: RollUp,
    min_coverage: f64,
    children: impl Iterator<Item = Child<L>> + Clone,
) -> Rolled<L> {
    let first = children.clone().next();
    let coverage = coverage(children.clone());
    let score = score(kind, children.clone());
    let absence = match (coverage, score, &first) {
        (None, None, Some(first)) => first.absence.or(Some(Absence::NoData)),
        (_, None, _) => Some(Absence::NoData),
        (Some(coverage), Some(_), _) if coverage < min_coverage => Some(Absence::InsufficientCoverage),
        (_, Some(_), _) => None,
    };
    let mut rolled = Rolled {
        score: score.filter(|_| absence.is_none()),
        absence,
        coverage: coverage.or(if first.is_none() { Some(0.0) } else { None }),
        worst: None,
        red: 0,
        provisional: false,
    };
    for child in children {
        rolled.worst = match (rolled.worst, child.worst) {
            (Some(worst), Some(other)) if other.1 < worst.1 => Some(other),
            (Some(worst), _) => Some(worst),
            (None, other) => other,
        };
        rolled.red += child.red;
        rolled.provisional |= child.provisional;
    }
    rolled
}

/// Weighted mean of coverage over the children that are not left out; `None` when all are.
#[inline]
fn coverage<L>(children: impl Iterator<Item = Child<L>> + Clone) -> Option<f64> {
    let counted = children.filter_map(|child| Some((child.weight, child.coverage?)));
    counted.clone().next()?;
    Some(weighted_mean(counted).unwrap_or(0.0))
}

#[inline]
fn score<L>(kind: RollUp, children: impl Iterator<Item = Child<L>> + Clone) -> Option<f64> {
    let scored = children
        .filter_map(|child| Some((child.weight, child.score?)))
        .filter(|(weight, _)| *weight > 0.0);
    let (_, first) = scored.clone().next()?;
    let score = match kind {
        RollUp::Mean => weighted_mean(scored)?,
        RollUp::Worst => scored.map(|(_, score)| score).fold(f64::INFINITY, f64::min),
        RollUp::Best => scored.map(|(_, score)| score).fold(f64::NEG_INFINITY, f64::max),
        RollUp::Geometric if scored.clone().any(|(_, score)| score == 0.0) => 0.0,
        RollUp::Geometric => {
            let weights: f64 = scored.clone().map(|(weight, _)| weight).sum();
            let logarithm = scored.map(|(weight, score)| weight * (score / first).ln()).sum::<f64>() / weights;
            first * logarithm.exp()
        }
    };
    Some(score.clamp(0.0, 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(weight: f64, score: f64) -> Child<u32> {
        let worst = Some((0, score));
        Child {
            weight,
            score: Some(score),
            absence: None,
            coverage: Some(1.0),
            worst,
            red: 0,
            provisional: false,
        }
    }

    fn absent(weight: f64, absence: Absence) -> Child<u32> {
        let coverage = (!absence.is_left_out()).then_some(0.0);
        Child {
            weight,
            score: None,
            absence: Some(absence),
            coverage,
            worst: None,
            red: 0,
            provisional: false,
        }
    }

    #[test]
    fn scores_by_kind() {
        let children = [child(1.0, 90.0), child(3.0, 40.0), child(0.0, 10.0)];
        for (kind, score) in [(RollUp::Mean, 52.5), (RollUp::Worst, 40.0), (RollUp::Best, 90.0)] {
            assert_eq!(
                roll_up(kind, 0.0, children.iter().copied()).score,
                Some(score),
                "{kind:?}"
            );
        }
        let geometric = roll_up(RollUp::Geometric, 0.0, children.iter().copied()).score.unwrap();
        assert!((geometric - (90.0_f64 * 40.0_f64.powi(3)).powf(0.25)).abs() < 1e-9);
        assert_eq!(
            roll_up(RollUp::Geometric, 0.0, [child(1.0, 0.0), child(1.0, 100.0)].into_iter()).score,
            Some(0.0)
        );
    }

    #[test]
    fn equal_children_give_exactly_their_score() {
        let children = [child(0.1, 75.0), child(0.7, 75.0), child(0.3, 75.0)];
        assert_eq!(roll_up(RollUp::Mean, 0.0, children.iter().copied()).score, Some(75.0));
    }

    #[test]
    fn weights_renormalise_and_coverage_tells() {
        let children = [
            child(1.0, 80.0),
            absent(3.0, Absence::Stale),
            absent(5.0, Absence::Paused),
        ];
        let rolled = roll_up(RollUp::Mean, 0.0, children.iter().copied());
        assert_eq!((rolled.score, rolled.coverage), (Some(80.0), Some(0.25)));
        let strict = roll_up(RollUp::Mean, 0.26, children.iter().copied());
        assert_eq!(
            (strict.score, strict.absence),
            (None, Some(Absence::InsufficientCoverage))
        );
        assert_eq!(roll_up(RollUp::Mean, 0.25, children.iter().copied()).score, Some(80.0));
    }

    #[test]
    fn absences_have_a_word() {
        let none = roll_up(RollUp::Mean, 0.0, [absent(1.0, Absence::Stale)].into_iter());
        assert_eq!((none.absence, none.coverage), (Some(Absence::NoData), Some(0.0)));
        let out = roll_up(
            RollUp::Mean,
            0.5,
            [absent(1.0, Absence::Paused), absent(1.0, Absence::NotApplicable)].into_iter(),
        );
        assert_eq!((out.absence, out.coverage), (Some(Absence::Paused), None));
    }

    #[test]
    fn cascade_of_health_capped_at_its_own_end() {
        // Cascade's example: 90, 99, 100 (120 capped) and 68 make 89.25.
        let children = [child(1.0, 90.0), child(1.0, 99.0), child(1.0, 100.0), child(1.0, 68.0)];
        assert_eq!(roll_up(RollUp::Mean, 0.0, children.iter().copied()).score, Some(89.25));
    }

    #[test]
    fn a_green_parent_cannot_hide_a_red_leaf() {
        let red = Child {
            red: 1,
            worst: Some((7, 12.5)),
            ..child(0.1, 12.5)
        };
        let rolled = roll_up(RollUp::Mean, 0.0, [child(9.9, 100.0), red].into_iter());
        assert!(rolled.score.unwrap() > 75.0);
        assert_eq!((rolled.worst, rolled.red), (Some((7, 12.5)), 1));
    }
}
