//! From a value to a score: piecewise-linear interpolation between points, 0 to 100.
//!
//! There is no division by a target anywhere, so zero and negative targets work. At a point the score is exactly the
//! point's: 75 is green, and a target that is met scores 75, not 74.999.

use super::catalog::Direction;

/// Scores of the four named points.
pub const WORST: f64 = 0.0;
/// At the red point.
pub const RED: f64 = 50.0;
/// At the target.
pub const TARGET: f64 = 75.0;
/// At the best point.
pub const BEST: f64 = 100.0;

/// Any piecewise-linear curve from values to scores; flat outside its first and last point.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreCurve {
    /// (value, score), values strictly increasing, scores 0..=100; at least one.
    points: Vec<(f64, f64)>,
    /// A value with a score of its own, away from the line: where a target range is one point, it scores 100 there.
    peak: Option<(f64, f64)>,
}

/// Why points do not make a curve.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CurveError {
    /// Fewer than two.
    #[error("a curve needs at least 2 points, found {0}")]
    TooFew(usize),
    /// Values must increase.
    #[error("values must increase strictly: {after} stands after {before}")]
    NotIncreasing {
        /// The value before.
        before: f64,
        /// The value that is not greater.
        after: f64,
    },
    /// Scores are 0 to 100.
    #[error("score {0} is outside 0 to 100")]
    Score(f64),
    /// Not a number, or infinite.
    #[error("{0} is not a finite number")]
    NotFinite(f64),
    /// Points contradict the direction.
    #[error("direction `{direction}` needs {needed}: found {found}")]
    Direction {
        /// `up`, `down` or `range`.
        direction: &'static str,
        /// The order it needs.
        needed: &'static str,
        /// What was found.
        found: String,
    },
}

impl ScoreCurve {
    /// A curve through the given (value, score) points.
    pub fn through(points: Vec<(f64, f64)>) -> Result<Self, CurveError> {
        if points.len() < 2 {
            return Err(CurveError::TooFew(points.len()));
        }
        let mut before: Option<f64> = None;
        for &(value, score) in &points {
            if let Some(bad) = [value, score].into_iter().find(|number| !number.is_finite()) {
                return Err(CurveError::NotFinite(bad));
            }
            if !(WORST..=BEST).contains(&score) {
                return Err(CurveError::Score(score));
            }
            if let Some(before) = before.filter(|before| value <= *before) {
                return Err(CurveError::NotIncreasing { before, after: value });
            }
            before = Some(value);
        }
        Ok(Self { points, peak: None })
    }

    /// Points for `up` and `down`: `worst` and `best` continue the slope between `red` and `target` unless given.
    pub fn between(
        direction: Direction,
        red: f64,
        target: f64,
        ends: (Option<f64>, Option<f64>),
    ) -> Result<Self, CurveError> {
        let worst = ends.0.unwrap_or(red - 2.0 * (target - red));
        let best = ends.1.unwrap_or(target + (target - red));
        let mut points = vec![(worst, WORST), (red, RED), (target, TARGET), (best, BEST)];
        let (name, needed) = match direction {
            Direction::Down => ("down", "worst > red > target > best"),
            _ => ("up", "worst < red < target < best"),
        };
        if direction == Direction::Down {
            points.reverse();
        }
        Self::through(points).map_err(|error| match error {
            CurveError::NotIncreasing { .. } => CurveError::Direction {
                direction: name,
                needed,
                found: format!("worst {worst}, red {red}, target {target}, best {best}"),
            },
            other => other,
        })
    }

    /// Points for `range`: 75 at both ends of `target`, 100 at `best` (default the middle), 50 at both ends of `red`,
    /// and on each side on down to 0 by the slope of that side. Where the target is one value it scores 100 there, and 75
    /// just beside it.
    pub fn around(red: (f64, f64), target: (f64, f64), best: Option<f64>) -> Result<Self, CurveError> {
        let ((red_low, red_high), (low, high)) = (red, target);
        let best = best.unwrap_or(low + (high - low) / 2.0);
        let is_inside = if low == high {
            best == low
        } else {
            low < best && best < high
        };
        let in_order = red_low < low && low <= high && high < red_high && is_inside;
        if !in_order {
            return Err(CurveError::Direction {
                direction: "range",
                needed: "red[0] < target[0] < best < target[1] < red[1]",
                found: format!("red [{red_low}, {red_high}], target [{low}, {high}], best {best}"),
            });
        }
        let zero = |edge: f64, red: f64| red + (red - edge) * RED / (TARGET - RED);
        let mut points = vec![(zero(low, red_low), WORST), (red_low, RED), (low, TARGET)];
        let is_point = low == high;
        if !is_point {
            points.extend([(best, BEST), (high, TARGET)]);
        }
        points.extend([(red_high, RED), (zero(high, red_high), WORST)]);
        let line = Self::through(points)?;
        Ok(Self {
            peak: is_point.then_some((best, BEST)),
            ..line
        })
    }

