//! The disk under the data folder: what it is, whether it can be written, synced and reserved on, and how long a sync takes.
//!
//! Settings enter, findings leave. One temporary file is written in the folder (or in the nearest one above it that is there)
//! and removed again.

use std::fs::File;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{FallocateFlags, fallocate, statvfs};

use crate::settings::Settings;

/// Syncs that are measured: enough for a p99, and at most a second or two on a slow disk.
const ROUNDS: usize = 128;
/// Longest measuring, whatever was done by then.
const MEASURING_MAX: Duration = Duration::from_secs(3);
/// Bytes of one write: a small block of the journal.
const WRITE_LEN: usize = 4_096;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DiskFound {
    /// The folder that was looked at.
    pub folder: PathBuf,
    /// The data folder is there itself.
    pub is_there: bool,
    /// Type of the file system, as the kernel calls it.
    pub kind: Option<String>,
    /// How it is mounted.
    pub options: Vec<String>,
    /// Whether it can be written to and synced, and what the system said.
    pub sync: Result<SyncTimes, String>,
    /// Whether room can be reserved.
    pub reserves: bool,
    /// Bytes that are free for us.
    pub free_bytes: Option<u64>,
    /// Files that can still be made.
    pub free_files: Option<u64>,
    /// Permissions of the data folder.
    pub mode: Option<u32>,
}

/// How long `fdatasync` takes over bytes that were written before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct SyncTimes {
    pub p50: Duration,
    pub p99: Duration,
}

/// Looks at the data folder.
pub(super) fn look(settings: &Settings) -> DiskFound {
    let wanted = &settings.data_dir;
    let folder = nearest(wanted);
    let told = statvfs(&folder).ok();
    let mount = std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default();
    let path = std::fs::canonicalize(&folder).unwrap_or_else(|_| folder.clone());
    let (kind, options) = mount_of(&mount, &path).unzip();
    let (sync, reserves) = match measure(&folder) {
        Ok((times, reserves)) => (Ok(times), reserves),
        Err(error) => (Err(error.to_string()), false),
    };
    DiskFound {
        is_there: wanted.is_dir(),
        kind,
        options: options.unwrap_or_default(),
        sync,
        reserves,
        free_bytes: told.as_ref().map(|told| told.f_bavail.saturating_mul(told.f_frsize)),
        // File systems without a fixed number of files say that they have none at all.
        free_files: told.filter(|told| told.f_files > 0).map(|told| told.f_favail),
        mode: std::fs::metadata(wanted)
            .ok()
            .map(|data| data.permissions().mode() & 0o777),
        folder,
    }
}

/// The folder, or the nearest one above it that is there.
fn nearest(folder: &Path) -> PathBuf {
    let there = folder.ancestors().find(|above| above.is_dir());
    there
        .filter(|there| !there.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
        .to_owned()
}

/// Type and options of the file system that a path is on, from the kernel's table of mounts.
fn mount_of(table: &str, path: &Path) -> Option<(String, Vec<String>)> {
    let mounts = table.lines().filter_map(|line| {
        let (own, device) = line.split_once(" - ")?;
        let own: Vec<&str> = own.split(' ').collect();
        let [_, _, _, _, place, options, ..] = own.as_slice() else {
            return None;
        };
        let device: Vec<&str> = device.split(' ').collect();
        let [kind, _, super_options, ..] = device.as_slice() else {
            return None;
        };
        let options = options.split(',').chain(super_options.split(',')).map(str::to_owned);
        path.starts_with(place.replace("\\040", " "))
            .then(|| (place.len(), ((*kind).to_owned(), options.collect())))
    });
    // Of equal places the last one lies on top.
    mounts.max_by_key(|(len, _)| *len).map(|(_, found)| found)
}

/// A file that is removed when it is not needed any more.
struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // Its folder may have gone; then it has, too.
        let _ = std::fs::remove_file(&self.0);
    }
}

/// Writes and syncs a temporary file over and over.
fn measure(folder: &Path) -> std::io::Result<(SyncTimes, bool)> {
    let scratch = Scratch(folder.join(format!(".kpid-doctor-{}", std::process::id())));
    let file = File::options().write(true).create_new(true).open(&scratch.0)?;
    let reserves = fallocate(&file, FallocateFlags::empty(), 0, (ROUNDS * WRITE_LEN) as u64).is_ok();
    file.write_all_at(&vec![1; ROUNDS * WRITE_LEN], 0)?;
    file.sync_data()?;
    let began = Instant::now();
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let before = Instant::now();
        file.write_all_at(&[2; WRITE_LEN], (round * WRITE_LEN) as u64)?;
        file.sync_data()?;
        times.push(before.elapsed());
        if began.elapsed() > MEASURING_MAX {
            break;
        }
    }
    times.sort_unstable();
    let part = |of_hundred: usize| {
        times
            .get((times.len() * of_hundred / 100).min(times.len() - 1))
            .copied()
    };
    let (p50, p99) = (part(50).unwrap_or_default(), part(99).unwrap_or_default());
    Ok((SyncTimes { p50, p99 }, reserves))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_deepest_mount_holds_a_path() {
        let table = "22 27 0:21 / /proc rw - proc proc rw\n27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n\
            30 27 0:9 / /data\\040set rw shared:1 - tmpfs none rw,size=4k\n";
        let found = |path: &str| mount_of(table, Path::new(path)).unwrap();
        assert_eq!(found("/var/kpid").0, "ext4");
        assert!(found("/var/kpid").1.contains(&"discard".to_owned()));
        assert_eq!(found("/data set/journal").0, "tmpfs");
        assert_eq!(mount_of("", Path::new("/")), None);
    }

    #[test]
    fn a_folder_that_can_be_written_to_is_measured_and_left_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let (times, _) = measure(folder.path()).unwrap();
        assert!(times.p50 <= times.p99);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        assert_eq!(nearest(&folder.path().join("a/b")), folder.path());
        assert!(measure(&folder.path().join("a")).is_err());
    }
}
