//! Questions about scorecards with many instances: in pieces, so that blocks go on in between.
//!
//! A question about the past of all instances enters; it leaves as many questions to the owner of the projection, none
//! of which looks into more instances than fit into some ten milliseconds. Nothing is decided here.

use std::sync::Arc;

use super::live::Window;
use crate::domain::board::Board;
use crate::domain::id::InstanceId;
use crate::domain::instant::Instant;
use crate::domain::projection::Projection;
use crate::ports::QueryError;

/// Instants that are one question: some milliseconds.
const INSTANTS_AT_ONCE: usize = 64;
/// From so many instances on, a KPI that is put together from them is prepared before a question about its past.
const MANY_INSTANCES: usize = 1_000;
/// Instances that one question may look into for a KPI over all of them: some ten milliseconds.
const INSTANCES_AT_ONCE: usize = 100_000;
/// Names that are told to somebody who asked for one that is not there.
const ALIKE_MAX: usize = 5;

impl Window {
    /// Asks the same of many instants, one after the other; blocks go on in between. Over all instances what has to be
    /// asked of each of them is asked before, in pieces.
    pub(super) async fn ask_of_each<Q, A>(
        &self,
        (at, overall): (Vec<Instant>, Option<String>),
        query: Q,
        answer: fn(&Projection, &Q, Instant) -> Result<A, QueryError>,
    ) -> Result<Vec<A>, QueryError>
    where
        Q: Send + Sync + 'static,
        A: Send + 'static,
    {
        let query = Arc::new(query);
        let mut answers = Vec::with_capacity(at.len());
        for part in at.chunks(INSTANTS_AT_ONCE) {
            for (at, scorecard) in part.iter().zip(std::iter::repeat(&overall)) {
                let Some(scorecard) = scorecard else { break };
                self.prepare_past(scorecard, *at).await?;
            }
            let (query, part) = (Arc::clone(&query), part.to_vec());
            let asked = self.ask(move |projection| {
                let each = part.iter().map(|at| answer(projection, &query, *at));
                each.collect::<Result<Vec<A>, _>>()
            });
            answers.extend(asked.await??);
        }
        Ok(answers)
    }

    async fn prepare_past(&self, scorecard: &str, at: Instant) -> Result<(), QueryError> {
        loop {
            let scorecard = scorecard.to_owned();
            let asked = self.ask(move |projection| projection.prepare_past(&scorecard, at, INSTANCES_AT_ONCE));
            if !asked.await? {
                return Ok(());
            }
        }
    }
}

/// The scorecard, where asking all its instances takes time.
pub(super) fn has_many(board: &Board, scorecard: &str) -> Option<String> {
    let on_board = board.on_board(scorecard)?;
    (on_board.instance_count > MANY_INSTANCES).then(|| scorecard.to_owned())
}

/// Why there is no picture: a scorecard or an instance of it that is not there.
pub(super) fn no_picture(projection: &Projection, scorecard: &str, instance: Option<&InstanceId>) -> QueryError {
    let catalog = projection.catalog();
    if let Some(instance) = instance.filter(|_| catalog.scorecard(scorecard).is_some()) {
        return no_instance(projection, scorecard, instance);
    }
    let known: Vec<&str> = catalog.scorecards.iter().map(|known| known.id.as_str()).collect();
    let known = known.join(", ");
    QueryError::Unknown(format!("there is no scorecard `{scorecard}`: use one of {known}"))
}

/// Says so, with the names that begin alike.
pub(super) fn no_instance(projection: &Projection, scorecard: &str, instance: &InstanceId) -> QueryError {
    let definition = projection.catalog().scorecard(scorecard);
    let each = definition.and_then(|own| own.each.as_deref());
    let beginnings = (1..=instance.as_str().len())
        .rev()
        .filter_map(|len| instance.as_str().get(..len));
    let alike = beginnings.map(|beginning| {
        let names = projection.instance_names(scorecard, beginning).take(ALIKE_MAX);
        names.map(InstanceId::as_str).collect::<Vec<_>>()
    });
    let alike = alike.into_iter().find(|names| !names.is_empty()).unwrap_or_default();
    QueryError::no_instance(scorecard, instance, each, &alike)
}
