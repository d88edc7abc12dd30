//! KPIs over all instances that are put together from their instances' values: `first`, `last` and `delta`.
//!
//! A value enters when an instance's reading has changed, and leaves when it changes again; the sum is exact, so it is a
//! function of the values there are now, whatever came first. One change costs the same however many instances
//! there are. A past instant is asked of every instance, and what it gives is remembered until something in its window
//! changes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Projection;
use super::instances::{SeriesPlace, rules_of};
use super::node_state::{NodeState, there};
use crate::domain::catalog::{self, KpiDefinition, Missing, NodePlace, Scorecard};
use crate::domain::exact::ExactSum;
use crate::domain::instant::Instant;
use crate::domain::series::{Across, Rules, Series};
use crate::domain::window::View;

/// The values of a KPI in all instances of its scorecard.
#[derive(Debug, Clone, Default)]
pub(super) struct Total {
    sum: ExactSum,
    /// Instances with a value.
    count: u32,
    /// The values that windows of the past give, the latest asked for last.
    past: Vec<(View, Option<f64>)>,
}

/// The value of a window that need not be asked of the instances; there may be none in it.
struct Known(Option<f64>);

/// Windows of the past that are remembered of each KPI: what the pages of all spans look at.
const PAST_MAX: usize = 256;

impl Total {
    /// The value of an instance is another one; NaN is none.
    pub fn replace(&mut self, before: f64, after: f64) {
        if let Some(before) = there(before) {
            self.sum.remove(before);
            self.count -= 1;
        }
        if let Some(after) = there(after) {
            self.sum.add(after);
            self.count += 1;
        }
    }

    fn value(&self, across: catalog::Across) -> Option<f64> {
        let total = self.sum.total();
        let value = match across {
            catalog::Across::Sum => total,
            catalog::Across::Mean => total / f64::from(self.count),
        };
        (self.count > 0 && value.is_finite()).then_some(value)
    }

    fn known(&self, view: &View) -> Option<Known> {
        let mut known = self.past.iter();
        known.find(|(known, _)| known == view).map(|(_, value)| Known(*value))
    }

    fn remember(&mut self, view: View, value: Option<f64>) {
        if self.past.len() >= PAST_MAX {
            self.past.remove(0);
        }
        self.past.push((view, value));
    }

    /// Slices of an instance have changed, or are gone.
    pub fn forget_past(&mut self, slices: impl std::ops::RangeBounds<i64>) {
        let is_touched = |view: &View| {
            use std::ops::Bound::{Excluded, Included, Unbounded};
            let ends_before = match slices.end_bound() {
                Included(end) => *end < view.first,
                Excluded(end) => *end <= view.first,
                Unbounded => false,
            };
            let starts_after = match slices.start_bound() {
                Included(start) | Excluded(start) => *start > view.last,
                Unbounded => false,
            };
            !ends_before && !starts_after
        };
        self.past.retain(|(view, _)| !is_touched(view));
    }
}

impl Projection {
    /// An empty total for each KPI that needs one, once all scorecards are there.
    pub(super) fn start_totals(&mut self) {
        let needs_total = |node: u32| {
            let instance = self.nodes.get(node as usize)?.instance;
            let (_, shape, local) = self.node_place(node)?;
            let NodePlace::Kpi(kpi) = shape.nodes.get(local as usize)?.place else {
                return None;
            };
            let definition = self.scorecard_of(node)?.kpis.get(kpi)?;
            self.is_across(instance, definition).then(Total::default)
        };
        self.totals = (0..self.nodes.len() as u32).map(needs_total).collect();
    }

    /// The totals follow from the nodes.
    pub(super) fn restore_totals(&mut self) {
        for number in 0..self.nodes.len() as u32 {
            let value = self.nodes.get(number as usize).map_or(f64::NAN, NodeState::value);
            if let Some(total) = self.total_above(number) {
                total.replace(f64::NAN, value);
            }
        }
    }

