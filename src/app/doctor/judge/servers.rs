//! What is found of NATS and of the daemon, and what it means.

use std::time::Duration;

use super::super::Check;
use super::super::machine::Answer;
use super::super::nats::{NatsFound, Server, StreamFound, Sync};
use crate::settings::NatsSettings;

const AREA: &str = "nats";

/// Of these lines of versions, this one and later ones: before, a sync could leave out writes that were pending
/// (nats-server 7594).
const VERSIONS_SOUND: [(u32, u32, u32); 2] = [(2, 11, 12), (2, 12, 3)];

/// NATS: reachable, sound, and what its streams keep.
pub(in super::super) fn nats(found: &NatsFound, settings: &NatsSettings) -> Vec<Check> {
    match found {
        NatsFound::Off => vec![Check::ok(
            AREA,
            "without NATS, as set: measurements come by HTTP, alerts stay here",
        )],
        NatsFound::Wrong(reason) => vec![Check::problem(AREA, reason, "put it right in the settings")],
        NatsFound::Away(reason) => {
            let says = format!(
                "no server answers at {}: {reason}: nothing comes in from there, and alerts wait in the outbox",
                settings.url.join(", ")
            );
            vec![Check::problem(
                AREA,
                says,
                "start it, or set `nats.url` to where it is, or to nothing",
            )]
        }
        NatsFound::There(server) => {
            let mut checks = vec![version(&server.version)];
            match &server.streams {
                Err(reason) if settings.jetstream => checks.push(Check::problem(
                    AREA,
                    format!("JetStream does not answer: {reason}: streams cannot be read or written"),
                    "switch it on at the server, or give this user the right to use it",
                )),
                Err(reason) => checks.push(Check::warning(
                    AREA,
                    format!("JetStream does not answer: {reason}: alerts and refused input have nowhere to go"),
                    "switch it on at the server",
                )),
                Ok(streams) => {
                    checks.extend(streams.iter().map(|(name, found)| stream(name, found)));
                    checks.push(syncing(server, streams));
                }
            }
            checks
        }
    }
}

fn version(text: &str) -> Check {
    let mut numbers = text.split(['.', '-']).map(|part| part.parse::<u32>().unwrap_or(0));
    let mut next = || numbers.next().unwrap_or(0);
    let found = (next(), next(), next());
    let line = |known: &&(u32, u32, u32)| (known.0, known.1) == (found.0, found.1);
    let is_sound = match VERSIONS_SOUND.iter().find(line) {
        Some(first) => found >= *first,
        None => found > (2, 12, u32::MAX),
    };
    if is_sound {
        return Check::ok(AREA, format!("the server answers, version {text}"));
    }
    let says = format!("the server answers, version {text}, which may leave out pending writes when it syncs");
    Check::warning(AREA, says, "use 2.11.12, 2.12.3, 2.14.0 or later")
}

fn stream(name: &str, found: &StreamFound) -> Check {
    match found {
        StreamFound::Missing => Check::ok(AREA, format!("stream {name} is not there yet; kpid makes it")),
        StreamFound::Unfit(reason) => Check::problem(AREA, reason, "kpid does not start to use it before it fits"),
        StreamFound::Unknown(reason) => Check::warning(
            AREA,
            format!("stream {name} cannot be looked up: {reason}"),
            "give this user the right to ask for it",
        ),
        StreamFound::There {
            replicas,
            age_max,
            bytes_max,
        } => {
            let age = match *age_max {
                Duration::ZERO => "for any time".to_owned(),
                age => format!("for {} hours", age.as_secs() / 3_600),
            };
            let bytes = match *bytes_max {
                ..0 => "any number of bytes".to_owned(),
                bytes => format!("{} MiB", bytes >> 20),
            };
            let copies = match replicas {
                1 => "one copy: it is gone with that server's disk".to_owned(),
                copies => format!("{copies} copies"),
            };
            Check::ok(AREA, format!("stream {name} keeps {bytes} {age}, {copies}"))
        }
    }
}

/// When the server makes durable what it acknowledges to those who send to its streams.
fn syncing(server: &Server, streams: &[(String, StreamFound)]) -> Check {
    let copies = streams.iter().filter_map(|(_, found)| match found {
        StreamFound::There { replicas, .. } => Some(*replicas),
        _ => None,
    });
    let copies = copies.min().unwrap_or(1);
    let lost = if copies < 2 {
        "a loss of power there can lose what it acknowledged to senders and kpid has not journalled yet"
    } else {
        "a loss of power of most copies at once can lose what they acknowledged to senders and kpid has not journalled yet"
    };
    let remedy = "set `jetstream { sync_interval: always }` at the server, as in deploy/nats";
    match server.sync {
        Some(Sync::Always) => Check::ok(AREA, "the server syncs before it acknowledges"),
        Some(Sync::Every(every)) => {
            let says = format!("the server syncs every {} s: until then {lost}", every.as_secs());
            Check::warning(AREA, says, remedy)
        }
        None => {
            let says = format!(
                "when the server syncs cannot be asked by a client; its default is every 120 s: until then {lost}. What kpid \
                acknowledges itself is safe"
            );
            Check::warning(AREA, says, remedy)
        }
    }
}

/// Whether a daemon answers at the address of the settings. `is_held`: somebody holds the journal.
pub(in super::super) fn daemon(answer: Option<&Answer>, is_held: bool) -> Check {
    const AREA: &str = "daemon";
    match (answer, is_held) {
        (None, _) => Check::ok(
            AREA,
            "http.listen has port 0, so that a daemon cannot be asked from here",
        ),
        (Some(Ok((200, _))), _) => Check::ok(AREA, "a daemon answers and is ready"),
        (Some(Ok((status, words))), true) => {
            let says = format!("a daemon answers and is not ready ({status}): {}", words.trim());
            Check::warning(AREA, says, "wait, or do what it says")
        }
        (Some(Ok((status, _))), false) => {
            let says = format!("something else answers at http.listen ({status}), and nobody holds this journal");
            Check::problem(AREA, says, "stop it, or set another `http.listen`")
        }
        (Some(Err(reason)), true) => {
            let says = format!("somebody holds the journal and does not answer at http.listen: {reason}");
            Check::warning(AREA, says, "look at its log; it may listen elsewhere")
        }
        (Some(Err(_)), false) => Check::ok(AREA, "no daemon runs; `kpid serve` starts one"),
    }
}
