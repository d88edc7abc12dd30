//! How long an alert is on its way: from the publish of the measurement that crosses a threshold to the receipt of the
//! alert by a subscriber, while measurements come at a steady rate; beside what the way cannot do without, one sync of
//! a block and one round trip to the same server. Publisher, server, kpid and subscriber share the machine.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant as Moment};

use async_nats::Client;
use divan::Bencher;
use futures_util::StreamExt;
use kpid::wire::subjects;
use tokio::runtime::Runtime;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::append::plain_file;
use crate::house::House;
use crate::load;
use crate::nats_server::NatsServer;
use crate::ratio::{percentiles, say};

/// Measurements a millisecond: 10,000 a second.
const RATE: usize = 10;
/// KPIs that are measured all the time and cross nothing.
const STEADY: usize = 100;
/// KPIs whose every measurement crosses the threshold: one of them in each hundred measurements.
const CROSSING: usize = 50;
const CROSSING_EVERY: usize = 100;
/// The first second is not told: streams are made and connections are new.
const WARM_UP: usize = 1_000 * RATE;
const COUNT: usize = WARM_UP + 10_000 * RATE;
/// Rounds of each floor, half before and half behind.
const FLOOR_ROUNDS: usize = 2_000;
const PATIENCE: Duration = Duration::from_secs(20);
const TICK: Duration = Duration::from_millis(1);

/// When each measurement was published, and how long the alerts took.
type Sent = Arc<Mutex<Vec<Moment>>>;
type Delays = Vec<(usize, Duration)>;

#[divan::bench(sample_count = 1, sample_size = 1)]
fn delay(bencher: Bencher) {
    let runtime = Runtime::new().unwrap();
    let server = NatsServer::start();
    let dir = load::folder();
    let house = House::start_with(dir.path(), &server.url(), &catalog_text());
    house.wait_ready();
    bencher.bench_local(|| {
        let mut floors = Floors::default();
        runtime.block_on(floors.measure(&server));
        let delays = runtime.block_on(measured(&server));
        runtime.block_on(floors.measure(&server));
        tell(delays, floors);
    });
}

/// KPIs that show their latest value, and a rule that fires below 0.
fn catalog_text() -> String {
    let mut text = String::from(
        "[scorecard]\nid = \"load\"\ntitle = \"Load\"\n[[perspective]]\nid = \"p\"\n\
         [[objective]]\nid = \"o\"\nperspective = \"p\"\n",
    );
    let kpi = |name: &str, n: usize| {
        format!(
            "[[kpi]]\nid = \"{name}{n}\"\nobjective = \"o\"\naggregate = \"last\"\n\
             window = {{ rolling = \"1h\", slice = \"1m\" }}\ndirection = \"up\"\nred = 0\ntarget = 100000\n"
        )
    };
    text.extend((0..STEADY).map(|n| kpi("steady", n)));
    text.extend((0..CROSSING).map(|n| kpi("crossing", n)));
    text.push_str(
        "[[alert]]\nid = \"below\"\non = \"load/**\"\nkinds = [\"kpi\"]\nmetric = \"value\"\nbelow = 0\nseverity = \"critical\"\n",
    );
    text
}

/// The measurement of this number. The value of one that crosses is its number, so that the alert names it.
fn payload(n: usize) -> String {
    if !n.is_multiple_of(CROSSING_EVERY) {
        return format!("{{\"kpi\":\"steady{}\",\"value\":{}}}", n % STEADY, load::value(n));
    }
    let crossing = n / CROSSING_EVERY;
    let sign = if (crossing / CROSSING).is_multiple_of(2) {
        "-"
    } else {
        ""
    };
    format!("{{\"kpi\":\"crossing{}\",\"value\":{sign}{n}.5}}", crossing % CROSSING)
}

async fn measured(server: &NatsServer) -> Delays {
    let sent: Sent = Arc::default();
    let subscriber = async_nats::connect(server.url()).await.unwrap();
    let alerts = subscriber.subscribe(format!("{}.>", subjects::ALERT)).await.unwrap();
    subscriber.flush().await.unwrap();
    // From the second crossing of a KPI on: before the first one nothing fired.
    let receiving = tokio::spawn(received(alerts, Arc::clone(&sent)));
    publish(server, &sent).await;
    // Every alert arrives, or this fails.
    timeout(PATIENCE, receiving).await.unwrap().unwrap()
}

