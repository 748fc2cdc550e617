//! The verbs on syncs. None waits for a target: what they ask for is due work.

use super::follow_up::syncs_of;
use super::no_sync;
use crate::domain::{
    Action, Actor, Application, ApplicationId, CertificateId, CertificateRecord, EventKind, SyncId, SyncRecord,
    SyncSpec, SyncState,
};
use crate::engine::context::{Change, Context, Versioned};
use crate::engine::error::Error;
use crate::engine::query::{Page, PageToken};
use crate::engine::schema::{Claim, Entity, SyncWalk, WalkStage};
use crate::engine::settings::name_taken;
use crate::x509::InvalidValue;

impl Context {
    /// Makes a sync, or changes the one of its name, and lets a walk bring its deployments in line.
    pub(in crate::engine) async fn save_sync(
        &self,
        actor: &Actor,
        application: ApplicationId,
        spec: SyncSpec,
    ) -> Result<SyncRecord, Error> {
        let claim = Claim::name(SyncRecord::KIND, &format!("{application}/{}", spec.name), String::new());
        let application = self.permitted(actor, application, Action::SyncsRead).await?;
        let claim = self.find::<Claim>(&claim.document_id()).await?;
        let earlier: Option<Versioned<SyncRecord>> = match &claim {
            Some(claim) => self.find(&claim.value.owner).await?,
            None => None,
        };
        let action = if earlier.is_some() { Action::SyncsEdit } else { Action::SyncsCreate };
        self.authorize(actor, action, &application.value)?;
        if let Some(unchanged) = earlier.as_ref().filter(|earlier| earlier.value.spec == spec) {
            return Ok(unchanged.value.clone());
        }
        self.check_spec(&spec, earlier.as_ref().map(|earlier| &earlier.value), application.value.id).await?;
        let mut change = self.change(actor, self.now())?;
        let record = record(spec, earlier.as_ref(), application.value.id, &mut change)?;
        match &earlier {
            Some(earlier) => change.update(&record, earlier.version)?,
            None => {
                let name = format!("{}/{}", record.application, record.spec.name);
                change.create(&Claim::name(SyncRecord::KIND, &name, record.id.to_string()))?;
                change.create(&record)?;
                // Written anew, so that a deletion of the Application that is under way fails.
                change.update::<Application>(&application.value, application.version)?;
            }
        }
        self.walk(record.id, WalkStage::Certificates, &mut change).await?;
        change.event(Some(record.application), EventKind::SyncSaved { sync: record.id })?;
        let name = record.spec.name.clone();
        change.commit().await.map_err(|error| name_taken(error, SyncRecord::KIND, &name))?;
        Ok(record)
    }

