//! (being written)

pub mod nats;
