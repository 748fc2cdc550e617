//! What belongs to the commits that issue a certificate: plans for what renews by itself, and the mark on the one that is
//! replaced.

use crate::domain::{
    Application, AutoRenewal, CertificateRecord, CertificateRequest, KeyCustody, Method, Profile, RenewalPlan,
    RenewalSetting, RenewalState, RequestId,
};
use crate::engine::cache::Setting;
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::error::Error;
use crate::engine::schema::Entity;

/// What attachment and profile say about renewal, as it stood when it was read.
#[derive(Clone, Debug, Default)]
pub(in crate::engine) struct Standing {
    pub(super) application: Option<Versioned<Application>>,
    pub(super) profile: Option<Versioned<Profile>>,
}

impl Standing {
    pub(in crate::engine) fn of(setting: &Setting) -> Self {
        Self { application: Some(setting.application.clone()), profile: Some(setting.profile.clone()) }
    }

    /// The setting that holds for a plan.
    pub(super) fn for_plan(&self, plan: &RenewalPlan) -> Option<RenewalSetting> {
        let profile = self.profile.as_ref().map(|profile| &profile.value);
        let attachment = self.attachment(plan);
        let attached = attachment.and_then(|attachment| attachment.methods.api.as_ref());
        let attached: Option<&AutoRenewal> = attached.and_then(|api| api.auto_renew.as_ref());
        plan.setting_of(attached, profile.and_then(|profile| profile.auto_renew.as_ref())).cloned()
    }

    pub(super) fn attachment(&self, plan: &RenewalPlan) -> Option<&crate::domain::Attachment> {
        self.profile.as_ref()?;
        self.application.as_ref()?.value.attachment(plan.profile)
    }

    /// Demands that it still stands so.
    pub(super) fn check(&self, change: &mut Change<'_>) {
        if let Some(application) = &self.application {
            change.check(application.value.key(), application.version);
        }
        if let Some(profile) = &self.profile {
            change.check(profile.value.key(), profile.version);
        }
    }
}

impl Context {
    /// What is said about the renewal of an Application's certificates of a profile.
    pub(super) async fn standing(&self, plan: &RenewalPlan) -> Result<Standing, Error> {
        let application = self.find(&plan.application.to_string()).await?;
        Ok(Standing { application, profile: self.find(&plan.profile.to_string()).await? })
    }

    /// What belongs to the commit that records a certificate some time after it was permitted: its predecessor's mark, and
    /// its own plan by what is said now. That this still holds is checked by the commit, or the walk that follows a change
    /// could miss it.
    pub(in crate::engine) async fn plan_next(
        &self,
        request: &CertificateRequest,
        record: &mut CertificateRecord,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let mut standing = Standing::default();
        if let Some(plan) = RenewalPlan::new(record, 0).filter(|_| renews_itself(record)) {
            standing = self.standing(&plan).await?;
            standing.check(change);
        }
        match self.succession(request).await? {
            Some(succession) => succession.record(record, &standing, change),
            None => plan_first(record, &standing, change),
        }
    }

    /// The predecessor of a request's certificate, and the plan of their lineage.
    pub(in crate::engine) async fn succession(
        &self,
        request: &CertificateRequest,
    ) -> Result<Option<Succession>, Error> {
        let Some(id) = request.replaces else { return Ok(None) };
        let Some(predecessor) = self.find::<CertificateRecord>(&id.to_string()).await? else { return Ok(None) };
        let plan = self.find(&predecessor.value.lineage.to_string()).await?;
        Ok(Some(Succession { predecessor, plan }))
    }
}

/// A certificate that is replaced, and the plan of its lineage.
#[derive(Clone, Debug)]
pub(in crate::engine) struct Succession {
    pub(in crate::engine) predecessor: Versioned<CertificateRecord>,
    pub(in crate::engine) plan: Option<Versioned<RenewalPlan>>,
}

impl Succession {
    /// Whether the certificate has no successor, and nobody is about to renew it.
    pub(in crate::engine) fn is_free(&self) -> bool {
        let is_open = |plan: &Versioned<RenewalPlan>| matches!(plan.value.state, RenewalState::Open { .. });
        self.predecessor.value.replaced_by.is_none() && !self.plan.as_ref().is_some_and(is_open)
    }

