//! Restatement from the journal: what a scorecard showed at each instant, and what it would have shown then if all that is known
//! now had been known, under the definitions of now.
//!
//! A scorecard and instants enter, a [`Restatement`] leaves. Three walks through the journal, each on its own: to its end for
//! the definitions of now, over what was recorded since the first instant for what came late, and through the instants one after
//! the other. What came late is told to a copy of the projection of each instant, one cause after the other; where other
//! definitions hold now, they take over in the copy as they would in the corridor. It blocks its thread and touches nothing.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::activation::catch_up;
use super::instances::no_picture;
use super::travel::{Roads, Shelf, TravelError, Traveller};
use crate::domain::board::Picture;
use crate::domain::catalog::Catalog;
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;
use crate::domain::late::{Late, LateFacts, Leaves, TooMany};
use crate::domain::measurement::SeriesKey;
use crate::domain::projection::{Effects, Projection, Refold};
use crate::domain::restatement::{Cause, RestatedInstant, Restatement, Turn, restated};
use crate::ports::PicturesQuery;

/// Late facts that one question may keep: some hundred megabytes.
const LATE_FACTS_MAX: usize = 1_000_000;

/// What is said otherwise now of instants of a scorecard. What is after `now` is left out.
pub fn restatement(
    roads: &Roads,
    query: &PicturesQuery,
    now: Instant,
    is_stopped: &AtomicBool,
) -> Result<Restatement, TravelError> {
    let present = Present::reach(roads, query, now, is_stopped)?;
    let been: Vec<Instant> = query.at.iter().copied().filter(|at| *at <= now).collect();
    let mut told = present.nothing_told(query.at.len() - been.len())?;
    let Some(first) = been.first().copied() else {
        return Ok(told);
    };
    let mut facts = LateFacts::new(
        (&present.catalog, &present.leaves),
        &been,
        &present.names,
        LATE_FACTS_MAX,
    );
    collect(roads, (first, told.sequence), &mut facts)?;
    let mut past = Traveller::start(roads, first, is_stopped)?;
    let mut other = Other::default();
    for &at in &been {
        past.go(at)?;
        let known = past.projection();
        let Some(then) = picture(known, query, at) else {
            told.unpublished += 1;
            continue;
        };
        told.compared += 1;
        let mut late = facts.of(at, known.sequence());
        if known.catalog().fingerprint == told.fingerprint {
            // Definitions that went and came back changed nothing.
            late.retain(|one| one.cause != Cause::Catalog);
        }
        let turns = turns((roads, &present), (known, at), (&facts, &late), &mut other)?;
        let nodes = turns.last().and_then(|turn| turn.picture.as_ref());
        let nodes = nodes.map(|now| restated(&then, &turns, now)).unwrap_or_default();
        if !nodes.is_empty() {
            told.restated.push(RestatedInstant {
                at,
                sequence: known.sequence(),
                fingerprint: known.catalog().fingerprint.clone(),
                nodes,
            });
        }
    }
    Ok(told)
}

