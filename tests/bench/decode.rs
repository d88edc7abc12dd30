//! How fast measurements are decoded, beside two floors measured in the same run: copying the bytes, and reading the same
//! lines into borrowed fields without keeping any.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use kpid::ingest::decode::{DecodeLimits, Envelope, decode};
use serde::Deserialize;

const COUNT: usize = 1_000;

const LIMITS: DecodeLimits = DecodeLimits {
    batch_len_max: COUNT,
    measurement_len_max: 65_536,
};

fn main() {
    divan::main();
}

/// Lines of about 110 bytes, as services write them.
fn lines() -> String {
    let line = |n: usize| {
        let (minute, second, value) = (n / 60, n % 60, n % 1_000);
        format!(
            "{{\"id\":\"9f3c{n:06}\",\"kpi\":\"it.csat\",\"observed_at\":\"2026-03-01T10:{minute:02}:{second:02}Z\",\
             \"value\":{value}.5,\"source\":\"servicedesk\"}}\n"
        )
    };
    (0..COUNT).map(line).collect()
}

#[derive(Deserialize)]
struct Borrowed<'a> {
    id: &'a str,
    kpi: &'a str,
    observed_at: &'a str,
    value: f64,
    source: &'a str,
}

#[divan::bench]
fn floor_copy(bencher: Bencher) {
    let payload = lines().into_bytes();
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench(|| black_box(&payload).clone());
}

#[divan::bench]
fn floor_borrowed_fields(bencher: Bencher) {
    let payload = lines();
    bencher.counter(ItemsCount::new(COUNT)).bench(|| {
        let read = |line| serde_json::from_str::<Borrowed<'_>>(line);
        let used = |line: &Borrowed<'_>| line.id.len() + line.kpi.len() + line.observed_at.len() + line.source.len();
        let lines = black_box(&payload).lines().filter_map(|line| read(line).ok());
        lines.map(|line| used(&line) as f64 + line.value).sum::<f64>()
    });
}

#[divan::bench]
fn ndjson(bencher: Bencher) {
    let payload = lines().into_bytes();
    measure(bencher, &payload);
}

#[divan::bench]
fn array(bencher: Bencher) {
    let payload = format!("[{}]", lines().trim().replace('\n', ","));
    measure(bencher, payload.as_bytes());
}

fn measure(bencher: Bencher, payload: &[u8]) {
    let bench = bencher.counter(ItemsCount::new(COUNT));
    bench.bench(|| decode(black_box(payload), &Envelope::default(), &LIMITS));
}
