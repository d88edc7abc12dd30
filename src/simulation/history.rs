//! Months of reports in the order of their arrival.
//!
//! An interval enters, emissions leave one by one, a day played at a time: what is observed on a day cannot arrive before
//! it, so days that are played and past can be given out. Each day of each strand draws from a stream of its own; the
//! incidents alone depend on the interval.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Emission;
use super::chance::Chance;
use super::level::Incident;
use super::recipe::Moment;
use super::strand::{Strand, Today};
use crate::domain::instant::{DAY_MS, HOUR_MS, Instant, SECOND_MS};
use crate::domain::measurement::Report;

/// Share of reports that come late, by an hour at least, 15 hours on average and four days at most.
const LATE: f64 = 0.04;
const LATE_MS_MAX: i64 = 4 * DAY_MS;
/// Share of reports that are wrong at first.
const MISTAKEN: f64 = 0.004;
/// All others arrive within this.
const PROMPT_MS_MAX: f64 = 20_000.0;

/// Emissions in the order of their arrival.
#[derive(Debug)]
pub struct History {
    strands: Arc<[Strand]>,
    incidents: BTreeMap<usize, Incident>,
    from: Instant,
    to: Instant,
    /// The next day to play.
    day: i64,
    /// What was played and not yet given out; of those that arrive together the one played first comes first.
    waiting: BTreeMap<(Instant, u64), Report>,
    played: u64,
}

impl History {
    pub(super) fn new(strands: Arc<[Strand]>, seed: u64, (from, to): (Instant, Instant)) -> Self {
        let cards: BTreeSet<usize> = strands.iter().map(|strand| strand.card).collect();
        let chance = Chance::new(seed).of("incidents");
        let incident = |card: usize| (card, Incident::within((from, to), &mut chance.numbered(card as u64)));
        Self {
            incidents: cards.into_iter().map(incident).collect(),
            strands,
            from,
            to,
            day: from.0.div_euclid(DAY_MS),
            waiting: BTreeMap::new(),
            played: 0,
        }
    }

    fn play_day(&mut self) {
        let strands = Arc::clone(&self.strands);
        for strand in strands.iter() {
            self.play_strand(strand);
        }
        self.day += 1;
    }

    fn play_strand(&mut self, strand: &Strand) {
        let start = Instant(self.day * DAY_MS);
        let Some(today) = strand.today(start.plus_ms(DAY_MS / 2)) else {
            return;
        };
        let mut chance = strand.chance.numbered(self.day as u64);
        let incident = self.incidents.get(&strand.card).copied();
        let count = strand.count_on(self.day, &today, &mut chance);
        let mut is_noted = false;
        for number in 0..count {
            let mut chance = chance.numbered(u64::from(number));
            let share = (f64::from(number) + chance.unit()) / f64::from(count);
            let at = start.plus_ms(today.time_of_day(share));
            if at < self.from || at >= self.to {
                continue;
            }
            let moment = strand.moment(&today, at, incident.as_ref());
            let begins =
                incident.is_some_and(|incident| incident.from.0.div_euclid(DAY_MS) == self.day && at >= incident.from);
            let note = (strand.is_fragile && begins && !is_noted).then(|| strand.incident_note());
            is_noted |= note.is_some();
            self.play(strand, (&today, &moment), note, &mut chance);
        }
    }

    /// Plays one report: prompt, late, or mistaken and corrected.
    fn play(
        &mut self,
        strand: &Strand,
        (today, moment): (&Today<'_>, &Moment),
        note: Option<(&str, &str)>,
        chance: &mut Chance,
    ) {
        let prompt = moment.at.plus_ms(chance.between(0.0, PROMPT_MS_MAX) as i64);
        let key: Box<str> = format!("{:016x}", chance.of("key").word()).into();
        if chance.happens(MISTAKEN)
            && let Some((mut wrong, mut right)) = strand.mistake(today, moment, chance)
        {
            right.corrects = Some(key.clone());
            right.id = Some(format!("{key}-1").into());
            right.note = Some("entered wrongly at first".into());
            right.by = Some("controlling".into());
            wrong.id = Some(key);
            self.receive(prompt, wrong);
            let later = (chance.between(2.0, 40.0) * HOUR_MS as f64) as i64;
            self.receive(prompt.plus_ms(later), right);
            return;
        }
        let mut report = strand.report(today, moment, chance);
        let is_late = chance.happens(LATE);
        // Reports that people write down, and those that wait in a queue somewhere, carry their system's key.
        report.id = (is_late || today.per_day < 1.0).then_some(key);
        (report.note, report.by) = note.map(|(text, by)| (text.into(), by.into())).unzip();
        let delay = if is_late { lateness(chance) } else { 0 };
        self.receive(prompt.plus_ms(delay), report);
    }

    fn receive(&mut self, at: Instant, report: Report) {
        self.waiting.insert((at, self.played), report);
        self.played += 1;
    }
}

fn lateness(chance: &mut Chance) -> i64 {
    let hours = 1.0 + 14.0 * chance.exponential();
    ((hours * HOUR_MS as f64) as i64).min(LATE_MS_MAX) / SECOND_MS * SECOND_MS
}

impl Iterator for History {
    type Item = Emission;

    fn next(&mut self) -> Option<Emission> {
        loop {
            let played_until = Instant(self.day * DAY_MS);
            let is_last = played_until >= self.to;
            if let Some(entry) = self.waiting.first_entry()
                && (is_last || entry.key().0 < played_until)
            {
                let ((received_at, _), report) = entry.remove_entry();
                // What has not arrived when the history ends is not part of it.
                return (received_at < self.to).then_some(Emission { received_at, report });
            }
            if is_last {
                return None;
            }
            self.play_day();
        }
    }
}
