//! The stream of measurements and kpid's consumer on it: made where missing, checked where there, never altered.
//!
//! The journal's position enters, a consumer leaves that delivers exactly what follows it.

use async_nats::jetstream::consumer::{self, AckPolicy, Consumer, DeliverPolicy, ReplayPolicy, pull};
use async_nats::jetstream::context::{ConsumerInfoErrorKind, GetStreamErrorKind};
use async_nats::jetstream::stream::{ConsumerResetErrorKind, Stream};
use async_nats::jetstream::{Context, ErrorCode};
use tracing::{info, warn};

use super::{CONSUMER, PullOptions};
use crate::wire::streams::{self, Mismatch, StreamLimits, Unfit, mismatch};

/// Why a pull could not begin.
#[derive(Debug)]
pub(super) enum OpenError {
    /// A person must change something.
    Unfit(Unfit),
    /// It may work later.
    Later(String),
}

impl From<Unfit> for OpenError {
    fn from(unfit: Unfit) -> Self {
        Self::Unfit(unfit)
    }
}

/// What was being done, and what was said.
fn later(what: &'static str) -> impl Fn(&dyn std::fmt::Display) -> OpenError {
    move |error| OpenError::Later(format!("{what}: {error}"))
}

/// The stream of measurements.
pub(super) async fn open_stream(context: &Context, limits: &StreamLimits) -> Result<Stream, OpenError> {
    let needed = streams::measurements(limits);
    match context.get_stream(&needed.name).await {
        Ok(stream) => {
            streams::check(&stream.cached_info().config, &needed)?;
            Ok(stream)
        }
        Err(error) => match error.kind() {
            GetStreamErrorKind::JetStream(error) if error.error_code() == ErrorCode::STREAM_NOT_FOUND => {
                let stream = context.create_stream(needed).await;
                let stream = stream.map_err(|error| later("create stream KPI_MEASUREMENTS")(&error))?;
                info!(stream = streams::MEASUREMENTS, "stream created");
                Ok(stream)
            }
            GetStreamErrorKind::Request => Err(OpenError::Later(format!(
                "look up stream KPI_MEASUREMENTS: {error}: if this lasts, enable JetStream on the server or set \
                 nats.jetstream = false"
            ))),
            _ => Err(later("look up stream KPI_MEASUREMENTS")(&error)),
        },
    }
}

/// kpid's consumer.
pub(super) async fn open_consumer(stream: &Stream, options: &PullOptions) -> Result<Consumer<pull::Config>, OpenError> {
    match stream.consumer_info(CONSUMER).await {
        Ok(found) => {
            check(&found.config, options)?;
            let consumer = stream.get_consumer(CONSUMER).await;
            consumer.map_err(|error| later("look up consumer kpid")(&error))
        }
        Err(error) if matches!(error.kind(), ConsumerInfoErrorKind::NotFound) => {
            create(stream, options, DeliverPolicy::All).await
        }
        Err(error) => Err(later("look up consumer kpid")(&error)),
    }
}

async fn create(
    stream: &Stream,
    options: &PullOptions,
    from: DeliverPolicy,
) -> Result<Consumer<pull::Config>, OpenError> {
    let config = pull::Config {
        durable_name: Some(CONSUMER.to_owned()),
        description: Some("measurements into kpid; its journal keeps the position".to_owned()),
        deliver_policy: from,
        ack_policy: AckPolicy::All,
        ack_wait: options.ack_wait,
        max_deliver: -1,
        max_ack_pending: options.ack_pending_min().saturating_mul(4),
        ..pull::Config::default()
    };
    let consumer = stream.create_consumer_strict(config).await;
    let consumer = consumer.map_err(|error| later("create consumer kpid")(&error))?;
    info!(consumer = CONSUMER, "consumer created");
    Ok(consumer)
}

