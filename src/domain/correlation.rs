//! Lagged correlation: whether the history supports the belief that one score drives another.
//!
//! Two series of scores at equal steps enter, with gaps where there was none; the strongest lag leaves, with its coefficient,
//! the number of pairs it rests on, and a plain word. A word is never more than the data allow.
//!
//! What is compared is not the scores but how they move from step to step. Scores over rolling windows hardly move in a day, and two
//! slow series hang together by chance as readily as not (Yule, "Why do we sometimes get nonsense-correlations between
//! time-series?", JRSS 1926; Granger and Newbold, "Spurious regressions in econometrics", Journal of Econometrics 1974, whose
//! remedy are the differences): half a year of a window of a month is worth six independent pairs, its daily moves nearly all of
//! theirs. So
//!
//! 1. the coefficient is Pearson's, of the driver's move `lag` steps earlier against the follower's move;
//! 2. pairs are counted as the independent ones they are worth: n / (1 + 2 sum of (1 - k/n) a(k) b(k)), with the autocorrelations a and
//!    b of the two series of moves at k steps (Bartlett, "Some aspects of the time-correlation problem", JRSS 1935; for series that
//!    remember one step it is Quenouille's n (1 - a b) / (1 + a b)): what enters a window leaves it again, so that moves repeat;
//! 3. where few moves are large and the rest small, only the large ones speak, and two of them meet at some lag by chance: pairs are worth
//!    less by 3 / kurtosis of the wilder of the two (3 is that of normal noise; one single jump leaves 3 pairs, which say nothing);
//! 4. the coefficient is judged by Fisher's transformation, atanh(r) sqrt(n - 3) (Fisher, "On the probable error of a coefficient
//!    of correlation", Metron 1921);
//! 5. the chance of being wrong is shared among all lags tried (Bonferroni), because the strongest was picked.
//!
//! A correlation that is supported is still no proof of a cause.

/// Pairs below which nothing is said: with fewer, a single week decides.
pub const POINTS_MIN: usize = 20;

/// Chance at most of calling an arrow supported or contradicted where there is nothing, if the model holds.
const ERROR_MAX: f64 = 0.05;

/// Of normal noise.
const NORMAL_KURTOSIS: f64 = 3.0;

/// A series that moves by less than this (standard deviation, points of score) does not move.
const STILL: f64 = 1e-6;

/// What the history says of an arrow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// They move together, more than chance explains.
    Supported,
    /// They move against each other, more than chance explains.
    Contradicted,
    /// Nothing that chance could not explain.
    NotVisible,
    /// Too few pairs, or a series that does not move.
    TooLittleHistory,
}

impl Verdict {
    /// The words for it.
    pub fn words(self) -> &'static str {
        match self {
            Self::Supported => "supported",
            Self::Contradicted => "contradicted",
            Self::NotVisible => "not visible",
            Self::TooLittleHistory => "too little history",
        }
    }
}

/// The strongest lag, and what it is worth.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Correlation {
    /// Steps by which the driver is ahead.
    pub lag: usize,
    /// -1..=1; `None` where there is too little history.
    pub coefficient: Option<f64>,
    /// Pairs at that lag.
    pub points: usize,
    /// Independent pairs that these are worth.
    pub effective: f64,
    /// What it means.
    pub verdict: Verdict,
}

/// The lag of 0..=`lag_max` steps at which the moves of two series of scores of equal length hang together most. Without any lag of
/// enough pairs, or where a series does not move, the pairs of lag 0 are told.
pub fn correlate(driver: &[Option<f64>], follower: &[Option<f64>], lag_max: usize) -> Correlation {
    let (driver, follower) = (moves(driver), moves(follower));
    let tried: Vec<(usize, Moments)> = (0..=lag_max)
        .map(|lag| (lag, Moments::of(pairs(&driver, &follower, lag))))
        .filter(|(_, moments)| moments.count >= POINTS_MIN)
        .collect();
    let known = tried
        .iter()
        .filter_map(|(lag, moments)| Some((*lag, moments.count, moments.pearson()?)));
    let strongest = known.reduce(|best, other| if other.2.abs() > best.2.abs() { other } else { best });
    let Some((lag, points, coefficient)) = strongest else {
        return Correlation {
            lag: 0,
            coefficient: None,
            points: pairs(&driver, &follower, 0).count(),
            effective: 0.0,
            verdict: Verdict::TooLittleHistory,
        };
    };
    let wildness = kurtosis(&driver).max(kurtosis(&follower));
    let effective = effective(points, repetition(&driver, &follower, points), wildness);
    Correlation {
        lag,
        coefficient: Some(coefficient),
        points,
        effective,
        verdict: judge(coefficient, effective, tried.len()),
    }
}

