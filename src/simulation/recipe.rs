//! What is measured so that a window comes to a value.
//!
//! A KPI's aggregate, the value aimed at and some chance enter; one measurement's numbers leave. Where single measurements
//! add up (sums, counts), each stands for its share of the window; elsewhere each is near the value aimed at.

use std::sync::Arc;

use super::chance::Chance;
use super::level::is_weekend;
use super::yardstick::Yardstick;
use crate::domain::calendar::Period;
use crate::domain::catalog::{Aggregate, KpiDefinition, KpiVersion, Scoring, Window};
use crate::domain::instant::{DAY_MS, Instant};

/// Spread of durations (standard deviation of their logarithm): a p90 is about twice the median.
const DURATION_SPREAD: f64 = 0.6;
/// People who choose a word differ by so many points (standard deviation).
const WORD_SPREAD: f64 = 7.0;
/// Reports of different things are drawn from a pool this much larger than what a window should see of them.
const POOL: f64 = 1.15;

/// The level around which a stock grows (`delta`), and since when: 2020-01-01.
const USUAL_SCORE: f64 = 65.0;
const STOCK_BEGAN: Instant = Instant(1_577_836_800_000);

/// The circumstances of one measurement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Moment {
    /// When it is observed.
    pub(super) at: Instant,
    /// How well the KPI does.
    pub(super) score: f64,
    /// How much there is to do: 1 as always, more in an incident.
    pub(super) bustle: f64,
    /// The part of a window that this measurement stands for, 0..=1.
    pub(super) share: f64,
}

/// The numbers of one measurement.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Said {
    Number(f64),
    Weighted(f64, f64),
    Ratio(f64, f64),
    Word(Arc<str>),
    /// A number, and the thing that it was measured of, for the label that `distinct` counts.
    Thing(f64, u64),
}

/// Length of a KPI's window in ms; a year for `all`.
pub(super) fn window_ms(window: &Window) -> f64 {
    let days = match window {
        Window::Rolling { slices, slice_ms } => return (slices * slice_ms) as f64,
        Window::Period { period, .. } => match period {
            Period::Day => 1.0,
            Period::Week => 7.0,
            Period::Month => 30.4,
            Period::Quarter => 91.3,
            Period::Year => 365.25,
        },
        Window::All => 365.25,
    };
    days * DAY_MS as f64
}

/// True where measurements add up, so that more of them must be smaller ones.
pub(super) fn adds_up(aggregate: &Aggregate) -> bool {
    matches!(
        aggregate,
        Aggregate::Count | Aggregate::Sum | Aggregate::Rate { .. } | Aggregate::Distinct { .. }
    )
}

/// One measurement; `volume` is the usual denominator or weight of this KPI.
pub(super) fn measure(
    (kpi, version): (&KpiDefinition, &KpiVersion),
    yardstick: &Yardstick,
    volume: f64,
    moment: &Moment,
    chance: &mut Chance,
) -> Said {
    if let (Scoring::Scale, Some(words)) = (&version.scoring, &kpi.scale) {
        return word(words, moment.score + WORD_SPREAD * chance.gauss());
    }
    let aim = yardstick.value(moment.score);
    let noise = yardstick.step() * chance.gauss();
    let number = |value: f64| Said::Number(yardstick.rounded(value));
    match &kpi.aggregate {
        Aggregate::Count => Said::Number(1.0),
        Aggregate::Sum => portion(aim, yardstick, moment, chance),
        Aggregate::Rate { per_ms } => {
            let total = aim * window_ms(&kpi.window) / *per_ms as f64;
            portion(total, yardstick, moment, chance)
        }
        Aggregate::Ratio { scale_by } => {
            let denominator = denominator(volume, moment, chance);
            ratio(
                yardstick.plausible(aim + 0.3 * noise),
                *scale_by,
                denominator,
                yardstick,
            )
        }
        Aggregate::WeightedMean => {
            let weight = denominator(volume, moment, chance);
            Said::Weighted(yardstick.rounded(aim + 0.3 * noise), weight)
        }
        Aggregate::Mean => number(aim + 0.3 * noise),
        Aggregate::Min => number(aim + 0.3 * noise.abs()),
        Aggregate::Max => number(aim - 0.3 * noise.abs()),
        Aggregate::First | Aggregate::Last => number(aim + 0.08 * noise),
        Aggregate::Stddev => number(10.0 * yardstick.step() + aim * chance.gauss()),
        Aggregate::Delta => {
            // A stock that grows by the usual value every window, and a little more or less as the level moves.
            let usual = yardstick.value(USUAL_SCORE);
            let windows = moment.at.since(STOCK_BEGAN) as f64 / window_ms(&kpi.window);
            number(usual * windows + aim - usual)
        }
        Aggregate::Percentile(rank) => number(duration(aim, *rank, chance)),
        Aggregate::Distinct { .. } => Said::Thing(1.0, (chance.unit() * aim.max(1.0) * POOL) as u64),
    }
}

