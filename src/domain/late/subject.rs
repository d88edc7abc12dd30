//! A measurement and everything that became known of it later.
//!
//! The facts about it enter in journal order; for an instant, what is to be done to a projection that knows what was known then
//! leaves: put in, replaced or taken out, so that nothing observed at the instant or after it comes in.

use std::sync::Arc;

use crate::domain::fact::{Correction, Entry, Fact, Retraction, Row, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::Extra;
use crate::domain::restatement::Cause;

/// A measurement, by the facts about it that are kept, in journal order.
#[derive(Debug)]
pub(super) struct Subject {
    pub series: SeriesNumber,
    pub facts: Vec<LateFact>,
}

/// One fact.
#[derive(Debug)]
pub(super) struct LateFact {
    pub sequence: Sequence,
    pub recorded_at: Instant,
    pub what: What,
}

/// What it says.
#[derive(Debug)]
pub(super) enum What {
    Measured(Box<Measured>),
    Corrected(Box<Correction>),
    Retracted(Box<Retraction>),
}

/// A row that outlives its block.
#[derive(Debug, Clone)]
pub(super) struct Measured {
    series: SeriesNumber,
    observed_at: Instant,
    received_at: Instant,
    shape: u8,
    value: f64,
    second: f64,
    word: Option<Arc<str>>,
    extra: Option<Extra>,
}

/// Something to be done.
#[derive(Debug)]
pub(super) struct Act {
    /// The fact that is the reason.
    pub reason: Sequence,
    pub cause: Cause,
    pub recorded_at: Instant,
    /// The measurement that it is done to.
    subject: Sequence,
    deed: Deed,
    /// The instants that it puts something at, or takes something away from.
    pub touched: [Option<Instant>; 2],
}

#[derive(Debug)]
enum Deed {
    Add(Box<Measured>),
    /// A correction or a retraction.
    Change(Box<Fact>),
}

impl Subject {
    pub fn of(series: SeriesNumber) -> Self {
        Self {
            series,
            facts: Vec::new(),
        }
    }

    /// What is to be done for what became known after `at`. `is_there` says whether the measurement was known.
    pub fn acts(&self, subject: Sequence, at: Instant, mut is_there: bool) -> Vec<Act> {
        let mut acts = Vec::new();
        for fact in self.facts.iter().filter(|fact| fact.recorded_at > at) {
            let (deed, stays) = fact.what.deed(at, is_there);
            is_there = stays;
            acts.extend(deed.map(|deed| Act {
                reason: fact.sequence,
                cause: fact.what.cause(),
                recorded_at: fact.recorded_at,
                subject,
                touched: deed.touched(),
                deed,
            }));
        }
        acts
    }
}

impl Act {
    pub fn entry(&self) -> (Sequence, Entry<'_>, Instant) {
        let entry = match &self.deed {
            Deed::Add(measured) => Entry::Measurement(measured.row()),
            Deed::Change(fact) => Entry::Other(fact),
        };
        (self.subject, entry, self.recorded_at)
    }
}

impl Deed {
    fn touched(&self) -> [Option<Instant>; 2] {
        match self {
            Self::Add(measured) => [Some(measured.observed_at), None],
            Self::Change(fact) => match &**fact {
                Fact::MeasurementCorrected(own) => [Some(own.target.observed_at), Some(own.observed_at)],
                Fact::MeasurementRetracted(own) => [Some(own.target.observed_at), None],
                _ => [None, None],
            },
        }
    }
}

impl Measured {
    fn of(row: &Row<'_>) -> Self {
        Self {
            series: row.series,
            observed_at: row.observed_at,
            received_at: row.received_at,
            shape: row.shape,
            value: row.value,
            second: row.second,
            word: row.word.cloned(),
            extra: row.extra.cloned(),
        }
    }

    fn row(&self) -> Row<'_> {
        Row {
            series: self.series,
            observed_at: self.observed_at,
            received_at: self.received_at,
            shape: self.shape,
            value: self.value,
            second: self.second,
            word: self.word.as_ref(),
            extra: self.extra.as_ref(),
        }
    }
}

impl What {
    pub fn measured(row: &Row<'_>) -> Self {
        Self::Measured(Box::new(Measured::of(row)))
    }

    fn cause(&self) -> Cause {
        match self {
            Self::Measured(_) => Cause::LateMeasurements,
            Self::Corrected(_) => Cause::Corrections,
            Self::Retracted(_) => Cause::Retractions,
        }
    }

    /// What is to be done so that it holds for what was observed before `at`, and whether the measurement is there then.
    fn deed(&self, at: Instant, is_there: bool) -> (Option<Deed>, bool) {
        match self {
            Self::Measured(measured) => {
                let counts = measured.observed_at < at;
                (counts.then(|| Deed::Add(measured.clone())), counts)
            }
            Self::Corrected(correction) => {
                let counts = correction.observed_at < at;
                let deed = match (is_there, counts) {
                    (true, true) => Some(Deed::Change(Box::new(Fact::MeasurementCorrected(
                        (**correction).clone(),
                    )))),
                    (true, false) => Some(Deed::Change(Box::new(Fact::MeasurementRetracted(taken_out(
                        correction,
                    ))))),
                    (false, true) => Some(Deed::Add(Box::new(put_in(correction)))),
                    (false, false) => None,
                };
                (deed, counts)
            }
            Self::Retracted(retraction) => {
                let fact = || Deed::Change(Box::new(Fact::MeasurementRetracted((**retraction).clone())));
                (is_there.then(fact), false)
            }
        }
    }
}

/// A correction that moves its measurement out of sight.
fn taken_out(correction: &Correction) -> Retraction {
    Retraction {
        target: correction.target,
        retracts: correction.corrects.clone(),
        received_at: correction.received_at,
        extra: correction.extra.clone(),
    }
}

/// A correction that moves its measurement into sight. With an id, so that it can be corrected again.
fn put_in(correction: &Correction) -> Measured {
    let mut measured = Measured::of(&correction.row());
    let extra = measured.extra.get_or_insert_default();
    extra.id.get_or_insert_with(|| correction.corrects.clone());
    measured
}
