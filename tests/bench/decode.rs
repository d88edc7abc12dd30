//! From bytes to reports, beside copying the bytes and beside reading the same lines into borrowed fields.

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use kpid::domain::reports::Reports;
use kpid::ingest::decode::{DecodeLimits, Envelope, decode, decode_into};
use serde::Deserialize;

use crate::load;
use crate::ratio::{stands_on, timed};

const COUNT: usize = 1_000;
const FLOOR: &str = "serde_json into borrowed fields";
const COPY: &str = "copy of the bytes";

const LIMITS: DecodeLimits = DecodeLimits {
    batch_len_max: COUNT,
    measurement_len_max: 65_536,
};

#[derive(Deserialize)]
pub struct Borrowed<'a> {
    id: Option<&'a str>,
    kpi: &'a str,
    observed_at: &'a str,
    value: f64,
    source: &'a str,
}

/// Reads lines and keeps nothing of them but a sum.
pub fn read_borrowed(lines: &str) -> f64 {
    let read = |line| serde_json::from_str::<Borrowed<'_>>(line).unwrap();
    let id = |line: &Borrowed<'_>| line.id.map_or(0, str::len);
    let used = |line: &Borrowed<'_>| id(line) + line.kpi.len() + line.observed_at.len() + line.source.len();
    lines
        .lines()
        .map(read)
        .map(|line| used(&line) as f64 + line.value)
        .sum()
}

#[divan::bench]
fn floor_copy(bencher: Bencher) {
    let payload = load::lines(COUNT, Some(0)).into_bytes();
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| timed(COPY, COUNT, || black_box(&payload).clone()));
}

#[divan::bench]
fn floor_borrowed(bencher: Bencher) {
    let payload = load::lines(COUNT, Some(0));
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| timed(FLOOR, COUNT, || read_borrowed(black_box(&payload))));
}

#[divan::bench]
fn ndjson(bencher: Bencher) {
    stands_on("decode NDJSON", COPY);
    measure(
        bencher,
        "decode NDJSON",
        load::lines(COUNT, Some(0)).as_bytes(),
        &Envelope::default(),
    );
}

/// What services write that give no keys: nothing of it is kept but numbers.
#[divan::bench]
fn ndjson_without_ids(bencher: Bencher) {
    let payload = load::lines(COUNT, None);
    stands_on("decode NDJSON without ids", COPY);
    measure(
        bencher,
        "decode NDJSON without ids",
        payload.as_bytes(),
        &Envelope::default(),
    );
}

#[divan::bench]
fn array(bencher: Bencher) {
    let payload = format!("[{}]", load::lines(COUNT, Some(0)).trim().replace('\n', ","));
    measure(bencher, "decode array", payload.as_bytes(), &Envelope::default());
}

#[divan::bench]
fn cloudevents(bencher: Bencher) {
    let event = |(n, line): (usize, &str)| {
        format!(
            "{{\"specversion\":\"1.0\",\"type\":\"kpid.measurement.v1\",\"id\":\"{n}\",\"source\":\"servicedesk\",\
             \"time\":\"2026-03-01T10:00:00Z\",\"datacontenttype\":\"application/json\",\"data\":{line}}}"
        )
    };
    let events: Vec<String> = load::lines(COUNT, None).lines().enumerate().map(event).collect();
    let payload = format!("[{}]", events.join(","));
    let envelope = Envelope {
        content_type: Some("application/cloudevents-batch+json"),
        ..Envelope::default()
    };
    measure(bencher, "decode CloudEvents batch", payload.as_bytes(), &envelope);
}

fn measure(bencher: Bencher, name: &str, payload: &[u8], envelope: &Envelope<'_>) {
    stands_on(name, FLOOR);
    let decoded = decode(payload, envelope, &LIMITS);
    assert!(
        decoded.reports.len() == COUNT && decoded.reports.iter().all(Result::is_ok),
        "all of it is decoded"
    );
    let bench = bencher.counter(ItemsCount::new(COUNT));
    bench.bench_local(|| {
        timed(name, COUNT, || {
            let (mut reports, mut spans) = (Reports::default(), Vec::new());
            decode_into(black_box(payload), envelope, &LIMITS, (&mut reports, &mut spans));
            (reports, spans)
        })
    });
}
