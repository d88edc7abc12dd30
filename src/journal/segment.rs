//! Segments: the files that blocks stand in, and what stands at a place in one of them.
//!
//! A folder and a place enter; a whole block, the end, or what is wrong leaves. Everybody who reads a journal (recovery,
//! readers, verification) looks through the same eyes. Nothing here writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::block::{ALIGN, HEADER_LEN, Hash, Header, MAGIC, hash_of, is_known};
use super::bytes::FormatError;
use super::files::{FileHandle, Files};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::ports::{JournalError, Tail};

/// What a journal's first block follows.
pub(super) const START: Tail = Tail {
    next: Sequence(1),
    recorded_at: crate::domain::instant::Instant(0),
    series: 0,
};

/// Bytes read at once: large enough that a disk streams, small enough to waste little on one block.
const WINDOW_LEN: usize = 256 << 10;

/// What reserved room reads as; comparing with it is as fast as memory, optimised or not.
static ZEROS: [u8; WINDOW_LEN] = [0; WINDOW_LEN];

/// Where a journal is, and through which door.
#[derive(Clone)]
pub(super) struct Store {
    pub(super) files: Arc<dyn Files>,
    pub(super) dir: PathBuf,
}

impl Store {
    /// Path of the segment that begins with a sequence.
    pub(super) fn path(&self, first: Sequence) -> PathBuf {
        self.dir.join(format!("{:020}.seg", first.0))
    }

    /// Path of the base on which the segment that begins with a sequence stands, after a trim.
    pub(super) fn base_path(&self, first: Sequence) -> PathBuf {
        self.dir.join(format!("{:020}.base", first.0))
    }

    /// Names of all segments and bases, each ascending.
    pub(super) fn listing(&self) -> Result<Listing, JournalError> {
        let names = self.files.list(&self.dir).map_err(io_error("list", &self.dir))?;
        let all = |ending| {
            let mut firsts: Vec<Sequence> = names.iter().filter_map(|name| first_of(name, ending)).collect();
            firsts.sort_unstable();
            firsts
        };
        Ok(Listing {
            segments: all(".seg"),
            bases: all(".base"),
        })
    }

    /// First sequences of all segments, ascending, without those that a trim has begun to remove.
    pub(super) fn segments(&self) -> Result<Vec<Sequence>, JournalError> {
        let Listing { mut segments, bases } = self.listing()?;
        let begins = |first: &Sequence| *first == START.next || bases.binary_search(first).is_ok();
        if let Some(place) = segments.iter().position(begins) {
            segments.drain(..place);
        }
        Ok(segments)
    }

    /// Opens a segment for reading.
    pub(super) fn window(&self, first: Sequence) -> Result<Window, JournalError> {
        let path = self.path(first);
        let file = self.files.open_read(&path).map_err(io_error("open", &path))?;
        Ok(Window::new(file, path))
    }
}

/// What stands in a folder: segments, and the bases of those with which a journal begins after a trim.
pub(super) struct Listing {
    pub(super) segments: Vec<Sequence>,
    pub(super) bases: Vec<Sequence>,
}

/// The sequence that a file's name says; `None` for files with another ending.
fn first_of(name: &str, ending: &str) -> Option<Sequence> {
    let digits = name.strip_suffix(ending)?;
    let plain = digits.len() == 20 && digits.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| digits.parse().ok().map(Sequence)).flatten()
}

