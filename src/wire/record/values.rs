//! How the fields of a record stand on a line: instants as texts, labels as an object, details as they are.

/// An instant: epoch milliseconds inside, RFC 3339 on the line.
pub(super) mod instant {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::instant::Instant;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a field by reference")]
    pub fn serialize<S: Serializer>(ms: &i64, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&Instant(*ms))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
        let text = String::deserialize(deserializer)?;
        Instant::parse(&text).map(|at| at.0).map_err(D::Error::custom)
    }
}

/// An instant that may be absent.
pub(super) mod optional_instant {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::domain::instant::Instant;

    #[expect(clippy::ref_option, reason = "serde gives a field as it is")]
    pub fn serialize<S: Serializer>(ms: &Option<i64>, serializer: S) -> Result<S::Ok, S::Error> {
        match ms {
            Some(ms) => serializer.collect_str(&Instant(*ms)),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
        let Some(text) = Option::<String>::deserialize(deserializer)? else {
            return Ok(None);
        };
        Instant::parse(&text).map(|at| Some(at.0)).map_err(D::Error::custom)
    }
}

/// Names and values in their own order, as an object.
pub(super) mod labels {
    use std::fmt;

    use serde::de::{MapAccess, Visitor};
    use serde::{Deserializer, Serializer};

    use crate::wire::record::Labels;

    pub fn serialize<S: Serializer>(labels: &Labels<'_>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(labels.iter().map(|(name, value)| (name, value)))
    }

    pub fn deserialize<'de, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Labels<'a>, D::Error> {
        struct Taking;
        impl<'de> Visitor<'de> for Taking {
            type Value = Vec<(String, String)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of texts")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut labels = Vec::new();
                while let Some(label) = map.next_entry()? {
                    labels.push(label);
                }
                Ok(labels)
            }
        }
        let labels = deserializer.deserialize_map(Taking)?;
        Ok(labels
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()))
            .collect())
    }
}

/// An object kept as its text.
pub(super) mod details {
    use std::borrow::Cow;

    use serde::{Deserialize, Deserializer, Serialize, Serializer, ser::Error};
    use serde_json::value::RawValue;

    #[expect(clippy::ref_option, reason = "serde gives a field as it is")]
    pub fn serialize<S: Serializer>(text: &Option<Cow<'_, str>>, serializer: S) -> Result<S::Ok, S::Error> {
        match text {
            Some(text) => super::super::raw(text).map_err(S::Error::custom)?.serialize(serializer),
            None => serializer.serialize_none(),
        }
    }

    pub fn deserialize<'de, 'a, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Cow<'a, str>>, D::Error> {
        let raw = Option::<Box<RawValue>>::deserialize(deserializer)?;
        Ok(raw.map(|raw| raw.get().to_owned().into()))
    }
}
