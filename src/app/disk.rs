//! The disks of the journal and of the state: how much is free, and how large the journal is.
//!
//! Looked at before anything is taken in and before anything is appended, and once a second. What could leave less than
//! `journal.min_free_bytes` is refused, before an append can fail; reads go on, and when there is room again, so does
//! everything else. Facts that no measurement brought, such as a reload's, are let through: the room kept is for them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tracing::{error, info};

use super::tasks::{Closing, Tasks, closed};
use crate::domain::id::Sequence;
use crate::journal::Trims;
use crate::ports::Room;
use crate::settings::Settings;
use crate::telemetry::metric;

/// How often it is looked at when nobody asks.
const EVERY: Duration = Duration::from_secs(1);

/// What was seen last.
#[derive(Debug)]
pub(super) struct Disk {
    journal: Place,
    state: Place,
    journal_bytes: AtomicU64,
    segments: AtomicU64,
    first: AtomicU64,
    has_room: AtomicBool,
}

/// A folder whose disk must not fill up.
#[derive(Debug)]
struct Place {
    what: &'static str,
    folder: PathBuf,
    /// Less free than this: nothing is taken in.
    needed_bytes: u64,
    free_bytes: AtomicU64,
}

/// What was seen last, at one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Usage {
    pub journal_bytes: u64,
    pub segments: u64,
    /// First sequence that is kept.
    pub first: Sequence,
    /// Why nothing is taken in, if so.
    pub complaint: Option<String>,
}

impl Disk {
    pub fn new(settings: &Settings) -> Self {
        let journal = &settings.journal;
        let place = |what, folder, needed_bytes| Place {
            what,
            folder,
            needed_bytes,
            free_bytes: AtomicU64::new(u64::MAX),
        };
        // The next block may begin a segment, which takes its whole size at once.
        let with_segment = journal.min_free_bytes.saturating_add(journal.segment_bytes);
        let disk = Self {
            journal: place("journal", settings.journal_dir(), with_segment),
            state: place("state", settings.state_dir(), journal.min_free_bytes),
            journal_bytes: AtomicU64::new(0),
            segments: AtomicU64::new(0),
            first: AtomicU64::new(1),
            has_room: AtomicBool::new(true),
        };
        disk.look();
        disk
    }

    pub fn usage(&self) -> Usage {
        let short = [&self.journal, &self.state].into_iter().find(|place| place.is_short());
        Usage {
            journal_bytes: self.journal_bytes.load(Ordering::Relaxed),
            segments: self.segments.load(Ordering::Relaxed),
            first: Sequence(self.first.load(Ordering::Relaxed)),
            complaint: short.map(Place::complaint),
        }
    }

    fn look(&self) {
        let (bytes, segments) = size_of(&self.journal.folder);
        self.journal_bytes.store(bytes, Ordering::Relaxed);
        self.segments.store(segments, Ordering::Relaxed);
        if let Ok(first) = Trims::of(&self.journal.folder).first() {
            self.first.store(first.0, Ordering::Relaxed);
        }
        metrics::gauge!(metric::JOURNAL_BYTES).set(bytes as f64);
        metrics::gauge!(metric::JOURNAL_SEGMENTS).set(segments as f64);
        self.is_there();
        let free = self.journal.free_bytes.load(Ordering::Relaxed);
        let free = free.min(self.state.free_bytes.load(Ordering::Relaxed));
        metrics::gauge!(metric::DISK_FREE_BYTES).set(free as f64);
    }
}

impl Room for Disk {
    fn is_there(&self) -> bool {
        self.journal.look();
        self.state.look();
        let short = [&self.journal, &self.state].into_iter().find(|place| place.is_short());
        let has_room = short.is_none();
        if self.has_room.swap(has_room, Ordering::AcqRel) != has_room {
            match short {
                None => info!("disk has room again, taking measurements in"),
                Some(place) => error!(
                    missing = place.complaint(),
                    "disk is nearly full, taking nothing in until there is room"
                ),
            }
        }
        metrics::gauge!(metric::DISK_HAS_ROOM).set(if has_room { 1.0 } else { 0.0 });
        has_room
    }
}

impl Place {
    fn look(&self) {
        // A file system that does not tell is not a reason to stop.
        if let Ok(told) = rustix::fs::statvfs(&self.folder) {
            let free = told.f_bavail.saturating_mul(told.f_frsize);
            self.free_bytes.store(free, Ordering::Relaxed);
        }
    }

    fn is_short(&self) -> bool {
        self.free_bytes.load(Ordering::Relaxed) < self.needed_bytes
    }

    fn complaint(&self) -> String {
        let (what, free, needed) = (self.what, self.free_bytes.load(Ordering::Relaxed), self.needed_bytes);
        format!("room on the disk of the {what}: {free} bytes are free, {needed} are needed (journal.min_free_bytes)")
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
