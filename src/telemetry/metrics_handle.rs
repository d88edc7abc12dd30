//! Collects what the rooms count, and writes it down the way Prometheus reads it.
//!
//! Counts enter through the `metrics` crate, a page of text leaves by [`MetricsHandle::render`]. One recorder serves the
//! whole process; nothing listens on a port of its own.

use metrics::{describe_counter, describe_gauge, describe_histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use super::metric::{self, Kind};

/// Bounds of time histograms in seconds: from a commit on a fast disk (0.1 ms) to a request that is given up.
const SECONDS: [f64; 14] = [
    0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Bounds of counts in a block: from one measurement alone to a flood.
const FACTS: [f64; 8] = [1.0, 10.0, 100.0, 1_000.0, 5_000.0, 10_000.0, 30_000.0, 65_536.0];

/// Where the counts are.
#[derive(Clone)]
pub struct MetricsHandle {
    prometheus: PrometheusHandle,
}

/// Why there are no metrics.
#[derive(Debug, thiserror::Error)]
pub enum MetricsError {
    /// The recorder could not be made or another one is in place.
    #[error("metrics cannot be recorded in this process: {0}")]
    Recorder(#[from] metrics_exporter_prometheus::BuildError),
}

/// Installs the recorder of this process and describes every metric.
pub fn start_metrics() -> Result<MetricsHandle, MetricsError> {
    let prometheus = builder()?.install_recorder()?;
    describe_all();
    metrics::gauge!(metric::BUILD, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(MetricsHandle { prometheus })
}

impl MetricsHandle {
    /// Everything counted so far, in Prometheus' text form.
    pub fn render(&self) -> String {
        self.prometheus.run_upkeep();
        self.prometheus.render()
    }
}

fn builder() -> Result<PrometheusBuilder, MetricsError> {
    let builder = PrometheusBuilder::new().set_buckets(&SECONDS)?;
    Ok(builder.set_buckets_for_metric(Matcher::Full(metric::BLOCK_FACTS.to_owned()), &FACTS)?)
}

fn describe_all() {
    for metric in metric::ALL {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_rendered_with_its_description() {
        let recorder = builder().unwrap().build_recorder();
        let prometheus = recorder.handle();
        metrics::with_local_recorder(&recorder, || {
            describe_all();
            metrics::counter!(metric::REJECTIONS, "reason" => "malformed").increment(2);
            metrics::histogram!(metric::COMMIT_SECONDS).record(0.000_2);
        });
        let page = MetricsHandle { prometheus }.render();
        assert!(
            page.contains("# HELP kpid_rejections_total Measurements refused, by reason"),
            "{page}"
        );
        assert!(page.contains("kpid_rejections_total{reason=\"malformed\"} 2"), "{page}");
        assert!(page.contains("kpid_commit_seconds_bucket{le=\"0.00025\"} 1"), "{page}");
    }
}