    /// Every fault of a spec that can be known: its own, the target's limits, and that no other sync wants the same names.
    async fn check_spec(
        &self,
        spec: &SyncSpec,
        earlier: Option<&SyncRecord>,
        application: ApplicationId,
    ) -> Result<(), Error> {
        let target = self.targets.get(spec.target.as_str()).ok_or_else(|| Error::not_found("target", &spec.target))?;
        let mut faults = spec.faults(Some(target.limits()));
        if earlier.is_some_and(|earlier| earlier.spec.target != spec.target) {
            let error = InvalidValue::new("target", spec.target.as_str(), "the one that it has: make another sync");
            faults.push(("target".into(), error));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        for other in self.active_syncs(application).await? {
            let is_other = earlier.is_none_or(|earlier| earlier.id != other.id);
            if is_other && collides(spec, &other.spec) {
                let by = format!("sync {}, which gives the same certificates the same names there", other.spec.name);
                return Err(Error::InUse { what: "target", id: spec.target.to_string(), by });
            }
        }
        Ok(())
    }

    /// Deletes a sync. It is seen until nothing of it is left at its target.
    pub(in crate::engine) async fn delete_sync(&self, actor: &Actor, id: SyncId) -> Result<(), Error> {
        let Versioned { value: mut sync, version } = self.readable_sync(actor, id, Action::SyncsDelete).await?;
        if sync.state == SyncState::Deleted {
            return Ok(());
        }
        let mut change = self.change(actor, self.now())?;
        sync.state = SyncState::Deleted;
        sync.updated_at = change.now;
        change.update(&sync, version)?;
        let claim = Claim::name(SyncRecord::KIND, &format!("{}/{}", sync.application, sync.spec.name), String::new());
        if let Some(claim) = self.find::<Claim>(&claim.document_id()).await? {
            change.delete(&claim.value, claim.version);
        }
        self.walk(id, WalkStage::Deployments, &mut change).await?;
        change.event(Some(sync.application), EventKind::SyncDeleted { sync: id })?;
        change.commit().await.map_err(Error::contended).map(drop)
    }

    /// One page of an Application's syncs.
    pub(in crate::engine) async fn syncs(
        &self,
        actor: &Actor,
        application: ApplicationId,
        after: Option<&PageToken>,
    ) -> Result<Page<SyncRecord>, Error> {
        self.permitted(actor, application, Action::SyncsList).await?;
        let mut scan = syncs_of(application, 100);
        scan.after = after.map(PageToken::cursor).transpose()?;
        self.page(&scan).await
    }

    /// Makes everything of a sync due: what waits, what failed, what is parked, and what is to be looked at.
    pub(in crate::engine) async fn sync_now(&self, actor: &Actor, id: SyncId) -> Result<(), Error> {
        let sync = self.readable_sync(actor, id, Action::SyncsSyncCertificates).await?;
        let mut change = self.change(actor, self.now())?;
        let stage = match sync.value.state {
            SyncState::Active => WalkStage::Certificates,
            SyncState::Deleted => WalkStage::Deployments,
        };
        self.walk(id, stage, &mut change).await?;
        change.check(sync.value.key(), sync.version);
        change.event(Some(sync.value.application), EventKind::SyncRequested { sync: id })?;
        change.commit().await.map_err(Error::contended).map(drop)
    }

    /// Takes a certificate's lineage out of a sync for good: it joins those that are excepted.
    pub(in crate::engine) async fn remove_certificate(
        &self,
        actor: &Actor,
        id: SyncId,
        certificate: CertificateId,
    ) -> Result<SyncRecord, Error> {
        let Versioned { value: mut sync, version } =
            self.readable_sync(actor, id, Action::SyncsRemoveCertificates).await?;
        let found = self.find::<CertificateRecord>(&certificate.to_string()).await?.map(|record| record.value);
        let record = found.filter(|record| record.application == Some(sync.application));
        let record = record.ok_or_else(|| Error::not_found(CertificateRecord::KIND, certificate))?;
        if sync.spec.select.except.contains(&record.lineage) {
            return Ok(sync);
        }
        sync.spec.select.except.push(record.lineage);
        let faults = sync.spec.faults(None);
        if !faults.is_empty() {
            return Err(Error::Invalid { faults });
        }
        let mut change = self.change(actor, self.now())?;
        sync.updated_at = change.now;
        change.update(&sync, version)?;
        self.reconsider(&sync, &record, &mut change).await?;
        change.event(Some(sync.application), EventKind::SyncSaved { sync: id })?;
        change.commit().await.map_err(Error::contended)?;
        Ok(sync)
    }

    /// A sync on which the actor may do `action`. Who may not know of it is told that there is none.
    pub(super) async fn readable_sync(
        &self,
        actor: &Actor,
        id: SyncId,
        action: Action,
    ) -> Result<Versioned<SyncRecord>, Error> {
        let sync: Versioned<SyncRecord> = self.load(&id.to_string()).await?;
        match self.permitted(actor, sync.value.application, action).await {
            Ok(_) => Ok(sync),
            Err(Error::NotFound { .. }) => Err(no_sync(id)),
            Err(error) => Err(error),
        }
    }

    /// Begins a walk, in place of one that is under way.
    async fn walk(&self, sync: SyncId, stage: WalkStage, change: &mut Change<'_>) -> Result<(), Error> {
        let walk = SyncWalk::new(sync, stage, change.now);
        match self.find::<SyncWalk>(&sync.to_string()).await? {
            Some(earlier) => change.update(&walk, earlier.version),
            None => change.create(&walk),
        }
    }

    /// Lets an Application with syncs not be deleted: what they brought to targets would be nobody's.
    pub(in crate::engine) async fn demand_no_syncs(&self, application: ApplicationId) -> Result<(), Error> {
        match self.store.scan(&syncs_of(application, 1)).await?.first() {
            None => Ok(()),
            Some(hit) => {
                let by = format!("sync {}", hit.document.key.id);
                Err(Error::InUse { what: Application::KIND, id: application.to_string(), by })
            }
        }
    }
}

fn record(
    spec: SyncSpec,
    earlier: Option<&Versioned<SyncRecord>>,
    application: ApplicationId,
    change: &mut Change<'_>,
) -> Result<SyncRecord, Error> {
    let fresh = SyncId::new(change.now, change.random.take()?);
    let (id, created_at) = earlier.map_or((fresh, change.now), |e| (e.value.id, e.value.created_at));
    Ok(SyncRecord { id, application, spec, state: SyncState::Active, created_at, updated_at: change.now })
}

/// Whether two syncs are sure to give one certificate one name at one target, if there is any that one of them selects.
/// What only certificates to come would show is found when they are delivered.
fn collides(spec: &SyncSpec, other: &SyncSpec) -> bool {
    let overlap = spec.select.implies(&other.select) || other.select.implies(&spec.select);
    spec.target == other.target && spec.name_template == other.name_template && overlap
}
