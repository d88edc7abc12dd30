//! The layers of settings, from the built-in defaults up to the flags, merged by the config crate.
//!
//! Texts, variables and flags enter; one table of known keys leaves, each value with its origin. A key that nobody
//! reads is a problem with the nearest known key as its remedy, in files and in the environment alike: a setting that
//! is silently ignored is the most expensive kind of typing error.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Config, Environment, File, FileFormat, Map, Source, Value, ValueKind};

use super::problem::SettingsProblem;
use super::{DEFAULT_SETTINGS, LoadOptions};

/// Environment variables that begin like settings and belong to the test harness.
const FOREIGN_PREFIX: &str = "KPID_TEST_";

/// Where the settings of a folder are.
const FOLDER_FILE: &str = "config/kpid.toml";

/// Flat keys (`http.listen`) and their values.
pub(super) type Flat = BTreeMap<String, Value>;

/// What the layers gave.
pub(super) struct Layers {
    /// Every known key; the value's origin says where it was set.
    pub values: Flat,
    /// What was wrong on the way.
    pub problems: Vec<SettingsProblem>,
    known: Vec<String>,
    builder: config::ConfigBuilder<config::builder::DefaultState>,
}

impl Layers {
    /// Merges all layers. What a layer says wrongly is left out and reported.
    pub fn merge(options: &LoadOptions) -> Self {
        let mut layers = Self {
            values: Flat::new(),
            problems: Vec::new(),
            known: Vec::new(),
            builder: Config::builder(),
        };
        let defaults = layers.parse(DEFAULT_SETTINGS, "the built-in defaults");
        layers.known = defaults.keys().cloned().collect();
        layers.push(defaults, |_| "the built-in defaults".to_owned());
        layers.push_texts(&options.command_defaults, |_| "this command's defaults".to_owned());
        if let Some(path) = options.folder.as_ref().map(|folder| folder.join(FOLDER_FILE))
            && path.exists()
        {
            layers.push_file(&path);
        }
        if let Some(path) = &options.config_file {
            layers.push_file(path);
        }
        layers.push_environment(&options.environment);
        layers.push_texts(&options.overrides, |key| format!("the flag for `{key}`"));
        layers.finish()
    }

    fn finish(mut self) -> Self {
        let merged = std::mem::take(&mut self.builder).build();
        match merged.and_then(|merged| merged.cache.into_table()) {
            Ok(table) => flatten("", table, &mut self.values),
            Err(error) => self.problems.push(SettingsProblem::Malformed {
                path: "all layers together".to_owned(),
                reason: error.to_string(),
            }),
        }
        self
    }

    fn push_file(&mut self, path: &Path) {
        let shown = path.display().to_string();
        match std::fs::read_to_string(path) {
            Ok(text) => {
                let values = self.parse(&text, &shown);
                self.push(values, |_| format!("`{shown}`"));
            }
            Err(error) => self.problems.push(SettingsProblem::Unreadable {
                what: "settings file".to_owned(),
                path: shown,
                reason: error.to_string(),
            }),
        }
    }

    fn parse(&mut self, text: &str, path: &str) -> Flat {
        let mut values = Flat::new();
        match File::from_str(text, FileFormat::Toml).collect() {
            Ok(table) => flatten("", table, &mut values),
            Err(error) => self.problems.push(SettingsProblem::Malformed {
                path: path.to_owned(),
                reason: error.to_string().trim().to_owned(),
            }),
        }
        values
    }

    fn push_environment(&mut self, variables: &[(String, String)]) {
        let ours: Map<String, String> = variables
            .iter()
            .filter(|(name, _)| name.starts_with("KPID_") && !name.starts_with(FOREIGN_PREFIX))
            .cloned()
            .collect();
        let source = Environment::with_prefix("KPID")
            .prefix_separator("_")
            .separator("__")
            .source(Some(ours));
        let mut values = Flat::new();
        if let Ok(table) = source.collect() {
            flatten("", table, &mut values);
        }
        self.push(values, |key| format!("the environment variable {}", variable_name(key)));
    }

    fn push_texts(&mut self, texts: &[(String, String)], origin: impl Fn(&str) -> String) {
        let values = texts
            .iter()
            .map(|(key, text)| (key.clone(), Value::new(None, text.as_str())))
            .collect();
        self.push(values, origin);
    }

    fn push(&mut self, values: Flat, origin: impl Fn(&str) -> String) {
        let mut layer = Layer::default();
        for (key, value) in values {
            let origin = origin(&key);
            if self.known.contains(&key) {
                layer.values.insert(key, Value::new(Some(&origin), value.kind));
            } else {
                let remedy = remedy_for(&key, &self.known);
                self.problems.push(SettingsProblem::UnknownKey { key, origin, remedy });
            }
        }
        self.builder = std::mem::take(&mut self.builder).add_source(layer);
    }
}

/// The variable that sets a key.
fn variable_name(key: &str) -> String {
    format!("KPID_{}", key.replace('.', "__").to_uppercase())
}

/// One layer in the form that the config crate merges.
#[derive(Debug, Clone, Default)]
struct Layer {
    values: Map<String, Value>,
}

impl Source for Layer {
    fn clone_into_box(&self) -> Box<dyn Source + Send + Sync> {
        Box::new(self.clone())
    }

    fn collect(&self) -> Result<Map<String, Value>, config::ConfigError> {
        Ok(self.values.clone())
    }
}

fn flatten(prefix: &str, table: Map<String, Value>, out: &mut Flat) {
    for (name, value) in table {
        let key = if prefix.is_empty() {
            name
        } else {
            format!("{prefix}.{name}")
        };
        match value.kind {
            ValueKind::Table(inner) => flatten(&key, inner, out),
            _ => {
                out.insert(key, value);
            }
        }
    }
}

fn remedy_for(key: &str, known: &[String]) -> String {
    let section = format!("{key}.");
    if known.iter().any(|name| name.starts_with(&section)) {
        return format!("`{key}` is a section; write its keys under `[{key}]`");
    }
    // Half of the letters right is still a typing error; beyond that a guess would only mislead.
    let nearest = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(key, name), name))
        .min()
        .filter(|(distance, name)| *distance * 2 <= name.len());
    let same_name = || known.iter().find(|name| name.rsplit('.').next() == Some(key));
    match nearest.map(|(_, name)| name).or_else(same_name) {
        Some(name) => format!("did you mean `{name}`?"),
        None => "`kpid init` writes a file with every key".to_owned(),
    }
}
