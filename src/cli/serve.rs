//! `kpid serve`: the daemon.

use super::args::ServeArgs;
use super::error::CliError;
use super::output;
use crate::app::serve::{self, HouseError};
use crate::domain::catalog::Catalog;
use crate::settings::Settings;
use crate::wire::catalog;

/// Runs until SIGTERM or Ctrl-C.
pub fn run(args: &ServeArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.load_options())?;
    start_logging(&settings)?;
    let catalog = load_catalog(&settings)?;
    serve::serve(settings, catalog, announce).map_err(error_of)
}

/// Tells programs and people where the house is: the first line on stdout.
pub(super) fn announce(address: std::net::SocketAddr) {
    // A reader that went away has no use for it.
    let _ = output::print(&format!("listening on http://{address}\n"));
}

pub(super) fn start_logging(settings: &Settings) -> Result<(), CliError> {
    serve::start_logging(settings).map_err(|error| CliError::wrong(error.to_string()))
}

fn load_catalog(settings: &Settings) -> Result<Catalog, CliError> {
    let files = settings.catalog_files()?;
    catalog::parse(&files).map_err(|problems| CliError::Wrong(problems.iter().map(ToString::to_string).collect()))
}

/// The exit code of a house's end: 2 wrong configuration, 3 damaged journal, 1 anything else.
pub(super) fn error_of(error: HouseError) -> CliError {
    match error {
        damage if damage.is_damage() => CliError::Damaged(damage.to_string()),
        wrong if wrong.is_wrong_configuration() => CliError::wrong(wrong.to_string()),
        other => CliError::failed(other.to_string()),
    }
}
