//! `kpid serve`: the daemon.

use super::args::ServeArgs;
use super::error::CliError;
use super::output;
use crate::app::serve::{HouseError, serve};
use crate::domain::catalog::Catalog;
use crate::ports::JournalError;
use crate::settings::{LogFormat, Settings};
use crate::telemetry::{Form, start_logs};
use crate::wire::catalog;

/// Runs until SIGTERM or Ctrl-C.
pub fn run(args: &ServeArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.load_options())?;
    start_logging(&settings)?;
    let catalog = load_catalog(&settings)?;
    serve(settings, catalog, announce).map_err(error_of)
}

/// Tells programs and people where the house is: the first line on stdout.
pub(super) fn announce(address: std::net::SocketAddr) {
    // A reader that went away has no use for it.
    let _ = output::print(&format!("listening on http://{address}\n"));
}

pub(super) fn start_logging(settings: &Settings) -> Result<(), CliError> {
    let form = match settings.log.format {
        LogFormat::Text => Form::Text,
        LogFormat::Json => Form::Json,
    };
    start_logs(form, settings.log.level.word()).map_err(|error| CliError::wrong(error.to_string()))?;
    for warning in &settings.warnings {
        tracing::warn!(warning, "settings");
    }
    Ok(())
}

fn load_catalog(settings: &Settings) -> Result<Catalog, CliError> {
    let files = settings.catalog_files()?;
    catalog::parse(&files).map_err(|problems| CliError::Wrong(problems.iter().map(ToString::to_string).collect()))
}

/// The exit code of a house's end: 2 wrong configuration, 3 damaged journal, 1 anything else.
pub(super) fn error_of(error: HouseError) -> CliError {
    match error {
        HouseError::Journal(damaged @ JournalError::Damaged { .. }) => CliError::Damaged(damaged.to_string()),
        HouseError::Wrong(words) => CliError::wrong(words),
        listen @ HouseError::Listen { .. } => CliError::wrong(listen.to_string()),
        other => CliError::failed(other.to_string()),
    }
}
