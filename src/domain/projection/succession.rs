//! Other definitions take over: the projection goes on under a new catalog, from one sequence to the next.
//!
//! The projection under the old catalog enters, with a [`Refold`] of the journal so far; the projection under the new one
//! leaves. Slices whose measurements mean the same under both are taken over; the others were folded anew, without any
//! evaluation, so nothing is decided twice. Alerts go on where their rule and node go on; one whose rule or node is gone
//! is resolved. Both outcomes are functions of the journal alone, whenever and wherever the refold was made.

use std::collections::HashSet;
use std::sync::Arc;

use super::instances::Placed;
use super::node_state::{NO_STATUS, NodeState};
use super::shape::ShapeNode;
use super::{ClockKind, Effects, Projection, ProjectionOptions};
use crate::domain::alert::{AlertPhase, TransitionKind};
use crate::domain::alerting::{Active, AlertKey, Happening};
use crate::domain::catalog::{Band, Catalog, KpiDefinition, Missing, Scorecard, version_at};
use crate::domain::fact::{Block, Entry, Fact, SeriesNumber};
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;

/// The journal folded under a new catalog: only the KPIs whose measurements mean something else under it.
#[derive(Debug)]
pub struct Refold {
    projection: Projection,
    /// Catalog that it succeeds.
    before: String,
    /// By scorecard and KPI of the new catalog: folded anew.
    anew: Vec<Vec<bool>>,
    /// By number of the journal's series: of a KPI that is folded anew.
    wanted: Vec<bool>,
    now: Instant,
}

impl Refold {
    /// Nothing is folded yet. Blocks enter by [`Refold::fold`], from the journal's first on.
    pub fn new(before: &Catalog, catalog: Arc<Catalog>, options: ProjectionOptions) -> Self {
        let anew = catalog
            .scorecards
            .iter()
            .map(|own| own.kpis.iter().map(|kpi| !is_read_alike(before, own, kpi)).collect());
        Self {
            anew: anew.collect(),
            before: before.fingerprint.clone(),
            wanted: Vec::new(),
            now: Instant(i64::MIN),
            projection: Projection::new(catalog, options),
        }
    }

    /// A copy that is told more than the journal says until where this one stands.
    pub fn twin(&mut self) -> Option<Self> {
        Some(Self {
            projection: self.projection.twin()?,
            before: self.before.clone(),
            anew: self.anew.clone(),
            wanted: self.wanted.clone(),
            now: self.now,
        })
    }

    /// Takes facts in beside their order, as [`Projection::take_aside`] does.
    pub fn take_aside<'a>(
        &mut self,
        names: &[SeriesKey],
        facts: impl IntoIterator<Item = (Sequence, Entry<'a>, Instant)>,
    ) {
        self.projection.take_aside(names, facts);
    }

    /// Whether it succeeds `before` with `after`.
    pub fn leads(&self, before: &Catalog, after: &str) -> bool {
        self.before == before.fingerprint && self.projection.catalog.fingerprint == after
    }

    /// KPIs that are folded anew, in catalog order.
    pub fn kpis(&self) -> Vec<KpiId> {
        let scorecards = self.projection.catalog.scorecards.iter().zip(&self.anew);
        scorecards
            .flat_map(|(scorecard, anew)| scorecard.kpis.iter().zip(anew))
            .filter(|(_, anew)| **anew)
            .map(|(kpi, _)| kpi.id.clone())
            .collect()
    }

    /// Whether any of the journal is needed.
    pub fn needs_history(&self) -> bool {
        self.anew.iter().flatten().any(|anew| *anew)
    }

    /// Last fact folded.
    pub fn sequence(&self) -> Sequence {
        self.projection.sequence
    }

    /// Takes in the next block. Nothing is evaluated.
    pub fn fold(&mut self, block: &Block) {
        self.projection.learn_series(block.series_base, &block.new_series);
        self.learn_wanted();
        for (sequence, entry) in block.entries() {
            let (series, observed_at) = place_of(&entry);
            self.now = match self.projection.options.clock {
                ClockKind::Recorded => block.recorded_at,
                ClockKind::Event { .. } => self.now.max(observed_at.unwrap_or(self.now)),
            };
            let is_wanted = |series: SeriesNumber| self.wanted.get(series.0 as usize).is_some_and(|wanted| *wanted);
            if series.is_some_and(is_wanted) {
                self.projection.take_entry(sequence, &entry, self.now);
            }
        }
        self.projection.sequence = block.last();
    }

