//! The quick way to read a measurement: the form in which machines write nearly all of them.
//!
//! JSON text enters; a [`PlainReport`] that borrows from it and what stands behind it leave, or nothing where the text
//! holds anything else: other fields, one twice, `null`, words, escapes, long keys, numbers or instants of unusual form,
//! a second line, and whatever is broken. All of that is left to [`Form`](super::Form), which knows every form and every word against
//! it; what is read here it reads the same. This takes a tenth of its time, because nothing is copied, allocated or
//! looked at twice.

use crate::domain::id::ID_LEN_MAX;
use crate::domain::instant::{Instant, Minutes};
use crate::domain::reports::PlainReport;

use super::Field;

/// Reads measurements that come one after the other.
#[derive(Debug, Clone, Copy, Default)]
pub struct PlainReader {
    minutes: Minutes,
}

impl PlainReader {
    /// Reads the object that the text begins with, if it is a plain measurement, and gives what stands behind it.
    pub fn read<'t>(&mut self, text: &'t str) -> Option<(PlainReport<'t>, &'t str)> {
        let mut rest = behind(text, b'{')?;
        let (mut seen, mut value, mut observed_at) = (0, None, None);
        let (mut kpi, mut source, mut id) = (None, None, None);
        loop {
            let (field, after) = name(rest)?;
            if seen & field.bit() != 0 {
                return None;
            }
            seen |= field.bit();
            rest = match field {
                Field::Value => kept(number(after)?, &mut value),
                Field::ObservedAt => kept(instant(after, &mut self.minutes)?, &mut observed_at),
                Field::Kpi => kept(string(after)?, &mut kpi),
                Field::Source => kept(key(after)?, &mut source),
                Field::Id => kept(key(after)?, &mut id),
                _ => return None,
            };
            rest = blank(rest);
            match rest.as_bytes().first()? {
                b',' => rest = blank(rest.get(1..)?),
                b'}' => break,
                _ => return None,
            }
        }
        let plain = PlainReport {
            kpi: kpi?,
            source,
            id,
            observed_at,
            value: value?,
        };
        Some((plain, rest.get(1..)?))
    }
}

/// The name of a field, and what stands behind its colon.
fn name(text: &str) -> Option<(Field, &str)> {
    // First the forms of most lines: each is compared as a whole, before anybody looks where the name ends.
    let (field, after) = if let Some(after) = text.strip_prefix("\"kpi\":") {
        (Field::Kpi, after)
    } else if let Some(after) = text.strip_prefix("\"value\":") {
        (Field::Value, after)
    } else if let Some(after) = text.strip_prefix("\"observed_at\":") {
        (Field::ObservedAt, after)
    } else if let Some(after) = text.strip_prefix("\"source\":") {
        (Field::Source, after)
    } else if let Some(after) = text.strip_prefix("\"id\":") {
        (Field::Id, after)
    } else {
        let (name, after) = string(text)?;
        (Field::of(name), behind(blank(after), b':')?)
    };
    Some((field, blank(after)))
}

/// Keeps what was read, and gives what stands behind it.
fn kept<'a, T>((found, rest): (T, &'a str), place: &mut Option<T>) -> &'a str {
    *place = Some(found);
    rest
}

/// What stands behind a byte and white space.
fn behind(text: &str, byte: u8) -> Option<&str> {
    (text.as_bytes().first() == Some(&byte)).then(|| blank(text.get(1..).unwrap_or_default()))
}

/// Without white space at its start, of which there mostly is none. A line end is none: it ends a measurement of NDJSON.
fn blank(text: &str) -> &str {
    match text.as_bytes().first() {
        Some(b' ' | b'\t' | b'\r') => text.trim_start_matches([' ', '\t', '\r']),
        _ => text,
    }
}

/// A string without escapes, and what stands behind it.
fn string(text: &str) -> Option<(&str, &str)> {
    let text = text.strip_prefix('"')?;
    let end = special(text.as_bytes())?;
    let (found, rest) = (text.get(..end)?, text.get(end..)?);
    Some((found, rest.strip_prefix('"')?))
}

