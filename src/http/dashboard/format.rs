//! Numbers, lengths of time and instants as people read them.
//!
//! A number keeps three or four digits that matter, has separators in its thousands and a true minus sign; nothing here
//! knows about scores or pages.

use crate::domain::catalog::Target;
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS, SECOND_MS};

/// Between a number and its unit, so that they stay on one line.
const NARROW_SPACE: char = '\u{202f}';

/// What a sum of floating point numbers may be off by; 70.3 times ten must not be rounded down to 702.
const ROUNDING: f64 = 1e-9;

/// A number for people: `1,284`, `82.5`, `0.034`, `12.4 M`.
pub fn number(value: f64) -> String {
    beside(value, value)
}

/// A number with as many decimals as another one beside it has: a change of a cost of 104.4 is 6.3, not 6.2621.
fn beside(value: f64, other: f64) -> String {
    let (divisor, suffix) = match other.abs() {
        1e12.. => (1e12, "\u{202f}T"),
        1e9.. => (1e9, "\u{202f}bn"),
        1e7.. => (1e6, "\u{202f}M"),
        _ => (1.0, ""),
    };
    let decimals = match (other / divisor).abs() {
        1_000.0.. => 0,
        100.0.. => 1,
        1.0.. => 2,
        0.1.. => 3,
        _ => 4,
    };
    format!("{}{suffix}", grouped(&format!("{:.decimals$}", value / divisor)))
}

/// Separators into the thousands, no zeros at the end of decimals, a true minus.
fn grouped(plain: &str) -> String {
    let (sign, plain) = plain.strip_prefix('-').map_or(("", plain), |rest| ("\u{2212}", rest));
    let (whole, decimals) = plain.split_once('.').unwrap_or((plain, ""));
    let decimals = decimals.trim_end_matches('0');
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    if !decimals.is_empty() {
        out.push('.');
        out.push_str(decimals);
    }
    // A negative number that rounds to nothing is nothing.
    if out == "0" { out } else { format!("{sign}{out}") }
}

/// A number with its unit.
pub fn quantity(value: f64, unit: &str) -> String {
    let number = number(value);
    if unit.is_empty() {
        return number;
    }
    format!("{number}{NARROW_SPACE}{unit}")
}

/// A difference with its sign, as precise as the number that changed: `+2.2`, `-0.4`, `0`.
pub fn signed(change: f64, now: f64) -> String {
    let coarse = beside(change, now);
    let text = if coarse == "0" { number(change) } else { coarse };
    if change > 0.0 && text != "0" {
        format!("+{text}")
    } else {
        text
    }
}

/// A score with one decimal, rounded down: 74.96 must not read as a 75 that would be in another band.
pub fn score(score: f64) -> String {
    format!("{:.1}", (score * 10.0 + ROUNDING).floor() / 10.0)
}

/// A share as whole percent, rounded down: only all is 100 %.
pub fn percent(share: f64) -> String {
    format!("{}{NARROW_SPACE}%", (share * 100.0 + ROUNDING).floor())
}

/// What is aimed at; `rising` tells whether more is better, where that is known.
pub fn target(target: Target, rising: Option<bool>, unit: &str) -> String {
    let sign = match rising {
        Some(true) => "\u{2265}\u{202f}",
        Some(false) => "\u{2264}\u{202f}",
        None => "",
    };
    match target {
        Target::Value(value) => format!("{sign}{}", quantity(value, unit)),
        Target::Range(low, high) => format!("{} to {}", number(low), quantity(high, unit)),
    }
}

/// A length of time in its two greatest units: `3 d 4 h`, `5 min`, `12 s`.
pub fn length(ms: i64) -> String {
    let ms = ms.max(0);
    let units = [
        (DAY_MS, "d", HOUR_MS, "h"),
        (HOUR_MS, "h", MINUTE_MS, "min"),
        (MINUTE_MS, "min", SECOND_MS, ""),
    ];
    for (unit, word, smaller, smaller_word) in units {
        if ms >= unit {
            let rest = ms % unit / smaller;
            let whole = format!("{}{NARROW_SPACE}{word}", ms / unit);
            // Beyond two weeks hours say nothing, and seconds after minutes neither.
            let silent = rest == 0 || smaller_word.is_empty() || ms >= 14 * DAY_MS;
            return if silent {
                whole
            } else {
                format!("{whole} {rest}{NARROW_SPACE}{smaller_word}")
            };
        }
    }
    format!("{}{NARROW_SPACE}s", ms / SECOND_MS)
}

