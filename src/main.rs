//! The bell: arguments -> library -> exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    kpid::cli::run(std::env::args_os())
}
