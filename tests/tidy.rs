//! House rules as tests: who may import whom, how long things may be, what is never written.
//!
//! The sources enter as text, a list of broken rules leaves, each with file, line and remedy. The table of rooms is read
//! from `src/lib.rs`, so that the map people read is the one that holds.

#![expect(clippy::unwrap_used, reason = "a tree that cannot be read is a failed test")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

#[path = "tidy/reader.rs"]
mod reader;

use reader::{
    Source, code, crate_names, dependencies, files, functions, leading_name, lines_before_tests, metric_names, root,
};

/// Longest function and file, in lines as they stand; clippy counts the first without comments.
const FUNCTION_LINES_MAX: usize = 70;
const FILE_LINES_MAX: usize = 500;

/// Everything that may stand at the top besides dotfiles and what `.gitignore` names.
const TOP: [&str; 8] = [
    "Cargo.toml",
    "Cargo.lock",
    "LICENSE",
    "README.md",
    "src",
    "config",
    "tests",
    "deploy",
];

/// Rooms whose rows may name `domain`'s types even when the row does not say so: all their neighbours speak in them.
const NO_IMPORTS_AT_ALL: [&str; 2] = ["domain", "telemetry"];

fn holds(rule: &str, broken: &[String]) {
    assert!(broken.is_empty(), "{rule}:\n  {}", broken.join("\n  "));
}

// ---------------------------------------------------------------- rooms

/// Room -> rooms it may import, from the table in `src/lib.rs`.
fn rooms() -> BTreeMap<String, BTreeSet<String>> {
    let map = fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let rows = map.lines().filter_map(|line| line.strip_prefix("//! | [`"));
    let rooms = rows.map(|row| {
        let name = row.split('`').next().unwrap_or_default();
        let imports = row.trim_end_matches([' ', '|']).rsplit('|').next().unwrap_or_default();
        let named = imports.split('`').skip(1).step_by(2).map(str::to_owned);
        (
            name.to_owned(),
            named.collect::<BTreeSet<String>>(),
            imports.trim() == "all",
        )
    });
    let rooms: Vec<_> = rooms.collect();
    let every: BTreeSet<String> = rooms.iter().map(|(name, ..)| name.clone()).collect();
    let known = rooms.into_iter().map(|(name, mut allowed, all)| {
        if all {
            allowed.clone_from(&every);
        }
        if !NO_IMPORTS_AT_ALL.contains(&name.as_str()) {
            allowed.insert("domain".to_owned());
        }
        allowed.insert(name.clone());
        (name, allowed)
    });
    known.collect()
}

/// The room of a source file, or `None` for `lib.rs` and `main.rs`.
fn room_of(path: &str) -> Option<&str> {
    let name = path.strip_prefix("src/")?.split('/').next()?.trim_end_matches(".rs");
    Some(name).filter(|name| !matches!(*name, "lib" | "main"))
}

#[test]
fn rooms_import_only_whom_the_map_allows() {
    let rooms = rooms();
    assert!(
        rooms.len() >= 14,
        "the table in src/lib.rs was not understood: {rooms:?}"
    );
    let mut broken = Vec::new();
    for source in files(&["src"], &["rs"]) {
        let Some(room) = room_of(&source.path).filter(|_| !is_tests_file(&source.path)) else {
            continue;
        };
        let Some(allowed) = rooms.get(room) else {
            broken.push(format!(
                "{}: room `{room}` is not in the table of src/lib.rs",
                source.path
            ));
            continue;
        };
        let lines = lines_before_tests(&source.text).map(|(_, line)| code(line));
        let code = lines.collect::<Vec<_>>().join("\n");
        for name in crate_names(&code) {
            if rooms.contains_key(&name) && !allowed.contains(&name) {
                broken.push(format!("{}: `{room}` may not import `{name}`", source.path));
            }
        }
    }
    holds(
        "imports go one way; take it as an argument, or change the map in src/lib.rs and say why",
        &broken,
    );
}

fn is_tests_file(path: &str) -> bool {
    path.starts_with("tests/") || path.ends_with("/tests.rs") || path.contains("/tests/")
}

#[test]
fn the_rules_know_no_world() {
    let worldly = [
        "std::fs",
        "std::net",
        "std::env",
        "std::io",
        "std::thread",
        "std::process",
        "SystemTime",
        "tokio",
        "serde",
        "tracing",
        "async fn",
        "HashSet::new().iter()",
    ];
    let mut broken = Vec::new();
    for source in files(&["src/domain"], &["rs"]) {
        for (number, line) in lines_before_tests(&source.text) {
            let found = worldly.iter().filter(|word| code(line).contains(**word));
            broken.extend(found.map(|word| format!("{}:{number}: `{word}`", source.path)));
        }
    }
    holds(
        "domain is pure: no IO, async, clock, environment, serde or logs",
        &broken,
    );
}

// ---------------------------------------------------------------- form

