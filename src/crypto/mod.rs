//! Software signing and verification behind one seam: AWS-LC on the hot path, RustCrypto without a C compiler.
//!
//! Randomness for keys and signatures comes from the backends' own generators, never from the crate's `Entropy`:
//! AWS-LC's DRBG (seeded and reseeded by itself), or the operating system's generator for RustCrypto.

#[cfg(feature = "aws-lc-rs")]
mod aws_lc;
#[cfg(feature = "acme")]
mod jws;
#[cfg(feature = "acme")]
mod mac;
mod pkcs8;
#[cfg(any(not(feature = "aws-lc-rs"), test))]
mod rustcrypto;
#[cfg(test)]
mod tests;

use std::fmt;

use zeroize::Zeroizing;

#[cfg(feature = "acme")]
pub(crate) use jws::verify_jws;
#[cfg(feature = "acme")]
pub(crate) use mac::{MacHash, hmac_sha256, verify_mac};

use crate::x509::{KeyAlgorithm, KeyRefusal, PublicKey, SignatureAlgorithm};

#[cfg(feature = "aws-lc-rs")]
type Chosen = aws_lc::Key;
#[cfg(not(feature = "aws-lc-rs"))]
type Chosen = rustcrypto::Key;

/// What a library of cryptography does for the crate: the private half as a value, verification beside it.
pub(crate) trait Backend: Sized + Send + Sync {
    /// A new key, RSA with the exponent 65537.
    fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError>;
    /// The key of a PKCS#8 document that is read already; checks that its parts fit each other.
    fn from_pkcs8(document: &pkcs8::Document<'_>) -> Result<Self, CryptoError>;
    /// The PKCS#8 document of the key.
    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError>;
    /// The content of the `subjectPublicKey` bit string.
    fn subject_public_key(&self) -> Result<Vec<u8>, CryptoError>;
    /// Signs with an algorithm that is one of the key's own.
    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, CryptoError>;
    /// Whether the signature is good; the algorithm fits the key.
    fn verify(key: &PublicKey, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool;
    /// SHA-256.
    fn sha256(data: &[u8]) -> [u8; 32];
}

/// A private key of the backend that the build's features choose.
pub(crate) type PrivateKey = PrivateKeyOf<Chosen>;

/// A private key in memory, with its public half at hand.
pub(crate) struct PrivateKeyOf<B> {
    key: B,
    public: PublicKey,
}

impl<B: Backend> PrivateKeyOf<B> {
    /// Makes a new key. RSA takes from a tenth of a second (2048 bits) to several seconds (4096 bits) of one core.
    pub(crate) fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError> {
        let key = B::generate(algorithm)?;
        let public = PublicKey::from_subject_public_key(algorithm, &key.subject_public_key()?);
        Ok(Self { key, public })
    }

    /// Reads an unencrypted PKCS#8 document, version 1 or 2 (RFC 5958), tells its algorithm, and validates the key as
    /// strictly as a stranger's public key.
    pub(crate) fn from_pkcs8_der(der: &[u8]) -> Result<Self, CryptoError> {
        let document = pkcs8::Document::read(der)?;
        let key = B::from_pkcs8(&document)?;
        let public = PublicKey::from_subject_public_key(document.algorithm, &key.subject_public_key()?);
        let public = PublicKey::from_spki_der(public.spki_der())?;
        match document.public {
            Some(stated) if stated != public.subject_public_key() => {
                Err(CryptoError::Inconsistent { algorithm: document.algorithm })
            }
            _ => Ok(Self { key, public }),
        }
    }

    /// The PKCS#8 document, version 1: with the public point for elliptic curves (RFC 5915), the seed alone for ML-DSA
    /// (RFC 9881 section 6).
    pub(crate) fn to_pkcs8_der(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        self.key.to_pkcs8()
    }

    /// The public half.
    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public
    }

    /// Signs a message; the signature is encoded as X.509 wants it (ECDSA as DER, RFC 3279 section 2.2.3).
    pub(crate) fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let key = self.public.algorithm();
        if !key.signature_algorithms().contains(&algorithm) {
            return Err(CryptoError::Mismatch { key, signature: algorithm });
        }
        self.key.sign(algorithm, message)
    }
}

impl<B> fmt::Debug for PrivateKeyOf<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.public.algorithm())
    }
}

/// Verifies a signature in its X.509 encoding: ECDSA under any of the three curves with any of the three hashes.
pub(crate) fn verify(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    verify_with::<Chosen>(key, algorithm, message, signature)
}

fn verify_with<B: Backend>(
    key: &PublicKey,
    algorithm: SignatureAlgorithm,
    message: &[u8],
    signature: &[u8],
) -> Result<(), CryptoError> {
    if !algorithm.fits(key.algorithm()) {
        return Err(CryptoError::Mismatch { key: key.algorithm(), signature: algorithm });
    }
    if B::verify(key, algorithm, message, signature) { Ok(()) } else { Err(CryptoError::BadSignature) }
}

/// SHA-256.
pub(crate) fn sha256(data: &[u8]) -> [u8; 32] {
    Chosen::sha256(data)
}

/// SHA-1, for the names that RFC 6960 gives to keys and issuers. Nothing is trusted because of it.
pub(crate) fn sha1(data: &[u8]) -> [u8; 20] {
    use sha1::Digest as _;
    sha1::Sha1::digest(data).into()
}

/// Why a key can not be used or a signature does not count. Holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum CryptoError {
    /// The bytes are not an unencrypted DER PKCS#8 document with a key of its algorithm.
    #[error("the private key is not an unencrypted PKCS#8 document")]
    Malformed,
    /// The key's algorithm, size or public half is not acceptable.
    #[error(transparent)]
    Refused(#[from] KeyRefusal),
    /// The parts of the private key do not belong together.
    #[error("the parts of the {algorithm} private key do not fit each other")]
    Inconsistent { algorithm: KeyAlgorithm },
    /// An ML-DSA private key in its expanded form only, which can not be checked or written again.
    #[error("the {algorithm} private key lacks its seed")]
    SeedMissing { algorithm: KeyAlgorithm },
    /// A key of this kind does not make signatures of that kind.
    #[error("a key of kind {key} does not sign with {signature}")]
    Mismatch { key: KeyAlgorithm, signature: SignatureAlgorithm },
    /// The signature is not one of this message under this key.
    #[error("the signature does not verify")]
    BadSignature,
    /// The backend failed where it should not: out of memory or of randomness.
    #[error("the cryptographic library failed to {operation}")]
    Backend { operation: &'static str },
}
