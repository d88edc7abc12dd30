//! Instants: UTC, integer milliseconds since 1970.
//!
//! RFC 3339 text or epoch milliseconds enter, RFC 3339 in UTC leaves, with milliseconds only where they are not
//! zero. Nothing here asks what time it is.

use std::fmt;
use std::time::Duration;

/// Milliseconds of a second, minute, hour and day.
pub const SECOND_MS: i64 = 1_000;
/// Milliseconds of a minute.
pub const MINUTE_MS: i64 = 60 * SECOND_MS;
/// Milliseconds of an hour.
pub const HOUR_MS: i64 = 60 * MINUTE_MS;
/// Milliseconds of a day of 24 hours.
pub const DAY_MS: i64 = 24 * HOUR_MS;

/// A point in time: UTC milliseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant(pub i64);

impl Instant {
    /// The earliest `observed_at` that is taken: 1970-01-01T00:00:00Z.
    pub const EARLIEST: Self = Self(0);
    /// The first instant that is too late to be taken: 2200-01-01T00:00:00Z.
    pub const LATEST: Self = Self(7_258_118_400_000);

    /// Reads an RFC 3339 string with an offset (`Z` or `+01:00`); finer than a millisecond is cut off downwards.
    pub fn parse(text: &str) -> Result<Self, InstantError> {
        let wrong = || InstantError {
            found: text.chars().take(64).collect(),
        };
        // jiff also takes forms beyond RFC 3339 (no seconds, bracketed zones); those are refused here.
        let bytes = text.as_bytes();
        let shape = bytes.len() >= 20
            && bytes.len() <= 40
            && matches!(bytes.get(10), Some(b'T' | b't' | b' '))
            && bytes.get(4) == Some(&b'-')
            && bytes.get(16) == Some(&b':')
            && !text.contains('[');
        if !shape {
            return Err(wrong());
        }
        let stamp: jiff::Timestamp = text.parse().map_err(|_| wrong())?;
        Ok(Self(stamp.as_nanosecond().div_euclid(1_000_000) as i64))
    }

    /// This instant plus a length of time; saturates at the ends of the range.
    #[must_use]
    pub fn plus_ms(self, ms: i64) -> Self {
        Self(self.0.saturating_add(ms))
    }

    /// This instant plus a duration; saturates.
    #[must_use]
    pub fn plus(self, duration: Duration) -> Self {
        self.plus_ms(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX))
    }

    /// Milliseconds from `earlier` to this instant; negative when it is later.
    pub fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// The smallest multiple of `every_ms` that is strictly greater.
    #[must_use]
    pub fn next_multiple(self, every_ms: i64) -> Self {
        Self((self.0.div_euclid(every_ms) + 1).saturating_mul(every_ms))
    }

    /// The smallest multiple of `every_ms` that is not smaller.
    #[must_use]
    pub fn round_up(self, every_ms: i64) -> Self {
        Self(self.0.saturating_sub(1)).next_multiple(every_ms)
    }
}

/// The text was not an instant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not an instant: write RFC 3339 with an offset, such as 2026-03-01T10:00:00Z")]
pub struct InstantError {
    /// What was found, cut to 64 characters.
    pub found: String,
}

impl fmt::Display for Instant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match jiff::Timestamp::from_millisecond(self.0) {
            Ok(stamp) if self.0.rem_euclid(SECOND_MS) == 0 => write!(f, "{stamp:.0}"),
            Ok(stamp) => write!(f, "{stamp:.3}"),
            Err(_) => write!(f, "{} ms", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_in_and_out() {
        for (text, ms, out) in [
            ("2026-03-01T10:00:00Z", 1_772_359_200_000, "2026-03-01T10:00:00Z"),
            ("2026-03-01T11:00:00+01:00", 1_772_359_200_000, "2026-03-01T10:00:00Z"),
            ("2026-03-01T10:00:00.25Z", 1_772_359_200_250, "2026-03-01T10:00:00.250Z"),
            ("2026-03-01T10:00:00.0009Z", 1_772_359_200_000, "2026-03-01T10:00:00Z"),
            ("1970-01-01T00:00:00Z", 0, "1970-01-01T00:00:00Z"),
            ("2200-01-01T00:00:00Z", Instant::LATEST.0, "2200-01-01T00:00:00Z"),
        ] {
            let instant = Instant::parse(text).unwrap();
            assert_eq!(instant.0, ms, "{text}");
            assert_eq!(instant.to_string(), out);
        }
    }

    #[test]
    fn a_time_without_offset_is_not_an_instant() {
        for text in [
            "2026-03-01T10:00:00",
            "2026-03-01",
            "yesterday",
            "",
            "2026-03-01T10:00:00+01:00[Europe/Berlin]",
        ] {
            assert!(Instant::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn multiples_are_strictly_later() {
        assert_eq!(Instant(0).next_multiple(10), Instant(10));
        assert_eq!(Instant(9).next_multiple(10), Instant(10));
        assert_eq!(Instant(10).round_up(10), Instant(10));
        assert_eq!(Instant(11).round_up(10), Instant(20));
        assert_eq!(Instant(-1).next_multiple(10), Instant(0));
    }
}
