//! How the domain's values become documents: kinds, ids, index entries and readable columns.

mod access;
mod acme;
mod alerts;
mod audit;
mod deploy;
mod kinds;
mod names;
mod renewal;
mod revocation;
mod views;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use crate::domain::policy::PolicySpec;
use crate::domain::{
    Application, CertificateId, CertificateRecord, CertificateRequest, Event, IssuerRecord, IssuerState, PolicyId,
    Profile, RequestState, RequestStatus,
};
use crate::domain::{Octets, RequestId};
use crate::store::{IndexEntry, Key};

pub(in crate::engine) use access::{KeptToken, TOKEN_PRINCIPAL};
pub(in crate::engine) use acme::{
    ACME_ACCOUNT, ACME_BINDING, ACME_ORDER, ACME_PROOF, KeptBinding, NonceKey, attached, key_claim, proof_of,
    replacement_claim,
};
pub use alerts::{Notification, NotificationChannel};
pub(in crate::engine) use alerts::{Place, Watch, Window, scope};
pub(in crate::engine) use audit::{AUDIT_TURN, ChainHead, Pruning};
pub(in crate::engine) use deploy::{
    DEPLOYMENT_CERTIFICATE, DEPLOYMENT_STATE, RemoteClaim, SYNC_APPLICATION, SyncTask, SyncWalk, TargetLease,
    WalkStage, deployment_id,
};
pub(in crate::engine) use kinds::derive;
use names::searchable_names;
pub(in crate::engine) use names::{searchable, tag_entry};
pub(in crate::engine) use renewal::{
    MeterPlace, READY_BOUND, RENEWAL_BLOCKED, RENEWAL_DUE, RENEWAL_READY, RenewalMeter, RenewalWalk, WalkOver, plan_key,
};
pub(in crate::engine) use revocation::{
    CrlPart, CrlRecord, CrlWork, OcspAnswer, PublishedCrl, ResponderCertificate, ResponderIntent, ResponderRecord,
    RevokedCertificate,
};
pub(in crate::engine) use views::SCHEMA;

/// A value that is kept as a document.
pub(in crate::engine) trait Entity: Serialize + DeserializeOwned + Send + Sync {
    /// The kind of document.
    const KIND: &'static str;

    /// Its id within the kind.
    fn document_id(&self) -> String;

    /// What it is found by.
    fn entries(&self) -> Vec<IndexEntry> {
        Vec::new()
    }

    /// Its key.
    fn key(&self) -> Key {
        Key::new(Self::KIND, self.document_id())
    }
}

/// The indexes, by name.
pub(in crate::engine) mod index {
    /// Applications by member: `user:alice`.
    pub(in crate::engine) const APPLICATION_MEMBER: &str = "application.member";
    /// Profiles by policy: the policy's id.
    pub(in crate::engine) const PROFILE_POLICY: &str = "profile.policy";
    /// Certificates by Application and end: `app-…|2026-…`.
    pub(in crate::engine) const CERTIFICATE_APPLICATION: &str = "certificate.application";
    /// Certificates by profile and end: `prof-…|2026-…`.
    pub(in crate::engine) const CERTIFICATE_PROFILE: &str = "certificate.profile";
    /// Certificates by issuer and end: `iss-…|2026-…`.
    pub(in crate::engine) const CERTIFICATE_ISSUER: &str = "certificate.issuer";
    /// Those revoked or renewed, by what they belong to and end: `app-…|revoked|2026-…`, and so for profiles, issuers and all.
    pub(in crate::engine) const CERTIFICATE_STATUS: &str = "certificate.status";
    /// Certificates by end: `2026-…`.
    pub(in crate::engine) const CERTIFICATE_EXPIRY: &str = "certificate.expiry";
    /// Certificates by fingerprint: the first 16 hex digits of SHA-256; all 64 in what older versions wrote.
    pub(in crate::engine) const CERTIFICATE_FINGERPRINT: &str = "certificate.fingerprint";
    /// Certificates by name, domains from the top: `com.example.api.`.
    pub(in crate::engine) const CERTIFICATE_NAME: &str = "certificate.name";
    /// The same within an Application: `app-…|com.example.api.`.
    pub(in crate::engine) const CERTIFICATE_APPLICATION_NAME: &str = "certificate.application-name";
    /// Certificates by tag: `key=value|2026-…`.
    pub(in crate::engine) const CERTIFICATE_TAG: &str = "certificate.tag";
    /// The same within an Application: `app-…|key=value|2026-…`.
    pub(in crate::engine) const CERTIFICATE_APPLICATION_TAG: &str = "certificate.application-tag";
    /// What would miss a certificate that has ended, whatever its kind, by the certificate: deployments that want it or have it
    /// placed, and open requests that are to replace it.
    pub(in crate::engine) const CERTIFICATE_NEEDED: &str = "certificate.needed";
    /// Requests that came to nothing, by when: `2026-…`.
    pub(in crate::engine) const REQUEST_SETTLED: &str = "request.settled";
    /// Requests by Application, and so by time: `app-…`.
    pub(in crate::engine) const REQUEST_APPLICATION: &str = "request.application";
    /// Requests that are not issued, by Application and status: `app-…|rejected`.
    pub(in crate::engine) const REQUEST_STATUS: &str = "request.status";
    /// Requests that people decide or decided on, by Application and status: `app-…|expired`.
    pub(in crate::engine) const REQUEST_APPROVAL: &str = "request.approval";
    /// Whatever is due, by when: `2026-…`.
    pub(in crate::engine) const DUE: &str = "due";
    /// Issuers by the SHA-1 and by the SHA-256 of their key, hex, as OCSP names them.
    pub(in crate::engine) const ISSUER_KEY: &str = "issuer.key";
    /// Certificates under an incident, by incident and the time of their revocation: `inc-…|2026-…`.
    pub(in crate::engine) const INCIDENT_CERTIFICATE: &str = "incident.certificate";
    /// Mass revocations that are over, by their last revocation at the latest: `2026-…`.
    pub(in crate::engine) const INCIDENT_OVER: &str = "incident.over";
    /// Events by Application and time: `app-…`.
    pub(in crate::engine) const EVENT_APPLICATION: &str = "event.application";
    /// Events that no block of the audit chain seals yet: `evt-…`.
    pub(in crate::engine) const EVENT_UNSEALED: &str = "event.unsealed";
    /// Alerts by Application, or `product`: `app-…|name`.
    pub(in crate::engine) const ALERT_APPLICATION: &str = "alert.application";
    /// Notifications by alert and time: `alert-…|ntf-…`.
    pub(in crate::engine) const NOTIFICATION_ALERT: &str = "notification.alert";
    /// Notifications by the event that they tell of: `evt-…`.
    pub(in crate::engine) const NOTIFICATION_EVENT: &str = "notification.event";
}

