//! The program as people meet it: words on stderr, data on stdout, exit codes that scripts can trust.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;

use kpid::domain::fact::{Block, Fact, Measurements};
use kpid::domain::instant::Instant;
use kpid::journal::{DiskFiles, FileJournal, JournalOptions};
use kpid::ports::{Journal, JournalError};

/// Runs kpid in a folder with these variables and no other settings.
#[expect(clippy::panic, reason = "a program that does not run is a failed test")]
fn kpid(folder: &Path, args: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_kpid"));
    let ours = std::env::vars()
        .map(|(name, _)| name)
        .filter(|name| name.starts_with("KPID_"));
    ours.for_each(|name| {
        command.env_remove(name);
    });
    let command = command.args(args).envs(variables.iter().copied()).current_dir(folder);
    command
        .stdin(Stdio::null())
        .output()
        .unwrap_or_else(|error| panic!("kpid {args:?} did not run: {error}"))
}

fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn an_empty_folder_becomes_a_sound_house_with_two_commands() {
    let folder = tempfile::tempdir().unwrap();
    let check = kpid(folder.path(), &["check"], &[]);
    assert_eq!(check.status.code(), Some(2));
    assert!(stderr(&check).contains("kpid init"), "{}", stderr(&check));

    let init = kpid(folder.path(), &["init"], &[]);
    assert_eq!(init.status.code(), Some(0), "{}", stderr(&init));
    assert_eq!(
        stdout(&init).lines().count(),
        6,
        "settings and five scorecards: {}",
        stdout(&init)
    );

    let check = kpid(folder.path(), &["check"], &[]);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    assert!(stdout(&check).starts_with("ok: 5 scorecards, "), "{}", stdout(&check));

    let again = kpid(folder.path(), &["init"], &[]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(stdout(&again), "", "nothing was written");
}

#[test]
fn check_says_everything_at_once_on_stderr_and_ends_with_2() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("cards")).unwrap();
    std::fs::write(
        folder.path().join("cards/it.toml"),
        "[scorecard]\nid = \"it\"\ntitel = \"IT\"\n",
    )
    .unwrap();
    let variables = [("KPID_LOG__LEVEL", "loud"), ("KPID_DATADIR", "x")];
    let check = kpid(folder.path(), &["check", "--catalog", "cards"], &variables);
    let words = stderr(&check);
    assert_eq!((check.status.code(), stdout(&check).as_str()), (Some(2), ""), "{words}");
    for part in [
        "`log.level` is `loud`",
        "KPID_DATADIR",
        "did you mean `data_dir`?",
        "it.toml:3",
    ] {
        assert!(words.contains(part), "{part} is missing in\n{words}");
    }
}

#[test]
fn wrong_usage_ends_with_2_and_help_is_data() {
    let folder = tempfile::tempdir().unwrap();
    for line in [
        &["fly"][..],
        &["replay"],
        &["scorecard"],
        &["completions", "abacus"],
        &["journal", "stat", "--journal", "no"],
    ] {
        let output = kpid(folder.path(), line, &[]);
        assert_eq!(
            (output.status.code(), stdout(&output).as_str()),
            (Some(2), ""),
            "{line:?}"
        );
        assert!(!stderr(&output).is_empty(), "{line:?}");
    }
    for line in [
        &["--help"][..],
        &["--version"],
        &["replay", "--help"],
        &["completions", "bash"],
    ] {
        let output = kpid(folder.path(), line, &[]);
        assert_eq!(
            (output.status.code(), stderr(&output).as_str()),
            (Some(0), ""),
            "{line:?}"
        );
        assert!(!stdout(&output).is_empty(), "{line:?}");
    }
}

#[test]
fn what_cannot_be_replayed_is_named_with_its_remedy() {
    let folder = tempfile::tempdir().unwrap();
    assert!(kpid(folder.path(), &["init"], &[]).status.success());
    std::fs::write(folder.path().join("a.csv"), "timestamp,value\n2026-03-01T10:00:00Z,1\n").unwrap();
    for (args, code, named) in [
        (["--journal", "nowhere"], 2, "there is no journal in `nowhere`"),
        (["--input", "a.csv"], 2, "--map observed_at=COLUMN"),
        (["--input", "b.csv"], 1, "b.csv cannot be opened"),
    ] {
        let args = ["replay", args[0], args[1]];
        let output = kpid(folder.path(), &args, &[]);
        assert_eq!(output.status.code(), Some(code), "{args:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(named), "{args:?}: {}", stderr(&output));
    }
}

#[test]
fn a_daemon_that_is_not_there_ends_with_1_and_says_how_to_start_one() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let server = format!("http://{free}");
    for line in [
        ["scorecard", "it", "--server", &server].as_slice(),
        &["alerts", "--server", &server],
    ] {
        let output = kpid(folder.path(), line, &[]);
        assert_eq!(output.status.code(), Some(1), "{line:?}");
        assert!(
            stderr(&output).contains(&server) && stderr(&output).contains("kpid serve"),
            "{}",
            stderr(&output)
        );
    }
}

