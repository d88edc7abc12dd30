//! Laws of other definitions: when a catalog takes over, nothing depends on when its history was folded; what it reads is
//! what it would have read all along; and alerts go on.

use std::collections::BTreeMap;
use std::sync::Arc;

use kpid::domain::catalog::{Catalog, CatalogFile};
use kpid::domain::fact::Block;
use kpid::domain::id::Sequence;
use kpid::domain::instant::{DAY_MS, Instant, MINUTE_MS};
use kpid::domain::parts::Parts;
use kpid::domain::projection::{ClockKind, Effects, Projection, Refold};
use kpid::pipeline::activation::{Activations, catch_up};
use kpid::ports::{BlockReader, Definitions, History, JournalError};
use proptest::collection::vec;
use proptest::prelude::*;

use crate::reference::generate::{self, Case};
use crate::support::blocks::{Cuts, Story, Told, image, options, story_with};
use crate::support::replays::catalog_files;

pub struct Toml;

impl Definitions for Toml {
    fn parse(&self, files: &[CatalogFile]) -> Result<Arc<Catalog>, Vec<String>> {
        let lines = |problems: Vec<kpid::wire::catalog::Problem>| problems.iter().map(ToString::to_string).collect();
        kpid::wire::catalog::parse(files).map(Arc::new).map_err(lines)
    }
}

/// A journal in memory, whole.
pub struct Written(pub Vec<Block>);

struct Reading(std::vec::IntoIter<Block>);

impl BlockReader for Reading {
    fn next_block(&mut self) -> Result<Option<Block>, JournalError> {
        Ok(self.0.next())
    }
}

impl History for Written {
    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        let rest: Vec<Block> = self.0.iter().filter(|block| block.last() >= from).cloned().collect();
        Ok(Box::new(Reading(rest.into_iter())))
    }
}

/// A stream under one catalog; another takes over before one of its blocks, and the first again before a later one.
#[derive(Debug, Clone)]
pub struct Change {
    case: Case,
    other: Case,
    cuts: Cuts,
    there: usize,
    back: usize,
    is_event: bool,
}

pub fn changes() -> impl Strategy<Value = Change> {
    let delay_ms = prop_oneof![Just(0), 0..2_000_i64, 0..DAY_MS];
    let cuts = vec((1..12_usize, delay_ms), 1..8);
    let drawn = (generate::pairs(), cuts, 0..12_usize, 1..12_usize, any::<bool>());
    drawn.prop_map(|((case, other), cuts, there, more, is_event)| Change {
        is_event,
        case,
        other,
        cuts,
        there,
        back: there + more,
    })
}

impl Change {
    fn clock(&self) -> ClockKind {
        if self.is_event {
            ClockKind::Event {
                every_ms: self.case.every_ms,
            }
        } else {
            ClockKind::Recorded
        }
    }

    pub fn catalogs(&self) -> [Arc<Catalog>; 2] {
        [&self.case, &self.other].map(|case| Toml.parse(&catalog_files(&case.files)).unwrap())
    }

    pub fn story(&self) -> Story {
        let [first, other] = self.catalogs();
        let others = [(self.there, &*other), (self.back, &*first)];
        story_with(&self.case.files, &self.case.ndjson, &self.cuts, &others)
    }
}

fn activations(story: &Story) -> Activations {
    Activations::new(Arc::new(Toml), Arc::new(Written(story.blocks.clone())))
}

fn applied(activations: &mut Activations, projection: &mut Projection, block: &Block) -> Effects {
    let mut effects = Effects::default();
    activations.apply(projection, block, &mut effects).unwrap();
    effects
}

fn ended(projection: &mut Projection, story: &Story) -> Effects {
    let mut effects = Effects::default();
    projection.finish(&mut effects);
    projection.advance(story.end().plus_ms(3 * DAY_MS), &mut effects);
    effects
}

/// Every block and the end, following what the journal names.
fn replayed(story: &Story, clock: ClockKind) -> (Told, Projection) {
    let (mut projection, mut following) = (story.projection(clock), activations(story));
    let mut told = Told::default();
    for block in &story.blocks {
        told.add(&applied(&mut following, &mut projection, block));
    }
    told.add(&ended(&mut projection, story));
    (told, projection)
}

fn same(one: &Told, other: &Told) -> Result<(), TestCaseError> {
    one.same(other).map_err(TestCaseError::fail)
}

/// Value, score and the like of every node, by path. Whether a period is restated is left out: that goes by what was said
/// of it when it became final, and under which definitions.
fn readings(projection: &mut Projection, catalog: &Catalog, at: Instant) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for scorecard in &catalog.scorecards {
        let picture = projection.picture_at(scorecard.id.as_str(), None, at).unwrap();
        for mut node in picture.nodes {
            node.reading.restated = false;
            all.insert(node.path.to_string(), format!("{:?}", node.reading));
        }
    }
    all
}

