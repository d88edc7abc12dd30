//! The weighted mean, rounded once: what lies exactly on a threshold comes out exactly on it.
//!
//! Pairs of weight and number enter, sum(w*x)/sum(w) leaves. Products and sums are kept with what rounding took from them
//! (Dekker 1971, Knuth's two-sum), so that three children at 75 give 75 whatever their weights, and 50 is never 49.999...
//! What the children lost to rounding themselves (two thirds, say) is given back where the result is all but a short decimal.

/// A number and what rounding took from it.
#[derive(Debug, Clone, Copy, Default)]
struct Pair {
    high: f64,
    low: f64,
}

/// 2^27 + 1: splits the 53 bits of a number into two halves whose products are exact.
const SPLITTER: f64 = 134_217_729.0;

fn two_sum(one: f64, other: f64) -> Pair {
    let high = one + other;
    let part = high - one;
    Pair {
        high,
        low: (one - (high - part)) + (other - part),
    }
}

fn halves(number: f64) -> (f64, f64) {
    let scaled = SPLITTER * number;
    let high = scaled - (scaled - number);
    (high, number - high)
}

fn two_product(one: f64, other: f64) -> Pair {
    let high = one * other;
    // Most weights are 1, and nothing is lost.
    if one == 1.0 {
        return Pair { high, low: 0.0 };
    }
    let ((a, b), (c, d)) = (halves(one), halves(other));
    Pair {
        high,
        low: ((a * c - high) + a * d + b * c) + b * d,
    }
}

impl Pair {
    /// Takes one of many in; the next one need wait for nothing but the sum of the highs. [`Pair::settled`] comes last.
    fn take(&mut self, other: Self) {
        let sum = two_sum(self.high, other.high);
        self.high = sum.high;
        self.low += sum.low + other.low;
    }

    /// The same, with all in `high` that it can hold.
    fn settled(self) -> Self {
        two_sum(self.high, self.low)
    }

    fn add(self, other: Self) -> Self {
        let sum = two_sum(self.high, other.high);
        two_sum(sum.high, sum.low + self.low + other.low)
    }

    fn times(self, factor: f64) -> Self {
        let product = two_product(self.high, factor);
        two_sum(product.high, product.low + self.low * factor)
    }

    fn divided_by(self, other: Self) -> f64 {
        let first = self.high / other.high;
        let rest = self.add(other.times(-first));
        first + (rest.high + rest.low) / other.high
    }
}

/// Decimals that people write thresholds with, at most.
const DECIMALS: f64 = 1e9;
/// How far from such a decimal the rounding of children can have led, in relation to the number: every level of a tree adds
/// half a unit in the last place (2^-53), and weights cannot enlarge it.
const ROUNDING: f64 = 4.0 * f64::EPSILON;

/// The short decimal that a number would be without the rounding of what it was made from, or the number itself.
fn unrounded(number: f64) -> f64 {
    let decimal = (number * DECIMALS).round() / DECIMALS;
    if (number - decimal).abs() <= ROUNDING * number.abs() {
        decimal
    } else {
        number
    }
}

/// sum(w*x)/sum(w) over (weight, number) of 0 to 100; `None` where the weights add up to 0. Weights are 0 or more.
pub fn weighted_mean(pairs: impl Iterator<Item = (f64, f64)> + Clone) -> Option<f64> {
    // What agrees is its own mean: coverage is mostly 1 everywhere.
    let (_, first) = pairs.clone().next()?;
    if pairs.clone().all(|(_, number)| number == first) {
        return pairs.clone().any(|(weight, _)| weight > 0.0).then(|| unrounded(first));
    }
    let (mut numbers, mut weights) = (Pair::default(), Pair::default());
    for (weight, number) in pairs {
        numbers.take(two_product(weight, number));
        weights.take(Pair { high: weight, low: 0.0 });
    }
    let (numbers, weights) = (numbers.settled(), weights.settled());
    (weights.high > 0.0).then(|| unrounded(numbers.divided_by(weights)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn mean(pairs: &[(f64, f64)]) -> Option<f64> {
        weighted_mean(pairs.iter().copied())
    }

    #[test]
    fn what_agrees_stays_what_it_is() {
        assert_eq!(mean(&[(0.1, 75.0), (0.7, 75.0), (0.3, 75.0)]), Some(75.0));
        assert_eq!(mean(&[(1.0, 10.0), (2.0, 40.0), (3.0, 70.0)]), Some(50.0));
        assert_eq!(mean(&[(0.0, 10.0)]), None);
        assert_eq!(mean(&[]), None);
    }

    #[test]
    fn what_children_lost_to_rounding_does_not_miss_a_threshold() {
        let two_thirds = mean(&[(2.0, 1.0), (1.0, 0.0)]).unwrap();
        assert_eq!(mean(&[(3.0, two_thirds), (2.0, 1.0)]), Some(0.8));
        let third = mean(&[(2.0, 0.0), (1.0, 100.0)]).unwrap();
        assert_eq!(mean(&[(3.0, third), (1.0, 100.0)]), Some(50.0));
        assert_eq!(mean(&[(1.0, third), (7.0, third)]), Some(third));
    }

    proptest! {
        #[test]
        fn it_is_the_nearest_number_to_the_true_mean(pairs in proptest::collection::vec((1..1_000_i64, 0..=100_i64), 1..12)) {
            // In whole numbers the true mean is a fraction that is exact.
            let (weights, sum) = pairs.iter().fold((0, 0), |(weights, sum), (weight, number)| (weights + weight, sum + weight * number));
            let found = mean(&pairs.iter().map(|(weight, number)| (*weight as f64, *number as f64)).collect::<Vec<_>>());
            prop_assert_eq!(found, Some(sum as f64 / weights as f64));
        }
    }
}
