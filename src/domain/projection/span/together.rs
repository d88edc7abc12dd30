//! A large block of the recorded clock: all its measurements happen at one instant.
//!
//! A run enters; series have taken it in, and their nodes are dirty. As in a span, each series takes all its measurements at
//! one go, while its newest slice is at hand; nothing is evaluated. In which order the series come makes no difference: a
//! series knows nothing of the others, and dirty nodes are put in order before they are evaluated.

use std::sync::Arc;

use super::leaves::Common;
use super::sorting::{NOT_YET, Takers};
use super::{ROWS_A_LEAF_MIN, Spans, is_plain};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::projection::Projection;
use crate::domain::projection::rows::{Run, Slice};

/// Rows that are sorted together: what a core has cache for beside those that decode and write.
const ROWS_AT_ONCE: usize = 1 << 15;

impl Projection {
    /// Takes the measurements of an instant in, series by series, if it is worth it. False when nothing was done.
    pub(in crate::domain::projection) fn take_together(&mut self, run: &Run<'_>, at: Instant) -> bool {
        let is_sparse = run.rows.len() < self.series.len().saturating_mul(ROWS_A_LEAF_MIN);
        if is_sparse || !run.columns.extras.is_empty() || self.leaves_hang_together() {
            return false;
        }
        let observed_at = run.observed_at().iter().map(|at| Instant(*at));
        let oldest = observed_at.min().unwrap_or(at);
        // What is beyond the history is only counted; that is done elsewhere.
        if self
            .options
            .history_ms
            .is_some_and(|history_ms| at.since(oldest) > history_ms)
        {
            return false;
        }
        let mut spans = std::mem::take(&mut self.spans);
        self.list_takers(&mut spans.takers);
        let are_known = are_known(run, &spans.takers);
        if are_known {
            self.oldest_taken = self.oldest_taken.min(oldest);
            self.take_by_series(run.clone(), oldest, &mut spans);
            self.sequence = Sequence(run.first.0 + run.rows.len() as u64 - 1);
        }
        self.spans = spans;
        are_known
    }

    fn take_by_series(&mut self, mut run: Run<'_>, oldest: Instant, spans: &mut Spans) {
        let (catalog, shapes) = (Arc::clone(&self.catalog), Arc::clone(&self.shapes));
        let leaves = self.leaves(&catalog, &shapes);
        let Spans { takers, desk, .. } = spans;
        let names = std::mem::take(&mut self.journal_series);
        let mut series = std::mem::take(&mut self.series);
        while !run.rows.is_empty() {
            let part = run.split_before(run.rows.end.min(run.rows.start + ROWS_AT_ONCE));
            desk.sorted.sort(&part, oldest, takers, series.len());
            let common = Common {
                columns: part.columns,
                rows: &desk.sorted.rows,
                oldest: oldest.0,
                first: (part.rows.start, part.first),
                every_ms: 0,
                steps: &[],
                names: &names,
                is_plain: is_plain(&part),
                forgets: false,
            };
            let (mut begin, mut slice) = (0, Slice::default());
            for ((leaf, series), end) in leaves.iter().zip(&mut series).zip(&desk.sorted.ends) {
                let rows = common.rows.get(begin..*end as usize).unwrap_or_default();
                begin = *end as usize;
                if common.take_rows(leaf, series, (rows, usize::MAX), &mut slice).1 {
                    self.mark(leaf.node);
                }
            }
        }
        (self.series, self.journal_series) = (series, names);
    }
}

/// Whether all series of a run have their places.
fn are_known(run: &Run<'_>, takers: &[Takers]) -> bool {
    let series = run.columns.series.get(run.rows.clone()).unwrap_or_default();
    let taker = |series: &u32| takers.get(*series as usize).map_or(NOT_YET, |takers| takers.own);
    series.iter().all(|series| taker(series) != NOT_YET)
}