/// As much of a fingerprint in hex as its index holds: that few others begin so is enough, and each costs the index's space.
pub(in crate::engine) fn start_of(fingerprint: &str) -> &str {
    fingerprint.get(..16).unwrap_or(fingerprint)
}

/// A time as indexes sort it: `2026-11-22T05:54:00Z`.
pub(in crate::engine) fn sortable(instant: OffsetDateTime) -> String {
    let utc = instant.to_offset(time::UtcOffset::UTC);
    utc.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).unwrap_or_default()
}

/// The time that an index value of [`sortable`] begins with.
pub(in crate::engine) fn instant_of(value: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value.get(..20)?, &time::format_description::well_known::Rfc3339).ok()
}

/// A policy as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyRecord {
    /// Its id.
    pub id: PolicyId,
    /// Grows with each change; certificates record the revision that judged them.
    pub revision: u32,
    /// The rules.
    pub spec: PolicySpec,
    /// When this revision was made.
    #[serde(with = "time::serde::rfc3339")]
    pub updated_at: OffsetDateTime,
}

/// A past or present revision of a policy or profile, kept so that old judgements can be read.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound(deserialize = "T: DeserializeOwned"))]
pub(in crate::engine) struct Revision<T> {
    pub(in crate::engine) id: String,
    pub(in crate::engine) revision: u32,
    pub(in crate::engine) value: T,
}

/// A serial number below an issuer, and the certificate that has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct SerialClaim {
    /// The serial number and the issuer, which is a word of its own for certificates that are their own issuer.
    pub(in crate::engine) name: String,
    pub(in crate::engine) certificate: CertificateId,
}

/// A unique name, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct Claim {
    pub(in crate::engine) name: String,
    pub(in crate::engine) owner: String,
}

impl Claim {
    /// The name an Application, a profile, a policy or an issuer has.
    pub(in crate::engine) fn name(kind: &str, name: &str, owner: String) -> Self {
        Self { name: format!("{kind}/{name}"), owner }
    }
}

/// A sealed private key of a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct SealedKey {
    pub(in crate::engine) certificate: String,
    pub(in crate::engine) envelope: Octets,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(in crate::engine) struct Replay {
    pub(in crate::engine) key: String,
    /// SHA-256 of the content asked for, hex.
    pub(in crate::engine) digest: String,
    pub(in crate::engine) request: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) expires_at: OffsetDateTime,
}

impl Entity for Application {
    const KIND: &'static str = "application";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let member =
            |member: &crate::domain::Member| IndexEntry::new(index::APPLICATION_MEMBER, member.principal.to_string());
        self.members.iter().map(member).collect()
    }
}

impl Entity for Profile {
    const KIND: &'static str = "profile";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::PROFILE_POLICY, self.policy.to_string())]
    }
}

impl Entity for PolicyRecord {
    const KIND: &'static str = "policy";

