//! Looking up in the journal what moved a change: beside the corridor, with a limit, never in its way.
//!
//! A search enters, movers leave. It reads durable blocks on a thread of its own, one search at a time, and no more than
//! [`FACTS_MAX`] facts: then it says that it is not complete. It never touches the projection.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::warn;

use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::movers::{Collector, Movers, Search};
use crate::ports::{Archive, JournalError, QueryError};

/// Facts that one search reads: a second or less, and a month of a house with a measurement a second.
pub const FACTS_MAX: u64 = 4_000_000;

/// The journal for searches.
pub struct Lookup {
    archive: Arc<dyn Archive>,
    /// How far ahead of its recording a measurement can have been observed, ms.
    max_future_ms: i64,
    /// One search at a time: reading must not take the processors that ingest needs.
    turn: Semaphore,
}

impl Lookup {
    /// Searches in this journal.
    pub fn new(archive: Arc<dyn Archive>, max_future_ms: i64) -> Self {
        Self {
            archive,
            max_future_ms,
            turn: Semaphore::new(1),
        }
    }

    /// What moved the leaves of a search. A journal that cannot be read costs completeness, not the answer.
    pub async fn movers(&self, search: Search) -> Result<Movers, QueryError> {
        let _turn = self.turn.acquire().await.map_err(|_| QueryError::Closed)?;
        let (archive, max_future_ms) = (Arc::clone(&self.archive), self.max_future_ms);
        let reading = tokio::task::spawn_blocking(move || {
            let limits = Limits {
                max_future_ms,
                facts_max: FACTS_MAX,
            };
            movers(archive.as_ref(), &search, limits)
        });
        reading.await.map_err(|_| QueryError::Closed)
    }
}

/// How far a search goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How far ahead of its recording a measurement can have been observed, ms.
    pub max_future_ms: i64,
    /// Facts to read at most.
    pub facts_max: u64,
}

/// Reads the journal for a search. Blocks its thread.
pub fn movers(archive: &dyn Archive, search: &Search, limits: Limits) -> Movers {
    let mut collector = Collector::new(search);
    let is_complete = read_all(archive, search, limits, &mut collector).unwrap_or_else(|error| {
        warn!(%error, "what moved a change could not be looked up to the end");
        false
    });
    collector.finish(is_complete)
}

/// True when everything that could be wanted was read. What went is older than what came, and what came is what people ask
/// for: so the older part may use half of the limit only, and the newer part is read in any case.
fn read_all(
    archive: &dyn Archive,
    search: &Search,
    limits: Limits,
    collector: &mut Collector<'_>,
) -> Result<bool, JournalError> {
    let place = |observed_at: Instant| archive.first_since(observed_at.plus_ms(-limits.max_future_ms));
    let [came, went] = search.earliest();
    let end = search.until.plus(1);
    let came = came.map_or(Ok(end), place)?;
    let went = went.map_or(Ok(came), place)?;
    let older = read(archive, (went, came.min(end)), limits.facts_max / 2, collector)?;
    let newer = read(
        archive,
        (came.max(went), end),
        limits.facts_max - limits.facts_max / 2,
        collector,
    )?;
    Ok(older && newer)
}

/// Reads facts from the first sequence on until before the second. False when the limit came first.
fn read(
    archive: &dyn Archive,
    (from, to): (Sequence, Sequence),
    facts_max: u64,
    collector: &mut Collector<'_>,
) -> Result<bool, JournalError> {
    if from >= to {
        return Ok(true);
    }
    let (mut reader, mut left) = (archive.read_from(from)?, facts_max);
    let mut is_complete = true;
    let mut next = from;
    while let Some(block) = reader.next_block()? {
        // What retention dropped cannot be told.
        is_complete &= block.first <= next;
        next = next.max(block.first.plus(block.len()));
        if block.first >= to {
            break;
        }
        if block.len() > left {
            return Ok(false);
        }
        left -= block.len();
        for (sequence, entry) in block.entries() {
            if sequence >= from && sequence < to {
                collector.take(sequence, &entry, block.recorded_at);
            }
        }
    }
    Ok(is_complete)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::domain::fact::{Block, SeriesNumber};
    use crate::domain::measurement::{Extra, MeasuredValue, SeriesKey};
    use crate::domain::movers::LeafSearch;
    use crate::domain::samples::{SLICE_MS, catalog, plain_kpi};
    use crate::ports::BlockReader;

    /// A measurement a slice, each in a block of its own, recorded as it was observed.
    struct Shelf(Vec<Block>);

    struct Reader(std::vec::IntoIter<Block>);

    impl BlockReader for Reader {
        fn next_block(&mut self) -> Result<Option<Block>, JournalError> {
            Ok(self.0.next())
        }
    }

    impl Archive for Shelf {
        fn first_since(&self, at: Instant) -> Result<Sequence, JournalError> {
            let since = self.0.iter().find(|block| block.recorded_at >= at);
            Ok(since.map_or(Sequence(self.0.len() as u64 + 1), |block| block.first))
        }

        fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
            let blocks: Vec<Block> = self.0.iter().filter(|block| block.last() >= from).cloned().collect();
            Ok(Box::new(Reader(blocks.into_iter())))
        }
    }

    fn shelf(slices: i64) -> Shelf {
        let block = |slice: i64| {
            let at = Instant(slice * SLICE_MS);
            let mut block = Block {
                first: Sequence(slice as u64 + 1),
                recorded_at: at,
                ..Block::default()
            };
            let value = MeasuredValue::Number(slice as f64);
            block
                .measurements
                .push(SeriesNumber(0), (at, at), &value, Extra::default());
            block
        };
        Shelf((0..slices).map(block).collect())
    }

    fn search(entered: (i64, i64), left: (i64, i64)) -> Search {
        let kpi = plain_kpi();
        let key = SeriesKey {
            kpi: kpi.id.clone(),
            source: "till".into(),
            each: None,
        };
        Search {
            catalog: catalog(kpi, None),
            leaves: vec![LeafSearch {
                place: (0, 0),
                entered: entered.0..=entered.1,
                left: left.0..=left.1,
                earlier: None,
            }],
            series: HashMap::from([(SeriesNumber(0), (key, vec![0]))]),
            until: Sequence(90),
        }
    }

    fn found(search: &Search, facts_max: u64) -> (u64, u64, bool) {
        let limits = Limits {
            max_future_ms: SLICE_MS,
            facts_max,
        };
        let movers = movers(&shelf(100), search, limits);
        (movers.leaves[0].entered, movers.leaves[0].left, movers.is_complete)
    }

    #[test]
    fn what_came_and_what_went_is_found_wherever_it_stands() {
        assert_eq!(found(&search((60, 69), (10, 19)), 1_000), (10, 10, true));
        assert_eq!(
            found(&search((60, 69), (10, 64)), 1_000),
            (10, 50, true),
            "both at once"
        );
        assert_eq!(found(&search((1, 0), (10, 19)), 1_000), (0, 10, true), "only gone");
        assert_eq!(found(&search((1, 0), (1, 0)), 0), (0, 0, true), "nothing to look for");
    }

    #[test]
    fn what_was_not_known_then_is_not_told() {
        assert_eq!(
            found(&search((80, 99), (1, 0)), 1_000),
            (10, 0, true),
            "slices 80 to 89 are facts 81 to 90"
        );
    }

    #[test]
    fn a_long_past_is_cut_and_says_so_and_what_came_is_still_told() {
        let (came, went, is_complete) = found(&search((80, 89), (0, 69)), 40);
        assert_eq!((came, is_complete), (10, false));
        assert_eq!(went, 20, "half of the limit");
    }
}
