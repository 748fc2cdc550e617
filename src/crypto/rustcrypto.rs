//! Keys and signatures in pure Rust, for builds without a C compiler.

use ::pkcs8::{DecodePrivateKey, EncodePrivateKey};
use getrandom::SysRng;
use ml_dsa::{MlDsa44, MlDsa65, MlDsa87, MlDsaParams};
use p256::elliptic_curve::Generate;
use rsa::pkcs1::{DecodeRsaPublicKey, EncodeRsaPublicKey};
use rsa::rand_core::UnwrapErr;
use rsa::signature::hazmat::{PrehashVerifier, RandomizedPrehashSigner};
use rsa::signature::{SignatureEncoding, Verifier};
use rsa::{Pkcs1v15Sign, RsaPrivateKey, RsaPublicKey};
use sha2::{Digest, Sha256, Sha384, Sha512};
use zeroize::Zeroizing;

use super::pkcs8::{Document, Secret, write_ec, write_seed};
use super::{Backend, CryptoError};
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

/// A private key in the types of the RustCrypto crates, which wipe themselves.
pub(crate) enum Key {
    Rsa(Box<RsaPrivateKey>),
    P256(p256::ecdsa::SigningKey),
    P384(p384::ecdsa::SigningKey),
    P521(p521::ecdsa::SigningKey),
    Ed25519(Box<ed25519_dalek::SigningKey>),
    MlDsa44(Box<ml_dsa::SigningKey<MlDsa44>>),
    MlDsa65(Box<ml_dsa::SigningKey<MlDsa65>>),
    MlDsa87(Box<ml_dsa::SigningKey<MlDsa87>>),
}

impl Backend for Key {
    fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError> {
        match algorithm {
            KeyAlgorithm::Rsa2048 => generate_rsa(2048),
            KeyAlgorithm::Rsa3072 => generate_rsa(3072),
            KeyAlgorithm::Rsa4096 => generate_rsa(4096),
            KeyAlgorithm::P256 => p256::ecdsa::SigningKey::try_generate().map(Self::P256).map_err(no_randomness),
            KeyAlgorithm::P384 => p384::ecdsa::SigningKey::try_generate().map(Self::P384).map_err(no_randomness),
            KeyAlgorithm::P521 => p521::ecdsa::SigningKey::try_generate().map(Self::P521).map_err(no_randomness),
            _ => {
                let mut seed = Zeroizing::new([0; 32]);
                getrandom::fill(&mut *seed).map_err(no_randomness)?;
                Ok(from_seed(algorithm, &seed))
            }
        }
    }

    fn from_pkcs8(document: &Document<'_>) -> Result<Self, CryptoError> {
        match &document.secret {
            Secret::Whole(der) => whole(document.algorithm, der).ok_or(document.inconsistent()),
            Secret::Seed(seed, expanded) => Some(from_seed(document.algorithm, seed))
                .filter(|key| expanded.is_none_or(|stated| key.expands_to(stated)))
                .ok_or(document.inconsistent()),
        }
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let ec = |algorithm, scalar: &[u8]| Ok(write_ec(algorithm, scalar, &self.subject_public_key()?));
        match self {
            Self::Rsa(key) => {
                let document = key.to_pkcs8_der().map_err(|_| CryptoError::Backend { operation: "export a key" })?;
                Ok(document.to_bytes())
            }
            Self::P256(key) => ec(KeyAlgorithm::P256, Zeroizing::new(key.to_bytes()).as_slice()),
            Self::P384(key) => ec(KeyAlgorithm::P384, Zeroizing::new(key.to_bytes()).as_slice()),
            Self::P521(key) => ec(KeyAlgorithm::P521, Zeroizing::new(key.to_bytes()).as_slice()),
            Self::Ed25519(key) => Ok(write_seed(KeyAlgorithm::Ed25519, key.as_bytes())),
            Self::MlDsa44(key) => Ok(write_seed(KeyAlgorithm::MlDsa44, key.as_seed())),
            Self::MlDsa65(key) => Ok(write_seed(KeyAlgorithm::MlDsa65, key.as_seed())),
            Self::MlDsa87(key) => Ok(write_seed(KeyAlgorithm::MlDsa87, key.as_seed())),
        }
    }

