//! THE LETTERS: every form in which something enters or leaves the process. serde lives here and in `settings`.
//!
//! A form is a contract: `tests/golden/` holds examples that are added to and never edited.

pub mod alert;
pub mod catalog;
pub mod cloudevents;
pub mod cloudevents_out;
pub mod csv;
pub mod explain;
pub mod manifest;
pub mod measurement;
pub mod problem;
pub mod reading;
pub mod record;
pub mod rejected;
pub mod restatement;
pub mod scorecard;
pub mod sorted;
pub mod strategy;
pub mod streams;
pub mod subjects;
pub mod what_if;
