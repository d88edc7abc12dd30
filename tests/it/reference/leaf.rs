//! One KPI at one instant, from the whole list of measurements.

use super::aggregate;
use super::definition::{Aggregate, Kpi, KpiVersion, Missing, Scoring};
use super::intake::{Measurement, What};
use super::score::{self, Judgement};
use super::tree::{Moment, Root, View};
use super::windows::{self, Span};

/// What the window of a KPI gives.
#[derive(Clone)]
pub struct Leaf {
    /// The instant of its reading.
    pub at: i64,
    /// Its latest measurement, in the window or before it.
    latest: Option<i64>,
    /// Its latest measurement in the window.
    pub observed_at: Option<i64>,
    /// The latest measurement in the window says so.
    not_applicable: bool,
    /// The aggregate of the window, neither held nor zero for want of one.
    pub own_value: Option<f64>,
    /// That, or what stands for it.
    pub value: Option<f64>,
    /// Measurements with a value in the window.
    pub count: u64,
    /// Not older than expected.
    pub fresh: bool,
    /// The period that is shown is not final yet.
    pub provisional: bool,
    /// The period that is shown, by its end, once it is final.
    pub final_period: Option<i64>,
}

impl Moment<'_> {
    /// What the window of a KPI gives; nothing where there is no window before this one.
    pub fn leaf(&self, root: Root<'_>, kpi: &Kpi, path: &str) -> Option<Leaf> {
        let at = self.instant_of(root, kpi)?;
        let own = self.measurements_of(root, kpi, at);
        let span = windows::span(&kpi.window, &root.scorecard.calendar, at);
        let mut inside = own.clone();
        inside.retain(|one| span.covers(one.observed_at));
        let not_applicable = inside.last().is_some_and(|latest| says_not_applicable(latest));
        let own_value = self.own_value(root, kpi, (&inside, &span), path);
        let own_value = own_value.filter(|_| !not_applicable);
        let value = if inside.is_empty() {
            self.instead(root, kpi, at, path)
        } else {
            own_value
        };
        let latest = own.last().map(|latest| latest.observed_at);
        let final_from = span.period_end.map(|end| end + kpi.allowed_lateness_ms);
        // What was never measured has no period reading.
        let may_change = latest.is_some() && final_from.is_some_and(|from| at < from);
        Some(Leaf {
            at,
            latest,
            observed_at: inside.last().map(|latest| latest.observed_at),
            not_applicable,
            own_value,
            value,
            count: inside.iter().filter(|one| !says_not_applicable(one)).count() as u64,
            fresh: value.is_some() && is_fresh(kpi.versions.just_before(at), at, latest),
            provisional: may_change,
            final_period: span.period_end.filter(|_| final_from.is_some_and(|from| at >= from)),
        })
    }

    /// The instant of its reading.
    fn instant_of(&self, root: Root<'_>, kpi: &Kpi) -> Option<i64> {
        let calendar = &root.scorecard.calendar;
        let queried = windows::slice_end(&kpi.window, calendar, self.t);
        match self.view {
            View::Now => Some(self.t),
            View::Query => Some(queried),
            View::Before { query } => windows::earlier(&kpi.window, calendar, if query { queried } else { self.t }),
        }
    }

    /// The aggregate over the window.
    fn own_value(
        &self,
        root: Root<'_>,
        kpi: &Kpi,
        (inside, span): (&[&Measurement], &Span),
        path: &str,
    ) -> Option<f64> {
        let own = aggregate::value(kpi, inside, span.length_ms)?;
        Some(self.across(root, kpi, path).unwrap_or(own))
    }

    /// Over all instances, where the aggregate has no such thing: what the instances' readings make.
    fn across(&self, root: Root<'_>, kpi: &Kpi, path: &str) -> Option<f64> {
        if !is_put_together(root, kpi) {
            return None;
        }
        let below = path.strip_prefix(&root.path()).expect("a path in the scorecard");
        let reading = |instance| {
            let root = Root {
                instance: Some(instance),
                ..root
            };
            self.leaf(root, kpi, &format!("{}{below}", root.path()))?.value
        };
        let readings: Vec<f64> = self.instances(root.scorecard).into_iter().filter_map(reading).collect();
        Some(aggregate::across(kpi, &readings))
    }

    /// Its measurements up to the slice of the instant, sorted by `observed_at`, then by their place in the journal. At
    /// an evaluation nothing is ahead of it.
    fn measurements_of(&self, root: Root<'_>, kpi: &Kpi, at: i64) -> Vec<&Measurement> {
        let end = match self.view {
            View::Now => at,
            View::Query | View::Before { .. } => windows::slice_end(&kpi.window, &root.scorecard.calendar, at),
        };
        let mut own: Vec<&Measurement> = self
            .measurements
            .iter()
            .filter(|one| one.kpi == kpi.id && !one.retracted && one.observed_at < end)
            .filter(|one| root.instance.is_none() || one.instance.as_deref() == root.instance)
            .collect();
        own.sort_by_key(|one| one.observed_at);
        own
    }

    /// What stands for the value where the window has no measurement.
    fn instead(&self, root: Root<'_>, kpi: &Kpi, at: i64, path: &str) -> Option<f64> {
        match kpi.missing {
            Missing::Exclude => None,
            Missing::Zero => Some(0.0),
            Missing::Hold { hold_for_ms } if self.view == View::Now => {
                let (evaluated, value) = self.memory.held.get(path)?;
                (at <= evaluated + hold_for_ms).then_some(*value)
            }
            Missing::Hold { hold_for_ms } => self.held_then(root, kpi, at, hold_for_ms),
        }
    }

    /// Of the past no evaluations are known, but a value ends only where the window loses a measurement or where it sees
    /// another: the last such instant that had one is held from.
    fn held_then(&self, root: Root<'_>, kpi: &Kpi, at: i64, hold_for_ms: i64) -> Option<f64> {
        if is_put_together(root, kpi) {
            return None;
        }
        let calendar = &root.scorecard.calendar;
        let all = self.measurements_of(root, kpi, at);
        let ends = all.iter().flat_map(|one| {
            let loses = windows::seen_until(&kpi.window, calendar, one.observed_at);
            [
                loses,
                Some(windows::slice_start(&kpi.window, calendar, one.observed_at)),
            ]
        });
        let mut ends: Vec<i64> = ends
            .flatten()
            .filter(|end| *end < at && at - end <= hold_for_ms)
            .collect();
        ends.sort_unstable();
        ends.iter().rev().find_map(|end| {
            let mut inside = self.measurements_of(root, kpi, *end);
            let span = windows::span(&kpi.window, calendar, *end);
            inside.retain(|one| span.covers(one.observed_at));
            let value = aggregate::value(kpi, &inside, span.length_ms);
            value.filter(|_| !inside.last().is_some_and(|latest| says_not_applicable(latest)))
        })
    }
}

