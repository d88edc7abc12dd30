//! NATS, wired: connections, what is taken in, what is published.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::house::{Frame, HouseError, decode_limits};
use super::nats::{Link, NatsOptions, NatsTls, SecretSource, connect};
use super::tasks::{Closing, Tasks, closed};
use crate::domain::measurement::RejectionReason;
use crate::ingest::nats::{Door, NatsIngest, NatsIngestCounters, NatsRequests, PullOptions, RequestOptions};
use crate::pipeline::outbox::Delivering;
use crate::pipeline::readings::Keeping;
use crate::ports::{Intake, Outbox, Publisher, RejectionSink};
use crate::publish::nats::{NatsPublisher, Origin};
use crate::publish::rejections::{NatsRejections, rejections};
use crate::publish::streams::{OutLimits, OutStreams};
use crate::settings::{NatsAuth, NatsSettings, Settings};
use crate::telemetry::metric;
use crate::wire::streams::StreamLimits;

/// Rejections that wait to be passed on; more are counted and dropped.
const REJECTIONS_WAITING_MAX: usize = 10_000;
/// How often counts become metrics.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// Both connections, and where refused input goes.
pub(super) struct Transport {
    taking: Link,
    giving: Link,
    rejections: Arc<NatsRejections>,
}

/// Refused input without NATS: its sender was told, there is nobody else.
struct Nowhere;

impl RejectionSink for Nowhere {
    fn reject(&self, _: RejectionReason, _: &str, _: &'static str, _: &[u8]) {}
}

/// Connects, and starts what goes out. `None` where the settings go without NATS.
pub(super) async fn start_nats(
    settings: &Settings,
    frame: &Frame,
    outbox: &Arc<dyn Outbox>,
    closing: &Closing,
    tasks: &mut Tasks,
) -> Result<Option<Transport>, HouseError> {
    let nats = &settings.nats;
    if !nats.is_on() {
        return Ok(None);
    }
    let wrong = |error: super::nats::NatsError| HouseError::Wrong(error.to_string());
    let taking = connect(&nats_options(nats), "ingest").await.map_err(wrong)?;
    let giving = connect(&nats_options(nats), "publish").await.map_err(wrong)?;
    let limits = |standard: StreamLimits, bytes: u64, age: Option<Duration>| StreamLimits {
        bytes_max: i64::try_from(bytes).unwrap_or(i64::MAX),
        age_max: age.unwrap_or(standard.age_max),
        replicas: nats.streams.replicas,
        ..standard
    };
    let out_limits = OutLimits {
        alerts: limits(StreamLimits::ALERTS, nats.streams.alerts_max_bytes, None),
        rejected: limits(
            StreamLimits::REJECTED,
            nats.streams.rejected_max_bytes,
            Some(nats.streams.rejected_max_age),
        ),
        scores: limits(StreamLimits::SCORES, nats.streams.scores_max_bytes, None),
    };
    let context = async_nats::jetstream::new(giving.client.clone());
    let streams = Arc::new(OutStreams::new(context, out_limits));
    let (sink, publisher) = rejections(Arc::clone(&streams), REJECTIONS_WAITING_MAX);
    let stop = closing.posts.clone();
    tasks.spawn(async move {
        publisher.run(stop).await;
        ("rejections", Ok(()))
    });
    let origin = Origin {
        source: format!("kpid/{}", nats.name),
        base_url: settings.base_url(settings.http.listen),
    };
    let publisher = Arc::new(NatsPublisher::new(streams, origin));
    if nats.keeps_scores() {
        let keeping = Keeping {
            publisher: Arc::clone(&publisher) as Arc<dyn Publisher>,
            readings: Arc::clone(&frame.readings),
            every: settings.projection.post_every,
            stop: closing.posts.clone(),
        };
        tasks.spawn(async move {
            keeping.run().await;
            ("readings", Ok(()))
        });
    }
    let delivering = Delivering {
        publisher,
        outbox: Arc::clone(outbox),
        decided: Arc::clone(&frame.decided),
        stop: closing.posts.clone(),
    };
    tasks.spawn(async move { ("publish", delivering.run().await.map_err(HouseError::State)) });
    Ok(Some(Transport {
        taking,
        giving,
        rejections: Arc::new(sink),
    }))
}

impl Transport {
    /// Where refused input goes.
    pub fn rejections(&self) -> Arc<dyn RejectionSink> {
        Arc::clone(&self.rejections) as Arc<dyn RejectionSink>
    }

    /// Where refused input goes without NATS.
    pub fn nowhere() -> Arc<dyn RejectionSink> {
        Arc::new(Nowhere)
    }

    /// How the connections are, in a word.
    pub fn watcher(&self) -> Box<dyn Fn() -> &'static str + Send + Sync> {
        let (taking, giving) = (self.taking.state.clone(), self.giving.state.clone());
        Box::new(move || {
            if taking.borrow().connected && giving.borrow().connected {
                "connected"
            } else {
                "disconnected"
            }
        })
    }

