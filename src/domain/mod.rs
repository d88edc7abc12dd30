//! THE RULES. What a KPI, a window, a score and an alert mean.
//!
//! Everything here is pure: no IO, no async, no clock, no environment, no serialisation, no logs, no randomness.
//! Time is an argument; refused input is a value. The same facts and the same instants give the same bits on
//! every machine, which is why a replay is the truth.

pub mod admit;
pub mod aggregate;
pub mod alert;
pub mod alerting;
pub mod board;
pub mod calendar;
pub mod catalog;
pub mod column;
pub mod comparison;
pub mod correlation;
pub mod exact;
pub mod explain;
pub mod fact;
pub mod id;
pub mod instant;
pub mod late;
pub mod measurement;
pub mod movers;
pub mod parts;
pub mod projection;
pub mod reading;
pub mod reports;
pub mod restatement;
pub mod roll_up;
pub mod score;
pub mod series;
pub mod series_names;
pub mod sketch;
pub mod strategy;
pub mod weighted;
pub mod window;
pub mod words;

#[cfg(test)]
pub(crate) mod samples;
