//! What findings mean: each guarantee in a plain sentence, and the remedy where it does not hold.
//!
//! Findings enter, [`Check`]s leave. Nothing is touched here, so that every judgement is a test. Servers are judged in `servers`.

mod servers;

#[cfg(test)]
mod tests;

use super::archive::{ArchiveFound, Lock};
use super::disk::{DiskFound, SyncTimes};
use super::machine::{ClockKeeper, MachineFound};
use super::{Check, Definitions};
use crate::domain::instant::Instant;
use crate::ports::JournalError;
use crate::settings::{JournalSettings, Settings};

pub(super) use servers::{daemon, nats};

/// A sync faster than this was answered by something that is not a disk: the fastest devices take several times as long.
const SYNC_UNLIKELY_US: u128 = 15;
/// Every acknowledgement waits for a sync: slower than this, people and senders notice.
const SYNC_SLOW_MS: u128 = 50;
/// A clock that jumps by more than this while it is looked at for a second or two is being set, not steered.
const JUMP_MS: i64 = 200;
/// Further behind the journal than this, the clock is not only steered: measurements with their own time come from the future.
const BEHIND_MS: i64 = 60_000;
/// Memory of a series in all, names included, and what the program takes without any.
const SERIES_BYTES: u64 = 1_024;
const PROGRAM_BYTES: u64 = 128 << 20;
/// Files that the program has open besides connections.
const OWN_FILES: u64 = 128;

/// Settings: every problem and every warning.
pub(super) fn settings(problems: &[String], warnings: &[String]) -> Vec<Check> {
    const AREA: &str = "settings";
    let wrong = problems.iter().map(|problem| {
        Check::problem(
            AREA,
            problem,
            "put it right, then ask again: the rest was not looked at",
        )
    });
    let unwise = warnings
        .iter()
        .map(|warning| Check::warning(AREA, warning, "set it otherwise unless it is meant"));
    let checks: Vec<Check> = wrong.chain(unwise).collect();
    if checks.is_empty() {
        return vec![Check::ok(AREA, "every setting is known and may be what it is")];
    }
    checks
}

/// The catalog: how much there is, or everything that is wrong.
pub(super) fn catalog(found: &Definitions) -> Check {
    match found {
        Ok((scorecards, kpis, rules)) => {
            let says = format!("{scorecards} scorecards, {kpis} KPIs, {rules} alert rules hold together");
            Check::ok("catalog", says)
        }
        Err(lines) => Check::problem("catalog", lines.join("\n"), "put it right; `kpid check` says the same"),
    }
}

/// The file system under the data folder.
pub(super) fn disk(found: &DiskFound, settings: &JournalSettings) -> Vec<Check> {
    let mut checks = vec![file_system(found), syncing(found)];
    checks.push(if found.reserves {
        Check::ok("room", "room is reserved before it is written: a full disk shows before an append, not in it")
    } else {
        let says = "room cannot be reserved on this file system: a full disk may show in the middle of an append, which is \
            safe and ends the process";
        Check::warning("room", says, "use ext4, xfs or btrfs, or watch the free space")
    });
    checks.extend(free_space(found, settings));
    checks.push(permissions(found));
    checks
}