    fn subject_public_key(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(match self {
            Self::Rsa(key) => {
                let der = key.as_public_key().to_pkcs1_der();
                der.map_err(|_| CryptoError::Backend { operation: "export a key" })?.into_vec()
            }
            Self::P256(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P384(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::P521(key) => key.verifying_key().to_sec1_point(false).as_bytes().to_vec(),
            Self::Ed25519(key) => key.verifying_key().as_bytes().to_vec(),
            Self::MlDsa44(key) => key.expanded_key().verifying_key().encode().to_vec(),
            Self::MlDsa65(key) => key.expanded_key().verifying_key().encode().to_vec(),
            Self::MlDsa87(key) => key.expanded_key().verifying_key().encode().to_vec(),
        })
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        let digest = || digest(algorithm, message);
        match self {
            Self::Rsa(key) => {
                // The arithmetic of the `rsa` crate is not constant in time (RUSTSEC-2023-0071); only the calls that
                // take a generator blind the private operation.
                let signature = key.sign_with_rng(&mut UnwrapErr(SysRng), padding(algorithm), &digest());
                signature.map_err(|_| CryptoError::Backend { operation: "sign" })
            }
            Self::P256(key) => sign_digest::<p256::ecdsa::DerSignature>(key, &digest()),
            Self::P384(key) => sign_digest::<p384::ecdsa::DerSignature>(key, &digest()),
            Self::P521(key) => sign_digest::<p521::ecdsa::DerSignature>(key, &digest()),
            Self::Ed25519(key) => Ok(ed25519_dalek::Signer::sign(&**key, message).to_vec()),
            Self::MlDsa44(key) => sign_ml_dsa(key, message),
            Self::MlDsa65(key) => sign_ml_dsa(key, message),
            Self::MlDsa87(key) => sign_ml_dsa(key, message),
        }
    }

    fn verify(key: &PublicKey, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let (bits, digest) = (key.subject_public_key(), || digest(algorithm, message));
        match key.algorithm() {
            KeyAlgorithm::Rsa2048 | KeyAlgorithm::Rsa3072 | KeyAlgorithm::Rsa4096 => {
                let key = RsaPublicKey::from_pkcs1_der(bits);
                key.is_ok_and(|key| key.verify(padding(algorithm), &digest(), signature).is_ok())
            }
            KeyAlgorithm::P256 => p256::ecdsa::VerifyingKey::from_sec1_bytes(bits)
                .is_ok_and(|key| verify_digest::<p256::ecdsa::DerSignature>(&key, &digest(), signature)),
            KeyAlgorithm::P384 => p384::ecdsa::VerifyingKey::from_sec1_bytes(bits)
                .is_ok_and(|key| verify_digest::<p384::ecdsa::DerSignature>(&key, &digest(), signature)),
            KeyAlgorithm::P521 => p521::ecdsa::VerifyingKey::from_sec1_bytes(bits)
                .is_ok_and(|key| verify_digest::<p521::ecdsa::DerSignature>(&key, &digest(), signature)),
            KeyAlgorithm::Ed25519 => verify_ed25519(bits, message, signature),
            KeyAlgorithm::MlDsa44 => verify_ml_dsa::<MlDsa44>(bits, message, signature),
            KeyAlgorithm::MlDsa65 => verify_ml_dsa::<MlDsa65>(bits, message, signature),
            KeyAlgorithm::MlDsa87 => verify_ml_dsa::<MlDsa87>(bits, message, signature),
        }
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        Sha256::digest(data).into()
    }
}

impl Key {
    /// Whether the expanded ML-DSA key that a document states is the one that the seed makes.
    fn expands_to(&self, stated: &[u8]) -> bool {
        match self {
            Self::MlDsa44(key) => expanded(key).as_slice() == stated,
            Self::MlDsa65(key) => expanded(key).as_slice() == stated,
            Self::MlDsa87(key) => expanded(key).as_slice() == stated,
            _ => false,
        }
    }
}

fn no_randomness(_: getrandom::Error) -> CryptoError {
    CryptoError::Backend { operation: "draw random octets" }
}

fn generate_rsa(bits: usize) -> Result<Key, CryptoError> {
    // The crate takes no generator that can fail; the operating system's does not once it has started.
    let key = RsaPrivateKey::new(&mut UnwrapErr(SysRng), bits);
    key.map(|key| Key::Rsa(Box::new(key))).map_err(|_| CryptoError::Backend { operation: "generate a key" })
}

fn from_seed(algorithm: KeyAlgorithm, seed: &[u8; 32]) -> Key {
    match algorithm {
        KeyAlgorithm::MlDsa44 => Key::MlDsa44(Box::new(ml_dsa::SigningKey::from_seed(seed.into()))),
        KeyAlgorithm::MlDsa65 => Key::MlDsa65(Box::new(ml_dsa::SigningKey::from_seed(seed.into()))),
        KeyAlgorithm::MlDsa87 => Key::MlDsa87(Box::new(ml_dsa::SigningKey::from_seed(seed.into()))),
        _ => Key::Ed25519(Box::new(ed25519_dalek::SigningKey::from_bytes(seed))),
    }
}

fn whole(algorithm: KeyAlgorithm, der: &[u8]) -> Option<Key> {
    match algorithm {
        KeyAlgorithm::P256 => p256::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Key::P256),
        KeyAlgorithm::P384 => p384::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Key::P384),
        KeyAlgorithm::P521 => p521::ecdsa::SigningKey::from_pkcs8_der(der).ok().map(Key::P521),
        _ => RsaPrivateKey::from_pkcs8_der(der).ok().map(|key| Key::Rsa(Box::new(key))),
    }
}