    fn learn_wanted(&mut self) {
        let Projection {
            catalog,
            journal_series,
            ..
        } = &self.projection;
        let unknown = journal_series.from(self.wanted.len());
        let is_anew = |kpi: &KpiId| {
            let (scorecard, kpi) = catalog.kpis.get(kpi)?;
            self.anew.get(*scorecard)?.get(*kpi).copied()
        };
        let wanted: Vec<bool> = unknown.map(|key| is_anew(key.kpi).unwrap_or(false)).collect();
        self.wanted.extend(wanted);
    }
}

/// The series and the instant that an entry is about.
fn place_of(entry: &Entry<'_>) -> (Option<SeriesNumber>, Option<Instant>) {
    match entry {
        Entry::Measurement(row) => (Some(row.series), Some(row.observed_at)),
        Entry::Other(Fact::MeasurementCorrected(correction)) => {
            (Some(correction.target.series), Some(correction.observed_at))
        }
        Entry::Other(Fact::MeasurementRetracted(retraction)) => (Some(retraction.target.series), None),
        Entry::Other(_) => (None, None),
    }
}

/// Whether the KPI's measurements make the same slices under both definitions.
fn is_read_alike(before: &Catalog, scorecard: &Scorecard, kpi: &KpiDefinition) -> bool {
    before.kpi(&kpi.id).is_some_and(|(other, old)| {
        other.id == scorecard.id
            && other.each == scorecard.each
            && other.calendar.has_days_of(&scorecard.calendar)
            && old.aggregate == kpi.aggregate
            && old.window == kpi.window
            && old.scale == kpi.scale
    })
}

impl Projection {
    /// Goes on under another catalog from `at` on, at the fact `sequence`; `refold` has folded everything before it. What
    /// ends with the old definitions is told; what the new ones say is found out at the next evaluation, as all is dirty.
    pub fn succeed(&mut self, refold: Refold, (sequence, at): (Sequence, Instant), effects: &mut Effects) {
        let Refold {
            projection: mut new,
            anew,
            ..
        } = refold;
        self.tell_waiting(effects);
        let at = self.settle(at, effects);
        (new.options, new.clock, new.sequence) = (self.options, self.clock, self.sequence);
        (new.observed_until, new.is_for_the_end) = (self.observed_until, self.is_for_the_end);
        let heirs = Heirs::between(self, &new, at);
        new.adopt_names(self);
        new.adopt_instances(self, &heirs, &anew);
        let first = effects.transitions.len();
        new.adopt_alerts(self, &heirs, at, effects);
        for transition in effects.transitions.iter_mut().skip(first) {
            transition.sequence = sequence;
        }
        *self = new;
    }

    /// Lets happen what is due before the definitions change, and tells when they do.
    fn settle(&mut self, at: Instant, effects: &mut Effects) -> Instant {
        match self.options.clock {
            ClockKind::Recorded => {
                self.advance(at.plus_ms(-1), effects);
                at
            }
            ClockKind::Event { .. } => {
                let now = self.at();
                self.run_timers(now, effects);
                now
            }
        }
    }

    fn adopt_names(&mut self, before: &mut Projection) {
        self.journal_series = std::mem::take(&mut before.journal_series);
        self.oldest_taken = self.oldest_taken.min(before.oldest_taken);
        self.placed = vec![Placed::NotYet; before.placed.len()];
    }

    fn adopt_instances(&mut self, before: &mut Projection, heirs: &Heirs, anew: &[Vec<bool>]) {
        for number in 0..before.instances.len() as u32 {
            let Some(successor) = self.successor(before, heirs, number) else {
                continue;
            };
            self.adopt_series(before, (number, successor), anew);
            self.adopt_nodes(before, heirs, (number, successor));
        }
    }

