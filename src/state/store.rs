//! Opening the store, setting a damaged one aside, making it durable.
//!
//! A folder enters; the three shelves leave, checked. sled panics inside `open` on some damage and opens without
//! complaint on other, so opening is guarded and each shelf is held against its digest. A store that fails either is renamed
//! next to itself, for a person to look at, and a fresh one is begun. A store that another process holds, or that the system
//! does not let us touch, is an error: setting it aside would not help.

use std::fs::File;
use std::io::ErrorKind;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::checkpoints::{self, SledCheckpoints};
use super::outbox::{self, SledOutbox};
use super::rounds::Rounds;
use super::seen::SledSeenIds;
use super::shelf::{Shelf, failed};
use crate::ports::StateError;

/// Whole nodes up to a quarter of it stay out of `blobs/`; see `shelf::VALUE_LEN_MAX`.
const SEGMENT_LEN: usize = 2 << 20;
/// sled needs several times this; the filter, not the cache, keeps lookups off the disk.
const CACHE_LEN: u64 = 32 << 20;
/// How often sled syncs in the background, ms: what a loss of power may cost besides, since everything here is derivable.
const FLUSH_EVERY_MS: u64 = 1_000;
/// How often what waits in memory is given to sled, which a kill may cost. Each time is a dozen small writes to the disk that
/// the journal waits for.
const WRITE_EVERY: Duration = Duration::from_millis(500);
/// How long the threads of a closed store may take to end, and how often we look.
const CLOSING_MAX: Duration = Duration::from_secs(3);
const CLOSING_STEP: Duration = Duration::from_millis(5);
/// Damaged stores kept for people to look at.
const DAMAGED_KEPT_MAX: usize = 3;

/// The store of derived state in one folder.
pub struct StateStore {
    db: sled::Db,
    /// A second handle on sled's file: sled 0.34 never syncs it when asked to (spacejam/sled #1452).
    file: File,
    seen_ids: SledSeenIds,
    checkpoints: SledCheckpoints,
    outbox: SledOutbox,
}

/// Where a store is, and how it is kept.
struct Place<'a> {
    dir: &'a Path,
    destinations: &'a [&'static str],
    /// How often what waits is written.
    every: Duration,
}

/// How opening went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OpenReport {
    /// There was none: a new one was begun.
    Fresh,
    /// It was there and fits.
    Opened,
    /// It was there and damaged: a new one was begun.
    SetAside {
        /// Where the damaged one is now.
        kept: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
}

