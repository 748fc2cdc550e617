//! Mass revocations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Moment;
use crate::domain::{
    ApplicationId, CertificateId, Incident, IncidentId, IncidentProgress, IncidentSelection, IncidentSpec,
    IncidentState, IssuerId, Principal, ProfileId, Span, UnderIncident,
};
use crate::x509::{RevocationReason, Serial};

/// A mass revocation to be opened.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(in crate::front::api) struct IncidentBody {
    /// Why the certificates are revoked.
    revocation_reason: RevocationReason,
    /// Which.
    select: SelectionBody,
    /// Until when owners may renew: before it nothing is revoked.
    deadline: Moment,
    /// Over how long the revocations are spread from the deadline on; at once if absent.
    #[serde(default)]
    spread: Option<Span>,
    /// A page for people that explains what happened, https.
    #[serde(default)]
    explanation: Option<String>,
    /// What colleagues should know, at most 1000 characters.
    #[serde(default)]
    note: String,
}

/// Which certificates: those issued here that are still valid, and for which everything given holds.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct SelectionBody {
    /// Those of one Application. Only product administrators may leave it open.
    #[serde(skip_serializing_if = "Option::is_none")]
    application_id: Option<ApplicationId>,
    /// Those issued under one profile.
    #[serde(skip_serializing_if = "Option::is_none")]
    profile_id: Option<ProfileId>,
    /// Those of one issuer.
    #[serde(skip_serializing_if = "Option::is_none")]
    ca_id: Option<IssuerId>,
    /// Those for this domain and everything under it.
    #[serde(skip_serializing_if = "Option::is_none")]
    domain: Option<String>,
    /// Those with these serial numbers, hex; the issuer must be given.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    serial_numbers: Vec<Serial>,
    /// Those that end at or after this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_from: Option<Moment>,
    /// Those that end before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    ends_before: Option<Moment>,
}

impl From<IncidentBody> for IncidentSpec {
    fn from(body: IncidentBody) -> Self {
        let IncidentBody { revocation_reason: reason, select, deadline, spread, explanation, note } = body;
        let spread = spread.unwrap_or(Span::minutes(0));
        Self { reason, select: select.into(), deadline: deadline.0, spread, explanation, note }
    }
}

impl From<SelectionBody> for IncidentSelection {
    fn from(body: SelectionBody) -> Self {
        Self {
            application: body.application_id,
            profile: body.profile_id,
            issuer: body.ca_id,
            domain: body.domain,
            serials: body.serial_numbers,
            ends_from: body.ends_from.map(|moment| moment.0),
            ends_before: body.ends_before.map(|moment| moment.0),
        }
    }
}

impl From<IncidentSelection> for SelectionBody {
    fn from(select: IncidentSelection) -> Self {
        Self {
            application_id: select.application,
            profile_id: select.profile,
            ca_id: select.issuer,
            domain: select.domain,
            serial_numbers: select.serials,
            ends_from: select.ends_from.map(Into::into),
            ends_before: select.ends_before.map(Into::into),
        }
    }
}

/// The field of a mass revocation.
pub(in crate::front::api) fn field(field: &str) -> String {
    match field {
        "reason" => "revocationReason".to_owned(),
        "select.application" => "select.applicationId".to_owned(),
        "select.profile" => "select.profileId".to_owned(),
        "select.issuer" => "select.caId".to_owned(),
        "select.serials" => "select.serialNumbers".to_owned(),
        other => crate::front::api::spelling::camel(other),
    }
}

/// A mass revocation.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct IncidentView {
    /// Its id.
    id: IncidentId,
    /// Why the certificates are revoked.
    revocation_reason: RevocationReason,
    /// Which.
    select: SelectionBody,
    /// Until when owners may renew.
    deadline: Moment,
    /// Over how long the revocations are spread from there on.
    spread: Span,
    /// A page for people that explains what happened.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
    /// What colleagues should know.
    note: String,
    /// Who opened it.
    opened_by: Principal,
    /// When.
    opened_at: Moment,
    /// Where it stands.
    status: IncidentStatus,
    /// How far it is.
    progress: ProgressView,
}

/// Where a mass revocation stands.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum IncidentStatus {
    /// The certificates are being looked for.
    Selecting,
    /// All are found, and revoked when it is their time.
    Open,
    /// It was called off: what was not revoked is let go.
    CalledOff,
    /// It is over.
    Closed,
}

/// How far a mass revocation is: counts of certificates.
#[derive(Clone, Copy, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct ProgressView {
    /// Found and put under the incident.
    selected: u64,
    /// Revoked by it.
    revoked: u64,
    /// Of those, such that had a successor by then.
    renewed: u64,
    /// Not revoked by it after all.
    failed: u64,
}

impl From<Incident> for IncidentView {
    fn from(incident: Incident) -> Self {
        let Incident { id, spec, opened_by, opened_at, state, progress, .. } = incident;
        let status = match state {
            IncidentState::Selecting { .. } => IncidentStatus::Selecting,
            IncidentState::Open => IncidentStatus::Open,
            IncidentState::CalledOff => IncidentStatus::CalledOff,
            IncidentState::Closed => IncidentStatus::Closed,
        };
        let IncidentProgress { selected, revoked, renewed, failed } = progress;
        Self {
            id,
            revocation_reason: spec.reason,
            select: spec.select.into(),
            deadline: spec.deadline.into(),
            spread: spec.spread,
            explanation: spec.explanation,
            note: spec.note,
            opened_by,
            opened_at: opened_at.into(),
            status,
            progress: ProgressView { selected, revoked, renewed, failed },
        }
    }
}

/// The mass revocation that a certificate is under.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct UnderIncidentView {
    /// The certificate.
    certificate_id: CertificateId,
    /// The mass revocation.
    incident_id: IncidentId,
    /// When it is revoked.
    revoke_at: Moment,
    /// A page for people that explains why.
    #[serde(skip_serializing_if = "Option::is_none")]
    explanation: Option<String>,
}

impl From<UnderIncident> for UnderIncidentView {
    fn from(under: UnderIncident) -> Self {
        let UnderIncident { certificate, incident, revoke_at, explanation } = under;
        Self { certificate_id: certificate, incident_id: incident, revoke_at: revoke_at.into(), explanation }
    }
}
