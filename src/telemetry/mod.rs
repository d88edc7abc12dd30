//! METERS: logs for people and machines, and kpid's own metrics.
//!
//! Names of metrics are in [`metric`], all of them in one file; rooms count through the `metrics` crate with those
//! constants. Logs go to stderr, because stdout is for data. Nothing here knows what it measures.

mod logs;
pub mod metric;
mod metrics_handle;

pub use logs::{Form, LogsError, start_logs};
pub use metrics_handle::{MetricsError, MetricsHandle, start_metrics};
