//! Accounts: made, changed, given up, and given another key (RFC 8555 section 7.3).

use http::StatusCode;
use serde_json::value::RawValue;

use super::arrival::Arrival;
use super::jws::{self, Jws, KeyReference};
use super::problem::Fault;
use super::reply::Reply;
use super::service::{Call, nowhere};
use super::wire::{AccountBody, AccountObject, KeyChangeBody, NewAccountBody};
use crate::domain::AcmeAccountId;
use crate::domain::acme::{Account, AccountKey, AcmeProblem, Binding, BindingMac, ProblemKind};
use crate::engine::acme::{AcmeError, BindingProof, Created, NewAccount, Terms};
use crate::x509::PublicKey;

/// Makes an account, or finds the one of the key. Who has one already needs no binding.
pub(super) async fn create(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let body: NewAccountBody = arrival.object()?;
    let key = account_key(arrival.key())?;
    let existing = match call.server.account_with_key(key.1).await {
        Err(AcmeError::Refused(problem)) if problem.kind == ProblemKind::AccountDoesNotExist => Err(problem),
        other => Ok(other?),
    };
    match existing {
        Ok(account) => show(call, StatusCode::OK, &account),
        Err(problem) if body.only_return_existing => Err(problem.into()),
        Err(_) => make(call, arrival, body, key.0).await,
    }
}

async fn make(call: &Call, arrival: &Arrival, body: NewAccountBody, key: AccountKey) -> Result<Reply, Fault> {
    call.admit_account()?;
    let binding = match &body.external_account_binding {
        Some(json) => Some(bound(call, arrival, json).await?),
        None => None,
    };
    let terms = if body.terms_of_service_agreed { Terms::Agreed } else { Terms::Unsaid };
    let new = NewAccount { key, contacts: body.contact, terms, binding };
    match call.server.create_account(new).await? {
        Created::New(account) => show(call, StatusCode::CREATED, &account),
        Created::Existing(account) => show(call, StatusCode::OK, &account),
    }
}

async fn bound(call: &Call, arrival: &Arrival, json: &RawValue) -> Result<Binding, Fault> {
    let presented = jws::Binding::read(json, arrival.url(), arrival.key())?;
    let mac = match presented.algorithm.as_str() {
        "HS256" => BindingMac::Hs256,
        "HS384" => BindingMac::Hs384,
        "HS512" => BindingMac::Hs512,
        _ => return Err(malformed("an account binding is signed with HS256, HS384 or HS512").into()),
    };
    let unknown = || AcmeProblem::new(ProblemKind::Unauthorized, "there is no such key for account bindings here");
    let kid = presented.kid.parse().map_err(|_| unknown())?;
    let proof = BindingProof { kid, mac, signing_input: &presented.signing_input, tag: &presented.mac };
    Ok(call.server.verify_binding(&proof).await?)
}

/// Shows an account, changes it, or gives it up.
pub(super) async fn update(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let account = own(call, arrival)?;
    if arrival.is_post_as_get() {
        return show(call, StatusCode::OK, account);
    }
    let body: AccountBody = arrival.object()?;
    let changed = match body.status.as_deref() {
        Some("deactivated") => call.server.deactivate_account(account).await?,
        None | Some("valid") => call.server.update_account(account, body.contact).await?,
        Some(_) => return Err(malformed("the one status that a client can set is `deactivated`").into()),
    };
    show(call, StatusCode::OK, &changed)
}

/// Gives an account another key. The inner request is signed with it, the outer one with the present one (RFC 8555 section 7.3.5).
pub(super) async fn roll_key(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let account = arrival.account()?;
    let inner = Jws::parse(arrival.payload())?;
    let KeyReference::Jwk(key) = inner.key() else {
        return Err(malformed("the inner request must bring the new key by `jwk`").into());
    };
    inner.verify(key)?;
    if inner.url() != arrival.url() || inner.nonce().is_some() {
        return Err(malformed("the inner request has the URL of the outer one, and no nonce").into());
    }
    let body: KeyChangeBody = inner.object()?;
    if body.account != call.place.account(account.id) {
        return Err(malformed("`account` is not the account of the request").into());
    }
    if PublicKey::from_jwk(body.old_key.get()).ok().as_ref() != Some(arrival.key()) {
        return Err(malformed("`oldKey` is not the key of the account").into());
    }
    let rolled = call.server.roll_key(account, account_key(key)?.0).await.map_err(Fault::from);
    show(call, StatusCode::OK, &rolled.map_err(|fault| located(call, fault))?)
}

/// Where the account is that has the key already.
fn located(call: &Call, fault: Fault) -> Fault {
    match fault.problem().account {
        Some(account) => fault.at(call.place.account(account)),
        None => fault,
    }
}

/// The account of the path, which must be the one that signed.
pub(super) fn own<'a>(call: &Call, arrival: &'a Arrival) -> Result<&'a Account, Fault> {
    let (account, id): (_, AcmeAccountId) = (arrival.account()?, call.id(0)?);
    // Whether there is another one is not told.
    if account.id == id { Ok(account) } else { Err(nowhere()) }
}

fn account_key(key: &PublicKey) -> Result<(AccountKey, [u8; 32]), Fault> {
    let refused = || AcmeProblem::new(ProblemKind::BadPublicKey, "an account can not have a key of this kind");
    let thumbprint = key.jwk_thumbprint().ok_or_else(refused)?;
    Ok((AccountKey::new(thumbprint, key), thumbprint))
}

fn show(call: &Call, status: StatusCode, account: &Account) -> Result<Reply, Fault> {
    let reply = Reply::json(status, &AccountObject::of(account, &call.place))?;
    Ok(reply.at(&call.place.account(account.id)))
}

fn malformed(detail: &str) -> AcmeProblem {
    AcmeProblem::new(ProblemKind::Malformed, detail)
}
