//! What the stories need: replays in this process, servers of their own, time to wait with an end.

pub mod alerts;
pub mod blocks;
pub mod credentials;
pub mod daemon;
pub mod false_clock;
pub mod intake;
pub mod ledger;
pub mod nats;
pub mod pictures;
pub mod replays;
pub mod small_disk;
