//! The documents of revocation: what is revoked, CRLs in parts, OCSP answers and responders, incidents.

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{Entity, index, sortable};
use crate::crypto;
use crate::domain::{
    CertificateId, CertificateRecord, CertificateState, Incident, IncidentState, IssuerId, IssuerKey, Octets,
    UnderIncident,
};
use crate::engine::submit::hex;
use crate::store::IndexEntry;
use crate::x509::{Certificate, CrlEntry, RevocationReason, Serial};

/// How long a revocation waits for others before the CRL is made.
const GATHERING: Duration = Duration::seconds(5);
/// How long whoever makes a CRL may take before another tries: twice as long after each failure.
const FIRST_LEASE: Duration = Duration::minutes(1);
const LONGEST_LEASE: Duration = Duration::minutes(10);

/// A revoked certificate as a CRL tells of it: small, so that a long list is read fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct RevokedCertificate {
    pub(in crate::engine) issuer: IssuerId,
    pub(in crate::engine) shard: u32,
    pub(in crate::engine) serial: Serial,
    pub(in crate::engine) certificate: CertificateId,
    pub(in crate::engine) reason: RevocationReason,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) at: OffsetDateTime,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) invalid_since: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) not_after: OffsetDateTime,
}

impl RevokedCertificate {
    pub(in crate::engine) fn id(issuer: IssuerId, shard: u32, serial: &Serial) -> String {
        format!("{issuer}/{shard:05}/{serial}")
    }

    pub(in crate::engine) fn entry(&self) -> CrlEntry {
        let Self { serial, reason, at, invalid_since, .. } = *self;
        CrlEntry { serial, revoked_at: at, reason, invalid_since }
    }
}

/// One shard of an issuer's CRL: the last one published, and what is to be done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct CrlRecord {
    pub(in crate::engine) issuer: IssuerId,
    pub(in crate::engine) shard: u32,
    /// The highest CRL number that anybody took, whether or not a list of that number came of it.
    pub(in crate::engine) number: u64,
    pub(in crate::engine) work: CrlWork,
    /// How often it was tried since the last one was published.
    pub(in crate::engine) attempts: u32,
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) due: Option<OffsetDateTime>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) published: Option<PublishedCrl>,
}

/// What is to be done about a CRL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::engine) enum CrlWork {
    /// Nothing, until the next one is due.
    Idle,
    /// Something was revoked or released: who sees this need not write it again, but checks that it stays.
    Wanted,
    /// Somebody took a number and reads what is revoked; what is revoked from now on may be too late for that list.
    Taken,
}

/// What is known of a published CRL without its bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct PublishedCrl {
    pub(in crate::engine) number: u64,
    pub(in crate::engine) parts: u32,
    pub(in crate::engine) entries: usize,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) this_update: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) next_update: OffsetDateTime,
}

impl CrlRecord {
    /// A list that is to be made.
    pub(in crate::engine) fn new(issuer: IssuerId, shard: u32, due: OffsetDateTime) -> Self {
        Self { issuer, shard, number: 0, work: CrlWork::Wanted, attempts: 0, due: Some(due), published: None }
    }

    pub(in crate::engine) fn id(issuer: IssuerId, shard: u32) -> String {
        format!("{issuer}/{shard:05}")
    }

    /// When a list that is wanted now is made, so that what is revoked together is published together.
    pub(in crate::engine) fn gathered(now: OffsetDateTime) -> OffsetDateTime {
        now + GATHERING
    }

    /// Something was revoked or released that the next list must tell.
    pub(in crate::engine) fn want(&mut self, now: OffsetDateTime) {
        if self.work == CrlWork::Idle {
            let gathered = Self::gathered(now);
            self.due = Some(self.due.map_or(gathered, |due| due.min(gathered)));
        }
        // Of a list that is taken the time stays: it is the lease of whoever makes it.
        self.work = CrlWork::Wanted;
    }

    /// Takes the next number: it is spent, whatever becomes of the list.
    pub(in crate::engine) fn take(&mut self, now: OffsetDateTime) {
        self.number += 1;
        self.work = CrlWork::Taken;
        self.due = Some(now + (FIRST_LEASE * 2_i32.pow(self.attempts.min(4))).min(LONGEST_LEASE));
        self.attempts = self.attempts.saturating_add(1);
    }
}

/// A piece of a CRL's DER: a document has a greatest size, and a CRL has none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct CrlPart {
    pub(in crate::engine) name: String,
    pub(in crate::engine) octets: Octets,
}

impl CrlPart {
    /// How much of the DER one document holds; base64 makes four of three octets, and a body may have 1 MiB.
    pub(in crate::engine) const OCTETS: usize = 700 * 1024;

    pub(in crate::engine) fn id(crl: &str, number: u64, part: u32) -> String {
        format!("{crl}/{number:020}/{part:05}")
    }
}