    /// The same scorecard or instance under the new catalog, made if it is not there yet.
    fn successor(&mut self, before: &Projection, heirs: &Heirs, number: u32) -> Option<u32> {
        let state = before.instances.get(number as usize)?;
        let heir = heirs.of(state.scorecard)?;
        match &state.name {
            None => Some(heir.scorecard as u32),
            Some(name) => {
                let is_there = heir.instances.contains(name);
                is_there.then(|| self.instance(heir.scorecard, name))
            }
        }
    }

    fn adopt_series(&mut self, before: &mut Projection, (from, to): (u32, u32), anew: &[Vec<bool>]) {
        let catalog = Arc::clone(&self.catalog);
        let (Some(old), Some(new)) = (before.instances.get(from as usize), self.instances.get(to as usize)) else {
            return;
        };
        let Some(scorecard) = catalog.scorecards.get(new.scorecard) else {
            return;
        };
        for (index, definition) in scorecard.kpis.iter().enumerate() {
            let is_anew = anew.get(new.scorecard).and_then(|kpis| kpis.get(index)).copied();
            let known = before.catalog.kpis.get(&definition.id);
            let (Some(false), Some(&(_, old_index))) = (is_anew, known) else {
                continue;
            };
            let is_final_alike = before.catalog.kpi(&definition.id).is_some_and(|(_, old)| {
                (old.across, old.allowed_lateness_ms) == (definition.across, definition.allowed_lateness_ms)
            });
            let source = before.series.get_mut(old.series_base as usize + old_index);
            let target = self.series.get_mut(new.series_base as usize + index);
            if let (Some(source), Some(target)) = (source, target) {
                *target = std::mem::take(source);
                if !matches!(definition.missing, Missing::Hold(_)) {
                    target.let_go();
                }
                if !is_final_alike {
                    target.open_again();
                }
            }
        }
    }

    /// What nodes said last goes on being what they said, so that only what differs is told.
    fn adopt_nodes(&mut self, before: &Projection, heirs: &Heirs, (from, to): (u32, u32)) {
        let (Some(old), Some(new)) = (before.instances.get(from as usize), self.instances.get(to as usize)) else {
            return;
        };
        let Some(heir) = heirs.of(old.scorecard) else { return };
        let (scorecard, base, is_instance) = (new.scorecard, new.node_base, new.name.is_some());
        for (known, local) in heir.nodes.iter().enumerate() {
            let Some(local) = *local else { continue };
            let (from_node, to_node) = (old.node_base + known as u32, base + local);
            let said = before.nodes.get(from_node as usize);
            let (Some(said), Some(state)) = (said, self.nodes.get_mut(to_node as usize)) else {
                continue;
            };
            *state = NodeState {
                instance: to,
                part: said.part.with_unknown_worst(),
                due: i64::MAX,
                status: heir.band(said.status),
                status_before: heir.band(said.status_before),
                is_dirty: state.is_dirty,
                is_quiet: false,
                ..*said
            };
            let value = said.value();
            if let Some(total) = self.total_above(to_node) {
                total.replace(f64::NAN, value);
            }
            if let Some(note) = before.notes.get(&from_node) {
                self.notes.entry(to_node).or_insert_with(|| note.clone());
            }
        }
        let score = self.nodes.get(base as usize).map_or(f64::NAN, |root| root.score);
        if let Some(ranking) = self.ranking.get_mut(scorecard).filter(|_| is_instance) {
            ranking.replace(to, f64::NAN, score);
        }
    }

    fn adopt_alerts(&mut self, before: &Projection, heirs: &Heirs, at: Instant, effects: &mut Effects) {
        let active: Vec<(AlertKey, Active)> = before.alerting.active().map(|(key, active)| (key, *active)).collect();
        for (key, active) in active {
            if self.adopt_alert(before, heirs, (key, &active), at).is_none() && active.phase == AlertPhase::Firing {
                let happening = Happening {
                    key,
                    kind: TransitionKind::Resolved,
                    at,
                    active,
                };
                effects.transitions.extend(before.transition(&happening));
            }
        }
    }

