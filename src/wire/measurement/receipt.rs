//! The answer to a sender: what became of the measurements of its batch.

use serde::{Deserialize, Serialize};

use crate::domain::id::Sequence;
use crate::domain::measurement::Rejection;

/// `{"accepted","rejected":[{"index","reason","detail"}],"duplicates","sequence"}`
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct ReceiptBody {
    /// Taken now.
    pub accepted: u64,
    /// Not taken, by place in the batch.
    pub rejected: Vec<RejectionBody>,
    /// Taken earlier already.
    pub duplicates: u64,
    /// Last sequence of the journal when it was answered.
    pub sequence: u64,
}

/// One measurement that was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectionBody {
    /// Place in the batch, from 0.
    pub index: usize,
    /// The one word.
    pub reason: String,
    /// The thing, the value found and the remedy.
    pub detail: String,
}

impl ReceiptBody {
    /// The answer to a batch of which `accepted` were taken now, `duplicates` earlier, and `rejected` never.
    pub fn new(accepted: u64, duplicates: u64, rejected: &[Rejection], sequence: Sequence) -> Self {
        Self {
            accepted,
            rejected: rejected.iter().map(RejectionBody::new).collect(),
            duplicates,
            sequence: sequence.0,
        }
    }

    /// True when something was sent and none of it was taken, now or earlier.
    pub fn took_nothing(&self) -> bool {
        self.accepted == 0 && self.duplicates == 0 && !self.rejected.is_empty()
    }
}

impl RejectionBody {
    fn new(rejection: &Rejection) -> Self {
        Self {
            index: rejection.index,
            reason: rejection.reason.word().to_owned(),
            detail: rejection.detail.clone(),
        }
    }
}