/// Why there is no store.
#[derive(Debug, thiserror::Error)]
pub enum StateOpenError {
    /// Another process holds it.
    #[error("state {path} is in use by another process: stop it, or use another `data_dir`")]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// The system said no.
    #[error("state {operation} failed on {path}: {source}: check space and permissions, then start again")]
    Io {
        /// What was tried.
        operation: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Even a fresh store does not open.
    #[error("a fresh state store in {path} does not open: {reason}: check the disk")]
    Fresh {
        /// The folder.
        path: PathBuf,
        /// What sled said.
        reason: String,
    },
}

/// Why one attempt to open failed.
enum Attempt {
    /// Not the store's fault.
    Refused(StateOpenError),
    /// The store's.
    Damaged(String),
}

impl StateStore {
    /// Opens the store in `dir`, or begins one, for an outbox with these destinations.
    pub fn open(dir: &Path, destinations: &[&'static str]) -> Result<(Self, OpenReport), StateOpenError> {
        Self::open_writing(dir, destinations, WRITE_EVERY)
    }

    /// As `open`, and what waits is written so often.
    pub(super) fn open_writing(
        dir: &Path,
        destinations: &[&'static str],
        every: Duration,
    ) -> Result<(Self, OpenReport), StateOpenError> {
        let lock = Arc::new(lock(dir)?);
        let was_there = dir.join("db").exists();
        let place = Place {
            dir,
            destinations,
            every,
        };
        let reason = match guarded(&place, &lock) {
            Ok(store) if was_there => return Ok((store, OpenReport::Opened)),
            Ok(store) => return Ok((store, OpenReport::Fresh)),
            Err(Attempt::Refused(error)) => return Err(error),
            Err(Attempt::Damaged(reason)) => reason,
        };
        let kept = set_aside(dir)?;
        tracing::warn!(reason, kept = %kept.display(), "state store damaged: set aside, will be rebuilt from the journal");
        match guarded(&place, &lock) {
            Ok(store) => Ok((store, OpenReport::SetAside { kept, reason })),
            Err(Attempt::Refused(error)) => Err(error),
            Err(Attempt::Damaged(reason)) => Err(StateOpenError::Fresh {
                path: dir.to_owned(),
                reason,
            }),
        }
    }

    /// Ids already seen.
    pub fn seen_ids(&self) -> SledSeenIds {
        self.seen_ids.clone()
    }

    /// Saved states of the projection.
    pub fn checkpoints(&self) -> SledCheckpoints {
        self.checkpoints.clone()
    }

    /// Transitions to deliver.
    pub fn outbox(&self) -> SledOutbox {
        self.outbox.clone()
    }

    /// Makes everything committed so far survive a loss of power. Waits for the disk.
    pub fn flush(&self) -> Result<(), StateError> {
        self.seen_ids.save()?;
        self.outbox.write()?;
        self.db.flush().map_err(|error| failed("flush", &error))?;
        self.file.sync_data().map_err(|error| StateError::Store {
            operation: "sync",
            reason: error.to_string(),
        })
    }

    fn attempt(place: &Place<'_>, lock: &Arc<File>) -> Result<Self, Attempt> {
        let dir = place.dir;
        let config = sled::Config::new()
            .path(dir)
            .segment_size(SEGMENT_LEN)
            .cache_capacity(CACHE_LEN)
            .mode(sled::Mode::LowSpace)
            .flush_every_ms(Some(FLUSH_EVERY_MS));
        let db = open_patiently(&config).map_err(|error| judge(dir, &error))?;
        check_blobs(dir)?;
        let damaged = |error: StateError| Attempt::Damaged(error.to_string());
        let shelf = |name, visit: &mut dyn FnMut(&[u8], &[u8])| Shelf::open((&db, lock), name, visit);
        let seen_ids = SledSeenIds::open(&shelf).map_err(damaged)?;
        let checkpoints = SledCheckpoints::open(|visit| shelf(checkpoints::TREE, visit)).map_err(damaged)?;
        let outbox = shelf(outbox::TREE, &mut |_, _| ()).map_err(damaged)?;
        let outbox = SledOutbox::open(outbox, place.destinations).map_err(damaged)?;
        let refused = |operation| move |error| Attempt::Refused(io(operation, dir)(error));
        let file = sync_folder(dir).map_err(refused("sync"))?;
        let rounds = rounds(place.every, seen_ids.clone(), outbox.clone());
        let rounds = Arc::new(rounds.map_err(refused("writing thread"))?);
        let outbox = outbox.with(&rounds);
        Ok(Self {
            db,
            file,
            seen_ids: seen_ids.with(&rounds),
            checkpoints: checkpoints.after(outbox.clone()),
            outbox,
        })
    }
}

/// Has what waits written so often. What goes wrong is told to who changes something next.
fn rounds(every: Duration, seen_ids: SledSeenIds, outbox: SledOutbox) -> Result<Rounds, std::io::Error> {
    let note = Box::new(move || seen_ids.note_reached());
    let write = Box::new(move || drop(outbox.write()));
    Rounds::begin(every, vec![note, write])
}

/// Opens behind a guard: sled 0.34 panics on some damage instead of reporting it.
fn guarded(place: &Place<'_>, lock: &Arc<File>) -> Result<StateStore, Attempt> {
    let dir = place.dir;
    remove_unfinished_snapshots(dir).map_err(|error| Attempt::Refused(io("clean-up", dir)(error)))?;
    let opened = catch_unwind(AssertUnwindSafe(|| StateStore::attempt(place, lock)));
    opened.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str);
        let text = text.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(Attempt::Damaged(format!("panic: {}", text.unwrap_or("without words"))))
    })
}

/// Takes the lock beside the folder; it is not inside, because the folder may be renamed while we hold it.
fn lock(dir: &Path) -> Result<File, StateOpenError> {
    let parent = parent_of(dir);
    std::fs::create_dir_all(parent).map_err(io("creation", parent))?;
    let path = beside(dir, ".lock");
    let file = File::create(&path).map_err(io("creation", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StateOpenError::InUse { path: dir.to_owned() }),
        Err(std::fs::TryLockError::Error(error)) => Err(io("lock", &path)(error)),
    }
}

