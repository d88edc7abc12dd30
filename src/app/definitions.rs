//! Definitions and their history: what the corridor asks of files when the journal names another catalog.

use std::path::PathBuf;
use std::sync::Arc;

use crate::domain::catalog::{Catalog, CatalogFile};
use crate::domain::id::Sequence;
use crate::ports::{BlockReader, Definitions, History, JournalError};
use crate::wire::catalog;

/// Reads the catalog's files anew: their texts, or one line for everything that is wrong.
pub type CatalogSource = Arc<dyn Fn() -> Result<Vec<CatalogFile>, Vec<String>> + Send + Sync>;

/// Catalogs as people write them.
pub(super) struct TomlDefinitions;

impl Definitions for TomlDefinitions {
    fn parse(&self, files: &[CatalogFile]) -> Result<Arc<Catalog>, Vec<String>> {
        let parsed = catalog::parse(files).map(Arc::new);
        parsed.map_err(|problems| problems.iter().map(ToString::to_string).collect())
    }
}

/// The journal in a folder, read while somebody writes it.
pub(super) struct JournalFolder(pub PathBuf);

impl History for JournalFolder {
    fn read_from(&self, from: Sequence) -> Result<Box<dyn BlockReader>, JournalError> {
        crate::journal::open_reader(&self.0, from)
    }
}
