//! The ledger: what becomes of a submission, given what came before. Same id once, corrections find their target, series
//! get their numbers.
//!
//! Submissions enter one by one, facts join the block that is being drafted, or a reason why not leaves. It acts for the
//! one task that appends, live and in replays of files alike; it has no clock and no disk of its own.

mod content;
mod rows;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::domain::fact::{Block, Correction, Entry, Fact, MeasurementPlace, Retraction, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, Measurement, Rejection, RejectionReason, SeriesKey, Submission};
use crate::domain::series_names::{SeriesNames, SeriesView};
use crate::ports::{Seen, SeenIds, StateError};
use content::{content_of, content_of_retraction};
pub use rows::Tally;

/// Limits of a ledger.
#[derive(Debug, Clone, Copy)]
pub struct LedgerLimits {
    /// How long an id is remembered as a duplicate, ms of `recorded_at`.
    pub dedup_window_ms: i64,
    /// Series there may be.
    pub series_max: u32,
}

/// What became of a submission.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It is in the block.
    Recorded,
    /// It is in the journal already.
    Duplicate,
}

/// Source under which the present place of corrected and retracted measurements is remembered, by sequence. No sender can
/// have this name: names that a sender gives have no control characters at their start.
const PLACES: &str = "\u{1}places";

/// Ids and series so far.
pub struct Ledger {
    seen: Box<dyn SeenIds>,
    /// Ids of the block that is being drafted, in order, and their places by source and id.
    drafted: Vec<(Arc<str>, Box<str>, Seen)>,
    drafted_places: HashMap<Arc<str>, HashMap<Box<str>, usize>>,
    /// Numbers by the hash of their names: a second copy of the names would take as much again.
    series: HashTable<SeriesNumber>,
    hasher: RandomState,
    keys: SeriesNames,
    limits: LedgerLimits,
    /// Facts up to here were dropped by retention.
    trimmed: Sequence,
}

/// Why a submission got no answer: the state store failed.
pub type LedgerError = StateError;

/// The answer of a ledger: recorded or duplicate, or the reason why not.
type Verdict = Result<Taken, (RejectionReason, String)>;

impl Ledger {
    /// A ledger that knows these series, in the order of their numbers.
    pub fn new(seen: Box<dyn SeenIds>, series: SeriesNames, limits: LedgerLimits) -> Self {
        let mut ledger = Self {
            seen,
            drafted: Vec::new(),
            drafted_places: HashMap::new(),
            series: HashTable::with_capacity(series.len()),
            hasher: RandomState::new(),
            keys: series,
            limits,
            trimmed: Sequence::ZERO,
        };
        (0..ledger.series_count()).for_each(|number| ledger.enter(SeriesNumber(number)));
        ledger
    }

    /// Facts up to here were dropped by retention: nothing of them can be corrected any more, whatever is still remembered.
    pub fn trimmed(&mut self, up_to: Sequence) {
        self.trimmed = self.trimmed.max(up_to);
    }

    /// Facts whose ids it knows.
    pub fn position(&self) -> Sequence {
        self.seen.position()
    }

    /// Number of the next new series.
    pub fn series_count(&self) -> u32 {
        self.keys.len() as u32
    }

    /// Judges a submission and puts what it says into the block. `at` is the block's `recorded_at`.
    pub fn draft(
        &mut self,
        block: &mut Block,
        index: usize,
        submission: Submission,
    ) -> Result<Result<Taken, Rejection>, LedgerError> {
        let verdict = match submission {
            Submission::Measure(measurement) => self.measure(block, measurement)?,
            Submission::Correct { corrects, replacement } => self.correct(block, corrects, replacement)?,
            Submission::Retract { .. } => self.retract(block, submission)?,
        };
        Ok(verdict.map_err(|(reason, detail)| Rejection { index, reason, detail }))
    }

    /// The block is durable: its ids are remembered.
    pub fn committed(&mut self, block: &Block) -> Result<(), LedgerError> {
        self.drafted_places.clear();
        let entries = std::mem::take(&mut self.drafted);
        if entries.is_empty() && self.seen.position() == block.last() {
            return Ok(());
        }
        self.seen.remember(block.last(), &entries)
    }

