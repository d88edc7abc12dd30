//! Hindsight, wired: the journal, its milestones and the definitions of each time, for questions about what was known.
//!
//! In the daemon a desk answers beside the corridor; on the command line a journal's folder is asked, with the milestones that
//! stand beside it where the daemon leaves them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::corridor::projection_options;
use super::definitions::TomlDefinitions;
use super::house::Rules;
use super::replay::{ReplayError, ReplayRequest, replay};
use super::trim::projection_of;
use crate::domain::board::Picture;
use crate::domain::catalog::Catalog;
use crate::domain::id::{InstanceId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::parts::Parts;
use crate::domain::projection::{ClockKind, Projection, ProjectionOptions};
use crate::domain::restatement::{INSTANTS_MAX, Restatement, instants};
use crate::journal::{FileArchive, Trims};
use crate::pipeline::hindsight::{Desk, Seats, known_picture};
use crate::pipeline::restatement::restatement;
use crate::pipeline::travel::{Beginning, Roads, Traveller};
use crate::ports::{
    Archive, CheckpointHead, KnownQuery, Milestones, PicturesQuery, QueryError, Room, SavedState, StateError,
};
use crate::settings::Settings;
use crate::state::{MilestoneFolder, MilestoneLimits};

pub use crate::pipeline::travel::TravelError;

/// The milestones that the house keeps.
pub(super) fn milestones(settings: &Settings) -> Arc<dyn Milestones> {
    let limits = MilestoneLimits {
        facts_min: settings.past.milestone_facts,
        count_max: settings.past.milestones_max,
        bytes_max: settings.past.milestones_max_bytes,
    };
    let history_ms = projection_options(settings).history_ms;
    Arc::new(MilestoneFolder::new(&settings.milestones_dir(), history_ms, limits))
}

/// Milestones that travellers leave only where there is room: what is left of a full disk is for what is acknowledged.
struct WhereRoom {
    milestones: Arc<dyn Milestones>,
    room: Arc<dyn Room>,
}

impl Milestones for WhereRoom {
    fn heads(&self) -> Vec<CheckpointHead> {
        self.milestones.heads()
    }

    fn load(&self, sequence: Sequence) -> Option<SavedState> {
        self.milestones.load(sequence)
    }

    fn is_due(&self, sequence: Sequence) -> bool {
        self.room.is_there() && self.milestones.is_due(sequence)
    }

    fn keep(&self, head: &CheckpointHead, parts: &Parts) -> Result<(), StateError> {
        self.milestones.keep(head, parts)
    }
}

/// What was kept of the beginning of the journal in a folder.
struct Kept(PathBuf);

impl Beginning for Kept {
    fn kept(&self, options: ProjectionOptions) -> Option<Projection> {
        let base = Trims::of(&self.0).base().ok().flatten()?;
        projection_of(&base, options).map(|(projection, _)| projection)
    }
}

/// Who answers in the daemon.
pub(super) fn desk(rules: &Rules, archive: Arc<dyn Archive>, room: Arc<dyn Room>) -> Desk {
    let settings = &rules.settings;
    let roads = Roads {
        archive,
        milestones: Arc::new(WhereRoom {
            milestones: milestones(settings),
            room,
        }),
        definitions: Arc::new(TomlDefinitions),
        options: ProjectionOptions {
            with_readings: false,
            ..projection_options(settings)
        },
        beginning: Arc::new(Kept(settings.journal_dir())),
    };
    let seats = Seats {
        at_once: settings.past.at_once,
        waiting_max: settings.past.waiting_max,
    };
    Desk::new(roads, Arc::clone(&rules.clock), seats)
}

/// A question to a journal.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Which scorecard.
    pub scorecard: String,
    /// Which instance.
    pub instance: Option<InstanceId>,
    /// The instant that is looked at; that of knowing when absent.
    pub at: Option<Instant>,
    /// The instant of knowing; the journal's end when absent.
    pub known_at: Option<Instant>,
}

