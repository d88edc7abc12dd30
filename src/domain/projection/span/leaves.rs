//! The leaves of a span: each goes through all its measurements and steps at one go, and several cores share them.
//!
//! Series with their rows, sorted, enter; what each leaf reads at each step leaves, and series that have taken the rows in.
//! A leaf knows nothing of the others, so the outcome is the same however they are shared.

use std::hint::black_box;

use super::super::evaluate::{bands_at, next_after};
use super::super::facts::value_of;
use super::super::fetch::fetch_series;
use super::super::node_state::{NodeState, Said};
use super::super::rows::{Fold, Slice};
use super::Step;
use super::read::LeafRead;
use super::share::Share;
use super::sorting::{FAR, Way};
use crate::domain::aggregate::{Sample, SampleValue};
use crate::domain::catalog::{Band, Bands, Versioned, Window};
use crate::domain::fact::Measurements;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::series::{Across, Evaluated, Evaluation, Rules, Series, Sliding, Steady};
use crate::domain::series_names::SeriesNames;
use crate::domain::window::View;

/// Leaves are shared between cores down to so many measurements.
const SHARE_ROWS_MIN: usize = 4_096;

/// Leaves whose memory is asked for together.
const LEAVES_AHEAD: usize = 8;

/// What a window shows at each step; neighbours mostly have the same window.
#[derive(Debug, Default)]
struct Views<'a> {
    of: Option<Rules<'a>>,
    views: Vec<View>,
}

impl<'a> Views<'a> {
    fn of(&mut self, rules: Rules<'a>, steps: &[Step]) -> &[View] {
        if !self.of.is_some_and(|of| of.has_window_of(&rules)) {
            self.of = Some(rules);
            self.views.clear();
            let window = &rules.definition.window;
            let views = steps.iter().map(|step| window.view(rules.calendar, step.at));
            self.views.extend(views);
        }
        &self.views
    }
}

/// A KPI of a scorecard or of an instance of it, with all that its evaluation needs beside its series.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf<'a> {
    pub node: u32,
    pub parent: Option<u32>,
    /// What it says, as far as it has come; dirty when it has measurements behind the last step.
    pub state: NodeState,
    pub rules: Rules<'a>,
    pub fold: Fold,
    pub bands: &'a [Versioned<Bands>],
    pub changes: &'a [Instant],
    /// Its rules have to be looked at only when its status changes.
    pub goes_by_status: bool,
}

impl Leaf<'_> {
    /// What it says, once its rules were looked at: what is told is looked at then.
    fn looked_at(&self, after: NodeState) -> NodeState {
        NodeState {
            is_quiet: self.goes_by_status,
            ..after
        }
    }
}

/// An evaluation of which it was not asked yet when it changes by itself: at which step, and the oldest slice with data.
#[derive(Debug, Clone, Copy)]
struct Asked {
    place: usize,
    oldest: Option<i64>,
}

/// From where a leaf goes on, and what it goes by.
#[derive(Debug, Clone, Copy)]
struct Onwards<'r, 'a> {
    place: usize,
    rows: &'r [Way],
    views: &'a [View],
    steady: &'a (Steady<'a>, &'a [Band]),
}

/// What all leaves of a span have in common.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<'a> {
    pub columns: &'a Measurements,
    /// Its rows in the order of series.
    pub rows: &'a [Way],
    /// When the earliest was observed, epoch ms.
    pub oldest: i64,
    /// First row of the span in the columns, and its sequence.
    pub first: (usize, Sequence),
    pub every_ms: i64,
    pub steps: &'a [Step],
    /// By journal series.
    pub names: &'a SeriesNames,
    /// All its rows are plain numbers.
    pub is_plain: bool,
    /// See [`super::Projection::look_only_at_the_end`].
    pub forgets: bool,
}

