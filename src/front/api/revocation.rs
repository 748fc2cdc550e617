//! Revoking certificates, and lifting holds.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::answer::Answer;
use super::call::{At, With};
use super::endpoint::{Endpoint, post};
use super::wire::Moment;
use crate::domain::{Action, CertificateId, CertificateRecord, CertificateRef, CertificateState, Revocation};
use crate::front::Problem;
use crate::x509::{InvalidValue, RevocationReason};

pub(super) fn endpoints() -> Vec<Endpoint> {
    vec![
        post(("/certificates/{certificateId}/revoke", "revokeCertificate"), Action::CertificatesEdit, revoke)
            .says("Revokes a certificate. To do so again for the same reason changes nothing."),
        post(("/certificates/revoke-by-thumbprint", "revokeByThumbprint"), Action::CertificatesEdit, by_thumbprint)
            .says("Revokes a certificate, found by its SHA-256 fingerprint."),
        post(("/certificates/{certificateId}/release-hold", "releaseHold"), Action::CertificatesEdit, release)
            .says("Lifts a certificate's hold: it is active again."),
    ]
}

/// Why a certificate is revoked.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct RevokeBody {
    /// Why.
    revocation_reason: RevocationReason,
    /// Since when its key may have been in other hands.
    #[serde(default)]
    invalid_since: Option<Moment>,
}

/// Which certificate is revoked, and why.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ThumbprintBody {
    /// SHA-256 over its DER, hex, with or without colons.
    thumbprint: String,
    /// Why.
    revocation_reason: RevocationReason,
    /// Since when its key may have been in other hands.
    #[serde(default)]
    invalid_since: Option<Moment>,
}

/// That a certificate is revoked.
#[derive(Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct RevokedAnswer {
    /// What was done.
    message: &'static str,
    /// The certificate.
    certificate_id: CertificateId,
    /// Its serial number, hex.
    serial_number: String,
    /// When it was revoked; `null` if it is not any more.
    revoked_at: Option<Moment>,
}

impl RevokedAnswer {
    fn of(record: &CertificateRecord) -> Self {
        let (message, revoked_at) = match record.state {
            CertificateState::Revoked { at, .. } => ("the certificate is revoked", Some(at.into())),
            _ => ("the certificate is active", None),
        };
        Self { message, certificate_id: record.id, serial_number: record.serial.to_string(), revoked_at }
    }
}

async fn revoke(call: With<(CertificateId,), RevokeBody>) -> Result<Answer<RevokedAnswer>, Problem> {
    let RevokeBody { revocation_reason: reason, invalid_since } = call.body.0;
    let revocation = Revocation { reason, invalid_since: invalid_since.map(|moment| moment.0) };
    Ok(Answer::new(RevokedAnswer::of(&call.session.revoke(call.path.0, revocation).await?)))
}

async fn by_thumbprint(call: With<(), ThumbprintBody>) -> Result<Answer<RevokedAnswer>, Problem> {
    let ThumbprintBody { thumbprint, revocation_reason: reason, invalid_since } = call.body.0;
    let which = CertificateRef::Fingerprint(fingerprint(&thumbprint)?);
    let revocation = Revocation { reason, invalid_since: invalid_since.map(|moment| moment.0) };
    Ok(Answer::new(RevokedAnswer::of(&call.session.revoke(which, revocation).await?)))
}

fn fingerprint(text: &str) -> Result<[u8; 32], Problem> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b':').take(65).collect();
    let pairs = digits.chunks_exact(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok());
    let octets: Option<Vec<u8>> = pairs.collect();
    let is_hex = digits.iter().all(u8::is_ascii_hexdigit);
    let found = octets.filter(|_| is_hex && digits.len() == 64).and_then(|octets| octets.try_into().ok());
    let error = || InvalidValue::new("fingerprint", text, "64 hex digits: SHA-256 over the DER");
    found.ok_or_else(|| Problem::value("thumbprint", error()))
}

async fn release(call: At<(CertificateId,)>) -> Result<Answer<RevokedAnswer>, Problem> {
    Ok(Answer::new(RevokedAnswer::of(&call.session.release_hold(call.path.0).await?)))
}