/// Why a journal has no answer.
#[derive(Debug, thiserror::Error)]
pub enum PastError {
    /// There is no way to the instant.
    #[error(transparent)]
    Travel(#[from] TravelError),
    /// What was asked for is not there.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// A replay under other definitions failed.
    #[error(transparent)]
    Replay(#[from] ReplayError),
}

/// A scorecard as a journal has it. Under definitions of the request's own it is replayed from the beginning; otherwise it is
/// reached from the nearest milestone.
pub fn scorecard(request: &ReplayRequest, folder: &Path, asked: &Asked) -> Result<(Picture, Arc<Catalog>), PastError> {
    if request.catalog.is_some() {
        return replayed(request, asked);
    }
    let roads = roads(request, folder)?;
    let never = AtomicBool::new(false);
    let mut traveller = Traveller::start(&roads, asked.known_at.unwrap_or(Instant::LATEST), &never)?;
    match asked.known_at {
        Some(known_at) => traveller.go(known_at)?,
        None => traveller.go_to_end()?,
    }
    traveller.expect_knowledge(asked.known_at.unwrap_or(Instant::LATEST))?;
    let mut projection = traveller.arrive();
    let query = query(asked, &projection);
    let picture = known_picture(&mut projection, &query)?;
    Ok((picture, Arc::clone(projection.catalog())))
}

/// What a journal says otherwise now of a scorecard, at its end. Without `from` it is so many milliseconds before `to`.
pub fn restated(request: &ReplayRequest, folder: &Path, asked: &RestatementAsked) -> Result<Restated, PastError> {
    let roads = roads(request, folder)?;
    let never = AtomicBool::new(false);
    let mut traveller = Traveller::start(&roads, Instant::LATEST, &never)?;
    traveller.go_to_end()?;
    traveller.expect_knowledge(Instant::LATEST)?;
    let end = traveller.arrive();
    let now = end.at();
    let to = asked.to.unwrap_or(now);
    let from = asked
        .from
        .unwrap_or_else(|| to.plus_ms(-asked.range_ms).max(Instant::EARLIEST));
    let scorecard = end.catalog().scorecard(&asked.scorecard);
    let at = scorecard.map(|own| instants(&own.calendar, (from, to), asked.every_ms));
    let at = at.unwrap_or_default();
    if from >= to || at.len() > INSTANTS_MAX || (at.is_empty() && scorecard.is_some()) {
        let words = format!(
            "between {from} and {to} there are {} instants to compare, at least 1 and at most {INSTANTS_MAX} are: \
             give other ends, or another step with --every",
            at.len()
        );
        return Err(TravelError::Unanswerable(words).into());
    }
    let query = PicturesQuery {
        scorecard: asked.scorecard.clone(),
        instance: asked.instance.clone(),
        at,
    };
    Ok((restatement(&roads, &query, now, &never)?, (from, to)))
}

/// A restatement, and the two ends of it.
pub type Restated = (Restatement, (Instant, Instant));

/// A question for a restatement to a journal.
#[derive(Debug, Clone)]
pub struct RestatementAsked {
    /// Which scorecard.
    pub scorecard: String,
    /// Which instance.
    pub instance: Option<InstanceId>,
    /// The first instant.
    pub from: Option<Instant>,
    /// The second; the journal's end when absent.
    pub to: Option<Instant>,
    /// The first is so long before the second when absent, ms.
    pub range_ms: i64,
    /// Step, ms; local days when absent.
    pub every_ms: Option<i64>,
}

fn query(asked: &Asked, projection: &Projection) -> KnownQuery {
    KnownQuery {
        scorecard: asked.scorecard.clone(),
        instance: asked.instance.clone(),
        at: asked.at,
        known_at: asked.known_at.unwrap_or_else(|| projection.at()),
    }
}

fn replayed(request: &ReplayRequest, asked: &Asked) -> Result<(Picture, Arc<Catalog>), PastError> {
    let request = ReplayRequest {
        known_at: asked.known_at,
        ..request.clone()
    };
    let outcome = replay(&request, &mut |_| {})?;
    let picture = outcome.picture_of((&asked.scorecard, asked.instance.as_ref()), asked.at);
    let known: Vec<&str> = outcome.catalog.scorecards.iter().map(|own| own.id.as_str()).collect();
    let unknown = || {
        let instance = asked.instance.as_ref();
        let instance = instance.map_or_else(String::new, |instance| format!(" with instance `{instance}`"));
        let (scorecard, known) = (&asked.scorecard, known.join(", "));
        QueryError::Unknown(format!(
            "there is no scorecard `{scorecard}`{instance}: the catalog has {known}"
        ))
    };
    Ok((picture.ok_or_else(unknown)?, Arc::clone(&outcome.catalog)))
}

/// The journal in a folder, and the milestones that a daemon left beside it.
fn roads(request: &ReplayRequest, folder: &Path) -> Result<Roads, ReplayError> {
    if !folder.is_dir() {
        return Err(ReplayError::NoJournal(folder.display().to_string()));
    }
    let milestones = folder.join("..").join("state").join("milestones");
    Ok(Roads {
        archive: Arc::new(FileArchive::open(folder)),
        milestones: Arc::new(MilestoneFolder::read_only(&milestones, request.history_ms)),
        definitions: Arc::new(TomlDefinitions),
        options: ProjectionOptions {
            clock: ClockKind::Recorded,
            history_ms: request.history_ms,
            with_readings: false,
        },
        beginning: Arc::new(Kept(folder.to_owned())),
    })
}
