//! Secrets: values that are used and never shown.
//!
//! A secret comes from a setting or from the file that its `*_file` twin names. Whatever prints it, prints `***`; the
//! only way to its text is [`Secret::reveal`], which is easy to search for.

use std::fmt;
use std::io;
use std::path::Path;

/// A password, token or seed. It has no serialised form on purpose.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(String);

impl Secret {
    /// Hides a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text itself, for the one who must send it.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether none is set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The secret in a file, without the line end that editors add. Says as well whether everybody on this machine
    /// may read the file.
    pub(super) fn read(path: &Path) -> io::Result<(Self, bool)> {
        let text = std::fs::read_to_string(path)?;
        let secret = Self::new(text.trim_end_matches(['\n', '\r']));
        Ok((secret, world_readable(path)?))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_empty() { "(none)" } else { "***" })
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

#[cfg(unix)]
fn world_readable(path: &Path) -> io::Result<bool> {
    use std::os::unix::fs::PermissionsExt;
    Ok(std::fs::metadata(path)?.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
fn world_readable(_path: &Path) -> io::Result<bool> {
    Ok(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_never_shown() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.reveal(), "hunter2");
    }

    #[test]
    fn a_secret_file_loses_its_line_end_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("token");
        std::fs::write(&path, " a b \r\n").unwrap();
        assert_eq!(Secret::read(&path).unwrap().0.reveal(), " a b ");
    }
}
