//! Readings that are nothing but their window's value: what most KPIs say most of the time.
//!
//! What holds at some neighbouring instants enters once; a window's value leaves with its score at each of them, to the last
//! bit what [`Series::evaluate_view`] says. What is not plain (an empty window, "not applicable", a period) is left to it.

use super::{Across, Rules, Series};
use crate::domain::aggregate::Total;
use crate::domain::catalog::{Missing, Scoring, Window};
use crate::domain::instant::Instant;
use crate::domain::score::ScoreCurve;
use crate::domain::window::View;

/// What stays the same of a KPI over some instants.
#[derive(Debug, Clone, Copy)]
pub struct Steady<'a> {
    rules: Rules<'a>,
    curve: &'a ScoreCurve,
    /// The window's value comes from nothing but a sum and a count.
    is_total: bool,
    /// `i64::MAX` where nothing is expected.
    expected_every_ms: i64,
}

/// A reading with value and score, of no period.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PlainReading {
    /// Result of the window.
    pub value: f64,
    /// 0..=100.
    pub score: f64,
    /// Measurements with a value in the window.
    pub count: u32,
    /// Latest measurement in the window, epoch ms.
    pub observed_at: i64,
    /// Not older than `expected_every`.
    pub fresh: bool,
}

impl<'a> Rules<'a> {
    /// What stays the same from one instant to another (both included); `None` where more than a value and its score has to
    /// be asked for.
    pub fn steady(self, (from, to): (Instant, Instant)) -> Option<Steady<'a>> {
        let definition = self.definition;
        let (first, last) = (definition.version(from)?, definition.version(to)?);
        let is_plain = !matches!(definition.window, Window::Period { .. })
            && !matches!(definition.missing, Missing::Hold(_))
            && !first.paused
            && std::ptr::eq(first, last);
        match &first.scoring {
            Scoring::Curve(curve) if is_plain => Some(Steady {
                rules: self,
                curve,
                is_total: definition.aggregate.is_total(),
                expected_every_ms: first.expected_every_ms.unwrap_or(i64::MAX),
            }),
            _ => None,
        }
    }
}

impl Series {
    /// The reading at one of the instants, and the oldest slice with data that it sees; `None` where it is not plain.
    #[inline]
    pub fn evaluate_steady(
        &mut self,
        steady: &Steady<'_>,
        at: Instant,
        view: &View,
    ) -> Option<(PlainReading, Option<i64>)> {
        // What a hold keeps and what was final are of no such KPI; of one that was, they are left to the others.
        if self.rare.is_some() {
            return None;
        }
        if steady.is_total {
            let (total, oldest, newest) = self.gather_again::<Total>(view)?;
            let latest_at = (!newest.is_latest_not_applicable()).then_some(newest.latest_at)?;
            return Some((steady.reading_of((at, view), &total, latest_at)?, Some(oldest)));
        }
        let (seen, oldest) = self.see_again(steady.rules, view, Across::Own);
        let value = seen.value.filter(|_| !seen.not_applicable)?;
        Some((steady.reading(at, value, (seen.count, seen.latest_at?)), oldest))
    }
}