/// A signed OCSP response about one certificate, good for one state of its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct OcspAnswer {
    pub(in crate::engine) name: String,
    pub(in crate::engine) certificate: CertificateId,
    /// The question: a DER `CertID`.
    pub(in crate::engine) question: Octets,
    /// The version of the certificate's record that it tells of.
    pub(in crate::engine) version: u64,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) this_update: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) next_update: OffsetDateTime,
    pub(in crate::engine) der: Octets,
}

impl OcspAnswer {
    /// When it is signed anew: at half of its time, so that whoever keeps it has some of it left.
    pub(in crate::engine) fn stale_at(&self) -> OffsetDateTime {
        self.this_update + (self.next_update - self.this_update) / 2
    }

    /// The answer to exactly this question.
    pub(in crate::engine) fn id(certificate: CertificateId, question: &[u8]) -> String {
        format!("{certificate}/{}", hex(&crypto::sha256(question)))
    }
}

/// An issuer's delegated OCSP responder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct ResponderRecord {
    pub(in crate::engine) issuer: IssuerId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) current: Option<ResponderCertificate>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::engine) next: Option<ResponderIntent>,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) due: OffsetDateTime,
}

/// What a responder signs with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct ResponderCertificate {
    pub(in crate::engine) key: IssuerKey,
    pub(in crate::engine) der: Octets,
    #[serde(with = "time::serde::rfc3339")]
    pub(in crate::engine) not_after: OffsetDateTime,
}

/// What it will sign with: recorded before the issuer's key is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::engine) struct ResponderIntent {
    pub(in crate::engine) certificate: CertificateId,
    pub(in crate::engine) key: IssuerKey,
    pub(in crate::engine) tbs: Octets,
    pub(in crate::engine) public_key: Octets,
    pub(in crate::engine) crl_shard: u32,
}

impl Entity for RevokedCertificate {
    const KIND: &'static str = "revocation";

    fn document_id(&self) -> String {
        Self::id(self.issuer, self.shard, &self.serial)
    }
}

impl Entity for CrlRecord {
    const KIND: &'static str = "crl";

    fn document_id(&self) -> String {
        Self::id(self.issuer, self.shard)
    }

    fn entries(&self) -> Vec<IndexEntry> {
        self.due.map(|due| IndexEntry::new(index::DUE, sortable(due))).into_iter().collect()
    }
}

impl Entity for CrlPart {
    const KIND: &'static str = "crl_part";

    fn document_id(&self) -> String {
        self.name.clone()
    }
}

impl Entity for OcspAnswer {
    const KIND: &'static str = "ocsp_answer";

    fn document_id(&self) -> String {
        self.name.clone()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.stale_at()))]
    }
}

impl Entity for ResponderRecord {
    const KIND: &'static str = "ocsp_responder";

    fn document_id(&self) -> String {
        self.issuer.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        vec![IndexEntry::new(index::DUE, sortable(self.due))]
    }
}

impl Entity for Incident {
    const KIND: &'static str = "incident";

    fn document_id(&self) -> String {
        self.id.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let is_over = matches!(self.state, IncidentState::Closed | IncidentState::CalledOff);
        match self.due {
            Some(due) => vec![IndexEntry::new(index::DUE, sortable(due))],
            None if is_over => vec![IndexEntry::new(index::INCIDENT_OVER, sortable(self.over_at()))],
            None => Vec::new(),
        }
    }
}

impl Entity for UnderIncident {
    const KIND: &'static str = "under_incident";

    fn document_id(&self) -> String {
        self.certificate.to_string()
    }

    fn entries(&self) -> Vec<IndexEntry> {
        let value = format!("{}|{}", self.incident, sortable(self.revoke_at));
        vec![IndexEntry::new(index::INCIDENT_CERTIFICATE, value)]
    }
}

/// What OCSP requests call an issuer.
pub(super) fn issuer_keys(chain: &[Octets]) -> Vec<IndexEntry> {
    let own = chain.first().and_then(|own| Certificate::from_der(&own.0).ok());
    let Some(own) = own else { return Vec::new() };
    let key = own.public_key().subject_public_key();
    let hashes = [hex(&crypto::sha1(key)), hex(&crypto::sha256(key))];
    hashes.into_iter().map(|hash| IndexEntry::new(index::ISSUER_KEY, hash)).collect()
}

/// What certificates are found by once they are revoked or renewed, under all that they belong to.
pub(super) fn status_entries(record: &CertificateRecord, end: &str) -> Vec<IndexEntry> {
    let status = match (record.state, record.replaced_by) {
        (CertificateState::Revoked { .. }, _) => "revoked",
        (CertificateState::Active, Some(_)) => "renewed",
        (CertificateState::Active, None) => return Vec::new(),
    };
    let scopes = [
        Some("all".to_owned()),
        record.application.map(|id| id.to_string()),
        record.profile.map(|(id, _)| id.to_string()),
        record.issuer.map(|id| id.to_string()),
    ];
    let entry = |scope: String| IndexEntry::new(index::CERTIFICATE_STATUS, format!("{scope}|{status}|{end}"));
    scopes.into_iter().flatten().map(entry).collect()
}
