//! The door to those who fold the history under other definitions.
//!
//! A catalog enters, what differs leaves; nothing that holds is touched.

use futures_util::future::BoxFuture;

use crate::domain::catalog::CatalogFile;
use crate::domain::comparison::{Compared, Sides};
use crate::domain::id::Sequence;
use crate::domain::instant::Instant;

/// Compares what the history made of scores and alerts with what other definitions would have made of it.
///
/// Promises: nothing is changed, written or published; ingest is not held up; when the asker goes away, the work ends.
pub trait WhatIf: Send + Sync {
    /// Folds the history under both sets of definitions.
    fn compare(&self, question: WhatIfQuestion) -> BoxFuture<'_, Result<WhatIfAnswer, WhatIfError>>;
}

/// Which definitions, and which part of the history.
#[derive(Debug, Clone)]
pub struct WhatIfQuestion {
    /// Files of a catalog that holds together.
    pub files: Vec<CatalogFile>,
    /// From here on differences count.
    pub from: Option<Instant>,
    /// Where the history ends; now when absent.
    pub to: Option<Instant>,
}

/// What differs.
#[derive(Debug, Clone)]
pub struct WhatIfAnswer {
    /// Fingerprints of the definitions of both sides in the end.
    pub catalogs: Sides<String>,
    /// What was found.
    pub compared: Compared,
    /// Where the clock stands in the end; `None` when nothing ever happened.
    pub at: Option<Instant>,
    /// The last fact.
    pub sequence: Sequence,
}

/// Why nothing was compared.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WhatIfError {
    /// Others are being answered.
    #[error("{at_once} comparison runs already, and no more run at once: ask again when it has ended")]
    Busy {
        /// So many run at once.
        at_once: usize,
    },
    /// The house is closing.
    #[error("kpid is shutting down: ask again later, or use `kpid replay --diff`")]
    Closed,
    /// The journal cannot be read, or names definitions that this version does not take.
    #[error("{0}")]
    Failed(String),
}
