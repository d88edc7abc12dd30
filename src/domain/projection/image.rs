//! The projection as words, for checkpoints, and back.
//!
//! An image comes in [`Parts`], each a row of 64-bit words under a key: the head, one part an instance, and the names of the
//! journal's series by the thousand. [`Projection::take_image`] gives only the parts that changed since it was last asked.
//! What can be derived from the catalog (shapes, rules, links) is made anew, so an image fits one catalog only.

use std::sync::Arc;

use super::node_state::{NodePart, NodeState};
use super::timeline::ClockState;
use super::{Projection, ProjectionOptions};
use crate::domain::alert::AlertPhase;
use crate::domain::alerting::{Active, AlertKey};
use crate::domain::board::Note;
use crate::domain::catalog::Catalog;
use crate::domain::id::{InstanceId, KpiId, Sequence};
use crate::domain::instant::Instant;
use crate::domain::measurement::SeriesKey;
use crate::domain::parts::Parts;
use crate::domain::reading::Absence;
use crate::domain::series::Series;
use crate::domain::words::{put_text, take_text};

/// Keys: the kind in the highest byte, the number below.
const HEAD: u64 = 1 << 56;
const INSTANCE: u64 = 2 << 56;
const NAMES: u64 = 3 << 56;
const NUMBER_MASK: u64 = (1 << 56) - 1;
/// Form of an image. Raised whenever the words of a part change their meaning, so that one of another form is not misread.
pub const IMAGE_FORM: u64 = 1;
/// Series names in one part.
const NAMES_CHUNK: usize = 1_000;

const ABSENCES: [Absence; 6] = [
    Absence::NoData,
    Absence::Stale,
    Absence::NotApplicable,
    Absence::NoTarget,
    Absence::Paused,
    Absence::InsufficientCoverage,
];

/// A part as it is read: a type of its own, because a call for each of many million words would cost as much as reading them.
type Words<'a> = std::iter::Copied<std::slice::Iter<'a, u64>>;

impl Projection {
    /// The parts that changed since the last call; `names_before` is how many series names were given already.
    pub fn take_image(&mut self, names_before: usize) -> Parts {
        let mut parts = Parts::default();
        parts.put(HEAD, |out| self.put_head(out));
        for number in 0..self.instances.len() {
            if self
                .instances
                .get_mut(number)
                .is_some_and(|state| std::mem::take(&mut state.is_unsaved))
            {
                parts.put(INSTANCE | number as u64, |out| self.put_instance(number, out));
            }
        }
        // The last part of before may have been half full.
        for chunk in names_before / NAMES_CHUNK..self.journal_series.len().div_ceil(NAMES_CHUNK) {
            parts.put(NAMES | chunk as u64, |out| self.put_names(chunk, out));
        }
        parts
    }

    /// The next image is whole again, as if none had been taken.
    pub fn forget_saved(&mut self) {
        self.instances.iter_mut().for_each(|state| state.is_unsaved = true);
    }

    /// A projection from all parts of an image. `None` where they do not make sense.
    pub fn from_image(catalog: Arc<Catalog>, options: ProjectionOptions, parts: &Parts) -> Option<Self> {
        let mut projection = Self::new(catalog, options);
        let mut parts: Vec<(u64, &[u64])> = parts.iter().collect();
        parts.sort_by_key(|(key, _)| *key);
        // All are there before the first is filled in: one that appears marks nodes in which it counts.
        let of_instances = || parts.iter().filter(|(key, _)| key & !NUMBER_MASK == INSTANCE);
        for (key, words) in of_instances() {
            projection.restore_presence((key & NUMBER_MASK) as u32, &mut words.iter().copied())?;
        }
        for (key, words) in of_instances() {
            projection.restore_instance((key & NUMBER_MASK) as u32, &mut words.iter().copied())?;
        }
        for (_, words) in parts.iter().filter(|(key, _)| key & !NUMBER_MASK == NAMES) {
            projection.restore_names(&mut words.iter().copied())?;
        }
        let (_, head) = parts.iter().find(|(key, _)| *key == HEAD)?;
        projection.restore_head(&mut head.iter().copied())?;
        projection.restore_queues();
        // How old the slices are was not saved.
        projection.oldest_taken = Instant(i64::MIN);
        Some(projection)
    }

    fn put_head(&self, out: &mut Vec<u64>) {
        out.extend([
            self.sequence.0,
            self.instances.len() as u64,
            self.journal_series.len() as u64,
        ]);
        match self.clock {
            ClockState::Recorded { at } => out.extend([0, at.0 as u64, 0, 0]),
            ClockState::Event {
                every_ms,
                started: None,
            } => out.extend([1, every_ms as u64, 0, 0]),
            ClockState::Event {
                every_ms,
                started: Some((at, next)),
            } => {
                out.extend([2, every_ms as u64, at.0 as u64, next.0 as u64]);
            }
        }
        let alerts: Vec<(AlertKey, &Active)> = self.alerting.active().collect();
        out.push(alerts.len() as u64);
        for (key, active) in alerts {
            put_text(
                out,
                self.catalog
                    .rules
                    .get(key.rule as usize)
                    .map_or("", |rule| rule.id.as_str()),
            );
            out.push(u64::from(key.node));
            put_active(out, active);
        }
    }

