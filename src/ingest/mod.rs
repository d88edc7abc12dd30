//! FRONT DOOR: bytes come in by HTTP, NATS and files, are decoded within limits, and are answered.
//!
//! Requests, messages and files enter; batches of reports leave through [`crate::ports::Intake`]. Nothing is judged against
//! the catalog here and nothing is acknowledged before the intake said that it is durable.

pub mod decode;
pub mod file;
pub mod http;
pub mod nats;
