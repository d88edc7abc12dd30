//! Instants: UTC, integer milliseconds since 1970.
//!
//! RFC 3339 text or epoch milliseconds enter, RFC 3339 in UTC leaves, with milliseconds only where they are not
//! zero. Nothing here asks what time it is.

mod minutes;

use std::fmt;
use std::time::Duration;

pub use minutes::Minutes;

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
        if let Some(instant) = Self::parse_utc(text.as_bytes()) {
            return Ok(instant);
        }
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

    /// Reads the form that machines write, `2026-03-01T10:00:00.250Z` with or without a fraction, of the years 1970 to
    /// 2199; `None` for any other, whether an instant or not. It takes a tenth of the time of the strict reader, which
    /// gives the same for what is read here.
    #[must_use]
    pub fn parse_utc(text: &[u8]) -> Option<Self> {
        let (date, rest) = text.split_first_chunk()?;
        let (time, rest) = rest.split_first_chunk()?;
        let (second, rest) = rest.split_first_chunk()?;
        let date = pairs(*date, *b"0000-00-")?;
        let time = pairs(*time, *b"00T00:00")?;
        let &[b':', s1 @ b'0'..=b'5', s2 @ b'0'..=b'9'] = second else {
            return None;
        };
        let (year, month, day) = (100 * two(date, 0) + two(date, 2), two(date, 5), two(time, 0));
        let (hour, minute, second) = (
            two(time, 3),
            two(time, 6),
            10 * i64::from(s1 - b'0') + i64::from(s2 - b'0'),
        );
        let is_time = (1..=12).contains(&month) && hour < 24 && minute < 60;
        if !is_time || !(1970..2200).contains(&year) || day == 0 || day > days_of(year, month) {
            return None;
        }
        let seconds = (days_before(year, month) + day - 1) * 86_400 + hour * 3_600 + minute * 60 + second;
        Some(Self(seconds * SECOND_MS + fraction_ms(rest)?))
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

/// Eight characters of an instant, where the form has digits or the same characters. Byte `n` of the result is the number
/// that the digits `n` and `n + 1` make: all are looked at together instead of one after the other.
fn pairs(text: [u8; 8], form: [u8; 8]) -> Option<u64> {
    const HIGHS: u64 = u64::from_le_bytes([0x80; 8]);
    // What makes a byte too large for it have its highest bit: 10 or more for a digit, 1 or more for anything else.
    let limits = u64::from_le_bytes(form.map(|byte| if byte == b'0' { 0x80 - 10 } else { 0x80 - 1 }));
    let digits = u64::from_le_bytes(text) ^ u64::from_le_bytes(form);
    // A sum runs over into the byte above it only where the byte is too large by itself.
    if (digits | digits.wrapping_add(limits)) & HIGHS != 0 {
        return None;
    }
    Some(digits.wrapping_mul(10).wrapping_add(digits >> 8))
}

/// The number that two digits make, from the place of the first.
fn two(pairs: u64, place: u32) -> i64 {
    (pairs >> (8 * place) & 0xFF) as i64
}

fn digit(byte: u8) -> Option<i64> {
    let digit = byte.wrapping_sub(b'0');
    (digit < 10).then_some(i64::from(digit))
}

/// The end of an instant behind its seconds: `Z`, or a fraction of one to nine digits and `Z`; finer than a millisecond
/// is cut off.
fn fraction_ms(rest: &[u8]) -> Option<i64> {
    match rest {
        [b'Z'] => Some(0),
        [b'.', d1 @ b'0'..=b'9', d2 @ b'0'..=b'9', d3 @ b'0'..=b'9', b'Z'] => {
            let [d1, d2, d3] = [d1, d2, d3].map(|digit| i64::from(digit - b'0'));
            Some(100 * d1 + 10 * d2 + d3)
        }
        [b'.', digits @ .., b'Z'] if (1..=9).contains(&digits.len()) => {
            let mut worth = SECOND_MS;
            digits.iter().try_fold(0, |ms, byte| {
                worth /= 10;
                Some(ms + worth * digit(*byte)?)
            })
        }
        _ => None,
    }
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_of(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 to the first of a month, in the Gregorian calendar. Counted in years that begin in March, so that
/// a leap day is the last of its year.
fn days_before(year: i64, month: i64) -> i64 {
    /// Days from 0000-03-01 to 1970-01-01.
    const TO_1970: i64 = 719_468;
    let (year, month) = if month > 2 {
        (year, month - 3)
    } else {
        (year - 1, month + 9)
    };
    365 * year + year / 4 - year / 100 + year / 400 + (153 * month + 2) / 5 - TO_1970
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
    fn the_quick_reader_says_what_the_strict_one_says_on_every_day() {
        let strict = |text: &str| text.parse::<jiff::Timestamp>().unwrap().as_millisecond();
        for day in 0..(Instant::LATEST.0 / DAY_MS) {
            let text = Instant(day * DAY_MS + day % DAY_MS).to_string();
            assert_eq!(
                Instant::parse_utc(text.as_bytes()),
                Some(Instant(strict(&text))),
                "{text}"
            );
        }
        for (fraction, ms) in [
            ("5", 500),
            ("05", 50),
            ("2509", 250),
            ("000999999", 0),
            ("123456789", 123),
        ] {
            let text = format!("1999-12-31T23:59:59.{fraction}Z");
            let found = Instant::parse_utc(text.as_bytes());
            assert_eq!(found, Some(Instant(946_684_799_000 + ms)), "{text}");
            assert_eq!(found.map(|at| at.0), Some(strict(&text)), "{text}");
        }
    }

    #[test]
    fn the_quick_reader_leaves_the_rest_to_the_strict_one() {
        for text in [
            "2026-02-29T10:00:00Z",
            "2100-02-29T10:00:00Z",
            "2026-04-31T10:00:00Z",
            "2026-13-01T10:00:00Z",
            "2026-00-01T10:00:00Z",
            "2026-01-00T10:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-01T10:60:00Z",
            "2026-01-01T10:00:60Z",
            "2026-01-01T10:00:00.Z",
            "2026-01-01T10:00:00.0000000001Z",
            "2026-01-01T10:00:00.1xZ",
            "2026-01-01T10:00:00+00:00",
            "2026-01-01t10:00:00z",
            "1969-12-31T23:59:59Z",
            "2200-01-01T00:00:00Z",
            "+026-01-01T10:00:00Z",
            "2026-01-01T10:00:0:Z",
            "",
        ] {
            assert_eq!(Instant::parse_utc(text.as_bytes()), None, "{text}");
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
