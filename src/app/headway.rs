//! How far the replay at the start is: for whoever asks `/readyz`, for the log, and for people at a terminal.
//!
//! Sequences enter as they are applied. Where stderr is a terminal a bar is drawn, else a line is logged every few seconds with
//! percent, rate and what is left. A replay that is over in a moment says nothing.

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressStyle};
use tracing::info;

use crate::domain::id::Sequence;
use crate::pipeline::live::House;

/// Until then a replay is no news.
const QUIET: Duration = Duration::from_secs(1);
/// Time between two lines in the log.
const SAY_EVERY: Duration = Duration::from_secs(5);
/// So often the time is looked at: blocks may be as small as one fact.
const LOOK_EVERY_FACTS: u64 = 8_192;

/// How far it is.
pub struct Headway {
    house: Arc<House>,
    first: u64,
    end: u64,
    /// The sequence at which the time is looked at next.
    look_at: u64,
    began: Instant,
    said: Instant,
    bar: Option<ProgressBar>,
}

impl Headway {
    /// Told to whoever asks the house.
    pub fn new(house: Arc<House>) -> Self {
        let now = Instant::now();
        Self {
            house,
            first: 0,
            end: 0,
            look_at: 0,
            began: now,
            said: now,
            bar: None,
        }
    }

    /// A replay begins behind `applied` and ends before `next`.
    pub(super) fn begin(&mut self, applied: Sequence, next: Sequence) {
        (self.first, self.end, self.look_at) = (applied.0, next.0.saturating_sub(1), applied.0 + LOOK_EVERY_FACTS);
        self.began = Instant::now();
        self.said = self.began;
        self.house.applied.store(applied.0, Ordering::Release);
    }

    /// Everything up to here is applied.
    pub(super) fn reached(&mut self, applied: Sequence) {
        self.house.applied.store(applied.0, Ordering::Release);
        if applied.0 >= self.look_at {
            self.look_at = applied.0 + LOOK_EVERY_FACTS;
            self.look(applied.0);
        }
    }

    fn look(&mut self, applied: u64) {
        let elapsed = self.began.elapsed();
        if elapsed < QUIET {
            return;
        }
        if let Some(bar) = &self.bar {
            bar.set_position(applied - self.first);
        } else if std::io::stderr().is_terminal() {
            self.bar = Some(bar(self.end - self.first));
        } else if self.said.elapsed() >= SAY_EVERY {
            self.said = Instant::now();
            let (done, all) = (applied - self.first, self.end - self.first);
            let rate = done as f64 / elapsed.as_secs_f64();
            let percent = done * 100 / all.max(1);
            let seconds_left = (all - done) as f64 / rate.max(1.0);
            info!(
                percent,
                facts_per_second = rate as u64,
                seconds_left = seconds_left as u64,
                "replaying the journal"
            );
        }
    }

    /// The replay is over.
    pub(super) fn finish(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
    }
}

fn bar(len: u64) -> ProgressBar {
    let bar = ProgressBar::new(len);
    let form =
        "replaying the journal: {human_pos} of {human_len} facts [{wide_bar}] {percent:>3} %, {per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("#- "));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_hears_how_far_it_is_from_the_first_block_on() {
        let house = Arc::new(House::default());
        let applied = || house.applied.load(Ordering::Acquire);
        let mut headway = Headway::new(Arc::clone(&house));
        headway.begin(Sequence(40), Sequence(1_000_001));
        assert_eq!(applied(), 40);
        for sequence in [41, 500_000, 1_000_000] {
            headway.reached(Sequence(sequence));
            assert_eq!(applied(), sequence);
        }
        headway.finish();
    }
}