/// The same measurement with a mistake in it, which somebody will correct; `None` where it would not be believed.
pub(super) fn mistaken(said: &Said, aggregate: &Aggregate, yardstick: &Yardstick) -> Option<Said> {
    match *said {
        // A decimal point in the wrong place.
        Said::Number(value) if adds_up(aggregate) => (value > 1.0).then_some(Said::Number(10.0 * value)),
        Said::Number(value) => {
            let wrong = yardstick.plausible(value + 2.0 * yardstick.step());
            (wrong != value).then_some(Said::Number(wrong))
        }
        Said::Weighted(value, weight) => Some(Said::Weighted(value, 2.0 * weight)),
        // Both doubled: entered twice, and as plausible as before.
        Said::Ratio(numerator, denominator) => Some(Said::Ratio(2.0 * numerator, 2.0 * denominator)),
        Said::Word(_) | Said::Thing(..) => None,
    }
}

/// The word whose score comes nearest.
fn word(words: &[(Arc<str>, f64)], score: f64) -> Said {
    let distance = |word: &&(Arc<str>, f64)| (word.1 - score).abs();
    let nearest = words.iter().min_by(|a, b| distance(a).total_cmp(&distance(b)));
    nearest.map_or_else(|| Said::Number(score), |(word, _)| Said::Word(Arc::clone(word)))
}

/// A measurement's part of a total, whole where the definition speaks in whole numbers.
fn portion(total: f64, yardstick: &Yardstick, moment: &Moment, chance: &mut Chance) -> Said {
    let part = total * moment.share * chance.between(0.4, 1.6);
    // Rounded by chance, so that many small parts still come to their total.
    let scale = if yardstick.is_whole() { 1.0 } else { 100.0 };
    Said::Number(chance.whole(scale * part) / scale)
}

/// How many it was this time: fewer at weekends.
fn denominator(volume: f64, moment: &Moment, chance: &mut Chance) -> f64 {
    let quiet = if is_weekend(moment.at.0.div_euclid(DAY_MS)) {
        0.4
    } else {
        1.0
    };
    (volume * quiet * moment.bustle * chance.between(0.6, 1.4))
        .ceil()
        .max(1.0)
}

/// Two numbers with that quotient: whole above the line where that is fine enough for the definition.
fn ratio(value: f64, scale_by: f64, denominator: f64, yardstick: &Yardstick) -> Said {
    let exact = value / scale_by * denominator;
    let fine = yardstick.step() / scale_by.abs() * denominator;
    let digits = if fine >= 4.0 { 1.0 } else { 1e4 };
    let rounded = (exact * digits).round() / digits;
    // Rounding must not leave the plausible range: a denominator of 1 knows only 0 and 1.
    let back = scale_by * rounded / denominator;
    let numerator = if yardstick.plausible(back) == back {
        rounded
    } else {
        exact
    };
    Said::Ratio(numerator, denominator)
}

/// A log-normal value of which that percentile is `aim`.
fn duration(aim: f64, rank: f64, chance: &mut Chance) -> f64 {
    let offset = DURATION_SPREAD * (chance.gauss() - normal_quantile(rank / 100.0));
    if aim > 0.0 { aim * offset.exp() } else { aim + offset }
}

/// The quantile of the normal distribution, to 0.0005 (Abramowitz and Stegun 26.2.23).
fn normal_quantile(share: f64) -> f64 {
    let share = share.clamp(0.001, 0.999);
    let tail = share.min(1.0 - share);
    let t = (-2.0 * tail.ln()).sqrt();
    let quantile = t
        - (2.515_517 + 0.802_853 * t + 0.010_328 * t * t)
            / (1.0 + 1.432_788 * t + 0.189_269 * t * t + 0.001_308 * t * t * t);
    if share < 0.5 { -quantile } else { quantile }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (share, expected) in [
            (0.5, 0.0),
            (0.9, 1.2816),
            (0.1, -1.2816),
            (0.99, 2.3263),
            (0.999, 3.0902),
        ] {
            assert!((normal_quantile(share) - expected).abs() < 0.001, "{share}");
        }
    }

    #[test]
    fn a_percentile_of_durations_is_the_one_aimed_at() {
        let mut chance = Chance::new(3);
        let mut durations: Vec<f64> = (0..20_000).map(|_| duration(8.0, 90.0, &mut chance)).collect();
        durations.sort_by(f64::total_cmp);
        assert!((durations[18_000] - 8.0).abs() < 0.3, "{}", durations[18_000]);
    }
}
