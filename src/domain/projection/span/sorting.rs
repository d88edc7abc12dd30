//! The rows of a span in the order of the series that take them in.
//!
//! A run enters; rows and where those of each series end leave. Nothing is taken in here.

use super::super::Projection;
use super::super::instances::Placed;
use super::super::rows::Run;
use crate::domain::instant::Instant;

/// A row of a span on its way to a leaf: what is plain in it, so that a leaf finds its rows beside each other. Two thirds as
/// large as with a whole instant, which is worth it: sorting is nothing but writing these.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Way {
    pub value: f64,
    pub row: u32,
    /// How long after the earliest of the span it was observed, ms; [`FAR`] where that is longer, and has to be looked up.
    pub after: u32,
}

/// 49 days, or more.
pub(super) const FAR: u32 = u32::MAX;

/// Who takes the measurements of a journal series: its own series (behind the last one stands nobody), and the one over all
/// instances.
#[derive(Debug, Clone, Copy)]
pub(super) struct Takers {
    pub own: u32,
    overall: u32,
}

/// It is not known yet who takes them; or there is no other taker.
pub(super) const NOT_YET: u32 = u32::MAX;

/// Some journal series have a taker over all instances.
fn have_overall(takers: &[Takers]) -> bool {
    takers.iter().any(|takers| takers.overall != NOT_YET)
}

/// Rows by series.
#[derive(Debug, Default)]
pub(super) struct Sorted {
    pub rows: Vec<Way>,
    /// Where the rows of each series end.
    pub ends: Vec<u32>,
}

impl Sorted {
    /// Puts the rows of a span in the order of the series that take them in; nothing in it was observed before `oldest`.
    pub fn sort(&mut self, run: &Run<'_>, oldest: Instant, takers: &[Takers], series_count: usize) {
        if have_overall(takers) {
            self.sort_by((run, oldest), takers, series_count, |takers| {
                let overall = (takers.overall != NOT_YET).then_some(takers.overall);
                std::iter::once(takers.own).chain(overall)
            });
        } else {
            // Nobody asks every row for what none has.
            self.sort_by((run, oldest), takers, series_count, |takers| {
                std::iter::once(takers.own)
            });
        }
    }

    fn sort_by<I: Iterator<Item = u32>>(
        &mut self,
        (run, oldest): (&Run<'_>, Instant),
        takers: &[Takers],
        series_count: usize,
        takers_of: impl Fn(Takers) -> I,
    ) {
        let Self { rows: ways, ends } = self;
        let columns = run.columns;
        let series = columns.series.get(run.rows.clone()).unwrap_or_default();
        ends.clear();
        // One place more for what nobody takes, and one for where it ends.
        ends.resize(series_count + 2, 0);
        for takers in series.iter().filter_map(|series| takers.get(*series as usize)) {
            for taker in takers_of(*takers) {
                if let Some(count) = ends.get_mut(taker as usize + 1) {
                    *count += 1;
                }
            }
        }
        let mut sum = 0;
        for end in ends.iter_mut() {
            sum += *end;
            *end = sum;
        }
        // What stands there from before is overwritten.
        ways.resize(sum as usize, Way::default());
        let values = columns.value.get(run.rows.clone()).unwrap_or_default();
        let rows = series.iter().zip(run.observed_at()).zip(values).zip(0..);
        for (((series, observed_at), value), row) in rows {
            let Some(takers) = takers.get(*series as usize) else {
                continue;
            };
            let way = Way {
                value: *value,
                row,
                after: u32::try_from(observed_at.wrapping_sub(oldest.0)).unwrap_or(FAR),
            };
            // Each place moves on by one with each row, from where the rows of a series begin to where they end.
            for taker in takers_of(*takers) {
                if let Some(end) = ends.get_mut(taker as usize)
                    && let Some(place) = ways.get_mut(*end as usize)
                {
                    *place = way;
                    *end += 1;
                }
            }
        }
    }
}

impl Projection {
    /// Who takes what, by journal series.
    pub(super) fn list_takers(&self, takers: &mut Vec<Takers>) {
        takers.clear();
        takers.extend(self.placed.iter().map(|placed| self.takers(*placed)));
    }

    /// The series that take the measurements of a journal series in.
    fn takers(&self, placed: Placed) -> Takers {
        let nobody = Takers {
            own: self.series.len() as u32,
            overall: NOT_YET,
        };
        let Placed::At { series, instance, .. } = placed else {
            let is_known = placed == Placed::Nowhere;
            return if is_known {
                nobody
            } else {
                Takers { own: NOT_YET, ..nobody }
            };
        };
        let Some(own) = self.instances.get(instance as usize) else {
            return nobody;
        };
        let all = self.instances.get(own.scorecard).filter(|_| own.name.is_some());
        Takers {
            own: series,
            overall: all.map_or(NOT_YET, |all| series - own.series_base + all.series_base),
        }
    }
}