fn file_system(found: &DiskFound) -> Check {
    const AREA: &str = "file system";
    let place = found.folder.display();
    let Some(kind) = found.kind.as_deref() else {
        let says = format!("{place}: the system does not say which file system it is");
        return Check::warning(AREA, says, "make sure that it is on a disk of this machine");
    };
    let has = |option: &str| found.options.iter().any(|set| set == option);
    if has("barrier=0") || has("nobarrier") {
        let says = format!("{place} is {kind} without write barriers: a loss of power may lose what was acknowledged");
        return Check::problem(AREA, says, "mount it without `nobarrier` and `barrier=0`");
    }
    match kind {
        "ext4" | "ext3" | "xfs" | "btrfs" | "zfs" | "f2fs" | "bcachefs" | "apfs" => {
            let says = format!(
                "{place} is {kind}: what is synced survives a crash and a loss of power, as far as the disk keeps its word"
            );
            Check::ok(AREA, says)
        }
        "tmpfs" | "ramfs" => {
            let says = format!("{place} is {kind}, which is memory: everything is gone when this machine stops");
            Check::problem(AREA, says, "put `data_dir` on a disk")
        }
        "overlay" | "aufs" | "unionfs" => {
            let says = format!("{place} is {kind}, the layer of a container: it is gone when the container is removed");
            Check::warning(AREA, says, "mount a volume for `data_dir`")
        }
        "nfs" | "nfs4" | "cifs" | "smb3" | "smbfs" | "ceph" | "glusterfs" | "lustre" | "9p" | "afs" => {
            let says = format!(
                "{place} is {kind}, a network file system: syncs and the lock against a second daemon are as good as its server's"
            );
            Check::warning(
                AREA,
                says,
                "put `data_dir` on a disk of this machine, or make sure that the server syncs (no `async` export)",
            )
        }
        kind => {
            let says = format!("{place} is {kind}, of which nothing is known here");
            Check::warning(
                AREA,
                says,
                "make sure that it keeps what is synced, or use ext4, xfs or btrfs",
            )
        }
    }
}

fn syncing(found: &DiskFound) -> Check {
    const AREA: &str = "syncing";
    let SyncTimes { p50, p99 } = match &found.sync {
        Ok(times) => times,
        Err(error) => {
            let says = format!(
                "{} cannot be written and synced: {error}: nothing could be acknowledged",
                found.folder.display()
            );
            return Check::problem(
                AREA,
                says,
                "give the user of kpid the right to write there, and check space and disk",
            );
        }
    };
    let took = format!("fdatasync of 4 KiB takes {} (p50), {} (p99)", shown(*p50), shown(*p99));
    if p50.as_micros() < SYNC_UNLIKELY_US {
        let says = format!("{took}: no disk is so fast, so something answers before it is asked");
        return Check::warning(
            AREA,
            says,
            "look for a cache of the host or controller that may lose power, `eatmydata`, or memory",
        );
    }
    if p99.as_millis() > SYNC_SLOW_MS {
        let says = format!("{took}: every acknowledgement waits for one");
        return Check::warning(AREA, says, "use a disk with less to do, or send larger batches");
    }
    Check::ok(AREA, format!("{took}: that is what an acknowledgement costs"))
}

fn shown(took: std::time::Duration) -> String {
    let ms = took.as_secs_f64() * 1_000.0;
    format!("{ms:.2} ms")
}

fn free_space(found: &DiskFound, settings: &JournalSettings) -> Vec<Check> {
    const AREA: &str = "free space";
    let mut checks = Vec::new();
    let (min, segment) = (settings.min_free_bytes, settings.segment_bytes);
    let mib = |bytes: u64| bytes >> 20;
    match found.free_bytes {
        None => checks.push(Check::warning(
            AREA,
            "the system does not say how much is free",
            "watch it by other means",
        )),
        Some(free) if free < min => {
            let says = format!(
                "{} MiB are free, less than journal.min_free_bytes ({} MiB): nothing is taken in",
                mib(free),
                mib(min)
            );
            checks.push(Check::problem(
                AREA,
                says,
                "free space; what is there is safe, and reads go on",
            ));
        }
        // The next segment is reserved whole, and a checkpoint may be as large as the one it replaces.
        Some(free) if free < min.saturating_add(segment.saturating_mul(4)) => {
            let says = format!(
                "{} MiB are free: at {} MiB nothing is taken in any more",
                mib(free),
                mib(min)
            );
            checks.push(Check::warning(AREA, says, "free space soon"));
        }
        Some(free) => {
            let says = format!(
                "{} MiB are free; below {} MiB kpid stops taking in before the disk is full",
                mib(free),
                mib(min)
            );
            checks.push(Check::ok(AREA, says));
        }
    }
    if let Some(files) = found.free_files.filter(|files| *files < 1_000) {
        let says = format!("only {files} more files can be made on this file system");
        checks.push(Check::warning(
            AREA,
            says,
            "remove files, or make a file system with more inodes",
        ));
    }
    checks
}