    /// Learns a block that is in the journal already.
    pub fn learn(&mut self, block: &Block) -> Result<(), LedgerError> {
        for key in block
            .new_series
            .iter()
            .skip((self.series_count().saturating_sub(block.series_base)) as usize)
        {
            self.name(key.view());
        }
        if block.last() <= self.seen.position() {
            return Ok(());
        }
        for (sequence, entry) in block.entries() {
            self.learn_entry(block.recorded_at, sequence, &entry);
        }
        self.committed(block)
    }

    fn learn_entry(&mut self, at: Instant, sequence: Sequence, entry: &Entry<'_>) {
        match entry {
            Entry::Measurement(row) => {
                let (Some(extra), Some(key)) = (row.extra, self.keys.get(row.series.0 as usize)) else {
                    return;
                };
                if let Some(id) = extra.id.clone() {
                    let source = Arc::clone(key.source);
                    let content = content_of(key, &row.measured_value(), None, extra);
                    let place = MeasurementPlace {
                        sequence,
                        series: row.series,
                        observed_at: row.observed_at,
                    };
                    // Whether the sender gave the instant is not kept: both contents are those of this measurement.
                    self.remember(
                        source,
                        id,
                        Seen {
                            place,
                            recorded_at: at,
                            content,
                            retracted: false,
                        },
                    );
                }
            }
            Entry::Other(Fact::MeasurementCorrected(correction)) => self.learn_correction(at, correction),
            Entry::Other(Fact::MeasurementRetracted(retraction)) => {
                let place = Seen {
                    place: retraction.target,
                    recorded_at: at,
                    content: 0,
                    retracted: true,
                };
                self.remember_place(place);
                let source = self
                    .keys
                    .get(retraction.target.series.0 as usize)
                    .map(|key| Arc::clone(key.source));
                if let (Some(source), Some(id)) = (source, retraction.extra.id.clone()) {
                    let content = content_of_retraction(&retraction.retracts);
                    self.remember(source, id, Seen { content, ..place });
                }
            }
            Entry::Other(_) => {}
        }
    }

    fn learn_correction(&mut self, at: Instant, correction: &Correction) {
        let place = MeasurementPlace {
            observed_at: correction.observed_at,
            ..correction.target
        };
        let seen = Seen {
            place,
            recorded_at: at,
            content: 0,
            retracted: false,
        };
        self.remember_place(seen);
        let key = self.keys.get(place.series.0 as usize);
        if let (Some(key), Some(id)) = (key, correction.extra.id.clone()) {
            let content = content_of(key, &correction.value, Some(&correction.corrects), &correction.extra);
            let source = Arc::clone(key.source);
            self.remember(source, id, Seen { content, ..seen });
        }
    }

    // ------------------------------------------------------------ judging

