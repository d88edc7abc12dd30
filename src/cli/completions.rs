//! `kpid completions SHELL`: prints a script that completes kpid's commands.

use clap::CommandFactory;

use super::args::{Cli, CompletionsArgs};
use super::error::CliError;
use super::output;

/// Prints the script for one shell.
pub fn run(args: &CompletionsArgs) -> Result<(), CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "kpid", &mut script);
    output::print(&String::from_utf8_lossy(&script))
}
