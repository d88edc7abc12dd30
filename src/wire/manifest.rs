//! What a backup says of itself: `backup.json` in its folder.
//!
//! The segments with the hash of the last block of each, so that the next backup knows what it need not copy, and whether it
//! is still the same journal; and where it ends, so that a backup that lost its end can be told from a whole one.

use serde::{Deserialize, Serialize};

/// Name of the file.
pub const FILE: &str = "backup.json";

/// The form that this kpid writes.
pub const FORM: u32 = 1;

/// What is in a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Form of this file.
    pub form: u32,
    /// When it was made or continued, RFC 3339.
    pub made_at: String,
    /// First sequence.
    pub first: u64,
    /// Last sequence.
    pub last: u64,
    /// BLAKE3 of the last block, hexadecimal.
    pub head_hash: String,
    /// Segments, ascending.
    pub segments: Vec<SegmentEntry>,
}

/// One segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SegmentEntry {
    /// Its first sequence, which names it.
    pub first: u64,
    /// The sequence behind its last.
    pub next: u64,
    /// Bytes of its blocks.
    pub bytes: u64,
    /// BLAKE3 of its last block, hexadecimal.
    pub head_hash: String,
}

impl Manifest {
    /// As it stands in the file.
    pub fn to_text(&self) -> Result<String, serde_json::Error> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// From the file's text.
    pub fn parse(text: &str) -> Result<Self, String> {
        let found: Self = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if found.form == FORM {
            Ok(found)
        } else {
            Err(format!("form {} is not known: use the kpid that made it", found.form))
        }
    }

    /// What it says of a segment.
    pub fn segment(&self, first: u64) -> Option<&SegmentEntry> {
        self.segments.iter().find(|entry| entry.first == first)
    }
}
