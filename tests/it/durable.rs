//! Acknowledged is durable, as the system sees it: between a request and its acknowledgement the kernel has finished an
//! `fdatasync` of the segment that holds the measurement.

use std::process::{Command, Stdio};

use crate::support::daemon::{Daemon, signal};

const CATALOG: &str = include_str!("catalogs/story/desk.toml");
/// What is watched: opening, writing, syncing, and both ends of a request.
const CALLS: &str = "trace=openat,pwrite64,pwritev,write,writev,fdatasync,fsync,recvfrom,read,sendto,sendmsg";

/// One finished call, in the order in which the calls ended.
#[derive(Debug)]
struct Call {
    name: String,
    /// Everything between the brackets, as strace prints it.
    arguments: String,
    result: i64,
    /// Lines of the trace at which it began and ended.
    began: usize,
    ended: usize,
}

impl Call {
    fn descriptor(&self) -> Option<&str> {
        self.arguments.split([',', ')', ' ']).next()
    }
}

#[test]
fn an_fdatasync_of_the_measurements_bytes_lies_between_request_and_acknowledgement() {
    let there = Command::new("strace").arg("-V").stdout(Stdio::null()).status();
    assert!(
        there.is_ok_and(|status| status.success()),
        "no strace: apt-get install strace, this test watches with it"
    );
    let mut daemon = Daemon::new(&[("desk.toml", CATALOG)]);
    let trace = daemon.path("trace");
    daemon.start_under(
        "strace",
        &["-f", "-s", "4096", "-e", CALLS, "-o", &trace.display().to_string()],
    );
    daemon.wait_ready();
    let (status, receipt) = daemon.post(r#"{"id":"traced-1","kpi":"desk.csat","value":63}"#);
    assert_eq!((status, &receipt["accepted"]), (200, &1.into()));
    // strace passes no signal on, so the daemon itself is asked.
    let traced = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children", pid = daemon.pid())).unwrap();
    signal("TERM", traced.trim().parse().expect("one child: the daemon"));
    assert_eq!(daemon.ended().code(), Some(0), "{}", daemon.log());

    let calls = finished(&std::fs::read_to_string(&trace).unwrap());
    let segment = find(&calls, 0, "the segment opened", |call| {
        call.name == "openat" && call.arguments.contains("00000000000000000001.seg") && call.result >= 0
    });
    let segment = segment.result.to_string();
    let request = find(&calls, 0, "the request read", |call| {
        matches!(call.name.as_str(), "recvfrom" | "read") && call.arguments.contains("traced-1")
    });
    let answered = find(&calls, request.ended, "the acknowledgement sent", |call| {
        matches!(call.name.as_str(), "sendto" | "write" | "writev" | "sendmsg")
            && call.arguments.contains("HTTP/1.1 200")
            && call.arguments.contains("accepted")
    });
    let between = |call: &&Call| call.began > request.ended && call.began < answered.began;
    let writes = calls
        .iter()
        .filter(between)
        .filter(|call| is_write(call) && call.descriptor() == Some(&segment));
    let written = writes
        .max_by_key(|call| call.ended)
        .expect("between them the block is written");
    assert!(written.result > 0, "{written:?}");
    // The sync begins after the last write has ended, so it covers all bytes of the block.
    let synced = find(&calls, written.ended, "the segment synced", |call| {
        matches!(call.name.as_str(), "fdatasync" | "fsync") && call.descriptor() == Some(&segment) && call.result == 0
    });
    assert!(synced.ended < answered.began, "{written:?}\n{synced:?}\n{answered:?}");
}

fn is_write(call: &Call) -> bool {
    matches!(call.name.as_str(), "pwrite64" | "pwritev" | "write" | "writev")
}

/// The first call that began after a line and fits.
fn find<'a>(calls: &'a [Call], after: usize, what: &str, fits: impl Fn(&Call) -> bool) -> &'a Call {
    let found = calls
        .iter()
        .filter(|call| call.began >= after && fits(call))
        .min_by_key(|call| call.began);
    found.unwrap_or_else(|| panic!("not in the trace: {what}"))
}

/// The calls of a trace. One that another thread interrupts is printed in two parts: `fdatasync(9 <unfinished ...>` and
/// `<... fdatasync resumed>) = 0`.
fn finished(trace: &str) -> Vec<Call> {
    let mut begun: Vec<(String, usize, String)> = Vec::new();
    let mut calls = Vec::new();
    for (line, text) in trace.lines().enumerate() {
        let Some((thread, text)) = text.split_once(' ') else {
            continue;
        };
        let text = text.trim_start();
        if let Some(part) = text.strip_suffix(" <unfinished ...>") {
            begun.push((thread.to_owned(), line, part.to_owned()));
        } else if let Some(rest) = text.strip_prefix("<... ") {
            let Some(at) = begun.iter().position(|(of, ..)| of == thread) else {
                continue;
            };
            let (_, first, part) = begun.swap_remove(at);
            let (_, rest) = rest.split_once(" resumed>").unwrap_or_default();
            calls.extend(call(&format!("{part}{rest}"), first, line));
        } else {
            calls.extend(call(text, line, line));
        }
    }
    calls
}

/// `name(arguments) = result`
fn call(text: &str, began: usize, ended: usize) -> Option<Call> {
    let (name, rest) = text.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") = ").or_else(|| rest.rsplit_once(" = "))?;
    let result = result.split_whitespace().next()?.parse().ok()?;
    Some(Call {
        name: name.to_owned(),
        arguments: arguments.trim_end_matches(')').to_owned(),
        result,
        began,
        ended,
    })
}