impl Common<'_> {
    /// Reads the leaves of a share, on several cores where there are many rows.
    pub fn read(&self, share: Share<'_, '_>) {
        let end = share.ends.get(share.series.len().saturating_sub(1));
        let count = end.map_or(0, |end| end - share.begin);
        if (count as usize) < SHARE_ROWS_MIN || share.series.len() < 2 {
            return self.read_alone(share);
        }
        let half = share.begin + count / 2;
        let middle = share.ends.iter().position(|end| *end > half).unwrap_or(1);
        let middle = middle.clamp(1, share.series.len() - 1);
        let (left, right) = share.split(middle, self.steps.len());
        rayon::join(|| self.read(left), || self.read(right));
    }

    fn read_alone(&self, share: Share<'_, '_>) {
        let (mut views, mut slice) = (Views::default(), Slice::default());
        let Share {
            series,
            leaves,
            ends,
            begin,
            read,
        } = share;
        let mut begin = begin as usize;
        let mut reads = read.chunks_mut(self.steps.len());
        let leaves = leaves.chunks_mut(LEAVES_AHEAD).zip(ends.chunks(LEAVES_AHEAD));
        for (series, (leaves, ends)) in series.chunks_mut(LEAVES_AHEAD).zip(leaves) {
            self.fetch(series, leaves);
            for (((series, leaf), end), read) in series.iter_mut().zip(leaves).zip(ends).zip(&mut reads) {
                let rows = self.rows.get(begin..*end as usize).unwrap_or_default();
                begin = *end as usize;
                let views = views.of(leaf.rules, self.steps);
                self.read_leaf((leaf, series), rows, (views, &mut slice), read);
            }
        }
    }

    /// Asks for what these leaves will touch: beside what evaluations always do the slices that rolling windows give up within
    /// the span, because what is left of them has to be merged. Going through the leaves of a thousand KPIs takes 0.92 of its
    /// time.
    fn fetch(&self, series: &[Series], leaves: &[Leaf<'_>]) {
        fetch_series(series);
        let (Some(first), Some(last)) = (self.steps.first(), self.steps.last()) else {
            return;
        };
        let seen = series.iter().zip(leaves).map(|(series, leaf)| {
            let window = &leaf.rules.definition.window;
            let begin = |step: &Step| window.view(leaf.rules.calendar, step.at).first;
            match window {
                Window::Rolling { .. } => series.see_part(begin(first), begin(last)),
                Window::Period { .. } | Window::All => 0,
            }
        });
        black_box(seen.fold(0, |all, seen| all ^ seen));
    }

    /// Takes a leaf through the span.
    fn read_leaf(
        &self,
        (leaf, series): (&mut Leaf<'_>, &mut Series),
        mut rows: &[Way],
        (views, slice): (&[View], &mut Slice),
        read: &mut [LeafRead],
    ) {
        if self.forgets {
            series.make_room_for(leaf.rules, rows.len().min(self.slices_begun(leaf)));
        }
        let steady = self.steady(leaf);
        let slice_ms = self.plain_slice_ms(leaf).filter(|_| steady.is_some());
        let mut state = leaf.state;
        // When what was read last changes by itself is asked once nothing was measured meanwhile, at the latest at the end.
        let mut last: Option<Asked> = None;
        let mut place = 0;
        while let Some((step, view)) = self.steps.get(place).zip(views.get(place)) {
            let is_one_taken;
            (rows, is_one_taken) = self.take_rows(leaf, series, (rows, step.rows), slice);
            state.is_dirty |= is_one_taken;
            if !state.is_dirty {
                if let Some(asked) = last.take() {
                    state.due = self.ask(leaf, series, (asked, views), read);
                }
                if state.due > step.at.0 {
                    read.get_mut(place)
                        .into_iter()
                        .for_each(|read| *read = LeafRead::default());
                    place += 1;
                    continue;
                }
            }
            let (after, oldest) = self.evaluate((leaf, series), &state, steady.as_ref(), (step.at, view));
            read.get_mut(place)
                .into_iter()
                .for_each(|read| *read = LeafRead::of(&after));
            state = leaf.looked_at(after);
            last = Some(Asked { place, oldest });
            place += 1;
            let sliding = slice_ms.and_then(|slice_ms| series.slide(slice_ms));
            if let Some((steady, sliding)) = steady.as_ref().zip(sliding) {
                let on = Onwards {
                    place,
                    rows,
                    views,
                    steady,
                };
                let asked;
                (rows, asked) = self.slide(leaf, (series, sliding), &on, (&mut state, read));
                last = asked.or(last);
                place = last.map_or(place, |asked| place.max(asked.place + 1));
            }
        }
        if let Some(asked) = last {
            state.due = self.ask(leaf, series, (asked, views), read);
        }
        if let Some(last) = self.steps.last().filter(|_| self.forgets) {
            series.forget_unseen(leaf.rules, last.at);
        }
        let (_, is_one_taken) = self.take_rows(leaf, series, (rows, usize::MAX), slice);
        state.is_dirty |= is_one_taken;
        leaf.state = state;
    }

    /// How many slices of a leaf begin within the span.
    fn slices_begun(&self, leaf: &Leaf<'_>) -> usize {
        let ends = self.steps.first().zip(self.steps.last()).zip(leaf.fold.slice_ms());
        let begun = ends.map_or(0, |((first, last), slice_ms)| {
            (last.at.since(first.at) + self.every_ms) / slice_ms + 1
        });
        usize::try_from(begun).unwrap_or(0)
    }

    /// Goes on as long as rows come at every step, and belong into the newest slices. Tells what rows are left and which step
    /// was the last one.
    fn slide<'r>(
        &self,
        leaf: &Leaf<'_>,
        (series, mut sliding): (&mut Series, Sliding),
        Onwards {
            place,
            rows,
            views,
            steady,
        }: &Onwards<'r, '_>,
        (state, read): (&mut NodeState, &mut [LeafRead]),
    ) -> (&'r [Way], Option<Asked>) {
        let (steady, bands) = steady;
        let steps = self.steps.iter().zip(*views).zip(read.iter_mut()).skip(*place);
        let (mut rest, mut said) = (*rows, state.said());
        let (mut count, mut oldest) = (0, None);
        for ((step, view), read) in steps {
            let until = u32::try_from(step.rows).unwrap_or(u32::MAX);
            let (mut now, later) = rest.split_at(rest.iter().take_while(|way| way.row < until).count());
            while let Some(first) = now.first() {
                let numbers = now.iter();
                let numbers = numbers.map(|way| (self.observed_at(way), self.sequence_of(way), way.value));
                let taken = sliding.add_run(series, self.observed_at(first), numbers);
                if taken == 0 {
                    break;
                }
                state.is_dirty = true;
                now = now.get(taken..).unwrap_or_default();
            }
            if !now.is_empty() || !state.is_dirty {
                rest = rest.get(rest.len() - later.len() - now.len()..).unwrap_or_default();
                break;
            }
            rest = later;
            let Some((reading, seen)) = series.evaluate_sliding(&sliding, steady, (step.at, view)) else {
                break;
            };
            let after = said.after_plain(&reading, bands);
            *read = LeafRead::of(&after);
            said = Said {
                is_quiet: leaf.goes_by_status,
                ..after.said()
            };
            state.is_dirty = false;
            (count, oldest) = (count + 1, Some(seen));
        }
        let last = (count > 0).then(|| Asked {
            place: place + count - 1,
            oldest,
        });
        sliding.end(series);
        let after = last.and_then(|asked| read.get(asked.place)?.state(state.instance));
        if let Some(after) = after {
            *state = NodeState {
                is_dirty: state.is_dirty,
                ..leaf.looked_at(after)
            };
        }
        (rest, last)
    }

    /// What a leaf says at a step after `before`, and the oldest slice with data that it sees.
    fn evaluate(
        &self,
        (leaf, series): (&Leaf<'_>, &mut Series),
        before: &NodeState,
        steady: Option<&(Steady<'_>, &[Band])>,
        (at, view): (Instant, &View),
    ) -> (NodeState, Option<i64>) {
        let plain = steady.and_then(|(steady, bands)| {
            let (reading, oldest) = series.evaluate_steady(steady, at, view)?;
            Some((before.said().after_plain(&reading, bands), oldest))
        });
        plain.unwrap_or_else(|| {
            let when = self.evaluation(at);
            let (reading, oldest) = series.evaluate_view(leaf.rules, (when, view), Across::Own);
            let bands = bands_at(leaf.bands, at);
            (before.after_leaf(reading, bands, i64::MAX), oldest)
        })
    }

    /// Width of a leaf's slices, if all its rows are plain numbers of them.
    fn plain_slice_ms(&self, leaf: &Leaf<'_>) -> Option<i64> {
        let is_plain = self.is_plain && leaf.fold.takes_plain();
        leaf.fold.slice_ms().filter(|_| is_plain)
    }

    /// What stays the same of a leaf over the span, if all there is to evaluate is a value and its score.
    fn steady<'a>(&self, leaf: &Leaf<'a>) -> Option<(Steady<'a>, &'a [Band])> {
        let (first, last) = (self.steps.first()?.at, self.steps.last()?.at);
        let bands = bands_at(leaf.bands, first);
        let are_same = std::ptr::eq(bands, bands_at(leaf.bands, last));
        let steady = leaf.rules.steady((first, last)).filter(|_| are_same)?;
        Some((steady, bands))
    }

    /// When what was read changes by itself.
    fn ask(
        &self,
        leaf: &Leaf<'_>,
        series: &Series,
        (Asked { place, oldest }, views): (Asked, &[View]),
        read: &[LeafRead],
    ) -> i64 {
        let (Some(step), Some(view)) = (self.steps.get(place), views.get(place)) else {
            return i64::MAX;
        };
        let read = read.get(place).and_then(|read| read.state(leaf.state.instance));
        let Some(state) = read else {
            return i64::MAX;
        };
        let evaluated = Evaluated {
            when: self.evaluation(step.at),
            view: *view,
            oldest,
            observed_at: state.measured().1,
            fresh: state.fresh,
            provisional: state.provisional,
        };
        let due = series.next_change(leaf.rules, &evaluated).map_or(i64::MAX, |due| due.0);
        due.min(next_after(leaf.changes, step.at))
    }

    fn evaluation(&self, at: Instant) -> Evaluation {
        Evaluation {
            at,
            last_before: at.plus_ms(-self.every_ms),
            is_every_instant: true,
        }
    }

    /// Takes rows in before one of the span; the others leave, and whether there was one. `slice` is one that rows were in
    /// before.
    pub fn take_rows<'r>(
        &self,
        leaf: &Leaf<'_>,
        series: &mut Series,
        (rows, until): (&'r [Way], usize),
        slice: &mut Slice,
    ) -> (&'r [Way], bool) {
        let Some(slice_ms) = self.plain_slice_ms(leaf) else {
            let count = rows.iter().take_while(|way| (way.row as usize) < until).count();
            let (now, later) = rows.split_at(count);
            return (later, self.take_samples(leaf, series, now, slice));
        };
        let aggregate = &leaf.rules.definition.aggregate;
        let until = u32::try_from(until).unwrap_or(u32::MAX);
        let mut rest = rows;
        while let Some(first) = rest.first().filter(|first| first.row < until) {
            let number = slice.of(self.observed_at(first), slice_ms);
            let this = *slice;
            let same = rest
                .iter()
                .take_while(|way| way.row < until && this.has(self.observed_at(way)));
            let samples = same.map(|way| self.sample_of(way, SampleValue::Number(way.value)));
            let count = series.add_run(aggregate, number, samples);
            rest = rest.get(count..).unwrap_or_default();
        }
        (rest, rest.len() < rows.len())
    }

    /// The same for all rows that are given, whatever they say.
    fn take_samples(&self, leaf: &Leaf<'_>, series: &mut Series, rows: &[Way], slice: &mut Slice) -> bool {
        let Some(slice_ms) = leaf.fold.slice_ms() else {
            let samples = rows.iter().filter_map(|way| self.sample(leaf, way));
            let taken = samples.inspect(|sample| series.add(leaf.rules, sample, false, Instant(i64::MIN)));
            return taken.count() > 0;
        };
        let aggregate = &leaf.rules.definition.aggregate;
        let mut rest = rows;
        let mut taken = 0;
        while let Some(first) = rest.first() {
            let number = slice.of(self.observed_at(first), slice_ms);
            let count = rest.iter().take_while(|way| slice.has(self.observed_at(way))).count();
            let (same, others) = rest.split_at(count);
            rest = others;
            taken += series.add_run(aggregate, number, same.iter().filter_map(|way| self.sample(leaf, way)));
        }
        taken > 0
    }

    #[inline]
    fn observed_at(&self, way: &Way) -> i64 {
        if way.after == FAR {
            let observed_at = self.columns.observed_at.get(self.first.0 + way.row as usize);
            return observed_at.copied().unwrap_or(i64::MAX);
        }
        self.oldest + i64::from(way.after)
    }

    fn sequence_of(&self, way: &Way) -> u64 {
        self.first.1.0 + u64::from(way.row)
    }

    fn sample(&self, leaf: &Leaf<'_>, way: &Way) -> Option<Sample> {
        let row = self.columns.row(self.first.0 + way.row as usize)?;
        Some(self.sample_of(way, value_of(leaf.rules.definition, &row, self.names)?))
    }

    fn sample_of(&self, way: &Way, value: SampleValue) -> Sample {
        Sample {
            sequence: self.sequence_of(way),
            observed_at: self.observed_at(way),
            value,
        }
    }
}
