//! The words of the command line: every command, its options, and what they mean.
//!
//! Texts enter, typed arguments leave. What a setting can say has a flag only where people reach for it; the rest is in
//! the settings file and the environment.

mod asking;

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use asking::{AlertsArgs, ExplainArgs, RestatementArgs, ScorecardArgs};

use super::doctor::DoctorArgs;
use super::journal::JournalArgs;
use super::send::SendArgs;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::settings::{LoadOptions, parse_duration};
use crate::wire::csv::FormWords;

/// KPI measurements in, rolling Balanced Scorecards and alerts out, and a history that can be replayed.
#[derive(Debug, Parser)]
#[command(
    name = "kpid",
    version,
    propagate_version = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
#[command(
    after_help = "Begin with `kpid demo`: a page with four living scorecards, without any setup.\n\
    Exit codes: 0 done, 1 failed, 2 wrong usage or configuration, 3 damaged journal."
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything kpid does.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon: take measurements, keep the journal, show the dashboard, publish alerts
    #[command(
        after_help = "The first line on stdout is `listening on http://ADDRESS`. SIGTERM or Ctrl-C drains and ends with 0."
    )]
    Serve(ServeArgs),
    /// Run the daemon on a throw-away journal, fed by a simulation of four teams
    #[command(after_help = "Prints the address of the dashboard. Nothing is kept when it ends.")]
    Demo(DemoArgs),
    /// Write the default settings and five scorecards to start from; never over an existing file
    Init(InitArgs),
    /// Read settings and catalog and report everything that is wrong, without starting anything
    Check(CheckArgs),
    /// Say which guarantees hold here: disk, journal, NATS, clocks, limits; with a remedy for each that does not
    #[command(
        after_help = "Exit codes: 0 nothing is a problem, 1 something is, 2 settings or catalog are wrong, 3 damaged journal."
    )]
    Doctor(DoctorArgs),
    /// Send measurements from files into a running daemon; an interrupted run goes on where it stopped
    Send(Box<SendArgs>),
    /// Rebuild scorecards and alerts from a journal or from files; the same input prints the same bytes
    Replay(Box<ReplayArgs>),
    /// Show a scorecard of a running daemon as a tree
    Scorecard(ScorecardArgs),
    /// Split the change of a node between two instants over its KPIs, with the measurements that moved them
    #[command(after_help = "For example: kpid explain it/customer --from 2026-03-01T00:00:00Z")]
    Explain(ExplainArgs),
    /// Compare what was published of a scorecard with what is said of the same instants now, and why it differs
    #[command(after_help = "For example: kpid restatement it --from 2026-03-01T00:00:00Z")]
    Restatement(RestatementArgs),
    /// Show the alerts of a running daemon
    Alerts(AlertsArgs),
    /// Let a running daemon read its scorecard definitions again; wrong ones change nothing
    #[command(after_help = "SIGHUP does the same. What changed holds from one sequence of the journal on.")]
    Reload(ReloadArgs),
    /// Look after the journal
    Journal(JournalArgs),
    /// Print a script that completes kpid's commands in your shell
    #[command(after_help = "For example: kpid completions bash > ~/.local/share/bash-completion/completions/kpid")]
    Completions(CompletionsArgs),
}

/// Where the settings come from; shared by the commands that need all of them.
#[derive(Debug, Clone, Default, Args)]
pub struct SettingsArgs {
    /// Settings file, read after `config/kpid.toml` of the working folder and before the environment
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Folder of the journal and of derived state (setting `data_dir`, variable `KPID_DATA_DIR`)
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// Folder of scorecard definitions (setting `catalog`, variable `KPID_CATALOG`)
    #[arg(long, value_name = "DIR")]
    pub catalog: Option<PathBuf>,
}

impl SettingsArgs {
    /// Where to load settings from, these flags on top.
    pub fn load_options(&self) -> LoadOptions {
        let flags = [("data_dir", &self.data_dir), ("catalog", &self.catalog)];
        let given = flags.into_iter().filter_map(|(key, path)| {
            let path = path.as_ref()?;
            Some((key.to_owned(), path.display().to_string()))
        });
        LoadOptions::of_process(self.config.clone(), given.collect())
    }
}

/// `kpid serve`
#[derive(Debug, Clone, Default, Args)]
pub struct ServeArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
    /// Address and port of API and dashboard (setting `http.listen`); port 0 picks one
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub listen: Option<String>,
    /// NATS servers (setting `nats.url`); an empty text goes without NATS
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// Form of the log lines on stderr (setting `log.format`)
    #[arg(long, value_name = "FORM", value_parser = ["text", "json"])]
    pub log_format: Option<String>,
    /// Least serious level that is logged (setting `log.level`)
    #[arg(long, value_name = "LEVEL", value_parser = ["error", "warn", "info", "debug", "trace"])]
    pub log_level: Option<String>,
}

