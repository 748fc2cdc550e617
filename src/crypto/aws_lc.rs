//! The hot path: keys and signatures by AWS-LC.

use aws_lc_rs::encoding::{AsBigEndian, AsDer, AsRawBytes, Curve25519SeedBin, EcPrivateKeyBin, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self as lc, EcdsaKeyPair, Ed25519KeyPair, KeyPair, PqdsaKeyPair, RsaKeyPair};
use zeroize::Zeroizing;

use super::pkcs8::{Document, Secret, write_ec, write_seed};
use super::{Backend, CryptoError};
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm};

/// A private key inside AWS-LC.
pub(crate) enum Key {
    Rsa(RsaKeyPair),
    Ecdsa(KeyAlgorithm, EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
    MlDsa(PqdsaKeyPair),
}

impl Backend for Key {
    fn generate(algorithm: KeyAlgorithm) -> Result<Self, CryptoError> {
        let rsa = |size| RsaKeyPair::generate(size).map(Self::Rsa);
        match algorithm {
            KeyAlgorithm::Rsa2048 => rsa(KeySize::Rsa2048),
            KeyAlgorithm::Rsa3072 => rsa(KeySize::Rsa3072),
            KeyAlgorithm::Rsa4096 => rsa(KeySize::Rsa4096),
            KeyAlgorithm::Ed25519 => Ed25519KeyPair::generate().map(Self::Ed25519),
            KeyAlgorithm::P256 | KeyAlgorithm::P384 | KeyAlgorithm::P521 => {
                EcdsaKeyPair::generate(ecdsa(algorithm)).map(|key| Self::Ecdsa(algorithm, key))
            }
            _ => PqdsaKeyPair::generate(ml_dsa(algorithm)).map(Self::MlDsa),
        }
        .map_err(failed_to("generate a key"))
    }

    fn from_pkcs8(document: &Document<'_>) -> Result<Self, CryptoError> {
        let algorithm = document.algorithm;
        match &document.secret {
            Secret::Whole(der) if algorithm.is_rsa() => RsaKeyPair::from_pkcs8(der).map(Self::Rsa),
            Secret::Whole(der) => {
                EcdsaKeyPair::from_pkcs8(ecdsa(algorithm), der).map(|key| Self::Ecdsa(algorithm, key))
            }
            Secret::Seed(seed, _) if algorithm == KeyAlgorithm::Ed25519 => {
                Ed25519KeyPair::from_seed_unchecked(*seed).map(Self::Ed25519)
            }
            Secret::Seed(seed, expanded) => {
                let key = PqdsaKeyPair::from_seed(ml_dsa(algorithm), *seed);
                return key
                    .ok()
                    .filter(|key| expands_to(key, *expanded))
                    .map(Self::MlDsa)
                    .ok_or(document.inconsistent());
            }
        }
        .map_err(|_| document.inconsistent())
    }

    fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, CryptoError> {
        let failed = failed_to("export a key");
        match self {
            Self::Rsa(key) => {
                let document: Pkcs8V1Der<'_> = key.as_der().map_err(failed)?;
                Ok(Zeroizing::new(document.as_ref().to_vec()))
            }
            Self::Ecdsa(algorithm, key) => {
                let scalar: EcPrivateKeyBin<'_> = key.private_key().as_be_bytes().map_err(failed)?;
                Ok(write_ec(*algorithm, scalar.as_ref(), key.public_key().as_ref()))
            }
            Self::Ed25519(key) => {
                let seed: Curve25519SeedBin<'_> = key.seed().and_then(|seed| seed.as_be_bytes()).map_err(failed)?;
                Ok(write_seed(KeyAlgorithm::Ed25519, seed.as_ref()))
            }
            Self::MlDsa(key) => Ok(Zeroizing::new(key.to_pkcs8v1().map_err(failed)?.as_ref().to_vec())),
        }
    }

    fn subject_public_key(&self) -> Result<Vec<u8>, CryptoError> {
        Ok(match self {
            Self::Rsa(key) => key.public_key().as_ref(),
            Self::Ecdsa(_, key) => key.public_key().as_ref(),
            Self::Ed25519(key) => key.public_key().as_ref(),
            Self::MlDsa(key) => key.public_key().as_ref(),
        }
        .to_vec())
    }

    fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
        match self {
            Self::Rsa(key) => sign_rsa(key, algorithm, message),
            Self::Ecdsa(kind, key) if kind.usual_signature_algorithm() == algorithm => sign_ecdsa(key, message),
            Self::Ecdsa(..) => sign_ecdsa(&self.with_other_hash(algorithm)?, message),
            Self::Ed25519(key) => {
                key.try_sign(message).map(|signature| signature.as_ref().to_vec()).map_err(failed_to("sign"))
            }
            Self::MlDsa(key) => {
                let mut signature = vec![0; key.algorithm().signature_len()];
                key.sign(message, &mut signature).map_err(failed_to("sign"))?;
                Ok(signature)
            }
        }
    }

