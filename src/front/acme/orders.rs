//! Orders: placed, listed, shown and finalized (RFC 8555 section 7.4).

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64URL;
use http::StatusCode;
use serde::Serialize;

use super::accounts::own;
use super::arrival::Arrival;
use super::jws;
use super::problem::Fault;
use super::reply::Reply;
use super::service::Call;
use super::wire::{FinalizeBody, NewOrderBody, OrderObject};
use crate::domain::acme::{AcmeProblem, ProblemKind};
use crate::engine::PageToken;
use crate::engine::acme::{NewOrder, OrderView};

#[derive(Serialize)]
struct List {
    orders: Vec<String>,
}

/// Reads the payload of a newOrder request.
///
/// # Errors
/// `malformed`.
pub fn read_order(payload: &[u8]) -> Result<NewOrder, AcmeProblem> {
    let body: NewOrderBody = jws::read(payload, "the payload is no order")?;
    let NewOrderBody { identifiers, not_before, not_after, replaces, profile } = body;
    Ok(NewOrder { identifiers, not_before, not_after, replaces, profile, account_url: None })
}

pub(super) async fn create(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let account = arrival.account()?;
    let account_url = Some(call.place.account(account.id));
    let new = NewOrder { account_url, ..read_order(arrival.payload())? };
    let view = call.server.new_order(account, new).await?;
    written(call, StatusCode::CREATED, &view)
}

pub(super) async fn show(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let account = arrival.reads()?;
    let view = call.server.order(account, call.id(0)?).await?;
    written(call, StatusCode::OK, &view)
}

pub(super) async fn finalize(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    let account = arrival.account()?;
    let body: FinalizeBody = arrival.object()?;
    let csr = BASE64URL.decode(&body.csr);
    let csr = csr.map_err(|_| AcmeProblem::new(ProblemKind::BadCsr, "`csr` is not base64url without padding"))?;
    let view = call.server.finalize(account, call.id(0)?, &csr).await?;
    written(call, StatusCode::OK, &view)
}

pub(super) async fn list(call: &Call, arrival: &Arrival) -> Result<Reply, Fault> {
    arrival.reads()?;
    let account = own(call, arrival)?;
    let after = call.parts.uri.query().and_then(|query| query.strip_prefix("after=")).map(PageToken::new);
    let page = call.server.orders(account, after.as_ref()).await?;
    let orders = page.items.into_iter().map(|id| call.place.order(id)).collect();
    let reply = Reply::json(StatusCode::OK, &List { orders })?;
    Ok(match page.next {
        Some(token) => reply.link(&call.place.orders(account.id, Some(&token)), "next"),
        None => reply,
    })
}

fn written(call: &Call, status: StatusCode, view: &OrderView) -> Result<Reply, Fault> {
    let reply = Reply::json(status, &OrderObject::of(view, &call.place))?;
    Ok(reply.at(&call.place.order(view.order.id)).after(view.retry_after))
}
