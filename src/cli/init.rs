//! `kpid init [DIR]`: writes the default settings and five scorecards to start from.
//!
//! A folder enters, files leave; a file that exists stays as it is, whatever is in it. With nothing left to write the
//! command fails, so that a script notices that it did not set up anything.

use std::io::{ErrorKind, Write};
use std::path::Path;

use super::args::InitArgs;
use super::error::CliError;
use super::output;
use crate::settings::DEFAULT_SETTINGS;
use crate::wire::catalog::DEFAULT_SCORECARDS;

/// What became of one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Written,
    Kept,
}

/// Writes what is missing, and says what it did.
pub fn run(args: &InitArgs) -> Result<(), CliError> {
    let mut written = 0;
    for (name, text) in files() {
        let path = args.dir.join(&name);
        match write_new(&path, text)? {
            Outcome::Written => {
                written += 1;
                output::print(&format!("{}\n", path.display()))?;
            }
            Outcome::Kept => output::say(&format!("kept as it is: {} exists already", path.display())),
        }
    }
    if written == 0 {
        let dir = args.dir.display();
        return Err(CliError::failed(format!(
            "nothing to write: every file exists already in {dir}"
        )));
    }
    output::say("next: `kpid check`, then `kpid serve`");
    Ok(())
}

fn files() -> impl Iterator<Item = (String, &'static str)> {
    let scorecards = DEFAULT_SCORECARDS
        .iter()
        .map(|(name, text)| (format!("config/scorecards/{name}"), *text));
    std::iter::once(("config/kpid.toml".to_owned(), DEFAULT_SETTINGS)).chain(scorecards)
}

/// Writes a file that does not exist yet; the test and the creation are one step, so that nothing is ever overwritten.
fn write_new(path: &Path, text: &str) -> Result<Outcome, CliError> {
    let failed = |error: std::io::Error| CliError::failed(format!("{} cannot be written: {error}", path.display()));
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    match std::fs::File::create_new(path) {
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .map(|()| Outcome::Written)
            .map_err(failed),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(Outcome::Kept),
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn init_writes_what_is_missing_and_never_over_an_existing_file() {
        let folder = tempfile::tempdir().unwrap();
        let args = InitArgs {
            dir: folder.path().join("new"),
        };
        let settings = args.dir.join("config/kpid.toml");
        run(&args).unwrap();
        assert_eq!(std::fs::read_to_string(&settings).unwrap(), DEFAULT_SETTINGS);

        std::fs::write(&settings, "# mine").unwrap();
        assert_eq!(run(&args).unwrap_err().exit_code(), 1, "nothing was left to write");
        assert_eq!(std::fs::read_to_string(&settings).unwrap(), "# mine");
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = run(&InitArgs { dir: file.clone() }).unwrap_err();
        assert!(error.to_string().contains(&file.display().to_string()), "{error}");
    }
}
