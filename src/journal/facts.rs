//! What of a block is not a column of numbers: source positions, new series, words, extras, and the few facts.
//!
//! Domain values enter, sections of text leave, and back. Names are checked again on the way in, so that a damaged or
//! forged journal cannot bring a name into the house that the front door would refuse.

use std::collections::HashMap;
use std::sync::Arc;

use super::bytes::FormatError;
use super::text::{TextReader, TextWriter};
use crate::domain::catalog::CatalogFile;
use crate::domain::fact::{Correction, Fact, MeasurementPlace, Retraction, SeriesNumber, SourcePosition, shape};
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};

type Read<T> = Result<T, FormatError>;

/// Tags of facts. A tag is never used again for something else.
mod tag {
    pub(super) const CORRECTED: u8 = 1;
    pub(super) const RETRACTED: u8 = 2;
    pub(super) const CATALOG: u8 = 3;
    pub(super) const NOTE: u8 = 4;
    pub(super) const ACKNOWLEDGED: u8 = 5;
    pub(super) const SILENCE: u8 = 6;
    pub(super) const TRIMMED: u8 = 7;
    /// Since format version 2.
    pub(super) const TRIMMED_WITH_BASE: u8 = 8;
}

/// Bits that say which parts of an [`Extra`] follow.
mod part {
    pub(super) const ID: u8 = 1;
    pub(super) const LABELS: u8 = 2;
    pub(super) const NOTE: u8 = 4;
    pub(super) const BY: u8 = 8;
}

// ---------------------------------------------------------------- positions and series

pub(super) fn put_positions(positions: &[SourcePosition], out: &mut TextWriter) {
    for position in positions {
        out.text(&position.source);
        out.number(position.sequence);
    }
}

pub(super) fn positions(reader: &mut TextReader<'_>) -> Read<Vec<SourcePosition>> {
    let mut positions = Vec::new();
    while !reader.is_done() {
        positions.push(SourcePosition {
            source: reader.text()?.into(),
            sequence: reader.number()?,
        });
    }
    Ok(positions)
}

pub(super) fn put_series(keys: &[SeriesKey], out: &mut TextWriter) {
    for key in keys {
        out.byte(u8::from(key.each.is_some()));
        out.text(key.kpi.as_str());
        out.text(&key.source);
        if let Some((label, instance)) = &key.each {
            out.text(label);
            out.text(instance.as_str());
        }
    }
}

pub(super) fn series(reader: &mut TextReader<'_>) -> Read<Vec<SeriesKey>> {
    let mut keys = Vec::new();
    while !reader.is_done() {
        let has_each = flag(reader)?;
        let kpi = KpiId::parse(reader.text()?).map_err(|_| FormatError::Unfit("a series has no valid KPI id"))?;
        let source = reader.text()?.into();
        let each = if has_each {
            Some((reader.text()?.into(), instance(reader)?))
        } else {
            None
        };
        keys.push(SeriesKey { kpi, source, each });
    }
    Ok(keys)
}

fn instance(reader: &mut TextReader<'_>) -> Read<InstanceId> {
    InstanceId::parse(reader.text()?).map_err(|_| FormatError::Unfit("a series has no valid instance"))
}

// ---------------------------------------------------------------- sparse columns

/// Rows as differences to the row before, so that dense ones are a byte each.
fn put_row(row: u32, before: &mut u32, out: &mut TextWriter) {
    out.number(u64::from(row.wrapping_sub(*before)));
    *before = row;
}

/// Rows ascend strictly; only the first may be 0.
fn row(reader: &mut TextReader<'_>, before: &mut Option<u32>) -> Read<u32> {
    let step = reader.index()?;
    let row = match *before {
        None => Some(step),
        Some(before) if step > 0 => before.checked_add(step),
        Some(_) => None,
    };
    *before = row;
    row.ok_or(FormatError::Unfit("rows do not ascend"))
}

