//! From blocks to records.

use std::borrow::Cow;

use super::details::{self, BlockDetails, PositionDetails, SeriesDetails};
use super::{Record, kind};
use crate::domain::fact::{Block, Correction, Entry, Fact, Retraction, Row};
use crate::domain::id::Sequence;
use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};

/// Turns blocks into records, in journal order, and remembers the series that they name.
#[derive(Debug, Default)]
pub struct Recorder {
    names: Vec<SeriesKey>,
}

impl Recorder {
    /// Takes in what a block names without telling it.
    pub fn learn(&mut self, block: &Block) {
        let known = (self.names.len() as u32).saturating_sub(block.series_base) as usize;
        for key in block.new_series.iter().skip(known) {
            let key = key.clone().sharing_with(self.names.last());
            self.names.push(key);
        }
    }

    /// Tells the facts of a block whose sequence is in `from ..= to`, and before them what the block says beside them.
    pub fn tell<E: From<serde_json::Error>>(
        &mut self,
        block: &Block,
        (from, to): (Sequence, Sequence),
        told: &mut dyn FnMut(&Record<'_>) -> Result<(), E>,
    ) -> Result<u64, E> {
        self.learn(block);
        let (first, last) = (
            block.first.max(from),
            Sequence((block.first.0 + block.len()).saturating_sub(1)).min(to),
        );
        let count = (last.0 + 1).saturating_sub(first.0);
        let is_inside = block.first >= from && block.first <= to;
        if (count > 0 || block.is_empty() && is_inside)
            && let Some(record) = block_record(block, count)?
        {
            told(&record)?;
        }
        let told_of = block
            .entries()
            .filter(|(sequence, _)| (first..=last).contains(sequence));
        for (sequence, entry) in told_of {
            told(&self.record(block, sequence, &entry)?)?;
        }
        Ok(count)
    }

    fn record<'a>(&'a self, block: &Block, sequence: Sequence, entry: &Entry<'a>) -> serde_json::Result<Record<'a>> {
        let mut record = Record {
            sequence: Some(sequence.0),
            recorded_at: block.recorded_at.0,
            block: block.first.0,
            ..Record::default()
        };
        match entry {
            Entry::Measurement(row) => {
                record.fact = kind::MEASUREMENT.into();
                self.put_row(&mut record, row);
            }
            Entry::Other(Fact::MeasurementCorrected(correction)) => self.put_correction(&mut record, correction),
            Entry::Other(Fact::MeasurementRetracted(retraction)) => self.put_retraction(&mut record, retraction),
            Entry::Other(fact) => {
                let (kind, text) = details::of(fact)?;
                record.fact = kind.into();
                record.details = Some(text.into());
            }
        }
        Ok(record)
    }

    fn put_row<'a>(&'a self, record: &mut Record<'a>, row: &Row<'a>) {
        record.observed_at = Some(row.observed_at.0);
        record.received_at = Some(row.received_at.0);
        self.put_series(record, row.series.0);
        put_value(record, &row.measured_value());
        if let Some(extra) = row.extra {
            put_extra(record, extra);
        }
    }

    fn put_correction<'a>(&'a self, record: &mut Record<'a>, of: &'a Correction) {
        record.fact = kind::CORRECTION.into();
        record.observed_at = Some(of.observed_at.0);
        record.received_at = Some(of.received_at.0);
        record.corrects = Some(Cow::Borrowed(&of.corrects));
        record.target_sequence = Some(of.target.sequence.0);
        record.target_observed_at = Some(of.target.observed_at.0);
        self.put_series(record, of.target.series.0);
        put_value(record, &of.value);
        put_extra(record, &of.extra);
    }

    fn put_retraction<'a>(&'a self, record: &mut Record<'a>, of: &'a Retraction) {
        record.fact = kind::RETRACTION.into();
        record.received_at = Some(of.received_at.0);
        record.retracts = Some(Cow::Borrowed(&of.retracts));
        record.target_sequence = Some(of.target.sequence.0);
        record.target_observed_at = Some(of.target.observed_at.0);
        self.put_series(record, of.target.series.0);
        put_extra(record, &of.extra);
    }

    fn put_series<'a>(&'a self, record: &mut Record<'a>, number: u32) {
        record.series = Some(number);
        let Some(key) = self.names.get(number as usize) else {
            return;
        };
        record.kpi = Some(Cow::Borrowed(key.kpi.as_str()));
        record.source = Some(Cow::Borrowed(&key.source));
        if let Some((label, name)) = &key.each {
            record.label = Some(Cow::Borrowed(label));
            record.instance = Some(Cow::Borrowed(name.as_str()));
        }
    }
}

/// What a block says beside its facts, if anything.
fn block_record(block: &Block, facts: u64) -> serde_json::Result<Option<Record<'static>>> {
    let is_usual = block.new_series.is_empty() || are_in_order_of_use(block);
    if block.positions.is_empty() && is_usual && facts > 0 {
        return Ok(None);
    }
    let details = BlockDetails {
        facts,
        positions: block.positions.iter().map(PositionDetails::of).collect(),
        series: (!is_usual).then(|| block.new_series.iter().map(SeriesDetails::of).collect()),
    };
    Ok(Some(Record {
        fact: kind::BLOCK.into(),
        recorded_at: block.recorded_at.0,
        block: block.first.0,
        details: Some(serde_json::to_string(&details)?.into()),
        ..Record::default()
    }))
}

/// Whether the new series are those of the block's measurements, in the order in which they appear, and nothing else of
/// the block needs them earlier.
fn are_in_order_of_use(block: &Block) -> bool {
    let mut next = block.series_base;
    for number in &block.measurements.series {
        if *number > next {
            return false;
        }
        next += u32::from(*number == next);
    }
    let is_old = |(_, fact): &(u32, Fact)| match fact {
        Fact::MeasurementCorrected(of) => of.target.series.0 < block.series_base,
        Fact::MeasurementRetracted(of) => of.target.series.0 < block.series_base,
        _ => true,
    };
    next as usize == block.series_base as usize + block.new_series.len() && block.others.iter().all(is_old)
}

fn put_value(record: &mut Record<'_>, value: &MeasuredValue) {
    match value {
        MeasuredValue::Number(value) => record.value = Some(*value),
        MeasuredValue::Weighted { value, weight } => {
            (record.value, record.weight) = (Some(*value), Some(*weight));
        }
        MeasuredValue::Ratio { numerator, denominator } => {
            (record.numerator, record.denominator) = (Some(*numerator), Some(*denominator));
        }
        MeasuredValue::Word(word) => record.word = Some(word.to_string().into()),
        MeasuredValue::WeightedWord { word, weight } => {
            (record.word, record.weight) = (Some(word.to_string().into()), Some(*weight));
        }
        MeasuredValue::NotApplicable => record.not_applicable = Some(true),
    }
}

fn put_extra<'a>(record: &mut Record<'a>, extra: &'a Extra) {
    record.id = extra.id.as_deref().map(Cow::Borrowed);
    record.note = extra.note.as_deref().map(Cow::Borrowed);
    record.by = extra.by.as_deref().map(Cow::Borrowed);
    let label = |(name, value): &'a (Box<str>, Box<str>)| (Cow::Borrowed(&**name), Cow::Borrowed(&**value));
    record.labels = extra.labels.iter().map(label).collect();
}
