//! The style sheet, the script and the icon, out of the binary.
//!
//! Addresses carry a digest of the content, so that browsers may keep a file for ever and still get the next one at once.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

/// A file in the binary.
pub struct Asset {
    path: &'static str,
    media_type: &'static str,
    content: &'static str,
    tag: String,
}

/// The style sheet.
pub static STYLE: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "/assets/kpid.css",
        "text/css; charset=utf-8",
        concat!(include_str!("assets/kpid.css"), include_str!("assets/explain.css")),
    )
});
/// The script that follows the stream.
pub static SCRIPT: LazyLock<Asset> = LazyLock::new(|| {
    Asset::new(
        "/assets/live.js",
        "text/javascript; charset=utf-8",
        include_str!("assets/live.js"),
    )
});
/// The icon.
pub static ICON: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("/assets/icon.svg", "image/svg+xml", include_str!("assets/icon.svg")));

impl Asset {
    fn new(path: &'static str, media_type: &'static str, content: &'static str) -> Self {
        let digest = blake3::hash(content.as_bytes()).to_hex();
        Self {
            path,
            media_type,
            content,
            tag: digest.chars().take(16).collect(),
        }
    }

    /// The address with the digest.
    pub fn href(&self) -> String {
        format!("{}?v={}", self.path, self.tag)
    }

    fn answer(&self, query: Option<&str>, headers: &HeaderMap) -> Response {
        let etag = format!("\"{}\"", self.tag);
        let known = headers.get(header::IF_NONE_MATCH).and_then(|tags| tags.to_str().ok());
        let by_digest = query == Some(&format!("v={}", self.tag));
        let keep = if by_digest {
            "private, max-age=31536000, immutable"
        } else {
            "no-cache"
        };
        let mut response = if known.is_some_and(|tags| tags.contains(&etag)) {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            ([(header::CONTENT_TYPE, self.media_type)], self.content).into_response()
        };
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(keep));
        if let Ok(etag) = HeaderValue::from_str(&etag) {
            headers.insert(header::ETAG, etag);
        }
        response
    }
}

pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    [&STYLE, &SCRIPT, &ICON]
        .into_iter()
        .fold(Router::new(), |router, asset| {
            let answer = move |request: Request| async move { asset.answer(request.uri().query(), request.headers()) };
            router.route(asset.path, get(answer))
        })
}
