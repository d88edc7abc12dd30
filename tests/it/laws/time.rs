//! Laws of time: how a stream was cut into blocks, when a timer called and where a replay began leave no trace.

use std::collections::BTreeMap;
use std::sync::Arc;

use kpid::domain::instant::{DAY_MS, HOUR_MS, Instant};
use kpid::domain::parts::Parts;
use kpid::domain::projection::{ClockKind, Effects, Projection};
use proptest::collection::vec;
use proptest::prelude::*;

use super::arrival::without_hold;
use crate::reference;
use crate::reference::compare_pictures::compare_pictures;
use crate::reference::generate::{self, Case};
use crate::support::blocks::{Cuts, Story, Told, image, options, story};
use crate::support::pictures::posted;

/// Long enough after the end for windows to empty, held values to end and alerts to repeat.
const AFTERWARDS_MS: i64 = 3 * DAY_MS;

fn any_case() -> impl Strategy<Value = Case> {
    prop_oneof![
        generate::cases(),
        generate::percentile_cases(),
        generate::restating_cases()
    ]
}

fn cuts() -> impl Strategy<Value = Cuts> {
    let delay_ms = prop_oneof![Just(0), 0..2_000_i64, 0..DAY_MS];
    vec((1..12_usize, delay_ms), 1..8)
}

/// The measurements of a stream without ids and words beside them, and nothing else: such are taken in many at once.
fn only_measured(ndjson: &str) -> String {
    let plain = |line: &str| {
        let mut line: serde_json::Map<String, serde_json::Value> = serde_json::from_str(line).ok()?;
        if line.contains_key("corrects") || line.contains_key("retracts") {
            return None;
        }
        for key in ["id", "note", "by"] {
            line.remove(key);
        }
        serde_json::to_string(&line).ok().map(|line| line + "\n")
    };
    ndjson.lines().filter_map(plain).collect()
}

/// Blocks and nothing else, then time until the end.
fn replayed(story: &Story, clock: ClockKind) -> (Told, Projection) {
    let mut projection = story.projection(clock);
    let mut told = Told::default();
    for block in &story.blocks {
        told.add(&applied(&mut projection, block));
    }
    told.add(&ended(&mut projection, story));
    (told, projection)
}

/// All blocks by the recorded clock, and no time after them.
fn live_until_end(story: &Story) -> Projection {
    let mut projection = story.projection(ClockKind::Recorded);
    for block in &story.blocks {
        applied(&mut projection, block);
    }
    projection
}

fn applied(projection: &mut Projection, block: &kpid::domain::fact::Block) -> Effects {
    let mut effects = Effects::default();
    projection.apply(block, &mut effects);
    effects
}

fn advanced(projection: &mut Projection, to: Instant) -> Effects {
    let mut effects = Effects::default();
    projection.advance(to, &mut effects);
    effects
}

fn ended(projection: &mut Projection, story: &Story) -> Effects {
    let mut effects = Effects::default();
    projection.finish(&mut effects);
    projection.advance(story.end().plus_ms(AFTERWARDS_MS), &mut effects);
    effects
}

fn same(one: &Told, other: &Told) -> Result<(), TestCaseError> {
    one.same(other).map_err(TestCaseError::fail)
}