fn says_not_applicable(latest: &Measurement) -> bool {
    matches!(latest.what, What::NotApplicable)
}

/// Over all instances its aggregate is put together from theirs.
fn is_put_together(root: Root<'_>, kpi: &Kpi) -> bool {
    let ends = matches!(kpi.aggregate, Aggregate::First | Aggregate::Last | Aggregate::Delta);
    ends && root.instance.is_none() && root.scorecard.each.is_some()
}

impl Leaf {
    /// It was measured before the instant, in the window or not.
    pub fn was_measured(&self) -> bool {
        self.latest.is_some()
    }

    /// Left out for good, left out now, without a value, or scored: in this order.
    pub fn judge(&self, version: &KpiVersion) -> Judgement {
        if version.paused {
            return Judgement::without_score("paused", None);
        }
        if matches!(version.scoring, Scoring::None) {
            return Judgement::without_score("no_target", None);
        }
        if self.not_applicable {
            return Judgement::without_score("not_applicable", None);
        }
        let Some(score) = self.value.and_then(|value| score::score(&version.scoring, value)) else {
            let stale = self.observed_at.is_none() && self.was_measured();
            return Judgement::without_score(if stale { "stale" } else { "no_data" }, Some(0.0));
        };
        Judgement {
            score: Some(score),
            absence: None,
            coverage: Some(if self.fresh { 1.0 } else { 0.0 }),
        }
    }
}

/// Not older than `expected_every`, by the latest measurement, whether it is in the window or not.
fn is_fresh(version: &KpiVersion, at: i64, latest: Option<i64>) -> bool {
    let Some(expected_every) = version.expected_every else {
        return true;
    };
    latest.is_some_and(|latest| at - latest <= expected_every)
}
