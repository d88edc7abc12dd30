//! What clients were told, held against what the journal has.
//!
//! Every measurement that a client sends has an id. The ledger knows which were acknowledged; the journal, read by the
//! program's own reader, tells how often each id is there.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use kpid::domain::id::Sequence;
use kpid::journal::open_reader;

/// Ids by what became of them.
#[derive(Debug, Default)]
pub struct Ledger {
    /// Said to be durable.
    pub acknowledged: BTreeSet<String>,
    /// Sent without an answer: there once or not at all.
    pub unanswered: BTreeSet<String>,
}

impl Ledger {
    /// Holds the ledger against a journal: everything acknowledged is there exactly once, everything else at most once, and
    /// nothing that nobody sent.
    pub fn check(&self, journal: &Path) {
        let found = ids_in(journal);
        for (id, count) in &found {
            assert_eq!(*count, 1, "{id} is there {count} times");
            assert!(
                self.acknowledged.contains(id) || self.unanswered.contains(id),
                "nobody sent {id}"
            );
        }
        let lost: Vec<&String> = self.acknowledged.iter().filter(|id| !found.contains_key(*id)).collect();
        assert!(lost.is_empty(), "{} acknowledged and lost: {lost:?}", lost.len());
    }
}

/// How often each id stands in a journal.
pub fn ids_in(journal: &Path) -> BTreeMap<String, u64> {
    let mut reader = open_reader(journal, Sequence(1)).expect("the journal opens");
    let mut found = BTreeMap::new();
    while let Some(block) = reader.next_block().expect("a whole block") {
        let extras = block.measurements.extras.iter();
        for id in extras.filter_map(|(_, extra)| extra.id.as_deref()) {
            *found.entry(id.to_owned()).or_default() += 1;
        }
    }
    found
}
