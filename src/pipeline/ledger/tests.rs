//! The ledger told as stories: what is the same, what is a conflict, what finds its target.

use super::*;
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::instant::DAY_MS;
use crate::domain::measurement::MeasuredValue;
use crate::domain::series_names::SeriesNames;

/// Ids in memory, with the promises of the port.
#[derive(Default)]
struct Ids(Sequence, HashMap<(Arc<str>, Box<str>), Seen>);

impl SeenIds for Ids {
    fn position(&self) -> Sequence {
        self.0
    }

    fn find(&self, source: &str, id: &str) -> Result<Option<Seen>, StateError> {
        Ok(self.1.get(&(source.into(), id.into())).copied())
    }

    fn remember(&mut self, up_to: Sequence, entries: &[(Arc<str>, Box<str>, Seen)]) -> Result<(), StateError> {
        self.0 = up_to;
        self.1.extend(
            entries
                .iter()
                .map(|(source, id, seen)| ((Arc::clone(source), id.clone()), *seen)),
        );
        Ok(())
    }
}

const WEEK_MS: i64 = 7 * DAY_MS;
const START: Instant = Instant(1_000_000);

/// A ledger with the journal that it drafts.
struct Desk {
    ledger: Ledger,
    blocks: Vec<Block>,
    next: Sequence,
}

impl Desk {
    fn new() -> Self {
        let limits = LedgerLimits {
            dedup_window_ms: WEEK_MS,
            series_max: 2,
        };
        Self {
            ledger: Ledger::new(Box::new(Ids::default()), SeriesNames::default(), limits),
            blocks: Vec::new(),
            next: Sequence(1),
        }
    }

    /// A desk that learned the blocks of another from the journal.
    fn after(other: &Self) -> Self {
        let mut desk = Self {
            next: other.next,
            ..Self::new()
        };
        other.blocks.iter().for_each(|block| desk.ledger.learn(block).unwrap());
        desk
    }

    fn submit(&mut self, at: Instant, submissions: Vec<Submission>) -> Vec<Result<Taken, RejectionReason>> {
        let series_base = self.ledger.series_count();
        let mut block = Block {
            first: self.next,
            recorded_at: at,
            series_base,
            ..Block::default()
        };
        let mut judge = |(index, submission)| {
            let verdict = self.ledger.draft(&mut block, index, submission).unwrap();
            verdict.map_err(|rejection| rejection.reason)
        };
        let verdicts = submissions.into_iter().enumerate().map(&mut judge).collect();
        self.ledger.committed(&block).unwrap();
        self.next = self.next.plus(block.len());
        self.blocks.push(block);
        verdicts
    }

    fn one(&mut self, submission: Submission) -> Result<Taken, RejectionReason> {
        self.submit(START, vec![submission]).remove(0)
    }

    /// The target of the last correction or retraction: its sequence and instant.
    fn target(&self) -> (u64, i64) {
        let facts = self.blocks.iter().flat_map(|block| &block.others).map(|(_, fact)| fact);
        let targets = facts.filter_map(|fact| match fact {
            Fact::MeasurementCorrected(correction) => Some(correction.target),
            Fact::MeasurementRetracted(retraction) => Some(retraction.target),
            _ => None,
        });
        targets
            .fold(None, |_, target| Some(target))
            .map(|target| (target.sequence.0, target.observed_at.0))
            .unwrap()
    }
}

fn measurement(id: &str, value: f64) -> Measurement {
    Measurement {
        series: SeriesKey {
            kpi: KpiId::parse("k").unwrap(),
            source: "desk".into(),
            each: None,
        },
        observed_at: START,
        is_dated: true,
        received_at: START,
        value: MeasuredValue::Number(value),
        extra: Extra {
            id: (!id.is_empty()).then(|| id.into()),
            ..Extra::default()
        },
    }
}

fn measure(id: &str, value: f64) -> Submission {
    Submission::Measure(measurement(id, value))
}

fn correct(corrects: &str, replacement: Measurement) -> Submission {
    Submission::Correct {
        corrects: corrects.into(),
        replacement,
    }
}

fn retract(retracts: &str) -> Submission {
    let extra = Extra::default();
    Submission::Retract {
        retracts: retracts.into(),
        kpi: None,
        source: "desk".into(),
        received_at: START,
        extra,
    }
}

fn at(observed_at: i64, measurement: Measurement) -> Measurement {
    Measurement {
        observed_at: Instant(observed_at),
        ..measurement
    }
}

fn undated(measurement: Measurement) -> Measurement {
    Measurement {
        is_dated: false,
        observed_at: Instant(5),
        ..measurement
    }
}

const TAKEN: Result<Taken, RejectionReason> = Ok(Taken::Recorded);
const DUPLICATE: Result<Taken, RejectionReason> = Ok(Taken::Duplicate);
const CONFLICT: Result<Taken, RejectionReason> = Err(RejectionReason::ConflictingId);
const UNKNOWN: Result<Taken, RejectionReason> = Err(RejectionReason::UnknownCorrection);

#[test]
fn the_same_id_twice_is_one_measurement_in_one_block_or_two() {
    let mut desk = Desk::new();
    let verdicts = desk.submit(
        START,
        vec![measure("a", 1.0), measure("a", 1.0), measure("", 1.0), measure("", 1.0)],
    );
    assert_eq!(verdicts, [TAKEN, DUPLICATE, TAKEN, TAKEN], "without an id two are two");
    assert_eq!(desk.one(measure("a", 1.0)), DUPLICATE);
    assert_eq!(desk.next, Sequence(4));
}

