//! What a submission says, as a digest: the same id with the same content is the same measurement.

use crate::domain::measurement::{Extra, MeasuredValue};
use crate::domain::series_names::SeriesView;

/// A digest of what a measurement says, without its instant, its note and its name.
pub(super) fn content_of(series: SeriesView<'_>, value: &MeasuredValue, corrects: Option<&str>, extra: &Extra) -> u64 {
    let mut hasher = blake3::Hasher::new();
    let mut text = |part: &str| {
        hasher.update(&(part.len() as u64).to_le_bytes());
        hasher.update(part.as_bytes());
    };
    text(series.kpi.as_str());
    if let Some((label, name)) = series.each {
        text(label);
        text(name.as_str());
    }
    text(corrects.unwrap_or_default());
    for (name, label) in &extra.labels {
        text(name);
        text(label);
    }
    match value {
        MeasuredValue::Number(value) => text(&format!("n{:x}", value.to_bits())),
        MeasuredValue::Weighted { value, weight } => text(&format!("w{:x} {:x}", value.to_bits(), weight.to_bits())),
        MeasuredValue::Ratio { numerator, denominator } => {
            text(&format!("r{:x} {:x}", numerator.to_bits(), denominator.to_bits()));
        }
        MeasuredValue::Word(word) => text(&format!("t{word}")),
        MeasuredValue::WeightedWord { word, weight } => text(&format!("t{word}\n{}", weight.to_bits())),
        MeasuredValue::NotApplicable => text("-"),
    }
    first_word(&hasher)
}

pub(super) fn content_of_retraction(retracts: &str) -> u64 {
    let mut hasher = blake3::Hasher::new();
    hasher.update(b"retracts ");
    hasher.update(retracts.as_bytes());
    first_word(&hasher)
}

fn first_word(hasher: &blake3::Hasher) -> u64 {
    hasher
        .finalize()
        .as_bytes()
        .iter()
        .take(8)
        .fold(0, |word, byte| word << 8 | u64::from(*byte))
}
