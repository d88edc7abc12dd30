//! Every metric of kpid: its name, its kind, and what it says. There are no others.
//!
//! Rooms count with these constants: `metrics::counter!(metric::MEASUREMENTS, "result" => "accepted").increment(n)`.
//! Labels have few values; a KPI, an instance or a path is never one, because that would grow with the data.

/// How a metric moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only up.
    Counter,
    /// Up and down.
    Gauge,
    /// Many observations, in seconds unless the name says otherwise.
    Histogram,
}

/// One metric as it is described to Prometheus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Metric {
    /// Its name.
    pub name: &'static str,
    /// How it moves.
    pub kind: Kind,
    /// What it says.
    pub help: &'static str,
}

/// Measurements by `transport` (http, nats, file) and `result` (accepted, duplicate, rejected).
pub const MEASUREMENTS: &str = "kpid_measurements_total";
/// Measurements refused, by `reason`.
pub const REJECTIONS: &str = "kpid_rejections_total";
/// Rejections that could not be passed on because the post room was full.
pub const REJECTIONS_UNSENT: &str = "kpid_rejections_unsent_total";
/// Batches that wait for the journal.
pub const INTAKE_QUEUE: &str = "kpid_intake_queue";
/// Seconds from a batch's arrival to its receipt.
pub const INTAKE_SECONDS: &str = "kpid_intake_seconds";

/// Blocks made durable.
pub const BLOCKS: &str = "kpid_blocks_total";
/// Facts in a block.
pub const BLOCK_FACTS: &str = "kpid_block_facts";
/// Seconds that one append took, `fdatasync` included.
pub const COMMIT_SECONDS: &str = "kpid_commit_seconds";
/// Bytes of the journal on disk.
pub const JOURNAL_BYTES: &str = "kpid_journal_bytes";
/// Segment files of the journal.
pub const JOURNAL_SEGMENTS: &str = "kpid_journal_segments";
/// Last durable sequence.
pub const JOURNAL_SEQUENCE: &str = "kpid_journal_sequence";
/// Free bytes on the disk of the journal, or of the state where that has less.
pub const DISK_FREE_BYTES: &str = "kpid_disk_free_bytes";
/// Seconds by which the wall clock is behind the journal's, which never goes back.
pub const CLOCK_BEHIND: &str = "kpid_clock_behind_seconds";
/// 1 while there is room; 0 when nothing is taken in because the disk is nearly full.
pub const DISK_HAS_ROOM: &str = "kpid_disk_has_room";

/// Durable facts that the projection has not applied yet.
pub const APPLY_LAG: &str = "kpid_apply_lag";
/// Seconds that one block took to apply and evaluate.
pub const APPLY_SECONDS: &str = "kpid_apply_seconds";
/// Different series.
pub const SERIES: &str = "kpid_series";
/// Nodes evaluated.
pub const EVALUATIONS: &str = "kpid_evaluations_total";
/// Reloads of the catalog, by `result` (changed, unchanged, refused).
pub const CATALOG_RELOADS: &str = "kpid_catalog_reloads_total";
/// Checkpoints, by `result` (saved, failed).
pub const CHECKPOINTS: &str = "kpid_checkpoints_total";
/// Seconds that one checkpoint took.
pub const CHECKPOINT_SECONDS: &str = "kpid_checkpoint_seconds";
/// Derived state set aside and rebuilt.
pub const STATE_REBUILDS: &str = "kpid_state_rebuilds_total";
/// 1 when everything runs and the projection has caught up.
pub const READY: &str = "kpid_ready";

/// Alert transitions decided, by `kind` (firing, repeated, resolved).
pub const ALERT_TRANSITIONS: &str = "kpid_alert_transitions_total";
/// Alerts that fire now, by `severity`.
pub const ALERTS_FIRING: &str = "kpid_alerts_firing";
/// Transitions that are decided and not yet delivered, by `destination`.
pub const OUTBOX_PENDING: &str = "kpid_outbox_pending";
/// Deliveries, by `destination` and `result` (new, duplicate, failed).
pub const PUBLISHED: &str = "kpid_published_total";

/// 1 while the NATS connection stands.
pub const NATS_CONNECTED: &str = "kpid_nats_connected";
/// NATS connections lost.
pub const NATS_DISCONNECTS: &str = "kpid_nats_disconnects_total";
/// Messages taken from NATS, by pull and by request.
pub const NATS_MESSAGES: &str = "kpid_nats_messages_total";
/// Redelivered messages that were recognised by their stream sequence.
pub const NATS_REDELIVERED: &str = "kpid_nats_redelivered_total";

