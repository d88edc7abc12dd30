//! How soon the real program is ready on a journal of many measurements: without any derived state, after it was stopped,
//! and after it was killed. Its folder is on the disk that holds the build and is removed at the end.
//!
//! `KPID_BENCH_RESTART=50000000 cargo bench -- restart` takes another number of measurements than the usual five million.

use std::path::Path;
use std::time::{Duration, Instant as Moment};

use divan::Bencher;
use kpid::domain::fact::{Block, Fact};
use kpid::domain::id::Sequence;
use kpid::domain::instant::DAY_MS;
use kpid::ports::Journal;

use crate::house::House;
use crate::load;
use crate::ratio::say;

const COUNT: usize = 5_000_000;
const BLOCK_LEN: usize = 10_000;
/// Measurements generated at one time.
const PORTION: usize = 1_000_000;

fn count() -> usize {
    let asked = std::env::var("KPID_BENCH_RESTART").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(COUNT)
}

/// What is generated begins so much earlier, so that the longest history ends before today.
const EARLIER_MS: i64 = 330 * DAY_MS;

/// Appends so many measurements behind a block that names the definitions.
fn write(dir: &Path, count: usize) {
    let mut journal = load::journal(&dir.join("data/journal"));
    let catalog = load::catalog();
    let activation = Fact::CatalogActivated {
        fingerprint: catalog.fingerprint.clone(),
        files: catalog.files.clone(),
    };
    let definitions = Block {
        first: Sequence(1),
        others: vec![(0, activation)],
        ..Block::default()
    };
    journal.append(&definitions).unwrap();
    let mut written = 0;
    while written < count {
        let portion = PORTION.min(count - written);
        for mut block in load::blocks_from(written, portion, BLOCK_LEN) {
            block.first = journal.tail().next;
            block.recorded_at = block.recorded_at.plus_ms(-EARLIER_MS);
            let columns = &mut block.measurements;
            columns.observed_at.iter_mut().for_each(|at| *at -= EARLIER_MS);
            columns.received_at = columns.received_at.map(|at| at - EARLIER_MS);
            journal.append(&block).unwrap();
        }
        written += portion;
    }
    assert_eq!(journal.tail().next, Sequence(count as u64 + 2));
}

/// The time until it is ready.
fn started(dir: &Path) -> (House, Duration) {
    let since = Moment::now();
    let house = House::start(dir, "");
    house.wait_ready();
    (house, since.elapsed())
}

#[divan::bench(sample_count = 1, sample_size = 1)]
fn ready(bencher: Bencher) {
    let dir = load::folder();
    let count = count();
    write(dir.path(), count);
    bencher.bench_local(|| {
        let (house, whole) = started(dir.path());
        house.stop();
        let (house, stopped) = started(dir.path());
        house.kill();
        let (house, killed) = started(dir.path());
        house.kill();
        say(&format!(
            "ready on {count} measurements: {:.2} s without derived state ({:.0} k/s), {:.2} s after a stop, {:.2} s after a kill",
            whole.as_secs_f64(),
            count as f64 / whole.as_secs_f64() / 1e3,
            stopped.as_secs_f64(),
            killed.as_secs_f64()
        ));
    });
}
