//! `kpid doctor`: which guarantees hold here, line by line, with the remedy for those that do not.
//!
//! Settings enter, a table or JSON leaves. The exit code is 0 when nothing is a problem, 1 when something is, 2 when settings or
//! catalog are wrong, 3 when the journal is damaged; whatever it is, everything that was found is printed.

use std::process::ExitCode;

use clap::Args;
use serde_json::json;

use super::args::{Format, SettingsArgs};
use super::error::CliError;
use super::output::{self, Paint, Style};
use crate::app::doctor::{Check, Level, Report, Verdict, examine};

/// `kpid doctor`
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// Prints what was found.
pub fn run(args: &DoctorArgs) -> Result<ExitCode, CliError> {
    let report = examine(&args.settings.load_options());
    match args.format {
        Format::Json => output::print(&format!("{:#}\n", body(&report)))?,
        Format::Table => output::print(&told(&report, Style::of_stdout()))?,
    }
    Ok(ExitCode::from(exit_code(report.verdict)))
}

fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Well => 0,
        Verdict::Ill => 1,
        Verdict::WrongConfiguration => 2,
        Verdict::DamagedJournal => 3,
    }
}

fn count(report: &Report, level: Level) -> usize {
    report.checks.iter().filter(|check| check.level == level).count()
}

fn body(report: &Report) -> serde_json::Value {
    let check = |check: &Check| {
        json!({
            "area": check.area,
            "level": check.level.word(),
            "says": check.says,
            "remedy": (!check.remedy.is_empty()).then_some(&check.remedy),
        })
    };
    json!({
        "checks": report.checks.iter().map(check).collect::<Vec<_>>(),
        "ok": count(report, Level::Ok),
        "warnings": count(report, Level::Warning),
        "problems": count(report, Level::Problem),
    })
}

/// One line a check, its remedy below it, and how many of each there are.
fn told(report: &Report, style: Style) -> String {
    let mut lines: Vec<String> = report
        .checks
        .iter()
        .flat_map(|check| check_lines(check, style))
        .collect();
    let [ok, warnings, problems] = [Level::Ok, Level::Warning, Level::Problem].map(|level| count(report, level));
    lines.push(format!("ok: {ok}, warnings: {warnings}, problems: {problems}\n"));
    lines.join("\n")
}

fn check_lines(check: &Check, style: Style) -> Vec<String> {
    let (shape, paint) = match check.level {
        Level::Ok => ("●", Paint::Good),
        Level::Warning => ("◐", Paint::Fair),
        Level::Problem => ("○", Paint::Bad),
    };
    let level = style.paint(paint, &format!("{shape} {:<7}", check.level.word()));
    let mut said = check.says.lines();
    let first = said.next().unwrap_or_default();
    let mut lines = vec![format!("{level}  {:<11}  {first}", check.area)];
    lines.extend(said.map(|line| format!("{:24}{line}", "")));
    if !check.remedy.is_empty() {
        let remedy = style.paint(Paint::Faint, &format!("-> {}", check.remedy));
        lines.push(format!("{:24}{remedy}", ""));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_how_it_is_in_a_word_and_what_to_do() {
        let check = |level, says: &str, remedy: &str| Check {
            area: "journal",
            level,
            says: says.to_owned(),
            remedy: remedy.to_owned(),
        };
        let report = Report {
            checks: vec![
                check(Level::Ok, "it fits", ""),
                check(Level::Warning, "nearly\nfull", "free space"),
            ],
            verdict: Verdict::Well,
        };
        let expected = "\
● ok       journal      it fits
◐ warning  journal      nearly
                        full
                        -> free space
ok: 1, warnings: 1, problems: 0
";
        let shown = told(&report, Style::PLAIN);
        assert_eq!(shown, expected, "\n{shown}");
        let body = body(&report);
        assert_eq!(
            (&body["warnings"], &body["checks"][0]["remedy"]),
            (&json!(1), &json!(null))
        );
    }

    #[test]
    fn the_worst_finding_decides_the_exit_code() {
        let codes = [
            Verdict::Well,
            Verdict::Ill,
            Verdict::WrongConfiguration,
            Verdict::DamagedJournal,
        ];
        assert_eq!(codes.map(exit_code), [0, 1, 2, 3]);
    }
}
