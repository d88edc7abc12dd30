//! Backup and restore: a copy of a journal that is proved before it counts.
//!
//! A journal enters, beside a running daemon if need be, and a folder leaves that is a journal itself, with a manifest; and
//! back into an empty folder. What is copied ends at a block that is durable for sure. Sealed segments never change: those
//! that a backup has are not copied again. Files are copied and never linked: a backup that shares its bytes with the
//! journal would share its damage. Nothing here writes to the journal that is copied.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::base::read_base;
use super::block::{Hash, hash_of};
use super::exchange::{ExchangeError, has_journal, install, remove};
use super::files::{DiskFiles, FileHandle, Files};
use super::inspect::{JournalStat, Progress, verify};
use super::recovery::{chain_before, walk};
use super::segment::{Depth, Look, START, Store, Window, damaged, io_error, look};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::ports::JournalError;
use crate::wire::manifest::{FILE, FORM, Manifest, SegmentEntry};

/// Bytes copied at once.
const COPY_LEN: usize = 1 << 20;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// One of the two journals.
    #[error(transparent)]
    Journal(#[from] JournalError),
    /// There is nothing to copy.
    #[error("the journal in {} is empty: there is nothing to back up", .0.display())]
    Empty(PathBuf),
    /// The folder holds something else.
    #[error("{} is no backup: {reason}: name an empty folder, or one that `kpid journal backup` made", path.display())]
    NoBackup {
        /// Which folder.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The backup holds blocks that the journal does not have.
    #[error(
        "the backup in {} is of another journal, or of this one before an older state was restored (they part at sequence {at}): back up into another folder",
        path.display()
    )]
    Parted {
        /// The backup.
        path: PathBuf,
        /// From here on.
        at: Sequence,
    },
    /// Retention dropped what the backup needs next.
    #[error(
        "the backup in {} ends at sequence {end}, and the journal begins at {first}: back up into another folder",
        path.display()
    )]
    Gap {
        /// The backup.
        path: PathBuf,
        /// Its end.
        end: u64,
        /// Where the journal begins.
        first: Sequence,
    },
    /// Something is where the journal should go.
    #[error("{} is not empty: restore into a new `data_dir`, or move this one away", .0.display())]
    NotEmpty(PathBuf),
}

impl From<ExchangeError> for BackupError {
    fn from(error: ExchangeError) -> Self {
        match error {
            ExchangeError::Journal(error) => Self::Journal(error),
            other => Self::Journal(JournalError::OutOfOrder(other.to_string())),
        }
    }
}

/// What a backup holds now, and what was copied this time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backup {
    /// The whole of it.
    pub manifest: Manifest,
    /// Segments copied this time.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// Copies what is new in the journal `from` into the backup `to`, which is made when it is missing.
pub fn backup(from: &Path, to: &Path, now: Instant, progress: Progress<'_>) -> Result<Backup, BackupError> {
    let (source, target) = (store(from), store(to));
    let before = manifest(to)?;
    DiskFiles.create_dir(to).map_err(io_error("create folder", to))?;
    let segments = durable_segments(&source)?;
    let (Some(first), Some(last)) = (segments.first(), segments.last()) else {
        return Err(BackupError::Empty(from.to_owned()));
    };
    check_meeting(to, before.as_ref(), *first)?;
    if before.is_none() && *first != START.next {
        copy_base(&source, &target, *first)?;
    }
    let total = segments.len() as u64;
    let mut made = Copying::new(to, before);
    for (number, segment) in segments.iter().enumerate() {
        let next = segments.get(number + 1).copied();
        if !made.has(*segment, next) {
            made.copy((&source, &target), *segment, segment == last)?;
        }
        progress(number as u64 + 1, total);
    }
    made.finish(to, now)
}

fn store(dir: &Path) -> Store {
    Store {
        files: Arc::new(DiskFiles),
        dir: dir.to_owned(),
    }
}

