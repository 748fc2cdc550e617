//! The signer port: a CA key, wherever it is.
//!
//! [`SoftwareSigner`] holds a key in memory. To put an HSM or a KMS behind the port, implement [`Signer`] with
//! [`Locality::Remote`] and run the conformance kit on it (feature `conformance`).

use std::fmt::Debug;

use async_trait::async_trait;

use crate::x509::{PublicKey, SignatureAlgorithm};

#[cfg(feature = "conformance")]
pub mod conformance;
mod software;

pub use software::{SoftwareSigner, SoftwareSignerError};

/// Signs with one CA key.
///
/// # Contract
/// - [`public_key`](Signer::public_key) and [`algorithms`](Signer::algorithms) never change while the value lives.
/// - [`sign`](Signer::sign) takes the whole message, not a digest, and returns the signature as X.509 encodes it (ECDSA
///   as DER). It verifies under the public key.
/// - An algorithm that is not listed is [`SignError::Refused`].
/// - Signing may be repeated with the same message: after a crash or an unknown outcome it will be.
/// - A time-out after the request was sent is [`SignError::Unknown`], never a failure.
/// - Dropping the future may leave a signature made; it must not leave the signer unusable.
#[async_trait]
pub trait Signer: Debug + Send + Sync + 'static {
    /// The public half of the key. Read once and kept: asking must cost nothing.
    fn public_key(&self) -> &PublicKey;

    /// What it can sign with, the usual one first; at least one.
    fn algorithms(&self) -> &[SignatureAlgorithm];

    /// Where the signing happens.
    fn locality(&self) -> Locality;

    /// Signs `message`, all of it: hashing is the signer's.
    ///
    /// # Errors
    /// [`SignError::Refused`] for good, for an algorithm that is not listed, too; [`SignError::Unavailable`] if it certainly
    /// did not sign; [`SignError::Unknown`] if it may have.
    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// Where the signing happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Locality {
    /// In this process: nothing is signed that this process does not know of, so a crash loses the signature, too, and
    /// one commit after signing is enough. The answer is trusted.
    InProcess,
    /// Elsewhere: serial and bytes are recorded before it is asked, and its answer is verified.
    Remote,
}

/// Why there is no signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignError {
    /// It was refused for good: trying again will not help.
    #[error("the signer refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// It was not asked, or certainly did not sign. Try again later.
    #[error("the signer is unavailable: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
    /// It may have signed. Try again with the same message.
    #[error("the signer's answer is unknown: {reason}")]
    Unknown {
        /// What went wrong.
        reason: String,
    },
}