    fn document_id(&self) -> String {
        self.id.to_string()
    }
}

impl Entity for Revision<PolicyRecord> {
    const KIND: &'static str = "policy_revision";

    fn document_id(&self) -> String {
        format!("{}/{}", self.id, self.revision)
    }
}

impl Entity for Revision<Profile> {
    const KIND: &'static str = "profile_revision";

    fn document_id(&self) -> String {
        format!("{}/{}", self.id, self.revision)
    }
}

impl Entity for IssuerRecord {
    const KIND: &'static str = "issuer";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        match &self.state {
            IssuerState::Signing { retry_at, .. } => vec![IndexEntry::new(index::DUE, sortable(*retry_at))],
            IssuerState::AwaitingCertificate { .. } => Vec::new(),
            IssuerState::Active { chain } => revocation::issuer_keys(chain),
        }
    }
}

impl Entity for Claim {
    const KIND: &'static str = "name";

    fn document_id(&self) -> String {
        self.name.clone()
    }
}

impl Entity for SerialClaim {
    const KIND: &'static str = "serial";

    fn document_id(&self) -> String {
        self.name.clone()
    }
}

impl Entity for SealedKey {
    const KIND: &'static str = "private_key";

    fn document_id(&self) -> String {
        self.certificate.clone()
    }
}

impl Entity for Replay {
    const KIND: &'static str = "idempotency";

    fn document_id(&self) -> String {
        self.key.clone()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.expires_at))]
    }
}

impl Entity for CertificateRequest {
    const KIND: &'static str = "request";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let application = self.application;
        let mut entries = vec![IndexEntry::new(index::REQUEST_APPLICATION, application.to_string())];
        let due = match &self.state {
            RequestState::AwaitingApproval(approval) => Some(approval.expires_at),
            RequestState::Issuing(intent) => Some(intent.retry_at),
            _ => None,
        };
        entries.extend(due.map(|due| IndexEntry::new(index::DUE, sortable(due))));
        if due.is_none() && !matches!(self.state, RequestState::Issued { .. }) {
            entries.push(IndexEntry::new(index::REQUEST_SETTLED, sortable(self.updated_at)));
        }
        if let (Some(replaced), true) = (self.replaces, due.is_some()) {
            entries.push(IndexEntry::new(index::CERTIFICATE_NEEDED, replaced.to_string()));
        }
        let status = self.state.status();
        if self.approval().is_some() {
            entries.push(IndexEntry::new(index::REQUEST_APPROVAL, format!("{application}|{status}")));
        }
        // Nearly all requests are issued: looking for those reads over few others.
        if status != RequestStatus::Issued {
            entries.push(IndexEntry::new(index::REQUEST_STATUS, format!("{application}|{status}")));
        }
        entries
    }
}

impl Entity for Event {
    const KIND: &'static str = "event";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let by_application = |application: crate::domain::ApplicationId| {
            IndexEntry::new(index::EVENT_APPLICATION, application.to_string())
        };
        let unsealed = || IndexEntry::new(index::EVENT_UNSEALED, self.id.to_string());
        let entries = self.application.map(by_application).into_iter();
        entries.chain(self.sealed.is_none().then(unsealed)).collect()
    }
}

impl Entity for CertificateRecord {
    const KIND: &'static str = "certificate";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let end = sortable(self.validity.not_after());
        let mut entries = vec![IndexEntry::new(index::CERTIFICATE_FINGERPRINT, start_of(&self.fingerprint))];
        if let Some((profile, _)) = self.profile {
            entries.push(IndexEntry::new(index::CERTIFICATE_PROFILE, format!("{profile}|{end}")));
        }
        for name in searchable_names(self) {
            if let Some(application) = self.application {
                let value = format!("{application}|{name}");
                entries.push(IndexEntry::new(index::CERTIFICATE_APPLICATION_NAME, value));
            }
            entries.push(IndexEntry::new(index::CERTIFICATE_NAME, name));
        }
        for (key, value) in self.metadata.iter() {
            let tag = format!("{}|{end}", tag_entry(key, value));
            if let Some(application) = self.application {
                let value = format!("{application}|{tag}");
                entries.push(IndexEntry::new(index::CERTIFICATE_APPLICATION_TAG, value));
            }
            entries.push(IndexEntry::new(index::CERTIFICATE_TAG, tag));
        }
        if let Some(application) = self.application {
            entries.push(IndexEntry::new(index::CERTIFICATE_APPLICATION, format!("{application}|{end}")));
        }
        if let Some(issuer) = self.issuer {
            entries.push(IndexEntry::new(index::CERTIFICATE_ISSUER, format!("{issuer}|{end}")));
        }
        entries.extend(revocation::status_entries(self, &end));
        entries.push(IndexEntry::new(index::CERTIFICATE_EXPIRY, end));
        entries
    }
}
