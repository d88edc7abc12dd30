//! What is merged already of a window's slices, kept from one evaluation to the next.
//!
//! A view and slices enter, everything before the newest slices leaves, merged. How slices are divided is told in
//! [`super::gather`]. Most windows show a sum: of these no whole cells are kept, only totals, which are half as large and
//! merged without looking what they are.

use super::gather::part;
use crate::domain::aggregate::{Cell, Total};
use crate::domain::window::View;

/// What slices become when they are merged.
pub(super) trait Merged: Clone + Default {
    /// Takes a slice in.
    fn take(&mut self, slice: &Cell);
    /// This and another one.
    fn and(&self, other: &Self) -> Self;
    /// What is kept, of this kind.
    fn kept(kept: &mut Kept) -> Option<&mut Closed<Self>>;
    /// To be kept.
    fn keep(closed: Closed<Self>) -> Kept;

    /// This and a slice.
    #[inline]
    fn and_slice(&self, slice: &Cell) -> Self {
        let mut both = self.clone();
        both.take(slice);
        both
    }
}

impl Merged for Cell {
    #[inline]
    fn take(&mut self, slice: &Cell) {
        self.merge(slice);
    }

    #[inline]
    fn and(&self, other: &Self) -> Self {
        Cell::and(self, other)
    }

    #[inline]
    fn and_slice(&self, slice: &Cell) -> Self {
        Cell::and(self, slice)
    }

    #[inline]
    fn kept(kept: &mut Kept) -> Option<&mut Closed<Self>> {
        match kept {
            Kept::Cells(closed) => Some(closed),
            Kept::Totals(_) => None,
        }
    }

    fn keep(closed: Closed<Self>) -> Kept {
        Kept::Cells(closed)
    }
}

impl Merged for Total {
    #[inline]
    fn take(&mut self, slice: &Cell) {
        self.add(slice.total());
    }

    #[inline]
    fn and(&self, other: &Self) -> Self {
        let mut both = *self;
        both.add(*other);
        both
    }

    #[inline]
    fn kept(kept: &mut Kept) -> Option<&mut Closed<Self>> {
        match kept {
            Kept::Totals(closed) => Some(closed),
            Kept::Cells(_) => None,
        }
    }

    fn keep(closed: Closed<Self>) -> Kept {
        Kept::Totals(closed)
    }
}

/// What is merged already of the slices before the newest.
#[derive(Debug, Clone)]
pub(super) enum Kept {
    Cells(Closed<Cell>),
    Totals(Closed<Total>),
}

/// The same, of one kind.
#[derive(Debug, Clone)]
pub(super) struct Closed<M> {
    turn: i64,
    front: Front<M>,
    /// Everything from the turn up to `until`; `None` when it must be merged afresh.
    back: Option<Back<M>>,
}

/// Slices from the turn on, merged onwards.
#[derive(Debug, Clone)]
struct Back<M> {
    merged: M,
    /// The first slice that is in it, or would be.
    oldest: i64,
    /// The first slice that is not in it.
    until: i64,
}

/// Slices before the turn, merged backwards from it.
#[derive(Debug, Clone)]
struct Front<M> {
    /// It is right for windows that begin here or later; `None` when it must be merged afresh.
    first: Option<i64>,
    /// The groups that no window has begun in yet, the one at the turn first.
    groups: Vec<Group<M>>,
    /// Of the group in which windows begin now: (slice, everything from it up to the turn), the oldest slice last.
    spread: Vec<(i64, M)>,
}

/// Some neighbouring slices.
#[derive(Debug, Clone)]
struct Group<M> {
    first: i64,
    until: i64,
    /// Everything behind the group, up to the turn.
    behind: M,
}

/// Slices in a group. With one cell a group and one a slice of a single group, a window of n slices keeps n / 16 + 16
/// cells instead of n, for one more merge an evaluation.
const GROUP_LEN: usize = 16;

impl<M: Merged> Closed<M> {
    fn at(turn: i64) -> Self {
        Self {
            turn,
            front: Front {
                first: None,
                groups: Vec::new(),
                spread: Vec::new(),
            },
            back: None,
        }
    }

    /// Begins anew at another turn, in the same memory.
    fn begin(&mut self, turn: i64) {
        self.turn = turn;
        self.back = None;
        self.front.first = None;
        self.front.groups.clear();
        self.front.spread.clear();
    }

    /// What is kept for windows that meet at this turn; nothing yet where it is of another turn or kind.
    #[inline]
    pub fn of(kept: &mut Option<Box<Kept>>, turn: i64) -> Option<&mut Self> {
        match kept.as_mut().and_then(|kept| M::kept(kept)) {
            Some(closed) if closed.turn == turn => {}
            Some(closed) => closed.begin(turn),
            None => *kept = Some(Box::new(M::keep(Self::at(turn)))),
        }
        M::kept(kept.as_mut()?)
    }