/// How a series moves from step to step; no move beside a gap.
fn moves(series: &[Option<f64>]) -> Vec<Option<f64>> {
    let neighbours = series.iter().zip(series.iter().skip(1));
    neighbours.map(|(before, after)| Some((*after)? - (*before)?)).collect()
}

/// What both series say, the driver `lag` steps earlier.
fn pairs<'a>(
    driver: &'a [Option<f64>],
    follower: &'a [Option<f64>],
    lag: usize,
) -> impl Iterator<Item = (f64, f64)> + Clone + 'a {
    let later = follower.get(lag..).unwrap_or_default();
    driver
        .iter()
        .zip(later)
        .filter_map(|(driver, follower)| Some(((*driver)?, (*follower)?)))
}

/// How often the pairs say the same, 1 for never: the sum of Bartlett's formula over a quarter of the pairs; autocorrelations
/// further apart rest on too few.
fn repetition(driver: &[Option<f64>], follower: &[Option<f64>], points: usize) -> f64 {
    let own = |series: &[Option<f64>], apart| Moments::of(pairs(series, series, apart)).pearson().unwrap_or(0.0);
    let term = |apart: usize| {
        let share = 1.0 - apart as f64 / points as f64;
        share * own(driver, apart) * own(follower, apart)
    };
    let sum: f64 = (1..=points / 4).map(term).sum();
    (1.0 + 2.0 * sum).max(1.0)
}

/// How much of a series' moving is done by few large moves; 3 for normal noise.
fn kurtosis(series: &[Option<f64>]) -> f64 {
    let known = || series.iter().flatten();
    let count = known().count() as f64;
    let mean = known().sum::<f64>() / count;
    let squares: f64 = known().map(|value| (value - mean).powi(2)).sum();
    let fourth: f64 = known().map(|value| (value - mean).powi(4)).sum();
    if squares > 0.0 {
        count * fourth / (squares * squares)
    } else {
        NORMAL_KURTOSIS
    }
}

/// Independent pairs, at most as many as there are.
fn effective(points: usize, repetition: f64, wildness: f64) -> f64 {
    points as f64 / repetition * (NORMAL_KURTOSIS / wildness).min(1.0)
}

fn judge(coefficient: f64, effective: f64, lags: usize) -> Verdict {
    // Fisher's transformation has no meaning for three pairs or fewer.
    if effective <= 3.0 {
        return Verdict::NotVisible;
    }
    let deviation = coefficient.clamp(-0.999_999, 0.999_999).atanh() * (effective - 3.0).sqrt();
    let is_chance = two_sided(deviation) > ERROR_MAX / lags.max(1) as f64;
    match is_chance {
        true => Verdict::NotVisible,
        false if coefficient > 0.0 => Verdict::Supported,
        false => Verdict::Contradicted,
    }
}

/// Chance that a standard normal number is at least so far from 0 (Abramowitz and Stegun, formula 7.1.26; within 1.5e-7).
fn two_sided(deviation: f64) -> f64 {
    let x = deviation.abs() / std::f64::consts::SQRT_2;
    let t = 1.0 / (1.0 + 0.327_591_1 * x);
    let terms = [
        0.254_829_592,
        -0.284_496_736,
        1.421_413_741,
        -1.453_152_027,
        1.061_405_429,
    ];
    let polynomial = terms.iter().rev().fold(0.0, |sum, term| (sum + term) * t);
    polynomial * (-x * x).exp()
}

/// Sums over pairs, around their means.
#[derive(Debug, Clone, Copy, Default)]
struct Moments {
    count: usize,
    xx: f64,
    yy: f64,
    xy: f64,
}

