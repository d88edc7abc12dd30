//! Measurements of a block on their way into series, many at a time.
//!
//! Columns enter, slices change and nodes become dirty; nothing is evaluated. By far the most measurements are plain: a
//! number, nothing beside it, of a KPI that takes numbers as they are. What is the same for all measurements of a KPI is
//! found out once, so that a plain one costs a few nanoseconds. All others go by [`Projection::take_row`].

use std::ops::Range;
use std::sync::Arc;

use super::fetch::ROWS_AHEAD;
use super::instances::Placed;
use super::{Projection, ProjectionOptions};
use crate::domain::aggregate::{Sample, SampleValue};
use crate::domain::catalog::{Aggregate, Catalog, KpiDefinition, Scorecard, Window};
use crate::domain::fact::{Measurements, shape};
use crate::domain::id::Sequence;
use crate::domain::instant::{DAY_MS, Instant};

/// What is the same for all measurements of a KPI.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fold {
    /// Width of its slices, ms; 0 where they are the calendar's.
    slice_ms: i64,
    /// Older measurements are only counted, ms; `i64::MAX` keeps all.
    keep_ms: i64,
    /// A plain number is a sample as it stands, its slice is known without a calendar, and nothing but slices and nodes
    /// learns of it.
    takes_plain: bool,
}

impl Fold {
    /// Width of its slices, ms; `None` where they are the calendar's.
    pub fn slice_ms(&self) -> Option<i64> {
        (self.slice_ms != 0).then_some(self.slice_ms)
    }

    /// Whether a plain number is a sample as it stands.
    pub fn takes_plain(&self) -> bool {
        self.takes_plain
    }

    /// Those of a catalog, by scorecard and KPI.
    pub fn all(catalog: &Catalog, options: ProjectionOptions) -> Arc<[Vec<Self>]> {
        let of_scorecard = |scorecard: &Scorecard| {
            let kpis = scorecard.kpis.iter();
            kpis.map(|kpi| Self::of(scorecard, kpi, options)).collect()
        };
        catalog.scorecards.iter().map(of_scorecard).collect()
    }

    fn of(scorecard: &Scorecard, kpi: &KpiDefinition, options: ProjectionOptions) -> Self {
        let is_put_together =
            scorecard.each.is_some() && matches!(kpi.aggregate, Aggregate::First | Aggregate::Last | Aggregate::Delta);
        let (slice_ms, is_calendar) = match kpi.window {
            Window::Rolling { slice_ms, .. } => (slice_ms, false),
            Window::All => (DAY_MS, false),
            Window::Period { .. } => (0, true),
        };
        let is_other = matches!(
            kpi.aggregate,
            Aggregate::Ratio { .. } | Aggregate::WeightedMean | Aggregate::Distinct { .. }
        );
        Self {
            slice_ms,
            keep_ms: options.history_ms.map_or(i64::MAX, |history_ms| {
                history_ms.max(kpi.window.reach_ms().unwrap_or(0))
            }),
            takes_plain: !is_put_together && !is_other && !is_calendar && kpi.scale.is_none(),
        }
    }
}

/// The slice of the measurement before: the next one is mostly in the same.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Slice {
    width_ms: i64,
    start: i64,
    number: i64,
}

impl Slice {
    #[inline]
    pub fn of(&mut self, at: i64, width_ms: i64) -> i64 {
        if self.width_ms != width_ms || !self.has(at) {
            let number = at.div_euclid(width_ms);
            *self = Self {
                width_ms,
                number,
                start: number * width_ms,
            };
        }
        self.number
    }

    /// Whether an instant is in it.
    #[inline]
    pub fn has(&self, at: i64) -> bool {
        // Below the start the difference is a huge one.
        (at.wrapping_sub(self.start) as u64) < self.width_ms as u64
    }
}

/// Some neighbouring measurements of a block without another fact between them.
#[derive(Debug, Clone)]
pub(super) struct Run<'a> {
    pub columns: &'a Measurements,
    pub rows: Range<usize>,
    /// Sequence of the first of them.
    pub first: Sequence,
}

impl Run<'_> {
    /// Cuts off the part before a row.
    pub fn split_before(&mut self, row: usize) -> Self {
        let part = Self {
            columns: self.columns,
            rows: self.rows.start..row,
            first: self.first,
        };
        self.first = Sequence(self.first.0 + part.rows.len() as u64);
        self.rows.start = row;
        part
    }

    /// When they were observed.
    pub fn observed_at(&self) -> &[i64] {
        self.columns.observed_at.get(self.rows.clone()).unwrap_or_default()
    }
}

/// What a run is measured by: an instant, and whether measurements move it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Now {
    pub at: Instant,
    pub follows: bool,
}

/// A plain measurement on its way.
#[derive(Debug, Clone, Copy)]
struct Plain {
    series: u32,
    sample: Sample,
    /// The clock; what is much older is only counted.
    now: Instant,
}

/// Where the measurement before went: the next one mostly goes to the same scorecard or instance.
#[derive(Debug, Clone, Copy, Default)]
struct Near<'a> {
    instance: Option<u32>,
    series_base: u32,
    kpis: &'a [KpiDefinition],
    folds: &'a [Fold],
    /// From nodes and series of an instance to those over all instances.
    overall: Option<(u32, u32)>,
    slice: Slice,
}