/// What the manifest of a folder says; `None` for an empty or missing folder.
pub(super) fn manifest(dir: &Path) -> Result<Option<Manifest>, BackupError> {
    let wrong = |reason: String| BackupError::NoBackup {
        path: dir.to_owned(),
        reason,
    };
    match std::fs::read_to_string(dir.join(FILE)) {
        Ok(text) => Manifest::parse(&text).map(Some).map_err(wrong),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let mut inside = std::fs::read_dir(dir).into_iter().flatten().flatten();
            // What an interrupted first backup left is no journal of somebody else's.
            match inside.find(|entry| entry.path().extension().is_none_or(|ending| ending != "draft")) {
                Some(_) if has_journal(dir) => Err(wrong(format!("it holds a journal without {FILE}"))),
                Some(entry) => Err(wrong(format!("it holds `{}`", entry.file_name().display()))),
                None => Ok(None),
            }
        }
        Err(error) => Err(wrong(error.to_string())),
    }
}

/// The segments of a journal, with all that stands in them now made durable: whoever writes them has acknowledged no more.
fn durable_segments(source: &Store) -> Result<Vec<Sequence>, JournalError> {
    let mut segments = source.segments()?;
    if let Some(last) = segments.last().copied() {
        let mut window = source.window(last)?;
        let limit = window.file_len()?;
        // One that was just begun has nothing to copy yet.
        if matches!(look(&mut window, 0, limit, Depth::Header)?, Look::Blank) {
            segments.pop();
        }
    }
    source
        .files
        .sync_dir(&source.dir)
        .map_err(io_error("sync", &source.dir))?;
    Ok(segments)
}

/// The journal must go on where the backup ends, or earlier.
fn check_meeting(to: &Path, before: Option<&Manifest>, first: Sequence) -> Result<(), BackupError> {
    match before {
        Some(before) if first.0 > before.last + 1 => Err(BackupError::Gap {
            path: to.to_owned(),
            end: before.last,
            first,
        }),
        _ => Ok(()),
    }
}

fn copy_base(source: &Store, target: &Store, first: Sequence) -> Result<(), BackupError> {
    let base = read_base(source, first)?;
    let path = source.base_path(first);
    let file = source.files.open_read(&path).map_err(io_error("open", &path))?;
    let len = file.len().map_err(io_error("measure", &path))?;
    copy_file((file.as_ref(), &path), len, &target.base_path(first))?;
    if read_base(target, first)? == base {
        Ok(())
    } else {
        Err(BackupError::NoBackup {
            path: target.dir.clone(),
            reason: "the base was not copied whole".to_owned(),
        })
    }
}

/// Copies the first bytes of a file under another name, durable and whole or not at all.
fn copy_file(from: (&dyn FileHandle, &Path), len: u64, to: &Path) -> Result<(), JournalError> {
    let draft = draft_of(from, len, to)?;
    settle(&draft, to)
}

/// Gives a durable draft its name.
fn settle(draft: &Path, to: &Path) -> Result<(), JournalError> {
    DiskFiles.rename(draft, to).map_err(io_error("rename", draft))?;
    let dir = to.parent().unwrap_or(Path::new("."));
    DiskFiles.sync_dir(dir).map_err(io_error("sync", dir))
}

/// Copies the first bytes of a file into a durable draft beside `to`.
fn draft_of(from: (&dyn FileHandle, &Path), len: u64, to: &Path) -> Result<PathBuf, JournalError> {
    let draft = to.with_extension("draft");
    if draft.exists() {
        DiskFiles.remove(&draft).map_err(io_error("remove", &draft))?;
    }
    let file = DiskFiles.create(&draft).map_err(io_error("create", &draft))?;
    let (mut at, mut buffer) = (0, vec![0; COPY_LEN]);
    while at < len {
        let wanted = usize::try_from(len - at).unwrap_or(COPY_LEN).min(COPY_LEN);
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        let read = from.0.read_at(at, part).map_err(io_error("read", from.1))?;
        if read == 0 {
            let early = std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
            return Err(io_error("read", from.1)(early));
        }
        file.write_at(at, part.get(..read).unwrap_or_default())
            .map_err(io_error("write", &draft))?;
        at += read as u64;
    }
    file.sync_data().map_err(io_error("sync", &draft))?;
    Ok(draft)
}

/// A backup on its way.
struct Copying {
    path: PathBuf,
    before: Option<Manifest>,
    entries: Vec<SegmentEntry>,
    copied: u64,
    bytes: u64,
}

impl Copying {
    fn new(to: &Path, before: Option<Manifest>) -> Self {
        Self {
            path: to.to_owned(),
            entries: before.as_ref().map_or_else(Vec::new, |before| before.segments.clone()),
            before,
            copied: 0,
            bytes: 0,
        }
    }

