//! The audit trail: what was done, by whom, and on which judgement.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::acme::ChallengeKind;
use super::{
    AcmeAccountId, AcmeAuthorizationId, AcmeBindingId, AcmeOrderId, AlertId, ApplicationId, CertificateId, EventId,
    IncidentId, IssuerId, PolicyId, Principal, ProfileId, RequestId, SyncId, TokenId, Violation,
};
use crate::x509::RevocationReason;

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
    /// The block of the audit chain that seals it; `None` until due work has done so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealed: Option<u64>,
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
        /// The policy that judged it, and its revision; older events do not tell.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<(PolicyId, u32)>,
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
    /// A request waits for people to agree.
    ApprovalRequested {
        /// The request.
        request: RequestId,
        /// The name of the approval policy that asks for it.
        approval_policy: String,
    },
    /// Somebody voted on a request.
    ApprovalVoted {
        /// The request.
        request: RequestId,
        /// The step, from 0.
        step: usize,
        /// How.
        decision: Decision,
    },
    /// Everybody who must agree to a request has.
    RequestApproved {
        /// The request.
        request: RequestId,
    },
    /// A request was voted down.
    RequestRejected {
        /// The request.
        request: RequestId,
    },
    /// A request was taken back.
    RequestCancelled {
        /// The request.
        request: RequestId,
    },
    /// Nobody decided on a request in time.
    RequestExpired {
        /// The request.
        request: RequestId,
    },
    /// A request was approved, but is no longer what people saw, or no longer permitted.
    RequestVoided {
        /// The request.
        request: RequestId,
        /// The policy that judged it now, and its revision; `None` if it came to no judgement.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        policy: Option<(PolicyId, u32)>,
        /// Every reason.
        violations: Vec<Violation>,
    },
    /// An approval policy can no longer be satisfied: too few are left who may approve.
    ApprovalUnreachable {
        /// The approval policy's name.
        approval_policy: String,
        /// The step, from 0.
        step: usize,
    },
    /// A certificate was issued in place of another.
    CertificateRenewed {
        /// The new certificate.
        certificate: CertificateId,
        /// The one that it replaces.
        replaces: CertificateId,
        /// The request.
        request: RequestId,
        /// The policy that permitted it, and its revision.
        policy: (PolicyId, u32),
    },
    /// Whether and when a certificate renews by itself was set.
    RenewalSet {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A renewal failed and is tried again.
    RenewalFailed {
        /// The certificate.
        certificate: CertificateId,
        /// What went wrong.
        reason: String,
        /// How often it was tried.
        attempts: u32,
    },
    /// A renewal can not go on until something is changed.
    RenewalBlocked {
        /// The certificate.
        certificate: CertificateId,
        /// Why.
        reason: String,
    },
    /// A certificate was revoked.
    CertificateRevoked {
        /// The certificate.
        certificate: CertificateId,
        /// Why.
        reason: RevocationReason,
        /// The incident that it was part of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        incident: Option<IncidentId>,
    },
    /// A certificate's hold was lifted.
    CertificateReleased {
        /// The certificate.
        certificate: CertificateId,
    },
    /// A certificate revocation list was published.
    CrlPublished {
        /// The issuer.
        issuer: IssuerId,
        /// The shard, from 0.
        shard: u32,
        /// The CRL number (RFC 5280 section 5.2.3).
        number: u64,
        /// How many entries it has.
        entries: usize,
    },
    /// A mass revocation was begun.
    IncidentOpened {
        /// The incident.
        incident: IncidentId,
        /// Why.
        reason: RevocationReason,
    },
    /// Every certificate of a mass revocation is revoked, or it was called off.
    IncidentClosed {
        /// The incident.
        incident: IncidentId,
        /// How many certificates it revoked.
        revoked: u64,
    },
    /// An alert was made or changed.
    AlertSaved {
        /// The alert.
        alert: AlertId,
    },
    /// An alert was deleted.
    AlertDeleted {
        /// The alert.
        alert: AlertId,
    },
    /// A notification could not be delivered and was given up.
    NotificationFailed {
        /// The alert.
        alert: AlertId,
        /// What the last attempt said.
        reason: String,
    },
    /// A sync was made or changed.
    SyncSaved {
        /// The sync.
        sync: SyncId,
    },
    /// All of a sync was made due at once.
    SyncRequested {
        /// The sync.
        sync: SyncId,
    },
    /// A sync was deleted.
    SyncDeleted {
        /// The sync.
        sync: SyncId,
    },
    /// A certificate was delivered to a target.
    CertificateDeployed {
        /// The certificate.
        certificate: CertificateId,
        /// The sync.
        sync: SyncId,
        /// What the target calls it.
        remote: String,
    },
    /// A certificate could not be delivered.
    DeploymentFailed {
        /// The certificate.
        certificate: CertificateId,
        /// The sync.
        sync: SyncId,
        /// What went wrong.
        reason: String,
    },
    /// A certificate was removed from a target.
    CertificateWithdrawn {
        /// The certificate.
        certificate: CertificateId,
        /// The sync.
        sync: SyncId,
    },
    /// The events of the audit chain's blocks up to one were removed, as the retention settings say; their digests stay.
    AuditPruned {
        /// The number of the last block without events.
        through: u64,
        /// How many events were removed.
        count: u64,
    },
    /// A token of access was made.
    TokenMade {
        /// The token.
        token: TokenId,
        /// In whose name it acts.
        principal: Principal,
    },
    /// A token of access was revoked.
    TokenRevoked {
        /// The token.
        token: TokenId,
    },
    /// A key for external account bindings of ACME was made.
    AcmeBindingMade {
        /// The key.
        binding: AcmeBindingId,
        /// At the directory of this profile.
        profile: ProfileId,
    },
    /// The secret of such a key was read again.
    AcmeBindingRead {
        /// The key.
        binding: AcmeBindingId,
    },
    /// Such a key was revoked.
    AcmeBindingRevoked {
        /// The key.
        binding: AcmeBindingId,
    },
    /// An account of ACME was made.
    AcmeAccountMade {
        /// The account.
        account: AcmeAccountId,
        /// The binding that it was made with.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        binding: Option<AcmeBindingId>,
    },
    /// An account of ACME was changed.
    AcmeAccountChanged {
        /// The account.
        account: AcmeAccountId,
        /// What was changed.
        what: String,
    },
    /// An order of ACME was placed.
    AcmeOrderPlaced {
        /// The order.
        order: AcmeOrderId,
        /// The profile that it is to be issued under.
        profile: ProfileId,
        /// What it names, as `dns:example.com`; of many the first ten.
        identifiers: Vec<String>,
    },
    /// Control of an identifier was proved.
    AcmeIdentifierProved {
        /// The authorization.
        authorization: AcmeAuthorizationId,
        /// The identifier, as `dns:example.com`.
        identifier: String,
        /// The challenge.
        challenge: ChallengeKind,
    },
    /// Control of an identifier could not be proved.
    AcmeIdentifierNotProved {
        /// The authorization.
        authorization: AcmeAuthorizationId,
        /// The profile that it is for.
        profile: ProfileId,
        /// The identifier, as `dns:example.com`.
        identifier: String,
        /// The challenge.
        challenge: ChallengeKind,
        /// Why not.
        reason: String,
    },
    /// Old records were removed, as the retention settings say.
    RecordsPruned {
        /// Which kind.
        what: String,
        /// How many.
        count: u64,
    },
}

/// A vote on a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// For it.
    Approve,
    /// Against it: one such vote ends the request.
    Reject,
}
