//! Instants that follow each other: most share their minute.
//!
//! Texts enter, instants leave, the same as by [`Instant::parse_utc`]. A date costs more than the rest of an instant, and
//! measurements mostly come in order: what was read of a minute is kept for those that follow.

use super::{Instant, MINUTE_MS, SECOND_MS, pairs, two};

/// The minute of the instant that was read last.
#[derive(Debug, Clone, Copy, Default)]
pub struct Minutes {
    /// As in `2026-03-01T10:00`.
    text: [u8; 16],
    /// When it began, epoch ms.
    began: i64,
}

impl Minutes {
    /// Reads the form that machines write, `2026-03-01T10:00:00.250Z` with or without a fraction, of the years 1970 to
    /// 2199; `None` for any other, whether an instant or not.
    #[inline]
    pub fn parse_utc(&mut self, text: &[u8]) -> Option<Instant> {
        if let Some((minute, rest)) = text.split_first_chunk()
            && *minute == self.text
            && let Ok(rest) = rest.try_into()
            && let Some(pairs) = pairs(rest, *b":00.000Z")
            && let second = two(pairs, 1)
            && second < 60
        {
            // In front of the first digit of the fraction stands what counts as 0.
            let ms = 100 * two(pairs, 3) + two(pairs, 5);
            return Some(Instant(self.began + second * SECOND_MS + ms));
        }
        let at = Instant::parse_utc(text)?;
        if let Some(minute) = text.first_chunk() {
            (self.text, self.began) = (*minute, at.0 - at.0 % MINUTE_MS);
        }
        Some(at)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn each_millisecond_of_a_minute_and_what_is_none() {
        let mut minutes = Minutes::default();
        for ms in 0..2 * MINUTE_MS {
            let at = Instant(1_772_359_200_000 + ms);
            let text = format!(
                "2026-03-01T10:0{}:{:02}.{:03}Z",
                ms / MINUTE_MS,
                ms / 1_000 % 60,
                ms % 1_000
            );
            assert_eq!(minutes.parse_utc(text.as_bytes()), Some(at), "{text}");
        }
        for text in [
            "60.000Z", "0a.000Z", "00.00aZ", "00,000Z", "00.000z", "00.00Z", "5.0000Z", "00.000", "",
        ] {
            let text = format!("2026-03-01T10:01:{text}");
            let expected = Instant::parse_utc(text.as_bytes());
            assert_eq!(minutes.parse_utc(text.as_bytes()), expected, "{text}");
        }
    }

    proptest! {
        #[test]
        fn what_was_read_before_does_not_matter(
            texts in proptest::collection::vec(("2026-0[12]-2[89]T1[01]:0[01]", ":[0-6][0-9](\\.[0-9]{1,4}|,000)?[Zz+]"), 1..20),
        ) {
            let mut minutes = Minutes::default();
            for (minute, rest) in texts {
                let text = format!("{minute}{rest}");
                prop_assert_eq!(minutes.parse_utc(text.as_bytes()), Instant::parse_utc(text.as_bytes()), "{}", text);
            }
        }
    }
}