#[test]
fn a_reader_that_goes_early_is_no_failure() {
    let mut child = Command::new(env!("CARGO_BIN_EXE_kpid"))
        .args(["completions", "zsh"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
}

/// Two blocks of one note each.
fn write_journal(folder: &Path) -> Result<(), JournalError> {
    let options = JournalOptions {
        segment_bytes: 1 << 16,
        ..JournalOptions::default()
    };
    let mut journal = FileJournal::open(folder, options, Arc::new(DiskFiles))?;
    for at in [Instant(1_000), Instant(2_000)] {
        let note = Fact::NoteAdded {
            path: "it".to_owned(),
            about: at,
            text: "after the outage".to_owned(),
            by: "me".to_owned(),
        };
        let block = Block {
            first: journal.tail().next,
            recorded_at: at,
            positions: Vec::new(),
            series_base: 0,
            new_series: Vec::new(),
            measurements: Measurements::default(),
            others: vec![(0, note)],
        };
        journal.append(&block)?;
    }
    Ok(())
}

#[test]
fn a_journal_is_told_and_proved_and_a_flipped_bit_ends_with_3() {
    let folder = tempfile::tempdir().unwrap();
    let journal = folder.path().join("data/journal");
    write_journal(&journal).unwrap();

    let stat = kpid(folder.path(), &["journal", "stat"], &[]);
    assert_eq!(stat.status.code(), Some(0), "{}", stderr(&stat));
    assert!(
        stdout(&stat).contains("sequences  1 to 2"),
        "found in data_dir: {}",
        stdout(&stat)
    );

    let named = journal.display().to_string();
    let verify = ["journal", "verify", "--journal", &named, "--format", "json"];
    let proved = kpid(folder.path(), &verify, &[]);
    let body: serde_json::Value = serde_json::from_str(&stdout(&proved)).unwrap();
    assert_eq!((&body["facts"], &body["blocks"]), (&2.into(), &2.into()));

    let segments = std::fs::read_dir(&journal).unwrap().map(|entry| entry.unwrap().path());
    let segment = segments
        .into_iter()
        .find(|path| path.extension().is_some_and(|e| e == "seg"))
        .unwrap();
    let mut bytes = std::fs::read(&segment).unwrap();
    let middle_of_the_first = usize::try_from(body["bytes"].as_u64().unwrap()).unwrap() / 4;
    bytes[middle_of_the_first] ^= 1;
    std::fs::write(&segment, bytes).unwrap();

    let damaged = kpid(folder.path(), &verify, &[]);
    assert_eq!(
        (damaged.status.code(), stdout(&damaged).as_str()),
        (Some(3), ""),
        "{}",
        stderr(&damaged)
    );
    assert!(
        stderr(&damaged).contains("damaged at sequences 1 to"),
        "{}",
        stderr(&damaged)
    );
}

/// A KPI of the last whole day, which is late by two hours at most.
const BOOKS: &str = "[scorecard]\nid = 'shop'\n\n[[perspective]]\nid = 'financial'\n\n[[objective]]\nid = 'books'\n\
    perspective = 'financial'\n\n[[kpi]]\nid = 'shop.sales'\nobjective = 'books'\naggregate = 'sum'\n\
    window = { period = 'day', complete = true }\nallowed_lateness = '2h'\ndirection = 'up'\nred = 50\ntarget = 75\n";

/// What a replay prints of the KPI in the end.
fn sales(folder: &Path, lines: &[&str], format: &str) -> String {
    std::fs::create_dir_all(folder.join("cards")).unwrap();
    std::fs::write(folder.join("cards/shop.toml"), BOOKS).unwrap();
    std::fs::write(folder.join("sales.ndjson"), lines.join("\n")).unwrap();
    let args = [
        "replay",
        "--input",
        "sales.ndjson",
        "--every",
        "1h",
        "--catalog",
        "cards",
    ];
    let replay = kpid(
        folder,
        &[&args[..], &["--clock", "event", "--format", format]].concat(),
        &[],
    );
    assert_eq!(replay.status.code(), Some(0), "{}", stderr(&replay));
    stdout(&replay)
}

#[test]
fn a_final_period_that_changes_says_that_it_is_restated() {
    let folder = tempfile::tempdir().unwrap();
    let mut lines = vec![
        r#"{"kpi":"shop.sales","id":"a","observed_at":"2026-03-02T09:00:00Z","value":60}"#,
        r#"{"kpi":"shop.sales","observed_at":"2026-03-03T00:30:00Z","value":1}"#,
    ];
    let json = sales(folder.path(), &lines, "json");
    assert!(
        json.contains(r#""provisional": true"#) && !json.contains("restated"),
        "{json}"
    );

    lines.push(r#"{"kpi":"shop.sales","observed_at":"2026-03-03T02:30:00Z","value":1}"#);
    let json = sales(folder.path(), &lines, "json");
    assert!(
        !json.contains(r#""provisional": true"#) && !json.contains("restated"),
        "{json}"
    );

    lines.push(r#"{"kpi":"shop.sales","corrects":"a","value":75}"#);
    let json = sales(folder.path(), &lines, "json");
    assert!(json.contains(r#""restated": true"#), "{json}");
    assert!(!json.contains(r#""provisional": true"#), "{json}");
    let table = sales(folder.path(), &lines, "table");
    assert!(table.contains("restated") && table.contains("75"), "{table}");
}
