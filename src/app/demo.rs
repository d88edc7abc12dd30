//! The demo: a house on a throw-away journal, fed by the simulation of the four teams.
//!
//! Months of history are played first, by a clock that is set to each arrival: so windows, alerts and their instants are
//! those that a daemon would have had that ran all the time. Then the clock is the wall's, and measurements come in live.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::watch;
use tracing::info;

use super::clock::{PlayClock, SystemClock};
use super::definitions::CatalogSource;
use super::serve::{Feed, HouseError};
use crate::domain::catalog::Catalog;
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant};
use crate::domain::measurement::Report;
use crate::ports::{Batch, Clock, Intake, IntakeError};
use crate::settings::Settings;
use crate::simulation::Simulation;

/// What the demo plays.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// The same seed plays the same story.
    pub seed: u64,
    /// Days of history before the present.
    pub days: u32,
    /// Folder of journal and state; deleted by whoever made it.
    pub folder: PathBuf,
}

/// How much history is taken in at once: what arrived in this time.
const STEP_MS: i64 = 3 * HOUR_MS;
/// How often live measurements come.
const LIVE_EVERY: Duration = Duration::from_secs(1);
/// Time between two live measurements.
const LIVE_PERIOD: Duration = Duration::from_millis(300);

/// Runs the demo until SIGTERM or SIGINT.
pub fn demo(
    mut settings: Settings,
    catalog: Catalog,
    options: &DemoOptions,
    announce: impl FnOnce(SocketAddr) + Send + 'static,
) -> Result<(), HouseError> {
    let now = SystemClock.now();
    let start = now.plus_ms(-i64::from(options.days) * DAY_MS);
    let clock = Arc::new(PlayClock::at(start));
    settings.data_dir.clone_from(&options.folder);
    let simulation = Simulation::new(&catalog, options.seed);
    let feed = Played {
        simulation,
        clock: Arc::clone(&clock),
        start,
        now,
    };
    let files = catalog.files.clone();
    // The demo's definitions are in the program: read again, they are the same.
    let source: CatalogSource = Arc::new(move || Ok(files.clone()));
    super::serve::run(
        settings,
        (Arc::new(catalog), source),
        clock,
        Some(Box::new(feed)),
        Box::new(announce),
    )
}

struct Played {
    simulation: Simulation,
    clock: Arc<PlayClock>,
    start: Instant,
    now: Instant,
}

impl Feed for Played {
    fn run(
        self: Box<Self>,
        intake: Arc<dyn Intake>,
        stop: watch::Receiver<bool>,
    ) -> BoxFuture<'static, Result<(), String>> {
        Box::pin(async move {
            let played = self.history(&*intake, &stop).await.and(self.live(&*intake, stop).await);
            match played {
                // The house is closing: nothing is wrong.
                Ok(()) | Err(IntakeError::Closed) => Ok(()),
                Err(error) => Err(error.to_string()),
            }
        })
    }
}

impl Played {
    async fn history(&self, intake: &dyn Intake, stop: &watch::Receiver<bool>) -> Result<(), IntakeError> {
        let mut arrived: Vec<Report> = Vec::new();
        let mut until = self.start.plus_ms(STEP_MS);
        let mut count = 0;
        for emission in self.simulation.history(self.start, self.now) {
            if *stop.borrow() {
                return Ok(());
            }
            while emission.received_at > until {
                count += arrived.len();
                self.submit(intake, until, &mut arrived).await?;
                until = until.plus_ms(STEP_MS);
            }
            arrived.push(emission.report);
        }
        count += arrived.len();
        self.submit(intake, self.now.min(until), &mut arrived).await?;
        info!(measurements = count, from = %self.start, to = %self.now, "history played");
        self.clock.follow_the_wall();
        Ok(())
    }

    async fn submit(&self, intake: &dyn Intake, at: Instant, arrived: &mut Vec<Report>) -> Result<(), IntakeError> {
        self.clock.set(at);
        let reports: Vec<_> = arrived.drain(..).map(Ok).collect();
        if reports.is_empty() {
            return Ok(());
        }
        let receipt = intake
            .submit(Batch {
                reports: reports.into(),
                transport: "file",
                position: None,
                follows: 0,
            })
            .await?;
        if let Some(rejection) = receipt.rejected.first() {
            tracing::warn!(
                count = receipt.rejected.len(),
                reason = rejection.reason.word(),
                detail = rejection.detail,
                "simulated measurements rejected"
            );
        }
        Ok(())
    }

    async fn live(&self, intake: &dyn Intake, mut stop: watch::Receiver<bool>) -> Result<(), IntakeError> {
        let mut live = self.simulation.live(self.clock.now(), LIVE_PERIOD);
        loop {
            tokio::select! {
                () = super::tasks::closed(&mut stop) => return Ok(()),
                () = tokio::time::sleep(LIVE_EVERY) => {}
            }
            let reports: Vec<_> = live.step(self.clock.now()).into_iter().map(Ok).collect();
            if !reports.is_empty() {
                intake
                    .submit(Batch {
                        reports: reports.into(),
                        transport: "file",
                        position: None,
                        follows: 0,
                    })
                    .await?;
            }
        }
    }
}
