//! Finds the files of the catalog: every `*.toml` of the folders named, sorted by name.
//!
//! Folders enter, texts leave; what the texts mean is not known here. The order is by file name over all folders,
//! because the order of scorecards and rules must not depend on where a file lies or how a file system lists it.

use std::io;
use std::path::{Path, PathBuf};

use super::problem::SettingsProblem;
use crate::domain::catalog::CatalogFile;

/// Reads the catalog files of some folders; the error lists everything that is wrong with them.
pub fn catalog_files(folders: &[PathBuf]) -> Result<Vec<CatalogFile>, Vec<SettingsProblem>> {
    let mut files = Vec::new();
    let mut problems = Vec::new();
    for folder in folders {
        match toml_files(folder) {
            Ok(paths) if paths.is_empty() => problems.push(no_catalog(folder, "holds no `*.toml`")),
            Ok(paths) => read_all(&paths, &mut files, &mut problems),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                problems.push(no_catalog(folder, "does not exist"));
            }
            Err(error) => problems.push(unreadable(folder, &error)),
        }
    }
    files.sort_by(|a: &CatalogFile, b| a.name.cmp(&b.name));
    for pair in files.windows(2) {
        if let [first, second] = pair
            && first.name == second.name
        {
            let name = first.name.clone();
            problems.push(SettingsProblem::TwiceInCatalog { name });
        }
    }
    if problems.is_empty() { Ok(files) } else { Err(problems) }
}

fn toml_files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn read_all(paths: &[PathBuf], files: &mut Vec<CatalogFile>, problems: &mut Vec<SettingsProblem>) {
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match std::fs::read_to_string(path) {
            Ok(text) => files.push(CatalogFile { name, text }),
            Err(error) => problems.push(unreadable(path, &error)),
        }
    }
}

fn no_catalog(folder: &Path, found: &'static str) -> SettingsProblem {
    let path = folder.display().to_string();
    SettingsProblem::NoCatalog { path, found }
}

fn unreadable(path: &Path, error: &io::Error) -> SettingsProblem {
    SettingsProblem::Unreadable {
        what: "catalog".to_owned(),
        path: path.display().to_string(),
        reason: error.to_string(),
    }
}
