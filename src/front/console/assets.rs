//! The console's own stylesheet, script and icon, as files, so that no page needs anything inline.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};

use super::answer::guarded;

/// Part of the files' addresses: a new version of the crate is a new file to browsers.
pub(super) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(super) async fn stylesheet() -> Response {
    file("text/css; charset=utf-8", include_str!("console.css"))
}

pub(super) async fn script() -> Response {
    file("text/javascript; charset=utf-8", include_str!("console.js"))
}

pub(super) async fn icon() -> Response {
    file("image/svg+xml", include_str!("icon.svg"))
}

fn file(media: &'static str, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(text));
    guarded(&mut response);
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=3600"));
    response
}
