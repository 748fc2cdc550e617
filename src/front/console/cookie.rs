//! The cookie of a session: what it holds, how long it lives, and whose it is.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::HeaderMap;
use http::header::COOKIE;
use subtle::ConstantTimeEq;
use time::{Duration, OffsetDateTime};

use super::Transport;
use super::form::Form;
use super::origin::forged;
use super::service::Desk;
use crate::domain::Actor;
use crate::engine::Error;
use crate::front::Problem;
use crate::sealer::{SealError, Secret};

/// What the cookies are sealed for: an envelope of something else is none.
const BOUND_TO: &str = "console_session";

/// How long somebody stays signed in at most; never longer than their token lives.
const LONGEST: Duration = Duration::hours(8);

/// A cookie's value is about 350 characters; longer ones are not even decoded.
const MOST: usize = 1024;

/// How many are remembered before those whose cookies have ended are forgotten.
const REMEMBERED: usize = 10_000;

/// Somebody who is signed in.
pub(super) struct Visitor {
    pub(super) actor: Actor,
    /// What every form of the session holds, and nobody else knows.
    pub(super) mark: String,
    pub(super) ends_at: OffsetDateTime,
}

impl Visitor {
    /// Lets a form pass that a page of this session sent.
    pub(super) fn check(&self, form: &Form) -> Result<(), Problem> {
        let is_ours = form.text("mark").as_bytes().ct_eq(self.mark.as_bytes());
        if bool::from(is_ours) { Ok(()) } else { Err(forged()) }
    }
}

/// The sessions that were ended here and whose cookies would still be good.
#[derive(Debug, Default)]
pub(super) struct SignedOut(Mutex<HashMap<String, OffsetDateTime>>);

impl SignedOut {
    pub(super) fn end(&self, visitor: &Visitor, now: OffsetDateTime) {
        let mut ended = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= REMEMBERED {
            ended.retain(|_, ends_at| *ends_at > now);
        }
        ended.insert(visitor.mark.clone(), visitor.ends_at);
    }

    fn holds(&self, mark: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(mark)
    }
}

/// A cookie for whoever presents a good token; `None` if it is none.
pub(super) async fn begin(desk: &Desk, token: &str) -> Result<Option<String>, Problem> {
    let Some(actor) = desk.engine.bearer(token).await? else { return Ok(None) };
    let now = desk.engine.now();
    let ends_at = actor.access().map_or(now + LONGEST, |access| access.ends_at.min(now + LONGEST));
    let mark = URL_SAFE_NO_PAD.encode(desk.engine.unguessable::<24>()?);
    let kept = Secret::new(format!("{}.{mark}.{token}", ends_at.unix_timestamp()).into_bytes());
    let sealed = desk.engine.seal(&kept, BOUND_TO).await?;
    let lasts = (ends_at - now).whole_seconds().max(0);
    Ok(Some(set(desk, &URL_SAFE_NO_PAD.encode(sealed), lasts)))
}

/// A cookie that takes the place of the session's and ends at once.
pub(super) fn end(desk: &Desk) -> String {
    set(desk, "", 0)
}

fn set(desk: &Desk, value: &str, lasts: i64) -> String {
    let path = if desk.base.is_empty() { "/" } else { &*desk.base };
    let secure = match desk.transport {
        Transport::Tls => "; Secure",
        Transport::LoopbackHttp => "",
    };
    format!("{}={value}; Path={path}; Max-Age={lasts}; HttpOnly; SameSite=Strict{secure}", name(desk.transport))
}

/// Browsers take the prefix for secure cookies alone, so that nobody can plant one over plain HTTP (RFC 6265bis section 4.1.3).
fn name(transport: Transport) -> &'static str {
    match transport {
        Transport::Tls => "__Secure-chancery",
        Transport::LoopbackHttp => "chancery",
    }
}

/// Who sends a request: the cookie opens, its time has not passed, and the token in it is still good.
pub(super) async fn visitor(desk: &Desk, headers: &HeaderMap) -> Result<Option<Visitor>, Problem> {
    let Some(sealed) = value(headers, name(desk.transport)) else { return Ok(None) };
    let opened = match desk.engine.unseal(&sealed, BOUND_TO).await {
        Ok(opened) => opened,
        Err(Error::Seal(SealError::Damaged | SealError::UnknownKey { .. })) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let Some((ends_at, mark, token)) = parts(opened.expose_text()) else { return Ok(None) };
    if ends_at <= desk.engine.now() || desk.signed_out.holds(mark) {
        return Ok(None);
    }
    let actor = desk.engine.bearer(token).await?;
    Ok(actor.map(|actor| Visitor { actor, mark: mark.to_owned(), ends_at }))
}

fn parts(text: &str) -> Option<(OffsetDateTime, &str, &str)> {
    let (ends_at, rest) = text.split_once('.')?;
    let (mark, token) = rest.split_once('.')?;
    Some((OffsetDateTime::from_unix_timestamp(ends_at.parse().ok()?).ok()?, mark, token))
}

/// The octets of a request's cookie of a name.
fn value(headers: &HeaderMap, name: &str) -> Option<Vec<u8>> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|header| header.to_str().ok());
    let mut pairs = cookies.flat_map(|header| header.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let (_, value) = pairs.find(|(key, _)| *key == name)?;
    (value.len() <= MOST).then(|| URL_SAFE_NO_PAD.decode(value).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cookie_is_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append(COOKIE, "a=b; chancery=AAEC; c=d".parse().unwrap());
        assert_eq!(value(&headers, "chancery"), Some(vec![0, 1, 2]));
        assert_eq!(value(&headers, "__Secure-chancery"), None);
        headers.insert(COOKIE, "chancery=%%".parse().unwrap());
        assert_eq!(value(&headers, "chancery"), None);
        headers.insert(COOKIE, format!("chancery={}", "A".repeat(MOST + 1)).parse().unwrap());
        assert_eq!(value(&headers, "chancery"), None);
    }

    #[test]
    fn what_is_sealed_has_three_parts() {
        assert!(parts("1790000000.mark.chy_a_b").is_some());
        for text in ["", "x.mark.token", "1790000000.mark"] {
            assert!(parts(text).is_none(), "{text}");
        }
    }
}
