//! `kpid demo`: the daemon on a throw-away journal, fed by the simulation of the four teams.

use std::path::PathBuf;

use super::args::DemoArgs;
use super::error::CliError;
use super::{output, serve};
use crate::app::demo::{DemoOptions, demo};
use crate::domain::catalog::CatalogFile;
use crate::settings::{LoadOptions, Settings};
use crate::wire::catalog::{self, DEFAULT_SCORECARDS};

/// Runs until Ctrl-C; nothing is kept.
pub fn run(args: &DemoArgs) -> Result<(), CliError> {
    let settings = Settings::load(&load_options(args))?;
    serve::start_logging(&settings)?;
    let file = |(name, text): &(&str, &str)| CatalogFile {
        name: (*name).to_owned(),
        text: (*text).to_owned(),
    };
    let files: Vec<CatalogFile> = DEFAULT_SCORECARDS.iter().map(file).collect();
    let catalog = catalog::parse(&files)
        .map_err(|problems| CliError::Wrong(problems.iter().map(ToString::to_string).collect()))?;
    let folder = Folder::make()?;
    let options = DemoOptions {
        seed: args.seed,
        days: args.days,
        folder: folder.0.clone(),
    };
    let days = args.days;
    demo(settings, catalog, &options, move |address| {
        serve::announce(address);
        output::say(&format!(
            "open http://{address}/ : four teams and their company, {days} days of history, then live. Ctrl-C ends it, nothing is kept."
        ));
    })
    .map_err(serve::error_of)
}

/// The demo's own settings: no files, no NATS unless asked for, few log lines.
fn load_options(args: &DemoArgs) -> LoadOptions {
    let mut overrides = vec![
        ("http.listen".to_owned(), args.listen.clone()),
        ("nats.url".to_owned(), args.nats.clone().unwrap_or_default()),
    ];
    if std::env::var_os("KPID_LOG__LEVEL").is_none() {
        overrides.push(("log.level".to_owned(), "warn".to_owned()));
    }
    LoadOptions {
        folder: None,
        ..LoadOptions::of_process(None, overrides)
    }
}

/// A folder of its own that goes with the demo.
struct Folder(PathBuf);

impl Folder {
    fn make() -> Result<Self, CliError> {
        let path = std::env::temp_dir().join(format!("kpid-demo-{}", std::process::id()));
        let failed = |error: std::io::Error| CliError::failed(format!("{} cannot be made: {error}", path.display()));
        // A demo of the same number that was killed may have left one.
        if path.exists() {
            std::fs::remove_dir_all(&path).map_err(failed)?;
        }
        std::fs::create_dir(&path).map_err(failed)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // It lies in the folder for temporary files: what cannot be removed now goes with the rest of it.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
