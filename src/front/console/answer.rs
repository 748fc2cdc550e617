//! What a page answers, and how that becomes a response.

use axum::body::Body;
use axum::response::Response;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION, RETRY_AFTER, SET_COOKIE};
use http::{HeaderValue, StatusCode};
use maud::Markup;

use crate::front::request_id::REQUEST_ID;

/// What a browser may do with what it gets: show it with the console's own stylesheet and script, and send forms back.
const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
     connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Something that a page answers.
pub(super) enum Answer {
    /// A whole page.
    Page(StatusCode, Markup),
    /// The answer to a form is elsewhere.
    See(String),
    /// The same, with a cookie.
    SeeWith(String, String),
    /// A page that is to be asked again later, in so many seconds.
    Later(StatusCode, Markup, u64),
    /// Something to be saved: its name, its media type and its octets.
    File(String, &'static str, Vec<u8>),
}

impl Answer {
    /// A good page.
    pub(super) fn page(page: Markup) -> Self {
        Self::Page(StatusCode::OK, page)
    }
}

/// The response. Nothing that the console shows is kept on the way, or by the browser: neither keys nor names.
pub(super) fn finished(answer: Answer, request_id: &str) -> Response {
    let mut response = match answer {
        Answer::Page(status, page) => html(status, page),
        Answer::Later(status, page, seconds) => {
            with(html(status, page), &[(RETRY_AFTER.as_str(), &seconds.to_string())])
        }
        Answer::See(place) => see(&place),
        Answer::SeeWith(place, cookie) => with(see(&place), &[(SET_COOKIE.as_str(), &cookie)]),
        Answer::File(name, media, octets) => {
            let disposition = format!("attachment; filename=\"{name}\"");
            let headers = [(CONTENT_TYPE.as_str(), media), (CONTENT_DISPOSITION.as_str(), &*disposition)];
            with(Response::new(Body::from(octets)), &headers)
        }
    };
    guarded(&mut response);
    with(response, &[(CACHE_CONTROL.as_str(), "no-store"), (REQUEST_ID.as_str(), request_id)])
}

fn html(status: StatusCode, page: Markup) -> Response {
    let mut response = with(Response::new(Body::from(page.0)), &[(CONTENT_TYPE.as_str(), "text/html; charset=utf-8")]);
    *response.status_mut() = status;
    response
}

fn see(place: &str) -> Response {
    let mut response = with(Response::new(Body::empty()), &[(LOCATION.as_str(), place)]);
    *response.status_mut() = StatusCode::SEE_OTHER;
    response
}

/// What holds for every answer, files of the console's own included.
pub(super) fn guarded(response: &mut Response) {
    let headers = response.headers_mut();
    headers.insert("content-security-policy", HeaderValue::from_static(CONTENT_SECURITY_POLICY));
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // With `no-referrer` browsers would say no more where a form comes from.
    headers.insert("referrer-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static("same-origin"));
    headers.insert("permissions-policy", HeaderValue::from_static("camera=(), geolocation=(), microphone=()"));
}

fn with(mut response: Response, headers: &[(&str, &str)]) -> Response {
    for (name, value) in headers {
        let name = http::HeaderName::from_bytes(name.as_bytes());
        if let (Ok(name), Ok(value)) = (name, HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}
