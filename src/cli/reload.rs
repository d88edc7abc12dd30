//! `kpid reload`: a running daemon reads its scorecard definitions again.
//!
//! An address enters, what holds now leaves. Definitions that are wrong change nothing; every problem is said.

use serde_json::Value;

use super::args::{Format, ReloadArgs};
use super::ask::Daemon;
use super::error::CliError;
use super::output;

/// Asks for the reload and says what came of it.
pub fn run(args: &ReloadArgs) -> Result<(), CliError> {
    let answer = Daemon::at(&args.server)?.post("/api/v1/reload")?;
    match args.format {
        Format::Json => output::print(&format!("{answer:#}\n")),
        Format::Table => output::print(&format!("{}\n", words(&answer))),
    }
}

fn words(answer: &Value) -> String {
    let catalog = answer.get("catalog").and_then(Value::as_str).unwrap_or_default();
    let Some(sequence) = answer.get("sequence").and_then(Value::as_u64) else {
        return format!("unchanged: {catalog} holds already");
    };
    let rebuilt: Vec<&str> = answer
        .get("rebuilt")
        .and_then(Value::as_array)
        .map(|kpis| kpis.iter().filter_map(Value::as_str).collect())
        .unwrap_or_default();
    let what = match rebuilt.as_slice() {
        [] => "no window had to be rebuilt".to_owned(),
        kpis => format!("rebuilt from the journal: {}", kpis.join(", ")),
    };
    format!("changed: {catalog} holds from sequence {sequence} on; {what}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn people_read_what_holds_and_what_was_rebuilt() {
        let unchanged = json!({"catalog": "sha256:ab", "changed": false, "sequence": null, "rebuilt": []});
        assert_eq!(words(&unchanged), "unchanged: sha256:ab holds already");
        let edited = json!({"catalog": "sha256:cd", "changed": true, "sequence": 7, "rebuilt": []});
        assert_eq!(
            words(&edited),
            "changed: sha256:cd holds from sequence 7 on; no window had to be rebuilt"
        );
        let rebuilt = json!({"catalog": "sha256:cd", "changed": true, "sequence": 7, "rebuilt": ["a", "b"]});
        assert!(words(&rebuilt).ends_with("rebuilt from the journal: a, b"));
    }
}
