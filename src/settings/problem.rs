//! What may be wrong with settings, each with the key, the value found, where it came from, and the remedy.

/// One thing to put right. Loading reports all of them at once.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsProblem {
    /// A file that is named cannot be read.
    #[error("{what} `{path}` cannot be read: {reason}: check the path and its permissions")]
    Unreadable {
        /// What the file is for: `settings file`, the key that names it, ...
        what: String,
        /// Its path.
        path: String,
        /// What the system said.
        reason: String,
    },
    /// A settings file is not TOML.
    #[error("settings file `{path}` is not TOML: {reason}")]
    Malformed {
        /// Its path.
        path: String,
        /// What is wrong, with line and column.
        reason: String,
    },
    /// Nobody reads this key.
    #[error("unknown key `{key}` in {origin}: {remedy}")]
    UnknownKey {
        /// The key found.
        key: String,
        /// Where it is.
        origin: String,
        /// The nearest known key, or where to find the list.
        remedy: String,
    },
    /// The value does not fit its key.
    #[error("`{key}` is `{found}` in {origin}: give {expected}")]
    WrongValue {
        /// The key.
        key: String,
        /// The value found; `***` for secrets.
        found: String,
        /// Where it is.
        origin: String,
        /// What would be right.
        expected: String,
    },
    /// Keys that contradict one another.
    #[error("{found}: {remedy}")]
    Contradiction {
        /// What contradicts what.
        found: String,
        /// What to do.
        remedy: String,
    },
    /// A folder that should hold scorecards does not.
    #[error("catalog folder `{path}` {found}: `kpid init` writes five scorecards to start from, or set `catalog`")]
    NoCatalog {
        /// The folder.
        path: String,
        /// What is wrong with it.
        found: &'static str,
    },
    /// Two catalog folders hold a file of the same name.
    #[error("`{name}` is in more than one catalog folder: rename one of them, because file names order the catalog")]
    TwiceInCatalog {
        /// The file name.
        name: String,
    },
}
