//! Definitions: making them of their files, and letting other ones hold while everything runs.

use std::sync::Arc;

use futures_util::future::BoxFuture;

use crate::domain::catalog::{Catalog, CatalogFile};
use crate::domain::id::{KpiId, Sequence};

/// Makes a catalog of the files that a `CatalogActivated` keeps.
pub trait Definitions: Send + Sync {
    /// The catalog, or one line for everything that is wrong with it.
    fn parse(&self, files: &[CatalogFile]) -> Result<Arc<Catalog>, Vec<String>>;
}

/// Looks whether the catalog's files have changed, and lets them hold.
pub trait Reload: Send + Sync {
    /// Reads the files. Returns when they are in the journal and everything shows them.
    fn reload(&self) -> BoxFuture<'_, Result<Reloaded, ReloadError>>;
}

/// What came of a reload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reloaded {
    /// Fingerprint of the catalog that holds now.
    pub catalog: String,
    /// Where the journal says so; `None` when it held already.
    pub sequence: Option<Sequence>,
    /// KPIs whose windows were folded anew from the journal, in catalog order.
    pub rebuilt: Vec<KpiId>,
}

/// Why nothing was reloaded; what held goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReloadError {
    /// One line for everything that is wrong.
    #[error("the catalog was not taken over, the one before goes on: {}", .0.join("; "))]
    Wrong(Vec<String>),
    /// The state is still being restored.
    #[error("kpid is not ready yet: reload once /readyz says so")]
    NotReady,
    /// The house is closing, or the journal failed.
    #[error("kpid is shutting down: the files are read at the next start")]
    Closed,
}