/// How long ago: `3 h 5 min ago`, `just now`.
pub fn ago(now: Instant, then: Instant) -> String {
    match now.since(then) {
        ..10_000 => "just now".to_owned(),
        ms => format!("{} ago", length(ms)),
    }
}

/// An instant for people: `1 Mar 2026, 10:00 UTC`.
pub fn instant(instant: Instant) -> String {
    jiff::Timestamp::from_millisecond(instant.0).map_or_else(
        |_| instant.to_string(),
        |stamp| stamp.strftime("%-d %b %Y, %H:%M UTC").to_string(),
    )
}

/// An instant as a field of a form has it, in UTC: `2026-03-01T10:00`.
pub fn field(instant: Instant) -> String {
    jiff::Timestamp::from_millisecond(instant.0).map_or_else(
        |_| instant.to_string(),
        |stamp| stamp.strftime("%Y-%m-%dT%H:%M").to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_the_digits_that_matter() {
        for (value, text) in [
            (0.0, "0"),
            (-0.000_001, "0"),
            (82.5, "82.5"),
            (3.166_666, "3.17"),
            (0.034, "0.034"),
            (612.04, "612"),
            (999.95, "1,000"),
            (1284.4, "1,284"),
            (-1284.0, "\u{2212}1,284"),
            (1_384_220.0, "1,384,220"),
            (12_400_000.0, "12.4\u{202f}M"),
            (5e9, "5\u{202f}bn"),
            (2.5e12, "2.5\u{202f}T"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn a_score_below_a_band_never_reads_as_in_it() {
        assert_eq!(score(74.999), "74.9");
        assert_eq!(score(75.0), "75.0");
        assert_eq!(percent(0.999), "99\u{202f}%");
        assert_eq!(percent(1.0), "100\u{202f}%");
    }

    #[test]
    fn lengths_have_two_units_at_most() {
        for (ms, text) in [
            (12_000, "12\u{202f}s"),
            (5 * MINUTE_MS + 9_000, "5\u{202f}min"),
            (3 * HOUR_MS + 5 * MINUTE_MS, "3\u{202f}h 5\u{202f}min"),
            (2 * DAY_MS + 3 * HOUR_MS, "2\u{202f}d 3\u{202f}h"),
            (20 * DAY_MS + 3 * HOUR_MS, "20\u{202f}d"),
            (-5, "0\u{202f}s"),
        ] {
            assert_eq!(length(ms), text);
        }
    }

    #[test]
    fn a_target_says_which_way_is_good() {
        assert_eq!(
            target(Target::Value(90.0), Some(true), "%"),
            "\u{2265}\u{202f}90\u{202f}%"
        );
        assert_eq!(
            target(Target::Value(4.0), Some(false), "h"),
            "\u{2264}\u{202f}4\u{202f}h"
        );
        assert_eq!(target(Target::Range(80.0, 90.0), None, "%"), "80 to 90\u{202f}%");
    }

    #[test]
    fn differences_show_their_sign() {
        assert_eq!(signed(2.2, 71.0), "+2.2");
        assert_eq!(signed(-0.4, 3.0), "\u{2212}0.4");
        assert_eq!(signed(1e-9, 1.0), "0");
        assert_eq!(signed(6.2622, 104.37), "+6.3");
        assert_eq!(signed(0.04, 1284.0), "+0.04");
        assert_eq!(signed(40_000.0, 12_400_000.0), "+0.04\u{202f}M");
    }

    #[test]
    fn instants_are_written_for_people() {
        assert_eq!(instant(Instant(1_772_359_200_000)), "1 Mar 2026, 10:00 UTC");
        assert_eq!(field(Instant(1_772_359_259_000)), "2026-03-01T10:00");
        assert_eq!(ago(Instant(1_772_359_200_000), Instant(1_772_359_195_000)), "just now");
    }
}
