//! The Online Certificate Status Protocol: requests read, responses built (RFC 6960, RFC 5019, RFC 8954).

use const_oid::ObjectIdentifier;
use const_oid::db::rfc6960::ID_PKIX_OCSP_NONCE;
use der::asn1::{AnyRef, IntRef, OctetStringRef};
use der::{Decode, Encode, Reader, SliceReader, Tag, TagNumber, Tagged};
use spki::AlgorithmIdentifierRef;
use time::OffsetDateTime;

use super::encode::{enclose, push};
use super::envelope;
use super::extensions::ExtensionRef;
use super::validity::generalized_time;
use super::{Certificate, PublicKey, RevocationReason, Serial, SignatureAlgorithm};
use crate::crypto;

/// Largest request that is read, in bytes of DER.
pub const MAX_OCSP_REQUEST_BYTES: usize = 16 * 1024;
/// Most certificates that one request may ask for.
pub const MAX_OCSP_CERTIFICATES: usize = 32;

const SHA_1: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.14.3.2.26");
const SHA_256: ObjectIdentifier = const_oid::db::rfc5912::ID_SHA_256;
const ID_PKIX_OCSP_BASIC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1.1");

/// Why bytes are not a request that can be answered; the answer is `malformedRequest`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the OCSP request can not be read: {reason}")]
pub struct OcspRequestError {
    /// What is wrong with it.
    pub reason: String,
}

/// An OCSP request (RFC 6960 section 4.1). A signature on it is not looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OcspRequest {
    certificates: Vec<CertId>,
    nonce: Option<Vec<u8>>,
}

/// Which certificate is asked for: hashes of its issuer's name and key, and its serial number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertId {
    der: Vec<u8>,
    name_hash: Vec<u8>,
    key_hash: Vec<u8>,
    is_known_hash: bool,
    is_plain: bool,
    serial: Option<Serial>,
}

impl CertId {
    /// Reads a DER `CertID`.
    pub(crate) fn from_der(der: &[u8]) -> Result<Self, OcspRequestError> {
        let read = || {
            let single = enclose(Tag::Sequence, der)?;
            let mut reader = SliceReader::new(&single)?;
            let id = reader.sequence(read_single)?;
            reader.finish().map(|()| id)
        };
        read().map_err(|error: der::Error| refused(error.to_string()))
    }

    /// The DER `CertID`, as it stood in the request.
    pub(crate) fn der(&self) -> &[u8] {
        &self.der
    }

    /// The hash of the issuer's key, if it is SHA-1 or SHA-256.
    pub(crate) fn key_hash(&self) -> Option<&[u8]> {
        self.is_known_hash.then_some(&*self.key_hash)
    }

    /// The serial number; `None` for one that RFC 5280 does not permit, and that was never given out.
    pub fn serial(&self) -> Option<&Serial> {
        self.serial.as_ref()
    }

    /// Whether nothing in it can be varied at will, so that there are few that mean the same.
    pub(crate) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Whether it means a certificate of `issuer`.
    pub(crate) fn is_below(&self, issuer: &Certificate) -> bool {
        let key = issuer.public_key().subject_public_key();
        let hash: fn(&[u8]) -> Vec<u8> = match self.key_hash.len() {
            20 => |data| crypto::sha1(data).to_vec(),
            _ => |data| crypto::sha256(data).to_vec(),
        };
        self.is_known_hash && self.key_hash == hash(key) && self.name_hash == hash(issuer.subject_der())
    }
}

impl OcspRequest {
    /// Reads one DER request.
    ///
    /// # Errors
    /// More than [`MAX_OCSP_REQUEST_BYTES`] or [`MAX_OCSP_CERTIFICATES`], no certificate, a nonce of 0 or more than 32
    /// octets (RFC 8954), a critical extension, or bytes that are no request.
    pub fn from_der(der: &[u8]) -> Result<Self, OcspRequestError> {
        if der.len() > MAX_OCSP_REQUEST_BYTES {
            return Err(refused(format!("it has {} bytes; accepted are at most {MAX_OCSP_REQUEST_BYTES}", der.len())));
        }
        let fields = read_request(der).map_err(|error| refused(error.to_string()))?;
        if fields.requests.is_empty() || fields.requests.len() > MAX_OCSP_CERTIFICATES {
            let count = fields.requests.len();
            return Err(refused(format!(
                "it asks for {count} certificates; accepted are 1 to {MAX_OCSP_CERTIFICATES}"
            )));
        }
        let nonce = nonce(&fields.extensions)?;
        Ok(Self { certificates: fields.requests, nonce })
    }