    /// The node over all instances of an instance's node.
    pub(super) fn overall_node(&self, node: u32) -> Option<u32> {
        let state = self.nodes.get(node as usize)?;
        let instance = self.instances.get(state.instance as usize)?;
        instance.name.as_ref()?;
        Some(self.instances.get(instance.scorecard)?.node_base + node.checked_sub(instance.node_base)?)
    }

    /// The total in which an instance's node counts.
    pub(super) fn total_above(&mut self, node: u32) -> Option<&mut Total> {
        let overall = self.overall_node(node)?;
        self.totals.get_mut(overall as usize)?.as_mut()
    }

    /// The value over all instances, for KPIs that are put together from theirs. `at` asks for a past instant; `None`
    /// takes the values as they are now.
    pub(super) fn across(&self, node: u32, scorecard: &Scorecard, kpi: usize, at: Option<Instant>) -> Across {
        let Some(Some(total)) = self.totals.get(node as usize) else {
            return Across::Own;
        };
        let Some(definition) = scorecard.kpis.get(kpi) else {
            return Across::Own;
        };
        Across::Given(match at {
            None => total.value(definition.across),
            // What is held runs out by the instant, not by the window.
            Some(at) if matches!(definition.missing, Missing::Hold(_)) => {
                let held = |rules: Rules<'_>, series: &Series| series.read(rules, at, Across::Own).value;
                self.across_instances(node, (scorecard, kpi), &held)
            }
            Some(at) => {
                let view = definition.window.view(&scorecard.calendar, at);
                let known = self.known_across(total, (scorecard, definition), &view);
                known.map_or_else(
                    || self.across_afresh(node, (scorecard, kpi), &view),
                    |Known(value)| value,
                )
            }
        })
    }

    /// What the total knows of a window without asking the instances: the present one, and those of the past that are
    /// remembered.
    fn known_across(
        &self,
        total: &Total,
        (scorecard, definition): (&Scorecard, &KpiDefinition),
        view: &View,
    ) -> Option<Known> {
        let now = definition
            .window
            .view(&scorecard.calendar, self.at().max(Instant::EARLIEST));
        let is_now = (now.first, now.last) == (view.first, view.last) && !self.is_dirty();
        match definition.missing {
            Missing::Exclude | Missing::Zero if is_now => Some(Known(total.value(definition.across))),
            _ => total.known(view),
        }
    }

    /// Asks every instance what its window shows.
    fn across_afresh(&self, node: u32, kpi: (&Scorecard, usize), view: &View) -> Option<f64> {
        self.across_instances(node, kpi, &|rules, series| series.value_in(rules, view))
    }

