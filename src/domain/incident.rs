//! Mass revocation as an incident: what it is about, until when owners may renew, and how far it is.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{ApplicationId, CertificateId, IncidentId, IssuerId, Principal, ProfileId, Span};
use crate::x509::{InvalidValue, RevocationReason, Serial, Uri};

/// Most serial numbers that one incident may list.
pub const MAX_INCIDENT_SERIALS: usize = 10_000;

/// A mass revocation to be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentSpec {
    /// Why the certificates are revoked.
    pub reason: RevocationReason,
    /// Which.
    pub select: IncidentSelection,
    /// Until when owners may renew: before it nothing is revoked.
    #[serde(with = "time::serde::rfc3339")]
    pub deadline: OffsetDateTime,
    /// Over how long the revocations are spread from the deadline on.
    #[serde(default = "at_once")]
    pub spread: Span,
    /// A page for people that explains what happened, https (explanationURL, RFC 9773 section 4.2).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
    /// What colleagues should know, at most 1000 characters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
}

fn at_once() -> Span {
    Span::minutes(0)
}

/// Which certificates an incident is about: those issued here that are still valid, and for which everything given holds.
/// At least one of the fields must be given.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IncidentSelection {
    /// Those of one Application. Only product administrators may leave it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub application: Option<ApplicationId>,
    /// Those issued under one profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<ProfileId>,
    /// Those of one issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerId>,
    /// Those for this domain and everything under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// Those with these serial numbers; the issuer must be given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub serials: Vec<Serial>,
    /// Those whose notAfter is at or after this instant.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub ends_from: Option<OffsetDateTime>,
    /// Those whose notAfter is before this instant.
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub ends_before: Option<OffsetDateTime>,
}

impl IncidentSpec {
    /// Every fault, with its path.
    pub fn faults(&self) -> Vec<(String, InvalidValue)> {
        let mut faults = Vec::new();
        let mut refuse = |field: &str, seen: String, accepted: &str| {
            faults.push((field.to_owned(), InvalidValue::new("incident", seen, accepted.to_owned())));
        };
        if self.reason == RevocationReason::CertificateHold {
            refuse("reason", self.reason.to_string(), "a reason that stands: owners renew what is lost for good");
        }
        let select = &self.select;
        if *select == IncidentSelection::default() {
            refuse("select", "everything".into(), "at least one condition");
        }
        if !select.serials.is_empty() && select.issuer.is_none() {
            refuse("select.serials", "serial numbers without an issuer".into(), "serial numbers of a given issuer");
        }
        if select.serials.len() > MAX_INCIDENT_SERIALS {
            refuse("select.serials", select.serials.len().to_string(), "at most 10000");
        }
        let is_https = |url: &String| url.starts_with("https://") && url.parse::<Uri>().is_ok();
        if let Some(url) = self.explanation.as_ref().filter(|url| !is_https(url)) {
            refuse("explanation", url.clone(), "an absolute https URL");
        }
        if self.note.chars().count() > 1000 {
            refuse("note", format!("{} characters", self.note.chars().count()), "at most 1000 characters");
        }
        faults
    }

    /// The end of the spread.
    fn revoke_until(&self) -> OffsetDateTime {
        self.deadline.saturating_add(self.spread.as_duration())
    }

    /// When a certificate is revoked: always the same instant within the spread, different for each certificate.
    pub(crate) fn revoke_at(&self, digest: [u8; 8]) -> OffsetDateTime {
        let spread = self.spread.as_seconds().saturating_add(1);
        let offset = u64::from_be_bytes(digest) % spread;
        self.deadline.saturating_add(time::Duration::seconds(i64::try_from(offset).unwrap_or(i64::MAX)))
    }
}

/// A mass revocation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    /// Its id.
    pub id: IncidentId,
    /// What was asked for.
    pub spec: IncidentSpec,
    /// Who opened it.
    pub opened_by: Principal,
    /// When.
    #[serde(with = "time::serde::rfc3339")]
    pub opened_at: OffsetDateTime,
    /// Where it stands.
    pub state: IncidentState,
    /// How far it is.
    pub progress: IncidentProgress,
    /// When due work goes on with it.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub due: Option<OffsetDateTime>,
}

impl Incident {
    /// When the last certificate is revoked at the latest.
    pub(crate) fn over_at(&self) -> OffsetDateTime {
        self.opened_at.max(self.spec.revoke_until())
    }
}

/// Where a mass revocation stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
#[non_exhaustive]
pub enum IncidentState {
    /// The certificates are being looked for.
    Selecting {
        /// How far the search is.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        cursor: Option<String>,
    },
    /// All are found, and revoked when it is their time.
    Open,
    /// It was called off: what was not revoked is let go.
    CalledOff,
    /// It is over.
    Closed,
}

/// How far a mass revocation is: counts of certificates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentProgress {
    /// Found and put under the incident.
    pub selected: u64,
    /// Revoked by it.
    pub revoked: u64,
    /// Of those, such that had a successor by then.
    pub renewed: u64,
    /// Not revoked by it after all: expired, deleted, or revoked otherwise meanwhile.
    pub failed: u64,
}

/// What a certificate under an incident is to know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnderIncident {
    /// The certificate.
    pub certificate: CertificateId,
    /// The incident.
    pub incident: IncidentId,
    /// When it is revoked.
    #[serde(with = "time::serde::rfc3339")]
    pub revoke_at: OffsetDateTime,
    /// A page for people that explains why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub explanation: Option<String>,
}