    /// The certificates that are asked for, at least one.
    pub fn certificates(&self) -> &[CertId] {
        &self.certificates
    }

    /// The nonce, 1 to 32 octets.
    pub fn nonce(&self) -> Option<&[u8]> {
        self.nonce.as_deref()
    }
}

struct RequestFields<'a> {
    requests: Vec<CertId>,
    extensions: Vec<ExtensionRef<'a>>,
}

fn read_request(der: &[u8]) -> der::Result<RequestFields<'_>> {
    let mut reader = SliceReader::new(der)?;
    let fields = reader.sequence(|outer| {
        let fields = outer.sequence(read_tbs)?;
        // optionalSignature: nobody is asked who they are.
        if !outer.is_finished() {
            AnyRef::decode(outer)?.tag().assert_eq(explicit(0))?;
        }
        Ok::<_, der::Error>(fields)
    })?;
    reader.finish()?;
    Ok(fields)
}

fn read_tbs<'a>(reader: &mut SliceReader<'a>) -> der::Result<RequestFields<'a>> {
    for number in [0, 1] {
        // version and requestorName
        if Tag::peek(reader)? == explicit(number) {
            reader.tlv_bytes()?;
        }
    }
    let list = AnyRef::decode(reader)?;
    list.tag().assert_eq(Tag::Sequence)?;
    let mut requests = Vec::new();
    if !list.value().is_empty() {
        let mut items = SliceReader::new(list.value())?;
        while !items.is_finished() && requests.len() <= MAX_OCSP_CERTIFICATES {
            requests.push(items.sequence(read_single)?);
        }
    }
    let extensions = read_extensions(reader, 2)?;
    Ok(RequestFields { requests, extensions })
}

fn read_single(reader: &mut SliceReader<'_>) -> der::Result<CertId> {
    let der = reader.tlv_bytes()?;
    let critical = read_extensions(reader, 0)?.iter().any(|extension| extension.critical);
    if critical {
        return Err(Tag::Sequence.value_error().into());
    }
    let mut whole = SliceReader::new(der)?;
    whole.sequence(|inner| {
        let algorithm = AlgorithmIdentifierRef::decode(inner)?;
        let name_hash = <&OctetStringRef>::decode(inner)?.as_bytes().to_vec();
        let key_hash = <&OctetStringRef>::decode(inner)?.as_bytes().to_vec();
        let serial = IntRef::decode(inner)?;
        let length = match algorithm.oid {
            SHA_1 => 20,
            SHA_256 => 32,
            _ => 0,
        };
        Ok::<_, der::Error>(CertId {
            der: der.to_vec(),
            is_plain: algorithm.parameters.is_none_or(|parameters| parameters == AnyRef::NULL),
            is_known_hash: length > 0 && name_hash.len() == length && key_hash.len() == length,
            name_hash,
            key_hash,
            serial: Serial::from_der_integer(serial.as_bytes()).ok(),
        })
    })
}

fn read_extensions<'a>(reader: &mut SliceReader<'a>, number: u32) -> der::Result<Vec<ExtensionRef<'a>>> {
    if reader.is_finished() {
        return Ok(Vec::new());
    }
    let field = AnyRef::decode(reader)?;
    field.tag().assert_eq(explicit(number))?;
    Vec::from_der(field.value())
}

fn nonce(extensions: &[ExtensionRef<'_>]) -> Result<Option<Vec<u8>>, OcspRequestError> {
    let mut nonce = None;
    for extension in extensions {
        if extension.oid != ID_PKIX_OCSP_NONCE {
            if extension.critical {
                return Err(refused(format!("the critical extension {} is not known", extension.oid)));
            }
            continue;
        }
        let octets = <&OctetStringRef>::from_der(extension.value.as_bytes());
        let octets = octets.map_err(|error| refused(error.to_string()))?.as_bytes();
        if octets.is_empty() || octets.len() > 32 || nonce.is_some() {
            return Err(refused(format!("a nonce of {} octets; accepted is one of 1 to 32 (RFC 8954)", octets.len())));
        }
        nonce = Some(octets.to_vec());
    }
    Ok(nonce)
}

fn refused(reason: String) -> OcspRequestError {
    OcspRequestError { reason }
}

const fn explicit(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

const fn implicit(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// How a certificate stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OcspStatus {
    /// It was issued and is not revoked.
    Good,
    Revoked {
        reason: RevocationReason,
        at: OffsetDateTime,
    },
    /// It was never issued.
    Unknown,
}

/// What a response says about one certificate.
#[derive(Debug)]
pub(crate) struct SingleResponse<'a> {
    pub(crate) id: &'a CertId,
    pub(crate) status: OcspStatus,
}

/// What a response says beside that.
#[derive(Debug)]
pub(crate) struct ResponseHead<'a> {
    pub(crate) responder: &'a PublicKey,
    pub(crate) this_update: OffsetDateTime,
    pub(crate) next_update: OffsetDateTime,
    pub(crate) nonce: Option<&'a [u8]>,
}

