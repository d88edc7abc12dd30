//! Reading a journal, from any sequence on, beside the one that writes it.
//!
//! A place to begin enters, whole blocks leave in order, each with its checksums and its place in the order proved.
//! A reader of the writer's own process stops at the durable end, the only thing that it shares with the writer. A
//! reader of another process takes no lock and stops where no whole block stands yet. Nothing here writes.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwap;

use super::base::{chain_at, read_base};
use super::block::{HEADER_LEN, Header, decode_body};
use super::bytes::FormatError;
use super::files::{DiskFiles, Files};
use super::recovery::misfit;
use super::segment::{Chain, Depth, Look, START, Store, Window, damaged, is_blank, look, whole_block_behind};
use super::torn::changed;
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::ports::{BlockReader, JournalError};

/// The durable end: a segment and how many of its bytes are blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct End {
    segment: Sequence,
    offset: u64,
}

impl End {
    /// The end in a segment; before the first segment there is nothing of the first sequence.
    pub(super) fn of(place: Option<(Sequence, u64)>) -> Self {
        let (segment, offset) = place.unwrap_or((START.next, 0));
        Self { segment, offset }
    }
}

/// Reads the journal in a folder that another process may be writing, from `from` on. Takes no lock; sees whole blocks
/// up to the first place without one, which may be written but not yet durable.
pub fn open_reader(dir: &Path, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
    Ok(Box::new(open_reader_in(dir, from, Arc::new(DiskFiles))?))
}

pub(super) fn open_reader_in(dir: &Path, from: Sequence, files: Arc<dyn Files>) -> Result<FileReader, JournalError> {
    let store = Store {
        files,
        dir: dir.to_owned(),
    };
    FileReader::new(store, None, from)
}

/// Reads blocks from segments.
pub(super) struct FileReader {
    store: Store,
    end: Option<Arc<ArcSwap<End>>>,
    from: Sequence,
    /// What the next block must continue; `None` before the first block, whose word is taken for it.
    chain: Option<Chain>,
    /// What was trimmed was asked for: its base comes first.
    has_base: bool,
    segment: Sequence,
    offset: u64,
    window: Option<Window>,
}

/// What a step over the next place gave.
enum Step {
    /// A block that was asked for.
    Block(Box<Block>),
    /// Something before it, or the end of a segment: look again.
    Again,
    /// Nothing there yet.
    Nothing,
}

impl FileReader {
    pub(super) fn new(store: Store, end: Option<Arc<ArcSwap<End>>>, from: Sequence) -> Result<Self, JournalError> {
        let segments = store.segments()?;
        let begin = segments.first().copied().unwrap_or(START.next);
        let chain = chain_at(&store, begin)?;
        // A segment behind the durable end is being made just now; the reader comes to it in its turn. A block without
        // facts that stands before `from` may be the last of the segment before, hence `<`.
        let last = end.as_ref().map(|end| end.load().segment);
        let known = segments
            .iter()
            .rev()
            .filter(|first| last.is_none_or(|last| **first <= last));
        let segment = known.copied().find(|first| *first < from);
        let segment = segment.unwrap_or(begin);
        Ok(Self {
            store,
            end,
            from,
            chain: (segment == begin).then_some(chain),
            has_base: begin != START.next && from < begin,
            segment,
            offset: 0,
            window: None,
        })
    }

    /// Sequence with which the next block must begin.
    fn expected(&self) -> Sequence {
        self.chain.map_or(self.segment, |chain| chain.tail.next)
    }

    /// Bytes of the segment that may be read now, and whether it is known that the journal ends with them.
    fn bounds(&mut self) -> Result<(u64, bool), JournalError> {
        let end = self.end.as_ref().map(|end| **end.load());
        if let Some(end) = end.filter(|end| end.segment == self.segment) {
            return Ok((end.offset, true));
        }
        if self.window.is_none() && end.is_none() {
            let segments = self.store.segments()?;
            if !segments.contains(&self.segment) {
                return self.was_trimmed(&segments).map_or(Ok((0, true)), Err);
            }
        }
        Ok((self.open_window()?.file_len()?, false))
    }

    fn open_window(&mut self) -> Result<&mut Window, JournalError> {
        let window = match self.window.take() {
            Some(window) => window,
            None => match self.store.window(self.segment) {
                Ok(window) => window,
                Err(error) => return Err(self.was_trimmed(&self.store.segments()?).unwrap_or(error)),
            },
        };
        Ok(self.window.insert(window))
    }

    /// The segment that would be next is gone because it was trimmed meanwhile.
    fn was_trimmed(&self, segments: &[Sequence]) -> Option<JournalError> {
        let first = segments.first().filter(|first| **first > self.segment)?;
        let up_to = Sequence(first.0.saturating_sub(1));
        (*first != START.next).then_some(JournalError::Trimmed { up_to })
    }