    fn restore_head(&mut self, words: &mut dyn Iterator<Item = u64>) -> Option<()> {
        self.sequence = Sequence(words.next()?);
        let (instances, names) = (words.next()?, words.next()?);
        if (instances, names) != (self.instances.len() as u64, self.journal_series.len() as u64) {
            return None;
        }
        let (kind, first, second, third) = (
            words.next()?,
            words.next()? as i64,
            words.next()? as i64,
            words.next()? as i64,
        );
        self.clock = match kind {
            0 => ClockState::Recorded { at: Instant(first) },
            1 => ClockState::Event {
                every_ms: first,
                started: None,
            },
            _ => ClockState::Event {
                every_ms: first,
                started: Some((Instant(second), Instant(third))),
            },
        };
        for _ in 0..words.next()? {
            let rule_id = take_text(words)?;
            let node = words.next()? as u32;
            let active = take_active(words)?;
            let catalog = Arc::clone(&self.catalog);
            let index = catalog.rules.iter().position(|rule| rule.id.as_str() == rule_id)?;
            let key = AlertKey {
                rule: index as u32,
                node,
            };
            self.alerting.restore(key, catalog.rules.get(index)?, active);
        }
        Some(())
    }

    fn put_instance(&self, number: usize, out: &mut Vec<u64>) {
        let Some(state) = self.instances.get(number) else {
            return;
        };
        out.push(state.scorecard as u64);
        put_text(out, state.name.as_ref().map_or("", InstanceId::as_str));
        let nodes = self.shapes.get(state.scorecard).map_or(0, |shape| shape.nodes.len());
        let kpis = self
            .catalog
            .scorecards
            .get(state.scorecard)
            .map_or(0, |scorecard| scorecard.kpis.len());
        let (node_base, series_base) = (state.node_base as usize, state.series_base as usize);
        for (number, node) in self.nodes.iter().enumerate().skip(node_base).take(nodes) {
            put_node(out, number as u32, node);
            put_note(out, self.notes.get(&(number as u32)));
        }
        self.series
            .iter()
            .skip(series_base)
            .take(kpis)
            .for_each(|series| series.to_words(out));
    }

    fn put_names(&self, chunk: usize, out: &mut Vec<u64>) {
        let start = chunk * NAMES_CHUNK;
        out.push((self.journal_series.len() - start).min(NAMES_CHUNK) as u64);
        for key in self.journal_series.from(start).take(NAMES_CHUNK) {
            put_text(out, key.kpi.as_str());
            put_text(out, key.source);
            put_text(out, key.each.map_or("", |(label, _)| label));
            put_text(out, key.each.map_or("", |(_, name)| name.as_str()));
        }
    }

    /// Which scorecard it is an instance of, and its name; with all its nodes, that say nothing yet.
    fn restore_presence(&mut self, number: u32, words: &mut Words<'_>) -> Option<()> {
        let scorecard = usize::try_from(words.next()?).ok()?;
        let name = take_text(words)?;
        if number as usize >= self.instances.len() {
            let added = self.add_instance(scorecard, Some(InstanceId::parse(&name).ok()?));
            (added == number).then_some(())?;
        }
        Some(())
    }

    fn restore_instance(&mut self, number: u32, words: &mut Words<'_>) -> Option<()> {
        let scorecard = usize::try_from(words.next()?).ok()?;
        take_text(words)?;
        let state = self.instances.get_mut(number as usize)?;
        state.is_unsaved = false;
        let (node_base, series_base) = (state.node_base as usize, state.series_base as usize);
        for node in node_base..node_base + self.shapes.get(scorecard)?.nodes.len() {
            take_node(words, self.nodes.get_mut(node)?)?;
            if let Some(note) = take_note(words)? {
                self.notes.insert(node as u32, note);
            }
        }
        for series in series_base..series_base + self.catalog.scorecards.get(scorecard)?.kpis.len() {
            *self.series.get_mut(series)? = Series::from_words(words)?;
        }
        Some(())
    }

    fn restore_names(&mut self, words: &mut dyn Iterator<Item = u64>) -> Option<()> {
        for _ in 0..words.next()? {
            let (kpi, source, label, name) = (
                take_text(words)?,
                take_text(words)?,
                take_text(words)?,
                take_text(words)?,
            );
            let each = match name.as_str() {
                "" => None,
                name => Some((label.into(), InstanceId::parse(name).ok()?)),
            };
            let key = SeriesKey {
                kpi: KpiId::parse(&kpi).ok()?,
                source: source.into(),
                each,
            };
            self.name_series(key.view());
        }
        Some(())
    }