fn permissions(found: &DiskFound) -> Check {
    const AREA: &str = "permissions";
    let place = found.folder.display();
    match found.mode {
        _ if !found.is_there => Check::ok(AREA, format!("the data folder is not there yet; it is made in {place}")),
        Some(mode) if mode & 0o002 != 0 => {
            let says = format!("{place} has mode {mode:o}: every user of this machine can change the journal");
            Check::problem(AREA, says, format!("chmod o-w {place}"))
        }
        Some(mode) if mode & 0o007 != 0 => {
            let says = format!("{place} has mode {mode:o}: every user of this machine can read the measurements");
            Check::warning(AREA, says, format!("chmod o-rwx {place} unless that is meant"))
        }
        Some(mode) => Check::ok(AREA, format!("{place} has mode {mode:o}: other users have no access")),
        None => Check::warning(
            AREA,
            format!("the permissions of {place} cannot be read"),
            "check who owns it",
        ),
    }
}

/// The journal: who holds it, whether its end fits, which forms it has.
pub(super) fn journal(found: &ArchiveFound) -> Vec<Check> {
    const AREA: &str = "journal";
    let folder = &found.folder;
    let lock = match &found.lock {
        Lock::Held => Check::ok(AREA, format!("a daemon holds {folder}: no second one can write to it")),
        Lock::Free | Lock::Nowhere => Check::ok(AREA, format!("nobody holds {folder}: a daemon can start on it")),
        Lock::Unknown(reason) => Check::warning(
            AREA,
            format!("whether somebody holds {folder} cannot be told: {reason}"),
            "run the doctor as the user of the daemon",
        ),
    };
    let Some(end) = &found.end else {
        return vec![Check::ok(
            AREA,
            format!("there is no journal in {folder} yet; the first start begins one"),
        )];
    };
    let mut checks = vec![lock];
    match end {
        Err(damage @ JournalError::Damaged { .. }) => checks.push(Check::problem(
            AREA,
            damage.to_string(),
            "restore the segment from a backup; `kpid journal verify` names the first block that does not fit",
        )),
        Err(error) => checks.push(Check::problem(
            AREA,
            error.to_string(),
            "run the doctor as the user of the daemon",
        )),
        Ok(end) => {
            let versions: Vec<String> = end.versions.iter().map(ToString::to_string).collect();
            let says = format!(
                "sequences 1 to {} in {} segments, blocks of form {}: the last two segments fit; all of it is proved by `kpid journal verify`",
                end.tail.next.0.saturating_sub(1),
                end.segments,
                if versions.is_empty() {
                    "1".to_owned()
                } else {
                    versions.join(" and ")
                },
            );
            checks.push(Check::ok(AREA, says));
            if let Some(reason) = end.torn.as_ref().filter(|_| found.lock != Lock::Held) {
                let says =
                    format!("behind the last block a write was interrupted ({reason}): it was never acknowledged");
                checks.push(Check::warning(AREA, says, "nothing: the next start cuts it off"));
            }
        }
    }
    checks
}

/// The folder of derived state.
pub(super) fn state(found: &ArchiveFound) -> Check {
    const AREA: &str = "state";
    if found.set_aside > 0 {
        let says = format!(
            "{} damaged state folders were set aside; nothing is lost, the state was rebuilt",
            found.set_aside
        );
        return Check::warning(
            AREA,
            says,
            "look at the disk, then remove `state.damaged-*` beside the state folder",
        );
    }
    match (found.has_state, found.recorded_at()) {
        (true, _) => Check::ok(AREA, "derived state is there; deleting it costs time, never data"),
        (false, None) => Check::ok(AREA, "there is no derived state yet"),
        (false, Some(_)) => Check::warning(
            AREA,
            "there is a journal and no derived state: the next start replays all of it",
            "nothing, or put the folder `state` back",
        ),
    }
}

/// Open files and memory.
pub(super) fn limits(found: &MachineFound, settings: &Settings, series: u64) -> Vec<Check> {
    vec![open_files(found, settings), memory(found, settings, series)]
}

