//! Certificate requests that passed judgement, and what became of them.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{
    ApplicationId, Approval, CertificateId, IssuerId, KeyCustody, Metadata, Method, Octets, PolicyId, Principal,
    ProfileId, RequestId, Violation,
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
    /// The approval by which it went on, if it needed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approval: Option<Box<Approval>>,
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
    /// People must agree first.
    AwaitingApproval(Box<Approval>),
    /// Serial and bytes are fixed and recorded; the key has been or will be asked to sign exactly these.
    Issuing(Box<Intent>),
    /// The certificate is in the inventory.
    Issued {
        /// The certificate.
        certificate: CertificateId,
        /// Whether its requester has the managed key.
        #[serde(default)]
        handover: KeyHandover,
    },
    /// The issuer's signer refused for good, or did not answer in time.
    Failed {
        /// What it said.
        reason: String,
        /// What it was asked to sign: if an earlier answer was lost, it may have done so.
        intent: Box<Intent>,
    },
    /// An approver voted against it.
    Rejected(Box<Approval>),
    /// Who asked took it back.
    Cancelled(Box<Approval>),
    /// Nobody decided in time.
    Expired(Box<Approval>),
    /// It was approved, but is no longer what people saw, or no longer permitted.
    Voided {
        /// How it was approved.
        approval: Box<Approval>,
        /// Every reason.
        violations: Vec<Violation>,
    },
}

/// Whether a managed key has reached the one who asked for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyHandover {
    /// It was in an answer, or there is none here; whoever wants it again must be permitted to read it.
    #[default]
    Done,
    /// Not yet: the next answer to the requester holds it.
    Owed,
}

impl CertificateRequest {
    /// The approval that it waits for, or that was decided on; `None` if it needed none.
    pub fn approval(&self) -> Option<&Approval> {
        match &self.state {
            RequestState::AwaitingApproval(approval)
            | RequestState::Rejected(approval)
            | RequestState::Cancelled(approval)
            | RequestState::Expired(approval)
            | RequestState::Voided { approval, .. } => Some(approval),
            RequestState::Issuing(_) | RequestState::Issued { .. } | RequestState::Failed { .. } => {
                self.approval.as_deref()
            }
        }
    }

    /// How it looks at `now`: one that nobody decided on in time has expired, recorded or not.
    pub fn status_at(&self, now: OffsetDateTime) -> RequestStatus {
        match &self.state {
            RequestState::AwaitingApproval(approval) if approval.expires_at <= now => RequestStatus::Expired,
            state => state.status(),
        }
    }
}

impl RequestState {
    pub(crate) fn status(&self) -> RequestStatus {
        match self {
            Self::AwaitingApproval(_) => RequestStatus::AwaitingApproval,
            Self::Issuing(_) => RequestStatus::Issuing,
            Self::Issued { .. } => RequestStatus::Issued,
            Self::Failed { .. } => RequestStatus::Failed,
            Self::Rejected(_) => RequestStatus::Rejected,
            Self::Cancelled(_) => RequestStatus::Cancelled,
            Self::Expired(_) => RequestStatus::Expired,
            Self::Voided { .. } => RequestStatus::Voided,
        }
    }
}

/// How a request looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RequestStatus {
    /// People must agree first.
    AwaitingApproval,
    /// The issuer's key is asked to sign.
    Issuing,
    /// The certificate is in the inventory.
    Issued,
    /// It could not be signed.
    Failed,
    /// An approver voted against it.
    Rejected,
    /// Who asked took it back.
    Cancelled,
    /// Nobody decided in time.
    Expired,
    /// It was approved, but is no longer what people saw, or no longer permitted.
    Voided,
}

impl RequestStatus {
    /// The spelling in data, for example `awaiting_approval`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AwaitingApproval => "awaiting_approval",
            Self::Issuing => "issuing",
            Self::Issued => "issued",
            Self::Failed => "failed",
            Self::Rejected => "rejected",
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Voided => "voided",
        }
    }
}

impl fmt::Display for RequestStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
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
    /// Whether the requester is owed the key, should no answer hold it.
    pub handover: KeyHandover,
    /// When signing is tried again, should nobody report back.
    #[serde(with = "time::serde::rfc3339")]
    pub retry_at: OffsetDateTime,
    /// How often it was tried.
    pub attempts: u32,
}
