//! The journal, proved: its promises on every adapter, its codec by laws, its recovery at every fault, its bytes by a golden.

mod archive;
mod backup;
mod codec;
mod crash;
mod damage;
mod every_byte;
mod exchange;
mod faulty;
mod golden;
mod golden_rich;
mod histories;
mod promises;
mod samples;
mod trim;
