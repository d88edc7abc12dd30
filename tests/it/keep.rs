//! Looking after a journal: copied while it is written, put back, taken out and in again, trimmed, and still the truth.

mod analysts;
mod retention;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::support::daemon::{Daemon, agent, post};

const DESK: &str = include_str!("catalogs/story/desk.toml");

/// A desk with small segments, so that a story has many of them.
fn desk() -> Daemon {
    Daemon::new(&[("desk.toml", DESK)]).with("KPID_JOURNAL__SEGMENT_BYTES", "64KiB")
}

/// A batch of measurements observed now, each with an id of its own.
fn batch(number: usize, len: usize) -> String {
    let line = |n: usize| {
        let (id, value) = (number * len + n, (number * 31 + n * 7) % 1_000);
        format!(
            r#"{{"id":"m{id}","kpi":"desk.csat","value":{}.{},"labels":{{"shift":"{}"}},"source":"s{}","note":"{}"}}"#,
            value / 10,
            value % 10,
            id % 3,
            id % 4,
            wild(id as u64)
        )
    };
    (0..len).map(line).collect::<Vec<_>>().join("\n")
}

/// Words that no codec makes small, so that segments fill.
fn wild(seed: u64) -> String {
    let mut word = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        word ^= word << 13;
        word ^= word >> 7;
        word ^= word << 17;
        format!("{word:016x}")
    };
    (0..4).map(|_| next()).collect()
}

