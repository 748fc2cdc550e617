//! Certificate requests that passed judgement, and what became of them.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    ApplicationId, CertificateId, IssuerId, KeyCustody, Metadata, Method, Octets, PolicyId, Principal, ProfileId,
    RequestId,
};
use crate::x509::{Serial, UnknownExtension};

/// A request as it is kept. What fails judgement never becomes one: it leaves only an event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateRequest {
    /// Its id.
    pub id: RequestId,
    /// The Application that asked.
    pub application: ApplicationId,
    /// The profile and its revision.
    pub profile: (ProfileId, u32),
    /// The policy that judged, and its revision.
    pub policy: (PolicyId, u32),
    /// How it was asked.
    pub method: Method,
    /// Who asked.
    pub requester: Principal,
    /// Tags, copied to the certificate.
    pub metadata: Metadata,
    /// The certificate that is to be replaced, if this is a renewal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CertificateId>,
    /// Extensions that the certificate request asked for, that are unknown and were not copied.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub ignored_extensions: Vec<UnknownExtension>,
    /// Where it stands.
    pub state: RequestState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When its state last changed.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// Where a request stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum RequestState {
    /// Serial and bytes are fixed and recorded; the key has been or will be asked to sign exactly these.
    Issuing(Box<Intent>),
    /// The certificate is in the inventory.
    Issued {
        /// The certificate.
        certificate: CertificateId,
    },
    /// The issuer's signer refused for good, or did not answer in time.
    Failed {
        /// What it said.
        reason: String,
        /// What it was asked to sign: if an earlier answer was lost, it may have done so.
        intent: Box<Intent>,
    },
}

/// What was fixed before a key was touched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// The certificate's id in the inventory to be.
    pub certificate: CertificateId,
    /// The issuer whose key signs.
    pub issuer: IssuerId,
    /// The serial number that is reserved.
    pub serial: Serial,
    /// The shard of the issuer's CRL that the certificate belongs to.
    #[serde(default)]
    pub crl_shard: u32,
    /// The to-be-signed bytes, base64.
    pub tbs: Octets,
    /// The subject's public key, DER `SubjectPublicKeyInfo`.
    pub public_key: Octets,
    /// Whether the subject's key is kept here.
    pub custody: KeyCustody,
    /// When signing is tried again, should nobody report back.
    #[serde(with = "time::serde::rfc3339")]
    pub retry_at: OffsetDateTime,
    /// How often it was tried.
    pub attempts: u32,
}
