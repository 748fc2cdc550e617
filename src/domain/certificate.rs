//! Certificates in the inventory.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ApplicationId, CertificateId, IssuerId, Metadata, Method, PolicyId, Principal, ProfileId, RequestId};
use crate::x509::{Certificate, CertificateError, KeyAlgorithm, RevocationReason, San, Serial, Subject, Validity};

/// A certificate as the inventory keeps it. What it says is in its DER; the fields beside it are for searching.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRecord {
    /// Its id.
    pub id: CertificateId,
    /// The Application that owns it; `None` for the certificates of issuers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// The profile that it was issued under, and its revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<(ProfileId, u32)>,
    /// The policy that judged it, and its revision.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<(PolicyId, u32)>,
    /// The issuer here that signed it, for a root itself; `None` if it is otherwise self-signed or was issued elsewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// The issuer whose own certificate it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certifies: Option<IssuerId>,
    /// The request that it came of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request: Option<RequestId>,
    /// The first certificate of the lineage that this one continues; its own id if it begins one.
    pub lineage: CertificateId,
    /// The certificate that it was issued in place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CertificateId>,
    /// The certificate that was issued in its place. It has one successor at most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<CertificateId>,
    /// The shard of the issuer's CRL that tells of its revocation; named in its CRL distribution point.
    #[serde(default, skip_serializing_if = "is_first_shard")]
    pub crl_shard: u32,
    /// The method that it was asked for by; `None` for an issuer's own, and for imported ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<Method>,
    /// Where it came from.
    pub origin: Origin,
    /// Who asked for it or imported it.
    pub requester: Principal,
    /// Where the private key is.
    pub custody: KeyCustody,
    /// Tags.
    #[serde(default, skip_serializing_if = "Metadata::is_empty")]
    pub metadata: Metadata,
    /// What has happened to it.
    pub state: CertificateState,
    /// The serial number (RFC 5280 section 4.1.2.2).
    pub serial: Serial,
    /// SHA-256 over the DER, 64 digits of lower-case hex.
    pub fingerprint: String,
    /// The subject.
    pub subject: Subject,
    /// The subject alternative names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sans: Vec<San>,
    /// The algorithm of the subject's key.
    pub key_algorithm: KeyAlgorithm,
    /// When it is valid, from notBefore to notAfter, both included (RFC 5280 section 4.1.2.5).
    pub validity: Validity,
    /// The certificate, DER.
    pub der: Octets,
    /// The rest of an imported certificate's chain, DER, as it was given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported_chain: Vec<Octets>,
    /// When the record was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

impl CertificateRecord {
    /// The certificate, read from its DER.
    ///
    /// # Errors
    /// What is stored is no certificate that the crate can use.
    pub fn certificate(&self) -> Result<Certificate, CertificateError> {
        Certificate::from_der(&self.der.0)
    }

    /// How it looks at the instant `now`. notAfter itself still belongs to the validity (RFC 5280 section 4.1.2.5).
    pub fn status_at(&self, now: OffsetDateTime) -> CertificateStatus {
        match self.state {
            CertificateState::Revoked { .. } => CertificateStatus::Revoked,
            CertificateState::Active if now > self.validity.not_after() => CertificateStatus::Expired,
            CertificateState::Active if self.replaced_by.is_some() => CertificateStatus::Renewed,
            CertificateState::Active => CertificateStatus::Active,
        }
    }
}

fn is_first_shard(shard: &u32) -> bool {
    *shard == 0
}

/// Where a certificate came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// Issued under a profile.
    Profile,
    /// Imported, issued elsewhere.
    Import,
    /// An issuer's own.
    Issuer,
    /// Of an issuer's delegated OCSP responder.
    OcspResponder,
}

/// Where the private key of a certificate is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyCustody {
    /// Here, sealed.
    Managed,
    /// With the client.
    Client,
}

/// What has happened to a certificate. That it expired or was renewed is not stored here: see
/// [`CertificateRecord::status_at`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum CertificateState {
    /// Nothing yet.
    Active,
    /// It was revoked; the reason `CERTIFICATE_HOLD` can be lifted.
    Revoked {
        /// Why.
        reason: RevocationReason,
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
}

/// How a certificate looks at a given instant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CertificateStatus {
    /// It is valid or will be.
    Active,
    /// It is valid, and another was issued in its place.
    Renewed,
    /// Its notAfter has passed.
    Expired,
    /// It was revoked.
    Revoked,
}

impl fmt::Display for CertificateStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Active => "active",
            Self::Renewed => "renewed",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        })
    }
}

/// Octets whose serde form is base64.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Octets(pub Vec<u8>);

impl TryFrom<String> for Octets {
    type Error = base64::DecodeError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Octets> for String {
    fn from(octets: Octets) -> Self {
        STANDARD.encode(octets.0)
    }
}

impl fmt::Debug for Octets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} octets", self.0.len())
    }
}
