//! One value from the measurements in a window, each aggregate by its definition.

use std::collections::BTreeSet;

use super::definition::{Aggregate, Kpi};
use super::intake::{Measurement, What};

/// The value of the measurements, which are sorted by `observed_at`, then by their place in the journal; those that
/// are not applicable are passed over. `None` where the definition gives none, as with a denominator of 0.
pub fn value(kpi: &Kpi, measurements: &[&Measurement], window_ms: i64) -> Option<f64> {
    let pairs: Vec<(f64, f64)> = measurements
        .iter()
        .filter_map(|measurement| pair(measurement))
        .collect();
    if pairs.is_empty() {
        return None;
    }
    let values: Vec<f64> = pairs.iter().map(|(value, _)| *value).collect();
    let (first, last) = (values[0], values[values.len() - 1]);
    match &kpi.aggregate {
        Aggregate::Count => Some(values.len() as f64),
        Aggregate::Sum => Some(sum(&values)),
        Aggregate::Mean => Some(mean(&values)),
        Aggregate::Min => values.into_iter().reduce(f64::min),
        Aggregate::Max => values.into_iter().reduce(f64::max),
        Aggregate::First => Some(first),
        Aggregate::Last => Some(last),
        Aggregate::Delta => Some(last - first),
        Aggregate::Ratio { scale_by } => {
            let denominators: Vec<f64> = pairs.iter().map(|(_, denominator)| *denominator).collect();
            quotient(scale_by * sum(&values), sum(&denominators))
        }
        Aggregate::WeightedMean => {
            let weighted: Vec<f64> = pairs.iter().map(|(value, weight)| value * weight).collect();
            let weights: Vec<f64> = pairs.iter().map(|(_, weight)| *weight).collect();
            quotient(sum(&weighted), sum(&weights))
        }
        Aggregate::Stddev => Some(stddev(&values)),
        Aggregate::Rate { per_ms } => Some(sum(&values) / (window_ms as f64 / *per_ms as f64)),
        Aggregate::Percentile(percent) => Some(percentile(values, *percent)),
        Aggregate::Distinct { key } => {
            let counted = measurements.iter().filter(|measurement| pair(measurement).is_some());
            Some(
                counted
                    .map(|measurement| &measurement.labels[key])
                    .collect::<BTreeSet<_>>()
                    .len() as f64,
            )
        }
    }
}

/// (value, weight) or (numerator, denominator).
fn pair(measurement: &Measurement) -> Option<(f64, f64)> {
    match measurement.what {
        What::Value { value, weight } => Some((value, weight)),
        What::Ratio { numerator, denominator } => Some((numerator, denominator)),
        What::NotApplicable => None,
    }
}

/// `first`, `last` and `delta` have no aggregate over instances: the readings of the instances add up or average.
pub fn across(kpi: &Kpi, readings: &[f64]) -> f64 {
    if kpi.averages_across {
        mean(readings)
    } else {
        sum(readings)
    }
}

fn quotient(above: f64, below: f64) -> Option<f64> {
    (below != 0.0).then(|| above / below)
}

fn mean(values: &[f64]) -> f64 {
    sum(values) / values.len() as f64
}

/// Kahan's sum with Neumaier's improvement.
pub fn sum(values: &[f64]) -> f64 {
    let (mut total, mut lost) = (0.0_f64, 0.0_f64);
    for value in values {
        let next = total + value;
        lost += if total.abs() >= value.abs() {
            (total - next) + value
        } else {
            (value - next) + total
        };
        total = next;
    }
    total + lost
}

/// Of the whole population, in two passes.
fn stddev(values: &[f64]) -> f64 {
    let middle = mean(values);
    let squares: Vec<f64> = values.iter().map(|value| (value - middle) * (value - middle)).collect();
    mean(&squares).sqrt()
}

/// Nearest rank: the smallest value such that at least `percent` of all values are not above it.
fn percentile(mut values: Vec<f64>, percent: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let rank = (percent * values.len() as f64 / 100.0).ceil() as usize;
    values[rank.max(1) - 1]
}
