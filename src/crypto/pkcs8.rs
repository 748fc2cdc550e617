//! PKCS#8 documents (RFC 5958) as both backends read and write them.

use ::pkcs8::{PrivateKeyInfoRef, SecretDocument};
use der::asn1::{ContextSpecific, OctetStringRef};
use der::{Decode, Reader, SliceReader, Tag, TagNumber};
use zeroize::Zeroizing;

use super::CryptoError;
use crate::x509::KeyAlgorithm;
use crate::x509::public_key::{Family, family, header, identifier_der, rsa_algorithm};

/// The longest document that is read, in bytes. An ML-DSA-87 key in both forms takes 4988.
const MAX_DOCUMENT: usize = 8192;

const SEED_TAG: TagNumber = TagNumber(0);

/// A PKCS#8 document whose algorithm is told and supported.
pub(crate) struct Document<'a> {
    /// The algorithm and size of its key.
    pub(super) algorithm: KeyAlgorithm,
    /// The private half.
    pub(super) secret: Secret<'a>,
    /// The content of the public half that a version 2 document states.
    pub(super) public: Option<&'a [u8]>,
}

/// The private half, in the shape that the backends take it.
pub(crate) enum Secret<'a> {
    /// RSA and elliptic curves: the document without attributes and public half, for AWS-LC refuses those.
    Whole(Zeroizing<Vec<u8>>),
    /// Ed25519 and ML-DSA: the seed of 32 octets, and the expanded key that an ML-DSA document may state beside it.
    Seed(&'a [u8; 32], Option<&'a [u8]>),
}

impl<'a> Document<'a> {
    /// Tells what key a document holds, without looking whether the key is sound.
    pub(super) fn read(der: &'a [u8]) -> Result<Self, CryptoError> {
        if der.len() > MAX_DOCUMENT {
            return Err(CryptoError::Malformed);
        }
        let info = PrivateKeyInfoRef::from_der(der).map_err(|_| CryptoError::Malformed)?;
        let inner = info.private_key.as_bytes();
        let (algorithm, secret) = match family(&info.algorithm)? {
            Family::Rsa => (rsa_size(inner)?, whole(&info)?),
            Family::Sized(algorithm) if algorithm.is_ec() => (algorithm, whole(&info)?),
            Family::Sized(KeyAlgorithm::Ed25519) => (KeyAlgorithm::Ed25519, ed25519_seed(inner)?),
            Family::Sized(algorithm) => (algorithm, ml_dsa_seed(algorithm, inner)?),
        };
        let public = info.public_key.map(|bits| bits.as_bytes().ok_or(CryptoError::Malformed)).transpose()?;
        Ok(Self { algorithm, secret, public })
    }

    /// What the backends answer to a key that they do not accept.
    pub(super) fn inconsistent(&self) -> CryptoError {
        CryptoError::Inconsistent { algorithm: self.algorithm }
    }
}

fn whole<'a>(info: &PrivateKeyInfoRef<'a>) -> Result<Secret<'a>, CryptoError> {
    let plain = PrivateKeyInfoRef::new(info.algorithm, info.private_key);
    let document = SecretDocument::encode_msg(&plain).map_err(|_| CryptoError::Malformed)?;
    Ok(Secret::Whole(document.to_bytes()))
}

fn rsa_size(inner: &[u8]) -> Result<KeyAlgorithm, CryptoError> {
    let key = rsa::pkcs1::RsaPrivateKeyRef::from_der(inner).map_err(|_| CryptoError::Malformed)?;
    let modulus = key.modulus.as_bytes();
    let leading = modulus.first().map_or(0, |first| first.leading_zeros());
    Ok(rsa_algorithm((modulus.len() as u32 * 8).saturating_sub(leading))?)
}

/// `CurvePrivateKey ::= OCTET STRING` (RFC 8410 section 7).
fn ed25519_seed(inner: &[u8]) -> Result<Secret<'_>, CryptoError> {
    let seed = <&OctetStringRef>::from_der(inner).ok().and_then(|octets| octets.as_bytes().try_into().ok());
    Ok(Secret::Seed(seed.ok_or(CryptoError::Malformed)?, None))
}