/// A string that may name something.
fn key(text: &str) -> Option<(&str, &str)> {
    string(text).filter(|(found, _)| (1..=ID_LEN_MAX).contains(&found.len()))
}

/// Where the first quote, backslash or control character stands. Eight bytes at one time: most strings are that short.
fn special(bytes: &[u8]) -> Option<usize> {
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    let mut rest = bytes;
    while let Some((word, behind)) = rest.split_first_chunk::<8>() {
        let word = u64::from_le_bytes(*word);
        let quotes = zeros(word ^ (ONES * u64::from(b'"')));
        let escapes = zeros(word ^ (ONES * u64::from(b'\\')));
        let controls = word.wrapping_sub(ONES * 0x20) & !word;
        // Borrows reach only upwards, so the lowest mark is never a false one.
        let marks = (quotes | escapes | controls) & HIGHS;
        if marks != 0 {
            return Some(at + marks.trailing_zeros() as usize / 8);
        }
        at += 8;
        rest = behind;
    }
    let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1f))?;
    Some(at + end)
}

/// Lengths of an instant with milliseconds, and without a fraction.
const INSTANT_LENS: [usize; 2] = ["2026-03-01T10:00:00.250Z".len(), "2026-03-01T10:00:00Z".len()];

/// An instant as a string of the usual form, or as whole milliseconds; of the range that kpid takes.
fn instant<'t>(text: &'t str, minutes: &mut Minutes) -> Option<(Instant, &'t str)> {
    if let Some(inside) = text.strip_prefix('"') {
        // Where the forms with milliseconds and without a fraction end is known: nobody has to look for it.
        for len in INSTANT_LENS {
            if inside.as_bytes().get(len) == Some(&b'"')
                && let Some(at) = minutes.parse_utc(inside.as_bytes().get(..len)?)
            {
                return Some((at, inside.get(len + 1..)?));
            }
        }
        let (found, rest) = string(text)?;
        return Some((Instant::parse_utc(found.as_bytes())?, rest));
    }
    let digits = Decimal::scan(text.as_bytes())?;
    let at = Instant(i64::try_from(digits.mantissa).ok()?);
    let is_whole = digits.is_exact && digits.fraction_len == 0 && !digits.is_negative;
    (is_whole && at < Instant::LATEST).then_some((at, text.get(digits.len..)?))
}

/// A finite number, to the last bit what any correct reader makes of it.
fn number(text: &str) -> Option<(f64, &str)> {
    if let Some((value, len)) = short(text.as_bytes()) {
        return Some((value, text.get(len..)?));
    }
    let digits = Decimal::scan(text.as_bytes())?;
    let (found, rest) = text.split_at_checked(digits.len)?;
    let value = match digits.exact() {
        Some(value) => value,
        None => found.parse().ok().filter(|value: &f64| value.is_finite())?,
    };
    Some((value, rest))
}

