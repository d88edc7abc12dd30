//! Retention: the state that stands for what is dropped, and the one who drops it, beside the running corridor or on a
//! journal that nobody runs.
//!
//! A wish enters. The journal up to the cut is folded once more, from its beginning or from the base of the trim before;
//! the state becomes durable beside the journal, the journal says so, and only then the old segments go. An interruption
//! between any two steps is finished, or undone, when the journal is opened next.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use arc_swap::ArcSwap;
use futures_util::future::BoxFuture;
use tokio::sync::{Mutex, mpsc, oneshot};
use tracing::{info, warn};

use super::clock::SystemClock;
use super::definitions::{JournalFolder, TomlDefinitions};
use super::house::millis;
use super::tasks::{Closing, Tasks, closed};
use crate::domain::alert::AlertTransition;
use crate::domain::board::RECENT_TRANSITIONS_MAX;
use crate::domain::catalog::Catalog;
use crate::domain::fact::{Block, Fact};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;
use crate::domain::projection::{Effects, IMAGE_FORM, Projection, ProjectionOptions};
use crate::journal::{
    Base, BaseState, DiskFiles, FileJournal, JournalOptions, TrimNeeds, TrimPlan, Trims, open_reader,
};
use crate::pipeline::activation::{ActivationError, Activations};
use crate::pipeline::beside::{self, Beside};
use crate::pipeline::intake::{Job, SourcePositions};
use crate::pipeline::live::House;
use crate::ports::{
    BlockReader, Clock, Definitions, Journal, JournalError, Retention, RetentionError, TrimOutcome, TrimWish,
};
use crate::settings::Settings;

/// How often it is looked whether something is to be dropped by itself.
const EVERY: Duration = Duration::from_hours(1);

/// Key of the part that says which form the state of a base has.
const FORM: u64 = 12 << 56;

/// A projection where a base stands, with what was kept beside it; `None` where its state is of another version of kpid.
pub(super) fn projection_of(base: &Base, options: ProjectionOptions) -> Option<(Projection, Beside)> {
    let (_, files) = active(&base.block)?;
    let catalog = TomlDefinitions.parse(files).ok()?;
    let mut state = base.state.clone();
    let form = state.take(|key| key == FORM);
    if form != [(FORM, vec![IMAGE_FORM])] {
        return None;
    }
    let (parts, beside) = beside::split(state);
    let mut projection = Projection::from_image(catalog, options, &parts)?;
    // No checkpoint has any of it yet.
    projection.forget_saved();
    (projection.sequence() == base.block.last()).then_some((projection, beside))
}

/// The definitions that a block names last.
fn active(block: &Block) -> Option<(&str, &[crate::domain::catalog::CatalogFile])> {
    block.others.iter().rev().find_map(|(_, fact)| match fact {
        Fact::CatalogActivated { fingerprint, files } => Some((fingerprint.as_str(), files.as_slice())),
        _ => None,
    })
}

/// What stands for everything up to the cut: the block and the state of a base.
pub(super) fn base_at(
    dir: &Path,
    up_to: Sequence,
    options: ProjectionOptions,
) -> Result<(Block, BaseState), ActivationError> {
    let before = Trims::of(dir).base()?;
    let restored = before.and_then(|base| projection_of(&base, options));
    let (projection, beside) = restored.unwrap_or_else(|| {
        let nothing = Projection::new(Arc::new(Catalog::empty()), options);
        (nothing, Beside::default())
    });
    let mut folding = Folding {
        projection,
        activations: Activations::new(Arc::new(TomlDefinitions), Arc::new(JournalFolder(dir.to_owned()))),
        positions: SourcePositions::default(),
        names: Vec::new(),
        recent: beside.recent.into_iter().rev().collect(),
        recorded_at: Instant::EARLIEST,
    };
    let mut reader = open_reader(dir, Sequence(1))?;
    folding.fold(&mut *reader, up_to)?;
    Ok(folding.finish(up_to))
}

/// The journal on its way to the cut.
struct Folding {
    projection: Projection,
    activations: Activations,
    positions: SourcePositions,
    names: Vec<SeriesKey>,
    /// The latest transitions, oldest first.
    recent: Vec<AlertTransition>,
    recorded_at: Instant,
}

