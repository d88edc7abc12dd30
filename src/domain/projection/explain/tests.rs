//! Changes explained over whole catalogs: a day that is known by heart, and the law that the shares sum.

use proptest::prelude::*;

use super::*;
use crate::domain::catalog::{Catalog, CatalogFile};
use crate::domain::fact::{Block, Correction, Fact, MeasurementPlace};
use crate::domain::id::KpiId;
use crate::domain::instant::DAY_MS;
use crate::domain::measurement::{Extra, MeasuredValue};
use crate::domain::movers::{Collector, Movers};
use crate::domain::projection::{ClockKind, Effects, ProjectionOptions};

/// Two scorecards, all roll-ups, a weight and a target that change on day 20, an objective of the one that counts in the other.
const SHOP: &str = r#"
[scorecard]
id = "shop"
title = "Shop"
roll_up = "geometric"
[[perspective]]
id = "customer"
title = "Customer"
roll_up = "mean"
changes = [{ from = "1970-01-21", weight = 3 }]
[[perspective]]
id = "process"
title = "Process"
roll_up = "worst"
[[objective]]
id = "happy"
perspective = "customer"
title = "Happy"
[[objective]]
id = "fast"
perspective = "process"
title = "Fast"
roll_up = "best"
include = [{ node = "desk/process", weight = 2 }]
[[objective]]
id = "safe"
perspective = "process"
title = "Safe"
[[kpi]]
id = "csat"
objective = "happy"
title = "Satisfaction"
unit = "%"
aggregate = "mean"
window = { rolling = "2d", slice = "1d" }
direction = "up"
red = 50
target = 75
weight = 3
[[kpi]]
id = "nps"
objective = "happy"
title = "Would recommend"
aggregate = "mean"
window = { rolling = "2d", slice = "1d" }
direction = "up"
red = 50
target = 75
changes = [{ from = "1970-01-21", target = 80 }]
[[kpi]]
id = "speed"
objective = "fast"
title = "Speed"
aggregate = "last"
window = { rolling = "4d", slice = "1d" }
direction = "up"
red = 50
target = 75
[[kpi]]
id = "errors"
objective = "safe"
title = "Errors"
aggregate = "sum"
window = { period = "week" }
direction = "up"
red = 50
target = 75
"#;

const DESK: &str = r#"
[scorecard]
id = "desk"
title = "Desk"
min_coverage = 0.4
[[perspective]]
id = "process"
title = "Process"
roll_up = "geometric"
[[objective]]
id = "done"
perspective = "process"
title = "Done"
[[kpi]]
id = "solved"
objective = "done"
title = "Solved"
aggregate = "mean"
window = { rolling = "1d", slice = "1d" }
direction = "up"
red = 50
target = 75
[[kpi]]
id = "backlog"
objective = "done"
title = "Backlog"
aggregate = "max"
window = { all = true }
direction = "up"
red = 50
target = 75
"#;

const KPIS: [&str; 6] = ["csat", "nps", "speed", "errors", "solved", "backlog"];

fn catalog() -> Arc<Catalog> {
    let file = |name: &str, text: &str| CatalogFile {
        name: name.to_owned(),
        text: text.to_owned(),
    };
    let files = [file("desk.toml", DESK), file("shop.toml", SHOP)];
    Arc::new(crate::wire::catalog::parse(&files).unwrap())
}

/// A journal of one block a day, and the projection it feeds.
struct House {
    projection: Projection,
    blocks: Vec<Block>,
    next: u64,
}

impl House {
    fn new() -> Self {
        let options = ProjectionOptions {
            clock: ClockKind::Recorded,
            history_ms: None,
            with_readings: false,
        };
        let mut house = Self {
            projection: Projection::new(catalog(), options),
            blocks: Vec::new(),
            next: 1,
        };
        let name = |kpi: &&str| SeriesKey {
            kpi: KpiId::parse(kpi).unwrap(),
            source: "test".into(),
            each: None,
        };
        house.apply(0, |block| block.new_series = KPIS.iter().map(name).collect());
        house
    }

    fn apply(&mut self, at_ms: i64, fill: impl FnOnce(&mut Block)) {
        let mut block = Block {
            first: Sequence(self.next),
            recorded_at: Instant(at_ms),
            series_base: self.projection.series_count() as u32,
            ..Block::default()
        };
        fill(&mut block);
        self.next += block.len();
        self.projection.apply(&block, &mut Effects::default());
        self.blocks.push(block);
    }

    fn measure(&mut self, kpi: &str, day: i64, value: f64) {
        let series = SeriesNumber(KPIS.iter().position(|known| *known == kpi).unwrap() as u32);
        let at = Instant(day * DAY_MS + DAY_MS / 2);
        let id = Some(format!("{kpi}{day}").into());
        self.apply(at.0, |block| {
            let extra = Extra { id, ..Extra::default() };
            block
                .measurements
                .push(series, (at, at), &MeasuredValue::Number(value), extra);
        });
    }

    fn explain(&self, path: &str, from_day: i64, to_day: Option<i64>) -> (Explained, Search) {
        let at = |day| Instant(day * DAY_MS);
        let question = ExplainQuestion {
            path: path.to_owned(),
            from: at(from_day),
            to: to_day.map(at),
        };
        self.projection.explain(&question).unwrap()
    }

    fn movers(&self, search: &Search) -> Movers {
        let mut collector = Collector::new(search);
        for block in &self.blocks {
            for (sequence, entry) in block.entries() {
                collector.take(sequence, &entry, block.recorded_at);
            }
        }
        collector.finish(true)
    }
}

