//! Words for people: how things of the domain are called on pages.

use time::macros::format_description;
use time::{Duration, OffsetDateTime, UtcOffset};

use crate::domain::{
    AlertOn, CertificateId, CertificateStatus, Decision, EventKind, KeyCustody, Method, Origin, RequestId,
    RequestStatus,
};
use crate::x509::{KeyAlgorithm, RevocationReason, SanKind};

/// An instant: `22 Nov 2026, 12:00 UTC`.
pub(super) fn instant(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year], [hour]:[minute] UTC");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// A day: `22 Nov 2026`.
pub(super) fn day(at: OffsetDateTime) -> String {
    let format = format_description!("[day padding:none] [month repr:short] [year]");
    at.to_offset(UtcOffset::UTC).format(format).unwrap_or_default()
}

/// How far away an instant is: `in 3 days`, `2 hours ago`.
pub(super) fn distance(now: OffsetDateTime, at: OffsetDateTime) -> String {
    if (at - now).abs() < Duration::minutes(1) {
        return "now".to_owned();
    }
    let away = length((at - now).abs());
    if at >= now { format!("in {away}") } else { format!("{away} ago") }
}

/// A length of time in its largest unit.
pub(super) fn length(length: Duration) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let seconds = length.whole_seconds();
    let (count, unit) = units
        .into_iter()
        .find(|(unit, _)| seconds >= *unit)
        .map_or((seconds.max(0), "second"), |(unit, name)| (seconds / unit, name));
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

pub(super) fn certificate_status(status: CertificateStatus) -> &'static str {
    match status {
        CertificateStatus::Active => "Valid",
        CertificateStatus::Renewed => "Renewed",
        CertificateStatus::Expired => "Expired",
        CertificateStatus::Revoked => "Revoked",
    }
}

pub(super) fn request_status(status: RequestStatus) -> &'static str {
    match status {
        RequestStatus::AwaitingApproval => "Waits for approval",
        RequestStatus::Issuing => "Being signed",
        RequestStatus::Issued => "Issued",
        RequestStatus::Failed => "Not signed",
        RequestStatus::Rejected => "Rejected",
        RequestStatus::Cancelled => "Taken back",
        RequestStatus::Expired => "Not decided in time",
        RequestStatus::Voided => "Void",
    }
}

pub(super) fn custody(custody: KeyCustody) -> &'static str {
    match custody {
        KeyCustody::Managed => "kept here, sealed",
        KeyCustody::Client => "with the client",
    }
}

pub(super) fn method(method: Method) -> &'static str {
    match method {
        Method::Api => "API",
        Method::Acme => "ACME",
        Method::Est => "EST",
        Method::Scep => "SCEP",
    }
}

pub(super) fn origin(origin: Origin) -> &'static str {
    match origin {
        Origin::Profile => "issued here",
        Origin::Import => "imported",
        Origin::Issuer => "an issuer's own",
        Origin::OcspResponder => "an OCSP responder's",
    }
}

pub(super) fn key(algorithm: KeyAlgorithm) -> &'static str {
    match algorithm {
        KeyAlgorithm::Rsa2048 => "RSA 2048",
        KeyAlgorithm::Rsa3072 => "RSA 3072",
        KeyAlgorithm::Rsa4096 => "RSA 4096",
        KeyAlgorithm::P256 => "EC P-256",
        KeyAlgorithm::P384 => "EC P-384",
        KeyAlgorithm::P521 => "EC P-521",
        other => other.as_str(),
    }
}

pub(super) fn name_kind(kind: SanKind) -> &'static str {
    match kind {
        SanKind::DnsName => "DNS",
        SanKind::IpAddress => "IP",
        SanKind::Email => "e-mail",
        SanKind::Uri => "URI",
        SanKind::Upn => "UPN",
    }
}

pub(super) fn reason(reason: RevocationReason) -> &'static str {
    match reason {
        RevocationReason::Unspecified => "No reason given",
        RevocationReason::KeyCompromise => "The private key is in other hands, or may be",
        RevocationReason::CaCompromise => "The issuer's key is in other hands, or may be",
        RevocationReason::AffiliationChanged => "The subject's name or affiliation has changed",
        RevocationReason::Superseded => "Another certificate has taken its place",
        RevocationReason::CessationOfOperation => "It is no longer needed",
        RevocationReason::CertificateHold => "On hold, which can be lifted",
        RevocationReason::PrivilegeWithdrawn => "What it grants was withdrawn",
        RevocationReason::AaCompromise => "An attribute authority's key is in other hands, or may be",
    }
}

pub(super) fn alert(on: AlertOn) -> String {
    match on {
        AlertOn::Expiration { before } => format!("A certificate ends within {before}"),
        AlertOn::Issuance => "A certificate is issued".to_owned(),
        AlertOn::Renewal => "A certificate is renewed".to_owned(),
        AlertOn::Revocation => "A certificate is revoked".to_owned(),
        AlertOn::IssuanceFailed => "A request is refused or not signed".to_owned(),
        AlertOn::RenewalFailed => "A renewal fails".to_owned(),
        AlertOn::SyncFailed => "A delivery fails".to_owned(),
        AlertOn::ApprovalPending => "A request waits for approval".to_owned(),
        AlertOn::ApprovalExpired => "A request is not decided in time".to_owned(),
        AlertOn::CaExpiry { before } => format!("An issuer ends within {before}"),
        AlertOn::CrlExpiry { before } => format!("A revocation list ends within {before}"),
    }
}

