//! The integration tests, one binary. Each module tells one kind of story; `reference` is the naive second opinion and
//! `support` starts what the stories need.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::unnecessary_debug_formatting,
    reason = "tests and what they stand on: what does not hold shall end the test loudly"
)]

mod cli;
mod corpora;
mod doctor;
mod durable;
mod explain;
mod golden;
mod hindsight;
mod instances;
mod keep;
mod laws;
mod nats;
mod posts;
mod real_catalogs;
mod real_data;
mod reference;
mod reload;
mod restart;
mod restatement;
mod room;
mod story;
mod support;
mod torture;
mod what_if;
