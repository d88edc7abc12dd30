//! The streams that kpid writes to: made where missing, checked where there, never altered.
//!
//! A connection enters, the bucket of readings leaves, once all of them are there. The outcome is kept until somebody
//! finds a stream missing, so that a delivery does not ask for it each time.

use std::sync::Arc;

use async_nats::jetstream::context::GetStreamErrorKind;
use async_nats::jetstream::kv::{self, Store};
use async_nats::jetstream::stream::{Config, StorageType};
use async_nats::jetstream::{Context, ErrorCode};
use tokio::sync::Mutex;
use tracing::info;

use crate::wire::streams::{self, StreamLimits, Unfit};

/// What the streams keep when they are made here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutLimits {
    /// `KPI_ALERTS`.
    pub alerts: StreamLimits,
    /// `KPI_REJECTED`.
    pub rejected: StreamLimits,
    /// `KPI_SCORES`.
    pub scores: StreamLimits,
}

impl Default for OutLimits {
    fn default() -> Self {
        Self {
            alerts: StreamLimits::ALERTS,
            rejected: StreamLimits::REJECTED,
            scores: StreamLimits::SCORES,
        }
    }
}

/// Why the streams are not there.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StreamsError {
    /// A stream that kpid cannot work with and does not alter: a person must change it.
    #[error("nats: {0}")]
    Unfit(#[from] Unfit),
    /// The server is away, still starting, or refuses: it may work later.
    #[error("nats: {what}: {reason}")]
    Later {
        /// What was tried.
        what: String,
        /// What was said.
        reason: String,
    },
}

/// The streams that kpid writes to, on one connection.
pub struct OutStreams {
    context: Context,
    limits: OutLimits,
    scores: Mutex<Option<Arc<Store>>>,
}

impl OutStreams {
    /// Nothing is asked of the server yet.
    pub fn new(context: Context, limits: OutLimits) -> Self {
        Self {
            context,
            limits,
            scores: Mutex::new(None),
        }
    }

    /// JetStream on this connection.
    pub fn context(&self) -> &Context {
        &self.context
    }

    /// Makes what is missing and checks what is there. Returns the bucket of readings.
    pub async fn ensure(&self) -> Result<Arc<Store>, StreamsError> {
        let mut scores = self.scores.lock().await;
        if let Some(store) = &*scores {
            return Ok(Arc::clone(store));
        }
        for needed in [
            streams::alerts(&self.limits.alerts),
            streams::rejected(&self.limits.rejected),
        ] {
            if !self.fits(&needed).await? {
                let name = needed.name.clone();
                let made = self.context.create_stream(needed).await;
                made.map_err(|error| later(format!("create stream {name}"), &error))?;
                info!(stream = name, "stream created");
            }
        }
        let store = Arc::new(self.bucket().await?);
        *scores = Some(Arc::clone(&store));
        Ok(store)
    }

    /// Somebody found a stream missing: the next `ensure` looks again.
    pub async fn forget(&self) {
        self.scores.lock().await.take();
    }

    /// Whether a stream is there; when it is, it must fit.
    async fn fits(&self, needed: &Config) -> Result<bool, StreamsError> {
        match self.context.get_stream(&needed.name).await {
            Ok(found) => {
                streams::check(&found.cached_info().config, needed)?;
                Ok(true)
            }
            Err(error) => match error.kind() {
                GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => Ok(false),
                _ => Err(later(format!("look up stream {}", needed.name), &error)),
            },
        }
    }

    async fn bucket(&self) -> Result<Store, StreamsError> {
        let limits = &self.limits.scores;
        if self.fits(&streams::scores(limits)).await? {
            let store = self.context.get_key_value(streams::SCORES).await;
            return store.map_err(|error| later(format!("open bucket {}", streams::SCORES), &error));
        }
        let config = kv::Config {
            bucket: streams::SCORES.to_owned(),
            description: "latest readings of kpid".to_owned(),
            history: limits.messages_per_subject_max,
            max_bytes: limits.bytes_max,
            max_age: limits.age_max,
            num_replicas: limits.replicas,
            storage: StorageType::File,
            ..kv::Config::default()
        };
        let store = self.context.create_key_value(config).await;
        let store = store.map_err(|error| later(format!("create bucket {}", streams::SCORES), &error))?;
        info!(bucket = streams::SCORES, "bucket created");
        Ok(store)
    }
}

fn later(what: String, reason: &impl ToString) -> StreamsError {
    StreamsError::Later {
        what,
        reason: reason.to_string(),
    }
}
