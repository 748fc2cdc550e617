//! Certificate requests (PKCS#10, RFC 2986) that have proved possession of their key.

use const_oid::ObjectIdentifier;
use const_oid::db::rfc5912::ID_EXTENSION_REQ;
use der::asn1::AnyRef;
use der::{Decode, Reader, Sequence, SliceReader, Tag, TagNumber, Tagged};

use super::envelope::Envelope;
use super::extensions::{ExtensionRef, Extensions};
use super::{
    BasicConstraints, ExtendedKeyUsage, InvalidValue, KeyRefusal, KeyUsages, PublicKey, San, SignatureAlgorithm,
    Subject, UnknownExtension, pem,
};
use crate::crypto;

/// Largest request that is looked at, in bytes of PEM or DER.
pub const MAX_CSR_BYTES: usize = 64 * 1024;

const PEM_LABELS: [&str; 2] = ["CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST"];

/// A certificate request whose signature proves possession of the private key and whose key is fit for use.
///
/// There is no way to hold one that did not prove it.
#[derive(Clone, Debug)]
pub struct Csr {
    subject: Subject,
    public_key: PublicKey,
    extensions: RequestedExtensions,
    der: Vec<u8>,
}

/// The extensions that a request asks for; empty and `None` where it asks for none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RequestedExtensions {
    /// The subject alternative names.
    pub sans: Vec<San>,
    /// The key usages.
    pub key_usages: KeyUsages,
    /// The extended key usages.
    pub extended_key_usages: Vec<ExtendedKeyUsage>,
    /// The basic constraints.
    pub basic_constraints: Option<BasicConstraints>,
    /// Extensions that the crate does not know and never copies.
    pub unknown: Vec<UnknownExtension>,
}

/// Why a certificate request was refused before any policy saw it: every reason that could be found.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the certificate request is refused: {}", reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
pub struct CsrError {
    /// The reasons, at least one.
    pub reasons: Vec<CsrRefusal>,
}

/// One reason why a certificate request is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CsrRefusal {
    /// It is larger than [`MAX_CSR_BYTES`].
    #[error("it has {bytes} bytes; accepted are at most {MAX_CSR_BYTES}")]
    TooLarge {
        /// The size seen.
        bytes: usize,
    },
    /// It is not one PEM block or DER structure of RFC 2986.
    #[error("it can not be read: {reason}; accepted is one PKCS#10 request in PEM or DER")]
    Malformed {
        /// What the decoder stumbled over.
        reason: String,
    },
    /// Its public key is of no use.
    #[error("publicKey: {0}")]
    Key(#[from] KeyRefusal),
    /// It is signed with an algorithm that the crate does not accept, or that does not fit the key.
    #[error("signatureAlgorithm: {oid} is not accepted with this key")]
    SignatureAlgorithm {
        /// The object identifier seen.
        oid: String,
    },
    /// Its signature does not verify under its own key: no proof of possession.
    #[error("signature: it does not verify under the request's own key (no proof of possession)")]
    ProofOfPossession,
    /// Its subject or a known extension holds what can not be issued.
    #[error(transparent)]
    Value(#[from] InvalidValue),
}

impl From<CsrRefusal> for CsrError {
    fn from(reason: CsrRefusal) -> Self {
        Self { reasons: vec![reason] }
    }
}

impl Csr {
    /// Reads a request from PEM or DER and verifies its proof of possession.
    ///
    /// # Errors
    /// Every reason found: size, syntax, key, proof of possession, names and extensions that can not be read.
    pub fn parse(bytes: &[u8]) -> Result<Self, CsrError> {
        if bytes.len() > MAX_CSR_BYTES {
            return Err(CsrRefusal::TooLarge { bytes: bytes.len() }.into());
        }
        Self::from_der(&to_der(bytes)?)
    }

    fn from_der(der: &[u8]) -> Result<Self, CsrError> {
        let envelope = Envelope::from_der(der).map_err(malformed)?;
        let info = RequestInfo::from_der(envelope.body).map_err(malformed)?;
        let mut reasons = Vec::new();
        let subject = keep(Subject::from_der(info.subject), &mut reasons);
        let extensions = keep(requested_extensions(&info.attributes), &mut reasons);
        let public_key = keep(prove_possession(&envelope, &info), &mut reasons);
        match (subject, extensions, public_key) {
            (Some(subject), Some(extensions), Some(public_key)) => {
                Ok(Self { subject, public_key, extensions, der: der.to_vec() })
            }
            _ => Err(CsrError { reasons }),
        }
    }

    /// The subject asked for; may be empty.
    pub fn subject(&self) -> &Subject {
        &self.subject
    }

    /// The key whose possession was proved.
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    /// The extensions asked for.
    pub fn extensions(&self) -> &RequestedExtensions {
        &self.extensions
    }

    /// The request's DER.
    pub fn der(&self) -> &[u8] {
        &self.der
    }
}

fn keep<T, E: Into<CsrRefusal>>(result: Result<T, E>, reasons: &mut Vec<CsrRefusal>) -> Option<T> {
    result.map_err(|reason| reasons.push(reason.into())).ok()
}

fn malformed(error: der::Error) -> CsrRefusal {
    CsrRefusal::Malformed { reason: error.to_string() }
}

fn to_der(bytes: &[u8]) -> Result<Vec<u8>, CsrRefusal> {
    let is_der = bytes.first() == Some(&0x30);
    if is_der {
        return Ok(bytes.to_vec());
    }
    let unreadable = |reason: String| CsrRefusal::Malformed { reason };
    let text = std::str::from_utf8(bytes).map_err(|error| unreadable(error.to_string()))?;
    let present = |label: &&str| text.contains(&format!("BEGIN {label}-"));
    let labels: Vec<&str> = PEM_LABELS.into_iter().filter(present).collect();
    let mut blocks = Vec::new();
    // With no label in sight the decoder says what is missing.
    for label in if labels.is_empty() { vec![PEM_LABELS[0]] } else { labels } {
        blocks.extend(pem::decode_all(text, label, MAX_CSR_BYTES).map_err(|error| unreadable(error.to_string()))?);
    }
    match (blocks.pop(), blocks.len()) {
        (Some(der), 0) => Ok(der),
        (_, others) => Err(unreadable(format!("{others} further PEM blocks"))),
    }
}

/// The parts of a `CertificationRequestInfo` (RFC 2986 section 4.1), names and key as they stand there.
struct RequestInfo<'a> {
    subject: &'a [u8],
    public_key: &'a [u8],
    attributes: Vec<AttributeRef<'a>>,
}

