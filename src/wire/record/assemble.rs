//! From records back to blocks.
//!
//! Records enter in journal order, whole blocks leave, with the same sequences, series and instants. What does not fit the
//! record before is refused with its reason: nothing is guessed.

use std::sync::Arc;

use super::details::{self, BlockDetails};
use super::{Record, kind};
use crate::domain::fact::{Block, Correction, Fact, MeasurementPlace, Retraction, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};

/// Why a record cannot be taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RecordProblem(pub String);

/// Puts records together.
#[derive(Debug)]
pub struct Assembler {
    names: Vec<SeriesKey>,
    next: Sequence,
    recorded_at: Instant,
    open: Option<Open>,
}

/// The block that is being put together.
#[derive(Debug)]
struct Open {
    block: Block,
    /// Facts that are still to come, where the block said how many it has.
    left: Option<u64>,
    /// It named its series beforehand.
    has_names: bool,
}

impl Default for Assembler {
    fn default() -> Self {
        Self {
            names: Vec::new(),
            next: Sequence(1),
            recorded_at: Instant(i64::MIN),
            open: None,
        }
    }
}

impl Assembler {
    /// Takes in the next record. Gives back the block before, if this record begins another one.
    pub fn take(&mut self, record: &Record<'_>) -> Result<Option<Block>, RecordProblem> {
        let is_marker = record.fact == kind::BLOCK;
        let belongs = self.open.as_ref().is_some_and(|open| {
            !is_marker && open.block.first.0 == record.block && open.left.is_none_or(|left| left > 0)
        });
        let done = if belongs { None } else { self.begin(record)? };
        let Some(mut open) = self.open.take() else {
            return Ok(done);
        };
        let taken = if is_marker {
            self.describe(&mut open, record)
        } else {
            self.add(&mut open, record)
        };
        self.open = Some(open);
        taken.map(|()| done)
    }

    /// The last block, when no record is left.
    pub fn finish(mut self) -> Result<Option<Block>, RecordProblem> {
        self.close()
    }

    fn close(&mut self) -> Result<Option<Block>, RecordProblem> {
        let Some(open) = self.open.take() else { return Ok(None) };
        match open.left {
            Some(left) if left > 0 => Err(RecordProblem(format!(
                "the block that begins at {} has {left} facts more: export it again",
                open.block.first
            ))),
            _ => Ok(Some(open.block)),
        }
    }

    fn begin(&mut self, record: &Record<'_>) -> Result<Option<Block>, RecordProblem> {
        let done = self.close()?;
        if record.block != self.next.0 {
            let problem = format!(
                "its block begins at {}, the next is {}: give all records of an export, in order, from the journal's first fact on",
                record.block, self.next
            );
            return Err(RecordProblem(problem));
        }
        if record.recorded_at < self.recorded_at.0 {
            let at = self.recorded_at;
            return Err(RecordProblem(format!(
                "it was recorded before the record before it ({at}): give the records in order"
            )));
        }
        self.recorded_at = Instant(record.recorded_at);
        let block = Block {
            first: self.next,
            recorded_at: self.recorded_at,
            series_base: self.names.len() as u32,
            ..Block::default()
        };
        self.open = Some(Open {
            block,
            left: None,
            has_names: false,
        });
        Ok(done)
    }

    /// What a block says beside its facts.
    fn describe(&mut self, open: &mut Open, record: &Record<'_>) -> Result<(), RecordProblem> {
        let text = record.details.as_deref().unwrap_or_default();
        let details: BlockDetails = details::read(text).map_err(RecordProblem)?;
        open.left = Some(details.facts);
        open.block.positions = details
            .positions
            .iter()
            .map(details::PositionDetails::position)
            .collect();
        for series in details.series.iter().flatten() {
            let key = series.key().map_err(RecordProblem)?;
            open.has_names = true;
            self.name(open, key);
        }
        Ok(())
    }

    fn name(&mut self, open: &mut Open, key: SeriesKey) {
        open.block.new_series.push(key.clone());
        let key = key.sharing_with(self.names.last());
        self.names.push(key);
    }

    fn add(&mut self, open: &mut Open, record: &Record<'_>) -> Result<(), RecordProblem> {
        if record.sequence != Some(self.next.0) {
            let found = record.sequence.map_or("none".to_owned(), |found| found.to_string());
            return Err(RecordProblem(format!(
                "its sequence is {found}, the next is {}",
                self.next
            )));
        }
        if record.recorded_at != open.block.recorded_at.0 {
            let at = open.block.recorded_at;
            return Err(RecordProblem(format!("its block was recorded at {at}, and it is not")));
        }
        match &*record.fact {
            kind::MEASUREMENT => {
                let number = self.number(open, record)?;
                let instants = (instant(record.observed_at, "observed_at")?, received_at(record)?);
                let value = value_of(record)?;
                open.block.measurements.push(number, instants, &value, extra_of(record));
            }
            kind::CORRECTION | kind::RETRACTION => {
                let target = self.target(record)?;
                let fact = earlier(record, target)?;
                push(&mut open.block, fact);
            }
            other => {
                let text = record.details.as_deref().unwrap_or_default();
                let fact = details::fact(other, text)
                    .ok_or_else(|| RecordProblem(format!("`{other}` is no kind of fact that this version knows")))?;
                push(&mut open.block, fact.map_err(RecordProblem)?);
            }
        }
        self.next = self.next.plus(1);
        open.left = open.left.map(|left| left - 1);
        Ok(())
    }

