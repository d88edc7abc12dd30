//! What a journal holds when it is opened: the end of the chain, with an interrupted last write told from damage.
//!
//! A folder enters; the tail, the last segment and where its blocks end leave, or the damage with its sequences. A write
//! that was interrupted leaves something that is not a whole block at the very end of the last segment, with no whole block
//! behind it; that was never acknowledged and is cut off. Anything else that does not fit is damage, and nothing is
//! changed. Rejected: a mark of "clean" or "dirty", which would have to be made durable as well.

use std::path::Path;

use super::base::chain_at;
use super::block::Header;
use super::bytes::FormatError;
use super::segment::{
    Chain, Depth, Look, START, Store, Window, damaged, damaged_at, is_blank, look, whole_block_behind,
};
use super::torn::{Changed, changed};
use crate::domain::id::Sequence;
use crate::ports::JournalError;

/// What a walk over a segment found.
pub(super) struct Walked {
    /// Where its blocks end.
    pub(super) end: u64,
    /// Where its last block begins; `None` without one.
    pub(super) last_block: Option<u64>,
    /// Why there is more behind the end than zeros: an interrupted write.
    pub(super) torn: Option<FormatError>,
}

/// What was found in the folder.
pub(super) struct Found {
    /// Where the chain ends.
    pub(super) chain: Chain,
    /// The last segment: its first sequence, and what is in it. `None` in an empty folder.
    pub(super) last: Option<(Sequence, Walked)>,
}

/// How much of a journal to look at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// Every block of every segment.
    All,
    /// The last two segments, and that none is missing at the beginning.
    End,
}

/// Called with every block that fits, its bytes, and its file's path.
pub(super) type OnBlock<'a> = &'a mut dyn FnMut(&Header, &[u8], &Path) -> Result<(), JournalError>;

/// Walks over a journal and finds its end.
pub(super) fn find(store: &Store, extent: Extent, on_block: OnBlock<'_>) -> Result<Found, JournalError> {
    let segments = store.segments()?;
    let mut found = Found {
        chain: Chain::START,
        last: None,
    };
    let Some((&first, &last)) = segments.first().zip(segments.last()) else {
        return Ok(found);
    };
    found.chain = chain_at(store, first)?;
    let skipped = match extent {
        Extent::All => 0,
        Extent::End => segments.len().saturating_sub(2),
    };
    for (index, &segment) in segments.iter().enumerate().skip(skipped) {
        let mut window = store.window(segment)?;
        if index == skipped && index > 0 {
            found.chain = chain_before(&mut window, segment)?;
        }
        if found.chain.tail.next != segment {
            let range = (found.chain.tail.next, Sequence(segment.0.saturating_sub(1)));
            return Err(damaged(
                range,
                window.path(),
                "segments are missing, or overlap, before this one",
            ));
        }
        let walked = walk(&mut window, &mut found.chain, on_block)?;
        if let Some(reason) = walked.torn.filter(|_| segment != last) {
            let next = segments
                .get(index + 1)
                .map_or(segment, |next| Sequence(next.0.saturating_sub(1)));
            let place = (window.path(), walked.end);
            return Err(damaged_at((found.chain.tail.next, next), place, &reason));
        }
        found.last = Some((segment, walked));
    }
    Ok(found)
}

/// The chain as the first block of a segment says it was, where the segments before are not looked at.
pub(super) fn chain_before(window: &mut Window, segment: Sequence) -> Result<Chain, JournalError> {
    let limit = window.file_len()?;
    let seen = match look(window, 0, limit, Depth::Header)? {
        Look::Block(header, _) => Ok(header),
        Look::Blank => Err(FormatError::Unfit("a segment before the last is empty")),
        Look::Bad(reason) => Err(reason),
    };
    let header = seen.map_err(|reason| damaged((segment, segment), window.path(), reason.to_string()))?;
    let mut chain = Chain {
        tail: START,
        hash: Some(header.previous),
    };
    chain.tail.next = segment;
    chain.tail.series = header.series_base;
    Ok(chain)
}

/// Walks over one segment. What does not fit is an error, unless nothing whole stands behind it.
pub(super) fn walk(window: &mut Window, chain: &mut Chain, on_block: OnBlock<'_>) -> Result<Walked, JournalError> {
    let limit = window.file_len()?;
    let path = window.path().to_owned();
    let mut walked = Walked {
        end: 0,
        last_block: None,
        torn: None,
    };
    let reason = loop {
        let reason = match look(window, walked.end, limit, Depth::Whole)? {
            Look::Block(header, bytes) => {
                let range = (chain.tail.next, Sequence(header.next().0.saturating_sub(1)));
                let accepted = chain.accept(&header, bytes);
                accepted.map_err(|reason| damaged_at(range, (&path, walked.end), &reason))?;
                on_block(&header, bytes, &path)?;
                walked.last_block = Some(walked.end);
                walked.end += header.block_len() as u64;
                continue;
            }
            Look::Blank => None,
            Look::Bad(reason) => Some(reason),
        };
        if reason.is_none() && is_blank(window, walked.end, limit)? {
            return Ok(walked);
        }
        let reason = reason.unwrap_or(FormatError::Unfit("a block has no header"));
        if !became_whole(window, chain, (walked.end, limit), reason)? {
            break reason;
        }
    };
    walked.torn = Some(reason);
    Ok(walked)
}

/// Judges what is not a whole block at `place.0`: `false` when it may be an interrupted write, `true` when it became whole
/// while it was looked at (another process writes), an error when it is damage.
fn became_whole(
    window: &mut Window,
    chain: &Chain,
    place: (u64, u64),
    reason: FormatError,
) -> Result<bool, JournalError> {
    let next = chain.tail.next;
    if matches!(reason, FormatError::Version { .. }) {
        return Err(damaged_at((next, next), (window.path(), place.0), &reason));
    }
    let later = whole_block_behind(window, place.0, place.1, next)?;
    let changed = changed(window, place.0, place.1)?;
    if later.is_none() && changed.is_none() {
        return Ok(false);
    }
    window.forget();
    if matches!(look(window, place.0, place.1, Depth::Whole)?, Look::Block(..)) {
        return Ok(true);
    }
    Err(misfit((window, place.0), next, (later, changed), reason))
}

/// The damage from `next` on: up to the next whole block, or to the end of the one that was changed.
pub(super) fn misfit(
    at: (&Window, u64),
    next: Sequence,
    (later, changed): (Option<Header>, Option<Changed>),
    reason: FormatError,
) -> JournalError {
    let own = changed.as_ref().and_then(|changed| changed.header);
    let own = own.filter(|header| header.first == next).map(|header| header.next());
    let behind = later.map(|header| header.first).or(own);
    let to = behind.map_or(next, |behind| Sequence(behind.0.saturating_sub(1)));
    let reason = changed.map_or(reason, |changed| changed.reason);
    damaged_at((next, to), (at.0.path(), at.1), &reason)
}
