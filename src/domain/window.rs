//! Windows: which slices a reading sees, and when it will see others.
//!
//! Slices are half open, `[start, end)`, and `observed_at` decides. A reading at instant `t` looks at what was observed
//! before `t`: everything is counted from `t - 1 ms`. So a window moves one millisecond after a slice has ended, and a
//! reading at the very end of a slice, day or month still sees it whole.
//!
//! Nothing here holds data; a slice is a number that grows with time. Rolling windows count slices from the epoch, day
//! windows count hours of local days, the other periods local days, `all` UTC days.

use super::calendar::{Calendar, HOURS_OF_DAY, Period};
use super::catalog::Window;
use super::instant::{DAY_MS, Instant};

/// What a window shows at one instant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct View {
    /// First slice seen.
    pub first: i64,
    /// Last slice seen.
    pub last: i64,
    /// Where what it sees is divided for merging: a slice at which windows of its length meet, so that all that see both
    /// sides of it share them. `first` where nothing is divided.
    pub turn: i64,
    /// Length in ms, for rates: a rolling window's full length, a running period's part until now.
    pub length_ms: i64,
    /// Where the period ends; `None` for rolling windows and `all`.
    pub period_end: Option<Instant>,
}

impl Window {
    /// The slice of an instant.
    #[inline]
    pub fn slice_of(&self, calendar: &Calendar, instant: Instant) -> i64 {
        match self {
            Self::Rolling { slice_ms, .. } => instant.0.div_euclid(*slice_ms),
            Self::Period {
                period: Period::Day, ..
            } => calendar.hour_of(instant),
            Self::Period { .. } => calendar.day_of(instant),
            Self::All => instant.0.div_euclid(DAY_MS),
        }
    }

    /// The instant at which a slice ends.
    pub fn slice_end(&self, calendar: &Calendar, slice: i64) -> Instant {
        match self {
            Self::Rolling { slice_ms, .. } => Instant((slice + 1).saturating_mul(*slice_ms)),
            Self::Period {
                period: Period::Day, ..
            } => calendar.hour_end(slice),
            Self::Period { .. } => calendar.day_start(slice + 1),
            Self::All => Instant((slice + 1).saturating_mul(DAY_MS)),
        }
    }

    /// The instant at which a slice starts.
    pub fn slice_start(&self, calendar: &Calendar, slice: i64) -> Instant {
        match self {
            Self::Period {
                period: Period::Day, ..
            } if slice.rem_euclid(HOURS_OF_DAY) == 0 => calendar.day_start(slice.div_euclid(HOURS_OF_DAY)),
            _ => self.slice_end(calendar, slice - 1),
        }
    }

    /// What the window shows at `at`.
    #[inline]
    pub fn view(&self, calendar: &Calendar, at: Instant) -> View {
        let before = at.plus_ms(-1);
        match *self {
            Self::Rolling { slices, slice_ms } => {
                let last = before.0.div_euclid(slice_ms);
                View {
                    first: last - slices + 1,
                    last,
                    turn: last - last.rem_euclid(slices),
                    length_ms: slices * slice_ms,
                    period_end: None,
                }
            }
            Self::Period {
                period,
                complete,
                weeks,
            } => {
                let (mut first, mut end) = calendar.period_of(period, weeks, calendar.day_of(before));
                if complete && calendar.day_start(end) > at {
                    (first, end) = calendar.period_of(period, weeks, first - 1);
                }
                let (start, period_end) = (calendar.day_start(first), calendar.day_start(end));
                let last = if complete { period_end.plus_ms(-1) } else { before };
                let first = self.slice_of(calendar, start);
                View {
                    first,
                    turn: first,
                    last: self.slice_of(calendar, last),
                    length_ms: if complete { period_end } else { at }.since(start),
                    period_end: Some(period_end),
                }
            }
            Self::All => View {
                first: i64::MIN,
                turn: i64::MIN,
                last: self.slice_of(calendar, before),
                length_ms: 0,
                period_end: None,
            },
        }
    }

    /// The first instant after `at` at which a window with data in it, or ahead of it, looks at other slices.
    /// `oldest` is the oldest slice with data that is seen at `at`, `coming` the oldest with data ahead of it.
    #[inline]
    pub fn next_change(
        &self,
        calendar: &Calendar,
        at: Instant,
        oldest: Option<i64>,
        coming: Option<i64>,
    ) -> Option<Instant> {
        let is_complete = matches!(self, Self::Period { complete: true, .. });
        // What is ahead of a complete period is seen when its own period has ended, not before.
        let enters = coming
            .filter(|_| !is_complete)
            .map(|slice| self.slice_start(calendar, slice).plus_ms(1));
        let leaves = match *self {
            Self::Rolling { slices, slice_ms } => oldest.map(|slice| Instant((slice + slices) * slice_ms + 1)),
            Self::Period {
                period,
                complete,
                weeks,
            } => {
                let (_, end) = calendar.period_of(period, weeks, calendar.day_of(at));
                let end = calendar.day_start(end);
                if complete {
                    Some(end)
                } else {
                    // Also without data: whether a reading is provisional goes with the period.
                    Some(self.running_end(calendar, at))
                }
            }
            Self::All => None,
        };
        [enters, leaves]
            .into_iter()
            .flatten()
            .filter(|change| *change > at)
            .min()
    }

