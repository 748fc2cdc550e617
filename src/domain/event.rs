//! The audit trail: what was done, by whom, and on which judgement.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ApplicationId, CertificateId, EventId, IssuerId, PolicyId, Principal, ProfileId, RequestId, Violation};

/// Something that happened, written in the same commit as its effect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Its id. Ids sort by the millisecond; within one their order means nothing.
    pub id: EventId,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Who did it.
    pub actor: Principal,
    /// The Application that it concerns.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// What.
    #[serde(flatten)]
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EventKind {
    /// A policy was made or changed.
    PolicySaved {
        /// The policy.
        policy: PolicyId,
        /// Its new revision.
        revision: u32,
    },
    /// A profile was made or changed.
    ProfileSaved {
        /// The profile.
        profile: ProfileId,
        /// Its new revision.
        revision: u32,
    },
    /// An Application was made.
    ApplicationCreated,
    /// An Application's description, methods, attachments or members were changed.
    ApplicationChanged {
        /// What was changed.
        what: String,
    },
    /// A policy, a profile or an Application was deleted.
    ConfigurationDeleted {
        /// Which.
        what: String,
    },
    /// An issuer was made, or got its certificate.
    IssuerSaved {
        /// The issuer.
        issuer: IssuerId,
        /// What was done.
        what: String,
    },
    /// A serial number and to-be-signed bytes were fixed for a request.
    IssuanceStarted {
        /// The request.
        request: RequestId,
        /// The policy that permitted it, and its revision.
        policy: (PolicyId, u32),
    },
    /// A certificate was issued.
    CertificateIssued {
        /// The certificate.
        certificate: CertificateId,
        /// The request.
        request: RequestId,
        /// The policy that permitted it, and its revision.
        policy: (PolicyId, u32),
    },
    /// A request was refused.
    IssuanceRefused {
        /// The profile.
        profile: ProfileId,
        /// Every reason.
        violations: Vec<Violation>,
    },
    /// A request that was permitted could not be signed.
    IssuanceFailed {
        /// The request.
        request: RequestId,
        /// What the signer said.
        reason: String,
    },
    /// A certificate was imported.
    CertificateImported {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A certificate's tags were changed.
    CertificateTagged {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A certificate was deleted from the inventory.
    CertificateDeleted {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A managed private key was read again.
    PrivateKeyRead {
        /// The certificate.
        certificate: CertificateId,
    },
}
