//! Looking after a journal: what is in it, and the proof that all of it fits.
//!
//! A folder enters, figures or the first misfit leave. Both walk over every byte without a lock, beside a daemon if need
//! be, and tell their progress. Nothing here writes.

use std::path::Path;
use std::sync::Arc;

use super::backup::check_manifest;
use super::base::{chain_at, read_base, trim_of};
use super::block::{HEADER_LEN, Hash, Header, decode_body};
use super::files::{DiskFiles, Files};
use super::recovery::{Extent, Found, find};
use super::segment::{START, Store, damaged, io_error};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::JournalError;

/// Called with bytes done and bytes in all.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64);

/// What is in a journal.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalStat {
    /// Files.
    pub segments: u64,
    /// Bytes of blocks.
    pub bytes: u64,
    /// Bytes of files, with the room that is reserved for the next blocks.
    pub reserved_bytes: u64,
    /// Group commits.
    pub blocks: u64,
    /// Facts of all kinds.
    pub facts: u64,
    /// Facts that are plain measurements.
    pub measurements: u64,
    /// Different series named so far.
    pub series: u32,
    /// Sequence of the first fact; `None` when there is none.
    pub first: Option<Sequence>,
    /// Sequence of the last fact.
    pub last: Option<Sequence>,
    /// When the first block was made durable.
    pub first_recorded_at: Option<Instant>,
    /// When the last block was made durable.
    pub last_recorded_at: Option<Instant>,
    /// Hash of the last block, hexadecimal; zeros before the first.
    pub head_hash: String,
    /// Bytes of an interrupted (or running) write behind the last block; 0 when there is none.
    pub incomplete_bytes: u64,
    /// What retention dropped, as far as the journal does not begin with its first fact.
    pub trimmed: Option<Trimmed>,
}

/// What retention dropped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trimmed {
    /// The last sequence of it.
    pub up_to: Sequence,
    /// When that was recorded.
    pub recorded_at: Instant,
    /// The fact that says so; `None` where only figures were asked for.
    pub named_at: Option<Sequence>,
}

/// Proof that a journal fits: what it covers.
pub type VerifyReport = JournalStat;

/// What is in the journal of a folder. Damage is an error, as for everybody who reads it.
pub fn stat(dir: &Path, progress: Progress<'_>) -> Result<JournalStat, JournalError> {
    survey(dir, Arc::new(DiskFiles), Depth::Counts, progress)
}

/// Proves the hash chain, all checksums, that sequences have no gap and that every block can be read; or names the first
/// block that does not fit by its sequences and file.
/// A trimmed journal is proved from its trim on, and its base by the hash that the trim names; a backup against its manifest.
pub fn verify(dir: &Path, progress: Progress<'_>) -> Result<VerifyReport, JournalError> {
    let report = survey(dir, Arc::new(DiskFiles), Depth::Content, progress)?;
    check_manifest(dir, &report)?;
    Ok(report)
}

/// How closely a survey looks at blocks whose checksums and hashes fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// Their headers.
    Counts,
    /// What they hold, too.
    Content,
}

pub(super) fn survey(
    dir: &Path,
    files: Arc<dyn Files>,
    depth: Depth,
    progress: Progress<'_>,
) -> Result<JournalStat, JournalError> {
    let store = Store {
        files,
        dir: dir.to_owned(),
    };
    let (segments, total) = measure(&store)?;
    let mut stat = JournalStat {
        segments,
        reserved_bytes: total,
        ..JournalStat::default()
    };
    let first = store.segments()?.first().copied().unwrap_or(START.next);
    let mut named = None;
    let found = find(&store, Extent::All, &mut |header, bytes, path| {
        if depth == Depth::Content {
            let body = bytes.get(HEADER_LEN..).unwrap_or_default();
            let range = (header.first, Sequence(header.next().0.saturating_sub(1)));
            let block = decode_body(header, body).map_err(|reason| damaged(range, path, reason.to_string()))?;
            named = trim_of(&block, first).map(|hash| (block.last(), hash)).or(named);
        }
        stat.take_in(header);
        progress(stat.bytes, total);
        Ok(())
    })?;
    progress(total, total);
    stat.finish(&store, &found)?;
    if first != START.next {
        stat.trimmed = Some(trimmed(
            &store,
            first,
            named.filter(|_| depth == Depth::Content),
            depth,
        )?);
    }
    Ok(stat)
}

/// What was dropped before the first segment; where the content is proved, the base must be the one that a trim names.
fn trimmed(
    store: &Store,
    first: Sequence,
    named: Option<(Sequence, Hash)>,
    depth: Depth,
) -> Result<Trimmed, JournalError> {
    let up_to = Sequence(first.0.saturating_sub(1));
    if depth == Depth::Content && named.map(|(_, hash)| hash) != Some(read_base(store, first)?.hash) {
        let reason = "the base is not the one that the journal's trim names";
        return Err(damaged((START.next, up_to), &store.base_path(first), reason));
    }
    Ok(Trimmed {
        up_to,
        recorded_at: chain_at(store, first)?.tail.recorded_at,
        named_at: named.map(|(sequence, _)| sequence),
    })
}

/// Number of segments and bytes in them.
fn measure(store: &Store) -> Result<(u64, u64), JournalError> {
    let segments = store.segments()?;
    let lens = segments.iter().map(|segment| store.window(*segment)?.file_len());
    let total = lens.sum::<Result<u64, JournalError>>()?;
    Ok((segments.len() as u64, total))
}

impl JournalStat {
    fn take_in(&mut self, header: &Header) {
        self.bytes += header.block_len() as u64;
        self.blocks += 1;
        self.facts += u64::from(header.facts);
        self.measurements += u64::from(header.rows);
        self.first_recorded_at.get_or_insert(header.recorded_at);
        self.last_recorded_at = Some(header.recorded_at);
        if header.facts > 0 {
            self.first.get_or_insert(header.first);
            self.last = Some(Sequence(header.next().0.saturating_sub(1)));
        }
    }

    fn finish(&mut self, store: &Store, found: &Found) -> Result<(), JournalError> {
        self.series = found.chain.tail.series;
        self.head_hash = blake3::Hash::from_bytes(found.chain.hash.unwrap_or_default())
            .to_hex()
            .to_string();
        if let Some((segment, walked)) = &found.last
            && walked.torn.is_some()
        {
            let path = store.path(*segment);
            let file = store.files.open_read(&path).map_err(io_error("open", &path))?;
            self.incomplete_bytes = written_behind(file.as_ref(), walked.end).map_err(io_error("read", &path))?;
        }
        Ok(())
    }
}

/// Bytes from `end` to the last one that is not zero.
fn written_behind(file: &dyn super::files::FileHandle, end: u64) -> std::io::Result<u64> {
    let mut rest = vec![0; usize::try_from(file.len()?.saturating_sub(end)).unwrap_or_default()];
    let read = file.read_at(end, &mut rest)?;
    let last = rest.iter().take(read).rposition(|byte| *byte != 0);
    Ok(last.map_or(0, |last| last as u64 + 1))
}