/// What the scorecard says when one cause after the other is taken in; nothing where nothing came later.
fn turns(
    (roads, present): (&Roads, &Present<'_>),
    (known, at): (&mut Projection, Instant),
    (facts, late): (&LateFacts<'_>, &[Late]),
    other: &mut Other,
) -> Result<Vec<Turn>, TravelError> {
    if late.is_empty() {
        return Ok(Vec::new());
    }
    let mut copy = Copy {
        roads,
        present,
        known: known.sequence(),
        told: Vec::new(),
        projection: known.twin().ok_or(BROKEN)?,
    };
    let mut turns = Vec::with_capacity(late.len());
    for (late, brought) in late.iter().zip(facts.brought(late)) {
        copy.learn(late, other, at)?;
        turns.push(Turn {
            cause: late.cause,
            picture: picture(&copy.projection, present.query, at),
            brought,
        });
    }
    Ok(turns)
}

/// An image that does not fit its own catalog.
const BROKEN: TravelError = TravelError::Broken;

/// What is known now.
struct Present<'a> {
    query: &'a PicturesQuery,
    projection: Projection,
    catalog: Arc<Catalog>,
    leaves: Leaves,
    names: Vec<SeriesKey>,
}

impl<'a> Present<'a> {
    fn reach(
        roads: &Roads,
        query: &'a PicturesQuery,
        now: Instant,
        is_stopped: &AtomicBool,
    ) -> Result<Self, TravelError> {
        let mut traveller = Traveller::start(roads, now, is_stopped)?;
        traveller.go_to_end()?;
        traveller.expect_knowledge(now)?;
        let projection = traveller.arrive();
        let catalog = Arc::clone(projection.catalog());
        let leaves = Leaves::of(&catalog, &query.scorecard, query.instance.as_ref());
        Ok(Self {
            query,
            leaves: leaves.ok_or_else(|| unknown(&projection, query))?,
            names: projection.series_names(),
            projection,
            catalog,
        })
    }

    /// The answer before anything is found; so many instants have not been yet.
    fn nothing_told(&self, open: usize) -> Result<Restatement, TravelError> {
        let root = picture(&self.projection, self.query, self.projection.at());
        let root = root.ok_or_else(|| unknown(&self.projection, self.query))?;
        Ok(Restatement {
            scorecard: root.scorecard,
            instance: root.instance,
            title: root
                .nodes
                .into_iter()
                .next()
                .map_or_else(|| "".into(), |root| root.title),
            sequence: self.projection.sequence(),
            fingerprint: self.catalog.fingerprint.clone(),
            compared: 0,
            unpublished: 0,
            open,
            restated: Vec::new(),
        })
    }
}

/// A scorecard that is not there, or an instance.
fn unknown(projection: &Projection, query: &PicturesQuery) -> TravelError {
    let found = no_picture(projection, &query.scorecard, query.instance.as_ref());
    TravelError::Unknown(found.to_string())
}

fn picture(projection: &Projection, query: &PicturesQuery, at: Instant) -> Option<Picture> {
    projection.picture_exactly(&query.scorecard, query.instance.as_ref(), at)
}

/// The journal folded under the definitions of now, as far as an instant; it goes on with the instants as long as they have the
/// same definitions.
#[derive(Default)]
struct Other(Option<Refold>);

/// The projection of an instant, which is told what came later.
struct Copy<'a> {
    roads: &'a Roads,
    present: &'a Present<'a>,
    /// The last fact that was known; what it is told does not change that.
    known: Sequence,
    /// What it was told so far.
    told: Vec<&'a Late>,
    projection: Projection,
}

impl<'a> Copy<'a> {
    fn learn(&mut self, late: &'a Late, other: &mut Other, at: Instant) -> Result<(), TravelError> {
        if late.cause == Cause::Catalog {
            return self.succeed(other, at);
        }
        self.projection.take_aside(&self.present.names, late.facts());
        self.told.push(late);
        Ok(())
    }

    /// Lets the definitions of now take over.
    fn succeed(&mut self, other: &mut Other, at: Instant) -> Result<(), TravelError> {
        let (before, after) = (Arc::clone(self.projection.catalog()), &self.present.catalog);
        let known = self.known;
        let refold = other
            .0
            .take()
            .filter(|refold| refold.leads(&before, &after.fingerprint));
        let refold = refold.unwrap_or_else(|| Refold::new(&before, Arc::clone(after), self.roads.options));
        let refold = other.0.insert(refold);
        catch_up(
            &Shelf(Arc::clone(&self.roads.archive)),
            refold,
            Some(known.plus(1)),
            &mut |_| {},
        )?;
        let mut own = refold.twin().ok_or(BROKEN)?;
        for late in &self.told {
            own.take_aside(&self.present.names, late.facts());
        }
        self.projection
            .succeed(own, (known.plus(1), at), &mut Effects::default());
        Ok(())
    }
}

/// Reads what was recorded after the first instant.
fn collect(roads: &Roads, (since, until): (Instant, Sequence), facts: &mut LateFacts<'_>) -> Result<(), TravelError> {
    let from = roads.archive.first_since(since.plus_ms(1))?;
    let mut reader = roads.archive.read_from(from)?;
    while let Some(block) = reader.next_block()?.filter(|block| block.first <= until) {
        for (sequence, entry) in block.entries().take_while(|(sequence, _)| *sequence <= until) {
            facts.take(sequence, &entry, block.recorded_at).map_err(|TooMany| {
                let words = format!("more than {LATE_FACTS_MAX} facts became known later: ask for a later `from`");
                TravelError::Unanswerable(words)
            })?;
        }
    }
    Ok(())
}
