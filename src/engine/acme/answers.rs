//! What clients bring, and what they are answered.

use time::OffsetDateTime;

use crate::domain::acme::{
    Account, AccountKey, AcmeProblem, Authorization, AuthorizationStatus, Binding, BindingMac, Challenge, Identifier,
    IdentifierSpec, Order, OrderStatus,
};
use crate::domain::{AcmeBindingId, AcmeSettings, CertificateId, Slug};
use crate::engine::outcome::Chain;
use crate::x509::PublicKey;

/// What a directory tells.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeDirectory {
    /// The settings of the attachment.
    pub settings: AcmeSettings,
    /// The profiles of the Application that an order may choose by name (draft-ietf-acme-profiles), its own first.
    pub profiles: Vec<AcmeProfile>,
}

/// A profile that an order may choose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AcmeProfile {
    /// Its name.
    pub name: Slug,
    /// What it is, for a person.
    pub description: String,
}

/// An external account binding as it was presented (RFC 8555 section 7.3.4).
#[derive(Clone, Copy, Debug)]
pub struct BindingProof<'a> {
    /// Its `kid`.
    pub kid: AcmeBindingId,
    /// Its `alg`.
    pub mac: BindingMac,
    /// What is signed: protected header and payload as they came, a dot between (RFC 7515 section 5.1).
    pub signing_input: &'a [u8],
    /// The signature.
    pub tag: &'a [u8],
}

/// What an account is asked with.
#[derive(Clone, Debug)]
pub struct NewAccount {
    /// Its key.
    pub key: AccountKey,
    /// Contact URLs.
    pub contacts: Vec<String>,
    /// Whether its owner agrees to the terms.
    pub terms: Terms,
    /// The binding, verified by [`AcmeServer::verify_binding`](super::AcmeServer::verify_binding).
    pub binding: Option<Binding>,
}

/// Whether somebody agrees to the terms of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Terms {
    /// So they said.
    Agreed,
    /// They did not say so.
    Unsaid,
}

/// What was made, or was there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created<T> {
    /// It was made (201).
    New(T),
    /// It was there (200).
    Existing(T),
}

impl<T> Created<T> {
    /// Either.
    pub fn into_inner(self) -> T {
        match self {
            Self::New(made) => made,
            Self::Existing(found) => found,
        }
    }
}

/// An order to be placed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewOrder {
    /// What the certificate shall name.
    pub identifiers: Vec<IdentifierSpec>,
    /// From when it shall be valid.
    pub not_before: Option<OffsetDateTime>,
    /// Until when it shall be valid.
    pub not_after: Option<OffsetDateTime>,
    /// The certificate that it replaces (RFC 9773 section 5): the certificate id as it came.
    pub replaces: Option<String>,
    /// The name of the profile that it shall be issued under (draft-ietf-acme-profiles).
    pub profile: Option<String>,
    /// The URL of the account that orders, as its client knows it. Without it a name whose CAA records are bound to an account by
    /// `accounturi` (RFC 8657) is nobody's.
    pub account_url: Option<String>,
}

/// An order as it looks now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrderView {
    /// What is stored of it.
    pub order: Order,
    /// How it looks.
    pub status: OrderStatus,
    /// Why it is invalid.
    pub error: Option<AcmeProblem>,
    /// The certificate, of a valid one.
    pub certificate: Option<CertificateId>,
    /// How long to wait before looking again, while it is processing.
    pub retry_after: Option<std::time::Duration>,
}

/// An authorization as it looks now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuthorizationView {
    /// What is stored of it.
    pub authorization: Authorization,
    /// How it looks.
    pub status: AuthorizationStatus,
    /// Its challenges.
    pub challenges: Vec<Challenge>,
    /// How long to wait before looking again, while a challenge is processing.
    pub retry_after: Option<std::time::Duration>,
}

impl AuthorizationView {
    pub(super) fn of(authorization: Authorization, now: OffsetDateTime) -> Self {
        let (status, challenges) = (authorization.status_at(now), authorization.challenges());
        let is_processing = authorization.is_processing();
        let retry_after = is_processing.then_some(std::time::Duration::from_secs(3));
        Self { authorization, status, challenges, retry_after }
    }

    /// What it is about, as RFC 8555 section 7.1.4 shows it: without a leading `*.`.
    pub fn identifier(&self) -> (&'static str, String) {
        let identifier: &Identifier = &self.authorization.identifier;
        (identifier.kind(), identifier.base())
    }
}

/// A certificate and the chains that lead from it to roots.
#[derive(Clone, Debug)]
pub struct AcmeCertificate {
    /// The issuer's own chain first, then those of issuers here that have the same name and key.
    pub chains: Vec<Chain>,
}

/// Who wants a certificate revoked.
#[derive(Clone, Copy, Debug)]
pub enum RevokeBy<'a> {
    /// An account: the one that ordered it, or one that holds valid proofs of control of all its names.
    Account(&'a Account),
    /// Whoever signed with this key, which must be the certificate's.
    Key(&'a PublicKey),
}
