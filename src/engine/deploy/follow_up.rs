//! From events to wishes: what a certificate's issue, renewal, revocation or change means for its Application's syncs.

use std::collections::BTreeMap;

use crate::domain::{
    ApplicationId, CertificateId, CertificateRecord, Deployment, Event, EventKind, SyncRecord, SyncState,
};
use crate::engine::context::{Change, Context, Versioned, decode};
use crate::engine::due::{Work, item};
use crate::engine::error::Error;
use crate::engine::schema::{DEPLOYMENT_CERTIFICATE, SYNC_APPLICATION, SyncTask, deployment_id};
use crate::store::{Hit, MAX_SCAN_LIMIT, Over, Scan};

/// Which Applications have syncs, as far as it was looked up for one batch of events.
#[derive(Debug, Default)]
pub(in crate::engine) struct Synced(BTreeMap<ApplicationId, bool>);

impl Context {
    /// Lets an event reach the syncs of its Application, in the commit that marks the event as followed up: exactly once.
    /// Costs one look for a sync for each Application, and for one that has any a write; the rest is due work.
    pub(in crate::engine) async fn follow_up_deployments(
        &self,
        event: &Event,
        synced: &mut Synced,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let (Some(application), Some(certificate)) = (event.application, concerned(&event.kind)) else { return Ok(()) };
        let is_synced = match synced.0.get(&application) {
            Some(known) => *known,
            None => !self.store.scan(&syncs_of(application, 1)).await?.is_empty(),
        };
        synced.0.insert(application, is_synced);
        if !is_synced {
            return Ok(());
        }
        change.create(&SyncTask { event: event.id, application, certificate, due: change.now })
    }

    /// Turns a task into wishes of deployments. Two tasks of one lineage conflict, and one of them comes up again.
    pub(in crate::engine) async fn task_due(&self, hit: &Hit) -> Result<Work, Error> {
        let task: SyncTask = item(hit)?;
        let mut change = self.change_by_engine()?;
        match self.find::<CertificateRecord>(&task.certificate.to_string()).await? {
            Some(record) => {
                for sync in self.active_syncs(task.application).await? {
                    self.reconsider(&sync, &record.value, &mut change).await?;
                }
            }
            None => self.forget_certificate(task.certificate, &mut change).await?,
        }
        change.delete(&task, hit.document.version);
        change.commit().await?;
        Ok(Work::Planned)
    }

    /// Brings the deployment of a certificate's lineage, if there is or should be one, in line with the sync.
    pub(super) async fn reconsider(
        &self,
        sync: &SyncRecord,
        record: &CertificateRecord,
        change: &mut Change<'_>,
    ) -> Result<(), Error> {
        let existing: Option<Versioned<Deployment>> = self.find(&deployment_id(sync.id, record.lineage)).await?;
        if existing.is_none() && !might_concern(sync, record) {
            return Ok(());
        }
        let (wish, _) = self.wish(sync, Some(record), change.now).await?;
        wish_for(sync, (record.lineage, existing), wish, change)
    }

    /// What was deleted from the inventory is detached from every sync.
    async fn forget_certificate(&self, certificate: CertificateId, change: &mut Change<'_>) -> Result<(), Error> {
        let mut scan = Scan::new(Over::Index(DEPLOYMENT_CERTIFICATE.into()), MAX_SCAN_LIMIT);
        scan.from = Some(certificate.to_string());
        scan.to = Some(format!("{certificate}\u{1}"));
        for hit in self.store.scan(&scan).await? {
            let deployment: Deployment = decode(&hit.document.key, &hit.document.body)?;
            let Some(sync) = self.find::<SyncRecord>(&deployment.sync.to_string()).await? else { continue };
            let wish = super::wish::detached(sync.value.spec.remove);
            let lineage = deployment.lineage;
            let existing = Some(Versioned { value: deployment, version: hit.document.version });
            wish_for(&sync.value, (lineage, existing), wish, change)?;
        }
        Ok(())
    }

    /// The syncs of an Application that are there to stay.
    pub(super) async fn active_syncs(&self, application: ApplicationId) -> Result<Vec<SyncRecord>, Error> {
        let hits = self.scan_all(syncs_of(application, 100)).await?;
        let syncs = hits.iter().map(|hit| decode::<SyncRecord>(&hit.document.key, &hit.document.body));
        let syncs: Vec<SyncRecord> = syncs.collect::<Result<_, _>>()?;
        Ok(syncs.into_iter().filter(|sync| sync.state == SyncState::Active).collect())
    }
}

/// Writes what becomes of a deployment: a new one only if something is wanted; what was given up is nobody's any more.
pub(super) fn wish_for(
    sync: &SyncRecord,
    (lineage, existing): (CertificateId, Option<Versioned<Deployment>>),
    wish: crate::domain::Wish,
    change: &mut Change<'_>,
) -> Result<(), Error> {
    let Some(Versioned { value: before, version }) = existing else {
        return match wish {
            crate::domain::Wish::Have(_) => change.create(&fresh(sync, lineage, change.now).wish(wish, change.now)),
            _ => Ok(()),
        };
    };
    // What is given up goes with its claims, which due work knows: it becomes due at once.
    let after = match wish {
        crate::domain::Wish::GiveUp => before.clone().wake(change.now),
        wish => before.clone().wish(wish, change.now),
    };
    if after == before { Ok(()) } else { change.update(&after, version) }
}

fn fresh(sync: &SyncRecord, lineage: CertificateId, now: time::OffsetDateTime) -> Deployment {
    Deployment {
        sync: sync.id,
        lineage,
        application: sync.application,
        target: sync.spec.target.clone(),
        wanted: None,
        places: Vec::new(),
        state: crate::domain::DeploymentState::Waiting { attempts: 0, retry_at: now },
    }
}

/// Whether a sync without a deployment of this lineage might get one: asked before the lineage is read.
fn might_concern(sync: &SyncRecord, record: &CertificateRecord) -> bool {
    sync.spec.select.matches(record) || !sync.spec.select.certificates.is_empty()
}

/// The certificate that an event is about, if it may matter to a sync.
fn concerned(kind: &EventKind) -> Option<CertificateId> {
    match kind {
        EventKind::CertificateIssued { certificate, .. }
        | EventKind::CertificateRenewed { certificate, .. }
        | EventKind::CertificateImported { certificate }
        | EventKind::CertificateTagged { certificate }
        | EventKind::CertificateDeleted { certificate }
        | EventKind::CertificateRevoked { certificate, .. }
        | EventKind::CertificateReleased { certificate } => Some(*certificate),
        _ => None,
    }
}

/// The syncs of an Application.
pub(super) fn syncs_of(application: ApplicationId, limit: usize) -> Scan {
    let mut scan = Scan::new(Over::Index(SYNC_APPLICATION.into()), limit);
    scan.from = Some(application.to_string());
    scan.to = Some(format!("{application}\u{1}"));
    scan
}
