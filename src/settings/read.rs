//! Reads typed values out of the merged layers and collects everything that does not fit.
//!
//! A key enters, a value of the right type leaves. When the value does not fit, a problem is noted and a stand-in
//! leaves, which nobody sees: settings with problems are never handed out.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use config::{Value, ValueKind};

use super::layers::{Flat, Layers};
use super::problem::SettingsProblem;
use super::secret::Secret;
use super::units::{DURATION_FORM, SIZE_FORM, duration_text, parse_duration, parse_size, size_text};

/// Reads keys and remembers which, and what was wrong.
pub(super) struct Reader {
    values: Flat,
    asked: BTreeSet<String>,
    /// What does not fit.
    pub problems: Vec<SettingsProblem>,
    /// What is allowed and unwise.
    pub warnings: Vec<String>,
}

impl Reader {
    /// Reads from what the layers gave, continuing their list of problems.
    pub fn new(layers: Layers) -> Self {
        Self {
            values: layers.values,
            asked: BTreeSet::new(),
            problems: layers.problems,
            warnings: Vec::new(),
        }
    }

    /// Keys that are in the defaults and that nobody asked for, and the reverse: both empty in a sound build.
    #[cfg(test)]
    pub fn out_of_step(&self) -> Vec<String> {
        let held: BTreeSet<String> = self.values.keys().cloned().collect();
        held.symmetric_difference(&self.asked).cloned().collect()
    }

    /// Notes that two or more keys contradict one another.
    pub fn contradiction(&mut self, found: impl Into<String>, remedy: impl Into<String>) {
        self.problems.push(SettingsProblem::Contradiction {
            found: found.into(),
            remedy: remedy.into(),
        });
    }

    /// Notes that a value does not fit.
    pub fn wrong(&mut self, key: &str, found: impl Into<String>, expected: impl Into<String>) {
        let origin = self.values.get(key).and_then(Value::origin);
        self.problems.push(SettingsProblem::WrongValue {
            key: key.to_owned(),
            found: found.into(),
            origin: origin.unwrap_or("the built-in defaults").to_owned(),
            expected: expected.into(),
        });
    }

    /// Free text.
    pub fn text(&mut self, key: &str) -> String {
        self.asked.insert(key.to_owned());
        let value = self.values.get(key).cloned();
        match value.map(|value| (value.kind.clone(), value.into_string())) {
            Some((_, Ok(text))) => text,
            Some((kind, Err(_))) => {
                self.wrong(key, show(&kind), "one value, not a list");
                String::new()
            }
            None => String::new(),
        }
    }

    /// A list of texts: a TOML list, or one text with commas. Empty entries vanish.
    pub fn list(&mut self, key: &str) -> Vec<String> {
        let Some(ValueKind::Array(entries)) = self.values.get(key).map(|value| value.kind.clone()) else {
            let text = self.text(key);
            return split_list(&text);
        };
        self.asked.insert(key.to_owned());
        let mut texts = Vec::new();
        for entry in entries {
            match entry.kind {
                ValueKind::String(text) => texts.push(text.trim().to_owned()),
                kind => self.wrong(key, show(&kind), "a list of texts, each in quotes"),
            }
        }
        texts.retain(|text| !text.is_empty());
        texts
    }

    /// A whole number within a range.
    pub fn number(&mut self, key: &str, range: RangeInclusive<usize>) -> usize {
        let form = format!("a whole number from {} to {}", range.start(), range.end());
        self.within(key, range, &form, |text| text.parse().ok())
    }

    /// A duration within a range.
    pub fn duration(&mut self, key: &str, range: RangeInclusive<Duration>) -> Duration {
        let (low, high) = (duration_text(*range.start()), duration_text(*range.end()));
        let form = format!("{DURATION_FORM}, from {low} to {high}");
        self.within(key, range, &form, parse_duration)
    }

    /// A size in bytes within a range.
    pub fn size(&mut self, key: &str, range: RangeInclusive<u64>) -> u64 {
        let (low, high) = (size_text(*range.start()), size_text(*range.end()));
        let form = format!("{SIZE_FORM}, from {low} to {high}");
        self.within(key, range, &form, parse_size)
    }

    /// `true` or `false`.
    pub fn switch(&mut self, key: &str) -> bool {
        self.parsed(key, "`true` or `false`", false, |text| text.parse().ok())
    }

    /// One of some words.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)], stand_in: T) -> T {
        let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
        let expected = format!("one of {}", words.join(", "));
        self.parsed(key, &expected, stand_in, |text| {
            choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
        })
    }

    /// Whatever `parse` makes of the text.
    pub fn parsed<T>(&mut self, key: &str, expected: &str, stand_in: T, parse: impl Fn(&str) -> Option<T>) -> T {
        let before = self.problems.len();
        let text = self.text(key);
        if self.problems.len() > before {
            return stand_in;
        }
        parse(text.trim()).unwrap_or_else(|| {
            self.wrong(key, text, expected);
            stand_in
        })
    }

    /// A file that must be there, when one is named.
    pub fn file(&mut self, key: &str) -> Option<PathBuf> {
        let path = Some(self.text(key))
            .filter(|text| !text.is_empty())
            .map(PathBuf::from)?;
        if let Err(error) = std::fs::File::open(&path) {
            self.unreadable(key, &path, &error);
        }
        Some(path)
    }

    /// A secret, given as it is or by the file that `<key>_file` names.
    pub fn secret(&mut self, key: &str) -> Secret {
        let file_key = format!("{key}_file");
        let direct = self.text(key);
        let file = Some(self.text(&file_key)).filter(|path| !path.is_empty());
        let Some(path) = file.map(PathBuf::from) else {
            return Secret::new(direct);
        };
        if !direct.is_empty() {
            self.contradiction(
                format!("`{key}` and `{file_key}` are both set"),
                "keep one of them, the file if you can",
            );
        }
        match Secret::read(&path) {
            Ok((secret, world_readable)) => {
                if world_readable {
                    let shown = path.display();
                    self.warnings.push(format!(
                        "`{file_key}`: everybody on this machine can read {shown}: chmod 600 {shown}"
                    ));
                }
                secret
            }
            Err(error) => {
                self.unreadable(&file_key, &path, &error);
                Secret::default()
            }
        }
    }

    fn unreadable(&mut self, key: &str, path: &std::path::Path, error: &std::io::Error) {
        self.problems.push(SettingsProblem::Unreadable {
            what: format!("`{key}`"),
            path: path.display().to_string(),
            reason: error.to_string(),
        });
    }

    fn within<T: PartialOrd + Copy>(
        &mut self,
        key: &str,
        range: RangeInclusive<T>,
        form: &str,
        parse: impl Fn(&str) -> Option<T>,
    ) -> T {
        let stand_in = *range.start();
        self.parsed(key, form, stand_in, |text| {
            parse(text).filter(|value| range.contains(value))
        })
    }
}

fn split_list(text: &str) -> Vec<String> {
    let entries = text.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    entries.map(str::to_owned).collect()
}

/// A value as its writer would recognise it.
fn show(kind: &ValueKind) -> String {
    match kind {
        ValueKind::Array(entries) => {
            let shown: Vec<String> = entries.iter().map(|entry| show(&entry.kind)).collect();
            format!("[{}]", shown.join(", "))
        }
        other => other.to_string(),
    }
}