/// A dictionary of the different words, then row and place in the dictionary for every word.
pub(super) fn put_words(words: &[(u32, Arc<str>)], out: &mut TextWriter) {
    if words.is_empty() {
        return;
    }
    let mut places: HashMap<&str, u64> = HashMap::new();
    let mut different: Vec<&str> = Vec::new();
    for (_, word) in words {
        places.entry(word).or_insert_with(|| {
            different.push(word);
            different.len() as u64 - 1
        });
    }
    out.number(different.len() as u64);
    for word in different {
        out.text(word);
    }
    let mut before = 0;
    for (row, word) in words {
        put_row(*row, &mut before, out);
        out.number(places.get(&**word).copied().unwrap_or_default());
    }
}

pub(super) fn words(reader: &mut TextReader<'_>) -> Read<Vec<(u32, Arc<str>)>> {
    if reader.is_done() {
        return Ok(Vec::new());
    }
    let count = reader.count()?;
    let different = (0..count)
        .map(|_| Ok(Arc::from(reader.text()?)))
        .collect::<Read<Vec<Arc<str>>>>()?;
    let mut words = Vec::new();
    let mut before = None;
    while !reader.is_done() {
        let row = row(reader, &mut before)?;
        let place = reader.index()? as usize;
        let word = different
            .get(place)
            .ok_or(FormatError::Unfit("a word is not in the dictionary"))?;
        words.push((row, Arc::clone(word)));
    }
    Ok(words)
}

pub(super) fn put_extras(extras: &[(u32, Extra)], out: &mut TextWriter) {
    let mut before = 0;
    for (row, extra) in extras {
        put_row(*row, &mut before, out);
        put_extra(extra, out);
    }
}

pub(super) fn extras(reader: &mut TextReader<'_>) -> Read<Vec<(u32, Extra)>> {
    let mut extras = Vec::new();
    let mut before = None;
    while !reader.is_done() {
        extras.push((row(reader, &mut before)?, extra(reader)?));
    }
    Ok(extras)
}

fn put_extra(extra: &Extra, out: &mut TextWriter) {
    let bit = |there: bool, bit: u8| if there { bit } else { 0 };
    out.byte(
        bit(extra.id.is_some(), part::ID)
            | bit(!extra.labels.is_empty(), part::LABELS)
            | bit(extra.note.is_some(), part::NOTE)
            | bit(extra.by.is_some(), part::BY),
    );
    extra.id.iter().for_each(|id| out.text(id));
    if !extra.labels.is_empty() {
        out.number(extra.labels.len() as u64);
    }
    for (name, value) in &extra.labels {
        out.text(name);
        out.text(value);
    }
    extra.note.iter().for_each(|note| out.text(note));
    extra.by.iter().for_each(|by| out.text(by));
}

fn extra(reader: &mut TextReader<'_>) -> Read<Extra> {
    let parts = reader.byte()?;
    if parts > (part::ID | part::LABELS | part::NOTE | part::BY) {
        return Err(FormatError::Unfit("an extra has unknown parts"));
    }
    Ok(Extra {
        id: part_text(reader, parts & part::ID)?,
        labels: match parts & part::LABELS {
            0 => Vec::new(),
            _ => labels(reader)?,
        },
        note: part_text(reader, parts & part::NOTE)?,
        by: part_text(reader, parts & part::BY)?,
    })
}

fn part_text(reader: &mut TextReader<'_>, bit: u8) -> Read<Option<Box<str>>> {
    match bit {
        0 => Ok(None),
        _ => Ok(Some(reader.text()?.into())),
    }
}

fn labels(reader: &mut TextReader<'_>) -> Read<Vec<(Box<str>, Box<str>)>> {
    let count = reader.count()?;
    (0..count)
        .map(|_| Ok((reader.text()?.into(), reader.text()?.into())))
        .collect()
}

// ---------------------------------------------------------------- the few

pub(super) fn put_others(others: &[(u32, Fact)], out: &mut TextWriter) {
    let mut before = 0;
    for (row, fact) in others {
        put_row(*row, &mut before, out);
        put_fact(fact, out);
    }
}

pub(super) fn others(reader: &mut TextReader<'_>) -> Read<Vec<(u32, Fact)>> {
    let mut others = Vec::new();
    let mut before = 0_u32;
    while !reader.is_done() {
        let step = reader.index()?;
        before = before
            .checked_add(step)
            .ok_or(FormatError::Unfit("places do not ascend"))?;
        others.push((before, fact(reader)?));
    }
    Ok(others)
}

