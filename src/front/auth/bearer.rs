//! Bearer tokens (RFC 6750) that the engine made and keeps as hashes.

use async_trait::async_trait;
use http::header::AUTHORIZATION;
use http::request::Parts;

use super::{Authenticator, Unauthenticated};
use crate::domain::Actor;
use crate::engine::Engine;

/// Takes the tokens of [`Session::create_token`](crate::engine::Session::create_token) from the `Authorization` header.
///
/// Each request reads the store, so that a revoked token is refused from the next request on, at every process.
#[derive(Clone, Debug)]
pub struct BearerTokens(Engine);

impl BearerTokens {
    /// The tokens that `engine` made.
    pub fn of(engine: &Engine) -> Self {
        Self(engine.clone())
    }
}

#[async_trait]
impl Authenticator for BearerTokens {
    async fn authenticate(&self, request: &Parts) -> Result<Actor, Unauthenticated> {
        let found = self.0.bearer(presented(request)?).await;
        let found = found.map_err(|error| Unauthenticated::Unavailable { reason: error.to_string() })?;
        found.ok_or(Unauthenticated::Refused)
    }
}

/// The token of a request's only `Authorization` header; other schemes are for others.
fn presented(request: &Parts) -> Result<&str, Unauthenticated> {
    let mut headers = request.headers.get_all(AUTHORIZATION).iter();
    let header = headers.next().ok_or(Unauthenticated::Absent)?;
    if headers.next().is_some() {
        return Err(Unauthenticated::Refused);
    }
    let text = header.to_str().map_err(|_| Unauthenticated::Refused)?;
    let (scheme, token) = text.split_once(' ').ok_or(Unauthenticated::Refused)?;
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(Unauthenticated::Absent);
    }
    Ok(token.trim_start_matches(' '))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn presents(headers: &[&str]) -> Result<String, Unauthenticated> {
        let request = headers.iter().fold(http::Request::new(()), |mut request, header| {
            request.headers_mut().append(AUTHORIZATION, header.parse().unwrap());
            request
        });
        presented(&request.into_parts().0).map(str::to_owned)
    }

    #[test]
    fn one_header_of_the_scheme_is_read() {
        assert_eq!(presents(&[]), Err(Unauthenticated::Absent));
        assert_eq!(presents(&["Basic YTpi"]), Err(Unauthenticated::Absent));
        assert_eq!(presents(&["Bearer chy_a"]).unwrap(), "chy_a");
        assert_eq!(presents(&["bearer   chy_a"]).unwrap(), "chy_a");
        assert_eq!(presents(&["Bearer"]), Err(Unauthenticated::Refused));
        assert_eq!(presents(&["Bearer a", "Bearer b"]), Err(Unauthenticated::Refused));
    }
}