/// Opens sled, waiting for the last threads of a store that this process has just closed: they hold sled's own lock a
/// moment longer. Another process is kept out by our lock already.
fn open_patiently(config: &sled::Config) -> Result<sled::Db, sled::Error> {
    let mut waited = Duration::ZERO;
    loop {
        match config.open() {
            Err(sled::Error::Io(cause)) if is_locked(&cause) && waited < CLOSING_MAX => {
                std::thread::sleep(CLOSING_STEP);
                waited += CLOSING_STEP;
            }
            opened => return opened,
        }
    }
}

/// sled reports a lock that it does not get as an error without a kind of its own.
fn is_locked(cause: &std::io::Error) -> bool {
    let text = cause.to_string();
    text.contains("could not acquire lock") && text.contains("WouldBlock")
}

/// Whose fault an error of sled is.
fn judge(dir: &Path, error: &sled::Error) -> Attempt {
    let sled::Error::Io(cause) = error else {
        return Attempt::Damaged(error.to_string());
    };
    let text = cause.to_string();
    match cause.kind() {
        _ if is_locked(cause) => Attempt::Refused(StateOpenError::InUse { path: dir.to_owned() }),
        ErrorKind::StorageFull
        | ErrorKind::QuotaExceeded
        | ErrorKind::PermissionDenied
        | ErrorKind::ReadOnlyFilesystem => Attempt::Refused(io("open", dir)(std::io::Error::new(cause.kind(), text))),
        _ => Attempt::Damaged(text),
    }
}

/// Large values would leak into `blobs/` and not survive a loss of power; we write none, so one there is not ours.
fn check_blobs(dir: &Path) -> Result<(), Attempt> {
    match std::fs::read_dir(dir.join("blobs")).map(|mut blobs| blobs.next()) {
        Ok(Some(_)) => Err(Attempt::Damaged("`blobs/` is not empty".to_owned())),
        _ => Ok(()),
    }
}

/// A process killed while sled wrote its snapshot leaves `snap.*.generating`, and sled then refuses to open for ever
/// (spacejam/sled #1533). Nothing is lost with it.
fn remove_unfinished_snapshots(dir: &Path) -> Result<(), std::io::Error> {
    let Ok(entries) = std::fs::read_dir(dir) else {
        return Ok(());
    };
    for entry in entries {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with("snap.") && name.ends_with(".generating") {
            std::fs::remove_file(&path)?;
        }
    }
    Ok(())
}

/// Makes the names of sled's files durable, which sled does not, and opens its data file for `flush`.
fn sync_folder(dir: &Path) -> Result<File, std::io::Error> {
    File::open(dir.join("conf"))?.sync_all()?;
    let file = File::options().read(true).write(true).open(dir.join("db"))?;
    file.sync_data()?;
    File::open(dir)?.sync_all()?;
    File::open(parent_of(dir))?.sync_all()?;
    Ok(file)
}

/// Renames the folder to `<dir>.damaged-<n>` and removes the oldest of those that are too many.
fn set_aside(dir: &Path) -> Result<PathBuf, StateOpenError> {
    let mut kept = damaged_beside(dir).map_err(io("listing", dir))?;
    let number = kept.last().map_or(1, |(number, _)| number + 1);
    let path = beside(dir, &format!(".damaged-{number}"));
    std::fs::rename(dir, &path).map_err(io("renaming", dir))?;
    kept.push((number, path.clone()));
    let excess = kept.len().saturating_sub(DAMAGED_KEPT_MAX);
    for (_, old) in kept.iter().take(excess) {
        std::fs::remove_dir_all(old).map_err(io("removal", old))?;
    }
    Ok(path)
}

/// Stores set aside earlier, by number.
fn damaged_beside(dir: &Path) -> Result<Vec<(u64, PathBuf)>, std::io::Error> {
    let prefix = beside(dir, ".damaged-");
    let prefix = prefix.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut found = Vec::new();
    for entry in std::fs::read_dir(parent_of(dir))? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if let Some(number) = name.strip_prefix(&prefix).and_then(|rest| rest.parse().ok()) {
            found.push((number, path.clone()));
        }
    }
    found.sort();
    Ok(found)
}

/// The folder above; the working folder where the path has one name only.
fn parent_of(dir: &Path) -> &Path {
    let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
    parent.unwrap_or(Path::new("."))
}

/// The path with `suffix` at the end of its last name.
fn beside(dir: &Path, suffix: &str) -> PathBuf {
    let mut name = dir.file_name().unwrap_or_default().to_owned();
    name.push(suffix);
    dir.with_file_name(name)
}

fn io(operation: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> StateOpenError + use<> {
    let path = path.to_owned();
    move |source| StateOpenError::Io {
        operation,
        path,
        source,
    }
}