impl Moments {
    /// In two passes, so that scores near 100 that hardly move are not rounded away.
    fn of(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let (count, sum_x, sum_y) = pairs
            .clone()
            .fold((0_usize, 0.0, 0.0), |(count, sum_x, sum_y), (x, y)| {
                (count + 1, sum_x + x, sum_y + y)
            });
        let (mean_x, mean_y) = (sum_x / count.max(1) as f64, sum_y / count.max(1) as f64);
        pairs.fold(
            Self {
                count,
                ..Self::default()
            },
            |sums, (x, y)| {
                let (dx, dy) = (x - mean_x, y - mean_y);
                Self {
                    xx: sums.xx + dx * dx,
                    yy: sums.yy + dy * dy,
                    xy: sums.xy + dx * dy,
                    ..sums
                }
            },
        )
    }

    /// `None` where one of the two does not move.
    fn pearson(&self) -> Option<f64> {
        let still = STILL * STILL * self.count as f64;
        let moves = self.xx > still && self.yy > still;
        moves.then(|| (self.xy / (self.xx.sqrt() * self.yy.sqrt())).clamp(-1.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Noise between -1 and 1, the same at every run (`SplitMix64`).
    struct Noise(u64);

    impl Noise {
        fn next(&mut self) -> f64 {
            self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
            let mut mixed = self.0;
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
            (mixed ^ (mixed >> 31)) as f64 / u64::MAX as f64 * 2.0 - 1.0
        }

        fn series(&mut self, len: usize) -> Vec<f64> {
            (0..len).map(|_| self.next()).collect()
        }

        /// Each step continues from the one before, forgetting a little of it; `memory` 1 is a random walk.
        fn walk(&mut self, len: usize, memory: f64) -> Vec<f64> {
            let steps = self.series(len);
            let mut at = 0.0;
            steps
                .iter()
                .map(|step| {
                    at = at * memory + step;
                    at
                })
                .collect()
        }
    }

    fn scores(series: &[f64]) -> Vec<Option<f64>> {
        series.iter().map(|value| Some(50.0 + 5.0 * value)).collect()
    }

    /// What follows the driver by `lag` steps, with noise.
    fn following(driver: &[f64], lag: usize, sign: f64, noise: &mut Noise) -> Vec<f64> {
        (0..driver.len())
            .map(|index| sign * index.checked_sub(lag).map_or(0.0, |index| driver[index]) + 0.3 * noise.next())
            .collect()
    }

    #[test]
    fn a_known_lag_is_found_with_its_sign() {
        let mut noise = Noise(7);
        for memory in [0.0, 0.6] {
            let driver = noise.walk(180, memory);
            for (lag, sign, verdict) in [
                (0, 1.0, Verdict::Supported),
                (9, 1.0, Verdict::Supported),
                (30, 1.0, Verdict::Supported),
                (9, -1.0, Verdict::Contradicted),
            ] {
                let follower = following(&driver, lag, sign, &mut noise);
                let found = correlate(&scores(&driver), &scores(&follower), 30);
                assert_eq!((found.lag, found.verdict), (lag, verdict), "{found:?}");
                assert_eq!(found.points, 179 - lag);
                assert!(found.coefficient.unwrap() * sign > 0.8, "{found:?}");
            }
        }
    }

    #[test]
    fn noise_is_called_supported_as_seldom_as_promised() {
        let mut noise = Noise(11);
        let mut told = 0;
        for _ in 0..500 {
            let (driver, follower) = (noise.series(180), noise.series(180));
            told += usize::from(correlate(&scores(&driver), &scores(&follower), 30).verdict != Verdict::NotVisible);
        }
        assert!(told <= 25, "{told} of 500 at a chance of 0.05");
    }

    #[test]
    fn slow_series_that_know_nothing_of_each_other_are_seldom_mistaken() {
        let mut noise = Noise(13);
        for memory in [0.8, 0.95, 1.0] {
            let mut told = 0;
            for _ in 0..500 {
                let (driver, follower) = (noise.walk(180, memory), noise.walk(180, memory));
                told += usize::from(correlate(&scores(&driver), &scores(&follower), 30).verdict != Verdict::NotVisible);
            }
            assert!(told <= 40, "{told} of 500 with a memory of {memory}");
        }
    }

    #[test]
    fn scores_over_rolling_windows_of_noise_are_seldom_mistaken() {
        let mut noise = Noise(17);
        let mut rolling = || -> Vec<f64> {
            noise
                .series(208)
                .windows(28)
                .map(|window| window.iter().sum())
                .collect()
        };
        let mut told = 0;
        for _ in 0..300 {
            let (driver, follower) = (rolling(), rolling());
            told += usize::from(correlate(&scores(&driver), &scores(&follower), 30).verdict != Verdict::NotVisible);
        }
        assert!(told <= 24, "{told} of 300");
    }

    #[test]
    fn gaps_are_left_out_and_counted_out() {
        let mut noise = Noise(19);
        let driver = noise.walk(180, 0.5);
        let mut follower = scores(&following(&driver, 4, 1.0, &mut noise));
        for gap in follower.iter_mut().skip(60).take(30) {
            *gap = None;
        }
        let found = correlate(&scores(&driver), &follower, 30);
        assert_eq!((found.lag, found.points, found.verdict), (4, 144, Verdict::Supported));
    }

    #[test]
    fn too_few_pairs_and_still_series_say_so() {
        let mut noise = Noise(23);
        let moving = scores(&noise.series(40));
        let still = vec![Some(100.0); 40];
        for (driver, follower, points) in [
            (&moving, &still, 39),
            (&still, &moving, 39),
            (&moving[..20].to_vec(), &moving[..20].to_vec(), 19),
            (&vec![None; 40], &moving, 0),
            (&Vec::new(), &Vec::new(), 0),
        ] {
            let found = correlate(driver, follower, 30);
            assert_eq!(
                (found.coefficient, found.points, found.verdict),
                (None, points, Verdict::TooLittleHistory)
            );
        }
    }

    #[test]
    fn chances_are_those_of_the_table() {
        for (deviation, chance) in [(0.0, 1.0), (1.0, 0.317_311), (1.959_964, 0.05), (3.290_527, 0.001)] {
            assert!(
                (two_sided(deviation) - chance).abs() < 1e-6,
                "{deviation}: {}",
                two_sided(deviation)
            );
        }
    }

    #[test]
    fn repetition_or_a_few_jumps_make_pairs_worth_less_and_never_more() {
        assert_eq!(effective(100, 1.0, 1.8), 100.0);
        assert_eq!(effective(100, 2.0, 3.0), 50.0);
        assert_eq!(effective(100, 1.0, 12.0), 25.0);
        let jump: Vec<Option<f64>> = (0..100).map(|step| Some(if step == 40 { 9.0 } else { 0.0 })).collect();
        assert!(effective(100, 1.0, kurtosis(&jump)) < 3.1, "one move says nothing");
    }

    #[test]
    fn two_scores_that_jump_a_few_times_are_seldom_mistaken() {
        let mut noise = Noise(29);
        let mut told = 0;
        for jumps in [1, 2, 4, 8] {
            for _ in 0..250 {
                let mut stairs = || -> Vec<Option<f64>> {
                    let places: Vec<usize> = (0..jumps).map(|_| ((noise.next() + 1.0) * 90.0) as usize).collect();
                    let height = |step: usize| places.iter().filter(|place| **place <= step).count() as f64;
                    (0..180).map(|step| Some(40.0 + 4.0 * height(step))).collect()
                };
                let (driver, follower) = (stairs(), stairs());
                let verdict = correlate(&driver, &follower, 30).verdict;
                told += usize::from(matches!(verdict, Verdict::Supported | Verdict::Contradicted));
            }
        }
        assert!(told <= 50, "{told} of 1,000");
    }

    #[test]
    fn a_bond_is_seen_through_rolling_windows() {
        let mut noise = Noise(31);
        let driver = noise.series(215);
        let follower = following(&driver, 7, 1.0, &mut noise);
        let rolling = |series: &[f64]| -> Vec<f64> { series.windows(28).map(|window| window.iter().sum()).collect() };
        let found = correlate(&scores(&rolling(&driver)), &scores(&rolling(&follower)), 30);
        assert_eq!((found.lag, found.verdict), (7, Verdict::Supported), "{found:?}");
    }
}
