//! Scores of objectives in the past, for the strategy map.
//!
//! A scorecard and an instant enter, a score an objective leaves; computed like a picture, without what a picture shows besides.

use super::Projection;
use super::node_state::there;
use super::pictures::{Moment, Past};
use crate::domain::catalog::NodePlace;
use crate::domain::id::InstanceId;
use crate::domain::instant::Instant;

impl Projection {
    /// Scores of all objectives in catalog order, as the measurements up to `at` show them; `None` when there is no such
    /// scorecard or instance.
    pub fn objective_scores(
        &self,
        scorecard: &str,
        instance: Option<&InstanceId>,
        at: Instant,
    ) -> Option<Vec<Option<f64>>> {
        let state = self
            .instances
            .get(self.instance_number(scorecard, instance)? as usize)?;
        let shape = self.shapes.get(state.scorecard)?;
        let count = self.catalog.scorecards.get(state.scorecard)?.objectives.len();
        let mut past = Past::new();
        let mut score = |index| {
            let local = shape.find(NodePlace::Objective(index))?;
            let node = self.node_at(state.node_base + local, Moment::At(at), &mut past);
            there(node.score)
        };
        Some((0..count).map(&mut score).collect())
    }
}