impl Folding {
    fn fold(&mut self, reader: &mut dyn BlockReader, up_to: Sequence) -> Result<(), ActivationError> {
        while let Some(block) = reader.next_block()? {
            if block.first.0 + block.len() > up_to.0 + 1 {
                break;
            }
            block
                .positions
                .iter()
                .for_each(|position| self.positions.advance(position));
            let known = self.names.len().saturating_sub(block.series_base as usize);
            self.names.extend(block.new_series.iter().skip(known).cloned());
            if block.is_empty() {
                continue;
            }
            self.recorded_at = block.recorded_at;
            if block.first > self.projection.sequence() {
                let mut effects = Effects::default();
                self.activations.apply(&mut self.projection, &block, &mut effects)?;
                self.recent.append(&mut effects.transitions);
                let surplus = self.recent.len().saturating_sub(RECENT_TRANSITIONS_MAX);
                self.recent.drain(..surplus);
            }
        }
        Ok(())
    }

    fn finish(mut self, up_to: Sequence) -> (Block, BaseState) {
        let catalog = self.projection.catalog();
        let definitions = Fact::CatalogActivated {
            fingerprint: catalog.fingerprint.clone(),
            files: catalog.files.clone(),
        };
        let block = Block {
            first: up_to,
            recorded_at: self.recorded_at,
            positions: self.positions.all(),
            series_base: 0,
            new_series: self.names,
            others: vec![(0, definitions)],
            ..Block::default()
        };
        self.projection.forget_saved();
        let mut state = self.projection.take_image(0);
        let newest: Vec<AlertTransition> = self.recent.into_iter().rev().collect();
        state.extend(beside::parts(&[], &newest));
        state.put(FORM, |out| out.push(IMAGE_FORM));
        (block, state)
    }
}

/// What the settings and definitions still need at an instant.
pub(super) fn needs(settings: &Settings, catalog: &Catalog, now: Instant) -> TrimNeeds {
    let kpis = catalog.scorecards.iter().flat_map(|scorecard| &scorecard.kpis);
    let reach = kpis.filter_map(|kpi| kpi.window.reach_ms()).max().unwrap_or(0);
    // A trend looks at the window before the one that is seen.
    let seen = millis(settings.projection.history).max(reach.saturating_mul(2));
    TrimNeeds {
        recorded_since: now.plus_ms(-millis(settings.journal.dedup_window)),
        observed_since: now.plus_ms(-seen),
    }
}

/// What came of a plan that was carried out, or that asks for nothing.
pub(super) fn outcome(plan: TrimPlan, sequence: Option<Sequence>) -> TrimOutcome {
    TrimOutcome {
        up_to: plan.up_to,
        sequence,
        segments: plan.segments,
        bytes: plan.bytes,
        held: plan.held.map(crate::journal::Held::words),
    }
}

/// Who trims the journal of a running house. One trim at a time.
pub(super) struct Trimmer {
    /// The journal's folder.
    pub folder: PathBuf,
    /// How long what is kept.
    pub settings: Settings,
    /// Definitions in force.
    pub catalog: Arc<ArcSwap<Catalog>>,
    /// What the wall says.
    pub clock: Arc<dyn Clock>,
    /// To the appender. Whoever trims does not hold the doors open.
    pub jobs: mpsc::WeakSender<Job>,
    /// Whether everything runs.
    pub house: Arc<House>,
    /// How the projection runs.
    pub options: ProjectionOptions,
    /// One at a time.
    pub turn: Mutex<()>,
}

impl Retention for Trimmer {
    fn trim(&self, wish: TrimWish) -> BoxFuture<'_, Result<TrimOutcome, RetentionError>> {
        Box::pin(self.carry_out(wish))
    }
}

impl Trimmer {
    async fn carry_out(&self, wish: TrimWish) -> Result<TrimOutcome, RetentionError> {
        if !self.house.ready.load(Ordering::Acquire) {
            return Err(RetentionError::NotReady);
        }
        let _turn = self.turn.lock().await;
        let needs = needs(&self.settings, &self.catalog.load(), self.now());
        let (folder, options) = (self.folder.clone(), self.options);
        let (plan, fact) = blocking(move || prepare(&folder, (wish, needs), options)).await?;
        let (Some(fact), Some(up_to)) = (fact, plan.up_to) else {
            return Ok(outcome(plan, None));
        };
        let (reply, sequence) = oneshot::channel();
        let jobs = self.jobs.upgrade().ok_or(RetentionError::Closed)?;
        let sent = jobs.send(Job::Fact(fact, reply)).await;
        drop(jobs);
        sent.map_err(|_| RetentionError::Closed)?;
        let sequence = sequence.await.map_err(|_| RetentionError::Closed)?;
        let trims = Trims::of(&self.folder);
        blocking(move || trims.drop_up_to(up_to).map_err(ActivationError::from)).await?;
        info!(
            up_to = up_to.0,
            sequence = sequence.0,
            bytes = plan.bytes,
            "history trimmed"
        );
        Ok(outcome(plan, Some(sequence)))
    }

