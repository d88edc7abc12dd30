//! How well a KPI does at an instant, as a score, and what goes wrong for a while.
//!
//! An instant enters, a score leaves. The level is a sum of slow waves in absolute time: what looks like a drift over
//! months, ups and downs of weeks, a season of the year. So history and live play join, and any part of a history can be
//! played alone.

use super::chance::Chance;
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, MINUTE_MS};

/// A level stays within these scores; only incidents go beyond.
const SCORE_MIN: f64 = 3.0;
const SCORE_MAX: f64 = 98.0;

/// Points that an incident at its height takes away: far below the worst value, because two bad days among 28 must show.
const INCIDENT_DEPTH: f64 = 220.0;
/// An incident lasts so long, and recovery after it.
const INCIDENT_MS: i64 = 2 * DAY_MS;
const RECOVERY_MS: i64 = 36 * HOUR_MS;

/// The slow movement of one KPI.
#[derive(Debug, Clone)]
pub(super) struct Level {
    base: f64,
    waves: Vec<Wave>,
    ripple: Wave,
}

#[derive(Debug, Clone)]
struct Wave {
    height: f64,
    period_ms: f64,
    phase: f64,
}

impl Wave {
    fn at(&self, instant: Instant) -> f64 {
        self.height * (std::f64::consts::TAU * (instant.0 as f64 / self.period_ms + self.phase)).sin()
    }

    fn drawn(height: f64, (from_ms, to_ms): (i64, i64), chance: &mut Chance) -> Self {
        Self {
            height: height * chance.between(0.6, 1.2),
            period_ms: chance.between(from_ms as f64, to_ms as f64),
            phase: chance.unit(),
        }
    }
}

impl Level {
    /// A level of its own, drawn.
    pub(super) fn drawn(chance: &mut Chance) -> Self {
        let base = chance.between(48.0, 88.0);
        let waves = vec![
            Wave::drawn(14.0, (500 * DAY_MS, 900 * DAY_MS), chance),
            Wave::drawn(12.0, (25 * DAY_MS, 70 * DAY_MS), chance),
            Wave::drawn(6.0, (8 * DAY_MS, 15 * DAY_MS), chance),
            Wave::drawn(4.0, (365 * DAY_MS, 366 * DAY_MS), chance),
        ];
        let ripple = Wave::drawn(12.0, (2 * MINUTE_MS, 8 * MINUTE_MS), chance);
        Self { base, waves, ripple }
    }

    /// The score at an instant.
    pub(super) fn score(&self, at: Instant) -> f64 {
        let waves: f64 = self.waves.iter().map(|wave| wave.at(at)).sum();
        (self.base + waves).clamp(SCORE_MIN, SCORE_MAX)
    }

    /// The score with a ripple of minutes, so that somebody who watches live sees it move.
    pub(super) fn rippling_score(&self, at: Instant) -> f64 {
        (self.score(at) + self.ripple.at(at)).clamp(SCORE_MIN, SCORE_MAX)
    }
}

/// Something that goes wrong in one team.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Incident {
    /// When it begins.
    pub(super) from: Instant,
}

impl Incident {
    /// Somewhere in the middle of a history, on a working day's morning.
    pub(super) fn within((from, to): (Instant, Instant), chance: &mut Chance) -> Self {
        let length = to.since(from) as f64;
        let at = from.plus_ms((length * chance.between(0.4, 0.85)) as i64);
        let day = at.0.div_euclid(DAY_MS);
        let day = (day - 3..=day).rev().find(|day| !is_weekend(*day)).unwrap_or(day);
        Self {
            from: Instant(day * DAY_MS + 9 * HOUR_MS),
        }
    }

    /// Points taken away at an instant.
    pub(super) fn loss(self, at: Instant) -> f64 {
        INCIDENT_DEPTH * self.strength(at)
    }

    /// 1 while it lasts, falling to 0 while the team recovers.
    pub(super) fn strength(self, at: Instant) -> f64 {
        let since = at.since(self.from);
        match since {
            0..INCIDENT_MS => 1.0,
            _ if since < 0 => 0.0,
            _ => (1.0 - (since - INCIDENT_MS) as f64 / RECOVERY_MS as f64).max(0.0),
        }
    }
}

/// Saturday or Sunday; day 0 was a Thursday.
pub(super) fn is_weekend(day: i64) -> bool {
    matches!(day.rem_euclid(7), 2 | 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekends_are_where_the_calendar_has_them() {
        // 2026-11-21 is a Saturday.
        let day = |text: &str| Instant::parse(text).unwrap().0.div_euclid(DAY_MS);
        assert!(!is_weekend(day("2026-11-20T12:00:00Z")));
        assert!(is_weekend(day("2026-11-21T12:00:00Z")));
        assert!(is_weekend(day("2026-11-22T12:00:00Z")));
        assert!(!is_weekend(day("2026-11-23T12:00:00Z")));
    }

    #[test]
    fn levels_wander_from_red_to_better_than_the_target() {
        let scores: Vec<f64> = (0..50)
            .map(|kpi| Level::drawn(&mut Chance::new(1).numbered(kpi)))
            .flat_map(|level| (0..180).map(move |day| level.score(Instant(day * DAY_MS))))
            .collect();
        let share = |fits: &dyn Fn(f64) -> bool| scores.iter().filter(|score| fits(**score)).count() as f64 / 9_000.0;
        assert!(
            (0.1..0.4).contains(&share(&|score| score < 50.0)),
            "red {}",
            share(&|score| score < 50.0)
        );
        assert!(
            (0.2..0.6).contains(&share(&|score| score >= 75.0)),
            "green {}",
            share(&|score| score >= 75.0)
        );
    }

    #[test]
    fn an_incident_begins_lasts_and_is_overcome() {
        let incident = Incident { from: Instant(0) };
        assert_eq!(incident.loss(Instant(-1)), 0.0);
        assert_eq!(incident.strength(Instant(0)), 1.0);
        assert_eq!(incident.strength(Instant(INCIDENT_MS + RECOVERY_MS / 2)), 0.5);
        assert_eq!(incident.loss(Instant(INCIDENT_MS + RECOVERY_MS)), 0.0);
    }
}