    /// Whether the backup has all of a segment; `next` is the one behind it.
    fn has(&self, segment: Sequence, next: Option<Sequence>) -> bool {
        let entry = self.before.as_ref().and_then(|before| before.segment(segment.0));
        let (Some(entry), Some(next)) = (entry, next) else {
            return false;
        };
        let file = store(&self.path).path(segment);
        entry.next == next.0 && file.metadata().is_ok_and(|file| file.len() == entry.bytes)
    }

    /// Copies a segment, proves the copy, and that it continues what the backup has, before it takes the place of what is there.
    fn copy(&mut self, stores: (&Store, &Store), segment: Sequence, is_last: bool) -> Result<(), BackupError> {
        let (source, target) = stores;
        let path = source.path(segment);
        let (end, mut window) = durable_end(source, segment, is_last)?;
        let known = self
            .before
            .as_ref()
            .and_then(|before| before.segment(segment.0))
            .cloned();
        let mut chain = chain_before(&mut window, segment)?;
        self.check_before(segment, chain.hash)?;
        let file = source.files.open_read(&path).map_err(io_error("open", &path))?;
        let draft = draft_of((file.as_ref(), &path), end, &target.path(segment))?;
        let opened = target.files.open_read(&draft).map_err(io_error("open", &draft))?;
        let mut copy = Window::new(opened, draft.clone());
        let (mut offset, mut hash, mut meets) = (0, None, known.is_none());
        let walked = walk(&mut copy, &mut chain, &mut |_, bytes, _| {
            offset += bytes.len() as u64;
            let own = hash_of(bytes);
            hash = Some(own);
            meets |= known
                .as_ref()
                .is_some_and(|known| known.bytes == offset && known.head_hash == hex(&own));
            Ok(())
        })?;
        let next = chain.tail.next.0;
        // What the backup has behind this place must be another segment of this journal, or nothing.
        let is_other = |entry: &SegmentEntry| entry.first > segment.0 && (entry.first < next || is_last);
        if !meets || walked.end != end || walked.torn.is_some() || self.entries.iter().any(is_other) {
            return Err(self.parted(segment));
        }
        settle(&draft, &target.path(segment))?;
        self.entries.retain(|entry| entry.first != segment.0);
        self.entries.push(SegmentEntry {
            first: segment.0,
            next,
            bytes: end,
            head_hash: hex(&hash.unwrap_or_default()),
        });
        self.copied += 1;
        self.bytes += end;
        Ok(())
    }

    /// The segment must continue the one before it, as the backup has it.
    fn check_before(&self, segment: Sequence, previous: Option<Hash>) -> Result<(), BackupError> {
        let before = self
            .entries
            .iter()
            .find(|entry| entry.next == segment.0 && entry.first < segment.0);
        match (before, previous) {
            (Some(before), Some(previous)) if before.head_hash != hex(&previous) => Err(self.parted(segment)),
            _ => Ok(()),
        }
    }

    fn parted(&self, at: Sequence) -> BackupError {
        BackupError::Parted {
            path: self.path.clone(),
            at,
        }
    }

    fn finish(mut self, to: &Path, now: Instant) -> Result<Backup, BackupError> {
        self.entries.sort_by_key(|entry| entry.first);
        let ends = self.entries.first().zip(self.entries.last());
        let Some((first, last)) = ends.map(|(first, last)| (first.first, last.clone())) else {
            return Err(BackupError::Empty(to.to_owned()));
        };
        let manifest = Manifest {
            form: FORM,
            made_at: now.to_string(),
            first,
            last: last.next.saturating_sub(1),
            head_hash: last.head_hash,
            segments: self.entries,
        };
        write_manifest(to, &manifest)?;
        Ok(Backup {
            manifest,
            copied: self.copied,
            bytes: self.bytes,
        })
    }
}

/// Where the blocks of a segment end that are durable: what stood there before everything of it was synced.
fn durable_end(source: &Store, segment: Sequence, is_last: bool) -> Result<(u64, Window), JournalError> {
    let mut window = source.window(segment)?;
    let mut chain = chain_before(&mut window, segment)?;
    let end = walk(&mut window, &mut chain, &mut |_, _, _| Ok(()))?.end;
    if is_last {
        let path = source.path(segment);
        let file = source.files.open_read(&path).map_err(io_error("open", &path))?;
        file.sync_data().map_err(io_error("sync", &path))?;
    }
    Ok((end, window))
}

