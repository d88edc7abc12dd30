//! The latest transitions, on their way to the board and into checkpoints.
//!
//! Transitions enter as they are decided, the latest of them leave when the board is posted: copying two hundred of them for
//! each that is decided took longer than deciding it.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::domain::alert::AlertTransition;
use crate::domain::board::RECENT_TRANSITIONS_MAX;

/// The latest transitions, newest first.
#[derive(Debug, Default)]
pub struct Recent {
    latest: VecDeque<AlertTransition>,
    /// Some of them were not shown yet.
    is_new: bool,
}

impl Recent {
    /// These, the newest last.
    pub fn of(transitions: &[AlertTransition]) -> Self {
        let mut recent = Self::default();
        recent.add(transitions);
        recent
    }

    /// Adds transitions, the newest last.
    pub fn add(&mut self, transitions: &[AlertTransition]) {
        let surplus = transitions.len().saturating_sub(RECENT_TRANSITIONS_MAX);
        for transition in transitions.iter().skip(surplus) {
            self.latest.push_front(transition.clone());
            self.is_new = true;
        }
        self.latest.truncate(RECENT_TRANSITIONS_MAX);
    }

    /// All of them, newest first.
    pub fn latest(&mut self) -> &[AlertTransition] {
        self.latest.make_contiguous()
    }

    /// As they are to be shown: what was shown before, where there is nothing new.
    pub fn shown(&mut self, before: &Arc<Vec<AlertTransition>>) -> Arc<Vec<AlertTransition>> {
        if std::mem::take(&mut self.is_new) {
            Arc::new(self.latest.iter().cloned().collect())
        } else {
            Arc::clone(before)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::samples::transition;

    fn ids(shown: &[AlertTransition]) -> Vec<&str> {
        shown.iter().map(|transition| transition.id.as_str()).collect()
    }

    #[test]
    fn the_newest_stands_first_and_what_is_known_is_not_copied_again() {
        let mut recent = Recent::default();
        let empty = Arc::new(Vec::new());
        assert!(Arc::ptr_eq(&recent.shown(&empty), &empty));
        recent.add(&[transition("a"), transition("b")]);
        recent.add(&[transition("c")]);
        let shown = recent.shown(&empty);
        assert_eq!(ids(&shown), ["c", "b", "a"]);
        assert!(Arc::ptr_eq(&recent.shown(&shown), &shown));
        recent.add(&[]);
        assert!(Arc::ptr_eq(&recent.shown(&shown), &shown));
        assert_eq!(ids(recent.latest()), ["c", "b", "a"]);
    }

    #[test]
    fn of_many_the_latest_are_kept() {
        let mut recent = Recent::default();
        let many: Vec<_> = (0..RECENT_TRANSITIONS_MAX + 5)
            .map(|number| transition(&number.to_string()))
            .collect();
        recent.add(&many);
        recent.add(&[transition("last")]);
        let latest = ids(recent.latest()).into_iter().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(latest.len(), RECENT_TRANSITIONS_MAX);
        assert_eq!(latest.first().map(String::as_str), Some("last"));
        assert_eq!(latest.last().map(String::as_str), Some("6"));
    }
}