    /// When the running period's reading changes by itself: at its end it becomes final, just after it is over.
    fn running_end(&self, calendar: &Calendar, at: Instant) -> Instant {
        match self.view(calendar, at).period_end {
            Some(end) if end > at => end,
            _ => at.plus_ms(1),
        }
    }

    /// The instant of the reading one window or one period earlier, where there is such a thing: a rolling window's
    /// length before; for a period its predecessor's end.
    pub fn previous(&self, calendar: &Calendar, at: Instant) -> Option<Instant> {
        match *self {
            Self::Rolling { slices, slice_ms } => Some(at.plus_ms(-slices * slice_ms)),
            Self::Period { .. } => {
                let view = self.view(calendar, at);
                let start = self.slice_start(calendar, view.first);
                Some(start)
            }
            Self::All => None,
        }
    }

    /// The last instant at which the window shows a slice; never for everything.
    pub fn last_sight(&self, calendar: &Calendar, slice: i64) -> Instant {
        match *self {
            Self::Rolling { slices, slice_ms } => Instant((slice + slices).saturating_mul(slice_ms)),
            Self::Period {
                period,
                complete,
                weeks,
            } => {
                let day = calendar.day_of(self.slice_start(calendar, slice));
                let (_, end) = calendar.period_of(period, weeks, day);
                if !complete {
                    return calendar.day_start(end);
                }
                let (_, next) = calendar.period_of(period, weeks, end);
                calendar.day_start(next).plus_ms(-1)
            }
            Self::All => Instant(i64::MAX),
        }
    }

    /// Whether slices that ended this long ago can still matter to a reading of now: beyond it they may be dropped.
    pub fn reach_ms(&self) -> Option<i64> {
        match *self {
            Self::Rolling { slices, slice_ms } => Some((slices + 1) * slice_ms),
            // The complete year before this one, with a 53rd week and a change of offset to spare.
            Self::Period { .. } => Some(2 * 372 * DAY_MS),
            Self::All => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::WeekStart;

    fn view(window: Window, at: i64) -> (i64, i64) {
        let view = window.view(&Calendar::utc(), Instant(at));
        (view.first, view.last)
    }

    #[test]
    fn a_rolling_window_sees_what_was_observed_before() {
        let window = Window::Rolling {
            slices: 3,
            slice_ms: 10,
        };
        assert_eq!(view(window, 30), (0, 2), "at the end of a slice it is still seen whole");
        assert_eq!(view(window, 31), (1, 3), "a millisecond later the next one runs");
    }

    #[test]
    fn a_rolling_window_moves_when_its_oldest_data_leave() {
        let window = Window::Rolling {
            slices: 3,
            slice_ms: 10,
        };
        let change = |oldest, coming| window.next_change(&Calendar::utc(), Instant(30), oldest, coming);
        assert_eq!(change(Some(0), None), Some(Instant(31)));
        assert_eq!(change(Some(2), None), Some(Instant(51)));
        assert_eq!(change(None, Some(4)), Some(Instant(41)));
        assert_eq!(change(None, None), None);
    }

    #[test]
    fn a_period_is_seen_until_its_very_end() {
        let calendar = Calendar::new("Europe/Berlin", WeekStart::Monday, 1).unwrap();
        let window = Window::Period {
            period: Period::Month,
            complete: false,
            weeks: None,
        };
        let end = calendar.midnight(2026, 4, 1).unwrap();
        let march = window.view(&calendar, end);
        assert_eq!(march.period_end, Some(end));
        assert_eq!(march.last - march.first, 30);
        assert_eq!(march.length_ms, 31 * DAY_MS - 3_600_000, "March loses an hour");
        let april = window.view(&calendar, end.plus_ms(1));
        assert_eq!(april.first, march.last + 1);
        assert_eq!(april.length_ms, 1);
    }

    #[test]
    fn a_complete_period_takes_over_at_its_end() {
        let calendar = Calendar::utc();
        let window = Window::Period {
            period: Period::Day,
            complete: true,
            weeks: None,
        };
        let day = |at| window.view(&calendar, Instant(at)).first / HOURS_OF_DAY;
        assert_eq!(day(10 * DAY_MS - 1), 8);
        assert_eq!(day(10 * DAY_MS), 9);
        assert_eq!(day(10 * DAY_MS + 1), 9);
        assert_eq!(
            window.next_change(&calendar, Instant(10 * DAY_MS), None, None),
            Some(Instant(11 * DAY_MS))
        );
    }

    #[test]
    fn a_running_period_changes_at_its_end_and_just_after() {
        let calendar = Calendar::utc();
        let window = Window::Period {
            period: Period::Day,
            complete: false,
            weeks: None,
        };
        let change = |at| window.next_change(&calendar, Instant(at), Some(1), None);
        assert_eq!(change(5), Some(Instant(DAY_MS)));
        assert_eq!(change(DAY_MS), Some(Instant(DAY_MS + 1)));
    }
}
