//! The real program under load, killed, cut off from NATS, and robbed of its state: nothing acknowledged is lost, nothing
//! counts twice, every alert is said once.

#[path = "torture/clock.rs"]
mod clock;
#[path = "torture/damage.rs"]
mod damage;
#[path = "torture/disk.rs"]
mod disk;
#[path = "torture/kill.rs"]
mod kill;
#[path = "torture/load.rs"]
mod load;
#[path = "torture/nats.rs"]
mod nats;
#[path = "torture/soak.rs"]
mod soak;
#[path = "torture/stop.rs"]
mod stop;
