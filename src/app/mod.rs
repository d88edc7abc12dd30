//! ARCHITECT: the only room that names adapters: builds, runs, stops.

pub mod journal;
pub mod replay;
//! (being written)

pub mod nats;
