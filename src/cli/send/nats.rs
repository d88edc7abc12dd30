//! Batches to the stream of measurements over NATS, each acknowledged by the stream.
//!
//! The stream keeps what it acknowledged; what the daemon then makes of it is not known here.

use std::path::Path;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::{self, Context};
use bytes::Bytes;
use tokio::runtime::Runtime;

use super::delivery::{Answer, Failure};
use super::parcel::Parcel;

/// The subject of measurements.
const SUBJECT: &str = "kpi.v1.measurement";
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// A NATS server, connected to at the first batch.
pub(super) struct NatsDestination {
    runtime: Runtime,
    url: String,
    options: ConnectOptions,
    stream: Option<Context>,
}

impl NatsDestination {
    pub(super) fn at(url: &str, credentials: Option<&Path>) -> Result<Self, String> {
        // A thread of its own, so that the connection lives on between two batches.
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| format!("the runtime cannot be started: {error}"))?;
        let options = ConnectOptions::new()
            .name("kpid send")
            .connection_timeout(CONNECT_TIMEOUT);
        let options = match credentials {
            None => options,
            Some(path) => runtime
                .block_on(options.credentials_file(path))
                .map_err(|error| format!("the credentials in {} cannot be read: {error}", path.display()))?,
        };
        Ok(Self {
            runtime,
            url: url.to_owned(),
            options,
            stream: None,
        })
    }

    /// Publishes a batch and waits for the stream's acknowledgement. A key that the stream has seen is a success too.
    pub(super) fn send(&mut self, parcel: &Parcel, known: bool) -> Result<Answer, Failure> {
        let stream = match &self.stream {
            Some(stream) => stream.clone(),
            None => self.connect()?,
        };
        let message = PublishMessage::build().payload(Bytes::copy_from_slice(&parcel.body));
        let message = if known {
            message.message_id(&parcel.key)
        } else {
            message
        };
        let published = self.runtime.block_on(async {
            let acknowledged = stream.send_publish(SUBJECT, message).await?;
            acknowledged.await
        });
        match published {
            Ok(_) => Ok(Answer::Stored),
            Err(error) => Err(match error.kind() {
                PublishErrorKind::MaxPayloadExceeded => Failure::Never(format!("{error}: use a smaller --batch")),
                PublishErrorKind::StreamNotFound => {
                    let remedy = "start the daemon with this NATS server, it makes the stream";
                    Failure::Later(format!("no stream takes {SUBJECT}: {remedy}"), None)
                }
                _ => Failure::Later(error.to_string(), None),
            }),
        }
    }

    fn connect(&mut self) -> Result<Context, Failure> {
        let connected = self.runtime.block_on(self.options.clone().connect(&self.url));
        let client = connected.map_err(|error| Failure::Later(error.to_string(), None))?;
        // The context starts a task of its own.
        let _inside = self.runtime.enter();
        Ok(self.stream.insert(jetstream::new(client)).clone())
    }
}