    fn measure(&mut self, block: &mut Block, measurement: Measurement) -> Result<Verdict, LedgerError> {
        let Measurement {
            series,
            observed_at,
            received_at,
            value,
            extra,
            ..
        } = measurement;
        let mut content = 0;
        if let Some(id) = &extra.id {
            content = content_of(series.view(), &value, None, &extra);
            let dated = measurement.is_dated.then_some(observed_at);
            match self.find(&series.source, id)? {
                Some(seen) if self.is_remembered(&seen, block.recorded_at) => {
                    return Ok(same_or_conflict(&seen, content, dated, id));
                }
                _ => {}
            }
        }
        let number = match self.number(block, &series) {
            Ok(number) => number,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let place = MeasurementPlace {
            sequence: next_sequence(block),
            series: number,
            observed_at,
        };
        if let Some(id) = extra.id.clone() {
            let seen = Seen {
                place,
                recorded_at: block.recorded_at,
                content,
                retracted: false,
            };
            self.remember(Arc::clone(&series.source), id, seen);
        }
        block
            .measurements
            .push(number, (observed_at, received_at), &value, extra);
        Ok(Ok(Taken::Recorded))
    }

    fn correct(&mut self, block: &mut Block, corrects: Box<str>, new: Measurement) -> Result<Verdict, LedgerError> {
        let source = Arc::clone(&new.series.source);
        let content = content_of(new.series.view(), &new.value, Some(&corrects), &new.extra);
        let dated = new.is_dated.then_some(new.observed_at);
        if let Some(known) = self.known_duplicate(&source, &new.extra, block.recorded_at)? {
            return Ok(same_or_conflict(
                &known,
                content,
                dated,
                new.extra.id.as_deref().unwrap_or_default(),
            ));
        }
        let target = match self.target(&source, &corrects)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let key = self.keys.get(target.series.0 as usize);
        let meant = new.series.view();
        if key.is_none_or(|key| (key.kpi, key.each) != (meant.kpi, meant.each)) {
            let measured = key.map_or_else(String::new, |key| key.kpi.to_string());
            let detail = format!(
                "`{corrects}` is a measurement of `{measured}`, not of `{}`: correct it there",
                new.series.kpi
            );
            return Ok(Err((RejectionReason::UnknownCorrection, detail)));
        }
        let observed_at = if new.is_dated {
            new.observed_at
        } else {
            target.observed_at
        };
        let place = MeasurementPlace { observed_at, ..target };
        let seen = Seen {
            place,
            recorded_at: block.recorded_at,
            content,
            retracted: false,
        };
        self.remember_place(seen);
        if let Some(id) = new.extra.id.clone() {
            self.remember(source, id, seen);
        }
        let correction = Correction {
            target,
            corrects,
            observed_at,
            received_at: new.received_at,
            value: new.value,
            extra: new.extra,
        };
        push_other(block, Fact::MeasurementCorrected(correction));
        Ok(Ok(Taken::Recorded))
    }

    fn retract(&mut self, block: &mut Block, submission: Submission) -> Result<Verdict, LedgerError> {
        let Submission::Retract {
            retracts,
            kpi,
            source,
            received_at,
            extra,
        } = submission
        else {
            return Ok(Ok(Taken::Duplicate));
        };
        let content = content_of_retraction(&retracts);
        if let Some(known) = self.known_duplicate(&source, &extra, block.recorded_at)? {
            return Ok(same_or_conflict(
                &known,
                content,
                None,
                extra.id.as_deref().unwrap_or_default(),
            ));
        }
        let target = match self.target(&source, &retracts)? {
            Ok(target) => target,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let measured = self.keys.get(target.series.0 as usize).map(|key| key.kpi);
        if kpi.is_some() && kpi.as_ref() != measured {
            let detail = format!("`{retracts}` is a measurement of another KPI: name that one, or none");
            return Ok(Err((RejectionReason::UnknownCorrection, detail)));
        }
        let seen = Seen {
            place: target,
            recorded_at: block.recorded_at,
            content,
            retracted: true,
        };
        self.remember_place(seen);
        if let Some(id) = extra.id.clone() {
            self.remember(source, id, seen);
        }
        push_other(
            block,
            Fact::MeasurementRetracted(Retraction {
                target,
                retracts,
                received_at,
                extra,
            }),
        );
        Ok(Ok(Taken::Recorded))
    }

    // ------------------------------------------------------------ remembering

    fn find(&self, source: &Arc<str>, id: &str) -> Result<Option<Seen>, LedgerError> {
        let place = self.drafted_places.get(source).and_then(|ids| ids.get(id));
        if let Some((_, _, seen)) = place.and_then(|place| self.drafted.get(*place)) {
            return Ok(Some(*seen));
        }
        self.seen.find(source, id)
    }

    fn known_duplicate(&self, source: &Arc<str>, extra: &Extra, now: Instant) -> Result<Option<Seen>, LedgerError> {
        let Some(id) = &extra.id else { return Ok(None) };
        Ok(self.find(source, id)?.filter(|seen| self.is_remembered(seen, now)))
    }

    fn is_remembered(&self, seen: &Seen, now: Instant) -> bool {
        now.since(seen.recorded_at) <= self.limits.dedup_window_ms
    }

    /// Where the measurement of an id stands now.
    fn target(
        &self,
        source: &Arc<str>,
        id: &str,
    ) -> Result<Result<MeasurementPlace, (RejectionReason, String)>, LedgerError> {
        let Some(seen) = self.find(source, id)? else {
            let detail = format!("`{id}` of source `{source}` was never seen: check both");
            return Ok(Err((RejectionReason::UnknownCorrection, detail)));
        };
        let now = self
            .find(&Arc::from(PLACES), &seen.place.sequence.to_string())?
            .unwrap_or(seen);
        if now.place.sequence <= self.trimmed {
            let detail = format!("`{id}` of source `{source}` was trimmed: what it said stands");
            return Ok(Err((RejectionReason::UnknownCorrection, detail)));
        }
        if now.retracted {
            let detail = format!("`{id}` of source `{source}` is retracted: send the measurement anew");
            return Ok(Err((RejectionReason::UnknownCorrection, detail)));
        }
        Ok(Ok(now.place))
    }

    fn remember(&mut self, source: Arc<str>, id: Box<str>, seen: Seen) {
        let places = self.drafted_places.entry(Arc::clone(&source)).or_default();
        let drafted = places.get(&id).and_then(|place| self.drafted.get_mut(*place));
        if let Some((_, _, drafted)) = drafted {
            *drafted = seen;
            return;
        }
        places.insert(id.clone(), self.drafted.len());
        self.drafted.push((source, id, seen));
    }

    fn remember_place(&mut self, seen: Seen) {
        self.remember(PLACES.into(), seen.place.sequence.to_string().into(), seen);
    }

    fn number(&mut self, block: &mut Block, key: &SeriesKey) -> Result<SeriesNumber, (RejectionReason, String)> {
        let key = key.view();
        let hash = self.hasher.hash_one(key);
        let is_named = |number: &SeriesNumber| self.keys.get(number.0 as usize) == Some(key);
        if let Some(number) = self.series.find(hash, is_named) {
            return Ok(*number);
        }
        if self.series_count() >= self.limits.series_max {
            let detail = format!(
                "this would be series {} of {} allowed: send fewer different instances and sources, or raise ingest.series_max",
                self.series_count() + 1,
                self.limits.series_max
            );
            return Err((RejectionReason::TooManySeries, detail));
        }
        let number = self.name(key);
        // With the texts that are kept.
        let named = self.keys.get(number.0 as usize).unwrap_or(key);
        block.new_series.push(named.to_key());
        Ok(number)
    }

    fn name(&mut self, key: SeriesView<'_>) -> SeriesNumber {
        let number = SeriesNumber(self.series_count());
        self.keys.push(key);
        self.enter(number);
        number
    }

    /// Makes the series that was named last, or one named before, be found by its name.
    fn enter(&mut self, number: SeriesNumber) {
        let (keys, hasher) = (&self.keys, &self.hasher);
        let hash_of = |number: &SeriesNumber| keys.get(number.0 as usize).map_or(0, |key| hasher.hash_one(key));
        self.series.insert_unique(hash_of(&number), number, hash_of);
    }
}

fn next_sequence(block: &Block) -> Sequence {
    block.first.plus(block.len())
}

fn push_other(block: &mut Block, fact: Fact) {
    block.others.push((block.measurements.len() as u32, fact));
}

/// The same content is the same measurement; another under the same id is a conflict.
fn same_or_conflict(seen: &Seen, content: u64, dated: Option<Instant>, id: &str) -> Verdict {
    let same_instant = dated.is_none_or(|at| at == seen.place.observed_at || seen.retracted);
    if seen.content == content && same_instant {
        return Ok(Taken::Duplicate);
    }
    let detail =
        format!("`{id}` was sent before with another content: send a correction with `corrects`, or use a new id");
    Err((RejectionReason::ConflictingId, detail))
}

#[cfg(test)]
mod tests;