    /// Asks every instance.
    fn across_instances(
        &self,
        node: u32,
        (scorecard, kpi): (&Scorecard, usize),
        value: &dyn Fn(Rules<'_>, &Series) -> Option<f64>,
    ) -> Option<f64> {
        let rules = rules_of(scorecard, kpi)?;
        let own = self.nodes.get(node as usize)?.instance as usize;
        let instances = self.instance_by_name.get(self.instances.get(own)?.scorecard)?.values();
        let mut total = Total::default();
        for other in instances.filter_map(|instance| self.instances.get(*instance as usize)) {
            let series = self.series.get(other.series_base as usize + kpi)?;
            total.replace(f64::NAN, value(rules, series).unwrap_or(f64::NAN));
        }
        total.value(rules.definition.across)
    }

    /// Remembers what the trends of a scorecard look at, so that drawing it does not ask every instance each time.
    pub(super) fn remember_trends(&mut self, scorecard: usize) {
        let catalog = Arc::clone(&self.catalog);
        // Before the first block there is no past.
        let has_begun = self.at() >= Instant::EARLIEST;
        let Some(definition) = catalog.scorecards.get(scorecard).filter(|_| has_begun) else {
            return;
        };
        for kpi in 0..definition.kpis.len() {
            let previous = definition
                .kpis
                .get(kpi)
                .and_then(|own| own.window.previous(&definition.calendar, self.at()));
            if let Some(at) = previous {
                self.remember_across((scorecard, definition), kpi, at);
            }
        }
    }

    /// Prepares a picture of the past of a scorecard over all instances, so that drawing it asks no instance: looks into up
    /// to so many instances, and tells whether there is more to look into.
    pub fn prepare_past(&mut self, scorecard: &str, at: Instant, instances_max: usize) -> bool {
        let catalog = Arc::clone(&self.catalog);
        let Some(index) = catalog.scorecards.iter().position(|own| own.id.as_str() == scorecard) else {
            return false;
        };
        let Some(definition) = catalog.scorecards.get(index) else {
            return false;
        };
        let instances = self.instance_by_name.get(index).map_or(0, BTreeMap::len);
        let mut looked = 0;
        for (kpi, own) in definition.kpis.iter().enumerate() {
            let rounded = super::pictures::slice_end(definition, kpi, at);
            let previous = own.window.previous(&definition.calendar, at);
            for instant in [rounded, previous].into_iter().flatten() {
                if self.remember_across((index, definition), kpi, instant) {
                    looked += instances;
                }
                if looked >= instances_max {
                    return true;
                }
            }
        }
        false
    }

    /// Remembers the value over all instances at an instant of the past. False when it was known.
    fn remember_across(&mut self, (index, scorecard): (usize, &Scorecard), kpi: usize, at: Instant) -> bool {
        let node = self.find_node(index, None, NodePlace::Kpi(kpi));
        let (Some(node), Some(definition)) = (node, scorecard.kpis.get(kpi)) else {
            return false;
        };
        let view = definition.window.view(&scorecard.calendar, at);
        let Some(Some(total)) = self.totals.get(node as usize) else {
            return false;
        };
        let is_held = matches!(definition.missing, Missing::Hold(_));
        if is_held || self.known_across(total, (scorecard, definition), &view).is_some() {
            return false;
        }
        let value = self.across_afresh(node, (scorecard, kpi), &view);
        if let Some(Some(total)) = self.totals.get_mut(node as usize) {
            total.remember(view, value);
        }
        true
    }

    /// An instance is new: where an empty window counts as zero, it is part of every past.
    pub(super) fn note_instance(&mut self, scorecard: usize) {
        let catalog = Arc::clone(&self.catalog);
        let kpis = catalog.scorecards.get(scorecard).map(|own| own.kpis.as_slice());
        for (kpi, own) in kpis.unwrap_or_default().iter().enumerate() {
            let node = (own.missing == Missing::Zero).then(|| self.find_node(scorecard, None, NodePlace::Kpi(kpi)));
            if let Some(Some(total)) = node.flatten().and_then(|node| self.totals.get_mut(node as usize)) {
                total.forget_past(..);
            }
        }
    }

    /// Slices of a KPI up to this one are gone, of an instance or over all of them.
    pub(super) fn forget_trimmed(&mut self, node: u32, last: i64) {
        let overall = self.overall_node(node).unwrap_or(node);
        if let Some(Some(total)) = self.totals.get_mut(overall as usize) {
            total.forget_past(..=last);
        }
    }

    /// A measurement of an instance came or went: what was remembered of its window may be wrong.
    pub(super) fn forget_past(&mut self, place: SeriesPlace, observed_at: Instant) {
        let Some((overall, _)) = place.overall else { return };
        let Some(scorecard) = self.catalog.scorecards.get(place.scorecard) else {
            return;
        };
        let Some(own) = scorecard.kpis.get(place.kpi) else {
            return;
        };
        let slice = own.window.slice_of(&scorecard.calendar, observed_at);
        if let Some(Some(total)) = self.totals.get_mut(overall as usize) {
            total.forget_past(slice..=slice);
        }
    }
}
