//! The bell: arguments -> library -> exit code.

fn main() {}
