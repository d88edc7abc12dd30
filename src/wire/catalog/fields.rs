//! A TOML table that is read key by key, and complains about what it is not asked for.
//!
//! Typed values leave, each with the place where it stands; what does not fit becomes a problem and reads as absent,
//! so that the reader goes on and finds the next one. Every key that was asked for is known: [`Fields::finish`]
//! refuses the others. A list of known keys beside the code was rejected, because a key on the list that nobody
//! reads would be ignored in silence.

use std::cell::RefCell;
use std::collections::BTreeSet;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::duration;
use super::problem::{Report, list, nearest, suggest};
use super::values::{
    NumberOrPair, describe, number_of, pair_of, shorten, table_of, tables_of, text_of, unquoted_number, whole_of,
};
use crate::domain::id::IdError;

/// A value and the byte offset at which it stands.
#[derive(Debug, Clone, Copy)]
pub(super) struct At<T> {
    /// What was read.
    pub value: T,
    /// Where.
    pub at: usize,
}

impl<T> At<T> {
    /// The same place with another value.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At {
            value: change(self.value),
            at: self.at,
        }
    }
}

/// What kind of value is wanted, in words, and one to copy.
struct Wanted {
    kind: &'static str,
    example: &'static str,
}

const TEXT: Wanted = Wanted {
    kind: "a text",
    example: "\"...\"",
};
const NUMBER: Wanted = Wanted {
    kind: "a finite number",
    example: "1",
};
const WHOLE: Wanted = Wanted {
    kind: "a whole number",
    example: "4",
};
const FLAG: Wanted = Wanted {
    kind: "true or false",
    example: "true",
};
const PAIR: Wanted = Wanted {
    kind: "a list of two numbers",
    example: "[0, 100]",
};
const TABLE: Wanted = Wanted {
    kind: "a table",
    example: "{ ... }",
};
const TABLES: Wanted = Wanted {
    kind: "a list of tables",
    example: "[{ ... }]",
};
const TEXTS: Wanted = Wanted {
    kind: "a list of texts",
    example: "[\"...\"]",
};

/// Room for the keys that are asked for of one table.
const KEYS: usize = 48;

/// One table of a file.
pub(super) struct Fields<'a> {
    /// Where problems go.
    pub report: &'a Report<'a>,
    /// The thing that the table defines, for example "kpi `it.csat`"; stands before every problem.
    pub subject: String,
    /// Where the table begins.
    pub at: usize,
    table: &'a DeTable<'a>,
    /// Keys that were asked for; some more than once.
    asked: RefCell<Vec<&'static str>>,
}

impl<'a> Fields<'a> {
    /// A table, of which nothing has been read.
    pub fn new(report: &'a Report<'a>, subject: String, at: usize, table: &'a DeTable<'a>) -> Self {
        Self {
            report,
            subject,
            at,
            table,
            asked: RefCell::new(Vec::with_capacity(KEYS)),
        }
    }

    /// Adds a problem about the thing of this table.
    pub fn refuse(&self, at: usize, what: &str, remedy: &str) {
        match self.subject.as_str() {
            "" => self.report.add(at, what, remedy),
            subject => self.report.add(at, &format!("{subject}: {what}"), remedy),
        }
    }

    /// Adds a problem about a key that has no meaning here, if it is there.
    pub fn refuse_key(&self, key: &'static str, why: &str, remedy: &str) {
        if let Some(value) = self.value(key) {
            self.refuse(value.span().start, &format!("`{key}` {why}"), remedy);
        }
    }

    /// Adds a problem about a key that must be there.
    pub fn refuse_missing(&self, key: &str, remedy: &str) {
        self.refuse(self.at, &format!("`{key}` is missing"), remedy);
    }

    /// Refuses every key that nobody asked for, with the nearest one that somebody did.
    pub fn finish(self) {
        let asked = self.asked.borrow();
        let known = || {
            asked
                .iter()
                .copied()
                .collect::<BTreeSet<&str>>()
                .into_iter()
                .collect::<Vec<_>>()
        };
        let is_asked = |name: &str| asked.contains(&name);
        if self.table.keys().all(|key| is_asked(key.get_ref())) {
            return;
        }
        for (key, _) in self.in_order() {
            let name: &str = key.get_ref();
            if !is_asked(name) {
                let what = format!("unknown key `{}`", shorten(name));
                self.refuse(key.span().start, &what, &suggest(name, &known()));
            }
        }
    }