    /// Everything that a window sees from the turn up to a slice, which is not in it, and the oldest slice of that or the
    /// slice itself. The slice stands at `place`; `start` is what comes before all slices.
    #[inline]
    pub fn back_until(
        &mut self,
        (place, newest): (usize, i64),
        slices: &[(i64, Cell)],
        start: impl FnOnce() -> M,
    ) -> (&M, i64) {
        // An earlier instant is looked at.
        if self.back.as_ref().is_some_and(|back| back.until > newest) {
            self.back = None;
        }
        let turn = self.turn;
        let back = self.back.get_or_insert_with(|| Back {
            merged: start(),
            oldest: i64::MAX,
            until: turn,
        });
        let before = slices.get(..place).unwrap_or_default();
        let known = before.iter().rposition(|(slice, _)| *slice < back.until);
        let new = before.get(known.map_or(0, |known| known + 1)..).unwrap_or_default();
        back.oldest = back.oldest.min(new.first().map_or(newest, |(slice, _)| *slice));
        for (_, cell) in new {
            back.merged.take(cell);
        }
        back.until = newest;
        (&back.merged, back.oldest)
    }

    /// Everything that a window sees before the turn, with its oldest slice; `None` when there is nothing.
    #[inline]
    pub fn front(&mut self, view: &View, slices: &[(i64, Cell)]) -> Option<&(i64, M)> {
        self.front.from(view, slices)
    }

    /// The turn, and everything from there up to a slice, which is not in it; `None` where that is not what was merged last.
    #[inline]
    pub fn back_before(&self, slice: i64) -> Option<(i64, M, i64)> {
        let back = self.back.as_ref().filter(|back| back.until == slice)?;
        Some((self.turn, back.merged.clone(), back.oldest))
    }

    /// Slices from the turn on were merged elsewhere, in their order: everything up to one that is not in it.
    pub fn set_back(&mut self, merged: M, (oldest, until): (i64, i64)) {
        self.back = Some(Back { merged, oldest, until });
    }

    fn reopen(&mut self, slice: i64) {
        if slice < self.turn {
            self.front.first = None;
        } else if self.back.as_ref().is_some_and(|back| slice < back.until) {
            self.back = None;
        }
    }
}

impl Kept {
    /// A slice changes: what was merged of it is no longer right.
    pub fn reopen(&mut self, slice: i64) {
        match self {
            Self::Cells(closed) => closed.reopen(slice),
            Self::Totals(closed) => closed.reopen(slice),
        }
    }

    /// Reads it, so that it is at hand.
    #[inline]
    pub fn see(&self) -> usize {
        match self {
            Self::Cells(closed) => closed.see(),
            Self::Totals(closed) => closed.see(),
        }
    }

    /// Reads what is merged before the turn.
    #[inline]
    pub fn see_front(&self) -> usize {
        match self {
            Self::Cells(closed) => closed.front.see(),
            Self::Totals(closed) => closed.front.see(),
        }
    }
}

impl<M> Closed<M> {
    #[inline]
    fn see(&self) -> usize {
        let until = self.back.as_ref().map_or(0, |back| back.until);
        until as usize ^ self.front.spread.len()
    }
}

impl<M> Front<M> {
    #[inline]
    fn see(&self) -> usize {
        self.spread.last().map_or(0, |(slice, _)| *slice as usize)
    }
}

impl<M: Merged> Front<M> {
    #[inline]
    fn from(&mut self, view: &View, slices: &[(i64, Cell)]) -> Option<&(i64, M)> {
        if self.first.is_none_or(|first| view.first < first) {
            self.merge_groups(part(slices, view.first, view.turn));
        }
        self.first = Some(view.first);
        while self.spread.last().is_some_and(|(slice, _)| *slice < view.first) {
            self.spread.pop();
        }
        while self.spread.is_empty() {
            let group = self.groups.pop()?;
            let slices = part(slices, group.first.max(view.first), group.until);
            self.spread_out(group.behind, slices);
        }
        self.spread.last()
    }

    fn spread_out(&mut self, behind: M, slices: &[(i64, Cell)]) {
        let mut merged = behind;
        self.spread.reserve_exact(slices.len());
        for (slice, cell) in slices.iter().rev() {
            merged.take(cell);
            self.spread.push((*slice, merged.clone()));
        }
    }

    fn merge_groups(&mut self, slices: &[(i64, Cell)]) {
        self.spread.clear();
        self.groups.clear();
        self.groups.reserve_exact(slices.len().div_ceil(GROUP_LEN));
        let mut behind = M::default();
        for group in slices.rchunks(GROUP_LEN) {
            if let (Some((first, _)), Some((last, _))) = (group.first(), group.last()) {
                self.groups.push(Group {
                    first: *first,
                    until: *last + 1,
                    behind: behind.clone(),
                });
            }
            group.iter().rev().for_each(|(_, cell)| behind.take(cell));
        }
    }
}
