//! The data folder's content: the journal's lock, its end, and the folder of derived state.
//!
//! Settings enter, findings leave. Nothing is written; the lock is tried for a moment where it is there.

use std::fs::{File, TryLockError};
use std::path::Path;

use crate::domain::instant::Instant;
use crate::journal::{JournalEnd, end};
use crate::ports::JournalError;
use crate::settings::Settings;

/// What was found.
#[derive(Debug)]
pub(super) struct ArchiveFound {
    /// Its folder, for people.
    pub folder: String,
    /// Whether somebody holds the journal.
    pub lock: Lock,
    /// Its end; `None` where there is no journal yet.
    pub end: Option<Result<JournalEnd, JournalError>>,
    /// There is derived state.
    pub has_state: bool,
    /// Damaged states that were set aside.
    pub set_aside: usize,
}

/// Whether somebody holds the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Lock {
    /// There is no lock file yet.
    Nowhere,
    /// Nobody does.
    Free,
    /// A daemon runs on it.
    Held,
    /// The system does not tell.
    Unknown(String),
}

impl ArchiveFound {
    pub fn is_damaged(&self) -> bool {
        matches!(self.end, Some(Err(JournalError::Damaged { .. })))
    }

    pub fn is_held(&self) -> bool {
        self.lock == Lock::Held
    }

    fn known_end(&self) -> Option<&JournalEnd> {
        self.end.as_ref()?.as_ref().ok()
    }

    /// When the last block was made durable.
    pub fn recorded_at(&self) -> Option<Instant> {
        let end = self.known_end()?;
        (end.tail.next.0 > 1).then_some(end.tail.recorded_at)
    }

    /// Series named so far.
    pub fn series(&self) -> u64 {
        self.known_end().map_or(0, |end| u64::from(end.tail.series))
    }
}

/// Looks at the journal and at what is beside it.
pub(super) fn look(settings: &Settings) -> ArchiveFound {
    let (journal, state) = (settings.journal_dir(), settings.state_dir());
    let entries = std::fs::read_dir(&settings.data_dir).into_iter().flatten().flatten();
    let is_aside = |name: &str| name.starts_with("state.damaged-");
    let aside = entries.filter(|entry| is_aside(&entry.file_name().to_string_lossy()));
    ArchiveFound {
        lock: lock(&journal),
        end: journal.is_dir().then(|| end(&journal)),
        folder: journal.display().to_string(),
        has_state: state.is_dir(),
        set_aside: aside.count(),
    }
}

fn lock(journal: &Path) -> Lock {
    let path = journal.join("lock");
    if !path.exists() {
        return Lock::Nowhere;
    }
    // Shared, so that two doctors do not take one another for daemons.
    match File::open(&path).map(|file| file.try_lock_shared()) {
        Ok(Ok(())) => Lock::Free,
        Ok(Err(TryLockError::WouldBlock)) => Lock::Held,
        Ok(Err(TryLockError::Error(error))) | Err(error) => Lock::Unknown(error.to_string()),
    }
}
