//! The bell: arguments -> library -> exit code.

use std::process::ExitCode;

/// Bodies and columns are taken on one thread and given back on another, megabytes at a time; the system's allocator asks
/// the kernel for many of them anew.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    kpid::cli::run(std::env::args_os())
}
