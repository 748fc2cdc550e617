//! Public keys as values: read strictly, compared, identified.

use std::fmt;
use std::sync::Arc;

use const_oid::ObjectIdentifier;
use const_oid::db::{fips204, rfc5912, rfc8410};
use der::asn1::{AnyRef, UintRef};
use der::{Decode, Reader, SliceReader, Tag, Tagged};
use spki::{AlgorithmIdentifierRef, SubjectPublicKeyInfoRef};

use super::weak_key;
use super::{KeyAlgorithm, KeyRefusal};

/// The longest `SubjectPublicKeyInfo` that is read, in bytes. ML-DSA-87 takes 2614.
const MAX_SPKI: usize = 4096;

/// A public key: its algorithm and its DER `SubjectPublicKeyInfo` (RFC 5280 section 4.1.2.7).
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PublicKey {
    algorithm: KeyAlgorithm,
    spki: Arc<[u8]>,
    key_at: usize,
}

impl PublicKey {
    /// Reads a DER `SubjectPublicKeyInfo` and judges the key inside: algorithm and parameters, size, point on its curve,
    /// and for RSA the exponent and the known signs of a weak modulus.
    ///
    /// A list of [blocked keys](super::BlockedKeys) is a matter of policy and is asked separately.
    ///
    /// RSA exponents of more than 33 bits are accepted here as RFC 5280 and FIPS 186-5 allow them, but no signature
    /// verifies under them: the backends refuse them as a means of denial of service.
    ///
    /// # Errors
    ///
    /// The first reason why the key is refused.
    pub fn from_spki_der(der: &[u8]) -> Result<Self, KeyRefusal> {
        if der.len() > MAX_SPKI {
            return Err(KeyRefusal::TooLong { seen: der.len(), max: MAX_SPKI });
        }
        let spki = SubjectPublicKeyInfoRef::from_der(der).map_err(|_| KeyRefusal::Malformed)?;
        let bits = spki.subject_public_key.as_bytes().ok_or(KeyRefusal::Malformed)?;
        let algorithm = judge(&spki.algorithm, bits)?;
        Ok(Self { algorithm, spki: der.into(), key_at: der.len() - bits.len() })
    }

    /// The key's algorithm and size.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.algorithm
    }

    /// The DER `SubjectPublicKeyInfo`.
    pub fn spki_der(&self) -> &[u8] {
        &self.spki
    }

    /// The content of the `subjectPublicKey` bit string: an `RSAPublicKey`, an uncompressed point, or raw octets.
    pub(crate) fn subject_public_key(&self) -> &[u8] {
        &self.spki[self.key_at..]
    }

    /// The key identifier: the leftmost 160 bits of the SHA-256 of the `subjectPublicKey` bit string
    /// (RFC 7093 section 2 method 1, for the extensions of RFC 5280 sections 4.2.1.1 and 4.2.1.2).
    pub fn key_identifier(&self) -> [u8; 20] {
        let mut identifier = [0; 20];
        identifier.copy_from_slice(&crate::crypto::sha256(self.subject_public_key())[..20]);
        identifier
    }

    /// The SHA-256 digest of the DER `SubjectPublicKeyInfo`.
    pub fn fingerprint(&self) -> [u8; 32] {
        crate::crypto::sha256(&self.spki)
    }

    /// Wraps the content of a `subjectPublicKey` bit string that the crate's own backends made.
    pub(crate) fn from_subject_public_key(algorithm: KeyAlgorithm, bits: &[u8]) -> Self {
        let identifier = identifier_der(algorithm);
        let string = header(0x03, bits.len() + 1);
        let outer = header(0x30, identifier.len() + string.len() + 1 + bits.len());
        let spki: Arc<[u8]> = [&*outer, identifier, &*string, &[0], bits].concat().into();
        Self { algorithm, key_at: spki.len() - bits.len(), spki }
    }
}

impl TryFrom<&[u8]> for PublicKey {
    type Error = KeyRefusal;

    fn try_from(spki_der: &[u8]) -> Result<Self, Self::Error> {
        Self::from_spki_der(spki_der)
    }
}

impl AsRef<[u8]> for PublicKey {
    fn as_ref(&self) -> &[u8] {
        &self.spki
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.algorithm)
    }
}

