//! How the domain's values become documents: kinds, ids, index entries and readable columns.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use time::macros::format_description;

use super::submit::hex;
use crate::crypto;
use crate::domain::policy::PolicySpec;
use crate::domain::{
    Application, CertificateId, CertificateRecord, CertificateRequest, Event, IssuerRecord, IssuerState, PolicyId,
    Profile, RequestState,
};
use crate::domain::{Octets, RequestId};
use crate::store::{Column, IndexEntry, Key, KindSchema, MAX_KEY_BYTES, Schema};
use crate::x509::San;

/// A value that is kept as a document.
pub(super) trait Entity: Serialize + DeserializeOwned + Send + Sync {
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
pub(super) mod index {
    /// Applications by member: `user:alice`.
    pub(crate) const APPLICATION_MEMBER: &str = "application.member";
    /// Profiles by policy: the policy's id.
    pub(crate) const PROFILE_POLICY: &str = "profile.policy";
    /// Certificates by Application and end: `app-…|2026-…`.
    pub(crate) const CERTIFICATE_APPLICATION: &str = "certificate.application";
    /// Certificates by profile and end: `prof-…|2026-…`.
    pub(crate) const CERTIFICATE_PROFILE: &str = "certificate.profile";
    /// Certificates by end: `2026-…`.
    pub(crate) const CERTIFICATE_EXPIRY: &str = "certificate.expiry";
    /// Certificates by fingerprint: SHA-256 in hex.
    pub(crate) const CERTIFICATE_FINGERPRINT: &str = "certificate.fingerprint";
    /// Certificates by name, domains from the top: `com.example.api.`.
    pub(crate) const CERTIFICATE_NAME: &str = "certificate.name";
    /// The same within an Application: `app-…|com.example.api.`.
    pub(crate) const CERTIFICATE_APPLICATION_NAME: &str = "certificate.application-name";
    /// Certificates by tag: `key=value|2026-…`.
    pub(crate) const CERTIFICATE_TAG: &str = "certificate.tag";
    /// The same within an Application: `app-…|key=value|2026-…`.
    pub(crate) const CERTIFICATE_APPLICATION_TAG: &str = "certificate.application-tag";
    /// Whatever is due, by when: `2026-…`.
    pub(crate) const DUE: &str = "due";
    /// Events by Application and time: `app-…|evt-…`.
    pub(crate) const EVENT_APPLICATION: &str = "event.application";
}

/// A time as indexes sort it: `2026-11-22T05:54:00Z`.
pub(super) fn sortable(instant: OffsetDateTime) -> String {
    let utc = instant.to_offset(time::UtcOffset::UTC);
    utc.format(format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z")).unwrap_or_default()
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
pub(super) struct Revision<T> {
    pub(super) id: String,
    pub(super) revision: u32,
    pub(super) value: T,
}

/// A serial number below an issuer, and the certificate that has it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SerialClaim {
    /// The serial number and the issuer, which is a word of its own for certificates that are their own issuer.
    pub(super) name: String,
    pub(super) certificate: CertificateId,
}

/// A unique name, and whose it is.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Claim {
    pub(super) name: String,
    pub(super) owner: String,
}

impl Claim {
    /// The name an Application, a profile, a policy or an issuer has.
    pub(super) fn name(kind: &str, name: &str, owner: String) -> Self {
        Self { name: format!("{kind}/{name}"), owner }
    }
}

/// A sealed private key of a certificate.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct SealedKey {
    pub(super) certificate: String,
    pub(super) envelope: Octets,
}

/// What an idempotency key stands for.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Replay {
    pub(super) key: String,
    /// SHA-256 of the content asked for, hex.
    pub(super) digest: String,
    pub(super) request: RequestId,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) expires_at: OffsetDateTime,
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
            IssuerState::AwaitingCertificate { .. } | IssuerState::Active { .. } => Vec::new(),
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
        match &self.state {
            RequestState::Issuing(intent) => vec![IndexEntry::new(index::DUE, sortable(intent.retry_at))],
            RequestState::Issued { .. } | RequestState::Failed { .. } => Vec::new(),
        }
    }
}

impl Entity for Event {
    const KIND: &'static str = "event";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let entry = |application| IndexEntry::new(index::EVENT_APPLICATION, format!("{application}|{}", self.id));
        self.application.map(entry).into_iter().collect()
    }
}

impl Entity for CertificateRecord {
    const KIND: &'static str = "certificate";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let end = sortable(self.validity.not_after());
        let mut entries = vec![IndexEntry::new(index::CERTIFICATE_FINGERPRINT, self.fingerprint.as_str())];
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
        entries.push(IndexEntry::new(index::CERTIFICATE_EXPIRY, end));
        entries
    }
}

