//! Answers from a journal instead of a daemon, in the form of the API.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::alerts::AlertsQuestion;
use super::args::{ExplainArgs, RestatementArgs};
use super::error::CliError;
use super::replay::error_of;
use super::scorecard::ScorecardQuestion;
use crate::app::hindsight::{Asked, PastError, RestatementAsked, TravelError};
use crate::app::replay::{ReplayError, ReplayInput, ReplayOutcome, ReplayRequest, Told, replay};
use crate::domain::alert::{AlertTransition, TransitionKind};
use crate::domain::id::InstanceId;
use crate::domain::instant::Instant;
use crate::domain::projection::{ClockKind, ExplainQuestion};
use crate::settings::{LoadOptions, Settings};
use crate::wire::alert::{AlertBody, AlertViewBody};
use crate::wire::explain::ExplainBody;
use crate::wire::restatement::RestatementBody;
use crate::wire::scorecard::ScorecardBody;

/// A scorecard as the journal's facts make it.
pub fn scorecard(question: &ScorecardQuestion) -> Result<Value, CliError> {
    let instance = question.instance.as_deref().map(InstanceId::parse).transpose();
    let instance = instance.map_err(|error| CliError::wrong(format!("--instance: {error}")))?;
    let asked = Asked {
        scorecard: question.scorecard.clone(),
        instance,
        at: question.at,
        known_at: question.known_at,
    };
    let request = request(&question.journal, question.catalog.as_ref())?;
    let (picture, catalog) =
        crate::app::hindsight::scorecard(&request, &question.journal, &asked).map_err(past_error)?;
    to_value(&ScorecardBody::new(&picture, &catalog.fingerprint).known_at(question.known_at))
}

/// What the journal's facts say otherwise now.
pub fn restatement(args: &RestatementArgs, journal: &std::path::Path) -> Result<Value, CliError> {
    if args.server.catalog.is_some() {
        let words = "--catalog: what was published was published under the definitions of its time: leave it out";
        return Err(CliError::wrong(words));
    }
    let instance = args.instance.as_deref().map(InstanceId::parse).transpose();
    let asked = RestatementAsked {
        scorecard: args.id.clone(),
        instance: instance.map_err(|error| CliError::wrong(format!("--instance: {error}")))?,
        from: args.from,
        to: args.to,
        range_ms: super::restatement::RANGE_DEFAULT_MS,
        every_ms: args.every.and_then(|every| i64::try_from(every.as_millis()).ok()),
    };
    let request = request(journal, None)?;
    let (told, ends) = crate::app::hindsight::restated(&request, journal, &asked).map_err(past_error)?;
    to_value(&RestatementBody::new(&told, ends))
}

/// The exit code of a question about the past that has no answer.
fn past_error(error: PastError) -> CliError {
    match error {
        PastError::Replay(error) => error_of(error),
        PastError::Travel(TravelError::Journal(error)) => error_of(ReplayError::Journal(error)),
        other => CliError::failed(other.to_string()),
    }
}

/// The change of a node as the journal's facts make it.
pub fn explain(args: &ExplainArgs, journal: &std::path::Path) -> Result<Value, CliError> {
    let end = match args.to {
        Some(to) => to,
        None => journal_end(journal)?,
    };
    let question = ExplainQuestion {
        path: args.path.clone(),
        from: super::explain::from(args.from, end)?,
        to: args.to,
    };
    let request = request(journal, args.server.catalog.as_ref())?;
    let found = crate::app::replay::explain(&request, journal, &question).map_err(error_of)?;
    let Some((explained, movers, catalog)) = found else {
        let words = format!(
            "there is no node `{}`: `kpid scorecard` lists those of a scorecard",
            args.path
        );
        return Err(CliError::failed(words));
    };
    to_value(&ExplainBody::new(&explained, &movers, &catalog.fingerprint))
}

/// When the last block of a journal was made durable.
fn journal_end(journal: &std::path::Path) -> Result<Instant, CliError> {
    let stat =
        crate::app::journal::stat(journal, &mut |_, _| {}).map_err(|error| CliError::failed(error.to_string()))?;
    stat.last_recorded_at
        .ok_or_else(|| CliError::failed(format!("the journal in `{}` is empty", journal.display())))
}

/// The alerts as the journal's facts make them.
pub fn alerts(question: &AlertsQuestion) -> Result<Value, CliError> {
    let (outcome, transitions) = replayed(&question.journal, question.catalog.as_ref())?;
    let resolved = transitions
        .iter()
        .rev()
        .filter(|transition| transition.kind == TransitionKind::Resolved);
    let listed: Vec<Value> = match question.state.as_deref() {
        Some("resolved") => resolved
            .map(|transition| to_value(&AlertBody::new(transition, "")))
            .collect::<Result<_, _>>()?,
        state => {
            let wanted = outcome
                .alerts
                .iter()
                .filter(|alert| state.is_none_or(|state| alert.phase.word() == state));
            wanted
                .map(|alert| to_value(&AlertViewBody::new(alert)))
                .collect::<Result<_, _>>()?
        }
    };
    Ok(json!({ "alerts": listed }))
}

fn replayed(
    journal: &std::path::Path,
    catalog: Option<&PathBuf>,
) -> Result<(ReplayOutcome, Vec<AlertTransition>), CliError> {
    let request = request(journal, catalog)?;
    let mut transitions = Vec::new();
    let outcome = replay(&request, &mut |told| {
        if let Told::Effects(effects) = told {
            transitions.extend(effects.transitions);
        }
    });
    Ok((outcome.map_err(error_of)?, transitions))
}

fn request(journal: &std::path::Path, catalog: Option<&PathBuf>) -> Result<ReplayRequest, CliError> {
    let settings = Settings::load(&LoadOptions::of_process(None, Vec::new()))?;
    let history_ms = i64::try_from(settings.projection.history.as_millis()).ok();
    let catalog = match catalog {
        Some(folder) => Some(
            Settings {
                catalog: vec![folder.clone()],
                ..settings
            }
            .catalog_files()?,
        ),
        None => None,
    };
    Ok(ReplayRequest {
        input: ReplayInput::Journal(journal.to_owned()),
        catalog,
        clock: ClockKind::Recorded,
        at: None,
        known_at: None,
        until: None,
        history_ms,
        with_readings: false,
    })
}

fn to_value(body: &impl serde::Serialize) -> Result<Value, CliError> {
    serde_json::to_value(body).map_err(|error| CliError::failed(error.to_string()))
}