impl Projection {
    /// Takes measurements in, at an instant that they may move, and tells where it is then.
    pub(super) fn take_run(&mut self, run: &Run<'_>, mut now: Now) -> Instant {
        let (catalog, folds) = (Arc::clone(&self.catalog), Arc::clone(&self.folds));
        let mut near = Near::default();
        let columns = run.columns;
        for ahead in run.rows.clone().step_by(ROWS_AHEAD) {
            let rows = ahead..run.rows.end.min(ahead + ROWS_AHEAD);
            let series = columns.series.get(rows.clone()).unwrap_or_default();
            self.fetch(series);
            let observed_at = columns.observed_at.get(rows.clone()).unwrap_or_default();
            let values = columns.value.get(rows.clone()).unwrap_or_default();
            let are_plain = columns.shape.are(rows.clone(), shape::NUMBER);
            let rows = rows.zip(series.iter().zip(observed_at)).zip(values);
            for ((row, (series, observed_at)), value) in rows {
                if now.follows {
                    now.at = now.at.max(Instant(*observed_at));
                }
                let sequence = Sequence(run.first.0 + (row - run.rows.start) as u64);
                let plain = Plain {
                    series: *series,
                    sample: Sample {
                        sequence: sequence.0,
                        observed_at: *observed_at,
                        value: SampleValue::Number(*value),
                    },
                    now: now.at,
                };
                let is_plain = are_plain || columns.shape.get(row) == Some(shape::NUMBER);
                if is_plain
                    && columns.extras.is_empty()
                    && self.take_plain((&catalog, &folds), &mut near, &plain).is_some()
                {
                    continue;
                }
                if let Some(row) = columns.row(row) {
                    self.take_row(sequence, &row, now.at);
                }
            }
        }
        self.sequence = Sequence(run.first.0 + run.rows.len() as u64 - 1);
        now.at
    }

    /// Takes a plain measurement in; `None`, and nothing is done, where its KPI takes others.
    fn take_plain<'a>(
        &mut self,
        definitions: (&'a Catalog, &'a [Vec<Fold>]),
        near: &mut Near<'a>,
        plain: &Plain,
    ) -> Option<()> {
        let Placed::At { node, series, instance } = *self.placed.get(plain.series as usize)? else {
            return None;
        };
        if near.instance != Some(instance) {
            self.go_to(instance, definitions, near)?;
        }
        let kpi = series.wrapping_sub(near.series_base) as usize;
        let fold = near.folds.get(kpi)?;
        if !fold.takes_plain {
            return None;
        }
        let observed_at = plain.sample.observed_at;
        let slice = near.slice.of(observed_at, fold.slice_ms);
        let is_kept = observed_at >= plain.now.0.saturating_sub(fold.keep_ms);
        let kept = is_kept.then_some((&near.kpis.get(kpi)?.aggregate, slice));
        self.oldest_taken = self.oldest_taken.min(Instant(observed_at));
        self.add_plain((node, series), kept, &plain.sample);
        if let Some((nodes, all)) = near.overall {
            let overall = (node.wrapping_add(nodes), series.wrapping_add(all));
            self.add_plain(overall, kept, &plain.sample);
        }
        Some(())
    }

    /// Finds out what is the same for all measurements of a scorecard, or of an instance of it.
    fn go_to<'a>(
        &self,
        instance: u32,
        (catalog, folds): (&'a Catalog, &'a [Vec<Fold>]),
        near: &mut Near<'a>,
    ) -> Option<()> {
        let own = self.instances.get(instance as usize)?;
        let all = self.instances.get(own.scorecard)?;
        *near = Near {
            instance: Some(instance),
            series_base: own.series_base,
            kpis: &catalog.scorecards.get(own.scorecard)?.kpis,
            folds: folds.get(own.scorecard)?,
            overall: own.name.as_ref().map(|_| {
                let nodes = all.node_base.wrapping_sub(own.node_base);
                (nodes, all.series_base.wrapping_sub(own.series_base))
            }),
            slice: near.slice,
        };
        Some(())
    }

    /// Adds a sample to a slice; without one it is only counted.
    fn add_plain(&mut self, (node, series): (u32, u32), kept: Option<(&Aggregate, i64)>, sample: &Sample) {
        if let Some(series) = self.series.get_mut(series as usize) {
            match kept {
                Some((aggregate, slice)) => series.add_bare(aggregate, slice, sample),
                None => series.count_one(),
            }
        }
        self.mark(node);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::calendar::Calendar;

    #[test]
    fn slices_are_those_of_the_window_whatever_came_before() {
        let calendar = Calendar::utc();
        let rolling = |slice_ms| Window::Rolling { slices: 24, slice_ms };
        let mut slice = Slice::default();
        for step in 0..5_000_i64 {
            let window = match step % 3 {
                0 => rolling(3_600_000),
                1 => rolling(60_000),
                _ => Window::All,
            };
            let width_ms = match window {
                Window::Rolling { slice_ms, .. } => slice_ms,
                _ => DAY_MS,
            };
            // Forwards, with steps back, and over every kind of edge.
            let at = (step / 7) * 60_000 - (step % 5) * 3_600_000 + step % 2 - 1;
            assert_eq!(slice.of(at, width_ms), window.slice_of(&calendar, Instant(at)), "{at}");
        }
    }
}
