//! Objects as clients write and read them (RFC 8555 section 7.1, RFC 9773 section 4.2). Fields that are unknown are ignored.

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;

use super::place::Place;
use super::problem::Told;
use crate::domain::acme::AcmeProblem;
use crate::domain::acme::{
    Account, Authorization, Challenge, ChallengeKind, ChallengeState, IdentifierSpec, RenewalInfo,
};
use crate::engine::acme::{AuthorizationView, OrderView};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[derive(Default)]
pub(super) struct NewAccountBody {
    pub(super) contact: Vec<String>,
    pub(super) terms_of_service_agreed: bool,
    pub(super) only_return_existing: bool,
    pub(super) external_account_binding: Option<Box<RawValue>>,
}

#[derive(Deserialize)]
pub(super) struct AccountBody {
    pub(super) contact: Option<Vec<String>>,
    pub(super) status: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct KeyChangeBody {
    pub(super) account: String,
    pub(super) old_key: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NewOrderBody {
    pub(super) identifiers: Vec<IdentifierSpec>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(super) not_before: Option<OffsetDateTime>,
    #[serde(default, with = "time::serde::rfc3339::option")]
    pub(super) not_after: Option<OffsetDateTime>,
    pub(super) replaces: Option<String>,
    pub(super) profile: Option<String>,
}

#[derive(Deserialize)]
pub(super) struct AuthorizationBody {
    pub(super) status: String,
}

#[derive(Deserialize)]
pub(super) struct FinalizeBody {
    pub(super) csr: String,
}

#[derive(Deserialize)]
pub(super) struct RevokeBody {
    pub(super) certificate: String,
    pub(super) reason: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct AccountObject<'a> {
    status: &'a str,
    contact: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    terms_of_service_agreed: Option<bool>,
    orders: String,
}

impl<'a> AccountObject<'a> {
    pub(super) fn of(account: &'a Account, place: &Place) -> Self {
        Self {
            status: account.status().as_str(),
            contact: account.contacts.iter().map(|contact| contact.as_str()).collect(),
            terms_of_service_agreed: account.terms_agreed_at.map(|_| true),
            orders: place.orders(account.id, None),
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct OrderObject<'a> {
    status: &'a str,
    #[serde(with = "time::serde::rfc3339")]
    expires: OffsetDateTime,
    identifiers: Vec<IdentifierSpec>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    not_before: Option<OffsetDateTime>,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    not_after: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<Told<'a>>,
    authorizations: Vec<String>,
    finalize: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    certificate: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaces: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    profile: Option<&'a str>,
}

impl<'a> OrderObject<'a> {
    pub(super) fn of(view: &'a OrderView, place: &Place) -> Self {
        let order = &view.order;
        Self {
            status: view.status.as_str(),
            expires: to_the_second(order.expires_at),
            identifiers: order.identifiers.iter().cloned().map(IdentifierSpec::from).collect(),
            not_before: order.not_before,
            not_after: order.not_after,
            error: view.error.as_ref().map(Told),
            authorizations: order.authorizations.iter().map(|id| place.authorization(*id)).collect(),
            finalize: place.finalize(order.id),
            certificate: view.certificate.map(|id| place.certificate(id)),
            replaces: order.replaces.as_ref().map(|replaced| replaced.named.as_str()),
            profile: order.chosen.as_ref().map(|name| name.as_str()),
        }
    }
}

#[derive(Serialize)]
pub(super) struct AuthorizationObject {
    status: &'static str,
    #[serde(with = "time::serde::rfc3339")]
    expires: OffsetDateTime,
    identifier: IdentifierSpec,
    challenges: Vec<ChallengeObject>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    wildcard: bool,
}

impl AuthorizationObject {
    pub(super) fn of(view: &AuthorizationView, place: &Place) -> Self {
        let (kind, value) = view.identifier();
        let challenges = view.challenges.iter();
        Self {
            status: view.status.as_str(),
            expires: to_the_second(view.authorization.expires_at),
            identifier: IdentifierSpec { kind: kind.to_owned(), value },
            challenges: challenges.map(|each| ChallengeObject::of(each, &view.authorization, place)).collect(),
            wildcard: view.authorization.identifier.is_wildcard(),
        }
    }
}

#[derive(Serialize)]
pub(super) struct ChallengeObject {
    #[serde(rename = "type")]
    kind: ChallengeKind,
    url: String,
    status: &'static str,
    token: String,
    #[serde(with = "time::serde::rfc3339::option", skip_serializing_if = "Option::is_none")]
    validated: Option<OffsetDateTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<serde_json::Value>,
}

impl ChallengeObject {
    pub(super) fn of(challenge: &Challenge, authorization: &Authorization, place: &Place) -> Self {
        let (validated, error) = match &challenge.state {
            ChallengeState::Pending => (None, None),
            ChallengeState::Processing { error, .. } => (None, error.clone()),
            ChallengeState::Valid { at } => (Some(to_the_second(*at)), None),
            ChallengeState::Invalid { error, .. } => (None, Some(error.clone())),
        };
        let error = error.and_then(|error| serde_json::to_value(Told(&AcmeProblem::from(error))).ok());
        Self {
            kind: challenge.kind,
            url: place.challenge(authorization.id, challenge.kind),
            status: challenge.state.as_str(),
            token: authorization.token.clone(),
            validated,
            error,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct RenewalObject<'a> {
    suggested_window: Window,
    #[serde(rename = "explanationURL", skip_serializing_if = "Option::is_none")]
    explanation: Option<&'a str>,
}

#[derive(Serialize)]
struct Window {
    #[serde(with = "time::serde::rfc3339")]
    start: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    end: OffsetDateTime,
}

impl<'a> RenewalObject<'a> {
    pub(super) fn of(info: &'a RenewalInfo) -> Self {
        let suggested_window = Window { start: to_the_second(info.start), end: to_the_second(info.end) };
        Self { suggested_window, explanation: info.explanation.as_deref() }
    }
}

/// Not every client reads fractions of a second.
fn to_the_second(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(0).unwrap_or(at)
}
