//! Revocation: which certificate, why, and which change of mind is possible.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{CertificateId, CertificateState, IssuerId};
use crate::x509::{RevocationReason, Serial, SignatureAlgorithm};

/// Which certificate is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum CertificateRef {
    /// The one of this id in the inventory.
    Id(CertificateId),
    /// The one with this serial number below this issuer.
    Serial(IssuerId, Serial),
    /// The one with this SHA-256 fingerprint over its DER.
    Fingerprint([u8; 32]),
}

impl From<CertificateId> for CertificateRef {
    fn from(id: CertificateId) -> Self {
        Self::Id(id)
    }
}

impl From<(IssuerId, Serial)> for CertificateRef {
    fn from((issuer, serial): (IssuerId, Serial)) -> Self {
        Self::Serial(issuer, serial)
    }
}

impl From<[u8; 32]> for CertificateRef {
    fn from(fingerprint: [u8; 32]) -> Self {
        Self::Fingerprint(fingerprint)
    }
}

/// Why a certificate is revoked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Revocation {
    /// Why.
    pub reason: RevocationReason,
    /// Since when its key may have been in other hands, if that is known (invalidityDate, RFC 5280 section 5.3.2).
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub invalid_since: Option<OffsetDateTime>,
}

impl From<RevocationReason> for Revocation {
    fn from(reason: RevocationReason) -> Self {
        Self { reason, invalid_since: None }
    }
}

/// Why a certificate is not revoked, or its hold not lifted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RevocationFault {
    /// No issuer here signed it: who did must revoke it.
    #[error("it was issued elsewhere, and only its own issuer can revoke it")]
    IssuedElsewhere,
    /// It is its own issuer, and nobody would believe its revocation.
    #[error("it is self-signed, and its own word is worth nothing once it is not trusted")]
    SelfSigned,
    /// Its notAfter has passed.
    #[error("it has expired")]
    Expired,
    /// It is revoked for another reason, which stands.
    #[error("it is revoked already, for {reason}")]
    AlreadyRevoked {
        /// The reason that stands.
        reason: RevocationReason,
    },
    /// It is not on hold.
    #[error("it is not on hold")]
    NotOnHold,
    /// The proof is none of its key.
    #[error("the signature does not prove that its private key is at hand")]
    NoProof,
}

/// What a certificate becomes when it is revoked; `None` if it stays as it is.
///
/// To revoke again for the same reason changes nothing. A hold may become a revocation, and any reason a compromise of the
/// key, each as of the first revocation; otherwise the first reason stands.
///
/// # Errors
/// [`RevocationFault::AlreadyRevoked`].
pub(crate) fn revoked(
    state: CertificateState,
    reason: RevocationReason,
    now: OffsetDateTime,
) -> Result<Option<CertificateState>, RevocationFault> {
    match state {
        CertificateState::Active => Ok(Some(CertificateState::Revoked { reason, at: now })),
        CertificateState::Revoked { reason: earlier, .. } if earlier == reason => Ok(None),
        CertificateState::Revoked { reason: earlier, at }
            if earlier == RevocationReason::CertificateHold || reason == RevocationReason::KeyCompromise =>
        {
            Ok(Some(CertificateState::Revoked { reason, at }))
        }
        CertificateState::Revoked { reason, .. } => Err(RevocationFault::AlreadyRevoked { reason }),
    }
}

/// A proof that somebody has a certificate's private key: a signature over [`KeyProof::message`].
///
/// It is good for nothing but the revocation of that one certificate: the message names the act and the certificate, and
/// who sends it again revokes what is revoked already. A certificate request would not do as a proof: every one that was
/// ever sent for an enrollment could be used against its owner.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyProof {
    /// What it is signed with.
    pub algorithm: SignatureAlgorithm,
    /// The signature, as X.509 encodes it (ECDSA as DER).
    pub signature: Vec<u8>,
}

impl KeyProof {
    /// The message to sign: `chancery: revoke for keyCompromise`, a zero octet, and the 32 octets of the certificate's
    /// SHA-256 fingerprint.
    pub fn message(fingerprint: &[u8; 32]) -> Vec<u8> {
        [&b"chancery: revoke for keyCompromise\0"[..], fingerprint].concat()
    }
}

#[cfg(test)]
mod tests {
    use time::macros::datetime;

    use super::*;

    const FIRST: OffsetDateTime = datetime!(2026-01-01 0:00 UTC);
    const LATER: OffsetDateTime = datetime!(2026-02-01 0:00 UTC);

    #[test]
    fn the_first_reason_stands_unless_it_was_a_hold_or_gets_worse() {
        for earlier in RevocationReason::ALL {
            let state = revoked(CertificateState::Active, earlier, FIRST).unwrap().unwrap();
            assert_eq!(state, CertificateState::Revoked { reason: earlier, at: FIRST });
            for reason in RevocationReason::ALL {
                let may_change =
                    earlier == RevocationReason::CertificateHold || reason == RevocationReason::KeyCompromise;
                let expected = match (earlier == reason, may_change) {
                    (true, _) => Ok(None),
                    (false, true) => Ok(Some(CertificateState::Revoked { reason, at: FIRST })),
                    (false, false) => Err(RevocationFault::AlreadyRevoked { reason: earlier }),
                };
                assert_eq!(revoked(state, reason, LATER), expected, "{earlier} then {reason}");
            }
        }
    }
}
