//! How far a long replay is, on stderr where that is a terminal.
//!
//! Numbers enter, a bar is drawn; where the end is not known, a count and a rate. Nothing is drawn into files and pipes.

use indicatif::{ProgressBar, ProgressStyle};

use super::output;

/// A bar on the user's terminal.
pub(super) struct Progress(ProgressBar);

impl Progress {
    /// A bar over so many facts, or a count without an end.
    pub fn over(total: Option<u64>) -> Self {
        let (bar, form) = match total {
            Some(total) => (
                ProgressBar::new(total),
                "{human_pos} of {human_len} facts [{wide_bar}] {percent:>3} %, {per_sec}, {eta} left",
            ),
            None => (ProgressBar::new_spinner(), "{human_pos} measurements, {per_sec}"),
        };
        if let Ok(style) = ProgressStyle::with_template(form) {
            bar.set_style(style.progress_chars("#- "));
        }
        Self(bar)
    }

    /// A bar over work that tells how long it is on its way; what is being done, in one word or two.
    pub fn of(what: &'static str) -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{msg} [{wide_bar}] {percent:>3} %, {eta} left") {
            bar.set_style(style.progress_chars("#- "));
        }
        bar.set_message(what);
        Self(bar)
    }

    /// So much of so much is done.
    pub fn told(&self, done: u64, total: u64) {
        self.0.set_length(total);
        self.0.set_position(done);
    }

    /// So many are done.
    pub fn reached(&self, count: u64) {
        self.0.set_position(count);
    }

    /// Words above the bar.
    pub fn say(&self, words: &str) {
        self.0.suspend(|| output::say(words));
    }

    /// Nothing is drawn any more.
    pub fn finish(&self) {
        self.0.finish_and_clear();
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
