//! The catalog as people write it: one scorecard a file, in TOML.
//!
//! Texts of files enter, a whole [`Catalog`] leaves, or every [`Problem`] of every file at once, each with its place
//! and its remedy. Nothing here touches the file system, and nothing is ignored: what is not understood is refused.
//!
//! The document is read through spanned values, key by key. Deserialising into structures was rejected: it stops at
//! the first problem and loses the place of everything after it.

mod alert;
mod cascade;
mod changes;
mod duration;
mod fields;
mod kpi;
mod paths;
mod problem;
mod resolve;
mod scorecard;
mod scoring;
mod tree;
mod values;
mod window;

#[cfg(test)]
mod tests;

pub use paths::paths;
pub use problem::Problem;

use std::fmt::Write as _;

use rayon::prelude::*;
use sha2::{Digest, Sha256};
use toml::de::DeTable;

use crate::domain::catalog::{Catalog, CatalogFile};
use problem::Report;

/// The scorecards to start from, by file name: `kpid init` writes them, `kpid demo` lives on them.
pub const DEFAULT_SCORECARDS: [(&str, &str); 5] = [
    ("company.toml", include_str!("../../../config/scorecards/company.toml")),
    ("it.toml", include_str!("../../../config/scorecards/it.toml")),
    (
        "marketing.toml",
        include_str!("../../../config/scorecards/marketing.toml"),
    ),
    ("product.toml", include_str!("../../../config/scorecards/product.toml")),
    (
        "training.toml",
        include_str!("../../../config/scorecards/training.toml"),
    ),
];

/// What to do about a folder without scorecards.
const EMPTY_REMEDY: &str = "write one with `kpid init`, or name the folder with `catalog` in the settings";

/// Reads and checks a whole catalog. The files' order does not matter: they are taken by name.
///
/// Refused with every problem of every file, sorted by file, line and column.
pub fn parse(files: &[CatalogFile]) -> Result<Catalog, Vec<Problem>> {
    if files.is_empty() {
        return Err(vec![no_files()]);
    }
    let mut files = files.to_vec();
    files.sort_by(|one, other| one.name.cmp(&other.name));
    let reports: Vec<Report<'_>> = files.iter().map(|file| Report::new(&file.name, &file.text)).collect();
    let documents: Vec<_> = files
        .par_iter()
        .zip(&reports)
        .map(|(file, report)| read_toml(file, report))
        .collect();
    let mut calendars = scorecard::Calendars::default();
    let drafts: Vec<_> = documents
        .iter()
        .zip(&reports)
        .filter_map(|(document, report)| scorecard::read(report, document.as_ref()?, &mut calendars))
        .collect();
    let whole = drafts.len() == files.len() && drafts.iter().all(|draft| draft.whole);
    let catalog = resolve::resolve(drafts, whole);
    let mut problems: Vec<Problem> = reports.iter().flat_map(Report::take).collect();
    problems.sort();
    problems.dedup();
    if !problems.is_empty() {
        return Err(problems);
    }
    Ok(Catalog {
        fingerprint: fingerprint(&files),
        files,
        ..catalog
    })
}

fn no_files() -> Problem {
    Problem {
        file: String::new(),
        line: 1,
        column: 1,
        what: "the catalog has no *.toml file".to_owned(),
        remedy: EMPTY_REMEDY.to_owned(),
    }
}

/// The document, or `None` with what is wrong with its syntax. What the parser could recover is not looked at: half
/// a document gives problems that are none.
fn read_toml<'a>(file: &'a CatalogFile, report: &Report<'_>) -> Option<toml::Spanned<DeTable<'a>>> {
    let (document, errors) = DeTable::parse_recoverable(&file.text);
    for error in &errors {
        let at = error.span().map_or(0, |span| span.start);
        report.add(
            at,
            &format!("not TOML: {}", error.message()),
            "put the syntax right, see https://toml.io",
        );
    }
    errors.is_empty().then_some(document)
}

/// `sha256:` and the digest over names and texts, each ended by a zero byte. Files come sorted by name.
fn fingerprint(files: &[CatalogFile]) -> String {
    let mut digest = Sha256::new();
    for file in files {
        for part in [&file.name, &file.text] {
            digest.update(part.as_bytes());
            digest.update([0]);
        }
    }
    format!("sha256:{}", hex(&digest.finalize()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut out, byte| {
        // Writing to a String cannot fail.
        let _ = write!(out, "{byte:02x}");
        out
    })
}
