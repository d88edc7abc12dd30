//! The bell: arguments -> library -> exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First of all: nothing else is sure to run where it has to complain.
    if let Some(complaint) = kpid::app::processor::complaint() {
        kpid::cli::output::say(&complaint);
        return ExitCode::FAILURE;
    }
    kpid::cli::run(std::env::args_os())
}
