//! Spans beside single steps.

use super::super::{ClockKind, ProjectionOptions};
use super::*;
use crate::domain::catalog::Missing;
use crate::domain::fact::Block;
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::measurement::SeriesKey;
use crate::domain::samples::{SLICE_MS, catalog, plain_kpi};

const SITES: [&str; 3] = ["berlin", "oslo", "rome"];

/// Measurements of three sites, mostly in order, some late, with a gap in the middle.
fn block() -> Block {
    let mut block = Block {
        first: Sequence(1),
        ..Block::default()
    };
    let key = |site: &&str| SeriesKey {
        kpi: KpiId::parse("k").unwrap(),
        source: "s".into(),
        each: Some(("site".into(), InstanceId::parse(site).unwrap())),
    };
    block.new_series.extend(SITES.iter().map(key));
    for step in 0..6_000_u64 {
        let mixed = step.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
        let gap = if step < 3_000 { 0 } else { 30 * SLICE_MS };
        let late = if mixed.is_multiple_of(11) {
            (mixed % 50_000) as i64
        } else {
            0
        };
        let observed_at = step as i64 * SLICE_MS / 40 + gap - late;
        let value = (mixed % 1_000) as f64 / 10.0;
        let series = (mixed % 3) as u32;
        block
            .measurements
            .extend_numbers(&[series], &[observed_at], Instant(0), &[value]);
    }
    block
}

fn projection() -> Projection {
    let kpi = crate::domain::catalog::KpiDefinition {
        missing: Missing::Hold(2 * SLICE_MS),
        ..plain_kpi()
    };
    let options = ProjectionOptions {
        clock: ClockKind::Event { every_ms: SLICE_MS },
        history_ms: None,
        with_readings: true,
    };
    Projection::new(catalog(kpi, Some("site")), options)
}

/// What it says in the end, and everything it said on the way.
fn outcome(mut projection: Projection, mut effects: Effects) -> String {
    projection.finish(&mut effects);
    let image = projection.whole_image();
    format!("{:?} {:?} {image:?}", effects.readings, effects.transitions)
}

#[test]
fn a_span_leaves_what_its_steps_leave() {
    let block = block();
    let (mut slowly, mut slow_effects) = (projection(), Effects::default());
    for row in 0..block.measurements.len() {
        let mut one = block.clone();
        let columns = &mut one.measurements;
        columns.series = vec![columns.series[row]];
        columns.observed_at = vec![columns.observed_at[row]];
        columns.value = vec![columns.value[row]];
        columns.truncate(1);
        one.first = Sequence(1 + row as u64);
        slowly.apply(&one, &mut slow_effects);
    }
    let (mut at_once, mut effects) = (projection(), Effects::default());
    at_once.apply(&block, &mut effects);
    assert!(!at_once.desk.ways.is_empty(), "there was a span");
    assert!(effects.readings.len() > 500);
    assert_eq!(outcome(at_once, effects), outcome(slowly, slow_effects));
}
