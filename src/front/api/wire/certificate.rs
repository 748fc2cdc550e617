//! Certificates as they are shown.

use schemars::JsonSchema;
use serde::Serialize;
use sha1::{Digest, Sha1};
use time::OffsetDateTime;

use super::request::Constraints;
use super::{AltName, KeyText, Moment, Pair, pairs, word};
use crate::domain::{
    ApplicationId, CertificateId, CertificateRecord, CertificateState, CertificateStatus, IssuerId, KeyCustody, Method,
    Origin, PolicyId, ProfileId, RequestId,
};
use crate::engine::{Chain, Root};
use crate::x509::{
    Attribute, Certificate, Content, ExtendedKeyUsage, KeyAlgorithm, KeyUsage, RevocationReason, SignatureAlgorithm,
    Subject,
};

/// A chain in pieces of PEM.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct Pem {
    /// The certificate.
    pub(in crate::front::api) certificate: String,
    /// The certificate of its issuer; absent if it is self-signed or not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(in crate::front::api) issuing_ca_certificate: Option<String>,
    /// The certificates above it, one after the other.
    pub(in crate::front::api) certificate_chain: String,
}

impl Pem {
    pub(in crate::front::api) fn of(chain: &Chain, root: Root) -> Self {
        Self {
            certificate: chain.leaf().pem(),
            issuing_ca_certificate: chain.certificates(Root::Include).nth(1).map(Certificate::pem),
            certificate_chain: chain.certificates(root).skip(1).map(Certificate::pem).collect(),
        }
    }
}

/// A certificate with everything that a server needs.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct PemBundle {
    /// The certificate, PEM.
    pub(in crate::front::api) certificate: String,
    /// The certificates above it, PEM.
    pub(in crate::front::api) certificate_chain: String,
    /// The private key, PKCS#8 in PEM; `null` if it is not kept here.
    pub(in crate::front::api) private_key: Option<KeyText>,
    /// The serial number, hex.
    pub(in crate::front::api) serial_number: String,
}

/// A certificate in full.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct DetailsAnswer {
    /// The certificate.
    pub(in crate::front::api) certificate: CertificateView,
}

/// A certificate of the inventory.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct CertificateView {
    /// Its id.
    id: CertificateId,
    /// The Application that owns it.
    application_id: Option<ApplicationId>,
    /// The profile that it was issued under.
    profile_id: Option<ProfileId>,
    /// The profile's revision.
    profile_revision: Option<u32>,
    /// The policy that judged it.
    policy_id: Option<PolicyId>,
    /// The policy's revision.
    policy_revision: Option<u32>,
    /// The issuer.
    ca_id: Option<IssuerId>,
    /// `internal`, `self-signed` or `imported`.
    ca_type: &'static str,
    /// The request that it came of.
    certificate_request_id: Option<RequestId>,
    /// The first certificate of its lineage.
    order_id: CertificateId,
    /// The certificate that it was issued in place of.
    renewed_from_certificate_id: Option<CertificateId>,
    /// The certificate that was issued in its place.
    renewed_by_certificate_id: Option<CertificateId>,
    /// How it looks now.
    status: CertificateStatus,
    /// When it was revoked.
    revoked_at: Option<Moment>,
    /// Why it was revoked.
    revocation_reason: Option<RevocationReason>,
    /// How it was asked for.
    enrollment_type: Option<Method>,
    /// Where it came from.
    source: Origin,
    /// Who asked for it.
    requester: String,
    /// Where its private key is.
    key_source: KeyCustody,
    /// The serial number, hex.
    serial_number: String,
    /// The common name.
    common_name: Option<String>,
    /// The subject.
    subject: SubjectView,
    /// The subject alternative names.
    alt_names: Vec<AltName>,
    /// From when it is valid.
    not_before: Moment,
    /// Until when it is valid.
    not_after: Moment,
    /// The algorithm of its key.
    key_algorithm: KeyAlgorithm,
    /// Digests over its DER.
    fingerprints: Fingerprints,
    /// Tags.
    metadata: Vec<Pair>,
    /// When it came into the inventory.
    created_at: Moment,
    /// What else it says; left out of lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<ContentView>,
}