async fn publish(server: &NatsServer, sent: &Sent) {
    let publisher = async_nats::connect(server.url()).await.unwrap();
    let mut ticks = interval(TICK);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    for first in (0..COUNT).step_by(RATE) {
        ticks.tick().await;
        for n in first..first + RATE {
            sent.lock().unwrap().push(Moment::now());
            publisher
                .publish(subjects::MEASUREMENT, payload(n).into())
                .await
                .unwrap();
        }
    }
    publisher.flush().await.unwrap();
}

/// Waits for the alert of every crossing, in any order and each once.
async fn received(mut alerts: async_nats::Subscriber, sent: Sent) -> Delays {
    let mut delays = Delays::new();
    while delays.len() < COUNT / CROSSING_EVERY {
        let alert = alerts.next().await.unwrap();
        let now = Moment::now();
        let event: serde_json::Value = serde_json::from_slice(&alert.payload).unwrap();
        let value = event.pointer("/data/value").and_then(serde_json::Value::as_f64);
        let number = value.unwrap().abs() as usize;
        let published = *sent.lock().unwrap().get(number).unwrap();
        delays.push((number, now - published));
    }
    let mut numbers: Vec<usize> = delays.iter().map(|(number, _)| *number).collect();
    numbers.sort_unstable();
    let expected: Vec<usize> = (0..COUNT).step_by(CROSSING_EVERY).collect();
    assert_eq!(numbers, expected, "each crossing is told once");
    delays
}

/// What one alert cannot do without.
#[derive(Default)]
struct Floors {
    syncs: Vec<Duration>,
    round_trips: Vec<Duration>,
}

impl Floors {
    /// Half of the rounds, at the pace of the measurements.
    async fn measure(&mut self, server: &NatsServer) {
        self.measure_syncs();
        self.measure_round_trips(server).await;
    }

    fn measure_syncs(&mut self) {
        let dir = load::folder();
        let mut file = plain_file(dir.path());
        let bytes = vec![0xA5; load::block_bytes(RATE)];
        for _ in 0..FLOOR_ROUNDS / 2 {
            std::thread::sleep(TICK);
            let since = Moment::now();
            file.write_all(&bytes).unwrap();
            file.sync_data().unwrap();
            self.syncs.push(since.elapsed());
        }
    }

    async fn measure_round_trips(&mut self, server: &NatsServer) {
        let (client, answerer) = (connected(server).await, connected(server).await);
        let mut questions = answerer.subscribe("echo").await.unwrap();
        answerer.flush().await.unwrap();
        let answering = tokio::spawn(async move {
            while let Some(question) = questions.next().await {
                let reply = question.reply.unwrap();
                answerer.publish(reply, question.payload).await.unwrap();
            }
        });
        for n in 0..FLOOR_ROUNDS / 2 {
            tokio::time::sleep(TICK).await;
            let since = Moment::now();
            client.request("echo", payload(n).into()).await.unwrap();
            self.round_trips.push(since.elapsed());
        }
        answering.abort();
    }
}

async fn connected(server: &NatsServer) -> Client {
    async_nats::connect(server.url()).await.unwrap()
}

fn tell(delays: Delays, floors: Floors) {
    let told = delays.into_iter().filter(|(number, _)| *number >= WARM_UP);
    let delays: Vec<Duration> = told.map(|(_, delay)| delay).collect();
    let (count, [half, most, all]) = (delays.len(), percentiles(delays));
    let [_, sync, _] = percentiles(floors.syncs);
    let [_, round_trip, _] = percentiles(floors.round_trips);
    let floor = sync + round_trip;
    say(&format!(
        "alert delay at {} measurements a second, {count} alerts: p50 {half:.2} ms, p99 {most:.2} ms, longest {all:.2} ms; \
         p99 of a sync {sync:.2} ms and of a round trip {round_trip:.2} ms: {:.1} times their sum",
        RATE * 1_000,
        most / floor
    ));
}
