//! NATS, in and out, against a real server.

#[path = "nats/connect.rs"]
mod connect;
#[path = "nats/deployed.rs"]
mod deployed;
#[path = "nats/house.rs"]
mod house;
#[path = "nats/publish.rs"]
mod publish;
#[path = "nats/pull.rs"]
mod pull;
#[path = "nats/pull_trouble.rs"]
mod pull_trouble;
#[path = "nats/requests.rs"]
mod requests;
