//! Writing certificate requests, for CAs that an outside CA shall sign.

use der::asn1::SetOfVec;
use der::flagset::FlagSet;
use der::{Decode, Encode};
use spki::SubjectPublicKeyInfoOwned;
use x509_cert::attr::Attribute;
use x509_cert::ext::pkix::{self};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::request::{CertReqInfo, ExtensionReq, Version};

use super::{BasicConstraints, KeyUsages, PublicKey, SignatureAlgorithm, Subject, envelope};

/// The part of a request that is signed, DER.
pub(crate) struct CertificateRequestInfo(Vec<u8>);

impl CertificateRequestInfo {
    /// A request for a CA certificate.
    pub(crate) fn for_ca(
        subject: &Subject,
        key: &PublicKey,
        constraints: BasicConstraints,
        usages: KeyUsages,
    ) -> der::Result<Self> {
        let name = Name::from_der(&subject.to_der()?)?;
        let path_len_constraint = match constraints {
            BasicConstraints::Ca { path_length } => path_length,
            BasicConstraints::EndEntity => None,
        };
        let ca = constraints.is_ca();
        let constraints = pkix::BasicConstraints { ca, path_len_constraint };
        let usages = pkix::KeyUsage(FlagSet::new_truncated(usages.bits()));
        let extensions: Vec<Extension> =
            vec![(&constraints).to_extension(&name, &[])?, (&usages).to_extension(&name, &[])?];
        let mut attributes = SetOfVec::new();
        attributes.insert(Attribute::try_from(ExtensionReq(extensions))?)?;
        let public_key = SubjectPublicKeyInfoOwned::from_der(key.spki_der())?;
        CertReqInfo { version: Version::V1, subject: name, public_key, attributes }.to_der().map(Self)
    }

    /// The bytes to sign.
    pub(crate) fn der(&self) -> &[u8] {
        &self.0
    }

    /// The request with its signature, DER.
    pub(crate) fn seal(&self, algorithm: SignatureAlgorithm, signature: &[u8]) -> der::Result<Vec<u8>> {
        envelope::seal(&self.0, algorithm, signature)
    }
}
