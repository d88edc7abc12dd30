//! The machine: limits of this process, memory, who keeps the clock right, and whether a daemon answers.
//!
//! Tables of the kernel enter, findings leave. What a table does not say is `None`, never a guess.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct MachineFound {
    /// Files that a process like this one may have open.
    pub open_files: Option<u64>,
    /// Bytes of memory that can be had without swapping.
    pub memory_available: Option<u64>,
    /// Bytes of memory that this group of processes may use.
    pub memory_limit: Option<u64>,
    /// Who keeps the clock right.
    pub clock: ClockKeeper,
    /// How far the wall clock moved differently from time while it was watched, ms.
    pub jump_ms: i64,
}

/// Who keeps the clock right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum ClockKeeper {
    /// A service that says that it did.
    Synchronised(&'static str),
    /// A service that runs and does not say.
    Running(&'static str),
    /// Nobody is seen.
    #[default]
    Nobody,
}

/// A daemon's answer: HTTP status and words; or why there is none.
pub(super) type Answer = Result<(u16, String), String>;

/// Longest wait for an answer on this machine.
const ANSWER_MAX: Duration = Duration::from_secs(2);

/// Looks at the kernel's tables.
pub(super) fn look(jump_ms: i64) -> MachineFound {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
    MachineFound {
        open_files: open_files(&read("/proc/self/limits")),
        memory_available: memory_available(&read("/proc/meminfo")),
        memory_limit: memory_limit(&read("/proc/self/cgroup"), &read),
        clock: clock_keeper(&|path| Path::new(path).exists()),
        jump_ms,
    }
}

fn open_files(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    match line.split_whitespace().next()? {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

fn memory_available(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.split_whitespace().next()?.parse().ok()?;
    kib.checked_mul(1_024)
}

/// The limit of the control group, in either of the two forms that kernels have.
fn memory_limit(groups: &str, read: &dyn Fn(&str) -> String) -> Option<u64> {
    let limits = groups.lines().filter_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, kind, path) = (parts.next()?, parts.next()?, parts.next()?.trim_end_matches('/'));
        let (root, file) = match kind {
            "" => ("/sys/fs/cgroup", "memory.max"),
            "memory" => ("/sys/fs/cgroup/memory", "memory.limit_in_bytes"),
            _ => return None,
        };
        // Inside a container the group's own folder is mounted as the root.
        let own = read(&format!("{root}{path}/{file}"));
        let text = if own.is_empty() {
            read(&format!("{root}/{file}"))
        } else {
            own
        };
        text.trim().parse().ok()
    });
    // Without a limit old kernels tell a number near 2^63.
    limits.filter(|limit: &u64| *limit < 1 << 60).min()
}

fn clock_keeper(is_there: &dyn Fn(&str) -> bool) -> ClockKeeper {
    let said = [
        ("/run/systemd/timesync/synchronized", "systemd-timesyncd"),
        ("/var/lib/systemd/timesync/clock", "systemd-timesyncd"),
    ];
    let running = [
        ("/run/chrony/chronyd.pid", "chrony"),
        ("/var/run/chronyd.pid", "chrony"),
        ("/run/ntpd.pid", "ntpd"),
        ("/var/run/ntpd.pid", "ntpd"),
    ];
    let find = |known: &[(&str, &'static str)]| known.iter().find(|(path, _)| is_there(path)).map(|(_, name)| *name);
    let [synchronised, installed] = said;
    if let Some(name) = find(&[synchronised]) {
        return ClockKeeper::Synchronised(name);
    }
    let running = find(&running).or_else(|| find(&[installed]));
    running.map_or(ClockKeeper::Nobody, ClockKeeper::Running)
}

/// Asks the address of the settings whether a daemon is ready there; `None` where the settings name no port.
pub(super) fn ask_daemon(listen: SocketAddr) -> Option<Answer> {
    if listen.port() == 0 {
        return None;
    }
    let mut address = listen;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    Some(ask(&format!("http://{address}/readyz")))
}

/// The answer at an address.
pub(super) fn ask(url: &str) -> Answer {
    let config = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(ANSWER_MAX));
    let agent: ureq::Agent = config.build().into();
    let mut answer = agent.get(url).call().map_err(|error| error.to_string())?;
    let words = answer.body_mut().read_to_string().map_err(|error| error.to_string())?;
    Ok((answer.status().as_u16(), words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_tables_are_read() {
        let limits = "Limit  Soft Limit  Hard Limit  Units\nMax open files            20000    20000    files\n";
        assert_eq!(open_files(limits), Some(20_000));
        assert_eq!(open_files("Max open files  unlimited unlimited files"), Some(u64::MAX));
        assert_eq!(open_files(""), None);
        assert_eq!(
            memory_available("MemTotal: 9 kB\nMemAvailable:    2048 kB\n"),
            Some(2 << 20)
        );
    }

    #[test]
    fn the_limit_of_a_group_is_found_in_both_forms_and_inside_a_container() {
        let read = |path: &str| match path {
            "/sys/fs/cgroup/system.slice/kpid.service/memory.max" => "1073741824\n".to_owned(),
            "/sys/fs/cgroup/memory/memory.limit_in_bytes" => "536870912\n".to_owned(),
            "/sys/fs/cgroup/free/memory.max" => "max\n".to_owned(),
            "/sys/fs/cgroup/memory/old/memory.limit_in_bytes" => "9223372036854771712\n".to_owned(),
            _ => String::new(),
        };
        let limit = |groups: &str| memory_limit(groups, &read);
        assert_eq!(limit("0::/system.slice/kpid.service\n"), Some(1 << 30));
        assert_eq!(limit("5:devices:/\n4:memory:/elsewhere\n0::/nowhere\n"), Some(1 << 29));
        assert_eq!(limit("0::/free\n"), None);
        assert_eq!(limit("4:memory:/old\n"), None);
    }

    #[test]
    fn whoever_keeps_the_clock_is_named() {
        let keeper = |there: &'static str| clock_keeper(&move |path| path == there);
        let synchronised = ClockKeeper::Synchronised("systemd-timesyncd");
        assert_eq!(keeper("/run/systemd/timesync/synchronized"), synchronised);
        assert_eq!(keeper("/run/chrony/chronyd.pid"), ClockKeeper::Running("chrony"));
        assert_eq!(keeper("/nothing"), ClockKeeper::Nobody);
    }
}