/// A subject by its attributes, each with its values in order.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct SubjectView {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    common_name: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    organization: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    organizational_unit: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    country: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    state: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locality: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    serial_number: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    domain_components: Vec<String>,
}

impl From<&Subject> for SubjectView {
    fn from(subject: &Subject) -> Self {
        let values = |attribute| subject.values(attribute).map(str::to_owned).collect();
        Self {
            common_name: values(Attribute::CommonName),
            organization: values(Attribute::Organization),
            organizational_unit: values(Attribute::OrganizationalUnit),
            country: values(Attribute::Country),
            state: values(Attribute::State),
            locality: values(Attribute::Locality),
            serial_number: values(Attribute::SerialNumber),
            domain_components: values(Attribute::DomainComponent),
        }
    }
}

/// Digests over a certificate's DER, hex.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
struct Fingerprints {
    /// SHA-256.
    sha256: String,
    /// SHA-1, for what still asks for it.
    sha1: String,
}

/// What a certificate says.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub(in crate::front::api) struct ContentView {
    /// The subject.
    subject: SubjectView,
    /// The subject alternative names.
    alt_names: Vec<AltName>,
    /// The algorithm of the key.
    key_algorithm: KeyAlgorithm,
    /// What the issuer signs with.
    signature_algorithm: SignatureAlgorithm,
    /// From when it is valid.
    not_before: Moment,
    /// Until when it is valid.
    not_after: Moment,
    /// The key usages.
    key_usages: Vec<KeyUsage>,
    /// The extended key usages.
    extended_key_usages: Vec<ExtendedKeyUsage>,
    /// Whether it is one of a CA.
    basic_constraints: Constraints,
}

impl From<&Content> for ContentView {
    fn from(content: &Content) -> Self {
        Self {
            subject: (&content.subject).into(),
            alt_names: content.sans.iter().map(Into::into).collect(),
            key_algorithm: content.key_algorithm,
            signature_algorithm: content.signature_algorithm,
            not_before: content.validity.not_before().into(),
            not_after: content.validity.not_after().into(),
            key_usages: content.key_usages.iter().collect(),
            extended_key_usages: content.extended_key_usages.clone(),
            basic_constraints: content.basic_constraints.into(),
        }
    }
}

impl CertificateView {
    /// As it looks at `now`, without what only its DER says.
    pub(in crate::front::api) fn of(record: &CertificateRecord, now: OffsetDateTime) -> Self {
        let (revoked_at, revocation_reason) = match record.state {
            CertificateState::Revoked { reason, at } => (Some(at.into()), Some(reason)),
            _ => (None, None),
        };
        let ca_type = match (record.issuer, record.origin) {
            (_, Origin::Import) => "imported",
            (None, _) => "self-signed",
            (Some(_), _) => "internal",
        };
        Self {
            id: record.id,
            application_id: record.application,
            profile_id: record.profile.map(|(id, _)| id),
            profile_revision: record.profile.map(|(_, revision)| revision),
            policy_id: record.policy.map(|(id, _)| id),
            policy_revision: record.policy.map(|(_, revision)| revision),
            ca_id: record.issuer,
            ca_type,
            certificate_request_id: record.request,
            order_id: record.lineage,
            renewed_from_certificate_id: record.replaces,
            renewed_by_certificate_id: record.replaced_by,
            status: record.status_at(now),
            revoked_at,
            revocation_reason,
            enrollment_type: record.method,
            source: record.origin,
            requester: word(&record.requester),
            key_source: record.custody,
            serial_number: word(record.serial),
            common_name: record.subject.common_name().map(str::to_owned),
            subject: (&record.subject).into(),
            alt_names: record.sans.iter().map(Into::into).collect(),
            not_before: record.validity.not_before().into(),
            not_after: record.validity.not_after().into(),
            key_algorithm: record.key_algorithm,
            fingerprints: Fingerprints { sha256: record.fingerprint.clone(), sha1: hex(&Sha1::digest(&record.der.0)) },
            metadata: pairs(&record.metadata),
            created_at: record.created_at.into(),
            content: None,
        }
    }

    /// The same with everything that it says.
    pub(in crate::front::api) fn with(self, certificate: &Certificate) -> Self {
        Self { content: Some(certificate.content().into()), ..self }
    }
}

fn hex(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}
