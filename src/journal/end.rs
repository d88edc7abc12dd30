//! Where a journal ends, without walking over all of it: the last two segments are looked at, as when it is opened.
//!
//! A folder enters, its end leaves. Nothing here takes the lock or writes, so that it can be asked beside a daemon.

use std::path::Path;
use std::sync::Arc;

use super::files::DiskFiles;
use super::recovery::{Extent, find};
use super::segment::Store;
use crate::ports::{JournalError, Tail};

/// The end of a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalEnd {
    /// Where the next block goes.
    pub tail: Tail,
    /// Segment files.
    pub segments: u64,
    /// Format versions of the blocks that were looked at, ascending.
    pub versions: Vec<u16>,
    /// Why there is more behind the last block than zeros: a write was interrupted, or is running. It was never
    /// acknowledged, and the next start cuts it off.
    pub torn: Option<String>,
}

/// The end of the journal in a folder. Damage in the last two segments is an error, as for whoever opens it.
pub fn end(dir: &Path) -> Result<JournalEnd, JournalError> {
    let store = Store {
        files: Arc::new(DiskFiles),
        dir: dir.to_owned(),
    };
    let mut versions = Vec::new();
    let found = find(&store, Extent::End, &mut |header, _, _| {
        if !versions.contains(&header.version) {
            versions.push(header.version);
        }
        Ok(())
    })?;
    versions.sort_unstable();
    Ok(JournalEnd {
        tail: found.chain.tail,
        segments: store.segments()?.len() as u64,
        versions,
        torn: found
            .last
            .and_then(|(_, walked)| walked.torn)
            .map(|reason| reason.to_string()),
    })
}
