//! Which alerts an event concerns, and whom it is about.

use super::AlertOn;
use crate::domain::{CertificateId, EventKind, ProfileId, RequestId};

/// An event as alerts see it.
#[derive(Clone, Debug)]
pub(crate) struct AlertEvent {
    pub(crate) certificate: Option<CertificateId>,
    pub(crate) request: Option<RequestId>,
    pub(crate) profile: Option<ProfileId>,
    /// What went wrong, or what is to be known beside.
    pub(crate) detail: Option<(&'static str, String)>,
    matches: fn(AlertOn) -> bool,
}

impl AlertEvent {
    /// What alerts make of an event; `None` for one that no alert is about. That a notification failed is none: an alert
    /// that told of it would tell of itself.
    pub(crate) fn of(kind: &EventKind) -> Option<Self> {
        Some(match kind {
            EventKind::CertificateIssued { certificate, .. } => {
                Self::on(|on| on == AlertOn::Issuance).certificate(*certificate)
            }
            EventKind::CertificateRenewed { certificate, .. } => {
                Self::on(|on| on == AlertOn::Renewal).certificate(*certificate)
            }
            EventKind::CertificateRevoked { certificate, reason, .. } => Self::on(|on| on == AlertOn::Revocation)
                .certificate(*certificate)
                .detail("Reason", format!("{reason:?}")),
            EventKind::IssuanceRefused { profile, violations, .. } => {
                let reasons: Vec<String> = violations.iter().map(ToString::to_string).collect();
                let refused = Self::on(|on| on == AlertOn::IssuanceFailed).detail("Reasons", reasons.join("; "));
                Self { profile: Some(*profile), ..refused }
            }
            EventKind::IssuanceFailed { request, reason } => {
                Self::on(|on| on == AlertOn::IssuanceFailed).request(*request).detail("Reason", reason.clone())
            }
            EventKind::AcmeIdentifierNotProved { profile, identifier, challenge, reason, .. } => {
                let reason = format!("{identifier} was not proved by {challenge}: {reason}");
                let failed = Self::on(|on| on == AlertOn::IssuanceFailed).detail("Reason", reason);
                Self { profile: Some(*profile), ..failed }
            }
            EventKind::RenewalFailed { certificate, reason, attempts } => Self::on(|on| on == AlertOn::RenewalFailed)
                .certificate(*certificate)
                .detail("Reason", format!("{reason} (attempt {attempts})")),
            EventKind::RenewalBlocked { certificate, reason } => {
                Self::on(|on| on == AlertOn::RenewalFailed).certificate(*certificate).detail("Blocked", reason.clone())
            }
            EventKind::DeploymentFailed { certificate, sync, reason } => Self::on(|on| on == AlertOn::SyncFailed)
                .certificate(*certificate)
                .detail("Reason", format!("{sync}: {reason}")),
            EventKind::ApprovalRequested { request, approval_policy } => {
                let pending = Self::on(|on| on == AlertOn::ApprovalPending).request(*request);
                pending.detail("Approval policy", approval_policy.clone())
            }
            EventKind::RequestExpired { request } => Self::on(|on| on == AlertOn::ApprovalExpired).request(*request),
            _ => return None,
        })
    }

    /// Whether an alert is about it.
    pub(crate) fn concerns(&self, on: AlertOn) -> bool {
        (self.matches)(on)
    }

    /// What the event is about, as de-duplication knows it.
    pub(crate) fn subject(&self) -> String {
        let certificate = self.certificate.map(|id| id.to_string());
        let request = || self.request.map(|id| id.to_string());
        let profile = || self.profile.map(|id| id.to_string());
        certificate.or_else(request).or_else(profile).unwrap_or_default()
    }

    fn on(matches: fn(AlertOn) -> bool) -> Self {
        Self { certificate: None, request: None, profile: None, detail: None, matches }
    }

    fn certificate(self, certificate: CertificateId) -> Self {
        Self { certificate: Some(certificate), ..self }
    }

    fn request(self, request: RequestId) -> Self {
        Self { request: Some(request), ..self }
    }

    fn detail(self, label: &'static str, value: String) -> Self {
        Self { detail: Some((label, value.chars().take(1000).collect())), ..self }
    }
}
