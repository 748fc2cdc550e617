//! The sync target port: where certificates go, and what every destination promises.
//!
//! `directory::DirectoryTarget` keeps them in a directory (feature `directory`, Unix); a target in memory
//! comes with the conformance kit (feature `conformance`). To write your own, see [syncs](crate::manual::syncs).

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::domain::{CertificateId, Metadata, RemoteName, RemoteRef, TargetLimits};
use crate::sealer::Secret;
use crate::x509::Certificate;

#[cfg(feature = "conformance")]
pub mod conformance;
#[cfg(all(feature = "directory", unix))]
pub mod directory;
#[cfg(feature = "conformance")]
pub mod memory;

/// A destination of certificates.
///
/// # Contract
/// - **Limits** never change while the value lives. Names that they do not take are refused, and so is a certificate
///   without its key where keys are required.
/// - **Idempotency.** Every call may be repeated, after an error, a lost answer or a crash. To deploy what is there already
///   changes nothing; to withdraw what is not there succeeds.
/// - **Identity.** `deploy` to a name at which this target has put something replaces it in place: the answer has the same
///   name and, if `previous` has one, the same id.
/// - **Names.** What `deploy` made is found by its name alone, without the id: its answer may have been lost.
/// - **Nobody else's.** What the target did not put there is neither replaced nor removed, but [`TargetError::Refused`], and
///   observed as [`Observed::Foreign`].
/// - **Whole.** Whoever reads at the destination sees the certificate with its own chain and key, the old or the new,
///   never parts of both. What can not be so (an interface that takes key and certificate in two calls) is observed as
///   [`Observed::Damaged`] until it is repaired.
/// - **Read your writes.** What a call did, a later `observe` sees.
/// - **Order.** The engine calls one target for one certificate at a time, in any number of processes, by a lease of eight times
///   [`TargetLimits::longest_call`]. A call ends within that time, by an error if need be.
/// - **Cancellation.** A call whose future is dropped may have happened or not, or happen later; the target stays usable.
/// - **Secrets.** The key is in no error, log or `Debug`.
#[async_trait]
pub trait SyncTarget: Debug + Send + Sync + 'static {
    /// What it takes. Asking must cost nothing.
    fn limits(&self) -> &TargetLimits;

    /// What is at a name.
    ///
    /// # Errors
    /// [`TargetError::Unavailable`] if it can not be told now; [`TargetError::Refused`] if the target will never tell.
    async fn observe(&self, remote: &RemoteRef) -> Result<Observed, TargetError>;

    /// Puts a certificate where `name` says, in place of what this target put there before. `previous` is what is known to be
    /// there.
    ///
    /// # Errors
    /// [`TargetError::Refused`] for good; [`TargetError::Unavailable`] if nothing was changed; [`TargetError::Unknown`] if
    /// something may have been.
    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        previous: Option<&RemoteRef>,
    ) -> Result<RemoteRef, TargetError>;

    /// Removes what this target put there.
    ///
    /// # Errors
    /// As [`deploy`](Self::deploy).
    async fn withdraw(&self, remote: &RemoteRef) -> Result<(), TargetError>;
}

/// Whatever points to a target is one, so that hosts can share it as an `Arc<dyn SyncTarget>`.
#[async_trait]
impl<T: SyncTarget + ?Sized> SyncTarget for Arc<T> {
    fn limits(&self) -> &TargetLimits {
        (**self).limits()
    }

    async fn observe(&self, remote: &RemoteRef) -> Result<Observed, TargetError> {
        (**self).observe(remote).await
    }

    async fn deploy(
        &self,
        bundle: &Bundle,
        name: &RemoteName,
        previous: Option<&RemoteRef>,
    ) -> Result<RemoteRef, TargetError> {
        (**self).deploy(bundle, name, previous).await
    }

    async fn withdraw(&self, remote: &RemoteRef) -> Result<(), TargetError> {
        (**self).withdraw(remote).await
    }
}

/// What a target is given: a certificate, those above it, and its key.
#[derive(Debug)]
pub struct Bundle {
    /// The certificate's id in the inventory.
    pub certificate: CertificateId,
    /// The certificate.
    pub leaf: Certificate,
    /// Those above it, in order; with or without the root, as the sync says.
    pub chain: Vec<Certificate>,
    /// Its private key, an unencrypted PKCS#8 document in DER (RFC 5958). `None` if the client holds it.
    pub key: Option<Secret>,
    /// The certificate's tags.
    pub tags: Metadata,
}

/// What is at a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Observed {
    /// Nothing.
    Absent,
    /// A certificate that this target put there, whole.
    Present {
        /// SHA-256 over its DER.
        fingerprint: [u8; 32],
    },
    /// Something that this target put there, and that is not whole any more. To deploy again repairs it.
    Damaged {
        /// What is wrong.
        reason: String,
    },
    /// Something that this target did not put there.
    Foreign {
        /// What it looks like.
        reason: String,
    },
}

/// Why a target did not do what was asked. Holds nothing secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// It was refused for good: trying again will not help until something is changed.
    #[error("the target refused: {reason}")]
    Refused {
        /// What it said.
        reason: String,
    },
    /// Nothing was changed. Try again later.
    #[error("the target is unavailable: {reason}")]
    Unavailable {
        /// What went wrong.
        reason: String,
        /// How long the target wants to be left alone, if it said so. Nothing is sent to it until then.
        retry_after: Option<Duration>,
    },
    /// It may have done what was asked. Try again; nothing is harmed by it.
    #[error("the target's answer is unknown: {reason}")]
    Unknown {
        /// What went wrong.
        reason: String,
    },
}

impl TargetError {
    /// For good, with a reason.
    pub fn refused(reason: impl Into<String>) -> Self {
        Self::Refused { reason: reason.into() }
    }

    /// For now, with a reason.
    pub fn unavailable(reason: impl Into<String>) -> Self {
        Self::Unavailable { reason: reason.into(), retry_after: None }
    }

    /// Nobody knows, with a reason.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self::Unknown { reason: reason.into() }
    }
}
