//! Renewal: one at a time for each lineage, by somebody or by itself, judged by what holds now.
//!
//! A lineage has one plan, and whoever renews must change it in the commit that opens the renewal: that is the invariant.

mod budget;
mod due;
mod queue;
mod submit;
mod succeed;
mod wake;

use serde::Serialize;

pub(super) use succeed::{Standing, Succession, plan_first};

use super::context::{Context, Versioned};
use super::error::Error;
use super::schema::plan_key;
use crate::domain::{
    Action, Actor, AutoRenewal, CertificateId, CertificateRecord, Eligibility, EventKind, IssuerId, IssuerRecord,
    IssuerStanding, IssuerState, RenewalBudget, RenewalPlan, RenewalState, Renewing, Span, Surroundings, Urgency,
    eligibility,
};

/// How the renewal of a certificate stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RenewalView {
    /// Whether somebody may renew it now.
    pub manually: Eligibility,
    /// Whether it renews by itself.
    pub by_itself: Eligibility,
    /// The plan of its lineage, if there is one; it is about the lineage's newest certificate.
    pub plan: Option<RenewalPlan>,
}

impl Context {
    /// How the renewal of a certificate stands.
    pub(super) async fn renewal(&self, actor: &Actor, id: CertificateId) -> Result<RenewalView, Error> {
        let record = self.readable(actor, id, Action::CertificatesRead).await?.value;
        let plan: Option<Versioned<RenewalPlan>> = self.find(&record.lineage.to_string()).await?;
        self.view(&record, plan.map(|plan| plan.value)).await
    }

    async fn view(&self, record: &CertificateRecord, plan: Option<RenewalPlan>) -> Result<RenewalView, Error> {
        let now = self.now();
        let Some(own) = plan.clone().or_else(|| RenewalPlan::new(record, 0)) else {
            let around = Surroundings { attachment: None, issuer: IssuerStanding::Active };
            let manually = eligibility(record, around, Renewing::Manually, now);
            return Ok(RenewalView { by_itself: manually.clone(), manually, plan });
        };
        let standing = self.standing(&own).await?;
        let issuer = self.issuer_standing(record.issuer).await?;
        let around = Surroundings { attachment: standing.attachment(&own), issuer };
        let manually = eligibility(record, around, Renewing::Manually, now);
        let setting = standing.for_plan(&own);
        let by_itself = eligibility(record, around, Renewing::ByItself(setting.as_ref()), now);
        Ok(RenewalView { manually, by_itself, plan })
    }

    async fn issuer_standing(&self, issuer: Option<IssuerId>) -> Result<IssuerStanding, Error> {
        let Some(id) = issuer else { return Ok(IssuerStanding::Active) };
        let record: Option<Versioned<IssuerRecord>> = self.find(&id.to_string()).await?;
        let is_active = record.is_some_and(|record| matches!(record.value.state, IssuerState::Active { .. }));
        Ok(if is_active { IssuerStanding::Active } else { IssuerStanding::Inactive })
    }

    /// Sets for one lineage whether and when it renews by itself; `None` leaves it to attachment and profile again.
    pub(super) async fn set_renewal(
        &self,
        actor: &Actor,
        id: CertificateId,
        own: Option<AutoRenewal>,
    ) -> Result<RenewalView, Error> {
        let asked = self.readable(actor, id, Action::CertificatesEdit).await?;
        // The setting is the lineage's: what renews next is its newest certificate, and need not be the one that is named.
        let record = self.newest_of(asked).await?;
        let id = record.value.id;
        let mut change = self.change(actor, self.now())?;
        let earlier: Option<Versioned<RenewalPlan>> = self.find(&record.value.lineage.to_string()).await?;
        let spread = u64::from_be_bytes(change.random.take()?);
        let planned = earlier.as_ref().map(|plan| plan.value.clone());
        let Some(mut plan) = planned.or_else(|| RenewalPlan::new(&record.value, spread)) else {
            return Err(Error::NotRenewable { reasons: vec![crate::domain::Ineligibility::NoProfile] });
        };
        let standing = self.standing(&plan).await?;
        self.fit(&record.value, own.as_ref(), (&standing, &plan)).await?;
        plan.own = own;
        if !matches!(plan.state, RenewalState::Open { .. } | RenewalState::Trying { .. }) {
            plan.urgency = Urgency::Usual;
            plan.told = None;
            succeed::plan_by(&mut plan, &record.value, &standing);
        }
        standing.check(&mut change);
        match &earlier {
            Some(earlier) => change.update(&plan, earlier.version)?,
            None => change.create(&plan)?,
        }
        change.check(super::schema::Entity::key(&record.value), record.version);
        change.event(record.value.application, EventKind::RenewalSet { certificate: id })?;
        match change.commit().await {
            Err(error) if error.is_conflict() => Err(Error::Contended),
            committed => {
                committed?;
                self.view(&record.value, Some(plan)).await
            }
        }
    }

    /// The certificate that the lineage of another has come to.
    async fn newest_of(&self, mut record: Versioned<CertificateRecord>) -> Result<Versioned<CertificateRecord>, Error> {
        while let Some(next) = record.value.replaced_by {
            let Some(next) = self.find(&next.to_string()).await? else { break };
            record = next;
        }
        Ok(record)
    }

    /// Brings the renewal of a certificate forward for somebody who may edit it.
    pub(super) async fn expedite_renewal(&self, actor: &Actor, id: CertificateId) -> Result<bool, Error> {
        let record = self.readable(actor, id, Action::CertificatesEdit).await?.value;
        self.bring_forward(&record, Some(actor)).await
    }

    /// What is to renew by itself must be able to, and its window must open in time. Off is always possible.
    async fn fit(
        &self,
        record: &CertificateRecord,
        own: Option<&AutoRenewal>,
        (standing, plan): (&Standing, &RenewalPlan),
    ) -> Result<(), Error> {
        let Some(setting) = own.and_then(AutoRenewal::setting) else { return Ok(()) };
        let life = plan.life().length().whole_seconds();
        if let Some(error) = setting.fault(format!("{life}s").parse::<Span>().ok()) {
            return Err(Error::Invalid { faults: vec![("renewal".into(), error)] });
        }
        let issuer = self.issuer_standing(record.issuer).await?;
        let around = Surroundings { attachment: standing.attachment(plan), issuer };
        match eligibility(record, around, Renewing::ByItself(Some(setting)), self.now()) {
            Eligibility::Ineligible { reasons } => Err(Error::NotRenewable { reasons }),
            Eligibility::Eligible | Eligibility::NotYet { .. } => Ok(()),
        }
    }

    /// Sets how many renewals automatic renewal may do below an issuer.
    pub(super) async fn set_renewal_budget(
        &self,
        actor: &Actor,
        id: IssuerId,
        budget: RenewalBudget,
    ) -> Result<IssuerRecord, Error> {
        self.authorize_product(actor, "change issuers")?;
        let faults = budget.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let Versioned { value: mut issuer, version } = self.load::<IssuerRecord>(&id.to_string()).await?;
        issuer.renewals = budget;
        let mut change = self.change(actor, self.now())?;
        change.update(&issuer, version)?;
        change.wakes(id)?;
        change.event(None, EventKind::IssuerSaved { issuer: id, what: "renewal budget set".into() })?;
        match change.commit().await {
            Err(error) if error.is_conflict() => Err(Error::Contended),
            committed => committed.map(|_| issuer),
        }
    }
}
