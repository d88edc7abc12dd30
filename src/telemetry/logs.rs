//! Logs: words on stderr, one event a line, for people or as JSON.
//!
//! A form and a level enter, the subscriber of this process is set. `RUST_LOG` wins over the level, so that one room can
//! be heard without editing a file. Colour is only for a terminal whose owner did not set `NO_COLOR`, and never alone:
//! the level is a word.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Form of a log line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// One line of words.
    Text,
    /// One JSON object a line.
    Json,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// The filter is not one.
    #[error(
        "log filter `{filter}` is wrong: {reason}: use a level such as `info`, or `kpid::journal=debug,info` in RUST_LOG"
    )]
    Filter {
        /// As found in `RUST_LOG` or the settings.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Someone else in this process set one before.
    #[error("logs were started already in this process")]
    Twice,
}

/// Starts logging to stderr. `level` is the least serious one written: `error`, `warn`, `info`, `debug`, `trace`.
pub fn start_logs(form: Form, level: &str) -> Result<(), LogsError> {
    let asked = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let filter = filter(&asked.unwrap_or_else(|| directives(level)))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    let started = match form {
        Form::Text => lines.with_ansi(colour()).with_target(false).try_init(),
        Form::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|_| LogsError::Twice)
}

/// What libraries say of themselves is not for the operator: what matters of it, kpid says in its own words.
fn directives(level: &str) -> String {
    match level {
        "error" => level.to_owned(),
        level => format!("warn,kpid={level}"),
    }
}

fn filter(text: &str) -> Result<EnvFilter, LogsError> {
    EnvFilter::try_new(text).map_err(|error| LogsError::Filter {
        filter: text.to_owned(),
        reason: error.to_string(),
    })
}

fn colour() -> bool {
    let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    !refused && std::io::stderr().is_terminal()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filter_names_levels_and_rooms() {
        for good in ["info", "kpid::journal=debug,info", "off"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        assert_eq!(
            (directives("error"), directives("info")),
            ("error".to_owned(), "warn,kpid=info".to_owned())
        );
        let error = filter("kpid=loud").unwrap_err().to_string();
        assert!(error.contains("`kpid=loud`") && error.contains("RUST_LOG"), "{error}");
    }
}
