//! Spans beside single steps.

use super::super::rows::Now;
use super::super::{ClockKind, ProjectionOptions, Refold};
use super::*;
use crate::domain::alert::{Condition, TransitionKind};
use crate::domain::calendar::Period;
use crate::domain::catalog::{Aggregate, Band, KpiDefinition, Missing, Window};
use crate::domain::fact::{Block, Fact, Measurements};
use crate::domain::id::{InstanceId, KpiId};
use crate::domain::instant::{DAY_MS, HOUR_MS};
use crate::domain::measurement::SeriesKey;
use crate::domain::samples::{SLICE_MS, alert_rule, catalog, plain_kpi};
use crate::domain::series::Series;

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

fn projection(missing: Missing) -> Projection {
    let kpi = KpiDefinition { missing, ..plain_kpi() };
    let options = ProjectionOptions {
        clock: ClockKind::Event { every_ms: SLICE_MS },
        history_ms: None,
        with_readings: true,
    };
    Projection::new(catalog(kpi, Some("site")), options)
}

/// What it keeps and says before the end and in the end, and everything it said on the way.
fn outcome(mut projection: Projection, mut effects: Effects) -> String {
    let before = projection.whole_image();
    projection.finish(&mut effects);
    let image = projection.whole_image();
    format!("{:?} {:?} {before:?} {image:?}", effects.readings, effects.transitions)
}

/// Applies the rows of a block, each in a block of its own, which is never a span.
fn apply_slowly(projection: &mut Projection, block: &Block, effects: &mut Effects) {
    for row in 0..block.measurements.len() {
        let mut one = block.clone();
        let columns = &mut one.measurements;
        columns.series = vec![columns.series[row]];
        columns.observed_at = vec![columns.observed_at[row]];
        columns.value = vec![columns.value[row]];
        columns.truncate(1);
        one.first = Sequence(1 + row as u64);
        projection.apply(&one, effects);
    }
}

#[test]
fn a_span_leaves_what_its_steps_leave() {
    let block = block();
    let hold = Missing::Hold(2 * SLICE_MS);
    let (mut slowly, mut slow_effects) = (projection(hold), Effects::default());
    apply_slowly(&mut slowly, &block, &mut slow_effects);
    let (mut at_once, mut effects) = (projection(hold), Effects::default());
    at_once.apply(&block, &mut effects);
    assert_eq!(at_once.spans.desk.rooms.len(), 2, "there was a relay");
    assert!(effects.readings.len() > 500);
    assert_eq!(outcome(at_once, effects), outcome(slowly, slow_effects));
}

#[test]
fn what_comes_months_late_has_its_own_instant() {
    let mut block = block();
    for (row, observed_at) in block.measurements.observed_at.iter_mut().enumerate() {
        let late = if row % 500 == 250 { 60 * DAY_MS + row as i64 } else { 0 };
        *observed_at += 100 * DAY_MS - late;
    }
    let (mut slowly, mut slow_effects) = (projection(Missing::Exclude), Effects::default());
    apply_slowly(&mut slowly, &block, &mut slow_effects);
    let (mut at_once, mut effects) = (projection(Missing::Exclude), Effects::default());
    at_once.apply(&block, &mut effects);
    assert_eq!(at_once.spans.desk.rooms.len(), 2, "there was a relay");
    assert_eq!(outcome(at_once, effects), outcome(slowly, slow_effects));
}

/// Three KPIs, each with another window, and a rule for each of the two lower bands.
fn neighbours() -> Projection {
    let kpi = |id: &str, slices: i64, slice_ms: i64| KpiDefinition {
        id: KpiId::parse(id).unwrap(),
        aggregate: Aggregate::Mean,
        window: Window::Rolling { slices, slice_ms },
        ..plain_kpi()
    };
    let kpis = vec![kpi("k", 3, SLICE_MS), kpi("l", 2, 3 * SLICE_MS), kpi("m", 4, SLICE_MS)];
    let rule = |band: &str| alert_rule(band, Metric::Status, Condition::AtWorst { band: band.into() });
    let mut catalog = Arc::into_inner(catalog(plain_kpi(), None)).unwrap();
    catalog.kpis = kpis
        .iter()
        .enumerate()
        .map(|(place, kpi)| (kpi.id.clone(), (0, place)))
        .collect();
    catalog.scorecards[0].kpis = kpis;
    catalog.rules = vec![rule("red"), rule("amber")];
    let options = ProjectionOptions {
        clock: ClockKind::Event { every_ms: SLICE_MS },
        history_ms: None,
        with_readings: true,
    };
    Projection::new(Arc::new(catalog), options)
}

