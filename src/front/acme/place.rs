//! URLs: where the router is mounted, as clients see it, and where everything is below.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::Scheme;

use crate::domain::acme::ChallengeKind;
use crate::domain::{AcmeAccountId, AcmeAuthorizationId, AcmeOrderId, ApplicationId, CertificateId, ProfileId};
use crate::engine::PageToken;

/// A text is no URL to mount ACME at.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{seen}` is no URL to mount ACME at: https, a host, perhaps a path, and nothing else (RFC 8555 section 6.1)")]
pub struct AcmeUrlError {
    /// The text.
    pub seen: String,
}

/// Where the router is mounted, without a slash at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Base(String);

/// Where an attachment is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place(String);

impl FromStr for Base {
    type Err = AcmeUrlError;

    fn from_str(text: &str) -> Result<Self, AcmeUrlError> {
        let uri = text.parse::<Uri>().ok().filter(|uri| {
            let is_plain = uri.authority().is_some_and(|authority| !authority.as_str().contains('@'));
            uri.scheme() == Some(&Scheme::HTTPS) && is_plain && uri.query().is_none() && !text.contains('#')
        });
        match uri {
            Some(_) => Ok(Self(text.trim_end_matches('/').to_owned())),
            None => Err(AcmeUrlError { seen: text.to_owned() }),
        }
    }
}

impl Base {
    /// An attachment.
    pub(super) fn place(&self, application: ApplicationId, profile: ProfileId) -> Place {
        Place(format!("{self}/applications/{application}/profiles/{profile}"))
    }
}

impl fmt::Display for Base {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Place {
    /// What has no id.
    pub(super) fn of(&self, name: &str) -> String {
        format!("{}/{name}", self.0)
    }

    pub(super) fn directory(&self) -> String {
        self.of("directory")
    }

    pub(super) fn account(&self, id: AcmeAccountId) -> String {
        format!("{}/account/{id}", self.0)
    }

    /// The account that a URL names.
    pub(super) fn account_at(&self, url: &str) -> Option<AcmeAccountId> {
        url.strip_prefix(&self.0)?.strip_prefix("/account/")?.parse().ok()
    }

    pub(super) fn orders(&self, id: AcmeAccountId, after: Option<&PageToken>) -> String {
        let query = after.map(|token| format!("?after={}", token.as_str())).unwrap_or_default();
        format!("{}/account/{id}/orders{query}", self.0)
    }

    pub(super) fn order(&self, id: AcmeOrderId) -> String {
        format!("{}/order/{id}", self.0)
    }

    pub(super) fn finalize(&self, id: AcmeOrderId) -> String {
        format!("{}/order/{id}/finalize", self.0)
    }

    pub(super) fn authorization(&self, id: AcmeAuthorizationId) -> String {
        format!("{}/authorization/{id}", self.0)
    }

    pub(super) fn challenge(&self, id: AcmeAuthorizationId, kind: ChallengeKind) -> String {
        format!("{}/authorization/{id}/{kind}", self.0)
    }

    pub(super) fn certificate(&self, id: CertificateId) -> String {
        format!("{}/certificate/{id}", self.0)
    }

    /// One of the other chains of a certificate, numbered from 1.
    pub(super) fn alternate(&self, id: CertificateId, number: usize) -> String {
        format!("{}/certificate/{id}/alternate/{number}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn bases_are_https_and_plain() {
        for (text, base) in [
            ("https://ca.example.com", "https://ca.example.com"),
            ("https://ca.example.com/", "https://ca.example.com"),
            ("https://ca.example.com:8443/acme/", "https://ca.example.com:8443/acme"),
            ("https://[::1]:1/acme", "https://[::1]:1/acme"),
        ] {
            assert_eq!(text.parse::<Base>().unwrap().to_string(), base);
        }
        for text in
            ["", "/acme", "http://ca.example.com", "https://a@b/", "https://a/?b", "https://a/#b", "ca.example.com"]
        {
            assert!(text.parse::<Base>().is_err(), "{text}");
        }
    }

    #[test]
    fn accounts_are_known_by_their_urls() {
        let at = datetime!(2026-01-01 0:00 UTC);
        let base: Base = "https://ca.example.com/acme".parse().unwrap();
        let place = base.place(ApplicationId::new(at, [1; 10]), ProfileId::new(at, [2; 10]));
        let elsewhere = base.place(ApplicationId::new(at, [1; 10]), ProfileId::new(at, [3; 10]));
        let id = AcmeAccountId::new(at, [4; 10]);
        let url = place.account(id);
        assert_eq!(place.account_at(&url), Some(id));
        assert_eq!(elsewhere.account_at(&url), None);
        for wrong in ["", "account/1", &format!("{url}/orders"), &url.replace("https", "http"), &place.of("account/")] {
            assert_eq!(place.account_at(wrong), None, "{wrong}");
        }
    }
}
