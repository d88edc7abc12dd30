//! How fast kpid is, each figure beside its floor: what the same bytes cost without kpid, measured in the same run.
//!
//! `cargo bench` runs everything, `cargo bench -- replay` what has `replay` in its name. At the end a table puts
//! figures and floors side by side; the two run on the same machine within minutes, so their ratio says more
//! than either.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot run says so by its panic")]

mod alert_delay;
mod append;
mod cost;
mod decode;
mod house;
mod http;
mod load;
mod nats;
#[path = "../it/support/nats.rs"]
#[expect(
    dead_code,
    clippy::expect_used,
    clippy::unnecessary_debug_formatting,
    reason = "the stories of the integration tests use the rest"
)]
mod nats_server;
mod ratio;
mod reads;
mod replay;
mod restart;

fn main() {
    if std::env::var_os(cost::MEMORY_ALONE).is_some() {
        return cost::print_memory();
    }
    if let Ok(asked) = std::env::var(cost::SIZES_ALONE) {
        return cost::compare_sizes(&asked);
    }
    if let Ok(asked) = std::env::var(nats::DRAIN_ALONE) {
        return nats::drain(&asked);
    }
    divan::main();
    ratio::print();
}
