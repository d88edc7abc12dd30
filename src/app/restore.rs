//! Restoring: from the checkpoint and the journal's tail to the state at its end, before anything new is taken in.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{info, warn};

use crate::domain::alert::AlertTransition;
use crate::domain::board::RECENT_TRANSITIONS_MAX;
use crate::domain::catalog::Catalog;
use crate::domain::fact::{Block, Fact};
use crate::domain::id::{Sequence, Slug};
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;
use crate::domain::projection::{Effects, Projection, ProjectionOptions};
use crate::pipeline::beside::{self, Beside};
use crate::pipeline::intake::SourcePositions;
use crate::pipeline::ledger::{Ledger, LedgerLimits};
use crate::ports::{Checkpoints, Journal, JournalError, Outbox, SeenIds, StateError};

/// What there is to restore from.
pub struct Shelves {
    /// Ids.
    pub seen: Box<dyn SeenIds>,
    /// Saved states.
    pub checkpoints: Box<dyn Checkpoints>,
    /// What is decided and not delivered.
    pub outbox: Arc<dyn Outbox>,
}

/// The state at the journal's end.
pub struct Restored {
    /// Readings and alerts.
    pub projection: Projection,
    /// Ids and series.
    pub ledger: Ledger,
    /// Saved states, to go on with.
    pub checkpoints: Box<dyn Checkpoints>,
    /// How far sources are.
    pub positions: SourcePositions,
    /// Series names that the checkpoint has.
    pub names_saved: usize,
    /// Nothing may be stamped before this.
    pub floor: Instant,
    /// The latest transitions, oldest first.
    pub recent: Vec<AlertTransition>,
    /// The journal does not say yet that this catalog holds.
    pub needs_activation: bool,
}

/// Why nothing could be restored.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The journal.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// The state store.
    #[error(transparent)]
    State(#[from] StateError),
}

/// Blocks between two words of progress.
const PROGRESS_BLOCKS: u64 = 10_000;

/// Restores. `options.with_readings` is off on the way and on afterwards: nobody listens yet.
pub fn restore(
    journal: &dyn Journal,
    shelves: Shelves,
    catalog: &Arc<Catalog>,
    options: ProjectionOptions,
    limits: LedgerLimits,
) -> Result<Restored, RestoreError> {
    let Shelves {
        seen,
        mut checkpoints,
        outbox,
    } = shelves;
    let positions = SourcePositions::default();
    let quiet = ProjectionOptions {
        with_readings: false,
        ..options
    };
    let saved = load(&mut *checkpoints, catalog, quiet, journal.tail().next)?;
    let is_fresh = saved.is_none();
    let (mut projection, beside) =
        saved.unwrap_or_else(|| (Projection::new(Arc::clone(catalog), quiet), Beside::default()));
    for position in &beside.positions {
        positions.advance(position);
    }
    let names: Vec<SeriesKey> = projection.series_names();
    let names_saved = names.len();
    let mut ledger = Ledger::new(seen, names, limits);
    let (ids, next) = (ledger.position().0, journal.tail().next.0);
    if ids >= next {
        warn!(ids, next, "state is ahead of the journal");
    }
    let decided = outbox.position()?;
    let mut catching = Catching::new(outbox, decided.is_none(), beside.recent);
    let from = if is_fresh {
        Sequence(1)
    } else {
        projection.sequence().min(ledger.position()).plus(1)
    };
    let mut reader = journal.read_from(from)?;
    let mut blocks = 0_u64;
    while let Some(block) = reader.next_block()? {
        ledger.learn(&block)?;
        block.positions.iter().for_each(|position| positions.advance(position));
        if !catching.catch_up(&mut projection, &block)? {
            continue;
        }
        blocks += 1;
        if blocks.is_multiple_of(PROGRESS_BLOCKS) {
            let (applied, end) = (projection.sequence().0, journal.tail().next.0);
            info!(applied, end, "replaying the journal");
        }
    }
    catching.finish(&projection)?;
    projection.tell_readings(options.with_readings);
    info!(blocks, applied = projection.sequence().0, "state restored");
    let floor = decided.map_or(Instant::EARLIEST, |(_, at)| at.plus_ms(1));
    // A checkpoint is made under the catalog that the journal names; only its tail can say otherwise.
    let last = catching.last_fingerprint;
    Ok(Restored {
        floor: floor.max(projection.at().plus_ms(1)),
        projection,
        ledger,
        checkpoints,
        positions,
        names_saved,
        recent: catching.recent,
        needs_activation: last.map_or(is_fresh, |last| last != catalog.fingerprint),
    })
}

