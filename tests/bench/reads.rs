//! How long one who looks waits while measurements come in as fast as they can: the whole scorecard of a thousand KPIs over
//! HTTP, beside the same question to a house that has nothing else to do. Clients and program share the machine.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant as Moment};

use divan::Bencher;

use crate::house::{Connection, House};
use crate::load;
use crate::ratio::{percentiles, say};

const CONNECTIONS: usize = 4;
/// Lines that make 1 MB.
const LINES: usize = 9_400;
const QUESTIONS: usize = 500;
/// Between an answer and the next question, as an open page would do it.
const PAUSE: Duration = Duration::from_millis(10);
const SCORECARD: &str = "/api/v1/scorecards/load";

#[divan::bench(sample_count = 1, sample_size = 1)]
fn scorecard(bencher: Bencher) {
    let dir = load::folder();
    let house = House::start(dir.path(), "");
    house.wait_ready();
    let body = load::lines(LINES, None);
    // Every KPI has a reading.
    Connection::open(house.address).post(body.as_bytes());
    bencher.bench_local(|| {
        let idle = ask(&house);
        let (is_over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
        let since = Moment::now();
        let busy = std::thread::scope(|scope| {
            for _ in 0..CONNECTIONS {
                scope.spawn(|| {
                    let mut connection = Connection::open(house.address);
                    while !is_over.load(Ordering::Relaxed) {
                        let accepted = connection.post(body.as_bytes());
                        sent.fetch_add(accepted as usize, Ordering::Relaxed);
                    }
                });
            }
            let busy = ask(&house);
            is_over.store(true, Ordering::Relaxed);
            busy
        });
        let rate = sent.into_inner() as f64 / since.elapsed().as_secs_f64();
        tell(rate, idle, busy);
    });
}

/// The time of each answer, and its length.
fn ask(house: &House) -> (Vec<Duration>, usize) {
    let mut connection = Connection::open(house.address);
    let mut len = 0;
    let times = (0..QUESTIONS).map(|_| {
        std::thread::sleep(PAUSE);
        let since = Moment::now();
        len = connection.fetch(SCORECARD);
        since.elapsed()
    });
    (times.collect(), len)
}

fn tell(rate: f64, idle: (Vec<Duration>, usize), busy: (Vec<Duration>, usize)) {
    let [idle_half, idle_most, _] = percentiles(idle.0);
    let [half, most, all] = percentiles(busy.0);
    say(&format!(
        "a scorecard of {} KB while {:.0} k measurements a second come in: p50 {half:.1} ms, p99 {most:.1} ms, longest {all:.1} ms; \
         on an idle house p50 {idle_half:.1} ms, p99 {idle_most:.1} ms",
        busy.1 / 1_000,
        rate / 1e3
    ));
}
