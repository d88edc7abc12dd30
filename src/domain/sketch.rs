//! Sketches: percentiles within 1 % and numbers of different things within 2 %, in bounded room.
//!
//! Both are built from integer counts and exact floating point steps (no logarithm of the system's library), so that
//! the same input gives the same bits on every machine; that is why the ready-made crates, which call `ln`, were not
//! taken. Both merge without loss: a merged sketch equals the sketch of all input, in any order.

use std::collections::BTreeMap;

/// Relative accuracy of a percentile. Buckets are a little finer than the promised 1 %.
const ACCURACY: f64 = 0.009;

/// Percentile sketch after Masson, Rim and Lee, "DDSketch" (VLDB 2019), with their linear interpolation of the logarithm:
/// bucket = floor((exponent + mantissa - 1) * scale), which needs 1/ln 2 more buckets than the logarithm and no libm.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Percentiles {
    /// Counts by signed bucket: negative values mirror positive ones, 0 is in the middle.
    buckets: BTreeMap<i64, u64>,
    count: u64,
}

/// Buckets of positive values are shifted so that they are all greater than 0 (the smallest exponent is -1074).
const SHIFT: i64 = 1_100 * 1_000;

fn scale() -> f64 {
    // One bucket spans a factor of at most (1 + a) / (1 - a); within an octave the linear interpolation is flattest at
    // its lower end, where a step of 1/scale in the mantissa is a factor of 1 + 1/scale.
    (1.0 - ACCURACY) / (2.0 * ACCURACY)
}

fn bucket_of(value: f64) -> i64 {
    if value == 0.0 {
        return 0;
    }
    let (mantissa, exponent) = split(value.abs());
    let bucket = ((exponent as f64 + (mantissa - 1.0)) * scale()).floor() as i64 + SHIFT;
    if value < 0.0 { -bucket } else { bucket }
}

/// Mantissa in 1..2 and exponent of a positive number, subnormal ones included.
fn split(value: f64) -> (f64, i64) {
    const TWO_POW_54: f64 = 18_014_398_509_481_984.0;
    if value < f64::MIN_POSITIVE {
        let (mantissa, exponent) = split(value * TWO_POW_54);
        return (mantissa, exponent - 54);
    }
    let bits = value.to_bits();
    let exponent = (bits >> 52) as i64 - 1023;
    let mantissa = f64::from_bits(bits & ((1 << 52) - 1) | (1023 << 52));
    (mantissa, exponent)
}

/// The value where a bucket of positive values begins.
fn bucket_start(bucket: i64) -> f64 {
    let position = (bucket - SHIFT) as f64 / scale();
    let exponent = position.floor();
    let mantissa = 1.0 + (position - exponent);
    mantissa * power_of_two(exponent as i64)
}

fn power_of_two(exponent: i64) -> f64 {
    match exponent {
        1024.. => f64::INFINITY,
        -1022..=1023 => f64::from_bits(((exponent + 1023) as u64) << 52),
        _ => power_of_two((exponent + 54).max(-1022)) / 18_014_398_509_481_984.0,
    }
}

fn value_of(bucket: i64) -> f64 {
    if bucket == 0 {
        return 0.0;
    }
    let (low, high) = (bucket_start(bucket.abs()), bucket_start(bucket.abs() + 1));
    // The point whose relative distance to both ends is the same.
    let high = high.min(f64::MAX);
    let middle = low + (high - low) * (low / (low + high).min(f64::MAX));
    if bucket < 0 { -middle } else { middle }
}

impl Percentiles {
    /// Takes a value in.
    pub fn add(&mut self, value: f64) {
        *self.buckets.entry(bucket_of(value)).or_default() += 1;
        self.count += 1;
    }

    /// Takes another sketch in.
    pub fn merge(&mut self, other: &Self) {
        for (bucket, count) in &other.buckets {
            *self.buckets.entry(*bucket).or_default() += count;
        }
        self.count += other.count;
    }

    /// The value of the sample of rank ceil(p/100 * n) (nearest rank), within 1 %; `None` without samples.
    pub fn percentile(&self, percent: f64) -> Option<f64> {
        let rank = (percent / 100.0 * self.count as f64).ceil().max(1.0) as u64;
        let mut seen = 0;
        self.buckets.iter().find_map(|(bucket, count)| {
            seen += count;
            (seen >= rank).then(|| value_of(*bucket))
        })
    }

