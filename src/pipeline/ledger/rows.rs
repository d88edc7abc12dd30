//! A batch into the block: columns as columns, anything else one by one.
//!
//! What was admitted enters; the block grows, and a tally leaves. A name is turned into the number of its series when the
//! first of its measurements comes, so that numbers are given in the order of first use. Measurements with keys are
//! judged one by one, as submissions.

use super::{Ledger, LedgerError, Taken};
use crate::domain::admit::Admitted;
use crate::domain::fact::{Block, SeriesNumber};
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, MeasuredValue, Measurement, Rejection, SeriesKey, Submission};
use crate::domain::reports::PlainRows;

/// What became of a batch in the ledger.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// In the block.
    pub recorded: u64,
    /// In the journal already.
    pub duplicates: u64,
    /// Neither.
    pub rejected: Vec<Rejection>,
}

impl Tally {
    fn count(&mut self, verdict: Result<Taken, Rejection>) {
        match verdict {
            Ok(Taken::Recorded) => self.recorded += 1,
            Ok(Taken::Duplicate) => self.duplicates += 1,
            Err(rejection) => self.rejected.push(rejection),
        }
    }
}

/// No series has this number: there are at most that many.
const UNKNOWN: u32 = u32::MAX;

/// Rows on their way into the block.
struct Rows {
    columns: PlainRows,
    keys: Vec<Option<SeriesKey>>,
    /// Numbers of the series of the keys, as far as they are known.
    numbers: Vec<u32>,
    received_at: Instant,
    /// Rows that were drafted.
    drafted: usize,
    /// Keys of rows that were drafted.
    ids_drafted: usize,
}

impl Ledger {
    /// Judges a batch and puts what it says into the block.
    pub fn draft_all(&mut self, block: &mut Block, admitted: Admitted) -> Result<Tally, LedgerError> {
        let mut tally = Tally {
            rejected: admitted.rejected,
            ..Tally::default()
        };
        let mut rows = Rows {
            numbers: vec![UNKNOWN; admitted.keys.len()],
            columns: admitted.rows,
            keys: admitted.keys,
            received_at: admitted.received_at,
            drafted: 0,
            ids_drafted: 0,
        };
        for (index, submission) in admitted.others {
            let before = rows.columns.index.partition_point(|row| *row < index);
            rows.draft_to(before, self, block, &mut tally)?;
            tally.count(self.draft(block, index as usize, submission)?);
        }
        rows.draft_to(rows.columns.index.len(), self, block, &mut tally)?;
        tally.rejected.sort_by_key(|rejection| rejection.index);
        Ok(tally)
    }
}

impl Rows {
    /// Drafts all rows before one that are not drafted yet.
    fn draft_to(
        &mut self,
        end: usize,
        ledger: &mut Ledger,
        block: &mut Block,
        tally: &mut Tally,
    ) -> Result<(), LedgerError> {
        while self.drafted < end {
            let with_id = self.columns.ids.get(self.ids_drafted).map(|(row, _)| *row as usize);
            self.draft_columns(with_id.map_or(end, |row| row.min(end)), ledger, block, tally);
            if self.drafted < end {
                self.draft_one(ledger, block, tally)?;
            }
        }
        Ok(())
    }

    /// Drafts rows without keys, up to one whose series gets no number.
    fn draft_columns(&mut self, end: usize, ledger: &mut Ledger, block: &mut Block, tally: &mut Tally) {
        let start = self.drafted;
        let names = self.columns.name.get(start..end).unwrap_or_default();
        let mut series = Vec::with_capacity(names.len());
        for name in names {
            let known = self.numbers.get(*name as usize).copied().unwrap_or(UNKNOWN);
            if known != UNKNOWN {
                series.push(known);
            } else if let Some(Some(key)) = self.keys.get(*name as usize)
                && let Ok(SeriesNumber(new)) = ledger.number(block, key)
            {
                self.numbers
                    .get_mut(*name as usize)
                    .into_iter()
                    .for_each(|number| *number = new);
                series.push(new);
            } else {
                break;
            }
        }
        let end = start + series.len();
        let observed_at = self.columns.observed_at.get(start..end).unwrap_or_default();
        let value = self.columns.value.get(start..end).unwrap_or_default();
        block
            .measurements
            .extend_numbers(&series, observed_at, self.received_at, value);
        tally.recorded += series.len() as u64;
        self.drafted = end;
    }

