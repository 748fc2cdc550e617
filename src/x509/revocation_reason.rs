//! Why a certificate was revoked (RFC 5280 section 5.3.1).

use std::fmt;

use serde::{Deserialize, Serialize};

/// The reasons of RFC 5280 section 5.3.1 that a revocation can have. removeFromCRL is none: it is how delta CRLs tell
/// that a hold was lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum RevocationReason {
    /// No reason is given. In a CRL the reason is then left out, as the RFC asks.
    Unspecified,
    /// The private key is in other hands, or may be.
    KeyCompromise,
    /// The issuer's private key is in other hands, or may be.
    CaCompromise,
    /// The subject's name or other information has changed.
    AffiliationChanged,
    /// Another certificate has taken its place.
    Superseded,
    /// It is no longer needed.
    CessationOfOperation,
    /// It is on hold, which can be lifted.
    CertificateHold,
    /// What it grants was withdrawn.
    PrivilegeWithdrawn,
    /// The same as a compromise of the CA, for attribute authorities.
    #[serde(rename = "A_A_COMPROMISE")]
    AaCompromise,
}

impl RevocationReason {
    /// All reasons.
    pub const ALL: [Self; 9] = [
        Self::Unspecified,
        Self::KeyCompromise,
        Self::CaCompromise,
        Self::AffiliationChanged,
        Self::Superseded,
        Self::CessationOfOperation,
        Self::CertificateHold,
        Self::PrivilegeWithdrawn,
        Self::AaCompromise,
    ];

    /// The number of the CRLReason.
    pub fn code(self) -> u8 {
        match self {
            Self::Unspecified => 0,
            Self::KeyCompromise => 1,
            Self::CaCompromise => 2,
            Self::AffiliationChanged => 3,
            Self::Superseded => 4,
            Self::CessationOfOperation => 5,
            Self::CertificateHold => 6,
            Self::PrivilegeWithdrawn => 9,
            Self::AaCompromise => 10,
        }
    }

    /// The name in RFC 5280.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unspecified => "unspecified",
            Self::KeyCompromise => "keyCompromise",
            Self::CaCompromise => "cACompromise",
            Self::AffiliationChanged => "affiliationChanged",
            Self::Superseded => "superseded",
            Self::CessationOfOperation => "cessationOfOperation",
            Self::CertificateHold => "certificateHold",
            Self::PrivilegeWithdrawn => "privilegeWithdrawn",
            Self::AaCompromise => "aACompromise",
        }
    }
}

impl fmt::Display for RevocationReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
