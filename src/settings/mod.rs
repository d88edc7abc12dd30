//! HOUSE RULES: every setting of kpid, its default, and what it may be.
//!
//! Layers enter (built-in defaults < `config/kpid.toml` < `--config FILE` < environment < flags), one checked
//! [`Settings`] leaves, or the list of everything that is wrong with them. `config/kpid.toml` is the only place where a
//! default is written: it is embedded here as the lowest layer, so that the file people read and the value the code
//! takes cannot drift apart.
//!
//! Nothing here acts on a setting, and nothing here ever shows a secret.

mod catalog_folder;
mod layers;
mod nats;
mod problem;
mod read;
mod secret;
mod sections;
mod units;

use std::net::SocketAddr;
use std::path::PathBuf;

pub use catalog_folder::catalog_files;
pub use nats::{NatsAuth, NatsSettings, NatsStreams, NatsTls};
pub use problem::SettingsProblem;
pub use secret::Secret;
pub use sections::{
    HttpSettings, IngestSettings, JournalSettings, LogFormat, LogLevel, LogSettings, PastSettings, ProjectionSettings,
    ShutdownSettings,
};
pub use units::{parse_duration, parse_size};

use crate::domain::catalog::CatalogFile;
use layers::Layers;
use read::Reader;

/// `config/kpid.toml`: every key with its default and a sentence about it.
pub const DEFAULT_SETTINGS: &str = include_str!("../../config/kpid.toml");

/// Where settings come from besides the built-in defaults; later fields win over earlier ones.
#[derive(Debug, Clone, Default)]
pub struct LoadOptions {
    /// Defaults of one command that differ from the built-in ones, as (key, text): `demo` goes without NATS.
    pub command_defaults: Vec<(String, String)>,
    /// Folder in which `config/kpid.toml` is looked for; `None` looks for none.
    pub folder: Option<PathBuf>,
    /// `--config FILE`.
    pub config_file: Option<PathBuf>,
    /// Variables; those that begin with `KPID_` count, without `KPID_TEST_`.
    pub environment: Vec<(String, String)>,
    /// Flags as (key, text).
    pub overrides: Vec<(String, String)>,
}

impl LoadOptions {
    /// From this process: its working folder and its environment.
    pub fn of_process(config_file: Option<PathBuf>, overrides: Vec<(String, String)>) -> Self {
        let texts =
            std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
        Self {
            command_defaults: Vec::new(),
            folder: Some(PathBuf::from(".")),
            config_file,
            environment: texts.collect(),
            overrides,
        }
    }
}

/// Everything that can be set, checked.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The journal is in `data_dir/journal`, derived state in `data_dir/state`.
    pub data_dir: PathBuf,
    /// Folders of `*.toml`, one scorecard a file; never empty.
    pub catalog: Vec<PathBuf>,
    /// The HTTP door and windows.
    pub http: HttpSettings,
    /// Limits on what comes in.
    pub ingest: IngestSettings,
    /// The archive.
    pub journal: JournalSettings,
    /// Windows and checkpoints.
    pub projection: ProjectionSettings,
    /// Questions about what was known.
    pub past: PastSettings,
    /// The NATS door and post room.
    pub nats: NatsSettings,
    /// Words on stderr.
    pub log: LogSettings,
    /// How the house closes.
    pub shutdown: ShutdownSettings,
    /// What is allowed and unwise, one sentence each, for the log.
    pub warnings: Vec<String>,
}

impl Settings {
    /// Merges all layers and checks them; the error lists everything that is wrong, in no need of a second try.
    pub fn load(options: &LoadOptions) -> Result<Self, Vec<SettingsProblem>> {
        let (settings, problems) = Self::inspect(options);
        if problems.is_empty() {
            Ok(settings)
        } else {
            Err(problems)
        }
    }

    /// Like [`Settings::load`], for those who want to go on looking for problems: where a value is wrong, a stand-in
    /// takes its place. Settings with problems are for looking at, not for use.
    pub fn inspect(options: &LoadOptions) -> (Self, Vec<SettingsProblem>) {
        let mut reader = Reader::new(Layers::merge(options));
        let mut settings = Self::read(&mut reader);
        settings.check(&mut reader);
        settings.warnings = reader.warnings;
        (settings, reader.problems)
    }

    /// Where the journal is.
    pub fn journal_dir(&self) -> PathBuf {
        self.data_dir.join("journal")
    }

    /// Where derived state is.
    pub fn state_dir(&self) -> PathBuf {
        self.data_dir.join("state")
    }

    /// Where people find the dashboard, without a slash at its end: `http.base_url`, or else the address listened on.
    pub fn base_url(&self, listening: SocketAddr) -> String {
        match self.http.base_url.trim_end_matches('/') {
            "" => format!("http://{listening}"),
            url => url.to_owned(),
        }
    }

    /// Where past states are kept to begin from; also those of a journal that another process writes, beside its folder.
    pub fn milestones_dir(&self) -> PathBuf {
        self.state_dir().join("milestones")
    }

    /// The files of the catalog, sorted by name.
    pub fn catalog_files(&self) -> Result<Vec<CatalogFile>, Vec<SettingsProblem>> {
        catalog_files(&self.catalog)
    }

    fn read(reader: &mut Reader) -> Self {
        Self {
            data_dir: reader.parsed("data_dir", "a folder", PathBuf::new(), |text| {
                Some(text).filter(|text| !text.is_empty()).map(PathBuf::from)
            }),
            catalog: reader.list("catalog").into_iter().map(PathBuf::from).collect(),
            http: HttpSettings::read(reader),
            ingest: IngestSettings::read(reader),
            journal: JournalSettings::read(reader),
            projection: ProjectionSettings::read(reader),
            past: PastSettings::read(reader),
            nats: NatsSettings::read(reader),
            log: LogSettings::read(reader),
            shutdown: ShutdownSettings::read(reader),
            warnings: Vec::new(),
        }
    }

    /// What no key can see alone.
    fn check(&self, reader: &mut Reader) {
        if self.catalog.is_empty() {
            reader.wrong("catalog", "", "one or more folders that hold scorecards");
        }
        if self.ingest.measurement_len_max > self.http.body_len_max {
            reader.contradiction(
                "`ingest.measurement_len_max` is greater than `http.body_len_max`",
                "a measurement must fit into a request: make the one smaller or the other greater",
            );
        }
        if !self.http.listen.ip().is_loopback() && self.http.token.is_empty() {
            let listen = self.http.listen;
            reader.warnings.push(format!(
                "`http.listen` is {listen}, which other machines may reach, and `http.token` is empty: \
                 anybody there can read and write"
            ));
        }
    }
}

impl Default for Settings {
    /// The built-in defaults alone. `config/kpid.toml` is part of the program, and a test holds that it loads.
    #[expect(
        clippy::panic,
        reason = "an embedded file that does not load is a broken build, found by any test"
    )]
    fn default() -> Self {
        match Self::load(&LoadOptions::default()) {
            Ok(settings) => settings,
            Err(problems) => panic!("the embedded config/kpid.toml is wrong: {problems:?}"),
        }
    }
}

#[cfg(test)]
mod tests;
