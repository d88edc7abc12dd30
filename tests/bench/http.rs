//! Measurements over HTTP into the real program, until they are durable, acknowledged and applied; beside reading the same
//! lines and appending as many bytes as the journal needs for them to a plain file. Client and program share the machine.

use std::sync::Mutex;

use divan::Bencher;
use divan::counter::ItemsCount;

use crate::append::{plain_file, write};
use crate::decode::read_borrowed;
use crate::house::{Connection, House};
use crate::load;
use crate::ratio::{stands_on, timed};

const CONNECTIONS: usize = 4;
const BODIES: usize = 24;
/// Lines that make 1 MB.
const LINES: usize = 9_400;
const COUNT: usize = BODIES * LINES;

const FLOOR: &str = "decode into borrowed fields, plain append + fdatasync";
const PLAIN: &str = "HTTP ingest, 1 MB NDJSON, 4 connections";
const WITH_IDS: &str = "HTTP ingest, the same with ids";

fn bodies(ids: Option<usize>) -> Vec<String> {
    (0..BODIES)
        .map(|body| load::lines(LINES, ids.map(|ids| ids + body * LINES)))
        .collect()
}

/// Gives each of as many threads as there are connections its share of the bodies.
fn shared_out(bodies: &[String], work: impl Fn(&[String]) + Sync) {
    std::thread::scope(|scope| {
        for share in bodies.chunks(BODIES / CONNECTIONS) {
            scope.spawn(|| work(share));
        }
    });
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn floor(bencher: Bencher) {
    let dir = load::folder();
    let file = Mutex::new(plain_file(dir.path()));
    let bytes = vec![0xA5; load::block_bytes(LINES)];
    let read_and_append = |share: &[String]| {
        for body in share {
            divan::black_box(read_borrowed(body));
            write(&mut file.lock().unwrap(), &bytes);
        }
    };
    let bodies = bodies(None);
    bencher
        .counter(ItemsCount::new(COUNT))
        .bench_local(|| timed(FLOOR, COUNT, || shared_out(&bodies, read_and_append)));
}

#[divan::bench(sample_count = 5, sample_size = 1)]
fn ndjson(bencher: Bencher) {
    ingest(bencher, PLAIN, |_| None);
}

#[divan::bench(sample_count = 3, sample_size = 1)]
fn ndjson_with_ids(bencher: Bencher) {
    ingest(bencher, WITH_IDS, Some);
}

fn ingest(bencher: Bencher, name: &str, ids: impl Fn(usize) -> Option<usize>) {
    stands_on(name, FLOOR);
    let dir = load::folder();
    let house = House::start(dir.path(), "");
    house.wait_ready();
    let mut sent = 0;
    let post = |share: &[String]| {
        let mut connection = Connection::open(house.address);
        let accepted: u64 = share.iter().map(|body| connection.post(body.as_bytes())).sum();
        assert_eq!(accepted, (share.len() * LINES) as u64, "everything is accepted");
    };
    let bench = bencher.counter(ItemsCount::new(COUNT)).with_inputs(|| {
        sent += COUNT;
        (bodies(ids(sent)), sent as u64)
    });
    bench.bench_local_values(|(bodies, applied)| {
        timed(name, COUNT, || {
            shared_out(&bodies, post);
            house.wait_applied(applied);
        });
    });
}
