//! What clients of ACME do in a simulated world: they order, prove and finalize, at whichever node, and several at once.

use time::Duration;

use super::failure::Invariant;
use super::model::GUARDED;
use super::moves::Visit;
use super::stage::lock;
use crate::domain::acme::{Account, AccountKey, AuthorizationStatus, IdentifierSpec, OrderStatus};
use crate::domain::{AcmeOrderId, ProfileId};
use crate::engine::Error;
use crate::engine::acme::{AcmeError, AcmeServer, NewAccount, NewOrder, Terms};

/// An order that a client remembers.
#[derive(Clone, Debug)]
pub(super) struct Placed {
    profile: ProfileId,
    order: AcmeOrderId,
    name: String,
}

/// How often a client looks, and how long it waits in between: longer than it takes if nothing goes wrong.
const LOOKS: usize = 12;
const PAUSE: Duration = Duration::seconds(30);

/// A client orders, or takes up what it or another has ordered, and goes on as far as it comes. It tells of what it is refused.
pub(super) async fn act(visit: &Visit) -> Result<(), Error> {
    let done = async {
        let placed = if visit.stage.strikes(2) { Some(order(visit).await?) } else { remembered(visit) };
        match placed {
            Some(placed) => go_on(visit, &placed).await,
            None => Ok(()),
        }
    };
    match done.await {
        Err(AcmeError::Failed(error)) => Err(error),
        Err(AcmeError::Refused(problem)) => {
            visit.stage.tell(format_args!("a client is told: {problem}"));
            Ok(())
        }
        Ok(()) => Ok(()),
    }
}

/// Places an order.
async fn order(visit: &Visit) -> Result<Placed, AcmeError> {
    let office = &visit.desk.1;
    // Of the two, that one is attached all the time.
    let profile = if visit.stage.strikes(3) { office.web } else { office.inner };
    let number = {
        let mut caller = lock(&visit.caller);
        caller.ordered += 1;
        caller.ordered
    };
    let domain = if visit.stage.strikes(6) { GUARDED } else { ".example.com" };
    let name = format!("client-{number}{domain}");
    let (server, account) = account(visit, profile).await?;
    let identifiers = vec![IdentifierSpec { kind: "dns".into(), value: name.clone() }];
    let placed = server.new_order(&account, NewOrder { identifiers, ..NewOrder::default() }).await?;
    visit.stage.tell(format_args!("{name} is ordered as {}", placed.order.id));
    let placed = Placed { profile, order: placed.order.id, name };
    lock(&visit.caller).orders.push(placed.clone());
    Ok(placed)
}

fn remembered(visit: &Visit) -> Option<Placed> {
    let caller = lock(&visit.caller);
    caller.orders.get(visit.stage.draw(caller.orders.len() as u64) as usize).cloned()
}

/// Does one thing after the other about an order: another client may do the same elsewhere.
async fn go_on(visit: &Visit, placed: &Placed) -> Result<(), AcmeError> {
    for _ in 0..LOOKS {
        if look(visit, placed).await? {
            break;
        }
        visit.stage.nap(PAUSE).await;
    }
    Ok(())
}

/// Does the next thing about an order; whether that was the last.
async fn look(visit: &Visit, placed: &Placed) -> Result<bool, AcmeError> {
    let (server, account) = account(visit, placed.profile).await?;
    let seen = server.order(&account, placed.order).await?;
    match seen.status {
        OrderStatus::Pending => prove(&server, &account, &seen.order.authorizations).await?,
        OrderStatus::Ready => {
            // On the one key or the other: clients that run twice do not agree.
            let csr = visit.desk.1.csr(&placed.name, visit.stage.draw(2)).await?;
            let done = server.finalize(&account, placed.order, csr.der()).await?;
            visit.stage.tell(format_args!("{} is finalized: {}", placed.order, done.status.as_str()));
        }
        OrderStatus::Processing => {}
        OrderStatus::Valid => {
            fetch(visit, placed, (&server, &account)).await?;
            return Ok(true);
        }
        OrderStatus::Invalid => {
            forget(visit, placed);
            return Ok(true);
        }
    }
    Ok(false)
}

async fn prove(
    server: &AcmeServer,
    account: &Account,
    authorizations: &[crate::domain::AcmeAuthorizationId],
) -> Result<(), AcmeError> {
    for id in authorizations {
        let seen = server.authorization(account, *id).await?;
        let challenge = seen.challenges.first().filter(|_| seen.status == AuthorizationStatus::Pending);
        if let Some(challenge) = challenge {
            server.answer_challenge(account, *id, challenge.kind).await?;
        }
    }
    Ok(())
}

/// A client that was told that its order is valid gets the certificate.
async fn fetch(visit: &Visit, placed: &Placed, (server, account): (&AcmeServer, &Account)) -> Result<(), AcmeError> {
    let order = server.order(account, placed.order).await?;
    let Some(id) = order.certificate else { return Ok(()) };
    let certificate = server.certificate(account, id).await?;
    let fits = certificate.chains[0].leaf().content().sans.iter().any(|san| *san.value() == *placed.name);
    visit.stage.judge(Invariant::Orders.holds(fits, || format!("{id} is not for what {} ordered", placed.order)));
    visit.stage.tell(format_args!("{} has {id}", placed.name));
    forget(visit, placed);
    Ok(())
}

fn forget(visit: &Visit, placed: &Placed) {
    lock(&visit.caller).orders.retain(|each| each.order != placed.order);
}

/// The one account of the clients of a directory.
async fn account(visit: &Visit, profile: ProfileId) -> Result<(AcmeServer, Account), AcmeError> {
    let (engine, office) = &visit.desk;
    let server = engine.acme(office.application, profile);
    let key = AccountKey::new([1; 32], office.account_key());
    let new = NewAccount { key, contacts: Vec::new(), terms: Terms::Agreed, binding: None };
    let account = server.create_account(new).await?.into_inner();
    Ok((server, account))
}
