//! Accounts: who asks, by which key, and what a binding lets it ask for (RFC 8555 section 7.1.2).

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{AcmeProblem, BindingScope, Identifier, ProblemKind};
use crate::domain::{AcmeAccountId, AcmeBindingId, ApplicationId, Octets, Principal, ProfileId};
use crate::x509::{EmailAddress, PublicKey};

/// Most contact URLs of an account.
pub const MAX_CONTACTS: usize = 10;

/// How long an account is kept that nobody uses.
const IDLE: Duration = Duration::days(400);
/// How long one is kept that is valid no more.
const KEPT: Duration = Duration::days(30);

/// An account below one attachment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// Its id.
    pub id: AcmeAccountId,
    /// The Application whose clients it belongs to.
    pub application: ApplicationId,
    /// The profile at whose directory it was made.
    pub profile: ProfileId,
    /// Its key. No two accounts of an attachment have the same.
    pub key: AccountKey,
    /// How to reach its owner.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contacts: Vec<Contact>,
    /// When its owner agreed to the terms of service.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub terms_agreed_at: Option<OffsetDateTime>,
    /// The external account binding that it was made with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Bound>,
    /// What has become of it.
    pub state: AccountState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it last ordered something, to the day.
    #[serde(with = "time::serde::rfc3339")]
    pub used_at: OffsetDateTime,
}

/// An account's key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountKey {
    /// The SHA-256 thumbprint of its JWK (RFC 7638), base64url.
    pub thumbprint: String,
    /// The key, DER `SubjectPublicKeyInfo`.
    pub public_key: Octets,
}

impl AccountKey {
    /// A key and the SHA-256 thumbprint of its JWK (RFC 7638).
    pub fn new(thumbprint: [u8; 32], public_key: &PublicKey) -> Self {
        let thumbprint = URL_SAFE_NO_PAD.encode(thumbprint);
        Self { thumbprint, public_key: Octets(public_key.spki_der().to_vec()) }
    }

    /// What a challenge's token becomes with this key (RFC 8555 section 8.1).
    pub fn authorize(&self, token: &str) -> String {
        format!("{token}.{}", self.thumbprint)
    }
}

/// What an account has of its external account binding: changes of the binding do not reach it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// The binding.
    pub by: AcmeBindingId,
    /// The identifiers that it may order.
    #[serde(default)]
    pub scope: BindingScope,
}

/// What has become of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum AccountState {
    /// It may be used.
    Valid,
    /// Its owner gave it up.
    Deactivated {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// The office took it away.
    Revoked {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

/// How an account looks (RFC 8555 section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AccountStatus {
    /// It may be used.
    Valid,
    /// Its owner gave it up.
    Deactivated,
    /// The office took it away.
    Revoked,
}

impl AccountStatus {
    /// The spelling of RFC 8555.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Deactivated => "deactivated",
            Self::Revoked => "revoked",
        }
    }
}

impl Account {
    /// How it looks.
    pub fn status(&self) -> AccountStatus {
        match self.state {
            AccountState::Valid => AccountStatus::Valid,
            AccountState::Deactivated { .. } => AccountStatus::Deactivated,
            AccountState::Revoked { .. } => AccountStatus::Revoked,
        }
    }

    /// Who it is in requests, certificates and events: `acme:acct-…`.
    pub fn principal(&self) -> Principal {
        Principal::acme_account(self.id)
    }

    /// The same, given up by its owner.
    ///
    /// # Errors
    /// It is valid no more.
    pub fn deactivated(self, at: OffsetDateTime) -> Result<Self, AcmeProblem> {
        self.in_use()?;
        Ok(Self { state: AccountState::Deactivated { at }, ..self })
    }

    /// The same, taken away; what was given up stays so.
    #[must_use]
    pub fn revoked(self, at: OffsetDateTime) -> Self {
        match self.state {
            AccountState::Valid => Self { state: AccountState::Revoked { at }, ..self },
            AccountState::Deactivated { .. } | AccountState::Revoked { .. } => self,
        }
    }

