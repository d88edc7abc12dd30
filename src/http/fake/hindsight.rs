//! A made-up memory of what was known.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::{now, past};
use crate::domain::board::{Board, Picture};
use crate::domain::id::Sequence;
use crate::domain::instant::{HOUR_MS, Instant};
use crate::domain::restatement::Restatement;
use crate::domain::restatement::{Brought, Cause, RestatedInstant, Turn, restated};
use crate::ports::{Hindsight, Known, KnownQuery, KnownReadings, PicturesQuery, QueryError, ReadingsQuery};

/// Nothing was known before 2026-01-01T00:00:00Z, and on that very day too many ask.
pub const BEGIN: Instant = Instant(1_767_225_600_000);

/// What was known is what is known, as it was on the board's own clock.
pub struct FakeHindsight(pub Arc<Board>);

impl FakeHindsight {
    fn known<A>(&self, answer: A, known_at: Instant) -> Result<Known<A>, QueryError> {
        if known_at == BEGIN {
            return Err(QueryError::Busy(9));
        }
        if known_at < BEGIN {
            let words = format!("nothing was known at {known_at}: the journal begins at {BEGIN}");
            return Err(QueryError::Unanswerable(words));
        }
        let catalog = Arc::clone(&self.0.catalog);
        Ok(Known { answer, catalog })
    }
}

impl Hindsight for FakeHindsight {
    fn picture(&self, query: KnownQuery) -> BoxFuture<'_, Result<Known<Picture>, QueryError>> {
        let picture = now(&self.0, &query.scorecard, query.instance.as_ref());
        let unknown = || QueryError::Unknown(format!("at {} there was no such scorecard", query.known_at));
        let at = query.at.unwrap_or(query.known_at);
        let answer = picture
            .ok_or_else(unknown)
            .and_then(|picture| self.known(past(&self.0, &picture, at), query.known_at));
        async { answer }.boxed()
    }

    fn readings(&self, query: ReadingsQuery, known_at: Instant) -> BoxFuture<'_, Result<KnownReadings, QueryError>> {
        let (scorecard, _) = self.0.catalog.kpi(&query.kpi).unwrap();
        let picture = now(&self.0, scorecard.id.as_str(), query.instance.as_ref()).unwrap();
        let of = |at: Instant| {
            let mut nodes = past(&self.0, &picture, at).nodes.into_iter();
            nodes
                .find(|node| node.path.ends_with(query.kpi.as_str()))
                .unwrap()
                .reading
        };
        let readings = query.at.iter().map(|&at| (at, of(at))).collect();
        let answer = self.known(readings, known_at);
        async { answer }.boxed()
    }

    fn restatement(&self, query: PicturesQuery) -> BoxFuture<'_, Result<Restatement, QueryError>> {
        let picture = now(&self.0, &query.scorecard, query.instance.as_ref());
        let unknown = || QueryError::Unknown(format!("there is no scorecard `{}`", query.scorecard));
        let told = picture
            .ok_or_else(unknown)
            .map(|picture| restated_last(&self.0, &picture, &query.at));
        async { told }.boxed()
    }
}

/// The last of the instants is said otherwise: three late measurements, a correction and other definitions made what it is of
/// what it was an hour, two and three before.
fn restated_last(board: &Board, picture: &Picture, at: &[Instant]) -> Restatement {
    let root = Arc::clone(&picture.nodes[0].path);
    let last = at.last().copied();
    let nodes = |last: Instant| {
        let hours_ago = |hours: i64| past(board, picture, last.plus_ms(-hours * HOUR_MS));
        let facts = [
            (Cause::LateMeasurements, 4001..=4003, 2),
            (Cause::Corrections, 4010..=4010, 1),
            (Cause::Catalog, 4100..=4100, 0),
        ];
        let turns: Vec<Turn> = facts
            .into_iter()
            .map(|(cause, sequences, hours)| {
                let mut brought = Brought::default();
                sequences.for_each(|sequence| brought.add(Sequence(sequence)));
                Turn {
                    cause,
                    picture: Some(hours_ago(hours)),
                    brought: HashMap::from([(Arc::clone(&root), brought)]),
                }
            })
            .collect();
        restated(&hours_ago(3), &turns, &hours_ago(0))
    };
    let restated = last.map(|at| RestatedInstant {
        at,
        sequence: Sequence(4000),
        fingerprint: "sha256:0ld".to_owned(),
        nodes: nodes(at),
    });
    Restatement {
        scorecard: picture.scorecard.clone(),
        instance: picture.instance.clone(),
        title: Arc::clone(&picture.nodes[0].title),
        sequence: board.sequence,
        fingerprint: board.catalog.fingerprint.clone(),
        compared: at.len(),
        unpublished: 0,
        open: 2,
        restated: restated.into_iter().collect(),
    }
}
