//! ARCHITECT: the only room that names adapters: builds, runs, stops.

pub mod files;
pub mod journal;
pub mod replay;

pub mod nats;