#[test]
fn every_module_opens_by_saying_what_it_does() {
    let silent = files(&["src", "tests"], &["rs"]).into_iter().filter(|source| {
        let first = source.text.lines().next().unwrap_or_default();
        !first.starts_with("//! ") || first.contains("(being written)")
    });
    let broken: Vec<String> = silent.map(|source| source.path).collect();
    holds(
        "every module opens with `//!`: what it does, what enters and leaves, what it never does",
        &broken,
    );
}

#[test]
fn files_and_functions_fit_their_readers() {
    let mut broken = Vec::new();
    for source in files(&["src", "tests"], &["rs"]) {
        let lines: Vec<&str> = source.text.lines().collect();
        if lines.len() > FILE_LINES_MAX {
            broken.push(format!(
                "{}: {} lines, at most {FILE_LINES_MAX}: split by noun",
                source.path,
                lines.len()
            ));
        }
        // Tests are told as stories and compared with tables; how long they may be is left to clippy.
        let end = lines
            .iter()
            .position(|line| line.starts_with("#[cfg(test)]"))
            .unwrap_or(lines.len());
        let end = if is_tests_file(&source.path) { 0 } else { end };
        for (at, length) in functions(lines.get(..end).unwrap_or_default()) {
            if length > FUNCTION_LINES_MAX {
                broken.push(format!("{}:{}: a function of {length} lines", source.path, at + 1));
            }
        }
    }
    holds("a function fits a screen and a file a reading", &broken);
}

#[test]
fn the_linter_is_told_the_same_limits() {
    let limits = fs::read_to_string(root().join(".clippy.toml")).unwrap();
    for line in ["too-many-lines-threshold = 70", "too-many-arguments-threshold = 5"] {
        assert!(limits.contains(line), "`{line}` is missing in .clippy.toml");
    }
}

#[test]
fn some_things_are_never_written() {
    // Put together here, so that this file does not break its own rules.
    let never = [
        (["todo", "!("].concat(), "finish it"),
        (["unimplemented", "!("].concat(), "finish it"),
        (["dbg", "!("].concat(), "log it or test it"),
        (["#[", "allow("].concat(), "use `#[expect(.., reason)]`"),
        (["#![", "allow("].concat(), "use `#[expect(.., reason)]`"),
        (["#[", "ignore"].concat(), "a test that does not run proves nothing"),
        (["macro", "_rules!"].concat(), "write a function"),
        (["unsafe", " "].concat(), "use a crate that keeps it for us"),
        (["mod ", "utils"].concat(), "name it after what it does"),
    ];
    let mut broken = Vec::new();
    for source in files(&["src", "tests"], &["rs"]) {
        for (number, line) in source.text.lines().enumerate() {
            let found = never.iter().filter(|(word, _)| code(line).contains(word.as_str()));
            broken.extend(found.map(|(word, remedy)| format!("{}:{}: `{word}`: {remedy}", source.path, number + 1)));
            if line.contains(&["TO", "DO"].concat()) || line.contains(&["FIX", "ME"].concat()) {
                broken.push(format!(
                    "{}:{}: a note to do it later: do it, or open an issue",
                    source.path,
                    number + 1
                ));
            }
        }
    }
    holds("some things are never written", &broken);
}

#[test]
fn every_exception_to_a_lint_has_its_reason() {
    let mark = ["expect", "("].concat();
    let mut broken = Vec::new();
    for source in files(&["src", "tests"], &["rs"]) {
        for (at, _) in source.text.match_indices(&mark) {
            let before = source.text.get(..at).unwrap_or_default();
            let rest = source.text.get(at..).unwrap_or_default();
            let attribute = before.ends_with("#[") || before.ends_with("#![");
            let until = rest.find(")]").unwrap_or(rest.len());
            if attribute && !rest.get(..until).unwrap_or_default().contains("reason") {
                broken.push(format!("{}:{}", source.path, before.lines().count()));
            }
        }
    }
    holds("an exception to a lint says why", &broken);
}

#[test]
fn no_tabs_and_no_blanks_at_the_end_of_a_line() {
    let endings = [
        "rs", "toml", "md", "yaml", "yml", "conf", "html", "css", "js", "service", "sh", "",
    ];
    let mut broken = Vec::new();
    for source in files(&["src", "tests", "config", "deploy"], &endings) {
        for (number, line) in source.text.lines().enumerate() {
            if line.contains('\t') || line.ends_with(' ') {
                broken.push(format!("{}:{}", source.path, number + 1));
            }
        }
        if !source.text.is_empty() && !source.text.ends_with('\n') {
            broken.push(format!("{}: no line end at its end", source.path));
        }
    }
    holds(
        "no tabs, no blanks at the end of a line, a line end at the end of a file",
        &broken,
    );
}

// ---------------------------------------------------------------- package

#[test]
fn the_top_of_the_house_holds_only_what_belongs_there() {
    let ignored = fs::read_to_string(root().join(".gitignore")).unwrap();
    let ignored: BTreeSet<&str> = ignored.lines().map(|line| line.trim_matches('/')).collect();
    let names = fs::read_dir(root())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned());
    let strangers = names.filter(|name| !name.starts_with('.') && !TOP.contains(&name.as_str()));
    let broken: Vec<String> = strangers.filter(|name| !ignored.contains(name.as_str())).collect();
    holds("the top holds only what belongs there", &broken);
}

