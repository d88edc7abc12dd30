//! What a leaf read at a step, in half the room of a node's state.
//!
//! A state enters where a leaf is read, the same state leaves where the step is told, but for what is known there anyway.
//! Between the two it goes from one core's cache through memory into another one's.
//!
//! Measured over ten million measurements of 1,000 KPIs, evaluated every hour: a replay takes 0.98 of its processor time with
//! half the room, and 93 MB instead of 98.

use super::super::node_state::{NodePart, NodeState};
use crate::domain::reading::Absence;

const IS_READ: u8 = 1;
const IS_FRESH: u8 = 1 << 1;
const IS_PROVISIONAL: u8 = 1 << 2;
const IS_RESTATED: u8 = 1 << 3;
const IS_QUIET: u8 = 1 << 4;
/// Its coverage is 1.
const IS_COVERED: u8 = 1 << 5;
/// It has no coverage.
const IS_LEFT_OUT: u8 = 1 << 6;

/// What a leaf read at a step; nothing by itself.
#[derive(Debug, Clone, Copy, Default)]
pub(in super::super) struct LeafRead {
    score: f64,
    value: f64,
    observed_at: i64,
    count: u32,
    status: u8,
    status_before: u8,
    absence: Option<Absence>,
    flags: u8,
}

impl LeafRead {
    /// What a leaf says that was evaluated just now.
    #[inline]
    pub fn of(state: &NodeState) -> Self {
        let (value, observed_at, count) = match state.part {
            NodePart::Leaf {
                value,
                observed_at,
                count,
            } => (value, observed_at, count),
            NodePart::Branch { .. } => (f64::NAN, i64::MIN, 0),
        };
        let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
        Self {
            score: state.score,
            value,
            observed_at,
            count,
            status: state.status,
            status_before: state.status_before,
            absence: state.absence,
            flags: IS_READ
                | flag(state.fresh, IS_FRESH)
                | flag(state.provisional, IS_PROVISIONAL)
                | flag(state.restated, IS_RESTATED)
                | flag(state.is_quiet, IS_QUIET)
                | flag(state.coverage == 1.0, IS_COVERED)
                | flag(state.coverage.is_nan(), IS_LEFT_OUT),
        }
    }

    /// It read something.
    #[inline]
    pub fn is_read(&self) -> bool {
        self.flags & IS_READ != 0
    }

    /// The same of a leaf of an instance; `None` where it read nothing. When it changes by itself is not in it.
    #[inline]
    pub fn state(&self, instance: u32) -> Option<NodeState> {
        let is = |flag: u8| self.flags & flag != 0;
        self.is_read().then(|| NodeState {
            instance,
            score: self.score,
            coverage: match () {
                () if is(IS_COVERED) => 1.0,
                () if is(IS_LEFT_OUT) => f64::NAN,
                () => 0.0,
            },
            part: NodePart::Leaf {
                value: self.value,
                observed_at: self.observed_at,
                count: self.count,
            },
            due: i64::MAX,
            status: self.status,
            status_before: self.status_before,
            absence: self.absence,
            fresh: is(IS_FRESH),
            provisional: is(IS_PROVISIONAL),
            restated: is(IS_RESTATED),
            is_dirty: false,
            is_told: true,
            is_quiet: is(IS_QUIET),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::catalog::NodeKind;

    #[test]
    fn it_takes_half_the_room_and_a_state_comes_back_as_it_was() {
        assert_eq!(size_of::<LeafRead>() * 2, size_of::<NodeState>());
        assert_eq!(LeafRead::default().state(7), None);
        let absences = [None, Some(Absence::NoData), Some(Absence::NotApplicable)];
        for case in 0..2_u32.pow(5) * 3 * 3 {
            let is = |bit: u32| case >> bit & 1 == 1;
            let state = NodeState {
                score: if is(0) { 62.5 } else { f64::NAN },
                coverage: [0.0, 1.0, f64::NAN][(case / 32 % 3) as usize],
                part: NodePart::Leaf {
                    value: if is(0) { -0.5 } else { f64::NAN },
                    observed_at: if is(1) { 1_700_000_000_000 } else { i64::MIN },
                    count: case,
                },
                status: 2,
                status_before: 1,
                absence: absences[(case / 96) as usize],
                fresh: is(1),
                provisional: is(2),
                restated: is(3),
                is_told: true,
                is_quiet: is(4),
                ..NodeState::new(7, NodeKind::Kpi)
            };
            let back = LeafRead::of(&state).state(7).unwrap();
            // As text, because what is not there is not a number.
            assert_eq!(format!("{back:?}"), format!("{state:?}"));
        }
    }
}