    fn verify(key: &PublicKey, algorithm: SignatureAlgorithm, message: &[u8], signature: &[u8]) -> bool {
        let verifier = verifier(key.algorithm(), algorithm);
        lc::UnparsedPublicKey::new(verifier, key.subject_public_key()).verify(message, signature).is_ok()
    }

    fn sha256(data: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, data).as_ref());
        digest
    }
}

impl Key {
    /// AWS-LC's key of P-521 is bound to one hash; the seldom used others take a key of their own.
    fn with_other_hash(&self, algorithm: SignatureAlgorithm) -> Result<EcdsaKeyPair, CryptoError> {
        let binding = match algorithm {
            SignatureAlgorithm::EcdsaSha256 => &lc::ECDSA_P521_SHA256_ASN1_SIGNING,
            _ => &lc::ECDSA_P521_SHA384_ASN1_SIGNING,
        };
        EcdsaKeyPair::from_pkcs8(binding, &self.to_pkcs8()?).map_err(|_| CryptoError::Backend { operation: "sign" })
    }
}

fn failed_to(operation: &'static str) -> impl Fn(aws_lc_rs::error::Unspecified) -> CryptoError + Copy {
    move |_| CryptoError::Backend { operation }
}

fn sign_ecdsa(key: &EcdsaKeyPair, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    // AWS-LC uses its own generator and does not look at the one that the call wants.
    let signature = key.sign(&SystemRandom::new(), message).map_err(failed_to("sign"))?;
    Ok(signature.as_ref().to_vec())
}

fn sign_rsa(key: &RsaKeyPair, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, CryptoError> {
    let padding: &lc::RsaSignatureEncoding = match algorithm {
        SignatureAlgorithm::RsaSha256 => &lc::RSA_PKCS1_SHA256,
        SignatureAlgorithm::RsaSha384 => &lc::RSA_PKCS1_SHA384,
        _ => &lc::RSA_PKCS1_SHA512,
    };
    let mut signature = vec![0; key.public_modulus_len()];
    key.sign(padding, &SystemRandom::new(), message, &mut signature).map_err(failed_to("sign"))?;
    Ok(signature)
}

/// Whether the expanded key that a document states is the one that the seed makes.
fn expands_to(key: &PqdsaKeyPair, expanded: Option<&[u8]>) -> bool {
    let made = key.private_key();
    expanded.is_none_or(|stated| {
        made.as_raw_bytes()
            .is_ok_and(|made| aws_lc_rs::constant_time::verify_slices_are_equal(made.as_ref(), stated).is_ok())
    })
}

fn ecdsa(algorithm: KeyAlgorithm) -> &'static lc::EcdsaSigningAlgorithm {
    match algorithm {
        KeyAlgorithm::P256 => &lc::ECDSA_P256_SHA256_ASN1_SIGNING,
        KeyAlgorithm::P384 => &lc::ECDSA_P384_SHA384_ASN1_SIGNING,
        _ => &lc::ECDSA_P521_SHA512_ASN1_SIGNING,
    }
}

fn ml_dsa(algorithm: KeyAlgorithm) -> &'static lc::PqdsaSigningAlgorithm {
    match algorithm {
        KeyAlgorithm::MlDsa44 => &lc::ML_DSA_44_SIGNING,
        KeyAlgorithm::MlDsa65 => &lc::ML_DSA_65_SIGNING,
        _ => &lc::ML_DSA_87_SIGNING,
    }
}

fn verifier(key: KeyAlgorithm, algorithm: SignatureAlgorithm) -> &'static dyn lc::VerificationAlgorithm {
    use SignatureAlgorithm as S;
    match (algorithm, key) {
        (S::RsaSha256, _) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (S::RsaSha384, _) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (S::RsaSha512, _) => &lc::RSA_PKCS1_2048_8192_SHA512,
        (S::EcdsaSha256, KeyAlgorithm::P256) => &lc::ECDSA_P256_SHA256_ASN1,
        (S::EcdsaSha256, KeyAlgorithm::P384) => &lc::ECDSA_P384_SHA256_ASN1,
        (S::EcdsaSha256, _) => &lc::ECDSA_P521_SHA256_ASN1,
        (S::EcdsaSha384, KeyAlgorithm::P256) => &lc::ECDSA_P256_SHA384_ASN1,
        (S::EcdsaSha384, KeyAlgorithm::P384) => &lc::ECDSA_P384_SHA384_ASN1,
        (S::EcdsaSha384, _) => &lc::ECDSA_P521_SHA384_ASN1,
        (S::EcdsaSha512, KeyAlgorithm::P256) => &lc::ECDSA_P256_SHA512_ASN1,
        (S::EcdsaSha512, KeyAlgorithm::P384) => &lc::ECDSA_P384_SHA512_ASN1,
        (S::EcdsaSha512, _) => &lc::ECDSA_P521_SHA512_ASN1,
        (S::Ed25519, _) => &lc::ED25519,
        (S::MlDsa44, _) => &lc::ML_DSA_44,
        (S::MlDsa65, _) => &lc::ML_DSA_65,
        (S::MlDsa87, _) => &lc::ML_DSA_87,
    }
}