fn put_fact(fact: &Fact, out: &mut TextWriter) {
    match fact {
        Fact::MeasurementCorrected(correction) => put_correction(correction, out),
        Fact::MeasurementRetracted(retraction) => put_retraction(retraction, out),
        Fact::CatalogActivated { fingerprint, files } => {
            out.byte(tag::CATALOG);
            out.text(fingerprint);
            out.number(files.len() as u64);
            for file in files {
                out.text(&file.name);
                out.text(&file.text);
            }
        }
        Fact::NoteAdded { path, about, text, by } => {
            out.byte(tag::NOTE);
            out.signed(about.0);
            for field in [path, text, by] {
                out.text(field);
            }
        }
        Fact::AlertAcknowledged {
            rule,
            path,
            by,
            reason,
            until,
        } => {
            out.byte(tag::ACKNOWLEDGED);
            out.byte(u8::from(until.is_some()));
            if let Some(until) = until {
                out.signed(until.0);
            }
            for field in [rule, path, by, reason] {
                out.text(field);
            }
        }
        Fact::SilenceSet { .. } => put_silence(fact, out),
        Fact::HistoryTrimmed { up_to, hash, base } => {
            out.byte(base.map_or(tag::TRIMMED, |_| tag::TRIMMED_WITH_BASE));
            out.number(up_to.0);
            [Some(hash), base.as_ref()]
                .into_iter()
                .flatten()
                .for_each(|hash| out.bytes(hash));
        }
    }
}

fn put_correction(correction: &Correction, out: &mut TextWriter) {
    out.byte(tag::CORRECTED);
    put_place(&correction.target, out);
    out.text(&correction.corrects);
    out.signed(correction.observed_at.0);
    out.signed(correction.received_at.0);
    put_value(&correction.value, out);
    put_extra(&correction.extra, out);
}

fn put_retraction(retraction: &Retraction, out: &mut TextWriter) {
    out.byte(tag::RETRACTED);
    put_place(&retraction.target, out);
    out.text(&retraction.retracts);
    out.signed(retraction.received_at.0);
    put_extra(&retraction.extra, out);
}

fn put_silence(fact: &Fact, out: &mut TextWriter) {
    let Fact::SilenceSet {
        id,
        on,
        rule,
        by,
        reason,
        from,
        until,
    } = fact
    else {
        return;
    };
    out.byte(tag::SILENCE);
    out.byte(u8::from(rule.is_some()));
    out.signed(from.0);
    out.signed(until.0);
    for field in [id, on, by, reason] {
        out.text(field);
    }
    if let Some(rule) = rule {
        out.text(rule);
    }
}

fn fact(reader: &mut TextReader<'_>) -> Read<Fact> {
    match reader.byte()? {
        tag::CORRECTED => correction(reader),
        tag::RETRACTED => retraction(reader),
        tag::CATALOG => catalog(reader),
        tag::NOTE => note(reader),
        tag::ACKNOWLEDGED => acknowledgement(reader),
        tag::SILENCE => silence(reader),
        kind @ (tag::TRIMMED | tag::TRIMMED_WITH_BASE) => Ok(Fact::HistoryTrimmed {
            up_to: Sequence(reader.number()?),
            hash: reader.array()?,
            base: (kind == tag::TRIMMED_WITH_BASE).then(|| reader.array()).transpose()?,
        }),
        _ => Err(FormatError::Unfit("a fact is of an unknown kind")),
    }
}

fn correction(reader: &mut TextReader<'_>) -> Read<Fact> {
    Ok(Fact::MeasurementCorrected(Correction {
        target: place(reader)?,
        corrects: reader.text()?.into(),
        observed_at: instant(reader)?,
        received_at: instant(reader)?,
        value: value(reader)?,
        extra: extra(reader)?,
    }))
}

fn retraction(reader: &mut TextReader<'_>) -> Read<Fact> {
    Ok(Fact::MeasurementRetracted(Retraction {
        target: place(reader)?,
        retracts: reader.text()?.into(),
        received_at: instant(reader)?,
        extra: extra(reader)?,
    }))
}

