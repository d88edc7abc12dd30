//! Numbers that look random and are always the same.
//!
//! A seed enters, numbers leave. `SplitMix64` (Steele, Lea, Flood 2014): eight lines, good enough for a play, and it cannot
//! change with a new version of a library.

/// A stream of numbers.
#[derive(Debug, Clone)]
pub(super) struct Chance {
    state: u64,
}

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// A stream of its own for a name, whatever was drawn from others.
    pub(super) fn of(&self, name: &str) -> Self {
        // FNV-1a: spreads short names well enough, and the mixing below does the rest.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        self.numbered(name.bytes().fold(0xcbf2_9ce4_8422_2325, fold))
    }

    /// A stream of its own for a number.
    pub(super) fn numbered(&self, number: u64) -> Self {
        let mut chance = Self::new(self.state ^ mix(number.wrapping_add(GOLDEN)));
        chance.word();
        chance
    }

    /// 64 bits.
    pub(super) fn word(&mut self) -> u64 {
        self.state = self.state.wrapping_add(GOLDEN);
        mix(self.state)
    }

    /// 0 <= x < 1.
    pub(super) fn unit(&mut self) -> f64 {
        (self.word() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// from <= x < to.
    pub(super) fn between(&mut self, from: f64, to: f64) -> f64 {
        from + (to - from) * self.unit()
    }

    /// True so often, 0..=1.
    pub(super) fn happens(&mut self, probability: f64) -> bool {
        self.unit() < probability
    }

    /// Mean 0, standard deviation 1 (Box and Muller).
    pub(super) fn gauss(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }

    /// Mean 1, most of it small.
    pub(super) fn exponential(&mut self) -> f64 {
        -(1.0 - self.unit()).ln()
    }

    /// A whole number whose mean is `value`.
    pub(super) fn whole(&mut self, value: f64) -> f64 {
        (value + self.unit()).floor()
    }
}

fn mix(word: u64) -> u64 {
    let word = (word ^ (word >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let word = (word ^ (word >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ (word >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stream_is_the_published_one() {
        // First outputs of SplitMix64 for seed 1234567, as in the reference implementation by Sebastiano Vigna.
        let mut chance = Chance::new(1_234_567);
        let words: Vec<u64> = (0..3).map(|_| chance.word()).collect();
        assert_eq!(
            words,
            [
                6_457_827_717_110_365_317,
                3_203_168_211_198_807_973,
                9_817_491_932_198_370_423
            ]
        );
    }

    #[test]
    fn draws_have_the_mean_and_spread_they_say() {
        let mut chance = Chance::new(7);
        let mean = |draws: &[f64]| draws.iter().sum::<f64>() / draws.len() as f64;
        let gauss: Vec<f64> = (0..20_000).map(|_| chance.gauss()).collect();
        let squares: Vec<f64> = gauss.iter().map(|draw| draw * draw).collect();
        assert!(mean(&gauss).abs() < 0.03 && (mean(&squares) - 1.0).abs() < 0.05);
        let waits: Vec<f64> = (0..20_000).map(|_| chance.exponential()).collect();
        assert!((mean(&waits) - 1.0).abs() < 0.05);
        let whole: Vec<f64> = (0..20_000).map(|_| chance.whole(0.3)).collect();
        assert!((mean(&whole) - 0.3).abs() < 0.02);
        assert!(whole.iter().all(|draw| draw.fract() == 0.0));
    }

    #[test]
    fn streams_of_different_names_differ() {
        let chance = Chance::new(1);
        assert_ne!(chance.of("a").word(), chance.of("b").word());
        assert_ne!(chance.numbered(1).word(), chance.numbered(2).word());
        assert_eq!(chance.of("a").word(), chance.of("a").word());
    }
}