#[test]
fn neighbours_with_other_windows_and_rules_go_by_their_own() {
    let mut block = block();
    let ids = ["k", "l", "m"].into_iter().zip(&mut block.new_series);
    ids.for_each(|(id, key)| (key.kpi, key.each) = (KpiId::parse(id).unwrap(), None));
    // Up and down, so that every KPI changes its status again and again.
    for (row, value) in block.measurements.value.iter_mut().enumerate() {
        *value = *value / 5.0 + if row / 400 % 2 == 0 { 20.0 } else { 70.0 };
    }
    let (mut slowly, mut slow_effects) = (neighbours(), Effects::default());
    apply_slowly(&mut slowly, &block, &mut slow_effects);
    let (mut at_once, mut effects) = (neighbours(), Effects::default());
    at_once.apply(&block, &mut effects);
    assert!(!at_once.spans.desk.sorted.rows.is_empty(), "there was a span");
    let firing = effects
        .transitions
        .iter()
        .filter(|one| one.kind == TransitionKind::Firing);
    let mut told: Vec<(&str, &str)> = firing
        .map(|one| (one.rule.as_str(), one.status.as_deref().unwrap()))
        .collect();
    told.sort_unstable();
    told.dedup();
    assert_eq!(
        told,
        [("amber", "amber"), ("amber", "red"), ("red", "red")],
        "each rule by its own band"
    );
    assert_eq!(outcome(at_once, effects), outcome(slowly, slow_effects));
}

#[test]
fn what_no_window_sees_again_is_not_missed() {
    let told = |is_forgetful: bool| {
        let (mut projection, mut effects) = (projection(Missing::Exclude), Effects::default());
        if is_forgetful {
            projection.look_only_at_the_end();
        }
        let block = block();
        for part in 0..10 {
            let mut rows = block.clone();
            rows.measurements.truncate(600 * (part + 1));
            rows.measurements = tail(&rows.measurements, 600 * part);
            rows.first = Sequence(1 + 600 * part as u64);
            projection.apply(&rows, &mut effects);
        }
        projection.finish(&mut effects);
        let kept: usize = projection.series.iter().map(Series::len).sum();
        let pictures = SITES.map(|site| projection.picture_now("t", Some(&InstanceId::parse(site).unwrap())));
        (kept, format!("{:?} {pictures:?}", effects.readings))
    };
    let ((all, whole), (few, forgetful)) = (told(false), told(true));
    assert_eq!(whole, forgetful);
    assert!(few * 4 < all, "{few} of {all} slices are kept");
}

/// The rows of a block from one to another, in a block of their own.
fn part(block: &Block, rows: std::ops::Range<usize>) -> Block {
    let mut part = block.clone();
    part.measurements.truncate(rows.end);
    part.measurements = tail(&part.measurements, rows.start);
    part.first = Sequence(block.first.0 + rows.start as u64);
    part
}

#[test]
fn what_waited_leaves_its_memory_to_what_waits_next() {
    let mut even = block();
    for (row, observed_at) in even.measurements.observed_at.iter_mut().enumerate() {
        *observed_at = row as i64 * SLICE_MS / 40;
    }
    let (mut projection, mut effects) = (projection(Missing::Exclude), Effects::default());
    projection.look_only_at_the_end();
    let mut places = Vec::new();
    for rows in 0..10 {
        projection.apply(&part(&even, 600 * rows..600 * (rows + 1)), &mut effects);
        let waiting = projection.spans.waiting.as_ref().expect("one span a part");
        places.push(waiting.read.as_ptr());
    }
    // The first part has one step less than the others; from there on two places change.
    let others = places.split_off(1);
    assert!(others.windows(3).all(|three| three[0] == three[2]), "{others:?}");
}

