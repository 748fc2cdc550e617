//! Refusals of the protocol: error types of RFC 8555 section 6.7 and of later RFCs, with a subproblem for each identifier.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Identifier, ValidationError, ValidationFault};
use crate::domain::{AcmeAccountId, Span};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident = $name:literal;)*) => {
        /// An error type, `urn:ietf:params:acme:error:…`.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[non_exhaustive]
        pub enum ProblemKind {
            $($(#[$doc])* #[serde(rename = $name)] $kind,)*
        }

        impl ProblemKind {
            /// Every type.
            pub const ALL: &'static [Self] = &[$(Self::$kind,)*];

            /// The last part of the URN, for example `badCSR`.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }
        }
    };
}

kinds! {
    /// There is no such account.
    AccountDoesNotExist = "accountDoesNotExist";
    /// The certificate that is to be replaced has been replaced already (RFC 9773 section 7.4).
    AlreadyReplaced = "alreadyReplaced";
    /// The certificate is revoked already.
    AlreadyRevoked = "alreadyRevoked";
    /// The certificate request can not be used.
    BadCsr = "badCSR";
    /// The nonce is not good.
    BadNonce = "badNonce";
    /// The public key is not accepted.
    BadPublicKey = "badPublicKey";
    /// The reason for revocation is not accepted.
    BadRevocationReason = "badRevocationReason";
    /// The signature algorithm is not accepted.
    BadSignatureAlgorithm = "badSignatureAlgorithm";
    /// CAA records forbid it.
    Caa = "caa";
    /// Several things are wrong: see the subproblems.
    Compound = "compound";
    /// The client's server could not be reached.
    Connection = "connection";
    /// A name could not be resolved.
    Dns = "dns";
    /// An account is made only with an external account binding.
    ExternalAccountRequired = "externalAccountRequired";
    /// What was found does not fit the challenge.
    IncorrectResponse = "incorrectResponse";
    /// A contact URL is not valid.
    InvalidContact = "invalidContact";
    /// There is no such profile here (draft-ietf-acme-profiles).
    InvalidProfile = "invalidProfile";
    /// The request is not as it should be.
    Malformed = "malformed";
    /// The order is not ready.
    OrderNotReady = "orderNotReady";
    /// Too much was asked: see Retry-After.
    RateLimited = "rateLimited";
    /// No certificate is issued for the identifier.
    RejectedIdentifier = "rejectedIdentifier";
    /// Something failed here.
    ServerInternal = "serverInternal";
    /// A TLS handshake failed while validating.
    Tls = "tls";
    /// The client may not do that.
    Unauthorized = "unauthorized";
    /// The contact URL's scheme is not known here.
    UnsupportedContact = "unsupportedContact";
    /// The identifier's type is not known here.
    UnsupportedIdentifier = "unsupportedIdentifier";
    /// A person must do something first: agree to new terms.
    UserActionRequired = "userActionRequired";
}

impl fmt::Display for ProblemKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl From<ValidationFault> for ProblemKind {
    fn from(fault: ValidationFault) -> Self {
        match fault {
            ValidationFault::Connection => Self::Connection,
            ValidationFault::Dns => Self::Dns,
            ValidationFault::Tls => Self::Tls,
            ValidationFault::IncorrectResponse => Self::IncorrectResponse,
            ValidationFault::Unauthorized => Self::Unauthorized,
            ValidationFault::Caa => Self::Caa,
            ValidationFault::RejectedIdentifier => Self::RejectedIdentifier,
        }
    }
}

/// Why something is refused, as a client is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{kind}: {detail}")]
pub struct AcmeProblem {
    /// The error type.
    pub kind: ProblemKind,
    /// What is wrong, for a person.
    pub detail: String,
    /// What is wrong with single identifiers (RFC 8555 section 6.7.1).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subproblems: Vec<Subproblem>,
    /// How long to wait, for [`ProblemKind::RateLimited`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after: Option<Span>,
    /// The account that has the key already, when a key is to be rolled over to it (RFC 8555 section 7.3.5: 409 with its URL).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<AcmeAccountId>,
}

/// What is wrong with one identifier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subproblem {
    /// The error type.
    pub kind: ProblemKind,
    /// What is wrong.
    pub detail: String,
    /// Which identifier; `None` if it is about the request as a whole.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identifier: Option<Identifier>,
}

impl AcmeProblem {
    /// A problem without subproblems.
    pub fn new(kind: ProblemKind, detail: impl Into<String>) -> Self {
        Self { kind, detail: detail.into(), subproblems: Vec::new(), retry_after: None, account: None }
    }

    /// One problem of several; a single one about no identifier in particular stays as it is.
    ///
    /// Subproblems that are all of one type give it to the whole; otherwise it is `otherwise`.
    pub fn of(otherwise: ProblemKind, detail: impl Into<String>, subproblems: Vec<Subproblem>) -> Self {
        let first = subproblems.first().map(|first| first.kind);
        let is_uniform = subproblems.iter().all(|each| Some(each.kind) == first);
        let kind = first.filter(|_| is_uniform).unwrap_or(otherwise);
        Self { subproblems, ..Self::new(kind, detail) }
    }

    pub(crate) fn malformed(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Malformed, detail)
    }

    pub(crate) fn unauthorized(detail: impl Into<String>) -> Self {
        Self::new(ProblemKind::Unauthorized, detail)
    }
}

impl From<ValidationError> for AcmeProblem {
    fn from(error: ValidationError) -> Self {
        Self::new(error.fault.into(), error.detail)
    }
}
