//! Instants that are compared; what is restated is told as stories on whole journals.

use super::*;
use crate::domain::calendar::WeekStart;
use crate::domain::instant::{DAY_MS, HOUR_MS};

#[test]
fn days_end_by_the_scorecards_own_clock_and_both_ends_are_included() {
    let berlin = Calendar::new("Europe/Berlin", WeekStart::Monday, 1).unwrap();
    let midnight = |day: i8| berlin.midnight(2026, 3, day).unwrap();
    let days = instants(&berlin, (midnight(28), midnight(30)), None);
    assert_eq!(days, [midnight(28), midnight(29), midnight(30)]);
    assert_eq!(days[2].since(days[1]), 23 * HOUR_MS, "the clock goes forward");
    let between = instants(&berlin, (midnight(28).plus_ms(1), midnight(29).plus_ms(-1)), None);
    assert_eq!(between, []);
}

#[test]
fn steps_are_multiples_since_the_epoch_and_too_many_are_one_too_many() {
    let utc = Calendar::utc();
    let found = instants(&utc, (Instant(5), Instant(3 * HOUR_MS)), Some(HOUR_MS));
    assert_eq!(found, [1, 2, 3].map(|hour| Instant(hour * HOUR_MS)));
    let year = (Instant(0), Instant(1_000 * DAY_MS));
    assert_eq!(instants(&utc, year, None).len(), INSTANTS_MAX + 1);
}

#[test]
fn of_many_facts_the_first_are_listed_and_all_are_counted() {
    let mut brought = Brought::default();
    (1..=50).for_each(|sequence| brought.add(Sequence(sequence)));
    assert_eq!((brought.count, brought.sequences.len()), (50, SEQUENCES_MAX));
    assert_eq!(brought.sequences.last(), Some(&Sequence(SEQUENCES_MAX as u64)));
}