/// How many came and went, and those that are listed: whether they came, and what they say.
type Told<'a> = (u64, u64, Vec<(bool, &'a MeasuredValue)>);

fn shares(explained: &Explained) -> Vec<(&str, f64, f64)> {
    let round = |points: f64| (points * 100.0).round() / 100.0 + 0.0;
    let told = explained.leaves.iter().map(|leaf| {
        let name = leaf.path.rsplit('/').next().unwrap();
        (name, round(leaf.share.by_score), round(leaf.share.by_weight))
    });
    told.collect()
}

#[test]
fn an_objective_is_split_over_its_kpis_and_names_what_came_and_went() {
    let mut house = House::new();
    house.measure("csat", 10, 60.0);
    house.measure("nps", 10, 80.0);
    house.measure("csat", 11, 80.0);
    house.measure("csat", 12, 90.0);
    house.measure("nps", 12, 70.0);
    // Day 11 sees days 9 and 10, day 13 sees days 11 and 12. (3*60 + 80)/4 = 65, (3*85 + 70)/4 = 81.25.
    let (explained, search) = house.explain("shop/customer/happy", 11, Some(13));
    assert_eq!(
        explained.readings.each_ref().map(|reading| reading.score),
        [Some(65.0), Some(81.25)]
    );
    assert_eq!(explained.change(), Some(16.25));
    assert_eq!(shares(&explained), [("csat", 18.75, 0.0), ("nps", -2.5, 0.0)]);
    assert_eq!(explained.leaves[0].share.weights, [0.75, 0.75]);

    let movers = house.movers(&search);
    let told: Vec<Told<'_>> = movers
        .leaves
        .iter()
        .map(|leaf| {
            let listed = leaf.listed.iter().map(|mover| (mover.has_entered, &mover.value));
            (leaf.entered, leaf.left, listed.collect())
        })
        .collect();
    let value = MeasuredValue::Number;
    assert_eq!(
        told,
        [
            // From 60: 90 is farthest, then 80, then the 60 itself.
            (
                2,
                1,
                vec![(true, &value(90.0)), (true, &value(80.0)), (false, &value(60.0))]
            ),
            (1, 1, vec![(true, &value(70.0)), (false, &value(80.0))]),
        ]
    );
}

#[test]
fn a_correction_tells_what_was_corrected_to() {
    let mut house = House::new();
    house.measure("csat", 10, 60.0);
    house.measure("csat", 12, 10.0);
    let correction = Correction {
        target: MeasurementPlace {
            sequence: Sequence(2),
            series: SeriesNumber(0),
            observed_at: Instant(12 * DAY_MS + DAY_MS / 2),
        },
        corrects: "csat12".into(),
        observed_at: Instant(12 * DAY_MS + DAY_MS / 2),
        received_at: Instant(14 * DAY_MS),
        value: MeasuredValue::Number(70.0),
        extra: Extra::default(),
    };
    house.apply(14 * DAY_MS, |block| {
        block.others.push((0, Fact::MeasurementCorrected(correction)));
    });
    let (explained, search) = house.explain("shop/customer/happy/csat", 11, Some(13));
    assert_eq!(explained.change(), Some(10.0));
    let movers = house.movers(&search);
    let leaf = &movers.leaves[0];
    assert_eq!((leaf.entered, leaf.left), (1, 1));
    let listed = &leaf.listed[0];
    assert_eq!(
        (listed.sequence, &listed.value, listed.is_corrected),
        (Sequence(2), &MeasuredValue::Number(70.0), true)
    );
}

#[test]
fn nothing_measured_then_has_no_difference_and_still_says_what_came() {
    let mut house = House::new();
    house.measure("csat", 12, 90.0);
    let (explained, search) = house.explain("shop", 11, Some(13));
    assert_eq!(explained.change(), None);
    assert_eq!(
        explained.readings[0].absence,
        Some(crate::domain::reading::Absence::NoData)
    );
    assert_eq!(house.movers(&search).leaves[0].entered, 1);
    assert_eq!(search.earliest()[0], Some(Instant(11 * DAY_MS)));
}

#[test]
fn a_path_that_leads_nowhere_is_not_explained() {
    let house = House::new();
    for path in [
        "",
        "nope",
        "shop/nope",
        "shop@berlin",
        "shop@",
        "shop/",
        "customer",
        "shop@a@b",
    ] {
        let question = ExplainQuestion {
            path: path.to_owned(),
            from: Instant(0),
            to: None,
        };
        assert!(house.projection.explain(&question).is_none(), "{path}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn shares_sum_to_the_change_of_every_node(
        measured in prop::collection::vec((0..6_usize, 0..30_i64, 0.0..110.0_f64), 0..60),
        from in 0..30_i64,
        later in 0..12_i64,
        is_now in any::<bool>(),
    ) {
        let mut house = House::new();
        let mut measured = measured;
        measured.sort_by_key(|(_, day, _)| *day);
        for (kpi, day, value) in measured {
            house.measure(KPIS[kpi], day, value);
        }
        for path in ["shop", "shop/customer", "shop/process", "shop/process/fast", "desk", "desk/process/done/solved"] {
            let (explained, _) = house.explain(path, from, (!is_now).then_some(from + later));
            let sum: f64 = explained.leaves.iter().map(|leaf| leaf.share.contribution()).sum();
            let change = explained.change().unwrap_or(0.0);
            prop_assert!((sum - change).abs() < 1e-9, "{path}: {sum} of {change}");
        }
    }
}
