//! Laws of travelling: what was known at an instant is what the live projection showed then, to the last bit, from whichever
//! milestone the journey began; and what is said otherwise now is found whole, with causes that sum to the difference.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use kpid::domain::board::Picture;
use kpid::domain::catalog::Catalog;
use kpid::domain::fact::{Block, Entry, Fact, MeasurementPlace, Retraction, Row};
use kpid::domain::id::{InstanceId, Sequence};
use kpid::domain::instant::{DAY_MS, HOUR_MS, Instant};
use kpid::domain::measurement::Extra;
use kpid::domain::projection::{ClockKind, Effects, Projection, ProjectionOptions};
use kpid::domain::restatement::{Cause, RestatedInstant, Restatement};
use kpid::pipeline::activation::Activations;
use kpid::pipeline::beside;
use kpid::pipeline::restatement::restatement;
use kpid::pipeline::travel::{FirstFact, NoMilestones, Roads, Traveller};
use kpid::ports::{Archive, BlockReader, CheckpointHead, History, JournalError, Milestones, PicturesQuery};
use kpid::state::{MilestoneFolder, MilestoneLimits};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

use super::succession::{Change, Toml, Written, changes};
use crate::support::blocks::{Story, image};

impl Archive for Written {
    fn first_since(&self, at: Instant) -> Result<Sequence, JournalError> {
        let since = self.0.iter().find(|block| block.recorded_at >= at);
        let end = self.0.last().map_or(Sequence(1), |block| block.last().plus(1));
        Ok(since.map_or(end, |block| block.first))
    }

    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        History::read_from(self, from)
    }
}

static NEVER: AtomicBool = AtomicBool::new(false);

fn options(history_ms: Option<i64>) -> ProjectionOptions {
    ProjectionOptions {
        clock: ClockKind::Recorded,
        history_ms,
        with_readings: false,
    }
}

/// A journal that names its first definitions itself, as a daemon's does.
fn journal(change: &Change) -> Vec<Block> {
    let Story { catalog, mut blocks } = change.story();
    for block in &mut blocks {
        block.first = block.first.plus(1);
        let shift = |fact: &mut Fact| match fact {
            Fact::MeasurementCorrected(own) => own.target.sequence = own.target.sequence.plus(1),
            Fact::MeasurementRetracted(own) => own.target.sequence = own.target.sequence.plus(1),
            _ => {}
        };
        block.others.iter_mut().for_each(|(_, fact)| shift(fact));
    }
    let begin = blocks.first().map_or(Instant::EARLIEST, |block| block.recorded_at);
    let fact = Fact::CatalogActivated {
        fingerprint: catalog.fingerprint.clone(),
        files: catalog.files.clone(),
    };
    let first = Block {
        first: Sequence(1),
        recorded_at: begin,
        others: vec![(0, fact)],
        ..Block::default()
    };
    blocks.insert(0, first);
    blocks
}

fn roads(blocks: &[Block], milestones: Arc<dyn Milestones>, options: ProjectionOptions) -> Roads {
    Roads {
        archive: Arc::new(Written(blocks.to_vec())),
        milestones,
        definitions: Arc::new(Toml),
        options,
        beginning: Arc::new(FirstFact),
    }
}

/// Every scorecard and instance.
fn who(catalog: &Catalog, projection: &Projection) -> Vec<(String, Option<InstanceId>)> {
    let each = catalog.scorecards.iter().flat_map(|own| {
        let id = own.id.as_str();
        let instances: Vec<_> = projection
            .instance_names(id, "")
            .map(|name| Some(name.clone()))
            .collect();
        std::iter::once(None)
            .chain(instances)
            .map(|name| (id.to_owned(), name))
            .collect::<Vec<_>>()
    });
    each.collect()
}

/// Everything that is shown.
fn shown(projection: &Projection) -> String {
    let catalog = Arc::clone(projection.catalog());
    let pictures = who(&catalog, projection).into_iter().map(|(id, name)| {
        let picture = projection.picture_now(&id, name.as_ref()).unwrap();
        format!("{picture:?}\n")
    });
    pictures.collect()
}

