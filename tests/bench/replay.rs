//! A million measurements replayed under 1,000 KPIs with windows of 168 slices, beside reading the blocks only.

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use divan::Bencher;
use divan::counter::ItemsCount;
use kpid::domain::catalog::Catalog;
use kpid::domain::id::Sequence;
use kpid::domain::instant::DAY_MS;
use kpid::domain::projection::{ClockKind, Effects, Projection, ProjectionOptions};
use kpid::journal::MemoryJournal;
use kpid::pipeline::replay::{Following, Until, replay_blocks};
use kpid::ports::{BlockReader, Journal};
use tempfile::TempDir;

use crate::load;
use crate::ratio::{stands_on, timed};

const COUNT: usize = 1_000_000;
const BLOCK_LEN: usize = 1_000;
const CLOCKS: [&str; 2] = ["recorded", "event"];

fn kind(clock: &str) -> ClockKind {
    match clock {
        "recorded" => ClockKind::Recorded,
        _ => ClockKind::Event { every_ms: 60_000 },
    }
}

static MEMORY: LazyLock<Mutex<MemoryJournal>> = LazyLock::new(|| {
    let mut journal = MemoryJournal::default();
    for block in load::blocks(COUNT, BLOCK_LEN) {
        journal.append(&block).unwrap();
    }
    Mutex::new(journal)
});

fn memory() -> Box<dyn BlockReader> {
    MEMORY.lock().unwrap().read_from(Sequence(1)).unwrap()
}

/// The same blocks in files. The system has them in its memory: what is measured is not the disk.
fn disk() -> TempDir {
    let dir = load::folder();
    let mut journal = load::journal(dir.path());
    let mut reader = memory();
    while let Some(block) = reader.next_block().unwrap() {
        journal.append(&block).unwrap();
    }
    dir
}

fn files(dir: &Path) -> Box<dyn BlockReader> {
    kpid::journal::open_reader(dir, Sequence(1)).unwrap()
}

#[divan::bench(args = CLOCKS, sample_count = 4, sample_size = 1)]
fn from_memory(bencher: Bencher, clock: &str) {
    replays(bencher, clock, "memory", &mut memory);
}

#[divan::bench(args = CLOCKS, sample_count = 4, sample_size = 1)]
fn from_files(bencher: Bencher, clock: &str) {
    let dir = disk();
    replays(bencher, clock, "files", &mut || files(dir.path()));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn floor_memory(bencher: Bencher) {
    reads(bencher, "memory", &mut memory);
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn floor_files(bencher: Bencher) {
    let dir = disk();
    reads(bencher, "files", &mut || files(dir.path()));
}

fn floor(place: &str) -> String {
    format!("blocks read from {place}")
}

fn replays(bencher: Bencher, clock: &str, place: &str, open: &mut dyn FnMut() -> Box<dyn BlockReader>) {
    let name = format!("replay from {place}, {clock} clock");
    stands_on(&name, &floor(place));
    let catalog = load::catalog();
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| timed(&name, COUNT, || replay(&mut *open(), &catalog, kind(clock))));
}

fn replay(reader: &mut dyn BlockReader, catalog: &Arc<Catalog>, clock: ClockKind) -> usize {
    let options = ProjectionOptions {
        clock,
        history_ms: Some(400 * DAY_MS),
        with_readings: false,
    };
    let mut projection = Projection::new(Arc::clone(catalog), options);
    let mut transitions = 0;
    replay_blocks(
        reader,
        (&mut projection, Following::One),
        Until::default(),
        &mut |effects, _| {
            transitions += effects.transitions.len();
        },
    )
    .unwrap();
    let mut effects = Effects::default();
    projection.finish(&mut effects);
    assert!(
        projection.sequence().0 == COUNT as u64 && transitions > 0,
        "all of it was replayed, and alerts fired"
    );
    transitions + effects.transitions.len()
}

fn reads(bencher: Bencher, place: &str, open: &mut dyn FnMut() -> Box<dyn BlockReader>) {
    let name = floor(place);
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| timed(&name, COUNT, || read(&mut *open())));
}

fn read(reader: &mut dyn BlockReader) -> f64 {
    let mut sum = 0.0;
    while let Some(block) = reader.next_block().unwrap() {
        sum += block.measurements.value.iter().sum::<f64>();
    }
    sum
}
