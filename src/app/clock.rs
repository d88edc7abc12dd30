//! Clocks: the wall's, and one that plays.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::instant::Instant;
use crate::ports::Clock;

/// The wall clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place where the wall clock is read"
    )]
    fn now(&self) -> Instant {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Instant(since.map_or(0, |since| since.as_millis() as i64))
    }
}

/// A clock that is set by hand while a history is played, and is the wall's afterwards.
#[derive(Debug, Default)]
pub struct PlayClock {
    /// The instant it is set to; `i64::MIN` for the wall's.
    set: AtomicI64,
}

impl PlayClock {
    /// A clock that stands at an instant.
    pub fn at(instant: Instant) -> Self {
        Self {
            set: AtomicI64::new(instant.0),
        }
    }

    /// Sets it.
    pub fn set(&self, instant: Instant) {
        self.set.store(instant.0, Ordering::Release);
    }

    /// From now on it is the wall's.
    pub fn follow_the_wall(&self) {
        self.set.store(i64::MIN, Ordering::Release);
    }
}

impl Clock for PlayClock {
    fn now(&self) -> Instant {
        match self.set.load(Ordering::Acquire) {
            i64::MIN => SystemClock.now(),
            set => Instant(set),
        }
    }
}