    /// The series of a measurement; the next number names a new one.
    fn number(&mut self, open: &mut Open, record: &Record<'_>) -> Result<SeriesNumber, RecordProblem> {
        let key = key_of(record)?;
        let number = record.series.ok_or_else(|| missing("series"))?;
        if number as usize == self.names.len() && !open.has_names {
            self.name(open, key);
            return Ok(SeriesNumber(number));
        }
        self.known(number, &key)
    }

    fn known(&self, number: u32, key: &SeriesKey) -> Result<SeriesNumber, RecordProblem> {
        if self.names.get(number as usize) == Some(key) {
            return Ok(SeriesNumber(number));
        }
        Err(RecordProblem(format!(
            "series {number} is not that of `{}` and source `{}`, or not the next one",
            key.kpi, key.source
        )))
    }

    fn target(&self, record: &Record<'_>) -> Result<MeasurementPlace, RecordProblem> {
        let number = record.series.ok_or_else(|| missing("series"))?;
        Ok(MeasurementPlace {
            sequence: Sequence(record.target_sequence.ok_or_else(|| missing("target_sequence"))?),
            series: self.known(number, &key_of(record)?)?,
            observed_at: instant(record.target_observed_at, "target_observed_at")?,
        })
    }
}

fn push(block: &mut Block, fact: Fact) {
    block.others.push((block.measurements.len() as u32, fact));
}

/// A correction or a retraction.
fn earlier(record: &Record<'_>, target: MeasurementPlace) -> Result<Fact, RecordProblem> {
    let (received_at, extra) = (received_at(record)?, extra_of(record));
    if record.fact == kind::RETRACTION {
        let retracts = record.retracts.as_deref().ok_or_else(|| missing("retracts"))?.into();
        return Ok(Fact::MeasurementRetracted(Retraction {
            target,
            retracts,
            received_at,
            extra,
        }));
    }
    Ok(Fact::MeasurementCorrected(Correction {
        target,
        corrects: record.corrects.as_deref().ok_or_else(|| missing("corrects"))?.into(),
        observed_at: instant(record.observed_at, "observed_at")?,
        received_at,
        value: value_of(record)?,
        extra,
    }))
}

fn missing(field: &str) -> RecordProblem {
    RecordProblem(format!("`{field}` is missing"))
}

fn instant(ms: Option<i64>, field: &str) -> Result<Instant, RecordProblem> {
    ms.map(Instant).ok_or_else(|| missing(field))
}

fn received_at(record: &Record<'_>) -> Result<Instant, RecordProblem> {
    instant(record.received_at, "received_at")
}

fn key_of(record: &Record<'_>) -> Result<SeriesKey, RecordProblem> {
    let kpi = record.kpi.as_deref().ok_or_else(|| missing("kpi"))?;
    let source = record.source.as_deref().ok_or_else(|| missing("source"))?;
    details::series_key(kpi, source, record.label.as_deref(), record.instance.as_deref()).map_err(RecordProblem)
}

fn value_of(record: &Record<'_>) -> Result<MeasuredValue, RecordProblem> {
    let word = record.word.as_deref().map(Arc::from);
    let halves = record.numerator.zip(record.denominator);
    let is_not = record.not_applicable == Some(true);
    Ok(match (record.value, word, halves, record.weight) {
        (Some(value), None, None, None) if !is_not => MeasuredValue::Number(value),
        (Some(value), None, None, Some(weight)) if !is_not => MeasuredValue::Weighted { value, weight },
        (None, Some(word), None, None) if !is_not => MeasuredValue::Word(word),
        (None, Some(word), None, Some(weight)) if !is_not => MeasuredValue::WeightedWord { word, weight },
        (None, None, Some((numerator, denominator)), None) if !is_not => {
            MeasuredValue::Ratio { numerator, denominator }
        }
        (None, None, None, None) if is_not => MeasuredValue::NotApplicable,
        _ => {
            let words = "it needs one of `value`, `word`, `numerator` with `denominator`, `not_applicable`";
            return Err(RecordProblem(words.to_owned()));
        }
    })
}

fn extra_of(record: &Record<'_>) -> Extra {
    let text = |text: &Option<std::borrow::Cow<'_, str>>| text.as_deref().map(Box::from);
    Extra {
        id: text(&record.id),
        labels: record
            .labels
            .iter()
            .map(|(name, value)| (Box::from(&**name), Box::from(&**value)))
            .collect(),
        note: text(&record.note),
        by: text(&record.by),
    }
}
