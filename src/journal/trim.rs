//! Retention: how much of a journal's beginning may go, and letting it go.
//!
//! A wish and what is still needed enter, a [`TrimPlan`] leaves; a state enters and the base that stands for what is dropped
//! is made durable; after the journal's `HistoryTrimmed` is durable as well, the old segments go. Only whole segments
//! behind which another one stands are ever dropped, from the oldest on, and none that holds a measurement or an id that
//! is still needed. Nothing here writes to a journal: the fact is appended by whoever owns the writer.

use std::path::Path;
use std::sync::Arc;

use super::base::{BaseState, drop_before, read_base, write_base};
use super::block::{HEADER_LEN, Hash, decode_body};
use super::files::DiskFiles;
use super::segment::{Depth, Look, START, Store, damaged, io_error, look};
use crate::domain::fact::{Block, Entry, Fact};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::{JournalError, TrimWish};

/// What must not be dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TrimNeeds {
    /// Ids recorded since then are told apart from new ones.
    pub recorded_since: Instant,
    /// Measurements observed since then may be seen by a window, or be folded anew under other definitions.
    pub observed_since: Instant,
}

/// Why a segment that somebody wants to be dropped stays, and all after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Held {
    /// It holds ids that are still recognised: `journal.dedup_window`.
    Ids,
    /// It holds a measurement that windows or other definitions may still need: `projection.history` and the longest window.
    Measurements,
    /// It is the one that is written to, or the one before it.
    Last,
}

impl Held {
    /// The reason in words, with the setting that decides.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ids => "its ids are still recognised (journal.dedup_window)",
            Self::Measurements => {
                "a measurement in it may still be seen by a window (projection.history, and the longest window)"
            }
            Self::Last => "it is the last one, or the journal's end is in it",
        }
    }
}

/// What a trim would drop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TrimPlan {
    /// Last sequence to drop; `None` for nothing.
    pub up_to: Option<Sequence>,
    /// Segments to drop.
    pub segments: u64,
    /// Bytes of their files.
    pub bytes: u64,
    /// The next segment was wanted too, and this keeps it.
    pub held: Option<Held>,
}

/// The journal of a folder, for trims.
#[derive(Clone)]
pub struct Trims {
    store: Store,
}

impl Trims {
    /// Of the journal in a folder.
    pub fn of(dir: &Path) -> Self {
        Self::with(dir, Arc::new(DiskFiles))
    }

    pub(super) fn with(dir: &Path, files: Arc<dyn super::files::Files>) -> Self {
        let dir = dir.to_owned();
        Self {
            store: Store { files, dir },
        }
    }

    /// Where the journal begins: 1, or the first sequence kept.
    pub fn first(&self) -> Result<Sequence, JournalError> {
        Ok(self.store.segments()?.first().copied().unwrap_or(START.next))
    }

    /// The state with which a trimmed journal begins, and the last sequence dropped; `None` where nothing was.
    pub fn base(&self) -> Result<Option<super::base::Base>, JournalError> {
        match self.first()? {
            first if first == START.next => Ok(None),
            first => read_base(&self.store, first).map(Some),
        }
    }

    /// How far a wish can be granted.
    pub fn plan(&self, wish: TrimWish, needs: TrimNeeds) -> Result<TrimPlan, JournalError> {
        let segments = self.store.segments()?;
        let lens = segments.iter().map(|first| self.store.window(*first)?.file_len());
        let lens: Vec<u64> = lens.collect::<Result<_, JournalError>>()?;
        let mut left: u64 = lens.iter().sum();
        let mut plan = TrimPlan::default();
        let nexts = segments.iter().skip(1).map(Some).chain([None]);
        for ((first, len), next) in segments.iter().zip(lens).zip(nexts) {
            let is_much = wish.keep_bytes.is_some_and(|keep| left > keep);
            if !is_much && wish.before.is_none() {
                break;
            }
            let seen = self.look_over(*first)?;
            if !is_much && wish.before.is_none_or(|before| seen.recorded_at >= before) {
                break;
            }
            plan.held = match next {
                None => Some(Held::Last),
                Some(_) if seen.recorded_at >= needs.recorded_since => Some(Held::Ids),
                Some(_) if seen.observed_at >= needs.observed_since => Some(Held::Measurements),
                Some(_) => None,
            };
            let Some(next) = next.filter(|_| plan.held.is_none()) else {
                break;
            };
            plan.up_to = Some(Sequence(next.0.saturating_sub(1)));
            plan.segments += 1;
            plan.bytes += len;
            left -= len;
        }
        Ok(plan)
    }

