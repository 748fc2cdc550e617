//! Request ids: taken over from whoever is in front, or made.

use std::fmt::Write;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::engine::Engine;

/// The header that bears them, both ways.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The request's own id if it is 1 to 64 letters, digits, `.`, `_` and `-`, so that logs stay what they are; else a new one.
pub(super) fn request_id(headers: &HeaderMap, engine: &Engine) -> HeaderValue {
    let taken = headers.get(REQUEST_ID).filter(|id| is_sane(id.as_bytes()));
    taken.cloned().unwrap_or_else(|| made(engine))
}

fn is_sane(id: &[u8]) -> bool {
    let fits = |octet: &u8| octet.is_ascii_alphanumeric() || b"._-".contains(octet);
    (1..=64).contains(&id.len()) && id.iter().all(fits)
}

fn made(engine: &Engine) -> HeaderValue {
    let hex = engine.distinct().iter().fold(String::new(), |mut text, octet| {
        let _ = write!(text, "{octet:02x}");
        text
    });
    HeaderValue::from_str(&hex).unwrap_or(HeaderValue::from_static("none"))
}

#[cfg(test)]
mod tests {
    use super::is_sane;

    #[test]
    fn only_plain_ids_are_taken_over() {
        assert!(is_sane(b"a-b_c.7") && is_sane(&[b'a'; 64]));
        for id in [&b""[..], b"a b", b"a\"b", b"a\xff", &[b'a'; 65]] {
            assert!(!is_sane(id), "{id:?}");
        }
    }
}
