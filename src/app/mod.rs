//! ARCHITECT: the only room that names adapters: builds, runs, stops.

mod clock;
mod corridor;
mod definitions;
pub mod demo;
mod disk;
pub mod doctor;
mod doors;
pub mod files;
mod headway;
pub mod hindsight;
mod house;
pub mod journal;
pub mod nats;
pub mod processor;
mod reload;
pub mod replay;
mod restore;
pub mod serve;
mod server;
mod tasks;
mod transport;
mod trim;
pub mod what_if;
mod windows;
