//! How orders look: open ones by their authorizations, finalized ones by their request.

use time::OffsetDateTime;

use super::accounts::settings_of;
use super::answers::OrderView;
use crate::domain::acme::{
    Account, AcmeProblem, Authorization, Identifier, Order, OrderState, OrderStatus, Ownership, ProblemKind, refusal,
};
use crate::domain::{AcmeSettings, Application, CertificateRequest};
use crate::engine::context::{Context, Versioned, decode};
use crate::engine::error::Error;
use crate::engine::outcome::Outcome;
use crate::engine::schema::Entity;
use crate::store::{Document, Key};
use crate::x509::San;

impl Context {
    /// How an order looks.
    pub(super) async fn order_view(&self, order: Order) -> Result<OrderView, Error> {
        match &order.state {
            OrderState::Open => {
                let Standing { authorizations, ownership, .. } = self.standing_of(&order).await?;
                let authorizations: Vec<Option<Authorization>> =
                    authorizations.into_iter().map(|found| found.map(|found| found.value)).collect();
                Ok(open_view(order, &authorizations, (ownership, self.now())))
            }
            OrderState::Finalized { request, .. } => {
                let request: Option<Versioned<CertificateRequest>> = self.find(&request.to_string()).await?;
                let outcome = match request {
                    Some(request) => Some(self.settled(request.value).await?),
                    None => None,
                };
                Ok(finalized_view(order, outcome))
            }
        }
    }

    /// What an open order depends on, in one reading.
    pub(super) async fn standing_of(&self, order: &Order) -> Result<Standing, Error> {
        let authorizations = order.authorizations.iter().map(|id| Key::new(Authorization::KIND, id.to_string()));
        let application = Key::new(Application::KIND, order.application.to_string());
        let account = Key::new(Account::KIND, order.account.to_string());
        let keys: Vec<Key> = [application, account].into_iter().chain(authorizations).collect();
        let mut found = self.store.get(&keys).await?.into_iter();
        let application: Option<Versioned<Application>> = read(found.next().flatten())?;
        let account = read(found.next().flatten())?;
        let settings =
            application.as_ref().and_then(|each| settings_of(&each.value, (order.application, order.profile)).ok());
        let ownership = settings.map_or(Ownership::Required, ownership);
        let authorizations = found.map(read).collect::<Result<_, _>>()?;
        Ok(Standing { account, authorizations, ownership })
    }
}

/// What an open order depends on.
pub(super) struct Standing {
    pub(super) account: Option<Versioned<Account>>,
    pub(super) authorizations: Vec<Option<Versioned<Authorization>>>,
    pub(super) ownership: Ownership,
}

fn read<T: Entity>(document: Option<Document>) -> Result<Option<Versioned<T>>, Error> {
    let read = |found: Document| Ok(Versioned { value: decode(&found.key, &found.body)?, version: found.version });
    document.map(read).transpose()
}

pub(super) fn open_view(
    order: Order,
    authorizations: &[Option<Authorization>],
    at: (Ownership, OffsetDateTime),
) -> OrderView {
    let (status, error) = match order.open_status(authorizations, at) {
        Ok(status) => (status, None),
        Err(problem) => (OrderStatus::Invalid, Some(problem)),
    };
    OrderView { order, status, error, certificate: None, retry_after: None }
}

pub(super) fn finalized_view(order: Order, outcome: Option<Outcome>) -> OrderView {
    let view = |order, status| OrderView { order, status, error: None, certificate: None, retry_after: None };
    match outcome {
        Some(Outcome::Issued(issued)) => {
            OrderView { certificate: Some(issued.record.id), ..view(order, OrderStatus::Valid) }
        }
        Some(Outcome::Pending(pending)) => {
            OrderView { retry_after: Some(pending.retry_after), ..view(order, OrderStatus::Processing) }
        }
        Some(Outcome::Refused(refused)) => {
            let sans: Vec<San> = order.identifiers.iter().map(Identifier::to_san).collect();
            let problem = AcmeProblem { kind: ProblemKind::Unauthorized, ..refusal(&refused.violations, &sans) };
            OrderView { error: Some(problem), ..view(order, OrderStatus::Invalid) }
        }
        None => {
            let problem = AcmeProblem::malformed("its request is not kept any more");
            OrderView { error: Some(problem), ..view(order, OrderStatus::Invalid) }
        }
    }
}

pub(super) fn ownership(settings: &AcmeSettings) -> Ownership {
    if settings.checks.needs_ownership() { Ownership::Required } else { Ownership::Skipped }
}