    /// What the wall says, but not later than when the journal was last written to: a clock that jumps ahead drops nothing.
    fn now(&self) -> Instant {
        let recorded_at = Instant(self.house.recorded_at.load(Ordering::Acquire));
        self.clock.now().min(recorded_at)
    }

    /// What the settings want.
    fn standing_wish(&self) -> Option<TrimWish> {
        let (keep, keep_bytes) = (self.settings.journal.keep, self.settings.journal.keep_bytes);
        let wish = TrimWish {
            before: (!keep.is_zero()).then(|| self.now().plus_ms(-millis(keep))),
            keep_bytes: (keep_bytes > 0).then_some(keep_bytes),
        };
        (wish != TrimWish::default()).then_some(wish)
    }

    /// Looks every hour whether the settings want something dropped, until the doors close.
    pub fn start(self: &Arc<Self>, closing: &Closing, tasks: &mut Tasks) {
        let (trimmer, mut doors) = (Arc::clone(self), closing.doors.clone());
        tasks.spawn(async move {
            let look = async {
                let mut every = tokio::time::interval(EVERY);
                loop {
                    every.tick().await;
                    let Some(wish) = trimmer.standing_wish() else { continue };
                    match trimmer.carry_out(wish).await {
                        Err(RetentionError::NotReady) => every.reset_after(Duration::from_secs(1)),
                        Err(problem) => warn!(%problem, "history not trimmed"),
                        Ok(_) => {}
                    }
                }
            };
            tokio::select! {
                () = look => {}
                () = closed(&mut doors) => {}
            }
            ("retention", Ok(()))
        });
    }
}

/// Plans, and makes the base durable of what may go.
fn prepare(
    folder: &Path,
    (wish, needs): (TrimWish, TrimNeeds),
    options: ProjectionOptions,
) -> Result<(TrimPlan, Option<Fact>), ActivationError> {
    let trims = Trims::of(folder);
    let plan = trims.plan(wish, needs)?;
    let Some(up_to) = plan.up_to else {
        return Ok((plan, None));
    };
    let quiet = ProjectionOptions {
        with_readings: false,
        ..options
    };
    let (block, state) = base_at(folder, up_to, quiet)?;
    Ok((plan, Some(trims.prepare(&block, &state)?)))
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ActivationError> + Send + 'static,
) -> Result<T, RetentionError> {
    let done = tokio::task::spawn_blocking(work).await;
    let done = done.map_err(|_| RetentionError::Closed)?;
    done.map_err(|error| RetentionError::Failed(error.to_string()))
}

/// Trims a journal that nobody runs: the same steps under the journal's lock.
pub fn trim_stopped(dir: &Path, settings: &Settings, wish: TrimWish) -> Result<TrimOutcome, ActivationError> {
    let mut journal = open_stopped(dir, settings)?;
    let (now, tail) = (SystemClock.now(), journal.tail());
    let catalog = last_catalog(dir)?;
    let needs = needs(settings, &catalog, now.min(tail.recorded_at));
    let (plan, fact) = prepare(dir, (wish, needs), super::corridor::projection_options(settings))?;
    let (Some(fact), Some(up_to)) = (fact, plan.up_to) else {
        return Ok(outcome(plan, None));
    };
    let block = Block {
        first: tail.next,
        recorded_at: now.max(tail.recorded_at),
        series_base: tail.series,
        others: vec![(0, fact)],
        ..Block::default()
    };
    journal.append(&block)?;
    Trims::of(dir).drop_up_to(up_to)?;
    Ok(outcome(plan, Some(tail.next)))
}

/// Gives back the room that is reserved behind the blocks of a journal that nobody runs. Bytes given back.
pub fn give_room_back(dir: &Path, settings: &Settings) -> Result<u64, JournalError> {
    let _lock = open_stopped(dir, settings)?;
    Trims::of(dir).give_back()
}

fn open_stopped(dir: &Path, settings: &Settings) -> Result<FileJournal, JournalError> {
    let options = JournalOptions {
        segment_bytes: settings.journal.segment_bytes,
        check_all: settings.journal.check_all,
    };
    FileJournal::open(dir, options, Arc::new(DiskFiles))
}