/// The number that the bytes begin with and its length, where it is shorter than eight bytes and has digits and a point
/// and nothing else, as most have: all bytes are looked at together. With one digit after the other, the processor could
/// not know how many there would be, and waited at their end.
#[inline]
fn short(bytes: &[u8]) -> Option<(f64, usize)> {
    const HIGHS: u64 = (u64::MAX / 255) << 7;
    let is_negative = bytes.first() == Some(&b'-');
    let start = usize::from(is_negative);
    let digits = u64::from_le_bytes(*bytes.get(start..)?.first_chunk()?) ^ u64::from_le_bytes([b'0'; 8]);
    // The highest bit of each byte that is no digit.
    let others = (((digits & !HIGHS) + u64::from_le_bytes([0x76; 8])) | digits) & HIGHS;
    let whole_len = others.trailing_zeros() / 8;
    let begins_with_0 = digits.trailing_zeros() >= 8;
    if whole_len == 0 || whole_len > 7 || (begins_with_0 && whole_len > 1) {
        return None;
    }
    let byte = |at: u32| (digits >> (8 * at)) as u8 ^ b'0';
    let whole = digits & ((1 << (8 * whole_len)) - 1);
    let (len, number, fraction_len) = if byte(whole_len) == b'.' {
        let behind = others & (others - 1);
        let len = behind.trailing_zeros() / 8;
        if len > 7 || len == whole_len + 1 {
            return None;
        }
        let fraction = digits >> (8 * whole_len + 8) & ((1 << (8 * (len - whole_len - 1))) - 1);
        (len, whole | fraction << (8 * whole_len), len - whole_len - 1)
    } else {
        (whole_len, whole, 0)
    };
    if matches!(byte(len), b'e' | b'E') {
        return None;
    }
    // Eight digits, of which the first ones are 0: pairs of them, then pairs of pairs, then both halves.
    let number = number << (8 * (8 - whole_len - fraction_len));
    let pairs = number.wrapping_mul(10).wrapping_add(number >> 8);
    let fours = |pairs: u64, worth: u64| (pairs & 0x0000_00FF_0000_00FF).wrapping_mul(worth);
    let mantissa = fours(pairs, 100 + (1_000_000 << 32)).wrapping_add(fours(pairs >> 16, 1 + (10_000 << 32))) >> 32;
    let value = mantissa as f64 / POWERS.get(fraction_len as usize)?;
    Some((if is_negative { -value } else { value }, start + len as usize))
}

/// A JSON number taken apart.
struct Decimal {
    is_negative: bool,
    /// All digits as one number, where they are few enough.
    mantissa: u64,
    /// Digits behind the point.
    fraction_len: usize,
    /// The mantissa is all there is: not more digits than it holds, and no exponent.
    is_exact: bool,
    /// Bytes.
    len: usize,
}

/// Digits that fit a mantissa whatever they are.
const DIGITS_MAX: usize = 18;
/// Whole numbers up to here are doubles.
const MANTISSA_MAX: u64 = 1 << 53;
/// Powers of ten that are doubles.
const POWERS: [f64; 19] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
];

impl Decimal {
    /// The number that the bytes begin with, by the grammar of JSON.
    fn scan(bytes: &[u8]) -> Option<Self> {
        let is_negative = bytes.first() == Some(&b'-');
        let start = bytes.get(usize::from(is_negative)..)?;
        let (whole, whole_len) = digits(start, 0);
        if whole_len == 0 || (whole_len > 1 && start.first() == Some(&b'0')) {
            return None;
        }
        let rest = start.get(whole_len..)?;
        let (mantissa, fraction_len) = match rest {
            [b'.', fraction @ ..] => digits(fraction, whole),
            _ => (whole, 0),
        };
        let rest = match (rest, fraction_len) {
            ([b'.', ..], 0) => return None,
            ([b'.', fraction @ ..], _) => fraction.get(fraction_len..)?,
            _ => rest,
        };
        let exponent_len = exponent_len(rest)?;
        let rest = rest.get(exponent_len..)?;
        Some(Self {
            is_negative,
            mantissa,
            fraction_len,
            is_exact: exponent_len == 0 && whole_len + fraction_len <= DIGITS_MAX,
            len: bytes.len() - rest.len(),
        })
    }

    /// Both parts are doubles, so that their quotient is rounded once: as right as can be.
    fn exact(&self) -> Option<f64> {
        if !self.is_exact || self.mantissa > MANTISSA_MAX {
            return None;
        }
        let value = self.mantissa as f64 / POWERS.get(self.fraction_len)?;
        Some(if self.is_negative { -value } else { value })
    }
}

/// Digits appended to a number, and how many they are. What they make is of use only where they are few.
fn digits(bytes: &[u8], before: u64) -> (u64, usize) {
    let (mut number, mut len) = (before, 0);
    for byte in bytes {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        number = number.wrapping_mul(10).wrapping_add(u64::from(digit));
        len += 1;
    }
    (number, len)
}