    /// Queues, totals and rankings follow from the nodes.
    fn restore_queues(&mut self) {
        self.restore_totals();
        self.dirty.iter_mut().for_each(Vec::clear);
        self.dues.clear();
        for node in 0..self.nodes.len() as u32 {
            let Some(state) = self.nodes.get_mut(node as usize) else {
                continue;
            };
            let (is_dirty, due) = (std::mem::take(&mut state.is_dirty), state.due);
            self.queue(node, i64::MAX, due);
            if is_dirty {
                self.mark(node);
            }
        }
        for (number, state) in self
            .instances
            .iter()
            .enumerate()
            .filter(|(_, state)| state.name.is_some())
        {
            let score = self
                .nodes
                .get(state.node_base as usize)
                .map_or(f64::NAN, |node| node.score);
            if let Some(ranking) = self.ranking.get_mut(state.scorecard) {
                ranking.replace(number as u32, f64::NAN, score);
            }
        }
    }
}

fn put_active(out: &mut Vec<u64>, active: &Active) {
    let none = i64::MIN as u64;
    out.push(u64::from(active.phase == AlertPhase::Firing) << 32 | u64::from(active.status_before));
    out.push(active.since.0 as u64);
    out.push(active.fired_at.map_or(none, |at| at.0 as u64));
    out.push(active.ending_since.map_or(none, |at| at.0 as u64));
    out.push(u64::from(active.repeats));
    out.push(active.not_before.0 as u64);
}

fn take_active(words: &mut dyn Iterator<Item = u64>) -> Option<Active> {
    let flags = words.next()?;
    let instant = |word: u64| (word as i64 != i64::MIN).then_some(Instant(word as i64));
    Some(Active {
        phase: if flags >> 32 == 1 {
            AlertPhase::Firing
        } else {
            AlertPhase::Pending
        },
        status_before: flags as u8,
        since: Instant(words.next()? as i64),
        fired_at: instant(words.next()?),
        ending_since: instant(words.next()?),
        repeats: words.next()? as u32,
        not_before: Instant(words.next()? as i64),
    })
}

fn put_node(out: &mut Vec<u64>, number: u32, node: &NodeState) {
    let absence = node
        .absence
        .and_then(|absence| ABSENCES.iter().position(|known| *known == absence));
    let flags = [node.fresh, node.provisional, node.is_dirty, node.is_told, node.restated];
    let flags = flags
        .iter()
        .enumerate()
        .fold(0, |word, (place, flag)| word | u64::from(*flag) << place);
    let absence = absence.map_or(0xff, |place| place as u64);
    let (count, observed_at) = node.measured();
    let worst = node.worst(number);
    out.extend(
        [
            node.value(),
            node.score,
            node.coverage,
            worst.map_or(f64::NAN, |(_, score)| score),
        ]
        .map(f64::to_bits),
    );
    out.push(u64::from(worst.map_or(0, |(leaf, _)| leaf)) << 32 | u64::from(node.red()));
    let observed_at = observed_at.map_or(i64::MIN, |at| at.0);
    out.extend([u64::from(count), observed_at as u64, node.due as u64]);
    out.push(flags << 24 | absence << 16 | u64::from(node.status_before) << 8 | u64::from(node.status));
}

fn take_node(words: &mut dyn Iterator<Item = u64>, node: &mut NodeState) -> Option<()> {
    let [value, score, coverage, worst_score] =
        [words.next()?, words.next()?, words.next()?, words.next()?].map(f64::from_bits);
    (node.score, node.coverage) = (score, coverage);
    let leaf = words.next()?;
    let (count, observed_at) = (u32::try_from(words.next()?).ok()?, words.next()? as i64);
    node.part = match node.part {
        NodePart::Leaf { .. } => NodePart::Leaf {
            value,
            observed_at,
            count,
        },
        NodePart::Branch { .. } => NodePart::Branch {
            worst_score,
            worst_leaf: (leaf >> 32) as u32,
            red: leaf as u32,
        },
    };
    node.due = words.next()? as i64;
    let flags = words.next()?;
    (node.status, node.status_before) = (flags as u8, (flags >> 8) as u8);
    node.absence = ABSENCES.get((flags >> 16 & 0xff) as usize).copied();
    let flag = |place: u32| flags >> (24 + place) & 1 == 1;
    (node.fresh, node.provisional, node.is_dirty, node.is_told) = (flag(0), flag(1), flag(2), flag(3));
    node.restated = flag(4);
    Some(())
}

fn put_note(out: &mut Vec<u64>, note: Option<&Note>) {
    let Some(note) = note else {
        out.push(0);
        return;
    };
    out.extend([1 + u64::from(note.by.is_some()), note.observed_at.0 as u64]);
    put_text(out, &note.text);
    put_text(out, note.by.as_deref().unwrap_or_default());
}

#[expect(
    clippy::option_option,
    reason = "the outer says whether the words could be read, the inner whether there is a note"
)]
fn take_note(words: &mut dyn Iterator<Item = u64>) -> Option<Option<Note>> {
    let kind = words.next()?;
    if kind == 0 {
        return Some(None);
    }
    let observed_at = Instant(words.next()? as i64);
    let (text, by) = (take_text(words)?, take_text(words)?);
    Some(Some(Note {
        text: text.into(),
        by: (kind == 2).then(|| by.into()),
        observed_at,
    }))
}
