//! A series as words, for checkpoints; floats keep their bits. Words that are not a series give `None`.

use super::settled::Settled;
use super::{Correctable, Held, Rare, Series};
use crate::domain::aggregate::{Cell, Sample, SampleValue};
use crate::domain::instant::Instant;

impl Series {
    /// The state in words.
    pub fn to_words(&self, out: &mut Vec<u64>) {
        out.extend([self.measured, self.slices.len() as u64]);
        for (slice, cell) in &self.slices {
            out.push(*slice as u64);
            cell.to_words(out);
        }
        let nothing = Rare::default();
        let rare = self.rare.as_deref().unwrap_or(&nothing);
        rare.before.to_words(out);
        out.push(rare.correctable.len() as u64);
        for (slice, entry) in &rare.correctable {
            out.push(*slice as u64);
            entry.rest.to_words(out);
            out.push(entry.samples.len() as u64);
            entry.samples.iter().for_each(|sample| sample.to_words(out));
        }
        match rare.hold {
            None => out.push(0),
            Some(held) => {
                out.extend([
                    1 + u64::from(held.is_current),
                    held.value.to_bits(),
                    held.evaluated_at.0 as u64,
                ]);
            }
        }
        self.settled_to_words(out);
    }

    /// Back from words.
    pub fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let mut series = Self {
            measured: words.next()?,
            ..Self::default()
        };
        let slices = words.next()?;
        // Words that lie about their number get no more room than a century of hours.
        series.slices.reserve_exact(slices.min(1_000_000) as usize);
        for _ in 0..slices {
            series.slices.push((words.next()? as i64, Cell::from_words(words)?));
        }
        let mut rare = Rare {
            before: Cell::from_words(words)?,
            ..Rare::default()
        };
        for _ in 0..words.next()? {
            let slice = words.next()? as i64;
            let mut entry = Correctable {
                rest: Cell::from_words(words)?,
                samples: Vec::new(),
            };
            for _ in 0..words.next()? {
                entry.samples.push(Sample::from_words(words)?);
            }
            rare.correctable.insert(slice, entry);
        }
        let hold = words.next()?;
        if hold > 0 {
            let (value, evaluated_at) = (f64::from_bits(words.next()?), Instant(words.next()? as i64));
            rare.hold = Some(Held {
                value,
                evaluated_at,
                is_current: hold == 2,
            });
        }
        rare.settled = Settled::from_words(words)?;
        let has_any = rare.before.any > 0 || !rare.correctable.is_empty();
        let is_rare = has_any || rare.hold.is_some() || rare.settled.is_some();
        series.rare = is_rare.then(|| Box::new(rare));
        Some(series)
    }
}

impl Sample {
    fn to_words(self, out: &mut Vec<u64>) {
        let (tag, first, second) = match self.value {
            SampleValue::Number(value) => (0, value.to_bits(), 0),
            SampleValue::Pair(value, other) => (1, value.to_bits(), other.to_bits()),
            SampleValue::Thing(hash) => (2, hash, 0),
            SampleValue::NotApplicable => (3, 0, 0),
        };
        out.extend([self.sequence, self.observed_at as u64, tag, first, second]);
    }

    fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Self> {
        let (sequence, observed_at) = (words.next()?, words.next()? as i64);
        let (tag, first, second) = (words.next()?, words.next()?, words.next()?);
        let value = match tag {
            0 => SampleValue::Number(f64::from_bits(first)),
            1 => SampleValue::Pair(f64::from_bits(first), f64::from_bits(second)),
            2 => SampleValue::Thing(first),
            _ => SampleValue::NotApplicable,
        };
        Some(Self {
            sequence,
            observed_at,
            value,
        })
    }
}