proptest! {
    #![proptest_config(super::usually(64))]

    #[test]
    fn by_the_event_clock_blocks_do_not_matter(case in any_case(), one in cuts(), other in cuts()) {
        let clock = ClockKind::Event { every_ms: case.every_ms };
        let (one, _) = replayed(&story(&case.files, &case.ndjson, &one), clock);
        let (other, _) = replayed(&story(&case.files, &case.ndjson, &other), clock);
        same(&one, &other)?;
    }

    #[test]
    fn many_steps_at_once_leave_what_one_after_the_other_leaves(case in any_case()) {
        let clock = ClockKind::Event { every_ms: case.every_ms };
        let ndjson = only_measured(&case.ndjson);
        let (one, mut by_row) = replayed(&story(&case.files, &ndjson, &vec![(1, 0)]), clock);
        let (other, mut at_once) = replayed(&story(&case.files, &ndjson, &vec![(usize::MAX, 0)]), clock);
        same(&one, &other)?;
        prop_assert_eq!(image(&mut by_row), image(&mut at_once));
    }

    #[test]
    fn by_the_recorded_clock_live_equals_replay(case in any_case(), cuts in cuts(), calls in vec(0..1_000_i64, 1..9)) {
        let story = story(&case.files, &case.ndjson, &cuts);
        let (told, mut replay) = replayed(&story, ClockKind::Recorded);
        let mut live = story.projection(ClockKind::Recorded);
        let mut told_live = Told::default();
        let mut calls = calls.iter().cycle();
        for block in &story.blocks {
            // Timers call at any instants before the block, on time or late, often or never.
            let (from, to) = (live.at(), block.recorded_at.plus_ms(-1));
            for _ in 0..calls.next().map_or(0, |call| call % 4) {
                let part = calls.next().map_or(0, |call| to.since(from) / 1_000 * call);
                if from > Instant::EARLIEST && to > from {
                    told_live.add(&advanced(&mut live, from.plus_ms(part)));
                }
            }
            told_live.add(&applied(&mut live, block));
        }
        for tenth in 0..10 {
            told_live.add(&advanced(&mut live, story.end().plus_ms(AFTERWARDS_MS / 10 * tenth + tenth)));
        }
        told_live.add(&ended(&mut live, &story));
        told_live.add(&advanced(&mut live, story.end().plus_ms(AFTERWARDS_MS)));
        same(&told, &told_live)?;
        prop_assert_eq!(image(&mut replay), image(&mut live));
    }

    #[test]
    fn at_any_instant_the_live_board_shows_what_the_naive_reference_sees(
        case in any_case(),
        cuts in cuts(),
        after_ms in prop_oneof![0..HOUR_MS, 0..40 * DAY_MS],
    ) {
        let files = without_hold(&case.files);
        // A rate over a running period moves with every instant, and is looked at once a slice.
        prop_assume!(!files.iter().any(|(_, text)| text.contains("\"rate\"")));
        let story = story(&files, &case.ndjson, &cuts);
        prop_assume!(!story.blocks.is_empty());
        let mut live = live_until_end(&story);
        let at = story.end().plus_ms(1 + after_ms);
        advanced(&mut live, at);
        let boards = live.boards(&[]);
        let mut found = posted(&live, &boards);
        found.nodes.values_mut().for_each(|shown| shown.restated = false);
        let expected = reference::picture_at(&files, &case.ndjson, at.0);
        compare_pictures(&expected, &found, case.exactness)
            .map_err(|difference| TestCaseError::fail(format!("at {at}: {difference}")))?;
    }

    #[test]
    fn a_checkpoint_and_the_tail_equal_the_whole(
        case in any_case(),
        cuts in cuts(),
        saved in vec(any::<bool>(), 1..12),
        is_event in any::<bool>(),
    ) {
        let clock = if is_event { ClockKind::Event { every_ms: case.every_ms } } else { ClockKind::Recorded };
        let story = story(&case.files, &case.ndjson, &cuts);
        let (whole, mut last) = replayed(&story, clock);
        let mut running = story.projection(clock);
        let (mut parts, mut names, mut told) = (BTreeMap::new(), 0, Told::default());
        for (place, block) in story.blocks.iter().enumerate() {
            told.add(&applied(&mut running, block));
            if !saved[place % saved.len()] {
                continue;
            }
            parts.extend(running.take_image(names));
            names = running.series_count();
            let kept: Parts = parts.clone().into_iter().collect();
            let restored = Projection::from_image(Arc::clone(&story.catalog), options(clock), &kept);
            let mut restored = restored.expect("an image that was just taken");
            let mut tail = Told::default();
            for block in &story.blocks[place + 1..] {
                tail.add(&applied(&mut restored, block));
            }
            tail.add(&ended(&mut restored, &story));
            same(&whole.after(&told), &tail)?;
            prop_assert_eq!(image(&mut last), image(&mut restored));
        }
    }
}

const SHOP: &str = "[scorecard]\nid = \"shop\"\neach = \"site\"\n[[perspective]]\nid = \"customer\"\n[[objective]]\n\
    id = \"service\"\nperspective = \"customer\"\n[[kpi]]\nid = \"shop.csat\"\nobjective = \"service\"\n\
    aggregate = \"mean\"\nwindow = { all = true }\nred = 50\ntarget = 75\ndirection = \"up\"\n";
const COMPANY: &str = "[scorecard]\nid = \"company\"\n[[perspective]]\nid = \"customer\"\n[[objective]]\n\
    id = \"berlin\"\nperspective = \"customer\"\ninclude = [{ node = \"shop@berlin/customer\", weight = 1 }]\n";

#[test]
fn a_checkpoint_is_what_was_saved_where_an_objective_counts_an_instance() {
    let files = [("company.toml", COMPANY), ("shop.toml", SHOP)].map(|(name, text)| (name.to_owned(), text.to_owned()));
    let line = "{\"kpi\":\"shop.csat\",\"value\":60,\"observed_at\":0,\"labels\":{\"site\":\"berlin\"}}\n";
    let story = story(&files, line, &vec![(1, 0)]);
    let (_, mut saved) = replayed(&story, ClockKind::Recorded);
    let image_saved = image(&mut saved);
    let parts: Parts = image_saved.clone().into_iter().collect();
    let restored = Projection::from_image(Arc::clone(&story.catalog), options(ClockKind::Recorded), &parts);
    assert_eq!(image(&mut restored.expect("its own image")), image_saved);
}