#[test]
fn another_content_under_the_same_id_is_a_conflict() {
    let mut desk = Desk::new();
    assert_eq!(desk.one(measure("a", 1.0)), TAKEN);
    assert_eq!(desk.one(measure("a", 2.0)), CONFLICT);
    assert_eq!(
        desk.one(Submission::Measure(at(7, measurement("a", 1.0)))),
        CONFLICT,
        "another instant is another content"
    );
    assert_eq!(
        desk.one(Submission::Measure(undated(measurement("a", 1.0)))),
        DUPLICATE,
        "no instant was given"
    );
}

#[test]
fn the_same_id_of_another_source_is_another_measurement() {
    let mut desk = Desk::new();
    let mut other = measurement("a", 2.0);
    other.series.source = "phone".into();
    assert_eq!(
        desk.submit(START, vec![measure("a", 1.0), Submission::Measure(other)]),
        [TAKEN, TAKEN]
    );
}

#[test]
fn an_id_is_forgotten_after_the_window() {
    let mut desk = Desk::new();
    assert_eq!(desk.one(measure("a", 1.0)), TAKEN);
    assert_eq!(
        desk.submit(START.plus_ms(WEEK_MS), vec![measure("a", 1.0)]),
        [DUPLICATE]
    );
    assert_eq!(
        desk.submit(START.plus_ms(WEEK_MS + 1), vec![measure("a", 1.0)]),
        [TAKEN]
    );
    assert_eq!(desk.submit(START.plus_ms(WEEK_MS + 2), vec![retract("a")]), [TAKEN]);
    assert_eq!(desk.target().0, 2, "the id is that of the later one now");
}

#[test]
fn a_correction_is_corrected_where_it_moved_the_measurement() {
    let mut desk = Desk::new();
    let story = vec![measure("a", 1.0), correct("a", at(7, measurement("b", 2.0)))];
    assert_eq!(desk.submit(START, story), [TAKEN, TAKEN]);
    assert_eq!(desk.target(), (1, START.0));
    assert_eq!(desk.one(correct("a", undated(measurement("", 3.0)))), TAKEN);
    assert_eq!(desk.target(), (1, 7), "by the first id, without an instant of its own");
    assert_eq!(desk.one(correct("b", at(9, measurement("", 4.0)))), TAKEN);
    assert_eq!(desk.target(), (1, 7), "by the correction's id");
    assert_eq!(desk.one(retract("a")), TAKEN);
    assert_eq!(desk.target(), (1, 9));
}

#[test]
fn what_is_retracted_can_neither_be_retracted_nor_corrected() {
    let mut desk = Desk::new();
    let story = vec![
        measure("a", 1.0),
        retract("a"),
        retract("a"),
        correct("a", measurement("", 2.0)),
    ];
    assert_eq!(desk.submit(START, story), [TAKEN, TAKEN, UNKNOWN, UNKNOWN]);
    assert_eq!(desk.one(retract("a")), UNKNOWN);
}

#[test]
fn a_correction_needs_its_measurement_under_the_same_source_and_kpi() {
    let mut desk = Desk::new();
    assert_eq!(desk.one(measure("a", 1.0)), TAKEN);
    assert_eq!(desk.one(correct("nobody", measurement("", 2.0))), UNKNOWN);
    let mut of_other_kpi = measurement("", 2.0);
    of_other_kpi.series.kpi = KpiId::parse("other").unwrap();
    assert_eq!(desk.one(correct("a", of_other_kpi)), UNKNOWN);
    let mut of_other_source = measurement("", 2.0);
    of_other_source.series.source = "phone".into();
    assert_eq!(desk.one(correct("a", of_other_source)), UNKNOWN);
    let kpi = Some(KpiId::parse("other").unwrap());
    let (retracts, source, extra) = ("a".into(), "desk".into(), Extra::default());
    assert_eq!(
        desk.one(Submission::Retract {
            retracts,
            kpi,
            source,
            received_at: START,
            extra
        }),
        UNKNOWN
    );
}

#[test]
fn too_many_series_are_refused_and_those_that_are_there_go_on() {
    let mut desk = Desk::new();
    let of = |site: &str| {
        let mut own = measurement("", 1.0);
        own.series.each = Some(("site".into(), InstanceId::parse(site).unwrap()));
        Submission::Measure(own)
    };
    let verdicts = desk.submit(START, vec![of("a"), of("b"), of("c"), of("a")]);
    assert_eq!(verdicts, [TAKEN, TAKEN, Err(RejectionReason::TooManySeries), TAKEN]);
    assert_eq!(desk.blocks[0].new_series.len(), 2);
    assert_eq!(desk.blocks[0].measurements.series, [0, 1, 0]);
}

#[test]
fn a_ledger_that_learned_from_the_journal_judges_like_the_one_that_wrote_it() {
    let mut writer = Desk::new();
    let story = vec![
        measure("a", 1.0),
        measure("b", 2.0),
        correct("a", at(7, measurement("c", 3.0))),
        retract("b"),
    ];
    assert_eq!(writer.submit(START, story), [TAKEN, TAKEN, TAKEN, TAKEN]);
    let questions = || {
        vec![
            measure("a", 1.0),
            measure("a", 2.0),
            measure("b", 2.0),
            correct("a", at(7, measurement("c", 3.0))),
            correct("a", at(7, measurement("c", 4.0))),
            retract("b"),
            retract("a"),
        ]
    };
    let mut learner = Desk::after(&writer);
    let verdicts = learner.submit(START, questions());
    assert_eq!(
        verdicts,
        [DUPLICATE, CONFLICT, DUPLICATE, DUPLICATE, CONFLICT, UNKNOWN, TAKEN]
    );
    assert_eq!(verdicts, writer.submit(START, questions()));
    assert_eq!(learner.target(), writer.target());
}