#[derive(Sequence)]
struct AttributeRef<'a> {
    oid: ObjectIdentifier,
    values: AnyRef<'a>,
}

impl<'a> RequestInfo<'a> {
    fn from_der(bytes: &'a [u8]) -> der::Result<Self> {
        let mut reader = SliceReader::new(bytes)?;
        let info = reader.sequence(Self::read)?;
        reader.finish()?;
        Ok(info)
    }

    fn read(reader: &mut SliceReader<'a>) -> der::Result<Self> {
        if u8::decode(reader)? != 0 {
            return Err(Tag::Integer.value_error().into());
        }
        let (subject, public_key) = (reader.tlv_bytes()?, reader.tlv_bytes()?);
        let field = AnyRef::decode(reader)?;
        field.tag().assert_eq(ATTRIBUTES)?;
        let mut list = SliceReader::new(field.value())?;
        let mut attributes = Vec::new();
        while !list.is_finished() {
            attributes.push(AttributeRef::decode(&mut list)?);
        }
        Ok(Self { subject, public_key, attributes })
    }
}

const ATTRIBUTES: Tag = Tag::ContextSpecific { constructed: true, number: TagNumber(0) };

fn prove_possession(envelope: &Envelope<'_>, info: &RequestInfo<'_>) -> Result<PublicKey, CsrRefusal> {
    let key = PublicKey::from_spki_der(info.public_key)?;
    let algorithm = SignatureAlgorithm::from_identifier(envelope.algorithm)
        .filter(|algorithm| algorithm.fits(key.algorithm()))
        .ok_or_else(|| CsrRefusal::SignatureAlgorithm { oid: envelope.algorithm.oid.to_string() })?;
    crypto::verify(&key, algorithm, envelope.body, envelope.signature).map_err(|_| CsrRefusal::ProofOfPossession)?;
    Ok(key)
}

/// The `extensionRequest` attribute (RFC 2985 section 5.4.2), of which there may be one, with one value.
fn requested_extensions(attributes: &[AttributeRef<'_>]) -> Result<RequestedExtensions, InvalidValue> {
    let accepted = "one extensionRequest attribute with one value (RFC 2985 section 5.4.2)";
    let refuse = |seen: String| InvalidValue::new("extensionRequest", seen, accepted);
    let mut asking = attributes.iter().filter(|attribute| attribute.oid == ID_EXTENSION_REQ);
    let Some(attribute) = asking.next() else { return Ok(RequestedExtensions::default()) };
    if asking.next().is_some() {
        return Err(refuse("several attributes".to_owned()));
    }
    let list = only_value(attribute).map_err(|error| refuse(error.to_string()))?;
    let read = Extensions::read(&list)?;
    Ok(RequestedExtensions {
        sans: read.sans,
        key_usages: read.key_usages,
        extended_key_usages: read.extended_key_usages,
        basic_constraints: read.basic_constraints,
        unknown: read.unknown,
    })
}

fn only_value<'a>(attribute: &AttributeRef<'a>) -> der::Result<Vec<ExtensionRef<'a>>> {
    attribute.values.tag().assert_eq(Tag::Set)?;
    let mut set = SliceReader::new(attribute.values.value())?;
    let list = Vec::<ExtensionRef<'a>>::decode(&mut set)?;
    set.finish()?;
    Ok(list)
}