    /// Keys and values in the order in which they are written.
    pub fn in_order(&self) -> Vec<(&'a Spanned<std::borrow::Cow<'a, str>>, &'a Spanned<DeValue<'a>>)> {
        let mut entries: Vec<_> = self.table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        entries
    }

    /// Whether the key is there, of whatever type; where.
    pub fn place(&self, key: &'static str) -> Option<usize> {
        self.value(key).map(|value| value.span().start)
    }

    fn value(&self, key: &'static str) -> Option<&'a Spanned<DeValue<'a>>> {
        self.asked.borrow_mut().push(key);
        self.table.get(key)
    }

    fn read<T>(
        &self,
        key: &'static str,
        wanted: &Wanted,
        take: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<At<T>> {
        let value = self.value(key)?;
        let at = value.span().start;
        let taken = take(value.get_ref()).map(|value| At { value, at });
        if taken.is_none() {
            let what = format!("`{key}` is {}, not {}", describe(value.get_ref()), wanted.kind);
            self.refuse(at, &what, &self.example(key, wanted, value.get_ref()));
        }
        taken
    }

    /// How to write a key right. At the top of a file there are only tables, which have headers.
    fn example(&self, key: &str, wanted: &Wanted, found: &DeValue<'_>) -> String {
        if self.subject.is_empty() {
            let header = if wanted.kind == TABLE.kind {
                format!("[{key}]")
            } else {
                format!("[[{key}]]")
            };
            return format!("write {header} on a line of its own, and what belongs to it below");
        }
        let is_number = [NUMBER.kind, WHOLE.kind].contains(&wanted.kind);
        let unquoted = unquoted_number(found).filter(|_| is_number);
        let example = unquoted.unwrap_or(wanted.example);
        format!("write {key} = {example}")
    }

    /// A text.
    pub fn text(&self, key: &'static str) -> Option<At<&'a str>> {
        self.read(key, &TEXT, text_of)
    }

    /// A text without control characters that says something, for people.
    pub fn words(&self, key: &'static str) -> Option<String> {
        let text = self.text(key)?;
        if text.value.trim().is_empty() || text.value.contains(char::is_control) {
            let what = format!("`{key}` is empty or has control characters");
            self.refuse(text.at, &what, "write a few plain words, or leave it out");
            return None;
        }
        Some(text.value.to_owned())
    }

    /// A finite number.
    pub fn number(&self, key: &'static str) -> Option<At<f64>> {
        self.read(key, &NUMBER, number_of)
    }

    /// A whole number.
    pub fn whole(&self, key: &'static str) -> Option<At<i64>> {
        self.read(key, &WHOLE, whole_of)
    }

    /// True or false.
    pub fn flag(&self, key: &'static str) -> Option<At<bool>> {
        self.read(key, &FLAG, |value| match value {
            DeValue::Boolean(flag) => Some(*flag),
            _ => None,
        })
    }

    /// Two numbers.
    pub fn pair(&self, key: &'static str) -> Option<At<(f64, f64)>> {
        self.read(key, &PAIR, pair_of)
    }

    /// A number or two of them: `red` and `target`.
    pub fn number_or_pair(&self, key: &'static str) -> Option<At<NumberOrPair>> {
        match self.value(key)?.get_ref() {
            DeValue::Array(_) => Some(self.pair(key)?.map(|(low, high)| NumberOrPair::Pair(low, high))),
            _ => Some(self.number(key)?.map(NumberOrPair::Number)),
        }
    }

    /// A list of pairs of numbers.
    pub fn pairs(&self, key: &'static str) -> Option<At<Vec<(f64, f64)>>> {
        let wanted = Wanted {
            kind: "a list of [value, score] pairs",
            example: "[[0, 0], [100, 100]]",
        };
        self.read(key, &wanted, |value| match value {
            DeValue::Array(array) => array.iter().map(|item| pair_of(item.get_ref())).collect(),
            _ => None,
        })
    }

    /// Texts with their places; none when the key is absent.
    pub fn texts(&self, key: &'static str) -> Vec<At<&'a str>> {
        let texts = self.read(key, &TEXTS, |value| match value {
            DeValue::Array(array) => array
                .iter()
                .map(|item| {
                    let at = item.span().start;
                    text_of(item.get_ref()).map(|value| At { value, at })
                })
                .collect::<Option<Vec<_>>>(),
            _ => None,
        });
        texts.map(|texts| texts.value).unwrap_or_default()
    }

    /// A length of time above 0, ms.
    pub fn duration(&self, key: &'static str) -> Option<At<i64>> {
        let duration = self.duration_or_zero(key)?;
        if duration.value == 0 {
            let remedy = "write a length above 0 such as \"1d\", or leave it out";
            self.refuse(duration.at, &format!("`{key}` is 0"), remedy);
            return None;
        }
        Some(duration)
    }

    /// A length of time, 0 included, ms.
    pub fn duration_or_zero(&self, key: &'static str) -> Option<At<i64>> {
        let wanted = Wanted {
            kind: "a length of time",
            example: "\"90s\", or with ms, m, h, d or w: one whole number and one unit",
        };
        self.read(key, &wanted, |value| text_of(value).and_then(duration::parse))
    }

    /// One of a few words.
    pub fn choice<T: Clone>(&self, key: &'static str, choices: &[(&'static str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        self.choose(key, text, choices)
    }

    /// The meaning of a word that was read already.
    pub fn choose<T: Clone>(&self, key: &str, text: At<&str>, choices: &[(&'static str, T)]) -> Option<At<T>> {
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(text.map(|_| choice.clone()));
        }
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let what = format!("`{key}` is \"{}\"", shorten(text.value));
        let remedy = match nearest(text.value, words.iter().copied()) {
            Some(meant) => format!("did you mean \"{meant}\"?"),
            None => format!("use one of {}", list(&words)),
        };
        self.refuse(text.at, &what, &remedy);
        None
    }

    /// The name of the thing, which must be there.
    pub fn id<T>(&self, parse: impl FnOnce(&str) -> Result<T, IdError>) -> Option<At<T>> {
        let Some(_) = self.value("id") else {
            self.refuse_missing("id", "give it a short name in small letters, for example id = \"it\"");
            return None;
        };
        let text = self.text("id")?;
        match parse(text.value) {
            Ok(id) => Some(text.map(|_| id)),
            Err(error) => {
                // The error says what is wrong and what to do, with a colon between them.
                let error = error.to_string();
                let (what, remedy) = error.split_once(": ").unwrap_or((&error, "choose another id"));
                let what = format!("id \"{}\": {what}", shorten(text.value));
                self.refuse(text.at, &what, remedy);
                None
            }
        }
    }

    /// A table inside this one.
    pub fn table(&self, key: &'static str, subject: String) -> Option<Self> {
        let table = self.read(key, &TABLE, table_of)?;
        Some(Self::new(self.report, subject, table.at, table.value))
    }

    /// Tables inside this one, each with a subject made from its number (from 1) and its `id`, if it has one.
    pub fn tables(&self, key: &'static str, subject: impl Fn(usize, Option<&str>) -> String) -> Vec<Self> {
        let tables = self.read(key, &TABLES, tables_of);
        let tables = tables.map(|tables| tables.value).unwrap_or_default();
        let named = tables.into_iter().enumerate().map(|(index, At { value, at })| {
            let id = value.get("id").and_then(|id| text_of(id.get_ref()));
            let id = id.filter(|id| id.len() <= 128 && !id.contains(char::is_control));
            Self::new(self.report, subject(index + 1, id), at, value)
        });
        named.collect()
    }

    /// A civil date, as a TOML date or as text: year, month, day.
    pub fn date(&self, key: &'static str) -> Option<At<jiff::civil::Date>> {
        let wanted = Wanted {
            kind: "a date from 1970-01-01 to 2199-12-31",
            example: "\"2026-07-12\"",
        };
        self.read(key, &wanted, |value| {
            let text = match value {
                DeValue::String(text) => text.to_string(),
                DeValue::Datetime(date) => date.to_string(),
                _ => return None,
            };
            let date = (text.len() == 10).then(|| text.parse::<jiff::civil::Date>().ok())??;
            (1970..2200).contains(&date.year()).then_some(date)
        })
    }
}
