//! May this certificate be renewed: now, later, or not, and for which reasons.

use std::fmt;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use super::{Life, RenewalSetting};
use crate::domain::{Attachment, CertificateId, CertificateRecord, CertificateState, KeyCustody, Method};

/// Whether a certificate may be renewed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "eligibility", rename_all = "snake_case")]
pub enum Eligibility {
    /// It may.
    Eligible,
    /// It will.
    NotYet {
        /// From then on.
        #[serde(with = "time::serde::rfc3339")]
        opens_at: OffsetDateTime,
    },
    /// It may not.
    Ineligible {
        /// Every reason, at least one.
        reasons: Vec<Ineligibility>,
    },
}

/// Why a certificate may not be renewed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Ineligibility {
    /// It was not issued under a profile: it is an issuer's own, or only tracked.
    NoProfile,
    /// Its Application is gone, or its profile, or the one is not attached to the other any more.
    NotAttached,
    /// The attachment does not allow the API any more, by which it was issued.
    MethodDisabled,
    /// Its issuer does not issue.
    IssuerInactive,
    /// It has expired.
    Expired,
    /// It is revoked or on hold.
    Revoked,
    /// Another was issued in its place.
    Renewed {
        /// Which.
        by: CertificateId,
    },
    /// Its key is with the client, and so is its renewal.
    ClientKey,
    /// It was asked for by a protocol whose clients renew themselves.
    ClientMethod {
        /// Which.
        method: Method,
    },
    /// Neither profile, attachment nor certificate says that it renews by itself.
    NotSet,
}

/// Who wants to renew.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Renewing<'a> {
    /// Somebody who asks for it.
    Manually,
    /// Due work, as set by certificate, attachment or profile; `None` if none of them says so.
    ByItself(Option<&'a RenewalSetting>),
    /// Due work, at once: an incident brought it forward.
    Urgently,
}

/// What surrounds a certificate.
#[derive(Clone, Copy, Debug)]
pub struct Surroundings<'a> {
    /// The attachment of its profile to its Application, if there still is one.
    pub attachment: Option<&'a Attachment>,
    /// Whether its issuer issues.
    pub issuer: IssuerStanding,
}

/// Whether an issuer issues.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum IssuerStanding {
    /// It does; or the profile is self-signed and needs none.
    Active,
    /// It waits for its own certificate, or is gone.
    Inactive,
}

/// Whether `record` may be renewed at the instant `now`. Nothing is allocated unless there is a reason against it.
pub fn eligibility(
    record: &CertificateRecord,
    surroundings: Surroundings<'_>,
    renewing: Renewing<'_>,
    now: OffsetDateTime,
) -> Eligibility {
    let reasons: Vec<Ineligibility> = lasting(record, now)
        .into_iter()
        .chain(around(record, surroundings))
        .chain(automatic(record, renewing))
        .flatten()
        .collect();
    if !reasons.is_empty() {
        return Eligibility::Ineligible { reasons };
    }
    let life = Life::of(record);
    let opens_at = match renewing {
        Renewing::ByItself(Some(setting)) => life.opens_at(setting),
        _ => life.floor(),
    };
    if now < opens_at { Eligibility::NotYet { opens_at } } else { Eligibility::Eligible }
}

/// What will not pass.
fn lasting(record: &CertificateRecord, now: OffsetDateTime) -> [Option<Ineligibility>; 3] {
    let is_revoked = matches!(record.state, CertificateState::Revoked { .. });
    let is_expired = now > record.validity.not_after();
    [
        is_revoked.then_some(Ineligibility::Revoked),
        is_expired.then_some(Ineligibility::Expired),
        record.replaced_by.map(|by| Ineligibility::Renewed { by }),
    ]
}

fn around(record: &CertificateRecord, around: Surroundings<'_>) -> [Option<Ineligibility>; 3] {
    let is_owned = record.profile.is_some() && record.application.is_some();
    let disabled = around.attachment.filter(|attachment| !attachment.methods.enables(Method::Api));
    [
        (!is_owned).then_some(Ineligibility::NoProfile),
        match around.attachment {
            None if is_owned => Some(Ineligibility::NotAttached),
            _ => disabled.map(|_| Ineligibility::MethodDisabled),
        },
        (around.issuer == IssuerStanding::Inactive).then_some(Ineligibility::IssuerInactive),
    ]
}

/// Server-managed keys of the API renew by themselves, and nothing else. Certificates of an unknown method came by import.
fn automatic(record: &CertificateRecord, renewing: Renewing<'_>) -> [Option<Ineligibility>; 3] {
    if renewing == Renewing::Manually {
        return [None; 3];
    }
    let method = record.method.filter(|method| *method != Method::Api);
    [
        (record.custody == KeyCustody::Client).then_some(Ineligibility::ClientKey),
        method.map(|method| Ineligibility::ClientMethod { method }),
        (renewing == Renewing::ByItself(None)).then_some(Ineligibility::NotSet),
    ]
}

impl fmt::Display for Ineligibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoProfile => f.write_str("it was not issued under a profile"),
            Self::NotAttached => f.write_str("its profile is not attached to its Application any more"),
            Self::MethodDisabled => f.write_str("its attachment does not allow the API any more"),
            Self::IssuerInactive => f.write_str("its issuer does not issue"),
            Self::Expired => f.write_str("it has expired"),
            Self::Revoked => f.write_str("it is revoked or on hold"),
            Self::Renewed { by } => write!(f, "it was renewed by {by}"),
            Self::ClientKey => f.write_str("its key is with the client, who renews it"),
            Self::ClientMethod { method } => write!(f, "it came by {method}, whose clients renew"),
            Self::NotSet => f.write_str("nothing says that it renews by itself"),
        }
    }
}

#[cfg(test)]
#[path = "eligibility_tests.rs"]
mod tests;
