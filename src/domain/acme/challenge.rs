//! Challenges: which there are, and why one failed (RFC 8555 section 8, RFC 8737, RFC 8738).

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

/// How control of an identifier is proved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ChallengeKind {
    /// A file over HTTP (RFC 8555 section 8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// A TXT record (RFC 8555 section 8.4).
    #[serde(rename = "dns-01")]
    Dns01,
    /// A certificate over TLS (RFC 8737).
    #[serde(rename = "tls-alpn-01")]
    TlsAlpn01,
}

impl ChallengeKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Http01, Self::Dns01, Self::TlsAlpn01];

    /// The name in the protocol, for example `http-01`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
            Self::TlsAlpn01 => "tls-alpn-01",
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What kind of thing went wrong when an identifier was validated. Each is an error type of RFC 8555 section 6.7.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ValidationFault {
    /// `connection`: the client's server could not be reached.
    Connection,
    /// `dns`: a name could not be resolved.
    Dns,
    /// `tls`: the handshake failed, or was not what RFC 8737 asks for.
    Tls,
    /// `incorrectResponse`: something else was there than what the challenge asks for.
    IncorrectResponse,
    /// `unauthorized`: the answer was there and was refused, as by a status that is not 200.
    Unauthorized,
    /// `caa`: CAA records forbid it (RFC 8659).
    Caa,
    /// `rejectedIdentifier`: the rules of the host forbid to look there, as private networks.
    RejectedIdentifier,
}

impl ValidationFault {
    /// Whether nothing that the client does soon will mend it, so that it is not tried again.
    pub fn is_final(self) -> bool {
        matches!(self, Self::RejectedIdentifier)
    }
}

/// Why a validation failed. Clients are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{detail}")]
pub struct ValidationError {
    /// What kind of thing went wrong.
    pub fault: ValidationFault,
    /// What was seen, in a sentence. Holds nothing secret, and little of what strangers sent.
    pub detail: String,
}

impl ValidationError {
    /// A failure with its sentence.
    pub fn new(fault: ValidationFault, detail: impl Into<String>) -> Self {
        Self { fault, detail: detail.into() }
    }
}

/// A challenge of an authorization (RFC 8555 section 7.1.5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Challenge {
    /// How control is to be proved.
    pub kind: ChallengeKind,
    /// Where it stands.
    pub state: ChallengeState,
}

/// Where a challenge stands (RFC 8555 section 7.1.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum ChallengeState {
    /// The client has not said that it is ready.
    Pending,
    /// The verifier looks, or will look again.
    Processing {
        /// How often it has looked; counted when it begins.
        attempts: u8,
        /// When it looks next.
        #[serde(with = "time::serde::rfc3339")]
        due_at: OffsetDateTime,
        /// What it saw last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        error: Option<ValidationError>,
    },
    /// Control is proved.
    Valid {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
    },
    /// It failed for good.
    Invalid {
        /// When.
        #[serde(with = "time::serde::rfc3339")]
        at: OffsetDateTime,
        /// Why.
        error: ValidationError,
    },
}

impl ChallengeState {
    /// The spelling of RFC 8555.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Processing { .. } => "processing",
            Self::Valid { .. } => "valid",
            Self::Invalid { .. } => "invalid",
        }
    }
}