/// Holds a consumer that was found against what is needed.
fn check(found: &consumer::Config, options: &PullOptions) -> Result<(), Unfit> {
    let mut mismatches = Vec::new();
    if found.deliver_subject.is_some() {
        mismatches.push(mismatch(
            "deliver_subject",
            &found.deliver_subject,
            "none: a pull consumer",
        ));
    }
    if found.ack_policy != AckPolicy::All {
        mismatches.push(mismatch("ack_policy", found.ack_policy, AckPolicy::All));
    }
    if found.max_deliver > 0 {
        mismatches.push(mismatch("max_deliver", found.max_deliver, -1));
    }
    let from_start = DeliverPolicy::All == found.deliver_policy
        || matches!(found.deliver_policy, DeliverPolicy::ByStartSequence { .. });
    if !from_start {
        mismatches.push(mismatch("deliver_policy", found.deliver_policy, DeliverPolicy::All));
    }
    if found.replay_policy != ReplayPolicy::Instant {
        mismatches.push(mismatch("replay_policy", found.replay_policy, ReplayPolicy::Instant));
    }
    if found.headers_only {
        mismatches.push(mismatch("headers_only", true, false));
    }
    check_filter(found, &mut mismatches);
    check_limits(found, options, &mut mismatches);
    if mismatches.is_empty() {
        return Ok(());
    }
    Err(Unfit {
        what: format!("consumer {CONSUMER} of stream {}", streams::MEASUREMENTS),
        mismatches,
        remedy:
            "remove it with `nats consumer rm KPI_MEASUREMENTS kpid` and kpid makes a new one, which continues after \
                 the journal; kpid never alters it"
                .to_owned(),
    })
}

/// A filter that leaves measurements out would leave them out in silence.
fn check_filter(found: &consumer::Config, mismatches: &mut Vec<Mismatch>) {
    let mut filters = found.filter_subjects.clone();
    if !found.filter_subject.is_empty() {
        filters.push(found.filter_subject.clone());
    }
    let needed = streams::measurements(&StreamLimits::MEASUREMENTS).subjects;
    let all = needed
        .iter()
        .all(|subject| filters.iter().any(|filter| streams::covers(filter, subject)));
    if !(filters.is_empty() || all) {
        mismatches.push(mismatch("filter_subjects", filters, "none"));
    }
}

/// Limits that would stop or starve the pull; zero or less is no limit, except for `max_ack_pending`.
fn check_limits(found: &consumer::Config, options: &PullOptions, mismatches: &mut Vec<Mismatch>) {
    let size = |number: usize| i64::try_from(number).unwrap_or(i64::MAX);
    for (field, found, needed) in [
        ("max_ack_pending", found.max_ack_pending, options.ack_pending_min()),
        ("max_batch", found.max_batch, size(options.messages_max)),
        ("max_bytes", found.max_bytes, size(options.bytes_max)),
    ] {
        if found > 0 && found < needed {
            mismatches.push(mismatch(field, found, format!("at least {needed}")));
        }
    }
    if !found.max_expires.is_zero() && found.max_expires < super::pull::EXPIRES {
        mismatches.push(mismatch("max_expires", found.max_expires, super::pull::EXPIRES));
    }
}

/// Sets the consumer to continue after `cursor`. Returns it with the consumer sequence of the next delivery.
///
/// What a crash left unacknowledged would otherwise come again only after `ack_wait`, behind messages that are newer.
pub(super) async fn align(
    stream: &Stream,
    consumer: Consumer<pull::Config>,
    cursor: u64,
    options: &PullOptions,
) -> Result<(Consumer<pull::Config>, u64), OpenError> {
    let found = consumer.get_info().await;
    let found = found.map_err(|error| later("look up consumer kpid")(&error))?;
    let settled = found.num_ack_pending == 0 && found.delivered.stream_sequence == cursor;
    if settled {
        return Ok((consumer, found.delivered.consumer_sequence + 1));
    }
    info!(
        cursor,
        delivered = found.delivered.stream_sequence,
        unacknowledged = found.num_ack_pending,
        "consumer set to continue after the journal"
    );
    match stream.reset_consumer(CONSUMER, Some(cursor + 1)).await {
        Ok(reset) => Ok((consumer, reset.info.delivered.consumer_sequence + 1)),
        Err(error) if cannot_reset(&error.kind()) => recreate(stream, cursor, options).await,
        Err(error) => Err(later("reset consumer kpid")(&error)),
    }
}

/// Servers before 2.14 do not know the request, and a consumer with a start of its own cannot go back before it.
fn cannot_reset(kind: &ConsumerResetErrorKind) -> bool {
    matches!(
        kind,
        ConsumerResetErrorKind::NotFound | ConsumerResetErrorKind::InvalidReset
    )
}

/// The consumer holds nothing but a position, and the journal knows that better.
async fn recreate(
    stream: &Stream,
    cursor: u64,
    options: &PullOptions,
) -> Result<(Consumer<pull::Config>, u64), OpenError> {
    warn!(cursor, "consumer cannot be reset: it is removed and made again");
    let removed = stream.delete_consumer(CONSUMER).await;
    removed.map_err(|error| later("remove consumer kpid")(&error))?;
    let from = DeliverPolicy::ByStartSequence {
        start_sequence: cursor + 1,
    };
    Ok((create(stream, options, from).await?, 1))
}