    /// The state in words, for checkpoints.
    pub fn to_words(&self, out: &mut Vec<u64>) {
        out.push(self.buckets.len() as u64);
        for (bucket, count) in &self.buckets {
            out.extend([*bucket as u64, *count]);
        }
    }

    /// Back from words.
    pub fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let mut sketch = Self::default();
        for _ in 0..words.next()? {
            let (bucket, count) = (words.next()? as i64, words.next()?);
            sketch.buckets.insert(bucket, count);
            sketch.count += count;
        }
        Some(sketch)
    }
}

/// Different things up to which they are counted exactly.
const EXACT_MAX: usize = 256;
/// 2^14 registers: standard error 1.04 / sqrt(2^14) = 0.8 %.
const PRECISION: u32 = 14;
const REGISTERS: usize = 1 << PRECISION;

/// Number of different things: exact up to 256, then HyperLogLog (Flajolet et al. 2007) with the estimator of Ertl,
/// "New cardinality estimation algorithms for HyperLogLog sketches" (2017), which needs no bias tables.
#[derive(Debug, Clone, PartialEq)]
pub enum Distinct {
    /// Hashes, ascending.
    Exact(Vec<u64>),
    /// Registers.
    Estimated(Box<[u8]>),
}

impl Default for Distinct {
    fn default() -> Self {
        Self::Exact(Vec::new())
    }
}

/// The hash of a thing: 8 bytes of BLAKE3, the same everywhere.
pub fn hash_of(text: &str) -> u64 {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()
        .iter()
        .take(8)
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}

impl Distinct {
    /// Takes in the hash of a thing.
    pub fn add(&mut self, hash: u64) {
        match self {
            Self::Exact(hashes) => {
                if let Err(place) = hashes.binary_search(&hash) {
                    hashes.insert(place, hash);
                    self.estimate_when_many();
                }
            }
            Self::Estimated(registers) => register(registers, hash),
        }
    }

    /// Takes another sketch in.
    pub fn merge(&mut self, other: &Self) {
        match (&mut *self, other) {
            (_, Self::Exact(hashes)) => hashes.iter().for_each(|hash| self.add(*hash)),
            (Self::Estimated(registers), Self::Estimated(others)) => {
                for (register, other) in registers.iter_mut().zip(others.iter()) {
                    *register = (*register).max(*other);
                }
            }
            (Self::Exact(hashes), Self::Estimated(others)) => {
                let mut registers = others.clone();
                for hash in hashes.iter() {
                    register(&mut registers, *hash);
                }
                *self = Self::Estimated(registers);
            }
        }
    }

    fn estimate_when_many(&mut self) {
        if let Self::Exact(hashes) = self
            && hashes.len() > EXACT_MAX
        {
            let mut registers = vec![0; REGISTERS].into_boxed_slice();
            for hash in hashes.iter() {
                register(&mut registers, *hash);
            }
            *self = Self::Estimated(registers);
        }
    }

    /// How many different things, within 2 %.
    pub fn count(&self) -> f64 {
        match self {
            Self::Exact(hashes) => hashes.len() as f64,
            Self::Estimated(registers) => estimate(registers),
        }
    }

    /// The state in words, for checkpoints.
    pub fn to_words(&self, out: &mut Vec<u64>) {
        match self {
            Self::Exact(hashes) => {
                out.push(hashes.len() as u64);
                out.extend(hashes);
            }
            Self::Estimated(registers) => {
                out.push(u64::MAX);
                out.extend(
                    registers
                        .chunks(8)
                        .map(|chunk| chunk.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))),
                );
            }
        }
    }

    /// Back from words.
    pub fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        match words.next()? {
            u64::MAX => {
                let bytes: Vec<u8> = words.take(REGISTERS / 8).flat_map(u64::to_be_bytes).collect();
                (bytes.len() == REGISTERS).then(|| Self::Estimated(bytes.into()))
            }
            len => {
                let hashes: Vec<u64> = words.take(usize::try_from(len).ok()?).collect();
                (hashes.len() as u64 == len).then_some(Self::Exact(hashes))
            }
        }
    }
}

