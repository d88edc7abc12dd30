//! Parameters of a query: read once, at the door.
//!
//! Each route says which names it knows; an unknown, repeated or unreadable parameter is refused with the remedy, because
//! an answer to another question than the one asked is worse than none.

use axum::extract::Query;
use axum::http::Uri;

use super::problem::ProblemResponse;
use crate::domain::id::InstanceId;
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS, SECOND_MS};

/// The parameters of one request.
#[derive(Debug, Default)]
pub struct Params {
    pairs: Vec<(String, String)>,
}

impl Params {
    /// Reads the query of a request that may have these parameters and no others.
    pub fn read(uri: &Uri, known: &[&str]) -> Result<Self, ProblemResponse> {
        let Query(pairs) = Query::<Vec<(String, String)>>::try_from_uri(uri).map_err(|_| {
            ProblemResponse::parameter("?", uri.query().unwrap_or_default(), "write `name=value` pairs")
        })?;
        for (index, (name, value)) in pairs.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                return Err(ProblemResponse::parameter(name, value, &known_words(known)));
            }
            if pairs.iter().take(index).any(|(earlier, _)| earlier == name) {
                return Err(ProblemResponse::parameter(name, value, "give it once"));
            }
        }
        Ok(Self { pairs })
    }

    /// The text of a parameter; an empty one counts as absent, as an empty field of a form sends it.
    pub fn text(&self, name: &str) -> Option<&str> {
        let found = self.pairs.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
    }

    /// An instant: RFC 3339 with an offset, or epoch milliseconds.
    pub fn instant(&self, name: &str) -> Result<Option<Instant>, ProblemResponse> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let remedy = "write RFC 3339 with an offset, such as 2026-03-01T10:00:00Z, from 1970 to 2200";
        let found = text.parse().map(Instant).ok().or_else(|| parse_instant(text));
        match found.filter(|instant| (Instant::EARLIEST..Instant::LATEST).contains(instant)) {
            Some(instant) => Ok(Some(instant)),
            None => Err(ProblemResponse::parameter(name, text, remedy)),
        }
    }

    /// An instant as a field of a form may have it too: date and time without an offset, in UTC, with or without seconds.
    pub fn field_instant(&self, name: &str) -> Result<Option<Instant>, ProblemResponse> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let parsed = [format!("{text}:00Z"), format!("{text}Z")]
            .iter()
            .find_map(|text| Instant::parse(text).ok());
        match parsed.filter(|instant| (Instant::EARLIEST..Instant::LATEST).contains(instant)) {
            Some(instant) => Ok(Some(instant)),
            None => self.instant(name),
        }
    }

    /// `known_at`: an instant that has been, because nobody knows what will be known.
    pub fn known_at(&self, now: Instant) -> Result<Option<Instant>, ProblemResponse> {
        let known_at = self.field_instant("known_at")?;
        match known_at.filter(|known_at| *known_at > now) {
            None => Ok(known_at),
            Some(ahead) => {
                let remedy = format!("it is now {now}: give an instant that has been");
                Err(ProblemResponse::parameter("known_at", &ahead.to_string(), &remedy))
            }
        }
    }

    /// A length of time of at least a second, in ms: `15m`, `1h`, `1d`.
    pub fn duration_ms(&self, name: &str) -> Result<Option<i64>, ProblemResponse> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let remedy = "write a whole number and a unit, such as 15m, 1h, 1d or 2w, from 1s to 3650d";
        match parse_duration(text).filter(|ms| (SECOND_MS..=3650 * DAY_MS).contains(ms)) {
            Some(ms) => Ok(Some(ms)),
            None => Err(ProblemResponse::parameter(name, text, remedy)),
        }
    }

    /// `instance`
    pub fn instance(&self) -> Result<Option<InstanceId>, ProblemResponse> {
        let Some(text) = self.text("instance") else {
            return Ok(None);
        };
        let parsed = InstanceId::parse(text);
        parsed
            .map(Some)
            .map_err(|error| ProblemResponse::parameter("instance", text, &error.to_string()))
    }
}

fn known_words(known: &[&str]) -> String {
    match known {
        [] => "this address takes no parameters: leave it out".to_owned(),
        _ => format!("this address knows {}", known.join(", ")),
    }
}

fn parse_instant(text: &str) -> Option<Instant> {
    let parsed = Instant::parse(text).ok();
    // A `+` that was not percent-encoded arrives as a space: people paste `10:00:00+01:00` into addresses.
    parsed.or_else(|| {
        let (time, offset) = text.rsplit_once(' ')?;
        Instant::parse(&format!("{time}+{offset}")).ok()
    })
}

fn parse_duration(text: &str) -> Option<i64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match text.strip_prefix(digits)? {
        "s" => SECOND_MS,
        "m" => MINUTE_MS,
        "h" => HOUR_MS,
        "d" => DAY_MS,
        "w" => 7 * DAY_MS,
        _ => return None,
    };
    digits
        .parse::<u32>()
        .ok()
        .and_then(|count| unit.checked_mul(i64::from(count)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        let uri: Uri = format!("/x?{query}").parse().unwrap();
        Params::read(&uri, &["at", "every", "instance"]).unwrap()
    }

    #[test]
    fn an_instant_survives_a_plus_that_was_not_encoded() {
        for query in [
            "at=2026-03-01T10:00:00Z",
            "at=2026-03-01T11:00:00+01:00",
            "at=2026-03-01T11:00:00%2B01:00",
            "at=1772359200000",
        ] {
            assert_eq!(
                params(query).instant("at").unwrap(),
                Some(Instant(1_772_359_200_000)),
                "{query}"
            );
        }
        for query in ["at=yesterday", "at=2026-03-01", "at=-5", "at=9999999999999999"] {
            assert!(params(query).instant("at").is_err(), "{query}");
        }
    }

    #[test]
    fn a_duration_has_a_number_and_a_unit() {
        for (text, ms) in [("90s", 90_000), ("15m", 900_000), ("1d", DAY_MS), ("2w", 14 * DAY_MS)] {
            assert_eq!(params(&format!("every={text}")).duration_ms("every").unwrap(), Some(ms));
        }
        for text in ["0d", "1", "d", "-1d", "1.5h", "1month", "99999999d", "1%C3%BC"] {
            assert!(params(&format!("every={text}")).duration_ms("every").is_err(), "{text}");
        }
    }

    #[test]
    fn unknown_and_repeated_parameters_are_refused_by_name() {
        let read = |text: &str| Params::read(&text.parse().unwrap(), &["at"]).unwrap_err().detail;
        assert_eq!(
            read("/x?when=now"),
            "parameter `when`: found `now`: this address knows at"
        );
        assert_eq!(read("/x?at=1&at=2"), "parameter `at`: found `2`: give it once");
    }

    #[test]
    fn an_empty_parameter_counts_as_absent() {
        assert_eq!(params("instance=&at=").instance().unwrap(), None);
    }
}
