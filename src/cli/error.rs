//! How a command ends: its words on stderr and its exit code.

use std::io::Write;
use std::process::ExitCode;

use super::send::SendError;
use crate::settings::SettingsProblem;

/// Why a command did not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// It tried and failed: exit code 1.
    #[error("{0}")]
    Failed(String),
    /// It was asked wrongly, or settings or catalog are wrong: exit code 2. One line a problem.
    #[error("{}", .0.join("\n"))]
    Wrong(Vec<String>),
    /// The journal is damaged: exit code 3.
    #[error("{0}")]
    Damaged(String),
    /// Nobody reads stdout any more, which is no failure: exit code 0, in silence.
    #[error("stdout was closed")]
    PipeClosed,
}

impl CliError {
    /// It tried and failed.
    pub fn failed(words: impl Into<String>) -> Self {
        Self::Failed(words.into())
    }

    /// It was asked wrongly.
    pub fn wrong(words: impl Into<String>) -> Self {
        Self::Wrong(vec![words.into()])
    }

    /// The exit code that says so.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::PipeClosed => 0,
            Self::Failed(_) => 1,
            Self::Wrong(_) => 2,
            Self::Damaged(_) => 3,
        }
    }
}

impl From<Vec<SettingsProblem>> for CliError {
    fn from(problems: Vec<SettingsProblem>) -> Self {
        Self::Wrong(problems.iter().map(ToString::to_string).collect())
    }
}

impl From<std::io::Error> for CliError {
    /// For writing to stdout only: other files have a name to tell.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => Self::PipeClosed,
            _ => Self::Failed(format!("stdout cannot be written: {error}")),
        }
    }
}

impl From<SendError> for CliError {
    fn from(error: SendError) -> Self {
        match error.exit_code() {
            2 => Self::wrong(error.to_string()),
            _ => Self::failed(error.to_string()),
        }
    }
}

/// Says what went wrong, one `error:` a problem, and gives the exit code.
pub fn exit(result: Result<ExitCode, CliError>) -> ExitCode {
    let error = match result {
        Ok(code) => return code,
        Err(error) => error,
    };
    if !matches!(error, CliError::PipeClosed) {
        let mut stderr = std::io::stderr().lock();
        for line in error.to_string().lines() {
            // When stderr is gone as well there is nobody left to tell; the exit code still says it.
            let _ = writeln!(stderr, "error: {line}");
        }
    }
    ExitCode::from(error.exit_code())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_end_has_its_exit_code() {
        let pipe = std::io::Error::from(std::io::ErrorKind::BrokenPipe);
        assert_eq!(CliError::from(pipe).exit_code(), 0);
        assert_eq!(CliError::failed("x").exit_code(), 1);
        assert_eq!(CliError::wrong("x").exit_code(), 2);
        assert_eq!(CliError::Damaged("x".to_owned()).exit_code(), 3);
    }
}
