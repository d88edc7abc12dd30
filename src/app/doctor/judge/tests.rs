//! Every judgement: what was found, and how it is called.

use std::path::PathBuf;
use std::time::Duration;

use super::super::Level::{Ok as Fine, Problem, Warning};
use super::super::nats::{NatsFound, Server, StreamFound, Sync};
use super::*;
use crate::app::doctor::Level;
use crate::domain::id::Sequence;
use crate::journal::JournalEnd;
use crate::ports::Tail;

const GIB: u64 = 1 << 30;

fn found() -> DiskFound {
    DiskFound {
        folder: PathBuf::from("data"),
        is_there: true,
        kind: Some("ext4".to_owned()),
        options: vec!["rw".to_owned()],
        sync: Ok(times(200, 900)),
        reserves: true,
        free_bytes: Some(100 * GIB),
        free_files: Some(1_000_000),
        mode: Some(0o750),
    }
}

fn times(p50_us: u64, p99_us: u64) -> SyncTimes {
    SyncTimes {
        p50: Duration::from_micros(p50_us),
        p99: Duration::from_micros(p99_us),
    }
}

fn worst(checks: &[Check]) -> Level {
    checks.iter().map(|check| check.level).max().unwrap()
}

fn of_disk(change: impl Fn(&mut DiskFound)) -> Level {
    let mut disk_found = found();
    change(&mut disk_found);
    let checks = disk(&disk_found, &Settings::default().journal);
    for check in &checks {
        assert_eq!(check.level == Fine, check.remedy.is_empty(), "{check:?}");
    }
    worst(&checks)
}

#[test]
fn a_disk_of_this_machine_is_fine_and_memory_is_not() {
    assert_eq!(of_disk(|_| {}), Fine);
    for (kind, level) in [
        ("xfs", Fine),
        ("tmpfs", Problem),
        ("overlay", Warning),
        ("nfs4", Warning),
        ("mystery", Warning),
    ] {
        assert_eq!(of_disk(|found| found.kind = Some(kind.to_owned())), level, "{kind}");
    }
    assert_eq!(of_disk(|found| found.kind = None), Warning);
    assert_eq!(of_disk(|found| found.options.push("nobarrier".to_owned())), Problem);
}

#[test]
fn a_sync_that_fails_is_a_problem_and_one_that_cannot_be_true_a_warning() {
    assert_eq!(of_disk(|found| found.sync = Err("read-only".to_owned())), Problem);
    assert_eq!(of_disk(|found| found.sync = Ok(times(2, 9))), Warning);
    assert_eq!(of_disk(|found| found.sync = Ok(times(9_000, 80_000))), Warning);
    assert_eq!(of_disk(|found| found.reserves = false), Warning);
}

#[test]
fn space_warns_before_ingest_stops_and_says_when_it_has() {
    let min = Settings::default().journal.min_free_bytes;
    assert_eq!(of_disk(|found| found.free_bytes = Some(min - 1)), Problem);
    assert_eq!(of_disk(|found| found.free_bytes = Some(min + 1)), Warning);
    assert_eq!(of_disk(|found| found.free_bytes = None), Warning);
    assert_eq!(of_disk(|found| found.free_files = Some(3)), Warning);
}

#[test]
fn others_may_not_write_and_need_not_read() {
    assert_eq!(of_disk(|found| found.mode = Some(0o755)), Warning);
    assert_eq!(of_disk(|found| found.mode = Some(0o777)), Problem);
    assert_eq!(of_disk(|found| (found.is_there, found.mode) = (false, None)), Fine);
}

fn archive(lock: Lock, end: Option<Result<JournalEnd, JournalError>>) -> ArchiveFound {
    ArchiveFound {
        folder: "data/journal".to_owned(),
        lock,
        end,
        has_state: true,
        set_aside: 0,
    }
}

fn end(torn: Option<&str>) -> JournalEnd {
    JournalEnd {
        tail: Tail {
            next: Sequence(5),
            recorded_at: Instant(1_000_000),
            series: 3,
        },
        segments: 1,
        versions: vec![1],
        torn: torn.map(str::to_owned),
    }
}

#[test]
fn a_journal_is_told_with_its_lock_and_its_end() {
    assert_eq!(worst(&journal(&archive(Lock::Nowhere, None))), Fine);
    assert_eq!(worst(&journal(&archive(Lock::Held, Some(Ok(end(None)))))), Fine);
    // A running write looks torn to whoever looks on.
    assert_eq!(worst(&journal(&archive(Lock::Held, Some(Ok(end(Some("half"))))))), Fine);
    assert_eq!(
        worst(&journal(&archive(Lock::Free, Some(Ok(end(Some("half"))))))),
        Warning
    );
    let damage = JournalError::Damaged {
        from: Sequence(2),
        to: Sequence(3),
        path: "x".to_owned(),
        reason: "checksum".to_owned(),
    };
    let damaged = archive(Lock::Free, Some(Err(damage)));
    assert!(damaged.is_damaged());
    let checks = journal(&damaged);
    assert_eq!(worst(&checks), Problem);
    assert!(
        checks.iter().any(|check| check.says.contains("sequences 2 to 3")),
        "{checks:?}"
    );
    assert_eq!(
        worst(&journal(&archive(Lock::Unknown("no".to_owned()), Some(Ok(end(None)))))),
        Warning
    );
}

#[test]
fn lost_state_costs_time_and_is_said() {
    let mut found = archive(Lock::Free, Some(Ok(end(None))));
    assert_eq!(state(&found).level, Fine);
    found.has_state = false;
    assert_eq!(state(&found).level, Warning);
    found.end = None;
    assert_eq!(state(&found).level, Fine, "nothing was ever there");
    found.set_aside = 2;
    assert_eq!(state(&found).level, Warning);
}

