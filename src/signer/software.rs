//! A CA key in this process's memory.

use std::fmt;

use async_trait::async_trait;

use super::{Locality, SignError, Signer};
use crate::crypto::PrivateKey;
use crate::sealer::Secret;
use crate::x509::{KeyAlgorithm, PublicKey, SignatureAlgorithm, pem};

/// Signs with a key in memory, by the crypto library that the features choose.
///
/// ```
/// use chancery::signer::{Signer, SoftwareSigner};
/// use chancery::x509::KeyAlgorithm;
/// let signer = SoftwareSigner::generate(KeyAlgorithm::P256)?;
/// assert_eq!(signer.public_key().algorithm(), KeyAlgorithm::P256);
/// # Ok::<_, chancery::signer::SoftwareSignerError>(())
/// ```
pub struct SoftwareSigner {
    key: PrivateKey,
}

/// Why a key could not be made or read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the private key is of no use: {reason}")]
pub struct SoftwareSignerError {
    /// What is wrong with it; never the key itself.
    pub reason: String,
}

impl SoftwareSigner {
    /// A signer with a new key. RSA takes from a tenth of a second (2048 bits) to seconds (4096 bits) of one core.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn generate(algorithm: KeyAlgorithm) -> Result<Self, SoftwareSignerError> {
        PrivateKey::generate(algorithm).map(|key| Self { key }).map_err(unusable)
    }

    /// A signer with the key of an unencrypted PKCS#8 document, DER.
    /// Version 1 or 2 (RFC 5958); the key
    /// is checked as every key is that is certified.
    ///
    /// # Errors
    /// It is not one PKCS#8 document, of an unknown algorithm or size, weak, or its halves do not fit each other.
    pub fn from_pkcs8_der(der: &[u8]) -> Result<Self, SoftwareSignerError> {
        PrivateKey::from_pkcs8_der(der).map(|key| Self { key }).map_err(unusable)
    }

    /// A signer with the key of an unencrypted PKCS#8 document, PEM label `PRIVATE KEY`.
    /// At most
    /// 64 KiB (RFC 7468 section 10).
    ///
    /// # Errors
    /// As [`from_pkcs8_der`](Self::from_pkcs8_der), and if there is not exactly one such block.
    pub fn from_pkcs8_pem(text: &str) -> Result<Self, SoftwareSignerError> {
        let blocks = pem::decode_all(text, pem::Label::PrivateKey.as_str(), 64 * 1024).map_err(unusable)?;
        let secrets: Vec<Secret> = blocks.into_iter().map(Secret::new).collect();
        match secrets.as_slice() {
            [only] => Self::from_pkcs8_der(only.expose()),
            several => Err(SoftwareSignerError { reason: format!("{} keys in one text", several.len()) }),
        }
    }

    /// The key as an unencrypted PKCS#8 document, DER.
    /// Who stores it must seal it.
    ///
    /// # Errors
    /// The cryptographic library failed.
    pub fn to_pkcs8_der(&self) -> Result<Secret, SoftwareSignerError> {
        self.key.to_pkcs8_der().map(Secret::from).map_err(unusable)
    }
}

fn unusable(error: impl fmt::Display) -> SoftwareSignerError {
    SoftwareSignerError { reason: error.to_string() }
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SoftwareSigner({})", self.key.public_key().algorithm())
    }
}

#[async_trait]
impl Signer for SoftwareSigner {
    fn public_key(&self) -> &PublicKey {
        self.key.public_key()
    }

    fn algorithms(&self) -> &[SignatureAlgorithm] {
        self.key.public_key().algorithm().signature_algorithms()
    }

    fn locality(&self) -> Locality {
        Locality::InProcess
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        self.key.sign(algorithm, message).map_err(|error| SignError::Refused { reason: error.to_string() })
    }
}