/// An event in one line, and which certificate or request it is about.
pub(super) struct Told {
    pub(super) text: String,
    pub(super) certificate: Option<CertificateId>,
    pub(super) request: Option<RequestId>,
}

/// What an event tells.
pub(super) fn event(kind: &EventKind) -> Told {
    use EventKind as E;
    let told = |text: &str| Told { text: text.to_owned(), certificate: None, request: None };
    let of = |certificate: &CertificateId, text: &str| Told { certificate: Some(*certificate), ..told(text) };
    let on = |request: &RequestId, text: &str| Told { request: Some(*request), ..told(text) };
    match kind {
        E::CertificateIssued { certificate, request, .. } => {
            Told { request: Some(*request), ..of(certificate, "Issued a certificate") }
        }
        E::CertificateRenewed { certificate, request, .. } => {
            Told { request: Some(*request), ..of(certificate, "Issued a certificate in place of another") }
        }
        E::CertificateImported { certificate } => of(certificate, "Imported a certificate"),
        E::CertificateTagged { certificate } => of(certificate, "Changed a certificate's tags"),
        E::CertificateDeleted { certificate } => of(certificate, "Deleted a certificate"),
        E::PrivateKeyRead { certificate } => of(certificate, "Read a private key again"),
        E::CertificateRevoked { certificate, reason, .. } => {
            of(certificate, &format!("Revoked a certificate: {}", reason.as_str()))
        }
        E::CertificateReleased { certificate } => of(certificate, "Lifted a certificate's hold"),
        E::RenewalSet { certificate } => of(certificate, "Set how a certificate renews"),
        E::RenewalFailed { certificate, reason, .. } => of(certificate, &format!("A renewal failed: {reason}")),
        E::RenewalBlocked { certificate, reason } => of(certificate, &format!("A renewal can not go on: {reason}")),
        E::CertificateDeployed { certificate, remote, .. } => of(certificate, &format!("Delivered as {remote}")),
        E::DeploymentFailed { certificate, reason, .. } => of(certificate, &format!("A delivery failed: {reason}")),
        E::CertificateWithdrawn { certificate, .. } => of(certificate, "Removed from a target"),
        E::IssuanceStarted { request, .. } => on(request, "Fixed what is to be signed"),
        E::IssuanceFailed { request, reason } => on(request, &format!("A request was not signed: {reason}")),
        E::IssuanceRefused { violations, .. } => told(&format!("A request was refused: {}", sentences(violations))),
        E::ApprovalRequested { request, approval_policy } => {
            on(request, &format!("A request waits for approval by {approval_policy}"))
        }
        E::ApprovalVoted { request, decision: Decision::Approve, .. } => on(request, "Agreed to a request"),
        E::ApprovalVoted { request, decision: Decision::Reject, .. } => on(request, "Voted against a request"),
        E::RequestApproved { request } => on(request, "A request has all the votes that it needs"),
        E::RequestRejected { request } => on(request, "A request was voted down"),
        E::RequestCancelled { request } => on(request, "Took a request back"),
        E::RequestExpired { request } => on(request, "A request was not decided in time"),
        E::RequestVoided { request, violations, .. } => {
            on(request, &format!("A request is void: {}", sentences(violations)))
        }
        E::ApplicationCreated => told("Made the Application"),
        E::ApplicationChanged { what } => told(&format!("Changed the Application: {what}")),
        other => told(&kind_of(other)),
    }
}

fn sentences(violations: &[crate::domain::Violation]) -> String {
    violations.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

/// `alert-saved` as `Alert saved`.
fn kind_of(kind: &EventKind) -> String {
    let value = serde_json::to_value(kind).unwrap_or_default();
    let word = value["event"].as_str().unwrap_or_default().replace('-', " ");
    let mut letters = word.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    #[test]
    fn times_are_told_in_the_largest_unit() {
        let now = datetime!(2026-11-22 12:00 UTC);
        assert_eq!(distance(now, now + Duration::hours(25)), "in 1 day");
        assert_eq!(distance(now, now - Duration::minutes(125)), "2 hours ago");
        assert_eq!(distance(now, now), "now");
        assert_eq!(instant(now), "22 Nov 2026, 12:00 UTC");
        assert_eq!(day(now), "22 Nov 2026");
    }

    #[test]
    fn other_events_are_called_by_their_names() {
        assert_eq!(event(&EventKind::ApplicationCreated).text, "Made the Application");
        let pruned = EventKind::RecordsPruned { what: "x".into(), count: 1 };
        assert_eq!(event(&pruned).text, "Records pruned");
    }
}