#[test]
fn the_readme_names_tests_and_files_that_exist() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let sources = files(&["src", "tests"], &["rs"]);
    let told = readme.split('`').skip(1).step_by(2);
    // A story's name has many words; keys and commands have few.
    let is_name = |text: &&str| text.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric());
    let tests: Vec<&str> = told
        .filter(is_name)
        .filter(|text| text.matches('_').count() >= 5)
        .collect();
    assert!(
        tests.len() > 10,
        "the promises of the README were not understood: {tests:?}"
    );
    let is_there = |test: &str| {
        sources
            .iter()
            .any(|source| source.text.contains(&format!("fn {test}(")))
    };
    let lost_tests = tests.into_iter().filter(|test| !is_there(test)).map(str::to_owned);
    let links = readme.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let own_links = links.filter(|link| !link.starts_with('#') && !link.contains("://"));
    let lost_files = own_links.filter(|link| !root().join(link).exists()).map(str::to_owned);
    let broken: Vec<String> = lost_tests.chain(lost_files).collect();
    holds("the README names only what is there", &broken);
}

#[test]
fn integration_tests_are_one_program() {
    let files = fs::read_dir(root().join("tests")).unwrap();
    let names = files.map(|entry| PathBuf::from(entry.unwrap().file_name()));
    let programs = names.filter(|name| name.extension().is_some_and(|ending| ending == "rs"));
    let others = programs.filter(|name| name != Path::new("tidy.rs"));
    let broken: Vec<String> = others.map(|name| name.display().to_string()).collect();
    let rule = "every file beside tests/tidy.rs is linked on its own: make it a module of tests/it";
    holds(rule, &broken);
}

#[test]
fn every_dependency_has_its_reason_beside_it() {
    let dependencies = dependencies();
    assert!(
        dependencies.len() > 20,
        "Cargo.toml was not understood: {dependencies:?}"
    );
    let silent = dependencies
        .iter()
        .filter(|(_, before, line)| !before.starts_with("# ") && !line.contains(" # "));
    let broken: Vec<String> = silent.map(|(name, ..)| name.clone()).collect();
    holds("a dependency has its reason beside it in Cargo.toml", &broken);
}

#[test]
fn every_dependency_is_used() {
    let sources: Vec<Source> = files(&["src", "tests"], &["rs"]);
    let used = |name: &str| {
        let module = name.replace('-', "_");
        let forms = [format!("{module}::"), format!("use {module};"), format!("{module}!(")];
        sources
            .iter()
            .any(|source| forms.iter().any(|form| source.text.contains(form.as_str())))
    };
    let broken: Vec<String> = dependencies()
        .into_iter()
        .map(|(name, ..)| name)
        .filter(|name| !used(name))
        .collect();
    holds(
        "a dependency that nobody uses costs everybody's build: remove it from Cargo.toml",
        &broken,
    );
}

// ---------------------------------------------------------------- metrics

#[test]
fn every_metric_is_declared_in_the_one_file_and_used_by_its_name_there() {
    let declared = files(&["src/telemetry"], &["rs"])
        .into_iter()
        .find(|source| source.path.ends_with("metric.rs"));
    let declared = declared.unwrap().text;
    let mut broken = Vec::new();
    for source in files(&["src"], &["rs"])
        .into_iter()
        .filter(|source| !source.path.starts_with("src/telemetry"))
    {
        let lines = lines_before_tests(&source.text).filter(|_| !is_tests_file(&source.path));
        for (number, line) in lines {
            if code(line).contains("\"kpid_") {
                broken.push(format!(
                    "{}:{number}: use the constant in telemetry::metric",
                    source.path
                ));
            }
            for constant in code(line).split("metric::").skip(1).map(leading_name) {
                let shouted = constant.chars().all(|c| c.is_ascii_uppercase() || c == '_') && !constant.is_empty();
                if shouted && !declared.contains(&format!("pub const {constant}:")) {
                    broken.push(format!(
                        "{}:{number}: `{constant}` is not in telemetry::metric",
                        source.path
                    ));
                }
            }
        }
    }
    holds("every metric's name is in src/telemetry/metric.rs", &broken);
}

#[test]
fn alerts_on_kpid_itself_ask_for_metrics_that_exist() {
    let declared = metric_names(&fs::read_to_string(root().join("src/telemetry/metric.rs")).unwrap());
    let asked = files(&["deploy/prometheus"], &["yaml", "yml"]);
    assert!(!asked.is_empty(), "deploy/prometheus is gone");
    for source in asked {
        let strangers: Vec<String> = metric_names(&source.text).difference(&declared).cloned().collect();
        holds(
            &format!("{} asks for metrics that nobody counts", source.path),
            &strangers,
        );
    }
}
