//! Which value has a score: a KPI's definition read backwards.
//!
//! A definition enters; for a score, the value that the window should come to leaves. Values stay plausible: inside
//! `accept`, and without negative hours or more than all of something.

use crate::domain::catalog::{KpiDefinition, KpiVersion, Scoring, Target};
use crate::domain::score::{BEST, RED, TARGET};

/// A definition's points, ready to be read backwards.
#[derive(Debug, Clone, Copy)]
pub(super) struct Yardstick {
    /// Value at red and at the target, on the side that is played.
    red: f64,
    target: f64,
    best: f64,
    floor: f64,
    ceiling: f64,
}

/// A KPI without points wanders around this; nobody scores it.
const LEVEL_WITHOUT_POINTS: f64 = 100.0;

impl Yardstick {
    /// The yardstick of a KPI as it is defined at some instant. Of a range the high side is played where `high` says so.
    pub(super) fn new(kpi: &KpiDefinition, version: &KpiVersion, high: bool) -> Self {
        let (red, target, best) = points(version, high);
        let (floor, ceiling) = kpi.accept.unwrap_or_else(|| plausible(kpi, red, target));
        Self {
            red,
            target,
            best,
            floor,
            ceiling,
        }
    }

    /// The value of a score; below red the slope between red and target goes on.
    pub(super) fn value(&self, score: f64) -> f64 {
        let share = (score - TARGET) / (TARGET - RED);
        let end = if share > 0.0 {
            self.best
        } else {
            2.0 * self.target - self.red
        };
        self.plausible(self.target + share * (end - self.target))
    }

    /// The nearest plausible value.
    pub(super) fn plausible(&self, value: f64) -> f64 {
        value.clamp(self.floor, self.ceiling)
    }

    /// The distance between red and target: what counts as much for this KPI. Greater than 0.
    pub(super) fn step(&self) -> f64 {
        (self.target - self.red).abs()
    }

    /// True when the definition speaks in whole numbers.
    pub(super) fn is_whole(&self) -> bool {
        self.red.fract() == 0.0 && self.target.fract() == 0.0
    }

    /// A value as a person would write it: with about two digits more than a step has.
    pub(super) fn rounded(&self, value: f64) -> f64 {
        let digits = (2.0 - self.step().log10().floor()).clamp(0.0, 6.0);
        let scale = 10_f64.powi(digits as i32);
        self.plausible((value * scale).round() / scale)
    }
}

/// Values at red, target and best.
fn points(version: &KpiVersion, high: bool) -> (f64, f64, f64) {
    if let Scoring::Curve(curve) = &version.scoring {
        let at = |score| value_at(curve.points(), score, high);
        if let (Some(red), Some(target), Some(best)) = (at(RED), at(TARGET), at(BEST))
            && red != target
        {
            // Where less is better and nobody said what the best is, the slope may lead below zero.
            let below_zero = target < red && target > 0.0 && best <= 0.0;
            return (red, target, if below_zero { target / 4.0 } else { best });
        }
    }
    let target = match version.target {
        Some(Target::Value(value)) if value != 0.0 => value,
        Some(Target::Range(low, high)) if low + high != 0.0 => f64::midpoint(low, high),
        _ => LEVEL_WITHOUT_POINTS,
    };
    (target * 0.9, target, target * 1.1)
}

/// The lowest or highest value that has the score, or the point that comes nearest.
fn value_at(points: &[(f64, f64)], score: f64, high: bool) -> Option<f64> {
    let pairs = points.iter().zip(points.iter().skip(1));
    let mut crossings = pairs.filter_map(|(&(x0, y0), &(x1, y1))| {
        let within = y0 != y1 && (y0.min(y1)..=y0.max(y1)).contains(&score);
        within.then(|| x0 + (score - y0) / (y1 - y0) * (x1 - x0))
    });
    let crossing = if high { crossings.next_back() } else { crossings.next() };
    let distance = |point: &&(f64, f64)| (point.1 - score).abs();
    let nearest = || points.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    crossing.or_else(|| nearest().map(|point| point.0))
}

/// Bounds for a KPI that names none: percentages of a whole stay in it, what is better when less does not fall
/// below a quarter of its target, and only points (NPS) are ever negative where the definition is not.
fn plausible(kpi: &KpiDefinition, red: f64, target: f64) -> (f64, f64) {
    let (low, high) = (red.min(target), red.max(target));
    let part_of_whole = kpi.unit == "%" && (0.0..=100.0).contains(&low) && high <= 100.0;
    let falls = target < red;
    let floor = match low {
        _ if part_of_whole => 0.0,
        _ if low > 0.0 && falls => target / 4.0,
        _ if low > 0.0 && kpi.unit != "pts" => 0.0,
        _ => f64::NEG_INFINITY,
    };
    (floor, if part_of_whole { 100.0 } else { f64::INFINITY })
}