impl ServeArgs {
    /// Where to load settings from, these flags on top.
    pub fn load_options(&self) -> LoadOptions {
        let mut options = self.settings.load_options();
        let flags = [
            ("http.listen", &self.listen),
            ("nats.url", &self.nats),
            ("log.format", &self.log_format),
            ("log.level", &self.log_level),
        ];
        let given = flags
            .into_iter()
            .filter_map(|(key, text)| Some((key.to_owned(), text.clone()?)));
        options.overrides.extend(given);
        options
    }
}

/// `kpid demo`
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Use these NATS servers; without it the demo goes without NATS
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// Seed of the simulation: the same seed plays the same story
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    pub seed: u64,
    /// Address and port of the dashboard; port 0 picks one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8484")]
    pub listen: String,
    /// Days of history to play before the present
    #[arg(long, value_name = "DAYS", default_value_t = 120, value_parser = clap::value_parser!(u32).range(1..=730))]
    pub days: u32,
}

/// `kpid init`
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    /// Folder to write to; it is created when missing
    #[arg(value_name = "DIR", default_value = ".")]
    pub dir: PathBuf,
}

/// `kpid check`
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Where the settings come from.
    #[command(flatten)]
    pub settings: SettingsArgs,
}

/// `kpid replay`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  \
    kpid replay --journal data/journal --alerts alerts.ndjson\n  \
    kpid replay --input latency.csv --kpi it.latency --clock event --format table\n  \
    kpid replay --journal data/journal --diff proposed/scorecards --format table")]
pub struct ReplayArgs {
    /// Folder of the journal to read
    #[arg(
        long,
        value_name = "DIR",
        conflicts_with = "input",
        required_unless_present = "input"
    )]
    pub journal: Option<PathBuf>,
    /// Files to read instead of a journal: NDJSON (or JSON), or CSV by the ending .csv; in this order
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub input: Vec<PathBuf>,
    /// Folder of scorecard definitions; default: those that the journal names, or the setting `catalog`
    #[arg(long, value_name = "DIR")]
    pub catalog: Option<PathBuf>,
    /// What drives the clock; default: recorded for a journal, event for files
    #[arg(long, value_enum)]
    pub clock: Option<ClockChoice>,
    /// With the event clock: evaluate at every multiple of this
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = period)]
    pub every: Duration,
    /// Stop at this instant and show the scorecards as they were then; with --known-at: look at this instant
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub at: Option<Instant>,
    /// Take nothing that the journal recorded later: what was known at this instant
    #[arg(long, value_name = "INSTANT", conflicts_with_all = ["input", "diff"], value_parser = instant)]
    pub known_at: Option<Instant>,
    /// Stop after this sequence of the journal
    #[arg(long, value_name = "SEQUENCE", conflicts_with = "input", value_parser = sequence)]
    pub until: Option<Sequence>,
    /// Print what scores and alerts would have been under the definitions in this folder instead, over the same history
    #[arg(long, value_name = "DIR", conflicts_with_all = ["readings", "alerts"])]
    pub diff: Option<PathBuf>,
    /// With --diff: count what differs from this instant on
    #[arg(long, value_name = "INSTANT", requires = "diff", value_parser = instant)]
    pub from: Option<Instant>,
    /// Form of the scorecards, or of the differences, on stdout
    #[arg(long, value_enum, default_value_t = Format::Json)]
    pub format: Format,
    /// Write every change of a reading to this file, one JSON object a line; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub readings: Option<PathBuf>,
    /// Write every alert transition to this file, one JSON object a line; `-` is stdout
    #[arg(long, value_name = "FILE")]
    pub alerts: Option<PathBuf>,
    /// How the files are read.
    #[command(flatten)]
    pub form: FormArgs,
}

/// How measurements are made of the records of a file.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Reading files")]
pub struct FormArgs {
    /// Which column is which field, for example `value=score,observed_at=timestamp,label.site=location`
    #[arg(long, value_name = "FIELD=COLUMN", value_delimiter = ',', value_parser = pair)]
    pub map: Vec<(String, String)>,
    /// A field of every measurement that says nothing of it, for example `denominator=1`
    #[arg(long, value_name = "FIELD=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// KPI of measurements that name none, for files of one KPI
    #[arg(long, value_name = "KPI")]
    pub kpi: Option<String>,
    /// Source of measurements that name none; default: file
    #[arg(long, value_name = "NAME")]
    pub source: Option<String>,
    /// Time zone of times without an offset, for example Europe/Berlin
    #[arg(long, value_name = "ZONE")]
    pub time_zone: Option<String>,
}