    /// The latest instants in a segment.
    fn look_over(&self, segment: Sequence) -> Result<Latest, JournalError> {
        let mut window = self.store.window(segment)?;
        let (limit, path) = (window.file_len()?, window.path().to_owned());
        let mut latest = Latest {
            recorded_at: Instant(i64::MIN),
            observed_at: Instant(i64::MIN),
        };
        let mut offset = 0;
        while let Look::Block(header, bytes) = look(&mut window, offset, limit, Depth::Whole)? {
            let range = (header.first, Sequence(header.next().0.saturating_sub(1)));
            let block = decode_body(&header, bytes.get(HEADER_LEN..).unwrap_or_default())
                .map_err(|reason| damaged(range, &path, reason.to_string()))?;
            latest.take(&block);
            offset += header.block_len() as u64;
        }
        Ok(latest)
    }

    /// Makes the base durable that stands for everything up to the last fact of `block` and gives the fact that the
    /// journal must hold before anything is dropped.
    pub fn prepare(&self, block: &Block, state: &BaseState) -> Result<Fact, JournalError> {
        let first = Sequence(block.last().0 + 1);
        let hash = self.hash_before(first)?;
        let base = write_base(&self.store, (block, state), &hash)?;
        Ok(Fact::HistoryTrimmed {
            up_to: block.last(),
            hash,
            base: Some(base),
        })
    }

    /// Hash of the last block before a segment, as the first block of that segment keeps it.
    fn hash_before(&self, first: Sequence) -> Result<Hash, JournalError> {
        let mut window = self.store.window(first)?;
        let limit = window.file_len()?;
        match look(&mut window, 0, limit, Depth::Header)? {
            Look::Block(header, _) => Ok(header.previous),
            _ => Err(damaged(
                (first, first),
                window.path(),
                "a segment before the last is empty",
            )),
        }
    }

    /// Drops everything up to a sequence, after the fact that says so has become durable.
    pub fn drop_up_to(&self, up_to: Sequence) -> Result<(), JournalError> {
        drop_before(&self.store, Sequence(up_to.0.saturating_add(1)))
    }

    /// Gives the room back that is reserved behind the last block of every segment, for whoever holds the lock. Blocks stay
    /// as they are. Bytes given back.
    pub fn give_back(&self) -> Result<u64, JournalError> {
        let mut given = 0;
        for first in self.store.segments()? {
            given += self.give_back_of(first, &self.store.path(first))?;
        }
        Ok(given)
    }

    fn give_back_of(&self, first: Sequence, path: &Path) -> Result<u64, JournalError> {
        let mut window = self.store.window(first)?;
        let limit = window.file_len()?;
        let mut end = 0;
        while let Look::Block(header, _) = look(&mut window, end, limit, Depth::Header)? {
            end += header.block_len() as u64;
        }
        if end == 0 || end == limit || !super::segment::is_blank(&mut window, end, limit)? {
            return Ok(0);
        }
        let file = self.store.files.open(path).map_err(io_error("open", path))?;
        file.truncate(end).map_err(io_error("truncate", path))?;
        file.sync_data().map_err(io_error("sync", path))?;
        Ok(limit - end)
    }
}

/// The latest instants of what was looked at.
struct Latest {
    recorded_at: Instant,
    observed_at: Instant,
}

impl Latest {
    fn take(&mut self, block: &Block) {
        self.recorded_at = self.recorded_at.max(block.recorded_at);
        for (_, entry) in block.entries() {
            let observed_at = match entry {
                Entry::Measurement(row) => row.observed_at,
                Entry::Other(Fact::MeasurementCorrected(correction)) => correction.observed_at,
                Entry::Other(_) => continue,
            };
            self.observed_at = self.observed_at.max(observed_at);
        }
    }
}