/// The names that a certificate is found by: subject alternative names, and the common name if it is none of them.
fn searchable_names(record: &CertificateRecord) -> Vec<String> {
    let mut names: Vec<String> = record.sans.iter().map(searchable_san).collect();
    if let Some(common_name) = record.subject.common_name() {
        let name = searchable(common_name);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

fn searchable_san(san: &San) -> String {
    match san {
        San::Dns(name) => from_the_top(name.as_str()),
        other => bounded(other.value().to_lowercase()),
    }
}

/// A name as people type it, in the form in which it is indexed.
pub(super) fn searchable(name: &str) -> String {
    if let Ok(address) = name.parse::<std::net::IpAddr>() {
        return address.to_string();
    }
    match San::dns(name) {
        Ok(San::Dns(dns)) => from_the_top(dns.as_str()),
        _ => bounded(name.to_lowercase()),
    }
}

/// A tag in the form in which it is indexed.
pub(super) fn tag_entry(key: &str, value: &str) -> String {
    bounded(format!("{key}={value}"))
}

/// Index values have a bound in every store: the tail of a longer one becomes its digest.
fn bounded(text: String) -> String {
    const LONGEST: usize = MAX_KEY_BYTES - 100;
    if text.len() <= LONGEST {
        return text;
    }
    let ends = text.char_indices().map(|(at, _)| at);
    let head = ends.take_while(|at| *at <= LONGEST - 65).last().unwrap_or_default();
    format!("{}#{}", &text[..head], hex(&crypto::sha256(text.as_bytes())))
}

/// `api.example.com` as `com.example.api.`: what is under a domain lies together, right behind the domain itself.
fn from_the_top(name: &str) -> String {
    let mut turned = String::with_capacity(name.len() + 1);
    for label in name.rsplit('.') {
        turned.push_str(label);
        turned.push('.');
    }
    turned
}

const fn column(name: &'static str, path: &'static str) -> Column {
    Column { name, path }
}

/// What is stored, and how it looks to a person.
pub(super) const SCHEMA: Schema = Schema {
    version: 1,
    kinds: &[
        KindSchema {
            kind: Application::KIND,
            view: "applications",
            columns: &[
                column("name", "name"),
                column("description", "description"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema {
            kind: Profile::KIND,
            view: "profiles",
            columns: &[column("name", "name"), column("revision", "revision"), column("policy", "policy")],
        },
        KindSchema {
            kind: PolicyRecord::KIND,
            view: "policies",
            columns: &[column("name", "spec.name"), column("revision", "revision"), column("rules", "spec")],
        },
        KindSchema {
            kind: "policy_revision",
            view: "policy_revisions",
            columns: &[column("policy", "id"), column("revision", "revision")],
        },
        KindSchema {
            kind: "profile_revision",
            view: "profile_revisions",
            columns: &[column("profile", "id"), column("revision", "revision")],
        },
        KindSchema {
            kind: IssuerRecord::KIND,
            view: "issuers",
            columns: &[column("name", "name"), column("state", "state.state"), column("created_at", "created_at")],
        },
        KindSchema {
            kind: CertificateRecord::KIND,
            view: "certificates",
            columns: &[
                column("serial", "serial"),
                column("subject", "subject"),
                column("names", "sans"),
                column("not_before", "validity.not_before"),
                column("not_after", "validity.not_after"),
                column("state", "state"),
                column("application", "application"),
                column("issuer", "issuer"),
                column("requester", "requester"),
                column("fingerprint", "fingerprint"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema {
            kind: CertificateRequest::KIND,
            view: "requests",
            columns: &[
                column("state", "state.state"),
                column("application", "application"),
                column("requester", "requester"),
                column("method", "method"),
                column("certificate", "state.certificate"),
                column("created_at", "created_at"),
            ],
        },
        KindSchema {
            kind: Event::KIND,
            view: "events",
            columns: &[
                column("at", "at"),
                column("actor", "actor"),
                column("event", "event"),
                column("application", "application"),
            ],
        },
        KindSchema { kind: Claim::KIND, view: "names", columns: &[column("owner", "owner")] },
        KindSchema { kind: SerialClaim::KIND, view: "serials", columns: &[column("certificate", "certificate")] },
        KindSchema { kind: SealedKey::KIND, view: "private_keys", columns: &[] },
        KindSchema { kind: Replay::KIND, view: "idempotency_keys", columns: &[column("request", "request")] },
    ],
};