fn catalog(reader: &mut TextReader<'_>) -> Read<Fact> {
    let fingerprint = reader.text()?.to_owned();
    let count = reader.count()?;
    let file = |_| {
        Ok(CatalogFile {
            name: reader.text()?.to_owned(),
            text: reader.text()?.to_owned(),
        })
    };
    let files = (0..count).map(file).collect::<Read<_>>()?;
    Ok(Fact::CatalogActivated { fingerprint, files })
}

fn note(reader: &mut TextReader<'_>) -> Read<Fact> {
    Ok(Fact::NoteAdded {
        about: instant(reader)?,
        path: reader.text()?.to_owned(),
        text: reader.text()?.to_owned(),
        by: reader.text()?.to_owned(),
    })
}

fn acknowledgement(reader: &mut TextReader<'_>) -> Read<Fact> {
    Ok(Fact::AlertAcknowledged {
        until: if flag(reader)? { Some(instant(reader)?) } else { None },
        rule: reader.text()?.to_owned(),
        path: reader.text()?.to_owned(),
        by: reader.text()?.to_owned(),
        reason: reader.text()?.to_owned(),
    })
}

fn silence(reader: &mut TextReader<'_>) -> Read<Fact> {
    let has_rule = flag(reader)?;
    Ok(Fact::SilenceSet {
        from: instant(reader)?,
        until: instant(reader)?,
        id: reader.text()?.to_owned(),
        on: reader.text()?.to_owned(),
        by: reader.text()?.to_owned(),
        reason: reader.text()?.to_owned(),
        rule: if has_rule {
            Some(reader.text()?.to_owned())
        } else {
            None
        },
    })
}

// ---------------------------------------------------------------- parts of facts

fn flag(reader: &mut TextReader<'_>) -> Read<bool> {
    match reader.byte()? {
        0 => Ok(false),
        1 => Ok(true),
        _ => Err(FormatError::Unfit("a flag is neither 0 nor 1")),
    }
}

fn instant(reader: &mut TextReader<'_>) -> Read<Instant> {
    Ok(Instant(reader.signed()?))
}

fn put_place(place: &MeasurementPlace, out: &mut TextWriter) {
    out.number(place.sequence.0);
    out.number(u64::from(place.series.0));
    out.signed(place.observed_at.0);
}

fn place(reader: &mut TextReader<'_>) -> Read<MeasurementPlace> {
    Ok(MeasurementPlace {
        sequence: Sequence(reader.number()?),
        series: SeriesNumber(reader.index()?),
        observed_at: instant(reader)?,
    })
}

fn put_value(value: &MeasuredValue, out: &mut TextWriter) {
    match value {
        MeasuredValue::Number(value) => {
            out.byte(shape::NUMBER);
            out.float(*value);
        }
        MeasuredValue::Weighted { value, weight } => {
            out.byte(shape::WEIGHTED);
            out.float(*value);
            out.float(*weight);
        }
        MeasuredValue::Ratio { numerator, denominator } => {
            out.byte(shape::RATIO);
            out.float(*numerator);
            out.float(*denominator);
        }
        MeasuredValue::Word(word) => {
            out.byte(shape::WORD);
            out.text(word);
        }
        MeasuredValue::WeightedWord { word, weight } => {
            out.byte(shape::WEIGHTED_WORD);
            out.text(word);
            out.float(*weight);
        }
        MeasuredValue::NotApplicable => out.byte(shape::NOT_APPLICABLE),
    }
}

fn value(reader: &mut TextReader<'_>) -> Read<MeasuredValue> {
    match reader.byte()? {
        shape::NUMBER => Ok(MeasuredValue::Number(reader.float()?)),
        shape::WEIGHTED => Ok(MeasuredValue::Weighted {
            value: reader.float()?,
            weight: reader.float()?,
        }),
        shape::RATIO => Ok(MeasuredValue::Ratio {
            numerator: reader.float()?,
            denominator: reader.float()?,
        }),
        shape::WORD => Ok(MeasuredValue::Word(reader.text()?.into())),
        shape::WEIGHTED_WORD => Ok(MeasuredValue::WeightedWord {
            word: reader.text()?.into(),
            weight: reader.float()?,
        }),
        shape::NOT_APPLICABLE => Ok(MeasuredValue::NotApplicable),
        _ => Err(FormatError::Unfit("a value has an unknown shape")),
    }
}
