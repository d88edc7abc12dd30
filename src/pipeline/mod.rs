//! THE CORRIDOR, one sentence: a measurement is received, admitted or refused, appended, acknowledged, applied,
//! published, and shown.
//!
//! | step | where | who does it |
//! |---|---|---|
//! | receive | `ingest`, which decodes | a task a connection or message |
//! | admit | [`intake`] | the same task |
//! | append, acknowledge | [`appender`], with the [`ledger`] | one thread, owner of the journal |
//! | apply | [`live`] | one thread, owner of the projection |
//! | publish | [`outbox`] and beside it [`readings`], `publish` | two tasks a destination |
//! | apply, when other definitions take over | [`activation`] | the same thread |
//! | show | [`live`] posts the board with the [`recent`] transitions, `http` shows it; [`lookup`] finds what moved it | readers |
//! | show the past | [`hindsight`] asks [`travel`] and [`restatement`] | a thread a question, few at one time |
//!
//! It goes one way. The appender is the authority on time: it stamps blocks, and it sends ticks down the same channel, so
//! that what happens by itself and what happens by facts have one order, which a replay finds again. [`replay`] is the same
//! corridor without the ends, and [`what_if`] two of it side by side; [`ahead`] reads for them on another core.

pub mod activation;
pub mod ahead;
pub mod appender;
pub mod beside;
pub mod hindsight;
mod instances;
pub mod intake;
pub mod ledger;
pub mod live;
pub mod lookup;
pub mod outbox;
pub mod readings;
pub mod recent;
pub mod replay;
pub mod restatement;
pub mod saver;
pub mod travel;
pub mod what_if;