/// `CHOICE { seed [0] OCTET STRING, expandedKey OCTET STRING, both SEQUENCE { seed, expandedKey } }` (RFC 9881 section 6).
fn ml_dsa_seed(algorithm: KeyAlgorithm, inner: &[u8]) -> Result<Secret<'_>, CryptoError> {
    let tag = SliceReader::new(inner).and_then(|reader| Tag::peek(&reader)).map_err(|_| CryptoError::Malformed)?;
    let read = match tag {
        Tag::OctetString => return Err(CryptoError::SeedMissing { algorithm }),
        Tag::Sequence => seed_and_expanded(inner).map(|(seed, expanded)| (seed, Some(expanded))),
        _ => seed_only(inner).map(|seed| (seed, None)),
    };
    let (seed, expanded) = read.map_err(|_| CryptoError::Malformed)?;
    Ok(Secret::Seed(seed.as_bytes().try_into().map_err(|_| CryptoError::Malformed)?, expanded))
}

fn seed_only(inner: &[u8]) -> der::Result<&OctetStringRef> {
    let mut reader = SliceReader::new(inner)?;
    let seed = ContextSpecific::<&OctetStringRef>::decode_implicit(&mut reader, SEED_TAG)?;
    reader.finish()?;
    seed.map(|seed| seed.value).ok_or_else(|| Tag::OctetString.value_error().into())
}

fn seed_and_expanded(inner: &[u8]) -> der::Result<(&OctetStringRef, &[u8])> {
    let mut reader = SliceReader::new(inner)?;
    let both = reader.sequence(|inner| {
        Ok::<_, der::Error>((<&OctetStringRef>::decode(inner)?, <&OctetStringRef>::decode(inner)?.as_bytes()))
    })?;
    reader.finish()?;
    Ok(both)
}

/// Writes an elliptic curve key: `ECPrivateKey` without the parameters that the document names already (RFC 5915).
///
/// Built by hand, for that takes a sixth of the time of AWS-LC's own export (0.7 against 3.8 µs).
pub(super) fn write_ec(algorithm: KeyAlgorithm, scalar: &[u8], point: &[u8]) -> Zeroizing<Vec<u8>> {
    let bits = header(0x03, point.len() + 1);
    let public = header(0xa1, bits.len() + 1 + point.len());
    let octets = header(0x04, scalar.len());
    let length = 3 + octets.len() + scalar.len() + public.len() + bits.len() + 1 + point.len();
    let sequence = header(0x30, length);
    write(algorithm, &[&sequence, b"\x02\x01\x01", &octets, scalar, &public, &bits, &[0], point])
}

/// Writes an Ed25519 (RFC 8410 section 7) or ML-DSA (RFC 9881 section 6) key as its seed.
pub(super) fn write_seed(algorithm: KeyAlgorithm, seed: &[u8]) -> Zeroizing<Vec<u8>> {
    let tag = if algorithm == KeyAlgorithm::Ed25519 { 0x04 } else { 0x80 };
    write(algorithm, &[&header(tag, seed.len()), seed])
}

fn write(algorithm: KeyAlgorithm, parts: &[&[u8]]) -> Zeroizing<Vec<u8>> {
    let inner: usize = parts.iter().map(|part| part.len()).sum();
    let (identifier, octets) = (identifier_der(algorithm), header(0x04, inner));
    let length = 3 + identifier.len() + octets.len() + inner;
    let outer = header(0x30, length);
    // Never grows, so that no copy of the secret is left behind.
    let mut document = Zeroizing::new(Vec::with_capacity(outer.len() + length));
    for part in [&outer, &b"\x02\x01\x00"[..], identifier, &octets].into_iter().chain(parts.iter().copied()) {
        document.extend_from_slice(part);
    }
    document
}
