//! What a fact changes: a sample enters a series, leaves it, or moves. Nothing is evaluated here.

use std::sync::Arc;

use super::Projection;
use super::instances::{Placed, SeriesPlace, rules_of};
use super::room::make_room;
use crate::domain::aggregate::{Sample, SampleValue};
use crate::domain::board::Note;
use crate::domain::catalog::{Aggregate, Catalog, KpiDefinition};
use crate::domain::fact::{Correction, Fact, MeasurementPlace, Row, SeriesNumber};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::measurement::{Extra, SeriesKey};
use crate::domain::series::Rules;
use crate::domain::series_names::{SeriesNames, SeriesView};

impl Projection {
    /// Series that the journal names for the first time, in order of their numbers.
    pub(super) fn learn_series(&mut self, base: u32, new_series: &[SeriesKey]) {
        // A checkpoint may know them already.
        let known = (self.journal_series.len() as u32).saturating_sub(base) as usize;
        for key in new_series.get(known..).unwrap_or_default() {
            self.name_series(key.view());
        }
    }

    /// Keeps the name of the next series.
    pub(super) fn name_series(&mut self, key: SeriesView<'_>) {
        self.journal_series.push(key);
        make_room(&mut self.placed, 1);
        self.placed.push(Placed::NotYet);
    }

    /// Takes a measurement in. `now` is the clock: what is older than the history is only counted.
    pub(super) fn take_row(&mut self, sequence: Sequence, row: &Row<'_>, now: Instant) {
        let Some(place) = self.series_place(row.series) else {
            return;
        };
        if let Some(sample) = self.sample(sequence, row, place) {
            let has_id = row.extra.is_some_and(|extra| extra.id.is_some());
            self.add(place, &sample, has_id, now);
        }
        if let Some(extra) = row.extra {
            self.keep_note(place, row.observed_at, extra);
        }
    }

    /// Takes in any other fact that changes a series.
    pub(super) fn take_fact(&mut self, fact: &Fact, now: Instant) {
        match fact {
            Fact::MeasurementCorrected(correction) => self.correct(correction, now),
            Fact::MeasurementRetracted(retraction) => {
                if let Some(place) = self.series_place(retraction.target.series) {
                    self.remove(place, &retraction.target, now);
                }
            }
            Fact::CatalogActivated { .. }
            | Fact::NoteAdded { .. }
            | Fact::AlertAcknowledged { .. }
            | Fact::SilenceSet { .. }
            | Fact::HistoryTrimmed { .. } => {}
        }
    }

    fn correct(&mut self, correction: &Correction, now: Instant) {
        let target = &correction.target;
        let Some(place) = self.series_place(target.series) else {
            return;
        };
        self.remove(place, target, now);
        let row = correction.row();
        if let Some(sample) = self.sample(target.sequence, &row, place) {
            self.add(place, &sample, true, now);
        }
        self.keep_note(place, correction.observed_at, &correction.extra);
    }

    fn series_place(&mut self, series: SeriesNumber) -> Option<SeriesPlace> {
        let mut placed = *self.placed.get(series.0 as usize)?;
        if placed == Placed::NotYet {
            let key = self.journal_series.get(series.0 as usize)?.to_key();
            placed = self.place(&key);
            *self.placed.get_mut(series.0 as usize)? = placed;
        }
        self.series_place_at(placed)
    }

    fn sample(&self, sequence: Sequence, row: &Row<'_>, place: SeriesPlace) -> Option<Sample> {
        let definition = self.catalog.scorecards.get(place.scorecard)?.kpis.get(place.kpi)?;
        Some(Sample {
            sequence: sequence.0,
            observed_at: row.observed_at.0,
            value: value_of(definition, row, &self.journal_series)?,
        })
    }

    fn add(&mut self, place: SeriesPlace, sample: &Sample, correctable: bool, now: Instant) {
        let catalog = Arc::clone(&self.catalog);
        let Some(rules) = rules_at(&catalog, place) else { return };
        let oldest = self.oldest(now, rules);
        self.oldest_taken = self.oldest_taken.min(Instant(sample.observed_at));
        self.forget_past(place, Instant(sample.observed_at));
        for (node, series) in [Some(place.own), place.overall].into_iter().flatten() {
            if let Some(series) = self.series.get_mut(series as usize) {
                series.add(rules, sample, correctable, oldest);
            }
            self.mark(node);
        }
    }

    fn remove(&mut self, place: SeriesPlace, target: &MeasurementPlace, now: Instant) {
        let catalog = Arc::clone(&self.catalog);
        let Some(rules) = rules_at(&catalog, place) else { return };
        let oldest = self.oldest(now, rules);
        self.forget_past(place, target.observed_at);
        for (node, series) in [Some(place.own), place.overall].into_iter().flatten() {
            if let Some(series) = self.series.get_mut(series as usize) {
                series.remove(rules, (target.sequence.0, target.observed_at), oldest);
            }
            self.mark(node);
        }
    }

    /// What was observed before this is not folded into slices any more.
    pub(super) fn oldest(&self, now: Instant, rules: Rules<'_>) -> Instant {
        let Some(history_ms) = self.options.history_ms else {
            return Instant(i64::MIN);
        };
        let reach_ms = rules.definition.window.reach_ms().unwrap_or(0);
        now.plus_ms(-history_ms.max(reach_ms))
    }

    fn keep_note(&mut self, place: SeriesPlace, observed_at: Instant, extra: &Extra) {
        let Some(text) = &extra.note else { return };
        for (node, _) in [Some(place.own), place.overall].into_iter().flatten() {
            let is_newer = self.notes.get(&node).is_none_or(|note| note.observed_at <= observed_at);
            if is_newer {
                self.notes.insert(
                    node,
                    Note {
                        text: text.clone(),
                        by: extra.by.clone(),
                        observed_at,
                    },
                );
            }
        }
    }
}

/// What a row says to a KPI, with the names of the journal's series.
pub(super) fn value_of(definition: &KpiDefinition, row: &Row<'_>, names: &SeriesNames) -> Option<SampleValue> {
    let key = matches!(definition.aggregate, Aggregate::Distinct { .. }).then(|| names.get(row.series.0 as usize));
    let each = key.flatten().and_then(|key| key.each);
    Sample::read(definition, row, each.map(|(label, name)| (&**label, name.as_str())))
}

fn rules_at(catalog: &Catalog, place: SeriesPlace) -> Option<Rules<'_>> {
    rules_of(catalog.scorecards.get(place.scorecard)?, place.kpi)
}
