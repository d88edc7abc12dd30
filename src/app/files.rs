//! Reading files of measurements outside the daemon: what the command line needs of the front door.
//!
//! Only names are passed on: adapters are named in this room and in no other.

pub use crate::ingest::file::{FileError, FileReports};
