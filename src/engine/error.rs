//! Why a verb of the engine did not do what was asked.

use crate::domain::policy::PolicyError;
use crate::domain::{Action, CertificateId, Ineligibility, ProfileError, RevocationFault, Slug, VoteRefusal};
use crate::entropy::EntropyError;
use crate::sealer::SealError;
use crate::signer::{SignError, SoftwareSignerError};
use crate::store::StoreError;
use crate::x509::{CertificateError, InvalidValue, KeyAlgorithm};

/// Why a verb did not do what was asked. A refused request is no error but an [`Outcome`](super::Outcome).
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// There is no such thing, or the actor may not know that there is.
    #[error("there is no {what} `{id}`")]
    NotFound {
        /// What was looked for.
        what: &'static str,
        /// By which id or name.
        id: String,
    },
    /// The actor may not do that.
    #[error("{actor} may not do {action} here")]
    Forbidden {
        /// Who wanted to.
        actor: String,
        /// What.
        action: Action,
    },
    /// Only a product administrator may do that.
    #[error("{actor} is no product administrator, and only one may {what}")]
    NotAdministrator {
        /// Who wanted to.
        actor: String,
        /// What.
        what: &'static str,
    },
    /// Several things are meant, and which one was not said.
    #[error("more than one {what} is meant: {}", candidates.join(", "))]
    Ambiguous {
        /// What was looked for.
        what: &'static str,
        /// The ids of those that it could be.
        candidates: Vec<String>,
    },
    /// Another thing of the same kind has the name.
    #[error("the {what} name `{name}` is taken")]
    NameTaken {
        /// What is to have the name.
        what: &'static str,
        /// The name.
        name: Slug,
    },
    /// Values are not valid: each with the path of its field.
    #[error("{}", faults.iter().map(|(field, error)| format!("{field}: {error}")).collect::<Vec<_>>().join("; "))]
    Invalid {
        /// The faults, at least one.
        faults: Vec<(String, InvalidValue)>,
    },
    /// A policy is not valid, or can never permit anything.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// A profile is not valid, or breaks its own policy.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// A certificate is of no use.
    #[error(transparent)]
    Certificate(#[from] CertificateError),
    /// An issuer can not be used as it stands.
    #[error("issuer `{name}`: {reason}")]
    Issuer {
        /// The issuer's name.
        name: String,
        /// What is wrong.
        reason: IssuerFault,
    },
    /// The thing is still in use.
    #[error("the {what} `{id}` is in use: {by}")]
    InUse {
        /// What was to go or change.
        what: &'static str,
        /// Which.
        id: String,
        /// By what.
        by: String,
    },
    /// An idempotency key came again with other content, or is not valid.
    #[error("idempotency key: {reason}")]
    IdempotencyKey {
        /// What is wrong with it.
        reason: String,
    },
    /// A vote or a cancellation does not count.
    #[error(transparent)]
    Vote(#[from] VoteRefusal),
    /// The private key can not be read again.
    #[error("the private key can not be read: {reason}")]
    PrivateKey {
        /// Why not.
        reason: &'static str,
    },
    /// A certificate is not revoked, or its hold not lifted.
    #[error("{certificate}: {reason}")]
    Revocation {
        /// The certificate.
        certificate: CertificateId,
        /// Why not.
        reason: RevocationFault,
    },
    /// A certificate can not be renewed: every reason.
    #[error("it can not be renewed: {}", reasons.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    NotRenewable {
        /// The reasons, at least one.
        reasons: Vec<Ineligibility>,
    },
    /// An [import](super::transfer::Import) into the store is not finished: no engine works on half a state.
    #[error("an import into the store is not finished")]
    ImportUnfinished,
    /// Others changed the same things again and again. Nothing was written; try again.
    #[error("too many others changed the same things; nothing was written")]
    Contended,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The signer failed where no request can wait for it.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A software key is of no use.
    #[error(transparent)]
    Key(#[from] SoftwareSignerError),
    /// A key could not be sealed or opened.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The source of randomness failed.
    #[error(transparent)]
    Entropy(#[from] EntropyError),
    /// Bytes that must be written could not be encoded; nothing was signed.
    #[error("the certificate could not be encoded: {reason}")]
    Encoding {
        /// What the encoder said.
        reason: String,
    },
}

impl Error {
    pub(super) fn not_found(what: &'static str, id: impl std::fmt::Display) -> Self {
        Self::NotFound { what, id: id.to_string() }
    }

    pub(super) fn issuer(name: impl std::fmt::Display, reason: IssuerFault) -> Self {
        Self::Issuer { name: name.to_string(), reason }
    }

    pub(super) fn revocation(certificate: CertificateId, reason: RevocationFault) -> Self {
        Self::Revocation { certificate, reason }
    }

    pub(super) fn encoding(error: impl std::fmt::Display) -> Self {
        Self::Encoding { reason: error.to_string() }
    }

    /// A conflict, as a verb tells it that does not decide anew.
    pub(super) fn contended(self) -> Self {
        if self.is_conflict() { Self::Contended } else { self }
    }

    pub(super) fn is_conflict(&self) -> bool {
        matches!(self, Self::Store(StoreError::Conflict { .. }))
    }
}

/// What is wrong with an issuer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IssuerFault {
    /// Its key is held elsewhere, and the host handed over no signer of its name.
    #[error("its key is with a signer, and the engine was given none of this name")]
    SignerMissing,
    /// The signer or sealed key is not the one of its certificate.
    #[error("the signer's key is not the one of its certificate: it was changed, or belongs elsewhere")]
    KeyChanged,
    /// The signer holds another kind of key than asked for.
    #[error("the signer's key is {seen}, and {wanted} was asked for")]
    KeyAlgorithm {
        /// What the signer holds.
        seen: KeyAlgorithm,
        /// What was asked for.
        wanted: KeyAlgorithm,
    },
    /// Its certificate was replaced outside the engine.
    #[error("its certificate is another than the one recorded")]
    CertificateChanged,
    /// It has no certificate yet.
    #[error("it waits for its certificate")]
    AwaitingCertificate,
    /// It has a certificate already.
    #[error("it has a certificate already")]
    NotAwaiting,
    /// The certificate is not one of a CA that may sign certificates.
    #[error("its certificate is not one of a CA: {reason}")]
    NoAuthority {
        /// What is missing.
        reason: &'static str,
    },
    /// The certificate names another subject than was asked for.
    #[error("the certificate is for {seen}, and the request was for {wanted}")]
    Subject {
        /// The subject in the certificate.
        seen: String,
        /// The subject of the request.
        wanted: String,
    },
    /// The chain does not lead from certificate to certificate.
    #[error("its chain does not hold together: {reason}")]
    Chain {
        /// Where it breaks.
        reason: String,
    },
    /// The issuer above can not issue that.
    #[error("it can not be issued: {reason}")]
    Refused {
        /// Why.
        reason: String,
    },
}
