//! The challenge verifier port: who looks whether an ACME client controls what it names.
//!
//! The engine calls it from due work, never within a request. A scripted verifier for tests comes with the feature
//! `conformance`.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::crypto;
use crate::domain::acme::{ChallengeKind, Identifier, ValidationError};

#[cfg(feature = "acme")]
mod network;
#[cfg(feature = "conformance")]
pub mod scripted;

#[cfg(feature = "acme")]
pub use network::{NetworkSettings, NetworkVerifier, NetworkVerifierError};

/// Proves control of identifiers over the network.
///
/// # Contract
/// - **One look.** A call looks once and answers; the engine repeats it as its back-off says. Within a call a second address
///   of the same name may be tried.
/// - **Exactness.** `Ok` means that exactly what the challenge asks for was there. A redirect (http-01) or a CNAME (dns-01) is followed,
///   within bounds.
/// - **Reach.** Addresses that are not public (RFC 6890: private, loopback, link-local, unique local, …) are looked at only if
///   [`Challenge::networks`] is [`Networks::AlsoPrivate`]; each address is judged when it is connected to, after each
///   redirect and each resolution. What is forbidden is
///   [`RejectedIdentifier`](crate::domain::acme::ValidationFault::RejectedIdentifier), for good.
/// - **Wildcards** come with dns-01 only, and addresses never do; the engine sees to both.
/// - **Whose fault.** [`ChallengeFailure::Failed`] is what the client must mend, and counts as an attempt.
///   [`ChallengeFailure::Unavailable`] says that the verifier itself can not work (its resolver is down, it has no network), and
///   counts as none.
/// - **Time.** A call ends within [`longest_call`](Self::longest_call), by an error if need be.
/// - **Concurrency and cancellation.** Calls may run at once; one whose future is dropped changes nothing.
#[async_trait]
pub trait ChallengeVerifier: Debug + Send + Sync + 'static {
    /// The longest that one call of [`verify`](Self::verify) or [`check_caa`](Self::check_caa) takes. Never changes while the value lives.
    fn longest_call(&self) -> Duration;

    /// Whether what the challenge asks for is there.
    ///
    /// # Errors
    /// [`ChallengeFailure::Failed`] with what was seen instead; [`ChallengeFailure::Unavailable`] if it could not look.
    async fn verify(&self, challenge: &Challenge) -> Result<(), ChallengeFailure>;

    /// Whether CAA records allow this office to issue (RFC 8659), to this account and by this method (RFC 8657).
    ///
    /// # Errors
    /// [`ChallengeFailure::Failed`] with [`Caa`](crate::domain::acme::ValidationFault::Caa) if they forbid it or could not be read with
    /// certainty; [`ChallengeFailure::Unavailable`] if it could not look.
    async fn check_caa(&self, check: &CaaCheck) -> Result<(), ChallengeFailure>;
}

/// Whatever points to a verifier is one.
#[async_trait]
impl<T: ChallengeVerifier + ?Sized> ChallengeVerifier for Arc<T> {
    fn longest_call(&self) -> Duration {
        (**self).longest_call()
    }

    async fn verify(&self, challenge: &Challenge) -> Result<(), ChallengeFailure> {
        (**self).verify(challenge).await
    }

    async fn check_caa(&self, check: &CaaCheck) -> Result<(), ChallengeFailure> {
        (**self).check_caa(check).await
    }
}

/// What is to be there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Challenge {
    /// How control is proved.
    pub kind: ChallengeKind,
    /// Of what; a wildcard only with dns-01, where the record stands below the name without its `*.`.
    pub identifier: Identifier,
    /// The challenge's token, base64url.
    pub token: String,
    /// The key authorization: the token, a dot, and the account key's thumbprint in base64url (RFC 8555 section 8.1).
    pub key_authorization: String,
    /// Where it may be looked.
    pub networks: Networks,
}

impl Challenge {
    /// SHA-256 over the key authorization: what dns-01 publishes in base64url, and tls-alpn-01 in its extension.
    pub fn digest(&self) -> [u8; 32] {
        crypto::sha256(self.key_authorization.as_bytes())
    }
}

/// Which networks a verifier may look into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Networks {
    /// Public addresses alone.
    Public,
    /// Private ones, too: loopback, link-local and the rest.
    AlsoPrivate,
}

/// What is asked of CAA records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaaCheck {
    /// The name; with `*.` in front `issuewild` is asked first (RFC 8659 section 4.3).
    pub name: crate::x509::DnsName,
    /// The domain names by which this office is named in CAA records. Never empty.
    pub issuers: Vec<String>,
    /// How control was proved, for `validationmethods`.
    pub method: ChallengeKind,
    /// The URL of the account that asks, for `accounturi`; without it, a record with one permits nobody.
    pub account_url: Option<String>,
}

/// Why a challenge was not met.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChallengeFailure {
    /// The client must mend something.
    #[error(transparent)]
    Failed(#[from] ValidationError),
    /// The verifier could not look. Try again later.
    #[error("the verifier is unavailable: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
    },
}

impl ChallengeFailure {
    /// For now, with a reason.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into() }
    }
}
