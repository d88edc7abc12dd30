//! The dashboard.

use std::sync::Arc;

use axum::Router;

use super::Windows;

pub(super) fn routes() -> Router<Arc<Windows>> {
    Router::new()
}