/// The live projection after each block and a while after it: when, what it shows, and the whole of it. Of blocks recorded
/// at one instant only the last one counts. Milestones are kept on the way.
fn lived(
    blocks: &[Block],
    waits: &[i64],
    milestones: &MilestoneFolder,
    options: ProjectionOptions,
) -> Vec<(Instant, String, String)> {
    let mut projection = Projection::new(Arc::new(Catalog::empty()), options);
    let mut activations = Activations::new(Arc::new(Toml), Arc::new(Written(blocks.to_vec())));
    let mut seen = Vec::new();
    for (index, block) in blocks.iter().enumerate() {
        let effects = &mut Effects::default();
        activations.apply(&mut projection, block, effects).unwrap();
        let next = blocks.get(index + 1).map_or(Instant(i64::MAX), |next| next.recorded_at);
        let wait = waits[index % waits.len()];
        for at in [block.recorded_at, block.recorded_at.plus_ms(wait)] {
            if at < next {
                projection.advance(at, effects);
                seen.push((at, shown(&projection), format!("{:?}", image(&mut projection))));
            }
        }
        let head = CheckpointHead {
            sequence: projection.sequence(),
            at: projection.at(),
            fingerprint: projection.catalog().fingerprint.clone(),
        };
        let mut parts = projection.whole_image();
        parts.extend([beside::definitions(&projection.catalog().files)]);
        milestones.keep(&head, &parts).unwrap();
    }
    seen
}

fn folder(home: &std::path::Path, history_ms: Option<i64>) -> MilestoneFolder {
    let limits = MilestoneLimits {
        facts_min: 1,
        count_max: 4,
        bytes_max: u64::MAX,
    };
    MilestoneFolder::new(home, history_ms, limits)
}

fn history() -> impl Strategy<Value = Option<i64>> {
    prop_oneof![Just(None), Just(Some(DAY_MS)), Just(Some(400 * DAY_MS))]
}

proptest! {
    #![proptest_config(super::usually(32))]

    #[test]
    fn what_was_known_is_what_the_live_projection_showed(
        change in changes(), waits in vec(0..2 * DAY_MS, 1..4), history_ms in history()
    ) {
        let (blocks, options) = (journal(&change), options(history_ms));
        let home = tempfile::tempdir().unwrap();
        let milestones = Arc::new(folder(home.path(), history_ms));
        let lived = lived(&blocks, &waits, &milestones, options);
        prop_assert!(!milestones.heads().is_empty());
        let far = roads(&blocks, Arc::new(NoMilestones), options);
        let near = roads(&blocks, milestones, options);
        let mut slowly = Traveller::start(&far, Instant::EARLIEST, &NEVER).unwrap();
        for (at, showed, whole) in lived {
            let mut travellers = [Traveller::start(&near, at, &NEVER).unwrap(), Traveller::start(&far, at, &NEVER).unwrap()];
            for traveller in travellers.iter_mut().chain([&mut slowly]) {
                traveller.go(at).unwrap();
                prop_assert_eq!(&shown(traveller.projection()), &showed, "at {}", at);
                prop_assert_eq!(&format!("{:?}", image(traveller.projection())), &whole, "at {}", at);
            }
        }
    }

    #[test]
    fn what_is_said_otherwise_is_found_whole_and_causes_sum_to_the_difference(
        change in changes(), parts in vec((0..1_100_i64, prop_oneof![Just(1_i64), Just(HOUR_MS), Just(DAY_MS)]), 6)
    ) {
        let (blocks, options) = (journal(&change), options(None));
        let roads = roads(&blocks, Arc::new(NoMilestones), options);
        let (begin, end) = (blocks[0].recorded_at.plus_ms(-DAY_MS), blocks.last().unwrap().recorded_at);
        let mut at: Vec<Instant> = parts
            .iter()
            .map(|(part, edge)| begin.plus_ms(end.since(begin) / 1_000 * part).round_up(*edge))
            .collect();
        at.sort_unstable();
        at.dedup();
        let now = end.plus_ms(DAY_MS);
        let mut present = Traveller::start(&roads, now, &NEVER).unwrap();
        present.go(now).unwrap();
        let present = present.arrive();
        for (scorecard, instance) in who(present.catalog(), &present) {
            let query = PicturesQuery { scorecard, instance, at: at.clone() };
            let told = restatement(&roads, &query, now, &NEVER).unwrap();
            prop_assert_eq!(told.compared + told.unpublished + told.open, at.len());
            told.restated.iter().try_for_each(sums)?;
            let is_steady = blocks.iter().skip(1).all(|block| !block.others.iter().any(|(_, fact)| matches!(fact, Fact::CatalogActivated { .. })));
            if is_steady {
                let causes = told.restated.iter().flat_map(|one| &one.nodes).flat_map(|node| &node.causes);
                prop_assert!(causes.clone().all(|share| share.cause != Cause::Catalog && share.count > 0));
            }
            complete((&roads, &blocks), &query, (&told, &present))?;
        }
    }
}