/// The last checkpoint, where it fits this catalog and this journal.
fn load(
    checkpoints: &mut dyn Checkpoints,
    catalog: &Arc<Catalog>,
    options: ProjectionOptions,
    next: Sequence,
) -> Result<Option<(Projection, Beside)>, StateError> {
    let Some((head, parts)) = checkpoints.load()? else {
        return Ok(None);
    };
    let (parts, beside) = beside::split(parts);
    let fits = head.fingerprint == catalog.fingerprint && head.sequence < next;
    let projection = if fits {
        Projection::from_image(Arc::clone(catalog), options, &parts)
    } else {
        None
    };
    if projection.is_none() {
        info!(
            sequence = head.sequence.0,
            "checkpoint does not fit catalog and journal, replaying from the beginning"
        );
        checkpoints.clear()?;
    }
    Ok(projection.map(|projection| (projection, beside)))
}

/// What comes of the tail: transitions that the outbox may not have yet.
struct Catching {
    outbox: Arc<dyn Outbox>,
    /// The outbox is a fresh one: what was delivered before is not known here, only at the destinations. Then only the
    /// last word on each rule and node is passed on, which they recognise if they had it.
    is_history: bool,
    recent: Vec<AlertTransition>,
    last_words: BTreeMap<(Slug, Arc<str>), AlertTransition>,
    last_fingerprint: Option<String>,
}

impl Catching {
    /// `recent` are the transitions that the checkpoint had, newest first.
    fn new(outbox: Arc<dyn Outbox>, is_history: bool, recent: Vec<AlertTransition>) -> Self {
        Self {
            outbox,
            is_history,
            recent: recent.into_iter().rev().collect(),
            last_words: BTreeMap::new(),
            last_fingerprint: None,
        }
    }

    /// Applies a block of the tail; false when there is nothing in it, or the checkpoint had it.
    fn catch_up(&mut self, projection: &mut Projection, block: &Block) -> Result<bool, StateError> {
        self.note_catalog(block);
        if block.is_empty() || block.first <= projection.sequence() {
            return Ok(false);
        }
        let mut effects = Effects::default();
        projection.apply(block, &mut effects);
        self.take(projection, effects)?;
        Ok(true)
    }

    fn note_catalog(&mut self, block: &Block) {
        for (_, fact) in &block.others {
            if let Fact::CatalogActivated { fingerprint, .. } = fact {
                self.last_fingerprint = Some(fingerprint.clone());
            }
        }
    }

    fn take(&mut self, projection: &Projection, effects: Effects) -> Result<(), StateError> {
        if !self.is_history && !effects.transitions.is_empty() {
            self.outbox
                .put((projection.sequence(), projection.at()), &effects.transitions)?;
        }
        if self.is_history {
            for transition in &effects.transitions {
                self.last_words.insert(
                    (transition.rule.clone(), Arc::clone(&transition.path)),
                    transition.clone(),
                );
            }
        }
        self.recent.extend(effects.transitions);
        let surplus = self.recent.len().saturating_sub(RECENT_TRANSITIONS_MAX);
        self.recent.drain(..surplus);
        Ok(())
    }

    /// A fresh outbox gets its position even where nothing was decided yet: without one the next start would take what is
    /// decided and not delivered until then for history.
    fn finish(&self, projection: &Projection) -> Result<(), StateError> {
        if !self.is_history {
            return Ok(());
        }
        let mut last_words: Vec<AlertTransition> = self.last_words.values().cloned().collect();
        last_words.sort_by_key(|transition| transition.at);
        self.outbox.put((projection.sequence(), projection.at()), &last_words)
    }
}
