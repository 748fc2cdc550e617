//! Authorizations and their challenges (RFC 8555 section 7.5).

use http::StatusCode;
use serde::de::IgnoredAny;
use std::collections::HashMap;

use super::arrival::Arrival;
use super::problem::Fault;
use super::reply::Reply;
use super::service::{Call, nowhere};
use super::wire::{AuthorizationBody, AuthorizationObject, ChallengeObject};
use crate::domain::acme::{AcmeProblem, ChallengeKind, ProblemKind};

/// Shows an authorization, or gives it up.
pub(super) async fn show_or_deactivate(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let (account, id) = (arrival.account()?, call.id(0)?);
    let view = if arrival.is_post_as_get() {
        call.server.authorization(account, id).await?
    } else {
        let body: AuthorizationBody = arrival.object()?;
        if body.status != "deactivated" {
            let detail = "the one status that a client can set is `deactivated`";
            return Err(AcmeProblem::new(ProblemKind::Malformed, detail).into());
        }
        call.server.deactivate_authorization(account, id).await?
    };
    let reply = Reply::json(StatusCode::OK, &AuthorizationObject::of(&view, &call.place))?;
    Ok(reply.after(view.retry_after))
}

/// Shows a challenge, or says that it can be looked at. Due work looks.
pub(super) async fn challenge(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let (account, id) = (arrival.account()?, call.id(0)?);
    let kind = call.ids.get(1).and_then(|text| ChallengeKind::ALL.into_iter().find(|kind| kind.as_str() == text));
    let kind = kind.ok_or_else(nowhere)?;
    let view = if arrival.is_post_as_get() {
        call.server.authorization(account, id).await?
    } else {
        // Whatever the object says: there is nothing that a challenge of these kinds needs to be told.
        let _: HashMap<String, IgnoredAny> = arrival.object()?;
        call.server.answer_challenge(account, id, kind).await?
    };
    let challenge = view.challenges.iter().find(|challenge| challenge.kind == kind).ok_or_else(nowhere)?;
    let reply = Reply::json(StatusCode::OK, &ChallengeObject::of(challenge, &view.authorization, &call.place))?;
    let (authorization, wait) = (call.place.authorization(view.authorization.id), view.retry_after);
    Ok(reply.link(&authorization, "up").after(wait))
}