impl Steady<'_> {
    /// What a window with measurements up to `latest_at` says that holds a total; `None` without a value.
    #[inline]
    pub(super) fn reading_of(
        &self,
        (at, view): (Instant, &View),
        total: &Total,
        latest_at: i64,
    ) -> Option<PlainReading> {
        let value = total.value(&self.rules.definition.aggregate, view.length_ms)?;
        Some(self.reading(at, value, (total.count, latest_at)))
    }

    #[inline]
    fn reading(&self, at: Instant, value: f64, (count, latest_at): (u32, i64)) -> PlainReading {
        PlainReading {
            value,
            score: self.curve.score(value),
            count,
            observed_at: latest_at,
            // No measurement before `at` is later than the window's latest: it reaches up to there.
            fresh: at.0 - latest_at <= self.expected_every_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::aggregate::{Sample, SampleValue};
    use crate::domain::calendar::{Calendar, Period};
    use crate::domain::catalog::{Aggregate, KpiDefinition, Versioned};
    use crate::domain::samples::{SLICE_MS, plain_kpi};
    use crate::domain::series::{Evaluation, LeafReading};

    const LONG: Window = Window::Rolling {
        slices: 12,
        slice_ms: SLICE_MS,
    };
    const EVER: (Instant, Instant) = (Instant(0), Instant(i64::MAX));

    fn rules<'a>(definition: &'a KpiDefinition, calendar: &'a Calendar) -> Rules<'a> {
        Rules { definition, calendar }
    }

    fn whole(reading: &PlainReading) -> LeafReading {
        LeafReading {
            value: Some(reading.value),
            score: Some(reading.score),
            absence: None,
            coverage: Some(if reading.fresh { 1.0 } else { 0.0 }),
            count: u64::from(reading.count),
            observed_at: Some(Instant(reading.observed_at)),
            fresh: reading.fresh,
            provisional: false,
            restated: false,
        }
    }

    /// A story with gaps, late and early measurements and some that are not applicable: how many readings were plain and how
    /// many stale, of all.
    fn story(definition: &KpiDefinition) -> (usize, usize, usize) {
        let calendar = Calendar::utc();
        let rules = rules(definition, &calendar);
        let steady = rules.steady(EVER).unwrap();
        let mut series = Series::default();
        let (mut plain, mut stale, mut all) = (0, 0, 0);
        for step in 1..600_i64 {
            let mixed = (step as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 33;
            let away = (mixed % 5) as i64 - 3;
            let sample = Sample {
                sequence: step as u64,
                observed_at: (step + away.max(-1) * i64::from(mixed.is_multiple_of(9))) * SLICE_MS - 1,
                value: if mixed.is_multiple_of(17) {
                    SampleValue::NotApplicable
                } else {
                    SampleValue::Number((mixed % 900) as f64 / 7.0)
                },
            };
            if step % 70 < 55 && !mixed.is_multiple_of(3) {
                series.add(rules, &sample, false, Instant(i64::MIN));
            }
            let at = Instant(step * SLICE_MS);
            let view = definition.window.view(&calendar, at);
            let when = Evaluation {
                at,
                last_before: at.plus_ms(-1),
                is_every_instant: true,
            };
            let told = series.clone().evaluate_steady(&steady, at, &view);
            let (reading, oldest) = series.evaluate_view(rules, (when, &view), Across::Own);
            all += 1;
            if let Some((told, its_oldest)) = told {
                assert_eq!((whole(&told), its_oldest), (reading, oldest), "step {step}");
                plain += 1;
                stale += usize::from(!told.fresh);
            }
        }
        (plain, stale, all)
    }

    #[test]
    fn a_plain_reading_is_what_the_evaluation_reads() {
        for aggregate in [
            Aggregate::Mean,
            Aggregate::Count,
            Aggregate::Max,
            Aggregate::Percentile(90.0),
        ] {
            for window in [LONG, Window::All] {
                let mut definition = KpiDefinition {
                    aggregate: aggregate.clone(),
                    window,
                    ..plain_kpi()
                };
                definition.versions[0].value.expected_every_ms = Some(3 * SLICE_MS);
                let (plain, stale, all) = story(&definition);
                assert!(plain > 100 && plain < all, "{plain} of {all}: {aggregate:?} {window:?}");
                assert!(stale > 0, "{aggregate:?} {window:?}");
            }
        }
    }

    #[test]
    fn what_more_has_to_be_asked_of_is_not_steady() {
        let calendar = Calendar::utc();
        let is_steady = |change: fn(&mut KpiDefinition)| {
            let mut definition = plain_kpi();
            change(&mut definition);
            rules(&definition, &calendar).steady((Instant(5), Instant(9))).is_some()
        };
        assert!(is_steady(|_| {}));
        assert!(!is_steady(|kpi| kpi.missing = Missing::Hold(1)));
        assert!(!is_steady(|kpi| kpi.versions[0].value.paused = true));
        assert!(!is_steady(|kpi| kpi.versions[0].value.scoring = Scoring::None));
        assert!(!is_steady(|kpi| {
            kpi.window = Window::Period {
                period: Period::Day,
                complete: false,
                weeks: None,
            };
        }));
        let with_version_from = |from: i64| {
            let mut definition = plain_kpi();
            let value = definition.versions[0].value.clone();
            definition.versions.push(Versioned {
                from: Instant(from),
                value,
            });
            rules(&definition, &calendar).steady((Instant(5), Instant(9))).is_some()
        };
        assert_eq!([4, 5, 8, 9].map(with_version_from), [true, false, false, true]);
    }
}
