//! Durations and sizes as people write them: `1h30m`, `250ms`, `16MiB`.
//!
//! Text enters, a typed quantity leaves, or `None` when the text is not one. Nothing is rounded and nothing is
//! guessed: a duration without a unit is refused, because `5` means seconds to one reader and minutes to the next.

use std::time::Duration;

/// Units of durations in milliseconds, as they may be written.
const DURATION_UNITS: [(&str, u64); 6] = [
    ("ms", 1),
    ("s", 1_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Units of sizes in bytes, as they may be written; a bare number counts bytes.
const SIZE_UNITS: [(&str, u64); 9] = [
    ("", 1),
    ("B", 1),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
    ("TiB", 1 << 40),
    ("kB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
];

/// How a duration is written, for messages.
pub(super) const DURATION_FORM: &str = "a duration such as `250ms`, `30s`, `5m`, `1h30m`, `7d` or `2w`";

/// How a size is written, for messages.
pub(super) const SIZE_FORM: &str = "a size such as `512`, `64KiB`, `16MiB` or `10GiB`";

/// A duration from one or more whole numbers with units (`ms`, `s`, `m`, `h`, `d`, `w`), which add up.
///
/// ```
/// # use std::time::Duration;
/// assert_eq!(kpid::settings::parse_duration("1h30m"), Some(Duration::from_secs(5400)));
/// assert_eq!(kpid::settings::parse_duration("5"), None);
/// ```
pub fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total: u64 = 0;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let (count, after_number) = leading_number(rest)?;
        let unit_len = after_number
            .find(|c: char| c.is_ascii_digit())
            .unwrap_or(after_number.len());
        let (unit, tail) = after_number.split_at_checked(unit_len)?;
        let (_, factor) = DURATION_UNITS.iter().find(|(name, _)| *name == unit.trim())?;
        total = total.checked_add(count.checked_mul(*factor)?)?;
        rest = tail;
    }
    Some(Duration::from_millis(total))
}

/// A size in bytes: a whole number and perhaps a unit (`KiB`, `MiB`, `GiB`, `TiB`, `kB`, `MB`, `GB`, `B`).
///
/// ```
/// assert_eq!(kpid::settings::parse_size("64KiB"), Some(65_536));
/// ```
pub fn parse_size(text: &str) -> Option<u64> {
    let (count, unit) = leading_number(text.trim())?;
    let (_, factor) = SIZE_UNITS.iter().find(|(name, _)| *name == unit.trim())?;
    count.checked_mul(*factor)
}

/// A duration in the largest units that say it exactly, for messages.
pub(super) fn duration_text(duration: Duration) -> String {
    let mut rest = duration.as_millis() as u64;
    let parts = DURATION_UNITS.iter().rev().filter_map(|(unit, factor)| {
        let count = rest / factor;
        rest %= factor;
        (count > 0).then(|| format!("{count}{unit}"))
    });
    let text: String = parts.collect();
    if text.is_empty() { "0ms".to_owned() } else { text }
}

/// A size in the largest binary unit that says it exactly, for messages.
pub(super) fn size_text(bytes: u64) -> String {
    let binary = [
        ("TiB", 1_u64 << 40),
        ("GiB", 1 << 30),
        ("MiB", 1 << 20),
        ("KiB", 1 << 10),
    ];
    let whole = binary
        .iter()
        .find(|(_, factor)| bytes >= *factor && bytes.is_multiple_of(*factor));
    whole.map_or_else(
        || format!("{bytes}B"),
        |(unit, factor)| format!("{}{unit}", bytes / factor),
    )
}

fn leading_number(text: &str) -> Option<(u64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at_checked(end)?;
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_whole_numbers_with_units_that_add_up() {
        for (text, ms) in [
            ("0s", 0),
            ("250ms", 250),
            ("30s", 30_000),
            ("1h30m", 5_400_000),
            ("400d", 34_560_000_000),
            ("2w", 1_209_600_000),
            (" 5m ", 300_000),
        ] {
            assert_eq!(parse_duration(text), Some(Duration::from_millis(ms)), "{text}");
        }
    }

    #[test]
    fn a_duration_without_a_unit_or_with_a_strange_one_is_refused() {
        for text in [
            "",
            "5",
            "m",
            "5 minutes",
            "1.5h",
            "-5m",
            "5m3",
            "99999999999999999999d",
            "18446744073709551615w",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
    }

    #[test]
    fn sizes_count_bytes_in_binary_and_decimal_units() {
        for (text, bytes) in [
            ("0", 0),
            ("512", 512),
            ("64KiB", 65_536),
            ("16 MiB", 16_777_216),
            ("10GB", 10_000_000_000),
        ] {
            assert_eq!(parse_size(text), Some(bytes), "{text}");
        }
        for text in ["", "MiB", "1.5MiB", "10 megs", "16mib", "99999999999TiB"] {
            assert_eq!(parse_size(text), None, "{text}");
        }
    }

    #[test]
    fn quantities_are_written_the_way_they_are_read() {
        for text in ["1w", "1d12h", "5m", "250ms"] {
            assert_eq!(duration_text(parse_duration(text).unwrap()), text);
        }
        for text in ["16MiB", "10GiB", "1B", "3KiB"] {
            assert_eq!(size_text(parse_size(text).unwrap()), text);
        }
        assert_eq!(duration_text(Duration::ZERO), "0ms");
    }
}
