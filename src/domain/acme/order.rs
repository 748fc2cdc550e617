//! Orders: what is stored of them, and how they look (RFC 8555 sections 7.1.3 and 7.1.6).

use serde::{Deserialize, Serialize};
use time::{Duration, OffsetDateTime};

use super::{
    AcmeProblem, Authorization, AuthorizationState, AuthorizationStatus, Identifier, ProblemKind, Proof, Subproblem,
};
use crate::domain::{
    AcmeAccountId, AcmeAuthorizationId, AcmeOrderId, ApplicationId, CertificateId, ProfileId, RequestId, Slug,
};

/// Most identifiers of one order.
pub const MAX_IDENTIFIERS: usize = 100;

/// How long an order that is over can still be read.
const KEPT: Duration = Duration::days(7);

/// An order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// Its id.
    pub id: AcmeOrderId,
    /// Whose.
    pub account: AcmeAccountId,
    /// The Application that the certificate will belong to.
    pub application: ApplicationId,
    /// The profile that it will be issued under.
    pub profile: ProfileId,
    /// The profile's name, if the client chose it (draft-ietf-acme-profiles).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chosen: Option<Slug>,
    /// What the certificate will name; sorted, each once.
    pub identifiers: Vec<Identifier>,
    /// The authorizations, in the order of the identifiers.
    pub authorizations: Vec<AcmeAuthorizationId>,
    /// The notBefore that was asked for.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub not_before: Option<OffsetDateTime>,
    /// The notAfter that was asked for.
    #[serde(default, with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    pub not_after: Option<OffsetDateTime>,
    /// The certificate that is to be replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Replaced>,
    /// Where it stands.
    pub state: OrderState,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// Until when it can be finalized.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// When it is collected, unless its request still stands then.
    #[serde(with = "time::serde::rfc3339")]
    pub collect_at: OffsetDateTime,
}

/// A certificate that an order replaces (RFC 9773 section 5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replaced {
    /// The certificate.
    pub certificate: CertificateId,
    /// What the client called it: the text of its [`CertId`](super::CertId).
    pub named: String,
}

/// Where an order stands. The rest is computed: before, from its authorizations; after, from its request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum OrderState {
    /// It was not finalized.
    Open,
    /// A certificate was asked for: written in the commit that recorded the request, and so once.
    Finalized {
        /// The request.
        request: RequestId,
        /// SHA-256 over the certificate request, hex: whoever sends the same again is answered the same.
        csr: String,
    },
}

/// How an order looks (RFC 8555 section 7.1.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum OrderStatus {
    /// Some authorization is not valid yet.
    Pending,
    /// It can be finalized.
    Ready,
    /// The certificate is on its way: the signer is asked, or people must agree.
    Processing,
    /// The certificate is there.
    Valid,
    /// It comes to nothing.
    Invalid,
}

impl OrderStatus {
    /// The spelling of RFC 8555.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Processing => "processing",
            Self::Valid => "valid",
            Self::Invalid => "invalid",
        }
    }
}

/// Whether an attachment asks for proofs of control, when an order is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ownership {
    Required,
    Skipped,
}

impl Order {
    /// When it is collected at the earliest.
    pub(crate) fn collected(expires_at: OffsetDateTime) -> OffsetDateTime {
        expires_at + KEPT
    }

    /// The same, after it was finalized.
    pub(crate) fn finalized(&self, request: RequestId, csr: String) -> Self {
        Self { state: OrderState::Finalized { request, csr }, ..self.clone() }
    }

    /// How it looks while it is open: its authorizations decide; one that is gone has expired long ago.
    ///
    /// # Errors
    /// It is invalid: what is wrong with each identifier.
    pub(crate) fn open_status(
        &self,
        authorizations: &[Option<Authorization>],
        (ownership, now): (Ownership, OffsetDateTime),
    ) -> Result<OrderStatus, AcmeProblem> {
        if self.expires_at <= now {
            return Err(AcmeProblem::malformed("the order has expired"));
        }
        let wrong: Vec<Subproblem> = self
            .identifiers
            .iter()
            .zip(authorizations)
            .filter_map(|(identifier, authorization)| against(identifier, authorization.as_ref(), (ownership, now)))
            .collect();
        if !wrong.is_empty() {
            return Err(AcmeProblem::of(ProblemKind::Compound, "control of identifiers was not proved", wrong));
        }
        let is_valid = |authorization: &Option<Authorization>| {
            authorization.as_ref().is_some_and(|each| each.status_at(now) == AuthorizationStatus::Valid)
        };
        let is_ready = authorizations.len() == self.identifiers.len() && authorizations.iter().all(is_valid);
        Ok(if is_ready { OrderStatus::Ready } else { OrderStatus::Pending })
    }
}

/// What keeps an authorization from ever serving its order.
fn against(
    identifier: &Identifier,
    authorization: Option<&Authorization>,
    (ownership, now): (Ownership, OffsetDateTime),
) -> Option<Subproblem> {
    let problem = |kind, detail: String| Some(Subproblem { kind, detail, identifier: Some(identifier.clone()) });
    let Some(authorization) = authorization else {
        return problem(ProblemKind::Unauthorized, "its authorization is gone".to_owned());
    };
    match authorization.status_at(now) {
        AuthorizationStatus::Pending => None,
        AuthorizationStatus::Valid => {
            let is_waived = authorization.state == AuthorizationState::Valid { proof: Proof::Waived };
            // The rules were changed since: what was waived is to be proved now, in another order.
            let is_short = is_waived && ownership == Ownership::Required;
            is_short
                .then(|| problem(ProblemKind::Unauthorized, "control of it must be proved now".to_owned()))
                .flatten()
        }
        AuthorizationStatus::Invalid => match authorization.error() {
            Some(error) => problem(error.fault.into(), error.detail),
            None => problem(ProblemKind::Unauthorized, "its authorization is invalid".to_owned()),
        },
        status => problem(ProblemKind::Unauthorized, format!("its authorization is {}", status.as_str())),
    }
}

#[cfg(test)]
#[path = "order_tests.rs"]
mod tests;