/// The shares of every node sum to its difference.
fn sums(instant: &RestatedInstant) -> Result<(), TestCaseError> {
    for node in &instant.nodes {
        for (whole, parts) in [
            (
                node.points(),
                node.causes.iter().map(|share| share.points).collect::<Vec<_>>(),
            ),
            (node.value(), node.causes.iter().map(|share| share.value).collect()),
        ] {
            let Some(whole) = whole else {
                prop_assert!(parts.iter().all(Option::is_none), "{node:?}");
                continue;
            };
            let sum: f64 = parts.iter().flatten().sum();
            prop_assert!(
                (sum - whole).abs() <= 1e-9 * whole.abs().max(1.0),
                "{sum} is not {whole}: {node:?}"
            );
        }
        prop_assert!(!node.causes.is_empty(), "nobody knows why: {node:?}");
    }
    Ok(())
}

/// Every instant of which something else is said is told, with what was published then and with what would have been if all
/// had been known: by a second opinion that puts the measurements that there are in the end into an empty projection.
fn complete(
    (roads, blocks): (&Roads, &[Block]),
    query: &PicturesQuery,
    (told, present): (&Restatement, &Projection),
) -> Result<(), TestCaseError> {
    let said = |picture: &Picture, path: &str| {
        let node = picture.nodes.iter().find(|node| &*node.path == path)?;
        let reading = &node.reading;
        Some((reading.value, reading.score, reading.status.clone(), reading.absence))
    };
    let instance = query.instance.as_ref();
    for &at in query.at.iter().filter(|at| **at <= present.at()) {
        let mut past = Traveller::start(roads, at, &NEVER).unwrap();
        past.go(at).unwrap();
        // A rate of a running period flows with time, and a value is held from evaluation to evaluation: the board shows both as
        // they were at the last one.
        let flows = ["aggregate = \"rate\"", "missing = \"hold\""];
        let files = &past.projection().catalog().files;
        let then = if flows
            .iter()
            .any(|word| files.iter().any(|file| file.text.contains(word)))
        {
            past.projection().picture_exactly(&query.scorecard, instance, at)
        } else {
            past.projection().picture_now(&query.scorecard, instance)
        };
        let Some(then) = then else { continue };
        let Some(now) = all_known(blocks, present, at).picture_exactly(&query.scorecard, instance, at) else {
            continue;
        };
        let listed = told.restated.iter().find(|one| one.at == at);
        for path in then.nodes.iter().chain(&now.nodes).map(|node| &node.path) {
            let (before, after) = (said(&then, path), said(&now, path));
            let found = listed.and_then(|one| one.nodes.iter().find(|node| node.path == *path));
            let Some(found) = found else {
                prop_assert!(near(&before, &after), "at {at} {path} was {before:?} and is {after:?}");
                continue;
            };
            for (side, said) in [&before, &after].into_iter().enumerate() {
                let told = found.said[side]
                    .as_ref()
                    .map(|said| (said.value, said.score, said.status.clone(), said.absence));
                prop_assert!(
                    near(&told, said),
                    "at {at} {path}, {side}: {told:?} is told, {said:?} it is"
                );
            }
        }
    }
    Ok(())
}

