//! Answers: objects as JSON with the headers that RFC 8555 asks for.

use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, LINK, LOCATION, RETRY_AFTER};
use http::{HeaderName, HeaderValue, StatusCode};
use serde::Serialize;

use super::problem::{Fault, whole_seconds};

/// An answer under construction.
pub(super) struct Reply(Response);

impl Reply {
    pub(super) fn empty(status: StatusCode) -> Self {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        Self(response)
    }

    pub(super) fn text(media: &'static str, text: String) -> Self {
        let mut response = Response::new(Body::from(text));
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
        Self(response)
    }

    pub(super) fn json(status: StatusCode, object: &impl Serialize) -> Result<Self, Fault> {
        let body = serde_json::to_vec(object).map_err(Fault::unwritable)?;
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = status;
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Self(response))
    }

    pub(super) fn at(self, location: &str) -> Self {
        self.with(LOCATION, location)
    }

    /// A further link (RFC 8288).
    pub(super) fn link(self, url: &str, relation: &str) -> Self {
        self.with(LINK, &format!("<{url}>;rel=\"{relation}\""))
    }

    pub(super) fn after(self, wait: Option<Duration>) -> Self {
        let wait = wait.and_then(|wait| time::Duration::try_from(wait).ok());
        match wait {
            Some(wait) => self.with(RETRY_AFTER, &whole_seconds(wait).to_string()),
            None => self,
        }
    }

    pub(super) fn into_response(self) -> Response {
        self.0
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Ok(value) = HeaderValue::from_str(value) {
            self.0.headers_mut().append(name, value);
        }
        self
    }
}
