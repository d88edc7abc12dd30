//! Real measurements through the real program: advertising costs and latency over NATS, course submissions over HTTP.
//!
//! The files are not part of this repository. Where they are missing these tests say so loudly and have shown nothing.
//! What was observed long ago falls out of every rolling window of today, so the catalogs look at everything there is.

use std::path::{Path, PathBuf};
use std::process::Output;

use async_nats::jetstream::Context;
use kpid::domain::id::Sequence;
use kpid::journal::open_reader;
use serde_json::Value;

use crate::support::alerts::{each_stored_once, keep_all_alerts};
use crate::support::daemon::Daemon;
use crate::support::nats::NatsServer;

const CATALOG: [(&str, &str); 3] = [
    ("it.toml", include_str!("catalogs/real/it.toml")),
    ("marketing.toml", include_str!("catalogs/real/marketing.toml")),
    ("training.toml", include_str!("catalogs/real/training.toml")),
];

/// Files of the benchmark with the KPI that they measure.
const COSTS: [(&str, &str); 5] = [
    ("nab/exchange-2_cpc.csv", "ads.cpc"),
    ("nab/exchange-3_cpc.csv", "ads.cpc"),
    ("nab/exchange-2_cpm.csv", "ads.cpm"),
    ("nab/exchange-3_cpm.csv", "ads.cpm"),
    ("nab/ec2_request_latency.csv", "ops.latency"),
];

const SUBMISSIONS: &str = "oulad/submissions-2013.csv";

/// What the KPIs of courses take from it: KPI, columns.
const PASSED: (&str, &str) = ("td.pass", "numerator=passed,label.module=module");
const ON_TIME: (&str, &str) = ("td.on-time", "numerator=on_time,label.module=module");

/// Where the files are: `KPID_TEST_DATA`, else `../shared/data`.
pub fn data() -> Option<PathBuf> {
    let named = std::env::var_os("KPID_TEST_DATA").map(PathBuf::from);
    let folder = named.unwrap_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/data"));
    if folder.join(SUBMISSIONS).is_file() {
        return Some(folder.canonicalize().expect("its path"));
    }
    let words = "real data not found (KPID_TEST_DATA, else ../shared/data): real-data tests did not run";
    // Past the harness, which shows nothing of a test that passes.
    let _ = std::io::Write::write_all(&mut std::io::stderr(), format!("\n!! {words}\n\n").as_bytes());
    None
}

/// Measurements in a file: its lines without the header.
fn count_in(file: &Path) -> u64 {
    std::fs::read_to_string(file).unwrap().lines().count() as u64 - 1
}

/// A house whose history reaches back to the oldest file.
fn house(nats: &str) -> Daemon {
    Daemon::new(&CATALOG)
        .with("KPID_NATS__URL", nats)
        .with("KPID_PROJECTION__HISTORY", "8000d")
        .with("KPID_JOURNAL__SEGMENT_BYTES", "1MiB")
        .with("KPID_PROJECTION__CHECKPOINT_EVERY", "1s")
}

/// Journalled plain measurements of a KPI.
fn journalled(journal: &Path, kpi: &str) -> u64 {
    let mut reader = open_reader(journal, Sequence(1)).expect("the journal opens");
    let (mut ours, mut count): (Vec<bool>, u64) = (Vec::new(), 0);
    while let Some(block) = reader.next_block().expect("a whole block") {
        ours.extend(block.new_series.iter().map(|series| series.kpi.as_str() == kpi));
        let rows = block.measurements.series.iter();
        count += rows.filter(|series| ours.get(**series as usize) == Some(&true)).count() as u64;
    }
    count
}

