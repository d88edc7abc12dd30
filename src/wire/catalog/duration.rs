//! Lengths of time as people write them: `90s`, `5m`, `1h`, `28d`, `2w`, `500ms`.
//!
//! Text enters, whole milliseconds leave, and back. One number and one unit; no fractions, no sums.

use crate::domain::instant::{DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS};

/// Units from the greatest to the smallest. A day is 24 hours, a week seven of them: lengths know no calendar.
const UNITS: [(&str, i64); 6] = [
    ("w", 7 * DAY_MS),
    ("d", DAY_MS),
    ("h", HOUR_MS),
    ("m", MINUTE_MS),
    ("s", SECOND_MS),
    ("ms", 1),
];

/// The longest length that is taken: a hundred years, so that sums of an instant and a length never overflow.
const LENGTH_MS_MAX: i64 = 36_525 * DAY_MS;

/// Milliseconds of a length; `None` when it is not one number and one unit, or beyond a hundred years.
pub(super) fn parse(text: &str) -> Option<i64> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    let (_, unit_ms) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let ms = number.parse::<i64>().ok()?.checked_mul(*unit_ms)?;
    (ms <= LENGTH_MS_MAX).then_some(ms)
}

/// A length in the greatest unit that divides it, weeks left out: `28d` reads better than `4w`.
pub(super) fn render(ms: i64) -> String {
    let whole = UNITS.iter().skip(1).find(|(_, unit_ms)| ms % unit_ms == 0);
    whole.map_or_else(
        || format!("{ms}ms"),
        |(name, unit_ms)| format!("{}{name}", ms / unit_ms),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_and_one_unit() {
        for (text, ms) in [
            ("500ms", 500),
            ("90s", 90_000),
            ("5m", 300_000),
            ("1h", 3_600_000),
            ("1d", 86_400_000),
            ("28d", 2_419_200_000),
            ("2w", 1_209_600_000),
            ("0s", 0),
        ] {
            assert_eq!(parse(text), Some(ms), "{text}");
        }
        for text in [
            "",
            "5",
            "m",
            "-5m",
            "1.5h",
            "1h30m",
            "5 m",
            "5M",
            "99999999999w",
            "1y",
            "٣d",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_length_is_written_as_it_is_read() {
        for text in ["500ms", "90s", "5m", "36h", "28d", "14d"] {
            assert_eq!(render(parse(text).unwrap()), text);
        }
    }
}
