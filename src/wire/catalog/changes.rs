//! `changes`: what holds from a day on.
//!
//! The tables of `changes` enter, versions leave, each made from the one before it. A change holds from local
//! midnight of its day in the scorecard's time zone.

use super::fields::{At, Fields};
use crate::domain::calendar::Calendar;
use crate::domain::catalog::Versioned;
use crate::domain::instant::Instant;

/// The first version and those that its changes make of it. `change` reads one table and makes the next version of
/// the one before; it asks for every key but `from`.
pub(super) fn read<T>(
    fields: &Fields<'_>,
    calendar: &Calendar,
    first: T,
    change: impl Fn(&Fields<'_>, &T) -> T,
) -> Vec<Versioned<T>> {
    let mut versions = vec![Versioned {
        from: Instant(i64::MIN),
        value: first,
    }];
    for table in fields.tables("changes", |number, _| format!("{}, change {number}", fields.subject)) {
        let from = read_from(&table, calendar);
        let Some(before) = versions.last() else { break };
        let value = change(&table, &before.value);
        let after = before.from;
        if let Some(from) = from {
            if from.value <= after {
                table.refuse(
                    from.at,
                    "`from` is not after the change before it",
                    "write changes by increasing date",
                );
            }
            versions.push(Versioned {
                from: from.value,
                value,
            });
        }
        if table.in_order().len() < 2 {
            table.refuse(
                table.at,
                "it changes nothing",
                "write what holds from that day on, or remove it",
            );
        }
        table.finish();
    }
    versions
}

fn read_from(table: &Fields<'_>, calendar: &Calendar) -> Option<At<Instant>> {
    if table.place("from").is_none() {
        table.refuse_missing(
            "from",
            "write the day from which it holds, for example from = \"2026-07-12\"",
        );
        return None;
    }
    let date = table.date("from")?;
    let midnight = calendar.midnight(date.value.year(), date.value.month(), date.value.day())?;
    Some(date.map(|_| midnight))
}

/// A weight and its changes: of perspectives and objectives.
pub(super) fn read_weight(fields: &Fields<'_>, calendar: &Calendar) -> Vec<Versioned<f64>> {
    let first = weight(fields).unwrap_or(1.0);
    read(fields, calendar, first, |change, before| {
        weight(change).unwrap_or(*before)
    })
}

/// `weight`: finite, not negative.
pub(super) fn weight(fields: &Fields<'_>) -> Option<f64> {
    let weight = fields.number("weight")?;
    if weight.value < 0.0 {
        let remedy = "write 0 or more; 0 is shown and weighs nothing";
        fields.refuse(weight.at, &format!("weight {} is negative", weight.value), remedy);
        return None;
    }
    Some(weight.value)
}
