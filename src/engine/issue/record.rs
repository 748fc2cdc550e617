//! The records that a certificate leaves in the inventory.

use time::OffsetDateTime;

use crate::domain::{
    CertificateId, CertificateRecord, CertificateRequest, CertificateState, IssuerId, KeyCustody, Metadata, Octets,
    Origin, Principal,
};
use crate::engine::schema::SerialClaim;
use crate::engine::submit::hex;
use crate::x509::{Certificate, Serial};

/// What request and certificate do not say themselves.
#[derive(Clone, Copy, Debug)]
pub(in crate::engine) struct Facts {
    pub(in crate::engine) id: CertificateId,
    pub(in crate::engine) custody: KeyCustody,
    pub(in crate::engine) issuer: Option<IssuerId>,
    pub(in crate::engine) crl_shard: u32,
}

/// The inventory's record of a certificate that came of a request.
pub(in crate::engine) fn record_of(
    request: &CertificateRequest,
    certificate: &Certificate,
    facts: Facts,
    now: OffsetDateTime,
) -> CertificateRecord {
    CertificateRecord {
        application: Some(request.application),
        profile: Some(request.profile),
        policy: Some(request.policy),
        request: Some(request.id),
        origin: Origin::Profile,
        method: Some(request.method),
        metadata: request.metadata.clone(),
        ..issuer_certificate(&request.requester, certificate, facts, now)
    }
}

/// The inventory's record of an issuer's own certificate.
pub(in crate::engine) fn issuer_certificate(
    requester: &Principal,
    certificate: &Certificate,
    facts: Facts,
    now: OffsetDateTime,
) -> CertificateRecord {
    let content = certificate.content();
    CertificateRecord {
        id: facts.id,
        application: None,
        profile: None,
        policy: None,
        issuer: facts.issuer,
        certifies: None,
        request: None,
        lineage: facts.id,
        replaces: None,
        replaced_by: None,
        crl_shard: facts.crl_shard,
        method: None,
        origin: Origin::Issuer,
        requester: requester.clone(),
        custody: facts.custody,
        metadata: Metadata::default(),
        state: CertificateState::Active,
        serial: *certificate.serial(),
        fingerprint: hex(certificate.fingerprint()),
        subject: content.subject.clone(),
        sans: content.sans.clone(),
        key_algorithm: content.key_algorithm,
        validity: content.validity,
        der: Octets(certificate.der().to_vec()),
        imported_chain: Vec::new(),
        created_at: now,
    }
}

/// The claim on a serial number below an issuer. Self-signed and imported certificates are each below their own.
pub(in crate::engine) fn serial_claim(
    issuer: Option<IssuerId>,
    serial: &Serial,
    certificate: CertificateId,
) -> SerialClaim {
    let issuer = issuer.map_or_else(|| certificate.to_string(), |issuer| issuer.to_string());
    SerialClaim { name: format!("{serial}/{issuer}"), certificate }
}
