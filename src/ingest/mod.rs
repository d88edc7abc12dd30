//! FRONT DOOR: decode and limits; HTTP, NATS, files.

pub mod decode;
pub mod nats;
