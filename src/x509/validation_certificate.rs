//! Certificates that prove control of a name in a handshake (RFC 8737 section 3, RFC 8738 section 6).

use const_oid::{AssociatedOid, ObjectIdentifier};
use der::asn1::{AnyRef, ContextSpecific, OctetStringRef};
use der::{Decode, Reader, SliceReader, TagNumber};
use x509_cert::ext::pkix::SubjectAltName;

use super::envelope::Envelope;
use super::extensions::ExtensionRef;
use super::tbs_view::read_extensions;
use super::{MAX_CERTIFICATE_BYTES, PublicKey, San, SignatureAlgorithm};
use crate::crypto;

/// id-pe-acmeIdentifier.
const ACME_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.31");

/// Why a certificate proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ValidationCertificateFault {
    #[error("the certificate can not be read")]
    Malformed,
    #[error("the certificate is not self-signed")]
    NotSelfSigned,
    #[error("the certificate does not name the identifier, and it alone")]
    Names,
    #[error("the certificate has no acmeIdentifier extension")]
    Missing,
    #[error("the certificate's acmeIdentifier extension is not critical")]
    NotCritical,
    #[error("the certificate's acmeIdentifier is not that of this challenge")]
    Digest,
}

/// Judges a certificate that was shown in a handshake.
pub(crate) fn judge_validation_certificate(
    der: &[u8],
    name: &San,
    digest: &[u8; 32],
) -> Result<(), ValidationCertificateFault> {
    use ValidationCertificateFault as Fault;
    let parts = parts(der).ok_or(Fault::Malformed)?;
    let key = PublicKey::from_spki_der(parts.public_key).map_err(|_| Fault::Malformed)?;
    let algorithm = SignatureAlgorithm::from_identifier(parts.envelope.algorithm).ok_or(Fault::Malformed)?;
    crypto::verify(&key, algorithm, parts.envelope.body, parts.envelope.signature).map_err(|_| Fault::NotSelfSigned)?;
    if names(&parts.extensions).as_deref() != Some(std::slice::from_ref(name)) {
        return Err(Fault::Names);
    }
    let identifier = only(&parts.extensions, ACME_IDENTIFIER).ok_or(Fault::Missing)?;
    if !identifier.critical {
        return Err(Fault::NotCritical);
    }
    let stated = <&OctetStringRef>::from_der(identifier.value.as_bytes()).map_err(|_| Fault::Malformed)?;
    if stated.as_bytes() == digest { Ok(()) } else { Err(Fault::Digest) }
}

/// The key of a certificate of which nothing else is asked; none if it can not be read.
pub(crate) fn key_of_certificate(der: &[u8]) -> Option<PublicKey> {
    PublicKey::from_spki_der(parts(der)?.public_key).ok()
}

/// What is looked at. Clients leave the rest at zero, dates among it.
struct Parts<'a> {
    envelope: Envelope<'a>,
    public_key: &'a [u8],
    extensions: Vec<ExtensionRef<'a>>,
}

fn parts(der: &[u8]) -> Option<Parts<'_>> {
    let envelope = Some(der).filter(|der| der.len() <= MAX_CERTIFICATE_BYTES).map(Envelope::from_der)?.ok()?;
    let (public_key, extensions) = SliceReader::new(envelope.body).ok()?.sequence(key_and_extensions).ok()?;
    Some(Parts { envelope, public_key, extensions })
}

fn key_and_extensions<'a>(reader: &mut SliceReader<'a>) -> der::Result<(&'a [u8], Vec<ExtensionRef<'a>>)> {
    ContextSpecific::<u8>::decode_explicit(reader, TagNumber(0))?;
    for _serial_signature_issuer_validity_subject in 0..5 {
        reader.tlv_bytes()?;
    }
    Ok((reader.tlv_bytes()?, read_extensions(reader)?))
}

fn only<'a, 'b>(extensions: &'b [ExtensionRef<'a>], oid: ObjectIdentifier) -> Option<&'b ExtensionRef<'a>> {
    let mut all = extensions.iter().filter(|extension| extension.oid == oid);
    all.next().filter(|_| all.next().is_none())
}

fn names(extensions: &[ExtensionRef<'_>]) -> Option<Vec<San>> {
    let names = only(extensions, SubjectAltName::OID)?;
    let names = Vec::<AnyRef<'_>>::from_der(names.value.as_bytes()).ok()?;
    names.into_iter().map(|name| San::from_general_name(name).ok()).collect()
}
