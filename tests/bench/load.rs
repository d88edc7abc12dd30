//! What the benchmarks feed: a catalog of 1,000 KPIs under 40 objectives, measurements of it as blocks and as lines.

use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::time::SystemTime;

use kpid::domain::catalog::{Catalog, CatalogFile};
use kpid::domain::fact::{Block, Measurements, SeriesNumber};
use kpid::domain::id::KpiId;
use kpid::domain::instant::Instant;
use kpid::domain::measurement::{Extra, MeasuredValue, SeriesKey};
use kpid::journal::{DiskFiles, FileJournal, JournalOptions};
use kpid::ports::Journal;

pub const KPIS: usize = 1_000;
const OBJECTIVES: usize = 40;
/// Each KPI is measured every ten minutes; a hundred of them every minute.
const EVERY_MS: i64 = 600_000;
/// 2026-03-01T00:00:00Z
const START_MS: i64 = 1_772_323_200_000;

/// Means over seven days in slices of an hour, and a rule that looks at every KPI's status.
pub static CATALOG_TEXT: LazyLock<String> = LazyLock::new(|| {
    let mut text = String::from("[scorecard]\nid = \"load\"\ntitle = \"Load\"\nowner = \"load@example.com\"\n");
    text.extend((0..4).map(|n| format!("[[perspective]]\nid = \"p{n}\"\ntitle = \"P{n}\"\n")));
    text.extend((0..OBJECTIVES).map(|n| {
        format!(
            "[[objective]]\nid = \"o{n}\"\nperspective = \"p{}\"\ntitle = \"O{n}\"\n",
            n % 4
        )
    }));
    let kpi = |n: usize| {
        let objective = n % OBJECTIVES;
        format!(
            "[[kpi]]\nid = \"{}\"\nobjective = \"o{objective}\"\ntitle = \"K{n}\"\nunit = \"%\"\nkind = \"lagging\"\naggregate = \"mean\"\n\
             window = {{ rolling = \"7d\", slice = \"1h\" }}\ndirection = \"up\"\nred = 40\ntarget = 60\n",
            kpi_name(n)
        )
    };
    text.extend((0..KPIS).map(kpi));
    text.push_str("[[alert]]\nid = \"red\"\non = \"load/**\"\nkinds = [\"kpi\"]\nmetric = \"status\"\nat_worst = \"red\"\nseverity = \"warning\"\n");
    text
});

pub fn catalog() -> Arc<Catalog> {
    let file = CatalogFile {
        name: "load.toml".to_owned(),
        text: CATALOG_TEXT.clone(),
    };
    Arc::new(kpid::wire::catalog::parse(&[file]).unwrap())
}

pub fn kpi_name(n: usize) -> String {
    format!("load.k{n:04}")
}

/// Numbers that look like measurements: of two decimals, around 50, the same in every run.
pub fn value(n: usize) -> f64 {
    let mixed = (n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40;
    f64::from((mixed % 10_000) as u32) / 100.0
}

/// Measurements as a journal holds them, in blocks of `block_len`, in the order of their instants.
pub fn blocks(count: usize, block_len: usize) -> Vec<Block> {
    blocks_from(0, count, block_len)
}

/// So many of them behind the first `from`, which were whole blocks.
pub fn blocks_from(from: usize, count: usize, block_len: usize) -> Vec<Block> {
    let rows: Vec<usize> = (from..from + count).collect();
    let first = |index: usize| kpid::domain::id::Sequence((from + index * block_len) as u64 + 1);
    let blocks = rows.chunks(block_len).enumerate().map(|(index, rows)| Block {
        first: first(index),
        recorded_at: instant(rows.last().copied().unwrap_or_default()),
        series_base: if from + index == 0 { 0 } else { KPIS as u32 },
        new_series: if from + index == 0 { series() } else { Vec::new() },
        measurements: measurements(rows),
        ..Block::default()
    });
    blocks.collect()
}

fn series() -> Vec<SeriesKey> {
    let key = |n| SeriesKey {
        kpi: KpiId::parse(&kpi_name(n)).unwrap(),
        source: "load".into(),
        each: None,
    };
    (0..KPIS).map(key).collect()
}

fn measurements(rows: &[usize]) -> Measurements {
    let mut measurements = Measurements::default();
    for row in rows {
        let (at, value) = (instant(*row), MeasuredValue::Number(value(*row)));
        // 37 and 1,000 have no common factor: neighbours in time belong to different objectives.
        let series = SeriesNumber((row * 37 % KPIS) as u32);
        measurements.push(series, (at, at), &value, Extra::default());
    }
    measurements
}

fn instant(row: usize) -> Instant {
    Instant(START_MS + row as i64 * EVERY_MS / KPIS as i64)
}

/// NDJSON as services write it, about 110 bytes a line, of this hour. `ids` gives each line an id, from that number on.
#[expect(
    clippy::disallowed_methods,
    reason = "what the house takes in must be of its own time"
)]
pub fn lines(count: usize, ids: Option<usize>) -> String {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap()
        .as_millis() as i64;
    let line = |n: usize| {
        let id = ids.map_or_else(String::new, |from| format!("\"id\":\"9f3c{:08}\",", from + n));
        let at = Instant(now - 3_600_000 + (n % 3_600) as i64 * 1_000);
        let (kpi, value) = (kpi_name(n * 37 % KPIS), value(n));
        format!("{{{id}\"kpi\":\"{kpi}\",\"observed_at\":\"{at}\",\"value\":{value:.2},\"source\":\"servicedesk\"}}\n")
    };
    (0..count).map(line).collect()
}

/// A folder on the disk that holds the build: a folder in memory would make every sync free.
pub fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

pub fn journal(dir: &Path) -> FileJournal {
    FileJournal::open(dir, JournalOptions::default(), Arc::new(DiskFiles)).unwrap()
}

/// Bytes that the journal needs for the second of two blocks of this length: without the names of series.
pub fn block_bytes(block_len: usize) -> usize {
    let dir = folder();
    let path: PathBuf = dir.path().join("journal");
    let mut journal = journal(&path);
    let mut bytes = [0, 0];
    for (block, bytes) in blocks(2 * block_len, block_len).iter().zip(&mut bytes) {
        journal.append(block).unwrap();
        *bytes = kpid::journal::stat(&path, &mut |_, _| {}).unwrap().bytes as usize;
    }
    let [first, both] = bytes;
    both - first
}