/// The definitions that hold at a journal's end.
fn last_catalog(dir: &Path) -> Result<Arc<Catalog>, ActivationError> {
    let (mut reader, mut named) = (open_reader(dir, Sequence(1))?, None);
    while let Some(block) = reader.next_block()? {
        if let Some((_, files)) = active(&block) {
            named = Some((block.last(), files.to_vec()));
        }
    }
    let Some((at, files)) = named else {
        return Ok(Arc::new(Catalog::empty()));
    };
    TomlDefinitions
        .parse(&files)
        .map_err(|problems| ActivationError::Definitions { at, problems })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::CatalogFile;
    use crate::domain::fact::{SeriesNumber, SourcePosition};
    use crate::domain::id::KpiId;
    use crate::domain::instant::HOUR_MS;
    use crate::domain::measurement::{Extra, MeasuredValue};
    use crate::domain::projection::ClockKind;

    const OPTIONS: ProjectionOptions = ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms: None,
        with_readings: false,
    };

    fn desk() -> Fact {
        let files = vec![CatalogFile {
            name: "desk.toml".to_owned(),
            text: include_str!("../../tests/it/catalogs/story/desk.toml").to_owned(),
        }];
        let fingerprint = TomlDefinitions.parse(&files).unwrap().fingerprint.clone();
        Fact::CatalogActivated { fingerprint, files }
    }

    fn append(journal: &mut FileJournal, hour: i64, change: impl FnOnce(&mut Block)) {
        let tail = journal.tail();
        let mut block = Block {
            first: tail.next,
            recorded_at: Instant(hour * HOUR_MS),
            series_base: tail.series,
            ..Block::default()
        };
        change(&mut block);
        journal.append(&block).unwrap();
    }

    fn measure(block: &mut Block, series: u32, value: f64) {
        if series >= block.series_base {
            block.new_series.push(SeriesKey {
                kpi: KpiId::parse("desk.csat").unwrap(),
                source: format!("s{series}").into(),
                each: None,
            });
        }
        let at = block.recorded_at;
        let value = MeasuredValue::Number(value);
        block
            .measurements
            .push(SeriesNumber(series), (at, at), &value, Extra::default());
    }

    fn moved(block: &mut Block, sequence: u64) {
        let source = "jetstream:KPI_MEASUREMENTS".into();
        block.positions.push(SourcePosition { source, sequence });
    }

    /// Definitions, three measurements of two sources and a position that moved without one, then two measurements more.
    fn story(dir: &Path) {
        let mut journal = FileJournal::open(dir, JournalOptions::default(), Arc::new(DiskFiles)).unwrap();
        append(&mut journal, 1, |block| block.others.push((0, desk())));
        append(&mut journal, 2, |block| measure(block, 0, 40.0));
        append(&mut journal, 3, |block| {
            measure(block, 1, 20.0);
            measure(block, 0, 90.0);
            moved(block, 7);
        });
        append(&mut journal, 4, |block| moved(block, 9));
        append(&mut journal, 5, |block| measure(block, 1, 30.0));
        append(&mut journal, 6, |block| measure(block, 2, 10.0));
    }

    fn played(dir: &Path, mut projection: Projection) -> BaseState {
        let history = Arc::new(JournalFolder(dir.to_owned()));
        let mut activations = Activations::new(Arc::new(TomlDefinitions), history);
        let mut reader = open_reader(dir, Sequence(1)).unwrap();
        while let Some(block) = reader.next_block().unwrap() {
            if !block.is_empty() && block.first > projection.sequence() {
                activations
                    .apply(&mut projection, &block, &mut Effects::default())
                    .unwrap();
            }
        }
        projection.forget_saved();
        projection.take_image(0)
    }

    #[test]
    fn a_base_holds_names_definitions_positions_and_a_state_that_goes_on_bit_for_bit() {
        let folder = tempfile::tempdir().unwrap();
        story(folder.path());
        let whole = played(folder.path(), Projection::new(Arc::new(Catalog::empty()), OPTIONS));
        let (block, state) = base_at(folder.path(), Sequence(4), OPTIONS).unwrap();
        assert_eq!((block.last(), block.recorded_at), (Sequence(4), Instant(3 * HOUR_MS)));
        assert_eq!((block.new_series.len(), &block.others), (2, &vec![(0, desk())]));
        assert_eq!(
            block.positions[0].sequence, 9,
            "what moved behind the last fact that goes moved"
        );
        let mut base = Base {
            block,
            state,
            hash: [0; 32],
            previous: [0; 32],
        };
        let (projection, _) = projection_of(&base, OPTIONS).unwrap();
        assert_eq!(projection.sequence(), Sequence(4));
        assert!(played(folder.path(), projection) == whole, "the end is the same");
        base.state.take(|key| key == FORM);
        assert!(
            projection_of(&base, OPTIONS).is_none(),
            "a form that is not known is not guessed"
        );
    }
}
