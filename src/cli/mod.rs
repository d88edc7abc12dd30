//! The command line: one file a command.
//!
//! Arguments enter, an exit code leaves: 0 done, 1 failed, 2 wrong usage or configuration, 3 damaged journal. Data goes
//! to stdout, words to stderr; a reader that closes the pipe early ends the command quietly. No command holds logic of
//! its own beyond its arguments and the form of its answer.

pub mod alerts;
pub mod args;
pub mod ask;
pub mod check;
pub mod completions;
pub mod demo;
pub mod doctor;
pub mod error;
pub mod explain;
pub mod from_journal;
pub mod init;
pub mod journal;
mod lines;
pub mod output;
mod progress;
pub mod reload;
pub mod replay;
pub mod restatement;
pub mod scorecard;
pub mod send;
pub mod serve;
mod what_if;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use args::{Cli, Command};
pub use error::CliError;

/// Runs one command line, `args` with the program's name first.
pub fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    match Cli::try_parse_from(args) {
        Ok(cli) => error::exit(dispatch(cli.command)),
        Err(usage) => {
            // Help and version are data, everything else is words; clap knows which. A closed pipe is no failure.
            let _ = usage.print();
            ExitCode::from(u8::try_from(usage.exit_code()).unwrap_or(2))
        }
    }
}

fn dispatch(command: Command) -> Result<ExitCode, CliError> {
    match command {
        Command::Send(args) => return Ok(send::run(&args)?),
        Command::Doctor(args) => return doctor::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Check(args) => check::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Scorecard(args) => scorecard::run(&args, from_journal::scorecard),
        Command::Explain(args) => explain::run(&args, from_journal::explain),
        Command::Restatement(args) => restatement::run(&args, from_journal::restatement),
        Command::Alerts(args) => alerts::run(&args, from_journal::alerts),
        Command::Reload(args) => reload::run(&args),
        Command::Journal(args) => journal::run(&args),
        Command::Completions(args) => completions::run(&args),
    }?;
    Ok(ExitCode::SUCCESS)
}