    /// `None` where the rule or the node is gone, or the one does not apply to the other any more.
    fn adopt_alert(
        &mut self,
        before: &Projection,
        heirs: &Heirs,
        (key, active): (AlertKey, &Active),
        at: Instant,
    ) -> Option<()> {
        let catalog = Arc::clone(&self.catalog);
        let id = &before.catalog.rules.get(key.rule as usize)?.id;
        let index = catalog.rules.iter().position(|rule| rule.id == *id)?;
        let rule = catalog.rules.get(index)?;
        let (old_instance, _, old_local) = before.node_place(key.node)?;
        let heir = heirs.of(before.instances.get(old_instance as usize)?.scorecard)?;
        let local = (*heir.nodes.get(old_local as usize)?)?;
        let instance = self.successor(before, heirs, old_instance)?;
        let state = self.instances.get(instance as usize)?;
        let applies = state.rules.get(local as usize)?.contains(&(index as u32));
        let key = AlertKey {
            rule: index as u32,
            node: state.node_base + local,
        };
        let adopted = Active {
            status_before: heir.band(active.status_before),
            ..active.under(rule, at)
        };
        applies.then(|| self.alerting.restore(key, rule, adopted))
    }
}

/// What becomes of the scorecards of the old catalog, by their numbers.
struct Heirs(Vec<Option<Heir>>);

/// A scorecard under the new catalog.
struct Heir {
    scorecard: usize,
    /// Instances that KPIs which it has now were measured for, under the label that `each` names now. Looked up only.
    instances: HashSet<InstanceId>,
    /// By node of the old shape: the node with the same path.
    nodes: Vec<Option<u32>>,
    /// By band of the old scorecard: the band of the same name.
    bands: Vec<u8>,
}

impl Heirs {
    fn between(before: &Projection, after: &Projection, at: Instant) -> Self {
        let heir = |(number, old): (usize, &Scorecard)| {
            let own = &after.catalog.scorecards;
            let scorecard = own.iter().position(|new| new.id == old.id)?;
            let (old_shape, new_shape) = (before.shapes.get(number)?, after.shapes.get(scorecard)?);
            let same = |node: &ShapeNode| new_shape.nodes.iter().position(|new| new.suffix == node.suffix);
            let place = |node| same(node).map(|place| place as u32);
            Some(Heir {
                scorecard,
                instances: measured_instances(before, (&after.catalog, scorecard)),
                nodes: old_shape.nodes.iter().map(place).collect(),
                bands: same_bands(old, own.get(scorecard)?, at),
            })
        };
        Self(before.catalog.scorecards.iter().enumerate().map(heir).collect())
    }

    fn of(&self, scorecard: usize) -> Option<&Heir> {
        self.0.get(scorecard)?.as_ref()
    }
}

impl Heir {
    fn band(&self, status: u8) -> u8 {
        self.bands.get(usize::from(status)).copied().unwrap_or(NO_STATUS)
    }
}

/// Instances of a scorecard that the journal has measurements for so far: those that are there under these definitions.
fn measured_instances(before: &Projection, (catalog, scorecard): (&Catalog, usize)) -> HashSet<InstanceId> {
    let label = catalog.scorecards.get(scorecard).and_then(|own| own.each.as_deref());
    let keys = before.journal_series.from(0);
    let named = keys.filter_map(|key| {
        let (under, name) = key.each?;
        let is_own = catalog.kpis.get(key.kpi).is_some_and(|(place, _)| *place == scorecard);
        (is_own && Some(&**under) == label).then(|| name.clone())
    });
    named.collect()
}

/// By band of the old scorecard: the one of the same name under the new one, or none.
fn same_bands(old: &Scorecard, new: &Scorecard, at: Instant) -> Vec<u8> {
    let (Some(old), Some(new)) = (version_at(&old.bands, at), version_at(&new.bands, at)) else {
        return Vec::new();
    };
    let same = |band: &Band| new.iter().position(|other| other.name == band.name);
    let number = |band| same(band).map_or(NO_STATUS, |place| place as u8);
    old.iter().map(number).collect()
}
