//! A disk in memory that fails or loses power at any operation.
//!
//! Only what was synced is sure to survive a loss of power. Of the rest, which sectors survive is decided by a coin, in which
//! order they reached the disk by another, and now and then one is torn within; names of files and their lengths are no
//! safer than bytes. A sync that fails leaves its bytes readable and yet forgotten, and the next sync says nothing about
//! them: so do real page caches.

use std::any::Any;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};

use crate::journal::{FileHandle, Files};

const SECTOR: usize = 512;
/// A sector is torn between such pieces, if it is.
const WORD: usize = 8;

/// What happens at the chosen operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// It fails once; later ones work again.
    Fail,
    /// Power is lost: it and all later ones fail until the next [`FaultyFiles::restart`].
    Crash,
}

/// What a loss of power leaves of bytes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Survivors {
    Nothing,
    Everything,
    /// Sectors, lengths and names by a coin of this seed, in any order.
    Some(u64),
}

#[derive(Default)]
struct Disk {
    files: HashMap<PathBuf, Arc<Mutex<Content>>>,
    /// Names that survive.
    durable_names: HashMap<PathBuf, Arc<Mutex<Content>>>,
    locks: BTreeMap<PathBuf, std::sync::Weak<()>>,
    operations: u64,
    fault: Option<(u64, Fault)>,
    down: bool,
}

#[derive(Default, Clone)]
struct Content {
    now: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

#[derive(Clone)]
enum Change {
    Write(usize, Vec<u8>),
    Len(usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        match self {
            Self::Len(len) => bytes.resize(*len, 0),
            Self::Write(at, new) => {
                if bytes.len() < at + new.len() {
                    bytes.resize(at + new.len(), 0);
                }
                bytes[*at..at + new.len()].copy_from_slice(new);
            }
        }
    }
}

#[derive(Clone, Default)]
pub(super) struct FaultyFiles(Arc<Mutex<Disk>>);

impl FaultyFiles {
    fn disk(&self) -> MutexGuard<'_, Disk> {
        self.0.lock().unwrap()
    }

    /// Counts an operation that changes something; fails it when its turn has come.
    fn operation(&self) -> io::Result<()> {
        let mut disk = self.disk();
        disk.operations += 1;
        let broken = || io::Error::other("injected fault");
        if disk.down {
            return Err(broken());
        }
        match disk.fault {
            Some((at, fault)) if at == disk.operations => {
                disk.down = fault == Fault::Crash;
                Err(broken())
            }
            _ => Ok(()),
        }
    }

    /// Something goes wrong at the n-th operation from now on, counted from 1.
    pub(super) fn fault_at(&self, n: u64, fault: Fault) {
        let mut disk = self.disk();
        disk.operations = 0;
        disk.fault = Some((n, fault));
    }

    /// Operations since the last [`Self::fault_at`].
    pub(super) fn operations(&self) -> u64 {
        self.disk().operations
    }

    /// The machine starts again after a loss of power.
    pub(super) fn restart(&self, survivors: Survivors) {
        let mut disk = self.disk();
        disk.down = false;
        disk.fault = None;
        let mut coin = match survivors {
            Survivors::Some(seed) => seed | 1,
            _ => 1,
        };
        let mut names: Vec<PathBuf> = disk.files.keys().cloned().collect();
        names.sort();
        for name in names {
            let survives = match survivors {
                Survivors::Nothing => false,
                Survivors::Everything => true,
                Survivors::Some(_) => toss(&mut coin),
            };
            if !survives && !disk.durable_names.contains_key(&name) {
                disk.files.remove(&name);
            }
        }
        disk.durable_names = disk.files.clone();
        let mut names: Vec<&PathBuf> = disk.files.keys().collect();
        names.sort();
        for name in names {
            let mut content = disk.files[name].lock().unwrap();
            content.settle(survivors, &mut coin);
        }
    }

    /// The process starts again, the machine did not stop.
    pub(super) fn resume(&self) {
        let mut disk = self.disk();
        disk.down = false;
        disk.fault = None;
    }

    /// Paths of all files.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let mut paths: Vec<PathBuf> = self.disk().files.keys().cloned().collect();
        paths.sort();
        paths
    }

    /// Changes a file's bytes behind everybody's back.
    pub(super) fn tamper(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let content = Arc::clone(&self.disk().files[path]);
        let mut content = content.lock().unwrap();
        change(&mut content.now);
        content.durable = content.now.clone();
    }

    /// A copy of a file's bytes.
    pub(super) fn bytes(&self, path: &Path) -> Vec<u8> {
        self.disk().files[path].lock().unwrap().now.clone()
    }

    /// Removes a file behind everybody's back.
    pub(super) fn remove(&self, path: &Path) {
        self.disk().files.remove(path);
        self.disk().durable_names.remove(path);
    }

    fn handle(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        let content = self.disk().files.get(path).cloned();
        let content = content.ok_or_else(|| io::Error::from(io::ErrorKind::NotFound))?;
        Ok(Box::new(FaultyHandle {
            files: self.clone(),
            content,
        }))
    }
}