fn open_files(found: &MachineFound, settings: &Settings) -> Check {
    const AREA: &str = "open files";
    let needed = settings.http.streams_max as u64 + settings.http.in_flight_max as u64 + OWN_FILES;
    match found.open_files {
        None => Check::warning(
            AREA,
            "the limit of open files cannot be read",
            "make sure that it is at least some thousands",
        ),
        Some(limit) if limit < needed => {
            let says = format!(
                "{limit} files may be open here, and {needed} are needed when all streams and requests are in use"
            );
            Check::warning(
                AREA,
                says,
                "raise it: `LimitNOFILE=` of the service, or `ulimit -n`; the service may have its own",
            )
        }
        Some(u64::MAX) => Check::ok(AREA, "any number of files may be open here"),
        Some(limit) => Check::ok(
            AREA,
            format!("{limit} files may be open here, {needed} are enough for all connections"),
        ),
    }
}

fn memory(found: &MachineFound, settings: &Settings, series: u64) -> Check {
    const AREA: &str = "memory";
    let usable = [found.memory_available, found.memory_limit].into_iter().flatten().min();
    let Some(usable) = usable else {
        return Check::warning(
            AREA,
            "how much memory there is cannot be read",
            "reckon with 1 kB a series",
        );
    };
    let mib = |bytes: u64| bytes >> 20;
    let need = |series: u64| PROGRAM_BYTES.saturating_add(series.saturating_mul(SERIES_BYTES));
    let (now, most) = (need(series), need(settings.ingest.series_max as u64));
    if usable < now {
        let says = format!(
            "{} MiB can be had, and {series} series need about {} MiB",
            mib(usable),
            mib(now)
        );
        return Check::problem(AREA, says, "give the machine or the group of the service more memory");
    }
    if usable < most {
        let says = format!(
            "{} MiB can be had: enough for the {series} series of today, not for the {} that ingest.series_max allows ({} MiB)",
            mib(usable),
            settings.ingest.series_max,
            mib(most)
        );
        return Check::warning(
            AREA,
            says,
            "lower `ingest.series_max`, or give more memory before they come",
        );
    }
    let says = format!(
        "{} MiB can be had, {} MiB are enough for as many series as ingest.series_max allows",
        mib(usable),
        mib(most)
    );
    Check::ok(AREA, says)
}

/// The system clock against itself and against the journal.
pub(super) fn clocks(found: &MachineFound, now: Instant, recorded_at: Option<Instant>) -> Vec<Check> {
    const AREA: &str = "clock";
    let mut checks = Vec::new();
    checks.push(match found.clock {
        ClockKeeper::Synchronised(name) => Check::ok(AREA, format!("{name} says that the clock is right")),
        ClockKeeper::Running(name) => Check::ok(
            AREA,
            format!("{name} is there; whether the clock is right it does not say in a file"),
        ),
        ClockKeeper::Nobody => Check::warning(
            AREA,
            "nobody is seen who keeps the clock right: `observed_at` and alerts are as right as it is",
            "run chrony or systemd-timesyncd, or make sure that the host does",
        ),
    });
    if found.jump_ms.abs() > JUMP_MS {
        let says = format!("the clock jumped by {} ms while it was looked at", found.jump_ms);
        checks.push(Check::warning(
            AREA,
            says,
            "let one service alone steer the clock, slowly",
        ));
    }
    let Some(behind) = recorded_at.map(|recorded_at| recorded_at.since(now)) else {
        return checks;
    };
    checks.push(if behind > BEHIND_MS {
        let says = format!(
            "the clock is {} s behind the journal's last block: until it has caught up everything is stamped with that instant, \
            and measurements of now may be refused as `in_the_future`",
            behind / 1_000
        );
        Check::problem(AREA, says, "set the clock right")
    } else if behind > 0 {
        let says = format!("the clock is {behind} ms behind the journal's last block; its instants never go back");
        Check::warning(AREA, says, "nothing, unless it grows")
    } else {
        Check::ok(AREA, "the clock is not behind the journal, whose instants never go back")
    });
    checks
}
