//! Reading to-be-signed bytes: what a certificate says, and to whom it belongs (RFC 5280 section 4.1.2).
//!
//! Every certificate that is issued is read back before it is signed, so this borrows from the bytes where it can.

use der::asn1::{ContextSpecific, IntRef};
use der::{Decode, Reader, Sequence, SliceReader, Tag, TagNumber};
use spki::AlgorithmIdentifierRef;
use x509_cert::time::Time;

use super::certificate::{CertificateError, malformed};
use super::extensions::{ExtensionRef, Extensions};
use super::{Content, PublicKey, Serial, SignatureAlgorithm, Subject, UnknownExtension, Validity};

/// What to-be-signed bytes say.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TbsView {
    pub(crate) content: Content,
    pub(crate) serial: Serial,
    pub(crate) issuer_der: Vec<u8>,
    pub(crate) subject_der: Vec<u8>,
    pub(crate) key_identifier: Option<Vec<u8>>,
    pub(crate) authority_key_identifier: Option<Vec<u8>>,
    pub(crate) crl_urls: Vec<String>,
    pub(crate) ocsp_urls: Vec<String>,
    pub(crate) ca_issuers_urls: Vec<String>,
    pub(crate) unknown: Vec<UnknownExtension>,
}

/// The parts of to-be-signed bytes; names and key as they stand there.
pub(super) struct TbsParts<'a> {
    serial_number: IntRef<'a>,
    pub(super) signature: AlgorithmIdentifierRef<'a>,
    issuer: &'a [u8],
    validity: Times,
    subject: &'a [u8],
    pub(super) public_key: &'a [u8],
    extensions: Vec<ExtensionRef<'a>>,
}

#[derive(Sequence)]
struct Times {
    not_before: Time,
    not_after: Time,
}

impl<'a> TbsParts<'a> {
    pub(super) fn from_der(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let parts = reader.sequence(Self::read)?;
        reader.finish()?;
        Ok(parts)
    }

    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        // The version says only which of the fields below there may be.
        ContextSpecific::<u8>::decode_explicit(reader, TagNumber(0))?;
        Ok(Self {
            serial_number: IntRef::decode(reader)?,
            signature: AlgorithmIdentifierRef::decode(reader)?,
            issuer: reader.tlv_bytes()?,
            validity: Times::decode(reader)?,
            subject: reader.tlv_bytes()?,
            public_key: reader.tlv_bytes()?,
            extensions: read_extensions(reader)?,
        })
    }
}

/// The extensions, past the unique identifiers that nobody uses (RFC 5280 section 4.1.2.8).
pub(super) fn read_extensions<'a>(reader: &mut SliceReader<'a>) -> der::Result<Vec<ExtensionRef<'a>>> {
    for number in [1, 2] {
        let is_there = !reader.is_finished()
            && Tag::peek(reader)? == Tag::ContextSpecific { constructed: false, number: TagNumber(number) };
        if is_there {
            reader.tlv_bytes()?;
        }
    }
    let extensions = ContextSpecific::<Vec<ExtensionRef<'a>>>::decode_explicit(reader, TagNumber(3))?;
    Ok(extensions.map(|field| field.value).unwrap_or_default())
}

/// The serial number in to-be-signed bytes; `None` if they are not a certificate's.
#[cfg(feature = "simulation")]
pub(crate) fn serial_of_tbs(bytes: &[u8]) -> Option<Serial> {
    Serial::from_der_integer(TbsParts::from_der(bytes).ok()?.serial_number.as_bytes()).ok()
}

impl TbsView {
    /// Reads to-be-signed bytes that are meant for `key`.
    ///
    /// # Errors
    /// Bytes that are no `TBSCertificate`, or that hold another key.
    pub(crate) fn from_der(bytes: &[u8], key: &PublicKey) -> Result<Self, CertificateError> {
        let parts = TbsParts::from_der(bytes).map_err(malformed)?;
        if parts.public_key != key.spki_der() {
            return Err(CertificateError::Malformed { reason: "the bytes hold another key".into() });
        }
        Self::read(&parts, key)
    }

    pub(super) fn read(parts: &TbsParts<'_>, key: &PublicKey) -> Result<Self, CertificateError> {
        let extensions = Extensions::read(&parts.extensions)?;
        let signature_algorithm = SignatureAlgorithm::from_identifier(parts.signature)
            .ok_or_else(|| CertificateError::SignatureAlgorithm { oid: parts.signature.oid.to_string() })?;
        let content = Content {
            subject: Subject::from_der(parts.subject)?,
            sans: extensions.sans,
            key_algorithm: key.algorithm(),
            signature_algorithm,
            validity: Validity::from_times(&parts.validity.not_before, &parts.validity.not_after)?,
            key_usages: extensions.key_usages,
            extended_key_usages: extensions.extended_key_usages,
            basic_constraints: extensions.basic_constraints.unwrap_or_default(),
        };
        Ok(Self {
            content,
            serial: Serial::from_der_integer(parts.serial_number.as_bytes())?,
            issuer_der: parts.issuer.to_vec(),
            subject_der: parts.subject.to_vec(),
            key_identifier: extensions.key_identifier,
            authority_key_identifier: extensions.authority_key_identifier,
            crl_urls: extensions.crl_urls,
            ocsp_urls: extensions.ocsp_urls,
            ca_issuers_urls: extensions.ca_issuers_urls,
            unknown: extensions.unknown,
        })
    }
}
