//! Options of the commands that ask a daemon or a journal: what is, what was, what moved it, what is said otherwise.

use std::time::Duration;

use clap::Args;

use super::{Format, ServerArgs, instant, period};
use crate::domain::instant::Instant;

/// `kpid scorecard`
#[derive(Debug, Clone, Args)]
pub struct ScorecardArgs {
    /// Id of the scorecard, for example `it`
    #[arg(value_name = "ID")]
    pub id: String,
    /// Which instance, for scorecards with `each`
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// At this instant, as far as is known; default: now, or the end of the journal
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub at: Option<Instant>,
    /// What was known at this instant, without what was recorded later
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub known_at: Option<Instant>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Whom to ask.
    #[command(flatten)]
    pub from: ServerArgs,
}

/// `kpid explain`
#[derive(Debug, Clone, Args)]
pub struct ExplainArgs {
    /// Path of the node, for example `it`, `it/customer` or `it@berlin/process`
    #[arg(value_name = "PATH")]
    pub path: String,
    /// The first instant; default: 7 days before the second
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub from: Option<Instant>,
    /// The second instant; default: now, or the end of the journal
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub to: Option<Instant>,
    /// Form of the answer
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Whom to ask.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `kpid restatement`
#[derive(Debug, Clone, Args)]
pub struct RestatementArgs {
    /// Id of the scorecard, for example `it`
    #[arg(value_name = "SCORECARD")]
    pub id: String,
    /// Which instance, for scorecards with `each`
    #[arg(long, value_name = "NAME")]
    pub instance: Option<String>,
    /// The first instant; default: 30 days before the second
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub from: Option<Instant>,
    /// The second instant; default: now, or the end of the journal
    #[arg(long, value_name = "INSTANT", value_parser = instant)]
    pub to: Option<Instant>,
    /// Compare multiples of this; default: the ends of the scorecard's local days
    #[arg(long, value_name = "DURATION", value_parser = period)]
    pub every: Option<Duration>,
    /// Form of the answer; a table shows the instants and their KPIs, JSON every node
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Whom to ask.
    #[command(flatten)]
    pub server: ServerArgs,
}

/// `kpid alerts`
#[derive(Debug, Clone, Args)]
pub struct AlertsArgs {
    /// Only alerts in this state
    #[arg(long, value_name = "STATE", value_parser = ["pending", "firing", "resolved"])]
    pub state: Option<String>,
    /// Stay, and print every transition as it happens
    #[arg(long, conflicts_with = "journal")]
    pub follow: bool,
    /// Form of the answer; with --follow one line a transition
    #[arg(long, value_enum, default_value_t = Format::Table)]
    pub format: Format,
    /// Whom to ask.
    #[command(flatten)]
    pub from: ServerArgs,
}
