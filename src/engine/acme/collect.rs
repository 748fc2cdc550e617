//! What is over is collected: accounts that nobody uses, binding keys that have expired, orders and meters.

use crate::domain::acme::{Account, Meter, Order, OrderState};
use crate::domain::{CertificateRequest, RequestState};
use crate::engine::context::{Context, Versioned};
use crate::engine::due::{Work, hold, item};
use crate::engine::error::Error;
use crate::engine::schema::{Claim, Entity, KeptBinding, key_claim, replacement_claim};
use crate::store::Hit;

/// How long an order is looked at again whose request people still decide on.
const PAUSE: time::Duration = time::Duration::DAY;

impl Context {
    /// Collects an account that was not used for long, or is valid no more, with the claim on its key.
    pub(in crate::engine) async fn account_due(&self, hit: &Hit) -> Result<Work, Error> {
        let account: Account = item(hit)?;
        if account.collect_at() > self.now() {
            return Ok(Work::Nothing);
        }
        let claim = key_claim((account.application, account.profile), &account.key, account.id);
        let claim = self.find::<Claim>(&claim.document_id()).await?;
        let mut change = self.change_by_engine()?;
        change.delete(&account, hit.document.version);
        if let Some(claim) = claim.filter(|claim| claim.value.owner == account.id.to_string()) {
            change.delete(&claim.value, claim.version);
        }
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Removed))
    }

    /// Collects a binding key that has expired.
    pub(in crate::engine) async fn binding_due(&self, hit: &Hit) -> Result<Work, Error> {
        let kept: KeptBinding = item(hit)?;
        self.remove(&Versioned { value: kept, version: hit.document.version }).await?;
        Ok(Work::Removed)
    }

    /// Collects a meter that has run empty.
    pub(in crate::engine) async fn meter_due(&self, hit: &Hit) -> Result<Work, Error> {
        let meter: Meter = item(hit)?;
        self.remove(&Versioned { value: meter, version: hit.document.version }).await?;
        Ok(Work::Removed)
    }

    /// Collects an order that is over, with its claim on a certificate that it was to replace.
    pub(in crate::engine) async fn order_due(&self, hit: &Hit) -> Result<Work, Error> {
        let mut order: Order = item(hit)?;
        let mut change = self.change_by_engine()?;
        if order.collect_at > change.now {
            return Ok(Work::Nothing);
        }
        if self.is_under_way(&order).await? {
            order.collect_at = change.now + PAUSE;
            change.update(&order, hit.document.version)?;
            return Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Postponed));
        }
        if let Some(replaced) = &order.replaces {
            let claim = replacement_claim(replaced.certificate, order.id);
            let claim = self.find::<Claim>(&claim.document_id()).await?;
            if let Some(claim) = claim.filter(|claim| claim.value.owner == order.id.to_string()) {
                change.delete(&claim.value, claim.version);
            }
        }
        change.delete(&order, hit.document.version);
        Ok(hold(change).await?.map_or(Work::TakenByOthers, |_| Work::Removed))
    }

    /// Whether its request may still come to a certificate.
    async fn is_under_way(&self, order: &Order) -> Result<bool, Error> {
        let OrderState::Finalized { request, .. } = &order.state else { return Ok(false) };
        let request: Option<Versioned<CertificateRequest>> = self.find(&request.to_string()).await?;
        let state = request.map(|request| request.value.state);
        Ok(matches!(state, Some(RequestState::AwaitingApproval(_) | RequestState::Issuing(_))))
    }
}