/// HTTP answers of known routes, by `route`, `method` and `status`.
pub const HTTP_REQUESTS: &str = "kpid_http_requests_total";
/// Seconds that an HTTP answer took, by `route`.
pub const HTTP_SECONDS: &str = "kpid_http_seconds";
/// Listeners of the event stream.
pub const HTTP_STREAMS: &str = "kpid_http_streams";
/// Always 1; the label `version` says which kpid this is.
pub const BUILD: &str = "kpid_build_info";

/// All of them, in the order in which a measurement meets them.
pub const ALL: [Metric; 35] = [
    counter(
        MEASUREMENTS,
        "Measurements by transport and result (accepted, duplicate, rejected)",
    ),
    counter(REJECTIONS, "Measurements refused, by reason"),
    counter(
        REJECTIONS_UNSENT,
        "Rejections that could not be passed on because the post room was full",
    ),
    gauge(INTAKE_QUEUE, "Batches that wait for the journal"),
    histogram(INTAKE_SECONDS, "Seconds from a batch's arrival to its receipt"),
    counter(BLOCKS, "Blocks made durable"),
    histogram(BLOCK_FACTS, "Facts in a block"),
    histogram(COMMIT_SECONDS, "Seconds that one append took, fdatasync included"),
    gauge(JOURNAL_BYTES, "Bytes of the journal on disk"),
    gauge(JOURNAL_SEGMENTS, "Segment files of the journal"),
    gauge(JOURNAL_SEQUENCE, "Last durable sequence"),
    gauge(
        DISK_FREE_BYTES,
        "Free bytes on the disk of the journal or of the state, the smaller",
    ),
    gauge(
        CLOCK_BEHIND,
        "Seconds by which the wall clock is behind the journal's, which never goes back",
    ),
    gauge(
        DISK_HAS_ROOM,
        "1 while there is room; 0 when nothing is taken in because the disk is nearly full",
    ),
    gauge(APPLY_LAG, "Durable facts that the projection has not applied yet"),
    histogram(APPLY_SECONDS, "Seconds that one block took to apply and evaluate"),
    gauge(SERIES, "Different series (KPI x instance)"),
    counter(EVALUATIONS, "Nodes evaluated"),
    counter(
        CATALOG_RELOADS,
        "Reloads of the catalog by result (changed, unchanged, refused)",
    ),
    counter(CHECKPOINTS, "Checkpoints by result (saved, failed)"),
    histogram(CHECKPOINT_SECONDS, "Seconds that one checkpoint took"),
    counter(STATE_REBUILDS, "Derived state set aside and rebuilt"),
    gauge(READY, "1 when everything runs and the projection has caught up"),
    counter(ALERT_TRANSITIONS, "Alert transitions decided, by kind"),
    gauge(ALERTS_FIRING, "Alerts that fire now, by severity"),
    gauge(
        OUTBOX_PENDING,
        "Transitions decided and not yet delivered, by destination",
    ),
    counter(
        PUBLISHED,
        "Deliveries by destination and result (new, duplicate, failed)",
    ),
    gauge(NATS_CONNECTED, "1 while the NATS connection stands"),
    counter(NATS_DISCONNECTS, "NATS connections lost"),
    counter(NATS_MESSAGES, "Messages taken from NATS, by pull and by request"),
    counter(
        NATS_REDELIVERED,
        "Redelivered messages recognised by their stream sequence",
    ),
    counter(
        HTTP_REQUESTS,
        "HTTP answers of known routes by route, method and status",
    ),
    histogram(HTTP_SECONDS, "Seconds that an HTTP answer took, by route"),
    gauge(HTTP_STREAMS, "Listeners of the event stream"),
    gauge(BUILD, "Always 1; the label version says which kpid this is"),
];

const fn counter(name: &'static str, help: &'static str) -> Metric {
    let kind = Kind::Counter;
    Metric { name, kind, help }
}

const fn gauge(name: &'static str, help: &'static str) -> Metric {
    let kind = Kind::Gauge;
    Metric { name, kind, help }
}

const fn histogram(name: &'static str, help: &'static str) -> Metric {
    let kind = Kind::Histogram;
    Metric { name, kind, help }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_their_kind_and_stand_once() {
        for metric in ALL {
            assert!(metric.name.starts_with("kpid_"), "{}", metric.name);
            assert_eq!(
                metric.name.ends_with("_total"),
                metric.kind == Kind::Counter,
                "{}",
                metric.name
            );
            assert!(!metric.help.is_empty());
        }
        let mut names: Vec<&str> = ALL.iter().map(|metric| metric.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), ALL.len());
    }
}
