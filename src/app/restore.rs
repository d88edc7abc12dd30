//! Restoring: from the checkpoint and the journal's tail to the state at its end, before anything new is taken in.

use std::collections::BTreeMap;
use std::sync::Arc;

use tracing::{info, warn};

use super::headway::Headway;
use super::reload::activation;
use super::trim::projection_of;
use crate::domain::alert::AlertTransition;
use crate::domain::board::RECENT_TRANSITIONS_MAX;
use crate::domain::catalog::Catalog;
use crate::domain::fact::{Block, Fact};
use crate::domain::id::{Sequence, Slug};
use crate::domain::instant::Instant;
use crate::domain::projection::{Effects, Projection, ProjectionOptions};
use crate::domain::reading::ReadingChange;
use crate::journal::Base;
use crate::pipeline::activation::{ActivationError, Activations};
use crate::pipeline::ahead::ReadAhead;
use crate::pipeline::beside::{self, Beside};
use crate::pipeline::intake::SourcePositions;
use crate::pipeline::ledger::{Ledger, LedgerLimits};
use crate::ports::{BlockReader, Checkpoints, Definitions, Journal, JournalError, Outbox, SeenIds, StateError};

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
    /// Readings that other definitions changed at this start.
    pub changed: Vec<ReadingChange>,
    /// For activations to come.
    pub activations: Activations,
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
    /// Definitions in the journal.
    #[error(transparent)]
    Activation(#[from] ActivationError),
}

/// What holds from this start on.
pub struct Present {
    /// Definitions as the files have them.
    pub catalog: Arc<Catalog>,
    /// What the wall says.
    pub now: Instant,
    /// For definitions that the journal names.
    pub activations: Activations,
    /// Makes catalogs of the files that a checkpoint keeps.
    pub definitions: Arc<dyn Definitions>,
    /// Where the journal begins, if not with its first fact.
    pub base: Option<Base>,
    /// Hears how far it is.
    pub headway: Headway,
}

/// Restores. `options.with_readings` is off on the way and on afterwards: nobody listens yet. Where the files have other
/// definitions than the journal's end, the journal is told so here.
pub fn restore(
    journal: &mut dyn Journal,
    shelves: Shelves,
    present: Present,
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
    let cut = present.base.as_ref().map_or(Sequence::ZERO, |base| base.block.last());
    let (mut projection, beside, is_fresh) = beginning(&mut *checkpoints, &present, quiet, journal.tail().next)?;
    for position in &beside.positions {
        positions.advance(position);
    }
    let names = projection.names().clone();
    let names_saved = if is_fresh { 0 } else { names.len() };
    let mut ledger = Ledger::new(seen, names, limits);
    ledger.trimmed(cut);
    let decided = outbox.position()?;
    let hearing = (present.activations, present.headway);
    let mut catching = Catching::new(outbox, decided.is_none(), beside.recent, hearing);
    let from = if is_fresh {
        Sequence(1)
    } else {
        projection.sequence().min(ledger.position()).plus(1)
    };
    read_tail(
        journal,
        from,
        (&mut projection, &mut ledger),
        (&positions, &mut catching),
    )?;
    projection.tell_readings(options.with_readings);
    let decided = decided.map_or(Instant::EARLIEST, |(_, at)| at.plus_ms(1));
    let floor = decided.max(projection.at().plus_ms(1));
    let block = activation_block(journal, &present.catalog, present.now.max(floor));
    let is_other = catching.let_hold(journal, &block, (&mut projection, &mut ledger))?;
    if is_other {
        // The checkpoint has other shapes.
        checkpoints.clear()?;
    }
    catching.finish(&projection)?;
    info!(applied = projection.sequence().0, is_other, "state restored");
    Ok(Restored {
        floor: floor.max(projection.at().plus_ms(1)),
        projection,
        ledger,
        checkpoints,
        positions,
        names_saved: if is_other { 0 } else { names_saved },
        recent: catching.recent,
        changed: catching.changed,
        activations: catching.activations,
    })
}

/// The projection to go on from, and whether no checkpoint has it.
fn beginning(
    checkpoints: &mut dyn Checkpoints,
    present: &Present,
    options: ProjectionOptions,
    next: Sequence,
) -> Result<(Projection, Beside, bool), StateError> {
    let cut = present.base.as_ref().map_or(Sequence::ZERO, |base| base.block.last());
    let saved = load(checkpoints, &*present.definitions, options, (cut, next))?;
    let is_fresh = saved.is_none();
    let saved = saved.or_else(|| present.base.as_ref().and_then(|base| begin(base, options)));
    // A journal that holds anything names its definitions itself.
    let first = || match next {
        Sequence(1) => Arc::clone(&present.catalog),
        _ => Arc::new(Catalog::empty()),
    };
    let (projection, beside) = saved.unwrap_or_else(|| (Projection::new(first(), options), Beside::default()));
    Ok((projection, beside, is_fresh))
}