fn register(registers: &mut [u8], hash: u64) {
    let index = (hash >> (64 - PRECISION)) as usize;
    let rank = ((hash << PRECISION) | (1 << (PRECISION - 1))).leading_zeros() as u8 + 1;
    if let Some(register) = registers.get_mut(index) {
        *register = (*register).max(rank);
    }
}

/// Ertl's improved raw estimator.
fn estimate(registers: &[u8]) -> f64 {
    let ranks = 64 - PRECISION as usize;
    let mut counts = vec![0_u64; ranks + 2];
    for register in registers {
        if let Some(count) = counts.get_mut(usize::from(*register)) {
            *count += 1;
        }
    }
    let all = REGISTERS as f64;
    let count = |rank: usize| counts.get(rank).copied().unwrap_or(0) as f64;
    let mut z = all * tau(1.0 - count(ranks + 1) / all);
    for rank in (1..=ranks).rev() {
        z = 0.5 * (z + count(rank));
    }
    z += all * sigma(count(0) / all);
    // 1 / (2 ln 2)
    0.721_347_520_444_481_7 * all * all / z
}

fn sigma(mut x: f64) -> f64 {
    if x == 1.0 {
        return f64::INFINITY;
    }
    let (mut y, mut z) = (1.0, x);
    loop {
        x *= x;
        let before = z;
        z += x * y;
        y += y;
        if z == before {
            return z;
        }
    }
}

fn tau(mut x: f64) -> f64 {
    if x == 0.0 || x == 1.0 {
        return 0.0;
    }
    let (mut y, mut z) = (1.0, 1.0 - x);
    loop {
        x = x.sqrt();
        let before = z;
        y *= 0.5;
        z -= (1.0 - x) * (1.0 - x) * y;
        if z == before {
            return z / 3.0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_magnitude_comes_back_within_one_percent() {
        for exponent in -300..300 {
            for mantissa in [1.0, 1.001, 1.3, 1.999_999, 9.99] {
                let value = mantissa * 10_f64.powi(exponent);
                for value in [value, -value] {
                    let mut sketch = Percentiles::default();
                    sketch.add(value);
                    let found = sketch.percentile(50.0).unwrap();
                    assert!(((found - value) / value).abs() < 0.01, "{value} {found}");
                }
            }
        }
        for value in [f64::MAX, f64::MIN, f64::MIN_POSITIVE / 8.0] {
            let mut sketch = Percentiles::default();
            sketch.add(value);
            assert!(
                ((sketch.percentile(50.0).unwrap() - value) / value).abs() < 0.01,
                "{value}"
            );
        }
    }

    #[test]
    fn ranks_are_right_through_zero() {
        let mut sketch = Percentiles::default();
        (-50..=50).for_each(|value| sketch.add(f64::from(value)));
        assert_eq!(sketch.percentile(50.0), Some(0.0));
        assert!((sketch.percentile(0.0).unwrap() + 50.0).abs() < 0.5);
        assert!((sketch.percentile(100.0).unwrap() - 50.0).abs() < 0.5);
        assert!((sketch.percentile(90.0).unwrap() - 40.0).abs() < 0.41);
    }

    #[test]
    fn few_are_exact_and_many_are_close() {
        for many in [0_u32, 1, 256, 257, 1_000, 30_000, 300_000] {
            let mut halves = [Distinct::default(), Distinct::default()];
            for thing in 0..many {
                let hash = hash_of(&format!("thing {thing}"));
                halves[thing as usize % 2].add(hash);
                halves[1].add(hash);
            }
            let [mut all, other] = halves;
            all.merge(&other);
            let error = (all.count() - f64::from(many)).abs();
            assert!(
                error <= if many <= 256 { 0.0 } else { 0.02 * f64::from(many) },
                "{many}: {}",
                all.count()
            );
        }
    }

    #[test]
    fn words_bring_the_same_sketch_back() {
        let mut percentiles = Percentiles::default();
        let mut distinct = Distinct::default();
        for value in 0..1_000 {
            percentiles.add(f64::from(value) - 300.0);
            distinct.add(hash_of(&value.to_string()));
        }
        let mut words = Vec::new();
        percentiles.to_words(&mut words);
        distinct.to_words(&mut words);
        let mut words = words.into_iter();
        assert_eq!(Percentiles::from_words(&mut words), Some(percentiles));
        assert_eq!(Distinct::from_words(&mut words), Some(distinct));
    }
}