    /// Opens the doors on NATS.
    pub fn start_taking(
        &self,
        settings: &Settings,
        intake: &Arc<dyn Intake>,
        closing: &Closing,
        tasks: &mut Tasks,
    ) -> Result<(), HouseError> {
        let nats = &settings.nats;
        let counters = Arc::new(NatsIngestCounters::default());
        let door = Door {
            intake: Arc::clone(intake),
            rejections: self.rejections(),
            limits: decode_limits(settings),
            counters: Arc::clone(&counters),
        };
        let ended = |error: crate::ingest::nats::NatsIngestError| HouseError::Ended {
            task: "nats",
            reason: error.to_string(),
        };
        if nats.jetstream {
            let pull = PullOptions {
                messages_max: nats.pull_batch,
                bytes_max: usize::try_from(nats.pull_bytes).unwrap_or(usize::MAX),
                in_flight_max: nats.batches_in_flight_max,
                ack_wait: nats.ack_wait,
                ..PullOptions::default()
            };
            let stream = StreamLimits {
                bytes_max: i64::try_from(nats.streams.measurements_max_bytes).unwrap_or(i64::MAX),
                age_max: nats.streams.measurements_max_age,
                replicas: nats.streams.replicas,
                ..StreamLimits::MEASUREMENTS
            };
            let ingest = NatsIngest::new(self.taking.client.clone(), self.taking.trouble.clone(), door.clone());
            let ingest = ingest
                .with_options(pull, stream)
                .map_err(|error| HouseError::Wrong(error.to_string()))?;
            let stop = closing.doors.clone();
            tasks.spawn(async move { ("nats", ingest.run(stop).await.map_err(ended)) });
        }
        let options = RequestOptions {
            jetstream: nats.jetstream,
            in_flight_max: nats.requests_in_flight_max,
            queue_group: nats.core_queue_group.clone(),
        };
        let requests = NatsRequests::new(self.taking.client.clone(), door, options);
        let stop = closing.doors.clone();
        tasks.spawn(async move { ("nats requests", requests.run(stop).await.map_err(ended)) });
        self.start_counting(counters, closing, tasks);
        Ok(())
    }

    /// Turns counts into metrics.
    fn start_counting(&self, counters: Arc<NatsIngestCounters>, closing: &Closing, tasks: &mut Tasks) {
        let (taking, giving) = (self.taking.state.clone(), self.giving.state.clone());
        let rejections = Arc::clone(&self.rejections);
        let mut doors = closing.doors.clone();
        tasks.spawn(async move {
            loop {
                let (taking, giving) = (taking.borrow().clone(), giving.borrow().clone());
                let connected = taking.connected && giving.connected;
                metrics::gauge!(metric::NATS_CONNECTED).set(if connected { 1.0 } else { 0.0 });
                metrics::counter!(metric::NATS_DISCONNECTS).absolute(taking.disconnections() + giving.disconnections());
                metrics::counter!(metric::NATS_MESSAGES).absolute(counters.messages.load(Ordering::Relaxed));
                metrics::counter!(metric::NATS_REDELIVERED).absolute(counters.redelivered.load(Ordering::Relaxed));
                metrics::counter!(metric::REJECTIONS_UNSENT).absolute(rejections.dropped());
                tokio::select! {
                    () = closed(&mut doors) => return ("nats counts", Ok(())),
                    () = tokio::time::sleep(COUNT_EVERY) => {}
                }
            }
        });
    }
}

/// How to reach and convince the server of the settings.
pub(super) fn nats_options(nats: &NatsSettings) -> NatsOptions {
    let secret = |secret: &crate::settings::Secret| Some(SecretSource::Text(secret.reveal().to_owned()));
    let (cert_file, key_file) = nats.tls.client.clone().unzip();
    let mut options = NatsOptions {
        urls: nats.url.clone(),
        name: nats.name.clone(),
        inbox_prefix: (!nats.inbox_prefix.is_empty()).then(|| nats.inbox_prefix.clone()),
        tls: NatsTls {
            ca_file: nats.tls.ca_file.clone(),
            cert_file,
            key_file,
            required: nats.tls.required,
            first: nats.tls.first,
        },
        ..NatsOptions::default()
    };
    let pull = PullOptions {
        messages_max: nats.pull_batch,
        ..PullOptions::default()
    };
    options.subscription_capacity = options.subscription_capacity.max(pull.subscription_capacity_min());
    match &nats.auth {
        NatsAuth::Anonymous => {}
        NatsAuth::CredentialsFile(path) => options.credentials_file = Some(path.clone()),
        NatsAuth::NKey(seed) => options.nkey = secret(seed),
        NatsAuth::UserPassword { user, password } => {
            options.user = Some(user.clone());
            options.password = secret(password);
        }
        NatsAuth::Token(token) => options.token = secret(token),
    }
    options
}