fn write_manifest(to: &Path, manifest: &Manifest) -> Result<(), BackupError> {
    let (path, draft) = (to.join(FILE), to.join("backup.draft"));
    let text = manifest.to_text().map_err(|error| BackupError::NoBackup {
        path: to.to_owned(),
        reason: error.to_string(),
    })?;
    if draft.exists() {
        DiskFiles.remove(&draft).map_err(io_error("remove", &draft))?;
    }
    let file = DiskFiles.create(&draft).map_err(io_error("create", &draft))?;
    file.write_at(0, text.as_bytes()).map_err(io_error("write", &draft))?;
    file.sync_data().map_err(io_error("sync", &draft))?;
    DiskFiles.rename(&draft, &path).map_err(io_error("rename", &draft))?;
    Ok(DiskFiles.sync_dir(to).map_err(io_error("sync", to))?)
}

fn hex(hash: &Hash) -> String {
    blake3::Hash::from_bytes(*hash).to_hex().to_string()
}

/// Copies a backup, after proving all of it, to where a journal is wanted; `state` is where derived state would be.
pub fn restore(from: &Path, (dir, state): (&Path, &Path), progress: Progress<'_>) -> Result<Manifest, BackupError> {
    for wanted in [dir, state] {
        let is_used = std::fs::read_dir(wanted).is_ok_and(|mut inside| inside.next().is_some());
        if is_used {
            return Err(BackupError::NotEmpty(wanted.to_owned()));
        }
    }
    let found = manifest(from)?.ok_or_else(|| BackupError::NoBackup {
        path: from.to_owned(),
        reason: format!("it has no {FILE}"),
    })?;
    prove(from, &found, progress)?;
    let draft = dir.with_extension("restoring");
    remove(&draft)?;
    DiskFiles
        .create_dir(&draft)
        .map_err(io_error("create folder", &draft))?;
    let source = store(from);
    let listing = source.listing()?;
    let segments = listing.segments.iter().map(|first| source.path(*first));
    for path in segments.chain(listing.bases.iter().map(|first| source.base_path(*first))) {
        let file = DiskFiles.open_read(&path).map_err(io_error("open", &path))?;
        let len = file.len().map_err(io_error("measure", &path))?;
        let name = path.file_name().unwrap_or_default();
        copy_file((file.as_ref(), &path), len, &draft.join(name))?;
    }
    prove(&draft, &found, progress)?;
    install(&draft, dir)?;
    Ok(found)
}

/// All of a journal fits and ends as a manifest says.
fn prove(dir: &Path, manifest: &Manifest, progress: Progress<'_>) -> Result<(), BackupError> {
    let report = verify(dir, progress)?;
    Ok(ends_as(manifest, dir, &report)?)
}

/// Proves the end of a folder against its manifest, where it has one.
pub(super) fn check_manifest(dir: &Path, report: &JournalStat) -> Result<(), JournalError> {
    match manifest(dir) {
        Ok(Some(manifest)) => ends_as(&manifest, dir, report),
        _ => Ok(()),
    }
}

fn ends_as(manifest: &Manifest, dir: &Path, report: &JournalStat) -> Result<(), JournalError> {
    let last = report.last.map_or(0, |last| last.0);
    // An interrupted backup may hold more than its manifest says, and never less.
    if last > manifest.last || (last, &report.head_hash) == (manifest.last, &manifest.head_hash) {
        return Ok(());
    }
    let reason = format!("it ends at sequence {last}, and {FILE} says {}", manifest.last);
    Err(damaged((Sequence(last + 1), Sequence(manifest.last)), dir, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_somebody_else_is_no_backup() {
        let folder = tempfile::tempdir().unwrap();
        assert!(manifest(&folder.path().join("new")).unwrap().is_none());
        assert!(manifest(folder.path()).unwrap().is_none());
        std::fs::write(folder.path().join("photo.jpg"), "x").unwrap();
        let error = manifest(folder.path()).unwrap_err().to_string();
        assert!(error.contains("it holds `photo.jpg`"), "{error}");
    }
}
