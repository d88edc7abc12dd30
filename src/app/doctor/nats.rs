//! NATS as a client sees it: reachable, which version, JetStream and its streams, and the server's own page where it has one.
//!
//! Settings enter, findings leave. Streams are looked up, never made or altered.

use std::str::FromStr;
use std::time::Duration;

use async_nats::ServerAddr;
use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::stream::Config;
use serde_json::Value;

use super::machine::ask;
use crate::app::nats::{Link, connect};
use crate::app::transport::nats_options;
use crate::settings::NatsSettings;
use crate::wire::streams::{self, StreamLimits};

/// Longest wait for the server.
const ANSWER_MAX: Duration = Duration::from_secs(3);
/// Where a server shows its own state, unless told otherwise; it need not.
const MONITORING_PORT: u16 = 8_222;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum NatsFound {
    /// Not set.
    Off,
    /// Set to what can never work.
    Wrong(String),
    /// Nobody answers, or we are not let in.
    Away(String),
    /// Here it is.
    There(Server),
}

/// A server that answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Server {
    pub version: String,
    /// What was found of each stream, or why JetStream does not answer.
    pub streams: Result<Vec<(String, StreamFound)>, String>,
    /// When the server syncs; `None` when it does not tell.
    pub sync: Option<Sync>,
}

/// A stream that kpid uses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StreamFound {
    /// Not there yet: kpid makes it.
    Missing,
    /// It does not fit.
    Unfit(String),
    /// The server did not say.
    Unknown(String),
    /// It fits.
    There {
        replicas: usize,
        /// Zero: no limit.
        age_max: Duration,
        /// -1: no limit.
        bytes_max: i64,
    },
}

/// When a server makes durable what it acknowledged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sync {
    /// Before it acknowledges.
    Always,
    /// So often.
    Every(Duration),
}

/// Asks the server of the settings.
pub(super) fn look(settings: &NatsSettings) -> NatsFound {
    if !settings.is_on() {
        return NatsFound::Off;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(look_at(settings)),
        Err(error) => NatsFound::Away(error.to_string()),
    }
}

async fn look_at(settings: &NatsSettings) -> NatsFound {
    let link = match connect(&nats_options(settings), "doctor").await {
        Ok(link) => link,
        Err(error) => return NatsFound::Wrong(error.to_string()),
    };
    let Ok(Ok(())) = tokio::time::timeout(ANSWER_MAX, link.client.flush()).await else {
        let said = link.state.borrow().last_error.clone();
        return NatsFound::Away(said.as_deref().unwrap_or("no answer").to_owned());
    };
    let version = link.client.server_info().version;
    let streams = streams_of(&link).await;
    let host = settings.url.first().and_then(|url| ServerAddr::from_str(url).ok());
    let host = host.map(|server| server.host().to_owned());
    let sync = host.and_then(|host| sync_of(&ask(&format!("http://{host}:{MONITORING_PORT}/jsz?config=true")).ok()?.1));
    NatsFound::There(Server { version, streams, sync })
}

async fn streams_of(link: &Link) -> Result<Vec<(String, StreamFound)>, String> {
    let mut context = async_nats::jetstream::new(link.client.clone());
    context.set_timeout(ANSWER_MAX);
    context.query_account().await.map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for needed in [
        streams::measurements(&StreamLimits::MEASUREMENTS),
        streams::alerts(&StreamLimits::ALERTS),
        streams::rejected(&StreamLimits::REJECTED),
        streams::scores(&StreamLimits::SCORES),
    ] {
        let state = match context.get_stream(&needed.name).await {
            Ok(stream) => fits(&stream.cached_info().config, &needed),
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                    StreamFound::Missing
                }
                _ => StreamFound::Unknown(error.to_string()),
            },
        };
        found.push((needed.name, state));
    }
    Ok(found)
}

fn fits(found: &Config, needed: &Config) -> StreamFound {
    match streams::check(found, needed) {
        Err(unfit) => StreamFound::Unfit(unfit.to_string()),
        Ok(()) => StreamFound::There {
            replicas: found.num_replicas,
            age_max: found.max_age,
            bytes_max: found.max_bytes,
        },
    }
}

/// What a server's page about JetStream says of syncing.
fn sync_of(page: &str) -> Option<Sync> {
    let page: Value = serde_json::from_str(page).ok()?;
    let config = page.get("config")?;
    if config.get("sync_always").and_then(Value::as_bool) == Some(true) {
        return Some(Sync::Always);
    }
    let nanos = config.get("sync_interval").and_then(Value::as_u64)?;
    Some(Sync::Every(Duration::from_nanos(nanos)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_servers_page_tells_when_it_syncs() {
        let always = r#"{"config":{"sync_interval":120000000000,"sync_always":true}}"#;
        assert_eq!(sync_of(always), Some(Sync::Always));
        let every = r#"{"config":{"max_memory":1,"sync_interval":120000000000}}"#;
        assert_eq!(sync_of(every), Some(Sync::Every(Duration::from_mins(2))));
        assert_eq!(sync_of("{}"), None);
        assert_eq!(sync_of("not found"), None);
    }
}
