//! `kpid check`: reads settings and catalog, and reports everything that is wrong at once.
//!
//! Nothing is bound, written or connected to, so that it can stand before every start.

use super::args::CheckArgs;
use super::error::CliError;
use super::output;
use crate::settings::{LoadOptions, Settings};
use crate::wire::catalog;

/// Says `ok: ...` on stdout, or every problem on stderr.
pub fn run(args: &CheckArgs) -> Result<(), CliError> {
    let summary = examine(&args.settings.load_options())?;
    output::print(&format!("{summary}\n"))
}

/// One line about sound settings and a sound catalog, or all problems of both.
fn examine(options: &LoadOptions) -> Result<String, CliError> {
    let (settings, problems) = Settings::inspect(options);
    let mut lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    for warning in &settings.warnings {
        output::say(&format!("warning: {warning}"));
    }
    let mut summary = String::new();
    match settings.catalog_files() {
        Ok(files) => match catalog::parse(&files) {
            Ok(catalog) => {
                let (scorecards, kpis, rules) = (catalog.scorecards.len(), catalog.kpis.len(), catalog.rules.len());
                summary = format!("ok: {scorecards} scorecards, {kpis} KPIs, {rules} alert rules");
            }
            Err(problems) => lines.extend(problems.iter().map(ToString::to_string)),
        },
        Err(problems) => lines.extend(problems.iter().map(ToString::to_string)),
    }
    if lines.is_empty() {
        Ok(summary)
    } else {
        Err(CliError::Wrong(lines))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(catalog: &std::path::Path, environment: &[(&str, &str)]) -> LoadOptions {
        let environment = environment
            .iter()
            .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()));
        LoadOptions {
            environment: environment.collect(),
            overrides: vec![("catalog".to_owned(), catalog.display().to_string())],
            ..LoadOptions::default()
        }
    }

    #[test]
    fn what_init_writes_passes_the_check() {
        let folder = tempfile::tempdir().unwrap();
        let args = crate::cli::args::InitArgs {
            dir: folder.path().to_owned(),
        };
        crate::cli::init::run(&args).unwrap();
        let summary = examine(&options(&folder.path().join("config/scorecards"), &[])).unwrap();
        assert!(summary.starts_with("ok: 5 scorecards, "), "{summary}");
    }

    #[test]
    fn settings_and_catalog_are_wrong_at_the_same_time_and_both_are_said() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("it.toml"), "[scorecard]\nid = \"IT\"\n").unwrap();
        let environment = [("KPID_HTTP__LISTEN", "nowhere"), ("KPID_HTPP__LISTEN", "x")];
        let error = examine(&options(folder.path(), &environment)).unwrap_err();
        let words = error.to_string();
        assert_eq!(error.exit_code(), 2);
        for part in ["`nowhere`", "did you mean `http.listen`?", "it.toml:"] {
            assert!(words.contains(part), "{part} is missing in\n{words}");
        }
    }
}
