//! POST ROOM: what leaves for NATS: alert transitions, latest readings, refused input.
//!
//! Transitions come from the outbox and stay there until they are delivered; readings and refusals are passed on as they
//! come. Nothing here decides anything, and nothing here is the only copy of what the house must not lose.

pub mod nats;
pub mod rejections;
pub mod streams;
