//! A cell as words, for checkpoints; floats keep their bits. Words that are not a cell give `None`.

use super::{Cell, Latest, Moments, Parts, Placed, Sum};
use crate::domain::sketch::{Distinct, Percentiles};

impl Cell {
    /// The state in words.
    pub fn to_words(&self, out: &mut Vec<u64>) {
        out.push(u64::from(self.any) << 32 | u64::from(self.count));
        out.extend([
            self.latest_at as u64,
            self.latest.sequence(),
            u64::from(self.latest.is_not_applicable()),
        ]);
        match &self.parts {
            Parts::Nothing => out.push(0),
            Parts::Sum(sum) => out.extend([1, sum.high.to_bits(), sum.low.to_bits()]),
            Parts::Pair(pair) => {
                let [one, two] = [pair.0, pair.1].map(|sum| [sum.high.to_bits(), sum.low.to_bits()]);
                out.push(2);
                out.extend(one.into_iter().chain(two));
            }
            Parts::Least(value) => out.extend([3, value.to_bits()]),
            Parts::Greatest(value) => out.extend([4, value.to_bits()]),
            Parts::First(placed) => placed.to_words(5, out),
            Parts::Last(placed) => placed.to_words(6, out),
            Parts::Ends(ends) => {
                ends.0.to_words(7, out);
                ends.1.to_words(7, out);
            }
            Parts::Moments(moments) => {
                let Moments { origin, mean, squares } = **moments;
                out.extend([8, origin.to_bits(), mean.to_bits(), squares.to_bits()]);
            }
            Parts::Percentiles(sketch) => {
                out.push(9);
                sketch.to_words(out);
            }
            Parts::Distinct(sketch) => {
                out.push(10);
                sketch.to_words(out);
            }
        }
    }

    /// Back from words.
    pub fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let counts = words.next()?;
        let (latest_at, latest_sequence, latest) = (words.next()? as i64, words.next()?, words.next()?);
        Some(Self {
            any: (counts >> 32) as u32,
            count: counts as u32,
            latest_at,
            latest: Latest::new(latest_sequence, latest == 1),
            parts: Parts::from_words(words)?,
        })
    }
}

impl Placed {
    fn to_words(self, tag: u64, out: &mut Vec<u64>) {
        out.extend([tag, self.observed_at as u64, self.sequence, self.value.to_bits()]);
    }

    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let (observed_at, sequence) = (words.next()? as i64, words.next()?);
        Some(Self {
            observed_at,
            sequence,
            value: f64::from_bits(words.next()?),
        })
    }
}

impl Sum {
    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        Some(Self {
            high: f64::from_bits(words.next()?),
            low: f64::from_bits(words.next()?),
        })
    }
}

impl Parts {
    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        Some(match words.next()? {
            0 => Self::Nothing,
            1 => Self::Sum(Sum::from_words(words)?),
            2 => Self::Pair(Box::new((Sum::from_words(words)?, Sum::from_words(words)?))),
            3 => Self::Least(f64::from_bits(words.next()?)),
            4 => Self::Greatest(f64::from_bits(words.next()?)),
            5 => Self::First(Box::new(Placed::from_words(words)?)),
            6 => Self::Last(Box::new(Placed::from_words(words)?)),
            7 => {
                let first = Placed::from_words(words)?;
                words.next()?;
                Self::Ends(Box::new((first, Placed::from_words(words)?)))
            }
            8 => {
                let [origin, mean, squares] = [words.next()?, words.next()?, words.next()?].map(f64::from_bits);
                Self::Moments(Box::new(Moments { origin, mean, squares }))
            }
            9 => Self::Percentiles(Box::new(Percentiles::from_words(words)?)),
            10 => Self::Distinct(Box::new(Distinct::from_words(words)?)),
            _ => return None,
        })
    }
}