    /// Drafts the next row as a submission.
    fn draft_one(&mut self, ledger: &mut Ledger, block: &mut Block, tally: &mut Tally) -> Result<(), LedgerError> {
        let row = self.drafted;
        self.drafted += 1;
        let id = self
            .columns
            .ids
            .get_mut(self.ids_drafted)
            .filter(|(with, _)| *with as usize == row);
        self.ids_drafted += usize::from(id.is_some());
        let extra = Extra {
            id: id.map(|(_, id)| std::mem::take(id)),
            ..Extra::default()
        };
        let name = self.columns.name.get(row).copied().unwrap_or(UNKNOWN);
        let key = self.keys.get(name as usize).and_then(Option::as_ref);
        let (Some(series), Some(index), Some(observed_at), Some(value)) = (
            key.cloned(),
            self.columns.index.get(row),
            self.columns.observed_at.get(row),
            self.columns.value.get(row),
        ) else {
            return Ok(());
        };
        let measurement = Measurement {
            series,
            observed_at: Instant(*observed_at),
            // Rows with keys are dated, and without a key it makes no difference.
            is_dated: true,
            received_at: self.received_at,
            value: MeasuredValue::Number(*value),
            extra,
        };
        tally.count(ledger.draft(block, *index as usize, Submission::Measure(measurement))?);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::id::{KpiId, Sequence};
    use crate::domain::series_names::SeriesNames;
    use crate::pipeline::ledger::LedgerLimits;
    use crate::state::MemorySeenIds;

    const NOW: Instant = Instant(1_000_000);

    /// (KPI, key, instant, a number and not something else)
    type Sent = (usize, Option<String>, i64, bool);

    fn key(kpi: usize) -> SeriesKey {
        SeriesKey {
            kpi: KpiId::parse(&format!("k{kpi}")).unwrap(),
            source: "desk".into(),
            each: None,
        }
    }

    fn submission(sent: &Sent) -> Submission {
        let measurement = Measurement {
            series: key(sent.0),
            observed_at: Instant(sent.2),
            is_dated: true,
            received_at: NOW,
            value: MeasuredValue::Number(sent.2 as f64),
            extra: Extra {
                id: sent.1.as_deref().map(Box::from),
                ..Extra::default()
            },
        };
        if sent.3 {
            return Submission::Measure(measurement);
        }
        Submission::Correct {
            corrects: "a".into(),
            replacement: measurement,
        }
    }

    fn admitted(sent: &[Sent]) -> Admitted {
        let mut admitted = Admitted {
            keys: (0..5).map(|kpi| Some(key(kpi))).collect(),
            received_at: NOW,
            ..Admitted::default()
        };
        for (index, one) in (0..).zip(sent) {
            if !one.3 {
                admitted.others.push((index, submission(one)));
                continue;
            }
            let rows = &mut admitted.rows;
            let row = rows.index.len() as u32;
            rows.ids.extend(one.1.as_deref().map(|id| (row, id.into())));
            rows.index.push(index);
            rows.name.push(one.0 as u32);
            rows.observed_at.push(one.2);
            rows.value.push(one.2 as f64);
        }
        admitted
    }

    fn ledger() -> Ledger {
        let limits = LedgerLimits {
            dedup_window_ms: 1_000,
            series_max: 3,
        };
        Ledger::new(Box::new(MemorySeenIds::default()), SeriesNames::default(), limits)
    }

    fn block(ledger: &Ledger, first: Sequence) -> Block {
        Block {
            first,
            recorded_at: NOW,
            series_base: ledger.series_count(),
            ..Block::default()
        }
    }

    proptest! {
        #[test]
        fn a_batch_is_drafted_as_its_measurements_one_by_one(
            batches in proptest::collection::vec(
                proptest::collection::vec(
                    (0..5_usize, proptest::option::weighted(0.3, "[a-d]"), 0..4_i64, proptest::bool::weighted(0.9)),
                    0..30,
                ),
                1..4,
            ),
        ) {
            let (mut at_once, mut one_by_one) = (ledger(), ledger());
            let mut first = Sequence(1);
            for sent in &batches {
                let mut columns = block(&at_once, first);
                let tally = at_once.draft_all(&mut columns, admitted(sent)).unwrap();
                let mut single = block(&one_by_one, first);
                let mut expected = Tally::default();
                for (index, one) in sent.iter().enumerate() {
                    expected.count(one_by_one.draft(&mut single, index, submission(one)).unwrap());
                }
                prop_assert_eq!(&columns, &single);
                prop_assert_eq!(tally, expected);
                at_once.committed(&columns).unwrap();
                one_by_one.committed(&single).unwrap();
                first = columns.last().plus(1);
            }
        }
    }
}
