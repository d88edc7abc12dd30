//! SHELVES: state that makes kpid start fast, all of it derivable from the journal.
//!
//! Ids already seen, saved states of the projection and undelivered alert transitions enter; the same leave, after a
//! restart too. Nothing here is the truth: a store that does not open, or does not fit its own digest, is set aside and
//! begun anew, which costs time and never data. It never reads the journal and never decides what is in it.
//!
//! | file | what |
//! |---|---|
//! | `store` | opening, setting aside, making durable |
//! | `shelf` | one sled tree under a digest, written in atomic batches |
//! | `later` | a shelf whose changes wait in memory, and `rounds`, the thread that has them written |
//! | `seen` | ids already seen: the latest in memory, `runs` of the others, with `filter` in front of the disk |
//! | `checkpoints` | saved states of the projection, cut into chunks; `gathering` reads one while the store opens |
//! | `milestones`, `spread` | past states of the projection, a file each, left behind by checkpoints |
//! | `outbox` | transitions to deliver, in the encoding of `transition` |
//! | `memory` | the same three without a disk, for replays and tests |

mod bytes;
mod checkpoints;
#[cfg(test)]
mod damage;
mod filter;
mod gathering;
#[cfg(test)]
mod kills;
mod later;
mod memory;
mod milestones;
mod outbox;
#[cfg(test)]
mod promises;
mod rounds;
mod runs;
mod seen;
mod shelf;
mod spread;
mod store;
mod transition;

pub use checkpoints::SledCheckpoints;
pub use memory::{MemoryCheckpoints, MemoryOutbox, MemorySeenIds};
pub use milestones::{MilestoneFolder, MilestoneLimits};
pub use outbox::SledOutbox;
pub use seen::SledSeenIds;
pub use spread::SpreadCheckpoints;
pub use store::{OpenReport, StateOpenError, StateStore};

/// Ids of delivered transitions that an outbox remembers at least, so that deciding them again after a crash does not
/// deliver them again. A crash loses seconds of decisions; this many are years of alerts of a large catalog.
pub const DONE_IDS_MAX: usize = 100_000;
