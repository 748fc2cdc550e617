//! What holds of orders: each has one request, which is its own, and what came by ACME came by an order.

use super::Model;
use crate::domain::acme::{Order, OrderState};
use crate::domain::{CertificateRecord, Method};
use crate::simulation::failure::{Invariant, Verdict};

impl Model {
    /// An order that was finalized stays with its request, and no two have the same.
    pub(super) fn order(&mut self, order: &Order) -> Verdict {
        let OrderState::Finalized { request, .. } = order.state else {
            let was_open = !self.ordered.values().any(|owner| *owner == order.id);
            return Invariant::Orders.holds(was_open, || format!("{} was finalized and is open again", order.id));
        };
        let other = self.ordered.iter().find(|(known, owner)| **owner == order.id && **known != request);
        Invariant::Orders.holds(other.is_none(), || format!("{} has {request} and {other:?}", order.id))?;
        let owner = *self.ordered.entry(request).or_insert(order.id);
        Invariant::Orders.holds(owner == order.id, || format!("{request} is that of {owner} and of {}", order.id))
    }

    /// A certificate that came by ACME came by an order, recorded before it or with it; and no other came by the same.
    pub(super) fn judge_order(&self, record: &CertificateRecord) -> Verdict {
        if record.method != Some(Method::Acme) {
            return Ok(());
        }
        let order = record.request.and_then(|request| self.ordered.get(&request));
        Invariant::Orders.holds(order.is_some(), || format!("{} came by no order", record.id))?;
        let of_request = |other: &&CertificateRecord| other.request == record.request && other.id != record.id;
        let other = self.certificates.values().find(of_request).map(|other| other.id);
        Invariant::Orders.holds(other.is_none(), || format!("{} and {other:?} came by {order:?}", record.id))
    }
}