proptest! {
    #![proptest_config(super::usually(48))]

    #[test]
    fn when_the_history_was_folded_leaves_no_trace(change in changes(), folded in 0..20_usize) {
        let story = change.story();
        let (told, mut replay) = replayed(&story, change.clock());
        // A daemon folds what it can beside the projection, some blocks before the activation, and the rest when it comes.
        let [first, other] = change.catalogs();
        let (mut live, mut following) = (story.projection(change.clock()), activations(&story));
        let mut told_live = Told::default();
        for (place, block) in story.blocks.iter().enumerate() {
            if place == change.there.saturating_sub(folded) {
                let mut refold = Refold::new(&first, Arc::clone(&other), options(change.clock()));
                let known = Written(story.blocks[..place].to_vec());
                catch_up(&known, &mut refold, None, &mut |_| {}).unwrap();
                following.prepare(refold);
            }
            told_live.add(&applied(&mut following, &mut live, block));
        }
        told_live.add(&ended(&mut live, &story));
        same(&told, &told_live)?;
        prop_assert_eq!(image(&mut replay), image(&mut live));
    }

    #[test]
    fn a_checkpoint_before_or_after_leads_to_the_same(change in changes(), saved in 0..24_usize) {
        let story = change.story();
        let (whole, mut last) = replayed(&story, change.clock());
        let (mut running, mut following) = (story.projection(change.clock()), activations(&story));
        let mut told = Told::default();
        let (before, tail) = story.blocks.split_at(saved.min(story.blocks.len()));
        for block in before {
            told.add(&applied(&mut following, &mut running, block));
        }
        let parts: Parts = image(&mut running).into_iter().collect();
        let catalog = Arc::clone(running.catalog());
        let mut restored = Projection::from_image(catalog, options(change.clock()), &parts).expect("its own image");
        let mut told_after = Told::default();
        for block in tail {
            told_after.add(&applied(&mut following, &mut restored, block));
        }
        told_after.add(&ended(&mut restored, &story));
        same(&whole.after(&told), &told_after)?;
        prop_assert_eq!(image(&mut last), image(&mut restored));
    }

    #[test]
    fn other_definitions_read_what_they_would_have_read_all_along(change in changes()) {
        let [_, other] = change.catalogs();
        let story = story_with(&change.case.files, &change.case.ndjson, &change.cuts, &[(change.there, &*other)]);
        let (_, mut changed) = replayed(&story, change.clock());
        let mut always = Projection::new(Arc::clone(&other), options(change.clock()));
        for block in &story.blocks {
            always.apply(block, &mut Effects::default());
        }
        ended(&mut always, &story);
        for at in [story.end(), story.end().plus_ms(1), story.end().plus_ms(DAY_MS), story.end().plus_ms(-DAY_MS)] {
            prop_assert_eq!(readings(&mut always, &other, at), readings(&mut changed, &other, at));
        }
    }
}

/// A KPI whose score is its last value, and this rule on it.
fn card(rule: &str) -> String {
    let card = "[scorecard]\nid = \"c\"\n[[perspective]]\nid = \"p\"\n[[objective]]\nid = \"o\"\nperspective = \"p\"\n\
        [[kpi]]\nid = \"k\"\nobjective = \"o\"\naggregate = \"last\"\nwindow = { all = true }\ncurve = [[0, 0], [100, 100]]\n";
    let on = if rule.contains("on=") { "" } else { "on = \"c/p/o/k\"" };
    format!("{card}[[alert]]\n{on}\n{rule}\n")
}

/// The transitions of ten minutes: 40 is recorded at minute 1, the rule is edited at minute 5.
fn edited_at_five(before: &str, after: &str) -> String {
    let file = |rule: &str| [("c.toml".to_owned(), card(rule))];
    let other = Toml.parse(&catalog_files(&file(after))).unwrap();
    let line = "{\"kpi\":\"k\",\"value\":40,\"observed_at\":0}\n";
    let mut story = story_with(&file(before), line, &vec![(1, MINUTE_MS)], &[(1, &*other)]);
    story.blocks[1].recorded_at = Instant(5 * MINUTE_MS);
    let (mut projection, mut following) = (story.projection(ClockKind::Recorded), activations(&story));
    let mut effects = Effects::default();
    for block in &story.blocks {
        following.apply(&mut projection, block, &mut effects).unwrap();
    }
    projection.advance(Instant(10 * MINUTE_MS), &mut effects);
    let told = effects.transitions.iter().map(|one| {
        let minute = one.at.0 as f64 / MINUTE_MS as f64;
        format!("{minute} {} {}", one.rule, one.kind.word())
    });
    told.collect::<Vec<_>>().join(", ")
}

/// What is shown, the rule before, the rule after, and what was told by which rule at which minute.
const EDITS: &str = r#"
nothing is edited | below=50 | below=50; title="T" | 1 low firing
the threshold moves and the alert goes on | below=50 | below=45 | 1 low firing
the threshold moves past the value | below=50 | below=30 | 1 low firing, 5 low resolved
another id is another alert | below=50 | id="deep"; below=50 | 1 low firing, 5 low resolved, 5 deep firing
a rule that moves to another node ends there and begins here | below=50 | below=50; on="c/p" | 1 low firing, 5 low resolved, 5 low firing
a longer `for` counts from the onset | below=50; for="6m" | below=50; for="8m" | 9 low firing
a shorter `for` never reaches into the past | below=50; for="6m" | below=50; for="3m" | 5 low firing
what was pending ends in silence | below=50; for="6m" | id="deep"; below=30 |
repeats that it would have had are not made up for | below=50 | below=50; repeat="2m" | 1 low firing, 5 low repeated, 7 low repeated, 9 low repeated
a condition that was not true before begins now | below=30 | below=50; for="2m" | 7 low firing
what is over keeps firing as long as the new rule says | below=50 | below=30; keep_firing_for="3m" | 1 low firing, 8 low resolved
"#;

#[test]
fn an_edited_rule_keeps_its_alerts_and_only_a_new_id_is_a_new_one() {
    for row in EDITS.lines().filter(|row| !row.is_empty()) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let rule = |cell: &str| {
            let id = if cell.contains("id=") { "" } else { "id=\"low\"\n" };
            format!("{id}{}", cell.replace(';', "\n"))
        };
        assert_eq!(
            edited_at_five(&rule(cells[1]), &rule(cells[2])),
            cells[3],
            "{}",
            cells[0]
        );
    }
}
