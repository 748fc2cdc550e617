//! What a handler answers, and how that becomes a response.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use time::Duration;

use super::openapi::Schemas;
use crate::engine::{Page, PageToken};
use crate::front::Problem;
use crate::front::problem::internal;

/// What a response looks like in the document.
pub(super) struct ReplyOutline {
    pub(super) status: StatusCode,
    pub(super) content: Option<(&'static str, Schema)>,
}

/// Something that a handler answers.
pub(super) trait Reply: Send {
    fn into_response(self) -> Response;
    fn outline(schemas: &mut Schemas) -> ReplyOutline;
}

/// A JSON answer.
pub(super) struct Answer<T> {
    value: T,
    retry_after: Option<std::time::Duration>,
}

impl<T> Answer<T> {
    /// The whole answer.
    pub(super) fn new(value: T) -> Self {
        Self { value, retry_after: None }
    }

    /// An answer that will be another after a while.
    pub(super) fn for_now(value: T, retry_after: std::time::Duration) -> Self {
        Self { value, retry_after: Some(retry_after) }
    }
}

impl<T: Serialize + JsonSchema + Send> Reply for Answer<T> {
    fn into_response(self) -> Response {
        let Ok(body) = serde_json::to_vec(&self.value) else {
            return internal("an answer could not be written").into_response();
        };
        let mut response = bytes_of("application/json", body);
        if let Some(wait) = self.retry_after {
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(wait.as_secs()));
        }
        response
    }

    fn outline(schemas: &mut Schemas) -> ReplyOutline {
        ReplyOutline { status: StatusCode::OK, content: Some(("application/json", schemas.output::<T>())) }
    }
}

/// It is done, and there is nothing to say.
pub(super) struct Done;

impl Reply for Done {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }

    fn outline(_: &mut Schemas) -> ReplyOutline {
        ReplyOutline { status: StatusCode::NO_CONTENT, content: None }
    }
}

/// A PKCS#12 container.
pub(super) struct Pkcs12(pub(super) Vec<u8>);

impl Reply for Pkcs12 {
    fn into_response(self) -> Response {
        let mut response = bytes_of("application/x-pkcs12", self.0);
        let name = HeaderValue::from_static("attachment; filename=\"certificate.p12\"");
        response.headers_mut().insert(CONTENT_DISPOSITION, name);
        response
    }

    fn outline(_: &mut Schemas) -> ReplyOutline {
        let octets = schemars::json_schema!({ "type": "string", "format": "binary" });
        ReplyOutline { status: StatusCode::OK, content: Some(("application/x-pkcs12", octets)) }
    }
}

/// Text for people.
pub(super) struct Text(pub(super) String);

impl Reply for Text {
    fn into_response(self) -> Response {
        bytes_of("text/plain; charset=utf-8", self.0.into_bytes())
    }

    fn outline(_: &mut Schemas) -> ReplyOutline {
        let text = schemars::json_schema!({ "type": "string" });
        ReplyOutline { status: StatusCode::OK, content: Some(("text/plain", text)) }
    }
}

/// One page of a list.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "PageOf{T}")]
pub(super) struct PageView<T> {
    /// The entries.
    items: Vec<T>,
    /// What `after` is to be for the next page; `null` on the last.
    next: Option<String>,
}

impl<T> PageView<T> {
    /// Everything on one page.
    pub(super) fn whole(items: Vec<T>) -> Self {
        Self { items, next: None }
    }

    pub(super) fn of<U>(page: Page<U>, view: impl FnMut(U) -> T) -> Self {
        let next = page.next.as_ref().map(PageToken::as_str).map(str::to_owned);
        Self { items: page.items.into_iter().map(view).collect(), next }
    }
}

fn bytes_of(media: &'static str, body: Vec<u8>) -> Response {
    let mut response = Response::new(Body::from(body));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = bytes_of("application/problem+json", serde_json::to_vec(&self).unwrap_or_default());
        *response.status_mut() = self.code.status();
        if let Some(wait) = self.retry_after {
            // Whole seconds, and never too few.
            let seconds = (wait + Duration::milliseconds(999)).whole_seconds().max(1);
            response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.code.status() == StatusCode::UNAUTHORIZED {
            let challenge = HeaderName::from_static("www-authenticate");
            response.headers_mut().insert(challenge, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