/// Names what was tried on what.
pub(super) fn io_error(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> JournalError {
    let path = path.display().to_string();
    move |source| JournalError::Io {
        operation,
        path,
        source,
    }
}

/// The damage of a range of sequences.
pub(super) fn damaged(range: (Sequence, Sequence), path: &Path, reason: impl Into<String>) -> JournalError {
    JournalError::Damaged {
        from: range.0,
        to: range.1.max(range.0),
        path: path.display().to_string(),
        reason: reason.into(),
    }
}

/// The damage at a place of a file.
pub(super) fn damaged_at(range: (Sequence, Sequence), at: (&Path, u64), reason: &FormatError) -> JournalError {
    let path = format!("{}, byte {}", at.0.display(), at.1);
    damaged(range, Path::new(&path), reason.to_string())
}

// ---------------------------------------------------------------- bytes of a segment

/// A segment seen through a buffer.
pub(super) struct Window {
    file: Box<dyn FileHandle>,
    path: PathBuf,
    start: u64,
    buffer: Vec<u8>,
}

impl Window {
    pub(super) fn new(file: Box<dyn FileHandle>, path: PathBuf) -> Self {
        Self {
            file,
            path,
            start: 0,
            buffer: Vec::new(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file_len(&self) -> Result<u64, JournalError> {
        self.file.len().map_err(io_error("measure", &self.path))
    }

    /// Forgets what was read, because the file may have changed since.
    pub(super) fn forget(&mut self) {
        self.buffer.clear();
    }

    /// The bytes `at .. at + len`, fewer where the file or `limit` ends first.
    pub(super) fn bytes(&mut self, at: u64, len: usize, limit: u64) -> Result<&[u8], JournalError> {
        let len = len.min(usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX));
        let held = self.start + self.buffer.len() as u64;
        if at < self.start || at + len as u64 > held {
            self.refill(at, len, limit)?;
        }
        let from = usize::try_from(at - self.start).unwrap_or(usize::MAX);
        let rest = self.buffer.get(from..).unwrap_or_default();
        Ok(rest.get(..len).unwrap_or(rest))
    }

    fn refill(&mut self, at: u64, len: usize, limit: u64) -> Result<(), JournalError> {
        let most = usize::try_from(limit.saturating_sub(at)).unwrap_or(usize::MAX);
        self.start = at;
        self.buffer.resize(len.max(WINDOW_LEN.min(most)), 0);
        let read = self.file.read_at(at, &mut self.buffer);
        let filled = read
            .inspect_err(|_| self.buffer.clear())
            .map_err(io_error("read", &self.path))?;
        self.buffer.truncate(filled);
        Ok(())
    }
}

/// What stands at a place.
pub(super) enum Look<'a> {
    /// A whole block, its checksums right; without its bytes when only headers were asked for.
    Block(Header, &'a [u8]),
    /// Nothing but zeros in a header's place, or too few bytes for one: the end, if nothing follows.
    Blank,
    /// Something that is not a whole block.
    Bad(FormatError),
}

/// How closely to look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Header and its checksum.
    Header,
    /// Body and its checksum too.
    Whole,
}

/// Looks at a place; bytes from `limit` on do not exist.
pub(super) fn look(window: &mut Window, at: u64, limit: u64, depth: Depth) -> Result<Look<'_>, JournalError> {
    let head = window.bytes(at, HEADER_LEN, limit)?;
    if head.iter().all(|byte| *byte == 0) {
        return Ok(Look::Blank);
    }
    let header = match Header::parse(head) {
        Ok(header) => header,
        Err(reason) => return Ok(Look::Bad(reason)),
    };
    if !is_known(header.version) {
        return Ok(Look::Bad(FormatError::Version { found: header.version }));
    }
    if depth == Depth::Header {
        return Ok(Look::Block(header, &[]));
    }
    let bytes = window.bytes(at, header.block_len(), limit)?;
    match bytes.get(HEADER_LEN..) {
        Some(body) if bytes.len() == header.block_len() && header.fits_body(body) => Ok(Look::Block(header, bytes)),
        _ => Ok(Look::Bad(FormatError::Unfit("a block is not whole"))),
    }
}

/// The first whole block that begins behind `at` and continues beyond `next`: proof that what stands at `at` is not the
/// end of an interrupted write, because blocks are written one after the other, each only when the one before is durable.
pub(super) fn whole_block_behind(
    window: &mut Window,
    at: u64,
    limit: u64,
    next: Sequence,
) -> Result<Option<Header>, JournalError> {
    let finder = memchr::memmem::Finder::new(&MAGIC);
    let mut from = at + ALIGN as u64;
    while from + HEADER_LEN as u64 <= limit {
        let chunk = window.bytes(from, WINDOW_LEN, limit)?;
        let Some(found) = finder.find(chunk) else {
            // The magic may lie across the end of the chunk.
            from += chunk.len().saturating_sub(MAGIC.len() - 1).max(1) as u64;
            continue;
        };
        let place = from + found as u64;
        if place.is_multiple_of(ALIGN as u64)
            && let Look::Block(header, _) = look(window, place, limit, Depth::Whole)?
            && header.first >= next
        {
            return Ok(Some(header));
        }
        from = place + 1;
    }
    Ok(None)
}

/// Whether nothing but zeros stands in `from .. limit`.
pub(super) fn is_blank(window: &mut Window, mut from: u64, limit: u64) -> Result<bool, JournalError> {
    while from < limit {
        let chunk = window.bytes(from, WINDOW_LEN, limit)?;
        if chunk.is_empty() {
            return Ok(true);
        }
        if ZEROS.get(..chunk.len()) != Some(chunk) {
            return Ok(false);
        }
        from += chunk.len() as u64;
    }
    Ok(true)
}

// ---------------------------------------------------------------- one block after the other

/// Where a chain of blocks has arrived; what the next block must continue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) tail: Tail,
    /// Hash of the last block; `None` when it was not read.
    pub(super) hash: Option<Hash>,
}