#[expect(deprecated, reason = "documents of the `both` form hold the expanded key, and it must match")]
fn expanded<P: MlDsaParams>(key: &ml_dsa::SigningKey<P>) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(key.expanded_key().to_expanded().to_vec())
}

fn digest(algorithm: SignatureAlgorithm, message: &[u8]) -> Vec<u8> {
    match algorithm {
        SignatureAlgorithm::RsaSha384 | SignatureAlgorithm::EcdsaSha384 => Sha384::digest(message).to_vec(),
        SignatureAlgorithm::RsaSha512 | SignatureAlgorithm::EcdsaSha512 => Sha512::digest(message).to_vec(),
        _ => Sha256::digest(message).to_vec(),
    }
}

fn padding(algorithm: SignatureAlgorithm) -> Pkcs1v15Sign {
    match algorithm {
        SignatureAlgorithm::RsaSha384 => Pkcs1v15Sign::new::<Sha384>(),
        SignatureAlgorithm::RsaSha512 => Pkcs1v15Sign::new::<Sha512>(),
        _ => Pkcs1v15Sign::new::<Sha256>(),
    }
}

/// ECDSA with the nonce of RFC 6979 and added randomness, so that a fault in the computation repeats no nonce.
fn sign_digest<S: SignatureEncoding>(
    key: &impl RandomizedPrehashSigner<S>,
    digest: &[u8],
) -> Result<Vec<u8>, CryptoError> {
    let signature = key.sign_prehash_with_rng(&mut SysRng, digest);
    signature.map(|signature| signature.to_vec()).map_err(|_| CryptoError::Backend { operation: "sign" })
}

fn verify_digest<S: SignatureEncoding>(key: &impl PrehashVerifier<S>, digest: &[u8], signature: &[u8]) -> bool {
    S::try_from(signature).is_ok_and(|signature| key.verify_prehash(digest, &signature).is_ok())
}

fn verify_ed25519(bits: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let signature = ed25519_dalek::Signature::from_slice(signature);
    let key = ed25519_dalek::VerifyingKey::try_from(bits);
    key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
}

/// The hedged variant of FIPS 204, with the empty context that RFC 9881 section 3 prescribes.
fn sign_ml_dsa<P: MlDsaParams>(key: &ml_dsa::SigningKey<P>, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let signature = key.expanded_key().sign_randomized(message, &[], &mut SysRng);
    signature.map(|signature| signature.encode().to_vec()).map_err(|_| CryptoError::Backend { operation: "sign" })
}

fn verify_ml_dsa<P: MlDsaParams>(bits: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let key = ml_dsa::EncodedVerifyingKey::<P>::try_from(bits).map(|key| ml_dsa::VerifyingKey::<P>::decode(&key));
    let signature = ml_dsa::Signature::<P>::try_from(signature);
    key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify_with_context(message, &[], &signature)))
}
