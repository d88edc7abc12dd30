//! A disk on which nothing is durable until the end: an import need not wait for every block, because what it writes
//! counts only when all of it is there.

use std::any::Any;
use std::io;
use std::path::Path;

use crate::journal::files::{DiskFiles, FileHandle, Files};

/// The file system of this machine, without syncs.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct DraftFiles;

struct DraftHandle(Box<dyn FileHandle>);

/// Makes the files of a finished draft durable, and their names.
pub(super) fn sync_all(dir: &Path) -> io::Result<()> {
    for name in DiskFiles.list(dir)? {
        DiskFiles.open_read(&dir.join(name))?.sync_data()?;
    }
    DiskFiles.sync_dir(dir)
}

impl Files for DraftFiles {
    fn create_dir(&self, dir: &Path) -> io::Result<()> {
        DiskFiles.create_dir(dir)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        DiskFiles.list(dir)
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        Ok(Box::new(DraftHandle(DiskFiles.create(path)?)))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        Ok(Box::new(DraftHandle(DiskFiles.open(path)?)))
    }

    fn open_read(&self, path: &Path) -> io::Result<Box<dyn FileHandle>> {
        DiskFiles.open_read(path)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        DiskFiles.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        DiskFiles.remove(path)
    }

    fn sync_dir(&self, _dir: &Path) -> io::Result<()> {
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Option<Box<dyn Any + Send>>> {
        DiskFiles.lock(path)
    }
}

impl FileHandle for DraftHandle {
    fn len(&self) -> io::Result<u64> {
        self.0.len()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        self.0.read_at(offset, buffer)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_at(offset, bytes)
    }

    fn allocate(&self, len: u64) -> io::Result<()> {
        self.0.allocate(len)
    }

    fn truncate(&self, len: u64) -> io::Result<()> {
        self.0.truncate(len)
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }
}
