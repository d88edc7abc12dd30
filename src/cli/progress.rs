//! A bar on stderr for work that takes a while, where stderr is a terminal.

use indicatif::{ProgressBar, ProgressStyle};

/// A bar over work whose length is known from the first word on.
pub(super) struct Progress {
    bar: ProgressBar,
}

impl Progress {
    /// What is being done, in one word or two.
    pub(super) fn of(what: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %, {eta} left") {
            bar.set_style(style.progress_chars("#- "));
        }
        bar.set_message(what);
        Self { bar }
    }

    /// So much of so much is done.
    pub(super) fn told(&self, done: u64, total: u64) {
        self.bar.set_length(total);
        self.bar.set_position(done);
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
