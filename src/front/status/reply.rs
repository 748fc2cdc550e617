//! Answers that caches may keep until the next one is due, and those that nobody may.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, EXPIRES, IF_NONE_MATCH, LAST_MODIFIED, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use sha2::{Digest, Sha256};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

/// How long caches may tell old news at most, however late nextUpdate is: a revocation is in the next list at once.
pub(super) const LONGEST: Duration = Duration::HOUR;

/// IMF-fixdate (RFC 9110 section 5.6.7).
const DATE: &[BorrowedFormatItem<'_>] =
    format_description!("[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT");

/// What others may be told, too, from its thisUpdate to its nextUpdate; only that it is the same, if the one who asks has it.
pub(super) fn kept(
    media: &'static str,
    der: Bytes,
    (tag, (this_update, next_update)): (String, (OffsetDateTime, OffsetDateTime)),
    (asked, now): (&HeaderMap, OffsetDateTime),
) -> Response {
    let mut response = match knows(asked, &tag) {
        true => status(StatusCode::NOT_MODIFIED),
        false => of(media, der),
    };
    let fresh = (next_update - now).clamp(Duration::ZERO, LONGEST);
    let caching = format!("public, no-transform, must-revalidate, max-age={}", fresh.whole_seconds());
    put(&mut response, CACHE_CONTROL, &caching);
    put(&mut response, ETAG, &tag);
    put(&mut response, LAST_MODIFIED, &date(this_update));
    put(&mut response, EXPIRES, &date(now + fresh));
    response
}

/// What is for the one who asked alone.
pub(super) fn own(media: &'static str, der: Vec<u8>) -> Response {
    let mut response = of(media, der.into());
    put(&mut response, CACHE_CONTROL, "no-store");
    response
}

/// An answer without what was asked for, in one line for people.
pub(super) fn failed(code: StatusCode, said: &'static str) -> Response {
    let mut response = of("text/plain; charset=utf-8", said.into());
    *response.status_mut() = code;
    put(&mut response, CACHE_CONTROL, "no-store");
    if code == StatusCode::SERVICE_UNAVAILABLE {
        put(&mut response, RETRY_AFTER, "5");
    }
    response
}

/// An entity tag by content.
pub(super) fn tag_of(der: &[u8]) -> String {
    let hex: String = Sha256::digest(der).iter().map(|octet| format!("{octet:02x}")).collect();
    format!("\"{hex}\"")
}

fn knows(asked: &HeaderMap, tag: &str) -> bool {
    let known = asked.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    known.flat_map(|value| value.split(',')).any(|each| matches!(each.trim(), "*") || bare(each) == tag)
}

/// A tag without the mark of a weak one, which says as much here.
fn bare(tag: &str) -> &str {
    let tag = tag.trim();
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn date(at: OffsetDateTime) -> String {
    at.to_offset(UtcOffset::UTC).format(DATE).unwrap_or_default()
}

fn of(media: &'static str, body: Bytes) -> Response {
    let mut response = Response::new(Body::from(body));
    put(&mut response, CONTENT_TYPE, media);
    put(&mut response, HeaderName::from_static("x-content-type-options"), "nosniff");
    response
}

fn status(code: StatusCode) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

fn put(response: &mut Response, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        response.headers_mut().insert(name, value);
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    fn asked(tag: &str) -> HeaderMap {
        HeaderMap::from_iter([(IF_NONE_MATCH, tag.parse().unwrap())])
    }

    #[test]
    fn caches_keep_until_the_next_update_and_never_longer_than_an_hour() {
        let (this, next) = (datetime!(2026-01-01 0:00 UTC), datetime!(2026-01-08 0:00 UTC));
        let table = [
            (this, 3600, "Thu, 01 Jan 2026 01:00:00 GMT"),
            (next - Duration::MINUTE, 60, "Thu, 08 Jan 2026 00:00:00 GMT"),
            (next + Duration::MINUTE, 0, "Thu, 08 Jan 2026 00:01:00 GMT"),
        ];
        for (now, seconds, expires) in table {
            let none = HeaderMap::new();
            let response = kept("application/pkix-crl", "x".into(), ("\"1\"".into(), (this, next)), (&none, now));
            assert_eq!(response.status(), StatusCode::OK);
            let headers = response.headers();
            assert!(headers[CACHE_CONTROL].to_str().unwrap().ends_with(&format!("max-age={seconds}")), "{headers:?}");
            assert_eq!(headers[EXPIRES], expires);
            assert_eq!(headers[LAST_MODIFIED], "Thu, 01 Jan 2026 00:00:00 GMT");
        }
    }

    #[test]
    fn who_has_it_is_told_that_it_is_the_same() {
        let at = datetime!(2026-01-01 0:00 UTC);
        let table = [("\"1\"", 304), ("W/\"1\"", 304), ("\"0\", \"1\"", 304), ("*", 304), ("\"2\"", 200), ("1", 200)];
        for (tag, status) in table {
            let response = kept("a/b", "x".into(), ("\"1\"".into(), (at, at)), (&asked(tag), at));
            assert_eq!(response.status().as_u16(), status, "{tag}");
            assert_eq!(response.headers()[ETAG], "\"1\"");
        }
    }
}
