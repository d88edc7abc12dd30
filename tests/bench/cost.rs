//! What one update costs: a block of one measurement taken in and every node above it evaluated, with few and with many
//! instances, with a day and with a year of history. The smallest case is the floor of the others, so that a ratio
//! near 1 says that the cost is flat, and 0.5 that it has doubled.

use std::fmt::Write;
use std::hint::black_box;
use std::sync::Arc;

use divan::Bencher;
use divan::counter::ItemsCount;
use kpid::domain::board::ScorecardBoard;
use kpid::domain::catalog::{Catalog, CatalogFile};
use kpid::domain::fact::{Block, SeriesNumber};
use kpid::domain::id::{InstanceId, KpiId, Sequence};
use kpid::domain::instant::{DAY_MS, HOUR_MS, Instant};
use kpid::domain::measurement::{Extra, MeasuredValue, SeriesKey};
use kpid::domain::projection::{ClockKind, Effects, Projection, ProjectionOptions};

use crate::load;
use crate::ratio::{say, stands_on, timed};

const SIZES: [usize; 3] = [10, 1_000, 100_000];
/// Measurements in one round.
const UPDATES: usize = 20_000;
/// New instances in one round.
const ADDED: usize = 1_000;
/// 2026-03-01T00:00:00Z
const START_MS: i64 = 1_772_323_200_000;
const WINDOWS: [(&str, &str); 3] = [
    ("rolling", "{ rolling = \"28d\", slice = \"1d\" }"),
    ("period", "{ period = \"year\" }"),
    ("all", "{ all = true }"),
];
/// Twelve KPIs in four perspectives: aggregate, `red` and `target`. Each measurement changes the score of its KPI, however
/// many came before it: with `min` or a sum far beyond its target, few instances (which see more measurements each) would be
/// spared the nodes above.
const KPIS: [(&str, i64, i64); 12] = [
    ("mean", 40, 60),
    ("sum", 0, 1_000_000_000),
    ("last", 0, 100),
    ("stddev", 0, 100),
    ("delta", -100, 100),
    ("count", 0, 1_000_000_000),
    ("mean", 0, 100),
    ("last", 0, 100),
    ("sum", 0, 1_000_000_000),
    ("delta", -100, 100),
    ("weighted_mean", 0, 100),
    ("last", 0, 100),
];

fn catalog(window: &str) -> Arc<Catalog> {
    let mut text = String::from("[scorecard]\nid = \"shop\"\ntitle = \"Shop\"\neach = \"site\"\n");
    for n in 0..4 {
        writeln!(
            text,
            "[[perspective]]\nid = \"p{n}\"\n[[objective]]\nid = \"o{n}\"\nperspective = \"p{n}\""
        )
        .unwrap();
    }
    for (n, (aggregate, red, target)) in KPIS.iter().enumerate() {
        writeln!(
            text,
            "[[kpi]]\nid = \"k{n}\"\nobjective = \"o{}\"\naggregate = \"{aggregate}\"\nwindow = {window}\n\
             direction = \"up\"\nred = {red}\ntarget = {target}\nexpected_every = \"7d\"",
            n % 4
        )
        .unwrap();
    }
    text.push_str(
        "[[alert]]\nid = \"low\"\non = \"shop@*/**\"\nkinds = [\"perspective\"]\nmetric = \"score\"\nbelow = 1\nseverity = \"warning\"\n",
    );
    let name = "shop.toml".to_owned();
    Arc::new(kpid::wire::catalog::parse(&[CatalogFile { name, text }]).unwrap())
}

/// A projection of so many instances, and where its journal is.
struct World {
    projection: Projection,
    instances: usize,
    next: u64,
    now: i64,
}

impl World {
    fn new(window: &str) -> Self {
        let options = ProjectionOptions {
            clock: ClockKind::Recorded,
            history_ms: Some(400 * DAY_MS),
            with_readings: true,
        };
        Self {
            projection: Projection::new(catalog(window), options),
            instances: 0,
            next: 1,
            now: START_MS,
        }
    }

    fn of(instances: usize) -> Self {
        let mut world = Self::new(WINDOWS[0].1);
        world.add(instances);
        world
    }

    /// New instances, each with a measurement of every KPI, in blocks of a thousand series.
    fn add(&mut self, count: usize) {
        let end = self.instances + count;
        while self.instances < end {
            let part = (end - self.instances).min(ADDED);
            for block in self.births(part) {
                self.apply(&block);
            }
            self.instances += part;
        }
    }