    /// The score of a value, 0..=100.
    pub fn score(&self, value: f64) -> f64 {
        if let Some((_, score)) = self.peak.filter(|(at, _)| *at == value) {
            return score;
        }
        // Curves have a handful of points: looking at one after the other is quicker than a search.
        let mut before: Option<(f64, f64)> = None;
        for &(at, score) in &self.points {
            if at < value {
                before = Some((at, score));
                continue;
            }
            return match before {
                Some((x0, y0)) if at != value => y0 + (value - x0) / (at - x0) * (score - y0),
                _ => score,
            };
        }
        before.map_or(WORST, |(_, score)| score)
    }

    /// The points, for display.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_score_exactly_what_they_say() {
        let up = ScoreCurve::between(Direction::Up, 75.0, 90.0, (None, None)).unwrap();
        for (value, score) in [
            (45.0, 0.0),
            (75.0, 50.0),
            (90.0, 75.0),
            (105.0, 100.0),
            (0.0, 0.0),
            (200.0, 100.0),
            (82.5, 62.5),
        ] {
            assert_eq!(up.score(value), score, "{value}");
        }
        let down = ScoreCurve::between(Direction::Down, 24.0, 8.0, (None, None)).unwrap();
        for (value, score) in [
            (56.0, 0.0),
            (24.0, 50.0),
            (8.0, 75.0),
            (-8.0, 100.0),
            (16.0, 62.5),
            (1e9, 0.0),
        ] {
            assert_eq!(down.score(value), score, "{value}");
        }
    }

    #[test]
    fn negative_and_zero_targets_work() {
        // actual 3 against target -2 where less was feared: better than target, not -150 %
        let curve = ScoreCurve::between(Direction::Up, -6.0, -2.0, (None, None)).unwrap();
        assert_eq!(curve.score(3.0), 100.0);
        let zero = ScoreCurve::between(Direction::Down, 10.0, 0.0, (None, None)).unwrap();
        assert_eq!(zero.score(0.0), 75.0);
    }

    #[test]
    fn a_range_falls_on_both_sides() {
        let curve = ScoreCurve::around((70.0, 105.0), (80.0, 90.0), None).unwrap();
        for (value, score) in [
            (85.0, 100.0),
            (80.0, 75.0),
            (90.0, 75.0),
            (70.0, 50.0),
            (105.0, 50.0),
            (50.0, 0.0),
            (135.0, 0.0),
            (60.0, 25.0),
        ] {
            assert_eq!(curve.score(value), score, "{value}");
        }
        let point = ScoreCurve::around((-5.0, 5.0), (0.0, 0.0), None).unwrap();
        for (value, score) in [
            (0.0, 100.0),
            (2.5, 62.5),
            (5.0, 50.0),
            (-5.0, 50.0),
            (15.0, 0.0),
            (-10.0, 25.0),
        ] {
            assert_eq!(point.score(value), score, "{value}");
        }
    }

    #[test]
    fn a_contradiction_is_refused() {
        assert!(ScoreCurve::between(Direction::Up, 90.0, 75.0, (None, None)).is_err());
        assert!(ScoreCurve::between(Direction::Down, 75.0, 90.0, (None, None)).is_err());
        assert!(ScoreCurve::between(Direction::Up, 75.0, 90.0, (Some(80.0), None)).is_err());
        assert!(ScoreCurve::around((80.0, 90.0), (70.0, 95.0), None).is_err());
        assert!(ScoreCurve::through(vec![(1.0, 0.0), (1.0, 100.0)]).is_err());
        assert!(ScoreCurve::through(vec![(1.0, 0.0), (2.0, 101.0)]).is_err());
    }

    #[test]
    fn vectors_of_other_products() {
        // Spider Impact: red flag 500 and goal 700 put 0 at 300 and 10 at 900 on its scale of thirds.
        let third = 100.0 / 3.0;
        let spider =
            ScoreCurve::through(vec![(300.0, 0.0), (500.0, third), (700.0, 2.0 * third), (900.0, 100.0)]).unwrap();
        assert_eq!(spider.score(300.0), 0.0);
        assert!((spider.score(500.0) / 10.0 - 3.3).abs() < 0.05);
        assert!((spider.score(700.0) / 10.0 - 6.6).abs() < 0.07);
        // Microsoft's equal bands: 0-4000-6000-12000, 9000 is 83.3 %.
        let bands = ScoreCurve::through(vec![
            (0.0, 0.0),
            (4000.0, third),
            (6000.0, 2.0 * third),
            (12_000.0, 100.0),
        ])
        .unwrap();
        assert!((bands.score(9000.0) - 250.0 / 3.0).abs() < 1e-9);
        // BSC Designer: 0 to 200, 50 is 25 %.
        let designer = ScoreCurve::through(vec![(0.0, 0.0), (200.0, 100.0)]).unwrap();
        assert_eq!(designer.score(50.0), 25.0);
    }
}
