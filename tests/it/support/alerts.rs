//! What arrives at `KPI_ALERTS`: every transition that was ever stored, and the stream made large enough to keep them all.

use async_nats::jetstream::Context;
use kpid::wire::streams::{self, StreamLimits};
use serde_json::Value;

/// Makes `KPI_ALERTS` before the daemon does, without its bound on the messages of one subject.
pub async fn keep_all_alerts(context: &Context) {
    let limits = StreamLimits {
        messages_per_subject_max: -1,
        ..StreamLimits::ALERTS
    };
    context
        .create_stream(streams::alerts(&limits))
        .await
        .expect("the stream of alerts");
}

/// The CloudEvents in `KPI_ALERTS`, in the order in which they were stored.
pub async fn stored_alerts(context: &Context) -> Vec<Value> {
    let stream = context.get_stream(streams::ALERTS).await.expect("the stream of alerts");
    let state = &stream.cached_info().state;
    assert_eq!(state.messages, state.last_sequence, "the stream has kept every alert");
    let mut events = Vec::new();
    for sequence in 1..=state.last_sequence {
        let message = stream.get_raw_message(sequence).await.expect("an alert");
        events.push(serde_json::from_slice(&message.payload).expect("a CloudEvent"));
    }
    events
}

/// Ids of these events, in order.
pub fn ids(events: &[Value]) -> Vec<String> {
    events
        .iter()
        .filter_map(|event| event["id"].as_str().map(str::to_owned))
        .collect()
}