/// The state with which a trimmed journal begins.
fn begin(base: &Base, options: ProjectionOptions) -> Option<(Projection, Beside)> {
    let begun = projection_of(base, options);
    let up_to = base.block.last().0;
    if begun.is_some() {
        info!(up_to, "beginning with the state of the last trim");
    } else {
        warn!(
            up_to,
            "the state of the last trim is of another version of kpid: what was trimmed is not in any window"
        );
    }
    begun
}

/// Takes in the journal from `from` to its end.
fn read_tail(
    journal: &dyn Journal,
    from: Sequence,
    (projection, ledger): (&mut Projection, &mut Ledger),
    (positions, catching): (&SourcePositions, &mut Catching),
) -> Result<(), RestoreError> {
    let mut reader = ReadAhead::new(journal.read_from(from)?);
    catching.headway.begin(projection.sequence(), journal.tail().next);
    while let Some(block) = reader.next_block()? {
        ledger.learn(&block)?;
        block.positions.iter().for_each(|position| positions.advance(position));
        if catching.catch_up(projection, &block)? {
            catching.headway.reached(projection.sequence());
        }
    }
    catching.headway.finish();
    Ok(())
}

/// A block which says that these definitions hold.
fn activation_block(journal: &dyn Journal, catalog: &Catalog, at: Instant) -> Block {
    let tail = journal.tail();
    Block {
        first: tail.next,
        recorded_at: at.max(tail.recorded_at),
        series_base: tail.series,
        others: vec![(0, activation(catalog))],
        ..Block::default()
    }
}

/// The last checkpoint, where it fits this journal and this version of kpid.
fn load(
    checkpoints: &mut dyn Checkpoints,
    definitions: &dyn Definitions,
    options: ProjectionOptions,
    (cut, next): (Sequence, Sequence),
) -> Result<Option<(Projection, Beside)>, StateError> {
    let Some((head, parts)) = checkpoints.load()? else {
        return Ok(None);
    };
    let (parts, beside) = beside::split(parts);
    let catalog = definitions.parse(&beside.definitions).ok();
    // One from before the cut would need what is gone.
    let is_kept = head.sequence < next && head.sequence >= cut;
    let catalog = catalog.filter(|catalog| catalog.fingerprint == head.fingerprint && is_kept);
    let projection = catalog.and_then(|catalog| Projection::from_image(catalog, options, &parts));
    if projection.is_none() {
        info!(
            sequence = head.sequence.0,
            "checkpoint does not fit the journal or this version, replaying from the beginning"
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
    activations: Activations,
    headway: Headway,
    /// Readings that changed while they were told.
    changed: Vec<ReadingChange>,
}

impl Catching {
    /// `recent` are the transitions that the checkpoint had, newest first.
    fn new(
        outbox: Arc<dyn Outbox>,
        is_history: bool,
        recent: Vec<AlertTransition>,
        (activations, headway): (Activations, Headway),
    ) -> Self {
        Self {
            outbox,
            is_history,
            recent: recent.into_iter().rev().collect(),
            last_words: BTreeMap::new(),
            activations,
            headway,
            changed: Vec::new(),
        }
    }

    /// Applies a block of the tail; false when there is nothing in it, or the checkpoint had it.
    fn catch_up(&mut self, projection: &mut Projection, block: &Block) -> Result<bool, RestoreError> {
        if block.is_empty() || block.first <= projection.sequence() {
            return Ok(false);
        }
        let mut effects = Effects::default();
        match self.activations.apply(projection, block, &mut effects) {
            // An older version took definitions that this one does not: those before go on until the journal names others.
            Err(ActivationError::Definitions { at, problems }) => {
                warn!(sequence = at.0, ?problems, "definitions in the journal cannot be read");
                projection.apply(block, &mut effects);
            }
            applied => {
                applied?;
            }
        }
        self.changed.append(&mut effects.readings);
        self.take(projection, effects)?;
        Ok(true)
    }

    /// Makes the journal say which definitions hold, where it does not yet. True when it did not.
    fn let_hold(
        &mut self,
        journal: &mut dyn Journal,
        block: &Block,
        (projection, ledger): (&mut Projection, &mut Ledger),
    ) -> Result<bool, RestoreError> {
        let named = block.others.iter().find_map(|(_, fact)| match fact {
            Fact::CatalogActivated { fingerprint, .. } => Some(fingerprint.as_str()),
            _ => None,
        });
        let is_silent = projection.sequence() == Sequence::ZERO;
        if !is_silent && named == Some(projection.catalog().fingerprint.as_str()) {
            return Ok(false);
        }
        journal.append(block)?;
        ledger.committed(block)?;
        self.catch_up(projection, block)?;
        Ok(true)
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