    /// Notes the request for a successor that waits for people, in the commit that records it: nobody else asks for one meanwhile.
    pub(in crate::engine) fn ask(&self, request: RequestId, change: &mut Change<'_>) -> Result<(), Error> {
        if let Some(Versioned { value, version }) = &self.plan {
            return change.update(&RenewalPlan { asked: Some(request), ..value.clone() }, *version);
        }
        let spread = u64::from_be_bytes(change.random.take()?);
        match RenewalPlan::new(&self.predecessor.value, spread) {
            Some(plan) => change.create(&RenewalPlan { asked: Some(request), ..plan }),
            None => Ok(()),
        }
    }

    /// Marks the predecessor, and plans the renewal of its successor, in the commit that records this.
    pub(in crate::engine) fn record(
        &self,
        successor: &mut CertificateRecord,
        standing: &Standing,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let mut predecessor = self.predecessor.value.clone();
        successor.lineage = predecessor.lineage;
        successor.replaces = Some(predecessor.id);
        predecessor.replaced_by.get_or_insert(successor.id);
        change.update(&predecessor, self.predecessor.version)?;
        let spread = u64::from_be_bytes(change.random.take()?);
        let Some(mut plan) = RenewalPlan::new(successor, spread) else { return Ok(()) };
        plan.own = self.plan.as_ref().and_then(|plan| plan.value.own.clone());
        plan_by(&mut plan, successor, standing);
        self.put(&plan, change)
    }

    /// Claims the lineage for a request: no other renewal of it is opened before this one has ended.
    pub(in crate::engine) fn claim(&self, request: RequestId, change: &mut Change<'_>) -> Result<(), Error> {
        change.check(self.predecessor.value.key(), self.predecessor.version);
        let spread = u64::from_be_bytes(change.random.take()?);
        let existing = self.plan.as_ref().map(|plan| plan.value.clone());
        let Some(mut plan) = existing.or_else(|| RenewalPlan::new(&self.predecessor.value, spread)) else {
            return Ok(());
        };
        let attempts = plan.attempts();
        plan.state = RenewalState::Open { request, since: change.now, attempts };
        self.put(&plan, change)
    }

    /// Gives the lineage back after a request could not be signed; it is tried again.
    pub(in crate::engine) fn release(
        &self,
        request: RequestId,
        reason: String,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let Some(mut plan) = self.plan.as_ref().map(|plan| plan.value.clone()) else { return Ok(()) };
        let RenewalState::Open { request: open, attempts, .. } = plan.state else { return Ok(()) };
        if open != request {
            return Ok(());
        }
        let (certificate, attempts) = (plan.certificate, attempts.max(1));
        if plan.tells(&reason, attempts) {
            let reason = reason.clone();
            let kind = crate::domain::EventKind::RenewalFailed { certificate, reason, attempts };
            change.event(Some(plan.application), kind)?;
        }
        let due_at = plan.life().retry_at(attempts, None, (change.now, plan.spread));
        plan.state = RenewalState::Retrying { attempts, due_at, error: reason };
        self.put(&plan, change)
    }

    fn put(&self, plan: &RenewalPlan, change: &mut Change<'_>) -> Result<(), Error> {
        match &self.plan {
            Some(earlier) => change.update(plan, earlier.version),
            None => change.create(plan),
        }
    }
}

/// Plans the renewal of the first certificate of a lineage, if it renews by itself. What does not costs no document.
pub(in crate::engine) fn plan_first(
    record: &CertificateRecord,
    standing: &Standing,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    let spread = u64::from_be_bytes(change.random.take()?);
    let Some(mut plan) = RenewalPlan::new(record, spread) else { return Ok(()) };
    plan_by(&mut plan, record, standing);
    if plan.state == RenewalState::Off { Ok(()) } else { change.create(&plan) }
}

/// Plans by what is said, if the certificate is of a kind that renews by itself.
pub(super) fn plan_by(plan: &mut RenewalPlan, record: &CertificateRecord, standing: &Standing) {
    let setting = standing.for_plan(plan).filter(|_| renews_itself(record));
    plan.reschedule(setting.as_ref());
}

/// Whether its key is kept here, and no protocol's client renews it.
pub(in crate::engine) fn renews_itself(record: &CertificateRecord) -> bool {
    record.custody == KeyCustody::Managed && matches!(record.method, None | Some(Method::Api))
}
