//! ARCHITECT: the only room that names adapters: builds, runs, stops.

mod clock;
mod disk;
pub mod demo;
pub mod files;
mod house;
pub mod journal;
pub mod replay;
mod restore;
pub mod serve;
mod transport;

pub mod nats;
