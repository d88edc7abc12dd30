//! The elements of a JSON array as they were written, each to be read for itself.

use std::fmt;

use serde::Deserializer;
use serde::de::{DeserializeSeed, IgnoredAny, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{Refusal, refusal_of};

/// The texts of an array's elements, borrowed from the text of the array.
#[derive(Debug, Default)]
pub struct Elements<'a> {
    /// In order, at most as many as asked for.
    pub texts: Vec<&'a str>,
    /// There were more.
    pub more: bool,
}

impl<'a> Elements<'a> {
    /// Splits an array; of the elements behind the first `max` only their JSON is checked.
    pub fn parse(text: &'a str, max: usize) -> Result<Self, Refusal> {
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let elements = Limit(max).deserialize(&mut deserializer);
        elements
            .and_then(|elements| deserializer.end().map(|()| elements))
            .map_err(|error| refusal_of(&error))
    }
}

struct Limit(usize);

impl<'de> DeserializeSeed<'de> for Limit {
    type Value = Elements<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Elements<'de>, D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Limit {
    type Value = Elements<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON array")
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut seq: S) -> Result<Elements<'de>, S::Error> {
        let mut elements = Elements::default();
        while elements.texts.len() < self.0 {
            match seq.next_element::<&RawValue>()? {
                Some(raw) => elements.texts.push(raw.get()),
                None => return Ok(elements),
            }
        }
        while seq.next_element::<IgnoredAny>()?.is_some() {
            elements.more = true;
        }
        Ok(elements)
    }
}