    fn births(&mut self, count: usize) -> Vec<Block> {
        let names: Vec<usize> = (self.instances..self.instances + count).collect();
        let births = names.chunks(100).map(|names| {
            let base = names.first().copied().unwrap_or_default() * KPIS.len();
            let new_series: Vec<SeriesKey> = names.iter().flat_map(|name| keys(*name)).collect();
            let rows: Vec<(usize, i64)> = (base..base + new_series.len())
                .map(|series| (series, self.now - 1))
                .collect();
            Block {
                series_base: base as u32,
                new_series,
                ..self.block(&rows)
            }
        });
        let mut births: Vec<Block> = births.collect();
        for block in &mut births {
            block.first = Sequence(self.next);
            self.next += block.len();
        }
        births
    }

    fn block(&self, rows: &[(usize, i64)]) -> Block {
        let mut block = Block {
            first: Sequence(self.next),
            recorded_at: Instant(self.now),
            series_base: (self.instances * KPIS.len()) as u32,
            ..Block::default()
        };
        for (series, at) in rows {
            let value = MeasuredValue::Number(load::value(self.next as usize + series));
            let instants = (Instant(*at), Instant(self.now));
            block
                .measurements
                .push(SeriesNumber(*series as u32), instants, &value, Extra::default());
        }
        block
    }

    /// One measurement a block, each of another instance and another KPI, a millisecond after the other.
    fn updates(&mut self, count: usize) -> Vec<Block> {
        let series = self.instances * KPIS.len();
        let updates = (0..count).map(|_| {
            self.now += 1;
            let mixed = (self.next as usize).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 20;
            let block = self.block(&[(mixed % series, self.now - 1)]);
            self.next += 1;
            block
        });
        updates.collect()
    }

    /// A measurement of every series every six hours, so far back.
    fn live(&mut self, length_ms: i64) {
        let end = self.now;
        self.now -= length_ms;
        self.add(10);
        while self.now + HOUR_MS < end {
            self.now += 6 * HOUR_MS;
            let all: Vec<(usize, i64)> = (0..self.instances * KPIS.len())
                .map(|series| (series, self.now - 1))
                .collect();
            let block = self.block(&all);
            self.next += block.len();
            self.apply(&block);
        }
    }

    fn apply(&mut self, block: &Block) -> Effects {
        let mut effects = Effects::default();
        self.projection.apply(block, &mut effects);
        effects
    }
}

fn keys(instance: usize) -> impl Iterator<Item = SeriesKey> {
    let name = InstanceId::parse(&format!("site-{instance:06}")).unwrap();
    let (source, label): (Arc<str>, Arc<str>) = ("load".into(), "site".into());
    (0..KPIS.len()).map(move |kpi| SeriesKey {
        kpi: KpiId::parse(&format!("k{kpi}")).unwrap(),
        source: Arc::clone(&source),
        each: Some((Arc::clone(&label), name.clone())),
    })
}

/// Applies blocks of one measurement; every one of them must have told something.
fn measured(bencher: Bencher, name: &str, world: &mut World) {
    let mut told_each = 0.0;
    bencher
        .counter(ItemsCount::new(UPDATES))
        .with_inputs(|| ())
        .bench_local_values(|()| {
            let blocks = world.updates(UPDATES);
            let told = timed(name, blocks.len(), || {
                blocks
                    .iter()
                    .map(|block| world.apply(block).readings.len())
                    .sum::<usize>()
            });
            assert!(told > UPDATES, "each block changed something");
            told_each = told as f64 / UPDATES as f64;
        });
    say(&format!("{name}: {told_each:.1} nodes told"));
}

fn of_size(what: &str, size: usize) -> String {
    format!("{what}, {size} instances")
}

/// Tells a process of this program to do nothing but [`print_memory`].
pub const MEMORY_ALONE: &str = "KPID_BENCH_MEMORY_ALONE";

/// What a projection of many instances takes of a process that holds nothing else.
#[expect(clippy::print_stdout, reason = "the answer to the process that asked")]
pub fn print_memory() {
    let before = resident_bytes();
    let world = World::of(SIZES[2]);
    let bytes = resident_bytes().saturating_sub(before);
    let (size, series) = (SIZES[2], SIZES[2] * KPIS.len());
    println!(
        "memory of a projection of {size} instances, one slice a series: {} bytes an instance, {} a series",
        bytes / size,
        bytes / series
    );
    drop(world);
}

/// Tells a process of this program to do nothing but [`compare_sizes`]: two numbers of instances and a number of rounds.
pub const SIZES_ALONE: &str = "KPID_BENCH_SIZES_ALONE";