impl FormArgs {
    /// The words of these flags; `source` stands for measurements of which neither they nor the flags name one.
    pub fn words<'a>(&'a self, source: Option<&'a str>) -> FormWords<'a> {
        let set_already = self.set.iter().any(|(field, _)| field == "source");
        FormWords {
            map: &self.map,
            set: &self.set,
            kpi: self.kpi.as_deref(),
            source: self.source.as_deref().or(source.filter(|_| !set_already)),
            time_zone: self.time_zone.as_deref(),
        }
    }
}

/// What drives the clock of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ClockChoice {
    /// When the journal recorded it: what the daemon did
    Recorded,
    /// When the source observed it: backtests and files
    Event,
}

/// Form of what goes to stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Table,
    /// For programs
    Json,
}

/// Which daemon to ask.
#[derive(Debug, Clone, Args)]
pub struct ServerArgs {
    /// Address of the daemon; a token is taken from the variable `KPID_HTTP__TOKEN`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8484")]
    pub server: String,
    /// Ask a journal instead of a daemon: folder of the journal
    #[arg(long, value_name = "DIR", conflicts_with = "server")]
    pub journal: Option<PathBuf>,
    /// With --journal: folder of scorecard definitions; default: those that the journal names
    #[arg(long, value_name = "DIR", requires = "journal")]
    pub catalog: Option<PathBuf>,
}

/// `kpid reload`
#[derive(Debug, Clone, Args)]
pub struct ReloadArgs {
    /// Address of the daemon; a token is taken from the variable `KPID_HTTP__TOKEN`
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8484")]
    pub server: String,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
}

/// `kpid completions`
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// Your shell
    #[arg(value_enum)]
    pub shell: clap_complete::Shell,
}

/// A duration from a flag.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).ok_or_else(|| "give a duration such as `30s`, `5m` or `1h30m`".to_owned())
}

/// A duration that something is repeated after, so never zero.
fn period(text: &str) -> Result<Duration, String> {
    let found = duration(text)?;
    if found.is_zero() {
        Err("give a duration longer than nothing".to_owned())
    } else {
        Ok(found)
    }
}

pub(super) fn instant(text: &str) -> Result<Instant, String> {
    Instant::parse(text).map_err(|error| error.to_string())
}

fn sequence(text: &str) -> Result<Sequence, String> {
    let number = text.parse().ok().filter(|number| *number > 0);
    number
        .map(Sequence)
        .ok_or_else(|| "give a sequence of the journal, a number from 1".to_owned())
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.trim().is_empty() => Ok((name.trim().to_owned(), value.trim().to_owned())),
        _ => Err("give `field=text` pairs".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Command, clap::Error> {
        Cli::try_parse_from(line.split_whitespace()).map(|cli| cli.command)
    }

    #[test]
    fn the_definitions_contradict_nothing() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }

    #[test]
    fn flags_of_serve_become_the_topmost_settings() {
        let Ok(Command::Serve(args)) = parse("kpid serve --listen 127.0.0.1:0 --data-dir d --log-level debug") else {
            panic!("serve did not parse");
        };
        let overrides = args.load_options().overrides;
        let keys: Vec<(&str, &str)> = overrides
            .iter()
            .map(|(key, text)| (key.as_str(), text.as_str()))
            .collect();
        assert_eq!(
            keys,
            [
                ("data_dir", "d"),
                ("http.listen", "127.0.0.1:0"),
                ("log.level", "debug")
            ]
        );
    }

    #[test]
    fn replay_reads_a_journal_or_files_and_never_both() {
        assert!(parse("kpid replay").is_err());
        assert!(parse("kpid replay --journal j --input f").is_err());
        assert!(parse("kpid replay --input f --until 3").is_err());
        let line = "kpid replay --input a.csv b.csv --map value=score,observed_at=timestamp --set source=x --every 5m";
        let Ok(Command::Replay(args)) = parse(line) else {
            panic!("replay did not parse");
        };
        assert_eq!(args.input, [PathBuf::from("a.csv"), PathBuf::from("b.csv")]);
        assert_eq!(args.form.map.len(), 2);
        assert_eq!(args.form.set, [("source".to_owned(), "x".to_owned())]);
        assert_eq!(args.every, Duration::from_mins(5));
    }

    #[test]
    fn values_that_are_none_are_refused_with_the_form_they_need() {
        let refused = parse("kpid replay --input f --every 5").unwrap_err().to_string();
        assert!(refused.contains("give a duration such as"), "{refused}");
        assert!(parse("kpid replay --input f --every 0s").is_err());
        assert!(parse("kpid replay --input f --at yesterday").is_err());
        assert!(parse("kpid replay --journal j --until 0").is_err());
        assert!(parse("kpid scorecard").is_err());
        assert!(parse("kpid alerts --state inactive").is_err());
    }
}