/// The accepted RSA size that a modulus of so many bits has, if it has one.
pub(crate) fn rsa_algorithm(modulus_bits: u32) -> Result<KeyAlgorithm, KeyRefusal> {
    match modulus_bits {
        2048 => Ok(KeyAlgorithm::Rsa2048),
        3072 => Ok(KeyAlgorithm::Rsa3072),
        4096 => Ok(KeyAlgorithm::Rsa4096),
        bits => Err(KeyRefusal::RsaModulusSize { bits }),
    }
}

/// What an `AlgorithmIdentifier` of a key says: the size of an RSA key is not in it.
pub(crate) enum Family {
    Rsa,
    Sized(KeyAlgorithm),
}

/// Reads the `AlgorithmIdentifier` of a public or private key, strict about parameters.
pub(crate) fn family(identifier: &AlgorithmIdentifierRef<'_>) -> Result<Family, KeyRefusal> {
    let absent = |algorithm| parameterless(identifier, algorithm);
    match identifier.oid {
        rfc5912::RSA_ENCRYPTION if identifier.parameters == Some(AnyRef::NULL) => Ok(Family::Rsa),
        rfc5912::RSA_ENCRYPTION => Err(wrong_parameters(identifier.oid, "NULL")),
        rfc5912::ID_EC_PUBLIC_KEY => Ok(Family::Sized(curve(identifier.parameters)?)),
        rfc8410::ID_ED_25519 => absent(KeyAlgorithm::Ed25519),
        fips204::ID_ML_DSA_44 => absent(KeyAlgorithm::MlDsa44),
        fips204::ID_ML_DSA_65 => absent(KeyAlgorithm::MlDsa65),
        fips204::ID_ML_DSA_87 => absent(KeyAlgorithm::MlDsa87),
        oid => Err(KeyRefusal::UnsupportedAlgorithm { oid: oid.to_string() }),
    }
}

fn parameterless(identifier: &AlgorithmIdentifierRef<'_>, algorithm: KeyAlgorithm) -> Result<Family, KeyRefusal> {
    match identifier.parameters {
        None => Ok(Family::Sized(algorithm)),
        Some(_) => Err(wrong_parameters(identifier.oid, "absent")),
    }
}

fn wrong_parameters(oid: ObjectIdentifier, expected: &'static str) -> KeyRefusal {
    KeyRefusal::WrongParameters { oid: oid.to_string(), expected }
}

fn curve(parameters: Option<AnyRef<'_>>) -> Result<KeyAlgorithm, KeyRefusal> {
    let named = parameters.filter(|parameters| parameters.tag() == Tag::ObjectIdentifier);
    let oid: ObjectIdentifier =
        named.ok_or(KeyRefusal::UnnamedCurve)?.decode_as().map_err(|_| KeyRefusal::Malformed)?;
    match oid {
        rfc5912::SECP_256_R_1 => Ok(KeyAlgorithm::P256),
        rfc5912::SECP_384_R_1 => Ok(KeyAlgorithm::P384),
        rfc5912::SECP_521_R_1 => Ok(KeyAlgorithm::P521),
        oid => Err(KeyRefusal::UnsupportedCurve { oid: oid.to_string() }),
    }
}

fn judge(identifier: &AlgorithmIdentifierRef<'_>, bits: &[u8]) -> Result<KeyAlgorithm, KeyRefusal> {
    let algorithm = match family(identifier)? {
        Family::Rsa => return judge_rsa(bits),
        Family::Sized(algorithm) => algorithm,
    };
    match algorithm {
        KeyAlgorithm::P256 => judge_point(bits, 65, |point| p256::PublicKey::from_sec1_bytes(point).is_ok()),
        KeyAlgorithm::P384 => judge_point(bits, 97, |point| p384::PublicKey::from_sec1_bytes(point).is_ok()),
        KeyAlgorithm::P521 => judge_point(bits, 133, |point| p521::PublicKey::from_sec1_bytes(point).is_ok()),
        KeyAlgorithm::Ed25519 => judge_ed25519(bits),
        KeyAlgorithm::MlDsa44 => exactly(bits, 1312),
        KeyAlgorithm::MlDsa65 => exactly(bits, 1952),
        // Every string of this length is a key: FIPS 204 algorithm 23 decodes them all.
        _ => exactly(bits, 2592),
    }?;
    Ok(algorithm)
}