    /// Lets a valid account pass.
    ///
    /// # Errors
    /// `unauthorized` for another.
    pub fn in_use(&self) -> Result<(), AcmeProblem> {
        match self.status() {
            AccountStatus::Valid => Ok(()),
            status => Err(AcmeProblem::unauthorized(format!("the account is {}", status.as_str()))),
        }
    }

    /// Whether its binding lets it order an identifier.
    pub fn may_order(&self, identifier: &Identifier) -> bool {
        self.bound.as_ref().is_none_or(|bound| bound.scope.covers(identifier))
    }

    /// When it is collected, if it is not used before: its key may make another account then.
    pub(crate) fn collect_at(&self) -> OffsetDateTime {
        match self.state {
            AccountState::Valid => self.used_at + IDLE,
            AccountState::Deactivated { at } | AccountState::Revoked { at } => at + KEPT,
        }
    }

    /// The same after an order; `None` if it is known already that it is in use.
    pub(crate) fn used(&self, now: OffsetDateTime) -> Option<Self> {
        (now >= self.used_at + Duration::DAY).then(|| Self { used_at: now, ..self.clone() })
    }
}

/// A contact URL: `mailto:` and one address, the scheme that every server must know (RFC 8555 section 7.3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Contact(String);

impl Contact {
    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Reads a list of URLs.
    ///
    /// # Errors
    /// `unsupportedContact` for another scheme; `invalidContact` for header fields, several addresses in one, no address, or more
    /// than [`MAX_CONTACTS`].
    pub fn parse_all<T: AsRef<str>>(urls: &[T]) -> Result<Vec<Self>, AcmeProblem> {
        if urls.len() > MAX_CONTACTS {
            let detail = format!("{} contacts; at most {MAX_CONTACTS} are kept", urls.len());
            return Err(AcmeProblem::new(ProblemKind::InvalidContact, detail));
        }
        urls.iter().map(|url| Self::parse(url.as_ref())).collect()
    }

    fn parse(url: &str) -> Result<Self, AcmeProblem> {
        let Some((scheme, address)) = url.split_once(':') else {
            return Err(AcmeProblem::new(
                ProblemKind::InvalidContact,
                "a contact is a URL such as `mailto:a@example.com`",
            ));
        };
        if !scheme.eq_ignore_ascii_case("mailto") {
            return Err(AcmeProblem::new(ProblemKind::UnsupportedContact, "only `mailto:` contacts are known here"));
        }
        let is_one = url.len() <= 320 && !address.contains(['?', ',', '%']);
        match address.parse::<EmailAddress>() {
            Ok(address) if is_one => Ok(Self(format!("mailto:{address}"))),
            _ => {
                let detail = "a `mailto:` contact has one address and no header fields (RFC 8555 section 7.3)";
                Err(AcmeProblem::new(ProblemKind::InvalidContact, detail))
            }
        }
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn contacts_are_one_address_each() {
        let good = Contact::parse_all(&["mailto:ops@Example.com", "MAILTO:a.b@example.com"]).unwrap();
        assert_eq!(good[0].as_str(), "mailto:ops@example.com");
        for (url, kind) in [
            ("tel:+123", ProblemKind::UnsupportedContact),
            ("ops@example.com", ProblemKind::InvalidContact),
            ("mailto:", ProblemKind::InvalidContact),
            ("mailto:a@example.com,b@example.com", ProblemKind::InvalidContact),
            ("mailto:a@example.com?subject=hi", ProblemKind::InvalidContact),
            ("mailto:a%20b@example.com", ProblemKind::InvalidContact),
        ] {
            assert_eq!(Contact::parse_all(&[url]).unwrap_err().kind, kind, "{url}");
        }
        let many = vec!["mailto:a@example.com"; MAX_CONTACTS + 1];
        assert_eq!(Contact::parse_all(&many).unwrap_err().kind, ProblemKind::InvalidContact);
    }
}
