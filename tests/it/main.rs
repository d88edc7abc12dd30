//! The integration tests, one binary. Each module tells one kind of story; `reference` is the naive second opinion and
//! `support` starts what the stories need.

mod cli;
mod durable;
mod laws;
mod nats;
mod real_data;
mod reference;
mod story;
mod support;
mod torture;