#[test]
fn bands_that_change_within_a_span_hold_from_then_on() {
    let block = block();
    let told = |is_slow: bool| {
        let mean = KpiDefinition {
            aggregate: Aggregate::Mean,
            window: Window::Rolling {
                slices: 7,
                slice_ms: SLICE_MS,
            },
            ..plain_kpi()
        };
        let mut definitions = Arc::into_inner(catalog(mean, Some("site"))).unwrap();
        let bands = &mut definitions.scorecards[0].bands;
        let mut later = bands[0].clone();
        later.from = Instant(20 * SLICE_MS);
        later.value = later
            .value
            .iter()
            .cloned()
            .map(|band| Band {
                from: band.from / 2.0,
                ..band
            })
            .collect();
        bands.push(later);
        let options = projection(Missing::Exclude).options();
        let (mut projection, mut effects) = (Projection::new(Arc::new(definitions), options), Effects::default());
        if is_slow {
            apply_slowly(&mut projection, &block, &mut effects);
        } else {
            projection.apply(&block, &mut effects);
        }
        outcome(projection, effects)
    };
    assert_eq!(told(false), told(true));
}

#[test]
fn a_relay_goes_on_from_block_to_block() {
    let mut block = block();
    let ids = ["k", "l", "m"].into_iter().zip(&mut block.new_series);
    ids.for_each(|(id, key)| (key.kpi, key.each) = (KpiId::parse(id).unwrap(), None));
    let (mut slowly, mut slow_effects) = (neighbours(), Effects::default());
    apply_slowly(&mut slowly, &block, &mut slow_effects);
    slowly.finish(&mut slow_effects);
    // A block of five is too small for a span.
    for lens in [[100, 100], [100, 5], [600, 600], [1_700, 1_700], [6_000, 1]] {
        let (mut projection, mut effects) = (neighbours(), Effects::default());
        projection.look_only_at_the_end();
        let (mut waited, mut begin) = (0, 0);
        for len in lens.into_iter().cycle() {
            let rows = begin..6_000.min(begin + len);
            if rows.is_empty() {
                break;
            }
            begin = rows.end;
            let end = rows.end as u64;
            projection.apply(&part(&block, rows), &mut effects);
            assert_eq!(projection.sequence(), Sequence(end), "what waits was taken in");
            waited += usize::from(projection.spans.waiting.is_some());
        }
        assert!(waited > 0, "a span waited after blocks of {lens:?}");
        let told = effects.readings.len();
        projection.finish(&mut effects);
        assert!(told < effects.readings.len());
        assert_eq!(
            format!("{:?}", effects.readings),
            format!("{:?}", slow_effects.readings),
            "{lens:?}"
        );
        assert_eq!(
            format!("{:?}", effects.transitions),
            format!("{:?}", slow_effects.transitions),
            "{lens:?}"
        );
    }
}

#[test]
fn what_waits_is_told_before_anything_else_happens() {
    // The third site comes when the others have waited already, and then a note, which is no measurement.
    let block = block();
    let note = Fact::NoteAdded {
        path: "t".to_owned(),
        about: Instant(0),
        text: "moved".to_owned(),
        by: "somebody".to_owned(),
    };
    let story = |mut projection: Projection| {
        let mut effects = Effects::default();
        let mut early = part(&block, 0..2_000);
        early.measurements.series.iter_mut().for_each(|series| *series %= 2);
        let mut late = part(&block, 2_000..6_000);
        late.others.push((1_500, note.clone()));
        projection.apply(&early, &mut effects);
        let waited = projection.spans.waiting.is_some();
        projection.apply(&late, &mut effects);
        projection.finish(&mut effects);
        let pictures = SITES.map(|site| projection.picture_now("t", Some(&InstanceId::parse(site).unwrap())));
        (waited, format!("{:?} {pictures:?}", effects.readings))
    };
    let hasty = || {
        let mut projection = projection(Missing::Exclude);
        projection.look_only_at_the_end();
        projection
    };
    let ((has_waited, told), (has_not, told_before)) = (story(hasty()), story(projection(Missing::Exclude)));
    assert!(has_waited && !has_not);
    assert_eq!(told, told_before);
    // A fact by itself, and other definitions, find everything told.
    let after = |happens: fn(&mut Projection, Fact, &mut Effects)| {
        let (mut projection, mut effects) = (hasty(), Effects::default());
        projection.apply(&block, &mut effects);
        let told = effects.readings.len();
        happens(&mut projection, note.clone(), &mut effects);
        assert!(projection.spans.waiting.is_none() && effects.readings.len() > told);
    };
    after(|projection, note, effects| {
        let note = Block {
            first: projection.sequence().plus(1),
            series_base: 3,
            others: vec![(0, note)],
            ..Block::default()
        };
        projection.apply(&note, effects);
    });
    after(|projection, _, effects| {
        let refold = Refold::new(
            projection.catalog(),
            Arc::clone(projection.catalog()),
            projection.options(),
        );
        let next = (projection.sequence().plus(1), projection.at());
        projection.succeed(refold, next, effects);
    });
}