/// The measurements that there are in the end, under the definitions of the end, without those observed at `at` or later that
/// were not known then. What was taken back is put in and taken out again, because the instance that it named stays.
fn all_known(blocks: &[Block], present: &Projection, at: Instant) -> Projection {
    let mut there = BTreeSet::new();
    let mut facts: Vec<(Sequence, Block, Instant)> = Vec::new();
    for block in blocks {
        let recorded_at = block.recorded_at;
        let counts = |observed_at: Instant| recorded_at <= at || observed_at < at;
        for (sequence, entry) in block.entries() {
            match entry {
                Entry::Measurement(row) if counts(row.observed_at) => {
                    there.insert(sequence);
                    facts.push((sequence, alone(&row), recorded_at));
                }
                Entry::Other(Fact::MeasurementCorrected(own)) => {
                    if there.remove(&own.target.sequence) {
                        facts.push((own.target.sequence, gone(own.target), recorded_at));
                    }
                    if counts(own.observed_at) {
                        there.insert(own.target.sequence);
                        facts.push((own.target.sequence, alone(&own.row()), recorded_at));
                    }
                }
                Entry::Other(Fact::MeasurementRetracted(own)) if there.remove(&own.target.sequence) => {
                    facts.push((own.target.sequence, gone(own.target), recorded_at));
                }
                _ => {}
            }
        }
    }
    let mut projection = Projection::new(Arc::clone(present.catalog()), present.options());
    let facts = facts.iter().map(|(sequence, block, recorded_at)| {
        let (_, entry) = block.entries().next().unwrap();
        (*sequence, entry, *recorded_at)
    });
    projection.take_aside(&present.series_names(), facts);
    projection
}

/// A row in a block of its own, with an id, so that it can be taken out again.
fn alone(row: &Row<'_>) -> Block {
    let mut block = Block::default();
    let mut extra = row.extra.cloned().unwrap_or_default();
    extra.id.get_or_insert_with(|| "some".into());
    let at = (row.observed_at, row.received_at);
    block.measurements.push(row.series, at, &row.measured_value(), extra);
    block.first = Sequence(1);
    block
}

/// The retraction of what stands at a place.
fn gone(target: MeasurementPlace) -> Block {
    let fact = Fact::MeasurementRetracted(Retraction {
        target,
        retracts: "some".into(),
        received_at: target.observed_at,
        extra: Extra::default(),
    });
    Block {
        first: Sequence(1),
        others: vec![(0, fact)],
        ..Block::default()
    }
}

#[test]
fn generated_stories_are_restated_for_every_reason() {
    let mut runner = TestRunner::deterministic();
    let mut moved: BTreeMap<&str, usize> = BTreeMap::new();
    for _ in 0..60 {
        let change = changes().new_tree(&mut runner).expect("a story").current();
        let blocks = journal(&change);
        let roads = roads(&blocks, Arc::new(NoMilestones), options(None));
        let (begin, end) = (blocks[0].recorded_at, blocks.last().unwrap().recorded_at);
        let [catalog, _] = change.catalogs();
        for own in &catalog.scorecards {
            let part = |part: i64| begin.plus_ms(end.since(begin) / 10 * part);
            let at = (1..10).map(part).collect();
            let query = PicturesQuery {
                scorecard: own.id.to_string(),
                instance: None,
                at,
            };
            let told = restatement(&roads, &query, end, &NEVER).unwrap();
            let shares = told
                .restated
                .iter()
                .flat_map(|one| &one.nodes)
                .flat_map(|node| &node.causes);
            for share in shares.filter(|share| share.points.is_some_and(|points| points.abs() > 1e-6)) {
                *moved.entry(share.cause.word()).or_default() += 1;
            }
        }
    }
    let rare: Vec<_> = Cause::ALL
        .iter()
        .filter(|cause| moved.get(cause.word()).is_none_or(|times| *times < 10))
        .collect();
    assert!(rare.is_empty(), "hardly seen: {rare:?} of {moved:?}");
}

type Told = Option<(
    Option<f64>,
    Option<f64>,
    Option<Arc<str>>,
    Option<kpid::domain::reading::Absence>,
)>;

fn near(one: &Told, other: &Told) -> bool {
    let close = |one: Option<f64>, other: Option<f64>| match (one, other) {
        (Some(one), Some(other)) => (one - other).abs() <= 1e-9 * one.abs().max(1.0),
        (one, other) => one == other,
    };
    match (one, other) {
        (Some(one), Some(other)) => {
            close(one.0, other.0) && close(one.1, other.1) && one.2 == other.2 && one.3 == other.3
        }
        (one, other) => one.is_none() && other.is_none(),
    }
}
