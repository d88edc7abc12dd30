//! ARCHITECT: the only room that names adapters: builds, runs, stops.

pub mod replay;