fn exactly(bits: &[u8], expected: usize) -> Result<(), KeyRefusal> {
    if bits.len() == expected { Ok(()) } else { Err(KeyRefusal::WrongLength { seen: bits.len(), expected }) }
}

fn judge_point(bits: &[u8], length: usize, on_curve: impl Fn(&[u8]) -> bool) -> Result<(), KeyRefusal> {
    match bits {
        [0] => return Err(KeyRefusal::IdentityPoint),
        [2 | 3, ..] if bits.len() == length / 2 + 1 => return Err(KeyRefusal::CompressedPoint),
        _ => exactly(bits, length)?,
    }
    match bits[0] {
        4 if on_curve(bits) => Ok(()),
        4 => Err(KeyRefusal::PointNotOnCurve),
        _ => Err(KeyRefusal::Malformed),
    }
}

fn judge_ed25519(bits: &[u8]) -> Result<(), KeyRefusal> {
    exactly(bits, 32)?;
    let point = ed25519_dalek::VerifyingKey::try_from(bits).map_err(|_| KeyRefusal::PointNotOnCurve)?;
    if point.is_weak() { Err(KeyRefusal::SmallOrderPoint) } else { Ok(()) }
}

fn judge_rsa(bits: &[u8]) -> Result<KeyAlgorithm, KeyRefusal> {
    let (modulus, exponent) = rsa_numbers(bits).map_err(|_| KeyRefusal::Malformed)?;
    let algorithm = rsa_algorithm(weak_key::bit_length(modulus))?;
    weak_key::check_exponent(exponent)?;
    weak_key::check_modulus(modulus)?;
    Ok(algorithm)
}

/// `RSAPublicKey ::= SEQUENCE { modulus INTEGER, publicExponent INTEGER }` (RFC 8017 appendix A.1.1).
pub(super) fn rsa_numbers(bits: &[u8]) -> der::Result<(&[u8], &[u8])> {
    let mut reader = SliceReader::new(bits)?;
    let numbers = reader.sequence(|inner| Ok::<_, der::Error>((UintRef::decode(inner)?, UintRef::decode(inner)?)))?;
    reader.finish()?;
    Ok((numbers.0.as_bytes(), numbers.1.as_bytes()))
}

/// The DER `AlgorithmIdentifier` of a key.
pub(crate) fn identifier_der(algorithm: KeyAlgorithm) -> &'static [u8] {
    match algorithm {
        KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
            b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00"
        }
        KeyAlgorithm::P256 => b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
        KeyAlgorithm::P384 => b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22",
        KeyAlgorithm::P521 => b"\x30\x10\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23",
        KeyAlgorithm::Ed25519 => b"\x30\x05\x06\x03\x2b\x65\x70",
        KeyAlgorithm::MlDsa44 => b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x11",
        KeyAlgorithm::MlDsa65 => b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x12",
        KeyAlgorithm::MlDsa87 => b"\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x03\x13",
    }
}

/// A DER tag and length (X.690 section 8.1), for contents below 64 KiB.
pub(crate) fn header(tag: u8, length: usize) -> Vec<u8> {
    let [.., high, low] = length.to_be_bytes();
    match length {
        0..0x80 => vec![tag, low],
        0x80..0x100 => vec![tag, 0x81, low],
        _ => vec![tag, 0x82, high, low],
    }
}

/// A DER INTEGER (X.690 section 8.3) of an unsigned number, at least one octet, with or without leading zeros.
pub(crate) fn unsigned(octets: &[u8]) -> Vec<u8> {
    let zeros = octets.iter().take_while(|octet| **octet == 0).count().min(octets.len().saturating_sub(1));
    let number = &octets[zeros..];
    let sign: &[u8] = if number.first().is_some_and(|first| first & 0x80 != 0) { &[0] } else { &[] };
    [&*header(0x02, sign.len() + number.len()), sign, number].concat()
}

#[cfg(test)]
#[path = "public_key_tests.rs"]
mod tests;
