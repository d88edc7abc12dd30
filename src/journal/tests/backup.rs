//! Backups, wherever segments begin and end: continued by the journal that they are of, and by no other.

use std::path::Path;
use std::sync::Arc;

use super::promises::SMALL;
use super::samples::{append_all, drain, plain};
use crate::domain::fact::Block;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::journal::{Backup, BackupError, DiskFiles, FileJournal, backup, open_reader, restore, verify};
use crate::ports::Journal;

/// Blocks that stay within a segment, fill one, and go far beyond it.
const SIZES: [usize; 4] = [1, 60, 200, 700];

fn open(dir: &Path) -> FileJournal {
    FileJournal::open(dir, SMALL, Arc::new(DiskFiles)).unwrap()
}

fn back_up(from: &Path, to: &Path) -> Result<Backup, BackupError> {
    backup(from, to, Instant(0), &mut |_, _| {})
}

fn blocks_in(dir: &Path) -> Vec<Block> {
    drain(open_reader(dir, Sequence(1)).unwrap().as_mut())
}

fn head(dir: &Path) -> String {
    verify(dir, &mut |_, _| {}).unwrap().head_hash
}

#[test]
fn a_backup_copies_what_is_new_and_is_the_journal_each_time() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, to) = (folder.path().join("journal"), folder.path().join("backup"));
    let mut journal = open(&dir);
    for size in SIZES.into_iter().cycle().take(12) {
        append_all(&mut journal, &[size, 2]);
        let made = back_up(&dir, &to).unwrap();
        assert!(made.copied <= 4, "{} of {}", made.copied, made.manifest.segments.len());
        assert_eq!(blocks_in(&to), blocks_in(&dir));
        assert_eq!(made.manifest.head_hash, head(&to));
    }
    let again = back_up(&dir, &to).unwrap();
    assert_eq!(again.copied, 1, "the last segment may have grown");
    let error = back_up(&folder.path().join("nothing"), &to).unwrap_err();
    assert!(matches!(error, BackupError::Journal(_)), "{error}");
}

#[test]
fn a_backup_is_continued_by_no_other_journal_and_stays_as_it_is() {
    for (own, other) in SIZES.iter().flat_map(|own| SIZES.map(|other| (*own, other))) {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut first = open(&at("first"));
        append_all(&mut first, &[90, 90, 40]);
        back_up(&at("first"), &at("backup")).unwrap();
        restore(&at("backup"), (&at("second"), &at("state")), &mut |_, _| {}).unwrap();
        let mut second = open(&at("second"));
        append_all(&mut first, &[own, 3]);
        let mut block = plain(second.tail(), other);
        block.recorded_at = block.recorded_at.plus_ms(1);
        second.append(&block).unwrap();
        back_up(&at("second"), &at("backup")).unwrap();
        let (kept, proof) = (blocks_in(&at("backup")), head(&at("backup")));
        let outcome = back_up(&at("first"), &at("backup"));
        assert!(
            matches!(outcome, Err(BackupError::Parted { .. })),
            "{own} {other}: {outcome:?}"
        );
        assert_eq!(
            (blocks_in(&at("backup")), head(&at("backup"))),
            (kept, proof),
            "{own} {other}"
        );
    }
}

#[test]
fn a_backup_is_not_shortened_by_an_older_state_of_its_journal() {
    for more in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut journal = open(&at("journal"));
        append_all(&mut journal, &[90, 90, 40]);
        back_up(&at("journal"), &at("old")).unwrap();
        append_all(&mut journal, &[more]);
        back_up(&at("journal"), &at("backup")).unwrap();
        restore(&at("old"), (&at("older"), &at("state")), &mut |_, _| {}).unwrap();
        let outcome = back_up(&at("older"), &at("backup"));
        assert!(
            matches!(outcome, Err(BackupError::Parted { .. })),
            "{more}: {outcome:?}"
        );
        assert_eq!(blocks_in(&at("backup")), blocks_in(&at("journal")), "{more}");
    }
}
