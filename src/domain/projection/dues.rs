//! The queue of readings that change by themselves: nodes by the instant at which they are due.
//!
//! Instants and nodes enter, the earliest leaves. Most nodes are due together, when a slice ends: those of one instant
//! stand in a plain list, the others in a heap. Whether an entry still counts is not known here.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::domain::instant::Instant;

/// Nodes by instant.
#[derive(Debug, Default)]
pub(super) struct Dues {
    /// An instant at which many are due, and those.
    together: (Instant, Vec<u32>),
    others: BinaryHeap<Reverse<(Instant, u32)>>,
}

impl Dues {
    /// Enters a node.
    pub fn push(&mut self, at: Instant, node: u32) {
        if self.together.1.is_empty() {
            self.together.0 = at;
        }
        if self.together.0 == at {
            self.together.1.push(node);
        } else {
            self.others.push(Reverse((at, node)));
        }
    }

    /// The earliest entry, or one of them.
    pub fn first(&self) -> Option<(Instant, u32)> {
        let together = self.together.1.last().map(|node| (self.together.0, *node));
        match (together, self.others.peek()) {
            (Some(one), Some(Reverse(other))) => Some(if other.0 < one.0 { *other } else { one }),
            (one, other) => one.or(other.map(|Reverse(other)| *other)),
        }
    }

    /// Takes out what [`Dues::first`] tells.
    pub fn drop_first(&mut self) {
        let is_other = match (self.together.1.is_empty(), self.others.peek()) {
            (false, Some(Reverse((at, _)))) => *at < self.together.0,
            (is_empty, _) => is_empty,
        };
        if is_other {
            self.others.pop();
        } else {
            self.together.1.pop();
        }
    }

    /// Forgets the entries of nodes that are not to be kept.
    pub fn retain(&mut self, keep: impl Fn(u32) -> bool) {
        self.together.1.retain(|node| keep(*node));
        self.others.retain(|Reverse((_, node))| keep(*node));
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        self.together.1.clear();
        self.others.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_leave_in_the_order_of_their_instants_whatever_is_together() {
        let mut dues = Dues::default();
        for (at, node) in [(5, 1), (3, 2), (5, 3), (9, 4), (3, 5), (5, 6), (1, 7)] {
            dues.push(Instant(at), node);
        }
        let mut left = Vec::new();
        while let Some((at, node)) = dues.first() {
            dues.drop_first();
            left.push((at.0, node));
            if node == 3 {
                dues.push(Instant(4), 8);
            }
        }
        let instants: Vec<i64> = left.iter().map(|(at, _)| *at).collect();
        assert_eq!(instants, [1, 3, 3, 5, 5, 4, 5, 9]);
        let mut nodes: Vec<u32> = left.iter().map(|(_, node)| *node).collect();
        nodes.sort_unstable();
        assert_eq!(nodes, [1, 2, 3, 4, 5, 6, 7, 8], "each once");
    }
}
