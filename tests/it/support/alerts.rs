//! What arrives at `KPI_ALERTS`: every transition that was ever stored, and the stream made large enough to keep them all.

use std::collections::BTreeSet;
use std::time::Duration;

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

/// Waits until as many alerts are stored as a replay decided, and holds both against each other: each once, none beside them.
/// Gives back how many.
pub async fn each_stored_once(context: &Context, decided: &[Value]) -> usize {
    for _ in 0..1_000 {
        let mut stream = context.get_stream(streams::ALERTS).await.expect("the stream of alerts");
        if stream.info().await.expect("its state").state.messages >= decided.len() as u64 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let stored = ids(&stored_alerts(context).await);
    let once: BTreeSet<String> = stored.iter().cloned().collect();
    assert_eq!(stored.len(), once.len(), "an alert was stored twice");
    let missing: Vec<&Value> = decided
        .iter()
        .filter(|alert| !alert["id"].as_str().is_some_and(|id| once.contains(id)))
        .collect();
    assert!(
        missing.is_empty(),
        "decided by a replay and not stored, of {}: {missing:#?}",
        decided.len()
    );
    assert_eq!(stored.len(), decided.len(), "stored, and decided by no replay");
    stored.len()
}
