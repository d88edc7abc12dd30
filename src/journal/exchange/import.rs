//! Import: what an export wrote becomes a journal again.
//!
//! Everything is written into a folder beside the one that is wanted, which takes its name only when all of it is there and
//! durable. A file that is broken leaves nothing behind.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::draft::{DraftFiles, sync_all};
use super::{ExchangeError, parquet_source};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::journal::file_journal::{FileJournal, JournalOptions};
use crate::journal::files::{DiskFiles, Files};
use crate::journal::inspect::Progress;
use crate::journal::segment::io_error;
use crate::ports::Journal;
use crate::wire::record::{Assembler, Record, from_line};

/// What was imported.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Imported {
    /// Facts.
    pub facts: u64,
    /// Sequence of the last.
    pub last: Sequence,
    /// Hash of the last block, hexadecimal.
    pub head_hash: String,
}

/// Makes a journal in `dir` of the files, in their order. `progress` hears of bytes done and in all.
pub fn import(
    dir: &Path,
    files: &[PathBuf],
    segment_bytes: u64,
    progress: Progress<'_>,
) -> Result<Imported, ExchangeError> {
    if has_journal(dir) {
        return Err(ExchangeError::NotEmpty(dir.to_owned()));
    }
    let draft = dir.with_extension("importing");
    remove(&draft)?;
    let imported = write(&draft, files, segment_bytes, progress).inspect_err(|_| {
        // What is left of it is in nobody's way: the next import removes it too.
        let _ = std::fs::remove_dir_all(&draft);
    })?;
    install(&draft, dir)?;
    Ok(imported)
}

/// Whether a folder holds any file of a journal; its lock alone is none.
pub(in crate::journal) fn has_journal(dir: &Path) -> bool {
    let names = std::fs::read_dir(dir).into_iter().flatten().flatten();
    let mut names = names.map(|entry| entry.path());
    names.any(|path| {
        path.extension()
            .is_some_and(|ending| ending == "seg" || ending == "base")
    })
}

pub(in crate::journal) fn remove(dir: &Path) -> Result<(), ExchangeError> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(io_error("remove", dir)(error).into()),
        _ => Ok(()),
    }
}

/// Gives a folder its final name, in place of an empty one.
pub(in crate::journal) fn install(draft: &Path, dir: &Path) -> Result<(), ExchangeError> {
    sync_all(draft).map_err(io_error("sync", draft))?;
    remove(dir)?;
    std::fs::rename(draft, dir).map_err(io_error("rename", draft))?;
    let above = dir.parent().filter(|above| !above.as_os_str().is_empty());
    let above = above.unwrap_or(Path::new("."));
    Ok(DiskFiles.sync_dir(above).map_err(io_error("sync", above))?)
}

fn write(
    draft: &Path,
    files: &[PathBuf],
    segment_bytes: u64,
    progress: Progress<'_>,
) -> Result<Imported, ExchangeError> {
    let options = JournalOptions {
        segment_bytes,
        check_all: true,
    };
    let total = files
        .iter()
        .filter_map(|path| path.metadata().ok())
        .map(|of| of.len())
        .sum();
    let mut importing = Importing {
        journal: FileJournal::open(draft, options, Arc::new(DraftFiles))?,
        assembler: Assembler::default(),
        imported: Imported::default(),
    };
    let mut before = 0;
    for path in files {
        let read = |source| ExchangeError::Read {
            path: path.clone(),
            source,
        };
        let len = path.metadata().map_err(read)?.len();
        if is_parquet(path).map_err(read)? {
            importing.take_parquet(path)?;
        } else {
            importing.take_lines(path, &mut |done| progress(before + done, total))?;
        }
        before += len;
        progress(before, total);
    }
    importing.finish(files.last().map_or(draft, PathBuf::as_path))
}

/// A Parquet file says so in its first four bytes.
fn is_parquet(path: &Path) -> std::io::Result<bool> {
    let mut magic = [0; 4];
    let read = File::open(path)?.take(4).read(&mut magic)?;
    Ok(magic.get(..read) == Some(b"PAR1"))
}

/// An import on its way.
struct Importing {
    journal: FileJournal,
    assembler: Assembler,
    imported: Imported,
}

/// Bytes between two words of progress.
const PROGRESS_BYTES: u64 = 1 << 20;

impl Importing {
    fn take_lines(&mut self, path: &Path, progress: &mut dyn FnMut(u64)) -> Result<(), ExchangeError> {
        let broken = |line, reason: String| ExchangeError::Broken {
            path: path.to_owned(),
            line,
            reason,
        };
        let read = |source| ExchangeError::Read {
            path: path.to_owned(),
            source,
        };
        let mut input = BufReader::with_capacity(1 << 18, File::open(path).map_err(read)?);
        let (mut text, mut number, mut done, mut said) = (String::new(), 0, 0, 0);
        loop {
            text.clear();
            let len = input
                .read_line(&mut text)
                .map_err(|error| broken(number + 1, error.to_string()))?;
            if len == 0 {
                return Ok(());
            }
            number += 1;
            done += len as u64;
            if !text.ends_with('\n') {
                return Err(broken(number, "the line is cut off".to_owned()));
            }
            let record = from_line(&text).map_err(|error| broken(number, error.to_string()))?;
            let taken = self.take(&record)?;
            taken.map_err(|reason| broken(number, reason))?;
            if done >= said + PROGRESS_BYTES {
                said = done;
                progress(done);
            }
        }
    }

    fn take_parquet(&mut self, path: &Path) -> Result<(), ExchangeError> {
        let mut failed = None;
        let read = parquet_source::read(path, &mut |_, record| match self.take(&record) {
            Ok(taken) => taken,
            Err(error) => {
                failed = Some(error);
                Err(String::new())
            }
        });
        if let Some(error) = failed {
            return Err(error);
        }
        read.map_err(|(line, reason)| ExchangeError::Broken {
            path: path.to_owned(),
            line,
            reason,
        })
    }

    /// The outer error is the journal's, the inner one what is wrong with the record.
    fn take(&mut self, record: &Record<'_>) -> Result<Result<(), String>, ExchangeError> {
        match self.assembler.take(record) {
            Ok(Some(block)) => self.append(&block).map(Ok),
            Ok(None) => Ok(Ok(())),
            Err(problem) => Ok(Err(problem.to_string())),
        }
    }

    fn append(&mut self, block: &Block) -> Result<(), ExchangeError> {
        self.journal.append(block)?;
        self.imported.facts += block.len();
        self.imported.last = block.last();
        Ok(())
    }

    fn finish(mut self, last: &Path) -> Result<Imported, ExchangeError> {
        let assembler = std::mem::take(&mut self.assembler);
        let block = assembler.finish().map_err(|problem| ExchangeError::Broken {
            path: last.to_owned(),
            line: self.imported.last.0,
            reason: problem.to_string(),
        })?;
        if let Some(block) = block {
            self.append(&block)?;
        }
        if self.imported.facts == 0 {
            return Err(ExchangeError::Nothing);
        }
        self.imported.head_hash = self.journal.head_hash();
        Ok(self.imported)
    }
}
