//! The four teams as they go on, faster than life.
//!
//! A starting instant and a mean distance between reports enter; at each step, the reports since the last one leave. Ratios,
//! means, stocks and durations are reported more often than in a history, in small measurements near their level, so that a
//! page moves; what adds up is reported in parts of the size that the time passed allows, so that totals stay plausible.

use std::sync::Arc;
use std::time::Duration;

use super::chance::Chance;
use super::strand::Strand;
use crate::domain::instant::{DAY_MS, Instant};
use crate::domain::measurement::{Report, ReportValue};

/// Most reports of one step: after a pause the play does not catch up, it goes on.
const STEP_REPORTS_MAX: usize = 1_000;
/// Size of a live ratio's denominator, of the usual.
const SMALL: f64 = 0.05;

/// An endless play.
#[derive(Debug)]
pub struct Live {
    strands: Arc<[Strand]>,
    chance: Chance,
    period_ms: f64,
    next: Instant,
    /// By strand: when it was last asked.
    asked: Vec<Instant>,
    /// By strand: sum of the weights up to it. Busy strands speak more often.
    weights: Vec<f64>,
}

impl Live {
    pub(super) fn new(strands: Arc<[Strand]>, chance: Chance, (from, period): (Instant, Duration)) -> Self {
        let mut sum = 0.0;
        let weights = strands.iter().map(|strand| {
            sum += strand.today(from).map_or(0.0, |today| today.per_day.sqrt());
            sum
        });
        Self {
            weights: weights.collect(),
            asked: vec![from; strands.len()],
            strands,
            chance,
            period_ms: (period.as_secs_f64() * 1_000.0).max(1.0),
            next: from,
        }
    }

    /// What was observed since the step before, up to `now`, in order. At most 1,000 reports: a longer pause is skipped.
    pub fn step(&mut self, now: Instant) -> Vec<Report> {
        let mut reports = Vec::new();
        while self.next <= now {
            if reports.len() == STEP_REPORTS_MAX {
                self.next = now.plus_ms(1);
                break;
            }
            reports.extend(self.speak(self.next));
            let pause = self.period_ms * self.chance.exponential();
            self.next = self.next.plus_ms((pause as i64).max(1));
        }
        reports
    }

    /// One report of a strand that has something to say; after some that have nothing, none.
    fn speak(&mut self, at: Instant) -> Option<Report> {
        (0..8).find_map(|_| {
            let drawn = self.chance.unit() * self.weights.last()?;
            let index = self.weights.partition_point(|weight| *weight <= drawn);
            self.strand_speaks(index, at)
        })
    }

    fn strand_speaks(&mut self, index: usize, at: Instant) -> Option<Report> {
        let strands = Arc::clone(&self.strands);
        let (strand, asked) = (strands.get(index)?, self.asked.get_mut(index)?);
        let today = strand.today(at)?;
        let passed = at.since(*asked).max(0) as f64;
        *asked = at;
        if strand.counts_reports() && !self.chance.happens(passed * today.per_day / DAY_MS as f64) {
            return None;
        }
        let mut moment = strand.moment(&today, at, None);
        moment.score = strand.level.rippling_score(at);
        moment.bustle = SMALL;
        moment.share = strand.share_of(passed);
        let report = strand.report(&today, &moment, &mut self.chance);
        let is_nothing = strand.adds_up() && report.value == Some(ReportValue::Number(0.0));
        (!is_nothing).then_some(report)
    }
}