impl Content {
    fn settle(&mut self, survivors: Survivors, coin: &mut u64) {
        let pending = std::mem::take(&mut self.pending);
        match survivors {
            Survivors::Nothing => {}
            Survivors::Everything => pending.iter().for_each(|change| change.apply(&mut self.durable)),
            Survivors::Some(_) => {
                let mut pieces: Vec<Change> = pending.into_iter().flat_map(Change::pieces).collect();
                for last in (1..pieces.len()).rev() {
                    pieces.swap(last, below(coin, last + 1));
                }
                for piece in pieces {
                    if toss(coin) {
                        piece.torn(coin).apply(&mut self.durable);
                    }
                }
            }
        }
        self.now = self.durable.clone();
    }
}

impl Change {
    /// What reaches a disk as a whole, or not at all.
    fn pieces(self) -> Vec<Self> {
        let Self::Write(at, bytes) = self else {
            return vec![self];
        };
        // Sectors of the file, not of the write.
        let mut pieces = Vec::new();
        let mut from = 0;
        while from < bytes.len() {
            let to = bytes.len().min(from + SECTOR - (at + from) % SECTOR);
            pieces.push(Self::Write(at + from, bytes[from..to].to_vec()));
            from = to;
        }
        pieces
    }

    /// One sector in sixteen arrives in part: its beginning, or its end.
    fn torn(self, coin: &mut u64) -> Self {
        match self {
            Self::Write(at, bytes) if below(coin, 16) == 0 => {
                let place = (below(coin, bytes.len() + 1) / WORD * WORD).min(bytes.len());
                let (begin, end) = bytes.split_at(place);
                if toss(coin) {
                    Self::Write(at, begin.to_vec())
                } else {
                    Self::Write(at + place, end.to_vec())
                }
            }
            whole => whole,
        }
    }
}

/// A number below `limit`, which is not 0.
fn below(coin: &mut u64, limit: usize) -> usize {
    toss(coin);
    (*coin >> 11) as usize % limit
}

fn toss(coin: &mut u64) -> bool {
    *coin ^= *coin << 13;
    *coin ^= *coin >> 7;
    *coin ^= *coin << 17;
    *coin & 8 != 0
}

impl Files for FaultyFiles {
    fn create_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let disk = self.disk();
        let inside = disk.files.keys().filter(|path| path.parent() == Some(dir));
        Ok(inside
            .map(|path| path.file_name().unwrap().to_string_lossy().into_owned())
            .collect())
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        let outcome = self.operation();
        if outcome.is_err() && !self.disk().down {
            return Err(io::Error::other("injected fault"));
        }
        if self.disk().files.contains_key(path) {
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        self.disk().files.insert(path.to_owned(), Arc::default());
        // Power that is lost meanwhile may leave the name behind.
        outcome?;
        self.handle(path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.handle(path)
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        self.handle(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.operation()?;
        let mut disk = self.disk();
        let content = disk.files.remove(from).ok_or(io::ErrorKind::NotFound)?;
        disk.files.insert(to.to_owned(), content);
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.operation()?;
        let removed = self.disk().files.remove(path);
        removed.map(|_| ()).ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.operation()?;
        let mut disk = self.disk();
        let Disk {
            files, durable_names, ..
        } = &mut *disk;
        durable_names.retain(|path, _| path.parent() != Some(dir) || files.contains_key(path));
        let inside: Vec<_> = disk
            .files
            .iter()
            .filter(|(path, _)| path.parent() == Some(dir))
            .map(|(path, content)| (path.clone(), Arc::clone(content)))
            .collect();
        disk.durable_names.extend(inside);
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Any + Send>>> {
        let mut disk = self.disk();
        if disk.locks.get(path).is_some_and(|held| held.strong_count() > 0) {
            return Ok(None);
        }
        let guard = Arc::new(());
        disk.locks.insert(path.to_owned(), Arc::downgrade(&guard));
        Ok(Some(Box::new(guard)))
    }
}

struct FaultyHandle {
    files: FaultyFiles,
    content: Arc<Mutex<Content>>,
}

impl FaultyHandle {
    /// A change that fails may have happened in part: it is readable, and a loss of power decides about its sectors.
    fn change(&self, change: Change) -> io::Result<()> {
        let outcome = self.files.operation();
        let mut content = self.content.lock().unwrap();
        change.apply(&mut content.now);
        content.pending.push(change);
        outcome
    }
}

impl FileHandle for FaultyHandle {
    fn len(&self) -> io::Result<u64> {
        Ok(self.content.lock().unwrap().now.len() as u64)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let content = self.content.lock().unwrap();
        let rest = content.now.get(offset as usize..).unwrap_or_default();
        let len = rest.len().min(buffer.len());
        buffer[..len].copy_from_slice(&rest[..len]);
        Ok(len)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.change(Change::Write(offset as usize, bytes.to_vec()))
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        if self.len()? >= len {
            return Ok(());
        }
        self.change(Change::Len(len as usize))
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.change(Change::Len(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        let outcome = self.files.operation();
        let mut content = self.content.lock().unwrap();
        match (&outcome, self.files.disk().down) {
            (Ok(()), _) => {
                let pending = std::mem::take(&mut content.pending);
                for change in &pending {
                    change.apply(&mut content.durable);
                }
            }
            // The machine stopped in the middle of it: what was pending is decided by the coin.
            (Err(_), true) => {}
            // The system gave up on these bytes and will not tell again.
            (Err(_), false) => content.pending.clear(),
        }
        outcome
    }
}
