//! How far a file was acknowledged, noted in the user's state folder while it is sent.
//!
//! The note is a hint: without it everything is sent again, and the daemon recognises every measurement by its id.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::wire::csv::FormWords;

/// Bytes of a file's beginning that tell it from others.
const FINGERPRINT_LEN: u64 = 64 * 1024;

/// Names a file read in one way: 16 hex digits of BLAKE3 over its name, its length, its first 64 KiB and the words by which
/// it is read. A file that grew or was edited is another file, and so is the same file read as another KPI.
pub(super) fn fingerprint(path: &Path, words: &FormWords<'_>) -> io::Result<String> {
    let file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    hash_text(&mut hasher, &path.file_name().unwrap_or_default().to_string_lossy());
    hasher.update(&file.metadata()?.len().to_le_bytes());
    for (field, text) in words.map.iter().chain(words.set) {
        hash_text(&mut hasher, field);
        hash_text(&mut hasher, text);
    }
    for word in [words.kpi, words.time_zone] {
        hash_text(&mut hasher, word.unwrap_or_default());
    }
    let mut start = Vec::new();
    file.take(FINGERPRINT_LEN).read_to_end(&mut start)?;
    hasher.update(&start);
    Ok(short(&hasher))
}

/// With its length, so that no two rows of texts are the same bytes.
fn hash_text(hasher: &mut blake3::Hasher, text: &str) {
    hasher.update(&(text.len() as u64).to_le_bytes());
    hasher.update(text.as_bytes());
}

fn short(hasher: &blake3::Hasher) -> String {
    hasher.finalize().to_hex().chars().take(16).collect()
}

/// Where the notes are; none where the user has no home.
pub(super) struct ResumeFolder(pub(super) Option<PathBuf>);

impl ResumeFolder {
    /// `$XDG_STATE_HOME/kpid/send`, or `~/.local/state/kpid/send`.
    pub(super) fn of_user() -> Self {
        let folder = |name: &str| {
            std::env::var_os(name)
                .filter(|folder| !folder.is_empty())
                .map(PathBuf::from)
        };
        let state = folder("XDG_STATE_HOME").or_else(|| Some(folder("HOME")?.join(".local/state")));
        Self(state.map(|state| state.join("kpid/send")))
    }

    /// How far a file got on its way to one destination.
    pub(super) fn progress(&self, fingerprint: &str, to: &str) -> Progress {
        let mut hasher = blake3::Hasher::new();
        hash_text(&mut hasher, fingerprint);
        hash_text(&mut hasher, to);
        let path = self.0.as_ref().map(|folder| folder.join(short(&hasher)));
        let noted = path.as_ref().and_then(|path| fs::read_to_string(path).ok());
        let reached = noted.and_then(|text| text.trim().parse().ok()).unwrap_or(0);
        Progress { path, reached }
    }
}

/// The note of one file.
pub(super) struct Progress {
    path: Option<PathBuf>,
    reached: u64,
}

impl Progress {
    /// The last number that was acknowledged; 0 when none was.
    pub(super) fn reached(&self) -> u64 {
        self.reached
    }

    /// Notes a number, whole or not at all.
    pub(super) fn note(&mut self, number: u64) -> io::Result<()> {
        self.reached = number;
        let Some(path) = &self.path else { return Ok(()) };
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let fresh = path.with_extension("new");
        fs::write(&fresh, format!("{number}\n"))?;
        fs::rename(&fresh, path)
    }

    /// Ends the note: all was sent, or all is to be sent.
    pub(super) fn forget(&mut self) {
        self.reached = 0;
        if let Some(path) = &self.path {
            // A note that stays behind costs a later run nothing but what it would send twice.
            let _ = fs::remove_file(path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_note_is_found_by_the_same_file_on_the_same_way_only() {
        let folder = tempfile::tempdir().unwrap();
        let resume = ResumeFolder(Some(folder.path().join("kpid/send")));
        let mut progress = resume.progress("f00d", "http://a");
        assert_eq!(progress.reached(), 0);
        progress.note(1_000).unwrap();
        progress.note(2_000).unwrap();
        assert_eq!(resume.progress("f00d", "http://a").reached(), 2_000);
        assert_eq!(resume.progress("f00d", "http://b").reached(), 0);
        assert_eq!(resume.progress("beef", "http://a").reached(), 0);
        progress.forget();
        assert_eq!(resume.progress("f00d", "http://a").reached(), 0);
        assert!(ResumeFolder(None).progress("f00d", "http://a").note(1).is_ok());
    }

    #[test]
    fn a_fingerprint_names_the_file_and_how_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let of = |name: &str, content: &str, kpi: Option<&str>| {
            let path = folder.path().join(name);
            fs::write(&path, content).unwrap();
            let words = FormWords {
                kpi,
                ..FormWords::default()
            };
            fingerprint(&path, &words).unwrap()
        };
        let first = of("a.csv", "at,value\n", Some("x"));
        assert_eq!(first.len(), 16);
        assert_eq!(first, of("a.csv", "at,value\n", Some("x")));
        for other in [
            of("b.csv", "at,value\n", Some("x")),
            of("a.csv", "at,value\n0,1\n", Some("x")),
            of("a.csv", "at,weight\n", Some("x")),
            of("a.csv", "at,value\n", Some("y")),
        ] {
            assert_ne!(first, other);
        }
    }
}