/// The DER `ResponseData`, to be signed.
pub(crate) fn build(head: &ResponseHead<'_>, responses: &[SingleResponse<'_>]) -> der::Result<Vec<u8>> {
    let key_hash = crypto::sha1(head.responder.subject_public_key());
    let mut body = Vec::with_capacity(256);
    push(&mut body, explicit(2), &enclose(Tag::OctetString, &key_hash)?)?;
    let produced_at = generalized_time(head.this_update)?.to_der()?;
    body.extend_from_slice(&produced_at);
    let mut list = Vec::new();
    for response in responses {
        let mut fields = response.id.der().to_vec();
        push_status(&mut fields, response.status)?;
        fields.extend_from_slice(&produced_at);
        push(&mut fields, explicit(0), &generalized_time(head.next_update)?.to_der()?)?;
        push(&mut list, Tag::Sequence, &fields)?;
    }
    push(&mut body, Tag::Sequence, &list)?;
    if let Some(nonce) = head.nonce {
        let mut extension = ID_PKIX_OCSP_NONCE.to_der()?;
        push(&mut extension, Tag::OctetString, &enclose(Tag::OctetString, nonce)?)?;
        let extensions = enclose(Tag::Sequence, &enclose(Tag::Sequence, &extension)?)?;
        push(&mut body, explicit(1), &extensions)?;
    }
    enclose(Tag::Sequence, &body)
}

fn push_status(to: &mut Vec<u8>, status: OcspStatus) -> der::Result<()> {
    match status {
        OcspStatus::Good => push(to, implicit(0), &[]),
        OcspStatus::Unknown => push(to, implicit(2), &[]),
        OcspStatus::Revoked { reason, at } => {
            let mut info = generalized_time(at)?.to_der()?;
            if reason != RevocationReason::Unspecified {
                push(&mut info, explicit(0), &enclose(Tag::Enumerated, &[reason.code()])?)?;
            }
            push(to, explicit(1), &info)
        }
    }
}

/// The whole `OCSPResponse` around signed `ResponseData`; `responder` is the certificate of a delegated responder.
pub(crate) fn seal(
    data: &[u8],
    algorithm: SignatureAlgorithm,
    signature: &[u8],
    responder: Option<&[u8]>,
) -> der::Result<Vec<u8>> {
    let basic = envelope::seal(data, algorithm, signature)?;
    let basic = match responder {
        None => basic,
        Some(certificate) => {
            let certificates = enclose(explicit(0), &enclose(Tag::Sequence, certificate)?)?;
            let mut content = AnyRef::from_der(&basic)?.value().to_vec();
            content.extend_from_slice(&certificates);
            enclose(Tag::Sequence, &content)?
        }
    };
    let mut bytes = ID_PKIX_OCSP_BASIC.to_der()?;
    push(&mut bytes, Tag::OctetString, &basic)?;
    let mut response = enclose(Tag::Enumerated, &[0])?;
    push(&mut response, explicit(0), &enclose(Tag::Sequence, &bytes)?)?;
    enclose(Tag::Sequence, &response)
}

/// Why there is no status (RFC 6960 section 4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OcspFailure {
    MalformedRequest,
    InternalError,
    TryLater,
    Unauthorized,
}

impl OcspFailure {
    /// The whole `OCSPResponse`, which is not signed.
    pub(crate) fn to_der(self) -> Vec<u8> {
        let status = match self {
            Self::MalformedRequest => 1,
            Self::InternalError => 2,
            Self::TryLater => 3,
            Self::Unauthorized => 6,
        };
        vec![0x30, 3, 0x0a, 1, status]
    }
}

#[cfg(test)]
#[path = "ocsp_tests.rs"]
mod tests;