fn words(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Arguments that send a file of submissions as one KPI.
fn course_args<'a>(url: &'a str, file: &'a str, (kpi, columns): (&'a str, &'a str)) -> Vec<&'a str> {
    vec![
        "send",
        "--to",
        url,
        "--kpi",
        kpi,
        "--map",
        columns,
        "--set",
        "denominator=1",
        file,
    ]
}

/// Sends the costs and latencies over NATS, each file as its KPI.
fn send_costs(daemon: &Daemon, data: &Path, nats: &str) {
    for (file, kpi) in COSTS {
        let file = data.join(file).display().to_string();
        let args = [
            "send",
            "--to",
            nats,
            "--kpi",
            kpi,
            "--map",
            "observed_at=timestamp",
            "--time-zone",
            "UTC",
            "--batch",
            "100",
            &file,
        ];
        let sent = daemon.run(&args);
        assert_eq!(sent.status.code(), Some(0), "{}", words(&sent));
    }
}

/// Measurements of a KPI in the files of costs.
fn costs_of(data: &Path, kpi: &str) -> u64 {
    COSTS
        .iter()
        .filter(|(_, of)| *of == kpi)
        .map(|(file, _)| count_in(&data.join(file)))
        .sum()
}

fn wait_for_costs(daemon: &Daemon, data: &Path) {
    for kpi in ["ads.cpc", "ads.cpm", "ops.latency"] {
        let expected = costs_of(data, kpi);
        daemon.wait("the stream is taken", || journalled(&daemon.journal(), kpi) >= expected);
        assert_eq!(
            journalled(&daemon.journal(), kpi),
            expected,
            "{kpi}: in, and journalled; nothing is rejected"
        );
    }
}

/// The daemon's scorecards and alerts are those of a replay; gives back how many alerts there are.
fn same_as_its_replay(daemon: &Daemon, context: &Context, runtime: &tokio::runtime::Runtime) -> usize {
    let replayed = daemon.replay(&[]);
    for scorecard in ["ops", "ads", "courses"] {
        assert_eq!(&daemon.node(scorecard), replayed.node(scorecard, None), "{scorecard}");
    }
    for module in ["AAA", "BBB", "FFF"] {
        let shown = daemon.node(&format!("courses?instance={module}"));
        assert_eq!(&shown, replayed.node("courses", Some(module)), "courses@{module}");
    }
    runtime.block_on(each_stored_once(context, &replayed.alerts))
}

/// Scorecards and alerts by the clock of the measurements, which does not know when they were taken.
fn by_event_clock(daemon: &Daemon) -> (Vec<Value>, Vec<Value>) {
    let replayed = daemon.replay(&["--clock", "event", "--every", "1d"]);
    let nodes = replayed.scorecards.iter().map(|one| one["node"].clone()).collect();
    let without_positions = replayed.alerts;
    (nodes, without_positions)
}

#[test]
fn real_files_give_the_same_scorecards_and_alerts_live_replayed_and_after_a_kill() {
    let Some(data) = data() else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let _inside = runtime.enter();
    let server = NatsServer::start();
    let client = runtime.block_on(async_nats::connect(server.url())).unwrap();
    let context = async_nats::jetstream::new(client);
    runtime.block_on(keep_all_alerts(&context));
    let mut daemon = house(&server.url());
    daemon.start_ready();

    send_costs(&daemon, &data, &server.url());
    wait_for_costs(&daemon, &data);
    let submissions = data.join(SUBMISSIONS);
    let file = submissions.display().to_string();
    let sent = daemon.run(&course_args(daemon.url(), &file, PASSED));
    assert_eq!(sent.status.code(), Some(0), "{}", words(&sent));
    assert_eq!(journalled(&daemon.journal(), PASSED.0), count_in(&submissions));
    // A file with a record that cannot be taken: the others are, and the counts add up.
    let odd = daemon.path("odd.csv");
    std::fs::write(
        &odd,
        "observed_at,module,passed\n2013-01-24T00:00:00Z,ZZZ,1\n2013-01-25T00:00:00Z,,0\n2013-01-26T00:00:00Z,ZZZ,x\n",
    )
    .unwrap();
    let sent = daemon.run(&course_args(daemon.url(), &odd.display().to_string(), PASSED));
    assert_eq!(sent.status.code(), Some(1), "{}", words(&sent));
    assert_eq!(
        journalled(&daemon.journal(), "td.pass"),
        count_in(&submissions) + 1,
        "{}",
        words(&sent)
    );

    let alerts = same_as_its_replay(&daemon, &context, &runtime);
    assert!(alerts > 0, "the outage at the end of the latencies raises alerts");
    daemon.stop_well();
    assert_eq!(
        by_event_clock(&daemon),
        by_event_clock(&daemon),
        "the same bytes, every time"
    );
}

#[test]
fn a_kill_in_the_middle_and_a_resumed_send_end_like_an_uninterrupted_run() {
    let Some(data) = data() else { return };
    let mut whole = house("");
    // The first months are enough to be killed in.
    let submissions = whole.path("submissions.csv");
    let text = std::fs::read_to_string(data.join(SUBMISSIONS)).unwrap();
    let first: Vec<&str> = text.split_inclusive('\n').take(30_001).collect();
    std::fs::write(&submissions, first.concat()).unwrap();
    let file = submissions.display().to_string();
    whole.start_ready();
    let sent = whole.run(&course_args(whole.url(), &file, ON_TIME));
    assert_eq!(sent.status.code(), Some(0), "{}", words(&sent));

    // On a fixed port, so that the address is the same after the kill.
    let port = crate::support::nats::free_port();
    let mut cut = house("").with("KPID_HTTP__LISTEN", &format!("127.0.0.1:{port}"));
    cut.start_ready();
    let url = cut.url().to_owned();
    let mut args = course_args(&url, &file, ON_TIME);
    args.extend(["--give-up-after", "1s"]);
    let mut sending = cut.command(&args).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let total = count_in(&submissions);
    cut.wait("a third is taken", || {
        journalled(&cut.journal(), ON_TIME.0) >= total / 3
    });
    cut.kill();
    assert_eq!(
        sending.wait().unwrap().code(),
        Some(1),
        "nobody is there: it gives up and says how to go on"
    );
    let before = journalled(&cut.journal(), ON_TIME.0);
    assert!(before < total, "it was killed in the middle");

    cut.start_ready();
    assert_eq!(cut.url(), url);
    let resumed = cut.run(&args);
    assert_eq!(resumed.status.code(), Some(0), "{}", words(&resumed));
    assert!(words(&resumed).contains("going on after record"), "{}", words(&resumed));
    assert_eq!(journalled(&cut.journal(), ON_TIME.0), total, "everything once");
    assert_eq!(
        by_event_clock(&cut).0,
        by_event_clock(&whole).0,
        "the scorecards of an uninterrupted run"
    );
    let ids = |daemon: &Daemon| -> Vec<Value> {
        by_event_clock(daemon)
            .1
            .iter()
            .map(|alert| alert["id"].clone())
            .collect()
    };
    assert_eq!(ids(&cut), ids(&whole), "and its alerts");
    assert!(!ids(&whole).is_empty());
    whole.stop_well();
    cut.stop_well();
}