    fn step(&mut self) -> Result<Step, JournalError> {
        let (limit, is_end) = self.bounds()?;
        if is_end && self.offset >= limit {
            return Ok(Step::Nothing);
        }
        let (offset, from, shared) = (self.offset, self.from, self.end.is_some());
        let window = self.open_window()?;
        let header = match look(window, offset, limit, Depth::Header)? {
            Look::Block(header, _) => header,
            Look::Blank => return self.stuck((limit, is_end), None),
            Look::Bad(reason) => return self.stuck((limit, is_end), Some(reason)),
        };
        let wanted = header.next() > from || header.first >= from;
        if shared && !wanted {
            // All before the durable end was proved when the journal was opened or written: a header is enough to skip.
            return self.pass(&header).map(|()| Step::Again);
        }
        let decoded = match look(window, offset, limit, Depth::Whole)? {
            Look::Block(header, bytes) if wanted => {
                Some(decode_body(&header, bytes.get(HEADER_LEN..).unwrap_or_default()))
            }
            Look::Block(..) => None,
            Look::Blank => return self.stuck((limit, is_end), None),
            Look::Bad(reason) => return self.stuck((limit, is_end), Some(reason)),
        };
        self.pass(&header)?;
        match decoded {
            None => Ok(Step::Again),
            Some(Ok(block)) => Ok(Step::Block(Box::new(block))),
            Some(Err(reason)) => Err(self.damage(&header, reason)),
        }
    }

    /// Goes past a block that continues the one before.
    fn pass(&mut self, header: &Header) -> Result<(), JournalError> {
        let accepted = match self.chain.as_mut() {
            Some(chain) => chain.accept(header, &[]),
            None if header.first != self.segment => Err(FormatError::Unfit("the segment is named otherwise")),
            None => Chain::after(header, &[]).map(|chain| self.chain = Some(chain)),
        };
        accepted.map_err(|reason| self.damage(header, reason))?;
        self.offset += header.block_len() as u64;
        Ok(())
    }

    fn damage(&self, header: &Header, reason: FormatError) -> JournalError {
        let range = (header.first, Sequence(header.next().0.saturating_sub(1)));
        damaged(range, &self.store.path(self.segment), reason.to_string())
    }

    /// No whole block stands where the next one should: the end of a segment, the end of the journal, or damage.
    fn stuck(&mut self, bounds: (u64, bool), reason: Option<FormatError>) -> Result<Step, JournalError> {
        if self.end.is_none() {
            return self.stuck_beside_a_writer(reason);
        }
        let (limit, is_end) = bounds;
        let offset = self.offset;
        match reason {
            None if !is_end && is_blank(self.open_window()?, offset, limit)? => self.turn_page(),
            reason => self.misfit(limit, reason).and_then(Err),
        }
    }

    /// The same where another process may be writing at this moment, so that every look may be outdated.
    fn stuck_beside_a_writer(&mut self, reason: Option<FormatError>) -> Result<Step, JournalError> {
        // In this order: once a later segment is there, this one does not change any more.
        let is_last = self.store.segments()?.last().is_none_or(|last| *last <= self.segment);
        if self.is_whole_by_now()? {
            return Ok(Step::Again);
        }
        let (offset, next) = (self.offset, self.expected());
        let window = self.open_window()?;
        let limit = window.file_len()?;
        if !is_last && reason.is_none() && is_blank(window, offset, limit)? {
            return self.turn_page();
        }
        let newer = matches!(reason, Some(FormatError::Version { .. }));
        let ends = is_last
            && !newer
            && whole_block_behind(window, offset, limit, next)?.is_none()
            && changed(window, offset, limit)?.is_none();
        match ends || self.is_whole_by_now()? {
            true if ends => Ok(Step::Nothing),
            true => Ok(Step::Again),
            false => self.misfit(limit, reason).and_then(Err),
        }
    }

    /// Goes on to the segment that follows.
    fn turn_page(&mut self) -> Result<Step, JournalError> {
        let next = self.expected();
        let segments = self.store.segments()?;
        let following = segments.iter().find(|first| **first > self.segment).copied();
        if following != Some(next) {
            if segments.first().is_some_and(|first| *first > next) {
                return Err(self.was_trimmed(&segments).unwrap_or(JournalError::Poisoned));
            }
            let to = following.map_or(next, |first| Sequence(first.0.saturating_sub(1)));
            return Err(damaged((next, to), &self.store.path(next), "the segment is missing"));
        }
        self.segment = next;
        self.offset = 0;
        self.window = None;
        Ok(Step::Again)
    }

    /// The damage at this place, up to the next whole block of the segment.
    fn misfit(&mut self, limit: u64, reason: Option<FormatError>) -> Result<JournalError, JournalError> {
        let (offset, next) = (self.offset, self.expected());
        let window = self.open_window()?;
        let later = whole_block_behind(window, offset, limit, next)?;
        let changed = changed(window, offset, limit)?;
        let reason = reason.unwrap_or(FormatError::Unfit("a block has no header"));
        Ok(misfit((window, offset), next, (later, changed), reason))
    }

    /// Looks once more at what the disk holds now: the other process may just have finished writing it.
    fn is_whole_by_now(&mut self) -> Result<bool, JournalError> {
        let offset = self.offset;
        let window = self.open_window()?;
        window.forget();
        let limit = window.file_len()?;
        Ok(matches!(look(window, offset, limit, Depth::Whole)?, Look::Block(..)))
    }
}

impl BlockReader for FileReader {
    fn next_block(&mut self) -> Result<Option<Block>, JournalError> {
        if std::mem::take(&mut self.has_base) {
            return read_base(&self.store, self.segment).map(|base| Some(base.block));
        }
        loop {
            match self.step()? {
                Step::Block(block) => return Ok(Some(*block)),
                Step::Again => {}
                Step::Nothing => {
                    if self.end.is_none() {
                        // What stood behind the end may be a block at the next call.
                        self.window.iter_mut().for_each(Window::forget);
                    }
                    return Ok(None);
                }
            }
        }
    }
}
