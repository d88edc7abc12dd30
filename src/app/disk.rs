//! The disk of the journal: how much is free, and how large the journal is.
//!
//! Looked at once a second. When less is free than `journal.min_free_bytes`, nothing more is taken in, before an append can
//! fail; reads go on, and when there is room again, so does everything else.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tracing::{error, info};

use super::tasks::{Closing, Tasks, closed};
use crate::domain::id::Sequence;
use crate::journal::Trims;
use crate::telemetry::metric;

/// How often it is looked at.
const EVERY: Duration = Duration::from_secs(1);

/// What was seen last.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    min_free_bytes: u64,
    free_bytes: AtomicU64,
    journal_bytes: AtomicU64,
    segments: AtomicU64,
    first: AtomicU64,
    has_room: Arc<AtomicBool>,
}

/// What was seen last, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Usage {
    pub journal_bytes: u64,
    pub segments: u64,
    /// First sequence that is kept.
    pub first: Sequence,
    free_bytes: u64,
    min_free_bytes: u64,
    has_room: bool,
}

impl Usage {
    /// Why nothing is taken in, if so.
    pub fn complaint(&self) -> Option<String> {
        let (free, min) = (self.free_bytes, self.min_free_bytes);
        (!self.has_room)
            .then(|| format!("room on the disk of the journal: {free} bytes are free, journal.min_free_bytes is {min}"))
    }
}

impl Disk {
    pub fn new(folder: PathBuf, min_free_bytes: u64) -> Self {
        let disk = Self {
            folder,
            min_free_bytes,
            free_bytes: AtomicU64::new(u64::MAX),
            journal_bytes: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            first: AtomicU64::new(1),
            has_room: Arc::new(AtomicBool::new(true)),
        };
        disk.look();
        disk
    }

    pub fn has_room(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_room)
    }

    pub fn usage(&self) -> Usage {
        Usage {
            journal_bytes: self.journal_bytes.load(Ordering::Relaxed),
            segments: self.segments.load(Ordering::Relaxed),
            first: Sequence(self.first.load(Ordering::Relaxed)),
            free_bytes: self.free_bytes.load(Ordering::Relaxed),
            min_free_bytes: self.min_free_bytes,
            has_room: self.has_room.load(Ordering::Relaxed),
        }
    }

    fn look(&self) {
        let (bytes, segments) = size_of(&self.folder);
        self.journal_bytes.store(bytes, Ordering::Relaxed);
        self.segments.store(segments, Ordering::Relaxed);
        if let Ok(first) = Trims::of(&self.folder).first() {
            self.first.store(first.0, Ordering::Relaxed);
        }
        metrics::gauge!(metric::JOURNAL_BYTES).set(bytes as f64);
        metrics::gauge!(metric::JOURNAL_SEGMENTS).set(segments as f64);
        // A file system that does not tell is not a reason to stop.
        let Ok(told) = rustix::fs::statvfs(&self.folder) else {
            return;
        };
        let free = told.f_bavail.saturating_mul(told.f_frsize);
        self.free_bytes.store(free, Ordering::Relaxed);
        metrics::gauge!(metric::DISK_FREE_BYTES).set(free as f64);
        let has_room = free >= self.min_free_bytes;
        if self.has_room.swap(has_room, Ordering::AcqRel) != has_room {
            let min = self.min_free_bytes;
            if has_room {
                info!(free, min, "disk has room again, taking measurements in");
            } else {
                error!(free, min, "disk is nearly full, taking nothing in until there is room");
            }
        }
    }
}

/// Bytes and number of the segments in a folder.
fn size_of(folder: &Path) -> (u64, u64) {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return (0, 0);
    };
    let segments = entries
        .flatten()
        .filter(|entry| entry.path().extension().is_some_and(|ending| ending == "seg"));
    let sizes = segments
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len());
    sizes.fold((0, 0), |(bytes, count), size| (bytes + size, count + 1))
}

/// Looks once a second until the windows close.
pub(super) fn watch_disk(disk: &Arc<Disk>, closing: &Closing, tasks: &mut Tasks) {
    let (disk, mut windows) = (Arc::clone(disk), closing.windows.clone());
    tasks.spawn(async move {
        loop {
            tokio::select! {
                () = closed(&mut windows) => return ("disk", Ok(())),
                () = tokio::time::sleep(EVERY) => {
                    let disk = Arc::clone(&disk);
                    // Reading a folder may take a while on a busy disk.
                    let _ = tokio::task::spawn_blocking(move || disk.look()).await;
                }
            }
        }
    });
}