impl Chain {
    /// Before the first block.
    pub(super) const START: Self = Self {
        tail: START,
        hash: Some([0; 32]),
    };

    /// Takes in the next block, or says why it is not the next one. `bytes` are empty when only the header was read.
    pub(super) fn accept(&mut self, header: &Header, bytes: &[u8]) -> Result<(), FormatError> {
        if header.first != self.tail.next {
            return Err(FormatError::Unfit("the sequence does not continue the block before"));
        }
        if header.series_base != self.tail.series {
            return Err(FormatError::Unfit("the series do not continue the block before"));
        }
        if header.recorded_at < self.tail.recorded_at {
            return Err(FormatError::Unfit("the block was recorded before the one before it"));
        }
        if self.hash.is_some_and(|hash| hash != header.previous) {
            return Err(FormatError::Unfit("the hash of the block before does not fit"));
        }
        *self = Self::after(header, bytes)?;
        Ok(())
    }

    /// The chain behind a block that is trusted as it stands.
    pub(super) fn after(header: &Header, bytes: &[u8]) -> Result<Self, FormatError> {
        let series = header.series_base.checked_add(header.new_series);
        Ok(Self {
            tail: Tail {
                next: header.next(),
                recorded_at: header.recorded_at,
                series: series.ok_or(FormatError::Unfit("there are more series than numbers for them"))?,
            },
            hash: (!bytes.is_empty()).then(|| hash_of(bytes)),
        })
    }
}

/// The tail after a block, or why the block does not continue the tail: a broken invariant of whoever appends.
pub(super) fn continues(tail: Tail, block: &Block) -> Result<Tail, JournalError> {
    let wrong = |text: String| Err(JournalError::OutOfOrder(text));
    if block.first != tail.next {
        return wrong(format!(
            "it begins at sequence {}, the next is {}",
            block.first, tail.next
        ));
    }
    if block.series_base != tail.series {
        return wrong(format!(
            "its series begin at {}, the next is {}",
            block.series_base, tail.series
        ));
    }
    if block.recorded_at < tail.recorded_at {
        return wrong(format!(
            "recorded at {}, before {}",
            block.recorded_at, tail.recorded_at
        ));
    }
    if let Err(reason) = super::block::check(block) {
        return wrong(reason.to_string());
    }
    let series = u32::try_from(block.new_series.len())
        .ok()
        .and_then(|new| tail.series.checked_add(new));
    match (series, tail.next.0.checked_add(block.len())) {
        (Some(series), Some(next)) => Ok(Tail {
            next: Sequence(next),
            recorded_at: block.recorded_at,
            series,
        }),
        _ => wrong("there are no numbers left".to_owned()),
    }
}