#[test]
fn a_large_block_leaves_what_its_rows_leave() {
    let kpis: [fn() -> KpiDefinition; 3] = [plain_kpi, last_of_all, sum_of_a_month];
    for (kpi, history_ms) in kpis.into_iter().zip([None, Some(DAY_MS), Some(400 * DAY_MS)]) {
        let options = ProjectionOptions {
            clock: ClockKind::Recorded,
            history_ms,
            with_readings: true,
        };
        // Of one that is put together from instances, rows are taken one by one.
        let each = (kpi().aggregate != Aggregate::Last).then_some("site");
        let new = || (Projection::new(catalog(kpi(), each), options), Effects::default());
        let ((mut slowly, mut slow_effects), (mut at_once, mut effects)) = (new(), new());
        let (first, large) = (first_rows(each), large_block(each));
        slowly.apply(&first, &mut slow_effects);
        at_once.apply(&first, &mut effects);
        let (now, rows) = (large.recorded_at, 0..large.measurements.len());
        let run = Run {
            columns: &large.measurements,
            rows,
            first: large.first,
        };
        slowly.advance(now.plus_ms(-1), &mut slow_effects);
        slowly.take_run(
            &run,
            Now {
                at: now,
                follows: false,
            },
        );
        let nothing_more = Block {
            recorded_at: now,
            ..Block::default()
        };
        slowly.apply(&nothing_more, &mut slow_effects);
        at_once.apply(&large, &mut effects);
        let is_together = !at_once.spans.desk.sorted.rows.is_empty();
        assert_eq!(is_together, history_ms != Some(DAY_MS), "some rows are beyond a day");
        assert!(effects.readings.len() > 2);
        // The oldest slices go, which nobody would look for if it were not known how old the rows were.
        let last = last_row(each);
        slowly.apply(&last, &mut slow_effects);
        at_once.apply(&last, &mut effects);
        assert_eq!(outcome(at_once, effects), outcome(slowly, slow_effects));
    }
}

fn last_of_all() -> KpiDefinition {
    KpiDefinition {
        aggregate: Aggregate::Last,
        window: Window::All,
        ..plain_kpi()
    }
}

fn sum_of_a_month() -> KpiDefinition {
    KpiDefinition {
        window: Window::Period {
            period: Period::Month,
            complete: false,
            weeks: None,
        },
        ..plain_kpi()
    }
}

/// Some rows of each site, or of nobody's, so that all series have their places; the latest, so that what comes is older.
fn first_rows(each: Option<&str>) -> Block {
    let mut rows = block();
    rows.measurements = tail(&rows.measurements, 5_991);
    rows.recorded_at = Instant(31 * HOUR_MS - 1);
    without_sites(rows, each)
}

/// All others, about an hour after the last.
fn large_block(each: Option<&str>) -> Block {
    let mut rows = block();
    rows.measurements.truncate(5_991);
    rows.new_series.clear();
    (rows.first, rows.series_base) = (Sequence(10), if each.is_some() { 3 } else { 1 });
    rows.recorded_at = Instant(31 * HOUR_MS);
    without_sites(rows, each)
}

/// One row, when the first day of all others is older than a window of months looks back.
fn last_row(each: Option<&str>) -> Block {
    let mut row = large_block(each);
    row.measurements = tail(&row.measurements, 5_990);
    row.first = Sequence(6_001);
    row.recorded_at = Instant(744 * DAY_MS + 26 * HOUR_MS);
    row
}

fn without_sites(mut block: Block, each: Option<&str>) -> Block {
    if each.is_none() {
        block.new_series.truncate(1);
        block.new_series.iter_mut().for_each(|key| key.each = None);
        block.measurements.series.fill(0);
    }
    block
}

/// The rows behind the first ones.
fn tail(columns: &Measurements, from: usize) -> Measurements {
    let mut rest = Measurements::default();
    let (series, observed_at) = (&columns.series[from..], &columns.observed_at[from..]);
    rest.extend_numbers(series, observed_at, Instant(0), &columns.value[from..]);
    rest
}