/// Bytes of the exponent, 0 without one; `None` when it has no digits.
fn exponent_len(rest: &[u8]) -> Option<usize> {
    let [b'e' | b'E', behind @ ..] = rest else {
        return Some(0);
    };
    let sign = usize::from(matches!(behind.first(), Some(b'+' | b'-')));
    let (_, len) = digits(behind.get(sign..)?, 0);
    (len > 0).then_some(1 + sign + len)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::measurement::{Report, ReportValue};
    use crate::wire::cloudevents;

    /// Reads one measurement both ways. What the quick one reads, the general one reads the same; it need not read it.
    fn agreed(text: &str) -> Result<bool, TestCaseError> {
        let Some((plain, rest)) = PlainReader::default().read(text) else {
            return Ok(false);
        };
        let mut report = Report::default();
        let whole = &text[..text.len() - rest.len()];
        prop_assert_eq!(cloudevents::read(whole, false, &mut report), Ok(()), "{}", text);
        let bits = |report: &Report| match report.value {
            Some(ReportValue::Number(value)) => value.to_bits(),
            _ => 0,
        };
        let expected = Report {
            kpi: Some(plain.kpi.into()),
            source: plain.source.map(Into::into),
            id: plain.id.map(Into::into),
            observed_at: plain.observed_at,
            value: Some(ReportValue::Number(plain.value)),
            ..Report::default()
        };
        prop_assert_eq!(bits(&report), bits(&expected), "{}", text);
        prop_assert_eq!(report, expected, "{}", text);
        Ok(true)
    }

    #[test]
    fn what_machines_write_is_read_quickly() {
        for text in [
            r#"{"kpi":"w.k0969","observed_at":"2026-03-01T00:00:01.595Z","value":119.79}"#,
            r#"{"id":"9f3c","kpi":"it.csat","observed_at":"2026-03-01T10:00:00Z","value":82.5,"source":"servicedesk"}"#,
            r#"{"kpi": "a", "at": 1772359200000, "value": -0.0}"#,
            "{ \"value\" : 1e3 ,\t\"kpi\" : \"\u{fc}ber\" }",
            r#"{"kpi":"a","value":0.1234567890123456789}"#,
            r#"{"kpi":"a","value":123456789012345678901234567890}"#,
            r#"{"kpi":"a","value":-5}"#,
        ] {
            assert!(agreed(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn anything_else_is_left_to_the_reader_that_knows_all() {
        for text in [
            r#"{"kpi":"a"}"#,
            r#"{"value":1}"#,
            r#"{"kpi":"a","value":1,"value":1}"#,
            r#"{"kpi":"a","value":1,"at":1,"observed_at":1}"#,
            r#"{"kpi":"a","value":null}"#,
            r#"{"kpi":"a","value":"good"}"#,
            r#"{"kpi":"a","value":01}"#,
            r#"{"kpi":"a","value":1.}"#,
            r#"{"kpi":"a","value":.5}"#,
            r#"{"kpi":"a","value":+1}"#,
            r#"{"kpi":"a","value":1e}"#,
            r#"{"kpi":"a","value":1e999}"#,
            r#"{"kpi":"a\n","value":1}"#,
            "{\"kpi\":\"a\nb\",\"value\":1}",
            r#"{"kpi":"a","value":1,"note":"x"}"#,
            r#"{"kpi":"a","value":1,"colour":"x"}"#,
            r#"{"kpi":"a","value":1,"source":""}"#,
            r#"{"kpi":"a","value":1,"observed_at":"2026-03-01T10:00:00+01:00"}"#,
            r#"{"kpi":"a","value":1,"observed_at":-1}"#,
            r#"{"kpi":"a","value":1,"observed_at":7258118400000}"#,
            r#"{"kpi":"a","value":1,"observed_at":1.5}"#,
            r#"{"kpi":"a","value":1,}"#,
            "{\"kpi\":\"a\",\n\"value\":1}",
            r#"{"kpi":"a","value":1"#,
            "{}",
            "",
        ] {
            assert_eq!(PlainReader::default().read(text), None, "{text}");
        }
    }

    #[test]
    fn a_short_number_is_what_one_digit_after_the_other_makes_of_it() {
        let bytes = b"0159.-+eE, }";
        let mut short_ones = 0;
        for case in 0..bytes.len().pow(5) {
            let places = [1, 12, 144, 1_728, 20_736];
            let head: Vec<u8> = places.iter().map(|place| bytes[case / place % bytes.len()]).collect();
            for tail in [b"}\n{\"kpi\":" as &[u8], b"5}\n{\"kpi\"", b".2,\"kpi\":", b"e3}\n{\"kp"] {
                let text = [&head, tail].concat();
                let Some((value, len)) = short(&text) else { continue };
                let slow = Decimal::scan(&text).expect("it is a number");
                let bits = |value: f64| value.to_bits();
                assert_eq!((slow.exact().map(bits), slow.len), (Some(bits(value)), len), "{text:?}");
                short_ones += 1;
            }
        }
        assert!(short_ones > 100_000, "{short_ones}");
        for (text, found) in [
            ("119.79}\n{", Some((119.79, 6))),
            ("-98.85}\n{", Some((-98.85, 6))),
            ("1234567}", Some((1_234_567.0, 7))),
            ("0.00001,", Some((0.000_01, 7))),
            ("12345678}", None),
            ("1.234567}", None),
            ("1.5}\n", None),
        ] {
            assert_eq!(short(text.as_bytes()), found, "{text}");
        }
    }

    fn a_number() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<f64>().prop_map(|number| number.to_string()),
            any::<f64>().prop_map(|number| format!("{number:e}")),
            any::<i64>().prop_map(|number| number.to_string()),
            any::<u64>().prop_map(|number| number.to_string()),
            (any::<i32>(), 0..12_usize).prop_map(|(number, places)| format!("{:.places$}", f64::from(number) / 1e3)),
            "-?[0-9]{1,25}(\\.[0-9]{0,25})?([eE][+-]?[0-9]{0,3})?",
        ]
    }

    fn a_line() -> impl Strategy<Value = String> {
        let field = prop_oneof![
            4 => Just("\"kpi\":\"a.b\"".to_owned()),
            1 => "\"kpi\":\"\\PC{0,20}\"",
            4 => a_number().prop_map(|number| format!("\"value\":{number}")),
            2 => (0..i64::MAX).prop_map(|at| format!("\"observed_at\":\"{}\"", Instant(at % 8_000_000_000_000))),
            1 => a_number().prop_map(|number| format!("\"at\":{number}")),
            1 => "\"(source|id|note|labels|type)\":\"[a-z\\\\\"\u{7f}]{0,140}\"",
            1 => "\"(source|id)\" ?: ?\"[a-z]{1,9}\"",
            1 => "[ \",:{}a-z0-9]{0,9}",
        ];
        proptest::collection::vec(field, 0..6).prop_map(|fields| format!("{{{}}}", fields.join(",")))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(20_000))]

        #[test]
        fn what_is_read_quickly_is_read_the_same(line in a_line()) {
            agreed(&line)?;
            agreed(&format!("{line}\n{line}"))?;
        }

        #[test]
        fn a_number_is_the_same_to_the_last_bit(number in a_number()) {
            let line = format!("{{\"kpi\":\"a\",\"value\":{number}}}");
            agreed(&line)?;
            agreed(&format!("{line}\n{line}"))?;
        }

        #[test]
        fn damaged_lines_are_read_the_same_or_not(
            line in a_line(),
            damage in proptest::collection::vec((any::<proptest::sample::Index>(), any::<char>()), 1..4),
        ) {
            let mut line: Vec<char> = line.chars().collect();
            for (index, found) in damage {
                let at = index.index(line.len());
                line[at] = found;
            }
            agreed(&line.into_iter().collect::<String>())?;
        }
    }
}
