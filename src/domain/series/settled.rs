//! Restatements: what a period said when it became final, and whether that changed later.
//!
//! The end of the period that a window shows and the window's own value enter at every evaluation; whether the reading is
//! restated leaves. Values that stand in for an empty window (`zero`, `hold`) are no part of it: they run out by
//! themselves, and a reading is restated by facts only. Nothing is kept of periods before the last one.

use super::gather::Seen;
use super::{Rules, Series};
use crate::domain::instant::Instant;
use crate::domain::window::View;

/// A period that became final.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Settled {
    /// Which period: when it ended.
    pub period_end: Instant,
    /// The window's own value, as last seen.
    pub value: Option<f64>,
    /// It changed after it was final.
    pub restated: bool,
}

impl Series {
    /// Remembers what a period says when it becomes final, and notices a change from then on. What was never measured has
    /// no final reading: its first measurement changes nothing that anybody could have relied on.
    #[inline]
    pub(super) fn settle(&mut self, rules: Rules<'_>, at: Instant, view: &View, seen: Seen) {
        let Some(period_end) = view.period_end.filter(|end| at >= is_final_from(rules, *end)) else {
            return;
        };
        let known = self.rare.as_mut().and_then(|rare| rare.settled.as_mut());
        match known.filter(|settled| settled.period_end == period_end) {
            Some(settled) => {
                settled.restated |= settled.value != seen.value;
                settled.value = seen.value;
            }
            None if self.measured > 0 => {
                self.rare.get_or_insert_default().settled = Some(Settled {
                    period_end,
                    value: seen.value,
                    restated: false,
                });
            }
            None => {}
        }
    }

    /// Forgets what was final: another definition says when that is, or what the value is, and no fact restates anything.
    pub fn open_again(&mut self) {
        if let Some(rare) = &mut self.rare {
            rare.settled = None;
        }
    }

    /// Whether the period that the window shows is final at `at` and changed after it had become so.
    #[inline]
    pub(super) fn is_restated(&self, rules: Rules<'_>, at: Instant, view: &View) -> bool {
        self.settled().is_some_and(|settled| {
            let is_shown = Some(settled.period_end) == view.period_end;
            settled.restated && is_shown && at >= is_final_from(rules, settled.period_end)
        })
    }

    /// Words for a checkpoint.
    pub(super) fn settled_to_words(&self, out: &mut Vec<u64>) {
        let Some(settled) = self.settled() else {
            out.push(0);
            return;
        };
        let flags = 1 + 2 * u64::from(settled.value.is_some()) + 4 * u64::from(settled.restated);
        out.extend([flags, settled.period_end.0 as u64]);
        out.extend(settled.value.map(f64::to_bits));
    }
}

impl Settled {
    /// Back from words; the outer `None` says that they make no sense.
    #[expect(
        clippy::option_option,
        reason = "the outer says whether the words could be read, the inner whether a period was final"
    )]
    pub(super) fn from_words(words: &mut impl Iterator<Item = u64>) -> Option<Option<Self>> {
        let flags = words.next()?;
        if flags == 0 {
            return Some(None);
        }
        let period_end = Instant(words.next()? as i64);
        let value = if flags & 2 == 0 {
            None
        } else {
            Some(f64::from_bits(words.next()?))
        };
        Some(Some(Self {
            period_end,
            value,
            restated: flags & 4 != 0,
        }))
    }
}

/// Whether the period that the window shows may still change in good order. What was never measured has no reading that
/// could.
#[inline]
pub(super) fn is_provisional(rules: Rules<'_>, at: Instant, view: &View, was_measured: bool) -> bool {
    was_measured && view.period_end.is_some_and(|end| at < is_final_from(rules, end))
}

/// When a period that ended then is final.
fn is_final_from(rules: Rules<'_>, period_end: Instant) -> Instant {
    period_end.plus_ms(rules.definition.allowed_lateness_ms)
}

#[cfg(test)]
mod tests {
    use super::super::{Across, Evaluation, LeafReading};
    use super::*;
    use crate::domain::aggregate::{Sample, SampleValue};
    use crate::domain::calendar::{Calendar, Period};
    use crate::domain::catalog::{Aggregate, KpiDefinition, Missing, Window};
    use crate::domain::instant::HOUR_MS;
    use crate::domain::samples::plain_kpi;

    /// A KPI of the last whole day, which may be late by an hour. Instants in hours.
    struct Desk {
        definition: KpiDefinition,
        calendar: Calendar,
        series: Series,
    }