/// Microseconds of one update with few and with many series, a line a round; the two take turns.
#[expect(clippy::print_stdout, reason = "the answer to the process that asked")]
pub fn compare_sizes(asked: &str) {
    let mut numbers = asked.split(' ').map(|number| number.parse::<usize>().unwrap());
    let mut next = || numbers.next().unwrap();
    let (few, many, rounds) = (next(), next(), next());
    let mut worlds = [World::of(few), World::of(many)];
    for _ in 0..rounds {
        let costs = worlds.each_mut().map(|world| {
            let blocks = world.updates(UPDATES);
            let started = std::time::Instant::now();
            for block in &blocks {
                black_box(world.apply(block));
            }
            started.elapsed().as_secs_f64() * 1e6 / UPDATES as f64
        });
        println!("{} {}", costs[0], costs[1]);
    }
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn update(bencher: Bencher, size: usize) {
    let mut world = World::of(size);
    if size == SIZES[2] {
        // A process of its own has no freed memory that would hide what is taken.
        let alone = std::process::Command::new(std::env::current_exe().unwrap())
            .env(MEMORY_ALONE, "1")
            .output();
        say(String::from_utf8(alone.unwrap().stdout).unwrap().trim());
    }
    let name = of_size("cost of one update", size);
    stands_on(&name, &of_size("cost of one update", SIZES[0]));
    measured(bencher, &name, &mut world);
}

#[divan::bench(args = SIZES, sample_count = 10, sample_size = 1)]
fn birth(bencher: Bencher, size: usize) {
    let mut world = World::of(size);
    let name = of_size("cost of a new instance", size);
    stands_on(&name, &of_size("cost of a new instance", SIZES[0]));
    bencher.counter(ItemsCount::new(ADDED)).bench_local(|| {
        let blocks = world.births(ADDED);
        world.instances += ADDED;
        timed(&name, ADDED, || {
            blocks
                .iter()
                .map(|block| world.apply(block).readings.len())
                .sum::<usize>()
        })
    });
}

/// The board after a hundred changes.
#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn post(bencher: Bencher, size: usize) {
    let mut world = World::of(size);
    let name = of_size("cost of one post", size);
    stands_on(&name, &of_size("cost of one post", SIZES[0]));
    let mut board: Vec<ScorecardBoard> = world.projection.boards(&[]);
    bencher.bench_local(|| {
        for block in world.updates(100) {
            world.apply(&block);
        }
        board = timed(&name, 1, || world.projection.boards(&board));
        assert!(board.iter().all(|board| board.instance_count == size));
    });
}

#[divan::bench(args = SIZES, sample_count = 20, sample_size = 1)]
fn picture(bencher: Bencher, size: usize) {
    let world = World::of(size);
    let name = of_size("cost of one instance's picture", size);
    stands_on(&name, &of_size("cost of one instance's picture", SIZES[0]));
    let instances: Vec<InstanceId> = world.projection.instance_names("shop", "").cloned().collect();
    let picture = |n: usize| world.projection.picture_now("shop", instances.get(n * 7919 % size));
    bencher.bench_local(|| {
        timed(&name, 1_000, || {
            (0..1_000).filter_map(|n| black_box(picture(n))).count()
        })
    });
}

/// The first checkpoint, and one after a thousand changes.
#[divan::bench(args = SIZES, sample_count = 1, sample_size = 1)]
fn checkpoint(bencher: Bencher, size: usize) {
    let mut world = World::of(size);
    bencher.bench_local(|| {
        let started = std::time::Instant::now();
        let parts = world.projection.take_image(0);
        let whole = started.elapsed();
        let words: usize = parts.iter().map(|(_, words)| words.len()).sum();
        for block in world.updates(1_000) {
            world.apply(&block);
        }
        let started = std::time::Instant::now();
        let changed = world.projection.take_image(size * KPIS.len());
        say(&format!(
            "image of {size} instances: {:.1} MB in {:.1} ms; after 1,000 updates {} parts in {:.1} ms",
            words as f64 * 8e-6,
            whole.as_secs_f64() * 1e3,
            changed.len(),
            started.elapsed().as_secs_f64() * 1e3
        ));
    });
}

#[divan::bench(args = WINDOWS.map(|(name, _)| name), consts = [1, 365], sample_count = 10, sample_size = 1)]
fn history<const DAYS: i64>(bencher: Bencher, window: &str) {
    let text = WINDOWS.iter().find(|(name, _)| *name == window).unwrap().1;
    let mut world = World::new(text);
    world.live(DAYS * DAY_MS);
    let name = |days: i64| format!("cost of one update, {window} windows, {days} days of history");
    stands_on(&name(DAYS), &name(1));
    measured(bencher, &name(DAYS), &mut world);
}

/// Memory that the process has, by the kernel's account.
fn resident_bytes() -> usize {
    let status = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = status.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok());
    pages.unwrap_or(0) * 4_096
}