/// Scorecards and every change that a replay of a journal prints.
fn replayed(daemon: &Daemon, journal: &Path, until: &str) -> Vec<Vec<u8>> {
    let journal = journal.display().to_string();
    let (readings, alerts) = (daemon.path("r.ndjson"), daemon.path("a.ndjson"));
    let (r, a) = (readings.display().to_string(), alerts.display().to_string());
    let args = [
        "replay",
        "--journal",
        &journal,
        "--until",
        until,
        "--readings",
        &r,
        "--alerts",
        &a,
    ];
    let scorecards = daemon.answer(&args).into_bytes();
    let read = |path| std::fs::read(path).expect("what it wrote");
    vec![scorecards, read(readings), read(alerts)]
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// Sends until told to stop; acknowledged measurements.
fn load(url: &str, stop: &AtomicBool) -> u64 {
    let (agent, mut accepted) = (agent(), 0);
    for number in 0.. {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        let (status, receipt) = post(&agent, url, &batch(number, 200)).expect("an answer");
        assert_eq!(status, 200, "{receipt}");
        accepted += receipt["accepted"].as_u64().expect("a count");
    }
    accepted
}

#[test]
fn a_backup_taken_under_load_is_restored_to_the_same_state_and_goes_on() {
    let mut daemon = desk();
    daemon.start_ready();
    let backup = daemon.path("backup");
    let stop = AtomicBool::new(false);
    let url = daemon.url().to_owned();
    let lasts: Vec<u64> = std::thread::scope(|scope| {
        let loader = scope.spawn(|| load(&url, &stop));
        let lasts = (0..3).map(|_| {
            std::thread::sleep(std::time::Duration::from_millis(400));
            let told = daemon.answer(&["journal", "backup", &text(&backup), "--format", "json"]);
            let told: serde_json::Value = serde_json::from_str(&told).expect("JSON");
            told["last"].as_u64().expect("an end")
        });
        let lasts = lasts.collect();
        stop.store(true, Ordering::Relaxed);
        assert!(loader.join().expect("it ended well") > 1_000);
        lasts
    });
    assert!(lasts.is_sorted() && lasts[0] > 100 && lasts[2] > lasts[0], "{lasts:?}");
    daemon.answer(&["journal", "verify", "--journal", &text(&backup)]);

    let mut second = desk();
    second.answer(&["journal", "restore", &text(&backup)]);
    let until = lasts[2].to_string();
    assert_eq!(
        replayed(&daemon, &daemon.journal(), &until),
        replayed(&second, &second.journal(), &until)
    );
    second.start_ready();
    assert!(second.json("/api/v1/journal")["end"].as_u64() >= Some(lasts[2]));
    let (status, receipt) =
        second.post(r#"{"id":"m1","kpi":"desk.csat","value":0.7,"labels":{"shift":"1"},"source":"s1"}"#);
    assert_eq!(
        (status, &receipt["duplicates"]),
        (200, &1.into()),
        "what was restored is known: {receipt}"
    );
    let (status, receipt) = second.post(r#"{"id":"new","kpi":"desk.csat","value":50}"#);
    assert_eq!((status, &receipt["accepted"]), (200, &1.into()), "{receipt}");
    second.stop_well();

    // The restored journal has gone on from there; the first one has gone another way, and is not mixed into its backup.
    let head = second.json_of(&["journal", "backup", &text(&backup), "--format", "json"])["head_hash"].take();
    let refused = daemon.run(&["journal", "backup", &text(&backup)]);
    let words = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(1), "{words}");
    assert!(words.contains("back up into another folder"), "{words}");
    let proof = second.json_of(&["journal", "verify", "--journal", &text(&backup), "--format", "json"]);
    assert_eq!(proof["head_hash"], head, "the backup is as it was");
}

#[test]
fn a_backup_that_lost_its_end_or_a_bit_is_not_restored() {
    let mut daemon = desk();
    daemon.start_ready();
    for number in 0..20 {
        assert_eq!(daemon.post(&batch(number, 200)).0, 200);
    }
    daemon.stop_well();
    let backup = daemon.path("backup");
    daemon.answer(&["journal", "backup", &text(&backup)]);
    let mut segments: Vec<_> = std::fs::read_dir(&backup)
        .expect("the backup")
        .map(|entry| entry.expect("a file").path())
        .filter(|path| path.extension().is_some_and(|ending| ending == "seg"))
        .collect();
    segments.sort();
    assert!(segments.len() > 1, "{segments:?}");
    let last = segments.last().expect("a segment");
    let whole = std::fs::read(last).expect("its bytes");
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for (harm, bytes) in [("cut", &whole[..whole.len() - 8]), ("flipped", &flipped)] {
        std::fs::write(last, bytes).expect("harm");
        let fresh = desk();
        for args in [
            ["journal", "restore", &text(&backup)],
            ["journal", "verify", "--journal"],
        ] {
            let mut args = args.to_vec();
            let folder = text(&backup);
            if args[1] == "verify" {
                args.push(&folder);
            }
            let refused = fresh.run(&args);
            let words = String::from_utf8_lossy(&refused.stderr).into_owned();
            assert_eq!(refused.status.code(), Some(3), "{harm}: {args:?}: {words}");
        }
        assert!(!fresh.journal().exists(), "{harm}: nothing was put in place");
    }
    std::fs::write(last, &whole).expect("mended");
    let refused = daemon.run(&["journal", "restore", &text(&backup)]);
    assert_eq!(refused.status.code(), Some(2), "a journal is there already");
}

#[test]
fn what_is_exported_is_imported_and_replays_to_the_same_bytes() {
    let mut daemon = desk();
    daemon.start_ready();
    for number in 0..6 {
        assert_eq!(daemon.post(&batch(number, 150)).0, 200);
    }
    let corrections = r#"[{"kpi":"desk.csat","corrects":"m5","source":"s1","value":1.5,"id":"c1","note":"typo","by":"Ada"},
        {"retracts":"m6","source":"s2"},{"kpi":"desk.csat","not_applicable":true}]"#;
    assert_eq!(daemon.post(corrections).1["accepted"], 3);
    daemon.stop_well();
    for format in ["ndjson", "parquet"] {
        let (file, again) = (
            daemon.path(&format!("all.{format}")),
            daemon.path(&format!("again.{format}")),
        );
        let copy = daemon.path(&format!("copy-{format}"));
        daemon.answer(&["journal", "export", "--format", format, "--output", &text(&file)]);
        daemon.answer(&["journal", "import", &text(&file), "--journal", &text(&copy)]);
        let args = [
            "journal",
            "export",
            "--format",
            format,
            "--journal",
            &text(&copy),
            "-o",
            &text(&again),
        ];
        daemon.answer(&args);
        assert!(
            std::fs::read(&file).expect("one") == std::fs::read(&again).expect("other"),
            "{format}"
        );
        let until = "1000000";
        assert_eq!(
            replayed(&daemon, &daemon.journal(), until),
            replayed(&daemon, &copy, until)
        );
        let refused = daemon.run(&["journal", "import", &text(&file), "--journal", &text(&copy)]);
        assert_eq!(refused.status.code(), Some(2), "never over a journal");
    }
}