    impl Desk {
        fn of(aggregate: Aggregate, missing: Missing) -> Self {
            let window = Window::Period {
                period: Period::Day,
                complete: true,
                weeks: None,
            };
            Self {
                definition: KpiDefinition {
                    aggregate,
                    missing,
                    window,
                    allowed_lateness_ms: HOUR_MS,
                    ..plain_kpi()
                },
                calendar: Calendar::utc(),
                series: Series::default(),
            }
        }

        fn rules<'a>((definition, calendar): (&'a KpiDefinition, &'a Calendar)) -> Rules<'a> {
            Rules { definition, calendar }
        }

        fn measure(&mut self, hour: i64, value: f64) {
            let sample = Sample {
                sequence: hour as u64,
                observed_at: hour * HOUR_MS,
                value: SampleValue::Number(value),
            };
            let rules = Self::rules((&self.definition, &self.calendar));
            self.series.add(rules, &sample, true, Instant(i64::MIN));
        }

        fn retract(&mut self, hour: i64) {
            let rules = Self::rules((&self.definition, &self.calendar));
            let place = (hour as u64, Instant(hour * HOUR_MS));
            assert!(self.series.remove(rules, place, Instant(i64::MIN)));
        }

        fn evaluate(&mut self, hour: i64) -> LeafReading {
            let at = Instant(hour * HOUR_MS);
            let when = Evaluation {
                at,
                last_before: at.plus_ms(-1),
                is_every_instant: false,
            };
            let rules = Self::rules((&self.definition, &self.calendar));
            self.series.evaluate(rules, when, Across::Own).0
        }

        /// (value, provisional, restated)
        fn says(&mut self, hour: i64) -> (Option<f64>, bool, bool) {
            let reading = self.evaluate(hour);
            (reading.value, reading.provisional, reading.restated)
        }
    }

    #[test]
    fn what_comes_late_but_in_time_restates_nothing_and_what_comes_later_does() {
        let mut desk = Desk::of(Aggregate::Sum, Missing::Exclude);
        desk.measure(5, 2.0);
        assert_eq!(desk.says(24), (Some(2.0), true, false), "the day has ended");
        desk.measure(6, 3.0);
        assert_eq!(desk.says(25), (Some(5.0), false, false), "an hour later it is final");
        desk.measure(7, 1.0);
        assert_eq!(desk.says(26), (Some(6.0), false, true), "what comes now restates it");
        assert_eq!(desk.says(47), (Some(6.0), false, true), "and so it stays");
        assert_eq!(desk.says(48), (None, true, false), "until the next day is shown");
    }

    #[test]
    fn a_late_measurement_that_changes_nothing_restates_nothing() {
        let mut desk = Desk::of(Aggregate::Max, Missing::Exclude);
        desk.measure(5, 8.0);
        assert_eq!(desk.says(25), (Some(8.0), false, false));
        desk.measure(6, 3.0);
        assert_eq!(
            desk.says(26),
            (Some(8.0), false, false),
            "a lower value is no new maximum"
        );
        desk.retract(5);
        assert_eq!(
            desk.says(27),
            (Some(3.0), false, true),
            "a retraction of the highest is"
        );
    }

    #[test]
    fn a_final_day_that_loses_its_only_measurement_is_restated() {
        let mut desk = Desk::of(Aggregate::Last, Missing::Exclude);
        desk.measure(5, 8.0);
        assert_eq!(desk.says(25), (Some(8.0), false, false));
        desk.retract(5);
        assert_eq!(desk.says(26), (None, false, true));
        assert_eq!(
            desk.says(48),
            (None, false, false),
            "of the next day nothing was ever said"
        );
    }

    #[test]
    fn a_value_that_stands_in_for_an_empty_day_runs_out_without_a_restatement() {
        let mut desk = Desk::of(Aggregate::Last, Missing::Hold(30 * HOUR_MS));
        desk.measure(5, 8.0);
        assert_eq!(desk.says(25).0, Some(8.0));
        assert_eq!(desk.says(49), (Some(8.0), false, false), "held over the empty day");
        assert_eq!(desk.says(71), (Some(8.0), false, false));
        assert_eq!(desk.says(72).0, Some(8.0));
        assert_eq!(desk.says(90), (None, false, false), "no longer held");
    }

    #[test]
    fn a_restated_day_is_still_restated_after_a_checkpoint() {
        let mut desk = Desk::of(Aggregate::Sum, Missing::Exclude);
        desk.measure(5, 2.0);
        desk.evaluate(25);
        desk.measure(6, 3.0);
        desk.evaluate(26);
        let mut words = Vec::new();
        desk.series.to_words(&mut words);
        desk.series = Series::from_words(&mut words.into_iter()).unwrap();
        assert_eq!(desk.says(27), (Some(5.0), false, true));
    }
}
