//! A wall clock that jumps while the program runs: libfaketime between the program and the system. kpid itself has no way to
//! be told another time.

use std::path::{Path, PathBuf};

use super::daemon::Daemon;

/// The library in `KPID_TEST_FAKETIME`, else where Debian puts it.
fn library() -> PathBuf {
    let named = std::env::var_os("KPID_TEST_FAKETIME").map(PathBuf::from);
    let usual = ["x86_64-linux-gnu/", "aarch64-linux-gnu/", ""]
        .map(|machine| PathBuf::from(format!("/usr/lib/{machine}faketime/libfaketime.so.1")));
    named.into_iter().chain(usual).find(|path| path.is_file()).expect(
        "no libfaketime, so that nothing was shown about clocks that jump: `apt-get install faketime`, or name \
         libfaketime.so.1 in KPID_TEST_FAKETIME",
    )
}

/// A daemon whose wall clock follows [`set`]; waiting is not changed.
pub fn with_false_clock(daemon: Daemon) -> Daemon {
    let file = daemon.path("clock");
    set(&file, "+0");
    daemon
        .with("LD_PRELOAD", &library().display().to_string())
        .with("FAKETIME_TIMESTAMP_FILE", &file.display().to_string())
        .with("FAKETIME_NO_CACHE", "1")
        .with("DONT_FAKE_MONOTONIC", "1")
        .with("FAKETIME_DONT_FAKE_MONOTONIC", "1")
}

/// Sets the clock of a file by so much beside the system's: `-1d`, `+366d`, `+0`.
pub fn set(file: &Path, shift: &str) {
    // In one step, so that nobody reads half of it.
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{shift}\n")).expect("the clock");
    std::fs::rename(new, file).expect("the clock");
}
