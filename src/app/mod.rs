//! ARCHITECT: the only room that names adapters: builds, runs, stops.

mod clock;
pub mod demo;
mod disk;
pub mod files;
mod house;
pub mod journal;
pub mod replay;
mod restore;
pub mod serve;
mod transport;

pub mod nats;
