//! The four teams, played: plausible measurements for a catalog, always the same for the same seed.
//!
//! A catalog and a seed enter; reports leave, as history in the order of their arrival, or live, step by step. Weeks have
//! quiet weekends, KPIs drift and wander between red and better than the target, each team has one incident, some reports
//! come late and some are corrected. It knows what fits a definition and nothing of journals, doors or the time of day:
//! instants are arguments, and chance comes from the seed alone.
//!
//! | file | what |
//! |---|---|
//! | `chance` | numbers that look random |
//! | `level` | how well a KPI does at an instant, as a score; incidents |
//! | `yardstick` | which value has a score: the definition read backwards |
//! | `recipe` | what is measured so that a window comes to a value |
//! | `strand` | one KPI of one instance: who reports, how often, in which words |
//! | `history`, `live` | the two ways to play it |

mod chance;
mod history;
mod level;
mod live;
mod recipe;
mod strand;
#[cfg(test)]
mod tests;
mod yardstick;

use std::sync::Arc;
use std::time::Duration;

use crate::domain::catalog::Catalog;
use crate::domain::instant::Instant;
use crate::domain::measurement::Report;

pub use history::History;
pub use live::Live;

use chance::Chance;
use strand::Strand;

/// Every KPI of a catalog with its character.
#[derive(Debug, Clone)]
pub struct Simulation {
    seed: u64,
    strands: Arc<[Strand]>,
}

/// A report, and when it arrived.
#[derive(Debug, Clone, PartialEq)]
pub struct Emission {
    /// Not before `report.observed_at`; hours or days after it for late ones.
    pub received_at: Instant,
    /// What arrived.
    pub report: Report,
}

impl Simulation {
    /// Gives every KPI of a catalog a character; the same catalog and seed give the same one.
    pub fn new(catalog: &Catalog, seed: u64) -> Self {
        let cards = catalog.scorecards.iter().enumerate();
        let mut strands = Vec::new();
        for (index, card) in cards {
            let kpis = card.kpis.iter();
            let mut team: Vec<_> = kpis.flat_map(|kpi| Strand::of_kpi((index, card), kpi, seed)).collect();
            // An incident that hits nothing would be none.
            if !team.iter().any(|strand| strand.is_fragile)
                && let Some(first) = team.first_mut()
            {
                first.is_fragile = true;
            }
            strands.append(&mut team);
        }
        Self {
            seed,
            strands: strands.into(),
        }
    }

    /// What was observed and arrived in `from..to`, in the order of arrival, with one incident for each scorecard.
    pub fn history(&self, from: Instant, to: Instant) -> History {
        History::new(Arc::clone(&self.strands), self.seed, (from, to))
    }

    /// Plays on from `from`, with one report every `period` on average.
    pub fn live(&self, from: Instant, period: Duration) -> Live {
        Live::new(
            Arc::clone(&self.strands),
            Chance::new(self.seed).of("live"),
            (from, period),
        )
    }
}
