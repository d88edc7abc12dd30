//! `kpid check`: reads settings and catalog, and reports everything that is wrong at once.
//!
//! Nothing is bound, written or connected to, so that it can stand before every start.

use super::args::CheckArgs;
use super::error::CliError;
use super::output;
use crate::settings::Settings;

/// Says `ok: ...` on stdout, or every problem on stderr.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    let settings = Settings::load(&args.settings.load_options())?;
    for warning in &settings.warnings {
        output::say(&format!("warning: {warning}"));
    }
    let files = settings.catalog_files()?;
    output::print(&format!("ok: {} scorecards\n", files.len()))
}
