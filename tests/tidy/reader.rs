//! Reads sources the way the house rules look at them: files, lines of code, imports, functions, names.
//!
//! Text enters, plain lists leave; nothing here judges.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// One file.
pub struct Source {
    /// Below the top, with slashes.
    pub path: String,
    /// All of it.
    pub text: String,
}

/// The top of the house.
pub fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// All files under some folders with one of these endings (or, for `""`, without one), by path.
pub fn files(folders: &[&str], endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    for folder in folders {
        collect(&root().join(folder), endings, &mut found);
    }
    found.sort_by(|a: &Source, b| a.path.cmp(&b.path));
    found
}

/// Bytes that a fuzzer made, and what it builds: nobody reads them.
const UNREAD: [&str; 4] = ["fuzz/corpus", "fuzz/target", "fuzz/artifacts", "fuzz/coverage"];

fn collect(path: &Path, endings: &[&str], found: &mut Vec<Source>) {
    if UNREAD.iter().any(|unread| path.ends_with(unread)) {
        return;
    }
    if path.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            collect(&entry.unwrap().path(), endings, found);
        }
    } else if endings.contains(&path.extension().map_or("", |ending| ending.to_str().unwrap_or("?"))) {
        let shown = path.strip_prefix(root()).unwrap().display().to_string();
        found.extend(fs::read_to_string(path).ok().map(|text| Source { path: shown, text }));
    }
}

/// The code of a line: without comment.
pub fn code(line: &str) -> &str {
    let line = line.trim();
    if line.starts_with("//") {
        ""
    } else {
        line.split(" // ").next().unwrap_or(line)
    }
}

/// Lines before the unit tests at the foot of a file, with their numbers.
pub fn lines_before_tests(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line));
    lines.take_while(|(_, line)| !line.starts_with("#[cfg(test)]"))
}

/// Names that follow `crate::` in a text, also inside braces.
pub fn crate_names(text: &str) -> Vec<String> {
    let names_of = |tail: &str| match tail.strip_prefix('{') {
        Some(group) => first_level(group).split(',').map(leading_name).collect(),
        None => vec![leading_name(tail)],
    };
    let names = text.split("crate::").skip(1).flat_map(names_of);
    names.filter(|name| !name.is_empty()).collect()
}

/// What stands in a brace group up to its end, without inner groups.
fn first_level(group: &str) -> String {
    let mut depth = 0;
    let mut level = String::new();
    for c in group.chars() {
        match c {
            '{' => depth += 1,
            '}' if depth == 0 => break,
            '}' => depth -= 1,
            _ if depth == 0 => level.push(c),
            _ => {}
        }
    }
    level
}

/// The name that a text begins with.
pub fn leading_name(text: &str) -> String {
    let text = text.trim_start();
    text.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

/// Where functions begin and how many lines they have, in sources that rustfmt has seen.
pub fn functions(lines: &[&str]) -> Vec<(usize, usize)> {
    let starts = lines.iter().enumerate().filter(|(_, line)| is_function(line));
    starts
        .filter_map(|(at, line)| Some((at, function_length(lines.get(at..)?, line)?)))
        .collect()
}

fn is_function(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let before = words.iter().take_while(|word| **word != "fn");
    let plain = before
        .clone()
        .all(|word| word.starts_with("pub") || ["const", "async", "extern", "\"C\""].contains(word));
    plain && words.len() > before.count() + 1
}

fn function_length(lines: &[&str], first: &str) -> Option<usize> {
    let indent: String = first.chars().take_while(|c| *c == ' ').collect();
    if first.ends_with('}') {
        return Some(1);
    }
    let ends = |line: &str| line.strip_prefix(&indent).is_some_and(|rest| rest.starts_with('}'));
    let declared =
        |line: &str| line.ends_with(';') && line.strip_prefix(&indent).is_some_and(|rest| !rest.starts_with(' '));
    let end = lines.iter().position(|line| ends(line) || declared(line))?;
    let only_declared = lines.get(end).is_some_and(|line| declared(line) && !ends(line));
    (!only_declared).then_some(end + 1)
}

#[test]
fn the_function_reader_counts_as_people_do() {
    let text = "fn a() {}\n\nimpl X {\n    pub async fn b(\n        &self,\n    ) -> u8 {\n        1\n    }\n}\ntrait T {\n    fn c(&self);\n}";
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(functions(&lines), [(0, 1), (3, 5)]);
}

/// Dependencies with the line before and their own line.
pub fn dependencies() -> Vec<(String, String, String)> {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let (mut section, mut before, mut found) = (String::new(), String::new(), Vec::new());
    for line in manifest.lines() {
        if line.starts_with('[') {
            line.clone_into(&mut section);
        } else if let Some((name, _)) = line.split_once(" = ").filter(|_| section.ends_with("dependencies]")) {
            found.push((name.to_owned(), before.clone(), line.to_owned()));
        }
        line.clone_into(&mut before);
    }
    found
}

/// Names of metrics (`kpid_...`) in a text, without the endings that histograms add.
pub fn metric_names(text: &str) -> BTreeSet<String> {
    let tails = text.match_indices("kpid_").filter_map(|(at, _)| text.get(at..));
    let names = tails.map(|tail| {
        tail.chars()
            .take_while(|c| c.is_ascii_lowercase() || *c == '_')
            .collect::<String>()
    });
    names
        .map(|name| {
            ["_bucket", "_sum", "_count"]
                .iter()
                .fold(name, |name, end| name.trim_end_matches(end).to_owned())
        })
        .collect()
}

#[test]
fn the_import_reader_understands_every_form() {
    let text = "use crate::domain::id::KpiId;\nuse crate::{ports::{Clock, Journal}, wire};\nlet x = crate::app::run();";
    assert_eq!(crate_names(text), ["domain", "ports", "wire", "app"]);
}