#[test]
fn limits_are_held_against_what_is_set() {
    let settings = Settings::default();
    let machine = |files: u64, available: u64, limit: Option<u64>| MachineFound {
        open_files: Some(files),
        memory_available: Some(available),
        memory_limit: limit,
        ..MachineFound::default()
    };
    let level = |found: MachineFound, series: u64| worst(&limits(&found, &settings, series));
    assert_eq!(level(machine(65_536, 4 * GIB, None), 10), Fine);
    assert_eq!(level(machine(64, 4 * GIB, None), 10), Warning);
    assert_eq!(
        level(machine(65_536, 4 * GIB, Some(GIB / 4)), 10),
        Warning,
        "the group has less than the machine"
    );
    assert_eq!(level(machine(65_536, GIB / 4, None), 1_000_000), Problem);
    assert_eq!(level(MachineFound::default(), 0), Warning);
}

#[test]
fn a_clock_behind_the_journal_is_told_with_what_follows() {
    let machine = |clock, jump_ms| MachineFound {
        clock,
        jump_ms,
        ..MachineFound::default()
    };
    let level = |clock, jump_ms, behind_ms: i64| {
        let now = Instant(1_000_000_000);
        worst(&clocks(&machine(clock, jump_ms), now, Some(now.plus_ms(behind_ms))))
    };
    let right = ClockKeeper::Synchronised("chrony");
    assert_eq!(level(right, 0, -5), Fine);
    assert_eq!(level(right, 0, 5), Warning);
    assert_eq!(level(right, 0, 86_400_000), Problem);
    assert_eq!(level(right, -3_000, -5), Warning);
    assert_eq!(level(ClockKeeper::Nobody, 0, -5), Warning);
    assert_eq!(level(ClockKeeper::Running("ntpd"), 0, -5), Fine);
}

fn server(version: &str, sync: Option<Sync>) -> NatsFound {
    let there = StreamFound::There {
        replicas: 1,
        age_max: Duration::ZERO,
        bytes_max: -1,
    };
    NatsFound::There(Server {
        version: version.to_owned(),
        streams: Ok(vec![
            ("KPI_ALERTS".to_owned(), there),
            ("KPI_REJECTED".to_owned(), StreamFound::Missing),
        ]),
        sync,
    })
}

#[test]
fn a_server_is_judged_by_what_it_tells_and_by_what_it_cannot_tell() {
    let settings = Settings::default().nats;
    let level = |found: &NatsFound| worst(&nats(found, &settings));
    assert_eq!(level(&NatsFound::Off), Fine);
    assert_eq!(level(&NatsFound::Away("refused".to_owned())), Problem);
    assert_eq!(level(&NatsFound::Wrong("seed".to_owned())), Problem);
    assert_eq!(level(&server("2.12.3", Some(Sync::Always))), Fine);
    assert_eq!(level(&server("2.14.0-RC.1", Some(Sync::Always))), Fine);
    for old in ["2.12.2", "2.11.9", "2.10.29", "2.9.10"] {
        assert_eq!(level(&server(old, Some(Sync::Always))), Warning, "{old}");
    }
    assert_eq!(
        level(&server("2.12.3", Some(Sync::Every(Duration::from_mins(2))))),
        Warning
    );
    let unknown = nats(&server("2.12.3", None), &settings);
    assert!(
        unknown
            .iter()
            .any(|check| check.says.contains("cannot be asked by a client")),
        "{unknown:?}"
    );

    let NatsFound::There(there) = server("2.12.3", None) else {
        return;
    };
    let without = Server {
        streams: Err("no responders".to_owned()),
        ..there.clone()
    };
    assert_eq!(level(&NatsFound::There(without.clone())), Problem);
    let core = crate::settings::NatsSettings {
        jetstream: false,
        ..settings.clone()
    };
    assert_eq!(worst(&nats(&NatsFound::There(without), &core)), Warning);
    let unfit = Server {
        streams: Ok(vec![(
            "KPI_ALERTS".to_owned(),
            StreamFound::Unfit("storage is Memory".to_owned()),
        )]),
        ..there
    };
    assert_eq!(level(&NatsFound::There(unfit)), Problem);
}

#[test]
fn a_daemon_that_does_not_answer_is_a_matter_of_who_holds_the_journal() {
    let ready = Some(Ok((200, String::new())));
    let busy = Some(Ok((503, "replaying".to_owned())));
    let away = Some(Err("refused".to_owned()));
    for (answer, is_held, level) in [
        (&None, false, Fine),
        (&ready, true, Fine),
        (&busy, true, Warning),
        (&busy, false, Problem),
        (&away, true, Warning),
        (&away, false, Fine),
    ] {
        assert_eq!(daemon(answer.as_ref(), is_held).level, level, "{answer:?} {is_held}");
    }
}

#[test]
fn settings_and_catalog_are_told_problem_by_problem() {
    let lines = |lines: &[&str]| lines.iter().map(|line| (*line).to_owned()).collect::<Vec<_>>();
    assert_eq!(worst(&settings(&[], &[])), Fine);
    assert_eq!(worst(&settings(&[], &lines(&["open to all"]))), Warning);
    assert_eq!(settings(&lines(&["a", "b"]), &[]).len(), 2);
    assert_eq!(catalog(&Ok((1, 2, 3))).level, Fine);
    assert_eq!(catalog(&Err(lines(&["it.toml:3: wrong"]))).level, Problem);
}
