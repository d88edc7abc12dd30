//! Names of things: what may be a name, and the path of a node.
//!
//! A string enters, a checked name leaves; inside, a name is trusted. Cloning a name copies a pointer.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::sync::Arc;

/// Longest KPI id, measurement id and source name, in bytes.
pub const ID_LEN_MAX: usize = 128;

/// Why a string is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("it is empty: give it at least one character")]
    Empty,
    /// More bytes than allowed.
    #[error("it has {len} bytes: at most {max} are allowed")]
    TooLong {
        /// Bytes found.
        len: usize,
        /// Bytes allowed.
        max: usize,
    },
    /// A character outside the alphabet.
    #[error("`{found}` is not allowed there: use {allowed}")]
    Character {
        /// The character found.
        found: char,
        /// The alphabet in words.
        allowed: &'static str,
    },
}

/// The id of a KPI: `[a-z0-9]` then `[a-z0-9._-]`, at most 128 bytes; unique over the whole catalog.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KpiId(Arc<str>);

/// The id of a scorecard, perspective, objective or alert rule: `[a-z0-9-]`, at most 128 bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slug(Arc<str>);

/// The value of the label that an `each` scorecard names: one instance of it. 1 to 256 bytes of text without control
/// characters. In a node path it is shown as it is, but `/` as `%2F` and `%` as `%25`, so that levels stay levels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InstanceId(Arc<str>);

/// The scorecard and the instance that a node's path begins with.
pub fn root_of(path: &str) -> (&str, Option<InstanceId>) {
    let root = path.split('/').next().unwrap_or_default();
    match root.split_once('@') {
        Some((scorecard, name)) => (scorecard, InstanceId::from_path(name).ok()),
        None => (root, None),
    }
}

impl KpiId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks a KPI id.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_len(text, ID_LEN_MAX)?;
        let allowed = "`a-z`, `0-9`, and after the first character also `.`, `_`, `-`";
        for (index, found) in text.chars().enumerate() {
            let plain = found.is_ascii_lowercase() || found.is_ascii_digit();
            if !(plain || index > 0 && matches!(found, '.' | '_' | '-')) {
                return Err(IdError::Character { found, allowed });
            }
        }
        Ok(Self(text.into()))
    }
}

impl Slug {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks a slug.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_len(text, ID_LEN_MAX)?;
        let allowed = "`a-z`, `0-9` and `-`";
        match text
            .chars()
            .find(|c| !(c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-'))
        {
            Some(found) => Err(IdError::Character { found, allowed }),
            None => Ok(Self(text.into())),
        }
    }
}

impl InstanceId {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Checks the value of an `each` label.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        check_len(text, 256)?;
        let allowed = "anything but control characters";
        match text.chars().find(|c| c.is_control()) {
            Some(found) => Err(IdError::Character { found, allowed }),
            None => Ok(Self(text.into())),
        }
    }

    /// As it stands in a node path.
    pub fn in_path(&self) -> Cow<'_, str> {
        if self.0.contains(['/', '%']) {
            self.to_string().into()
        } else {
            self.as_str().into()
        }
    }

    /// The instance whose name stands in a node path behind the `@`.
    pub fn from_path(text: &str) -> Result<Self, IdError> {
        Self::parse(&text.replace("%2F", "/").replace("%25", "%"))
    }
}

/// A map of ids answers to their text, so that what a sender wrote need not become an id first.
impl Borrow<str> for KpiId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for InstanceId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for KpiId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Slug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As in a node path.
impl fmt::Display for InstanceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut plain = self.0.split_inclusive(['/', '%']);
        plain.try_for_each(|part| match part.as_bytes().last() {
            Some(b'/') => write!(f, "{}%2F", part.trim_end_matches('/')),
            Some(b'%') => write!(f, "{}%25", part.trim_end_matches('%')),
            _ => f.write_str(part),
        })
    }
}

fn check_len(text: &str, max: usize) -> Result<(), IdError> {
    match text.len() {
        0 => Err(IdError::Empty),
        len if len > max => Err(IdError::TooLong { len, max }),
        _ => Ok(()),
    }
}

/// A position in the journal: from 1, without gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Sequence(pub u64);

impl Sequence {
    /// Before the first fact.
    pub const ZERO: Self = Self(0);

    /// The position `count` facts later.
    #[must_use]
    pub fn plus(self, count: u64) -> Self {
        Self(self.0 + count)
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kpi_id_starts_plain_and_may_have_dots_later() {
        assert!(KpiId::parse("it.csat_2-b").is_ok());
        assert!(matches!(
            KpiId::parse(".it"),
            Err(IdError::Character { found: '.', .. })
        ));
        assert!(matches!(KpiId::parse("It"), Err(IdError::Character { found: 'I', .. })));
        assert_eq!(KpiId::parse(""), Err(IdError::Empty));
        assert_eq!(
            KpiId::parse(&"a".repeat(129)),
            Err(IdError::TooLong { len: 129, max: 128 })
        );
        assert!(KpiId::parse(&"a".repeat(128)).is_ok());
    }

    #[test]
    fn an_instance_id_cannot_break_a_path() {
        let names = ["Berlin-Mitte.ü", "New York", "a@b", "a/b", "//", "5%", "%2F", "%252F/"];
        for name in names {
            let instance = InstanceId::parse(name).unwrap();
            let shown = instance.to_string();
            assert!(!shown.contains('/'), "{shown}");
            assert_eq!(InstanceId::from_path(&shown), Ok(instance), "{shown}");
        }
        assert_eq!(InstanceId::parse("New York").unwrap().to_string(), "New York");
        assert_eq!(InstanceId::parse("a/5%").unwrap().to_string(), "a%2F5%25");
        for bad in ["a\n", ""] {
            assert!(InstanceId::parse(bad).is_err(), "{bad:?}");
        }
    }
}
